import { expect, test } from 'vitest'
import { canaryRollout, healthyWorld, World } from '../testing/world.ts'

const gate = { steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }] }

test('a new Rollout is marked stable and done while its pods are still starting [rollout-controller 1]', () => {
  const world = new World(canaryRollout(gate, { replicas: 5 }))
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
  expect(world.status.currentStepIndex).toBe(3)
  expect(world.condition('Completed')?.status).toBe('True')
  const first = world.writes.find((write) => write.id === 'status')
  expect(first).toMatchObject({
    patch: {
      body: { status: { phase: 'Progressing', message: 'more replicas need to be updated' } },
    },
  })
})

test('absent replicas are written as 1 [rollout-controller 2] [api 1]', () => {
  const world = new World(canaryRollout(gate))
  expect(world.rollout.spec.replicas).toBe(1)
})

test('a weight of 20 moves one of five pods, stable first, and is reached when the new pod is available [rollout-controller 3]', () => {
  const world = healthyWorld(gate)
  world.setImage('h2')
  expect(world.scalings()).toEqual(['h1 5→4', 'h2 0→1'])
  expect(world.status.currentStepIndex ?? 0).toBe(0)
  world.pass(5_000)
  expect(world.status.currentStepIndex).toBe(1)
})

test('a gate pauses with a reason and both conditions in one write [rollout-controller 4]', () => {
  const world = healthyWorld(gate)
  world.setImage('h2')
  world.pass(10_000)
  expect(world.status.pauseConditions?.map((c) => c.reason)).toEqual(['CanaryPauseStep'])
  expect(world.status.controllerPause).toBe(true)
  expect([world.status.phase, world.status.message]).toEqual(['Paused', 'CanaryPauseStep'])
  expect(world.condition('Paused')?.status).toBe('True')
  expect(world.condition('Progressing')).toMatchObject({
    status: 'Unknown',
    reason: 'RolloutPaused',
  })
})

test('a user who clears the pause lets the update go on [rollout-controller 5]', () => {
  const world = healthyWorld(gate)
  world.setImage('h2')
  world.pass(10_000)
  world.forget()
  world.patchStatus({ pauseConditions: null })
  expect(world.status.currentStepIndex).toBe(2)
  expect(world.status.controllerPause).toBeUndefined()
  expect(world.condition('Paused')?.status).toBe('False')
  world.pass(4_000)
  expect(world.scalings()).toEqual(['h1 4→3', 'h2 1→3'])
  world.pass(2_000)
  expect(world.scalings().slice(0, 3)).toEqual(['h1 4→3', 'h2 1→3', 'h1 3→2'])
})

test('after the last step everything moves and the new version becomes stable [rollout-controller 6]', () => {
  const world = healthyWorld(gate)
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ pauseConditions: null })
  world.pass(60_000)
  expect(world.scalings().slice(-3)).toEqual(['h1 2→1', 'h2 3→5', 'h1 1→0'])
  expect(world.status.stableRS).toBe(world.status.currentPodHash)
  expect(world.transitions.find((t) => t.reason === 'RolloutCompleted')?.message).toMatch(
    /: Completed all 3 canary steps$/,
  )
  expect(world.status.phase).toBe('Healthy')
})

test('without room to be unavailable the new pod comes first [rollout-controller 7]', () => {
  const world = healthyWorld({ ...gate, maxSurge: 1, maxUnavailable: 0 })
  world.setImage('h2')
  expect(world.scalings()).toEqual(['h2 0→1'])
  world.pass(5_000)
  expect(world.scalings()).toEqual(['h2 0→1', 'h1 5→4'])
})

test('without steps an update is a rolling update within its limits [rollout-controller 8]', () => {
  const world = healthyWorld({}, { replicas: 10 })
  world.setImage('h2')
  world.pass(60_000)
  expect(world.scalings()).toEqual(['h1 10→8', 'h2 0→5', 'h1 8→3', 'h2 5→10', 'h1 3→0'])
  expect(world.status.phase).toBe('Healthy')
})

test('an abort brings stable back before the canary goes [rollout-controller 11]', () => {
  const world = healthyWorld({ steps: [{ setWeight: 60 }, { pause: {} }, { setWeight: 80 }] })
  world.setImage('h2')
  world.pass(20_000)
  expect([world.size('h1'), world.size('h2')]).toEqual([2, 3])
  world.forget()
  world.patchStatus({ abort: true })
  world.pass(20_000)
  expect(world.scalings()).toEqual(['h1 2→4', 'h2 3→2', 'h1 4→5', 'h2 2→0'])
  expect(world.status.currentStepIndex ?? 0).toBe(0)
  expect([world.status.phase, world.status.message]).toEqual([
    'Degraded',
    'RolloutAborted: Rollout aborted update to revision 2',
  ])
})

