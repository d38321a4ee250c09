import { parseRollout, type Rollout } from '@serinus/api'
import type { Ingress } from '@serinus/engine'
import { expect, test } from 'vitest'
import { observeRouters, planRemovals, planRouters, unsupportedRouters } from './registry.ts'
import { applied, routesOf } from './router-contract.ts'

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
const objects = { ingresses: [web] }
const nginx = { stableIngress: 'web' }
const routes = routesOf({ weight: 20, max: 100 })

test('without trafficRouting or with an empty one nobody is asked anything', () => {
  for (const one of [rollout(null), rollout({}), rollout({ managedRoutes: [{ name: 'r' }] })]) {
    expect(observeRouters(one, objects)).toEqual([])
    expect(planRouters(one, objects, routes)).toEqual([])
    expect(unsupportedRouters(one)).toEqual([])
  }
})

test('a configured router is seen and planned on the scale of maxTrafficWeight', () => {
  const one = rollout({ nginx, maxTrafficWeight: 1000 })
  const plans = planRouters(one, objects, routesOf({ weight: 15, max: 1000 }))
  const after = applied(objects, plans)
  expect(observeRouters(one, objects)).toEqual([{ type: 'Nginx', weight: 0, verified: null }])
  expect(observeRouters(one, after)).toEqual([{ type: 'Nginx', weight: 15, verified: null }])
})

test('the canary Ingress belongs to the Rollout that asked for it', () => {
  const [, canary] = applied(objects, planRouters(rollout({ nginx }), objects, routes)).ingresses
  expect(canary?.metadata).toMatchObject({
    name: 'app-web-canary',
    namespace: 'demo',
    ownerReferences: [{ kind: 'Rollout', name: 'app', uid: 'app-uid' }],
  })
})

test('a router that is not carried is named together with those that are', () => {
  expect(unsupportedRouters(rollout({ smi: {} }))).toEqual([
    {
      ok: false,
      reason: 'TrafficRoutingError',
      detail:
        'trafficRouting.smi is not carried by this version and its traffic stays as it is; carried: nginx',
    },
  ])
})

test('a plugin is named with its own name', () => {
  const plugins = { 'argoproj-labs/gatewayAPI': { httpRoute: 'web' } }
  expect(unsupportedRouters(rollout({ plugins }))).toMatchObject([
    { detail: expect.stringContaining('trafficRouting.plugins.argoproj-labs/gatewayAPI') },
  ])
})

test('no step counts as done by a router that nobody carries, while the others move on', () => {
  const one = rollout({ nginx, traefik: { weightedTraefikServiceName: 'web' } })
  const plans = planRouters(one, objects, routes)
  expect(plans.map((plan) => plan.ok)).toEqual([true, false])
  expect(observeRouters(one, applied(objects, plans))).toEqual([
    { type: 'Nginx', weight: 20, verified: null },
    { type: 'traefik', weight: null, verified: null },
  ])
})

test('a canary Ingress is deleted once trafficRouting is gone and stable serves all pods', () => {
  const after = applied(objects, planRouters(rollout({ nginx }), objects, routes))
  const updating = { stableRS: 's1', currentPodHash: 'c1' }
  const settled = { stableRS: 'c1', currentPodHash: 'c1' }
  expect(planRemovals(rollout(null, updating), after)).toEqual([])
  expect(planRemovals(rollout({ nginx }, settled), after)).toEqual([])
  expect(planRemovals(rollout(null, settled), after)).toMatchObject([
    { kind: 'delete', key: { namespace: 'demo', name: 'app-web-canary' } },
  ])
  expect(planRemovals(rollout(null, settled), objects)).toEqual([])
})
