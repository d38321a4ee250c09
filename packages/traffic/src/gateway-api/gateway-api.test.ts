import type { GatewayApiRouting } from '@serinus/api'
import type { DesiredRoutes, ManagedRoute } from '@serinus/engine'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RouterFacts, RouterPlan } from '../router.ts'
import { routerContract } from '../router-contract.ts'
import { objectsOf, type RoutingObjects } from '../routing-objects.ts'
import { applied, factsOf, routesOf, served, written } from '../test-objects.ts'
import { gatewayApi as router } from './gateway-api.ts'
import { type Protocol, type Route, type Rule, routeKinds } from './objects.ts'

const label = 'rollouts.argoproj.io/gatewayapi-canary'
const record = 'rollouts.argoproj.io/managed-rules'
const plain = { group: '', kind: 'Service', port: 80, weight: 1 }
const stable = { ...plain, name: 'app-stable' }
const canary = { ...plain, name: 'app-canary' }
const both = { backendRefs: [stable, canary] }
const path = (value: string, type = 'PathPrefix') => ({ path: { type, value } })

function route(protocol: Protocol, rules: readonly Rule[], metadata: object = {}): Route {
  const { kind } = routeKinds[protocol]
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind,
    metadata: { name: 'web', namespace: 'demo', ...metadata },
    spec: { rules },
  }
}

const http = (...routes: readonly Route[]) => served([routeKinds.http, routes])
const web: GatewayApiRouting = { httpRoute: 'web' }
const simple = http(route('http', [both]))

interface Asked {
  readonly weight?: number
  readonly max?: number
  readonly routes?: Partial<DesiredRoutes>
  readonly facts?: Partial<RouterFacts>
}

function plan(
  objects: RoutingObjects,
  config: GatewayApiRouting,
  { weight = 20, max = 100, routes = {}, facts = {} }: Asked = {},
): readonly RouterPlan[] {
  const names = (routes.managedRoutes ?? []).map(({ name }) => name)
  const known = factsOf(objects, { max, managedRoutes: names, ...facts })
  return router.plan(config, known, routesOf({ weight, max }, routes))
}

function pass(objects: RoutingObjects, config: GatewayApiRouting, asked: Asked = {}) {
  return applied(objects, plan(objects, config, asked))
}

function routeIn(objects: RoutingObjects, protocol: Protocol = 'http', name = 'web'): Route {
  const found = objectsOf<Route>(objects, routeKinds[protocol]).find(
    ({ metadata }) => metadata.name === name,
  )
  if (!found) throw new Error(`no ${name}`)
  return found
}

const rulesIn = (objects: RoutingObjects) => routeIn(objects).spec?.rules ?? []
const weightsIn = ({ backendRefs = [] }: Rule) =>
  backendRefs.map(({ name, weight }) => `${name} ${weight}`)

const headerRoute = (name: string, header = 'X-Canary'): ManagedRoute => ({
  kind: 'header',
  name,
  match: [{ headerName: header, headerValue: { exact: 'true' } }],
})
const nothing = [{ ok: true, writes: [], transitions: [] }]

routerContract({
  router,
  config: web,
  objects: simple,
  missing: { name: 'web', objects: http(route('http', [both], { name: 'other' })) },
})

