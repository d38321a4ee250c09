import type { DesiredRoutes, ManagedRoute } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RouterFacts } from '../router.ts'
import { routerContract } from '../router-contract.ts'
import { objectsOf, type RoutingObjects } from '../routing-objects.ts'
import { applied, factsOf, routesOf, served, written } from '../test-objects.ts'
import { istio } from './istio.ts'
import {
  type DestinationRule,
  type HttpRoute,
  istioKinds,
  type RouteDestination,
  type VirtualService,
} from './objects.ts'

const router = istio({})
const kinds = istioKinds({})
type Config = Parameters<typeof router.plan>[0]

/** A destination of a route: `app-stable` or, with a subset, `app`. */
function to(host: string, weight?: number, subset?: string): RouteDestination {
  return {
    destination: { host, ...(subset ? { subset } : {}) },
    ...(weight === undefined ? {} : { weight }),
  }
}

const byHost = [to('app-stable', 100), to('app-canary', 0)]
const bySubset = [to('app', 100, 'stable'), to('app', 0, 'canary')]

function virtualService(
  spec: object,
  metadata: { readonly name?: string; readonly namespace?: string } = {},
): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'web', namespace: 'demo', ...metadata },
    spec: { hosts: ['web'], ...spec },
  } as KubeObject
}

function destinationRule(subsets: readonly object[], annotations?: object): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'web', namespace: 'demo', ...(annotations ? { annotations } : {}) },
    spec: { host: 'app', trafficPolicy: { loadBalancer: { simple: 'RANDOM' } }, subsets },
  } as KubeObject
}

const cluster = (virtualServices: readonly KubeObject[], rules: readonly KubeObject[] = []) =>
  served([kinds.virtualServices, virtualServices], [kinds.destinationRules, rules])

const web = (...http: readonly HttpRoute[]) => cluster([virtualService({ http })])

const only: Config = { virtualService: { name: 'web' } }
const primary: Config = { virtualService: { name: 'web', routes: ['primary'] } }
const pair = { name: 'web', canarySubsetName: 'canary', stableSubsetName: 'stable' }
const subsets: Config = { virtualService: { name: 'web' }, destinationRule: pair }
const withSubsetsOfUser = (additionalSubsetNames: readonly string[]): Config => ({
  ...subsets,
  destinationRule: { ...pair, additionalSubsetNames },
})
const bare = [
  { name: 'canary', labels: { app: 'app' }, trafficPolicy: { tls: { mode: 'DISABLE' } } },
  { name: 'stable', labels: { app: 'app' } },
]

interface Given {
  readonly config?: Config
  readonly routes?: Partial<DesiredRoutes>
  readonly managed?: readonly string[]
}

function plan(objects: RoutingObjects, weight: number, given: Given = {}) {
  const routes = routesOf({ weight, max: 100 }, given.routes)
  return router.plan(given.config ?? only, facts(objects, given), routes)
}

function facts(objects: RoutingObjects, { managed = [] }: Given = {}): RouterFacts {
  return factsOf(objects, { managedRoutes: managed })
}

function after(objects: RoutingObjects, weight: number, given: Given = {}): RoutingObjects {
  return applied(objects, plan(objects, weight, given))
}

function http(objects: RoutingObjects): readonly HttpRoute[] {
  return objectsOf<VirtualService>(objects, kinds.virtualServices)[0]?.spec?.http ?? []
}

const weights = ({ route }: { readonly route?: readonly RouteDestination[] } = {}) =>
  (route ?? []).map(({ weight }) => weight ?? 0)

const rule = (objects: RoutingObjects) =>
  objectsOf<DestinationRule>(objects, kinds.destinationRules)[0]

const hash = (name: string) => ({ 'rollouts-pod-template-hash': name })
const mark = { 'argo-rollouts.argoproj.io/managed-by-rollouts': 'app' }

const failures = (plans: ReturnType<typeof plan>) =>
  plans.flatMap((one) => (one.ok ? [] : [one.detail]))
const messages = (plans: ReturnType<typeof plan>) =>
  plans.flatMap((one) => (one.ok ? one.transitions.map(({ message }) => message) : []))

const header = (name = 'h'): ManagedRoute => ({
  kind: 'header',
  name,
  match: [{ headerName: 'A', headerValue: { exact: 'x' } }],
})
const mirror = (): ManagedRoute & { kind: 'mirror' } => ({
  kind: 'mirror',
  name: 'm',
  match: [{ method: { exact: 'GET' }, path: { prefix: '/' } }],
  percentage: 35,
})

