import { type Finding, finalPhases } from '@serinus/api'
import type { RolloutPlan } from '../plan.ts'
import { markAborted } from '../rollout/aborted-mark.ts'
import { type Draft, startDraft } from '../rollout/draft.ts'
import { isPromoted, positionOf } from '../rollout/facts.ts'
import { cleanHistory } from '../rollout/history.ts'
import { clearPauses, hasPause, pauseReasons } from '../rollout/pauses.ts'
import { hasTimedOut, timedOutMessage } from '../rollout/progress.ts'
import { releaseServices, servicesInUse } from '../rollout/release-services.ts'
import { restartPods } from '../rollout/restart.ts'
import { syncRevision } from '../rollout/revision.ts'
import { syncRoles } from '../rollout/role-metadata.ts'
import { judgeRuns, recordedRun, runNamed } from '../rollout/runs.ts'
import { conclude, countPods, formatSelector } from '../rollout/status.ts'
import {
  abort,
  forgetProgress,
  isWithinRollbackWindow,
  judge,
  promote,
  restartOnChange,
} from '../rollout/verdict.ts'
import { planOf, sayWhatStops } from '../rollout/waiting.ts'
import { scaleWorkload } from '../rollout/workload-scale.ts'
import type { RolloutSnapshot } from '../snapshot.ts'
import { arrangeBlueGreenRuns } from './analysis.ts'
import { type BlueGreenFacts, blueGreenFacts, isSaturated } from './facts.ts'
import { isAnswered, passGate, waitForRun } from './gate.ts'
import { scale, sizeOfNew } from './scale.ts'
import { switchServices } from './services.ts'

/**
 * One pass over a blue-green Rollout. Judges first (verdicts, user's wishes, the gate, promotion, deadline), then plans
 * the effects that follow from the judgement; no effect can keep a verdict from being taken (design 1.2).
 */
export function planBlueGreen(
  snapshot: RolloutSnapshot,
  now: number,
  warnings: readonly Finding[],
): RolloutPlan {
  const facts = blueGreenFacts(snapshot, now)
  const draft = startDraft(snapshot.rollout)
  countPods(facts, draft)
  countActive(facts, draft)
  leaveCanary(facts, draft)
  // A retry asks everything anew, as a new version does.
  if (!restartOnChange(facts, draft) && isRetried(facts)) forgetProgress(draft)
  judge(facts, draft, () => judgeRuns(facts, draft))
  // Effects follow what every later pass would judge again: what is stored, and what is seen of pods and Services.
  const position = positionOf(facts, draft.status)
  const size = sizeOfNew(facts, draft.status, position)
  const isOpen = passGate(facts, draft, { position, size })
  const why = promotionReason(facts, draft)
  if (why !== null) promoteBlueGreen(facts, draft, why)
  const isTimedOut = hasTimedOut(facts, draft, {
    position: positionOf(facts, draft.status),
    isHealthy: isBlueGreenHealthy(facts, draft),
    isExempt: hasOwnDeadline(facts, draft),
  })
  if (isTimedOut && snapshot.rollout.spec.progressDeadlineAbort && !isPromoted(draft.status)) {
    abort(facts, draft, timedOutMessage(facts))
  }
  // The abort by the deadline is acted on once it is stored; until then nothing goes on either.
  const isAborting = draft.status.abort === true && !position.aborted
  if (!isAborting) switchServices(facts, draft, { position, isOpen })
  const isHealthy = isBlueGreenHealthy(facts, draft)

  syncRevision(facts, draft)
  markAborted(facts, draft)
  draft.writes.push(
    ...releaseServices(snapshot.rollout, snapshot.services, servicesInUse(snapshot.rollout)),
  )
  syncRoles(facts, draft)
  if (!isAborting) scale(facts, draft, { position, size })
  restartPods(facts, draft)
  arrangeBlueGreenRuns(facts, draft, { position, size })
  cleanHistory(facts, draft)
  const { activeSet, replicas } = facts
  const isAvailable = activeSet !== null && isSaturated(activeSet, replicas)
  conclude(facts, draft, { isHealthy, isAvailable, isTimedOut })
  scaleWorkload(facts, draft)
  sayWhatStops(facts, draft, null)
  return planOf(draft, { routes: null, warnings })
}

/** Autoscalers see the pods that serve and no others (spec rollout-controller 6.3). */
function countActive({ activeSet }: BlueGreenFacts, { status }: Draft): void {
  if (!activeSet?.object) return
  status.HPAReplicas = activeSet.pods || undefined
  status.readyReplicas = activeSet.ready || undefined
  status.availableReplicas = activeSet.available || undefined
  status.selector = formatSelector(activeSet.object.spec.selector)
}

/** What the Rollout knew as a canary means nothing any more, its pauses included (4.3). */
function leaveCanary(facts: BlueGreenFacts, draft: Draft): void {
  if (facts.snapshot.rollout.status?.currentStepHash !== undefined) clearPauses(draft)
  draft.status.canary = undefined
  draft.status.currentStepIndex = undefined
}

function isRetried({ snapshot: { rollout } }: BlueGreenFacts): boolean {
  return rollout.status?.abortedAt !== undefined && !rollout.status.abort
}

function promoteBlueGreen(facts: BlueGreenFacts, draft: Draft, why: string): void {
  promote(facts, draft, why)
  const { scaleUpPreviewCheckPoint: _, ...kept } = draft.status.blueGreen ?? {}
  draft.status.blueGreen = kept
}

function promotionReason(facts: BlueGreenFacts, draft: Draft): string | null {
  const { status } = draft
  const { activeSet, newSet, blueGreen } = facts
  if (!status.stableRS) return 'Initial deploy'
  if (status.abort) return null
  if (isPromoted(status)) return 'Fast rollback'
  if (facts.missing || activeSet !== newSet) return null
  if (status.promoteFull) return 'Full promotion requested'
  if (isWithinRollbackWindow(facts)) return 'Rollback within window'
  if (facts.isFastRollback) return 'Fast rollback'
  if (hasPause(draft, pauseReasons.inconclusiveRun)) return null
  if (!isAnswered(draft, 'PostPromotion', blueGreen.postPromotionAnalysis)) {
    waitForRun(draft, 'PostPromotion')
    return null
  }
  return 'Completed blue-green update'
}

function isBlueGreenHealthy(facts: BlueGreenFacts, { status }: Draft): boolean {
  const { replicas, activeSet, newSet, preview } = facts
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    activeSet === newSet &&
    (!preview || status.blueGreen?.previewSelector === newSet.hash) &&
    isPromoted(status)
  )
}

/** An analysis has limits of its own (spec rollout-controller 6.4). */
function hasOwnDeadline(facts: BlueGreenFacts, { status }: Draft): boolean {
  return (['PrePromotion', 'PostPromotion'] as const).some((kind) => {
    const run = recordedRun(status, kind)
    return run !== undefined && !finalPhases.has(run.status) && runNamed(facts, run.name)
  })
}
