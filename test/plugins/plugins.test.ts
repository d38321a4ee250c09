import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import type { AnalysisRun, Metric, Rollout } from '@serinus/api'
import { resources } from '@serinus/kube'
import { afterEach, describe, expect, test } from 'vitest'
import { type PluginWorld, pluginWorld, withNamespace } from './plugin-host.ts'

const never = new AbortController().signal
const chain =
  'failed to create plugin: unable to get metric plugin: unable to start plugin system: '

const worlds: PluginWorld[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world[Symbol.asyncDispose]()
})

async function world(): Promise<PluginWorld> {
  const made = await withNamespace(pluginWorld())
  worlds.push(made)
  return made
}

const run = { metadata: { name: 'web-1', namespace: 'app' }, spec: {} } as unknown as AnalysisRun
const metric = (config: unknown, name = 'org/x') =>
  ({ name: 'up', provider: { plugin: { [name]: config } } }) as unknown as Metric

const moduleText = `
export default function create(host) {
  return {
    type: 'sample',
    async run(run, metric, signal) {
      const config = metric.provider.plugin[host.name]
      if (config.print) console.log(config.print)
      if (config.fail) throw new Error(config.fail)
      if (config.spin) for (;;);
      if (config.exit) process.exit(7)
      if (config.wait) await new Promise((_, reject) => {
        signal.addEventListener('abort', () => { console.log('told to stop'); reject(new Error('stopped')) })
      })
      return { phase: 'Successful', value: run.metadata.name + ' ' + JSON.stringify(config.value ?? host.args) }
    },
    async resume(run, metric, measurement) {
      return { ...measurement, phase: 'Successful', value: 'resumed' }
    },
    metadata: (metric) => ({ asked: metric.name }),
    ...{},
  }
}
`

const linesText = `#!${process.execPath}
const { createInterface } = require('node:readline')
if (process.env.ROLLOUTS_PLUGIN_PROTOCOL !== 'jsonrpc/1') throw new Error('no host')
const answer = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }))
createInterface(process.stdin).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  if (method === 'initialize') return answer({ id, result: { type: 'lines of ' + params.kind } })
  if (method === 'ping') return globalThis.isMute ? undefined : answer({ id, result: null })
  if (method === '$/cancelRequest') return console.error('told to stop ' + params.id)
  if (method === 'shutdown') { console.error('bye'); answer({ id, result: null }); return process.exit(0) }
  if (method === 'metric/run') {
    const config = Object.values(params.metric.provider.plugin)[0]
    if (config.print) console.log(config.print)
    if (config.mute) globalThis.isMute = true
    if (config.fail) return answer({ id, error: { code: 1, message: config.fail } })
    if (config.wait) return
    if (config.spin) for (;;);
    if (config.exit) process.exit(7)
    const value = params.run.metadata.name + ' ' + JSON.stringify(config.value ?? process.argv.slice(2))
    return answer({ id, result: { phase: 'Successful', value } })
  }
  if (method === 'metric/resume')
    return answer({ id, result: { ...params.measurement, phase: 'Successful', value: 'resumed' } })
  if (method === 'metric/metadata') return answer({ id, result: { asked: params.metric.name } })
  answer({ id, error: { code: -32601, message: 'no method ' + method } })
})
`

/** Plays a service by the same rules. */
async function service(request: Request): Promise<Response> {
  const { id, method, params } = (await request.json()) as {
    id: number
    method: string
    params: Record<string, never>
  }
  const answer = (message: object) => Response.json({ jsonrpc: '2.0', id, ...message })
  switch (method) {
    case 'initialize':
      return answer({ result: { type: 'service' } })
    case 'ping':
    case 'shutdown':
      return answer({ result: null })
    case 'metric/run': {
      const { run, metric } = params as unknown as { run: AnalysisRun; metric: Metric }
      const [config = {}] = Object.values(metric.provider.plugin as Record<string, Orders>)
      if (config.fail) return answer({ error: { code: 1, message: config.fail } })
      if (config.wait || config.spin)
        return new Promise((_, reject) => {
          request.signal.addEventListener('abort', () => reject(request.signal.reason))
        })
      if (config.exit) throw new TypeError('fetch failed', { cause: new Error('ECONNRESET') })
      const value = `${run.metadata.name} ${JSON.stringify(config.value ?? ['--some'])}`
      return answer({ result: { phase: 'Successful', value } })
    }
    case 'metric/resume': {
      const { measurement } = params as unknown as { measurement: object }
      return answer({ result: { ...measurement, phase: 'Successful', value: 'resumed' } })
    }
    case 'metric/metadata':
      return answer({ result: { asked: (params as unknown as { metric: Metric }).metric.name } })
    default:
      return answer({ error: { code: -32601, message: `no method ${method}` } })
  }
}

interface Orders {
  readonly value?: unknown
  readonly fail?: string
  readonly wait?: boolean
  readonly spin?: boolean
  readonly exit?: boolean
  readonly print?: string
}

/** Declares the same plugin by each protocol. */
const protocols = {
  js: ({ file }: PluginWorld) => ({ location: file('x.mjs', moduleText) }),
  jsonrpc: ({ file }: PluginWorld) => ({
    location: file('x.cjs', linesText),
    protocol: 'jsonrpc',
  }),
  http: (made: PluginWorld) => {
    made.answer = service
    return { location: 'http+rpc://plugin.org:8080/rpc' }
  },
} as const

