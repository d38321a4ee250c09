import { type KubeObject, keyOf, resources } from '@serinus/kube'
import type { Pod } from '../pods/pod.ts'
import {
  byController,
  type Context,
  ignoreNotFound,
  objectKey,
  onEachChange,
  orphans,
  startController,
} from './controller.ts'
import { Expectations } from './expectations.ts'
import { controllerOf, controllerReference, type ReplicaSet } from './objects.ts'
import { podControl, text } from './pod-control.ts'
import { type Claim, claimPods, nextAvailableAt, planScaling, planStatus } from './replica-set.ts'

/** Keeps as many pods as each ReplicaSet asks for (kubernetes: pkg/controller/replicaset). */
export function startReplicaSetController(context: Context): void {
  const { client, clock, caches } = context
  const { replicaSets, pods } = caches
  const expectations = new Expectations(clock, pods)
  const { queue, recorder } = startController(context, {
    component: 'replicaset-controller',
    sync,
  })
  const control = podControl({ client, recorder: () => recorder, expectations })

  onEachChange(replicaSets, (key) => queue.add(key))
  pods.subscribe((change) => {
    enqueueOwner(change.object)
    if (change.type === 'modified') enqueueOwner(change.previous)
  })

  function enqueueOwner(pod: Pod): void {
    const owner = controllerOf(pod)
    if (owner?.kind === 'ReplicaSet') queue.add(`${pod.metadata.namespace}/${owner.name}`)
    else if (!owner && pod.metadata.labels) {
      // Nobody's pod may fit any selector of its namespace.
      for (const set of replicaSets.list(pod.metadata.namespace)) queue.add(keyOf(set))
    }
  }

  async function sync(key: string): Promise<void> {
    const set = replicaSets.get(key)
    if (!set) return expectations.forget(key)
    const settled = expectations.satisfied(key)
    const owned = pods.byIndex(byController, set.metadata.uid ?? '')
    const candidates = pods.byIndex(orphans, set.metadata.namespace ?? '')
    const claim = claimPods(set, [...owned, ...candidates])
    await claimAll(set, claim)

    const now = clock.now()
    const error = settled ? await scale(key, set, claim) : null
    const failure = error === null ? null : text(error)
    const status = planStatus(set, claim, { now, failure })
    if (status) {
      await client
        .update(resources.replicaSets, { ...set, status }, { subresource: 'status' })
        .catch(ignoreNotFound)
    }
    if (error !== null) throw error
    const next = nextAvailableAt(set, claim.active, now)
    if (next !== null) queue.addAt(key, next)
  }

  async function claimAll(set: ReplicaSet, claim: Claim): Promise<void> {
    const owner = controllerReference(set)
    for (const pod of claim.adopt) await setOwners(pod, [...owners(pod), owner])
    for (const pod of claim.release) {
      await setOwners(
        pod,
        owners(pod).filter(({ uid }) => uid !== set.metadata.uid),
      )
    }
  }

  async function setOwners(pod: Pod, ownerReferences: readonly object[]): Promise<void> {
    const { uid, resourceVersion } = pod.metadata
    const metadata = { uid, resourceVersion, ownerReferences }
    await client
      .patch(resources.pods, objectKey(pod), { kind: 'merge', body: { metadata } })
      .catch(ignoreNotFound)
  }

  /** Resolves to the first failure, null when there was none. */
  async function scale(key: string, set: ReplicaSet, claim: Claim): Promise<unknown> {
    const plan = planScaling(set, claim.active, { related: relatedPods(set), now: clock.now() })
    switch (plan.kind) {
      case 'none':
        return null
      case 'create': {
        const templates = Array.from({ length: plan.count }, () => set.spec.template)
        return (await control.create(set, key, templates)).error
      }
      case 'delete':
        return (await control.delete(set, key, plan.pods)).error
      default:
        throw new TypeError(`unknown scaling: ${JSON.stringify(plan satisfies never)}`)
    }
  }

  function relatedPods(set: ReplicaSet): readonly Pod[] {
    const owner = controllerOf(set)
    const siblings = owner ? replicaSets.byIndex(byController, owner.uid) : [set]
    return siblings.flatMap((sibling) => pods.byIndex(byController, sibling.metadata.uid ?? ''))
  }
}

function owners(object: KubeObject): readonly { readonly uid: string }[] {
  return object.metadata.ownerReferences ?? []
}
