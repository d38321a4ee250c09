import type { Budget } from './budget.ts'
import { formatValue } from './go-format.ts'
import { byteLength, compareStrings, concatenate, fromBytes, isAscii, toBytes } from './go-text.ts'
import { FLOAT64, type GoType, INT, isAssignable } from './go-type.ts'
import { addNanos, methodsOf } from './methods.ts'
import {
  AnyMap,
  byteValue,
  duration,
  Func,
  floatOf,
  Int,
  integerOf,
  isMap,
  isNil,
  itemsOf,
  NIL_SLICE,
  Panic,
  Slice,
  Struct,
  Time,
  truncate,
  typeName,
  typeOf,
  type Value,
  wrapInt,
} from './value.ts'

/** `==`: numbers by value, arrays element by element, maps by strict deep equality, nil only nil. */
export function equal(a: Value, b: Value, budget: Budget): boolean {
  budget.spend(2)
  if (typeof a === 'string' || typeof b === 'string') return a === b
  const numbers = compareNumbers(a, b)
  if (numbers !== null) return numbers === 0
  if (a instanceof Time && b instanceof Time) return a.unixNanos === b.unixNanos
  if (isNil(a) && isNil(b)) return true
  const left = itemsOf(a)
  const right = itemsOf(b)
  // Arrays of two different known element types are never equal; one of any type may equal either.
  if (left !== null && right !== null && !isNil(a) && !isNil(b)) {
    const sameType = typeName(a) === typeName(b)
    if (sameType || Array.isArray(a) || Array.isArray(b)) {
      return (
        left.length === right.length &&
        left.every((item, i) => equal(item, right[i] ?? null, budget))
      )
    }
  }
  return deepEqual(a, b, budget)
}

/** Go's `reflect.DeepEqual`: types must agree too, so 1 and 1.0 differ. */
function deepEqual(a: Value, b: Value, budget: Budget): boolean {
  budget.spend(1)
  if (a === b) return true
  if (typeName(a) !== typeName(b)) return false
  if (a instanceof Int && b instanceof Int) return a.value === b.value
  if (a instanceof Time && b instanceof Time) {
    return a.unixNanos === b.unixNanos && a.zone.name === b.zone.name
  }
  const left = itemsOf(a)
  const right = itemsOf(b)
  if (left !== null && right !== null) {
    if (isNil(a) !== isNil(b)) return false
    return (
      left.length === right.length &&
      left.every((item, i) => deepEqual(item, right[i] ?? null, budget))
    )
  }
  if (isMap(a) && isMap(b)) return membersEqual(a, b, budget)
  if (a instanceof Struct && b instanceof Struct) return membersEqual(a.fields, b.fields, budget)
  if (a instanceof AnyMap && b instanceof AnyMap) {
    return (
      a.entries.size === b.entries.size &&
      [...a.entries].every(([key, [, item]]) => {
        const other = b.entries.get(key)
        return other !== undefined && deepEqual(item, other[1], budget)
      })
    )
  }
  return false
}

function membersEqual(
  a: Readonly<Record<string, Value>>,
  b: Readonly<Record<string, Value>>,
  budget: Budget,
): boolean {
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && deepEqual(a[key] ?? null, b[key] ?? null, budget))
  )
}

/** Negative, 0 or positive; NaN where a NaN is involved; `null` if these are not two numbers or durations. */
function compareNumbers(a: Value, b: Value): number | null {
  if (typeof a === 'number' && typeof b === 'number') return difference(a, b)
  const left = integerOf(a)
  const right = integerOf(b)
  // Go converts both to int, so a uint64 beyond its range is negative.
  if (left !== null && right !== null) return difference(wrapInt(left), wrapInt(right))
  if (a instanceof Int && b instanceof Int && isDuration(a) && isDuration(b))
    return difference(a.value, b.value)
  const x = floatOf(a)
  const y = floatOf(b)
  return x === null || y === null ? null : difference(x, y)
}

function difference<T extends number | bigint>(a: T, b: T): number {
  if (a < b) return -1
  if (a > b) return 1
  return a === b ? 0 : Number.NaN
}

/** `a < b`, `>`, `<=` or `>=`. */
export function compare(operator: string, a: Value, b: Value): boolean {
  const order =
    typeof a === 'string' && typeof b === 'string'
      ? compareStrings(a, b)
      : a instanceof Time && b instanceof Time
        ? difference(a.unixNanos, b.unixNanos)
        : compareNumbers(a, b)
  if (order === null) return mismatch(operator, a, b)
  switch (operator) {
    case '<':
      return order < 0
    case '>':
      return order > 0
    case '<=':
      return order <= 0
    default:
      return order >= 0
  }
}

