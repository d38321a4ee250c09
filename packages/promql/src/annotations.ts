import { formatShortest, formatTwoDigits } from './number.ts'
import { lineAndColumn } from './position.ts'

/** Texts of Prometheus' `util/annotations`; clients show them, and analysis keeps warnings as metadata. */
export const annotationTexts = {
  invalidQuantile: (quantile: number) =>
    `PromQL warning: quantile value should be between 0 and 1, got ${formatShortest(quantile)}`,
  invalidRatio: (ratio: number, cap: number) =>
    `PromQL warning: ratio value should be between -1 and 1, got ${formatShortest(ratio)}, capping to ${cap}`,
  badBucketLabel: (value: string) =>
    `PromQL warning: bucket label "le" is missing or has a malformed value of ${JSON.stringify(value)}`,
  sortInRangeQuery:
    'PromQL warning: sort is ineffective for range queries since results are always ordered by labels',
  possibleNonCounter: (metric: string) =>
    `PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${JSON.stringify(metric)}`,
  forcedMonotonicity:
    'PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)',
} as const

/** Where buckets had to be made monotonic, at one step. */
export interface MonotonicityFix {
  readonly at: number
  readonly minBucket: number
  readonly maxBucket: number
  readonly maxDiff: number
}

interface MergedFix {
  minAt: number
  maxAt: number
  minBucket: number
  maxBucket: number
  maxDiff: number
  count: number
}

/** An answer carries at most ten of each kind, and says how many more there were. */
const MAX_SHOWN = 10

/** Warnings and infos of one query, each text once. */
export class Annotations {
  readonly #positions = new Map<string, number>()
  readonly #fixes = new Map<string, MergedFix>()

  /** `from` is where the expression that caused it stands in the query. */
  add(text: string, from: number): void {
    if (!this.#positions.has(text)) this.#positions.set(text, from)
  }

  addFix(fix: MonotonicityFix, from: number): void {
    const text = annotationTexts.forcedMonotonicity
    const merged = this.#fixes.get(text)
    if (merged === undefined) {
      this.add(text, from)
      this.#fixes.set(text, { ...fix, minAt: fix.at, maxAt: fix.at, count: 1 })
      return
    }
    merged.minAt = Math.min(merged.minAt, fix.at)
    merged.maxAt = Math.max(merged.maxAt, fix.at)
    merged.minBucket = Math.min(merged.minBucket, fix.minBucket)
    merged.maxBucket = Math.max(merged.maxBucket, fix.maxBucket)
    merged.maxDiff = Math.max(merged.maxDiff, fix.maxDiff)
    merged.count++
  }

  /** The texts with line and column, as the API reports them. */
  render(query: string): { warnings: readonly string[]; infos: readonly string[] } {
    const warnings: string[] = []
    const infos: string[] = []
    for (const [text, from] of this.#positions) {
      const fix = this.#fixes.get(text)
      const detail = fix === undefined ? '' : describeFix(fix)
      const target = text.startsWith('PromQL info') ? infos : warnings
      target.push(`${text}${detail} (${lineAndColumn(query, from)})`)
    }
    return { warnings: capped(warnings, 'warning'), infos: capped(infos, 'info') }
  }
}

function describeFix(fix: MergedFix): string {
  const range = `from buckets ${formatShortest(fix.minBucket)} to ${formatShortest(fix.maxBucket)}`
  const times = `from ${formatUtcSeconds(fix.minAt)} to ${formatUtcSeconds(fix.maxAt)}`
  return `, ${range}, with a max diff of ${formatTwoDigits(fix.maxDiff)}, over ${fix.count} samples ${times}`
}

function formatUtcSeconds(at: number): string {
  return Temporal.Instant.fromEpochMilliseconds(Math.floor(at / 1000) * 1000).toString()
}

function capped(texts: readonly string[], kind: 'warning' | 'info'): readonly string[] {
  if (texts.length <= MAX_SHOWN) return texts
  return [
    ...texts.slice(0, MAX_SHOWN),
    `${texts.length - MAX_SHOWN} more ${kind} annotations omitted`,
  ]
}
