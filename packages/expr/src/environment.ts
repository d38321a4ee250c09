import { type Nature, natureOf } from './nature.ts'
import type { Value } from './value.ts'

/** What an expression may name. */
export interface Environment {
  /** Variables and functions by name; own properties only. */
  readonly values: Readonly<Record<string, Value>>
  /** The clock behind the builtin `now()`, epoch milliseconds. Without it `now()` is a run error. */
  readonly now?: () => number
}

/** What the checker knows of the environment. */
export interface Names {
  /** An unknown name is an error rather than nil. */
  readonly strict: boolean
  readonly natureOf: (name: string) => Nature | null
  readonly all: () => readonly string[]
}

/** With an environment names and their types are checked; without one every unknown name is nil. */
export function namesOf(env: Environment | undefined): Names {
  if (env === undefined) return { strict: false, natureOf: () => null, all: () => [] }
  return {
    strict: true,
    natureOf: (name) =>
      Object.hasOwn(env.values, name) ? natureOf(env.values[name] ?? null) : null,
    all: () => Object.keys(env.values),
  }
}

export function lookUp(env: Environment, name: string): Value {
  return Object.hasOwn(env.values, name) ? (env.values[name] ?? null) : null
}
