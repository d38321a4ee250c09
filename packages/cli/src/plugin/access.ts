import type { AnalysisRun, Experiment, Rollout } from '@serinus/api'
import { hashLabel, type Kind, kinds } from '@serinus/api'
import type { ReplicaSet } from '@serinus/engine'
import { ApiError, type KubeClient, type KubeObject, keyOf, resources } from '@serinus/kube'
import type { Pod } from '../view/pod-status.ts'
import { type OwnedObjects, ownedBy, type RolloutObjects } from '../view/rollout-info.ts'
import { selectorText } from './selector-text.ts'
import { workloadSelector } from './workload.ts'

/** What the plugin does to Rollouts: the exact requests of spec cli 8, over the caller's own credentials. */
export interface Access {
  readonly client: KubeClient
  readonly namespace: string
}

export type StoredRollout = Rollout & KubeObject
export type StoredPod = Pod & KubeObject
export type StoredExperiment = Experiment & KubeObject
export type StoredRun = AnalysisRun & KubeObject

export async function readRollout(
  { client, namespace }: Access,
  name: string,
): Promise<StoredRollout> {
  return client.get<StoredRollout>(kinds.rollouts, { namespace, name })
}

/** `get` and `status` name the kind in the singular when the object is missing, as upstream's view cache does (spec cli 1.1). */
export async function readSeenRollout(access: Access, name: string): Promise<StoredRollout> {
  return readSeen<StoredRollout>(access, kinds.rollouts, name)
}

export async function readSeenExperiment(access: Access, name: string): Promise<StoredExperiment> {
  return readSeen<StoredExperiment>(access, kinds.experiments, name)
}

async function readSeen<T extends KubeObject>(
  { client, namespace }: Access,
  kind: Kind,
  name: string,
): Promise<T> {
  try {
    return await client.get<T>(kind, { namespace, name })
  } catch (error) {
    const message = `${kind.plural}.${kind.group} "${name}" not found`
    if (error instanceof ApiError && error.message === message) throw notFound(kind, name)
    throw error
  }
}

export function notFound(kind: Kind, name: string): Error {
  return new Error(`${kind.kind.toLowerCase()}.${kind.group} "${name}" not found`)
}

/** `rollout.argoproj.io/guestbook created` */
export function createdText(kind: Kind, name: string): string {
  return `${kind.kind.toLowerCase()}.${kind.group}/${name} created`
}

/** Selects the ReplicaSets and pods of one Rollout on the server, so that a full namespace costs nothing. */
export async function podLabels(access: Access, rollout: StoredRollout): Promise<string> {
  const selector = rollout.spec.workloadRef
    ? await workloadSelector(access, rollout.spec.workloadRef)
    : rollout.spec.selector
  return [hashLabel, selectorText(selector)].filter(Boolean).join(',')
}

/**
 * Selects the runs of these ReplicaSets. Upstream gives a run no label of its Rollout but the hash, which is in a
 * run's labels as in its ReplicaSet's.
 */
export function runLabels(sets: readonly ReplicaSet[]): string | null {
  const hashes = new Set(sets.flatMap((set) => set.metadata.labels?.[hashLabel] ?? []))
  return hashes.size === 0 ? null : `${hashLabel} in (${[...hashes].sort().join(',')})`
}

/** Reads what `get rollout` shows, and nothing of other Rollouts. */
export async function readObjects(
  access: Access,
  rollout: StoredRollout,
): Promise<Required<RolloutObjects> & { readonly rollout: StoredRollout }> {
  const { client, namespace } = access
  const ofRollout = { namespace, labelSelector: await podLabels(access, rollout) }
  const [replicaSets, pods, warnings] = await Promise.all([
    client.list<ReplicaSet>(resources.replicaSets, ofRollout),
    client.list<StoredPod>(resources.pods, ofRollout),
    readWarnings(access, rollout),
  ])
  const own = replicaSets.items.filter(ownedBy(rollout.metadata.uid))
  const labelSelector = runLabels(own)
  const [runs, experiments] = await Promise.all([
    labelSelector ? client.list<StoredRun>(kinds.analysisRuns, { namespace, labelSelector }) : none,
    labelSelector
      ? client.list<StoredExperiment>(kinds.experiments, { namespace, labelSelector })
      : none,
  ])
  const ownExperiments = experiments.items.filter(ownedBy(rollout.metadata.uid))
  const parts = await readExperimentParts(access, ownExperiments)
  return {
    rollout,
    replicaSets: distinct(own, parts.replicaSets),
    pods: distinct(pods.items, parts.pods),
    experiments: ownExperiments,
    analysisRuns: distinct(runs.items, parts.analysisRuns),
    warnings,
  }
}

