import { expect, test } from 'vitest'
import { healthyWorld } from '../testing/world.ts'

const gate = { steps: [{ setWeight: 20 }, { pause: {} }] }

test('a name that somebody else has is avoided, and the collision is counted [rollout-controller 23]', () => {
  const free = healthyWorld(gate)
  free.setImage('h2')
  const taken = free.setOf('h2').metadata.name
  const world = healthyWorld(gate)
  world.takenNames = [taken]
  world.setImage('h2')
  world.pass(10_000)
  expect(world.setOf('h2').metadata.name).not.toBe(taken)
  expect(world.status.collisionCount).toBe(1)
  expect([world.size('h2'), world.status.phase]).toEqual([1, 'Paused'])
  world.takenNames = []
  world.pass(60_000)
  expect(world.replicaSets).toHaveLength(2)
})

test('a version that may not be created is Degraded with the reason, and goes on once it may [rollout-controller 57]', () => {
  const world = healthyWorld(gate)
  world.fails = (id) => id.startsWith('create/')
  world.setImage('h2')
  expect(world.status.observedGeneration).toBe('2')
  expect(world.status.phase).toBe('Degraded')
  expect(world.status.message).toMatch(
    /^ReplicaSetCreateError: Failed to create new replica set "app-\w+": .* is forbidden$/,
  )
  expect(world.reasons().filter((reason) => reason === 'ReplicaSetCreateError')).toHaveLength(1)
  expect(world.size('h1')).toBe(5)
  world.fails = () => false
  world.settle()
  world.pass(10_000)
  expect([world.size('h2'), world.status.message]).toEqual([1, 'CanaryPauseStep'])
})
