import { Budget } from './budget.ts'
import type { Environment } from './environment.ts'
import { compile, type Evaluated, evaluate } from './expr.ts'
import { formatValue } from './go-format.ts'
import { parseFloat64, parseInteger, quote } from './go-text.ts'
import { ANY, BOOL, FLOAT64, INT64 } from './go-type.ts'
import { type ExprProblem, positionOf } from './problem.ts'
import {
  Func,
  floatOf,
  Int,
  integerOf,
  isMap,
  isNil,
  itemsOf,
  Panic,
  Time,
  truncate,
  typeName,
  type Value,
} from './value.ts'

/**
 * The functions that conditions of an analysis may call, for one measured value. `isNil` and `default`
 * ignore their first argument: they ask and give that value. Source: spec analysis-and-experiments 3.2.
 */
export function analysisFunctions(result: Value): Readonly<Record<string, Value>> {
  return {
    ...numberFunctions,
    asInt: new Func(
      { params: [ANY], result: INT64 },
      ([value = null]) => new Int(INT64, asInteger(value)),
    ),
    asFloat: new Func({ params: [ANY], result: FLOAT64 }, ([value = null]) => asFloat(value)),
    isNil: new Func({ params: [ANY], result: BOOL }, () => isNil(result)),
    default: new Func({ params: [ANY, ANY], result: ANY }, ([, fallback = null]) =>
      isNil(result) ? fallback : result,
    ),
  }
}

/** `isNaN` and `isInf`, all that a Prometheus range query may call. Source: spec analysis-and-experiments 3.1. */
export const numberFunctions: Readonly<Record<string, Value>> = {
  isNaN: new Func({ params: [FLOAT64], result: BOOL }, ([value]) => Number.isNaN(value)),
  isInf: new Func(
    { params: [FLOAT64], result: BOOL },
    ([value]) => value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY,
  ),
}

/** The names a condition sees: `result` and the functions. Source: spec analysis-and-experiments 3.2. */
export function analysisEnvironment(
  result: Value,
  options: { now?: () => number } = {},
): Environment {
  return { values: { ...analysisFunctions(result), result }, ...options }
}

/** A condition that was decided, or why it could not be. */
export type ConditionOutcome = { ok: true; value: boolean } | { ok: false; problem: ExprProblem }

/**
 * Is the condition true for this measured value? Anything but a boolean is a problem, for example
 * `expected bool, but got float64`. `now` is the clock behind `now()`, epoch milliseconds; without it
 * a condition that calls `now()` is a problem. Source: spec analysis-and-experiments 3.1.
 */
export function evaluateCondition(
  source: string,
  result: Value,
  options: { now?: () => number } = {},
): ConditionOutcome {
  const evaluated = evaluateIn(source, analysisEnvironment(result, options))
  if (!evaluated.ok) return evaluated
  if (typeof evaluated.value === 'boolean') return { ok: true, value: evaluated.value }
  return { ok: false, problem: unexpected(source, 'bool', evaluated.value) }
}

/**
 * The instant an expression such as `now() - duration("5m")` names, with `isNaN` and `isInf` as its only
 * functions; anything but a time is a problem. Source: spec analysis-and-experiments 3.1.
 */
export function evaluateTime(
  source: string,
  options: { now: () => number },
): { ok: true; value: Time } | { ok: false; problem: ExprProblem } {
  const evaluated = evaluateIn(source, { values: numberFunctions, now: options.now })
  if (!evaluated.ok) return evaluated
  if (evaluated.value instanceof Time) return { ok: true, value: evaluated.value }
  return { ok: false, problem: unexpected(source, 'time.Time', evaluated.value) }
}

/** How one measurement is to be judged. */
export interface Conditions {
  /** Absent or empty: none. */
  readonly successCondition?: string
  /** Absent or empty: none. */
  readonly failureCondition?: string
}

/** The phase of a measurement; `message` only with `Error`. */
export type Judgement =
  | { phase: 'Successful' | 'Failed' | 'Inconclusive' }
  | { phase: 'Error'; message: string; problem: ExprProblem }

/**
 * The phase that a measured value has under its conditions. Both are evaluated where both are given, the
 * success condition first; an error in it leaves the other unasked. Source: spec analysis-and-experiments 3.1.
 */
export function judge(
  conditions: Conditions,
  result: Value,
  options: { now?: () => number } = {},
): Judgement {
  const success = decide('successCondition', conditions.successCondition, result, options)
  if (typeof success === 'object' && success !== null) return success
  const failure = decide('failureCondition', conditions.failureCondition, result, options)
  if (typeof failure === 'object' && failure !== null) return failure
  if (failure === true || (failure === null && success === false)) return { phase: 'Failed' }
  if (failure === false && success === false) return { phase: 'Inconclusive' }
  return { phase: 'Successful' }
}

/** `null`: no such condition. */
function decide(
  field: 'successCondition' | 'failureCondition',
  source: string | undefined,
  result: Value,
  options: { now?: () => number },
): boolean | null | Extract<Judgement, { phase: 'Error' }> {
  if (source === undefined || source === '') return null
  const outcome = evaluateCondition(source, result, options)
  if (outcome.ok) return outcome.value
  const { problem } = outcome
  // An empty result explains any failure better than what it led to, even a syntax error.
  const cause = isNil(result) || itemsOf(result)?.length === 0 ? NO_DATA : problem.message
  return { phase: 'Error', message: `could not evaluate ${field} "${source}": ${cause}`, problem }
}

/**
 * What a measured value gives to judge. Lists and maps are looked through: `{"average": null}`, `[]` and `[[]]` hold
 * nothing, `[NaN, nil]` only NaN. Text and truth values are data.
 */
export function contentOf(value: Value): 'data' | 'NaN' | 'nothing' {
  if (value === null) return 'nothing'
  if (Number.isNaN(value)) return 'NaN'
  const parts = itemsOf(value) ?? (isMap(value) ? Object.values(value) : null)
  if (parts === null) return 'data'
  const contents = parts.map(contentOf)
  if (contents.includes('data')) return 'data'
  return contents.includes('NaN') ? 'NaN' : 'nothing'
}

const NO_DATA = 'metric result is nil or empty: no data returned from the metric provider'

function evaluateIn(source: string, env: Environment): Evaluated {
  const compiled = compile(source, { env })
  return compiled.ok ? evaluate(compiled.program, env) : compiled
}

function unexpected(source: string, wanted: string, value: Value): ExprProblem {
  return {
    kind: 'run',
    message: `expected ${wanted}, but got ${typeName(value)}`,
    position: positionOf(source, 0),
  }
}

function asInteger(value: Value): bigint {
  if (typeof value === 'number') return truncate(value)
  const integer = integerOf(value)
  if (integer !== null) return integer
  if (typeof value !== 'string') throw unsupported('asInt', value)
  const parsed = parseInteger(value)
  if (!parsed.ok) throw new Panic(`strconv.ParseInt: parsing ${quote(value)}: ${parsed.reason}`)
  return parsed.value
}

function asFloat(value: Value): number {
  const float = floatOf(value)
  if (float !== null) return float
  if (typeof value !== 'string') throw unsupported('asFloat', value)
  const parsed = parseFloat64(value)
  if (!parsed.ok) throw new Panic(`strconv.ParseFloat: parsing ${quote(value)}: ${parsed.reason}`)
  return parsed.value
}

function unsupported(name: string, value: Value): Panic {
  return new Panic(
    `${name}() not supported on ${typeName(value)} ${formatValue(value, new Budget())}`,
  )
}
