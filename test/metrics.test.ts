import { kinds } from '@serinus/api'
import { expect, test } from 'vitest'
import { canary, isHealthy, isPaused, type RunningReplica, replicaWorld } from './replica-world.ts'

/** The value of the one series with this name that has these labels; null: there is none. */
async function value(
  { replica }: RunningReplica,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<number | null> {
  const wanted = Object.entries(labels).map(([label, text]) => `${label}="${text}"`)
  const lines = (await replica.metrics.text())
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && wanted.every((part) => line.includes(part)))
  if (lines.length > 1) throw new Error(`several series: ${lines.join('\n')}`)
  return lines[0] === undefined ? null : Number(lines[0].split(' ').at(-1))
}

const app = { namespace: 'default', name: 'app' }

async function paused(steps: readonly object[], strategy: object = {}) {
  const world = await replicaWorld()
  const replica = world.replica('a')
  await world.apply(canary('app', { steps, strategy }))
  await world.until('app', isHealthy)
  await world.setImage('app', 'app:v2')
  await world.until('app', isPaused)
  return { world, replica }
}

test('rollout_info tells strategy, router and the phase in the words of dashboards [operations 15]', async () => {
  await using world = await replicaWorld()
  const replica = world.replica('a')
  const services = ['app-canary', 'app-stable'].map((name) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: 'app' }, ports: [{ port: 80 }] },
  }))
  const backend = { service: { name: 'app-stable', port: { number: 80 } } }
  await world.apply(
    ...services,
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'app' },
      spec: {
        ingressClassName: 'nginx',
        rules: [
          { host: 'app.local', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } },
        ],
      },
    },
    canary('app', {
      steps: [{ setWeight: 50 }, { pause: {} }],
      strategy: {
        canaryService: 'app-canary',
        stableService: 'app-stable',
        trafficRouting: { nginx: { stableIngress: 'app' } },
      },
    }),
  )
  await world.until('app', isHealthy)
  const info = { ...app, strategy: 'canary', traffic_router: 'Nginx' }
  expect(await value(replica, 'rollout_info', { ...info, phase: 'Completed' })).toBe(1)
  await world.setImage('app', 'app:v2')
  await world.until('app', isPaused)
  expect(await value(replica, 'rollout_info', { ...info, phase: 'Paused' })).toBe(1)
  expect(await value(replica, 'rollout_phase', { ...app, phase: 'Paused' })).toBe(1)
  expect(await value(replica, 'rollout_phase', { ...app, phase: 'Completed' })).toBe(0)
  expect(await value(replica, 'rollout_info_replicas_desired', app)).toBe(2)
  expect(await value(replica, 'rollout_info_replicas_updated', app)).toBe(1)
  await world.pass(30_000)
  expect(await value(replica, 'rollout_pause_seconds', app)).toBeGreaterThanOrEqual(30)
  expect(await value(replica, 'rollout_step_seconds', app)).toBeGreaterThanOrEqual(30)
})

test('an aborted Rollout is in phase Abort [operations 16]', async () => {
  const { world, replica } = await paused([{ setWeight: 50 }, { pause: {} }])
  await using _ = world
  await world.patch('app', { status: { abort: true } }, 'status')
  await world.pass(2_000)
  expect(await value(replica, 'rollout_info', { ...app, phase: 'Abort' })).toBe(1)
  expect(await value(replica, 'rollout_phase', { ...app, phase: 'Abort' })).toBe(1)
})

test('an update of 300 s with 120 s of waiting for people is told once, in the three histograms [operations 17]', async () => {
  const steps = [{ setWeight: 50 }, { pause: {} }, { pause: { duration: '178s' } }]
  const { world, replica } = await paused(steps)
  await using _ = world
  const names = ['duration', 'progression_duration', 'manual_pause_duration']
  const series = (part: 'sum' | 'count') =>
    Promise.all(
      names.map((name) =>
        value(replica, `rollout_${name}_seconds_${part}`, { status: 'Promoted' }),
      ),
    )
  // The first deployment was an update too, and nobody waited in it.
  const before = await series('sum')
  expect(await series('count')).toEqual([1, 1, 1])
  await world.pass(120_000)
  await world.promote('app')
  const { status } = await world.until('app', isHealthy)
  await world.pass(600_000)
  expect(await series('count')).toEqual([2, 2, 2])
  const told = (await series('sum')).map((sum, index) => Number(sum) - Number(before[index]))
  // Pods take a moment, and times are stored in whole seconds.
  const { finishedAt = '', rolloutStartedAt = '' } = status?.duration ?? {}
  const total = (Date.parse(finishedAt) - Date.parse(rolloutStartedAt)) / 1000
  expect(Math.abs(total - 300)).toBeLessThanOrEqual(2)
  expect(told).toEqual([total, total - 120, 120])
})

test('a full promotion is told as FastPromoted, an update that another one took over as Superseded [operations 18]', async () => {
  const { world, replica } = await paused([{ setWeight: 50 }, { pause: {} }])
  await using _ = world
  await world.setImage('app', 'app:v3')
  await world.pass(2_000)
  await world.until('app', isPaused)
  expect(await value(replica, 'rollout_duration_seconds_count', { status: 'Superseded' })).toBe(1)
  await world.patch('app', { status: { promoteFull: true, pauseConditions: null } }, 'status')
  await world.until('app', isHealthy)
  expect(await value(replica, 'rollout_duration_seconds_count', { status: 'FastPromoted' })).toBe(1)
  // The first deployment alone.
  expect(await value(replica, 'rollout_duration_seconds_count', { status: 'Promoted' })).toBe(1)
})