describe('weights', () => {
  test('both backends carry their share and the route says so while it lasts [traffic-routing 63]', () => {
    const config = { httpRoute: 'web', namespace: 'demo' }
    const after = pass(simple, config)
    expect(rulesIn(after).map(weightsIn)).toEqual([['app-stable 80', 'app-canary 20']])
    expect(routeIn(after).metadata.labels).toEqual({ [label]: 'in-progress' })
    const back = pass(after, config, { weight: 0 })
    expect(rulesIn(back).map(weightsIn)).toEqual([['app-stable 100', 'app-canary 0']])
    expect(routeIn(back).metadata.labels).toEqual({})
  })

  test('the label has the name that the user gives it, or is left out', () => {
    const named = { ...web, inProgressLabelKey: 'a/b', inProgressLabelValue: 'c' }
    expect(routeIn(pass(simple, named)).metadata.labels).toEqual({ 'a/b': 'c' })
    const without = { ...web, disableInProgressLabel: true }
    expect(routeIn(pass(simple, without)).metadata.labels).toBeUndefined()
  })

  test('the ConfigMap of old versions is accepted and nothing is made of it [traffic-routing 64]', () => {
    const plans = plan(simple, { ...web, configMap: 'x' })
    expect(plans.flatMap((one) => (one.ok ? one.writes : []))).toMatchObject([
      { kind: 'patch', key: { name: 'web' } },
    ])
  })

  test('routes of all kinds get the same weights [traffic-routing 71]', () => {
    const protocols = ['http', 'grpc', 'tcp', 'tls', 'udp'] as const
    const objects = served(
      ...protocols.map((one) => [routeKinds[one], [route(one, [both])]] as const),
    )
    const config = {
      grpcRoute: 'web',
      tcpRoute: 'web',
      tlsRoute: 'web',
      httpRoute: 'web',
      udpRoutes: [{ name: 'web' }],
    }
    const after = pass(objects, config)
    for (const protocol of protocols) {
      expect(routeIn(after, protocol).spec?.rules?.map(weightsIn)).toEqual([
        ['app-stable 80', 'app-canary 20'],
      ])
    }
    expect(plan(objects, config)).toHaveLength(5)
  })

  test('routes are found by their labels, once, in the namespace of the block alone', () => {
    const labels = { app: 'web' }
    const objects = http(
      route('http', [both], { labels }),
      route('http', [both], { labels, namespace: 'other' }),
      route('http', [both], { name: 'second' }),
    )
    const config = { httpRoute: 'web', httpRouteSelector: { matchLabels: labels } }
    expect(plan(objects, config)).toHaveLength(1)
    expect(plan(objects, { httpRouteSelector: { matchLabels: { a: 'b' } } })).toMatchObject([
      { ok: false, detail: 'No routes configured: the selectors match none' },
    ])
    expect(router.watches(config, factsOf(objects))).toEqual([
      { kind: routeKinds.http, namespace: 'demo' },
    ])
  })

  test('a rule with one side alone stays as it is, also when the canary has all traffic [traffic-routing 68]', () => {
    const debug = { matches: [path('/debug')], backendRefs: [canary] }
    const old = { matches: [path('/old')], backendRefs: [stable] }
    let objects = http(route('http', [debug, both, old]))
    const managedRoutes = [headerRoute('h')]
    for (const asked of [{ weight: 100, routes: { managedRoutes } }, { weight: 0 }]) {
      objects = pass(objects, web, { ...asked, facts: { managedRoutes: ['h'] } })
      expect(rulesIn(objects)).toContainEqual(debug)
      expect(rulesIn(objects)).toContainEqual(old)
    }
    expect(rulesIn(objects)).toHaveLength(3)
  })

  test('a backend of another kind or namespace is not a side, whatever its name', () => {
    const foreign = { backendRefs: [stable, { ...canary, namespace: 'other' }] }
    const bucket = { backendRefs: [stable, { ...canary, kind: 'Bucket', group: 'x.io' }] }
    expect(plan(http(route('http', [foreign, bucket])), web)).toEqual([
      {
        ok: false,
        reason: 'TrafficRoutingError',
        detail: 'HTTPRoute "web": backendRef was not found in httpRoute',
      },
    ])
  })

  test('a route of another namespace leads to the Services of the Rollout', () => {
    const here = [stable, canary].map((ref) => ({ ...ref, namespace: 'demo' }))
    const rule = { backendRefs: here }
    const objects = http(route('http', [rule], { namespace: 'edge' }))
    const after = pass(objects, { ...web, namespace: 'edge' })
    expect(rulesIn(after).map(weightsIn)).toEqual([['app-stable 80', 'app-canary 20']])
  })

  test('without weights the Gateway API splits evenly, and that is what is seen', () => {
    const rule = { backendRefs: [{ name: 'app-stable' }, { name: 'app-canary' }] }
    expect(router.observe(web, factsOf(http(route('http', [rule])))).weight).toBe(50)
  })

  test('an Experiment gets its share out of what stable has, and leaves again [traffic-routing 69]', () => {
    const share = (weight: number) => ({
      additional: [{ service: 'exp', hash: 'e1', weight, port: 8080 }],
    })
    const during = pass(simple, web, { routes: share(20) })
    expect(rulesIn(during).map(weightsIn)).toEqual([['app-stable 60', 'app-canary 20', 'exp 20']])
    expect(rulesIn(during)[0]?.backendRefs?.[2]).toMatchObject({ kind: 'Service', port: 8080 })
    expect(router.observe(web, factsOf(during)).weight).toBe(20)
    expect(plan(during, web, { routes: share(20) })).toEqual(nothing)
    const changed = pass(during, web, { routes: share(30) })
    expect(rulesIn(changed).map(weightsIn)).toEqual([['app-stable 50', 'app-canary 20', 'exp 30']])
    const after = pass(changed, web)
    expect(rulesIn(after).map(weightsIn)).toEqual([['app-stable 80', 'app-canary 20']])
    expect(routeIn(after).metadata.annotations).toEqual({})
  })

  test('weights of one rule add up, and backends of others keep theirs', () => {
    const weight = fc.integer({ min: 0, max: 1000 })
    fc.assert(
      fc.property(weight, weight, weight, (first, second, others) => {
        const foreign = { ...plain, name: 'foreign', weight: others }
        const objects = http(route('http', [{ backendRefs: [stable, foreign, canary] }]))
        const extra = Math.min(second, 1000 - first)
        const additional = [{ service: 'exp', hash: 'e1', weight: extra }]
        const after = pass(objects, web, { weight: first, max: 1000, routes: { additional } })
        const refs = rulesIn(after)[0]?.backendRefs ?? []
        expect(refs).toContainEqual(foreign)
        const own = refs.filter(({ name }) => name !== 'foreign')
        expect(own.reduce((sum, ref) => sum + (ref.weight ?? 1), 0)).toBe(1000)
        expect(router.observe(web, factsOf(after, { max: 1000 })).weight).toBe(first)
      }),
    )
  })
})