describe('by hosts', () => {
  routerContract({
    router,
    config: only,
    objects: web({ route: byHost }),
    missing: { name: 'web', objects: cluster([]) },
  })
})

describe('by subsets', () => {
  routerContract({
    router,
    config: subsets,
    objects: cluster([virtualService({ http: [{ route: bySubset }] })], [destinationRule(bare)]),
    missing: {
      name: 'DestinationRule `web` not found',
      objects: cluster([virtualService({ http: [{ route: [...bySubset].reverse() }] })]),
    },
  })
})

test('only the routes that the Rollout names change, and of them only the weights [traffic-routing 47]', () => {
  const extras = {
    retries: { attempts: 3 },
    corsPolicy: { allowOrigins: [{ exact: 'https://a.example' }] },
    headers: { response: { add: { x: 'y' } } },
  }
  const routes = [
    { name: 'other', ...extras, route: byHost },
    { name: 'primary', ...extras, route: byHost },
  ]
  expect(http(after(web(...routes), 20, { config: primary }))).toEqual([
    routes[0],
    { ...routes[1], route: [to('app-stable', 80), to('app-canary', 20)] },
  ])
})

test('a route without a name is weighted where it is the only one, and of two none can be meant [traffic-routing 48]', () => {
  expect(http(after(web({ route: byHost }), 20)).map(weights)).toEqual([[80, 20]])
  const mixed = web({ name: 'other', route: byHost }, { route: byHost })
  expect(http(after(mixed, 20)).map(weights)).toEqual([
    [100, 0],
    [80, 20],
  ])
  const two = web({ route: byHost }, { route: byHost })
  const detail =
    'spec.http[] should be set in VirtualService and it must have exactly one route when omitting spec.strategy.canary.trafficRouting.istio.virtualService.routes'
  expect(router.check?.(only, facts(two))).toEqual([
    {
      path: 'spec.strategy.canary.trafficRouting.istio.virtualService.name',
      kind: 'Invalid value',
      value: 'web',
      detail: `Istio VirtualService has invalid HTTP routes. Error: ${detail}`,
    },
  ])
  expect(failures(plan(two, 20))).toEqual([`VirtualService \`web\`: ${detail}`])
})

test('stable gets what the canary and subsets of the user leave [traffic-routing 49]', () => {
  const route = [...bySubset, to('app', 20, 'exp')]
  const config = withSubsetsOfUser(['exp'])
  const objects = cluster([virtualService({ http: [{ route }] })], [destinationRule(bare)])
  const plans = plan(objects, 10, { config })
  expect(messages(plans)).toEqual([
    "VirtualService `web` set to desiredWeight '10'",
    'DestinationRule web subset updated (canary: c1, stable: s1)',
  ])
  const split = applied(objects, plans)
  expect(http(split).map(weights)).toEqual([[70, 10, 20]])
  expect(router.observe(config, facts(split)).weight).toBe(10)
})

test('TLS routes are found by their port and by all of their hosts [traffic-routing 50]', () => {
  const tls = [{ match: [{ port: 443, sniHosts: ['a', 'b'] }], route: byHost }]
  const objects = cluster([virtualService({ tls })])
  const entry = (sniHosts: string[]): Config => ({
    virtualService: { name: 'web', tlsRoutes: [{ port: 443, sniHosts }] },
  })
  const split = after(objects, 20, { config: entry(['b', 'a']) })
  const [object] = objectsOf<VirtualService>(split, kinds.virtualServices)
  expect(weights(object?.spec?.tls?.[0])).toEqual([80, 20])
  expect(router.check?.(entry(['a']), facts(objects))).toMatchObject([
    {
      detail:
        'Istio VirtualService has invalid TLS routes. Error: No matching TLS routes found in the defined Virtual Service.',
    },
  ])
})