describe.each(Object.entries(protocols))('a plugin by protocol %s', (protocol, place) => {
  async function declared(more: object = {}): Promise<PluginWorld> {
    const made = await world()
    const entry = { name: 'org/x', args: ['--some'], ...place(made), ...more }
    await made.declare({ metricProviderPlugins: [entry] })
    return made
  }

  test('measures, goes on with a measurement and describes a metric', async () => {
    const { plugins } = await declared()
    const client = await plugins.metric('org/x')
    expect(await client.run({ run, metric: metric({}) }, never)).toEqual({
      phase: 'Successful',
      value: 'web-1 ["--some"]',
    })
    const measurement = { phase: 'Running', startedAt: '2026-08-17T10:41:12Z' } as const
    expect(await client.resume({ run, metric: metric({}), measurement }, never)).toEqual({
      phase: 'Successful',
      value: 'resumed',
      startedAt: '2026-08-17T10:41:12Z',
    })
    expect(await client.metadata(metric({}), never)).toEqual({ asked: 'up' })
  })

  test('is told zero, false and empty texts as they are', async () => {
    const { plugins } = await declared()
    const client = await plugins.metric('org/x')
    const value = { replicas: 0, on: false, text: '', none: null }
    const measured = await client.run({ run, metric: metric({ value }) }, never)
    expect(measured.value).toBe(`web-1 ${JSON.stringify(value)}`)
  })

  test('may lack every method but run', async () => {
    const { plugins } = await declared()
    const client = await plugins.metric('org/x')
    const measurement = { phase: 'Running' } as const
    const question = { run, metric: metric({}), measurement }
    expect(await client.terminate(question, never)).toEqual({ phase: 'Inconclusive' })
    await client.garbageCollect({ run, metric: metric({}), limit: 1 }, never)
  })

  test('that says no leaves a measurement in phase Error with its words', async () => {
    const { plugins } = await declared()
    const client = await plugins.metric('org/x')
    expect(await client.run({ run, metric: metric({ fail: 'no route' }) }, never)).toEqual({
      phase: 'Error',
      message: 'no route',
    })
  })

  test('that does not answer costs its caller the deadline and nobody else anything [metric-providers 64]', async () => {
    const { plugins, clock } = await declared({ timeout: '5s' })
    const client = await plugins.metric('org/x')
    const ended = client
      .run({ run, metric: metric({ wait: true }) }, never)
      .catch((error: Error) => error.message)
    const other = client.run({ run, metric: metric({}) }, never)
    expect(await other).toMatchObject({ phase: 'Successful' })
    await clock.advance(5_000)
    expect(await ended).toBe('Run rpc call error: no answer to metric/run within 5s')
    expect(await client.run({ run, metric: metric({}) }, never)).toMatchObject({
      phase: 'Successful',
    })
  })

  if (protocol !== 'http') {
    test('is told at the deadline that nobody waits any more', async () => {
      const { plugins, clock, logged } = await declared({ timeout: '5s' })
      const client = await plugins.metric('org/x')
      const call = client.run({ run, metric: metric({ wait: true }) }, never)
      await Promise.all([expect(call).rejects.toThrow('within 5s'), clock.advance(5_000)])
      expect(await logged(/told to stop/)).toMatchObject({ plugin: 'org/x', kind: 'metric' })
    })

    test('that hangs as a whole is killed and started anew', async () => {
      const { plugins, clock, logged } = await declared({ timeout: '5s' })
      const client = await plugins.metric('org/x')
      await client.run({ run, metric: metric({}) }, never)
      const call = client.run({ run, metric: metric({ spin: true }) }, never)
      await Promise.all([expect(call).rejects.toThrow('within 5s'), clock.advance(5_000)])
      // It gets five seconds to answer a ping.
      await clock.advance(5_000)
      await logged(/the plugin is not available/)
      await logged(/the plugin works/)
      expect(await client.run({ run, metric: metric({}) }, never)).toMatchObject({
        phase: 'Successful',
      })
    })

    test('that dies is started anew for the next measurement [metric-providers 63]', async () => {
      const { plugins, logged } = await declared()
      const client = await plugins.metric('org/x')
      await client.run({ run, metric: metric({}) }, never)
      await expect(client.run({ run, metric: metric({ exit: true }) }, never)).rejects.toThrow(
        /^Run rpc call error: the plugin('s thread| process) ended \(exit (code|status) 7\)$/,
      )
      await logged(/the plugin is not available/)
      const next = await plugins.metric('org/x')
      expect(await next.run({ run, metric: metric({}) }, never)).toMatchObject({
        phase: 'Successful',
      })
    })

    test('has what it prints logged', async () => {
      const { plugins, logged } = await declared()
      const client = await plugins.metric('org/x')
      await client.run({ run, metric: metric({ print: 'looking at\u001b[2J web' }) }, never)
      expect(await logged(/looking at/)).toEqual({
        level: 'info',
        plugin: 'org/x',
        kind: 'metric',
        message: 'looking at [2J web',
      })
    })
  }
})

describe('the configuration:', () => {
  const message = (plugins: PluginWorld['plugins'], name: string) =>
    plugins.metric(name).then(
      () => 'it works',
      (error: Error) => error.message,
    )

  test('without a ConfigMap there are no plugins [metric-providers 60]', async () => {
    const { plugins } = await world()
    expect(await message(plugins, 'org/x')).toBe(
      `${chain}unable to find plugin (org/x): plugin org/x not configured in configmap`,
    )
    expect(plugins.step('org/x')).toEqual({
      kind: 'unavailable',
      message:
        'failed to get step plugin org/x: unable to start plugin system: unable to find plugin (org/x): plugin org/x not configured in configmap',
    })
  })

  test('a wrong entry fails its own users only, and says what is wrong [metric-providers 58]', async () => {
    const { plugins, declare, file, logged } = await world()
    await declare({
      metricProviderPlugins: [
        { name: 'bad', location: 'file:///x' },
        { name: 'org/scheme', location: 'ftp://host/x' },
        {
          name: 'org/short',
          location: 'file:///x',
          sha256: 'da39a3ee5e6b4b0d3255bfef95601890afd80709',
        },
        { name: 'org/soon', location: 'file:///x', timeout: '45' },
        { name: 'org/typo', location: 'file:///x', protocol: 'jsonrcp' },
        { name: 'org/off', location: 'file:///x', disabled: true },
        { name: 'org/args', location: 'file:///x', args: ['-v', 3] },
        { name: 'org/x', location: file('x.mjs', moduleText) },
        { name: 'org/y', location: 'file:///x' },
        { name: 'org/y', location: 'file:///y' },
      ],
    })
    await logged(/the plugin works/)
    const wrong = async (name: string) =>
      (await message(plugins, name)).replace(`${chain}unable to find plugin (${name}): `, '')
    expect(await wrong('bad')).toBe(
      'plugin repository (bad) must be in the format of <namespace>/<name>',
    )
    expect(await wrong('org/scheme')).toBe(
      'plugin location must be of http(s) or file scheme, got "ftp://host/x"',
    )
    expect(await wrong('org/short')).toBe(
      'metricProviderPlugins[2].sha256: must be the 64 hexadecimal digits that sha256sum prints, in quotes, got 40 characters',
    )
    expect(await wrong('org/soon')).toBe(
      'metricProviderPlugins[3].timeout: time: missing unit in duration "45"; write it as in "45s"',
    )
    expect(await wrong('org/typo')).toBe(
      'metricProviderPlugins[4].protocol: "jsonrcp" is none of auto, netrpc, jsonrpc, js, http; did you mean jsonrpc?',
    )
    expect(await wrong('org/off')).toBe(
      'metricProviderPlugins[5].disabled: only step plugins can be disabled; remove the entry',
    )
    expect(await wrong('org/args')).toBe(
      'metricProviderPlugins[6].args: must be a list of texts; put numbers and flags in quotes',
    )
    expect(await wrong('org/y')).toBe(
      'metricProviderPlugins[9].name: org/y is declared twice; keep one of them',
    )
    expect(await message(plugins, 'org/x')).toBe('it works')
  })

  test('an edit counts at once: a plugin comes, changes and goes without a restart', async () => {
    const { plugins, declare, file, logged } = await world()
    await declare({ metricProviderPlugins: [] })
    const location = file('x.mjs', moduleText)
    const measured = async () =>
      (await (await plugins.metric('org/x')).run({ run, metric: metric({}) }, never)).value
    await declare({ metricProviderPlugins: [{ name: 'org/x', location, args: ['one'] }] })
    await logged(/the plugin works/)
    expect(await measured()).toBe('web-1 ["one"]')
    await declare({ metricProviderPlugins: [{ name: 'org/x', location, args: ['two'] }] })
    await logged(/the plugin works/)
    expect(await measured()).toBe('web-1 ["two"]')
    await declare({ metricProviderPlugins: '' })
    await logged(/the plugin has ended: it is not declared any more/)
    expect(await message(plugins, 'org/x')).toMatch(/not configured in configmap$/)
  })

  test('a list that is no YAML leaves the last readable one in force, and says where it breaks', async () => {
    const { plugins, declare, file, logged } = await world()
    const location = file('x.mjs', moduleText)
    await declare({ metricProviderPlugins: [{ name: 'org/x', location }] })
    await logged(/the plugin works/)
    await declare({ metricProviderPlugins: '- name: "org/x\n  location: [', stepPlugins: 'x: 1' })
    const told = await logged(/^metricProviderPlugins: /)
    expect(told.message).toMatch(/line \d.*the last readable list stays in force$/)
    expect((await logged(/^stepPlugins: /)).message).toMatch(
      /^stepPlugins: must be a list of plugins, each with name and location, got object/,
    )
    expect(await message(plugins, 'org/x')).toBe('it works')
    expect(await message(plugins, 'org/z')).toMatch(
      /plugin org\/z not configured in configmap \(metricProviderPlugins: .*line \d/,
    )
  })

  test('a plugin of a router is not run, and the log says so', async () => {
    const { declare, logged, folder } = await world()
    await declare({ trafficRouterPlugins: [{ name: 'org/x', location: 'file:///bin/false' }] })
    expect(await logged(/trafficRouterPlugins/)).toEqual({
      level: 'warn',
      message: 'trafficRouterPlugins has no effect: no router of this version is a plugin',
    })
    expect(existsSync(`${folder}/plugin-bin`)).toBe(false)
  })

  test('a disabled step plugin is told so; one that works is asked', async () => {
    const { plugins, declare, file, logged } = await world()
    const text = `export default () => ({
      run: ({ name, rollout, config, status }) => {
        if (config.fail) throw new Error(config.fail)
        return { phase: 'Running', message: name, requeueAfter: config.after, status: { rollout, status } }
      },
    })`
    await declare({
      stepPlugins: [
        { name: 'org/off', location: 'file:///none', disabled: true },
        { name: 'org/x', location: file('step.mjs', text) },
        { name: 'org/none', location: 'file:///none' },
      ],
    })
    await logged(/the plugin works/)
    expect(plugins.step('org/off')).toEqual({ kind: 'disabled' })
    const client = plugins.step('org/x')
    if (client.kind !== 'ready') throw new Error(JSON.stringify(client))
    const rollout = { metadata: { name: 'web' }, spec: { replicas: 0 } } as unknown as Rollout
    const input = { rollout, config: { after: '1m30s' }, status: { before: 1 } }
    expect(await client.call('run', input, never)).toEqual({
      phase: 'Running',
      message: 'org/x',
      requeueAfterMs: 90_000,
      status: { rollout, status: { before: 1 } },
    })
    await expect(client.call('run', { ...input, config: { fail: 'no' } }, never)).rejects.toThrow(
      /^no$/,
    )
    await expect(client.call('run', { ...input, config: { after: '5' } }, never)).rejects.toThrow(
      /^Run rpc call error: the answer has the requeueAfter "5": time: missing unit/,
    )
    const odd = { ...input, config: { after: { toString: 1 } } }
    await expect(client.call('run', odd, never)).rejects.toThrow(
      /^Run rpc call error: the answer has the requeueAfter \{"toString":1\}: it is no text$/,
    )
    const large = { ...input, status: 'x'.repeat(70_000) }
    await expect(client.call('run', large, never)).rejects.toThrow(
      /^Run rpc call error: the answer has a status of \d+ characters; no more than 65536 are stored$/,
    )
    await expect(client.call('abort', input, never)).rejects.toThrow(
      /^Abort rpc call error: the plugin has no method abort$/,
    )
    expect(plugins.step('org/none')).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(
        /failed to find filebased plugin at location: file:\/\/\/none$/,
      ),
    })
  })

  test('an answer that cannot be a measurement is an error that shows it', async () => {
    const { plugins, declare, file } = await world()
    const text = `export default () => ({ run: (run, metric) => metric.provider.plugin['org/x'].answer })`
    await declare({ metricProviderPlugins: [{ name: 'org/x', location: file('x.mjs', text) }] })
    const client = await plugins.metric('org/x')
    const answer = (value: unknown) =>
      client
        .run({ run, metric: metric({ answer: value }) }, never)
        .catch((error: Error) => error.message)
    expect(await answer(null)).toBe('Run rpc call error: the answer is no measurement: null')
    expect(await answer({ phase: 'Good' })).toBe(
      'Run rpc call error: the answer has the phase "Good", which is none of Pending, Running, Successful, Failed, Error, Inconclusive',
    )
    expect(await answer({ phase: 'Running', resumeAt: 'soon' })).toBe(
      'Run rpc call error: the answer has the resumeAt "soon", which is no instant of RFC 3339',
    )
    for (const resumeAt of ['5', '2026', 'Mon, 17 Aug 2026', '+275760-01-01T00:00:00Z'])
      expect(await answer({ phase: 'Running', resumeAt })).toBe(
        `Run rpc call error: the answer has the resumeAt "${resumeAt}", which is no instant of RFC 3339`,
      )
    expect(await answer({ phase: 'Running', resumeAt: '2026-08-17T12:41:12.5+02:00' })).toEqual({
      phase: 'Running',
      resumeAt: '2026-08-17T10:41:12Z',
    })
    expect(await answer({ phase: 'Failed', message: 'x'.repeat(40_000) })).toBe(
      'Run rpc call error: the answer has a message of 40002 characters; no more than 32768 are stored',
    )
    expect(await answer({ phase: 'Successful', value: 12, finishedAt: null })).toEqual({
      phase: 'Successful',
      value: '12',
    })
  })

  test('what a plugin says of its metric is bounded, and is text', async () => {
    const { plugins, declare, file } = await world()
    const text = `export default () => ({ metadata: (metric) => metric.provider.plugin['org/x'].facts })`
    await declare({ metricProviderPlugins: [{ name: 'org/x', location: file('x.mjs', text) }] })
    const client = await plugins.metric('org/x')
    const facts = { a: 1, b: { toString: 1 }, c: null, d: 'text' }
    expect(await client.metadata(metric({ facts }), never)).toEqual({
      a: '1',
      b: '{"toString":1}',
      c: 'null',
      d: 'text',
    })
    await expect(
      client.metadata(metric({ facts: { a: 'x'.repeat(40_000) } }), never),
    ).rejects.toThrow(
      'GetMetadata rpc call error: the answer has a metadata of 40008 characters; no more than 32768 are stored',
    )
  })

  test('an error of any length is told in some words', async () => {
    const { plugins, declare, file } = await world()
    await declare({
      metricProviderPlugins: [{ name: 'org/x', location: file('x.mjs', moduleText) }],
    })
    const client = await plugins.metric('org/x')
    const fail = 'x'.repeat(100_000)
    expect(await client.run({ run, metric: metric({ fail }) }, never)).toEqual({
      phase: 'Error',
      message: `${'x'.repeat(4_096)}… (95904 characters more)`,
    })
  })

  test.each<[string, (id: number) => unknown, string]>([
    [
      'another question',
      (id) => ({ id: id + 1, result: {} }),
      'the answer has the id 2, and the question had 1',
    ],
    ['none', () => ({ result: {} }), 'the answer has the id nothing, and the question had 1'],
    ['a list', (id) => [{ id, result: {} }], 'the answer is no JSON-RPC object'],
    ['a text', () => 'fine', 'the answer is no JSON-RPC object'],
  ])('an answer of a service to %s is refused, and shown', async (_, answerTo, problem) => {
    const made = await world()
    made.answer = async (request) =>
      Response.json(answerTo(((await request.json()) as { id: number }).id))
    const entry = { name: 'org/x', location: 'http+rpc://p:1/rpc?key=k3y' }
    await made.declare({ metricProviderPlugins: [entry] })
    await expect(made.plugins.metric('org/x')).rejects.toThrow(
      `unable to initialize plugin via rpc (org/x): Post "http://p:1/rpc?…": ${problem}: `,
    )
  })

  test('a service that cannot read a question may say so without its id', async () => {
    const made = await world()
    made.answer = () => Response.json({ id: null, error: { code: -32700, message: 'no JSON' } })
    await made.declare({ metricProviderPlugins: [{ name: 'org/x', location: 'http+rpc://p:1/' }] })
    await expect(made.plugins.metric('org/x')).rejects.toThrow(
      /unable to initialize plugin via rpc \(org\/x\): no JSON$/,
    )
  })

  test('a question that waits for a plugin to start is answered although an edit ends that plugin', async () => {
    const made = await world()
    const mayStart = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    made.answer = async (request) => {
      const { method } = (await request.clone().json()) as { method: string }
      if (method === 'initialize' && request.url.endsWith('/one')) {
        asked.resolve()
        await mayStart.promise
      }
      return service(request)
    }
    const entry = { name: 'org/x', location: 'http+rpc://p:1/one' }
    await made.declare({ metricProviderPlugins: [entry] })
    await asked.promise
    const client = made.plugins.metric('org/x')
    await made.declare({ metricProviderPlugins: [{ ...entry, location: 'http+rpc://p:1/two' }] })
    await made.logged(/the plugin works/)
    mayStart.resolve()
    expect(await (await client).run({ run, metric: metric({}) }, never)).toMatchObject({
      phase: 'Successful',
    })
    await made.logged(/the plugin has ended: it is not declared any more, or in another way/)
  })

  test('an answer that never ends costs no memory: the plugin is cut off', async () => {
    const made = await world()
    const { plugins, declare } = made
    made.answer = async (request) => {
      const { method, id } = (await request.json()) as { method: string; id: number }
      if (method !== 'metric/run') return Response.json({ id, result: {} })
      const part = new Uint8Array(2 ** 20).fill(32)
      return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(part) }))
    }
    await declare({ metricProviderPlugins: [{ name: 'org/x', location: 'http+rpc://p:1/' }] })
    const client = await plugins.metric('org/x')
    await expect(client.run({ run, metric: metric({}) }, never)).rejects.toThrow(
      'Run rpc call error: the answer is longer than 10485760 bytes',
    )
  })
})

