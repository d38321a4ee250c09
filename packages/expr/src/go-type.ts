/**
 * The Go types that the language can meet, as far as messages and rules need them.
 *
 * Upstream is a Go library and its rules are rules about Go types: which operands an operator takes,
 * what an error message calls a value, whether a key may index a map. Two types are equal exactly
 * when their names are equal.
 */
type Kind =
  | 'bool'
  | 'int'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'float64'
  | 'string'
  | 'slice'
  | 'array'
  | 'map'
  | 'struct'
  | 'func'
  | 'interface'
  | 'ptr'

/** One Go type: its name as Go prints it, its kind and the types it is made of. */
export interface GoType {
  readonly name: string
  readonly kind: Kind
  /** A type with a package of its own, such as `time.Duration`; its kind is that of its content. */
  readonly named?: true
  /** Element type of a slice, an array or a map. */
  readonly elem?: GoType
  /** Key type of a map. */
  readonly key?: GoType
  /** Fields of a struct. */
  readonly fields?: Readonly<Record<string, GoType>>
  /** What a function takes and gives. */
  readonly signature?: Signature
}

/** Parameters and results of a Go function. With `variadic` the last parameter may repeat. */
export interface Signature {
  readonly params: readonly GoType[]
  readonly variadic?: true
  readonly result: GoType
}

export const ANY: GoType = { name: 'interface {}', kind: 'interface' }
export const BOOL: GoType = { name: 'bool', kind: 'bool' }
export const INT: GoType = { name: 'int', kind: 'int' }
export const INT64: GoType = { name: 'int64', kind: 'int64' }
export const UINT8: GoType = { name: 'uint8', kind: 'uint8' }
export const UINT64: GoType = { name: 'uint64', kind: 'uint64' }
export const FLOAT64: GoType = { name: 'float64', kind: 'float64' }
export const STRING: GoType = { name: 'string', kind: 'string' }
export const TIME: GoType = { name: 'time.Time', kind: 'struct', named: true }
export const DURATION: GoType = { name: 'time.Duration', kind: 'int64', named: true }
export const MONTH: GoType = { name: 'time.Month', kind: 'int', named: true }
export const WEEKDAY: GoType = { name: 'time.Weekday', kind: 'int', named: true }
export const LOCATION: GoType = { name: '*time.Location', kind: 'ptr' }

export const ANY_SLICE = sliceOf(ANY)
export const FLOAT_SLICE = sliceOf(FLOAT64)
export const INT_SLICE = sliceOf(INT)
export const STRING_SLICE = sliceOf(STRING)
export const BYTES = sliceOf(UINT8)
export const PAIR: GoType = { name: '[2]interface {}', kind: 'array', elem: ANY }
export const PAIR_SLICE = sliceOf(PAIR)
export const STRING_MAP = mapOf(STRING, ANY)
export const ANY_MAP = mapOf(ANY, ANY)
export const GROUP_MAP = mapOf(ANY, ANY_SLICE)

export function sliceOf(elem: GoType): GoType {
  return { name: `[]${elem.name}`, kind: 'slice', elem }
}

export function funcOf(signature: Signature): GoType {
  const params = signature.params.map((param, i) =>
    signature.variadic && i === signature.params.length - 1
      ? `...${param.elem?.name ?? param.name}`
      : param.name,
  )
  return {
    name: `func(${params.join(', ')}) ${signature.result.name}`,
    kind: 'func',
    signature,
  }
}

function mapOf(key: GoType, elem: GoType): GoType {
  return { name: `map[${key.name}]${elem.name}`, kind: 'map', key, elem }
}

/** A plain whole number type: named ones such as `time.Month` do not count. */
export function isIntegerType(type: GoType): boolean {
  return (
    !type.named &&
    (type.kind.startsWith('int') || type.kind.startsWith('uint')) &&
    type.kind !== 'interface'
  )
}

/** Go's assignability as far as these types go. */
export function isAssignable(from: GoType, to: GoType): boolean {
  return to.kind === 'interface' || from.name === to.name
}
