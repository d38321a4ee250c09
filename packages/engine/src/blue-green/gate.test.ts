import { expect, test } from 'vitest'
import {
  asksBefore,
  blueGreenWorld,
  deadlineOf,
  endRun,
  servedBy,
  service,
} from '../testing/blue-green.ts'
import type { World } from '../testing/world.ts'

const gated = { autoPromotionEnabled: false }
const pausesOf = ({ status }: World) => status.pauseConditions?.map((pause) => pause.reason) ?? []
const sameOf = (world: World, image: string) => [servedBy(world, 'active'), world.size(image)]

test('without automatic promotion the update pauses only when all pods are available, until somebody promotes [rollout-controller 41]', () => {
  const world = blueGreenWorld(gated)
  world.mostReady.set('h2', 4)
  world.setImage('h2')
  world.pass(60_000)
  expect(pausesOf(world)).toEqual([])
  world.mostReady.delete('h2')
  world.settle()
  expect(pausesOf(world)).toEqual(['BlueGreenPause'])
  expect([world.status.phase, world.status.message]).toEqual(['Paused', 'BlueGreenPause'])
  expect(world.plans.at(-1)?.waits[0]).toMatchObject({ kind: 'gate', step: null })
  world.pass(86_400_000)
  expect(servedBy(world, 'active')).toBe('h1')
  world.forget()
  world.patchStatus({ pauseConditions: null })
  expect(servedBy(world, 'active')).toBe('h2')
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
  expect(deadlineOf(world, 'h1')).toBeDefined()
  const ids = world.writes.map((write) => write.id)
  const deadline = `deadline/${world.setOf('h1').metadata.name}`
  expect(ids.indexOf(deadline)).toBeGreaterThan(ids.indexOf('service/active'))
  expect(world.status.controllerPause).toBeUndefined()
})

test('a promotion given while a pod is not ready is carried out when it is', () => {
  const world = blueGreenWorld(gated)
  world.setImage('h2')
  world.pass(10_000)
  world.mostReady.set('h2', 4)
  world.settle()
  world.patchStatus({ pauseConditions: null })
  expect(servedBy(world, 'active')).toBe('h1')
  world.pass(60_000)
  world.mostReady.delete('h2')
  world.settle()
  expect([servedBy(world, 'active'), pausesOf(world)]).toEqual(['h2', []])
})

test('a promotion survives an active Service that cannot be written', () => {
  const world = blueGreenWorld(gated)
  world.setImage('h2')
  world.pass(10_000)
  world.fails = (id) => id === 'service/active'
  world.patchStatus({ pauseConditions: null })
  expect(servedBy(world, 'active')).toBe('h1')
  expect(world.plans.at(-1)?.waits).toContainEqual(
    expect.objectContaining({ kind: 'effect', id: 'service/active' }),
  )
  world.fails = () => false
  world.pass(1_000)
  expect(servedBy(world, 'active')).toBe('h2')
})

test('with autoPromotionSeconds the switch comes after that time, strictly [rollout-controller 42]', () => {
  const world = blueGreenWorld({ autoPromotionSeconds: 10 })
  world.setImage('h2')
  world.pass(5_000)
  expect(pausesOf(world)).toEqual(['BlueGreenPause'])
  expect(world.plans.at(-1)?.waits[0]).toMatchObject({ kind: 'timer', until: world.now + 10_000 })
  world.pass(10_000)
  expect(servedBy(world, 'active')).toBe('h1')
  world.pass(1)
  expect(servedBy(world, 'active')).toBe('h2')
})

test('autoPromotionSeconds mean nothing where automatic promotion is off', () => {
  const world = blueGreenWorld({ ...gated, autoPromotionSeconds: 10 })
  world.setImage('h2')
  world.pass(3_600_000)
  expect([servedBy(world, 'active'), world.status.phase]).toEqual(['h1', 'Paused'])
})

test('a promotion by hand ends the wait for autoPromotionSeconds', () => {
  const world = blueGreenWorld({ autoPromotionSeconds: 600 })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ pauseConditions: null })
  expect(servedBy(world, 'active')).toBe('h2')
})

test('a pause ends where automatic promotion is switched on', () => {
  const world = blueGreenWorld(gated)
  world.setImage('h2')
  world.pass(10_000)
  world.edit((spec) => ({ ...spec, strategy: { blueGreen: { activeService: 'active' } } }))
  expect([servedBy(world, 'active'), pausesOf(world)]).toEqual(['h2', []])
})