test('a plugin that answers no ping before it is asked is killed and started anew', async () => {
  const { plugins, declare, file, clock, logged } = await world()
  const location = file('x.cjs', linesText)
  await declare({ metricProviderPlugins: [{ name: 'org/x', location, protocol: 'jsonrpc' }] })
  const client = await plugins.metric('org/x')
  await client.run({ run, metric: metric({ mute: true }) }, never)
  await logged(/the plugin works/)
  const refused = expect(plugins.metric('org/x')).rejects.toThrow(
    `${chain}could not ping plugin will cleanup process so we can restart it next reconcile (no answer to a ping within 5s)`,
  )
  await clock.advance(5_000)
  await refused
  await logged(/the plugin process ended \(signal SIGKILL\)/)
  await plugins.metric('org/x')
})

test('a program that closes its standard output fails its callers at once, and is started anew', async () => {
  const { plugins, declare, file, clock, logged } = await world()
  const text = linesText.replace(
    "if (method === 'metric/run') {",
    "if (method === 'metric/run') { require('node:fs').closeSync(1); return console.error('closed')",
  )
  const location = file('x.cjs', text)
  await declare({ metricProviderPlugins: [{ name: 'org/x', location, protocol: 'jsonrpc' }] })
  const client = await plugins.metric('org/x')
  const call = client.run({ run, metric: metric({}) }, never).catch((error: Error) => error.message)
  await logged(/^closed$/)
  await clock.advance(2_000)
  expect(await call).toBe(
    'Run rpc call error: the plugin closed its standard output, so it cannot answer; the plugin process ended (signal SIGKILL): closed',
  )
  await logged(/started again in/)
})

