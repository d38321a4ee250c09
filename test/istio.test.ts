import { hashLabel, kinds } from '@serinus/api'
import type { KubeObject, Resource } from '@serinus/kube'
import { expect, test } from 'vitest'
import { openDefinition, webKey, webRollout, webService } from './routed-web.ts'
import { type VirtualCluster, virtualCluster } from './virtual-cluster.ts'

const group = 'networking.istio.io'
const common = { group, version: 'v1', namespaced: true }
const virtualServices: Resource = { ...common, plural: 'virtualservices', kind: 'VirtualService' }
const destinationRules: Resource = {
  ...common,
  plural: 'destinationrules',
  kind: 'DestinationRule',
}

interface Destination {
  readonly destination: { readonly host: string; readonly subset?: string }
  readonly weight?: number
}

interface VirtualService extends KubeObject {
  readonly spec: { readonly http: readonly { readonly route: readonly Destination[] }[] }
}

interface DestinationRule extends KubeObject {
  readonly spec: { readonly subsets: readonly { readonly labels: Record<string, string> }[] }
}

const destination = (host: string, weight: number, subset?: string): Destination => ({
  destination: { host, ...(subset ? { subset } : {}) },
  weight,
})

const virtualService = (...route: readonly Destination[]) =>
  ({
    apiVersion: `${group}/v1`,
    kind: 'VirtualService',
    metadata: webKey,
    spec: { hosts: ['web'], http: [{ route }] },
  }) as KubeObject

const destinationRule = {
  apiVersion: `${group}/v1`,
  kind: 'DestinationRule',
  metadata: webKey,
  spec: {
    host: 'web',
    subsets: [
      { name: 'stable', labels: { app: 'web' } },
      { name: 'canary', labels: { app: 'web' } },
    ],
  },
} as KubeObject

const bySubset = {
  trafficRouting: {
    istio: {
      virtualService: { name: 'web' },
      destinationRule: { name: 'web', stableSubsetName: 'stable', canarySubsetName: 'canary' },
    },
  },
  steps: [{ setWeight: 25 }, { pause: {} }],
}

async function paused(canary: object, ...objects: readonly KubeObject[]): Promise<VirtualCluster> {
  const world = await virtualCluster()
  await world.apply(openDefinition(virtualServices), openDefinition(destinationRules))
  await world.pass(1_000)
  await world.apply(
    webService('web-stable'),
    webService('web-canary'),
    ...objects,
    webRollout(canary),
  )
  await world.until('web', ({ status }) => status?.phase === 'Healthy')
  await world.setImage('web', 'web:v2')
  await world.until('web', ({ status }) => status?.phase === 'Paused')
  return world
}

const pausedBySubset = () =>
  paused(
    bySubset,
    virtualService(destination('web', 100, 'stable'), destination('web', 0, 'canary')),
    destinationRule,
  )

async function split(world: VirtualCluster): Promise<readonly unknown[]> {
  const { spec } = await world.client.get<VirtualService>(virtualServices, webKey)
  return (spec.http[0]?.route ?? []).map(({ weight = 0 }) => weight)
}

async function subsets(world: VirtualCluster): Promise<readonly unknown[]> {
  const { spec } = await world.client.get<DestinationRule>(destinationRules, webKey)
  return spec.subsets.map(({ labels }) => labels[hashLabel])
}

test('a VirtualService that is broken in the middle of an update does not keep an abort from being decided', async () => {
  await using world = await pausedBySubset()
  expect(await split(world)).toEqual([75, 25])
  const http = [{ route: [destination('web', 75, 'stable')] }]
  const body = { spec: { http } }
  await world.client.patch(virtualServices, webKey, { kind: 'merge', body })
  await world.client.patch(
    kinds.rollouts,
    webKey,
    { kind: 'merge', body: { status: { abort: true } } },
    { subresource: 'status' },
  )
  await world.pass(5_000)
  expect((await world.rollout('web')).status).toMatchObject({ abort: true, phase: 'Degraded' })
  expect((await world.events('TrafficRoutingError')).map(({ message }) => message)).toEqual([
    "VirtualService `web`: Canary DestinationRule subset 'canary' not found in route",
  ])
  const mended = [{ route: [destination('web', 75, 'stable'), destination('web', 25, 'canary')] }]
  await world.client.patch(virtualServices, webKey, {
    kind: 'merge',
    body: { spec: { http: mended } },
  })
  await world.pass(60_000)
  expect(await split(world)).toEqual([100, 0])
})

