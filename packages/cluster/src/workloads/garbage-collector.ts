import { type KubeObject, keyOf, type OwnerReference, type Resource } from '@serinus/kube'
import { type AllKinds, type Known, queueKey } from './all-kinds.ts'
import {
  type Context,
  ignoreNotFound,
  isNotFound,
  objectKey,
  startController,
} from './controller.ts'

const foreground = 'foregroundDeletion'
const orphan = 'orphan'

/** What becomes of an object because of its owners. */
type OwnershipVerdict =
  | { readonly kind: 'keep' }
  /** Some owners live on: the references to the others go. */
  | { readonly kind: 'drop-references'; readonly uids: readonly string[] }
  | { readonly kind: 'delete'; readonly propagationPolicy: 'Background' | 'Foreground' | 'Orphan' }

export type OwnerState = 'alive' | 'waits-for-dependents' | 'gone'

/** kubernetes: attemptToDeleteItem of pkg/controller/garbagecollector. */
export function judgeOwnership(facts: {
  readonly object: KubeObject
  readonly owners: readonly { readonly reference: OwnerReference; readonly state: OwnerState }[]
  readonly hasDependents: boolean
}): OwnershipVerdict {
  const { object, owners, hasDependents } = facts
  const alive = owners.filter(({ state }) => state === 'alive')
  const others = owners.filter(({ state }) => state !== 'alive')
  if (others.length === 0) return { kind: 'keep' }
  if (alive.length > 0) {
    return { kind: 'drop-references', uids: others.map(({ reference }) => reference.uid) }
  }
  const finalizers = object.metadata.finalizers ?? []
  const waits = others.some(({ state }) => state === 'waits-for-dependents')
  if (waits && hasDependents) return { kind: 'delete', propagationPolicy: 'Foreground' }
  if (finalizers.includes(orphan)) return { kind: 'delete', propagationPolicy: 'Orphan' }
  if (finalizers.includes(foreground)) return { kind: 'delete', propagationPolicy: 'Foreground' }
  return { kind: 'delete', propagationPolicy: 'Background' }
}

