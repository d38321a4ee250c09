import { show, sprint, sprintf, sprintln } from './format.ts'
import { byteLength, bytesOf, compareStrings, isPrintable } from './go-string.ts'
import { printValue } from './print-value.ts'
import { FunctionFailure, type Run, spendText } from './run.ts'
import { queryEscape } from './sprig/urls.ts'
import {
  elementType,
  floatOf,
  type GoFunction,
  GoList,
  goFunction,
  integerOf,
  isList,
  isMap,
  isObject,
  isTrue,
  kindName,
  typeName,
  type Value,
  variadicFunction,
  wholeOf,
} from './value.ts'

/**
 * Functions of text/template itself. `and`, `or` (which skip arguments) and `call` stand here with their
 * parameters only; the evaluator carries them out.
 */
export const BUILTINS: ReadonlyMap<string, GoFunction> = new Map(
  Object.entries({
    and: variadicFunction(['value'], 'value', ([first]) => first),
    or: variadicFunction(['value'], 'value', ([first]) => first),
    call: variadicFunction(['value'], 'value', ([first]) => first),
    not: goFunction(['value'], ([value]) => !isTrue(value)),
    index: variadicFunction(['value'], 'value', ([item], indexes, run) =>
      index(item, indexes, run),
    ),
    len: goFunction(['value'], ([item]) => BigInt(length(item))),
    print: variadicFunction([], 'any', (_, values, run) => sprint(values, run)),
    println: variadicFunction([], 'any', (_, values, run) => sprintln(values, run)),
    printf: variadicFunction(['string'], 'any', ([format], values, run) =>
      sprintf(format, values, run),
    ),
    html: variadicFunction([], 'any', (_, values, run) => escapeHtml(joined(values, run))),
    js: variadicFunction([], 'any', (_, values, run) => escapeJs(joined(values, run))),
    urlquery: variadicFunction([], 'any', (_, values, run) => queryEscape(joined(values, run))),
    eq: variadicFunction(['value'], 'value', ([a], others, run) => equalsAny(a, others, run)),
    ne: goFunction(['value', 'value'], ([a, b], run) => !equalsAny(a, [b], run)),
    lt: goFunction(['value', 'value'], ([a, b], run) => isLess(a, b, run)),
    le: goFunction(
      ['value', 'value'],
      ([a, b], run) => isLess(a, b, run) || equalsAny(a, [b], run),
    ),
    gt: goFunction(
      ['value', 'value'],
      ([a, b], run) => !(isLess(a, b, run) || equalsAny(a, [b], run)),
    ),
    ge: goFunction(['value', 'value'], ([a, b], run) => !isLess(a, b, run)),
  }),
)

/** The whole number an index or range may use: an int, in the default mode also a whole JSON number. */
export function usableInteger(value: Value, run: Run): bigint | undefined {
  if (run.mode === 'default' && isObject(value) && value.kind === 'json-number')
    return wholeOf(value)
  return integerOf(value)
}

function index(item: Value, indexes: readonly Value[], run: Run): Value {
  if (item === undefined || item === null) throw new FunctionFailure('index of untyped nil')
  let at: Value = item
  for (const key of indexes) {
    if (at === null || at === undefined) throw new FunctionFailure('index of nil pointer')
    if (isMap(at)) {
      if (key === undefined || key === null) {
        throw new FunctionFailure('value is nil; should be of type string')
      }
      if (typeof key !== 'string') {
        throw new FunctionFailure(`value has type ${typeName(key)}; should be string`)
      }
      at = at.entries.has(key) ? at.entries.get(key) : zeroOf(elementType(at))
    } else if (isList(at)) at = at.items[position(key, at.items.length, 'slice', run)]
    else if (typeof at === 'string') {
      const byte = bytesOf(at)[position(key, byteLength(at), 'string', run)]
      at = { kind: 'integer', type: 'uint8', value: BigInt(byte ?? 0) }
    } else throw new FunctionFailure(`can't index item of type ${typeName(at)}`)
  }
  return at
}

/** What an absent key of a typed map yields. */
function zeroOf(type: string): Value {
  if (type === 'string') return ''
  return type === 'interface {}' ? null : new GoList([], { type, isNil: true })
}

function position(key: Value, length: number, kind: string, run: Run): number {
  if (key === undefined || key === null) {
    throw new FunctionFailure('cannot index slice/array with nil')
  }
  const whole = usableInteger(key, run)
  if (whole === undefined) {
    throw new FunctionFailure(`cannot index slice/array with type ${typeName(key)}`)
  }
  if (whole < 0n || whole > BigInt(length))
    throw new FunctionFailure(`index out of range: ${whole}`)
  // Go's own check lets the length itself through.
  if (whole === BigInt(length)) throw new FunctionFailure(`reflect: ${kind} index out of range`)
  return Number(whole)
}

