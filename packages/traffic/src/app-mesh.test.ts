import type { DesiredRoutes } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { appMesh } from './app-mesh.ts'
import { routerContract } from './router-contract.ts'
import { objectsOf, type RoutedKind, type RoutingObjects } from './routing-objects.ts'
import { applied, factsOf, mapObjects, routesOf, served, written } from './test-objects.ts'

const group = 'appmesh.k8s.aws'
const versions = ['v1beta2']
const services: RoutedKind = { group, kind: 'VirtualService', plural: 'virtualservices', versions }
const routers: RoutedKind = { group, kind: 'VirtualRouter', plural: 'virtualrouters', versions }
const nodes: RoutedKind = { group, kind: 'VirtualNode', plural: 'virtualnodes', versions }
const hashLabel = 'rollouts-pod-template-hash'
const managedBy = 'argo-rollouts.argoproj.io/managed-by-rollouts'

const router = appMesh({})
const config = {
  virtualService: { name: 'web' },
  virtualNodeGroup: {
    canaryVirtualNodeRef: { name: 'canary' },
    stableVirtualNodeRef: { name: 'stable' },
  },
}

interface VirtualRouter extends KubeObject {
  readonly spec: { readonly routes: readonly unknown[] }
}

interface VirtualNode extends KubeObject {
  readonly spec: { readonly podSelector: { readonly matchLabels: Record<string, string> } }
}

function object(kind: RoutedKind, name: string, spec: object): KubeObject {
  const metadata = { name, namespace: 'demo' }
  return { apiVersion: `${group}/v1beta2`, kind: kind.kind, metadata, spec } as KubeObject
}

const virtualService = (virtualRouterRef: object | null = { name: 'router' }) =>
  object(services, 'web', {
    provider: virtualRouterRef ? { virtualRouter: { virtualRouterRef } } : {},
  })
const targets = (canary = 0, stable = 100) => [
  { virtualNodeRef: { name: 'canary' }, weight: canary },
  { virtualNodeRef: { name: 'stable' }, weight: stable },
]
const route = (name: string, weightedTargets: object[] = targets(), protocol = 'httpRoute') => ({
  name,
  priority: 7,
  [protocol]: { match: { prefix: '/' }, action: { weightedTargets } },
})
const virtualRouter = (...routes: object[]) =>
  object(routers, 'router', { listeners: [{ portMapping: { port: 80 } }], routes })
const node = (name: string, matchLabels: object) =>
  object(nodes, name, { podSelector: { matchLabels }, listeners: [] })
const bothNodes = [
  node('canary', { app: 'web', [hashLabel]: 'canary-tbd' }),
  node('stable', { app: 'web', [hashLabel]: 'stable-tbd' }),
]

function mesh({
  service = virtualService(),
  router = virtualRouter(route('primary')),
}: {
  readonly service?: KubeObject
  readonly router?: KubeObject
} = {}): RoutingObjects {
  return served([services, [service]], [routers, [router]], [nodes, bothNodes])
}

const objects = mesh()
const pass = (before: RoutingObjects, routes: DesiredRoutes, one: object = config) =>
  applied(before, router.plan(one, factsOf(before), routes))
const weightOf = (weight: number, routes: Partial<DesiredRoutes> = {}) =>
  routesOf({ weight, max: 100 }, routes)
const hashes = (after: RoutingObjects) =>
  objectsOf<VirtualNode>(after, nodes).map(({ spec }) => spec.podSelector.matchLabels[hashLabel])
const routesIn = (after: RoutingObjects) => objectsOf<VirtualRouter>(after, routers)[0]?.spec.routes

routerContract({
  router,
  config,
  objects,
  missing: {
    name: 'router',
    objects: served([services, [virtualService()]], [routers, []], [nodes, bothNodes]),
  },
})

test('weights and selectors are set, and nothing else changes', () => {
  const after = pass(objects, weightOf(25))
  expect(objectsOf(after, routers)).toEqual([virtualRouter(route('primary', targets(25, 75)))])
  const marked = (one: KubeObject) => ({
    ...one,
    metadata: { ...one.metadata, annotations: { [managedBy]: 'app' } },
  })
  expect(objectsOf(after, nodes)).toEqual([
    marked(node('canary', { app: 'web', [hashLabel]: 'c1' })),
    marked(node('stable', { app: 'web', [hashLabel]: 's1' })),
  ])
  expect(objectsOf(after, services)).toEqual([virtualService()])
})

test.each(['httpRoute', 'tcpRoute', 'http2Route', 'grpcRoute'])('a %s is weighted', (protocol) => {
  const one = mesh({ router: virtualRouter(route('primary', targets(), protocol)) })
  expect(routesIn(pass(one, weightOf(25)))).toEqual([route('primary', targets(25, 75), protocol)])
})