test('TCP routes are found by their port, and a route of another protocol is weighted although nobody names it', () => {
  const tcp = [
    { match: [{ port: 1 }], route: byHost },
    { match: [{ port: 2 }], route: byHost },
  ]
  const objects = cluster([virtualService({ tcp, http: [{ route: byHost }] })])
  const config: Config = { virtualService: { name: 'web', tcpRoutes: [{ port: 2 }] } }
  const [object] = objectsOf<VirtualService>(after(objects, 20, { config }), kinds.virtualServices)
  expect(object?.spec?.tcp?.map(weights)).toEqual([
    [100, 0],
    [80, 20],
  ])
  expect(object?.spec?.http?.map(weights)).toEqual([[80, 20]])
  const missing: Config = { virtualService: { name: 'web', tcpRoutes: [{ port: 3 }] } }
  expect(failures(plan(objects, 20, { config: missing }))).toEqual([
    'VirtualService `web`: No matching TCP routes found in the defined Virtual Service.',
  ])
})

test.each([
  ['web', 'demo', 'web'],
  ['vs.istio-ns', 'istio-ns', 'vs'],
  ['my.vs.istio-ns', 'istio-ns', 'my.vs'],
  ['vs.istio-ns.svc.cluster.local', 'istio-ns', 'vs'],
  ['vs.istio-ns.cluster.local', 'istio-ns', 'vs'],
])(
  'the VirtualService %s is found in namespace %s as %s [traffic-routing 51]',
  (text, namespace, name) => {
    const objects = cluster([
      virtualService({ http: [{ route: byHost }] }, { namespace, name }),
      virtualService({ http: [{ route: byHost }] }, { namespace: 'elsewhere', name }),
    ])
    const config = { virtualService: { name: text } }
    const [split, untouched] = objectsOf<VirtualService>(
      after(objects, 20, { config }),
      kinds.virtualServices,
    )
    expect(weights(split?.spec?.http?.[0])).toEqual([80, 20])
    expect(weights(untouched?.spec?.http?.[0])).toEqual([100, 0])
    expect(router.watches(config, facts(objects))).toContainEqual({
      kind: kinds.virtualServices,
      namespace,
      names: [name],
    })
  },
)

test('two VirtualServices of one name in two namespaces both follow', () => {
  const http = [{ route: byHost }]
  const objects = cluster([
    virtualService({ http }),
    virtualService({ http }, { namespace: 'other' }),
  ])
  const config = { virtualServices: [{ name: 'web' }, { name: 'web.other' }] }
  const plans = plan(objects, 20, { config })
  const ids = plans.flatMap((one) => (one.ok ? one.writes.map(({ id }) => id) : []))
  expect(ids).toEqual(['virtualservices/web', 'virtualservices/other/web'])
  const split = applied(objects, plans)
  expect(router.observe(config, facts(split)).weight).toBe(20)
  const [first] = objectsOf<VirtualService>(objects, kinds.virtualServices)
  const [, second] = objectsOf<VirtualService>(split, kinds.virtualServices)
  if (!first || !second) throw new Error('both are there')
  expect(router.observe(config, facts(cluster([first, second]))).weight).toBeNull()
})

test('two entries for one VirtualService are one write', () => {
  const objects = web({ name: 'a', route: byHost }, { name: 'b', route: byHost })
  const config = {
    virtualServices: [
      { name: 'web', routes: ['a'] },
      { name: 'web.demo', routes: ['b'] },
    ],
  }
  const plans = plan(objects, 20, { config })
  expect(plans).toHaveLength(1)
  expect(http(applied(objects, plans)).map(weights)).toEqual([
    [80, 20],
    [80, 20],
  ])
})

test('subsets get the hashes and the mark, policies stay, and a second pass writes nothing [traffic-routing 52]', () => {
  const objects = cluster(
    [virtualService({ http: [{ route: bySubset }] })],
    [destinationRule(bare)],
  )
  const switched = after(objects, 0, { config: subsets })
  expect(rule(switched)).toMatchObject({
    metadata: { annotations: mark },
    spec: {
      host: 'app',
      trafficPolicy: { loadBalancer: { simple: 'RANDOM' } },
      subsets: [
        {
          name: 'canary',
          labels: { app: 'app', ...hash('c1') },
          trafficPolicy: { tls: { mode: 'DISABLE' } },
        },
        { name: 'stable', labels: { app: 'app', ...hash('s1') } },
      ],
    },
  })
  expect(router.observe(subsets, facts(switched)).hashes).toEqual({ stable: 's1', canary: 'c1' })
  for (const one of plan(switched, 0, { config: subsets })) {
    expect(one).toEqual({ ok: true, writes: [], transitions: [] })
  }
})

