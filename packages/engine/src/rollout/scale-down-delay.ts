import { defaults } from '@serinus/api'
import type { Draft } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import type { Sized } from './replica-sets.ts'
import { resize, setDeadline, waitForDeadline } from './resize.ts'

/**
 * Drains old ReplicaSets, each after its delay, at most `scaleDownDelayRevisionLimit` of them waiting at a time
 * (spec rollout-controller 3.9).
 * @param plan.sizeOf pods that a waiting one has; absent: as many as it had
 */
export function drainWithDelay(
  facts: RolloutFacts,
  draft: Draft,
  plan: {
    readonly sets: readonly Sized[]
    readonly delaySeconds: number
    readonly sizeOf?: (set: Sized) => number
  },
): void {
  const limit = defaults.scaleDownDelayRevisionLimit(facts.snapshot.rollout)
  let kept = 0
  for (const set of [...plan.sets].sort((a, b) => b.revision - a.revision)) {
    if (set.deadline !== null) {
      kept++
      if (kept <= limit && set.deadline > facts.now) {
        waitForDeadline(draft, set, set.deadline)
        if (plan.sizeOf) resize(facts, draft, set, { to: plan.sizeOf(set) })
        continue
      }
      resize(facts, draft, set, { to: 0, dropDeadline: true })
    } else if (plan.delaySeconds > 0 && kept < limit) {
      kept++
      setDeadline(facts, draft, set, plan.delaySeconds)
    } else {
      resize(facts, draft, set, { to: 0 })
    }
  }
}

/**
 * The size of the new ReplicaSet after an abort: as it is until stable has taken over and the delay is past, then 0.
 * An explicit delay of 0 keeps it up for good, as documented (falls short 3).
 */
export function sizeAfterAbort(
  facts: RolloutFacts,
  draft: Draft,
  plan: { readonly delaySeconds: number; readonly isTakenOver: boolean },
): number {
  const { newSet, stable } = facts
  if (plan.delaySeconds === 0) return newSet.spec
  if (newSet.spec === 0) return 0
  if (newSet.deadline !== null) {
    if (newSet.deadline <= facts.now) return 0
    waitForDeadline(draft, newSet, newSet.deadline)
    return newSet.spec
  }
  if (plan.isTakenOver && (stable?.available ?? 0) >= facts.replicas) {
    setDeadline(facts, draft, newSet, plan.delaySeconds)
  }
  return newSet.spec
}
