import { quantile } from './quantile.ts'
import { type Bounds, extrapolated, instant } from './rate.ts'
import type { Window } from './store.ts'
import { mean, Summation, variance } from './summation.ts'

/** What a range function gets besides the samples, which are at least one. */
interface RangeContext {
  readonly bounds: Bounds
  /** The evaluation time of this step, epoch milliseconds. */
  readonly at: number
  /** The scalar arguments in order. */
  readonly params: readonly number[]
}

/** A function from the samples of one series in a window to one value; undefined drops the series. */
export type RangeFunction = (window: Window, context: RangeContext) => number | undefined

/** An argument that a range function cannot work with; the query fails with this text. */
export class BadArgument extends Error {
  override readonly name = 'BadArgument'
}

/** Functions over range vectors, by name. */
export const rangeFunctions: Readonly<Record<string, RangeFunction>> = {
  rate: (window, { bounds }) => extrapolated(window, { bounds, counter: true, perSecond: true }),
  increase: (window, { bounds }) =>
    extrapolated(window, { bounds, counter: true, perSecond: false }),
  delta: (window, { bounds }) => extrapolated(window, { bounds, counter: false, perSecond: false }),
  irate: (window) => instant(window, { perSecond: true }),
  idelta: (window) => instant(window, { perSecond: false }),
  deriv: (window) =>
    window.times.length < 2 ? undefined : regression(window, window.times[0] as number).slope,
  predict_linear: (window, { at, params }) => {
    if (window.times.length < 2) return undefined
    const { slope, intercept } = regression(window, at)
    return slope * (params[0] as number) + intercept
  },
  double_exponential_smoothing: smoothed,
  changes: ({ values }) =>
    countSteps(
      values,
      (current, previous) =>
        current !== previous && !(Number.isNaN(current) && Number.isNaN(previous)),
    ),
  resets: ({ values }) => countSteps(values, (current, previous) => current < previous),
  avg_over_time: ({ values }) => mean(values),
  sum_over_time: ({ values }) => {
    const sum = new Summation()
    for (let i = 0; i < values.length; i++) sum.add(values[i] as number)
    return sum.total
  },
  count_over_time: ({ values }) => values.length,
  min_over_time: ({ values }) => values[extreme(values, (a, b) => a < b)],
  max_over_time: ({ values }) => values[extreme(values, (a, b) => a > b)],
  stdvar_over_time: ({ values }) => variance(values),
  stddev_over_time: ({ values }) => Math.sqrt(variance(values)),
  quantile_over_time: ({ values }, { params }) => quantile(params[0] as number, values),
  mad_over_time: ({ values }) => medianAbsoluteDeviation(values),
  first_over_time: ({ values }) => values[0],
  last_over_time: ({ values }) => values[values.length - 1],
  present_over_time: () => 1,
  ts_of_first_over_time: ({ times }) => (times[0] as number) / 1000,
  ts_of_last_over_time: ({ times }) => (times[times.length - 1] as number) / 1000,
  ts_of_min_over_time: ({ times, values }) =>
    (times[extreme(values, (a, b) => a <= b)] as number) / 1000,
  ts_of_max_over_time: ({ times, values }) =>
    (times[extreme(values, (a, b) => a >= b)] as number) / 1000,
}

/** Index of the value that beats all before it; any number beats NaN. */
function extreme(
  values: ArrayLike<number>,
  beats: (candidate: number, best: number) => boolean,
): number {
  let best = 0
  for (let i = 1; i < values.length; i++) {
    const candidate = values[i] as number
    const champion = values[best] as number
    if (beats(candidate, champion) || Number.isNaN(champion)) best = i
  }
  return best
}

function countSteps(
  values: ArrayLike<number>,
  counts: (current: number, previous: number) => boolean,
): number {
  let steps = 0
  for (let i = 1; i < values.length; i++)
    if (counts(values[i] as number, values[i - 1] as number)) steps++
  return steps
}

/** Least squares; the intercept is the value at `interceptAt`. Slope per second. */
function regression(
  { times, values }: Window,
  interceptAt: number,
): { slope: number; intercept: number } {
  const first = values[0] as number
  const [x, y, xy, xx] = [new Summation(), new Summation(), new Summation(), new Summation()]
  let constant = true
  for (let i = 0; i < times.length; i++) {
    const seconds = ((times[i] as number) - interceptAt) / 1000
    const value = values[i] as number
    if (value !== first) constant = false
    x.add(seconds)
    y.add(value)
    xy.add(seconds * value)
    xx.add(seconds * seconds)
  }
  if (constant) {
    return Number.isFinite(first)
      ? { slope: 0, intercept: first }
      : { slope: Number.NaN, intercept: Number.NaN }
  }
  const count = times.length
  const sumX = x.sum + x.lost
  const sumY = y.sum + y.lost
  const covariance = xy.sum + xy.lost - (sumX * sumY) / count
  const slope = covariance / (xx.sum + xx.lost - (sumX * sumX) / count)
  return { slope, intercept: sumY / count - (slope * sumX) / count }
}

/** Holt's linear method, known as `holt_winters` before Prometheus 3. */
function smoothed({ values }: Window, { params }: RangeContext): number | undefined {
  const [smoothing, trending] = params as [number, number]
  if (!(smoothing > 0 && smoothing < 1))
    throw new BadArgument(
      `invalid smoothing factor. Expected: 0 < sf < 1, got: ${smoothing.toFixed(6)}`,
    )
  if (!(trending > 0 && trending < 1))
    throw new BadArgument(`invalid trend factor. Expected: 0 < tf < 1, got: ${trending.toFixed(6)}`)
  if (values.length < 2) return undefined
  let before = 0
  let level = values[0] as number
  let trend = (values[1] as number) - level
  for (let i = 1; i < values.length; i++) {
    if (i > 1) trend = trending * (level - before) + (1 - trending) * trend
    const next = smoothing * (values[i] as number) + (1 - smoothing) * (level + trend)
    before = level
    level = next
  }
  return level
}

function medianAbsoluteDeviation(values: ArrayLike<number>): number {
  const all = Array.from(values)
  if (all.some(Number.isNaN)) return Number.NaN
  const median = quantile(0.5, all)
  return quantile(
    0.5,
    all.map((value) => Math.abs(value - median)),
  )
}
