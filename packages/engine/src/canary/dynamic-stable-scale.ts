import { defaults } from '@serinus/api'
import type { CanaryFacts } from './facts.ts'

/**
 * The weight to step down to while stable grows back after an abort: the highest step whose canary pods the missing
 * stable pods can replace (spec rollout-controller 3.8, traffic-routing 3.7).
 */
export function stepDownWeight(facts: CanaryFacts): number {
  const { stable, newSet, replicas, max } = facts
  if (!stable || facts.missing || replicas === 0) return 0
  const missing = replicas - stable.available
  const cap = defaults.explicitAbortScaleDownDelay(facts.snapshot.rollout)
    ? missing
    : Math.max(missing, newSet.available)
  for (const { setWeight } of [...facts.steps].reverse()) {
    if (setWeight !== undefined && Math.ceil((setWeight * replicas) / max) < cap) return setWeight
  }
  return 0
}

/**
 * The weight that may be in effect now while traffic goes back to stable pods that were scaled down: it only falls,
 * each time that stable has grown enough to carry the rest.
 * @param target the weight to come to
 * @param carrier available pods of the side that takes over
 */
export function backToStable(
  facts: CanaryFacts,
  { target, carrier }: { readonly target: number; readonly carrier: number },
): number {
  const { replicas, max, effectiveWeight: current } = facts
  if (replicas === 0) return 0
  const carried = Math.floor((max * carrier) / replicas)
  const missing = Math.max(0, max - carried)
  if (current === null) return Math.max(missing, target)
  if (target <= 0) return Math.min(missing, current)
  return carried < max - target ? current : Math.min(target, current)
}
