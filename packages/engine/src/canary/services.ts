import { annotationKeys } from '@serinus/api'
import type { Draft } from '../rollout/draft.ts'
import type { Position } from '../rollout/facts.ts'
import type { Sized } from '../rollout/replica-sets.ts'
import { pointService, selectedHash, serviceNamed } from '../rollout/services.ts'
import type { Service } from '../snapshot.ts'
import { type CanaryFacts, isSettled } from './facts.ts'
import { leftCanary } from './routing.ts'

/** Decides each Service's target once per pass, so that no two rules can disagree (spec rollout-controller 6.1). */
export function switchServices(facts: CanaryFacts, draft: Draft, position: Position): void {
  const { newSet, services } = facts
  const stable = position.promoted || isTakingOver(facts, position) ? newSet : facts.stable
  const stableService = serviceNamed(facts, services.stable)
  if (stable && stableService && isReady(facts, stableService, stable)) {
    pointService(facts, draft, { service: stableService, to: stable })
  }
  const canaryService = serviceNamed(facts, services.canary)
  if (!canaryService) return
  if (facts.canary.pingPong) {
    // While promoted the playing canary leads nowhere; its weight is 0 then (spec traffic-routing 2).
    const isFree = (facts.effectiveWeight ?? 0) === 0 || selectedHash(canaryService) === newSet.hash
    if (!position.promoted && isFree) {
      pointService(facts, draft, { service: canaryService, to: newSet })
    }
    return
  }
  const canary = canaryTarget(facts, position, stable)
  if (canary && isReady(facts, canaryService, canary)) {
    pointService(facts, draft, { service: canaryService, to: canary })
  }
}

/**
 * A basic canary gives up its last stable pods when all steps are done; a Service of their own then leads to the new
 * ones before they go.
 */
function isTakingOver(facts: CanaryFacts, position: Position): boolean {
  const { newSet, replicas, unavailable } = facts
  if (facts.routed || facts.canary.pingPong || position.aborted) return false
  const isLast = position.promoteFull || position.index >= facts.steps.length
  return isLast && newSet.available > 0 && newSet.available >= replicas - unavailable
}

function canaryTarget(facts: CanaryFacts, position: Position, stable: Sized | null): Sized | null {
  if (leftCanary(facts)) return null
  if (!position.aborted) {
    // Pods that nobody wants any more are not kept for the sake of a canary that has none yet.
    const isLost = !facts.routed && facts.newSet.available === 0
    return isLost ? leftBehind(facts, stable) : facts.newSet
  }
  // With routing the canary Service keeps its pods until no weight leads to them any more.
  return !facts.routed || (facts.effectiveWeight === 0 && isSettled(facts)) ? stable : null
}

function leftBehind(facts: CanaryFacts, stable: Sized | null): Sized | null {
  const hash = selectedHash(serviceNamed(facts, facts.services.canary))
  return facts.others.some((set) => set.hash === hash) ? stable : null
}

/** A Service is moved to pods that can answer (spec traffic-routing 2). */
function isReady(facts: CanaryFacts, service: Service, to: Sized): boolean {
  const isManaged = service.metadata.annotations?.[annotationKeys.managedBy] !== undefined
  // With 0 replicas there will never be a pod to wait for, and a Service that stays behind keeps old pods alive.
  return isManaged
    ? to.available > 0 || facts.replicas === 0
    : to.spec > 0 && to.available >= to.spec
}
