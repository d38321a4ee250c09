import { annotationKeys, hashLabel, kinds } from '@serinus/api'
import type { ReplicaSet } from '@serinus/engine'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import {
  refusal,
  type StoredRollout,
  type VirtualCluster,
  virtualCluster,
} from './virtual-cluster.ts'

const roles = {
  canaryMetadata: { labels: { role: 'canary' }, annotations: { watched: 'yes' } },
  stableMetadata: { labels: { role: 'stable' } },
}
const gate = { steps: [{ setWeight: 50 }, { pause: {} }] }

function app(canary: object): KubeObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'app', image: 'web:v1' }] },
      },
      strategy: { canary: { ...gate, ...canary } },
    },
  } as KubeObject
}

const isHealthy = (rollout: StoredRollout) => rollout.status?.phase === 'Healthy'
const isPaused = (rollout: StoredRollout) => rollout.status?.phase === 'Paused'

async function running(canary: object): Promise<VirtualCluster> {
  const world = await virtualCluster()
  await world.apply(app(canary))
  await world.until('web', isHealthy)
  return world
}

interface StoredPod extends KubeObject {
  readonly spec: { readonly containers: readonly { readonly image: string }[] }
}

/** `web:v2 canary yes 2`: pods by image, role, annotation; how many. */
async function pods(world: VirtualCluster): Promise<string[]> {
  const { items } = await world.client.list<StoredPod>(resources.pods, { labelSelector: 'app=web' })
  const counts = new Map<string, number>()
  for (const { metadata, spec } of items) {
    if (metadata.deletionTimestamp !== undefined) continue
    const { role = '-' } = metadata.labels ?? {}
    const { watched = '-' } = metadata.annotations ?? {}
    const text = `${spec.containers[0]?.image} ${role} ${watched}`
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  return [...counts].map(([text, count]) => `${text} ${count}`).sort()
}

async function uids(world: VirtualCluster): Promise<readonly string[]> {
  const { items } = await world.client.list(resources.pods, { labelSelector: 'app=web' })
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => metadata.uid ?? '')
    .sort()
}

async function setOf(world: VirtualCluster, image: string): Promise<ReplicaSet> {
  const { items } = await world.client.list<ReplicaSet>(resources.replicaSets)
  const found = items.find(({ spec }) => spec.template.spec?.containers?.[0]?.image === image)
  if (!found) throw new Error(`no ReplicaSet of ${image}`)
  return found
}

async function edit(world: VirtualCluster, strategy: object): Promise<void> {
  const key = { namespace: 'default', name: 'web' }
  const body = { spec: { strategy } }
  await world.client.patch(kinds.rollouts, key, { kind: 'merge', body })
  await world.clock.settle()
}

test('pods carry the metadata of their role, and get that of the new one at promotion without a restart [rollout-controller 54]', async () => {
  await using world = await running(roles)
  expect(await pods(world)).toEqual(['web:v1 stable - 4'])
  await world.setImage('web', 'web:v2')
  await world.until('web', isPaused)
  expect(await pods(world)).toEqual(['web:v1 stable - 2', 'web:v2 canary yes 2'])
  const canary = await setOf(world, 'web:v2')
  expect(canary.metadata.annotations?.[annotationKeys.ephemeralMetadata]).toBe(
    '{"labels":{"role":"canary"},"annotations":{"watched":"yes"}}',
  )
  await world.promote('web')
  await world.until('web', isHealthy)
  const before = await uids(world)
  await world.pass(10_000)
  expect(await pods(world)).toEqual(['web:v2 stable - 4'])
  expect(await uids(world)).toEqual(before)
  const stable = await setOf(world, 'web:v2')
  expect(stable.metadata.labels?.[hashLabel]).toBe(canary.metadata.labels?.[hashLabel])
  expect(stable.metadata.annotations?.[annotationKeys.ephemeralMetadata]).toBe(
    '{"labels":{"role":"stable"}}',
  )
  expect(stable.spec.template.metadata).toEqual({
    labels: { app: 'web', role: 'stable', [hashLabel]: stable.metadata.labels?.[hashLabel] },
  })
  expect((await world.rollout('web')).status?.currentPodHash).toBe(
    stable.metadata.labels?.[hashLabel],
  )
  expect(world.errors).toEqual([])
})

test('metadata that is no longer configured leaves the pods that run, without an update', async () => {
  await using world = await running(roles)
  await world.pass(60_000)
  const before = await uids(world)
  const { status } = await world.rollout('web')
  await edit(world, { canary: { stableMetadata: null, canaryMetadata: null } })
  await world.pass(10_000)
  expect(await pods(world)).toEqual(['web:v1 - - 4'])
  expect(await uids(world)).toEqual(before)
  const set = await setOf(world, 'web:v1')
  expect(set.metadata.annotations?.[annotationKeys.ephemeralMetadata]).toBeUndefined()
  expect(set.spec.template.metadata?.labels).toEqual({
    app: 'web',
    [hashLabel]: set.metadata.labels?.[hashLabel],
  })
  expect((await world.rollout('web')).status?.currentPodHash).toBe(status?.currentPodHash)
})

test('metadata that is configured later reaches the pods that run, without an update', async () => {
  await using world = await running({})
  await world.pass(60_000)
  const before = await uids(world)
  await edit(world, { canary: roles })
  await world.pass(10_000)
  expect(await pods(world)).toEqual(['web:v1 stable - 4'])
  expect(await uids(world)).toEqual(before)
})

