import { kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import {
  refusal,
  type StoredRollout,
  type VirtualCluster,
  virtualCluster,
} from './virtual-cluster.ts'

function app(replicas: number, canary: object = {}): KubeObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'app', image: 'web:v1' }] },
      },
      strategy: { canary: { ...canary } },
    },
  } as KubeObject
}

const budget = {
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web', namespace: 'default' },
  spec: { maxUnavailable: 0, selector: { matchLabels: { app: 'web' } } },
} as KubeObject

const isHealthy = (rollout: StoredRollout) => rollout.status?.phase === 'Healthy'

async function healthy(replicas: number, canary: object = {}): Promise<VirtualCluster> {
  const world = await virtualCluster()
  await world.apply(app(replicas, canary))
  await world.until('web', isHealthy)
  await world.pass(60_000)
  return world
}

const at = (world: VirtualCluster, inMs = 0) =>
  `${new Date(world.clock.now() + inMs).toISOString().slice(0, 19)}Z`

async function edit(world: VirtualCluster, spec: object): Promise<void> {
  const key = { namespace: 'default', name: 'web' }
  await world.client.patch(kinds.rollouts, key, { kind: 'merge', body: { spec } })
  await world.clock.settle()
}

async function pods(world: VirtualCluster): Promise<readonly KubeObject[]> {
  return (await world.client.list(resources.pods, { labelSelector: 'app=web' })).items
}

const going = (all: readonly KubeObject[]) =>
  all.filter(({ metadata }) => metadata.deletionTimestamp !== undefined)

const isRestarted = (rollout: StoredRollout) =>
  rollout.status?.restartedAt !== undefined && rollout.status.restartedAt === rollout.spec.restartAt

test('a restart evicts as many pods as may be missing, and is done when no older pod is left [rollout-controller 52]', async () => {
  await using world = await healthy(10)
  const before = new Set((await pods(world)).map(({ metadata }) => metadata.uid))
  await edit(world, { restartAt: at(world) })
  await world.pass(1)
  const first = await pods(world)
  const kept = first.filter(
    ({ metadata }) => before.has(metadata.uid) && metadata.deletionTimestamp === undefined,
  )
  expect(kept).toHaveLength(8)
  expect((await world.rollout('web')).status?.restartedAt).toBeUndefined()
  expect((await world.rollout('web')).status).toMatchObject({
    phase: 'Progressing',
    message: 'rollout is restarting',
  })
  let fewest = 10
  await world.until('web', (rollout) => {
    fewest = Math.min(fewest, rollout.status?.availableReplicas ?? 0)
    return isRestarted(rollout)
  })
  expect(fewest).toBeGreaterThanOrEqual(8)
  const after = await pods(world)
  expect(after.filter(({ metadata }) => before.has(metadata.uid))).toEqual([])
  await world.until('web', isHealthy)
  expect(world.errors).toEqual([])
})

