import { expect, test } from 'vitest'
import { blueGreenStart, blueGreenWorld, deadlineOf, servedBy } from '../testing/blue-green.ts'

test('the first revision is stable at once, and active when all its pods are available', () => {
  const world = blueGreenStart()
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
  expect([servedBy(world, 'preview'), servedBy(world, 'active')]).toEqual(['h1', null])
  expect(world.status.phase).toBe('Progressing')
  world.pass(5_000)
  expect(servedBy(world, 'active')).toBe('h1')
  expect(world.status.phase).toBe('Healthy')
  expect(world.transitions.find((t) => t.reason === 'RolloutCompleted')?.message).toMatch(
    /: Initial deploy$/,
  )
})

test('the preview leads to the new version before it has pods, the active Service still to the old [rollout-controller 40]', () => {
  const world = blueGreenWorld()
  world.broken.add('h2')
  world.setImage('h2')
  expect([servedBy(world, 'preview'), servedBy(world, 'active')]).toEqual(['h2', 'h1'])
  expect(world.setOf('h2').status?.availableReplicas).toBe(0)
  world.pass(60_000)
  expect([servedBy(world, 'preview'), servedBy(world, 'active')]).toEqual(['h2', 'h1'])
})

test('the active Service is switched when every new pod is available, and old pods go after their delay', () => {
  const world = blueGreenWorld()
  world.setImage('h2')
  expect(world.scalings()).toEqual(['h2 0→5'])
  world.mostReady.set('h2', 4)
  world.pass(20_000)
  expect(servedBy(world, 'active')).toBe('h1')
  world.mostReady.delete('h2')
  world.settle()
  expect(servedBy(world, 'active')).toBe('h2')
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
  expect(world.status.phase).toBe('Healthy')
  world.pass(29_000)
  expect(world.size('h1')).toBe(5)
  world.pass(1_000)
  expect(world.size('h1')).toBe(0)
  expect(deadlineOf(world, 'h1')).toBeUndefined()
})

test('an update costs at most 9 writes', () => {
  const world = blueGreenWorld()
  world.setImage('h2')
  world.pass(120_000)
  expect(world.status.phase).toBe('Healthy')
  expect(world.writes.map((write) => write.id)).toHaveLength(9)
})
