import { readFileSync, rmSync } from 'node:fs'
import type { AnalysisRun, Measurement, Metric, Rollout } from '@serinus/api'
import { afterEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type PluginWorld, pluginWorld, withNamespace } from './plugin-host.ts'
import { samplePlugin } from './sample-plugin.ts'

const sample = await samplePlugin()
const why = sample.kind === 'missing' ? ` (skipped: ${sample.why})` : ''
const location = `file://${sample.kind === 'here' ? sample.file : ''}`
const never = new AbortController().signal

const worlds: PluginWorld[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world[Symbol.asyncDispose]()
})

async function world(data: Parameters<PluginWorld['declare']>[0]): Promise<PluginWorld> {
  const made = await withNamespace(pluginWorld())
  worlds.push(made)
  await made.declare(data)
  return made
}

const metricPlugin = { name: 'org/sample', location, args: ['metric'] }
const stepPlugin = { name: 'org/sample', location, args: ['step'] }

const run = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AnalysisRun',
  metadata: {
    name: 'web-1',
    namespace: 'app',
    uid: '6f3c0000-1111-2222-3333-444455556666',
    creationTimestamp: '2026-08-17T10:41:11Z',
    labels: { app: 'web' },
    ownerReferences: [
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Rollout',
        name: 'web',
        uid: 'u',
        controller: true,
      },
    ],
  },
  spec: {
    metrics: [
      {
        name: 'up',
        interval: '10s',
        count: 3,
        failureLimit: '2',
        successCondition: 'result > 1',
        provider: { prometheus: { address: 'http://p:9090', query: 'up', timeout: 5 } },
      },
    ],
    args: [{ name: 'service', value: 'web' }],
    ttlStrategy: { secondsAfterSuccess: 60 },
  },
  status: {
    phase: 'Running',
    startedAt: '2026-08-17T10:41:12Z',
    metricResults: [
      {
        name: 'up',
        phase: 'Running',
        count: 1,
        measurements: [{ phase: 'Successful', value: '1', startedAt: '2026-08-17T10:41:12Z' }],
      },
    ],
  },
} as unknown as AnalysisRun

function metric(orders: object): Metric {
  return {
    name: 'up',
    count: 3,
    provider: { plugin: { 'org/sample': orders } },
  } as unknown as Metric
}

