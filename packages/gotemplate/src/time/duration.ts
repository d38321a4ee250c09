import type { GoInteger } from '../value.ts'

export const SECOND = 1_000_000_000n
export const MINUTE = 60n * SECOND
export const HOUR = 60n * MINUTE

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: SECOND,
  m: MINUTE,
  h: HOUR,
}

export function durationOf(nanos: bigint): GoInteger {
  return { kind: 'integer', type: 'time.Duration', value: BigInt.asIntN(64, nanos) }
}

/** Go's time.ParseDuration, in nanoseconds: `1h30m`, `-1.5s`, `0`. */
export function parseDuration(text: string): bigint | { problem: string } {
  const invalid = { problem: `time: invalid duration ${JSON.stringify(text)}` }
  const negative = text.startsWith('-')
  const body = /^[+-]/.test(text) ? text.slice(1) : text
  if (body === '0') return 0n
  if (body === '') return invalid
  let total = 0n
  for (let rest = body; rest !== ''; ) {
    const match = /^(\d*)(?:\.(\d*))?([^\d.]*)/.exec(rest)
    const [all = '', whole = '', fraction = '', name = ''] = match ?? []
    if (whole === '' && fraction === '') return invalid
    if (name === '') {
      return { problem: `time: missing unit in duration ${JSON.stringify(text)}` }
    }
    const unit = Object.hasOwn(UNITS, name) ? UNITS[name] : undefined
    if (unit === undefined) {
      const quoted = `${JSON.stringify(name)} in duration ${JSON.stringify(text)}`
      return { problem: `time: unknown unit ${quoted}` }
    }
    total += BigInt(whole === '' ? '0' : whole) * unit
    if (fraction !== '') total += (BigInt(fraction) * unit) / 10n ** BigInt(fraction.length)
    if (total > 2n ** 63n - (negative ? 0n : 1n)) return invalid
    rest = rest.slice(all.length)
  }
  return negative ? -total : total
}

/** Go's Duration.String: `1m30s`, `1.5s`, `100ms`, `0s`. */
export function formatDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s'
  const sign = nanos < 0n ? '-' : ''
  const size = nanos < 0n ? -nanos : nanos
  if (size < SECOND) {
    if (size < 1000n) return `${sign}${size}ns`
    if (size < 1_000_000n) return `${sign}${decimal(size, 3)}µs`
    return `${sign}${decimal(size, 6)}ms`
  }
  const seconds = `${decimal(size % MINUTE, 9)}s`
  if (size < MINUTE) return sign + seconds
  const minutes = `${(size / MINUTE) % 60n}m${seconds}`
  return size < HOUR ? sign + minutes : `${sign}${size / HOUR}h${minutes}`
}

/** Rounds half away from zero to a multiple of `unit`, like Duration.Round. */
export function roundDuration(nanos: bigint, unit: bigint): bigint {
  if (unit <= 0n) return nanos
  const size = nanos < 0n ? -nanos : nanos
  const rest = size % unit
  const rounded = rest + rest < unit ? size - rest : size + unit - rest
  return nanos < 0n ? -rounded : rounded
}

function decimal(size: bigint, places: number): string {
  const scale = 10n ** BigInt(places)
  const fraction = (size % scale).toString().padStart(places, '0').replace(/0+$/, '')
  return fraction === '' ? `${size / scale}` : `${size / scale}.${fraction}`
}
