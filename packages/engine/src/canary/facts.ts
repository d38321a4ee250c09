import { type CanaryStep, type CanaryStrategy, defaults, resolveFenceposts } from '@serinus/api'
import { type Roles, rolesOf, type Sized } from '../replica-sets.ts'
import type { RolloutSnapshot } from '../snapshot.ts'
import { countsForPass, idealSplit } from './replica-counts.ts'
import { canaryScaleAt, weightAt } from './weights.ts'

/** What every part of a canary pass starts from; read once per pass. */
export interface CanaryFacts extends Roles {
  readonly snapshot: RolloutSnapshot
  readonly now: number
  readonly canary: CanaryStrategy
  readonly steps: readonly CanaryStep[]
  /** `spec.replicas`. */
  readonly replicas: number
  /** Largest weight. */
  readonly max: number
  readonly routed: boolean
  readonly surge: number
  readonly unavailable: number
  readonly all: readonly Sized[]
  /** Canary share in effect on every router; null when they differ or say nothing. Without routing: null. */
  readonly effectiveWeight: number | null
}

export function canaryFacts(snapshot: RolloutSnapshot, now: number): CanaryFacts {
  const { rollout } = snapshot
  const canary = rollout.spec.strategy?.canary ?? {}
  const roles = rolesOf(snapshot)
  const replicas = defaults.replicas(rollout)
  const fenceposts = resolveFenceposts({
    maxSurge: canary.maxSurge,
    maxUnavailable: canary.maxUnavailable,
    replicas,
  })
  const weights = new Set(snapshot.routers.map((router) => router.weight))
  return {
    ...roles,
    snapshot,
    now,
    canary,
    steps: canary.steps ?? [],
    replicas,
    max: defaults.maxTrafficWeight(rollout),
    routed: canary.trafficRouting !== undefined,
    surge: fenceposts.surge,
    unavailable: fenceposts.unavailable,
    all: [
      ...(roles.missing ? [] : [roles.newSet]),
      ...(roles.stable && roles.stable !== roles.newSet ? [roles.stable] : []),
      ...roles.others,
    ],
    effectiveWeight: weights.size === 1 ? ([...weights][0] ?? null) : null,
  }
}

/** How far an update is, as far as sizes and weights depend on it. */
export interface Position {
  /** Index of the current step; the step count when all are done or there are none. */
  readonly index: number
  readonly promoted: boolean
  readonly aborted: boolean
  readonly promoteFull: boolean
}

/** The weight that sizes follow (spec rollout-controller 3.2). */
function targetWeight(facts: CanaryFacts, position: Position): number {
  if (position.promoted || !facts.snapshot.rollout.status?.stableRS) return facts.max
  if (position.aborted) return 0
  if (position.promoteFull) return facts.max
  if (position.index >= facts.steps.length) return facts.max
  return weightAt(facts.steps, position.index)
}

/** The sizes at which a step counts as reached (spec rollout-controller 3.3, 3.6). */
function desiredCounts(facts: CanaryFacts, position: Position): { canary: number; stable: number } {
  const weight = targetWeight(facts, position)
  if (!facts.stable || facts.stable === facts.newSet) return { canary: facts.replicas, stable: 0 }
  if (!facts.routed) {
    return idealSplit({ replicas: facts.replicas, weight, max: facts.max, surge: facts.surge })
  }
  return { canary: routedCanary(facts, position, weight), stable: facts.replicas }
}

/**
 * A pinned size ends where all traffic goes to the canary: 3 of 10 pods never carry a weight of 100
 * (spec rollout-controller scenario 28).
 */
function routedCanary(facts: CanaryFacts, position: Position, weight: number): number {
  const scale =
    position.aborted || position.promoteFull || weight === facts.max
      ? null
      : canaryScaleAt(facts.steps, position.index)
  if (scale?.kind === 'replicas') return scale.replicas
  const share = Math.ceil(((scale?.weight ?? weight) * facts.replicas) / facts.max)
  const floor = Math.min(facts.canary.minPodsPerReplicaSet ?? 1, facts.replicas)
  return share === 0 ? 0 : Math.max(share, floor)
}

/** Whether both sides have the size that the position asks for ("at desired", spec rollout-controller 3.6). */
export function atDesired(facts: CanaryFacts, position: Position): boolean {
  const desired = desiredCounts(facts, position)
  if (!canaryReached(facts, desired.canary)) return false
  if (facts.stable && facts.stable !== facts.newSet) {
    if (facts.stable.spec !== desired.stable || facts.stable.pods !== desired.stable) return false
  }
  return facts.routed || facts.others.every((set) => set.available === 0)
}

/** Whether weights mean anything: with 0 replicas no share of traffic is ever given to anybody, and none is waited for. */
export function carriesTraffic(facts: CanaryFacts): boolean {
  return facts.routed && facts.snapshot.routers.length > 0 && facts.replicas > 0
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

/** The sizes to ask for in this pass: never fewer available and never more pods than the limits allow. */
export function nextCounts(
  facts: CanaryFacts,
  position: Position,
): { canary: number; stable: number } {
  if (facts.routed) return desiredCounts(facts, position)
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