export function add(a: Value, b: Value, budget: Budget): Value {
  if (typeof a === 'string' && typeof b === 'string') {
    budget.spendText(a.length + b.length)
    return concatenate(a, b)
  }
  if (a instanceof Time && isDuration(b)) return addNanos(a, b.value)
  if (isDuration(a) && b instanceof Time) return addNanos(b, a.value)
  if (isDuration(a) && isDuration(b)) return duration(a.value + b.value)
  return (
    numeric(
      a,
      b,
      (x, y) => x + y,
      (x, y) => x + y,
    ) ?? mismatch('+', a, b)
  )
}

export function subtract(a: Value, b: Value): Value {
  if (a instanceof Time && b instanceof Time) return sub(a, b)
  if (a instanceof Time && isDuration(b)) return addNanos(a, -b.value)
  if (isDuration(a) && isDuration(b)) return duration(a.value - b.value)
  return (
    numeric(
      a,
      b,
      (x, y) => x - y,
      (x, y) => x - y,
    ) ?? mismatch('-', a, b)
  )
}

export function multiply(a: Value, b: Value): Value {
  const left = isDuration(a) ? a.value : integerOf(a)
  const right = isDuration(b) ? b.value : integerOf(b)
  if ((isDuration(a) || isDuration(b)) && left !== null && right !== null)
    return duration(left * right)
  // A duration times a float is a float, unlike what the checker thinks of it.
  if (isDuration(a) && typeof b === 'number') return Number(a.value) * b
  if (typeof a === 'number' && isDuration(b)) return a * Number(b.value)
  return (
    numeric(
      a,
      b,
      (x, y) => x * y,
      (x, y) => x * y,
    ) ?? mismatch('*', a, b)
  )
}

export function divide(a: Value, b: Value): Value {
  const x = floatOf(a)
  const y = floatOf(b)
  return x === null || y === null ? mismatch('/', a, b) : x / y
}

export function remainder(a: Value, b: Value): Value {
  const x = integerOf(a)
  const y = integerOf(b)
  if (x === null || y === null) return mismatch('%', a, b)
  if (wrapInt(y) === 0n) throw new Panic('runtime error: integer divide by zero')
  return wrapInt(wrapInt(x) % wrapInt(y))
}

export function power(a: Value, b: Value): Value {
  return goPower(toFloat(a), toFloat(b))
}

/** Go follows C where 1 and NaN or -1 and an infinity meet; JavaScript gives NaN. */
export function goPower(base: number, exponent: number): number {
  if (base === 1) return 1
  if (
    base === -1 &&
    (exponent === Number.POSITIVE_INFINITY || exponent === Number.NEGATIVE_INFINITY)
  )
    return 1
  return base ** exponent
}

export function negate(value: Value): Value {
  if (typeof value === 'number') return -value
  if (typeof value === 'bigint') return wrapInt(-value)
  if (value instanceof Int && !value.type.named) return new Int(value.type, -value.value)
  throw new Panic(`invalid operation: - ${typeName(value)}`)
}

function numeric(
  a: Value,
  b: Value,
  integers: (x: bigint, y: bigint) => bigint,
  floats: (x: number, y: number) => number,
): Value | null {
  if (typeof a === 'number' && typeof b === 'number') return floats(a, b)
  const left = integerOf(a)
  const right = integerOf(b)
  if (left !== null && right !== null) return wrapInt(integers(left, right))
  const x = floatOf(a)
  const y = floatOf(b)
  return x === null || y === null ? null : floats(x, y)
}

function isDuration(value: Value): value is Int {
  return value instanceof Int && value.type.name === 'time.Duration'
}

function sub(later: Time, earlier: Time): Value {
  const nanos = later.unixNanos - earlier.unixNanos
  const limit = 2n ** 63n
  return duration(nanos >= limit ? limit - 1n : nanos < -limit ? -limit : nanos)
}

function mismatch(operator: string, a: Value, b: Value): never {
  throw new Panic(`invalid operation: ${typeName(a)} ${operator} ${typeName(b)}`)
}

/** `needle in array`; a nil array has nothing in it. */
export function isIn(needle: Value, container: Value, budget: Budget): boolean {
  if (container === null) return false
  const items = itemsOf(container)
  if (items !== null) return items.some((item) => equal(item, needle, budget))
  if (isMap(container) || container instanceof AnyMap)
    return mapEntry(container, needle) !== undefined
  if (container instanceof Struct || container instanceof Time) {
    if (typeof needle !== 'string') {
      throw new Panic(`cannot use ${typeName(needle)} as field name of ${typeName(container)}`)
    }
    return container instanceof Struct && Object.hasOwn(container.fields, needle)
  }
  throw new Panic(`operator "in" not defined on ${typeName(container)}`)
}