test('a disruption budget that forbids evictions is waited for, without an error, and asked again after 30 s [rollout-controller 53]', async () => {
  await using world = await healthy(4)
  await world.apply(budget)
  await world.pass(5_000)
  world.requests.reset()
  const evictions: number[] = []
  world.faults.api = (request) => {
    if (request.url.includes('/eviction')) evictions.push(world.clock.now())
    return null
  }
  await edit(world, { restartAt: at(world) })
  await world.pass(25_000)
  expect(going(await pods(world))).toEqual([])
  expect((await world.rollout('web')).status).toMatchObject({
    phase: 'Progressing',
    message: 'rollout is restarting',
  })
  expect(world.plans.at(-1)?.waits).toContainEqual(
    expect.objectContaining({
      kind: 'disruption-budget',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
    }),
  )
  const [firstAt = 0] = evictions
  expect(new Set(evictions)).toEqual(new Set([firstAt]))
  await world.pass(60_000)
  expect([...new Set(evictions)].map((time) => time - firstAt)).toEqual([0, 30_000, 60_000])
  expect(world.errors).toEqual([])
  const policy = { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets' }
  await world.client.delete(
    { ...policy, kind: 'PodDisruptionBudget', namespaced: true },
    { namespace: 'default', name: 'web' },
  )
  await world.until('web', isRestarted)
  await world.until('web', isHealthy)
})

test('a restart in the future does nothing until its time, and begins then by the clock alone', async () => {
  await using world = await healthy(2)
  await edit(world, { restartAt: at(world, 7_200_000) })
  const before = (await pods(world)).map(({ metadata }) => metadata.uid)
  await world.pass(7_190_000)
  expect((await world.rollout('web')).status?.phase).toBe('Healthy')
  expect((await pods(world)).map(({ metadata }) => metadata.uid)).toEqual(before)
  await world.pass(11_000)
  expect((await world.rollout('web')).status?.message).toBe('rollout is restarting')
  await world.until('web', isRestarted)
})

test('a new version takes the place of a restart under way', async () => {
  await using world = await healthy(4)
  await world.apply(budget)
  await world.pass(5_000)
  await edit(world, { restartAt: at(world) })
  await world.pass(5_000)
  await world.setImage('web', 'web:v2')
  await world.pass(1_000)
  const { status, spec } = await world.rollout('web')
  expect(status?.restartedAt).toBe(spec.restartAt)
  expect(status?.message).not.toBe('rollout is restarting')
})

test('a restart of the only pod is done all the same, and its interruption told beforehand', async () => {
  await using world = await healthy(1)
  await edit(world, { restartAt: at(world) })
  await world.until('web', isRestarted)
  expect(await world.events('RestartInterrupts')).toMatchObject([
    { type: 'Warning', message: expect.stringContaining('spec.replicas to 2') },
  ])
})

test('a restart goes on through a pause and restarts the pods of both versions', async () => {
  await using world = await healthy(4, { steps: [{ setWeight: 50 }, { pause: {} }] })
  await world.setImage('web', 'web:v2')
  await world.until('web', (rollout) => rollout.status?.phase === 'Paused')
  await world.pass(60_000)
  const before = new Set((await pods(world)).map(({ metadata }) => metadata.uid))
  await edit(world, { restartAt: at(world) })
  await world.until('web', isRestarted)
  const after = await pods(world)
  expect(after.filter(({ metadata }) => before.has(metadata.uid))).toEqual([])
  expect((await world.rollout('web')).status?.phase).toBe('Paused')
  expect((await world.rollout('web')).status?.currentStepIndex).toBe(1)
})

test('evictions that may not be sent are told, and the restart begins when they may', async () => {
  await using world = await healthy(2)
  const message = 'pods "web" is forbidden: cannot create resource "pods/eviction"'
  world.faults.api = (request) =>
    request.url.includes('/eviction') ? refusal({ code: 403, reason: 'Forbidden', message }) : null
  await edit(world, { restartAt: at(world) })
  await world.pass(120_000)
  const told = await world.events('ReconciliationError')
  expect(told.length).toBeGreaterThan(0)
  expect(told[0]?.message).toContain(message)
  expect((await world.rollout('web')).status?.restartedAt).toBeUndefined()
  world.faults.api = () => null
  await world.until('web', isRestarted)
})

test('a pod that went by itself between two looks disturbs no restart', async () => {
  await using world = await healthy(4)
  let isFirst = true
  world.faults.api = (request) => {
    if (!request.url.includes('/eviction') || !isFirst) return null
    isFirst = false
    return refusal({ code: 404, reason: 'NotFound', message: 'pods "web" not found' })
  }
  await edit(world, { restartAt: at(world) })
  await world.pass(600_000)
  expect(isFirst).toBe(false)
  expect(world.errors).toEqual([])
})

test('a Rollout without a restart and without metadata costs no list of pods', async () => {
  await using world = await virtualCluster()
  const urls: string[] = []
  world.faults.api = (request) => {
    urls.push(new URL(request.url).pathname)
    return null
  }
  await world.apply(app(2))
  await world.until('web', isHealthy)
  await world.setImage('web', 'web:v2')
  await world.pass(60_000)
  expect(urls.filter((path) => path.endsWith('/pods'))).toEqual([])
  await edit(world, { restartAt: at(world) })
  await world.until('web', isRestarted)
  // One list and the watch that follows it.
  expect(urls.filter((path) => path.endsWith('/pods'))).toHaveLength(2)
})
