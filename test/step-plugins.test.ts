import type { StepPlugin, StepPluginInput, StepPluginReply } from '@serinus/controller'
import type { KubeObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { canary, isHealthy } from './replica-world.ts'
import { type StoredRollout, type VirtualCluster, virtualCluster } from './virtual-cluster.ts'

type Method = 'run' | 'terminate' | 'abort'
type Answering = (
  method: Method,
  input: StepPluginInput,
) => Partial<StepPluginReply> | Promise<Partial<StepPluginReply>>

/** Step plugins as a host in TypeScript runs them, and everything they were called with. */
class Host {
  /** As `run org/gate {"threshold":5} → null`: method, name, config and what the plugin had kept. */
  readonly calls: string[] = []
  readonly inputs: StepPluginInput[] = []
  plugins: Record<string, Answering | 'disabled'>

  constructor(plugins: Host['plugins']) {
    this.plugins = plugins
  }

  step(name: string): StepPlugin {
    const plugin = this.plugins[name]
    if (plugin === 'disabled') return { kind: 'disabled' }
    if (!plugin) return { kind: 'unavailable', message: `plugin ${name} not configured` }
    return {
      kind: 'ready',
      call: async (method, input) => {
        this.inputs.push(input)
        this.calls.push(`${method} ${name} ${json(input.config)} → ${json(input.status)}`)
        const reply = await plugin(method, input)
        return { phase: '', message: '', requeueAfterMs: 0, status: null, ...reply }
      },
    }
  }
}

const json = (value: unknown) => JSON.stringify(value ?? null)
const gate = { plugin: { name: 'org/gate', config: { threshold: 5 } } }
const load = { plugin: { name: 'org/load' } }
const good: Answering = () => ({ phase: 'Successful' })

/** Runs as long as it is asked to, and says how often that was. */
const counting =
  (runs: number): Answering =>
  (method, { status }) => {
    if (method !== 'run') return {}
    const count = ((status as { count?: number } | null)?.count ?? 0) + 1
    const phase = count < runs ? 'Running' : 'Successful'
    return { phase, message: `run ${count}`, status: { count }, requeueAfterMs: 45_000 }
  }

const items = (rollout: StoredRollout) => rollout.status?.canary?.stepPluginStatuses ?? []
const has = (operation: string) => (rollout: StoredRollout) =>
  items(rollout).some((item) => item.operation === operation)

/** Healthy with what was last asked for. */
const isReleased = (rollout: StoredRollout) =>
  isHealthy(rollout) && rollout.status?.observedGeneration === String(rollout.metadata.generation)

async function updating(
  host: Host,
  steps: readonly object[],
  options: Parameters<typeof virtualCluster>[0] = {},
): Promise<VirtualCluster> {
  const world = await virtualCluster({ ...options, stepPlugins: host })
  await world.apply(canary('web', { steps }))
  await world.until('web', isHealthy)
  await world.setImage('web', 'web:v2')
  return world
}

async function told(world: VirtualCluster, reason = 'StepPluginTransition'): Promise<string[]> {
  const events = await world.events(reason)
  return events.map(({ type, message }) => `${type}: ${message}`)
}

test('a step plugin is called three times and the update goes on [metric-providers 61]', async () => {
  const host = new Host({ 'org/gate': counting(3) })
  await using world = await updating(host, [{ setWeight: 50 }, gate])
  const running = await world.until('web', (rollout) => items(rollout)[0]?.executions === 1)
  expect(items(running)).toMatchObject([{ phase: 'Running', backoff: '45s', message: 'run 1' }])
  const done = await world.until('web', isReleased)
  expect(host.calls).toEqual([
    'run org/gate {"threshold":5} → null',
    'run org/gate {"threshold":5} → {"count":1}',
    'run org/gate {"threshold":5} → {"count":2}',
  ])
  expect(host.inputs[0]?.rollout.status?.currentStepIndex).toBe(1)
  expect(items(done)).toMatchObject([
    { index: 1, name: 'org/gate', operation: 'Run', phase: 'Successful', executions: 3 },
  ])
  expect(await told(world)).toEqual([
    'Normal: Step plugin org/gate (step 2) transitioned to Running',
  ])
  expect(world.errors).toEqual([])
})

test('a step plugin that fails aborts the update and has the earlier ones aborted in reverse', async () => {
  const host = new Host({
    'org/gate': good,
    'org/load': (method) => (method === 'run' ? { phase: 'Failed', message: 'p99 900 ms' } : {}),
    'org/lock': (method) =>
      method === 'run' ? { phase: 'Successful', status: { lease: 7 } } : { phase: 'Running' },
  })
  const lock = { plugin: { name: 'org/lock' } }
  await using world = await updating(host, [gate, lock, { setWeight: 50 }, load])
  const aborted = await world.until(
    'web',
    (rollout) => items(rollout).filter((item) => item.operation === 'Abort').length === 2,
  )
  expect(aborted.status?.message).toBe(
    'RolloutAborted: Rollout aborted update to revision 2: Step Plugin 4 (org/load) failed: p99 900 ms',
  )
  await world.pass(600_000)
  expect(host.calls.slice(3)).toEqual([
    'abort org/lock null → {"lease":7}',
    'abort org/gate {"threshold":5} → null',
  ])
  expect(await told(world)).toEqual([
    'Warning: Step plugin org/load (step 4) transitioned to Failed',
    'Warning: Step plugin org/lock (step 2) aborted (Failed)',
    'Normal: Step plugin org/gate (step 1) aborted (Successful)',
  ])
  expect(world.errors).toEqual([])
})

test('a full promotion terminates the plugin at work', async () => {
  const host = new Host({ 'org/gate': counting(99) })
  await using world = await updating(host, [{ setWeight: 50 }, gate])
  await world.until('web', (rollout) => items(rollout)[0]?.executions === 1)
  await promoteFull(world)
  const done = await world.until(
    'web',
    (rollout) => isReleased(rollout) && has('Terminate')(rollout),
  )
  await world.pass(600_000)
  expect(host.calls.slice(1)).toEqual(['terminate org/gate {"threshold":5} → {"count":1}'])
  expect(items(done)).toMatchObject([
    { operation: 'Run', phase: 'Running' },
    { operation: 'Terminate', phase: 'Successful' },
  ])
})

test('a disabled plugin is passed over and its status item says so [metric-providers 62]', async () => {
  const host = new Host({ 'org/gate': 'disabled' })
  await using world = await updating(host, [gate, { setWeight: 50 }])
  const done = await world.until('web', isReleased)
  expect(items(done)).toEqual([{ index: 0, name: 'org/gate', operation: 'Run', disabled: true }])
  expect(host.calls).toEqual([])
})

test('an error of a call, and one that the plugin tells, are tried again after 30 s', async () => {
  const errors: Answering[] = [
    () => Promise.reject(new Error('connection is shut down')),
    () => ({ phase: 'Error', message: 'no route' }),
  ]
  const host = new Host({
    'org/gate': (method, input) => (errors.shift() ?? good)(method, input),
  })
  await using world = await updating(host, [gate, { pause: {} }])
  const executed = (count: number) => (rollout: StoredRollout) =>
    items(rollout)[0]?.executions === count
  const first = await world.until('web', executed(1))
  expect(items(first)).toMatchObject([
    { phase: 'Error', message: 'connection is shut down', backoff: '30s' },
  ])
  const since = world.clock.now()
  const second = await world.until('web', executed(2))
  expect(items(second)).toMatchObject([{ phase: 'Error', message: 'no route', backoff: '30s' }])
  expect(world.clock.now() - since).toBeGreaterThan(28_000)
  expect(world.clock.now() - since).toBeLessThan(37_000)
  const third = await world.until('web', executed(3))
  expect(third.status?.currentStepIndex).toBe(1)
  expect(host.calls).toHaveLength(3)
})

test('a plugin that never answers holds up neither its own abort nor another Rollout [metric-providers 64]', async () => {
  const host = new Host({ 'org/gate': () => new Promise(() => {}) })
  await using world = await updating(host, [gate])
  await world.apply(canary('fine', { steps: [{ setWeight: 50 }] }))
  await world.until('fine', isReleased)
  await world.setImage('fine', 'fine:v2')
  await world.until('fine', isReleased)
  expect(host.calls).toHaveLength(1)
  const late = await world.until('web', (rollout) => items(rollout)[0]?.executions === 1)
  expect(items(late)).toMatchObject([
    { phase: 'Error', message: 'step plugin org/gate did not answer run within 30s' },
  ])
  await world.pass(40_000)
  await patchStatus(world, { abort: true })
  await world.pass(1_000)
  expect((await world.rollout('web')).status?.phase).toBe('Degraded')
})

test('a plugin that is not configured keeps its step waiting and is told once', async () => {
  const host = new Host({})
  await using world = await updating(host, [gate, { pause: {} }])
  await world.until('web', (rollout) => items(rollout)[0]?.message !== undefined)
  world.requests.reset()
  await world.pass(1_800_000)
  expect(world.requests.counts().writes).toBe(0)
  expect(await told(world, 'ReconciliationError')).toEqual([
    'Warning: Reconciliation failed with error: plugin org/gate not configured',
  ])
  host.plugins = { 'org/gate': good }
  await world.until('web', (rollout) => rollout.status?.currentStepIndex === 1)
})

test('what a plugin keeps and the config of its step reach it as they were written', async () => {
  const status = { text: 'ü "', list: [1, 2.5, null], none: null, nested: { yes: true } }
  const host = new Host({
    'org/gate': (_, input) => ({ phase: input.status ? 'Successful' : 'Running', status }),
  })
  const config = { zero: 0, empty: '', off: false, deep: [{ a: null }] }
  await using world = await updating(host, [{ plugin: { name: 'org/gate', config } }])
  await world.until('web', isReleased)
  expect(host.inputs.map((input) => input.config)).toEqual([config, config])
  expect(host.inputs[1]?.status).toEqual(status)
})

test('a plugin at work when its controller dies is known to the next one: it is called again, or aborted', async () => {
  const host = new Host({})
  await using world = await updating(host, [{ setWeight: 50 }, gate])
  const slow: Answering = async (method) => {
    if (method === 'run') await world.clock.until(world.clock.now() + 20_000)
    return { phase: method === 'run' ? 'Running' : 'Successful' }
  }
  host.plugins = { 'org/gate': slow }
  await world.until('web', () => host.calls.length === 1)
  await world.restartController()
  const running = await world.rollout('web')
  expect(items(running)).toMatchObject([{ operation: 'Run', phase: 'Running' }])
  expect(items(running)[0]?.executions).toBeUndefined()
  await world.pass(1_000)
  expect(host.calls).toEqual(Array(2).fill('run org/gate {"threshold":5} → null'))
  await patchStatus(world, { abort: true })
  await world.restartController()
  await world.pass(60_000)
  expect(host.calls.slice(2)).toEqual(['abort org/gate {"threshold":5} → null'])
  expect(items(await world.rollout('web'))).toMatchObject([
    { operation: 'Run', phase: 'Running' },
    { operation: 'Abort', phase: 'Successful' },
  ])
})

/** A release whose second plugin fails at its third execution; or one that ends well. */
async function story(
  verdict: 'Failed' | 'Successful',
  crashAtWrite?: number,
): Promise<{ end: unknown; calls: readonly string[]; writes: number }> {
  const host = new Host({
    'org/gate': counting(2),
    'org/load': (method, { status }) => {
      const count = ((status as { count?: number } | null)?.count ?? 0) + 1
      if (method !== 'run') return {}
      return count < 3
        ? { phase: 'Running', status: { count } }
        : { phase: verdict, message: 'that was it', status: { count } }
    },
  })
  await using world = await updating(
    host,
    [gate, { setWeight: 50 }, load],
    crashAtWrite === undefined ? {} : { crashAtWrite },
  )
  await world.pass(300_000)
  const rollout = await world.rollout('web')
  const sets = await world.client.list<KubeObject & { spec: { replicas: number } }>(replicaSets)
  return {
    end: {
      phase: [rollout.status?.phase, rollout.status?.message],
      step: rollout.status?.currentStepIndex,
      sizes: sets.items.map(({ metadata, spec }) => `${metadata.name}=${spec.replicas}`).sort(),
      items: items(rollout).map(({ index, operation, phase, message, status }) => ({
        index,
        operation,
        phase,
        message,
        status,
      })),
    },
    calls: host.calls,
    writes: world.requests.counts().writes,
  }
}

const replicaSets = {
  group: 'apps',
  version: 'v1',
  plural: 'replicasets',
  kind: 'ReplicaSet',
  namespaced: true,
} as const

test.each(['Failed', 'Successful'] as const)(
  'a controller that dies after any write of a release whose plugin ends %s leaves the same end',
  { timeout: 120_000 },
  async (verdict) => {
    const calm = await story(verdict)
    expect(calm.calls.length).toBe(verdict === 'Failed' ? 6 : 5)
    expect(calm.writes).toBeGreaterThan(12)
    for (let at = 1; at <= calm.writes; at++) {
      const dying = await story(verdict, at)
      expect({ at, end: dying.end }).toEqual({ at, end: calm.end })
      // What was called and not stored is called again, once; nothing is left out and nothing changes its turn.
      expect([...new Set(dying.calls)], `write ${at}`).toEqual([...new Set(calm.calls)])
      expect(dying.calls.length, `write ${at}`).toBeLessThanOrEqual(calm.calls.length + 1)
    }
  },
)

function promoteFull(world: VirtualCluster): Promise<void> {
  return patchStatus(world, { promoteFull: true })
}

async function patchStatus(world: VirtualCluster, status: object): Promise<void> {
  await world.client.patch(
    {
      ...replicaSets,
      group: 'argoproj.io',
      version: 'v1alpha1',
      plural: 'rollouts',
      kind: 'Rollout',
    },
    { namespace: 'default', name: 'web' },
    { kind: 'merge', body: { status } },
    { subresource: 'status' },
  )
}