test('a retry starts the update again [rollout-controller 12]', () => {
  const world = healthyWorld({ steps: [{ setWeight: 60 }, { pause: {} }, { setWeight: 80 }] })
  world.setImage('h2')
  world.pass(20_000)
  world.patchStatus({ abort: true })
  world.pass(20_000)
  world.forget()
  world.patchStatus({ abort: false })
  const reasons = world.writes.flatMap((write) =>
    write.kind === 'patch' && write.id === 'status' ? JSON.stringify(write.patch.body) : [],
  )
  expect(reasons.some((text) => text.includes('RolloutRetry'))).toBe(true)
  expect(world.scalings()).toEqual(['h1 5→4', 'h2 0→3'])
})

test('a newer version takes over from one under way [rollout-controller 13]', () => {
  const world = healthyWorld({ steps: [{ setWeight: 60 }, { pause: {} }, { setWeight: 80 }] })
  world.setImage('h2')
  world.pass(20_000)
  world.forget()
  world.setImage('h3')
  world.pass(20_000)
  expect(world.scalings()).toEqual(['h3 0→2', 'h2 3→2', 'h3 2→3', 'h2 2→0'])
  expect(world.size('h1')).toBe(2)
  expect(world.status.currentStepIndex).toBe(1)
})

test('returning to the stable version skips all steps and pauses [rollout-controller 14] [api 56]', () => {
  const world = healthyWorld({ steps: [{ setWeight: 60 }, { pause: {} }, { setWeight: 80 }] })
  world.setImage('h2')
  world.pass(20_000)
  world.setImage('h3')
  world.pass(20_000)
  world.forget()
  world.setImage('h1')
  expect(world.status.currentStepIndex).toBe(3)
  expect(world.reasons()).toContain('SkipSteps')
  world.pass(20_000)
  expect(world.scalings()).toEqual(['h1 2→4', 'h3 3→2', 'h1 4→5', 'h3 2→0'])
  expect(world.status.phase).toBe('Healthy')
  const annotations = world.setOf('h1').metadata.annotations ?? {}
  expect(annotations['rollout.argoproj.io/revision']).toBe('4')
  expect(annotations['rollout.argoproj.io/revision-history']).toBe('1')
})

test('a change of replicas in a pause keeps the weight and the pause [rollout-controller 15]', () => {
  const world = healthyWorld({ ...gate, maxSurge: 1, maxUnavailable: 0 })
  world.setImage('h2')
  world.pass(20_000)
  world.edit((spec) => ({ ...spec, replicas: 10 }))
  world.pass(20_000)
  expect([world.size('h1'), world.size('h2'), world.status.currentStepIndex]).toEqual([8, 2, 1])
  world.edit((spec) => ({ ...spec, replicas: 4 }))
  world.pass(20_000)
  expect([world.size('h1'), world.size('h2'), world.status.phase]).toEqual([4, 1, 'Paused'])
})

test('a full promotion alternates within the limits [rollout-controller 16]', () => {
  const world = healthyWorld({ ...gate, maxSurge: 1, maxUnavailable: 0 })
  world.setImage('h2')
  world.pass(20_000)
  world.edit((spec) => ({ ...spec, replicas: 4 }))
  world.pass(20_000)
  world.forget()
  world.patchStatus({ promoteFull: true })
  world.pass(120_000)
  expect([world.size('h1'), world.size('h2')]).toEqual([0, 4])
  expect(world.transitions.find((t) => t.reason === 'RolloutCompleted')?.message).toMatch(
    /Full promotion requested$/,
  )
})

test('an update paused by the user follows a change of replicas [rollout-controller 17]', () => {
  const world = healthyWorld({ steps: [{ setWeight: 20 }, { pause: {} }] })
  world.setImage('h2')
  world.pass(20_000)
  world.edit((spec) => ({ ...spec, paused: true }))
  world.edit((spec) => ({ ...spec, replicas: 10 }))
  world.pass(20_000)
  expect([world.size('h1'), world.size('h2'), world.status.message]).toEqual([
    8,
    2,
    'manually paused',
  ])
})

test('other steps in mid-update start it again [rollout-controller 18]', () => {
  const world = healthyWorld(gate)
  world.setImage('h2')
  world.pass(20_000)
  world.edit((spec) => ({
    ...spec,
    strategy: { canary: { steps: [{ setWeight: 40 }, { pause: {} }] } },
  }))
  expect(world.status.currentStepIndex ?? 0).toBe(0)
  expect(world.status.pauseConditions).toBeUndefined()
})

