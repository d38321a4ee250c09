import { exactShift, kayentaShift, type LocationShift } from './mann-whitney.ts'
import { normalQuantile } from './normal.ts'
import { ascending, meanOf, rankSumOf, type Summary, summaryOf, withoutOutliers } from './sample.ts'

/** How one metric is compared; the names are those of Kayenta (spec analysis-and-experiments 6.2). */
export interface ComparisonConfig {
  readonly name: string
  /** Which way is bad. Absent: either. */
  readonly direction?: 'increase' | 'decrease' | 'either'
  /** NaN, and what is infinite, such as a share of no requests, is left out (absent: so), or counts as 0. */
  readonly nanStrategy?: 'remove' | 'replace'
  readonly outliers?: { readonly strategy?: 'keep' | 'remove'; readonly outlierFactor?: number }
  readonly critical?: boolean
  readonly mustHaveData?: boolean
  readonly effectSize?: EffectSize
}

export interface EffectSize {
  /** Ratio of the means (absent: so), or the probability that a value of the canary is the larger one. */
  readonly measure?: 'meanRatio' | 'cles'
  /** An effect from here on is an increase; absent: see `Judging`. */
  readonly allowedIncrease?: number
  readonly allowedDecrease?: number
  readonly criticalIncrease?: number
  readonly criticalDecrease?: number
}

/** What holds for all metrics of one judgement. */
export interface Judging {
  /**
   * `kayenta` repeats Kayenta's verdicts, including those on two samples. `exact` needs `minimumSamples` on each side,
   * takes the interval from the pairs themselves, and by default calls only a change by a quarter an effect
   * (`allowedIncrease` 1.25, `allowedDecrease` 0.8; 0.6 and 0.4 for `cles`), where Kayenta's defaults are 1 and 0.5.
   */
  readonly mode: 'kayenta' | 'exact'
  /** Share of the estimated shift that the interval must clear; Kayenta's is 0.25. */
  readonly tolerance: number
  /** Of the interval; Kayenta's is 0.98. */
  readonly confidence: number
  readonly minimumSamples: number
}

export type ComparisonClass =
  | 'Pass'
  | 'High'
  | 'Low'
  /** One side has no data. */
  | 'Nodata'
  /** The same, where `mustHaveData` makes it a failure. */
  | 'NodataFailMetric'
  /** Too few samples for a verdict; only in mode `exact`. */
  | 'Inconclusive'
  /** All values are tied; only in mode `kayenta`. */
  | 'Error'

export interface Comparison {
  readonly name: string
  readonly class: ComparisonClass
  /** Fails the whole judgement, unless it passes. */
  readonly critical: boolean
  readonly reason: string
  /** Of the canary against the baseline; NaN where a mean is 0, 1 where there is nothing to compare. */
  readonly effect: number
  readonly shift: LocationShift | null
  readonly canary: Summary
  readonly baseline: Summary
}

/** Compares the samples of canary and baseline (spec analysis-and-experiments 6.3, 6.6). */
export function compareSeries(
  config: ComparisonConfig,
  samples: { readonly canary: readonly number[]; readonly baseline: readonly number[] },
  judging: Judging,
): Comparison {
  const canary = prepared(config, samples.canary)
  const baseline = prepared(config, samples.baseline)
  return {
    name: config.name,
    critical: false,
    reason: '',
    effect: 1,
    shift: null,
    canary: summaryOf(canary),
    baseline: summaryOf(baseline),
    ...verdictOn(config, { canary, baseline }, judging),
  }
}

function prepared(config: ComparisonConfig, values: readonly number[]): readonly number[] {
  const numbers =
    config.nanStrategy === 'replace'
      ? values.map((value) => (Number.isFinite(value) ? value : 0))
      : values.filter(Number.isFinite)
  const { strategy, outlierFactor = 3 } = config.outliers ?? {}
  return strategy === 'remove' ? withoutOutliers(numbers, outlierFactor) : numbers
}

interface Sides {
  readonly canary: readonly number[]
  readonly baseline: readonly number[]
}

type Verdict = Pick<Comparison, 'class'> & Partial<Comparison>

function verdictOn(config: ComparisonConfig, sides: Sides, judging: Judging): Verdict {
  const { canary, baseline } = sides
  if (canary.length === 0 || baseline.length === 0) return withoutData(config)
  const fewest = Math.min(canary.length, baseline.length)
  if (judging.mode === 'exact' && fewest < judging.minimumSamples) {
    return {
      class: 'Inconclusive',
      reason: `${config.name} has ${canary.length} samples of the canary and ${baseline.length} of the baseline; ${judging.minimumSamples} of each are needed`,
    }
  }
  if (sameNumbers(canary, baseline))
    return { class: 'Pass', reason: 'The Canary and Baseline data are identical' }
  const shift = shiftOf(sides, judging)
  if (!shift) {
    return judging.mode === 'kayenta'
      ? { class: 'Error', reason: 'Metric Classification Failed' }
      : {
          class: 'Inconclusive',
          reason: `${config.name} has too few samples for a confidence of ${judging.confidence}`,
        }
  }
  const effect = effectOf(config, sides)
  return { effect, shift, ...classified(config, { effect, shift }, judging) }
}

