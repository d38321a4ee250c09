import type { CanaryStep, Rollout } from '@serinus/api'
import { expect, test } from 'vitest'
import { type Plugin, PluginHost, reply } from '../testing/plugin-host.ts'
import { canaryRollout, World } from '../testing/world.ts'

const gate = (config?: unknown): CanaryStep =>
  ({ plugin: { name: 'org/gate', ...(config === undefined ? {} : { config }) } }) as CanaryStep
const other = { plugin: { name: 'org/other' } } as CanaryStep
const good = () => reply('Successful')
const working = () => reply('Running', { message: 'at it', status: { job: 7 } })

/** Revision 1 healthy. */
function deployed(steps: readonly CanaryStep[], plugins: Record<string, Plugin>, lagMs = 0): World {
  const world = new World(canaryRollout({ steps: [...steps] }, { replicas: 2 }))
  world.pass(10_000)
  const host = new PluginHost(plugins)
  host.lagMs = lagMs
  world.plugins = host
  world.forget()
  return world
}

/** Revision 1 healthy and revision 2 on its way. */
function updating(...facts: Parameters<typeof deployed>): World {
  const world = deployed(...facts)
  world.setImage('h2')
  return world
}

/** Gives the next of its answers at each call, the last one for ever. */
function saying(...outcomes: readonly ReturnType<typeof reply>[]): Plugin {
  let next = 0
  return () => outcomes[Math.min(next++, outcomes.length - 1)] ?? good()
}

const items = (world: World) => world.status.canary?.stepPluginStatuses ?? []
const calls = (world: World) => world.plugins?.calls ?? []
const step = (world: World) => world.status.currentStepIndex
const told = (world: World, reason = 'StepPluginTransition') =>
  world.transitions
    .filter((transition) => transition.reason === reason)
    .map(({ type, message }) => `${type}: ${message}`)
const waits = (world: World) => world.plans.at(-1)?.waits ?? []

test('a plugin is called until it is done, with what it keeps, and the step is over then', () => {
  const plugin = saying(
    reply('Running', { requeueAfterMs: 60_000, message: 'first', status: { n: 1 } }),
    reply('', { message: 'second', status: { n: 2 } }),
    reply('Successful', { message: 'third', status: { n: 3 } }),
  )
  const world = updating([gate({ threshold: 5 }), { pause: {} }], { 'org/gate': plugin })
  expect(items(world)).toMatchObject([{ phase: 'Running', message: 'first', backoff: '1m0s' }])
  expect(waits(world)).toMatchObject([{ kind: 'plugin', step: 0, message: 'first' }])
  expect(step(world)).toBe(0)
  world.pass(59_999)
  expect(calls(world)).toEqual(['run 0 #1'])
  world.pass(5_001)
  expect(calls(world)).toEqual(['run 0 #1', 'run 0 #2'])
  world.pass(35_000)
  expect(calls(world)).toEqual(['run 0 #1', 'run 0 #2', 'run 0 #3'])
  expect(world.plugins?.given.map(({ config, status }) => ({ config, status }))).toEqual([
    { config: { threshold: 5 }, status: null },
    { config: { threshold: 5 }, status: { n: 1 } },
    { config: { threshold: 5 }, status: { n: 2 } },
  ])
  expect(items(world)).toMatchObject([
    { index: 0, name: 'org/gate', operation: 'Run', phase: 'Successful', executions: 3 },
  ])
  expect(step(world)).toBe(1)
  expect(told(world)).toEqual(['Normal: Step plugin org/gate (step 1) transitioned to Running'])
  expect(told(world, 'RolloutStepCompleted')).toEqual([
    'Normal: Rollout step 1/2 completed (plugin: org/gate)',
  ])
})

test('a plugin whose last call was stamped by a clock that was years ahead is called all the same', () => {
  const world = updating([gate(), { pause: {} }], { 'org/gate': saying(working(), good()) })
  const [item] = items(world)
  world.patchStatus({
    canary: { stepPluginStatuses: [{ ...item, updatedAt: '2036-01-01T00:00:00Z' }] },
  })
  world.pass(35_000)
  expect(calls(world)).toEqual(['run 0 #1', 'run 0 #2'])
  expect(step(world)).toBe(1)
})

