import { ApiError, isNamespaceTerminating, keyOf, resources } from '@serinus/kube'
import { matchesLabelSelector } from '../apiserver/selectors.ts'
import {
  byController,
  type Context,
  ignoreNotFound,
  objectKey,
  onEachChange,
  orphans,
  startController,
} from './controller.ts'
import {
  type DeploymentPlan,
  planCollision,
  planCreateError,
  planDeployment,
  revisionAnnotation,
} from './deployment.ts'
import {
  controllerOf,
  controllerReference,
  type Deployment,
  type DeploymentStatus,
  type ReplicaSet,
} from './objects.ts'

/** Rolls each Deployment out through ReplicaSets (kubernetes: pkg/controller/deployment). */
export function startDeploymentController(context: Context): void {
  const { client, clock, caches } = context
  const { deployments, replicaSets, pods } = caches
  const { queue, recorder } = startController(context, {
    component: 'deployment-controller',
    sync,
  })

  onEachChange(deployments, (key) => queue.add(key))
  replicaSets.subscribe((change) => {
    enqueueOwner(change.object)
    if (change.type === 'modified') enqueueOwner(change.previous)
  })
  // Recreate waits for the last old pod to be gone, which no ReplicaSet shows.
  pods.subscribe((change) => {
    if (change.type !== 'deleted') return
    const owner = controllerOf(change.object)
    if (owner?.kind !== 'ReplicaSet') return
    const set = replicaSets.get(`${change.object.metadata.namespace}/${owner.name}`)
    if (set) enqueueOwner(set)
  })

  function enqueueOwner(set: ReplicaSet): void {
    const owner = controllerOf(set)
    if (owner?.kind === 'Deployment') queue.add(`${set.metadata.namespace}/${owner.name}`)
    else if (!owner && set.metadata.labels) {
      for (const deployment of deployments.list(set.metadata.namespace)) {
        queue.add(keyOf(deployment))
      }
    }
  }

  async function sync(key: string): Promise<void> {
    const deployment = deployments.get(key)
    if (!deployment) return
    const owned = await claimReplicaSets(deployment)
    const ownedPods = owned.flatMap((set) => pods.byIndex(byController, set.metadata.uid ?? ''))
    const now = clock.now()
    const plan = planDeployment({ deployment, replicaSets: owned, pods: ownedPods, now })
    for (const set of plan.creates) {
      if (!(await createSet(deployment, set))) return
      tell(deployment, plan, set)
    }
    for (const set of plan.updates) {
      await client.update(resources.replicaSets, set)
      tell(deployment, plan, set)
    }
    for (const set of plan.deletes) {
      await client.delete(resources.replicaSets, objectKey(set)).catch(ignoreNotFound)
    }
    await writeDeployment(deployment, plan)
    if (plan.checkAt !== null) queue.addAt(key, plan.checkAt)
  }

  /** Takes over matching ReplicaSets of nobody and lets those go that match no more. */
  async function claimReplicaSets(deployment: Deployment): Promise<readonly ReplicaSet[]> {
    const owned: ReplicaSet[] = []
    const candidates = [
      ...replicaSets.byIndex(byController, deployment.metadata.uid ?? ''),
      ...replicaSets.byIndex(orphans, deployment.metadata.namespace ?? ''),
    ]
    for (const set of candidates) {
      const owner = controllerOf(set)
      const matches = matchesLabelSelector(deployment.spec.selector, set.metadata.labels ?? {})
      if (owner && matches) owned.push(set)
      else if (deployment.metadata.deletionTimestamp || set.metadata.deletionTimestamp) continue
      else if (owner) {
        const others = set.metadata.ownerReferences?.filter(({ uid }) => uid !== owner.uid) ?? []
        await setOwners(set, others)
      } else if (matches) {
        const before = set.metadata.ownerReferences ?? []
        owned.push(await setOwners(set, [...before, controllerReference(deployment)]))
      }
    }
    return owned
  }

  function setOwners(set: ReplicaSet, ownerReferences: readonly object[]): Promise<ReplicaSet> {
    const { uid, resourceVersion } = set.metadata
    const body = { metadata: { uid, resourceVersion, ownerReferences } }
    return client.patch<ReplicaSet>(resources.replicaSets, objectKey(set), { kind: 'merge', body })
  }

  /** False: there is nothing to go on with now; the change of status or a retry brings the key back. */
  async function createSet(deployment: Deployment, set: ReplicaSet): Promise<boolean> {
    try {
      await client.create(resources.replicaSets, set)
      return true
    } catch (error) {
      if (isNamespaceTerminating(error)) throw error
      if (error instanceof ApiError && error.reason === 'AlreadyExists') {
        const existing = replicaSets.get(keyOf(set))
        const collision = planCollision(deployment, existing)
        if (collision) await writeStatus(deployment, collision)
        throw error
      }
      const message = `Failed to create new replica set "${set.metadata.name}": ${
        error instanceof Error ? error.message : String(error)
      }`
      const status = planCreateError(deployment, { message, now: clock.now() })
      if (status) await writeStatus(deployment, status).catch(() => {})
      recorder.record(deployment, { type: 'Warning', reason: 'ReplicaSetCreateError', message })
      throw error
    }
  }

  function tell(deployment: Deployment, plan: DeploymentPlan, set: ReplicaSet): void {
    for (const { after, message } of plan.events) {
      if (after !== set.metadata.name) continue
      recorder.record(deployment, { type: 'Normal', reason: 'ScalingReplicaSet', message })
    }
  }

  async function writeDeployment(deployment: Deployment, plan: DeploymentPlan): Promise<void> {
    const { revision } = plan
    if (revision === null) {
      if (plan.status) await writeStatus(deployment, plan.status)
      return
    }
    // Through the status door an annotation does not raise the generation, which the user's changes alone may do.
    const annotations = { ...deployment.metadata.annotations, [revisionAnnotation]: revision }
    const metadata = { ...deployment.metadata, annotations }
    const status = plan.status ?? deployment.status ?? {}
    const written = await writeStatus({ ...deployment, metadata }, status)
    if (!written || written.metadata.annotations?.[revisionAnnotation] === revision) return
    // A server that lets only the status through that door gets it by the front one.
    const { resourceVersion } = written.metadata
    await client.patch(resources.deployments, objectKey(deployment), {
      kind: 'merge',
      body: { metadata: { resourceVersion, annotations: { [revisionAnnotation]: revision } } },
    })
  }

  /** Undefined when the Deployment is gone. */
  async function writeStatus(
    deployment: Deployment,
    status: DeploymentStatus,
  ): Promise<Deployment | undefined> {
    try {
      const object = { ...deployment, status }
      return await client.update(resources.deployments, object, { subresource: 'status' })
    } catch (error) {
      ignoreNotFound(error)
      return undefined
    }
  }
}
