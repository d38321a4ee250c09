import { Annotations } from './annotations.ts'
import type { Expr } from './ast.ts'
import { Evaluation, type RangeSeries } from './evaluate.ts'
import { type Labels, Metric } from './labels.ts'
import { formatValue } from './number.ts'
import { parseQuery } from './parser.ts'
import { typeOf } from './signatures.ts'
import type { SeriesStore } from './store.ts'
import { EvaluationError, type Sample } from './vector.ts'

/** Seconds since the epoch (with a fraction to the millisecond) and the value as Prometheus prints it: `"0.5"`, `"NaN"`, `"+Inf"`. */
export type Point = readonly [seconds: number, value: string]

/** The data of an answer, in the form of Prometheus' HTTP API. */
export type QueryValue =
  | {
      readonly resultType: 'vector'
      readonly result: readonly { readonly metric: Labels; readonly value: Point }[]
    }
  | {
      readonly resultType: 'matrix'
      readonly result: readonly { readonly metric: Labels; readonly values: readonly Point[] }[]
    }
  | { readonly resultType: 'scalar'; readonly result: Point }
  | { readonly resultType: 'string'; readonly result: readonly [seconds: number, text: string] }

/**
 * An answer or the reason for none. `bad_data` is a mistake in the query, `execution` one that shows on the data;
 * error texts are Prometheus'.
 */
export type QueryResult =
  | {
      readonly ok: true
      readonly value: QueryValue
      readonly warnings: readonly string[]
      readonly infos: readonly string[]
    }
  | {
      readonly ok: false
      readonly errorType: 'bad_data' | 'execution' | 'timeout'
      readonly error: string
    }

export interface QueryOptions {
  /** How far an instant selector looks back for a sample; default 5 minutes. */
  readonly lookbackMs?: number
  /** Samples that one step may touch; default 50 million, as Prometheus' `--query.max-samples`. */
  readonly maxSamples?: number
  /** Ends a query that runs longer than `ms` by `clock`; default: never. */
  readonly timeout?: { readonly ms: number; readonly clock: { now(): number } }
}

const DEFAULT_LOOKBACK_MS = 5 * 60 * 1000
const DEFAULT_MAX_SAMPLES = 50_000_000

class QueryTimeout extends Error {
  override readonly name = 'QueryTimeout'
}

/** The value of a query at one instant (epoch milliseconds). Never throws on any query text. */
export function queryInstant(
  store: SeriesStore,
  query: string,
  atMs: number,
  options: QueryOptions = {},
): QueryResult {
  const parsed = parseQuery(query)
  if (!parsed.ok) return { ok: false, errorType: 'bad_data', error: parsed.error }
  const bounds = { startMs: atMs, endMs: atMs, stepMs: 0 }
  return run({ store, query, bounds, options }, (evaluation) => {
    evaluation.beginStep()
    return instantValue(evaluation, parsed.ast, atMs)
  })
}

/** The values of a query from `startMs` to `endMs` (included) every `stepMs`: always a matrix, ordered by labels. */
export function queryRange(
  store: SeriesStore,
  query: string,
  bounds: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
  options: QueryOptions = {},
): QueryResult {
  if (!(bounds.stepMs > 0))
    return {
      ok: false,
      errorType: 'bad_data',
      error:
        'zero or negative query resolution step widths are not accepted. Try a positive integer',
    }
  const parsed = parseQuery(query)
  if (!parsed.ok) return { ok: false, errorType: 'bad_data', error: parsed.error }
  const type = typeOf(parsed.ast)
  if (type !== 'scalar' && type !== 'vector')
    return {
      ok: false,
      errorType: 'bad_data',
      error: `invalid expression type "${type === 'matrix' ? 'range vector' : type}" for range query, must be Scalar or instant Vector`,
    }
  return run({ store, query, bounds, options }, (evaluation) =>
    rangeValue(evaluation, parsed.ast, bounds),
  )
}

