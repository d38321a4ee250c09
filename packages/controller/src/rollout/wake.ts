import { kinds, labelKeys, type Rollout } from '@serinus/api'
import { type KubeObject, keyOf, resources, type WorkQueue } from '@serinus/kube'
import { byMention, type Caches, type KindOf, type OwnWrites } from './caches.ts'
import { serviceOfSlice } from './service-endpoints.ts'

/** What a change touches. */
interface Woken {
  readonly caches: Caches
  readonly own: OwnWrites
  readonly queue: WorkQueue
  /** Drops what this process remembers of a Rollout that is gone. */
  readonly forget: (key: string) => void
  /** Deleted Rollouts whose Services have not been given back yet. */
  readonly gone: Map<string, Rollout>
}

/** Every object that a pass reads leads back to the Rollouts that read it (spec rollout-controller 1.1, falls short 20). */
export function wake({ instanceId }: { readonly instanceId?: string }, parts: Woken): void {
  const { caches, own, queue, gone, forget } = parts
  const owners = new Map<string, string>()
  caches.rollouts.subscribe((change) => {
    const key = keyOf(change.object)
    own.settle(kinds.rollouts, change.object, change.type === 'deleted')
    if (change.type === 'deleted') {
      forget(key)
      owners.delete(change.object.metadata.uid ?? '')
      if (isOurs(change.object, instanceId)) {
        gone.set(key, change.object)
        queue.add(key)
      }
      return
    }
    owners.set(change.object.metadata.uid ?? '', key)
    if (isOurs(change.object, instanceId)) queue.add(key)
  })
  const enqueueOwner =
    (kind: KindOf) => (change: { readonly type: string; readonly object: KubeObject }) => {
      own.settle(kind, change.object, change.type === 'deleted')
      for (const reference of change.object.metadata.ownerReferences ?? []) {
        const key = reference.controller ? owners.get(reference.uid) : undefined
        if (key) queue.add(key)
      }
    }
  caches.replicaSets.subscribe(enqueueOwner(resources.replicaSets))
  caches.analysisRuns.subscribe(enqueueOwner(kinds.analysisRuns))
  caches.experiments.subscribe(enqueueOwner(kinds.experiments))
  const enqueueNamed = (namespace: string | undefined, name: string) => {
    for (const rollout of caches.rollouts.byIndex(byMention, `${namespace}/${name}`)) {
      if (isOurs(rollout, instanceId)) queue.add(keyOf(rollout))
    }
  }
  const enqueueUsers =
    (kind: KindOf) => (change: { readonly type: string; readonly object: KubeObject }) => {
      own.settle(kind, change.object, change.type === 'deleted')
      enqueueNamed(change.object.metadata.namespace, change.object.metadata.name)
    }
  caches.services.subscribe(enqueueUsers(resources.services))
  caches.endpointSlices.subscribe((change) => {
    const before = change.type === 'modified' ? change.previous.podPrefixes : []
    if (change.type === 'modified' && before.join() === change.object.podPrefixes.join()) return
    for (const service of serviceOfSlice(change.object)) {
      enqueueNamed(change.object.metadata.namespace, service.slice(service.indexOf('/') + 1))
    }
  })
  const ownerOfIngress = enqueueOwner(resources.ingresses)
  const usersOfIngress = enqueueUsers(resources.ingresses)
  caches.ingresses.subscribe((change) => {
    ownerOfIngress(change)
    usersOfIngress(change)
  })
  // Templates are reached through others, too; they change seldom.
  const enqueueAnalysed =
    (kind: KindOf) => (change: { readonly type: string; readonly object: KubeObject }) => {
      own.settle(kind, change.object, change.type === 'deleted')
      for (const rollout of caches.rollouts.list(change.object.metadata.namespace)) {
        const isUser = isOurs(rollout, instanceId) && mentionsAnalysis(rollout.spec?.strategy)
        if (isUser) queue.add(keyOf(rollout))
      }
    }
  caches.analysisTemplates.subscribe(enqueueAnalysed(kinds.analysisTemplates))
  caches.clusterAnalysisTemplates.subscribe(enqueueAnalysed(kinds.clusterAnalysisTemplates))
}

export function isOurs(object: KubeObject, instanceId: string | undefined): boolean {
  return object.metadata.labels?.[labelKeys.instanceId] === instanceId
}

function mentionsAnalysis(strategy: unknown): boolean {
  if (typeof strategy !== 'object' || strategy === null) return false
  return Object.entries(strategy).some(
    ([key, value]) => key === 'templateName' || mentionsAnalysis(value),
  )
}
