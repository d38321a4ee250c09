/** Statistics without I/O: the sequential test of canaries, and the comparison of two series as Kayenta makes it. */
export {
  type CanaryScore,
  canaryScore,
  type ScoredMetric,
  type ScoreRules,
} from './canary-score.ts'
export {
  type Comparison,
  type ComparisonClass,
  type ComparisonConfig,
  compareSeries,
  type EffectSize,
  type Judging,
} from './compare-series.ts'
export {
  type Baseline,
  type Difference,
  differenceOf,
  type Reading,
  type SideReading,
} from './counter-reading.ts'
export { type ExpectedTraffic, minimumDetectableRegression } from './detectable-regression.ts'
export type { LocationShift } from './mann-whitney.ts'
export type { Summary } from './sample.ts'
export {
  type Decision,
  decide,
  type Evidence,
  endOfLook,
  evidenceAgainst,
  evidenceInFavour,
  type Look,
  noEvidence,
  type Requests,
  type SequentialTest,
  withLook,
  withPart,
} from './sequential-test.ts'