describe.skipIf(sample.kind === 'missing')(`a binary built for Argo Rollouts${why}:`, () => {
  test('a Go plugin measures, and is told the whole run and metric', async () => {
    const { plugins } = await world({ metricProviderPlugins: [metricPlugin] })
    const client = await plugins.metric('org/sample')
    const orders = { phase: 'Successful', value: '[1]', message: 'fine' }
    const measured = await client.run({ run, metric: metric(orders) }, never)
    expect(measured).toMatchObject({
      phase: 'Successful',
      value: '[1]',
      message: 'fine',
      startedAt: '2023-11-14T22:13:20Z',
      finishedAt: '2023-11-14T22:13:21Z',
    })
    expect(measured).not.toHaveProperty('resumeAt')
    expect(JSON.parse(measured.metadata?.['run'] ?? '')).toMatchObject(
      JSON.parse(JSON.stringify(run)),
    )
    expect(JSON.parse(measured.metadata?.['metric'] ?? '')).toEqual(metric(orders))
  })

  test('a Go plugin goes on with a measurement and terminates one', async () => {
    const { plugins } = await world({ metricProviderPlugins: [metricPlugin] })
    const client = await plugins.metric('org/sample')
    const asked = metric({ phase: 'Running' })
    const measurement = await client.run({ run, metric: asked }, never)
    expect(measurement).toMatchObject({ phase: 'Running', resumeAt: '2023-11-14T22:13:40Z' })
    const resumed = await client.resume({ run, metric: asked, measurement }, never)
    expect(resumed).toMatchObject({ phase: 'Successful', value: 'resumed' })
    const told = JSON.parse(resumed.metadata?.['measurement'] ?? '') as Measurement
    expect(told).toMatchObject({ phase: 'Running', startedAt: '2023-11-14T22:13:20Z' })
    expect(await client.terminate({ run, metric: asked, measurement }, never)).toMatchObject({
      phase: 'Inconclusive',
      message: 'stopped',
    })
  })

  test('a Go plugin is asked for metadata and told to clean up', async () => {
    const { plugins } = await world({ metricProviderPlugins: [metricPlugin] })
    const client = await plugins.metric('org/sample')
    expect(await client.metadata(metric({}), never)).toEqual({ 'asked for': 'up' })
    await client.garbageCollect({ run, metric: metric({}), limit: 10 }, never)
    const refused = client.garbageCollect({ run, metric: metric({ error: 'no' }), limit: 4 }, never)
    await expect(refused).rejects.toThrow(/^no \(web-1, keeping 4\)$/)
  })

  test('what a Go plugin prints is logged', async () => {
    const { plugins, logged } = await world({ metricProviderPlugins: [metricPlugin] })
    const client = await plugins.metric('org/sample')
    await client.run({ run, metric: metric({ phase: 'Successful', print: 'hello' }) }, never)
    const about = { plugin: 'org/sample', kind: 'metric' }
    // Three ways to print, each with its own way to us: their order is nobody's promise.
    const lines = [await logged(/hello$/), await logged(/hello$/), await logged(/hello$/)]
    expect(lines.map((line) => line.message.replace(/^[\d/]+ [\d:]+ /, '')).sort()).toEqual([
      'err hello',
      'log hello',
      'out hello',
    ])
    for (const line of lines) expect(line).toMatchObject(about)
  })

  const rollout = parse(`
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: app, generation: 7, annotations: {a: b}}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 30
      securityContext: {runAsUser: 1000, seLinuxOptions: {level: s0}}
      containers:
        - name: web
          image: web:v1
          ports: [{containerPort: 8080, name: http}]
          env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 5}
      volumes: [{name: config, configMap: {name: web}}]
  strategy:
    canary:
      maxSurge: 25%
      maxUnavailable: 1
      canaryService: canary
      analysis: {startingStep: 2, templates: [{templateName: ok}]}
      trafficRouting:
        alb: {ingress: web, servicePort: 80}
        istio: {virtualService: {name: vs, tlsRoutes: [{port: 443, sniHosts: [a]}]}}
        plugins: {"argoproj-labs/gatewayAPI": {httpRoute: route, deep: [1, {two: null}]}}
      steps:
        - setWeight: 20
        - pause: {duration: 10m}
        - plugin: {name: org/sample, config: {phase: Successful}}
status:
  currentStepIndex: 2
  stableRS: 5c9f
  pauseConditions: [{reason: CanaryPauseStep, startTime: "2026-08-17T10:41:12Z"}]
  canary: {weights: {canary: {weight: 20}, stable: {weight: 80}}}
`) as Rollout

  test('a Go step plugin runs, and is told the whole Rollout, its pods too', async () => {
    const { plugins } = await world({ stepPlugins: [stepPlugin] })
    const client = plugins.step('org/sample')
    if (client.kind !== 'ready') throw new Error(JSON.stringify(client))
    const config = { phase: 'Running', message: 'working', requeueAfter: '45s' }
    const reply = await client.call('run', { rollout, config, status: { before: [1] } }, never)
    expect(reply).toMatchObject({ phase: 'Running', message: 'working', requeueAfterMs: 45_000 })
    const told = reply.status as Record<string, unknown>
    expect(told).toMatchObject({ operation: 'run', plugin: 'org/sample', before: { before: [1] } })
    expect(told['rollout']).toMatchObject(JSON.parse(JSON.stringify(rollout)))
  })

  test.each([
    ['2562047h47m16.854775807s', 9.2e12],
    ['-2562047h47m16.854775808s', 0],
  ])('a Go step plugin may ask to be called again after %s', async (requeueAfter, ms) => {
    const { plugins } = await world({ stepPlugins: [stepPlugin] })
    const client = plugins.step('org/sample')
    if (client.kind !== 'ready') throw new Error(JSON.stringify(client))
    const config = { phase: 'Running', requeueAfter }
    const reply = await client.call('run', { rollout, config, status: null }, never)
    expect(reply).toMatchObject({ phase: 'Running', requeueAfterMs: ms })
  })

  test('a Go step plugin that returns an error rejects with its words', async () => {
    const { plugins } = await world({ stepPlugins: [stepPlugin] })
    const client = plugins.step('org/sample')
    if (client.kind !== 'ready') throw new Error(JSON.stringify(client))
    for (const method of ['run', 'terminate', 'abort'] as const) {
      const call = client.call(
        method,
        { rollout, config: { error: 'refused' }, status: undefined },
        never,
      )
      await expect(call).rejects.toThrow(/^refused$/)
    }
  })

  test('zero in an optional number is lost on the way to a Go plugin, as it is upstream', async () => {
    const { plugins } = await world({ stepPlugins: [stepPlugin] })
    const client = plugins.step('org/sample')
    if (client.kind !== 'ready') throw new Error(JSON.stringify(client))
    const none = { ...rollout, spec: { ...rollout.spec, replicas: 0 } }
    const { status } = await client.call('run', { rollout: none, config: {}, status: null }, never)
    const told = (status as { rollout: Rollout }).rollout
    expect(told.spec).not.toHaveProperty('replicas')
  })

  test('a Go plugin killed between measurements is started anew for the next one [metric-providers 63]', async () => {
    const { plugins, logged } = await world({ metricProviderPlugins: [metricPlugin] })
    const asked = { run, metric: metric({ phase: 'Successful' }) }
    const first = await (await plugins.metric('org/sample')).run(asked, never)
    process.kill(Number(first.metadata?.['pid']), 'SIGKILL')
    await logged(/the plugin process ended \(signal SIGKILL\)/)
    const second = await (await plugins.metric('org/sample')).run(asked, never)
    expect(second.phase).toBe('Successful')
    expect(second.metadata?.['pid']).not.toBe(first.metadata?.['pid'])
  })

  test('a method of a Go plugin that never returns costs its caller the deadline and nobody else anything [metric-providers 64]', async () => {
    const { plugins, clock } = await world({ metricProviderPlugins: [metricPlugin] })
    const client = await plugins.metric('org/sample')
    const hung = client.run({ run, metric: metric({ hang: true }) }, never)
    const ended = hung.catch((error: Error) => error.message)
    const other = { run, metric: metric({ phase: 'Successful' }) }
    const before = await client.run(other, never)
    await clock.advance(30_000)
    expect(await ended).toBe('Run rpc call error: no answer to metric/run within 30s')
    const after = await (await plugins.metric('org/sample')).run(other, never)
    // It answers a ping, so it goes on.
    expect(after.metadata?.['pid']).toBe(before.metadata?.['pid'])
  })

  test('a Go plugin that dies in the middle of a call fails that call with the reason', async () => {
    const { plugins } = await world({ metricProviderPlugins: [metricPlugin] })
    const client = await plugins.metric('org/sample')
    const died = client.run({ run, metric: metric({ die: true }) }, never)
    await expect(died).rejects.toThrow(
      /^Run rpc call error: the plugin process ended \(exit status 7\)$/,
    )
  })

  test('a Go plugin whose initialisation fails is never used uninitialised, and tried again', async () => {
    const { declare, plugins, clock, logged, file, folder } = await world({})
    file('not-yet', '')
    const args = ['metric', '--fail-init-while', `${folder}/not-yet`]
    await declare({ metricProviderPlugins: [{ ...metricPlugin, args }] })
    await logged(/started again in 1s/)
    await expect(plugins.metric('org/sample')).rejects.toThrow(
      /^failed to create plugin: unable to get metric plugin: unable to start plugin system: unable to initialize plugin via rpc \(org\/sample\): not yet$/,
    )
    rmSync(`${folder}/not-yet`)
    await clock.advance(1_000)
    await logged(/the plugin works \(sample\)/)
    await plugins.metric('org/sample')
  })

  test('a file that is no plugin fails with go-plugin’s words', async () => {
    const { plugins, logged } = await world({
      metricProviderPlugins: [
        { name: 'org/echo', location: 'file:///bin/echo', args: ['hello'] },
        { name: 'org/false', location: 'file:///bin/false' },
        { ...metricPlugin, name: 'org/step', args: ['step'] },
      ],
    })
    for (let count = 0; count < 3; count++) await logged(/started again in 1s/)
    const message = (name: string) => plugins.metric(name).catch((error: Error) => error.message)
    expect(await message('org/echo')).toMatch(
      /unable to get plugin client \(org\/echo\): Unrecognized remote plugin message: "hello"$/,
    )
    expect(await message('org/false')).toMatch(
      /unable to get plugin client \(org\/false\): plugin exited before we could connect: the plugin process ended \(exit status 1\)$/,
    )
    // A step plugin in the list of metric plugins: it misses its cookie, and says so to people.
    expect(await message('org/step')).toMatch(
      /unable to get plugin client \(org\/step\): .*This binary is a plugin\./,
    )
  })

  test('the types that we send are those that upstream declares', async () => {
    const file = new URL(
      '../../packages/plugins/src/netrpc/go-types.generated.json',
      import.meta.url,
    )
    if (sample.kind === 'missing') throw new Error(sample.why)
    expect(await sample.goTypes()).toBe(readFileSync(file, 'utf8'))
  })
})