/** Deletes what has lost its owners, and carries out foreground and orphaning deletions. */
export function startGarbageCollector(context: Context, kinds: AllKinds): void {
  const { client } = context
  const { queue } = startController(context, { component: 'garbage-collector', sync })
  const places = new Map<string, { readonly resource: Resource; readonly key: string }>()

  kinds.subscribe((resource, change) => {
    const { object } = change
    const { uid = '', ownerReferences = [], finalizers = [], deletionTimestamp } = object.metadata
    if (change.type === 'deleted') {
      places.delete(queueKey(resource, object))
      for (const dependent of kinds.dependentsOf(uid)) enqueue(dependent)
      // An owner that waits for its dependents may be free now.
      for (const reference of ownerReferences) enqueueOwner(reference)
      return
    }
    const leaving = finalizers.includes(foreground) || finalizers.includes(orphan)
    if (deletionTimestamp && leaving) {
      enqueue({ resource, object })
      return
    }
    const doubtful = ownerReferences.some((reference) => stateInCache(reference) !== 'alive')
    if (doubtful) enqueue({ resource, object })
    const was = change.type === 'modified' ? (change.previous.metadata.ownerReferences ?? []) : []
    for (const reference of was) {
      const kept = ownerReferences.some((present) => present.uid === reference.uid)
      if (!kept) enqueueOwner(reference)
    }
  })

  function enqueue({ resource, object }: Known): void {
    const key = queueKey(resource, object)
    places.set(key, { resource, key: keyOf(object) })
    queue.add(key)
  }

  function enqueueOwner(reference: OwnerReference): void {
    const owner = kinds.byUid(reference.uid)
    if (owner?.object.metadata.deletionTimestamp) enqueue(owner)
  }

  async function sync(key: string): Promise<void> {
    await kinds.synced
    const place = places.get(key)
    const object = place && kinds.get(place.resource, place.key)
    if (!object) return
    const { resource } = place
    const { deletionTimestamp, finalizers = [] } = object.metadata
    if (deletionTimestamp && finalizers.includes(orphan)) return orphanDependents(resource, object)
    if (deletionTimestamp && finalizers.includes(foreground)) {
      return deleteDependents(resource, object)
    }
    if (deletionTimestamp) return
    await judge(resource, object)
  }

  async function judge(resource: Resource, object: KubeObject): Promise<void> {
    const { uid = '', ownerReferences = [], resourceVersion } = object.metadata
    if (ownerReferences.length === 0) return
    const owners = await Promise.all(
      ownerReferences.map(async (reference) => ({
        reference,
        state: await stateOf(reference, object),
      })),
    )
    const hasDependents = kinds.dependentsOf(uid).length > 0
    const verdict = judgeOwnership({ object, owners, hasDependents })
    switch (verdict.kind) {
      case 'keep':
        return
      case 'drop-references':
        return dropReferences(resource, object, verdict.uids)
      case 'delete': {
        const { propagationPolicy } = verdict
        // The version makes sure that nobody has given it another owner meanwhile.
        const preconditions = { uid, ...(resourceVersion && { resourceVersion }) }
        await client
          .delete(resource, objectKey(object), { propagationPolicy, preconditions })
          .catch(ignoreNotFound)
        return
      }
      default:
        throw new TypeError(`unknown verdict: ${JSON.stringify(verdict satisfies never)}`)
    }
  }

  function stateInCache(reference: OwnerReference): OwnerState {
    const known = kinds.byUid(reference.uid)
    if (!known) return 'gone'
    const { deletionTimestamp, finalizers = [] } = known.object.metadata
    return deletionTimestamp && finalizers.includes(foreground) ? 'waits-for-dependents' : 'alive'
  }

  /** What the cache does not have is asked for: it may only lag behind. */
  async function stateOf(reference: OwnerReference, dependent: KubeObject): Promise<OwnerState> {
    const cached = stateInCache(reference)
    if (cached !== 'gone') return cached
    const resource = kinds.resourceOf(reference.apiVersion, reference.kind)
    // A kind nobody serves now may come back with its objects; deleting on a guess could not be undone.
    if (!resource) return 'alive'
    const { namespace } = dependent.metadata
    const key = resource.namespaced && namespace ? { namespace } : {}
    try {
      const owner = await client.get(resource, { ...key, name: reference.name })
      return owner.metadata.uid === reference.uid ? 'alive' : 'gone'
    } catch (error) {
      if (isNotFound(error)) return 'gone'
      throw error
    }
  }

  async function orphanDependents(resource: Resource, owner: KubeObject): Promise<void> {
    const uid = owner.metadata.uid ?? ''
    for (const dependent of kinds.dependentsOf(uid)) {
      await dropReferences(dependent.resource, dependent.object, [uid])
    }
    await removeFinalizer(resource, owner, orphan)
  }

  async function deleteDependents(resource: Resource, owner: KubeObject): Promise<void> {
    const uid = owner.metadata.uid ?? ''
    const dependents = kinds.dependentsOf(uid)
    for (const dependent of dependents) {
      if (!dependent.object.metadata.deletionTimestamp) {
        await judge(dependent.resource, dependent.object)
      }
    }
    const blocking = dependents.some(({ object }) =>
      object.metadata.ownerReferences?.some(
        (reference) => reference.uid === uid && reference.blockOwnerDeletion === true,
      ),
    )
    // Their deletion brings this owner back.
    if (!blocking) await removeFinalizer(resource, owner, foreground)
  }

  async function dropReferences(
    resource: Resource,
    object: KubeObject,
    uids: readonly string[],
  ): Promise<void> {
    const { uid, resourceVersion, ownerReferences = [] } = object.metadata
    const kept = ownerReferences.filter((reference) => !uids.includes(reference.uid))
    const metadata = {
      uid,
      resourceVersion,
      ownerReferences: kept.length > 0 ? kept : null,
    }
    await client
      .patch(resource, objectKey(object), { kind: 'merge', body: { metadata } })
      .catch(ignoreNotFound)
  }

  async function removeFinalizer(
    resource: Resource,
    object: KubeObject,
    finalizer: string,
  ): Promise<void> {
    const { uid, resourceVersion, finalizers = [] } = object.metadata
    const kept = finalizers.filter((name) => name !== finalizer)
    const metadata = { uid, resourceVersion, finalizers: kept.length > 0 ? kept : null }
    await client
      .patch(resource, objectKey(object), { kind: 'merge', body: { metadata } })
      .catch(ignoreNotFound)
  }
}
