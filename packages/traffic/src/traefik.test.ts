import type { KubeObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { routerContract } from './router-contract.ts'
import type { RoutedKind } from './routing-objects.ts'
import { objectsOf } from './routing-objects.ts'
import { applied, factsOf, routesOf, served } from './test-objects.ts'
import { traefik } from './traefik.ts'

const kind: RoutedKind = {
  group: 'traefik.io',
  kind: 'TraefikService',
  plural: 'traefikservices',
  versions: ['v1alpha1'],
}
const router = traefik({})
const config = { weightedTraefikServiceName: 'web' }

function traefikService(services: unknown, name = 'web') {
  return {
    apiVersion: 'traefik.io/v1alpha1',
    kind: 'TraefikService',
    metadata: { name, namespace: 'demo' },
    spec: { weighted: { services, sticky: { cookie: { name: 'lb' } } } },
  } as KubeObject
}

const bare = [
  { name: 'app-stable', port: 80 },
  { name: 'app-canary', port: 80 },
]
const objects = served([kind, [traefikService(bare)]])
const twenty = routesOf({ weight: 20, max: 100 })

routerContract({
  router,
  config,
  objects,
  missing: { name: 'web', objects: served([kind, [traefikService(bare, 'other')]]) },
})

test('a TraefikService without weights gets them, and a second pass writes nothing [traffic-routing 61]', () => {
  const after = applied(objects, router.plan(config, factsOf(objects), twenty))
  expect(objectsOf(after, kind)).toMatchObject([
    {
      spec: {
        weighted: {
          services: [
            { name: 'app-stable', port: 80, weight: 80 },
            { name: 'app-canary', port: 80, weight: 20 },
          ],
          sticky: { cookie: { name: 'lb' } },
        },
      },
    },
  ])
  expect(router.plan(config, factsOf(after), twenty)).toEqual([
    { ok: true, writes: [], transitions: [] },
  ])
})

test('without weights Traefik splits evenly, which is no share that anybody asked for', () => {
  expect(router.observe(config, factsOf(objects)).weight).toBeNull()
})

test('further entries keep their weights', () => {
  const other = { name: 'maintenance', port: 80, weight: 7 }
  const three = served([kind, [traefikService([...bare, other])]])
  const after = applied(three, router.plan(config, factsOf(three), twenty))
  const [object] = objectsOf<KubeObject & { spec: { weighted: { services: unknown[] } } }>(
    after,
    kind,
  )
  expect(object?.spec.weighted.services[2]).toEqual(other)
})

test.each([
  ['no list', undefined, 'spec.weighted.services was not found in traefik service manifest'],
  ['no canary', [bare[0]], 'traefik canary service was not found: "app-canary"'],
  ['no stable', [bare[1]], 'traefik stable service was not found: "app-stable"'],
  ['an entry without a name', [...bare, { port: 80 }], 'name field was not found in service'],
])('a TraefikService with %s is named together with what it lacks', (_, services, detail) => {
  const broken = served([kind, [traefikService(services)]])
  expect(router.plan(config, factsOf(broken), twenty)).toEqual([
    { ok: false, reason: 'TrafficRoutingError', detail: `TraefikService "web": ${detail}` },
  ])
})

test('a cluster without the kind is told as such', () => {
  const why = 'the cluster serves no traefikservices.traefik.io'
  const none = new Map([['traefikservices.traefik.io', { state: 'unavailable', why } as const]])
  expect(router.plan(config, factsOf(none), twenty)).toMatchObject([{ ok: false, detail: why }])
  expect(router.observe(config, factsOf(none)).weight).toBeNull()
})

test('Traefik 2 has the kind in a group of its own', () => {
  const two = traefik({ traefikGroup: 'traefik.containo.us' })
  expect(two.watches(config, factsOf(objects))).toMatchObject([
    { kind: { group: 'traefik.containo.us', versions: ['v1alpha1'] }, names: ['web'] },
  ])
})
