/** Statistics without I/O: the sequential test of canaries, and the comparison of two series as Kayenta makes it. */
export { type ExpectedTraffic, minimumDetectableRegression } from './detectable-regression.ts'
export {
  type Decision,
  decide,
  type Evidence,
  evidenceAgainst,
  evidenceInFavour,
  type Look,
  noEvidence,
  type Requests,
  type SequentialTest,
  withLook,
} from './sequential-test.ts'
