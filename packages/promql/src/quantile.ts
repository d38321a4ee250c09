/** Ascending, NaN first: the order in which Prometheus takes quantiles. */
export function byValue(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : -1
  if (Number.isNaN(b)) return 1
  return a - b
}

/** The φ-quantile of values, interpolated between the two nearest ranks: of 1, 2, 3, 4 at 0.5 it is 2.5. */
export function quantile(q: number, values: ArrayLike<number>): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN
  if (q < 0) return Number.NEGATIVE_INFINITY
  if (q > 1) return Number.POSITIVE_INFINITY
  const sorted = Array.from(values).sort(byValue)
  const rank = q * (sorted.length - 1)
  const lower = Math.max(0, Math.floor(rank))
  const upper = Math.min(sorted.length - 1, lower + 1)
  const weight = rank - Math.floor(rank)
  return (sorted[lower] as number) * (1 - weight) + (sorted[upper] as number) * weight
}

/** One cumulative bucket of a classic histogram: how many observations were at most `upper`. */
export interface Bucket {
  readonly upper: number
  readonly count: number
}

/** What had to be changed so that counts never fall from bucket to bucket. */
export interface Monotonic {
  readonly buckets: readonly Bucket[]
  readonly fix?: {
    readonly minBucket: number
    readonly maxBucket: number
    readonly maxDiff: number
  }
}

/** Relative differences below this are rounding errors of rates and sums, corrected in silence. */
const TOLERANCE = 1e-12
const SMALLEST_NORMAL = 2.2250738585072014e-308

/**
 * The φ-quantile of a classic histogram, linear within its bucket. NaN without observations, with fewer than two
 * buckets or without a `+Inf` bucket; in the `+Inf` bucket it is the upper bound of the one before.
 * Buckets 1: 50, 2: 100, +Inf: 100 at 0.75 give 1.5.
 */
export function bucketQuantile(
  q: number,
  unsorted: readonly Bucket[],
): { value: number; fix?: Monotonic['fix'] } {
  if (Number.isNaN(q)) return { value: Number.NaN }
  if (q < 0) return { value: Number.NEGATIVE_INFINITY }
  if (q > 1) return { value: Number.POSITIVE_INFINITY }
  const merged = ascending(unsorted)
  if (merged.at(-1)?.upper !== Number.POSITIVE_INFINITY) return { value: Number.NaN }
  const { buckets, fix } = monotonic(merged)
  const noted = (value: number) => (fix === undefined ? { value } : { value, fix })
  const observations = buckets.at(-1)?.count ?? 0
  if (buckets.length < 2 || observations === 0) return noted(Number.NaN)

  const rank = q * observations
  const found = buckets.slice(0, -1).findIndex((bucket) => bucket.count >= rank)
  const index = found < 0 ? buckets.length - 1 : found
  const bucket = buckets[index] as Bucket
  if (index === buckets.length - 1) return noted((buckets[index - 1] as Bucket).upper)
  if (index === 0 && bucket.upper <= 0) return noted(bucket.upper)
  const before = buckets[index - 1] ?? { upper: 0, count: 0 }
  const share = (rank - before.count) / (bucket.count - before.count)
  return noted(before.upper + (bucket.upper - before.upper) * share)
}

/** The share of observations between two values, interpolated within buckets. */
export function bucketFraction(
  { lower, upper }: { lower: number; upper: number },
  unsorted: readonly Bucket[],
): number {
  const buckets = ascending(unsorted)
  const last = buckets.at(-1)
  if (last?.upper !== Number.POSITIVE_INFINITY) return Number.NaN
  if (last.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN
  if (lower >= upper) return 0
  return (rankOf(upper, buckets) - rankOf(lower, buckets)) / last.count
}

function rankOf(value: number, buckets: readonly Bucket[]): number {
  const total = (buckets.at(-1) as Bucket).count
  let start = (buckets[0] as Bucket).upper <= 0 ? Number.NEGATIVE_INFINITY : 0
  let rank = 0
  for (const { upper, count } of buckets) {
    if (start >= value) return Math.min(rank, total)
    if (upper > value) {
      // Nothing can be interpolated from an endless first bucket: all of it counts.
      if (start === Number.NEGATIVE_INFINITY) return Math.min(count, total)
      return Math.min(rank + ((count - rank) * (value - start)) / (upper - start), total)
    }
    rank = count
    start = upper
  }
  return total
}

/** Sorted by upper bound, equal bounds (`1` and `1.0`) added up. */
function ascending(buckets: readonly Bucket[]): readonly Bucket[] {
  const merged: Bucket[] = []
  for (const bucket of [...buckets].sort((a, b) =>
    a.upper < b.upper ? -1 : a.upper > b.upper ? 1 : 0,
  )) {
    const last = merged.at(-1)
    if (last?.upper === bucket.upper)
      merged[merged.length - 1] = { upper: last.upper, count: last.count + bucket.count }
    else merged.push(bucket)
  }
  return merged
}

function monotonic(buckets: readonly Bucket[]): Monotonic {
  let previous = (buckets[0] as Bucket).count
  let minBucket = Number.POSITIVE_INFINITY
  let maxBucket = Number.NEGATIVE_INFINITY
  let maxDiff = 0
  let forced = false
  const fixed = buckets.map((bucket, index) => {
    if (index === 0 || bucket.count === previous) return bucket
    if (almostEqual(previous, bucket.count)) return { ...bucket, count: previous }
    if (bucket.count < previous) {
      forced = true
      minBucket = Math.min(minBucket, bucket.upper)
      maxBucket = Math.max(maxBucket, bucket.upper)
      maxDiff = Math.max(maxDiff, previous - bucket.count)
      return { ...bucket, count: previous }
    }
    previous = bucket.count
    return bucket
  })
  return forced ? { buckets: fixed, fix: { minBucket, maxBucket, maxDiff } } : { buckets: fixed }
}

function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true
  const difference = Math.abs(a - b)
  const sum = Math.abs(a) + Math.abs(b)
  if (a === 0 || b === 0 || sum < SMALLEST_NORMAL) return difference < TOLERANCE * SMALLEST_NORMAL
  return difference / Math.min(sum, Number.MAX_VALUE) < TOLERANCE
}