/** Go's lookup of any value in a map; the key's type must fit, and nil is the zero key. */
function mapEntry(map: AnyMap | Readonly<Record<string, Value>>, key: Value): Value | undefined {
  if (map instanceof AnyMap) return map.entries.get(mapKey(key))?.[1]
  const name = key === null ? '' : key
  if (typeof name !== 'string') throw keyMismatch(typeName(key), 'string')
  return Object.hasOwn(map, name) ? (map[name] ?? null) : undefined
}

export function keyMismatch(type: string, keyType: string): Panic {
  return new Panic(
    `reflect.Value.MapIndex: value of type ${type} is not assignable to type ${keyType}`,
  )
}

/** Keys of any type are equal when both their type and their value are. */
export function mapKey(key: Value): string {
  const type = typeOf(key)
  if (type === null) return 'nil'
  if (typeof key === 'string') return `string ${key}`
  if (typeof key === 'number') return `float64 ${Object.is(key, -0) ? 0 : key}`
  if (key instanceof Int) return `${type.name} ${key.value}`
  if (key instanceof Time) return `time.Time ${key.unixNanos} ${key.zone.name}`
  if (typeof key === 'boolean' || typeof key === 'bigint') return `${type.name} ${key}`
  throw new Panic(`hash of unhashable type: ${type.name}`)
}

/** `from[key]` and `from.key`. */
export function fetch(from: Value, key: Value, budget: Budget): Value {
  if (isMap(from)) return mapEntry(from, key) ?? null
  if (from !== null && typeof key === 'string') {
    const method = boundMethod(from, key)
    if (method !== null) return method
  }
  if (from instanceof AnyMap)
    return mapEntry(from, key) ?? (from.type.elem?.kind === 'slice' ? NIL_SLICE : null)
  if (from instanceof Struct) {
    const name = asserted(key, 'string')
    if (typeof name === 'string' && Object.hasOwn(from.fields, name))
      return from.fields[name] ?? null
  }
  const length = lengthOf(from)
  if (length !== null) {
    const index = at(toInt(key), length)
    if (index < 0 || index >= length) {
      throw new Panic(`index out of range: ${index} (array length is ${length})`)
    }
    return elementAt(from, index)
  }
  throw new Panic(`cannot fetch ${formatValue(key, budget)} from ${typeName(from)}`)
}

/** `get(from, key)`: as `fetch`, but nil instead of an error. */
export function get(from: Value, key: Value): Value {
  if (from === null) return null
  if (isMap(from) || from instanceof AnyMap) return mapEntry(from, key) ?? null
  if (typeof key === 'string') {
    const method = boundMethod(from, key)
    if (method !== null) return method
  }
  if (from instanceof Struct) {
    const name = asserted(key, 'string')
    return typeof name === 'string' && Object.hasOwn(from.fields, name)
      ? (from.fields[name] ?? null)
      : null
  }
  const length = lengthOf(from)
  if (length === null) return null
  const index = at(toInt(key), length)
  return index >= 0 && index < length ? elementAt(from, index) : null
}

function at(index: bigint, length: number): number {
  return Number(index < 0n ? index + BigInt(length) : index)
}

/** Length of an array, or of a string in bytes; `null` for anything else. */
function lengthOf(value: Value): number | null {
  if (typeof value === 'string') return byteLength(value)
  if (value instanceof Uint8Array) return value.length
  return itemsOf(value)?.length ?? null
}

function elementAt(value: Value, index: number): Value {
  if (typeof value === 'string') return byteValue(toBytes(value)[index] ?? 0)
  if (value instanceof Uint8Array) return byteValue(value[index] ?? 0)
  return itemsOf(value)?.[index] ?? null
}

function boundMethod(self: Value, name: string): Func | null {
  const type = typeOf(self)
  const method = type === null ? undefined : methodsOf(type)?.get(name)
  return method === undefined ? null : new Func(method.signature, (args) => method.call(self, args))
}