test('the status says that a plugin runs before it is called for the first time', () => {
  const seen: unknown[] = []
  const world = deployed([gate(), { pause: {} }], {
    'org/gate': () => {
      seen.push(items(world))
      return good()
    },
  })
  world.setImage('h2')
  const [before] = seen
  expect(before).toEqual([
    {
      index: 0,
      name: 'org/gate',
      operation: 'Run',
      phase: 'Running',
      startedAt: '2026-01-01T00:00:10Z',
    },
  ])
  expect(step(world)).toBe(1)
})

test('the first deployment calls no plugin', () => {
  const world = new World(canaryRollout({ steps: [gate()] }, { replicas: 2 }))
  world.plugins = new PluginHost({ 'org/gate': good })
  world.pass(600_000)
  expect([world.status.phase, items(world), calls(world)]).toEqual(['Healthy', [], []])
})

test('a disabled plugin is passed over and its item says so [metric-providers 62]', () => {
  const world = updating([gate(), { pause: {} }], { 'org/gate': 'disabled' })
  expect(items(world)).toEqual([{ index: 0, name: 'org/gate', operation: 'Run', disabled: true }])
  expect([step(world), calls(world), told(world)]).toEqual([1, [], []])
})

test('a call that fails is made again after 30 s, and so is one whose plugin says Error', () => {
  const world = updating([gate(), { pause: {} }], {
    'org/gate': saying(
      { kind: 'error', message: 'connection is shut down' },
      reply('Error', { message: 'no route' }),
      good(),
    ),
  })
  expect(items(world)).toMatchObject([
    { phase: 'Error', message: 'connection is shut down', backoff: '30s', executions: 1 },
  ])
  world.pass(29_999)
  expect(calls(world)).toEqual(['run 0 #1'])
  world.pass(5_001)
  expect(items(world)).toMatchObject([{ phase: 'Error', message: 'no route', backoff: '30s' }])
  world.pass(35_000)
  expect(calls(world)).toEqual(['run 0 #1', 'run 0 #2', 'run 0 #3'])
  expect(step(world)).toBe(1)
  expect(told(world)).toEqual(['Warning: Step plugin org/gate (step 1) transitioned to Error'])
})

test('an item that Argo Rollouts left in Error without backoff is called again', () => {
  const world = updating([gate(), { pause: {} }], { 'org/gate': working })
  world.patchStatus({
    canary: {
      stepPluginStatuses: [
        {
          index: 0,
          name: 'org/gate',
          operation: 'Run',
          phase: 'Error',
          executions: 4,
          updatedAt: '2026-01-01T00:00:10Z',
        },
      ],
    },
  })
  if (world.plugins) world.plugins.plugins = { 'org/gate': good }
  world.pass(35_000)
  expect(calls(world).at(-1)).toBe('run 0 #5')
  expect(step(world)).toBe(1)
})

test('a plugin that fails aborts the update, and the earlier ones are aborted in reverse, once each', () => {
  const ended = (message: string) => reply('Running', { message })
  const host: Record<string, Plugin> = {
    'org/gate': ({ method, status }) =>
      method === 'run'
        ? reply('Successful', { status: { job: 7 } })
        : ended(`stops ${JSON.stringify(status)}`),
    'org/other': ({ method, index }) => {
      if (method === 'abort') return { kind: 'error', message: 'connection is shut down' }
      return index === 1 ? good() : reply('Failed', { message: 'error rate 7 %' })
    },
  }
  const world = updating([gate(), other, other], host)
  world.pass(600_000)
  expect(calls(world)).toEqual(['run 0 #1', 'run 1 #1', 'run 2 #1', 'abort 1 #1', 'abort 0 #1'])
  expect(world.status.message).toBe(
    'RolloutAborted: Rollout aborted update to revision 2: Step Plugin 3 (org/other) failed: error rate 7 %',
  )
  expect(items(world)).toMatchObject([
    { index: 0, operation: 'Run', phase: 'Successful' },
    { index: 1, operation: 'Run', phase: 'Successful' },
    { index: 2, operation: 'Run', phase: 'Failed' },
    { index: 1, operation: 'Abort', phase: 'Error', message: 'connection is shut down' },
    { index: 0, operation: 'Abort', phase: 'Failed', message: 'stops {"job":7}' },
  ])
  expect(told(world)).toEqual([
    'Warning: Step plugin org/other (step 3) transitioned to Failed',
    'Warning: Step plugin org/other (step 2) aborted (Error)',
    'Warning: Step plugin org/gate (step 1) aborted (Failed)',
  ])
})