test('a small preview grows only when analysis and pause are over, and serves when all are available [rollout-controller 43]', () => {
  const world = blueGreenWorld({ ...gated, ...asksBefore, previewReplicaCount: 3 })
  world.setImage('h2')
  world.pass(60_000)
  expect(sameOf(world, 'h2')).toEqual(['h1', 3])
  expect(pausesOf(world)).toEqual([])
  endRun(world, world.analysisRuns[0]?.metadata.name ?? '', 'Successful')
  expect([...sameOf(world, 'h2'), ...pausesOf(world)]).toEqual(['h1', 3, 'BlueGreenPause'])
  world.forget()
  world.patchStatus({ pauseConditions: null })
  expect(world.status.blueGreen?.scaleUpPreviewCheckPoint).toBe(true)
  expect(world.scalings()).toEqual(['h2 3→5'])
  expect(servedBy(world, 'active')).toBe('h1')
  world.pass(5_000)
  expect(servedBy(world, 'active')).toBe('h2')
  expect(world.status.blueGreen?.scaleUpPreviewCheckPoint).toBeUndefined()
})

test('a small preview without analysis or pause grows as soon as it is available', () => {
  const world = blueGreenWorld({ previewReplicaCount: 3 })
  world.setImage('h2')
  expect(world.size('h2')).toBe(3)
  world.pass(5_000)
  expect(sameOf(world, 'h2')).toEqual(['h1', 5])
  world.pass(5_000)
  expect(servedBy(world, 'active')).toBe('h2')
})

test('the first revision has all its pods whatever the preview has', () => {
  const world = blueGreenWorld({ previewReplicaCount: 2 })
  expect(world.size('h1')).toBe(5)
})

test('a user’s pause stops both switches and no size, and a pause that ran out in it ends with it [rollout-controller 47]', () => {
  const world = blueGreenWorld({ autoPromotionSeconds: 10 })
  world.edit((spec) => ({ ...spec, paused: true }))
  world.setImage('h2')
  world.pass(60_000)
  expect([servedBy(world, 'preview'), servedBy(world, 'active')]).toEqual(['h1', 'h1'])
  world.edit((spec) => ({ ...spec, replicas: 8 }))
  world.pass(60_000)
  expect([world.size('h1'), world.size('h2')]).toEqual([8, 8])
  expect([world.status.phase, world.status.message]).toEqual(['Paused', 'manually paused'])
  world.edit(({ paused: _, ...spec }) => spec)
  expect(servedBy(world, 'preview')).toBe('h2')
  world.pass(5_000)
  world.edit((spec) => ({ ...spec, paused: true }))
  world.pass(60_000)
  expect(servedBy(world, 'active')).toBe('h1')
  world.edit(({ paused: _, ...spec }) => spec)
  expect(servedBy(world, 'active')).toBe('h2')
})

test('a full promotion waits for pods and for nothing else', () => {
  const world = blueGreenWorld({ ...gated, ...asksBefore, previewReplicaCount: 2 })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ promoteFull: true })
  expect(sameOf(world, 'h2')).toEqual(['h1', 5])
  expect(world.analysisRuns.map((run) => run.spec.terminate)).toEqual([true])
  world.pass(5_000)
  expect(servedBy(world, 'active')).toBe('h2')
  expect(world.status.promoteFull).toBeUndefined()
  expect(world.transitions.find((t) => t.reason === 'RolloutCompleted')?.message).toMatch(
    /Full promotion requested$/,
  )
  expect(world.status.duration?.completionStatus).toBe('FastPromoted')
})

test('a newer version takes the place of one that waits for promotion', () => {
  const world = blueGreenWorld(gated)
  world.setImage('h2')
  world.pass(10_000)
  world.forget()
  world.setImage('h3')
  expect(pausesOf(world)).toEqual([])
  expect([servedBy(world, 'preview'), servedBy(world, 'active')]).toEqual(['h3', 'h1'])
  expect(world.reasons()).not.toContain('RolloutResumed')
  // The version in between keeps its pods for the delay, since proxies may still hold them.
  expect(deadlineOf(world, 'h2')).toBeDefined()
  world.pass(30_000)
  expect([world.size('h1'), world.size('h2'), world.size('h3')]).toEqual([5, 0, 5])
  expect(pausesOf(world)).toEqual(['BlueGreenPause'])
})

test('the progress deadline does not run while the update waits for somebody', () => {
  const world = blueGreenWorld(gated)
  world.edit((spec) => ({ ...spec, progressDeadlineSeconds: 60, progressDeadlineAbort: true }))
  world.setImage('h2')
  world.pass(3_600_000)
  expect([world.status.phase, world.status.abort]).toEqual(['Paused', undefined])
})

test('a Rollout whose active Service is missing says so and goes on when it is there [rollout-controller 49]', () => {
  const world = blueGreenWorld()
  const { services } = world
  world.services = services.filter(({ metadata }) => metadata.name !== 'active')
  world.setImage('h2')
  expect(world.status.phase).toBe('Degraded')
  expect(world.status.message).toMatch(/^InvalidSpec: The Rollout "app" is invalid: /)
  expect(world.scalings()).toEqual([])
  world.services = [service('active'), service('preview')]
  world.settle()
  world.pass(60_000)
  expect([servedBy(world, 'active'), world.status.phase]).toEqual(['h2', 'Healthy'])
})
