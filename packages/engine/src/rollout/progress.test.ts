import { annotationKeys } from '@serinus/api'
import { expect, test } from 'vitest'
import { routing, worldOf } from '../testing/stories.ts'
import { type Canary, canaryRollout, type World } from '../testing/world.ts'

function worldWith(canary: Canary): World {
  const rollout = canaryRollout({ ...routing, ...canary }, { replicas: 3 })
  return worldOf({ ...rollout, spec: { ...rollout.spec, progressDeadlineSeconds: 60 } })
}

const steps = [{ setWeight: 40 }, { pause: {} }]

test('pods of a version in between that come and go do not keep a broken one from its deadline', () => {
  const world = worldWith({ steps })
  world.setImage('h2')
  world.pass(10_000)
  world.broken.add('h3')
  world.setImage('h3')
  for (let time = 0; time < 6; time++) {
    world.restartPods('h2', 1)
    world.pass(20_000)
  }
  expect(world.size('h2')).toBe(2)
  expect(world.status.phase).toBe('Degraded')
  expect(world.condition('Progressing')?.reason).toBe('ProgressDeadlineExceeded')
})

test('old pods that wait for the end of their delay are not late', () => {
  const world = worldWith({ steps: [], scaleDownDelaySeconds: 300 })
  world.setImage('h2')
  world.pass(250_000)
  expect([world.size('h1'), world.status.phase]).toEqual([3, 'Healthy'])
  world.pass(100_000)
  expect([world.size('h1'), world.status.phase]).toEqual([0, 'Healthy'])
})

test('a deadline that Argo Rollouts left on a drained version holds up no later update', () => {
  const world = worldWith({ steps })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ abort: true })
  world.pass(60_000)
  expect(world.size('h2')).toBe(0)
  const tomorrow = new Date(world.now + 86_400_000).toISOString()
  world.replicaSets = world.replicaSets.map((set) =>
    set === world.setOf('h2')
      ? {
          ...set,
          metadata: {
            ...set.metadata,
            annotations: {
              ...set.metadata.annotations,
              [annotationKeys.scaleDownDeadline]: tomorrow,
            },
          },
        }
      : set,
  )
  world.broken.add('h3')
  world.setImage('h3')
  world.pass(120_000)
  expect(world.condition('Progressing')?.reason).toBe('ProgressDeadlineExceeded')
})

test('a router that refuses every change keeps no deadline from being told', () => {
  const world = worldWith({ steps })
  world.fails = (id) => id === 'routes'
  world.setImage('h2')
  world.pass(120_000)
  expect(world.weight).toBe(0)
  expect(world.status.phase).toBe('Degraded')
  expect(world.condition('Progressing')?.reason).toBe('ProgressDeadlineExceeded')
})
