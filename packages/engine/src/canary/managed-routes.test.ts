import { expect, test } from 'vitest'
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
