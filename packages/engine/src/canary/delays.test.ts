import { annotationKeys } from '@serinus/api'
import { expect, test } from 'vitest'
import { routing, worldOf } from '../testing/stories.ts'
import { type Canary, canaryRollout, type World } from '../testing/world.ts'

const routedWorld = (canary: Canary) =>
  worldOf(canaryRollout({ ...routing, ...canary }, { replicas: 10 }))

const deadlineOf = (world: World, image: string) =>
  world.setOf(image).metadata.annotations?.[annotationKeys.scaleDownDeadline]

test('an abort delay of 0 keeps the canary for good [rollout-controller 33]', () => {
  const world = routedWorld({
    steps: [{ setWeight: 20 }, { pause: {} }],
    abortScaleDownDelaySeconds: 0,
  })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ abort: true })
  world.pass(24 * 3_600_000)
  expect([world.weight, world.size('h2'), world.status.phase]).toEqual([0, 2, 'Degraded'])
})

test('of several old versions in their delay only the newest keep their pods [rollout-controller 35]', () => {
  const world = routedWorld({ scaleDownDelaySeconds: 3600 })
  world.setImage('h2')
  world.pass(60_000)
  world.setImage('h3')
  world.pass(60_000)
  expect([world.size('h1'), world.size('h2'), world.size('h3')]).toEqual([10, 10, 10])
  expect([deadlineOf(world, 'h1'), deadlineOf(world, 'h2')]).not.toContain(undefined)
  world.edit((spec) => ({
    ...spec,
    strategy: { canary: { ...spec.strategy?.canary, scaleDownDelayRevisionLimit: 1 } },
  }))
  expect([world.size('h1'), world.size('h2'), world.size('h3')]).toEqual([0, 10, 10])
  expect(deadlineOf(world, 'h1')).toBeUndefined()
  expect(deadlineOf(world, 'h2')).toBeDefined()
})

test('a delay of 0 lets the old version go as soon as nothing leads to it [rollout-controller 36]', () => {
  const world = routedWorld({ steps: [{ setWeight: 50 }], scaleDownDelaySeconds: 0 })
  world.setImage('h2')
  world.pass(20_000)
  expect([world.size('h1'), world.status.phase]).toEqual([0, 'Healthy'])
  const ids = world.writes.map((write) => write.id)
  const drained = ids.lastIndexOf(`scale/${world.setOf('h1').metadata.name}`)
  expect(ids.lastIndexOf('service/stable')).toBeLessThan(drained)
  expect(ids.some((id) => id.startsWith('deadline/'))).toBe(false)
})

test('an intermediate version does not outlive the abort of the update that replaced it', () => {
  const world = routedWorld({ steps: [{ setWeight: 20 }, { pause: {} }] })
  world.setImage('h2')
  world.pass(10_000)
  world.broken.add('h3')
  world.setImage('h3')
  world.patchStatus({ abort: true })
  world.pass(120_000)
  expect([world.size('h1'), world.size('h2'), world.size('h3')]).toEqual([10, 0, 0])
})
