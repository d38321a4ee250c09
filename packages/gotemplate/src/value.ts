import type { Run } from './run.ts'
import type { Version } from './semver.ts'
import type { GoTime } from './time/instant.ts'

/**
 * A Go value (spec notifications 6.6). `undefined` is Go's invalid reflect.Value, which prints as
 * `<no value>`; `null` is a nil interface, such as a JSON null still inside its map. `bigint` is Go's
 * `int`, `number` its `float64`.
 */
export type Value =
  | undefined
  | null
  | boolean
  | string
  | bigint
  | number
  | JsonNumber
  | GoInteger
  | GoList
  | GoMap
  | GoTime
  | Version
  | GoFunction

/** A number of the data: a float64 in Go, in the default mode also usable as an integer. */
export interface JsonNumber {
  readonly kind: 'json-number'
  readonly value: number
}

/** Every integer type but `int`: `int64`, `uint64`, `uint8`, `time.Duration`, `time.Month`… */
export interface GoInteger {
  readonly kind: 'integer'
  readonly type: string
  readonly value: bigint
}

/** A slice; its elements are made from the data at the first look. */
export class GoList {
  readonly kind = 'list'
  readonly type: string
  /** Go's nil slice: prints like an empty one, but is `null` in JSON. */
  readonly isNil: boolean
  #items: readonly Value[] | (() => readonly Value[])

  constructor(
    items: readonly Value[] | (() => readonly Value[]),
    options: { type?: string; isNil?: boolean } = {},
  ) {
    this.#items = items
    this.type = options.type ?? '[]interface {}'
    this.isNil = options.isNil ?? false
  }

  get items(): readonly Value[] {
    if (typeof this.#items === 'function') this.#items = this.#items()
    return this.#items
  }
}

/** A map with string keys. `set` and `unset` of a template change it for the rest of the rendering. */
export class GoMap {
  readonly kind = 'map'
  readonly type: string
  readonly isNil: boolean
  #entries: Map<string, Value> | (() => Map<string, Value>)

  constructor(
    entries: Map<string, Value> | (() => Map<string, Value>),
    options: { type?: string; isNil?: boolean } = {},
  ) {
    this.#entries = entries
    this.type = options.type ?? 'map[string]interface {}'
    this.isNil = options.isNil ?? false
  }

