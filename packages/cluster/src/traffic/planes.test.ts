import type { KubeObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { myApp, TrafficWorld } from './test-world.ts'

function definition(kind: string, plural: string, group: string, version: string): KubeObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: { group, names: { kind, plural }, versions: [{ name: version, served: true }] },
  } as KubeObject
}

const definitions = [
  definition('VirtualService', 'virtualservices', 'networking.istio.io', 'v1'),
  definition('DestinationRule', 'destinationrules', 'networking.istio.io', 'v1'),
  definition('HTTPRoute', 'httproutes', 'gateway.networking.k8s.io', 'v1'),
  definition('GRPCRoute', 'grpcroutes', 'gateway.networking.k8s.io', 'v1'),
  definition('IngressRoute', 'ingressroutes', 'traefik.io', 'v1alpha1'),
  definition('TraefikService', 'traefikservices', 'traefik.io', 'v1alpha1'),
]

function object(kind: string, name: string, spec: object, annotations = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace: 'default', annotations },
    spec,
  } as KubeObject
}

const host = 'mesh.example.com'
const hash = 'rollouts-pod-template-hash'

/** Versions of the answers to so many requests, from outside or to a Service. */
async function answered(
  world: TrafficWorld,
  count: number,
  asked: {
    readonly path?: string
    readonly headers?: Record<string, string>
    readonly service?: string
  } = {},
): Promise<Record<string, number>> {
  const { path = '/', headers = {}, service } = asked
  const by: Record<string, number> = {}
  for (let n = 0; n < count; n++) {
    const answer = service
      ? world.traffic.handleService('default', service, new Request(`http://x${path}`, { headers }))
      : await world.get(path, { ...headers, host })
    const version = answer.headers.get('x-version') ?? String(answer.status)
    by[version] = (by[version] ?? 0) + 1
  }
  return by
}

function share(by: Record<string, number>): number {
  return (by['c1'] ?? 0) / Object.values(by).reduce((sum, count) => sum + count, 0)
}

async function worldWith(...objects: readonly KubeObject[]): Promise<TrafficWorld> {
  const world = new TrafficWorld()
  await world.put(...definitions, ...myApp(), ...objects)
  return world
}

const destination = (service: string, weight: number) => ({
  destination: { host: service },
  weight,
})
const halves = [destination('my-app-stable', 50), destination('my-app-canary.default.svc', 50)]

test('a VirtualService behind a gateway splits by weight, and its header route leads all to the canary', async () => {
  const http = [
    {
      match: [{ headers: { 'X-Canary': { exact: 'yes' } } }, { uri: { prefix: '/beta' } }],
      route: [{ destination: { host: 'my-app-canary' } }],
    },
    { route: halves },
  ]
  const spec = { hosts: [host], gateways: ['istio-system/public'], http }
  await using world = await worldWith(object('VirtualService', 'my-app', spec))
  expect(share(await answered(world, 1_000))).toBeCloseTo(0.5, 1)
  expect(await answered(world, 50, { headers: { 'x-canary': 'yes' } })).toEqual({ c1: 50 })
  expect(await answered(world, 50, { path: '/beta/x' })).toEqual({ c1: 50 })
  // It is not said to be for the mesh.
  expect(await answered(world, 50, { service: 'my-app-stable' })).toEqual({ s1: 50 })
})

test('a VirtualService of the mesh leads requests to its Service elsewhere, subsets by their labels', async () => {
  const subset = (name: string, weight: number) => ({
    destination: { host: 'my-app', subset: name },
    weight,
  })
  const rule = object('DestinationRule', 'my-app', {
    host: 'my-app',
    subsets: [
      { name: 'stable', labels: { [hash]: 's1' } },
      { name: 'canary', labels: { [hash]: 'c1' } },
    ],
  })
  const virtualService = (stable: number, canary: number) =>
    object('VirtualService', 'my-app', {
      hosts: ['my-app'],
      http: [{ route: [subset('stable', stable), subset('canary', canary)] }],
    })
  await using world = await worldWith(rule, virtualService(75, 25))
  expect(share(await answered(world, 1_000, { service: 'my-app' }))).toBeCloseTo(0.25, 1)
  await world.put(virtualService(0, 100))
  expect(await answered(world, 50, { service: 'my-app' })).toEqual({ c1: 50 })
  await world.remove(virtualService(0, 100))
  expect(share(await answered(world, 1_000, { service: 'my-app' }))).toBeCloseTo(1 / 3, 1)
})

test('a mirror gives the canary copies, which change no answer and are never lost', async () => {
  const http = [
    {
      route: [{ destination: { host: 'my-app-stable' } }],
      mirror: { host: 'my-app-canary' },
      mirrorPercentage: { value: 50 },
    },
  ]
  const spec = { hosts: [host], gateways: ['public'], http }
  await using world = await worldWith(object('VirtualService', 'my-app', spec))
  expect(await answered(world, 1_000)).toEqual({ s1: 1_000 })
  expect(world.traffic.truth('c1').requests / 1_000).toBeCloseTo(0.5, 1)
  expect(world.traffic.truth('').lost).toBe(0)
})