test('a program that floods the log is heard in part, and what is left out is counted', async () => {
  const { plugins, declare, file, log, logged, clock } = await world()
  const text = linesText.replace(
    "if (method === 'initialize')",
    "if (method === 'initialize') for (let count = 0; count < 5000; count++) console.error('flood')\n  if (method === 'initialize')",
  )
  const location = file('x.cjs', text)
  await declare({ metricProviderPlugins: [{ name: 'org/x', location, protocol: 'jsonrpc' }] })
  await plugins.metric('org/x')
  await logged(/flood/)
  await plugins.metric('org/x')
  await clock.advance(10_000)
  expect(await logged(/left out/)).toMatchObject({
    level: 'warn',
    plugin: 'org/x',
    message: expect.stringMatching(
      /^\d+ lines of the plugin are left out: more than 1000 came within 10s$/,
    ),
  })
  expect(log.filter(({ message }) => message === 'flood').length).toBeLessThanOrEqual(2_000)
})

test('a program that writes a line without an end costs no memory: it is killed, and its users are told', async () => {
  const { plugins, declare, file } = await world()
  const text = linesText.replace(
    "if (method === 'metric/run') {",
    "if (method === 'metric/run') { return process.stdout.write('x'.repeat(11 * 2 ** 20))",
  )
  const location = file('x.cjs', text)
  await declare({ metricProviderPlugins: [{ name: 'org/x', location, protocol: 'jsonrpc' }] })
  const client = await plugins.metric('org/x')
  await expect(client.run({ run, metric: metric({}) }, never)).rejects.toThrow(
    'Run rpc call error: the plugin wrote a line of more than 10485760 characters',
  )
})