test('a user who aborts has the plugin at work aborted, after its answer', () => {
  const world = updating([gate()], { 'org/gate': working }, 20_000)
  world.pass(10_000)
  world.patchStatus({ abort: true })
  expect(calls(world)).toEqual(['run 0 #1'])
  expect(world.status.phase).toBe('Degraded')
  expect(waits(world)).toContainEqual(
    expect.objectContaining({ kind: 'plugin', name: 'org/gate', operation: 'Abort' }),
  )
  world.pass(10_000)
  expect(calls(world)).toEqual(['run 0 #1', 'abort 0 #1'])
  world.pass(600_000)
  expect(calls(world)).toEqual(['run 0 #1', 'abort 0 #1'])
})

test('a full promotion terminates the plugin at work once and waits for nothing', () => {
  const world = updating([{ setWeight: 50 }, gate()], {
    'org/gate': ({ method }) => (method === 'run' ? working() : reply('')),
  })
  world.pass(10_000)
  expect(step(world)).toBe(1)
  world.patchStatus({ promoteFull: true })
  world.pass(600_000)
  expect(calls(world).filter((call) => !call.startsWith('run'))).toEqual(['terminate 1 #1'])
  expect(world.status.phase).toBe('Healthy')
  expect(items(world)).toMatchObject([
    { operation: 'Run', phase: 'Running' },
    { operation: 'Terminate', phase: 'Successful' },
  ])
  expect(told(world).at(-1)).toBe('Normal: Step plugin org/gate (step 2) terminated (Successful)')
})

test('a plugin whose step a user skipped is terminated when the update is over', () => {
  const world = updating([gate(), { pause: {} }], { 'org/gate': working })
  world.patchStatus({ currentStepIndex: 1 })
  world.pass(10_000)
  expect(calls(world)).toEqual(['run 0 #1'])
  world.patchStatus({ pauseConditions: null })
  world.pass(60_000)
  expect(world.status.phase).toBe('Healthy')
  expect(calls(world)).toEqual(['run 0 #1', 'terminate 0 #1'])
})

test('a retry begins with clean items', () => {
  const plugin = saying(reply('Failed', { message: 'no' }), good())
  const world = updating([{ setWeight: 50 }, gate(), { pause: {} }], { 'org/gate': plugin })
  world.pass(10_000)
  expect(world.status.abort).toBe(true)
  world.patchStatus({ abort: false })
  expect(items(world)).toEqual([])
  world.pass(60_000)
  expect(calls(world)).toEqual(['run 1 #1', 'run 1 #1'])
  expect(step(world)).toBe(2)
  expect(items(world)).toMatchObject([{ index: 1, phase: 'Successful', executions: 1 }])
})

test.each<[string, (world: World) => void]>([
  ['retries', (world) => world.patchStatus({ abort: false })],
  ['applies other steps', (world) => editSteps(world, [gate(), { pause: { duration: 5 } }])],
  ['applies another image', (world) => world.setImage('h3')],
])('a user who aborts and at once %s leaves no plugin behind that is not aborted', (_, act) => {
  const world = updating([gate(), { pause: {} }], { 'org/gate': working }, 20_000)
  world.pass(10_000)
  world.patchStatus({ abort: true })
  act(world)
  expect(items(world)).toMatchObject([
    { operation: 'Run', phase: 'Running' },
    { operation: 'Abort', phase: 'Running' },
  ])
  world.pass(10_000)
  expect(calls(world)).toEqual(['run 0 #1', 'abort 0 #1'])
  world.pass(20_000)
  // Only now does the plugin begin anew, as if for the first time.
  expect(calls(world)).toEqual(['run 0 #1', 'abort 0 #1', 'run 0 #1'])
  expect(world.plugins?.given.at(-1)?.status).toBeNull()
  expect(items(world)).toMatchObject([{ operation: 'Run', phase: 'Running' }])
})