test('generated load takes the way of a VirtualService', async () => {
  const spec = { hosts: [host], gateways: ['public'], http: [{ route: halves }] }
  const load = { 'sim.serinus.dev/requests-per-second': '100' }
  await using world = await worldWith(object('VirtualService', 'my-app', spec, load))
  await world.pass(60)
  const [canary, stable] = ['c1', 's1'].map((version) => world.traffic.truth(version).requests)
  expect((canary ?? 0) / ((canary ?? 0) + (stable ?? 0))).toBeCloseTo(0.5, 1)
  const query = 'sum(istio_requests_total{destination_service_name="my-app"})'
  expect(world.query(query)).toBeGreaterThan(5_000)
})

const backends = (stable: number, canary: number) => [
  { name: 'my-app-stable', port: 80, weight: stable },
  { name: 'my-app-canary', port: 80, weight: canary },
]

test('an HTTPRoute splits by weight; the rule with more conditions and the longer path go first', async () => {
  const rules = [
    { matches: [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs: backends(90, 10) },
    {
      matches: [
        {
          path: { type: 'PathPrefix', value: '/' },
          headers: [{ type: 'RegularExpression', name: 'X-Canary', value: 'y.*' }],
        },
      ],
      backendRefs: [{ name: 'my-app-canary', port: 80 }],
    },
    {
      matches: [{ path: { type: 'PathPrefix', value: '/stable' } }],
      backendRefs: [{ name: 'my-app-stable', port: 80 }],
    },
  ]
  const spec = { parentRefs: [{ name: 'public' }], hostnames: [host], rules }
  await using world = await worldWith(object('HTTPRoute', 'my-app', spec))
  expect(share(await answered(world, 2_000))).toBeCloseTo(0.1, 1)
  expect(await answered(world, 50, { headers: { 'x-canary': 'yes' } })).toEqual({ c1: 50 })
  expect(await answered(world, 50, { path: '/stable/x' })).toEqual({ s1: 50 })
})

test('an HTTPRoute mirrors, and where no backend has a weight nobody answers', async () => {
  const filters = [
    { type: 'RequestMirror', requestMirror: { backendRef: { name: 'my-app-canary', port: 80 } } },
  ]
  const route = (backendRefs: object) =>
    object('HTTPRoute', 'my-app', { hostnames: [host], rules: [{ backendRefs, filters }] })
  await using world = await worldWith(route(backends(1, 0)))
  expect(await answered(world, 100)).toEqual({ s1: 100 })
  expect(world.traffic.truth('c1').requests).toBe(100)
  await world.put(route(backends(0, 0)))
  expect(await answered(world, 10)).toEqual({ '503': 10 })
})

test('a GRPCRoute knows calls by service and method', async () => {
  const rules = [
    {
      matches: [{ method: { service: 'shop.Orders', method: 'Get' } }],
      backendRefs: [{ name: 'my-app-canary', port: 80 }],
    },
    { backendRefs: [{ name: 'my-app-stable', port: 80 }] },
  ]
  await using world = await worldWith(object('GRPCRoute', 'my-app', { hostnames: [host], rules }))
  expect(await answered(world, 20, { path: '/shop.Orders/Get' })).toEqual({ c1: 20 })
  expect(await answered(world, 20, { path: '/shop.Orders/List' })).toEqual({ s1: 20 })
})

test('an IngressRoute leads to a weighted TraefikService', async () => {
  const match = `Host(\`${host}\`) && PathPrefix(\`/api\`)`
  const services = (stable: number, canary: number) =>
    object('TraefikService', 'split', {
      weighted: {
        services: [
          { name: 'my-app-stable', port: 80, weight: stable },
          { name: 'my-app-canary', port: 80, weight: canary },
        ],
      },
    })
  const route = object('IngressRoute', 'my-app', {
    routes: [{ match, kind: 'Rule', services: [{ name: 'split', kind: 'TraefikService' }] }],
  })
  await using world = await worldWith(route, services(80, 20))
  expect(share(await answered(world, 2_000, { path: '/api/x' }))).toBeCloseTo(0.2, 1)
  await world.put(services(0, 1))
  expect(await answered(world, 20, { path: '/api' })).toEqual({ c1: 20 })
  expect(await answered(world, 1, { path: '/other' })).toEqual({ '404': 1 })
})

test('a kind that is defined later is served from then on', async () => {
  const spec = { hosts: [host], gateways: ['public'], http: [{ route: halves }] }
  await using world = new TrafficWorld()
  await world.put(...myApp(), object('VirtualService', 'my-app', spec))
  expect(await answered(world, 1)).toEqual({ '404': 1 })
  await world.put(...definitions)
  expect(share(await answered(world, 1_000))).toBeCloseTo(0.5, 1)
  expect(world.errors).toEqual([])
})
