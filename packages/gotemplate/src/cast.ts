import { show } from './format.ts'
import { stringOf } from './go-string.ts'
import { parseGoFloat, parseGoInteger } from './number-literal.ts'
import { stringerText } from './print-value.ts'
import type { Run } from './run.ts'
import { versionText } from './semver.ts'
import { timeText } from './time/layout.ts'
import { bytesIn, isList, isObject, type Value } from './value.ts'

/** The lenient conversions of sprig (spf13/cast): what cannot be converted is 0. */

const MIN_INT64 = -(2n ** 63n)
const MAX_INT64 = 2n ** 63n - 1n

export function toInt64(value: Value): bigint {
  switch (typeof value) {
    case 'bigint':
      return value
    case 'boolean':
      return value ? 1n : 0n
    case 'number':
      return truncate(value)
    case 'string':
      return parseInt64(value)
  }
  if (!isObject(value)) return 0n
  if (value.kind === 'json-number') return truncate(value.value)
  if (value.kind !== 'integer' || value.type === 'time.Duration') return 0n
  return BigInt.asIntN(64, value.value)
}

export function toFloat64(value: Value): number {
  switch (typeof value) {
    case 'number':
      return value
    case 'string': {
      const float = parseGoFloat(value)
      return float === undefined || (!Number.isFinite(float) && /\d/.test(value)) ? 0 : float
    }
  }
  if (isObject(value) && value.kind === 'json-number') return value.value
  return Number(toInt64(value))
}

/** sprig's strval: `fmt.Sprint`, but bytes become their text. */
export function toText(value: Value, run: Run): string {
  if (typeof value === 'string') return value
  const bytes = bytesIn(value)
  if (bytes) return stringOf(bytes)
  if (isObject(value)) {
    if (value.kind === 'time') return timeText(value)
    if (value.kind === 'version') return versionText(value)
    if (value.kind === 'integer') return stringerText(value) ?? value.value.toString()
  }
  return show(value, run)
}

/** sprig's strslice: nil elements are left out, a scalar is a list of one. */
export function toTexts(value: Value, run: Run): string[] {
  if (value === undefined || value === null) return []
  if (!isList(value)) return [toText(value, run)]
  run.spend(value.items.length)
  return value.items
    .filter((item) => item !== undefined && item !== null)
    .map((item) => toText(item, run))
}

// What does not fit has no defined result in Go; on amd64 it is the least integer.
function truncate(float: number): bigint {
  const whole = Math.trunc(float)
  return whole >= -(2 ** 63) && whole < 2 ** 63 ? BigInt(whole) : MIN_INT64
}

/** Base prefixes count, and so does a fraction of zeros: `3.0` is 3, `3.9` is no integer. */
function parseInt64(text: string): bigint {
  const whole = parseGoInteger(text.replace(/\.0+$/, ''))
  return whole === undefined || whole < MIN_INT64 || whole > MAX_INT64 ? 0n : whole
}