test('an answer to an update that was replaced counts for nothing in the next', () => {
  const host: Record<string, Plugin> = { 'org/gate': good }
  const world = updating([gate(), { pause: {} }], host, 20_000)
  world.setImage('h3')
  world.pass(19_000)
  expect([items(world), step(world)]).toEqual([[], 0])
  world.pass(1_000)
  expect([calls(world), step(world)]).toEqual([['run 0 #1', 'run 0 #1'], 0])
  world.pass(20_000)
  expect(step(world)).toBe(1)
})

test('a plugin that nobody can call is waited for, told once and called when it is there', () => {
  const message = 'unable to find plugin (org/gate): plugin org/gate not configured in configmap'
  const world = updating([gate(), { pause: {} }], { 'org/gate': { gone: message } })
  world.pass(5_000)
  expect(items(world)).toMatchObject([{ phase: 'Error', message, operation: 'Run' }])
  expect(waits(world)).toEqual([{ kind: 'plugin-unavailable', step: 0, name: 'org/gate', message }])
  const writes = world.writes.length
  world.pass(3_600_000)
  expect(world.writes.slice(writes)).toEqual([])
  expect(told(world, 'ReconciliationError')).toEqual([
    `Warning: Reconciliation failed with error: ${message}`,
  ])
  if (world.plugins) world.plugins.plugins = { 'org/gate': good }
  world.pass(30_000)
  expect([calls(world), step(world)]).toEqual([['run 0 #1'], 1])
})

test('a host that starts beside the controller makes no noise and gives up no Abort', () => {
  const world = updating([gate(), { pause: {} }], { 'org/gate': working }, 20_000)
  world.pass(1_000)
  world.patchStatus({ abort: true })
  world.patchStatus({ abort: false })
  const starting: Plugin = { gone: 'ConfigMap argo-rollouts-config has not been read yet' }
  world.plugins = new PluginHost({ 'org/gate': starting })
  world.pass(4_000)
  expect(told(world, 'ReconciliationError')).toEqual([])
  world.plugins.plugins = { 'org/gate': good }
  world.pass(60_000)
  expect(calls(world)).toEqual(['abort 0 #1', 'run 0 #1'])
})

test('without a host for plugins the step waits and says so', () => {
  const world = updating([gate()], {})
  expect(waits(world)).toMatchObject([
    {
      kind: 'plugin-unavailable',
      message: 'step plugin org/gate cannot be called: this controller runs no step plugins',
    },
  ])
})

test('a reason that reads differently each time is not written more often than every 30 s', () => {
  const world = updating([gate()], { 'org/gate': working })
  let said = 0
  Object.defineProperty(world.plugins?.plugins, 'org/gate', {
    get: () => ({ gone: `pid ${said++}` }),
  })
  world.pass(35_000)
  const before = world.writes.length
  world.pass(300_000)
  expect(world.writes.length - before).toBeLessThanOrEqual(10)
  expect(waits(world)[0]?.kind).toMatch(/^plugin/)
})

test('a plugin that was never called is not aborted, and one that is gone holds up no other', () => {
  const world = updating([gate(), other], {
    'org/gate': good,
    'org/other': { gone: 'not configured' },
  })
  world.patchStatus({ abort: true })
  world.pass(60_000)
  expect(calls(world)).toEqual(['run 0 #1', 'abort 0 #1'])

  const late = updating([gate(), other], { 'org/gate': good, 'org/other': working })
  if (late.plugins) late.plugins.plugins = { 'org/gate': good, 'org/other': { gone: 'crashed' } }
  late.patchStatus({ abort: true })
  late.pass(60_000)
  expect(calls(late)).toEqual(['run 0 #1', 'run 1 #1', 'abort 0 #1'])
  expect(waits(late)).toContainEqual({
    kind: 'plugin-unavailable',
    step: 1,
    name: 'org/other',
    message: 'crashed',
  })
  if (late.plugins) late.plugins.plugins = { 'org/gate': good, 'org/other': good }
  late.pass(30_000)
  expect(calls(late).at(-1)).toBe('abort 1 #1')
})

