import type { Aggregation } from './ast.ts'
import { METRIC_NAME, Metric } from './labels.ts'
import { formatPlain, formatShortest } from './number.ts'
import { byValue, quantile } from './quantile.ts'
import { mean, Summation } from './summation.ts'
import { EvaluationError, type Sample } from './vector.ts'

const MAX_INT64 = 2 ** 63

/** The aggregation of one step. `param` is the first argument of topk, quantile and their like. */
export function aggregate(
  expr: Aggregation,
  vector: readonly Sample[],
  param: number | string | undefined,
): readonly Sample[] {
  switch (expr.op) {
    case 'topk':
    case 'bottomk':
    case 'limitk':
    case 'limit_ratio':
      return select(expr, vector, param as number)
    case 'count_values':
      return countValues(expr, vector, param as string)
    default:
      return [...groupsOf(expr, vector).values()].map(({ metric, values }) => ({
        metric,
        value: reduce(expr.op as Reduction, values, param as number),
      }))
  }
}

interface Group {
  readonly metric: Metric
  readonly values: number[]
  readonly samples: Sample[]
}

type Reduction = Exclude<
  Aggregation['op'],
  'topk' | 'bottomk' | 'limitk' | 'limit_ratio' | 'count_values'
>

function reduce(op: Reduction, values: readonly number[], param: number): number {
  switch (op) {
    case 'sum': {
      const sum = new Summation()
      for (const value of values) sum.add(value)
      return sum.sum + sum.lost
    }
    case 'avg':
      return mean(values)
    case 'count':
      return values.length
    case 'group':
      return 1
    case 'min':
      return values.reduce((best, value) => (best > value || Number.isNaN(best) ? value : best))
    case 'max':
      return values.reduce((best, value) => (best < value || Number.isNaN(best) ? value : best))
    case 'stdvar':
      return spread(values)
    case 'stddev':
      return Math.sqrt(spread(values))
    case 'quantile':
      return quantile(param, values)
    default:
      throw new TypeError(`unknown aggregation: ${op satisfies never}`)
  }
}

/** Population variance by Welford, without compensation, as the aggregation (unlike `stdvar_over_time`) computes it. */
function spread(values: readonly number[]): number {
  const first = values[0] as number
  let center = first
  let squares = Number.isFinite(first) ? 0 : Number.NaN
  for (let i = 1; i < values.length; i++) {
    const value = values[i] as number
    const delta = value - center
    center += delta / (i + 1)
    squares += delta * (value - center)
  }
  return squares / values.length
}

function groupsOf(expr: Aggregation, vector: readonly Sample[]): Map<string, Group> {
  const { grouping, without } = expr
  const dropped = [...grouping, METRIC_NAME]
  const groups = new Map<string, Group>()
  // The key of a `without` group is the rest of the labels, which costs a new label set per series.
  for (const sample of vector) {
    let rest: Metric | undefined
    let key = ''
    if (without) {
      rest = grouping.length === 0 ? sample.metric.withoutName() : sample.metric.without(dropped)
      key = rest.key
    } else {
      for (const label of grouping) key += `${sample.metric.get(label)}\uffff`
    }
    let group = groups.get(key)
    if (group === undefined) {
      const metric =
        rest ?? (grouping.length === 0 ? Metric.empty : sample.metric.keeping(grouping))
      group = { metric, values: [], samples: [] }
      groups.set(key, group)
    }
    group.values.push(sample.value)
    group.samples.push(sample)
  }
  return groups
}

function select(expr: Aggregation, vector: readonly Sample[], param: number): readonly Sample[] {
  if (expr.op === 'limit_ratio') {
    if (Number.isNaN(param)) throw new EvaluationError('Ratio value is NaN')
    const ratio = Math.max(-1, Math.min(1, param))
    return [...groupsOf(expr, vector).values()].flatMap(({ samples }) =>
      samples.filter(({ metric }) => {
        const offset = ratioOffset(metric)
        return ratio >= 0 ? offset < ratio : offset >= 1 + ratio
      }),
    )
  }
  if (Number.isNaN(param)) throw new EvaluationError('Parameter value is NaN')
  if (param <= -MAX_INT64)
    throw new EvaluationError(`Scalar value ${formatShortest(param)} underflows int64`)
  if (param >= MAX_INT64)
    throw new EvaluationError(`Scalar value ${formatShortest(param)} overflows int64`)
  const count = Math.trunc(param)
  if (count < 1) return []
  return [...groupsOf(expr, vector).values()].flatMap(({ samples }) => {
    if (expr.op === 'limitk') return samples.slice(0, count)
    const direction = expr.op === 'topk' ? -1 : 1
    return samples.toSorted((a, b) => ranked(a.value, b.value, direction)).slice(0, count)
  })
}

/** NaN comes last in either direction. */
function ranked(a: number, b: number, direction: 1 | -1): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return -byValue(a, b)
  return a === b ? 0 : direction * (a < b ? -1 : 1)
}

/**
 * Where a label set falls in [0, 1): always the same place for the same labels, evenly spread over label sets.
 * Prometheus hashes with xxHash, so the ratio is the same, but the chosen series are others.
 */
function ratioOffset(metric: Metric): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < metric.key.length; i++)
    hash = Math.imul(hash ^ metric.key.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

function countValues(
  expr: Aggregation,
  vector: readonly Sample[],
  label: string,
): readonly Sample[] {
  if (label === '') throw new EvaluationError(`invalid label name ${JSON.stringify(label)}`)
  const labelled = vector.map(({ metric, value }) => ({
    metric: metric.with({ [label]: formatPlain(value) }),
    value,
  }))
  const grouping = expr.without ? expr.grouping : [...expr.grouping, label]
  return [...groupsOf({ ...expr, grouping }, labelled).values()].map(({ metric, values }) => ({
    metric,
    value: values.length,
  }))
}
