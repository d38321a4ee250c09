import { expect, test } from 'vitest'
import {
  asksAfter,
  asksBefore,
  blueGreenWorld,
  deadlineOf,
  endRun,
  servedBy,
} from '../testing/blue-green.ts'
import type { World } from '../testing/world.ts'

const runName = (world: World, infix: string) =>
  world.analysisRuns.find((run) => run.metadata.name.includes(`-${infix}`))?.metadata.name ?? ''

/** h2 is active, h1 still stable, and the analysis after the switch runs. */
function judgedWorld(blueGreen: Parameters<typeof blueGreenWorld>[0] = {}): World {
  const world = blueGreenWorld({ ...asksAfter, ...blueGreen })
  world.setImage('h2')
  world.pass(10_000)
  return world
}

test('a failed analysis after the switch brings the old version back although the new one lacks a pod [rollout-controller 45]', () => {
  const world = judgedWorld()
  expect(servedBy(world, 'active')).toBe('h2')
  world.mostReady.set('h2', 4)
  world.settle()
  endRun(world, runName(world, 'post'), 'Failed')
  expect(servedBy(world, 'active')).toBe('h1')
  expect(world.status.message).toBe(
    'RolloutAborted: Rollout aborted update to revision 2: Blue/green post-promotion analysis phase error/failed',
  )
  world.pass(29_000)
  expect(world.size('h2')).toBe(5)
  world.pass(2_000)
  expect([world.size('h1'), world.size('h2')]).toEqual([5, 0])
})

test('an aborted version stays as long as the active Service cannot be taken away from it', () => {
  const world = judgedWorld()
  world.fails = (id) => id === 'service/active'
  world.patchStatus({ abort: true })
  world.pass(3_600_000)
  expect([servedBy(world, 'active'), world.size('h2')]).toEqual(['h2', 5])
  expect(deadlineOf(world, 'h2')).toBeUndefined()
  world.fails = () => false
  world.settle()
  world.pass(3_600_000)
  expect([servedBy(world, 'active'), world.size('h2')]).toEqual(['h1', 0])
})

test('an aborted version keeps the traffic until the stable one has at least as many pods', () => {
  const world = judgedWorld()
  world.mostReady.set('h1', 2)
  world.mostReady.set('h2', 4)
  world.settle()
  world.patchStatus({ abort: true })
  expect(servedBy(world, 'active')).toBe('h2')
  world.mostReady.set('h1', 4)
  world.settle()
  expect(servedBy(world, 'active')).toBe('h1')
})

test('an aborted version that serves nobody any more goes when EndpointSlices have followed, after its delay', () => {
  const world = judgedWorld()
  world.endpointLagMs = 60_000
  world.patchStatus({ abort: true })
  expect(servedBy(world, 'active')).toBe('h1')
  world.pass(59_000)
  expect([world.size('h2'), deadlineOf(world, 'h2')]).toEqual([5, undefined])
  world.pass(1_000)
  expect(deadlineOf(world, 'h2')).toBeDefined()
  world.pass(29_000)
  expect(world.size('h2')).toBe(5)
  world.pass(2_000)
  expect(world.size('h2')).toBe(0)
})

test('an abort before the switch leaves both Services where they are and takes the new pods after 30 s [rollout-controller 46]', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false })
  world.setImage('h2')
  world.pass(10_000)
  world.forget()
  world.patchStatus({ abort: true })
  expect([servedBy(world, 'preview'), servedBy(world, 'active')]).toEqual(['h2', 'h1'])
  expect(world.status.phase).toBe('Degraded')
  world.pass(29_000)
  expect(world.size('h2')).toBe(5)
  world.pass(1_000)
  expect(world.scalings()).toEqual(['h2 5→0'])
  expect([servedBy(world, 'preview'), servedBy(world, 'active')]).toEqual(['h2', 'h1'])
  expect(world.writes.filter(({ id }) => id.startsWith('service/'))).toEqual([])
})

test('with an abort delay of 0 the new pods stay for good', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false, abortScaleDownDelaySeconds: 0 })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ abort: true })
  world.pass(86_400_000)
  expect(world.size('h2')).toBe(5)
})

test('an abort delay beyond 15 minutes is kept to the second', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false, abortScaleDownDelaySeconds: 3_600 })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ abort: true })
  world.pass(3_599_000)
  expect(world.size('h2')).toBe(5)
  world.pass(1_000)
  expect(world.size('h2')).toBe(0)
})

test('an abort switches back although the user paused the Rollout', () => {
  const world = judgedWorld()
  world.edit((spec) => ({ ...spec, paused: true }))
  world.patchStatus({ abort: true })
  expect(servedBy(world, 'active')).toBe('h1')
  world.pass(60_000)
  expect(world.size('h2')).toBe(0)
})

test('an abort wins over a full promotion', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false })
  world.mostReady.set('h2', 4)
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ promoteFull: true })
  world.patchStatus({ abort: true })
  world.mostReady.delete('h2')
  world.pass(60_000)
  expect([servedBy(world, 'active'), world.status.promoteFull]).toEqual(['h1', undefined])
  expect(world.status.phase).toBe('Degraded')
})

test('a retry asks and pauses anew', () => {
  const world = blueGreenWorld({ ...asksBefore, autoPromotionEnabled: false })
  world.setImage('h2')
  world.pass(10_000)
  const first = runName(world, 'pre')
  endRun(world, first, 'Failed')
  expect(world.status.phase).toBe('Degraded')
  expect(world.status.blueGreen?.prePromotionAnalysisRunStatus?.status).toBe('Failed')
  world.pass(60_000)
  expect(world.size('h2')).toBe(0)
  world.forget()
  world.patchStatus({ abort: false })
  expect(world.scalings()).toEqual(['h2 0→5'])
  const stored = world.writes.map((write) => JSON.stringify(write))
  expect(stored.some((text) => text.includes('RolloutRetry'))).toBe(true)
  world.pass(5_000)
  const second = world.status.blueGreen?.prePromotionAnalysisRunStatus?.name ?? ''
  expect(second).toBe(`${first}.1`)
  endRun(world, second, 'Successful')
  expect(world.status.message).toBe('BlueGreenPause')
  world.patchStatus({ pauseConditions: null })
  expect(servedBy(world, 'active')).toBe('h2')
})

test('a version that is applied again while its aborted pods are still there goes through everything again', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ abort: true })
  world.setImage('h1')
  expect(world.status.phase).toBe('Healthy')
  world.setImage('h2')
  world.pass(10_000)
  expect([servedBy(world, 'active'), world.status.message]).toEqual(['h1', 'BlueGreenPause'])
})

test('pods that never become ready exceed the deadline, and abort where asked', () => {
  const world = blueGreenWorld()
  world.edit((spec) => ({ ...spec, progressDeadlineSeconds: 60, progressDeadlineAbort: true }))
  world.broken.add('h2')
  world.setImage('h2')
  world.pass(59_000)
  expect(world.status.abort).toBeUndefined()
  world.pass(12_000)
  expect([world.status.abort, world.status.phase]).toEqual([true, 'Degraded'])
  expect(servedBy(world, 'active')).toBe('h1')
})

test('an abort of a promoted Rollout is taken away and writes nothing else', () => {
  const world = blueGreenWorld()
  world.setImage('h2')
  world.pass(10_000)
  world.forget()
  world.patchStatus({ abort: true })
  expect(world.status.abort).toBeUndefined()
  expect(world.writes.map(({ id }) => id)).toEqual(['status'])
  expect(world.status.phase).toBe('Healthy')
})