test('a plugin that is gone does not hold up a retry', () => {
  const world = updating([gate(), { pause: {} }], { 'org/gate': working })
  if (world.plugins) world.plugins.plugins = { 'org/gate': { gone: 'not configured' } }
  world.patchStatus({ abort: true })
  world.pass(60_000)
  editSteps(world, [gate(), { pause: {} }, { pause: {} }])
  world.pass(60_000)
  expect(items(world)).toMatchObject([{ operation: 'Run', phase: 'Error' }])
  expect(items(world)).toHaveLength(1)
  expect(told(world).at(-1)).toBe('Warning: Step plugin org/gate (step 1) aborted (Error)')
})

test('nothing is called while the Rollout is paused', () => {
  const world = updating([gate()], { 'org/gate': working })
  world.edit((spec) => ({ ...spec, paused: true }))
  world.pass(600_000)
  expect(calls(world)).toEqual(['run 0 #1'])
  world.edit((spec) => ({ ...spec, paused: false }))
  expect(calls(world)).toEqual(['run 0 #1', 'run 0 #2'])
})

test('a plugin may take longer than the progress deadline', () => {
  const world = deployed([gate(), { pause: {} }], {
    'org/gate': () => (world.now < Date.parse('2026-01-01T02:00:00Z') ? working() : good()),
  })
  world.setImage('h2')
  world.pass(7_300_000)
  expect(step(world)).toBe(1)
  expect(told(world, 'ProgressDeadlineExceeded')).toEqual([])
})

test('a status that cannot be written keeps the answer, and nothing is called again for it', () => {
  const world = updating([gate(), { pause: {} }], { 'org/gate': good }, 1_000)
  world.fails = (id) => id === 'status'
  world.pass(600_000)
  expect([calls(world), step(world)]).toEqual([['run 0 #1'], 0])
  world.fails = () => false
  world.pass(1_000)
  expect([calls(world), step(world)]).toEqual([['run 0 #1'], 1])
})

const scenes: Record<string, (world: World) => void> = {
  promotion: (world) => world.pass(300_000),
  abort: (world) => {
    world.pass(40_000)
    world.patchStatus({ abort: true })
    world.pass(300_000)
  },
  'full promotion': (world) => {
    world.pass(40_000)
    world.patchStatus({ promoteFull: true })
    world.pass(300_000)
  },
}

test.each(Object.keys(scenes))(
  'a process that dies after any effect skips no Abort, passes no step and calls once more at most: %s',
  (scene) => {
    const play = (fatal: number) => {
      const plugins: Record<string, Plugin> = {
        'org/gate': ({ method, serial }) =>
          method === 'run' && serial < 3
            ? reply('Running', { status: { serial } })
            : reply('Successful', { status: { serial } }),
        'org/other': ({ method, serial }) =>
          method === 'run' && serial < 9 ? reply('Running') : good(),
      }
      const world = new World(
        canaryRollout({ steps: [{ setWeight: 50 }, gate(), other] }, { replicas: 2 }),
      )
      world.pass(10_000)
      world.plugins = new PluginHost(plugins)
      const before = world.effects
      world.diesAfter = (effect) => effect - before === fatal
      world.setImage('h2')
      world.pass(45_000)
      scenes[scene]?.(world)
      return world
    }
    const calm = play(0)
    const endOf = (world: World) => ({
      phase: [world.status.phase, world.status.message],
      step: step(world),
      items: items(world).map(({ index, operation, phase, status }) => ({
        index,
        operation,
        phase,
        status,
      })),
    })
    expect(calls(calm).length).toBeGreaterThan(4)
    for (let fatal = 1; fatal < 60; fatal++) {
      const dying = play(fatal)
      expect(endOf(dying), `effect ${fatal}`).toEqual(endOf(calm))
      expect([...new Set(calls(dying))], `effect ${fatal}`).toEqual([...new Set(calls(calm))])
      expect(calls(dying).length, `effect ${fatal}`).toBeLessThanOrEqual(calls(calm).length + 1)
    }
  },
)

function editSteps(world: World, steps: readonly CanaryStep[]): void {
  world.edit((spec): Rollout['spec'] => ({
    ...spec,
    strategy: { canary: { ...spec.strategy?.canary, steps: [...steps] } },
  }))
}