function run(
  request: {
    readonly store: SeriesStore
    readonly query: string
    readonly bounds: { readonly startMs: number; readonly endMs: number; readonly stepMs: number }
    readonly options: QueryOptions
  },
  evaluate: (evaluation: Evaluation) => QueryValue,
): QueryResult {
  const { store, query, bounds, options } = request
  const annotations = new Annotations()
  const evaluation = new Evaluation({
    store,
    ...bounds,
    lookbackMs: options.lookbackMs ?? DEFAULT_LOOKBACK_MS,
    maxSamples: options.maxSamples ?? DEFAULT_MAX_SAMPLES,
    annotations,
    checkTime: timeCheck(options.timeout),
  })
  try {
    const value = evaluate(evaluation)
    return { ok: true, value, ...annotations.render(query) }
  } catch (cause) {
    if (cause instanceof EvaluationError)
      return { ok: false, errorType: 'execution', error: cause.message }
    if (cause instanceof QueryTimeout)
      return { ok: false, errorType: 'timeout', error: cause.message }
    throw cause
  }
}

function timeCheck(timeout: QueryOptions['timeout']): () => void {
  if (timeout === undefined) return () => {}
  const { clock, ms } = timeout
  const deadline = clock.now() + ms
  return () => {
    if (clock.now() > deadline) throw new QueryTimeout('query timed out in expression evaluation')
  }
}

function instantValue(evaluation: Evaluation, ast: Expr, atMs: number): QueryValue {
  const seconds = atMs / 1000
  const type = typeOf(ast)
  switch (type) {
    case 'scalar':
      return {
        resultType: 'scalar',
        result: [seconds, formatValue(evaluation.scalar(ast, atMs))],
      }
    case 'string':
      return { resultType: 'string', result: [seconds, textOf(ast)] }
    case 'vector':
      return {
        resultType: 'vector',
        result: evaluation.vector(ast, atMs).map(({ metric, value }) => ({
          metric: metric.labels,
          value: [seconds, formatValue(value)],
        })),
      }
    case 'matrix':
      return matrixValue(evaluation.matrix(ast, atMs))
    default:
      throw new TypeError(`unknown type: ${type satisfies never}`)
  }
}

function rangeValue(
  evaluation: Evaluation,
  ast: Expr,
  { startMs, endMs, stepMs }: { startMs: number; endMs: number; stepMs: number },
): QueryValue {
  const isScalar = typeOf(ast) === 'scalar'
  const found = new Map<string, { metric: Metric; times: number[]; values: number[] }>()
  for (let at = startMs; at <= endMs; at += stepMs) {
    evaluation.beginStep()
    const vector: readonly Sample[] = isScalar
      ? [{ metric: Metric.empty, value: evaluation.scalar(ast, at) }]
      : evaluation.vector(ast, at)
    for (const { metric, value } of vector) {
      let series = found.get(metric.key)
      if (series === undefined) {
        series = { metric, times: [], values: [] }
        found.set(metric.key, series)
      }
      series.times.push(at)
      series.values.push(value)
    }
  }
  return matrixValue(
    [...found.values()].map(({ metric, times, values }) => ({ metric, window: { times, values } })),
  )
}

function matrixValue(series: readonly RangeSeries[]): QueryValue {
  const ordered = series.toSorted((a, b) => (a.metric.key < b.metric.key ? -1 : 1))
  return {
    resultType: 'matrix',
    result: ordered.map(({ metric, window }) => ({
      metric: metric.labels,
      values: Array.from(
        window.times,
        (at, index): Point => [at / 1000, formatValue(window.values[index] as number)],
      ),
    })),
  }
}

function textOf(expr: Expr): string {
  if (expr.kind === 'paren') return textOf(expr.expr)
  if (expr.kind !== 'string') throw new TypeError(`not a string: ${expr.kind}`)
  return expr.value
}
