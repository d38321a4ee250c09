import type { DesiredRoutes, ManagedRoute } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { apisix as router } from './apisix.ts'
import type { RouterFacts } from './router.ts'
import { routerContract } from './router-contract.ts'
import { objectsOf, type RoutedKind, type RoutingObjects } from './routing-objects.ts'
import { applied, factsOf, mapObjects, routesOf, served, written } from './test-objects.ts'

const kind: RoutedKind = {
  group: 'apisix.apache.org',
  kind: 'ApisixRoute',
  plural: 'apisixroutes',
  versions: ['v2'],
}
const config = { route: { name: 'web', rules: ['web-rule'] } }
const stable = { serviceName: 'app-stable', servicePort: 80 }
const canary = { serviceName: 'app-canary', servicePort: 80 }
const tracing = { subject: { scope: 'Query', name: 'v' }, op: 'Equal', value: '2' }
const rule = {
  name: 'web-rule',
  match: { paths: ['/*'], hosts: ['web.example.com'], exprs: [tracing] },
  backends: [stable, canary],
  plugins: [{ name: 'cors', enable: true }],
}
const other = {
  name: 'other',
  match: { paths: ['/other'] },
  backends: [{ serviceName: 'other', servicePort: 80 }],
}

interface ApisixRoute extends KubeObject {
  readonly spec: { readonly http: readonly (typeof rule)[] }
}

function route(http: unknown, metadata: object = {}): KubeObject {
  return {
    apiVersion: 'apisix.apache.org/v2',
    kind: 'ApisixRoute',
    metadata: { name: 'web', namespace: 'demo', ...metadata },
    spec: { ingressClassName: 'apisix', http },
    status: { conditions: [] },
  } as KubeObject
}

const objects = served([kind, [route([rule, other])]])
const twenty = routesOf({ weight: 20, max: 100 })

type HeaderMatch = (ManagedRoute & { kind: 'header' })['match']
const header = (name: string, ...match: HeaderMatch): ManagedRoute => ({
  kind: 'header',
  name,
  match,
})
const debug = { headerName: 'trace', headerValue: { exact: 'debug' } }
const withHeaders = (...managedRoutes: ManagedRoute[]) =>
  routesOf({ weight: 20, max: 100 }, { managedRoutes })

const routeNamed = (after: RoutingObjects, name: string) =>
  objectsOf<ApisixRoute>(after, kind).find(({ metadata }) => metadata.name === name)
const namesIn = (after: RoutingObjects) =>
  objectsOf<ApisixRoute>(after, kind).map(({ metadata }) => metadata.name)
const pass = (
  before: RoutingObjects,
  routes: DesiredRoutes,
  facts: Partial<RouterFacts> = {},
): RoutingObjects => applied(before, router.plan(config, factsOf(before, facts), routes))

routerContract({ router, config, objects, missing: { name: 'web', objects: served([kind, []]) } })

test('weights are put on the two backends of the named rule, and nothing else changes', () => {
  const after = pass(objects, twenty)
  expect(objectsOf(after, kind)).toEqual([
    route([
      {
        ...rule,
        backends: [
          { ...stable, weight: 80 },
          { ...canary, weight: 20 },
        ],
      },
      other,
    ]),
  ])
})

test('without names of rules the rule that is called like the route is meant', () => {
  const bare = { route: { name: 'web' } }
  const alike = served([kind, [route([{ ...rule, name: 'web' }, other])]])
  const after = applied(alike, router.plan(bare, factsOf(alike), twenty))
  expect(routeNamed(after, 'web')?.spec.http[0]?.backends).toMatchObject([
    { weight: 80 },
    { weight: 20 },
  ])
})

test('rules that disagree, and backends without weights, say no share', () => {
  const two = { route: { name: 'web', rules: ['web-rule', 'second'] } }
  const share = (weight: number) => [
    { ...stable, weight: 100 - weight },
    { ...canary, weight },
  ]
  const rules = (one: number, two: number) => [
    { ...rule, backends: share(one) },
    { ...rule, name: 'second', backends: share(two) },
  ]
  const observed = (http: unknown) =>
    router.observe(two, factsOf(served([kind, [route(http)]]))).weight
  expect(observed(rules(20, 20))).toBe(20)
  expect(observed(rules(20, 30))).toBeNull()
  expect(observed(rules(20, 20).slice(1))).toBeNull()
  expect(router.observe(config, factsOf(objects)).weight).toBeNull()
})

