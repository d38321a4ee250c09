/** One mistake that keeps an object from working. */
export interface Problem {
  /** What the user sees: `spec.strategy.canary.steps[2].setWeight`. */
  readonly path: string
  readonly kind: ProblemKind
  /** What stands there; printed for `Invalid value` and `Unsupported value`. Absent prints as null. */
  readonly value?: unknown
  readonly detail: string
}

/** The kinds of Kubernetes' field errors. */
export type ProblemKind =
  | 'Invalid value'
  | 'Required value'
  | 'Forbidden'
  | 'Internal error'
  | 'Unsupported value'
  | 'Duplicate value'
  | 'Not found'
  | 'Unknown field'

/** One doubt about what an object says; it changes nothing. */
export interface Finding {
  /** One word for events and filters: `DurationNormalized`. */
  readonly reason: string
  /** What the user sees: `spec.strategy.canary.steps[2].pause.duration`. */
  readonly path: string
  readonly message: string
}

/** A value, or what stands in its way. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] }

const withoutValue: ReadonlySet<ProblemKind> = new Set([
  'Required value',
  'Forbidden',
  'Internal error',
  'Unknown field',
])

/** `<path>: <kind>: <value>: <detail>`, as Kubernetes prints field errors (spec api 9). */
export function problemText(problem: Problem): string {
  const { path, kind, value, detail } = problem
  const shown = withoutValue.has(kind) ? '' : `: ${valueText(value)}`
  return `${path}: ${kind}${shown}${detail === '' ? '' : `: ${detail}`}`
}

function valueText(value: unknown): string {
  return JSON.stringify(value ?? null)
}

export function invalid(path: string, value: unknown, detail: string): Problem {
  return { path, kind: 'Invalid value', value, detail }
}

export function missing(path: string, detail: string): Problem {
  return { path, kind: 'Required value', detail }
}

export function internal(path: string, detail: string): Problem {
  return { path, kind: 'Internal error', detail }
}
