import { kinds, type Rollout } from '@serinus/api'
import type { RolloutPlan, StepPluginCall, Write } from '@serinus/engine'
import { VirtualClock } from '@serinus/kube'
import { afterEach, expect, test } from 'vitest'
import type { Outcome } from './apply.ts'
import { type StepPlugin, StepPluginCalls, type StepPluginReply } from './step-plugins.ts'

const startAt = Date.UTC(2026, 0, 1)
const processes: AbortController[] = []

afterEach(() => {
  for (const process of processes.splice(0)) process.abort(new Error('the test is over'))
})

const rollout = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata: { name: 'web', namespace: 'app' },
  spec: { strategy: { canary: { steps: [{ plugin: { name: 'org/gate' } }] } } },
} as Rollout

const done: StepPluginReply = {
  phase: 'Successful',
  message: 'done',
  requeueAfterMs: 0,
  status: { job: 7 },
}

const run: StepPluginCall = {
  index: 0,
  name: 'org/gate',
  method: 'run',
  serial: 1,
  config: { threshold: 5 },
  status: null,
}

function planOf(facts: Partial<RolloutPlan>): RolloutPlan {
  return {
    writes: [],
    routes: null,
    transitions: [],
    waits: [],
    checkAt: null,
    statusDeferred: false,
    needsPods: false,
    pluginCalls: [],
    warnings: [],
    ...facts,
  }
}

const statusWrite: Write = {
  kind: 'patch',
  id: 'status',
  resource: kinds.rollouts,
  key: { namespace: 'app', name: 'web' },
  patch: { kind: 'merge', body: {} },
}
const stored: Outcome = { id: 'status', kind: 'done', write: statusWrite, object: null }
const refused: Outcome = {
  id: 'status',
  kind: 'failed',
  write: statusWrite,
  reason: 'Conflict',
  message: 'changed',
  error: null,
}

function world(plugin: StepPlugin | undefined) {
  const clock = new VirtualClock(startAt)
  const process = new AbortController()
  processes.push(process)
  const woken: string[] = []
  const calls = new StepPluginCalls({
    plugins: plugin && { step: () => plugin },
    clock,
    signal: process.signal,
    enqueue: (key) => woken.push(key),
  })
  /** A pass over app/web that plans this and whose writes end like that. */
  const pass = (facts: Partial<RolloutPlan>, outcomes: readonly Outcome[] = []) => {
    const observed = calls.observe('app/web', rollout)
    calls.follow('app/web', { rollout, observed, plan: planOf(facts), outcomes })
  }
  const observe = () => calls.observe('app/web', rollout)
  return { clock, process, calls, woken, pass, observe }
}

/** A plugin that answers like that. */
function ready(call: (StepPlugin & { kind: 'ready' })['call']): StepPlugin {
  return { kind: 'ready', call }
}

const id = { index: 0, name: 'org/gate', method: 'run', serial: 1 }

test('a call is under way until its answer is there, which wakes the Rollout', async () => {
  const given: unknown[] = []
  const { clock, pass, observe, woken } = world(
    ready(async (method, input) => {
      given.push({ method, ...input })
      await clock.until(startAt + 5_000)
      return done
    }),
  )
  pass({ pluginCalls: [run] })
  expect(observe()).toEqual({
    states: { 'org/gate': { kind: 'ready' } },
    inFlight: [id],
    answers: [],
  })
  expect(given).toEqual([{ method: 'run', rollout, config: { threshold: 5 }, status: null }])
  await clock.advance(5_000)
  expect(observe()).toMatchObject({
    inFlight: [],
    answers: [{ ...id, at: startAt + 5_000, outcome: { kind: 'reply', ...done } }],
  })
  expect(woken).toEqual(['app/web'])
})

test('an answer comes again until the status that tells of it is stored', async () => {
  const { clock, pass, observe } = world(ready(async () => done))
  pass({ pluginCalls: [run] })
  await clock.advance(0)
  pass({ writes: [statusWrite] }, [refused])
  expect(observe()?.answers).toHaveLength(1)
  // A pass that could not look at steps, since the spec is invalid.
  pass({ pluginCalls: null, writes: [statusWrite] }, [stored])
  expect(observe()?.answers).toHaveLength(1)
  pass({ writes: [statusWrite] }, [stored])
  expect(observe()?.answers).toEqual([])
})

