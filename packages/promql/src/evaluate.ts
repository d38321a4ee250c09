import { aggregate } from './aggregations.ts'
import { type Annotations, annotationTexts } from './annotations.ts'
import {
  type Aggregation,
  type AtModifier,
  type Binary,
  type Call,
  type Expr,
  isSetOperator,
  type MatrixSelector,
  type Subquery,
  type VectorSelector,
} from './ast.ts'
import {
  clamp,
  dateFunctions,
  datePart,
  elementFunctions,
  histogramsIn,
  labelJoin,
  labelReplace,
  mapValues,
  quantileLabel,
  round,
  sortByLabels,
  sortByValue,
} from './functions.ts'
import { METRIC_NAME, Metric } from './labels.ts'
import {
  scalarOperation,
  setOperation,
  vectorOperation,
  vectorScalarOperation,
} from './operators.ts'
import { BadArgument, rangeFunctions } from './over-time.ts'
import { bucketFraction, bucketQuantile } from './quantile.ts'
import type { Bounds } from './rate.ts'
import { typeOf } from './signatures.ts'
import type { Series, SeriesStore, Window } from './store.ts'
import { distinct, EvaluationError, type Sample } from './vector.ts'

/** The bounds and the limits of one query; times are epoch milliseconds. */
export interface EvaluationOptions {
  readonly store: SeriesStore
  readonly startMs: number
  readonly endMs: number
  /** 0 for an instant query. */
  readonly stepMs: number
  readonly lookbackMs: number
  /** Samples that the query may touch at one step. */
  readonly maxSamples: number
  readonly annotations: Annotations
  /** Throws when the query has run for too long. */
  readonly checkTime: () => void
}

/** One series of a range vector. */
export interface RangeSeries {
  readonly metric: Metric
  readonly window: Window
}

/** What `[5m:]` steps by: the evaluation interval of rules, one minute unless configured. */
const DEFAULT_SUBQUERY_STEP_MS = 60_000

/**
 * Evaluates one query, step by step: every step is an instant query of its own, so the two kinds of query cannot
 * disagree. What steps share (the choice of series, the points of subqueries) is kept for the query's life.
 */
export class Evaluation {
  readonly #options: EvaluationOptions
  readonly #selected = new Map<readonly unknown[], readonly Series[]>()
  readonly #subqueryPoints = new Map<Subquery, Map<number, readonly Sample[]>>()
  #touched = 0

  constructor(options: EvaluationOptions) {
    this.#options = options
  }

  /** To be called before each step. */
  beginStep(): void {
    this.#touched = 0
    this.#options.checkTime()
  }

  scalar(expr: Expr, at: number): number {
    switch (expr.kind) {
      case 'number':
        return expr.value
      case 'paren':
        return this.scalar(expr.expr, at)
      case 'unary': {
        const value = this.scalar(expr.expr, at)
        return expr.op === '-' ? -value : value
      }
      case 'binary':
        return scalarOperation(expr.op, this.scalar(expr.left, at), this.scalar(expr.right, at))
      case 'call':
        return this.#scalarCall(expr, at)
      default:
        throw new TypeError(`not a scalar: ${expr.kind}`)
    }
  }

  vector(expr: Expr, at: number): readonly Sample[] {
    switch (expr.kind) {
      case 'selector':
        return this.#instantVector(expr, at)
      case 'paren':
        return this.vector(expr.expr, at)
      case 'unary': {
        const vector = this.vector(expr.expr, at)
        return expr.op === '-' ? mapValues(vector, (value) => -value) : vector
      }
      case 'aggregation':
        return this.#aggregation(expr, at)
      case 'binary':
        return this.#binary(expr, at)
      case 'call':
        return this.#vectorCall(expr, at)
      default:
        throw new TypeError(`not an instant vector: ${expr.kind}`)
    }
  }

  /** The raw samples of a range vector, as an instant query for `up[5m]` returns them. */
  matrix(expr: Expr, at: number): readonly RangeSeries[] {
    switch (expr.kind) {
      case 'paren':
        return this.matrix(expr.expr, at)
      case 'range':
        return this.#range(expr, this.#boundsOf(expr, at))
      case 'subquery':
        return this.#subquery(expr, this.#boundsOf(expr, at))
      default:
        throw new TypeError(`not a range vector: ${expr.kind}`)
    }
  }

  #touch(count: number): void {
    this.#touched += count
    if (this.#touched > this.#options.maxSamples)
      throw new EvaluationError(
        'query processing would load too many samples into memory in query execution',
      )
  }

