import { annotationKeys, defaults } from '@serinus/api'
import type { Draft, LooseStatus } from '../rollout/draft.ts'
import type { Position } from '../rollout/facts.ts'
import { hasPause, pauseReasons } from '../rollout/pauses.ts'
import type { Sized } from '../rollout/replica-sets.ts'
import { createSet, resize } from '../rollout/resize.ts'
import { drainWithDelay, sizeAfterAbort } from '../rollout/scale-down-delay.ts'
import { selectedHash } from '../rollout/services.ts'
import { type BlueGreenFacts, isSaturated } from './facts.ts'
import { isAnswered } from './gate.ts'

/** Pods that the new ReplicaSet is to have as long as nobody aborts (spec rollout-controller 5.2). */
export function sizeOfNew(facts: BlueGreenFacts, status: LooseStatus, position: Position): number {
  const { newSet, activeSet, replicas, blueGreen } = facts
  const isServing = activeSet === null || activeSet === newSet
  const isPassed = status.blueGreen?.scaleUpPreviewCheckPoint === true
  const isFull =
    isServing || isPassed || position.promoted || position.promoteFull || facts.isFastRollback
  return isFull ? replicas : (blueGreen.previewReplicaCount ?? replicas)
}

/**
 * Sizes for this pass: stable and new, then the others.
 * @param size of the new ReplicaSet unless the update is aborted
 */
export function scale(
  facts: BlueGreenFacts,
  draft: Draft,
  { position, size }: { readonly position: Position; readonly size: number },
): void {
  const { newSet, stable, activeSet, replicas } = facts
  if (stable && stable !== newSet) keepFull(facts, draft, stable)
  if (facts.missing) {
    createSet(facts, draft, position.aborted ? 0 : size)
  } else {
    const to = position.aborted ? abortedSize(facts, draft) : size
    resize(facts, draft, newSet, {
      to,
      dropDeadline: newSet.deadline !== null && !(position.aborted && to > 0),
      isFastRollback: facts.isFastRollback && !position.aborted && !position.promoted,
    })
  }
  const running = facts.others.filter((set) => set.spec > 0)
  for (const set of running) if (set === activeSet && replicas > 0) keepFull(facts, draft, set)
  if (isHeld(facts, draft, position)) return
  drain(
    facts,
    draft,
    running.filter((set) => set !== activeSet || replicas === 0),
  )
}

/** Whoever serves, or takes over again after an abort, has all pods. */
function keepFull(facts: BlueGreenFacts, draft: Draft, set: Sized): void {
  resize(facts, draft, set, { to: facts.replicas, dropDeadline: set.deadline !== null })
}

function abortedSize(facts: BlueGreenFacts, draft: Draft): number {
  const { newSet, stable, activeSet, replicas, snapshot } = facts
  if (activeSet === newSet) return replicas
  if (!stable) return newSet.spec
  return sizeAfterAbort(facts, draft, {
    delaySeconds: defaults.abortScaleDownDelaySeconds(snapshot.rollout),
    isTakenOver: facts.demandOn(newSet).length === 0,
  })
}

/** Old pods stay while a user has to judge the new ones, or an analysis after the switch still does (5.5). */
function isHeld(facts: BlueGreenFacts, draft: Draft, position: Position): boolean {
  if (position.aborted || position.promoted || position.promoteFull) return false
  if (hasPause(draft, pauseReasons.inconclusiveRun)) return true
  const { blueGreen, activeSet, newSet, isFastRollback } = facts
  const isJudged = activeSet === newSet && isSaturated(newSet, facts.replicas) && !isFastRollback
  return (
    isJudged &&
    blueGreen.scaleDownDelaySeconds === undefined &&
    !isAnswered(draft, 'PostPromotion', blueGreen.postPromotionAnalysis)
  )
}

/** Old ReplicaSets go after their delay, which begins when requests have ceased to reach them (5.5, falls short 47). */
function drain(facts: BlueGreenFacts, draft: Draft, running: readonly Sized[]): void {
  const { rollout } = facts.snapshot
  const idle = running.filter((set) => !isReferenced(facts, draft, set))
  drainWithDelay(facts, draft, {
    sets: idle,
    delaySeconds: defaults.scaleDownDelaySeconds(rollout),
    sizeOf: (set) => sizeInDelay(facts, set),
  })
}

function isReferenced(facts: BlueGreenFacts, draft: Draft, set: Sized): boolean {
  const [demand] = facts.demandOn(set)
  const by = demand?.by ?? (selectedHash(facts.preview) === set.hash ? 'preview service' : null)
  if (by === null) return false
  draft.waits.push({ kind: 'traffic', replicaSet: set.name, kept: set.spec, wanted: 0, by })
  return true
}

/** A version to which one may go back at once follows a change of replicas; a former preview stays as small as it was. */
function sizeInDelay(facts: BlueGreenFacts, set: Sized): number {
  const desired = set.object?.metadata.annotations?.[annotationKeys.desiredReplicas]
  return desired === String(set.spec) ? facts.replicas : set.spec
}
