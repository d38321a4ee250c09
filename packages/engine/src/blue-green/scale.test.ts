import { hashLabel } from '@serinus/api'
import { expect, test } from 'vitest'
import {
  asksAfter,
  blueGreenStart,
  blueGreenWorld,
  deadlineOf,
  servedBy,
} from '../testing/blue-green.ts'
import type { World } from '../testing/world.ts'

const hashOf = (world: World, image: string) =>
  world.setOf(image).metadata.labels?.[hashLabel] ?? ''

function release(world: World, image: string): void {
  world.setImage(image)
  world.pass(5_000)
  expect(servedBy(world, 'active')).toBe(image)
}

test('a change of replicas in mid-update resizes both versions [rollout-controller 47]', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false })
  world.setImage('h2')
  world.pass(10_000)
  world.edit((spec) => ({ ...spec, paused: true }))
  world.edit((spec) => ({ ...spec, replicas: 8 }))
  world.pass(10_000)
  expect([world.size('h1'), world.size('h2')]).toEqual([8, 8])
  world.edit((spec) => ({ ...spec, replicas: 2 }))
  expect([world.size('h1'), world.size('h2')]).toEqual([2, 2])
})

test('an autoscaler sees the active version alone [rollout-controller 48]', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false })
  world.setImage('h2')
  world.pass(20_000)
  expect([world.size('h1'), world.size('h2')]).toEqual([5, 5])
  const { HPAReplicas, replicas, updatedReplicas, readyReplicas, availableReplicas } = world.status
  expect({ HPAReplicas, replicas, updatedReplicas, readyReplicas, availableReplicas }).toEqual({
    HPAReplicas: 5,
    replicas: 10,
    updatedReplicas: 5,
    readyReplicas: 5,
    availableReplicas: 5,
  })
  expect(world.status.selector).toBe(`app=app,${hashLabel}=${hashOf(world, 'h1')}`)
  expect(world.status.blueGreen).toMatchObject({
    activeSelector: hashOf(world, 'h1'),
    previewSelector: hashOf(world, 'h2'),
  })
  world.patchStatus({ pauseConditions: null })
  expect(world.status.selector).toBe(`app=app,${hashLabel}=${hashOf(world, 'h2')}`)
})

test('before anything is active an autoscaler sees all pods', () => {
  const world = blueGreenStart()
  world.pass(2_000)
  expect([world.status.HPAReplicas, world.status.selector]).toEqual([5, 'app=app'])
  expect(world.condition('Available')?.status).toBe('False')
})

test('the old version gets its deadline only when EndpointSlices have followed the switch', () => {
  const world = blueGreenWorld()
  world.endpointLagMs = 120_000
  release(world, 'h2')
  expect(world.status.phase).toBe('Healthy')
  world.pass(119_000)
  expect([world.size('h1'), deadlineOf(world, 'h1')]).toEqual([5, undefined])
  expect(world.plans.at(-1)?.waits).toContainEqual({
    kind: 'traffic',
    replicaSet: world.setOf('h1').metadata.name,
    kept: 5,
    wanted: 0,
    by: 'service endpoints',
  })
  world.pass(1_000)
  expect(Date.parse(deadlineOf(world, 'h1') ?? '')).toBe(world.now + 30_000)
  world.pass(29_000)
  expect(world.size('h1')).toBe(5)
  world.pass(1_000)
  expect(world.size('h1')).toBe(0)
})

test('with a delay of 0 the old version goes as soon as nothing leads to it', () => {
  const world = blueGreenWorld({ scaleDownDelaySeconds: 0 })
  release(world, 'h2')
  expect(world.size('h1')).toBe(0)
  expect(deadlineOf(world, 'h1')).toBeUndefined()
})

test('a delay beyond 15 minutes is kept to the second', () => {
  const world = blueGreenWorld({ scaleDownDelaySeconds: 3_600 })
  release(world, 'h2')
  world.pass(3_599_000)
  expect(world.size('h1')).toBe(5)
  world.pass(1_000)
  expect(world.size('h1')).toBe(0)
})

