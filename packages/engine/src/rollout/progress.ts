import { conditionFacts, conditionOf, defaults, type RolloutStatus } from '@serinus/api'
import { parseInstant } from '../instant.ts'
import { checkAt, type Draft, type LooseStatus } from './draft.ts'
import type { Position, RolloutFacts } from './facts.ts'

/** How things stand after this pass, as conditions tell it. */
export interface Outlook {
  /** Everything that was asked for has come about, pauses aside (spec rollout-controller 6.4, healthy test). */
  readonly isHealthy: boolean
  readonly isAvailable: boolean
  /** The progress deadline has passed. */
  readonly isTimedOut: boolean
}

/** Whether this pass saw the update move (spec rollout-controller 6.4, progress test). */
export function madeProgress(facts: RolloutFacts, after: LooseStatus): boolean {
  const before: RolloutStatus = facts.snapshot.rollout.status ?? {}
  const n = (value: number | undefined) => value ?? 0
  // Pods of versions on their way out that come and go are no progress of the one that has none.
  const isOwn = facts.newSet.ready > 0 || facts.others.every((set) => set.ready === 0)
  const old = (status: LooseStatus) => n(status.replicas) - n(status.updatedReplicas)
  return (
    n(after.updatedReplicas) !== n(before.updatedReplicas) ||
    old(after) < old(before) ||
    (isOwn && n(after.readyReplicas) > n(before.readyReplicas)) ||
    (isOwn && n(after.availableReplicas) > n(before.availableReplicas)) ||
    after.stableRS !== before.stableRS ||
    (before.currentStepIndex !== undefined && after.currentStepIndex !== before.currentStepIndex) ||
    after.currentStepHash !== before.currentStepHash ||
    // An update without steps has no index that could tell its beginning.
    after.currentPodHash !== before.currentPodHash ||
    after.blueGreen?.activeSelector !== before.blueGreen?.activeSelector ||
    after.blueGreen?.previewSelector !== before.blueGreen?.previewSelector ||
    after.blueGreen?.scaleUpPreviewCheckPoint !== before.blueGreen?.scaleUpPreviewCheckPoint ||
    // A user who skips an analysis step moves the index himself; only the run that was left tells of it.
    after.canary?.currentStepAnalysisRunStatus?.name !==
      before.canary?.currentStepAnalysisRunStatus?.name ||
    after.canary?.currentExperiment !== before.canary?.currentExperiment
  )
}

export function timedOutMessage(facts: RolloutFacts): string {
  const cause = { reason: 'ProgressDeadlineExceeded', replicaSet: facts.newSet.name } as const
  return conditionFacts.progressing(cause).message
}

/**
 * Whether the progress deadline has passed; schedules the next look where it has not.
 * @param isExempt something is waited for that has a deadline of its own, or none
 */
export function hasTimedOut(
  facts: RolloutFacts,
  draft: Draft,
  {
    position,
    isHealthy,
    isExempt,
  }: { readonly position: Position; readonly isHealthy: boolean; readonly isExempt: boolean },
): boolean {
  const { rollout, activeSince } = facts.snapshot
  const progressing = conditionOf(rollout.status?.conditions, 'Progressing')
  if (!progressing || position.aborted || isHealthy || isExempt) return false
  if (rollout.spec.paused || (draft.status.pauseConditions?.length ?? 0) > 0) return false
  if (madeProgress(facts, draft.status)) return false
  // Old pods that are kept for their delay hold nothing up; past it they are as late as anything else.
  const kept = facts.others.filter((set) => set.spec > 0 && (set.deadline ?? 0) > facts.now)
  for (const set of kept) checkAt(draft, set.deadline ?? facts.now)
  if (kept.length > 0) return false
  if (progressing.reason === 'RolloutAborted' || progressing.reason === 'RolloutPaused')
    return false
  if (progressing.reason === 'ProgressDeadlineExceeded') return true
  const renewedAt = parseInstant(progressing.lastUpdateTime)
  if (renewedAt === null) return false
  // Nobody moved anything while no controller ran; that time is not counted (operations, falls short 19).
  const since = Math.max(renewedAt, activeSince ?? 0)
  const until = since + defaults.progressDeadlineSeconds(rollout) * 1000
  if (until < facts.now) return true
  checkAt(draft, until + 1)
  return false
}
