import { expect, test } from 'vitest'
import { healthyWorld, type World } from '../testing/world.ts'

const steps = [{ setWeight: 20 }, { pause: {} }]

function paused(): World {
  const world = healthyWorld({ steps })
  world.setImage('h2')
  world.pass(60_000)
  return world
}

const secondsOf = (world: World) => {
  const { rolloutStartedAt, finishedAt, totalManualPauseDurationSeconds } =
    world.status.duration ?? {}
  return [
    (Date.parse(finishedAt ?? '') - Date.parse(rolloutStartedAt ?? '')) / 1000,
    totalManualPauseDurationSeconds,
  ]
}

test('an update that a person kept waiting tells how long it took and how long it waited', () => {
  const world = paused()
  world.pass(120_000)
  world.patchStatus({ pauseConditions: null })
  world.pass(60_000)
  expect(world.status.duration?.completionStatus).toBe('Promoted')
  expect(secondsOf(world)).toEqual([190, 175])
})

test('how an update ended is told: aborted, promoted in full, or taken back at once', () => {
  const aborted = paused()
  aborted.patchStatus({ abort: true })
  expect(aborted.status.duration?.completionStatus).toBe('Aborted')

  const promoted = paused()
  promoted.patchStatus({ promoteFull: true })
  promoted.pass(60_000)
  expect(promoted.status.duration?.completionStatus).toBe('FastPromoted')

  const back = paused()
  back.setImage('h1')
  back.pass(60_000)
  expect(back.status.duration?.completionStatus).toBe('FastRolledBack')
})

test('going back further than to the stable version is a rollback that takes its steps', () => {
  const world = paused()
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  world.setImage('h3')
  world.pass(60_000)
  world.setImage('h1')
  world.pass(60_000)
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  expect(world.status.duration?.completionStatus).toBe('RolledBack')
})

test('an update that a newer one takes the place of begins anew', () => {
  const world = paused()
  const before = world.status.duration?.rolloutStartedAt
  world.setImage('h3')
  expect(world.status.duration).toEqual({
    rolloutStartedAt: expect.not.stringMatching(before ?? ''),
  })
})
