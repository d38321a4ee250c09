import { expect, test } from 'vitest'
import { routing, worldOf } from '../testing/stories.ts'
import { canaryRollout, healthyWorld } from '../testing/world.ts'

test('without surge the stable version makes room before the canary comes [rollout-controller 9]', () => {
  const world = healthyWorld(
    { steps: [{ setWeight: 41 }, { pause: {} }], maxSurge: 0, maxUnavailable: 1 },
    { replicas: 10 },
  )
  world.setImage('h2')
  world.pass(4_000)
  expect(world.scalings()).toEqual(['h1 10→9', 'h2 0→1'])
  world.pass(2_000)
  expect(world.scalings().slice(2)).toEqual(['h1 9→8', 'h2 1→2'])
  world.pass(60_000)
  expect([world.size('h1'), world.size('h2')]).toEqual([6, 4])
})

test('a surge of "3" without a percent sign is three percent [rollout-controller 10]', () => {
  const world = healthyWorld({ maxSurge: '3', maxUnavailable: '0%' }, { replicas: 10 })
  world.setImage('h2')
  expect(world.scalings()).toEqual(['h2 0→1'])
})

test('a pinned canary takes the weight that was asked for, and the mismatch is told [rollout-controller 27]', () => {
  const steps = [{ setCanaryScale: { replicas: 3 } }, { setWeight: 90 }, { pause: {} }]
  const world = worldOf(canaryRollout({ ...routing, steps }, { replicas: 10 }))
  world.setImage('h2')
  world.pass(4_000)
  expect([world.size('h2'), world.weight]).toEqual([3, 0])
  world.pass(2_000)
  expect([world.size('h2'), world.weight]).toEqual([3, 90])
  expect(world.transitions.filter((one) => one.reason === 'CanaryUnderscaled')).not.toEqual([])
})

test('a smallest number of canary pods is never more than there are replicas [rollout-controller 29]', () => {
  const steps = [{ setWeight: 10 }, { pause: {} }]
  const canary = { ...routing, steps, minPodsPerReplicaSet: 2 }
  const one = worldOf(canaryRollout(canary, { replicas: 1 }))
  one.setImage('h2')
  expect(one.size('h2')).toBe(1)
  const ten = worldOf(canaryRollout(canary, { replicas: 10 }))
  ten.setImage('h2')
  expect(ten.size('h2')).toBe(2)
})

test('nine of ten pods are enough for a threshold of 90 percent, eight are not [rollout-controller 37]', () => {
  const world = healthyWorld(
    {
      steps: [{ setWeight: 100 }],
      maxSurge: '100%',
      maxUnavailable: 2,
      replicaProgressThreshold: { type: 'Percent', value: 90 },
    },
    { replicas: 10 },
  )
  world.mostReady.set('h2', 8)
  world.setImage('h2')
  world.pass(60_000)
  expect(world.status.currentStepIndex ?? 0).toBe(0)
  world.mostReady.set('h2', 9)
  world.pass(0)
  expect(world.status.currentStepIndex).toBe(1)
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
})

test('with 0 replicas an update with routing does not wait for traffic that nobody can carry', () => {
  const steps = [{ setWeight: 20 }, { pause: { duration: 10 } }, { setWeight: 60 }]
  const world = worldOf(canaryRollout({ ...routing, steps }, { replicas: 0 }))
  world.setImage('h2')
  world.pass(20_000)
  expect([world.status.phase, world.weight]).toEqual(['Healthy', 0])
})

test('a step that is skipped by hand sends no traffic to pods that are still to come', () => {
  const steps = [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }]
  const world = worldOf(canaryRollout({ ...routing, steps }, { replicas: 10 }))
  world.mostReady.set('h2', 1)
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ pauseConditions: null, currentStepIndex: 1 })
  world.pass(10_000)
  expect(world.weight).toBe(0)
  world.mostReady.delete('h2')
  world.pass(0)
  expect(world.weight).toBe(50)
})
