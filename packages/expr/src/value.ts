import {
  ANY_SLICE,
  BOOL,
  BYTES,
  DURATION,
  FLOAT64,
  funcOf,
  type GoType,
  INT,
  INT64,
  LOCATION,
  type Signature,
  STRING,
  STRING_MAP,
  TIME,
  UINT8,
} from './go-type.ts'

/**
 * A value of the condition language. The representation keeps Go's types apart:
 *
 * | Go | here |
 * | --- | --- |
 * | `nil` | `null` |
 * | `bool`, `string` | the same |
 * | `float64` (every JSON number) | `number` |
 * | `int` (literals, `len`, ranges) | `bigint`, wrapped to 64 bits |
 * | other whole numbers, durations, months | `Int`, tagged with its type |
 * | `[]interface {}` | array |
 * | `[]float64`, `[]string`, `[]int` ... | `Slice` |
 * | `[]byte` | `Uint8Array` |
 * | `map[string]interface {}` | plain object, own properties only |
 * | other maps | `AnyMap` |
 * | structs | `Struct` |
 * | `time.Time`, `*time.Location` | `Time`, `Zone` |
 * | functions | `Func` |
 *
 * Strings are UTF-8 in Go. A byte that is not part of a character (only slicing makes one) is kept as
 * the lone surrogate U+DC00 + byte.
 */
export type Value =
  | null
  | boolean
  | string
  | number
  | bigint
  | readonly Value[]
  | Uint8Array
  | ValueMap
  | Int
  | Slice
  | AnyMap
  | Struct
  | Time
  | Zone
  | Func

/** Go's `map[string]interface {}`: a plain object of which only own properties count. */
export interface ValueMap {
  readonly [key: string]: Value
}

/** What every tagged value extends, so that plain objects can be told from them. */
abstract class Tagged {}

/** A whole number that is not a plain `int`: `int64`, `uint8`, `time.Duration`, `time.Month` ... */
export class Int extends Tagged {
  readonly type: GoType
  readonly value: bigint
  constructor(type: GoType, value: bigint) {
    super()
    this.type = type
    this.value = wrapInteger(type, value)
  }
}

/** An array whose element type is known, such as Go's `[]float64`. */
export class Slice extends Tagged {
  readonly type: GoType
  readonly items: readonly Value[]
  constructor(type: GoType, items: readonly Value[]) {
    super()
    this.type = type
    this.items = items
  }
}

/** A map with keys of any type, as `groupBy` and `fromPairs` make it. */
export class AnyMap extends Tagged {
  readonly type: GoType
  readonly entries: ReadonlyMap<string, readonly [key: Value, value: Value]>
  constructor(type: GoType, entries: ReadonlyMap<string, readonly [key: Value, value: Value]>) {
    super()
    this.type = type
    this.entries = entries
  }
}

/** A Go struct: the set of fields is part of its type, so a wrong field is a compile error. */
export class Struct extends Tagged {
  readonly type: GoType
  readonly fields: ValueMap
  constructor(type: GoType, fields: ValueMap) {
    super()
    this.type = type
    this.fields = fields
  }
}

/** A time zone: a fixed offset in seconds east of UTC, or (`null`) an IANA zone by name. */
export class Zone extends Tagged {
  readonly name: string
  readonly offsetSeconds: number | null
  constructor(name: string, offsetSeconds: number | null) {
    super()
    this.name = name
    this.offsetSeconds = offsetSeconds
  }
}

export const UTC = new Zone('UTC', 0)

/** An instant, in nanoseconds since 1970-01-01T00:00:00Z, and the zone it is shown in. */
export class Time extends Tagged {
  readonly unixNanos: bigint
  readonly zone: Zone
  constructor(unixNanos: bigint, zone: Zone = UTC) {
    super()
    this.unixNanos = unixNanos
    this.zone = zone
  }

  /** Milliseconds since 1970-01-01T00:00:00Z, rounded down. */
  get epochMs(): number {
    return Number(
      (this.unixNanos - (((this.unixNanos % 1_000_000n) + 1_000_000n) % 1_000_000n)) / 1_000_000n,
    )
  }
}

/** A function of the environment. It may throw `Panic` to fail the evaluation with that message. */
export class Func extends Tagged {
  readonly signature: Signature
  readonly type: GoType
  readonly call: (args: readonly Value[]) => Value
  constructor(signature: Signature, call: (args: readonly Value[]) => Value) {
    super()
    this.signature = signature
    this.type = funcOf(signature)
    this.call = call
  }
}

/** The evaluation failed at run time; `message` is what upstream prints. */
export class Panic extends Error {
  override readonly name = 'Panic'
}

