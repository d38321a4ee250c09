import { type Labels, METRIC_NAME, Metric } from './labels.ts'
import type { Matcher } from './matcher.ts'

const DEFAULT_RETENTION_MS = 2 * 60 * 60 * 1000
const FIRST_CAPACITY = 16

declare const seriesRef: unique symbol
/** Names one series of one store: the fast path for a scraper that appends to the same series every few seconds. */
export interface SeriesRef {
  readonly [seriesRef]: true
}

/** Type and help text of a metric family, as `/api/v1/metadata` reports them. */
export interface FamilyMetadata {
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary' | 'unknown'
  readonly help: string
  readonly unit?: string
}

/** A sample older than the newest one of its series was appended. */
export class OutOfOrderSample extends Error {
  override readonly name = 'OutOfOrderSample'
  readonly labels: Labels
  readonly at: number
  readonly newestAt: number

  constructor(labels: Labels, at: number, newestAt: number) {
    super(`out of order sample: ${new Metric(labels)} at ${at} is older than ${newestAt}`)
    this.labels = labels
    this.at = at
    this.newestAt = newestAt
  }
}

/** Samples of one series between two instants, oldest first, without staleness markers. */
export interface Window {
  readonly times: ArrayLike<number>
  readonly values: ArrayLike<number>
}

/** One stored series as the evaluator sees it. */
export class Series {
  readonly metric: Metric
  #times = new Float64Array(FIRST_CAPACITY)
  #values = new Float64Array(FIRST_CAPACITY)
  /** 1 where the sample is a staleness marker: JavaScript does not promise to keep the payload of a NaN. */
  #stale = new Uint8Array(FIRST_CAPACITY)
  #start = 0
  #end = 0
  #markers = 0

  constructor(metric: Metric) {
    this.metric = metric
  }

  get count(): number {
    return this.#end - this.#start
  }