  get entries(): Map<string, Value> {
    if (typeof this.#entries === 'function') this.#entries = this.#entries()
    return this.#entries
  }
}

/** What a Go parameter accepts; `value` is a reflect.Value, which also takes what is missing. */
export interface ParameterTypes {
  any: Value
  value: Value
  string: string
  int: bigint
  bool: boolean
  float64: number
  map: GoMap
  time: GoTime
  duration: GoInteger
  version: Version
}
export type Parameter = keyof ParameterTypes

/** A function or bound method with the Go types of its parameters. */
export interface GoFunction {
  readonly kind: 'func'
  /** As `%T` prints it. */
  readonly type: string
  readonly parameters: readonly Parameter[]
  readonly rest: Parameter | undefined
  readonly invoke: (args: readonly Value[], run: Run) => Value
}

type Arguments<P extends readonly Parameter[]> = { [I in keyof P]: ParameterTypes[P[I]] }

/** The evaluator checks arguments against `parameters` before it calls `invoke`. */
export function goFunction<const P extends readonly Parameter[]>(
  parameters: P,
  invoke: (args: Arguments<P>, run: Run) => Value,
  type = 'func(...)',
): GoFunction {
  return {
    kind: 'func',
    type,
    parameters,
    rest: undefined,
    invoke: (args, run) => invoke(args as unknown as Arguments<P>, run),
  }
}

export function variadicFunction<const P extends readonly Parameter[], R extends Parameter>(
  parameters: P,
  rest: R,
  invoke: (args: Arguments<P>, more: readonly ParameterTypes[R][], run: Run) => Value,
): GoFunction {
  return {
    kind: 'func',
    type: 'func(...)',
    parameters,
    rest,
    invoke: (args, run) =>
      invoke(
        args.slice(0, parameters.length) as unknown as Arguments<P>,
        args.slice(parameters.length) as ParameterTypes[R][],
        run,
      ),
  }
}

export function list(items: readonly Value[], type?: string): GoList {
  return new GoList(items, type === undefined ? {} : { type })
}

export function stringList(items: readonly string[]): GoList {
  return new GoList(items, { type: '[]string' })
}

export function int64(value: bigint): GoInteger {
  return { kind: 'integer', type: 'int64', value: BigInt.asIntN(64, value) }
}

export function isObject(
  value: Value,
): value is Exclude<Value, undefined | null | boolean | string | bigint | number> {
  return typeof value === 'object' && value !== null
}

/** The Go name of a value's type, as `%T` and error messages show it. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case 'undefined':
      return '<nil>'
    case 'boolean':
      return 'bool'
    case 'string':
      return 'string'
    case 'bigint':
      return 'int'
    case 'number':
      return 'float64'
  }
  if (value === null) return '<nil>'
  switch (value.kind) {
    case 'json-number':
      return 'float64'
    case 'time':
      return 'time.Time'
    case 'version':
      return '*semver.Version'
    default:
      return value.type
  }
}

/** Go's reflect kind, as `kindOf` and sprig's error messages show it. */
export function kindName(value: Value): string {
  if (value === undefined || value === null) return 'invalid'
  if (!isObject(value)) return typeName(value)
  switch (value.kind) {
    case 'json-number':
      return 'float64'
    case 'integer':
      if (value.type === 'time.Duration') return 'int64'
      return value.type.startsWith('time.') ? 'int' : value.type
    case 'list':
      return 'slice'
    case 'map':
      return 'map'
    case 'time':
      return 'struct'
    case 'version':
      return 'ptr'
    case 'func':
      return 'func'
  }
}

/** The truth of `if`, `and`, `not`: false, 0, nil and empty things are false. */
export function isTrue(value: Value): boolean {
  if (!isObject(value)) return Boolean(value) || Number.isNaN(value)
  switch (value.kind) {
    case 'json-number':
      return value.value !== 0
    case 'integer':
      return value.value !== 0n
    case 'list':
      return value.items.length > 0
    case 'map':
      return value.entries.size > 0
    default:
      return true
  }
}

/** sprig's `empty`: like not true. */
export function isEmpty(value: Value): boolean {
  return !isTrue(value)
}

/** The integer of any Go integer type; undefined for everything else, floats included. */
export function integerOf(value: Value): bigint | undefined {
  if (typeof value === 'bigint') return value
  return isObject(value) && value.kind === 'integer' ? value.value : undefined
}

/** The float of a Go float64, from the template or from the data. */
export function floatOf(value: Value): number | undefined {
  if (typeof value === 'number') return value
  return isObject(value) && value.kind === 'json-number' ? value.value : undefined
}

/** The whole number of a JSON number that fits Go's int; only the default mode asks. */
export function wholeOf(value: JsonNumber): bigint | undefined {
  if (!Number.isInteger(value.value) || Math.abs(value.value) >= 2 ** 63) return undefined
  return BigInt(value.value)
}

export function isList(value: Value): value is GoList {
  return isObject(value) && value.kind === 'list'
}

export function isMap(value: Value): value is GoMap {
  return isObject(value) && value.kind === 'map'
}

/** The bytes of a []uint8; undefined for every other value. */
export function bytesIn(value: Value): Uint8Array | undefined {
  if (!isList(value) || value.type !== '[]uint8') return undefined
  return Uint8Array.from(value.items, (item) => Number(integerOf(item) ?? 0n))
}

/** The type of what a typed map or list holds: `interface {}` for those that come from data. */
export function elementType(container: GoList | GoMap): string {
  return container.type.replace(/^(\[\]|map\[string\])/, '')
}
