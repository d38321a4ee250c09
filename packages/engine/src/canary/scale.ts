import { annotationKeys, defaults, hashLabel, rolloutEvents } from '@serinus/api'
import { resources } from '@serinus/kube'
import { checkAt, type Draft } from '../draft.ts'
import { formatInstant } from '../instant.ts'
import { newReplicaSet, type Sized } from '../replica-sets.ts'
import { hasPause, pauseReasons } from './advance.ts'
import { type CanaryFacts, nextCounts, type Position } from './facts.ts'

/** Sizes for this pass: stable first, then new, then the others (spec rollout-controller 3.5). */
export function scale(facts: CanaryFacts, draft: Draft, position: Position): void {
  if (isHeld(facts, draft, position)) return
  const next = nextCounts(facts, position)
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
    create(facts, draft, canaryTarget)
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
    hasPause(draft, pauseReasons.inconclusiveRun) &&
    facts.all.every(
      (set) =>
        set.spec === 0 ||
        set.object?.metadata.annotations?.[annotationKeys.desiredReplicas] === desired,
    )
  )
}

function create(facts: CanaryFacts, draft: Draft, replicas: number): void {
  const { rollout } = facts.snapshot
  const { newSet } = facts
  draft.createdReplicaSet = true
  draft.writes.unshift({
    kind: 'create',
    id: createId(newSet),
    resource: resources.replicaSets,
    object: newReplicaSet(rollout, newSet, replicas),
  })
  draft.transitions.push({
    ...rolloutEvents.newReplicaSetCreated(newSet.name, newSet.revision),
    after: createId(newSet),
  })
  if (replicas > 0)
    draft.transitions.push(scaled(newSet, { from: 0, to: replicas, after: createId(newSet) }))
}

export function createId(set: Sized): string {
  return `create/${set.name}`
}

interface Resize {
  readonly to: number
  readonly dropDeadline?: boolean
  /** Epoch milliseconds of a deadline to set. */
  readonly deadline?: number
}

function resize(facts: CanaryFacts, draft: Draft, set: Sized, change: Resize): void {
  const annotations: Record<string, string | null> = {}
  const desired = String(facts.replicas)
  if (set.object?.metadata.annotations?.[annotationKeys.desiredReplicas] !== desired) {
    annotations[annotationKeys.desiredReplicas] = desired
  }
  if (change.dropDeadline) annotations[annotationKeys.scaleDownDeadline] = null
  if (change.deadline !== undefined) {
    annotations[annotationKeys.scaleDownDeadline] = formatInstant(change.deadline)
  }
  const resized = change.to !== set.spec
  const annotated = Object.keys(annotations).length > 0
  if (!resized && !annotated) return
  const id = `scale/${set.name}`
  draft.writes.push({
    kind: 'patch',
    id,
    resource: resources.replicaSets,
    key: keyOfSet(facts, set),
    patch: {
      kind: 'merge',
      body: {
        ...(annotated ? { metadata: { annotations } } : {}),
        ...(resized ? { spec: { replicas: change.to } } : {}),
      },
    },
    // Capacity is given up only where the pods that replace it could be asked for.
    ...(facts.missing && change.to < set.spec ? { requires: [createId(facts.newSet)] } : {}),
  })
  if (resized) draft.transitions.push(scaled(set, { from: set.spec, to: change.to, after: id }))
}

export function keyOfSet(facts: CanaryFacts, set: Sized): { namespace: string; name: string } {
  return { namespace: facts.snapshot.rollout.metadata.namespace ?? 'default', name: set.name }
}

function scaled(set: Sized, change: { from: number; to: number; after: string }) {
  const { from, to, after } = change
  const { name, revision } = set
  return { ...rolloutEvents.scalingReplicaSet({ replicaSet: name, revision, from, to }), after }
}

/**
 * The size that an aborted, traffic-routed canary keeps until its deadline; null where no delay applies (3.9).
 * An explicit delay of 0 keeps it up for good, as documented.
 */
function holdAfterAbort(facts: CanaryFacts, draft: Draft, position: Position): number | null {
  const { newSet, stable } = facts
  if (!position.aborted || !facts.routed || !stable || stable === newSet || facts.missing)
    return null
  const delaySeconds = defaults.abortScaleDownDelaySeconds(facts.snapshot.rollout)
  if (delaySeconds === 0) return newSet.spec
  if (newSet.spec === 0) return 0
  if (newSet.deadline !== null) {
    if (newSet.deadline <= facts.now) return 0
    checkAt(draft, newSet.deadline)
    draft.waits.push({ kind: 'scale-down-delay', replicaSet: newSet.name, until: newSet.deadline })
    return newSet.spec
  }
  if (stable.available >= facts.replicas && facts.effectiveWeight === 0) {
    setDeadline(facts, draft, newSet, delaySeconds)
  }
  return newSet.spec
}

function setDeadline(facts: CanaryFacts, draft: Draft, set: Sized, delaySeconds: number): void {
  const until = Math.ceil(facts.now / 1000 + delaySeconds) * 1000
  checkAt(draft, until)
  draft.waits.push({ kind: 'scale-down-delay', replicaSet: set.name, until })
  draft.writes.push({
    kind: 'patch',
    id: `deadline/${set.name}`,
    resource: resources.replicaSets,
    key: keyOfSet(facts, set),
    patch: {
      kind: 'merge',
      body: {
        metadata: { annotations: { [annotationKeys.scaleDownDeadline]: formatInstant(until) } },
      },
    },
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
  pass: Pass,
  running: readonly Sized[],
): void {
  const delaySeconds = defaults.scaleDownDelaySeconds(facts.snapshot.rollout)
  const limit = facts.canary.scaleDownDelayRevisionLimit ?? Number.POSITIVE_INFINITY
  let kept = 0
  for (const set of [...running].sort((a, b) => b.revision - a.revision)) {
    if (isReferenced(facts, set)) continue
    // An intermediate version is kept until the new one runs; after an abort nothing is expected of it any more.
    const isAwaited = !pass.position.promoted && !pass.position.aborted
    if (isAwaited && facts.newSet.available === 0) continue
    if (set.deadline !== null) {
      kept++
      if (kept <= limit && set.deadline > facts.now) {
        checkAt(draft, set.deadline)
        draft.waits.push({ kind: 'scale-down-delay', replicaSet: set.name, until: set.deadline })
        continue
      }
      resize(facts, draft, set, { to: 0, dropDeadline: true })
    } else if (delaySeconds > 0 && kept < limit) {
      kept++
      setDeadline(facts, draft, set, delaySeconds)
    } else {
      resize(facts, draft, set, { to: 0 })
    }
  }
}

function isReferenced(facts: CanaryFacts, set: Sized): boolean {
  const { status } = facts.snapshot.rollout
  if (set.hash === status?.stableRS || set.hash === status?.currentPodHash) return true
  const weights = status?.canary?.weights
  if ((weights?.canary?.weight ?? 0) > 0 && set.hash === weights?.canary?.podTemplateHash)
    return true
  if (set.hash === weights?.stable?.podTemplateHash) return true
  return facts.snapshot.services.some((service) => service.spec?.selector?.[hashLabel] === set.hash)
}
