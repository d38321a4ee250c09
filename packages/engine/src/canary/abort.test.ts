import { hashLabel } from '@serinus/api'
import { expect, test } from 'vitest'
import { routing, worldOf } from '../testing/stories.ts'
import { type Canary, canaryRollout, type World } from '../testing/world.ts'

const steps = [{ setWeight: 40 }, { pause: {} }]

function worldWith(canary: Canary, spec: object = {}): World {
  const rollout = canaryRollout({ ...routing, ...canary }, { replicas: 10 })
  return worldOf({ ...rollout, spec: { ...rollout.spec, ...spec } })
}

test('an abort of a Rollout that is fully promoted is taken back, and no pod, deadline or Service changes', () => {
  const world = worldWith({ steps })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ promoteFull: true })
  world.pass(600_000)
  world.forget()
  world.patchStatus({ abort: true })
  world.pass(600_000)
  expect(world.writes.map(({ id }) => id)).toEqual(['status'])
  expect([world.status.phase, world.status.abort]).toEqual(['Healthy', undefined])
})

test('an aborted canary stays as small as it is when an autoscaler asks for more pods', () => {
  const world = worldWith({ steps, abortScaleDownDelaySeconds: 1800 })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ abort: true })
  world.pass(10_000)
  world.edit((spec) => ({ ...spec, replicas: 20 }))
  world.pass(10_000)
  expect([world.size('h1'), world.size('h2')]).toEqual([20, 4])
})

test('with dynamicStableScale and an abort delay the canary gives up every step, and goes when stable has all pods', () => {
  const world = worldWith({
    steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }, { pause: {} }],
    dynamicStableScale: true,
    abortScaleDownDelaySeconds: 60,
  })
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ pauseConditions: null })
  world.pass(10_000)
  expect([world.size('h1'), world.size('h2'), world.weight]).toEqual([4, 6, 60])
  world.patchStatus({ abort: true })
  world.pass(30_000)
  expect([world.size('h1'), world.size('h2'), world.weight]).toEqual([10, 6, 0])
  world.pass(60_000)
  expect(world.size('h2')).toBe(0)
})

test('an update that its deadline aborts goes no further in that very pass', () => {
  const world = worldWith(
    { steps, maxUnavailable: 10 },
    { progressDeadlineAbort: true, progressDeadlineSeconds: 60 },
  )
  world.broken.add('h2')
  world.setImage('h2')
  world.pass(59_000)
  // Pods of both sides change at once, so that their sum tells of no progress.
  world.broken.clear()
  world.mostReady.set('h1', 6)
  world.forget()
  world.pass(5_000)
  expect(world.status.abort).toBe(true)
  const selected = world.writes.filter(({ id }) => id === 'service/canary')
  expect(selected).toEqual([])
  expect(world.services[1]?.spec?.selector?.[hashLabel]).toBe(world.status.stableRS)
})