describe('header routes', () => {
  const filters = [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [] } }]
  const products = { ...both, matches: [path('/products')], filters, timeouts: { request: '3s' } }
  const orders = { ...both, matches: [path('/orders'), { ...path('/o'), method: 'GET' }] }
  const shop = http(route('http', [products, orders]))
  const managedRoutes = [headerRoute('canary-header')]
  const header = { type: 'Exact', name: 'X-Canary', value: 'true' }

  test('every rule gets one of its own, with its matches and filters, which weights leave alone [traffic-routing 66]', () => {
    const after = pass(shop, web, { routes: { managedRoutes } })
    const [, , first, second] = rulesIn(after)
    expect(first).toEqual({
      ...products,
      name: 'canary-header',
      matches: [{ ...path('/products'), headers: [header] }],
      backendRefs: [canary],
    })
    expect(second).toEqual({
      name: 'canary-header-1',
      matches: [
        { ...path('/orders'), headers: [header] },
        { ...path('/o'), method: 'GET', headers: [header] },
      ],
      backendRefs: [canary],
    })
    const later = pass(after, web, { weight: 50, routes: { managedRoutes } })
    expect(rulesIn(later).slice(2)).toEqual([first, second])
    expect(rulesIn(later).slice(0, 2).map(weightsIn)).toEqual([
      ['app-stable 50', 'app-canary 50'],
      ['app-stable 50', 'app-canary 50'],
    ])
    expect(plan(later, web, { weight: 50, routes: { managedRoutes } })).toEqual(nothing)
  })

  test('only routes that ask for it get them, and weights change on all [traffic-routing 65]', () => {
    const objects = http(route('http', [both], { name: 'a' }), route('http', [both], { name: 'b' }))
    const config = { httpRoutes: [{ name: 'a', useHeaderRoutes: true }, { name: 'b' }] }
    const after = pass(objects, config, { routes: { managedRoutes } })
    expect(routeIn(after, 'http', 'a').spec?.rules?.map(({ name }) => name)).toEqual([
      undefined,
      'canary-header',
    ])
    expect(routeIn(after, 'http', 'b').spec?.rules?.map(weightsIn)).toEqual([
      ['app-stable 80', 'app-canary 20'],
    ])
    const seen = router.observe(config, factsOf(after, { managedRoutes: ['canary-header'] }))
    expect(seen).toMatchObject({
      weight: 20,
      managedRoutes: { header: ['canary-header'], mirror: null },
    })
  })

  test('taking one away leaves the others [traffic-routing 67]', () => {
    const facts = { managedRoutes: ['h1', 'h2'] }
    const set = [headerRoute('h1'), headerRoute('h2', 'X-Other')]
    const two = pass(simple, web, { facts, routes: { managedRoutes: set } })
    expect(rulesIn(two).map(({ name }) => name)).toEqual([undefined, 'h1', 'h2'])
    const one = pass(two, web, { facts, routes: { managedRoutes: set.slice(1) } })
    expect(rulesIn(one).map(({ name }) => name)).toEqual([undefined, 'h2'])
    expect(router.observe(web, factsOf(one, facts)).managedRoutes.header).toEqual(['h2'])
    const none = pass(one, web, { facts, weight: 0 })
    expect(rulesIn(none).map(({ name }) => name)).toEqual([undefined])
    expect(routeIn(none).metadata.annotations).toEqual({})
  })

  test('of several headers one is enough, unless the Rollout says otherwise', () => {
    const match = [
      { headerName: 'a', headerValue: { prefix: 'x.' } },
      { headerName: 'b', headerValue: { regex: 'y+' } },
    ]
    const routes = { managedRoutes: [{ kind: 'header', name: 'h', match } as const] }
    const a = { type: 'RegularExpression', name: 'a', value: 'x\\..*' }
    const b = { type: 'RegularExpression', name: 'b', value: 'y+' }
    const or = rulesIn(pass(simple, web, { routes }))
    expect(or[1]?.matches).toEqual([
      { ...path('/'), headers: [a] },
      { ...path('/'), headers: [b] },
    ])
    const facts = { headerMatch: 'and', managedRoutes: ['h'] } as const
    const and = rulesIn(pass(simple, web, { routes, facts }))
    expect(and[1]?.matches).toEqual([{ ...path('/'), headers: [a, b] }])
  })

  test('what is already there under the name is taken over', () => {
    const theirs = { name: 'canary-header', backendRefs: [canary] }
    const after = pass(http(route('http', [both, theirs])), web, { routes: { managedRoutes } })
    expect(rulesIn(after)).toHaveLength(2)
    expect(rulesIn(after)[1]?.matches).toEqual([{ ...path('/'), headers: [header] }])
  })

  test('an API server that drops the names of rules does not make them ever more', () => {
    const first = pass(simple, web, { routes: { managedRoutes } })
    const { metadata, ...rest } = routeIn(first)
    const dropped = rulesIn(first).map(({ name: _, ...rule }) => rule)
    const old = http({ ...rest, metadata, spec: { rules: dropped } })
    const facts = { managedRoutes: ['canary-header'] }
    expect(plan(old, web, { routes: { managedRoutes } })).toEqual(nothing)
    expect(router.observe(web, factsOf(old, facts)).managedRoutes.header).toEqual(['canary-header'])
    expect(rulesIn(pass(old, web, { facts, weight: 0 }))).toHaveLength(1)
  })

  test('rules that another Rollout has put there are its own', () => {
    const digests = { backends: [], rules: { 'canary-header': 'x' } }
    const annotations = { [record]: JSON.stringify({ 'demo/other': digests }) }
    const theirs = { name: 'canary-header', backendRefs: [{ ...plain, name: 'other-canary' }] }
    const objects = http(route('http', [both, theirs], { annotations }))
    const plans = plan(objects, web, { routes: { managedRoutes } })
    expect(plans).toMatchObject([
      { ok: true },
      {
        ok: false,
        detail:
          'HTTPRoute "web": rule \'canary-header\' is there already and is not of this Rollout',
      },
    ])
    const after = applied(objects, plans)
    expect(rulesIn(after)[1]).toEqual(theirs)
    expect(routeIn(after).metadata.annotations).toEqual(annotations)
  })

  test('a route has at most 16 rules: the weights are set, and what has no room is named', () => {
    const rules = Array.from({ length: 9 }, (_, index) => ({
      ...both,
      matches: [path(`/${index}`)],
    }))
    const plans = plan(http(route('http', rules)), web, { routes: { managedRoutes } })
    expect(plans).toMatchObject([
      { ok: true, writes: [{ kind: 'patch' }] },
      {
        ok: false,
        detail:
          'HTTPRoute "web": route \'canary-header\' would make 18 rules, and a route has at most 16',
      },
    ])
  })

  test('a name that only some routes hold counts neither as set nor as gone', () => {
    const after = pass(simple, web, { routes: { managedRoutes } })
    const objects = http(routeIn(after), route('http', [both], { name: 'b' }))
    const config = { ...web, httpRoutes: [{ name: 'b', useHeaderRoutes: true }] }
    const facts = factsOf(objects, { managedRoutes: ['canary-header'] })
    expect(router.observe(config, facts).managedRoutes.header).toEqual([
      'canary-header on some routes only',
    ])
  })

  test('a GRPCRoute keeps the methods of its matches', () => {
    const method = { type: 'Exact', service: 'shop.Orders' }
    const objects = served([
      routeKinds.grpc,
      [route('grpc', [{ ...both, matches: [{ method }] }, { ...both }])],
    ])
    const after = pass(objects, { grpcRoute: 'web' }, { routes: { managedRoutes } })
    expect(
      routeIn(after, 'grpc')
        .spec?.rules?.slice(2)
        .map(({ matches }) => matches),
    ).toEqual([[{ method, headers: [header] }], [{ headers: [header] }]])
  })
})

