import { parseRollout, type Rollout } from '@serinus/api'
import type { Ingress } from '@serinus/engine'
import { expect, test } from 'vitest'
import { createRouters } from './registry.ts'
import { applied, ingressesOf, routesOf, servedIngresses } from './test-objects.ts'

function rollout(trafficRouting: object | null, status: object = {}): Rollout {
  return parseRollout({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { namespace: 'demo', name: 'app', uid: 'app-uid' },
    spec: {
      selector: { matchLabels: { app: 'app' } },
      template: {
        metadata: { labels: { app: 'app' } },
        spec: { containers: [{ name: 'app', image: 'app:v1' }] },
      },
      strategy: {
        canary: {
          stableService: 'app-stable',
          canaryService: 'app-canary',
          ...(trafficRouting && { trafficRouting }),
        },
      },
    },
    status,
  }).value
}

const web: Ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'demo' },
  spec: { rules: [{ http: { paths: [{ backend: { service: { name: 'app-stable' } } }] } }] },
}
const objects = servedIngresses([web])
const nginx = { stableIngress: 'web' }
const routers = createRouters()
const routes = routesOf({ weight: 20, max: 100 })

test('without trafficRouting or with an empty one nobody is asked anything', () => {
  for (const one of [rollout(null), rollout({}), rollout({ managedRoutes: [{ name: 'r' }] })]) {
    expect(routers.observe(one, objects)).toEqual([])
    expect(routers.plan(one, objects, routes)).toEqual([])
    expect(routers.problems(one, objects)).toEqual([])
  }
})

test('a configured router is seen and planned on the scale of maxTrafficWeight', () => {
  const one = rollout({ nginx, maxTrafficWeight: 1000 })
  const plans = routers.plan(one, objects, routesOf({ weight: 15, max: 1000 }))
  const after = applied(objects, plans)
  expect(routers.observe(one, objects)).toMatchObject([
    { type: 'Nginx', weight: 0, verified: null },
  ])
  expect(routers.observe(one, after)).toMatchObject([{ type: 'Nginx', weight: 15, verified: null }])
})

test('the canary Ingress belongs to the Rollout that asked for it', () => {
  const [, canary] = ingressesOf(
    applied(objects, routers.plan(rollout({ nginx }), objects, routes)),
  )
  expect(canary?.metadata).toMatchObject({
    name: 'app-web-canary',
    namespace: 'demo',
    ownerReferences: [{ kind: 'Rollout', name: 'app', uid: 'app-uid' }],
  })
})

test('a router that is not carried is named together with those that are', () => {
  expect(routers.problems(rollout({ plugins: { 'example/router': {} } }), objects)).toEqual([
    {
      path: 'spec.strategy.canary.trafficRouting',
      kind: 'Forbidden',
      detail:
        'trafficRouting.plugins.example/router is not carried by this version and its traffic stays as it is; carried: istio, nginx, alb, smi, ambassador, appMesh, traefik, apisix, gatewayAPI, plugins.argoproj-labs/gatewayAPI',
    },
  ])
})

test('a plugin that nobody carries is refused by its own name, and by no likeness', () => {
  for (const name of ['argoproj-labs/gatewayapi', 'org/contour', 'constructor']) {
    const plugins = { [name]: { httpRoute: 'web' } }
    expect(routers.problems(rollout({ plugins }), objects)).toMatchObject([
      { detail: expect.stringContaining(`trafficRouting.plugins.${name} is not carried`) },
    ])
    expect(routers.observe(rollout({ plugins }), objects)).toMatchObject([{ weight: null }])
  }
})

test('the Gateway API is one router under both of its names, and runs after the others', () => {
  const block = { httpRoute: 'web' }
  const plugins = { 'argoproj-labs/gatewayAPI': block }
  for (const named of [{ plugins }, { gatewayAPI: block }]) {
    const one = rollout({ ...named, nginx })
    expect(routers.problems(one, objects)).toEqual([])
    expect(routers.observe(one, objects).map(({ type }) => type)).toEqual(['Nginx', 'GatewayAPI'])
    expect(routers.watched(one)).toContainEqual(
      expect.objectContaining({ namespace: 'demo', names: ['web'] }),
    )
    expect(routers.plan(one, objects, routes)).toMatchObject([
      { ok: true },
      { ok: false, detail: 'httproutes.gateway.networking.k8s.io are not followed' },
    ])
  }
})

test('no step counts as done by a router that nobody carries, while the others move on', () => {
  const one = rollout({ nginx, plugins: { 'example/router': {} } })
  const plans = routers.plan(one, objects, routes)
  expect(plans.map((plan) => plan.ok)).toEqual([true, false])
  expect(routers.observe(one, applied(objects, plans))).toMatchObject([
    { type: 'Nginx', weight: 20, verified: null },
    { type: 'plugins.example/router', weight: null, verified: null },
  ])
})

test('a canary Ingress is deleted once trafficRouting is gone and stable serves all pods', () => {
  const after = applied(objects, routers.plan(rollout({ nginx }), objects, routes))
  const updating = { stableRS: 's1', currentPodHash: 'c1' }
  const settled = { stableRS: 'c1', currentPodHash: 'c1' }
  expect(routers.removals(rollout(null, updating), after)).toEqual([])
  expect(routers.removals(rollout({ nginx }, settled), after)).toEqual([])
  expect(routers.removals(rollout(null, settled), after)).toMatchObject([
    { kind: 'delete', key: { namespace: 'demo', name: 'app-web-canary' } },
  ])
  expect(routers.removals(rollout(null, settled), objects)).toEqual([])
})
