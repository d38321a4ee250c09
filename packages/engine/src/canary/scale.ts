import { annotationKeys, defaults, hashLabel } from '@serinus/api'
import type { Draft } from '../rollout/draft.ts'
import type { Position } from '../rollout/facts.ts'
import { hasPause, pauseReasons } from '../rollout/pauses.ts'
import type { Sized } from '../rollout/replica-sets.ts'
import { createSet, resize } from '../rollout/resize.ts'
import { drainWithDelay, sizeAfterAbort } from '../rollout/scale-down-delay.ts'
import type { DesiredRoutes } from '../routes.ts'
import { nextCounts } from './counts.ts'
import { type CanaryFacts, isSettled } from './facts.ts'

/** Sizes for this pass: stable first, then new, then the others (spec rollout-controller 3.5). */
export function scale(
  facts: CanaryFacts,
  draft: Draft,
  { position, routes }: { readonly position: Position; readonly routes: DesiredRoutes | null },
): void {
  if (isHeld(facts, draft, position)) return
  const next = nextCounts(facts, { position, weight: routes?.weight ?? null })
  const { newSet, stable } = facts
  const pending = new Map<Sized, number>()
  const held = holdAfterAbort(facts, draft, position)
  if (stable && stable !== newSet) {
    if (next.stable !== stable.spec) pending.set(stable, next.stable)
    resize(facts, draft, stable, { to: next.stable, dropDeadline: stable.deadline !== null })
  }
  const canaryTarget = held ?? next.canary
  if (canaryTarget !== newSet.spec) pending.set(newSet, canaryTarget)
  if (facts.missing) {
    createSet(facts, draft, canaryTarget)
  } else {
    const keepDeadline = held !== null && canaryTarget > 0
    resize(facts, draft, newSet, {
      to: canaryTarget,
      dropDeadline: newSet.deadline !== null && !keepDeadline,
    })
  }
  drainOthers(facts, draft, { position, pending })
}

/** Whether sizes stay as they are until a user has judged an inconclusive analysis; a change of replicas is still followed. */
function isHeld(facts: CanaryFacts, draft: Draft, position: Position): boolean {
  if (position.aborted || position.promoteFull || position.promoted || facts.missing) return false
  const desired = String(facts.replicas)
  return (
    (hasPause(draft, pauseReasons.inconclusiveRun) ||
      hasPause(draft, pauseReasons.inconclusiveExperiment)) &&
    facts.all.every(
      (set) =>
        set.spec === 0 ||
        set.object?.metadata.annotations?.[annotationKeys.desiredReplicas] === desired,
    )
  )
}

/** The size that an aborted, traffic-routed canary keeps until its deadline; null where no delay applies (3.9). */
function holdAfterAbort(facts: CanaryFacts, draft: Draft, position: Position): number | null {
  const { newSet, stable } = facts
  if (!position.aborted || !facts.routed || !stable || stable === newSet || facts.missing)
    return null
  const { rollout } = facts.snapshot
  const isExplicit = facts.canary.abortScaleDownDelaySeconds !== undefined
  // Unless a delay is asked for, a canary whose stable side was scaled down shrinks as its weight does (3.8).
  if (facts.canary.dynamicStableScale && !isExplicit) return null
  return sizeAfterAbort(facts, draft, {
    delaySeconds: defaults.abortScaleDownDelaySeconds(rollout),
    isTakenOver: facts.effectiveWeight === 0,
  })
}

interface Pass {
  readonly position: Position
  /** Sizes that this pass already asks for. */
  readonly pending: ReadonlyMap<Sized, number>
}

function drainOthers(facts: CanaryFacts, draft: Draft, pass: Pass): void {
  const running = facts.others.filter((set) => set.spec > 0)
  if (running.length === 0) return
  if (facts.routed) {
    drainRouted(facts, draft, pass, running)
    return
  }
  // A ReplicaSet whose pods are still leaving says nothing reliable about availability.
  if (running.some((set) => set.available > set.spec)) return
  const sizes = new Map(running.map((set) => [set, Math.min(set.spec, set.available)]))
  const availableNow = facts.all.reduce(
    (sum, set) => sum + Math.min(set.available, pass.pending.get(set) ?? set.spec),
    0,
  )
  let room = availableNow - (facts.replicas - facts.unavailable)
  for (const set of [...running].sort((a, b) => b.revision - a.revision)) {
    if (room <= 0) break
    const now = sizes.get(set) ?? 0
    const to = Math.max(0, now - room)
    room -= now - to
    sizes.set(set, to)
  }
  for (const set of running) resize(facts, draft, set, { to: sizes.get(set) ?? set.spec })
}

/** Old ReplicaSets outlive the switch by `scaleDownDelaySeconds`, since proxies may still hold their pods (3.9). */
function drainRouted(
  facts: CanaryFacts,
  draft: Draft,
  { position }: Pass,
  running: readonly Sized[],
): void {
  const { rollout } = facts.snapshot
  // An intermediate version is kept until the new one runs; after an abort nothing is expected of it any more.
  const isAwaited = !position.promoted && !position.aborted && facts.newSet.available === 0
  if (isAwaited) return
  drainWithDelay(facts, draft, {
    sets: running.filter((set) => !isReferenced(facts, set)),
    delaySeconds: facts.canary.dynamicStableScale ? 0 : defaults.scaleDownDelaySeconds(rollout),
  })
}

function isReferenced(facts: CanaryFacts, set: Sized): boolean {
  const { rollout, services } = facts.snapshot
  const { status } = rollout
  if (set.hash === status?.stableRS || set.hash === status?.currentPodHash) return true
  const weights = status?.canary?.weights
  if (set.hash === weights?.stable?.podTemplateHash) return true
  if (set.hash === weights?.canary?.podTemplateHash && (weights.canary.weight ?? 0) > 0) return true
  if (facts.demandOn(set).length > 0) return true
  // Of two Services that swap roles, the one without a weight leads nobody anywhere (falls short 42).
  const isIdle = facts.canary.pingPong && facts.effectiveWeight === 0 && isSettled(facts)
  return services.some(
    (service) =>
      service.spec?.selector?.[hashLabel] === set.hash &&
      !(isIdle && service.metadata.name === facts.services.canary),
  )
}