describe('mirror routes', () => {
  const config = { ...web, mirror: true }
  const mirror = (match: (ManagedRoute & { kind: 'mirror' })['match'], percentage = 35) => ({
    managedRoutes: [{ kind: 'mirror', name: 'm', match, percentage } as const],
  })

  test('a copy of the rule with its present weights sends a share of its requests to the canary, too', () => {
    const objects = http(route('http', [{ ...both, matches: [path('/shop')] }]))
    const match = [{ method: { exact: 'GET' }, path: { prefix: '/shop/orders' } }]
    const after = pass(objects, config, { routes: mirror(match) })
    expect(rulesIn(after)[1]).toEqual({
      name: 'm',
      matches: [{ ...path('/shop/orders'), method: 'GET' }],
      filters: [
        {
          type: 'RequestMirror',
          requestMirror: {
            backendRef: { group: '', kind: 'Service', name: 'app-canary', port: 80 },
            percent: 35,
          },
        },
      ],
      backendRefs: [
        { ...stable, weight: 80 },
        { ...canary, weight: 20 },
      ],
    })
    const facts = factsOf(after, { managedRoutes: ['m'] })
    expect(router.observe(config, facts).managedRoutes).toEqual({ header: [], mirror: ['m'] })
    const later = pass(after, config, { weight: 50, routes: mirror(match) })
    expect(rulesIn(later).map(weightsIn)).toEqual([
      ['app-stable 50', 'app-canary 50'],
      ['app-stable 50', 'app-canary 50'],
    ])
    expect(router.observe(config, factsOf(later, { managedRoutes: ['m'] })).weight).toBe(50)
  })

  test('all requests are copied without naming a share', () => {
    const after = pass(simple, config, { routes: mirror([{ path: { exact: '/a' } }], 100) })
    expect(rulesIn(after)[1]?.filters?.[0]?.requestMirror).not.toHaveProperty('percent')
  })

  test('a route whose requests no rule takes is named', () => {
    const objects = http(route('http', [{ ...both, matches: [path('/shop')] }]))
    expect(
      plan(objects, config, { routes: mirror([{ path: { prefix: '/other' } }]) }),
    ).toMatchObject([
      { ok: true },
      {
        detail:
          'HTTPRoute "web": no request that its rules take meets the conditions of route \'m\'',
      },
    ])
  })

  test('it takes the word of the block', () => {
    const after = pass(simple, web, { routes: mirror([{ path: { prefix: '/' } }]) })
    expect(rulesIn(after)).toHaveLength(1)
  })
})