function length(item: Value): number {
  if (item === undefined) {
    throw new FunctionFailure('reflect: call of reflect.Value.Type on zero Value')
  }
  if (item === null) throw new FunctionFailure('len of nil pointer')
  if (typeof item === 'string') return byteLength(item)
  if (isList(item)) return item.items.length
  if (isMap(item)) return item.entries.size
  throw new FunctionFailure(`len of type ${typeName(item)}`)
}

/** Arguments of the escapers are joined like `print`, but nil is shown as an action shows it. */
function joined(values: readonly Value[], run: Run): string {
  const text = sprint(
    values.map((value) => (value === undefined || value === null ? '<no value>' : value)),
    run,
  )
  spendText(run, text.length * 6)
  return text
}

const HTML_ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
}

function escapeHtml(text: string): string {
  return text.replace(/[\0"'&<>]/g, (char) => HTML_ESCAPES[char] ?? char)
}

const JS_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
}

function escapeJs(text: string): string {
  return text.replace(/[\\'"<>&=]|[^ -\x7f]/gu, (char) => {
    const known = JS_ESCAPES[char]
    if (known !== undefined) return known
    const code = char.codePointAt(0) ?? 0
    // A byte that is no UTF-8 counts as U+FFFD, which is printable.
    if (code > 0x7f && (isPrintable(char) || !char.isWellFormed())) return char
    return `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`
  })
}

type Basic =
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }

function basicOf(value: Value): Basic | undefined {
  if (typeof value === 'boolean') return { kind: 'bool', value }
  if (typeof value === 'string') return { kind: 'string', value }
  const int = integerOf(value)
  if (int !== undefined) return { kind: 'int', value: int }
  const float = floatOf(value)
  return float === undefined ? undefined : { kind: 'float', value: float }
}

function isNumeric(value: Basic | undefined): boolean {
  return value?.kind === 'int' || value?.kind === 'float'
}

/** JavaScript compares bigint and number by value, exactly. */
function sameNumber(a: bigint | number, b: bigint | number): boolean {
  // biome-ignore lint/suspicious/noDoubleEquals: === is false for every bigint and number
  return a == b
}

function equalsAny(first: Value, others: readonly Value[], run: Run): boolean {
  if (others.length === 0) throw new FunctionFailure('missing argument for comparison')
  return others.some((other) => equals(first ?? undefined, other ?? undefined, run))
}

function equals(a: Value, b: Value, run: Run): boolean {
  const x = basicOf(a)
  const y = basicOf(b)
  if (x?.kind !== y?.kind) {
    if (run.mode === 'default' && isNumeric(x) && isNumeric(y) && x && y) {
      return sameNumber(x.value as bigint | number, y.value as bigint | number)
    }
    if (a === undefined || b === undefined) return false
    throw incompatible(a, b)
  }
  if (x && y) return x.value === y.value
  return sameObject(a, b, run)
}

function sameObject(a: Value, b: Value, run: Run): boolean {
  if (isNil(a) || isNil(b)) return isNil(a) === isNil(b)
  const shown = (value: Value) =>
    printValue(value, 's', {
      run,
      flags: { minus: false, plus: false, sharp: false, space: false, zero: false },
      width: undefined,
      precision: undefined,
      goSyntax: false,
      fieldNames: false,
    })
  if (kindName(a) !== kindName(b)) {
    const left = `${shown(a)}: ${typeName(a)}`
    throw new FunctionFailure(`non-comparable types ${left}, ${typeName(b)}: ${show(b, run)}`)
  }
  if (isObject(a) && isObject(b) && a.kind === 'time' && b.kind === 'time') {
    return a.nanos === b.nanos && JSON.stringify(a.zone) === JSON.stringify(b.zone)
  }
  if (isObject(b) && b.kind === 'version') return a === b
  throw new FunctionFailure(`non-comparable type ${shown(b)}: ${typeName(b)}`)
}

function isNil(value: Value): boolean {
  if (value === undefined || value === null) return true
  return (isList(value) || isMap(value)) && value.isNil
}

function isLess(a: Value, b: Value, run: Run): boolean {
  const x = basicOf(a)
  const y = basicOf(b)
  if (!x || !y) throw new FunctionFailure('invalid type for comparison')
  if (isNumeric(x) && isNumeric(y) && (x.kind === y.kind || run.mode === 'default'))
    return x.value < y.value
  if (x.kind !== y.kind) throw incompatible(a, b)
  if (x.kind === 'string' && y.kind === 'string') return compareStrings(x.value, y.value) < 0
  throw new FunctionFailure('invalid type for comparison')
}

function incompatible(a: Value, b: Value): FunctionFailure {
  return new FunctionFailure(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`)
}
