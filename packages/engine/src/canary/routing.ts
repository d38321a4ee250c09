import { rolloutEvents } from '@serinus/api'
import type { Draft } from '../rollout/draft.ts'
import type { Position } from '../rollout/facts.ts'
import type { Sized } from '../rollout/replica-sets.ts'
import type { DesiredRoutes, RouteSide } from '../routes.ts'
import { canCarry, isWithoutPods } from './counts.ts'
import { backToStable, stepDownWeight } from './dynamic-stable-scale.ts'
import { experimentRoutes } from './experiments.ts'
import { type CanaryFacts, sideLeadsTo } from './facts.ts'
import { managedRoutesAt } from './managed-routes.ts'
import { canaryScaleAt, weightAt } from './weights.ts'

/** What the routers must say now; null without routing (spec rollout-controller 3.7, traffic-routing 3.3). */
export function desiredRoutes(facts: CanaryFacts, position: Position): DesiredRoutes | null {
  if (!facts.routed || facts.snapshot.routers.length === 0) return null
  const { rollout } = facts.snapshot
  const wanted = wantedWeight(facts, position)
  const removeManagedRoutes =
    position.promoted || position.aborted || position.promoteFull || facts.newSet.available === 0
  return {
    rollout: {
      namespace: rollout.metadata.namespace ?? 'default',
      name: rollout.metadata.name,
      uid: rollout.metadata.uid ?? '',
    },
    weight: withinStableCapacity(facts, position, wanted),
    max: facts.max,
    stable: sideOf(facts, 'stable', facts.stable),
    canary: sideOf(facts, 'canary', leftCanary(facts) ?? facts.newSet),
    additional: experimentRoutes(facts, position),
    removeManagedRoutes,
    managedRoutes: removeManagedRoutes ? [] : managedRoutesAt(facts, position.index),
  }
}

function sideOf(facts: CanaryFacts, side: 'stable' | 'canary', set: Sized | null): RouteSide {
  return {
    service: facts.services[side] ?? '',
    hash: set?.hash ?? '',
    // With 0 replicas there will never be a pod to wait for.
    available: set !== null && (set.available > 0 || facts.replicas === 0),
  }
}

/** The revision that a user left in the middle of its update, while traffic still goes to it. */
export function leftCanary(facts: CanaryFacts): Sized | null {
  if (facts.stable !== facts.newSet || !facts.canary.dynamicStableScale) return null
  if ((facts.effectiveWeight ?? 0) === 0) return null
  const left = facts.snapshot.rollout.status?.canary?.weights?.canary?.podTemplateHash
  if (!left || left === facts.newSet.hash) return null
  return facts.others.find((set) => set.hash === left) ?? null
}

function wantedWeight(facts: CanaryFacts, position: Position): number {
  const { steps } = facts
  const effective = facts.effectiveWeight ?? 0
  if (position.promoted) {
    if (leftCanary(facts))
      return backToStable(facts, { target: 0, carrier: facts.newSet.available })
    // The stable side must lead to the new pods before the weight that did so is taken away.
    const follows = sideLeadsTo(facts, 'stable', facts.newSet) === true
    return follows || facts.replicas === 0 ? 0 : effective
  }
  if (position.aborted) {
    if (!facts.canary.dynamicStableScale) return 0
    const carrier = facts.stable?.available ?? 0
    return backToStable(facts, { target: stepDownWeight(facts), carrier })
  }
  if (facts.newSet.available === 0) return 0
  if (position.promoteFull) {
    if (!facts.canary.dynamicStableScale || facts.replicas === 0) return effective
    return Math.floor(
      (facts.max * Math.min(facts.newSet.available, facts.replicas)) / facts.replicas,
    )
  }
  if (facts.stable === null && facts.snapshot.rollout.status?.stableRS) {
    // There is nobody else left to answer.
    return Math.floor(
      (facts.max * Math.min(facts.newSet.available, facts.replicas)) / facts.replicas,
    )
  }
  if (steps.length === 0) return 0
  if (isWithoutPods(facts, position)) return 0
  if (!canCarry(facts, position) || !isLedToCanary(facts)) {
    // Pods that are still to come carry nothing: until then the share may only stay or fall.
    const previous = weightAt(steps, position.index - 1)
    return Math.min(previous, facts.effectiveWeight ?? previous, carriedWeight(facts, position))
  }
  return position.index >= steps.length ? facts.max : weightAt(steps, position.index)
}

/**
 * The largest weight that the pods of the canary can carry: what the others have lost goes back to stable. A user who
 * sets the size or the threshold himself has said how many are enough.
 */
function carriedWeight(facts: CanaryFacts, { index }: Position): number {
  const isSaid = canaryScaleAt(facts.steps, index) !== null || facts.canary.replicaProgressThreshold
  if (isSaid) return facts.max
  return Math.floor((facts.max * facts.newSet.available) / facts.replicas)
}

/** Whether a weight would reach the new pods: the canary's side may still lead to those before. */
function isLedToCanary(facts: CanaryFacts): boolean {
  return sideLeadsTo(facts, 'canary', facts.newSet) !== false
}

/**
 * Stable never gets more than it can carry. An abort tolerates what the user tolerates in an update (maxUnavailable);
 * below that the share of the missing pods stays where it is until they are back.
 */
function withinStableCapacity(facts: CanaryFacts, position: Position, wanted: number): number {
  const effective = facts.effectiveWeight
  const carrier = position.promoted ? facts.newSet : facts.stable
  if (effective === null || wanted >= effective || !carrier || facts.replicas === 0) return wanted
  if (sideLeadsTo(facts, 'stable', carrier) === false) return effective
  const tolerated = position.aborted ? facts.unavailable : 0
  const share = Math.floor(((facts.max - wanted) * facts.replicas) / facts.max)
  if (carrier.available >= Math.max(1, share - tolerated)) return wanted
  const carried = Math.floor((facts.max * carrier.available) / facts.replicas)
  return Math.min(effective, Math.max(wanted, facts.max - carried))
}

/** Records the weights that are seen to be in effect (spec rollout-controller 3.7 step 6). */
export function recordWeights(
  facts: CanaryFacts,
  draft: Draft,
  routes: DesiredRoutes | null,
): void {
  if (!routes) {
    if (draft.status.canary?.weights) {
      const { weights: _, ...canary } = draft.status.canary
      draft.status.canary = canary
    }
    return
  }
  const effective = facts.effectiveWeight
  if (effective === null || effective !== routes.weight) return
  const before = draft.status.canary?.weights
  const { canaryService = '', stableService = '' } = facts.canary
  const target = (weight: number, serviceName: string, podTemplateHash: string) => ({
    weight,
    serviceName,
    podTemplateHash,
  })
  const additional = routes.additional.map(({ weight, service, hash }) =>
    target(weight, service, hash),
  )
  const shared = additional.reduce((sum, { weight }) => sum + weight, 0)
  const verdicts = facts.snapshot.routers.map((router) => router.verified)
  const verified = verdicts.includes(false) ? false : verdicts.includes(true) ? true : undefined
  draft.status.canary = {
    ...draft.status.canary,
    weights: {
      canary: target(effective, canaryService, routes.canary.hash),
      stable: target(routes.max - effective - shared, stableService, routes.stable.hash),
      ...(additional.length > 0 ? { additional } : {}),
      ...(verified === undefined ? {} : { verified }),
    },
  }
  const from = before?.canary?.weight
  if (from === effective) return
  draft.transitions.push({
    ...rolloutEvents.trafficWeightUpdated(from, effective),
    after: 'status',
  })
}