test('a VirtualService that is wrong before an update keeps the update from starting, and says where', async () => {
  await using world = await virtualCluster()
  await world.apply(openDefinition(virtualServices), openDefinition(destinationRules))
  await world.pass(1_000)
  await world.apply(
    virtualService(destination('web', 100, 'stable')),
    destinationRule,
    webRollout(bySubset),
  )
  const { status } = await world.until(
    'web',
    (one) => one.status?.conditions?.some(({ type }) => type === 'InvalidSpec') ?? false,
  )
  expect(status?.conditions?.find(({ type }) => type === 'InvalidSpec')?.message).toContain(
    `spec.strategy.canary.trafficRouting.istio.virtualService.name: Invalid value: "web": Istio VirtualService has invalid HTTP routes. Error: Canary DestinationRule subset 'canary' not found in route`,
  )
})

test('subsets lose their hashes when the Rollout no longer names the rule', async () => {
  await using world = await pausedBySubset()
  await world.promote('web')
  const { status } = await world.until('web', (one) => one.status?.phase === 'Healthy')
  await world.pass(60_000)
  expect(await subsets(world)).toEqual([status?.stableRS, status?.stableRS])
  const body = { spec: { strategy: { canary: { trafficRouting: null } } } }
  await world.client.patch(kinds.rollouts, webKey, { kind: 'merge', body })
  await world.pass(5_000)
  expect(await subsets(world)).toEqual([undefined, undefined])
  const rule = await world.client.get(destinationRules, webKey)
  expect(rule.metadata.annotations ?? {}).toEqual({})
  expect(world.errors).toEqual([])
})

test('a Rollout that is deleted in the middle of an update leaves weights with stable and subsets as they were', async () => {
  await using world = await pausedBySubset()
  await world.client.delete(kinds.rollouts, webKey)
  await world.pass(5_000)
  expect(await split(world)).toEqual([100, 0])
  expect(await subsets(world)).toEqual([undefined, undefined])
})

test('an experiment gets its share beside stable and canary, and gives it back', async () => {
  const canary = {
    stableService: 'web-stable',
    canaryService: 'web-canary',
    trafficRouting: { istio: { virtualService: { name: 'web' } } },
    steps: [
      { setWeight: 10 },
      {
        experiment: {
          duration: '5m',
          templates: [{ name: 'experiment-istio', specRef: 'canary', weight: 20 }],
        },
      },
      { pause: {} },
    ],
  }
  await using world = await virtualCluster()
  await world.apply(openDefinition(virtualServices), openDefinition(destinationRules))
  await world.pass(1_000)
  const objects = virtualService(destination('web-stable', 100), destination('web-canary', 0))
  await world.apply(webService('web-stable'), webService('web-canary'), objects, webRollout(canary))
  await world.until('web', ({ status }) => status?.phase === 'Healthy')
  await world.setImage('web', 'web:v2')
  await world.until('web', ({ status }) => (status?.canary?.weights?.additional ?? []).length > 0)
  expect(await split(world)).toEqual([70, 10, 20])
  await world.until('web', ({ status }) => status?.phase === 'Paused')
  await world.pass(10_000)
  expect(await split(world)).toEqual([90, 10])
  expect(world.errors).toEqual([])
})

test('two Services that swap roles: the new stable one keeps all traffic at the end', async () => {
  const canary = {
    pingPong: { pingService: 'web-ping', pongService: 'web-pong' },
    trafficRouting: { istio: { virtualService: { name: 'web' } } },
    steps: [{ setWeight: 25 }, { pause: {} }],
  }
  await using world = await paused(
    canary,
    webService('web-ping'),
    webService('web-pong'),
    virtualService(destination('web-ping', 100), destination('web-pong', 0)),
  )
  expect(await split(world)).toEqual([75, 25])
  await world.promote('web')
  const { status } = await world.until('web', (one) => one.status?.phase === 'Healthy')
  expect(status?.canary?.stablePingPong).toBe('pong')
  await world.pass(60_000)
  expect(await split(world)).toEqual([0, 100])
  expect(world.errors).toEqual([])
})
