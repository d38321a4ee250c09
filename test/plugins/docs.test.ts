import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AnalysisRun, Metric, Rollout } from '@serinus/api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type PluginWorld, pluginWorld, withNamespace } from './plugin-host.ts'

const page = readFileSync('docs/plugins.md', 'utf8')
const never = new AbortController().signal

/** The code block of the page that names itself so in its first lines. */
function program(name: string): string {
  const blocks = [...page.matchAll(/^```(?:js|python)\n(.*?)^```$/gms)].map(([, text = '']) => text)
  const found = blocks.find((text) => text.split('\n', 2).some((line) => line.endsWith(` ${name}`)))
  if (!found) throw new Error(`docs/plugins.md has no program ${name}`)
  return found
}

let stats: Server
let url: string

beforeAll(async () => {
  stats = createServer((_, response) => response.end('{"errors": 3, "requests": 1000}'))
  await once(stats.listen(0, '127.0.0.1'), 'listening')
  url = `http://127.0.0.1:${(stats.address() as AddressInfo).port}/stats`
})

afterAll(() => stats.close())

async function measured(world: PluginWorld, most: number): Promise<object> {
  const client = await world.plugins.metric('acme/error-share')
  const run = { metadata: { name: 'web-1' }, spec: {} } as unknown as AnalysisRun
  const config = { 'acme/error-share': { url, most } }
  const metric = { name: 'errors', provider: { plugin: config } } as unknown as Metric
  return client.run({ run, metric }, never)
}

async function expectErrorShare(world: PluginWorld): Promise<void> {
  expect(await measured(world, 0.01)).toEqual({ phase: 'Successful', value: '0.0030' })
  expect(await measured(world, 0.001)).toEqual({ phase: 'Failed', value: '0.0030' })
  const log = world.log.map(({ message }) => message)
  expect(log).toContain('the plugin works (ErrorShare)')
}

test('the module of the page works as it is written', async () => {
  await using world = await withNamespace(pluginWorld())
  const location = world.file('error-share.mjs', program('error-share.mjs'))
  await world.declare({ metricProviderPlugins: [{ name: 'acme/error-share', location }] })
  await expectErrorShare(world)
})

const hasPython = spawnSync('python3', ['--version']).status === 0

test.skipIf(!hasPython)(
  `the program of the page works as it is written${hasPython ? '' : ' (skipped: python3 is not on this machine)'}`,
  async () => {
    await using world = await withNamespace(pluginWorld())
    const location = world.file('error-share.py', program('error-share.py'))
    const entry = { name: 'acme/error-share', location, protocol: 'jsonrpc' }
    await world.declare({ metricProviderPlugins: [entry] })
    await expectErrorShare(world)
  },
)

test('the service of the page works as it is written', async () => {
  await using world = await withNamespace(pluginWorld())
  const file = new URL(world.file('service.mjs', program('error-share-service.mjs'))).pathname
  const service = spawn(process.execPath, [file], {
    env: { ...process.env, PORT: '0', NODE_OPTIONS: `--import=${tellPort}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [port] = (await once(service.stdout, 'data')) as [Buffer]
    world.answer = (request) => {
      const { pathname } = new URL(request.url)
      return fetch(new Request(`http://127.0.0.1:${port.toString().trim()}${pathname}`, request))
    }
    const entry = { name: 'acme/error-share', location: 'http+rpc://errors.tools.svc/rpc' }
    await world.declare({ metricProviderPlugins: [entry] })
    await expectErrorShare(world)
  } finally {
    service.kill()
  }
})

/** Prints the port that the system chose, which the service of the page has no reason to do. */
const tellPort = `data:text/javascript,${encodeURIComponent(`
import { Server } from 'node:http'
const listen = Server.prototype.listen
Server.prototype.listen = function (...args) {
  return listen.call(this, ...args).on('listening', () => console.log(this.address().port))
}`)}`

test('the step plugin of the page works as it is written', async () => {
  await using world = await withNamespace(pluginWorld())
  const location = world.file('ticket.mjs', program('ticket.mjs'))
  await world.declare({ stepPlugins: [{ name: 'acme/ticket', location }] })
  await world.logged(/the plugin works/)
  const client = world.plugins.step('acme/ticket')
  if (client.kind !== 'ready') throw new Error(JSON.stringify(client))
  const rollout = { metadata: { name: 'web' }, spec: {} } as unknown as Rollout
  const open = { rollout, config: { ticket: 'OPS-1' }, status: { asked: 1 } }
  expect(await client.call('run', open, never)).toEqual({
    phase: 'Running',
    message: 'waiting for OPS-1',
    requeueAfterMs: 60_000,
    status: { asked: 2 },
  })
  const closed = { ...open, config: { closed: true } }
  expect(await client.call('run', closed, never)).toMatchObject({ phase: 'Successful' })
  expect(await client.call('abort', open, never)).toMatchObject({ phase: 'Successful' })
})

test('the ConfigMap of the page is understood in every part', async () => {
  const [, text = ''] = /^```yaml\n(apiVersion: v1\nkind: ConfigMap.*?)^```$/ms.exec(page) ?? []
  const { data } = parse(text) as { data: Record<string, string> }
  await using world = await withNamespace(pluginWorld())
  await world.declare(data)
  // Nothing of what it names exists here: each is refused for that, and for nothing else.
  const reasons = await Promise.all([1, 2, 3].map(() => world.logged(/not available/)))
  expect(reasons.map(({ plugin, message }) => `${plugin}: ${message}`).sort()).toEqual([
    'acme/error-share: the plugin is not available: unable to find plugin (acme/error-share): failed to download file from https://example.com/plugins/error-share.mjs: response code 404 Not Found; it is started again in 1s',
    'acme/ticket: the plugin is not available: unable to find plugin (acme/ticket): failed to get secret in secretRef: secrets "tickets-token" not found; it is started again in 1s',
    'argoproj-labs/sample-prometheus: the plugin is not available: unable to find plugin (argoproj-labs/sample-prometheus): failed to find filebased plugin at location: file:///plugins/metric-plugin; it is started again in 1s',
  ])
})