  #series(selector: VectorSelector): readonly Series[] {
    const known = this.#selected.get(selector.matchers)
    if (known !== undefined) return known
    const series = this.#options.store.select(selector.matchers)
    this.#selected.set(selector.matchers, series)
    return series
  }

  #shift(at: number, modifiers: { readonly offsetMs: number; readonly at?: AtModifier }): number {
    return this.#pinned(at, modifiers.at) - modifiers.offsetMs
  }

  #pinned(at: number, modifier: AtModifier | undefined): number {
    switch (modifier?.kind) {
      case undefined:
        return at
      case 'time':
        return modifier.at
      case 'start':
        return this.#options.startMs
      case 'end':
        return this.#options.endMs
    }
  }

  #instantVector(selector: VectorSelector, at: number): readonly Sample[] {
    return this.#latest(selector, at).map(({ metric, value }) => ({ metric, value }))
  }

  #latest(
    selector: VectorSelector,
    at: number,
  ): readonly (Sample & { readonly sampledAt: number })[] {
    const until = this.#shift(at, selector)
    const found: (Sample & { sampledAt: number })[] = []
    for (const series of this.#series(selector)) {
      const sample = series.latest(until - this.#options.lookbackMs, until)
      if (sample !== undefined)
        found.push({ metric: series.metric, value: sample.value, sampledAt: sample.at })
    }
    this.#touch(found.length)
    return found
  }

  #boundsOf(expr: MatrixSelector | Subquery, at: number): Bounds {
    const end = this.#shift(at, expr.kind === 'range' ? expr.selector : expr)
    return { start: end - expr.rangeMs, end }
  }

  #range(expr: MatrixSelector, { start, end }: Bounds): readonly RangeSeries[] {
    const found: RangeSeries[] = []
    for (const series of this.#series(expr.selector)) {
      const window = series.window(start, end)
      if (window.times.length === 0) continue
      this.#touch(window.times.length)
      found.push({ metric: series.metric, window })
    }
    return found
  }

  #subquery(expr: Subquery, { start, end }: Bounds): readonly RangeSeries[] {
    const stepMs = expr.stepMs ?? DEFAULT_SUBQUERY_STEP_MS
    // Steps lie on multiples of the step since the epoch, whatever the query's own times are.
    let first = stepMs * Math.trunc(start / stepMs)
    if (first <= start) first += stepMs
    const found = new Map<string, { metric: Metric; times: number[]; values: number[] }>()
    for (let at = first; at <= end; at += stepMs) {
      this.#options.checkTime()
      for (const { metric, value } of this.#pointsOf(expr, at)) {
        let series = found.get(metric.key)
        if (series === undefined) {
          series = { metric, times: [], values: [] }
          found.set(metric.key, series)
        }
        series.times.push(at)
        series.values.push(value)
        this.#touch(1)
      }
    }
    return [...found.values()].map(({ metric, times, values }) => ({
      metric,
      window: { times, values },
    }))
  }

  #pointsOf(expr: Subquery, at: number): readonly Sample[] {
    let points = this.#subqueryPoints.get(expr)
    if (points === undefined) {
      points = new Map()
      this.#subqueryPoints.set(expr, points)
    }
    const known = points.get(at)
    if (known !== undefined) return known
    const vector = this.vector(expr.expr, at)
    points.set(at, vector)
    return vector
  }

  #aggregation(expr: Aggregation, at: number): readonly Sample[] {
    let param: number | string | undefined
    if (expr.param !== undefined)
      param = expr.op === 'count_values' ? stringIn(expr.param) : this.scalar(expr.param, at)
    if (typeof param === 'number') this.#warnAboutParam(expr, param)
    return aggregate(expr, this.vector(expr.expr, at), param)
  }

  #warnAboutParam(expr: Aggregation, param: number): void {
    const from = expr.param?.from ?? expr.from
    if (expr.op === 'quantile') this.#warnAboutQuantile(param, from)
    if (expr.op === 'limit_ratio' && Math.abs(param) > 1)
      this.#options.annotations.add(annotationTexts.invalidRatio(param, Math.sign(param)), from)
  }

  #warnAboutQuantile(q: number, from: number): void {
    if (!(q >= 0 && q <= 1)) this.#options.annotations.add(annotationTexts.invalidQuantile(q), from)
  }

  #binary(expr: Binary, at: number): readonly Sample[] {
    const { left, right } = expr
    if (typeOf(left) === 'scalar')
      return vectorScalarOperation(expr, {
        vector: this.vector(right, at),
        scalar: this.scalar(left, at),
        scalarIsLeft: true,
      })
    if (typeOf(right) === 'scalar')
      return vectorScalarOperation(expr, {
        vector: this.vector(left, at),
        scalar: this.scalar(right, at),
        scalarIsLeft: false,
      })
    const operate = isSetOperator(expr.op) ? setOperation : vectorOperation
    return operate(expr, this.vector(left, at), this.vector(right, at))
  }

  #scalarCall(call: Call, at: number): number {
    const { startMs, endMs, stepMs } = this.#options
    switch (call.name) {
      case 'scalar': {
        const vector = this.vector(call.args[0] as Expr, at)
        return vector.length === 1 ? (vector[0] as Sample).value : Number.NaN
      }
      case 'time':
        return at / 1000
      case 'pi':
        return Math.PI
      case 'start':
        return startMs / 1000
      case 'end':
        return endMs / 1000
      case 'range':
        return (endMs - startMs) / 1000
      case 'step':
        return stepMs / 1000
      default:
        throw new TypeError(`not a scalar function: ${call.name}`)
    }
  }

  #vectorCall(call: Call, at: number): readonly Sample[] {
    const { name } = call
    if (name === 'absent_over_time') {
      const arg = call.args[0] as Expr
      return this.matrix(arg, at).length > 0 ? [] : [{ metric: absentLabels(arg), value: 1 }]
    }
    if (rangeFunctions[name] !== undefined) return this.#rangeCall(call, at)
    if (elementFunctions[name] !== undefined)
      return mapValues(this.#vectorArg(call, 0, at), elementFunctions[name])
    if (dateFunctions[name] !== undefined) {
      if (call.args.length === 0)
        return [{ metric: Metric.empty, value: datePart(name, Math.trunc(at / 1000)) }]
      return mapValues(this.#vectorArg(call, 0, at), (value) => datePart(name, value))
    }
    return this.#namedCall(call, at)
  }

  #namedCall(call: Call, at: number): readonly Sample[] {
    const vector = (index: number) => this.#vectorArg(call, index, at)
    const scalar = (index: number) => this.scalar(call.args[index] as Expr, at)
    const text = (index: number) => stringIn(call.args[index] as Expr)
    switch (call.name) {
      case 'absent':
        return vector(0).length > 0
          ? []
          : [{ metric: absentLabels(call.args[0] as Expr), value: 1 }]
      case 'vector':
        return [{ metric: Metric.empty, value: scalar(0) }]
      case 'timestamp':
        return this.#timestamps(call, at)
      case 'clamp':
        return clamp(vector(0), scalar(1), scalar(2))
      case 'clamp_min':
        return clamp(vector(0), scalar(1), Number.POSITIVE_INFINITY)
      case 'clamp_max':
        return clamp(vector(0), Number.NEGATIVE_INFINITY, scalar(1))
      case 'round':
        return round(vector(0), call.args.length > 1 ? scalar(1) : 1)
      case 'sort':
      case 'sort_desc':
        this.#warnAboutSort(call)
        return sortByValue(vector(0), call.name === 'sort' ? 1 : -1)
      case 'sort_by_label':
      case 'sort_by_label_desc':
        this.#warnAboutSort(call)
        return sortByLabels(
          vector(0),
          call.args.slice(1).map(stringIn),
          call.name === 'sort_by_label' ? 1 : -1,
        )
      case 'label_replace':
        return labelReplace(vector(0), {
          target: text(1),
          replacement: text(2),
          source: text(3),
          pattern: text(4),
        })
      case 'label_join':
        return labelJoin(vector(0), {
          target: text(1),
          separator: text(2),
          sources: call.args.slice(3).map(stringIn),
        })
      case 'histogram_quantile':
        return this.#histogramQuantile({
          vector: vector(1),
          vectorFrom: call.args[1]?.from ?? call.from,
          at,
          q: scalar(0),
          qFrom: call.args[0]?.from ?? call.from,
        })
      case 'histogram_quantiles': {
        const label = text(1)
        return distinct(
          call.args.slice(2).flatMap((arg) => {
            const q = this.scalar(arg, at)
            const found = this.#histogramQuantile({
              vector: vector(0),
              vectorFrom: call.args[0]?.from ?? call.from,
              at,
              q,
              qFrom: arg.from,
            })
            return found.map(({ metric, value }) => ({
              metric: metric.with({ [label]: quantileLabel(q) }),
              value,
            }))
          }),
        )
      }
      case 'histogram_fraction': {
        const bounds = { lower: scalar(0), upper: scalar(1) }
        const from = call.args[2]?.from ?? call.from
        return distinct(
          this.#histograms(vector(2), from).map(({ metric, buckets }) => ({
            metric,
            value: bucketFraction(bounds, buckets),
          })),
        )
      }
      case 'histogram_avg':
      case 'histogram_count':
      case 'histogram_stddev':
      case 'histogram_stdvar':
      case 'histogram_sum':
        throw new EvaluationError(
          `native histograms are not supported: ${call.name}() works on them only`,
        )
      default:
        throw new TypeError(`not an instant vector function: ${call.name}`)
    }
  }

  #vectorArg(call: Call, index: number, at: number): readonly Sample[] {
    return this.vector(call.args[index] as Expr, at)
  }

  #warnAboutSort(call: Call): void {
    if (this.#options.startMs !== this.#options.endMs)
      this.#options.annotations.add(annotationTexts.sortInRangeQuery, call.from)
  }

  /** Of a selector: when the sample was taken. Of anything computed: the evaluation time. */
  #timestamps(call: Call, at: number): readonly Sample[] {
    let arg = call.args[0] as Expr
    while (arg.kind === 'paren') arg = arg.expr
    if (arg.kind !== 'selector') return mapValues(this.vector(arg, at), () => at / 1000)
    return distinct(
      this.#latest(arg, at).map(({ metric, sampledAt }) => ({
        metric: metric.withoutName(),
        value: sampledAt / 1000,
      })),
    )
  }

  #histograms(vector: readonly Sample[], from: number) {
    return histogramsIn(vector, (le) => {
      this.#options.annotations.add(annotationTexts.badBucketLabel(le), from)
    })
  }

  #histogramQuantile(args: {
    readonly vector: readonly Sample[]
    readonly vectorFrom: number
    readonly at: number
    readonly q: number
    readonly qFrom: number
  }): readonly Sample[] {
    this.#warnAboutQuantile(args.q, args.qFrom)
    return distinct(
      this.#histograms(args.vector, args.vectorFrom).map(({ metric, buckets }) => {
        const { value, fix } = bucketQuantile(args.q, buckets)
        if (fix !== undefined)
          this.#options.annotations.addFix({ at: args.at, ...fix }, args.vectorFrom)
        return { metric, value }
      }),
    )
  }

  #rangeCall(call: Call, at: number): readonly Sample[] {
    const index = call.args.findIndex((arg) => typeOf(arg) === 'matrix')
    const arg = unwrapped(call.args[index] as Expr) as MatrixSelector | Subquery
    const params = call.args.filter((_, i) => i !== index).map((param) => this.scalar(param, at))
    const bounds = this.#boundsOf(arg, at)
    const compute = rangeFunctions[call.name] as (typeof rangeFunctions)[string]
    const keepsName = call.name === 'last_over_time' || call.name === 'first_over_time'
    const series = this.matrix(arg, at)
    if (call.name === 'quantile_over_time' && series.length > 0)
      this.#warnAboutQuantile(params[0] as number, call.args[0]?.from ?? call.from)
    const result: Sample[] = []
    for (const { metric, window } of series) {
      const value = this.#applied(() => compute(window, { bounds, at, params }))
      if (value === undefined) continue
      if (call.name === 'rate' || call.name === 'increase') this.#noteNonCounter(metric, arg)
      result.push({ metric: keepsName ? metric : metric.withoutName(), value })
    }
    return distinct(result)
  }

  #applied(compute: () => number | undefined): number | undefined {
    try {
      return compute()
    } catch (cause) {
      if (!(cause instanceof BadArgument)) throw cause
      throw new EvaluationError(cause.message, { cause })
    }
  }

  #noteNonCounter({ name }: Metric, arg: Expr): void {
    if (name !== '' && !/_(total|sum|count|bucket)$/.test(name))
      this.#options.annotations.add(annotationTexts.possibleNonCounter(name), arg.from)
  }
}

function unwrapped(expr: Expr): Expr {
  return expr.kind === 'paren' ? unwrapped(expr.expr) : expr
}

function stringIn(expr: Expr): string {
  const inner = unwrapped(expr)
  if (inner.kind !== 'string') throw new TypeError(`not a string: ${inner.kind}`)
  return inner.value
}

/** What an absent series would have been called, as far as its equality matchers tell. */
function absentLabels(arg: Expr): Metric {
  const expr = unwrapped(arg)
  if (expr.kind !== 'selector' && expr.kind !== 'range') return Metric.empty
  const { matchers } = expr.kind === 'range' ? expr.selector : expr
  const labels = new Map<string, string>()
  const seen = new Set<string>()
  for (const { name, op, value } of matchers) {
    if (name === METRIC_NAME) continue
    // A label that is asked for twice has no single value.
    if (op === '=' && !seen.has(name)) {
      labels.set(name, value)
      seen.add(name)
    } else {
      labels.delete(name)
    }
  }
  return Metric.empty.with(Object.fromEntries(labels))
}