describe('what the data plane says', () => {
  const condition = (type: string, observedGeneration: number, status = 'True') => ({
    type,
    status,
    observedGeneration,
  })
  const verified = (...parents: readonly (readonly object[])[]) => {
    const status = { parents: parents.map((conditions) => ({ conditions })) } as Route['status']
    const object = { ...route('http', [both], { generation: 2 }), ...(status ? { status } : {}) }
    return router.observe(web, factsOf(http(object))).verified
  }

  test('a route is taken when every parent has accepted it as it is now', () => {
    const good = [condition('Accepted', 2), condition('ResolvedRefs', 2)]
    expect(verified(good)).toBe(true)
    expect(verified(good, good)).toBe(true)
    expect(verified([condition('Accepted', 1), condition('ResolvedRefs', 2)])).toBe(false)
    expect(verified(good, [condition('Accepted', 2)])).toBe(false)
    expect(verified([condition('Accepted', 2), condition('ResolvedRefs', 2, 'False')])).toBe(false)
  })

  test('nobody can tell as long as no parent says anything', () => {
    expect(verified()).toBeNull()
  })
})

test('once the Rollout is gone, its rules, backends and marks are gone, too', () => {
  const additional = [{ service: 'exp', hash: 'e1', weight: 20 }]
  const managedRoutes = [headerRoute('h')]
  const after = pass(simple, web, { routes: { additional, managedRoutes } })
  const left = written(after, router.release(web, factsOf(after)))
  expect(routeIn(left)).toMatchObject({ metadata: { labels: {}, annotations: {} } })
  expect(rulesIn(left).map(weightsIn)).toEqual([['app-stable 100', 'app-canary 0']])
})
