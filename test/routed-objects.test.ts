import { kinds } from '@serinus/api'
import { type KubeObject, type Resource, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { openDefinition, webKey, webRollout, webService } from './routed-web.ts'
import { type VirtualCluster, virtualCluster } from './virtual-cluster.ts'

const group = 'traefik.io'
const traefikServices: Resource = {
  group,
  version: 'v1alpha1',
  plural: 'traefikservices',
  kind: 'TraefikService',
  namespaced: true,
}

interface TraefikService extends KubeObject {
  readonly spec: {
    readonly weighted: { readonly services: readonly { readonly weight?: number }[] }
  }
}

const traefikService = {
  apiVersion: `${group}/v1alpha1`,
  kind: 'TraefikService',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    weighted: {
      services: [
        { name: 'web-stable', port: 80 },
        { name: 'web-canary', port: 80 },
      ],
    },
  },
} as KubeObject

const rollout = webRollout({
  stableService: 'web-stable',
  canaryService: 'web-canary',
  trafficRouting: { traefik: { weightedTraefikServiceName: 'web' } },
  steps: [{ setWeight: 25 }, { pause: {} }, { setWeight: 50 }, { pause: {} }],
})

async function weights(world: VirtualCluster): Promise<readonly unknown[]> {
  const { spec } = await world.client.get<TraefikService>(traefikServices, webKey)
  return spec.weighted.services.map(({ weight }) => weight)
}

/** In the middle of an update, a quarter of the requests with the canary. */
async function atFirstPause(): Promise<VirtualCluster> {
  const world = await virtualCluster()
  await world.apply(openDefinition(traefikServices))
  await world.pass(1_000)
  await world.apply(traefikService, webService('web-stable'), webService('web-canary'), rollout)
  await world.until('web', ({ status }) => status?.phase === 'Healthy')
  await world.setImage('web', 'web:v2')
  await world.until('web', ({ status }) => status?.phase === 'Paused')
  return world
}

test('a router of a custom kind follows the steps, and its object is not written while nothing changes', async () => {
  await using world = await atFirstPause()
  expect(await weights(world)).toEqual([75, 25])
  const before = await world.client.get(traefikServices, webKey)
  await world.pass(60_000)
  expect((await world.client.get(traefikServices, webKey)).metadata.resourceVersion).toBe(
    before.metadata.resourceVersion,
  )
  await world.promote('web')
  await world.until('web', ({ status }) => status?.currentStepIndex === 3)
  expect(await weights(world)).toEqual([50, 50])
  await world.promote('web')
  await world.until('web', ({ status }) => status?.phase === 'Healthy')
  expect(await weights(world)).toEqual([100, 0])
  expect(world.errors).toEqual([])
})

test('a weight that somebody changes by hand is put right at once', async () => {
  await using world = await atFirstPause()
  const services = [
    { name: 'web-stable', port: 80, weight: 0 },
    { name: 'web-canary', port: 80, weight: 100 },
  ]
  const body = { spec: { weighted: { services } } }
  await world.client.patch(traefikServices, webKey, { kind: 'merge', body })
  await world.pass(1_000)
  expect(await weights(world)).toEqual([75, 25])
})

test('a Rollout that is deleted in the middle of an update leaves all traffic with the stable version', async () => {
  await using world = await atFirstPause()
  await world.client.delete(kinds.rollouts, webKey)
  await world.pass(2_000)
  expect(await weights(world)).toEqual([100, 0])
})

test('a kind that the cluster does not serve is named, and used as soon as it is there', async () => {
  await using world = await virtualCluster()
  await world.apply(webService('web-stable'), webService('web-canary'), rollout)
  await world.until('web', ({ status }) => status?.stableRS !== undefined)
  await world.pass(30_000)
  const events = await world.events('TrafficRoutingError')
  expect(events.map(({ message }) => message)).toEqual([
    'the cluster serves no traefikservices.traefik.io',
  ])
  await world.apply(openDefinition(traefikServices))
  await world.pass(1_000)
  await world.apply(traefikService)
  await world.pass(60_000)
  expect(await weights(world)).toEqual([100, 0])
  await world.setImage('web', 'web:v2')
  await world.until('web', ({ status }) => status?.phase === 'Paused')
  expect(await weights(world)).toEqual([75, 25])
})

test('an object that is missing is named, and no step passes until it is there', async () => {
  await using world = await atFirstPause()
  await world.client.delete(traefikServices, webKey)
  await world.pass(1_000)
  await world.promote('web')
  await world.pass(60_000)
  const stuck = await world.rollout('web')
  expect(stuck.status?.currentStepIndex).toBe(2)
  const events = await world.events('TrafficRoutingError')
  expect(events.map(({ message }) => message)).toEqual([
    'traefikservices.traefik.io "web" not found',
  ])
  await world.apply(traefikService)
  await world.until('web', ({ status }) => status?.currentStepIndex === 3)
  expect(await weights(world)).toEqual([50, 50])
})

test('one router that fails does not keep another one on its old weight', async () => {
  await using world = await atFirstPause()
  const ingress = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      rules: [
        {
          host: 'web.example.com',
          http: {
            paths: [
              {
                path: '/',
                pathType: 'Prefix',
                backend: { service: { name: 'web-stable', port: { number: 80 } } },
              },
            ],
          },
        },
      ],
    },
  } as KubeObject
  await world.apply(ingress)
  const body = {
    spec: { strategy: { canary: { trafficRouting: { nginx: { stableIngress: 'web' } } } } },
  }
  await world.client.patch(kinds.rollouts, webKey, { kind: 'merge', body })
  await world.client.delete(traefikServices, webKey)
  await world.pass(5_000)
  const canary = await world.client.get(resources.ingresses, {
    namespace: 'default',
    name: 'web-web-canary',
  })
  expect(canary.metadata.annotations).toMatchObject({
    'nginx.ingress.kubernetes.io/canary-weight': '25',
  })
})
