import { annotationKeys, rolloutEvents } from '@serinus/api'
import { resources } from '@serinus/kube'
import { formatInstant } from '../instant.ts'
import { keptSize } from './capacity.ts'
import { checkAt, type Draft } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import { newReplicaSet, type Sized } from './replica-sets.ts'

/** Creates the ReplicaSet of a new revision at its first size. */
export function createSet(facts: RolloutFacts, draft: Draft, replicas: number): void {
  const { newSet } = facts
  const id = createId(newSet)
  draft.createdReplicaSet = true
  draft.writes.unshift({
    kind: 'create',
    id,
    resource: resources.replicaSets,
    object: newReplicaSet(facts, replicas),
  })
  draft.transitions.push({
    ...rolloutEvents.newReplicaSetCreated(newSet.name, newSet.revision),
    after: id,
  })
  if (replicas > 0) draft.transitions.push(scaled(newSet, { from: 0, to: replicas, after: id }))
}

export function createId(set: Sized): string {
  return `create/${set.name}`
}

/** The API's words why the new ReplicaSet could not be created; null when it is there or was not tried (falls short 11). */
export function createErrorOf(facts: RolloutFacts): string | null {
  const failure = facts.snapshot.failures.find(({ id }) => id === createId(facts.newSet))
  return failure && facts.missing ? failure.message : null
}

interface Resize {
  readonly to: number
  readonly dropDeadline?: boolean
  /** Whether it is noted that an update goes back to these pods; absent: the note stays until they go. */
  readonly isFastRollback?: boolean
}

/** Sets a size; what may still be in use is never taken away (capacity.ts). */
export function resize(facts: RolloutFacts, draft: Draft, set: Sized, change: Resize): void {
  const annotations: Record<string, string | null> = {}
  const desired = String(facts.replicas)
  if (set.object?.metadata.annotations?.[annotationKeys.desiredReplicas] !== desired) {
    annotations[annotationKeys.desiredReplicas] = desired
  }
  if (change.dropDeadline) annotations[annotationKeys.scaleDownDeadline] = null
  const to = keptSize(facts, draft, set, change.to)
  const isFastRollback = to > 0 && (change.isFastRollback ?? set.isFastRollback)
  if (isFastRollback !== set.isFastRollback) {
    annotations[annotationKeys.fastRollback] = isFastRollback ? 'true' : null
  }
  const resized = to !== set.spec
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
        ...(resized ? { spec: { replicas: to } } : {}),
      },
    },
    // Capacity is given up only where the pods that replace it could be asked for.
    ...(facts.missing && to < set.spec ? { requires: [createId(facts.newSet)] } : {}),
  })
  if (resized) draft.transitions.push(scaled(set, { from: set.spec, to, after: id }))
}

export function keyOfSet(facts: RolloutFacts, set: Sized): { namespace: string; name: string } {
  return { namespace: facts.snapshot.rollout.metadata.namespace ?? 'default', name: set.name }
}

function scaled(set: Sized, change: { from: number; to: number; after: string }) {
  const { from, to, after } = change
  const { name, revision } = set
  return { ...rolloutEvents.scalingReplicaSet({ replicaSet: name, revision, from, to }), after }
}

/** Says on the ReplicaSet until when it is kept, in whole seconds, and waits for it. */
export function setDeadline(
  facts: RolloutFacts,
  draft: Draft,
  set: Sized,
  delaySeconds: number,
): void {
  const until = Math.ceil(facts.now / 1000 + delaySeconds) * 1000
  waitForDeadline(draft, set, until)
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

export function waitForDeadline(draft: Draft, set: Sized, until: number): void {
  checkAt(draft, until)
  draft.waits.push({ kind: 'scale-down-delay', replicaSet: set.name, until })
}