  get newestAt(): number {
    return this.count === 0 ? Number.NEGATIVE_INFINITY : (this.#times[this.#end - 1] as number)
  }

  append(at: number, value: number, stale: boolean): void {
    const newestAt = this.newestAt
    if (!(at >= newestAt)) throw new OutOfOrderSample(this.metric.labels, at, newestAt)
    if (at === newestAt) {
      this.#end--
      this.#markers -= this.#stale[this.#end] as number
    } else if (this.#end === this.#times.length) {
      this.#makeRoom()
    }
    this.#times[this.#end] = at
    this.#values[this.#end] = value
    this.#stale[this.#end] = stale ? 1 : 0
    this.#markers += stale ? 1 : 0
    this.#end++
  }

  dropBefore(at: number): void {
    while (this.#start < this.#end && (this.#times[this.#start] as number) < at) {
      this.#markers -= this.#stale[this.#start] as number
      this.#start++
    }
  }

  /** The newest sample in (after, until], or undefined when there is none or it is a staleness marker. */
  latest(after: number, until: number): { at: number; value: number } | undefined {
    const index = this.#firstAfter(until) - 1
    if (index < this.#start || this.#stale[index] === 1) return undefined
    const at = this.#times[index] as number
    return at > after ? { at, value: this.#values[index] as number } : undefined
  }

  /** The samples in (after, until]. */
  window(after: number, until: number): Window {
    const from = this.#firstAfter(after)
    const to = Math.max(from, this.#firstAfter(until))
    const times = this.#times.subarray(from, to)
    const values = this.#values.subarray(from, to)
    if (this.#markers === 0) return { times, values }
    const fresh = (_: number, index: number) => this.#stale[from + index] === 0
    return { times: times.filter(fresh), values: values.filter(fresh) }
  }

  #firstAfter(at: number): number {
    let low = this.#start
    let high = this.#end
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#times[middle] as number) > at) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Moves the living samples to the front; grows only when they fill more than half, so memory follows retention. */
  #makeRoom(): void {
    const { count } = this
    const capacity =
      count > this.#times.length / 2
        ? this.#times.length * 2
        : Math.max(FIRST_CAPACITY, this.#times.length)
    const times = new Float64Array(capacity)
    const values = new Float64Array(capacity)
    const stale = new Uint8Array(capacity)
    times.set(this.#times.subarray(this.#start, this.#end))
    values.set(this.#values.subarray(this.#start, this.#end))
    stale.set(this.#stale.subarray(this.#start, this.#end))
    this.#times = times
    this.#values = values
    this.#stale = stale
    this.#start = 0
    this.#end = count
  }
}

/**
 * Series in memory, append-only per series; times are epoch milliseconds. Samples older than `retentionMs`
 * (default two hours) before the newest one are dropped, series without samples are forgotten, so memory
 * stays flat while pods come and go.
 */
export class SeriesStore {
  readonly #retentionMs: number
  readonly #byKey = new Map<string, Series>()
  readonly #byName = new Map<string, Set<Series>>()
  readonly #families = new Map<string, FamilyMetadata>()
  #newestAt = Number.NEGATIVE_INFINITY
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor(options: { readonly retentionMs?: number } = {}) {
    this.#retentionMs = options.retentionMs ?? DEFAULT_RETENTION_MS
  }

  /** Number of series held. */
  get size(): number {
    return this.#byKey.size
  }

  /** Adds one sample. Throws `OutOfOrderSample` before the newest of the series; an equal time overwrites. */
  append(labels: Labels, at: number, value: number): void {
    this.appendTo(this.ref(labels), at, value)
  }

  /** The series of these labels, created when it is new. A reference stays good when its series was forgotten. */
  ref(labels: Labels): SeriesRef {
    const metric = new Metric(labels)
    const known = this.#byKey.get(metric.key)
    if (known !== undefined) return known as unknown as SeriesRef
    const series = new Series(metric)
    this.#insert(series)
    return series as unknown as SeriesRef
  }

  /** As `append`, without looking the labels up. */
  appendTo(ref: SeriesRef, at: number, value: number): void {
    this.#add(ref, { at, value, stale: false })
  }

  /** Ends a series at `at`: from then on instant selectors do not see it, instead of its last value for 5 minutes. */
  markStale(ref: SeriesRef, at: number): void {
    this.#add(ref, { at, value: Number.NaN, stale: true })
  }

  /** Series that fit all matchers, oldest first; all of them without matchers. */
  *series(matchers: readonly Matcher[] = []): Iterable<Labels> {
    for (const series of this.select(matchers)) if (series.count > 0) yield series.metric.labels
  }

  /** Sorted label names of the series that fit any of the matcher sets; of all series without a set. */
  labelNames(...sets: readonly (readonly Matcher[])[]): string[] {
    const names = new Set<string>()
    for (const labels of this.#seriesOfAny(sets)) for (const name in labels) names.add(name)
    return [...names].sort()
  }

  /** Sorted values of one label among the series that fit any of the matcher sets. */
  labelValues(label: string, ...sets: readonly (readonly Matcher[])[]): string[] {
    const values = new Set<string>()
    for (const labels of this.#seriesOfAny(sets)) {
      const value = labels[label]
      if (value !== undefined) values.add(value)
    }
    return [...values].sort()
  }

  /** Records what `/api/v1/metadata` says about a metric family (name without `_bucket`, `_sum`, `_count`). */
  describe(family: string, metadata: FamilyMetadata): void {
    this.#families.set(family, metadata)
  }

  /** The described families, by name. */
  families(): ReadonlyMap<string, FamilyMetadata> {
    return this.#families
  }

  /** The stored series behind `series`, for the evaluator. */
  select(matchers: readonly Matcher[]): Series[] {
    const byName = matchers.find((m) => m.name === METRIC_NAME && m.op === '=')
    const candidates =
      byName === undefined ? this.#byKey.values() : (this.#byName.get(byName.value) ?? [])
    const others = matchers.filter((matcher) => matcher !== byName)
    const found: Series[] = []
    for (const series of candidates) {
      if (others.every((matcher) => matcher.matches(series.metric.get(matcher.name))))
        found.push(series)
    }
    return found
  }

  *#seriesOfAny(sets: readonly (readonly Matcher[])[]): Iterable<Labels> {
    for (const matchers of sets.length === 0 ? [[]] : sets) yield* this.series(matchers)
  }

  #add(ref: SeriesRef, sample: { at: number; value: number; stale: boolean }): void {
    // Only `ref` makes references, and it makes them of series.
    let series = ref as unknown as Series
    // A scraper may hold a reference longer than retention; another one may have made the series anew.
    const living = this.#byKey.get(series.metric.key)
    if (living !== undefined) series = living
    else this.#insert(series)
    series.append(sample.at, sample.value, sample.stale)
    if (sample.at > this.#newestAt) this.#newestAt = sample.at
    series.dropBefore(this.#newestAt - this.#retentionMs)
    // A sweep every sixteenth of retention: forgotten series cost little memory, and sweeping little time.
    if (this.#sweptAt === Number.NEGATIVE_INFINITY) this.#sweptAt = sample.at
    if (this.#newestAt - this.#sweptAt > this.#retentionMs / 16) this.#sweep()
  }

  #sweep(): void {
    this.#sweptAt = this.#newestAt
    for (const series of this.#byKey.values()) {
      series.dropBefore(this.#newestAt - this.#retentionMs)
      if (series.count === 0) this.#forget(series)
    }
  }

  #insert(series: Series): void {
    this.#byKey.set(series.metric.key, series)
    const named = this.#byName.get(series.metric.name)
    if (named === undefined) this.#byName.set(series.metric.name, new Set([series]))
    else named.add(series)
  }

  #forget(series: Series): void {
    this.#byKey.delete(series.metric.key)
    const named = this.#byName.get(series.metric.name)
    named?.delete(series)
    if (named?.size === 0) this.#byName.delete(series.metric.name)
  }
}