test('subsets of others in the rule survive [traffic-routing 53]', () => {
  const legacy = { name: 'legacy', labels: { version: 'v0' } }
  const objects = cluster(
    [virtualService({ http: [{ route: bySubset }] })],
    [destinationRule([...bare, legacy])],
  )
  for (const config of [withSubsetsOfUser(['legacy']), subsets]) {
    expect(rule(after(objects, 0, { config }))?.spec?.subsets?.[2]).toEqual(legacy)
  }
})

test('a header route precedes the weighted one with an entry for each header, and leaves with the update [traffic-routing 54]', () => {
  const port = { port: { number: 8443 } }
  const route = [
    { destination: { host: 'app-stable', ...port }, weight: 100 },
    { destination: { host: 'app-canary' }, weight: 0 },
  ]
  const objects = web({ name: 'primary', retries: { attempts: 3 }, route } as HttpRoute)
  const wanted: ManagedRoute = {
    kind: 'header',
    name: 'h',
    match: [
      { headerName: 'A', headerValue: { exact: 'x' } },
      { headerName: 'B', headerValue: { prefix: 'y' } },
    ],
  }
  const given = { managed: ['h'], routes: { managedRoutes: [wanted] } }
  const plans = plan(objects, 0, given)
  expect(messages(plans)).toEqual(["VirtualService `web` set headerRoute 'h'"])
  const set = applied(objects, plans)
  expect(http(set)).toEqual([
    {
      name: 'h',
      match: [{ headers: { A: { exact: 'x' } } }, { headers: { B: { prefix: 'y' } } }],
      retries: { attempts: 3 },
      route: [{ destination: { host: 'app-canary', ...port }, weight: 100 }],
    },
    ...http(objects),
  ])
  expect(router.observe(only, facts(set, given)).managedRoutes).toEqual({
    header: ['h'],
    mirror: [],
  })
  const done = plan(set, 0, { managed: ['h'] })
  expect(messages(done)).toEqual(['VirtualService `web` removed all managed routes.'])
  expect(applied(set, done)).toEqual(objects)
})

test.each([
  ['named', primary],
  ['the only one of the user', only],
])(
  'a mirror route copies its share of the requests and splits as the route that is %s [traffic-routing 55]',
  (_, config) => {
    const objects = web({ name: 'primary', route: byHost })
    const given = { config, managed: ['m'], routes: { managedRoutes: [mirror()] } }
    const set = after(objects, 0, given)
    expect(http(set)[0]).toEqual({
      name: 'm',
      match: [{ method: { exact: 'GET' }, uri: { prefix: '/' } }],
      route: byHost,
      mirror: { host: 'app-canary' },
      mirrorPercentage: { value: 35 },
    })
    expect(router.observe(config, facts(set, given)).managedRoutes.mirror).toEqual(['m'])
    const plans = plan(set, 50, given)
    expect(messages(plans)).toEqual(["VirtualService `web` set to desiredWeight '50'"])
    expect(http(applied(set, plans)).map(weights)).toEqual([
      [50, 50],
      [50, 50],
    ])
  },
)

test('routes without a name do not multiply [traffic-routing 56]', () => {
  let objects = web({ name: 'primary', route: byHost }, { route: byHost }, { route: byHost })
  for (const managedRoutes of [[header()], [header(), mirror()], [header()], []]) {
    const given = { config: primary, managed: ['h', 'm'], routes: { managedRoutes } }
    for (let pass = 0; pass < 3; pass++) objects = after(objects, 20, given)
    expect(http(objects).filter(({ name }) => !name)).toHaveLength(2)
    expect(http(objects)).toHaveLength(3 + managedRoutes.length)
  }
})

test('without a list of routes a header route stays with the canary while the only own route is weighted, and a mirror route may follow [traffic-routing 57]', () => {
  const objects = web({ name: 'primary', route: byHost })
  const managed = ['h', 'm']
  const set = after(objects, 0, { managed, routes: { managedRoutes: [header()] } })
  const half = after(set, 50, { managed, routes: { managedRoutes: [header()] } })
  expect(http(half).map((route) => [route.name, weights(route)])).toEqual([
    ['h', [100]],
    ['primary', [50, 50]],
  ])
  const both = after(half, 50, { managed, routes: { managedRoutes: [header(), mirror()] } })
  expect(http(both).map(({ name }) => name)).toEqual(['h', 'm', 'primary'])
})