test('the series of a deleted Rollout end 65 s after it [operations 19]', async () => {
  const { world, replica } = await paused([{ setWeight: 50 }, { pause: {} }])
  await using _ = world
  const names = async () =>
    new Set(
      [...(await replica.replica.metrics.text()).matchAll(/^(\w+)\{[^}]*name="app"/gm)].map(
        ([, name]) => name,
      ),
    )
  expect(await names()).toContain('rollout_info')
  await world.client.delete(kinds.rollouts, app)
  await world.pass(64_000)
  expect(await names()).toContain('rollout_reconcile_count')
  expect(await names()).not.toContain('rollout_info')
  await world.pass(2_000)
  expect(await names()).toEqual(new Set())
  // Requests are counted by kind and namespace, so that they grow with neither.
  const requests = await value(replica, 'controller_clientset_k8s_request_total', {
    kind: 'rollouts',
    namespace: 'default',
    verb: 'Patch',
    status_code: '200',
  })
  expect(requests).toBeGreaterThan(1)
})

test('Events of Rollouts are counted by reason [operations 20]', async () => {
  await using world = await replicaWorld()
  const replica = world.replica('a')
  await world.apply(canary('app', { steps: [{ setWeight: 50 }, { pause: {} }] }))
  await world.until('app', isHealthy)
  const event = { ...app, reason: 'RolloutPaused', type: 'Normal' }
  expect(await value(replica, 'rollout_events_total', event)).toBe(null)
  await world.setImage('app', 'app:v2')
  await world.until('app', isPaused)
  await world.pass(1_000)
  expect(await value(replica, 'rollout_events_total', event)).toBe(1)
})

test('analysis runs, their metrics and templates have series, and providers are timed', async () => {
  await using world = await replicaWorld()
  const replica = world.replica('a')
  await world.apply(
    {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AnalysisTemplate',
      metadata: { name: 'check' },
      spec: {
        metrics: [
          {
            name: 'up "quoted"',
            count: 2,
            interval: '10s',
            successCondition: 'result >= 0',
            provider: { web: { url: 'http://nobody.example/', jsonPath: '{$.ok}' } },
          },
        ],
      },
    },
    canary('app', {
      steps: [{ setWeight: 50 }, { analysis: { templates: [{ templateName: 'check' }] } }],
    }),
  )
  await world.until('app', isHealthy)
  await world.setImage('app', 'app:v2')
  await world.pass(5_000)
  const [run] = (await world.client.list(kinds.analysisRuns)).items
  const name = run?.metadata.name ?? ''
  const metric = 'up \\"quoted\\"'
  expect(await value(replica, 'analysis_run_info', { name, phase: 'Running' })).toBe(1)
  expect(await value(replica, 'analysis_run_phase', { name, phase: 'Failed' })).toBe(0)
  expect(await value(replica, 'analysis_run_metric_type', { name, metric, type: 'Web' })).toBe(1)
  expect(
    await value(replica, 'analysis_run_metric_phase', {
      name,
      metric,
      dry_run: 'false',
      phase: 'Running',
    }),
  ).toBe(1)
  expect(await value(replica, 'analysis_template_info', { name: 'check' })).toBe(1)
  expect(await value(replica, 'analysis_template_metric_info', { name: 'check', metric })).toBe(1)
  expect(await value(replica, 'analysis_run_reconcile_count', { name })).toBeGreaterThan(0)
  expect(
    await value(replica, 'analysis_measurement_duration_seconds_count', { type: 'Web' }),
  ).toBeGreaterThan(0)
})

test('the queues are told as client-go tells them, and passes that failed as errors', async () => {
  await using world = await replicaWorld()
  const replica = world.replica('a')
  await world.apply(canary('app', { steps: [{ setWeight: 50 }, { pause: {} }] }))
  await world.until('app', isHealthy)
  const name = 'Rollouts'
  expect(await value(replica, 'workqueue_adds_total', { name })).toBeGreaterThan(1)
  expect(await value(replica, 'workqueue_depth', { name })).toBe(0)
  expect(await value(replica, 'workqueue_longest_running_processor_seconds', { name })).toBe(0)
  expect(await value(replica, 'workqueue_work_duration_seconds_count', { name })).toBe(
    await value(replica, 'rollout_reconcile_count', app),
  )
  expect(await value(replica, 'rollout_reconcile_error', app)).toBe(null)
  replica.refuse = ({ method, url }) =>
    method === 'POST' && url.includes('/replicasets')
      ? Response.json({ kind: 'Status', message: 'no quota' }, { status: 403 })
      : null
  await world.setImage('app', 'app:v2')
  await world.pass(500)
  const retries = await value(replica, 'workqueue_retries_total', { name })
  expect(retries).toBeGreaterThan(2)
  expect(await value(replica, 'rollout_reconcile_error', app)).toBe(retries)
})
