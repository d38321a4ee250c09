import type { KubeObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { routerContract } from './router-contract.ts'
import { objectsOf, type RoutedKind, type RoutingObjects } from './routing-objects.ts'
import { smi } from './smi.ts'
import { applied, factsOf, mapObjects, routesOf, served, written } from './test-objects.ts'

const kind = (version: string): RoutedKind => ({
  group: 'split.smi-spec.io',
  kind: 'TrafficSplit',
  plural: 'trafficsplits',
  versions: [version],
})
const first = kind('v1alpha1')
const router = smi({})
const none = served([first, []])
const twenty = routesOf({ weight: 20, max: 100 })
const unavailable = { state: 'unavailable', why: 'the cluster serves no trafficsplits' } as const
const kindless: RoutingObjects = new Map([['trafficsplits.split.smi-spec.io', unavailable]])

const splitsOf = (objects: RoutingObjects) => objectsOf<KubeObject>(objects, first)
const pass = (objects: RoutingObjects, routes = twenty, config = {}) =>
  applied(objects, router.plan(config, factsOf(objects), routes))

routerContract({
  router,
  config: {},
  objects: none,
  missing: { name: 'trafficsplits', objects: kindless },
})

test('a TrafficSplit of the first version has quantities for weights and belongs to the Rollout [traffic-routing 59]', () => {
  expect(splitsOf(pass(none))).toEqual([
    {
      apiVersion: 'split.smi-spec.io/v1alpha1',
      kind: 'TrafficSplit',
      metadata: {
        name: 'app',
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
      spec: {
        service: 'app-stable',
        backends: [
          { service: 'app-canary', weight: '20' },
          { service: 'app-stable', weight: '80' },
        ],
      },
    },
  ])
})

test.each(['v1alpha2', 'v1alpha3', 'v1alpha4'])('later versions have numbers: %s', (version) => {
  const empty = served([kind(version), []])
  const [split] = objectsOf(pass(empty), kind(version))
  expect(split).toMatchObject({
    apiVersion: `split.smi-spec.io/${version}`,
    spec: {
      backends: [
        { service: 'app-canary', weight: 20 },
        { service: 'app-stable', weight: 80 },
      ],
    },
  })
})

test('name and root Service can be chosen', () => {
  const config = { rootService: 'app', trafficSplitName: 'split' }
  expect(splitsOf(pass(none, twenty, config))).toMatchObject([
    { metadata: { name: 'split' }, spec: { service: 'app' } },
  ])
})

test('the creation is told, a new weight is not', () => {
  const [created] = router.plan({}, factsOf(none), twenty)
  expect(created).toMatchObject({
    transitions: [
      {
        type: 'Normal',
        reason: 'TrafficSplitCreated',
        message: 'TrafficSplit `app` created',
        after: 'trafficsplits/app',
      },
    ],
  })
  const after = pass(none)
  const [patched] = router.plan({}, factsOf(after), routesOf({ weight: 40, max: 100 }))
  expect(patched).toMatchObject({ writes: [{ kind: 'patch' }], transitions: [] })
})

test('each template of an Experiment with a weight is a backend, and stable has the rest', () => {
  const experiment = [{ service: 'exp-svc', hash: 'e1', weight: 5 }]
  const routes = routesOf({ weight: 20, max: 100 }, { additional: experiment })
  const objects = pass(none, routes)
  expect(splitsOf(objects)).toMatchObject([
    {
      spec: {
        backends: [
          { service: 'app-canary', weight: '20' },
          { service: 'exp-svc', weight: '5' },
          { service: 'app-stable', weight: '75' },
        ],
      },
    },
  ])
  expect(router.observe({}, factsOf(objects)).weight).toBe(20)
  expect(splitsOf(pass(objects))).toEqual(splitsOf(pass(none)))
})

test.each([
  ['nobody', []],
  ['another Rollout', [{ uid: 'other', controller: true }]],
])('a TrafficSplit that belongs to %s is left alone, and no step passes by it', (_, owners) => {
  const foreign = mapObjects(pass(none), (split) => ({
    ...split,
    metadata: { ...split.metadata, ownerReferences: owners as never },
  }))
  expect(router.plan({}, factsOf(foreign), routesOf({ weight: 40, max: 100 }))).toEqual([
    {
      ok: false,
      reason: 'TrafficRoutingError',
      detail: 'Rollout does not own TrafficSplit `app`',
    },
  ])
  expect(router.observe({}, factsOf(foreign)).weight).toBeNull()
  expect(router.removals(null, factsOf(foreign))).toEqual([])
})

test('without a TrafficSplit the stable Service leads to stable pods, and another root to whatever it selects', () => {
  expect(router.observe({}, factsOf(none)).weight).toBe(0)
  expect(router.observe({ rootService: 'app' }, factsOf(none)).weight).toBeNull()
  expect(router.observe({}, factsOf(kindless)).weight).toBeNull()
})

test('a TrafficSplit over another Service or without weights says nothing', () => {
  const split = (spec: object) => mapObjects(pass(none), (object) => ({ ...object, spec }))
  for (const spec of [
    { ...(splitsOf(pass(none))[0] as KubeObject & { spec: object }).spec, service: 'other' },
    { service: 'app-stable', backends: [] },
    { service: 'app-stable', backends: [{ service: 'app-canary' }] },
    {},
  ]) {
    expect(router.observe({}, factsOf(split(spec))).weight).toBeNull()
  }
})

test('a TrafficSplit of a name that has left the spec goes, the one that it names stays', () => {
  const both = pass(pass(none), twenty, { trafficSplitName: 'split' })
  const left = written(both, router.removals({ trafficSplitName: 'split' }, factsOf(both)))
  expect(splitsOf(left).map(({ metadata }) => metadata.name)).toEqual(['split'])
})

test('a version that was asked for is the only one that is looked for', () => {
  const [watched] = smi({ trafficSplitVersion: 'v1alpha2' }).watches({}, factsOf(none))
  expect(watched?.kind.versions).toEqual(['v1alpha2'])
})