describe('the files of plugins:', () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

  test.each(['file', 'https'])(
    'one that is not what its checksum promises is never run, by %s [metric-providers 59]',
    async (scheme) => {
      const made = await world()
      const { plugins, declare, file, folder, logged } = made
      const text = `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(`${folder}/ran`)}, '')\n${moduleText}`
      made.answer = () => new Response(text)
      const location = scheme === 'file' ? file('x.mjs', text) : 'https://host/x.mjs'
      await declare({
        metricProviderPlugins: [{ name: 'org/x', location, sha256: sha256('other') }],
      })
      await logged(/started again in 1s/)
      await expect(plugins.metric('org/x')).rejects.toThrow(
        `${chain}unable to find plugin (org/x): sha256 hash of downloaded plugin (${location}) does not match expected hash`,
      )
      expect(existsSync(`${folder}/ran`)).toBe(false)
      expect(readdirSync(`${folder}/plugin-bin/metric-providers/org`)).toEqual([])
      await declare({ metricProviderPlugins: [{ name: 'org/x', location, sha256: sha256(text) }] })
      await logged(/the plugin works/)
      expect(existsSync(`${folder}/ran`)).toBe(true)
    },
  )

  test('plugins of one name but of two kinds have a file each', async () => {
    const { declare, file, folder, logged } = await world()
    await declare({
      metricProviderPlugins: [{ name: 'org/x', location: file('metric.mjs', moduleText) }],
      stepPlugins: [{ name: 'org/x', location: file('step.mjs', `${moduleText}// step`) }],
    })
    await logged(/the plugin works/)
    await logged(/the plugin works/)
    const read = (kind: string) => readFileSync(`${folder}/plugin-bin/${kind}/org/x.mjs`, 'utf8')
    expect([read('metric-providers'), read('steps')]).toEqual([moduleText, `${moduleText}// step`])
  })

  test('a host that cannot be reached delays nobody, and is asked again after 1, 2, 4 … 60 seconds', async () => {
    const made = await world()
    const { plugins, declare, clock, file, logged } = made
    let downloads = 0
    made.answer = () => {
      downloads++
      throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 10.0.0.7:443') })
    }
    await declare({
      metricProviderPlugins: [
        { name: 'org/away', location: 'https://host/x.mjs' },
        { name: 'org/x', location: file('x.mjs', moduleText) },
      ],
    })
    await logged(/started again in 1s/)
    await plugins.metric('org/x')
    await expect(plugins.metric('org/away')).rejects.toThrow(
      /unable to find plugin \(org\/away\): failed to download file from https:\/\/host\/x\.mjs: connect ECONNREFUSED 10\.0\.0\.7:443$/,
    )
    const pauses: string[] = []
    for (const seconds of [1, 2, 4, 8, 16, 32, 60]) {
      await clock.advance(seconds * 1000 - 1)
      expect(downloads).toBe(pauses.length + 1)
      await clock.advance(1)
      pauses.push((await logged(/started again in/)).message.replace(/.*again in /, ''))
    }
    expect(pauses).toEqual(['2s', '4s', '8s', '16s', '32s', '60s', '60s'])
    made.answer = () => new Response(moduleText)
    await clock.advance(60_000)
    await logged(/the plugin works/)
    await plugins.metric('org/away')
  })

  test('a host that takes the request and never answers costs five minutes, not for ever', async () => {
    const made = await world()
    const { plugins, declare, clock, logged } = made
    made.answer = ({ signal }) =>
      new Promise((_, reject) => {
        if (signal.aborted) reject(signal.reason)
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    const entry = { name: 'org/x', location: 'https://host/x.mjs', timeout: '5s' }
    await declare({ metricProviderPlugins: [entry] })
    const waiting = plugins.metric('org/x').catch((error: Error) => error.message)
    // Who waits for the plugin does so no longer than for an answer of it.
    await clock.advance(5_000)
    expect(await waiting).toMatch(
      /unable to get plugin client \(org\/x\): it did not start within 5s$/,
    )
    await clock.advance(295_000)
    expect((await logged(/started again in 1s/)).message).toContain(
      'unable to find plugin (org/x): https://host/x.mjs did not come within 300s',
    )
  })

  test('a plugin that dies comes back although the host of its file is away by then', async () => {
    const made = await world()
    const { plugins, declare, logged } = made
    made.answer = () => new Response(moduleText)
    await declare({ metricProviderPlugins: [{ name: 'org/x', location: 'https://host/x.mjs' }] })
    const client = await plugins.metric('org/x')
    await client.run({ run, metric: metric({}) }, never)
    await logged(/the plugin works/)
    made.answer = () => new Response('gone', { status: 503 })
    await expect(client.run({ run, metric: metric({ exit: true }) }, never)).rejects.toThrow('7')
    await logged(/the plugin works/)
    expect(await client.run({ run, metric: metric({}) }, never)).toMatchObject({
      phase: 'Successful',
    })
  })

  test('headers for a download come from a Secret, whose values are never told', async () => {
    const made = await world()
    const { plugins, declare, cluster, logged, log } = made
    const seen: (string | null)[] = []
    made.answer = (request) => {
      seen.push(request.headers.get('authorization'))
      return new Response('no', { status: 403 })
    }
    const entry = {
      name: 'org/x',
      location: 'https://host/x.mjs',
      headersFrom: [{ secretRef: { name: 'token' } }],
    }
    await declare({ metricProviderPlugins: [entry] })
    await logged(/started again in 1s/)
    await expect(plugins.metric('org/x')).rejects.toThrow(
      /unable to find plugin \(org\/x\): failed to get secret in secretRef: secrets "token" not found$/,
    )
    await cluster.client.create(resources.secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: 'argo-rollouts', name: 'token' },
      data: { Authorization: Buffer.from('Bearer s3cr3t').toString('base64') },
    })
    await made.clock.advance(1_000)
    const told = await logged(/response code/)
    expect(told.message).toContain(
      'failed to download file from https://host/x.mjs: response code 403 Forbidden',
    )
    expect(seen).toEqual(['Bearer s3cr3t'])
    // A module that tells its token gets masked, too.
    made.answer = () =>
      new Response(`console.log('I have Bearer s3cr3t, or s3cr3t')\n${moduleText}`)
    await made.clock.advance(2_000)
    expect((await logged(/I have/)).message).toBe('I have *****, or *****')
    expect(JSON.stringify(log)).not.toContain('s3cr3t')
  })

  test('what a service tells of its token is stored and logged nowhere, not even a half of it', async () => {
    const made = await world()
    const token = 's3cr3t"of\\many-words'
    await made.cluster.client.create(resources.secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: 'argo-rollouts', name: 'token' },
      data: {
        authorization: Buffer.from(`Bearer ${token}`).toString('base64'),
        short: Buffer.from('s3cr').toString('base64'),
        mode: Buffer.from('status').toString('base64'),
      },
    })
    made.answer = async (request) => {
      const { id, method, params } = (await request.json()) as {
        id: number
        method: string
        params: { metric?: { provider: { plugin: Record<string, { how?: string }> } } }
      }
      const how = Object.values(params.metric?.provider.plugin ?? {})[0]?.how
      const answer = (message: object) => Response.json({ id, ...message })
      if (how === 'answer')
        return answer({
          result: {
            phase: 'Failed',
            message: `not ${token}`,
            value: token,
            metadata: { [token]: token },
          },
        })
      if (how === 'refusal') return answer({ error: { code: 1, message: `not ${token}` } })
      // Wherever the text is cut, the token may lie across.
      if (how?.startsWith('status'))
        return new Response(`${'x'.repeat(Number(how.slice(6)))}${token}`, { status: 503 })
      if (how === 'list') return Response.json([token])
      if (how === 'text') return new Response(`<p>${token}</p>`)
      if (method === 'step/run')
        return answer({ result: { phase: 'Running', message: token, status: { token: [token] } } })
      return method === 'initialize'
        ? answer({ result: { type: `I am ${token}` } })
        : answer({ result: null })
    }
    const entry = {
      name: 'org/x',
      location: 'https+rpc://plugin.org/rpc',
      headersFrom: [{ secretRef: { name: 'token' } }],
    }
    await made.declare({ metricProviderPlugins: [entry], stepPlugins: [entry] })
    const client = await made.plugins.metric('org/x')
    const told: unknown[] = []
    for (const how of [
      'answer',
      'refusal',
      'list',
      'text',
      ...[190, 195, 4_040, 4_050].map((at) => `status${at}`),
    ])
      told.push(
        await client
          .run({ run, metric: metric({ how }) }, never)
          .catch((error: unknown) => [(error as Error).message, inspect(error, { depth: 9 })]),
      )
    const step = made.plugins.step('org/x')
    if (step.kind !== 'ready') throw new Error(JSON.stringify(step))
    const rollout = { metadata: { name: 'web' } } as unknown as Rollout
    const reply = await step.call('run', { rollout, config: null, status: null }, never)
    expect(reply).toMatchObject({
      phase: 'Running',
      message: '*****',
      status: { token: ['*****'] },
    })
    told.push(reply)
    expect(told[0]).toEqual({
      phase: 'Failed',
      message: 'not *****',
      value: '*****',
      metadata: { '*****': '*****' },
    })
    expect(told[1]).toEqual({ phase: 'Error', message: 'not *****' })
    expect(/.{9}(s3cr|t"of|many).{9}/.exec(inspect([told, made.log], { depth: 9 }))).toBeNull()
  })

  test('plugin x that is a module and plugin x.mjs that is none are two files', async () => {
    const { declare, file, logged, folder, plugins } = await world()
    await declare({
      metricProviderPlugins: [
        { name: 'org/x', location: file('one.mjs', moduleText) },
        { name: 'org/x.mjs', location: file('two', linesText), protocol: 'jsonrpc' },
      ],
    })
    await logged(/the plugin works/)
    await logged(/the plugin works/)
    await plugins.metric('org/x')
    await plugins.metric('org/x.mjs')
    expect(readdirSync(`${folder}/plugin-bin/metric-providers/org`).sort()).toEqual([
      'x.mjs',
      'x.mjs@',
    ])
  })

  test('what a download left behind when its controller crashed is swept away', async () => {
    const first = await world()
    await first.declare({
      metricProviderPlugins: [{ name: 'org/x', location: first.file('x.mjs', moduleText) }],
    })
    await first.logged(/the plugin works/)
    const left = `${first.folder}/plugin-bin/metric-providers/org/@new-AbCdEf`
    mkdirSync(left)
    writeFileSync(`${left}/plugin`, 'half a fi')
    const second = pluginWorld({ folder: first.folder })
    worlds.push(second)
    expect(readdirSync(`${first.folder}/plugin-bin/metric-providers/org`)).toEqual(['x.mjs'])
  })

  test('the headers of a download follow it within its host, and to no other', async () => {
    const made = await world()
    await made.cluster.client.create(resources.secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: 'argo-rollouts', name: 'token' },
      data: { 'private-token': Buffer.from('s3cr3t').toString('base64') },
    })
    const asked: [string, string | null][] = []
    const moves: Readonly<Record<string, string>> = {
      'https://git/x.mjs': '/files/x.mjs',
      'https://git/files/x.mjs': 'https://store/x.mjs?signature=1',
    }
    made.answer = ({ url, headers }) => {
      asked.push([url, headers.get('private-token')])
      const location = moves[url]
      return location
        ? new Response(null, { status: 302, headers: { location } })
        : new Response(moduleText)
    }
    const entry = {
      name: 'org/x',
      location: 'https://git/x.mjs',
      headersFrom: [{ secretRef: { name: 'token' } }],
    }
    await made.declare({ metricProviderPlugins: [entry] })
    await made.logged(/the plugin works/)
    expect(asked).toEqual([
      ['https://git/x.mjs', 's3cr3t'],
      ['https://git/files/x.mjs', 's3cr3t'],
      ['https://store/x.mjs?signature=1', null],
    ])
  })

  test('a download that is sent round in circles ends', async () => {
    const made = await world()
    made.answer = () => new Response(null, { status: 302, headers: { location: '/x.mjs' } })
    await made.declare({
      metricProviderPlugins: [{ name: 'org/x', location: 'https://git/x.mjs' }],
    })
    expect((await made.logged(/not available/)).message).toContain(
      'failed to download file from https://git/x.mjs: it was sent on more than 10 times',
    )
  })

  test('the query of a location, which may hold a key, is told nowhere', async () => {
    const made = await world()
    const asked: string[] = []
    made.answer = ({ url }) => {
      asked.push(url)
      return new Response('no', { status: 403 })
    }
    const entry = { name: 'org/x', location: 'https://host/x.mjs?signature=s3cr3t' }
    await made.declare({ metricProviderPlugins: [entry] })
    expect((await made.logged(/response code/)).message).toContain(
      'failed to download file from https://host/x.mjs?…: response code 403 Forbidden',
    )
    expect(asked).toEqual(['https://host/x.mjs?signature=s3cr3t'])
    expect(JSON.stringify(made.log)).not.toContain('s3cr3t')
  })

  test('a download that breaks off says which, and why', async () => {
    const made = await world()
    made.answer = () =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new Uint8Array(10))
            controller.error(new TypeError('terminated', { cause: new Error('other side closed') }))
          },
        }),
      )
    await made.declare({
      metricProviderPlugins: [{ name: 'org/x', location: 'https://host/x.mjs' }],
    })
    expect((await made.logged(/not available/)).message).toContain(
      'unable to find plugin (org/x): failed to copy https://host/x.mjs: other side closed',
    )
  })

  test('a service gets the headers with each question', async () => {
    const made = await world()
    const { plugins, declare, cluster } = made
    await cluster.client.create(resources.secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: 'argo-rollouts', name: 'token' },
      data: { authorization: Buffer.from('Bearer s3cr3t').toString('base64') },
    })
    made.answer = (request) =>
      request.headers.get('authorization') === 'Bearer s3cr3t'
        ? service(request)
        : new Response('who are you?', { status: 401 })
    const entry = {
      name: 'org/x',
      location: 'https+rpc://plugin.org/rpc',
      headersFrom: [{ secretRef: { name: 'token' } }],
    }
    await declare({ metricProviderPlugins: [entry] })
    const client = await plugins.metric('org/x')
    expect(await client.run({ run, metric: metric({}) }, never)).toMatchObject({
      phase: 'Successful',
    })
  })
})

describe('the end:', () => {
  test('a plugin is asked to end and has done so once the host has stopped', async () => {
    const { declare, file, logged, stop, log } = await world()
    const location = file('x.cjs', linesText)
    await declare({ metricProviderPlugins: [{ name: 'org/x', location, protocol: 'jsonrpc' }] })
    await logged(/the plugin works/)
    await stop()
    expect(log.map((entry) => entry.message)).toContain('bye')
  })

  test('one that does not heed is killed after two seconds', async () => {
    const { declare, file, logged, stop, clock } = await world()
    const text = linesText.replace(
      "if (method === 'shutdown')",
      "if (method === 'shutdown') return\n  if (false)",
    )
    await declare({
      metricProviderPlugins: [
        { name: 'org/x', location: file('x.cjs', text), protocol: 'jsonrpc' },
      ],
    })
    await logged(/the plugin works/)
    let hasStopped = false
    const stopped = stop().then(() => {
      hasStopped = true
    })
    await clock.advance(1_999)
    expect(hasStopped).toBe(false)
    await clock.advance(1)
    await stopped
  })
})
