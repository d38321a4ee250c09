import { kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { clusterUnderTest } from '../cluster-under-test.ts'
import {
  healthy,
  isDone,
  isPausedAt,
  type Pod,
  patchStatus,
  type ReplicaSet,
  rollout,
  setImage,
  sizes,
  steps,
  untilPodsRun,
} from './web-rollout.ts'

test('a canary passes a timed pause, waits at its gate, is promoted and replaces every pod', async () => {
  await using world = await clusterUnderTest()
  const first = await healthy(world, rollout('web'))
  await setImage(world, 'web', 'web:v2')
  const paused = await world.untilRollout('web', isPausedAt(3))
  expect(paused.status?.stableRS).toBe(first.status?.currentPodHash)
  expect(await sizes(world)).toEqual([1, 3])
  await patchStatus(world, 'web', { pauseConditions: null })
  const done = await world.untilRollout('web', isDone)
  expect(done.status?.stableRS).toBe(done.status?.currentPodHash)
  expect(done.metadata.annotations?.['rollout.argoproj.io/revision']).toBe('2')
  await untilPodsRun(world, 'web:v2', 4)
  expect(world.errors).toEqual([])
})

test('an aborted canary gives all pods back to the stable version, and a retry goes on with it', async () => {
  await using world = await clusterUnderTest()
  await healthy(world, rollout('web'))
  await setImage(world, 'web', 'web:v2')
  await world.untilRollout('web', isPausedAt(3))
  await patchStatus(world, 'web', { abort: true })
  const aborted = await world.untilRollout('web', (one) => one.status?.phase === 'Degraded')
  expect(aborted.status?.message).toMatch(/^RolloutAborted: /)
  await untilPodsRun(world, 'web:v1', 4)
  await patchStatus(world, 'web', { abort: false })
  await world.untilRollout('web', isPausedAt(3))
  expect(world.errors).toEqual([])
})

test('going back to the version before is a rollback that passes the steps over', async () => {
  await using world = await clusterUnderTest()
  await healthy(world, rollout('web'))
  await setImage(world, 'web', 'web:v2')
  await world.untilRollout('web', isPausedAt(3))
  await setImage(world, 'web', 'web:v1')
  const back = await world.untilRollout('web', isDone)
  expect(back.status?.currentStepIndex).toBe(steps.length)
  await untilPodsRun(world, 'web:v1', 4)
  expect(world.errors).toEqual([])
})

test('a paused Rollout follows a change of its scale subresource in both versions', async () => {
  await using world = await clusterUnderTest()
  await healthy(world, rollout('web'))
  await setImage(world, 'web', 'web:v2')
  await world.untilRollout('web', isPausedAt(3))
  const path = `/apis/argoproj.io/v1alpha1/namespaces/${world.namespace}/rollouts/web/scale`
  const scale = await world.call('GET', path)
  const asked = { ...scale.body, spec: { replicas: 8 } }
  expect((await world.call('PUT', path, asked)).status).toBe(200)
  await world.untilRollout('web', (one) => one.status?.availableReplicas === 8)
  expect(await sizes(world)).toEqual([2, 6])
  expect((await world.call('GET', path)).body).toMatchObject({
    kind: 'Scale',
    spec: { replicas: 8 },
    status: { replicas: 8, selector: 'app=web' },
  })
  expect(world.errors).toEqual([])
})

test('a controller that starts in the middle of an update goes on where the other one stopped', async () => {
  await using world = await clusterUnderTest()
  const controller = await world.startController()
  await world.apply(rollout('web'))
  await world.untilRollout('web', isDone)
  await setImage(world, 'web', 'web:v2')
  await world.untilRollout('web', (one) => one.status?.currentStepIndex === 1)
  const pods = await world.client.list<Pod>(resources.pods, { namespace: world.namespace })
  await controller.stop()
  await world.startController()
  await world.untilRollout('web', isPausedAt(3))
  const after = await world.client.list<Pod>(resources.pods, { namespace: world.namespace })
  const uids = after.items.map(({ metadata }) => metadata.uid)
  const kept = pods.items.filter(({ metadata }) => uids.includes(metadata.uid))
  // 50 % to 75 %: one stable pod goes, none is restarted.
  expect(kept.length).toBeGreaterThanOrEqual(3)
  await patchStatus(world, 'web', { pauseConditions: null })
  await world.untilRollout('web', isDone)
  expect(world.errors).toEqual([])
})

test('a deleted Rollout takes its ReplicaSets and pods with it [embedded-cluster 9]', async () => {
  await using world = await clusterUnderTest()
  await healthy(world, rollout('web'))
  await world.client.delete(kinds.rollouts, { namespace: world.namespace, name: 'web' })
  for (const resource of [resources.replicaSets, resources.pods]) {
    await world.until(resource, (objects) => (objects.length === 0 ? true : undefined))
  }
  expect(world.errors).toEqual([])
})

test('a Rollout deleted in the foreground goes after its pods', async () => {
  await using world = await clusterUnderTest()
  await healthy(world, rollout('web'))
  const key = { namespace: world.namespace, name: 'web' }
  await world.client.delete(kinds.rollouts, key, { propagationPolicy: 'Foreground' })
  await world.until(kinds.rollouts, (objects) => (objects.length === 0 ? true : undefined))
  const sets = await world.client.list(resources.replicaSets, { namespace: world.namespace })
  expect(sets.items).toEqual([])
})

test('a Rollout whose dependants are orphaned leaves its pods at work [embedded-cluster 9]', async () => {
  await using world = await clusterUnderTest()
  await healthy(world, rollout('web'))
  const key = { namespace: world.namespace, name: 'web' }
  await world.client.delete(kinds.rollouts, key, { propagationPolicy: 'Orphan' })
  await world.until(kinds.rollouts, (objects) => (objects.length === 0 ? true : undefined))
  const { items } = await world.client.list<ReplicaSet>(resources.replicaSets, {
    namespace: world.namespace,
  })
  expect(
    items.map(({ metadata, spec }) => [metadata.ownerReferences ?? [], spec.replicas]),
  ).toEqual([[[], 4]])
})

test('a Service of a canary selects the pods of its version alone', async () => {
  await using world = await clusterUnderTest()
  const service = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  })
  await world.apply(service('web-stable'), service('web-canary'))
  const canary = { canaryService: 'web-canary', stableService: 'web-stable', steps }
  await healthy(world, rollout('web', {}, canary))
  await setImage(world, 'web', 'web:v2')
  const paused = await world.untilRollout('web', isPausedAt(3))
  const hashKey = 'rollouts-pod-template-hash'
  const selectors = async (name: string) => {
    const key = { namespace: world.namespace, name }
    return (await world.client.get<Service>(resources.services, key)).spec.selector
  }
  expect(await selectors('web-canary')).toEqual({
    app: 'web',
    [hashKey]: paused.status?.currentPodHash,
  })
  expect(await selectors('web-stable')).toEqual({ app: 'web', [hashKey]: paused.status?.stableRS })
  const endpoints = (service: string, count: number) =>
    world.until<EndpointSlice, true>(resources.endpointSlices, (slices) => {
      const of = slices.filter(
        ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service,
      )
      const ready = of
        .flatMap((slice) => slice.endpoints ?? [])
        .filter((one) => one.conditions.ready)
      return ready.length === count ? true : undefined
    })
  await endpoints('web-canary', 3)
  await endpoints('web-stable', 1)
  expect(world.errors).toEqual([])
})

interface Service extends KubeObject {
  readonly spec: { readonly selector: Readonly<Record<string, string>> }
}

interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly { readonly conditions: { readonly ready?: boolean } }[] | null
}
