import { hashLabel } from '@serinus/api'
import { expect, test } from 'vitest'
import { planRollout } from '../plan-rollout.ts'
import { asksAfter, asksBefore, blueGreenWorld, endRun, servedBy } from '../testing/blue-green.ts'
import type { World } from '../testing/world.ts'

const lastRun = (world: World) => world.analysisRuns.at(-1)?.metadata.name ?? ''

test('a preview Service that cannot be written is told by what it still selects, and as not healthy', () => {
  const world = blueGreenWorld()
  world.fails = (id) => id === 'service/preview'
  world.setImage('h2')
  world.pass(60_000)
  const old = world.setOf('h1').metadata.labels?.[hashLabel]
  expect([servedBy(world, 'active'), world.status.blueGreen?.previewSelector]).toEqual(['h2', old])
  expect(world.condition('Healthy')?.status).toBe('False')
  world.fails = () => false
  world.settle()
  expect(world.status.blueGreen?.previewSelector).toBe(world.status.currentPodHash)
  expect(world.condition('Healthy')?.status).toBe('True')
})

test('an aborted version that still serves grows with the Rollout', () => {
  const world = blueGreenWorld(asksAfter)
  world.setImage('h2')
  world.pass(10_000)
  world.fails = (id) => id === 'service/active'
  world.patchStatus({ abort: true })
  world.edit((spec) => ({ ...spec, replicas: 8 }))
  expect([servedBy(world, 'active'), world.size('h1'), world.size('h2')]).toEqual(['h2', 8, 8])
})

test('old pods stay while somebody has to judge an inconclusive analysis', () => {
  const world = blueGreenWorld(asksBefore)
  world.setImage('h2')
  world.pass(10_000)
  world.setImage('h3')
  world.pass(5_000)
  endRun(world, lastRun(world), 'Inconclusive')
  world.pass(600_000)
  expect(world.size('h2')).toBe(5)
  world.patchStatus({ pauseConditions: null })
  expect(world.size('h2')).toBe(0)
})

test('older versions stay while the analysis after the switch runs, unless a delay was asked for', () => {
  const sizes = [undefined, 30].map((scaleDownDelaySeconds) => {
    const delay = scaleDownDelaySeconds === undefined ? {} : { scaleDownDelaySeconds }
    const world = blueGreenWorld({ ...asksAfter, ...delay })
    world.broken.add('h2')
    world.setImage('h2')
    world.setImage('h3')
    world.pass(600_000)
    expect([servedBy(world, 'active'), world.size('h1')]).toEqual(['h3', 5])
    return world.size('h2')
  })
  expect(sizes).toEqual([5, 0])
})

test('an inconclusive analysis stops the switch although it is asked for no more', () => {
  const world = blueGreenWorld(asksBefore)
  world.setImage('h2')
  world.pass(10_000)
  endRun(world, lastRun(world), 'Inconclusive')
  world.edit((spec) => ({ ...spec, strategy: { blueGreen: { activeService: 'active' } } }))
  world.pass(600_000)
  expect([servedBy(world, 'active'), world.status.phase]).toEqual(['h1', 'Paused'])
  world.patchStatus({ pauseConditions: null })
  expect(servedBy(world, 'active')).toBe('h2')
})

test('where EndpointSlices may not be read, a Service without a revision keeps every version', () => {
  const world = blueGreenWorld()
  world.setImage('h2')
  world.pass(10_000)
  const past = world.now + 3_600_000
  const services = world.services.map((one) => ({ ...one, spec: { selector: { app: 'app' } } }))
  const scaled = (snapshot: ReturnType<World['snapshot']>) =>
    planRollout(snapshot, past).writes.filter(({ id }) => id.startsWith('scale/')).length
  expect(scaled({ ...world.snapshot(), endpoints: null })).toBe(1)
  expect(scaled({ ...world.snapshot(), endpoints: null, services })).toBe(0)
})
