import type { AnalysisRun, Rollout } from '@serinus/api'
import { hashLabel, kinds } from '@serinus/api'
import type { ReplicaSet } from '@serinus/engine'
import { ApiError, type KubeClient, type KubeObject, resources } from '@serinus/kube'
import type { Pod } from '../view/pod-status.ts'
import type { RolloutObjects } from '../view/rollout-info.ts'

/** What the plugin does to Rollouts: the exact requests of spec cli 8, over the caller's own credentials. */
export interface Access {
  readonly client: KubeClient
  readonly namespace: string
}

type StoredRollout = Rollout & KubeObject

export async function readRollout(
  { client, namespace }: Access,
  name: string,
): Promise<StoredRollout> {
  return client.get<StoredRollout>(kinds.rollouts, { namespace, name })
}

/** Only what belongs to this Rollout is asked for, so that a full namespace costs nothing. */
export async function readObjects(access: Access, name: string): Promise<RolloutObjects> {
  const { client, namespace } = access
  const rollout = await readRollout(access, name)
  const labelSelector = selectorText(rollout)
  const ofRollout = { namespace, ...(labelSelector ? { labelSelector } : {}) }
  const withHash = {
    namespace,
    labelSelector: [hashLabel, labelSelector].filter(Boolean).join(','),
  }
  const [replicaSets, pods, analysisRuns, events] = await Promise.all([
    client.list<ReplicaSet>(resources.replicaSets, withHash),
    client.list<Pod & KubeObject>(resources.pods, withHash),
    client.list<AnalysisRun & KubeObject>(kinds.analysisRuns, ofRollout),
    readWarnings(access, rollout),
  ])
  return {
    rollout,
    replicaSets: replicaSets.items,
    pods: pods.items,
    analysisRuns: analysisRuns.items,
    warnings: events,
  }
}

interface EventObject extends KubeObject {
  readonly reason?: string
  readonly message?: string
  readonly type?: string
}

/** Mistakes that Serinus found in the present generation; upstream has no such events. */
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

export function selectorText(rollout: Rollout): string {
  const { matchLabels = {}, matchExpressions = [] } = rollout.spec.selector ?? {}
  const parts = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`)
  for (const { key, operator, values = [] } of matchExpressions) {
    if (operator === 'Exists') parts.push(key)
    else if (operator === 'DoesNotExist') parts.push(`!${key}`)
    else parts.push(`${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`)
  }
  return parts.join(',')
}

/** Status goes to the subresource; servers without one get it on the main path (spec cli 8). */
export async function patchStatus(access: Access, name: string, status: unknown): Promise<void> {
  const patch = { kind: 'merge', body: { status } } as const
  const key = { namespace: access.namespace, name }
  try {
    await access.client.patch(kinds.rollouts, key, patch, { subresource: 'status' })
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 404) throw error
    await access.client.patch(kinds.rollouts, key, patch)
  }
}

export async function patchSpec(access: Access, name: string, spec: unknown): Promise<void> {
  await access.client.patch(
    kinds.rollouts,
    { namespace: access.namespace, name },
    { kind: 'merge', body: { spec } },
  )
}