test('an abort leaves stable with its own metadata and the canary with its', async () => {
  await using world = await running(roles)
  await world.setImage('web', 'web:v2')
  await world.until('web', isPaused)
  const key = { namespace: 'default', name: 'web' }
  const patch = { kind: 'merge', body: { status: { abort: true } } } as const
  await world.client.patch(kinds.rollouts, key, patch, { subresource: 'status' })
  await world.pass(60_000)
  expect(await pods(world)).toEqual(['web:v1 stable - 4'])
})

test('once all pods carry their metadata nothing is read or written any more', async () => {
  await using world = await running(roles)
  await world.pass(60_000)
  const asked: string[] = []
  world.faults.api = (request) => {
    const { pathname, searchParams } = new URL(request.url)
    if (!searchParams.has('watch') && !pathname.includes('/leases'))
      asked.push(`${request.method} ${pathname}`)
    return null
  }
  await world.pass(3_600_000)
  expect(asked).toEqual([])
})

test.each([
  ['conflicts', 409, 'Conflict'],
  ['are refused for a while', 403, 'Forbidden'],
  ['meet pods that are gone', 404, 'NotFound'],
])('changes of pods that %s are made in the end', async (_, code, reason) => {
  await using world = await running(roles)
  const met = new Set<string>()
  world.faults.api = (request) => {
    const { pathname } = new URL(request.url)
    if (
      request.method === 'GET' ||
      !pathname.includes('/pods/') ||
      met.has(request.method + pathname)
    ) {
      return null
    }
    met.add(request.method + pathname)
    return refusal({ code, reason, message: `${pathname} is refused` })
  }
  await world.setImage('web', 'web:v2')
  await world.until('web', isPaused)
  await world.promote('web')
  await world.until('web', isHealthy)
  await world.pass(60_000)
  expect(met.size).toBeGreaterThan(0)
  // A pod that was told to be gone is looked at again when it turns out to be there.
  expect(await pods(world)).toEqual(['web:v2 stable - 4'])
})

test('where pods may be updated but not patched, as the role of Argo Rollouts has it, they are updated', async () => {
  await using world = await running(roles)
  world.faults.api = (request) =>
    request.method === 'PATCH' && request.url.includes('/pods/')
      ? refusal({ code: 403, reason: 'Forbidden', message: 'cannot patch resource "pods"' })
      : null
  await world.setImage('web', 'web:v2')
  await world.until('web', isPaused)
  await world.promote('web')
  await world.until('web', isHealthy)
  await world.pass(10_000)
  expect(await pods(world)).toEqual(['web:v2 stable - 4'])
  expect(world.errors).toEqual([])
})

test('a ReplicaSet that Argo Rollouts put metadata into is no other version', async () => {
  await using world = await running(roles)
  world.stopController()
  const set = await setOf(world, 'web:v1')
  const key = { namespace: 'default', name: set.metadata.name }
  const other = { [hashLabel]: 'abc123' }
  await world.client.delete(resources.replicaSets, key)
  await world.pass(60_000)
  const { uid: _, resourceVersion: _r, creationTimestamp: _c, ...metadata } = set.metadata
  await world.client.create(resources.replicaSets, {
    ...set,
    metadata: { ...metadata, name: 'web-abc123', labels: { ...metadata.labels, ...other } },
    spec: {
      ...set.spec,
      selector: { matchLabels: { app: 'web', ...other } },
      template: {
        ...set.spec.template,
        metadata: {
          ...set.spec.template.metadata,
          labels: { ...set.spec.template.metadata?.labels, ...other },
        },
      },
    },
  } as ReplicaSet)
  const patch = { status: { currentPodHash: 'abc123', stableRS: 'abc123' } }
  const rollout = { namespace: 'default', name: 'web' }
  await world.client.patch(
    kinds.rollouts,
    rollout,
    { kind: 'merge', body: patch },
    { subresource: 'status' },
  )
  await world.pass(60_000)
  const before = await uids(world)
  await world.restartController()
  await world.pass(120_000)
  expect((await world.rollout('web')).status?.currentPodHash).toBe('abc123')
  expect(await uids(world)).toEqual(before)
  expect(await pods(world)).toEqual(['web:v1 stable - 4'])
})

interface Affinity {
  readonly podAntiAffinity?: Readonly<Record<string, readonly object[]>>
}

test('pods of a new version keep off the nodes of the stable one, and the rule names each stable version in turn', async () => {
  const antiAffinity = { preferredDuringSchedulingIgnoredDuringExecution: { weight: 100 } }
  await using world = await running({ antiAffinity })
  const terms = async (image: string) => {
    const affinity = (await setOf(world, image)).spec.template.spec?.affinity as
      | Affinity
      | undefined
    return affinity?.podAntiAffinity?.['preferredDuringSchedulingIgnoredDuringExecution']
  }
  const term = (set: ReplicaSet) => ({
    weight: 100,
    podAffinityTerm: {
      labelSelector: {
        matchExpressions: [
          { key: hashLabel, operator: 'In', values: [set.metadata.labels?.[hashLabel]] },
        ],
      },
      namespaces: ['default'],
      topologyKey: 'kubernetes.io/hostname',
    },
  })
  const v1 = await setOf(world, 'web:v1')
  expect(await terms('web:v1')).toBeUndefined()
  await world.setImage('web', 'web:v2')
  await world.pass(5_000)
  expect(await terms('web:v2')).toEqual([term(v1)])
  await world.until('web', isPaused)
  await world.promote('web')
  await world.until('web', isHealthy)
  await world.pass(60_000)
  const before = await uids(world)
  expect(await terms('web:v2')).toBeUndefined()
  await world.pass(600_000)
  expect(await uids(world)).toEqual(before)
  await world.setImage('web', 'web:v3')
  await world.pass(5_000)
  expect(await terms('web:v3')).toEqual([term(await setOf(world, 'web:v2'))])
})
