/** What can stand in a gob stream (Go package encoding/gob; spec metric-providers 14.5). */
export type GobType =
  | { readonly kind: 'bool' | 'int' | 'uint' | 'float' | 'bytes' | 'string' }
  /** A value of a registered type, or nil. */
  | { readonly kind: 'interface' }
  | { readonly kind: 'list'; readonly of: GobType }
  /** Keys are strings. */
  | { readonly kind: 'map'; readonly of: GobType }
  /** A Go type that writes itself, such as time.Time. */
  | { readonly kind: 'opaque'; readonly name: string }
  | GobStruct

/** A Go struct; the same object each time, since a stream tells each struct once. */
export interface GobStruct {
  readonly kind: 'struct'
  readonly name: string
  /** In Go's order. Asked for late, since structs may contain themselves. */
  readonly fields: () => readonly GobField[]
}

export interface GobField {
  readonly name: string
  readonly type: GobType
}

/** A value as gob carries it: whole numbers are safe integers, absent fields have their zero value. */
export type GobValue =
  | boolean
  | number
  | string
  | Uint8Array
  | null
  | GobNamed
  | readonly GobValue[]
  | { readonly [name: string]: GobValue }

/** What an interface holds: the name under which the receiver has registered the type. */
export class GobNamed {
  readonly name: string
  readonly type: GobType
  readonly value: GobValue
  constructor(name: string, type: GobType, value: GobValue) {
    this.name = name
    this.type = type
    this.value = value
  }
}

/** A struct of fields that are known at once. */
export function struct(name: string, fields: Readonly<Record<string, GobType>>): GobStruct {
  const list = Object.entries(fields).map(([field, type]) => ({ name: field, type }))
  return { kind: 'struct', name, fields: () => list }
}

export const gobString: GobType = { kind: 'string' }
export const gobInt: GobType = { kind: 'int' }
export const gobUint: GobType = { kind: 'uint' }
export const gobBool: GobType = { kind: 'bool' }
export const gobBytes: GobType = { kind: 'bytes' }
export const gobInterface: GobType = { kind: 'interface' }

/** Ids that every Go program knows without being told. */
export const basicIds = {
  bool: 1,
  int: 2,
  uint: 3,
  float: 4,
  bytes: 5,
  string: 6,
  interface: 8,
} as const

/** The lowest id of types that are told in the stream; Go itself begins with 65 where the first is a user's. */
export const lowestToldId = 64
export const firstOwnId = 65
