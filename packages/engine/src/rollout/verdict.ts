import { type Rollout, rolloutEvents, stepsHash } from '@serinus/api'
import { formatInstant } from '../instant.ts'
import type { Draft } from './draft.ts'
import { isPromoted, type RolloutFacts } from './facts.ts'
import { clearPauses } from './pauses.ts'
import { isOlder } from './replica-sets.ts'

/**
 * A new template, or other steps of a canary, start the update again (spec rollout-controller 4.3). Returns whether
 * they did.
 */
export function restartOnChange(facts: RolloutFacts, draft: Draft): boolean {
  const { rollout } = facts.snapshot
  const { status } = draft
  const { hash: stepHash, isSame: sameSteps } = compareSteps(rollout)
  const samePods = !status.currentPodHash || status.currentPodHash === facts.newSet.hash
  status.currentPodHash = facts.newSet.hash
  status.currentStepHash = stepHash
  if (sameSteps && samePods) return false
  draft.wasReset = true
  clearPauses(draft)
  status.abort = undefined
  status.abortedAt = undefined
  status.promoteFull = undefined
  // A new template takes the place of a restart that was asked for (falls short 50).
  if (!samePods && isDue(rollout.spec.restartAt, facts.now)) {
    status.restartedAt = rollout.spec.restartAt
  }
  forgetProgress(draft)
  status.currentStepIndex = facts.steps.length === 0 ? undefined : 0
  return true
}

/** The hash of the steps as they are, and whether the update runs by these. */
function compareSteps({ spec, status }: Rollout): {
  readonly hash: string | undefined
  readonly isSame: boolean
} {
  const hash = stepsHash(spec.strategy)
  const recorded = status?.currentStepHash
  // Blue-green has no steps and so no hash that could differ.
  if (hash === undefined || recorded === hash) return { hash, isSame: true }
  // Taken over from 1.8 and still the same: stays as it is, since another name for it is not worth a write.
  const isOfOldForm =
    recorded !== undefined && recorded === stepsHash(spec.strategy, { upTo18: true })
  return isOfOldForm ? { hash: recorded, isSame: true } : { hash, isSame: false }
}

function isDue(restartAt: string | undefined, now: number): boolean {
  return restartAt !== undefined && Date.parse(restartAt) <= now
}

/** Forgets what belonged to the update, or the try, before. */
export function forgetProgress(draft: Draft): void {
  const { canary, blueGreen } = draft.status
  if (canary) {
    const {
      currentBackgroundAnalysisRunStatus: _b,
      currentStepAnalysisRunStatus: _s,
      currentExperiment: _e,
      stepPluginStatuses: _p,
      ...kept
    } = canary
    draft.status.canary = kept
  }
  if (blueGreen) {
    const {
      prePromotionAnalysisRunStatus: _pre,
      postPromotionAnalysisRunStatus: _post,
      scaleUpPreviewCheckPoint: _c,
      ...kept
    } = blueGreen
    draft.status.blueGreen = kept
  }
}

/** What users and finished analyses decided. A user's abort wins over everything (falls short 7). */
export function judge(facts: RolloutFacts, draft: Draft, judgeRuns: () => string | null): void {
  const { status } = draft
  const before = facts.snapshot.rollout.status ?? {}
  if (isPromoted(status)) {
    status.abort = undefined
    status.abortedAt = undefined
    return
  }
  if (before.abort && !draft.wasReset) {
    status.promoteFull = undefined
    if (!before.abortedAt) abort(facts, draft, null)
    else settleAborted(facts, draft)
    return
  }
  const cause = judgeRuns()
  if (cause !== null && !status.promoteFull) {
    abort(facts, draft, cause)
    return
  }
  // The first pass after a retry still knows of the abort, so that runs are asked anew; then it is forgotten.
  status.abortedAt = undefined
  if (status.promoteFull) {
    clearPauses(draft)
    if (facts.steps.length > 0) status.currentStepIndex = facts.steps.length
  }
}

/** @param cause what people are told; null: a user asked for it */
export function abort(facts: RolloutFacts, draft: Draft, cause: string | null): void {
  draft.abortCause = cause
  draft.status.abort = true
  draft.status.abortedAt ??= formatInstant(facts.now)
  settleAborted(facts, draft)
}

function settleAborted(facts: RolloutFacts, draft: Draft): void {
  clearPauses(draft)
  if (facts.steps.length > 0) draft.status.currentStepIndex = 0
}

/** Makes the new ReplicaSet the stable one (spec rollout-controller 4.5). */
export function promote(facts: RolloutFacts, draft: Draft, why: string): void {
  const { status } = draft
  clearPauses(draft)
  status.abort = undefined
  status.abortedAt = undefined
  status.promoteFull = undefined
  if (facts.steps.length > 0) status.currentStepIndex = facts.steps.length
  if (status.stableRS === facts.newSet.hash) return
  status.stableRS = facts.newSet.hash
  const { revision, hash } = facts.newSet
  const event = rolloutEvents.rolloutCompleted({ revision, hash, why })
  draft.transitions.push({ ...event, after: 'status' })
}

/** Fewer than `rollbackWindow.revisions` revisions lie between the wanted and the stable ReplicaSet (4.6). */
export function isWithinRollbackWindow(facts: Omit<RolloutFacts, 'demandOn'>): boolean {
  const revisions = facts.snapshot.rollout.spec.rollbackWindow?.revisions ?? 0
  const { newSet, stable } = facts
  if (revisions <= 0 || !stable || facts.missing || newSet.wasAborted) return false
  if (!isOlder(newSet, stable)) return false
  const between = facts.all.filter((set) => isOlder(newSet, set) && isOlder(set, stable))
  return between.length < revisions
}

/**
 * Whether an update goes back to a version that has proved itself: within the rollback window, or of blue-green to pods
 * that have not gone yet (4.5). What was begun like that stays so whatever its pods do meanwhile (falls short 49).
 */
export function isFastRollback(facts: Omit<RolloutFacts, 'demandOn'>): boolean {
  const { newSet, stable, missing, now } = facts
  const { spec, status } = facts.snapshot.rollout
  if (missing || !stable || newSet === stable) return false
  if (isWithinRollbackWindow(facts)) return true
  if (!spec.strategy?.blueGreen) return false
  if (newSet.isFastRollback) return true
  // The deadline of an aborted update says nothing about how well its pods did.
  const isAborted =
    status?.currentPodHash === newSet.hash &&
    (status.abort === true || status.abortedAt !== undefined)
  const isRunning = newSet.deadline !== null && newSet.deadline > now
  return isRunning && isOlder(newSet, stable) && !isAborted
}
