import { type AnalysisRun, annotationKeys, finalPhases, kinds } from '@serinus/api'
import type { ReplicaSet, Service } from '@serinus/engine'
import { type Change, type KubeObject, keyOf, resources, type WorkQueue } from '@serinus/kube'
import type { Caches, KindOf, OwnWrites } from '../rollout/caches.ts'
import { isOurs } from '../rollout/wake.ts'

/** What a change touches. */
interface Woken {
  readonly caches: Caches
  readonly own: OwnWrites
  readonly queue: WorkQueue
  /** Drops what this process remembers of an Experiment that is gone. */
  readonly forget: (key: string) => void
}

/** Every object that a pass reads leads back to the Experiments that read it. */
export function wakeExperiments(
  { instanceId }: { readonly instanceId?: string },
  { caches, own, queue, forget }: Woken,
): void {
  const owners = new Map<string, string>()
  caches.experiments.subscribe((change) => {
    const key = keyOf(change.object)
    const { uid = '' } = change.object.metadata
    own.settle(kinds.experiments, change.object, change.type === 'deleted')
    if (change.type === 'deleted') {
      forget(key)
      owners.delete(uid)
    } else if (isOurs(change.object, instanceId)) {
      owners.set(uid, key)
      queue.add(key)
    }
  })
  const ofOwner =
    <T extends KubeObject>(kind: KindOf, matters: (change: Change<T>) => boolean = () => true) =>
    (change: Change<T>) => {
      own.settle(kind, change.object, change.type === 'deleted')
      for (const reference of change.object.metadata.ownerReferences ?? []) {
        const key = reference.controller ? owners.get(reference.uid) : undefined
        if (key !== undefined && matters(change)) queue.add(key)
      }
    }
  /** An Experiment may wait for the name of what another one left behind. */
  const nameIsFree = ({ metadata }: KubeObject) => {
    if (metadata.annotations?.[annotationKeys.experimentName] === undefined) return
    for (const experiment of caches.experiments.list(metadata.namespace)) {
      const isOver = finalPhases.has(experiment.status?.phase ?? '')
      if (!isOver && isOurs(experiment, instanceId)) queue.add(keyOf(experiment))
    }
  }
  const ownerOfSet = ofOwner<ReplicaSet>(resources.replicaSets)
  const ownerOfService = ofOwner<Service>(resources.services)
  caches.replicaSets.subscribe((change) => {
    ownerOfSet(change)
    if (change.type === 'deleted') nameIsFree(change.object)
  })
  /** An Experiment may wait for the ports of the stable Service of its Rollout. */
  const portsCome = ({ metadata }: Service) => {
    for (const experiment of caches.experiments.list(metadata.namespace)) {
      const owner = experiment.metadata.ownerReferences?.find((one) => one.controller)
      const rollout = owner && caches.rollouts.get(`${metadata.namespace}/${owner.name}`)
      const isNamed = rollout?.spec?.strategy?.canary?.stableService === metadata.name
      if (isNamed && isOurs(experiment, instanceId)) queue.add(keyOf(experiment))
    }
  }
  caches.services.subscribe((change) => {
    ownerOfService(change)
    if (change.type === 'added') portsCome(change.object)
    if (change.type === 'deleted') nameIsFree(change.object)
  })
  caches.analysisRuns.subscribe(ofOwner(kinds.analysisRuns, hasTurned))
  // Templates are reached through others, too; they change seldom.
  const templateChanged = ({ object }: Change<KubeObject>) => {
    for (const experiment of caches.experiments.list(object.metadata.namespace)) {
      const isAsking =
        (experiment.spec?.analyses ?? []).length > 0 &&
        !finalPhases.has(experiment.status?.phase ?? '')
      if (isAsking && isOurs(experiment, instanceId)) queue.add(keyOf(experiment))
    }
  }
  caches.analysisTemplates.subscribe(templateChanged)
  caches.clusterAnalysisTemplates.subscribe(templateChanged)
}

/** A measurement alone tells an Experiment nothing. */
function hasTurned(change: Change<AnalysisRun & KubeObject>): boolean {
  if (change.type !== 'modified') return true
  const { object, previous } = change
  return (
    object.status?.phase !== previous.status?.phase ||
    object.status?.message !== previous.status?.message
  )
}
