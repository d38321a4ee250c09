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

/** Ranks from 1, ties averaged, and the sum of t^3 - t over the groups of t equal values. */
export function ranksOf(values: readonly number[]): {
  readonly ranks: readonly number[]
  readonly ties: number
} {
  const order = values.map((_, index) => index)
  order.sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0))
  const ranks = new Array<number>(values.length).fill(0)
  let ties = 0
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && values[order[end] ?? 0] === values[order[start] ?? 0]) end++
    for (const index of order.slice(start, end)) ranks[index] = (start + 1 + end) / 2
    const equal = end - start
    ties += equal ** 3 - equal
    start = end
  }
  return { ranks, ties }
}