test.each([
  ['no list of rules', undefined, 'spec.http was not found in Apisix Route manifest'],
  ['no such rule', [other], 'Apisix http route rule web-rule not found'],
  [
    'no canary backend',
    [{ ...rule, backends: [stable] }],
    'rule web-rule: apisix route canary backend was not found: "app-canary"',
  ],
  [
    'no stable backend',
    [{ ...rule, backends: [canary] }],
    'rule web-rule: apisix route stable backend was not found: "app-stable"',
  ],
  [
    'a backend without a Service',
    [{ ...rule, backends: [stable, canary, { servicePort: 80 }] }],
    'rule web-rule: serviceName field was not found in backend',
  ],
])('an ApisixRoute with %s is named together with what it lacks', (_, http, detail) => {
  const broken = served([kind, [route(http)]])
  expect(router.plan(config, factsOf(broken), withHeaders(header('h', debug)))).toEqual([
    { ok: false, reason: 'TrafficRoutingError', detail: `ApisixRoute "web": ${detail}` },
  ])
})

test('a block that names no ApisixRoute is refused before an update starts', () => {
  expect(router.check?.({}, factsOf(objects))).toEqual([
    {
      path: 'spec.strategy.canary.trafficRouting.apisix.route.name',
      kind: 'Required value',
      detail: 'must name the ApisixRoute to change',
    },
  ])
  expect(router.check?.(config, factsOf(objects))).toEqual([])
})