test('no more former versions wait than the limit allows, the newest first', () => {
  const world = blueGreenWorld({ scaleDownDelaySeconds: 3_600, scaleDownDelayRevisionLimit: 1 })
  release(world, 'h2')
  release(world, 'h3')
  expect([world.size('h1'), world.size('h2'), world.size('h3')]).toEqual([0, 5, 5])
  expect([deadlineOf(world, 'h1'), deadlineOf(world, 'h2')]).toEqual([
    undefined,
    expect.any(String),
  ])
})

test('a former version in its delay follows a change of replicas, a former small preview does not', () => {
  const world = blueGreenWorld({ scaleDownDelaySeconds: 600, previewReplicaCount: 2 })
  world.setImage('h2')
  world.pass(10_000)
  expect(servedBy(world, 'active')).toBe('h2')
  world.broken.add('h3')
  world.setImage('h3')
  world.setImage('h4')
  world.edit((spec) => ({ ...spec, replicas: 7 }))
  expect([world.size('h1'), world.size('h3')]).toEqual([7, 2])
})

test('a version that was superseded while active keeps its pods until the next one serves', () => {
  const world = blueGreenWorld({ ...asksAfter, scaleDownDelaySeconds: 0 })
  release(world, 'h2')
  world.broken.add('h3')
  world.setImage('h3')
  world.pass(600_000)
  world.edit((spec) => ({ ...spec, replicas: 6 }))
  expect([servedBy(world, 'active'), world.size('h1'), world.size('h2')]).toEqual(['h2', 6, 6])
  world.broken.clear()
  world.settle()
  world.pass(10_000)
  expect([servedBy(world, 'active'), world.size('h2')]).toEqual(['h3', 0])
})

test('with 0 replicas the Services follow and nothing is left behind', () => {
  const world = blueGreenWorld({}, { replicas: 0 })
  world.setImage('h2')
  world.pass(60_000)
  expect([servedBy(world, 'active'), servedBy(world, 'preview')]).toEqual(['h2', 'h2'])
  expect(world.status.phase).toBe('Healthy')
})

test('an active Service that lost its revision leads to the stable version again, not to the new one', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false })
  world.setImage('h2')
  world.pass(10_000)
  world.pointService('active', null)
  expect(servedBy(world, 'active')).toBe('h1')
  world.pass(600_000)
  expect([servedBy(world, 'active'), world.size('h1'), world.size('h2')]).toEqual(['h1', 5, 5])
  expect(world.status.message).toBe('BlueGreenPause')
})

test('an active Service that somebody moved away is moved back once the update is done', () => {
  const world = blueGreenWorld({ scaleDownDelaySeconds: 600 })
  release(world, 'h2')
  world.pointService('active', hashOf(world, 'h1'))
  expect(servedBy(world, 'active')).toBe('h2')
})

test('where the stable ReplicaSet is gone the gates of the update still hold', () => {
  const world = blueGreenWorld({ autoPromotionEnabled: false })
  world.setImage('h2')
  world.pass(10_000)
  const gone = world.setOf('h1')
  world.replicaSets = world.replicaSets.filter((set) => set !== gone)
  world.settle()
  world.pass(60_000)
  expect(servedBy(world, 'active')).toBe(null)
  expect(world.status.stableRS).not.toBe(world.status.currentPodHash)
  expect(world.status.phase).not.toBe('Healthy')
  world.patchStatus({ promoteFull: true })
  expect([servedBy(world, 'active'), world.status.phase]).toEqual(['h2', 'Healthy'])
})

test('old ReplicaSets beyond the history limit are removed when they are empty', () => {
  const world = blueGreenWorld({ scaleDownDelaySeconds: 0 }, { spec: { revisionHistoryLimit: 1 } })
  release(world, 'h2')
  release(world, 'h3')
  release(world, 'h4')
  const images = world.replicaSets.map((set) => set.spec.template.spec?.containers?.[0]?.image)
  expect(images).toEqual(['h3', 'h4'])
})

test('a healthy Rollout is left alone by a controller that starts', () => {
  const world = blueGreenWorld()
  world.settle()
  world.pass(86_400_000)
  expect([world.writes, world.transitions]).toEqual([[], []])
})

test('without a preview Service everything else is the same', () => {
  const world = blueGreenWorld({ previewService: '' })
  release(world, 'h2')
  expect(world.status.phase).toBe('Healthy')
  expect(world.status.blueGreen).toEqual({ activeSelector: hashOf(world, 'h2') })
})
