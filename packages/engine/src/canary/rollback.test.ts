import { expect, test } from 'vitest'
import { canaryRollout, World } from '../testing/world.ts'

/** Revisions h1 to h5, of which h5 is stable. */
function fiveRevisions(): World {
  const canary = { steps: [{ setWeight: 20 }, { pause: {} }] }
  const rollout = canaryRollout(canary, { replicas: 5 })
  const world = new World({
    ...rollout,
    spec: { ...rollout.spec, rollbackWindow: { revisions: 3 } },
  })
  world.pass(10_000)
  for (const image of ['h2', 'h3', 'h4', 'h5']) {
    world.setImage(image)
    world.patchStatus({ promoteFull: true })
    world.pass(60_000)
  }
  world.forget()
  return world
}

test('a version within the rollback window comes back without steps [rollout-controller 38]', () => {
  const world = fiveRevisions()
  world.setImage('h2')
  world.pass(60_000)
  expect([world.size('h2'), world.status.phase]).toEqual([5, 'Healthy'])
  expect(world.reasons()).toContain('SkipSteps')
  expect(world.reasons()).not.toContain('RolloutPaused')
})

test('a version before the rollback window takes all steps [rollout-controller 38]', () => {
  const world = fiveRevisions()
  world.setImage('h1')
  world.pass(60_000)
  expect([world.size('h1'), world.status.message]).toEqual([1, 'CanaryPauseStep'])
})

test('a rollback within the window can be aborted', () => {
  const world = fiveRevisions()
  world.broken.add('h2')
  world.setImage('h2')
  world.patchStatus({ abort: true })
  world.pass(60_000)
  expect([world.size('h5'), world.size('h2'), world.status.phase]).toEqual([5, 0, 'Degraded'])
})

test('a version whose update was aborted does not come back without its steps [rollout-controller 39]', () => {
  const world = fiveRevisions()
  world.setImage('h6')
  world.pass(10_000)
  world.patchStatus({ abort: true })
  world.pass(60_000)
  world.setImage('h7')
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  world.forget()
  world.setImage('h6')
  world.pass(60_000)
  expect([world.size('h6'), world.status.message]).toEqual([1, 'CanaryPauseStep'])
  expect(world.reasons()).not.toContain('SkipSteps')
})

test('a version that was aborted once and then promoted may come back without steps', () => {
  const world = fiveRevisions()
  world.setImage('h6')
  world.pass(10_000)
  world.patchStatus({ abort: true })
  world.pass(10_000)
  world.patchStatus({ abort: false })
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  world.setImage('h7')
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  world.forget()
  world.setImage('h6')
  world.pass(60_000)
  expect([world.size('h6'), world.status.phase]).toEqual([5, 'Healthy'])
})

test('revisions made within one second keep their order', () => {
  const world = fiveRevisions()
  world.replicaSets = world.replicaSets.map((set) => ({
    ...set,
    metadata: { ...set.metadata, creationTimestamp: '2026-01-01T00:00:00Z' },
  }))
  world.setImage('h1')
  world.pass(60_000)
  expect([world.size('h1'), world.status.message]).toEqual([1, 'CanaryPauseStep'])
  world.setImage('h3')
  world.pass(60_000)
  expect([world.size('h3'), world.status.phase]).toEqual([5, 'Healthy'])
})

test('a version that comes back is told under the revision that it gets', () => {
  const world = fiveRevisions()
  world.setImage('h1')
  const told = world.transitions.filter(
    ({ reason, message }) => reason !== 'ScalingReplicaSet' && /revision \d/.test(message),
  )
  expect(told.map(({ message }) => /revision (\d)/.exec(message)?.[1])).toEqual(told.map(() => '6'))
  expect(told.map(({ reason }) => reason)).toContain('RolloutNotCompleted')
})
