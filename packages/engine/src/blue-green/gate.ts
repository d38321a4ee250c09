import { defaults, type RolloutAnalysis } from '@serinus/api'
import { parseInstant } from '../instant.ts'
import { checkAt, type Draft } from '../rollout/draft.ts'
import type { Position } from '../rollout/facts.ts'
import { addPause, pauseOf, pauseReasons, removePause } from '../rollout/pauses.ts'
import { recordedRun } from '../rollout/runs.ts'
import { waitForPods } from '../rollout/waiting.ts'
import { type BlueGreenFacts, isHalted, isSaturated } from './facts.ts'

/**
 * Whether the active Service may be switched to the new pods as far as analysis, users and the clock are concerned
 * (spec rollout-controller 5.3). What a user or the clock has let pass stays passed: it is noted in the status, so that
 * a pod that is unready at that moment takes nothing back.
 * @param size pods of the new ReplicaSet in preview
 */
export function passGate(
  facts: BlueGreenFacts,
  draft: Draft,
  { position, size }: { readonly position: Position; readonly size: number },
): boolean {
  if (position.aborted) return false
  const isFastTracked = position.promoted || position.promoteFull || facts.isFastRollback
  if (isFastTracked || facts.activeSet === facts.newSet) {
    removePause(draft, pauseReasons.blueGreen)
    return true
  }
  const isReady = isSaturated(facts.newSet, size)
  if (!isReady) draft.waits.push(waitForPods(facts.newSet, size))
  if (!isAnswered(draft, 'PrePromotion', facts.blueGreen.prePromotionAnalysis)) {
    if (isReady) waitForRun(draft, 'PrePromotion')
    return false
  }
  if (draft.status.blueGreen?.scaleUpPreviewCheckPoint) {
    removePause(draft, pauseReasons.blueGreen)
    return true
  }
  const isPreviewed = facts.blueGreen.previewReplicaCount !== undefined
  if (!needsPause(facts)) {
    removePause(draft, pauseReasons.blueGreen)
    if (!isPreviewed) return true
    if (!isReady) return false
  } else if (!pauseIsOver(facts, draft, isReady)) return false
  removePause(draft, pauseReasons.blueGreen)
  draft.status.blueGreen = { ...draft.status.blueGreen, scaleUpPreviewCheckPoint: true }
  return true
}

/** Whether an analysis that was asked for has found the new version good; true where none was. */
export function isAnswered(
  draft: Draft,
  kind: 'PrePromotion' | 'PostPromotion',
  analysis: RolloutAnalysis | undefined,
): boolean {
  if ((analysis?.templates?.length ?? 0) === 0) return true
  return recordedRun(draft.status, kind)?.status === 'Successful'
}

export function waitForRun(draft: Draft, kind: 'PrePromotion' | 'PostPromotion'): void {
  const run = recordedRun(draft.status, kind)?.name ?? ''
  draft.waits.push({ kind: 'analysis', run, step: null })
}

function needsPause({ snapshot: { rollout } }: BlueGreenFacts): boolean {
  return !defaults.autoPromotionEnabled(rollout) || defaults.autoPromotionSeconds(rollout) > 0
}

function pauseIsOver(facts: BlueGreenFacts, draft: Draft, isReady: boolean): boolean {
  const { rollout } = facts.snapshot
  const condition = pauseOf(draft.status, pauseReasons.blueGreen)
  if (!condition) {
    // Somebody took the pause away.
    if (draft.status.controllerPause && !draft.status.pauseConditions) return true
    if (!isReady || isHalted(facts, draft.status)) return false
    addPause(draft, pauseReasons.blueGreen, facts.now)
  }
  const since = parseInstant(condition?.startTime) ?? Math.floor(facts.now / 1000) * 1000
  if (!defaults.autoPromotionEnabled(rollout)) {
    draft.waits.push({ kind: 'gate', step: null, since })
    return false
  }
  const until = since + defaults.autoPromotionSeconds(rollout) * 1000
  if (condition && facts.now > until) return true
  // Strictly after, as for the pauses of a canary.
  checkAt(draft, until + 1)
  draft.waits.push({ kind: 'timer', step: null, since, until })
  return false
}