test('other steps on a promoted Rollout move no pod [rollout-controller 19]', () => {
  const world = healthyWorld(gate)
  world.edit((spec) => ({
    ...spec,
    strategy: { canary: { steps: [{ setWeight: 40 }, { pause: {} }] } },
  }))
  expect(world.status.currentStepIndex).toBe(2)
  expect(world.scalings()).toEqual([])
  expect(world.reasons()).toEqual(['SkipSteps'])
})

test('a timed pause holds at its very end and is over after it [rollout-controller 20]', () => {
  const world = healthyWorld({
    steps: [{ setWeight: 20 }, { pause: { duration: 60 } }, { setWeight: 60 }],
  })
  world.setImage('h2')
  world.pass(5_000)
  expect(world.status.currentStepIndex).toBe(1)
  world.pass(60_000)
  expect(world.status.currentStepIndex).toBe(1)
  world.pass(1)
  expect(world.status.currentStepIndex).toBe(2)
})

test('a pause of 0 is a gate [rollout-controller 21] [api 14]', () => {
  const world = healthyWorld({
    steps: [{ setWeight: 20 }, { pause: { duration: 0 } }, { setWeight: 60 }],
  })
  world.setImage('h2')
  world.pass(3_600_000)
  expect([world.status.currentStepIndex, world.status.phase]).toEqual([1, 'Paused'])
  expect(world.transitions.filter((t) => t.reason === 'ZeroPause')).toHaveLength(1)
})

test('a pause of 0 ends by itself where the process was told so [rollout-controller 21] [api 14]', () => {
  const world = healthyWorld({
    steps: [{ setWeight: 20 }, { pause: { duration: 0 } }, { setWeight: 60 }],
  })
  world.options = { ...world.options, zeroPause: 'advance' }
  world.setImage('h2')
  world.pass(5_000)
  expect(world.status.currentStepIndex).toBe(2)
  expect(world.reasons()).toContain('ZeroPause')
})

test('a duration with a trailing dot pauses ten minutes, with a warning [rollout-controller 22] [api 13]', () => {
  const world = healthyWorld({
    steps: [{ setWeight: 20 }, { pause: { duration: '10m.' } }, { setWeight: 60 }],
  })
  world.setImage('h2')
  world.pass(5_000)
  expect(world.transitions.filter((t) => t.reason === 'DurationNormalized')).toHaveLength(1)
  world.pass(600_000)
  expect(world.status.currentStepIndex).toBe(1)
  world.pass(1)
  expect(world.status.currentStepIndex).toBe(2)
})

test('pods that never become ready exceed the deadline, and abort where asked [rollout-controller 50] [api 37]', () => {
  const world = healthyWorld(gate)
  world.edit((spec) => ({ ...spec, progressDeadlineSeconds: 60, progressDeadlineAbort: true }))
  world.broken.add('h2')
  world.forget()
  world.setImage('h2')
  world.pass(59_000)
  expect(world.status.abort).toBeUndefined()
  world.pass(10_000)
  expect(world.status.abort).toBe(true)
  expect(world.status.phase).toBe('Degraded')
  expect(world.reasons().filter((reason) => reason === 'RolloutAborted')).toHaveLength(1)
})

test('a deadline without abort is told and leaves the update where it is [rollout-controller 50]', () => {
  const world = healthyWorld(gate)
  world.edit((spec) => ({ ...spec, progressDeadlineSeconds: 60 }))
  world.broken.add('h2')
  world.setImage('h2')
  world.pass(70_000)
  expect(world.condition('Progressing')).toMatchObject({
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
  })
  expect([world.status.phase, world.status.abort]).toEqual(['Degraded', undefined])
})

test('a long pause is no lack of progress [rollout-controller 51]', () => {
  const world = healthyWorld({
    steps: [{ setWeight: 20 }, { pause: { duration: '1h' } }, { setWeight: 60 }],
  })
  world.edit((spec) => ({ ...spec, progressDeadlineSeconds: 60 }))
  world.setImage('h2')
  world.pass(3_000_000)
  expect(world.status.phase).toBe('Paused')
  world.broken.add('h2')
  world.pass(700_000)
  expect(world.reasons()).not.toContain('RolloutAborted')
})

test('an update costs at most 18 writes to Rollout and ReplicaSets [rollout-controller 58]', () => {
  const world = healthyWorld({
    steps: [{ setWeight: 20 }, { pause: { duration: '60s' } }, { setWeight: 60 }],
  })
  world.setImage('h2')
  world.pass(120_000)
  expect(world.status.phase).toBe('Healthy')
  expect(world.writes.length).toBeLessThanOrEqual(18)
})

test('a healthy Rollout is left alone by a controller that starts [rollout-controller 60]', () => {
  const world = healthyWorld(gate)
  world.settle()
  world.pass(3_600_000)
  expect(world.writes).toEqual([])
  expect(world.transitions).toEqual([])
})