test('an answer that arrives while a pass is under way is not lost with it', async () => {
  const { clock, calls, pass, observe } = world(ready(async () => done))
  pass({ pluginCalls: [run] })
  const observed = observe()
  await clock.advance(0)
  const plan = planOf({ writes: [statusWrite] })
  calls.follow('app/web', { rollout, observed, plan, outcomes: [stored] })
  expect(observe()?.answers).toHaveLength(1)
})

test('a plugin that never answers ends at its deadline of 30 s and is told so', async () => {
  let isTold = false
  const { clock, pass, observe } = world(
    ready((_method, _input, signal) => {
      signal.addEventListener('abort', () => {
        isTold = true
      })
      return new Promise(() => {})
    }),
  )
  pass({ pluginCalls: [run] })
  await clock.advance(29_999)
  expect([isTold, observe()?.inFlight.length]).toEqual([false, 1])
  await clock.advance(1)
  expect([isTold, observe()?.inFlight.length]).toEqual([true, 1])
  await clock.advance(250)
  expect(observe()).toMatchObject({
    inFlight: [],
    answers: [
      {
        outcome: { kind: 'error', message: 'step plugin org/gate did not answer run within 30s' },
      },
    ],
  })
})

test('a plugin that is given another time has that', async () => {
  const { clock, pass, observe } = world({
    kind: 'ready',
    timeoutMs: 90_000,
    call: () => new Promise(() => {}),
  })
  pass({ pluginCalls: [run] })
  await clock.advance(90_000)
  expect(observe()?.inFlight).toHaveLength(1)
  await clock.advance(250)
  expect(observe()?.answers).toMatchObject([
    {
      outcome: { kind: 'error', message: 'step plugin org/gate did not answer run within 1m30s' },
    },
  ])
})

test('a plugin that heeds its deadline ends it in its own words', async () => {
  const { clock, pass, observe } = world(
    ready(async (_method, _input, signal) => {
      await clock.until(startAt + 3_600_000, signal).catch(() => {
        throw new Error('waited for the lock of job 7')
      })
      return done
    }),
  )
  pass({ pluginCalls: [run] })
  await clock.advance(30_000)
  expect(observe()?.answers).toMatchObject([
    { outcome: { kind: 'error', message: 'waited for the lock of job 7' } },
  ])
})

test.each<[string, StepPlugin, string]>([
  [
    'throws at once',
    ready(() => {
      throw new Error('no such file')
    }),
    'no such file',
  ],
  ['rejects', ready(() => Promise.reject(new Error('broken pipe'))), 'broken pipe'],
])('a plugin that %s is an answer, too', async (_, plugin, message) => {
  const { clock, pass, observe } = world(plugin)
  pass({ pluginCalls: [run] })
  await clock.advance(0)
  expect(observe()?.answers).toMatchObject([{ outcome: { kind: 'error', message } }])
})

test('a Rollout that is gone is not answered to, and its plugin is told', async () => {
  const signals: AbortSignal[] = []
  const { clock, calls, pass, woken } = world(
    ready(async (_method, _input, signal) => {
      signals.push(signal)
      await clock.until(startAt + 5_000)
      return done
    }),
  )
  pass({ pluginCalls: [run] })
  calls.forget('app/web')
  expect(signals.map((signal) => signal.aborted)).toEqual([true])
  await clock.advance(10_000)
  expect(woken).toEqual([])
})

test('names in the status count as well as those in the steps, and a Rollout without any costs nothing', () => {
  const { calls } = world({ kind: 'disabled' })
  const item = { index: 0, name: 'org/old', operation: 'Run' } as const
  const leftOver = { ...rollout, status: { canary: { stepPluginStatuses: [item] } } } as Rollout
  expect(calls.observe('app/web', leftOver)?.states).toEqual({
    'org/gate': { kind: 'disabled' },
    'org/old': { kind: 'disabled' },
  })
  const plain = { ...rollout, spec: { strategy: { canary: {} } } } as Rollout
  expect(calls.observe('app/web', plain)).toBeUndefined()
})

test('without anybody who runs step plugins each is unavailable, with a reason and since when', async () => {
  const { clock, observe } = world(undefined)
  const missing = (since: number) => ({
    'org/gate': {
      kind: 'unavailable',
      message: 'step plugin org/gate cannot be called: this controller runs no step plugins',
      since,
    },
  })
  expect(observe()?.states).toEqual(missing(startAt))
  await clock.advance(30_000)
  expect(observe()?.states).toEqual(missing(startAt))
  // Nobody has looked for so long that it may have been there in between.
  await clock.advance(60_001)
  expect(observe()?.states).toEqual(missing(startAt + 90_001))
})
