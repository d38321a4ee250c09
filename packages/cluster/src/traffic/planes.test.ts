import type { KubeObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { ingress, myApp, TrafficWorld } from './test-world.ts'

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
  definition('TCPRoute', 'tcproutes', 'gateway.networking.k8s.io', 'v1alpha2'),
  definition('TLSRoute', 'tlsroutes', 'gateway.networking.k8s.io', 'v1alpha2'),
  definition('TrafficSplit', 'trafficsplits', 'split.smi-spec.io', 'v1alpha1'),
  definition('ApisixRoute', 'apisixroutes', 'apisix.apache.org', 'v2'),
  definition('Mapping', 'mappings', 'getambassador.io', 'v2'),
  definition('VirtualRouter', 'virtualrouters', 'appmesh.k8s.aws', 'v1beta2'),
  definition('VirtualNode', 'virtualnodes', 'appmesh.k8s.aws', 'v1beta2'),
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

const load = { 'sim.serinus.dev/requests-per-second': '100' }

/** The canary's share of the load of two minutes, and all requests of it. */
async function shareOfLoad(
  world: TrafficWorld,
): Promise<{ readonly canary: number; readonly all: number; readonly lost: number }> {
  const before = ['c1', 's1', ''].map((version) => world.traffic.truth(version).requests)
  await world.pass(120)
  const [canary = 0, stable = 0, lost = 0] = ['c1', 's1', ''].map(
    (version, at) => world.traffic.truth(version).requests - (before[at] ?? 0),
  )
  const all = canary + stable + lost
  return { canary: canary / all, all, lost }
}

const alb = 'alb.ingress.kubernetes.io'

function albPath(service: string, path = '/*', port: object = { name: 'use-annotation' }) {
  return { path, pathType: 'ImplementationSpecific', backend: { service: { name: service, port } } }
}

/** In the spelling of Argo Rollouts. */
function forward(stable: number, canary: number): string {
  const group = (ServiceName: string, Weight: number) => ({
    ServiceName,
    ServicePort: '80',
    Weight,
  })
  const TargetGroups = [group('my-app-canary', canary), group('my-app-stable', stable)]
  return JSON.stringify({ Type: 'forward', ForwardConfig: { TargetGroups } })
}

function albIngress(
  annotations: object,
  paths: readonly object[] = [albPath('my-app')],
  spec: object = { ingressClassName: 'alb' },
): KubeObject {
  return object('Ingress', 'alb', { ...spec, rules: [{ host, http: { paths } }] }, annotations)
}

test('an Ingress of the class alb splits by its action annotation, by curl and under load', async () => {
  const at = (stable: number, canary: number) =>
    albIngress({ [`${alb}/actions.my-app`]: forward(stable, canary), ...load })
  await using world = await worldWith(at(80, 20))
  expect(share(await answered(world, 2_000))).toBeCloseTo(0.2, 1)
  const { canary, all } = await shareOfLoad(world)
  expect(canary).toBeCloseTo(0.2, 1)
  expect(all / 12_000).toBeCloseTo(1, 1)
  await world.put(at(0, 100))
  expect(await answered(world, 50)).toEqual({ c1: 50 })
  await world.put(at(0, 0))
  expect(await answered(world, 10)).toEqual({ '503': 10 })
  await world.remove(at(0, 0))
  expect(await answered(world, 1)).toEqual({ '404': 1 })
  expect(world.errors).toEqual([])
})

test('conditions of an ALB action lead a header to the canary, and take no part of the load', async () => {
  const condition = (httpHeaderName: string, ...values: readonly string[]) => ({
    field: 'http-header',
    httpHeaderConfig: { httpHeaderName, values },
  })
  const annotations = {
    'kubernetes.io/ingress.class': 'alb',
    [`${alb}/actions.my-app`]: forward(100, 0),
    [`${alb}/actions.hdr`]: forward(0, 100),
    [`${alb}/conditions.hdr`]: JSON.stringify([
      condition('X-Canary', 'yes', 'beta-*'),
      condition('Agent', 'Mozilla'),
    ]),
    ...load,
  }
  const paths = [albPath('hdr'), albPath('my-app', '/app/*')]
  await using world = await worldWith(albIngress(annotations, paths, {}))
  const agent = 'mozilla'
  const path = '/app/x'
  expect(await answered(world, 20, { path, headers: { 'x-canary': 'yes', agent } })).toEqual({
    c1: 20,
  })
  expect(await answered(world, 20, { path, headers: { 'x-canary': 'beta-7', agent } })).toEqual({
    c1: 20,
  })
  expect(await answered(world, 20, { path, headers: { 'x-canary': 'yes' } })).toEqual({ s1: 20 })
  expect(await answered(world, 1, { path: '/other' })).toEqual({ '404': 1 })
  const { canary, all, lost } = await shareOfLoad(world)
  expect(canary).toBe(0)
  expect(lost).toBe(0)
  expect(all / 12_000).toBeCloseTo(1, 1)
})

test('an ALB looks at exact paths, then at the longest prefix, then at the others as written; a plain backend needs no action', async () => {
  const plain = { number: 80 }
  const paths = [
    albPath('my-app-stable', '/*', plain),
    { ...albPath('my-app-stable', '/a', plain), pathType: 'Prefix' },
    { ...albPath('my-app-canary', '/a/b', plain), pathType: 'Prefix' },
    { ...albPath('my-app-stable', '/a/b/c', plain), pathType: 'Exact' },
    albPath('my-app-canary', '/z/*', plain),
  ]
  await using world = await worldWith(albIngress({}, paths))
  expect(await answered(world, 5, { path: '/a/x' })).toEqual({ s1: 5 })
  expect(await answered(world, 5, { path: '/a/b/x' })).toEqual({ c1: 5 })
  expect(await answered(world, 5, { path: '/a/b/c' })).toEqual({ s1: 5 })
  expect(await answered(world, 5, { path: '/z/x' })).toEqual({ s1: 5 })
})

test('an action that is missing or cannot be read leads nowhere and harms no other Ingress', async () => {
  const paths = [albPath('absent', '/absent'), albPath('broken', '/broken')]
  await using world = await worldWith(albIngress({ [`${alb}/actions.broken`]: '{' }, paths))
  expect(await answered(world, 1, { path: '/absent' })).toEqual({ '503': 1 })
  expect(await answered(world, 1, { path: '/broken' })).toEqual({ '503': 1 })
  expect((await world.get('/')).headers.get('x-version')).toBe('s1')
  expect(world.errors).toEqual([])
})

test('annotations of ingress-nginx mean nothing on an Ingress of the class alb', async () => {
  const canary = ingress('my-app-canary', 'my-app-canary', {
    'kubernetes.io/ingress.class': 'alb',
    'nginx.ingress.kubernetes.io/canary': 'true',
    'nginx.ingress.kubernetes.io/canary-weight': '100',
  })
  const elsewhere = { ...canary, spec: { rules: [{ ...canary.spec?.rules?.[0], host }] } }
  await using world = await worldWith(elsewhere)
  expect((await world.get('/')).headers.get('x-version')).toBe('s1')
  expect(await answered(world, 5)).toEqual({ c1: 5 })
})

test('a TrafficSplit leads requests to its Service elsewhere, with weights as quantities or as numbers', async () => {
  const split = (stable: number | string, canary: number | string) =>
    object('TrafficSplit', 'my-app', {
      service: 'my-app',
      backends: [
        { service: 'my-app-canary', weight: canary },
        { service: 'my-app-stable', weight: stable },
      ],
    })
  const asked = { service: 'my-app' }
  await using world = await worldWith(split('800m', '200m'))
  expect(share(await answered(world, 2_000, asked))).toBeCloseTo(0.2, 1)
  await world.put(split(50, 50))
  expect(share(await answered(world, 2_000, asked))).toBeCloseTo(0.5, 1)
  const service = myApp().find(({ metadata }) => metadata.name === 'my-app') as KubeObject
  await world.put({ ...service, metadata: { ...service.metadata, annotations: load } }, split(9, 1))
  expect((await shareOfLoad(world)).canary).toBeCloseTo(0.1, 1)
  await world.remove(split(50, 50))
  expect(share(await answered(world, 1_000, asked))).toBeCloseTo(1 / 3, 1)
  await world.put({
    ...split(0, 1),
    spec: {
      service: 'my-app',
      backends: [{ service: 'my-app-canary', weight: 1 }],
      matches: [{ kind: 'HTTPRouteGroup', name: 'firefox' }],
    },
  } as KubeObject)
  expect(share(await answered(world, 1_000, asked))).toBeCloseTo(1 / 3, 1)
})

function apisixRule(stable: number, canary: number, match: object = {}, priority?: number) {
  return {
    name: 'rule',
    ...(priority === undefined ? {} : { priority }),
    match: { hosts: [host], paths: ['/app/*'], ...match },
    backends: [
      { serviceName: 'my-app-stable', servicePort: 80, weight: stable },
      { serviceName: 'my-app-canary', servicePort: 80, weight: canary },
    ],
  }
}

test('an ApisixRoute splits by weight; its copy for a header goes first and doubles no load', async () => {
  const route = object('ApisixRoute', 'my-app', { http: [apisixRule(70, 30)] }, load)
  const exprs = [
    { subject: { scope: 'Header', name: 'X-Canary' }, op: 'Equal', value: 'yes' },
    { subject: { scope: 'Header', name: 'Agent' }, op: 'RegexMatch', value: '^Moz.*' },
  ]
  const header = object('ApisixRoute', 'hdr', { http: [apisixRule(0, 100, { exprs }, 1)] }, load)
  await using world = await worldWith(header, route)
  const path = '/app/x'
  expect(share(await answered(world, 2_000, { path }))).toBeCloseTo(0.3, 1)
  const headers = { 'x-canary': 'yes', agent: 'Mozilla/5' }
  expect(await answered(world, 50, { path, headers })).toEqual({ c1: 50 })
  expect((await shareOfLoad(world)).all / 12_000).toBeCloseTo(1, 1)
  await world.remove(header)
  expect(share(await answered(world, 2_000, { path, headers }))).toBeCloseTo(0.3, 1)
  const { canary, all } = await shareOfLoad(world)
  expect(canary).toBeCloseTo(0.3, 1)
  expect(all / 12_000).toBeCloseTo(1, 1)
  await world.remove(route)
  expect(await answered(world, 1, { path })).toEqual({ '404': 1 })
})

test('an expression on what the ingress does not look at holds for no request', async () => {
  const exprs = [{ subject: { scope: 'Query', name: 'beta' }, op: 'Equal', value: 'yes' }]
  const http = [apisixRule(0, 100, { exprs }, 5), apisixRule(100, 0)]
  await using world = await worldWith(object('ApisixRoute', 'my-app', { http }))
  expect(await answered(world, 20, { path: '/app/?beta=yes' })).toEqual({ s1: 20 })
})

test('the Mapping of a canary takes its percent, the base the rest', async () => {
  const base = object(
    'Mapping',
    'my-app',
    { hostname: host, prefix: '/app', service: 'http://my-app-stable.default:80' },
    load,
  )
  const canary = (weight: number) =>
    object('Mapping', 'my-app-canary', {
      hostname: host,
      prefix: '/app',
      service: 'my-app-canary:80',
      weight,
    })
  const header = object('Mapping', 'beta', {
    hostname: host,
    prefix: '/app',
    headers: { 'X-Canary': 'yes' },
    service: 'my-app-canary.default.svc.cluster.local',
  })
  const path = '/app/x'
  await using world = await worldWith(base, canary(20), header)
  expect(share(await answered(world, 2_000, { path }))).toBeCloseTo(0.2, 1)
  expect(await answered(world, 20, { path, headers: { 'x-canary': 'yes' } })).toEqual({ c1: 20 })
  const { canary: loaded, all } = await shareOfLoad(world)
  expect(loaded).toBeCloseTo(0.2, 1)
  expect(all / 12_000).toBeCloseTo(1, 1)
  await world.put(canary(100))
  expect(await answered(world, 50, { path })).toEqual({ c1: 50 })
  await world.remove(canary(100))
  expect(await answered(world, 50, { path })).toEqual({ s1: 50 })
})

test('a Mapping that is a shadow gets copies alone', async () => {
  const mapping = (name: string, service: string, more: object = {}) =>
    object('Mapping', name, { hostname: '*', prefix: '/', service, ...more })
  await using world = await worldWith(
    mapping('my-app', 'my-app-stable'),
    mapping('shadow', 'my-app-canary', { shadow: true }),
  )
  expect(await answered(world, 100)).toEqual({ s1: 100 })
  expect(world.traffic.truth('c1').requests).toBe(100)
})

const appMeshDefinition = definition(
  'VirtualService',
  'virtualservices',
  'appmesh.k8s.aws',
  'v1beta2',
)

function virtualNode(name: string, version: string, serviceDiscovery: object): KubeObject {
  const matchLabels = { app: 'my-app', [hash]: version }
  return object('VirtualNode', name, { podSelector: { matchLabels }, serviceDiscovery })
}

test('a VirtualService of App Mesh leads through its router to the pods that the nodes select', async () => {
  const router = (stable: number, canary: number) => {
    const to = (...targets: readonly (readonly [string, number])[]) => ({
      action: {
        weightedTargets: targets.map(([name, weight]) => ({ virtualNodeRef: { name }, weight })),
      },
    })
    const headers = [{ name: 'X-Canary', match: { exact: 'yes' } }]
    return object('VirtualRouter', 'my-router', {
      routes: [
        {
          name: 'primary',
          httpRoute: { match: { prefix: '/' }, ...to(['stable', stable], ['canary', canary]) },
        },
        {
          name: 'header',
          priority: 1,
          httpRoute: { match: { prefix: '/', headers }, ...to(['canary', 1]) },
        },
      ],
    })
  }
  const dns = { dns: { hostname: 'my-app.default.svc.cluster.local' } }
  const cloudMap = { awsCloudMap: { namespaceName: 'x', serviceName: 'my-app' } }
  const provider = { virtualRouter: { virtualRouterRef: { name: 'my-router' } } }
  const virtualService = object('VirtualService', 'my-app', { provider })
  const service = myApp().find(({ metadata }) => metadata.name === 'my-app') as KubeObject
  await using world = new TrafficWorld()
  await world.put(
    ...definitions.filter(({ metadata }) => !metadata.name.includes('istio')),
    appMeshDefinition,
    ...myApp(),
    virtualService,
    router(80, 20),
    virtualNode('stable', 's1', dns),
    virtualNode('canary', 'c1', cloudMap),
  )
  const asked = { service: 'my-app' }
  expect(share(await answered(world, 2_000, asked))).toBeCloseTo(0.2, 1)
  expect(await answered(world, 20, { ...asked, headers: { 'x-canary': 'yes' } })).toEqual({
    c1: 20,
  })
  await world.put({ ...service, metadata: { ...service.metadata, annotations: load } })
  expect((await shareOfLoad(world)).canary).toBeCloseTo(0.2, 1)
  await world.put(virtualNode('canary', 's1', cloudMap))
  expect(await answered(world, 50, asked)).toEqual({ s1: 50 })
  await world.put(virtualNode('canary', 'canary-hash', cloudMap), router(0, 100))
  expect(await answered(world, 10, asked)).toEqual({ '503': 10 })
  await world.remove(virtualService)
  expect(share(await answered(world, 1_000, asked))).toBeCloseTo(1 / 3, 1)
})

test('connections of a TCPRoute go by weight, those of a TLSRoute by host, inside a mesh by their Service', async () => {
  const rules = [{ backendRefs: backends(75, 25) }]
  const tcp = object('TCPRoute', 'db', { parentRefs: [{ name: 'public' }], rules }, load)
  const tls = object('TLSRoute', 'web', {
    parentRefs: [{ name: 'public' }, { kind: 'Service', name: 'my-app' }],
    hostnames: [host],
    rules: [{ backendRefs: backends(0, 1) }],
  })
  await using world = await worldWith(tcp, tls)
  const { canary, all } = await shareOfLoad(world)
  expect(canary).toBeCloseTo(0.25, 1)
  expect(all / 12_000).toBeCloseTo(1, 1)
  expect(await answered(world, 20)).toEqual({ c1: 20 })
  expect(await answered(world, 20, { service: 'my-app' })).toEqual({ c1: 20 })
  expect((await world.get('/', { host: 'db.default.tcproute' })).status).toBe(200)
  expect((await world.get('/', { host: 'unknown.example.com' })).status).toBe(404)
})

test('a kind whose definition is deleted is served no longer, and from its return on again', async () => {
  const spec = { hosts: [host], gateways: ['public'], http: [{ route: halves }] }
  await using world = await worldWith(object('VirtualService', 'my-app', spec))
  const [virtualServices] = definitions
  expect(share(await answered(world, 1_000))).toBeCloseTo(0.5, 1)
  await world.remove(virtualServices as KubeObject)
  expect(await answered(world, 1)).toEqual({ '404': 1 })
  await world.pass(600)
  await world.put(virtualServices as KubeObject)
  expect(share(await answered(world, 1_000))).toBeCloseTo(0.5, 1)
  expect(world.errors).toEqual([])
})