/** `value[from:to]`; bounds count from the end when negative and are clamped. */
export function slice(value: Value, from: Value, to: Value | undefined, budget: Budget): Value {
  const length = lengthOf(value)
  if (length === null) {
    if (to === undefined) lengthForSlice(value)
    throw new Panic(`cannot slice ${formatValue(from, budget)}`)
  }
  const start = at(toInt(from), length)
  const stop = to === undefined ? length : at(toInt(to), length)
  const end = Math.min(Math.max(stop, 0), length)
  const begin = Math.min(Math.max(start, 0), end)
  if (typeof value === 'string') {
    budget.spendText(length)
    return isAscii(value) ? value.slice(begin, end) : fromBytes(toBytes(value).slice(begin, end))
  }
  if (value instanceof Uint8Array) return value.slice(begin, end)
  budget.spend(end - begin)
  const items = (itemsOf(value) ?? []).slice(begin, end)
  return value instanceof Slice ? new Slice(value.type, items) : items
}

/** Without an upper bound upstream asks for the length first, which a map has and a number has not. */
function lengthForSlice(value: Value): void {
  if (!isMap(value) && !(value instanceof AnyMap)) {
    throw new Panic(`invalid argument for len (type ${typeName(value)})`)
  }
}

export function toInt(value: Value): bigint {
  const integer = integerOf(value)
  if (integer !== null) return wrapInt(integer)
  if (typeof value === 'number') return truncate(value)
  throw new Panic(`invalid operation: int(${typeName(value)})`)
}

function toFloat(value: Value): number {
  const float = floatOf(value)
  if (float === null) throw new Panic(`invalid operation: float(${typeName(value)})`)
  return float
}

/** Go's type assertion: the value if it is of that type, else Go's error. */
export function asserted(value: Value, type: string): Value {
  const actual = typeOf(value)
  if (actual?.name === type) return value
  throw new Panic(`interface conversion: interface {} is ${actual?.name ?? 'nil'}, not ${type}`)
}

export function assertedString(value: Value): string {
  return typeof value === 'string' ? value : (asserted(value, 'string') as string)
}

export function assertedBool(value: Value): boolean {
  return typeof value === 'boolean' ? value : (asserted(value, 'bool') as boolean)
}

/** Upstream calls functions of these signatures directly, all others through reflection. */
const DIRECT = new Set([
  'func() time.Duration',
  'func() time.Month',
  'func() time.Time',
  'func() time.Weekday',
  'func() bool',
  'func() float64',
  'func() int',
  'func() int64',
  'func() string',
  'func(time.Duration) time.Duration',
  'func(time.Duration) time.Time',
  'func(time.Time) time.Duration',
  'func(time.Time) bool',
  'func(interface {}) bool',
  'func(interface {}) float64',
  'func(interface {}) int',
  'func(interface {}) string',
  'func(interface {}, interface {}) interface {}',
  'func(float64) bool',
  'func(float64) float64',
  'func(string) string',
  'func(string) bool',
  'func(string, string) string',
  'func(string, string) bool',
])

/** Calls a function value; `known` is its type where the checker knew it. */
export function callFunction(fn: Value, args: readonly Value[], known: GoType | null): Value {
  if (fn === null) throw new Panic('invalid operation: cannot call nil')
  if (!(fn instanceof Func))
    throw new Panic(`invalid operation: cannot call non-function of type ${typeName(fn)}`)
  const { params, variadic } = fn.signature
  const direct = known !== null && DIRECT.has(known.name)
  if (variadic ? args.length < params.length - 1 : args.length !== params.length) {
    const expected = variadic ? `at least ${params.length - 1}` : params.length
    throw new Panic(`invalid number of arguments: expected ${expected}, got ${args.length}`)
  }
  const converted = args.map((arg, i) => {
    const last = params.at(-1)
    const param = variadic && i >= params.length - 1 ? last?.elem : params[i]
    return param === undefined ? arg : argument(arg, param, direct)
  })
  try {
    return fn.call(converted)
  } catch (error) {
    // Go recovers from any panic of a function; an evaluation never throws.
    throw error instanceof Panic
      ? error
      : new Panic(error instanceof Error ? error.message : String(error))
  }
}

function argument(value: Value, param: GoType, direct: boolean): Value {
  if (param.kind === 'interface') return value
  const type = typeOf(value)
  if (type === null && !direct) return zeroOf(param)
  if (type !== null && isAssignable(type, param)) return value
  if (direct) return asserted(value, param.name)
  throw new Panic(`reflect: Call using ${type?.name} as type ${param.name}`)
}

function zeroOf(type: GoType): Value {
  switch (type.kind) {
    case 'bool':
      return false
    case 'string':
      return ''
    case 'float64':
      return type.name === FLOAT64.name ? 0 : null
    case 'int':
      return type.name === INT.name ? 0n : new Int(type, 0n)
    case 'int64':
      return new Int(type, 0n)
    default:
      // Go would pass a nil pointer or an empty struct on, which none of our functions can use.
      throw new Panic('runtime error: invalid memory address or nil pointer dereference')
  }
}