test('only named routes are weighted; without names all are', () => {
  const two = mesh({ router: virtualRouter(route('a'), route('b')) })
  const named = { ...config, virtualService: { name: 'web', routes: ['b'] } }
  expect(routesIn(pass(two, weightOf(25), named))).toEqual([
    route('a'),
    route('b', targets(25, 75)),
  ])
  expect(routesIn(pass(two, weightOf(25)))).toEqual([
    route('a', targets(25, 75)),
    route('b', targets(25, 75)),
  ])
})

test('routes that disagree say no share', () => {
  const two = mesh({ router: virtualRouter(route('a', targets(25, 75)), route('b')) })
  const named = { ...config, virtualService: { name: 'web', routes: ['a'] } }
  expect(router.observe(config, factsOf(two)).weight).toBeNull()
  expect(router.observe(named, factsOf(two)).weight).toBe(25)
})

test.each([
  [
    'no VirtualService',
    { service: object(services, 'other', {}) },
    'Virtual-service is missing: virtualservices.appmesh.k8s.aws "web" not found',
  ],
  [
    'a VirtualService without a VirtualRouter',
    { service: virtualService(null) },
    'VirtualService "web": Virtual-service is not associated with virtual-router',
  ],
  [
    'a VirtualRouter in another namespace',
    { service: virtualService({ name: 'router', namespace: 'other' }) },
    'VirtualService "web": VirtualRouter "router" is in namespace other; it must be in that of the Rollout, demo',
  ],
  [
    'no VirtualRouter',
    { service: virtualService({ name: 'gone' }) },
    'Virtual-router is missing: virtualrouters.appmesh.k8s.aws "gone" not found',
  ],
  [
    'a VirtualRouter without routes',
    { router: virtualRouter() },
    'VirtualRouter "router": not well-formed: it has no routes',
  ],
  [
    'a route to other nodes',
    {
      router: virtualRouter(
        route('primary', [
          { virtualNodeRef: { name: 'canary', namespace: 'other' }, weight: 0 },
          { virtualNodeRef: { name: 'stable' }, weight: 100 },
        ]),
      ),
    },
    'VirtualRouter "router": route "primary" has no weighted target "canary"',
  ],
])('%s is told, and no selector changes before it is put right', (_, parts, detail) => {
  const broken = mesh(parts)
  expect(router.plan(config, factsOf(broken), weightOf(25))).toEqual([
    { ok: false, reason: 'TrafficRoutingError', detail },
  ])
  expect(router.observe(config, factsOf(broken)).weight).toBeNull()
})

test('a route that the Rollout names and the VirtualRouter lacks is told', () => {
  const named = { ...config, virtualService: { name: 'web', routes: ['gone'] } }
  expect(router.plan(named, factsOf(objects), weightOf(25))).toMatchObject([
    { ok: false, detail: 'VirtualRouter "router": route "gone" was not found' },
  ])
})

test('a VirtualNode that is missing is told, and the weights are written', () => {
  const one = served(
    [services, [virtualService()]],
    [routers, [virtualRouter(route('primary'))]],
    [nodes, bothNodes.slice(0, 1)],
  )
  const detail = 'Virtual-node is missing: virtualnodes.appmesh.k8s.aws "stable" not found'
  expect(router.plan(config, factsOf(one), weightOf(25))).toMatchObject([
    { ok: true, writes: [{ id: 'virtualrouters/router' }] },
    { ok: true, writes: [{ id: 'virtualnodes/canary' }] },
    { ok: false, detail },
  ])
})

test('a block without its parts, and a route with other than two targets, are refused before an update starts', () => {
  const path = 'spec.strategy.canary.trafficRouting.appMesh'
  expect(router.check?.({}, factsOf(objects))).toEqual([
    {
      path: `${path}.virtualService`,
      kind: 'Required value',
      detail: 'must provide virtual-service',
    },
    {
      path: `${path}.virtualNodeGroup`,
      kind: 'Required value',
      detail: 'must provide virtual-node-group',
    },
  ])
  const three = [...targets(), { virtualNodeRef: { name: 'third' }, weight: 0 }]
  const one = mesh({ router: virtualRouter(route('a'), route('b', three)) })
  expect(router.check?.(config, factsOf(one))).toEqual([
    {
      path: `${path}.virtualService`,
      kind: 'Invalid value',
      value: 'web',
      detail:
        'Invalid number of weightedTargets (3) for AppMesh virtual-router router and route b, expected 2',
    },
  ])
  const named = { ...config, virtualService: { name: 'web', routes: ['a'] } }
  expect(router.check?.(named, factsOf(one))).toEqual([])
})

test('the two nodes never select the same pods', () => {
  const first = pass(
    objects,
    weightOf(0, { stable: { service: 'app-stable', hash: '', available: true } }),
  )
  expect(hashes(first)).toEqual(['c1', 'stable-hash'])
  const s1 = { service: 'app', hash: 's1', available: true }
  const settled = pass(objects, weightOf(0, { canary: s1 }))
  expect(hashes(settled)).toEqual(['canary-hash', 's1'])
})