test('routes of steps keep the conditions of the weighted route, one for each of several', () => {
  const objects = web(
    { name: 'api', match: [{ uri: { prefix: '/api' } }, { uri: { exact: '/v2' } }], route: byHost },
    {
      name: 'rest',
      match: [{ uri: { regex: '/r.*' }, headers: { a: { prefix: 'z' } } }],
      route: byHost,
    },
  )
  const config = { virtualService: { name: 'web', routes: ['api', 'rest'] } }
  const wanted: ManagedRoute = {
    kind: 'mirror',
    name: 'm',
    match: [{ path: { prefix: '/api/orders' } }, { headers: { A: { exact: 'zebra' } } }],
    percentage: 100,
  }
  const set = after(objects, 0, { config, managed: ['m'], routes: { managedRoutes: [wanted] } })
  expect(http(set).map(({ name, match }) => [name, match])).toEqual([
    [
      'm',
      [
        { uri: { prefix: '/api/orders' } },
        { uri: { prefix: '/api' }, headers: { A: { exact: 'zebra' } } },
        { uri: { exact: '/v2' }, headers: { A: { exact: 'zebra' } } },
      ],
    ],
    [
      'm',
      [
        { uri: { prefix: '/api/orders' }, headers: { a: { prefix: 'z' } } },
        { uri: { regex: '/r.*' }, headers: { A: { exact: 'zebra' } } },
      ],
    ],
    ['api', [{ uri: { prefix: '/api' } }, { uri: { exact: '/v2' } }]],
    ['rest', [{ uri: { regex: '/r.*' }, headers: { a: { prefix: 'z' } } }]],
  ])
})

test('a step that no request of the weighted route can meet is taken at its word', () => {
  const objects = web({ match: [{ uri: { prefix: '/api' } }], route: byHost })
  const wanted: ManagedRoute = { ...mirror(), match: [{ path: { exact: '/' } }] }
  const set = after(objects, 0, { managed: ['m'], routes: { managedRoutes: [wanted] } })
  expect(http(set)[0]?.match).toEqual([{ uri: { exact: '/' } }])
})

test('weights and routes of one pass are one write', () => {
  const objects = web({ route: byHost })
  const [one] = plan(objects, 20, {
    managed: ['h', 'm'],
    routes: { managedRoutes: [header(), mirror()] },
  })
  expect(one?.ok && one.writes).toHaveLength(1)
  expect(one?.ok && one.transitions.map(({ message }) => message)).toEqual([
    "VirtualService `web` set to desiredWeight '20'",
    "VirtualService `web` set headerRoute 'h'",
    "VirtualService `web` set mirrorRoute 'm'",
  ])
})

test('routes of steps need HTTP; the weights of other protocols are set all the same', () => {
  const objects = cluster([virtualService({ tcp: [{ route: byHost }] })])
  const given = { managed: ['h'], routes: { managedRoutes: [header()] } }
  const plans = plan(objects, 20, given)
  expect(failures(plans)).toEqual(["spec.http not found in a VirtualService for route 'h'"])
  const split = applied(objects, plans)
  expect(router.observe(only, facts(split, given))).toMatchObject({
    weight: 20,
    managedRoutes: { header: [], mirror: [] },
  })
})

test('an experiment gets a destination on the port of stable, which leaves with it', () => {
  const port = { number: 80 }
  const route = [
    { destination: { host: 'app-stable', port }, weight: 100 },
    { destination: { host: 'app-canary', port }, weight: 0 },
  ]
  const objects = web({ route })
  const additional = [{ service: 'exp', hash: 'e1', weight: 20 }]
  const running = after(objects, 10, { routes: { additional } })
  expect(http(running)[0]?.route).toEqual([
    { destination: { host: 'app-stable', port }, weight: 70 },
    { destination: { host: 'app-canary', port }, weight: 10 },
    { destination: { host: 'exp', port }, weight: 20 },
  ])
  expect(router.observe(only, facts(running)).weight).toBe(10)
  expect(after(running, 0)).toEqual(
    served(
      [
        kinds.virtualServices,
        [
          {
            ...virtualService({ http: [{ route }] }),
            metadata: { name: 'web', namespace: 'demo', annotations: {} },
          },
        ],
      ],
      [kinds.destinationRules, []],
    ),
  )
})

