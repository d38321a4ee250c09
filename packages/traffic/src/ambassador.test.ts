import type { KubeObject } from '@serinus/kube'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ambassador } from './ambassador.ts'
import { routerContract } from './router-contract.ts'
import { objectsOf, type RoutedKind, type RoutingObjects } from './routing-objects.ts'
import { applied, factsOf, mapObjects, routesOf, served, written } from './test-objects.ts'

const kind: RoutedKind = {
  group: 'getambassador.io',
  kind: 'Mapping',
  plural: 'mappings',
  versions: ['v2'],
}
const router = ambassador({})
const config = { mappings: ['m'] }

interface Mapping extends KubeObject {
  readonly spec: { readonly service: string; readonly weight?: number }
}

function mapping(name: string, spec: object = {}, metadata: object = {}): KubeObject {
  return {
    apiVersion: 'getambassador.io/v2',
    kind: 'Mapping',
    metadata: { name, namespace: 'demo', ...metadata },
    spec: { prefix: '/app', service: 'app-stable:80', ...spec },
  } as KubeObject
}

const objects = served([kind, [mapping('m')]])
const weightOf = (weight: number, max = 100) => routesOf({ weight, max })
const pass = (before: RoutingObjects, weight: number, one = config) =>
  applied(before, router.plan(one, factsOf(before), weightOf(weight)))
const mappingNamed = (after: RoutingObjects, name: string) =>
  objectsOf<Mapping>(after, kind).find(({ metadata }) => metadata.name === name)
const namesIn = (after: RoutingObjects) =>
  objectsOf<Mapping>(after, kind).map(({ metadata }) => metadata.name)
const removedFrom = (before: RoutingObjects, one: typeof config | null = config) =>
  namesIn(written(before, router.removals(one, factsOf(before))))

routerContract({
  router,
  config,
  objects,
  missing: { name: '"m"', objects: served([kind, []]) },
})