/** An Experiment may use the labels of its Rollout, so that one object is found in two ways. */
export function distinct<T extends KubeObject>(...lists: readonly (readonly T[])[]): readonly T[] {
  return [...new Map(lists.flat().map((object) => [keyOf(object), object])).values()]
}

const none = { items: [] } as const

export interface ExperimentParts extends OwnedObjects {
  readonly pods: readonly StoredPod[]
  readonly analysisRuns: readonly StoredRun[]
}

/** Reads the ReplicaSets, pods and runs that the status of these Experiments names. */
export async function readExperimentParts(
  { client, namespace }: Access,
  experiments: readonly StoredExperiment[],
): Promise<ExperimentParts> {
  const statuses = experiments.flatMap(({ status }) => status ?? [])
  const hashes = statuses.flatMap(({ templateStatuses = [] }) =>
    templateStatuses.flatMap(({ podTemplateHash }) => podTemplateHash ?? []),
  )
  const names = statuses.flatMap(({ analysisRuns = [] }) =>
    analysisRuns.map(({ analysisRun }) => analysisRun),
  )
  const labelSelector = `${hashLabel} in (${[...new Set(hashes)].sort().join(',')})`
  const [replicaSets, pods, analysisRuns] = await Promise.all([
    hashes.length > 0
      ? client.list<ReplicaSet>(resources.replicaSets, { namespace, labelSelector })
      : none,
    hashes.length > 0 ? client.list<StoredPod>(resources.pods, { namespace, labelSelector }) : none,
    Promise.all(names.map((name) => readRun({ client, namespace }, name))),
  ])
  return {
    replicaSets: replicaSets.items,
    pods: pods.items,
    analysisRuns: analysisRuns.flatMap((run) => run ?? []),
  }
}

/** Null: it is gone; the status still names it. */
async function readRun({ client, namespace }: Access, name: string): Promise<StoredRun | null> {
  try {
    return await client.get<StoredRun>(kinds.analysisRuns, { namespace, name })
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return null
    throw error
  }
}

interface EventObject extends KubeObject {
  readonly reason?: string
  readonly message?: string
  readonly type?: string
}

/** Reasons of Warnings that tell a user about a mistake in the manifest; upstream has no such events. */
const warningReasons: ReadonlySet<string> = new Set([
  'DurationNormalized',
  'ClusterTemplateFallback',
  'ZeroPause',
  'CanaryUnderscaled',
  'TrafficRoutingError',
  'UnknownNotificationTrigger',
  'NotificationSubscriptionInvalid',
  'NotificationFailed',
  'ReplicaSetCreateError',
])

async function readWarnings(
  { client, namespace }: Access,
  rollout: StoredRollout,
): Promise<readonly string[]> {
  try {
    const events = await client.list<EventObject>(resources.events, {
      namespace,
      fieldSelector: `involvedObject.uid=${rollout.metadata.uid},type=Warning`,
    })
    const texts = events.items
      .filter((event) => warningReasons.has(event.reason ?? ''))
      .map((event) => `${event.reason}: ${event.message}`)
    return [...new Set(texts)]
  } catch {
    // Reading events is a courtesy; somebody who may not still gets the page.
    return []
  }
}

/** Merge-patches the status subresource; servers without one get `otherwise` on the main path (spec cli 8). */
export async function patchStatus(
  access: Access,
  name: string,
  patch: { readonly status: object; readonly otherwise?: object },
): Promise<'subresource' | 'main'> {
  const { status, otherwise = { status } } = patch
  const key = { namespace: access.namespace, name }
  try {
    const body = { kind: 'merge', body: { status } } as const
    await access.client.patch(kinds.rollouts, key, body, { subresource: 'status' })
    return 'subresource'
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 404) throw error
    await access.client.patch(kinds.rollouts, key, { kind: 'merge', body: otherwise })
    return 'main'
  }
}

/** Merge-patches the object itself. */
export async function patchMain(
  { client, namespace }: Access,
  name: string,
  patch: {
    readonly body: object
    readonly resource?: (typeof kinds)['analysisRuns' | 'experiments']
  },
): Promise<void> {
  const { resource = kinds.rollouts, body } = patch
  await client.patch(resource, { namespace, name }, { kind: 'merge', body })
}
