import type { Budget } from './budget.ts'
import { funcOf, type GoType, type Signature } from './go-type.ts'
import { Panic, type Value } from './value.ts'

/** What a builtin may use beside its arguments. */
export interface Context {
  readonly budget: Budget
  /** Epoch milliseconds; absent where the environment has no clock. */
  readonly now: (() => number) | undefined
}

/** A function of the language. Its arguments are checked by `validate` or, without it, by `signatures`. */
export interface Builtin {
  /** The type as a value, without a call. */
  readonly type: GoType
  readonly signatures?: readonly Signature[]
  /** The result type (`null`: unknown) or a message. Arguments that are nil have no type. */
  readonly validate?: (args: readonly (GoType | null)[]) => GoType | null | string
  readonly run: (args: readonly Value[], context: Context) => Value
}

export function bySignature(signatures: readonly Signature[], run: Builtin['run']): Builtin {
  const [first] = signatures
  if (first === undefined) throw new TypeError('a builtin needs a signature')
  return { type: funcOf(first), signatures, run }
}

export function byValidation(
  validate: NonNullable<Builtin['validate']>,
  run: Builtin['run'],
): Builtin {
  return { type: VARIADIC, validate, run }
}

const VARIADIC: GoType = { name: 'func(...interface {}) (interface {}, error)', kind: 'func' }

/** A type in a message; for nil Go prints its complaint about formatting nothing. */
export function typeText(type: GoType | null): string {
  return type?.name ?? '%!s(<nil>)'
}

export function wrongCount(expected: string, got: number): string {
  return `invalid number of arguments (expected ${expected}, got ${got})`
}

/** An argument whose presence the checker has made sure of. */
export function arg(args: readonly Value[], index: number): Value {
  const value = args[index]
  if (value === undefined)
    throw new Panic(`invalid number of arguments (expected ${index + 1}, got ${args.length})`)
  return value
}

/** Go's `reflect.Kind` in a message. */
export function kindText(type: GoType | null): string {
  return type?.kind ?? 'invalid'
}
