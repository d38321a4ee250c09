import type { Position } from '../rollout/facts.ts'
import { stepDownWeight } from './dynamic-stable-scale.ts'
import type { CanaryFacts } from './facts.ts'
import { countsForPass, idealSplit } from './replica-counts.ts'
import { canaryScaleAt, weightAt } from './weights.ts'

/** Pods of both sides. */
export interface Counts {
  readonly canary: number
  readonly stable: number
}

/** The weight that sizes follow (spec rollout-controller 3.2). */
function targetWeight(facts: CanaryFacts, position: Position): number {
  if (position.promoted || !facts.snapshot.rollout.status?.stableRS) return facts.max
  if (position.aborted) {
    return facts.canary.dynamicStableScale ? stepDownWeight(facts) : 0
  }
  if (position.promoteFull) return facts.max
  if (position.index >= facts.steps.length) return facts.max
  return weightAt(facts.steps, position.index)
}

/** The sizes at which a step counts as reached (spec rollout-controller 3.3, 3.6). */
function desiredCounts(facts: CanaryFacts, position: Position): Counts {
  const weight = targetWeight(facts, position)
  if (!facts.stable || facts.stable === facts.newSet) return { canary: facts.replicas, stable: 0 }
  if (!facts.routed) {
    return idealSplit({ replicas: facts.replicas, weight, max: facts.max, surge: facts.surge })
  }
  const scale = pinOf(facts, position, weight)
  const share = scale?.kind === 'weight' ? scale.weight : weight
  const canary =
    scale?.kind === 'replicas' ? scale.replicas : withFloor(facts, podsFor(facts, share))
  if (!facts.canary.dynamicStableScale) return { canary, stable: facts.replicas }
  const left = facts.max - (scale?.kind === 'replicas' ? 0 : share)
  return {
    canary: withFloor(facts, canary),
    stable: withFloor(facts, podsFor(facts, Math.max(0, left))),
  }
}

/**
 * The `setCanaryScale` in force. A pinned size ends where all traffic goes to the canary: 3 of 10 pods never carry a
 * weight of 100 (spec rollout-controller scenario 28).
 */
function pinOf(facts: CanaryFacts, position: Position, weight: number) {
  if (position.aborted || position.promoteFull || weight === facts.max) return null
  return canaryScaleAt(facts.steps, position.index)
}

function podsFor(facts: CanaryFacts, weight: number): number {
  return Math.ceil((weight * facts.replicas) / facts.max)
}

function withFloor(facts: CanaryFacts, pods: number): number {
  if (pods === 0) return 0
  return Math.max(pods, Math.min(facts.canary.minPodsPerReplicaSet ?? 1, facts.replicas))
}

/** Whether both sides have the size that the position asks for ("at desired", spec rollout-controller 3.6). */
export function atDesired(facts: CanaryFacts, position: Position): boolean {
  const desired = desiredCounts(facts, position)
  if (!canaryReached(facts, desired.canary)) return false
  if (facts.stable && facts.stable !== facts.newSet && !facts.canary.dynamicStableScale) {
    if (facts.stable.spec !== desired.stable || facts.stable.pods !== desired.stable) return false
  }
  return facts.routed || facts.others.every((set) => set.available === 0)
}

/**
 * Whether the new ReplicaSet can take the weight of the position: it has the pods, if need be more than it will keep.
 * A canary shrinks only after its weight has (capacity.ts).
 */
export function canCarry(facts: CanaryFacts, position: Position): boolean {
  const { canary } = desiredCounts(facts, position)
  if (facts.newSet.spec > canary && facts.newSet.available >= canary) {
    return facts.stable === null || facts.stable.spec >= desiredCounts(facts, position).stable
  }
  return atDesired(facts, position)
}

/** Whether a step takes all pods from the canary, by `setCanaryScale`: then no weight can mean anything. */
export function isWithoutPods(facts: CanaryFacts, position: Position): boolean {
  return desiredCounts(facts, position).canary === 0
}

/** Whether the new ReplicaSet has `target` available pods, or enough by `replicaProgressThreshold`. */
export function canaryReached(facts: CanaryFacts, target: number): boolean {
  const { newSet } = facts
  const threshold = facts.canary.replicaProgressThreshold
  if (threshold && threshold.value >= 0) {
    if (threshold.type === 'Percent') {
      return target === 0 || (newSet.available * 100) / target >= threshold.value - 1e-10
    }
    return newSet.available >= threshold.value
  }
  return newSet.spec === target && newSet.available === target
}

/**
 * The sizes to ask for in this pass: never fewer available and never more pods than the limits allow.
 * @param pass.weight what this pass asks the routers for; null without routing
 */
export function nextCounts(
  facts: CanaryFacts,
  { position, weight }: { readonly position: Position; readonly weight: number | null },
): Counts {
  if (facts.routed) {
    const { canary, stable } = desiredCounts(facts, position)
    // A weight that goes back to stable needs its pods there first.
    const carried = podsFor(facts, facts.max - (weight ?? 0))
    const isLeft = facts.stable !== null && facts.stable !== facts.newSet
    return { canary, stable: isLeft ? Math.max(stable, carried) : stable }
  }
  const input = {
    replicas: facts.replicas,
    weight: targetWeight(facts, position),
    max: facts.max,
    surge: facts.surge,
    unavailable: facts.unavailable,
    othersSpec: facts.others.reduce((sum, set) => sum + set.spec, 0),
  }
  const { stable } = facts
  if (!stable || stable === facts.newSet) {
    const { canary } = countsForPass({ ...input, canary: facts.newSet, stable: null })
    return { canary, stable: 0 }
  }
  const first = countsForPass({ ...input, canary: facts.newSet, stable })
  // What stable gave up in this pass is room for the canary in the same pass; nothing else needs to be seen for that.
  const resized = { spec: first.stable, available: Math.min(stable.available, first.stable) }
  const second = countsForPass({
    ...input,
    canary: facts.newSet,
    stable: first.stable === stable.spec ? stable : resized,
  })
  return { canary: second.canary, stable: first.stable }
}