test('a canary Mapping of ours is made with the first weight and goes when that is back at 0 [traffic-routing 60]', () => {
  expect(namesIn(pass(objects, 0))).toEqual(['m'])
  const thirty = pass(objects, 30)
  expect(mappingNamed(thirty, 'm-canary')).toEqual({
    apiVersion: 'getambassador.io/v2',
    kind: 'Mapping',
    metadata: {
      name: 'm-canary',
      namespace: 'demo',
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
    spec: { prefix: '/app', service: 'app-canary:80', weight: 30 },
  })
  expect(mappingNamed(thirty, 'm')).toEqual(mapping('m'))
  expect(removedFrom(thirty)).toEqual(['m', 'm-canary'])
  const zero = pass(thirty, 0)
  expect(mappingNamed(zero, 'm-canary')?.spec.weight).toBe(0)
  expect(removedFrom(zero)).toEqual(['m'])
})

test('the weight is told with the write that sets it, and not again', () => {
  const told = (before: RoutingObjects, weight: number) =>
    router
      .plan(config, factsOf(before), weightOf(weight))
      .flatMap((plan) => (plan.ok ? plan.transitions : []))
  expect(told(objects, 30)).toEqual([
    {
      type: 'Normal',
      reason: 'CanaryMappingWeightUpdate',
      message: 'Set canary mapping weight to 30',
      after: 'mappings/m-canary',
    },
  ])
  const thirty = pass(objects, 30)
  expect(told(thirty, 60)).toMatchObject([{ message: 'Set canary mapping weight to 60' }])
  expect(told(thirty, 30)).toEqual([])
  expect(told(objects, 0)).toEqual([])
})

test.each([
  ['app-stable', 'app-canary'],
  ['app-stable:80', 'app-canary:80'],
  ['https://app-stable', 'https://app-canary'],
  ['http://app-stable.demo:8080', 'http://app-canary.demo:8080'],
  ['app-stable.demo.svc.cluster.local:80', 'app-canary.demo.svc.cluster.local:80'],
])('of the address %s only the Service is another: %s', (service, canary) => {
  const after = pass(served([kind, [mapping('m', { service })]]), 20)
  expect(mappingNamed(after, 'm-canary')?.spec.service).toBe(canary)
})

test.each(['my-app-stable:80', 'app-stable-2', 'app-stable.other:80', 'other', ''])(
  'a Mapping to %j leads elsewhere, which is told',
  (service) => {
    const elsewhere = served([kind, [mapping('m', { service })]])
    expect(router.plan(config, factsOf(elsewhere), weightOf(20))).toEqual([
      {
        ok: false,
        reason: 'TrafficRoutingError',
        detail: `Mapping "m": spec.service "${service}" does not lead to Service "app-stable"`,
      },
    ])
  },
)

test('a base Mapping with a weight and an empty list are refused before an update starts', () => {
  const path = 'spec.strategy.canary.trafficRouting.ambassador.mappings'
  const weighted = served([kind, [mapping('m'), mapping('n', { weight: 50 })]])
  expect(router.check?.({ mappings: ['m', 'n'] }, factsOf(weighted))).toEqual([
    {
      path: `${path}[1]`,
      kind: 'Invalid value',
      value: 'n',
      detail: 'Ambassador mapping "n" can not define weight',
    },
  ])
  expect(router.check?.({ mappings: [] }, factsOf(weighted))).toMatchObject([
    { path, detail: 'must provide at least one mapping' },
  ])
  expect(router.check?.(config, factsOf(pass(objects, 20)))).toEqual([])
})

test('what the base says goes over to the canary Mapping, labels at its creation but for those of tools', () => {
  const metadata = {
    labels: { team: 'web', 'app.kubernetes.io/instance': 'web' },
    annotations: { 'argocd.argoproj.io/tracking-id': 'web' },
  }
  const before = served([kind, [mapping('m', { timeout_ms: 500 }, metadata)]])
  const after = pass(before, 20)
  const canary = mappingNamed(after, 'm-canary')
  expect(canary?.spec).toMatchObject({ timeout_ms: 500 })
  expect(canary?.metadata.labels).toEqual({ team: 'web' })
  expect(canary?.metadata.annotations).toBeUndefined()
  const changed = mapObjects(after, (object) =>
    object.metadata.name === 'm' ? mapping('m', { prefix: '/v2' }) : object,
  )
  expect(mappingNamed(pass(changed, 20), 'm-canary')?.spec).toEqual({
    prefix: '/v2',
    service: 'app-canary:80',
    weight: 20,
  })
})

test('a canary Mapping that Argo Rollouts left in the middle of an update is taken over', () => {
  const left = served([
    kind,
    [mapping('m'), mapping('m-canary', { service: 'app-canary:80', weight: 30 })],
  ])
  expect(router.observe(config, factsOf(left)).weight).toBe(30)
  const after = pass(left, 30)
  expect(mappingNamed(after, 'm-canary')?.metadata.ownerReferences).toMatchObject([
    { uid: 'app-uid', controller: true },
  ])
  expect(removedFrom(pass(after, 0))).toEqual(['m'])
})

test.each([
  ['leads elsewhere', { service: 'other', weight: 30 }, {}],
  [
    'has another owner',
    { service: 'app-canary:80', weight: 30 },
    { ownerReferences: [{ uid: 'other', controller: true }] },
  ],
])('a Mapping of that name that %s is left alone, and no step passes by it', (_, spec, owners) => {
  const taken = served([kind, [mapping('m'), mapping('m-canary', spec, owners)]])
  expect(router.plan(config, factsOf(taken), weightOf(20))).toEqual([
    {
      ok: false,
      reason: 'TrafficRoutingError',
      detail: 'canary mapping `m-canary` controlled by different object',
    },
  ])
  expect(router.observe(config, factsOf(taken)).weight).toBeNull()
  expect(removedFrom(taken, null)).toEqual(['m', 'm-canary'])
})

test('a Mapping that is missing does not keep another one on an old weight', () => {
  const one = { mappings: ['gone', 'm'] }
  const plans = router.plan(one, factsOf(objects), weightOf(20))
  expect(plans).toMatchObject([
    { ok: false, detail: 'mappings.getambassador.io "gone" not found' },
    { ok: true, writes: [{ kind: 'create' }] },
  ])
  expect(router.observe(one, factsOf(applied(objects, plans))).weight).toBeNull()
})

test('Mappings that disagree, and one without a weight, say no share', () => {
  const both = { mappings: ['m', 'n'] }
  const two = served([kind, [mapping('m'), mapping('n')]])
  const after = pass(two, 20, both)
  expect(router.observe(both, factsOf(after)).weight).toBe(20)
  const one = mapObjects(after, (object) =>
    object.metadata.name === 'n-canary'
      ? { ...object, spec: { service: 'app-canary:80', prefix: '/app' } }
      : object,
  )
  expect(router.observe(both, factsOf(one)).weight).toBeNull()
  expect(router.observe(both, factsOf(pass(two, 20))).weight).toBeNull()
})

test('a share that is no whole percent is told rather than rounded', () => {
  expect(router.plan(config, factsOf(objects), weightOf(15, 1000))).toMatchObject([
    {
      ok: false,
      detail: 'Mapping "m": weight 15 of 1000 is no whole percent, and Ambassador knows no other',
    },
  ])
})

test('a long name is cut so that the canary Mapping has one of 253 characters', () => {
  const name = 'm'.repeat(250)
  const after = pass(served([kind, [mapping(name)]]), 20, { mappings: [name] })
  expect(namesIn(after)[1]).toBe(`${'m'.repeat(246)}-canary`)
})

test('a canary Mapping whose base has left the list goes, whatever its weight', () => {
  const both = served([kind, [mapping('m'), mapping('n')]])
  const after = pass(both, 20, { mappings: ['m', 'n'] })
  expect(removedFrom(after)).toEqual(['m', 'n', 'm-canary'])
})

test('the group x.getambassador.io has the kind under a name of its own', () => {
  const settings = { ambassadorGroup: 'x.getambassador.io', ambassadorVersion: 'v3alpha1' }
  const [watched] = ambassador(settings).watches(config, factsOf(objects))
  expect(watched?.kind).toEqual({
    group: 'x.getambassador.io',
    kind: 'AmbassadorMapping',
    plural: 'ambassadormappings',
    versions: ['v3alpha1'],
  })
})

test('whatever weights follow one another, a canary Mapping has them and a base none', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 6 }), (weights) => {
      let now = objects
      for (const weight of weights) {
        now = pass(now, weight)
        expect(mappingNamed(now, 'm')).toEqual(mapping('m'))
        expect(mappingNamed(now, 'm-canary')?.spec.weight ?? 0).toBe(weight)
      }
    }),
    { numRuns: 40 },
  )
})