function withoutData(config: ComparisonConfig): Verdict {
  if (config.nanStrategy === 'replace') return { class: 'Pass' }
  const reason = `Missing data for ${config.name}`
  if (config.mustHaveData && !config.critical) return { class: 'NodataFailMetric', reason }
  return { class: 'Nodata', critical: config.critical === true, reason }
}

/** Equal as multisets; a single distinct value on both sides is no difference either. */
function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  if (new Set([...a, ...b]).size === 1) return true
  const [sortedA, sortedB] = [a, b].map((values) => values.toSorted((x, y) => x - y))
  return a.length === b.length && (sortedA?.every((value, i) => value === sortedB?.[i]) ?? false)
}

function shiftOf({ canary, baseline }: Sides, judging: Judging): LocationShift | null {
  if (judging.mode === 'exact') return exactShift(canary, baseline, judging.confidence)
  const constant = new Set(canary).size === 1 && new Set(baseline).size === 1
  return constant
    ? kayentaShift(scattered(canary), scattered(baseline), judging.confidence)
    : kayentaShift(canary, baseline, judging.confidence)
}

/** Kayenta adds random noise to two constants. Noise of the same size without chance: the same verdict every time. */
function scattered(values: readonly number[]): readonly number[] {
  const { length } = values
  return values.map(
    (value, index) => value + Math.abs(value) * 1e-5 * normalQuantile((index + 0.5) / length),
  )
}

function effectOf(config: ComparisonConfig, { canary, baseline }: Sides): number {
  const [nE, nC] = [canary.length, baseline.length]
  if (config.effectSize?.measure === 'cles') {
    const { rankSum } = rankSumOf(ascending(canary), ascending(baseline))
    return (2 * rankSum - nE * (nE + 1)) / (2 * nE * nC)
  }
  const [ofCanary, ofBaseline] = [meanOf(canary), meanOf(baseline)]
  return ofCanary === 0 || ofBaseline === 0 ? Number.NaN : ofCanary / ofBaseline
}

function classified(
  config: ComparisonConfig,
  { effect, shift }: { readonly effect: number; readonly shift: LocationShift },
  judging: Judging,
): Verdict {
  const { name, direction = 'either' } = config
  const limits = limitsOf(config.effectSize, judging)
  const margin = judging.tolerance * Math.abs(shift.estimate)
  const isAtLeast = (limit: number) => Number.isNaN(effect) || effect >= limit
  const isAtMost = (limit: number) => Number.isNaN(effect) || effect <= limit
  const isHigh =
    direction !== 'decrease' && shift.lower > margin && isAtLeast(limits.allowedIncrease)
  const isLow =
    !isHigh && direction !== 'increase' && shift.upper < -margin && isAtMost(limits.allowedDecrease)
  if (!isHigh && !isLow) return { class: 'Pass' }
  const word = isHigh ? 'High' : 'Low'
  const isCritical =
    config.critical === true &&
    (isHigh ? isAtLeast(limits.criticalIncrease) : isAtMost(limits.criticalDecrease))
  return isCritical
    ? {
        class: word,
        critical: true,
        reason: `The metric ${name} was classified as ${word} (Critical)`,
      }
    : { class: word, reason: `${name} was classified as ${word}` }
}

function limitsOf(size: EffectSize = {}, { mode }: Judging): Required<Omit<EffectSize, 'measure'>> {
  const cles = size.measure === 'cles'
  const usual =
    mode === 'kayenta'
      ? { increase: cles ? 0.5 : 1, decrease: cles ? 0.5 : 1 }
      : { increase: cles ? 0.6 : 1.25, decrease: cles ? 0.4 : 0.8 }
  const allowedIncrease = size.allowedIncrease ?? usual.increase
  const allowedDecrease = size.allowedDecrease ?? usual.decrease
  const exact = mode === 'exact'
  return {
    allowedIncrease,
    allowedDecrease,
    // Kayenta takes its own default here even where another increase is allowed.
    criticalIncrease: size.criticalIncrease ?? (exact ? allowedIncrease : usual.increase),
    criticalDecrease: size.criticalDecrease ?? (exact ? allowedDecrease : usual.decrease),
  }
}
