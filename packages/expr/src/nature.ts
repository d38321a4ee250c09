import { ANY_SLICE, type GoType, isAssignable, isIntegerType } from './go-type.ts'
import { typeOf, type Value } from './value.ts'

/**
 * What the checker knows of an expression: its Go type, that it is nil, or nothing. `elem` refines the
 * element type of an array whose Go type only says `[]interface {}`, and the result of a predicate.
 */
export interface Nature {
  readonly type: GoType | null
  readonly isNil?: true
  readonly elem?: Nature
  /** The builtin behind a name that is used as a value. */
  readonly builtin?: string
}

export const UNKNOWN: Nature = { type: null }
export const NIL: Nature = { type: null, isNil: true }

export function ofType(type: GoType): Nature {
  return { type }
}

export function natureOf(value: Value): Nature {
  const type = typeOf(value)
  return type === null ? NIL : { type }
}

export function isUnknown(nature: Nature): boolean {
  return nature.type === null ? nature.isNil !== true : nature.type.kind === 'interface'
}

/** The type in a message. Operators look through pointers, and so does what they say. */
export function natureText(nature: Nature): string {
  return nature.type?.name.replace(/^\*/, '') ?? 'unknown'
}

export function isInteger({ type }: Nature): boolean {
  return type !== null && isIntegerType(type)
}

export function isNumber(nature: Nature): boolean {
  return isInteger(nature) || nature.type?.kind === 'float64'
}

export function isArray({ type }: Nature): boolean {
  return type?.kind === 'slice' || type?.kind === 'array'
}

export function isOfType({ type }: Nature, wanted: GoType): boolean {
  return type?.name === wanted.name
}

export function elementOf(nature: Nature): Nature {
  if (isArray(nature) && nature.elem !== undefined) return nature.elem
  const elem = nature.type?.elem
  return elem === undefined ? UNKNOWN : ofType(elem)
}

export function arrayOf(elem: Nature): Nature {
  return { type: ANY_SLICE, elem }
}

export function isAssignableTo(from: Nature, to: Nature): boolean {
  if (from.isNil && to.type !== null && NILABLE.has(to.type.kind)) return true
  return from.type !== null && to.type !== null && isAssignable(from.type, to.type)
}

const NILABLE = new Set(['interface', 'func', 'map', 'slice', 'ptr'])
