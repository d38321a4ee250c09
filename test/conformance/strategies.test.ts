import { kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { type ClusterUnderTest, clusterUnderTest } from '../cluster-under-test.ts'
import {
  healthy,
  isDone,
  type Pod,
  patchStatus,
  rollout,
  setImage,
  untilPodsRun,
} from './web-rollout.ts'

interface Service extends KubeObject {
  readonly spec: { readonly selector: Readonly<Record<string, string>> }
}

const isReady = ({ status }: Pod) =>
  status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true

const hashKey = 'rollouts-pod-template-hash'

const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
})

/** The version that a Service sends to. */
const untilSelected = (world: ClusterUnderTest, name: string, hash: string | undefined) =>
  world.until<Service, true>(resources.services, (services) =>
    services.find(({ metadata }) => metadata.name === name)?.spec.selector[hashKey] === hash
      ? true
      : undefined,
  )

test('a blue-green update shows its version in the preview and switches when it is promoted', async () => {
  await using world = await clusterUnderTest()
  await world.apply(service('web-active'), service('web-preview'))
  const blueGreen = {
    activeService: 'web-active',
    previewService: 'web-preview',
    autoPromotionEnabled: false,
    scaleDownDelaySeconds: 1,
  }
  const before = await healthy(world, rollout('web', { strategy: { blueGreen } }))
  await setImage(world, 'web', 'web:v2')
  const paused = await world.untilRollout(
    'web',
    ({ status }) => status?.phase === 'Paused' && status.blueGreen?.previewSelector !== undefined,
  )
  await untilSelected(world, 'web-preview', paused.status?.currentPodHash)
  await untilSelected(world, 'web-active', before.status?.currentPodHash)
  await patchStatus(world, 'web', { pauseConditions: null })
  const done = await world.untilRollout('web', isDone)
  expect(done.status?.stableRS).toBe(paused.status?.currentPodHash)
  await untilSelected(world, 'web-active', paused.status?.currentPodHash)
  await untilPodsRun(world, 'web:v2', 4)
  expect(world.errors).toEqual([])
})

test('a Rollout takes over the pods of the Deployment that it refers to', async () => {
  await using world = await clusterUnderTest()
  const { selector, template } = rollout('web').spec
  await world.apply({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { replicas: 4, selector, template },
  })
  await untilPodsRun(world, 'web:v1', 4)
  await world.startController()
  await world.apply({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'web' },
    spec: {
      replicas: 4,
      workloadRef: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        name: 'web',
        scaleDown: 'onsuccess',
      },
      strategy: { canary: {} },
    },
  })
  await world.untilRollout('web', isDone)
  interface Deployment extends KubeObject {
    readonly spec: { readonly replicas: number }
    readonly status?: { readonly replicas?: number }
  }
  await world.until<Deployment, true>(resources.deployments, ([deployment]) =>
    deployment?.spec.replicas === 0 && !deployment.status?.replicas ? true : undefined,
  )
  await world.until<Pod, true>(resources.pods, (pods) =>
    pods.length === 4 && pods.every(({ metadata }) => metadata.labels?.[hashKey] !== undefined)
      ? true
      : undefined,
  )
  const key = { namespace: world.namespace, name: 'web' }
  const containers = [{ name: 'app', image: 'web:v2' }]
  const body = { spec: { template: { spec: { containers } } } }
  await world.client.patch(resources.deployments, key, { kind: 'strategic', body })
  await untilPodsRun(world, 'web:v2', 4)
  expect(world.errors).toEqual([])
})

test('a restart replaces every pod, and no faster than the budget lets it', async () => {
  await using world = await clusterUnderTest()
  await world.apply({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web' },
    spec: { minAvailable: 3, selector: { matchLabels: { app: 'web' } } },
  })
  await healthy(world, rollout('web'))
  const { items } = await world.client.list<Pod>(resources.pods, { namespace: world.namespace })
  const before = new Set(items.map(({ metadata }) => metadata.uid))
  // Pods that were made within the same second count as made before.
  const restartAt = `${new Date(world.clock.now() + 1_000).toISOString().slice(0, 19)}Z`
  const key = { namespace: world.namespace, name: 'web' }
  await world.client.patch(kinds.rollouts, key, { kind: 'merge', body: { spec: { restartAt } } })
  let fewest = 4
  await world.until<Pod, true>(resources.pods, (pods) => {
    const rest = pods.filter(({ metadata }) => !metadata.deletionTimestamp)
    fewest = Math.min(fewest, rest.filter(isReady).length)
    return rest.length === 4 && rest.every(({ metadata }) => !before.has(metadata.uid))
      ? true
      : undefined
  })
  expect(fewest).toBe(3)
  await world.untilRollout('web', ({ status }) => status?.restartedAt === restartAt)
  await untilPodsRun(world, 'web:v1', 4)
  expect(world.errors).toEqual([])
})