test('a header route is a second ApisixRoute that leads to the canary alone and goes before the first [traffic-routing 62]', () => {
  const labels = { team: 'web', 'app.kubernetes.io/instance': 'web', 'helm.sh/chart': 'web-1' }
  const annotations = { 'argocd.argoproj.io/tracking-id': 'web' }
  const before = served([kind, [route([{ ...rule, priority: 4 }, other], { labels, annotations })]])
  const after = pass(before, withHeaders(header('h', debug)))
  expect(routeNamed(after, 'h')).toEqual({
    apiVersion: 'apisix.apache.org/v2',
    kind: 'ApisixRoute',
    metadata: {
      name: 'h',
      namespace: 'demo',
      labels: { team: 'web' },
      ownerReferences: [
        {
          apiVersion: 'argoproj.io/v1alpha1',
          kind: 'Rollout',
          name: 'app',
          uid: 'app-uid',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      ingressClassName: 'apisix',
      http: [
        {
          ...rule,
          priority: 5,
          match: {
            ...rule.match,
            exprs: [
              tracing,
              { subject: { scope: 'Header', name: 'trace' }, op: 'Equal', value: 'debug' },
            ],
          },
          backends: [{ ...canary, weight: 100 }],
        },
      ],
    },
  })
  expect(router.observe(config, factsOf(after)).managedRoutes).toEqual({
    header: ['h'],
    mirror: null,
  })
})

test.each([
  [{ regex: '^v[12]$' }, { op: 'RegexMatch', value: '^v[12]$' }],
  [{ prefix: 'v1.' }, { op: 'RegexMatch', value: '^v1\\..*' }],
])('the value %j is compared as %j', (headerValue, comparison) => {
  const after = pass(objects, withHeaders(header('h', { headerName: 'v', headerValue })))
  expect(routeNamed(after, 'h')?.spec.http[0]?.match.exprs[1]).toMatchObject(comparison)
})

test('of several headers one is enough, unless the Rollout says that all must match', () => {
  const beta = { headerName: 'beta', headerValue: { exact: 'yes' } }
  const routes = withHeaders(header('h', debug, beta))
  const headersOf = (after: RoutingObjects) =>
    routeNamed(after, 'h')?.spec.http.map(({ name, match }) => [
      name,
      ...match.exprs.map(({ subject }) => subject.name),
    ])
  expect(headersOf(pass(objects, routes))).toEqual([
    ['web-rule', 'v', 'trace'],
    ['web-rule-1', 'v', 'beta'],
  ])
  expect(headersOf(pass(objects, routes, { headerMatch: 'and' }))).toEqual([
    ['web-rule', 'v', 'trace', 'beta'],
  ])
})

test('of several header routes the first of managedRoutes goes before the next', () => {
  const after = pass(objects, withHeaders(header('a', debug), header('b', debug)))
  const priority = (name: string) =>
    (routeNamed(after, name)?.spec.http[0] as { priority?: number } | undefined)?.priority
  expect([priority('a'), priority('b')]).toEqual([2, 1])
})

test('a header route follows a change of the rule that it was copied from', () => {
  const routes = withHeaders(header('h', debug))
  const changed = mapObjects(pass(objects, routes), (object) =>
    object.metadata.name === 'web'
      ? route([{ ...rule, match: { ...rule.match, paths: ['/v2/*'] } }, other])
      : object,
  )
  expect(routeNamed(pass(changed, routes), 'h')?.spec.http[0]?.match.paths).toEqual(['/v2/*'])
})

test('a header route that no step asks for any more is deleted, even if the first route is gone', () => {
  const both = pass(objects, withHeaders(header('a', debug), header('b', debug)))
  expect(namesIn(pass(both, withHeaders(header('b', debug))))).toEqual(['web', 'b'])
  expect(namesIn(pass(both, twenty))).toEqual(['web'])
  const orphans = written(both, [
    {
      kind: 'delete',
      id: 'web',
      resource: { ...kind, version: 'v2', namespaced: true },
      key: { namespace: 'demo', name: 'web' },
    },
  ])
  expect(namesIn(pass(orphans, twenty))).toEqual([])
})

test('an ApisixRoute of that name that is not ours is left alone', () => {
  const taken = served([kind, [route([rule]), route([other], { name: 'h' })]])
  expect(router.plan(config, factsOf(taken), withHeaders(header('h', debug)))).toMatchObject([
    { ok: true, writes: [{ key: { name: 'web' } }] },
    { ok: false, detail: 'duplicate ApisixRoute [h] already exists' },
  ])
  expect(router.observe(config, factsOf(taken)).managedRoutes.header).toEqual([])
  expect(namesIn(pass(taken, twenty))).toEqual(['web', 'h'])
})

test('a header route on its way out does not count and is not written', () => {
  const routes = withHeaders(header('h', debug))
  const leaving = mapObjects(pass(objects, routes), (object) =>
    object.metadata.name === 'h'
      ? {
          ...object,
          metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
        }
      : object,
  )
  expect(router.observe(config, factsOf(leaving)).managedRoutes.header).toEqual([])
  for (const wanted of [routes, twenty]) {
    const plans = router.plan(config, factsOf(leaving), wanted)
    expect(plans.flatMap((plan) => (plan.ok ? plan.writes : []))).toEqual([])
  }
})

test('whatever header routes are asked for one after the other, one pass settles and the next writes nothing', () => {
  const value = fc.constantFrom({ exact: 'a' }, { prefix: 'b' }, { regex: 'c' })
  const match = fc.record({ headerName: fc.constantFrom('x', 'y'), headerValue: value })
  const wanted = fc.uniqueArray(
    fc.record({
      kind: fc.constant('header' as const),
      name: fc.constantFrom('a', 'b', 'c'),
      match: fc.array(match, { minLength: 1, maxLength: 3 }),
    }),
    { selector: ({ name }) => name },
  )
  fc.assert(
    fc.property(fc.array(wanted, { minLength: 1, maxLength: 4 }), (lists) => {
      let now = objects
      for (const managedRoutes of lists) {
        const routes = routesOf({ weight: 20, max: 100 }, { managedRoutes })
        now = pass(now, routes)
        const { header: present } = router.observe(config, factsOf(now)).managedRoutes
        expect(present?.toSorted()).toEqual(managedRoutes.map(({ name }) => name).sort())
        const again = router.plan(config, factsOf(now), routes)
        const nothing = { ok: true, writes: [], transitions: [] }
        expect(again).toEqual(again.map(() => nothing))
      }
      expect(namesIn(pass(now, twenty))).toEqual(['web'])
    }),
    { numRuns: 40 },
  )
})
