import { expect, test } from 'vitest'
import { service } from '../testing/blue-green.ts'
import { type Canary, canaryRollout, World } from '../testing/world.ts'
import { canaryFacts } from './facts.ts'
import { managedRoutesAt } from './managed-routes.ts'

const header = [{ headerName: 'x', headerValue: { exact: 'y' } }]
const mirror = [{ method: { exact: 'GET' } }]

const canary: Canary = {
  trafficRouting: { managedRoutes: [{ name: 'copy' }, { name: 'beta' }] },
  steps: [
    { setHeaderRoute: { name: 'beta', match: header } },
    { setMirrorRoute: { name: 'copy', match: mirror } },
    { setHeaderRoute: { name: 'beta', match: [] } },
    { setMirrorRoute: { name: 'copy' } },
  ],
}

const at = (index: number) => {
  const world = new World(canaryRollout(canary))
  return managedRoutesAt(canaryFacts(world.snapshot(), world.now), index).map(({ name }) => name)
}

test('a route exists from its step on until a step without a match takes it away, in the order of managedRoutes', () => {
  expect([at(0), at(1), at(2), at(3)]).toEqual([['beta'], ['copy', 'beta'], ['copy'], []])
})

test('a mirror copies everything that matches unless told otherwise', () => {
  const world = new World(canaryRollout(canary))
  const [copy] = managedRoutesAt(canaryFacts(world.snapshot(), world.now), 1)
  expect(copy).toEqual({ kind: 'mirror', name: 'copy', match: mirror, percentage: 100 })
})

/** Healthy, behind a router that takes routes. */
function routedWorld(steps: Canary['steps']): World {
  const world = new World(
    canaryRollout({
      stableService: 'stable',
      canaryService: 'canary',
      trafficRouting: {
        istio: { virtualService: { name: 'web' } },
        managedRoutes: [{ name: 'beta' }],
      },
      ...(steps ? { steps } : {}),
    }),
    { services: [service('stable'), service('canary')], weight: 0 },
  )
  world.routerTakesRoutes = true
  world.pass(60_000)
  return world
}

test('a step with a route is over when the router has it, and one that takes it away when it has it no more [traffic-routing 21]', () => {
  const world = routedWorld([
    { setCanaryScale: { replicas: 1 } },
    { setHeaderRoute: { name: 'beta', match: header } },
    { pause: {} },
    { setHeaderRoute: { name: 'beta' } },
    { pause: {} },
  ])
  world.routerWorks = false
  world.setImage('app:v2')
  world.pass(120_000)
  expect(world.status.currentStepIndex).toBe(1)
  expect(world.plans.at(-1)?.waits).toContainEqual({
    kind: 'managed-routes',
    step: 1,
    routes: ['beta'],
  })
  world.routerWorks = true
  world.pass(10_000)
  expect(world.status.currentStepIndex).toBe(2)
  expect(world.managedRoutes.map(({ name }) => name)).toEqual(['beta'])
  world.routerWorks = false
  world.patchStatus({ pauseConditions: null })
  world.pass(60_000)
  expect(world.status.currentStepIndex).toBe(3)
  world.routerWorks = true
  world.pass(10_000)
  expect(world.status.currentStepIndex).toBe(4)
  expect(world.managedRoutes).toEqual([])
})

test('a route whose step passed before the first pod was there exists from that pod on [traffic-routing 22]', () => {
  const world = routedWorld([
    { setHeaderRoute: { name: 'beta', match: header } },
    { setCanaryScale: { replicas: 1 } },
    { pause: {} },
  ])
  world.setImage('app:v2')
  world.pass(1_000)
  expect(world.status.currentStepIndex).toBe(1)
  expect(world.managedRoutes).toEqual([])
  world.pass(60_000)
  expect(world.status.currentStepIndex).toBe(2)
  expect(world.managedRoutes.map(({ name }) => name)).toEqual(['beta'])
})