/** Go's nil `[]interface {}`: empty, and equal to nil. */
export const NIL_SLICE: readonly Value[] = Object.freeze([])

/**
 * The value behind decoded JSON or plain JavaScript data. Numbers become `float64`, as Go's JSON
 * decoder makes them; with `integers: 'int64'` whole numbers become `int64`, as Kubernetes' decoder
 * makes them for unstructured objects. `undefined` members are left out, a `bigint` is an `int`, and
 * values of the language pass unchanged. Anything else (functions, symbols, class instances) throws
 * a `TypeError`: handing it in is a mistake of the caller. Source: spec analysis-and-experiments 3.7.
 */
export function fromJson(data: unknown, options: { integers?: 'float64' | 'int64' } = {}): Value {
  const integers = options.integers ?? 'float64'
  if (data === null || data === undefined) return null
  switch (typeof data) {
    case 'boolean':
      return data
    case 'string':
      return data.toWellFormed()
    case 'bigint':
      return BigInt.asIntN(64, data)
    case 'number':
      return integers === 'int64' && Number.isSafeInteger(data) && !Object.is(data, -0)
        ? new Int(INT64, BigInt(data))
        : data
    case 'object':
      break
    default:
      throw new TypeError(`not a value of the condition language: ${typeof data}`)
  }
  if (Array.isArray(data)) return data.map((item) => fromJson(item, options))
  if (data instanceof Tagged || data instanceof Uint8Array) return data as Value
  const prototype = Object.getPrototypeOf(data)
  // Objects of another realm (a worker, a vm context) have another Object.prototype.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new TypeError(`not a value of the condition language: ${prototype.constructor?.name}`)
  }
  const map: Record<string, Value> = Object.create(null)
  for (const [key, item] of Object.entries(data)) {
    if (item !== undefined) map[key.toWellFormed()] = fromJson(item, options)
  }
  return map
}

/** Go's `time.Duration`, in nanoseconds. */
export function duration(nanos: bigint): Int {
  return new Int(DURATION, nanos)
}

/** The Go type of a value; `null` for nil, which has none. */
export function typeOf(value: Value): GoType | null {
  switch (typeof value) {
    case 'boolean':
      return BOOL
    case 'string':
      return STRING
    case 'number':
      return FLOAT64
    case 'bigint':
      return INT
    default:
  }
  if (value === null) return null
  if (Array.isArray(value)) return ANY_SLICE
  if (value instanceof Uint8Array) return BYTES
  if (value instanceof Time) return TIME
  if (value instanceof Zone) return LOCATION
  if (
    value instanceof Int ||
    value instanceof Slice ||
    value instanceof AnyMap ||
    value instanceof Struct ||
    value instanceof Func
  ) {
    return value.type
  }
  return STRING_MAP
}

/** What Go's `%T` prints for a value: `float64`, `[]interface {}`, `<nil>` ... */
export function typeName(value: Value): string {
  return typeOf(value)?.name ?? '<nil>'
}

/** nil, or Go's nil array. */
export function isNil(value: Value): boolean {
  return value === null || value === NIL_SLICE
}

export function isMap(value: Value): value is ValueMap {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Tagged) &&
    !(value instanceof Uint8Array)
  )
}

/** The elements of an array of any type; `null` if the value is no array. */
export function itemsOf(value: Value): readonly Value[] | null {
  if (Array.isArray(value)) return value
  if (value instanceof Slice) return value.items
  if (value instanceof Uint8Array) return Array.from(value, byteValue)
  return null
}

/** The whole number behind a value of any integer type; `null` if it is none. */
export function integerOf(value: Value): bigint | null {
  if (typeof value === 'bigint') return value
  return value instanceof Int && !value.type.named ? value.value : null
}

/** The number behind a value of any numeric type as Go's float64; `null` if it is none. */
export function floatOf(value: Value): number | null {
  if (typeof value === 'number') return value
  const integer = integerOf(value)
  return integer === null ? null : Number(integer)
}

export function wrapInt(value: bigint): bigint {
  return BigInt.asIntN(64, value)
}

/** Go's conversion of a float to a 64-bit integer, as amd64 does it where the value does not fit. */
export function truncate(value: number): bigint {
  if (!(value >= -(2 ** 63) && value < 2 ** 63)) return -(2n ** 63n)
  return BigInt(Math.trunc(value))
}

function wrapInteger(type: GoType, value: bigint): bigint {
  const bits = Number(/\d+$/.exec(type.kind)?.[0] ?? 64)
  return type.kind.startsWith('uint') ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value)
}

/** A byte as Go sees an element of a string. */
export function byteValue(byte: number): Int {
  return new Int(UINT8, BigInt(byte))
}
