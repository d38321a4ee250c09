import { expect, test } from 'vitest'
import { planRollout } from '../plan-rollout.ts'
import { doDeed, routing, worldOf } from '../testing/stories.ts'
import { canaryRollout, healthyWorld } from '../testing/world.ts'

const gate = { steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }] }

test('a Service that is missing is named, and the Rollout is sound again once it exists [api 17]', () => {
  const world = worldOf(canaryRollout({ ...gate, stableService: 's' }, { replicas: 2 }))
  expect(world.status.message).toMatch(/^InvalidSpec: .*service "s" not found/)
  expect(world.replicaSets).toEqual([])
  world.services = [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's', namespace: 'default' },
      spec: { selector: { app: 'app' }, ports: [{ port: 80 }] },
    },
  ]
  world.settle()
  world.pass(15_000)
  expect(world.condition('InvalidSpec')).toBeUndefined()
  expect(world.status.phase).toBe('Healthy')
})

test('an abort by a user is told once, in the condition, the phase and one event [api 35]', () => {
  const world = healthyWorld(gate)
  world.setImage('h2')
  world.pass(10_000)
  world.patchStatus({ abort: true })
  world.pass(60_000)
  const message = 'Rollout aborted update to revision 2'
  expect(world.condition('Progressing')).toMatchObject({
    status: 'False',
    reason: 'RolloutAborted',
    message,
  })
  expect([world.status.phase, world.status.message]).toEqual([
    'Degraded',
    `RolloutAborted: ${message}`,
  ])
  expect(world.transitions.filter((one) => one.reason === 'RolloutAborted')).toEqual([
    { type: 'Warning', reason: 'RolloutAborted', message, after: 'status' },
  ])
})

test('a pause by a user is shown before the pause of a step [api 38]', () => {
  const world = healthyWorld(gate)
  world.edit((spec) => ({ ...spec, paused: true }))
  expect([world.status.phase, world.status.message]).toEqual(['Paused', 'manually paused'])
  world.edit(({ paused: _, ...spec }) => spec)
  world.setImage('h2')
  world.pass(10_000)
  expect(world.status.message).toBe('CanaryPauseStep')
  world.edit((spec) => ({ ...spec, paused: true }))
  expect([world.status.phase, world.status.message]).toEqual(['Paused', 'manually paused'])
})

test('old pods that are still leaving keep an update from being done [api 40]', () => {
  const world = healthyWorld(gate)
  world.setImage('h2')
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  expect(world.status.phase).toBe('Healthy')
  const leaving = world.replicaSets.map((set) =>
    set === world.setOf('h1') ? { ...set, status: { replicas: 1 } } : set,
  )
  const plan = planRollout({ ...world.snapshot(), replicaSets: leaving }, world.now)
  expect(plan.writes).toMatchObject([
    {
      patch: {
        body: {
          status: { phase: 'Progressing', message: 'old replicas are pending termination' },
        },
      },
    },
  ])
  expect(plan.waits).toMatchObject([{ kind: 'pods', available: 0, wanted: 0 }])
})

test('an update whose router does not follow waits for its steps to complete, and says so [api 40]', () => {
  const steps = [{ setWeight: 20 }, { setWeight: 40 }, { setWeight: 60 }]
  const world = worldOf(canaryRollout({ ...routing, steps }, { replicas: 5 }))
  world.setImage('h2')
  world.pass(4_000)
  world.patchStatus({ currentStepIndex: 3 })
  world.routerWorks = false
  world.pass(20_000)
  expect(world.status.currentStepIndex).toBe(3)
  expect([world.status.phase, world.status.message]).toEqual([
    'Progressing',
    'waiting for all steps to complete',
  ])
  expect(world.plans.at(-1)?.waits).toEqual([{ kind: 'routes', weight: 100, effective: 0 }])
})

test('an update without steps has its own deadline, however long ago the last one was', () => {
  const world = healthyWorld({})
  world.edit((spec) => ({ ...spec, progressDeadlineSeconds: 60, progressDeadlineAbort: true }))
  world.pass(3_600_000)
  world.setImage('h2')
  world.pass(30_000)
  expect([world.status.phase, world.size('h2')]).toEqual(['Healthy', 5])
})

test('the deadline counts anew from an analysis step that a user skips', () => {
  const steps = [{ analysis: { templates: [{ templateName: 'check' }] } }, { setWeight: 50 }]
  const rollout = canaryRollout({ steps }, { replicas: 2 })
  const world = worldOf({ ...rollout, spec: { ...rollout.spec, progressDeadlineAbort: true } })
  world.setImage('h2')
  world.pass(3_600_000)
  world.patchStatus({ currentStepIndex: 1 })
  expect(world.status.abort).toBeUndefined()
  world.pass(60_000)
  expect(world.status.phase).toBe('Healthy')
})

test('an analysis that could not be started is started at the next try', () => {
  const steps = [{ analysis: { templates: [{ templateName: 'check' }] } }]
  const world = worldOf(canaryRollout({ steps }, { replicas: 2 }))
  world.fails = (id) => id.startsWith('run/')
  world.setImage('h2')
  world.pass(10_000)
  expect(world.analysisRuns).toEqual([])
  world.fails = () => false
  world.settle()
  expect(world.analysisRuns).toHaveLength(1)
})

test('an update without steps goes no further while an analysis is inconclusive', () => {
  const analysis = { templates: [{ templateName: 'watch' }] }
  const world = worldOf(canaryRollout({ analysis }, { replicas: 10 }))
  world.setImage('h2')
  const sizes = [world.size('h1'), world.size('h2')]
  doDeed(world, { kind: 'verdict', phase: 'Inconclusive' })
  world.pass(60_000)
  expect([world.size('h1'), world.size('h2')]).toEqual(sizes)
  expect(world.plans.at(-1)?.waits).toMatchObject([{ kind: 'inconclusive' }])
  world.patchStatus({ promoteFull: true })
  world.pass(60_000)
  expect(world.status.phase).toBe('Healthy')
})