test('a destination of somebody else keeps its weight, stable gets less, and people are told', () => {
  const objects = web({ route: [to('app-stable', 70), to('app-canary', 0), to('legacy', 30)] })
  const plans = plan(objects, 10)
  expect(messages(plans)).toEqual([
    "VirtualService `web` set to desiredWeight '10'",
    'VirtualService `web` also leads to legacy with 30, which the Rollout does not name: stable gets what is left',
  ])
  expect(http(applied(objects, plans)).map(weights)).toEqual([[60, 10, 30]])
})

test('hosts written in full are the same Services', () => {
  const route = [to('app-stable.demo.svc.cluster.local', 100), to('app-canary.demo', 0)]
  expect(http(after(web({ route }), 20)).map(weights)).toEqual([[80, 20]])
})

test.each([
  [
    'no canary',
    only,
    { http: [{ route: [to('app-stable', 100)] }] },
    "Istio VirtualService has invalid HTTP routes. Error: Canary Service 'app-canary' not found in route",
  ],
  [
    'no stable subset',
    subsets,
    { http: [{ route: [to('app', 100, 'canary')] }] },
    "Istio VirtualService has invalid HTTP routes. Error: Stable DestinationRule subset 'stable' not found in route",
  ],
  [
    'no such route',
    primary,
    { http: [{ name: 'other', route: byHost }] },
    "Istio VirtualService has invalid HTTP routes. Error: HTTP Route 'primary' is not found in the defined Virtual Service.",
  ],
  [
    'no routes',
    only,
    {},
    'Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService',
  ],
  [
    'a delegate',
    only,
    { http: [{ delegate: { name: 'd' } }] },
    "Istio VirtualService has invalid HTTP routes. Error: Canary Service 'app-canary' not found in route",
  ],
])(
  'a VirtualService with %s is refused before an update, and never half written',
  (_, config, spec, detail) => {
    const objects = cluster([virtualService(spec)], [destinationRule(bare)])
    expect(router.check?.(config, facts(objects)).map((one) => one.detail)).toContain(detail)
    const [first] = plan(objects, 20, { config })
    expect(first).toMatchObject({ ok: false })
    expect(router.observe(config, facts(objects)).weight).toBeNull()
  },
)

describe('the subset of the canary', () => {
  const rules = (canary: string, stable: string) => [
    destinationRule(
      [
        { name: 'canary', labels: hash(canary) },
        { name: 'stable', labels: hash(stable) },
      ],
      mark,
    ),
  ]
  const at = (weight: number) => [
    virtualService({
      http: [{ route: [to('app', 100 - weight, 'stable'), to('app', weight, 'canary')] }],
    }),
  ]
  const c2 = (available: boolean): Partial<DesiredRoutes> => ({
    canary: { service: '', hash: 'c2', available },
  })
  const given = (available: boolean) => ({ config: subsets, routes: c2(available) })

  test('waits for a pod that can answer, while the weight follows at once', () => {
    const objects = cluster(at(50), rules('c1', 's1'))
    const held = after(objects, 0, given(false))
    expect(http(held).map(weights)).toEqual([[100, 0]])
    expect(router.observe(subsets, facts(held)).hashes).toEqual({ stable: 's1', canary: 'c1' })
    const moved = after(held, 0, given(true))
    expect(router.observe(subsets, facts(moved)).hashes).toEqual({ stable: 's1', canary: 'c2' })
  })

  test('is moved only after its weight came down, in the same pass', () => {
    const objects = cluster(at(50), rules('c1', 's1'))
    const writes = plan(objects, 0, given(true)).flatMap((one) => (one.ok ? one.writes : []))
    expect(writes.map(({ id }) => id)).toEqual(['virtualservices/web', 'destinationrules/web'])
    expect(writes[1]?.requires).toEqual(['virtualservices/web'])
  })

  test('stays where it is while its weight cannot be written, and stable is moved all the same', () => {
    const objects = cluster([], rules('c1', 's1'))
    const routes = { ...c2(true), stable: { service: '', hash: 's2', available: true } }
    const moved = after(objects, 0, { config: subsets, routes })
    expect(router.observe(subsets, facts(moved)).hashes).toEqual({ stable: 's2', canary: 'c1' })
  })
})

test('a rule without one of the subsets is told which it lacks', () => {
  const objects = cluster(
    [virtualService({ http: [{ route: bySubset }] })],
    [destinationRule([{ name: 'stable' }])],
  )
  expect(failures(plan(objects, 0, { config: subsets }))).toEqual([
    "DestinationRule `web`: subset 'canary' not found in spec.subsets",
  ])
})