test('a node gets other pods only after the weight that led to it is seen to be gone', () => {
  const halfway = pass(objects, weightOf(50))
  const superseded = weightOf(0, { canary: { service: 'app-canary', hash: 'c2', available: true } })
  const without = pass(halfway, superseded)
  expect(router.observe(config, factsOf(without)).weight).toBe(0)
  expect(hashes(without)).toEqual(['c1', 's1'])
  expect(hashes(pass(without, superseded))).toEqual(['c2', 's1'])
})

test('after a promotion the canary node keeps its pods until stable has the requests', () => {
  const full = pass(objects, weightOf(100))
  const stable = { service: 'app-stable', hash: 'c1', available: true }
  const promoted = pass(full, weightOf(100, { stable }))
  expect(hashes(promoted)).toEqual(['c1', 's1'])
  const back = pass(promoted, weightOf(0, { stable }))
  expect(hashes(back)).toEqual(['c1', 's1'])
  const plans = router.plan(config, factsOf(back), weightOf(0, { stable }))
  expect(plans.flatMap((plan) => (plan.ok ? plan.writes.map(({ id }) => id) : []))).toEqual([
    'virtualnodes/canary',
    'virtualnodes/stable',
  ])
  expect(hashes(applied(back, plans))).toEqual(['canary-hash', 'c1'])
})

test('once the Rollout is gone, the nodes select as they would without one', () => {
  const halfway = pass(objects, weightOf(50))
  const left = written(halfway, router.release(config, factsOf(halfway)))
  expect(routesIn(left)).toEqual([route('primary', targets(0, 100))])
  expect(objectsOf<VirtualNode>(left, nodes)).toMatchObject([
    { metadata: { annotations: {} }, spec: { podSelector: { matchLabels: { app: 'web' } } } },
    { metadata: { annotations: {} }, spec: { podSelector: { matchLabels: { app: 'web' } } } },
  ])
  expect(hashes(left)).toEqual(['canary-hash', undefined])
  expect(JSON.stringify(objectsOf(left, nodes))).not.toContain(managedBy)
})

test('marks leave the nodes with the block, but not those of another Rollout', () => {
  const stable = { service: 'app-stable', hash: 'c1', available: true }
  const settled = pass(objects, weightOf(0, { stable }))
  const left = written(settled, router.removals(null, factsOf(settled)))
  expect(hashes(left)).toEqual(['canary-hash', undefined])
  expect(JSON.stringify(objectsOf(left, nodes))).not.toContain(managedBy)
  const foreign = mapObjects(settled, (one) => ({
    ...one,
    metadata: { ...one.metadata, annotations: { [managedBy]: 'other' } },
  }))
  expect(router.removals(null, factsOf(foreign))).toEqual([])
  expect(router.removals(config, factsOf(settled))).toEqual([])
})

test('a selector is never left empty, which would mean every pod of the namespace', () => {
  const bare = served(
    [services, [virtualService()]],
    [routers, [virtualRouter(route('primary'))]],
    [nodes, [node('canary', {}), object(nodes, 'stable', {})]],
  )
  const halfway = pass(bare, weightOf(50))
  expect(hashes(halfway)).toEqual(['c1', 's1'])
  expect(hashes(written(halfway, router.release(config, factsOf(halfway))))).toEqual([
    'canary-hash',
    'stable-hash',
  ])
})

test('a share that is no whole percent is told rather than rounded', () => {
  const [plan] = router.plan(config, factsOf(objects), routesOf({ weight: 15, max: 1000 }))
  expect(plan).toMatchObject({
    ok: false,
    detail:
      'VirtualRouter "router": weight 15 of 1000 is no whole percent, and App Mesh knows no other',
  })
})

test('a version that was asked for is the one that is looked for', () => {
  const watched = appMesh({ appMeshVersion: 'v1beta3' }).watches(config, factsOf(objects))
  expect(watched.map(({ kind }) => kind.versions)).toEqual([['v1beta3'], ['v1beta3'], ['v1beta3']])
})

test('whatever updates follow one another, weights are 100 together and no two nodes select the same pods, write by write', () => {
  const step = fc.record({
    weight: fc.integer({ min: 0, max: 100 }),
    canary: fc.constantFrom('', 'r1', 'r2', 'r3'),
    stable: fc.constantFrom('', 'r1', 'r2', 'r3'),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
      let now = objects
      for (const { weight, canary, stable } of steps) {
        const routes = weightOf(weight, {
          canary: { service: 'app-canary', hash: canary, available: true },
          stable: { service: 'app-stable', hash: stable, available: true },
        })
        for (const _ of [1, 2, 3]) {
          for (const plan of router.plan(config, factsOf(now), routes)) {
            now = applied(now, [plan])
            const [one, other] = hashes(now)
            expect(one).not.toBe(other)
          }
        }
        const settled = router.plan(config, factsOf(now), routes)
        expect(settled).toEqual(settled.map(() => ({ ok: true, writes: [], transitions: [] })))
        expect(routesIn(now)).toEqual([route('primary', targets(weight, 100 - weight))])
      }
    }),
    { numRuns: 60 },
  )
})
