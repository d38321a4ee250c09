import { hashLabel } from '@serinus/api'
import { expect, test } from 'vitest'
import { routing, worldOf } from '../testing/stories.ts'
import { type Canary, canaryRollout, type World } from '../testing/world.ts'

function worldWith(canary: Canary, facts: { replicas: number; image?: string }): World {
  return worldOf(canaryRollout(canary, facts))
}

test('an old version goes when EndpointSlices have ceased to lead to it, however long its delay is over', () => {
  const world = worldWith(
    { ...routing, steps: [{ setWeight: 40 }], scaleDownDelaySeconds: 30 },
    { replicas: 5 },
  )
  world.endpointLagMs = 120_000
  world.setImage('h2')
  world.pass(200_000)
  expect([world.status.stableRS, world.size('h1')]).toEqual([world.status.currentPodHash, 5])
  world.pass(400_000)
  expect(world.size('h1')).toBe(0)
})

test('a full promotion asks for no weight beyond the pods, whatever size was pinned before', () => {
  const world = worldWith(
    {
      ...routing,
      dynamicStableScale: true,
      steps: [{ setCanaryScale: { replicas: 2 } }, { pause: {} }],
    },
    { replicas: 1 },
  )
  world.setImage('h2')
  world.pass(10_000)
  expect(world.size('h2')).toBe(2)
  const weights: number[] = []
  world.observe = ({ plan }) => weights.push(plan.routes?.weight ?? 0)
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  expect(Math.max(...weights)).toBe(100)
  expect(Math.min(...weights)).toBe(0)
  expect(world.status.phase).toBe('Healthy')
})

test('a full promotion without replicas asks for a weight that is a number', () => {
  const world = worldWith(
    { ...routing, dynamicStableScale: true, steps: [{ setWeight: 40 }, { pause: {} }] },
    { replicas: 3 },
  )
  world.setImage('h2')
  world.pass(10_000)
  const weights: unknown[] = []
  world.observe = ({ plan }) => weights.push(plan.routes?.weight)
  world.rollout = { ...world.rollout, status: { ...world.status, promoteFull: true } }
  world.edit((spec) => ({ ...spec, replicas: 0 }))
  world.pass(60_000)
  expect(weights.filter((weight) => !Number.isInteger(weight))).toEqual([])
})

test('a good version takes the place of a stable one that has no pod available', () => {
  const world = worldWith(
    { steps: [{ setWeight: 20 }, { pause: { duration: 20 } }] },
    { replicas: 10, image: 'broken' },
  )
  world.broken.add('broken')
  world.restartPods('broken', 10)
  world.setImage('h2')
  world.pass(300_000)
  expect(world.size('h2')).toBe(10)
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
})

test('with 0 replicas both Services lead to the newest version and to no dead one', () => {
  const world = worldWith(
    { ...routing, steps: [{ setWeight: 40 }, { pause: {} }] },
    { replicas: 3 },
  )
  world.edit((spec) => ({ ...spec, replicas: 0 }))
  world.setImage('h2')
  world.pass(60_000)
  world.patchStatus({ pauseConditions: null })
  world.pass(60_000)
  const hashes = world.services.map((service) => service.spec?.selector?.[hashLabel])
  expect(hashes).toEqual([world.status.currentPodHash, world.status.currentPodHash])
})
