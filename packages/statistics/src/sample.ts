/** What a series looks like; all zero when it is empty. `std` is that of a sample (n - 1). */
export interface Summary {
  readonly count: number
  readonly mean: number
  readonly min: number
  readonly max: number
  readonly std: number
}

export function summaryOf(values: readonly number[]): Summary {
  const count = values.length
  if (count === 0) return { count, mean: 0, min: 0, max: 0, std: 0 }
  const mean = meanOf(values)
  const squares = values.reduce((total, value) => total + (value - mean) ** 2, 0)
  return {
    count,
    mean,
    min: values.reduce((a, b) => Math.min(a, b)),
    max: values.reduce((a, b) => Math.max(a, b)),
    std: count > 1 ? Math.sqrt(squares / (count - 1)) : 0,
  }
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length
}

/** Percentile by linear interpolation at position (n - 1) p (type R-7); `sorted` ascends and is not empty. */
function percentile(sorted: readonly number[], p: number): number {
  const position = (sorted.length - 1) * p
  const below = Math.floor(position)
  const lower = sorted[below] ?? Number.NaN
  const upper = sorted[below + 1] ?? lower
  return lower + (position - below) * (upper - lower)
}

/** Without what lies further from the quartiles than `factor` interquartile ranges and beyond the outer percentiles. */
export function withoutOutliers(values: readonly number[], factor: number): readonly number[] {
  if (values.length === 0) return values
  const sorted = values.toSorted((a, b) => a - b)
  const [q1, q3] = [percentile(sorted, 0.25), percentile(sorted, 0.75)]
  const reach = factor * (q3 - q1)
  const low = Math.min(percentile(sorted, 0.01), q1 - reach)
  const high = Math.max(percentile(sorted, 0.99), q3 + reach)
  return values.filter((value) => value >= low && value <= high)
}

export function ascending(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort()
}

/**
 * Sum of the ranks of `of` among the values of both (from 1, ties averaged), and the sum of t^3 - t over the groups of t
 * equal values. Both ascend and hold no NaN. Every term is a multiple of a half, so that the sum is exact.
 */
export function rankSumOf(
  of: Float64Array,
  others: Float64Array,
): { readonly rankSum: number; readonly ties: number } {
  let [i, j, rankSum, ties] = [0, 0, 0, 0]
  while (i < of.length || j < others.length) {
    const [before, start] = [i, i + j]
    const value = Math.min(of[i] ?? Number.POSITIVE_INFINITY, others[j] ?? Number.POSITIVE_INFINITY)
    while (of[i] === value) i++
    while (others[j] === value) j++
    const equal = i + j - start
    rankSum += ((i - before) * (2 * start + 1 + equal)) / 2
    ties += equal ** 3 - equal
  }
  return { rankSum, ties }
}
