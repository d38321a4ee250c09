import { Budget } from './budget.ts'
import { compareStrings, formatFloat } from './go-text.ts'
import { civil, durationText, formatTime, LAYOUTS, MONTHS, timeText, WEEKDAYS } from './go-time.ts'
import {
  AnyMap,
  Func,
  Int,
  isMap,
  itemsOf,
  NIL_SLICE,
  Panic,
  Slice,
  Struct,
  Time,
  typeName,
  type Value,
  Zone,
} from './value.ts'

/**
 * What Go's `%v` prints for a value, as `oncePer` is compared by and `string()` gives: `1e+06`, `[1 a]`,
 * `map[a:1]`, `<nil>`, `1h30m0s`. Throws `Panic` for text beyond any use. Source: spec
 * analysis-and-experiments 3.8, notifications 4.1.
 */
export function formatText(value: Value): string {
  return formatValue(value, new Budget())
}

/** Go's `%v`: what `string()` gives, what messages print and what `oncePer` is compared by. */
export function formatValue(value: Value, budget: Budget): string {
  budget.spend(1)
  if (value === null) return '<nil>'
  if (typeof value === 'string') return value
  if (typeof value === 'number') return formatFloat(value)
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (value instanceof Int) return formatInt(value)
  if (value instanceof Time) return timeText(value)
  if (value instanceof Zone) return value.name
  if (value instanceof Func) return '0x0'
  if (value instanceof Struct) return `{${joined(Object.values(value.fields), budget)}}`
  if (value instanceof AnyMap) {
    const entries = [...value.entries.values()].sort(([a], [b]) => compareKeys(a, b))
    return charged(
      `map[${entries.map(([key, item]) => `${formatValue(key, budget)}:${formatValue(item, budget)}`).join(' ')}]`,
      budget,
    )
  }
  if (isMap(value)) {
    const keys = Object.keys(value).sort(compareStrings)
    return charged(
      `map[${keys.map((key) => `${key}:${formatValue(value[key] ?? null, budget)}`).join(' ')}]`,
      budget,
    )
  }
  return `[${joined(itemsOf(value) ?? [], budget)}]`
}

function joined(items: readonly Value[], budget: Budget): string {
  return charged(items.map((item) => formatValue(item, budget)).join(' '), budget)
}

/** Nested values repeat what they share, so text can grow much faster than memory. */
function charged(text: string, budget: Budget): string {
  budget.spendText(text.length)
  return text
}

export function formatInt(value: Int): string {
  const index = Number(value.value)
  switch (value.type.name) {
    case 'time.Duration':
      return durationText(value.value)
    case 'time.Month':
      return MONTHS[index - 1] ?? `%!Month(${index})`
    case 'time.Weekday':
      return WEEKDAYS[index] ?? `%!Weekday(${index})`
    default:
      return String(value.value)
  }
}

/** Go prints maps by sorted key; keys of different types have no order that one could rely on. */
function compareKeys(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b)
  const left = rank(a)
  const right = rank(b)
  return left === null || right === null ? 0 : left < right ? -1 : left > right ? 1 : 0
}

function rank(key: Value): number | bigint | null {
  if (typeof key === 'boolean') return Number(key)
  if (key instanceof Int) return key.value
  return typeof key === 'number' || typeof key === 'bigint' ? key : null
}

/** Go's `json.MarshalIndent(value, "", "  ")`; throws `Panic` with Go's message. */
export function toJsonText(value: Value, budget: Budget, indent = ''): string {
  budget.spend(1)
  if (value === null || value === NIL_SLICE) return 'null'
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'string') return jsonString(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Panic(`json: unsupported value: ${formatFloat(value)}`)
    return Object.is(value, -0) ? '-0' : String(value)
  }
  if (value instanceof Int) return String(value.value)
  if (value instanceof Uint8Array) return `"${btoa(String.fromCharCode(...value))}"`
  if (value instanceof Time) return `"${jsonTime(value)}"`
  // A *time.Location has no exported field.
  if (value instanceof Zone) return '{}'
  if (Array.isArray(value) || value instanceof Slice) {
    const items = itemsOf(value) ?? []
    return block(
      '[',
      items.map((item) => toJsonText(item, budget, `${indent}  `)),
      ']',
      indent,
      budget,
    )
  }
  if (isMap(value)) {
    const keys = Object.keys(value).sort(compareStrings)
    return jsonMembers(
      keys.map((key) => [key, value[key] ?? null]),
      indent,
      budget,
    )
  }
  if (value instanceof Struct) return jsonMembers(Object.entries(value.fields), indent, budget)
  throw new Panic(`json: unsupported type: ${typeName(value)}`)
}

function jsonMembers(
  members: readonly (readonly [string, Value])[],
  indent: string,
  budget: Budget,
): string {
  const lines = members.map(
    ([key, item]) => `${jsonString(key)}: ${toJsonText(item, budget, `${indent}  `)}`,
  )
  return block('{', lines, '}', indent, budget)
}

function block(
  open: string,
  lines: readonly string[],
  close: string,
  indent: string,
  budget: Budget,
): string {
  if (lines.length === 0) return open + close
  const text = `${open}\n${lines.map((line) => `${indent}  ${line}`).join(',\n')}\n${indent}${close}`
  return charged(text, budget)
}

function jsonTime(time: Time): string {
  const { year } = civil(time)
  if (year < 0 || year > 9999) {
    throw new Panic(
      'json: error calling MarshalJSON for type time.Time: Time.MarshalJSON: year outside of range [0,9999]',
    )
  }
  return formatTime(time, LAYOUTS.RFC3339Nano)
}

/** Go escapes what could end a script element, JavaScript does not. */
function jsonString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