test('two Rollouts with subsets of their own in one rule leave its mark alone', () => {
  const of = (name: string, revision: string) => ({ name, labels: hash(revision) })
  const subset = [of('canary', 'c1'), of('stable', 's1')]
  const objects = cluster(
    [virtualService({ http: [{ route: bySubset }] })],
    [destinationRule(subset, { 'argo-rollouts.argoproj.io/managed-by-rollouts': 'b' })],
  )
  expect(plan(objects, 0, { config: subsets })).toEqual([
    { ok: true, writes: [], transitions: [] },
    { ok: true, writes: [], transitions: [] },
  ])
})

test('a rule that has left the spec loses mark and hashes, and only one that is ours', () => {
  const subset = [{ name: 'stable', labels: { app: 'app', ...hash('s1') } }]
  const ours = cluster([], [destinationRule(subset, { ...mark, team: 'a' })])
  expect(rule(written(ours, router.removals(only, facts(ours))))).toMatchObject({
    metadata: { annotations: { team: 'a' } },
    spec: { subsets: [{ name: 'stable', labels: { app: 'app' } }] },
  })
  expect(rule(written(ours, router.removals(null, facts(ours))))?.metadata.annotations).toEqual({
    team: 'a',
  })
  expect(router.removals(subsets, facts(ours))).toEqual([])
  const other = cluster(
    [],
    [destinationRule(subset, { 'argo-rollouts.argoproj.io/managed-by-rollouts': 'b' })],
  )
  expect(router.removals(null, facts(other))).toEqual([])
})

test('a Rollout that is deleted leaves all to stable and takes its routes, hashes and marks away', () => {
  const objects = cluster(
    [virtualService({ http: [{ route: bySubset }] })],
    [destinationRule(bare)],
  )
  const given = {
    config: subsets,
    managed: ['h', 'm'],
    routes: {
      managedRoutes: [header(), mirror()],
      additional: [{ service: 'exp', hash: 'e1', weight: 5 }],
    },
  }
  const running = after(objects, 30, given)
  expect(http(running).map(weights)).toEqual([[100], [65, 30, 5], [65, 30, 5]])
  const left = written(running, router.release(subsets, facts(running, given)))
  expect(http(left)).toEqual([{ route: bySubset }])
  expect(rule(left)).toMatchObject({ metadata: { annotations: {} }, spec: { subsets: bare } })
  expect(JSON.stringify([...left])).not.toMatch('rollouts')
})

test('whatever weights others wrote, ours add up and theirs stay', () => {
  const weight = fc.integer({ min: 0, max: 100 })
  fc.assert(
    fc.property(
      fc.record({ stable: weight, canary: weight, foreign: weight, wanted: weight }),
      fc.array(fc.record({ service: fc.constantFrom('e1', 'e2'), weight: fc.nat(20) }), {
        maxLength: 2,
      }),
      ({ stable, canary, foreign, wanted }, experiments) => {
        const unique = [...new Map(experiments.map((one) => [one.service, one])).values()]
        const additional = unique.map((one) => ({ ...one, hash: 'e' }))
        const objects = web({
          route: [to('app-stable', stable), to('app-canary', canary), to('legacy', foreign)],
        })
        const split = after(objects, wanted, { routes: { additional } })
        const shared = unique.reduce((sum, one) => sum + one.weight, 0)
        const all = weights(http(split)[0])
        expect(all.slice(1, 3)).toEqual([wanted, foreign])
        expect(all.reduce((sum, one) => sum + one, 0)).toBe(
          Math.max(100, wanted + foreign + shared),
        )
        expect(router.observe(only, facts(split)).weight).toBe(wanted)
        expect(plan(split, wanted, { routes: { additional } })).toEqual([
          { ok: true, writes: [], transitions: [] },
        ])
        expect(weights(http(after(split, 0))[0]).slice(1)).toEqual([0, foreign])
      },
    ),
  )
})

test('the version of the API is the one that is asked for, else the best that the cluster serves', () => {
  const versions = (settings: Parameters<typeof istio>[0]) =>
    istio(settings)
      .watches(only, facts(web()))
      .map(({ kind }) => kind.versions)
  expect(versions({})[0]).toEqual(['v1', 'v1beta1', 'v1alpha3'])
  expect(versions({ istioVersion: 'v1alpha3' })).toEqual([['v1alpha3'], ['v1alpha3']])
})
