import { kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import type { ClusterUnderTest, StoredRollout } from '../cluster-under-test.ts'

export interface ReplicaSet extends KubeObject {
  readonly spec: { readonly replicas: number }
  readonly status?: { readonly replicas?: number; readonly availableReplicas?: number }
}

export interface Pod extends KubeObject {
  readonly spec: { readonly containers: readonly { readonly image: string }[] }
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

/** Two pauses: a short one that passes by itself, and a gate. */
export const steps = [
  { setWeight: 50 },
  { pause: { duration: '1s' } },
  { setWeight: 75 },
  { pause: {} },
  { setWeight: 100 },
]

/** An application of four pods, whose Rollout has this spec besides what every one has. */
export function rollout(name: string, spec: object = {}, canary: object = { steps }) {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name },
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          // Killed at once: the end of a pod is not what is looked at here.
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'app', image: `${name}:v1`, ports: [{ containerPort: 8080 }] }],
        },
      },
      strategy: { canary },
      ...spec,
    },
  }
}

/** One that has its first version in place, and a controller that looks after it. */
export async function healthy(world: ClusterUnderTest, object: ReturnType<typeof rollout>) {
  await world.startController()
  await world.apply(object)
  return world.untilRollout(object.metadata.name, isDone)
}

export const isDone = ({ status, metadata }: StoredRollout) =>
  status?.phase === 'Healthy' && status.observedGeneration === String(metadata.generation)

export const isPausedAt = (step: number) => (one: StoredRollout) =>
  one.status?.currentStepIndex === step && one.status.phase === 'Paused'

export async function setImage(
  world: ClusterUnderTest,
  name: string,
  image: string,
): Promise<void> {
  const containers = [{ name: 'app', image, ports: [{ containerPort: 8080 }] }]
  const body = { spec: { template: { spec: { containers } } } }
  const key = { namespace: world.namespace, name }
  await world.client.patch(kinds.rollouts, key, { kind: 'merge', body })
}

export async function patchStatus(
  world: ClusterUnderTest,
  name: string,
  status: object,
): Promise<void> {
  const key = { namespace: world.namespace, name }
  const patch = { kind: 'merge', body: { status } } as const
  await world.client.patch(kinds.rollouts, key, patch, { subresource: 'status' })
}

/** Images of the pods that are there, each once. */
export const untilPodsRun = (world: ClusterUnderTest, image: string, count: number) =>
  world.until<Pod, true>(resources.pods, (pods) => {
    const rest = pods.filter(({ metadata }) => !metadata.deletionTimestamp)
    const isSo = rest.every(({ spec }) => spec.containers[0]?.image === image)
    return isSo && rest.length === count ? true : undefined
  })

export const sizes = async (world: ClusterUnderTest) => {
  const { items } = await world.client.list<ReplicaSet>(resources.replicaSets, {
    namespace: world.namespace,
  })
  return items.map(({ spec }) => spec.replicas).sort((a, b) => a - b)
}
