import type { TypeRef } from './types.ts'

/** A value that the struct at this place cannot hold. */
export interface DecodeProblem {
  /** What the user sees: `spec.template.spec.containers[0].image`. */
  readonly path: string
  readonly detail: string
}
export function unknownFields(_ref: TypeRef, _value: unknown): readonly string[] {
  throw new Error('unknownFields: not yet')
}
export function decodeProblems(_ref: TypeRef, _value: unknown): readonly DecodeProblem[] {
  throw new Error('decodeProblems: not yet')
}
