import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { RealClock } from '@serinus/kube'
import { startGoPlugin } from '../../packages/plugins/src/netrpc/go-plugin.ts'
import { handshakeVariables } from '../../packages/plugins/src/netrpc/handshake.ts'
import type { PluginMethod, PluginQuestions } from '../../packages/plugins/src/plugin-process.ts'
import { samplePlugin } from './sample-plugin.ts'

/** Records every byte between us and a real Go plugin: node test/plugins/record.ts. */

const sample = await samplePlugin()
if (sample.kind === 'missing') throw new Error(sample.why)

const run = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AnalysisRun',
  metadata: { name: 'web-1', namespace: 'app', creationTimestamp: '2026-08-17T10:41:11Z' },
  spec: { metrics: [], args: [{ name: 'service', value: 'web' }] },
}
const metric = (orders: object) => ({ name: 'up', provider: { plugin: { 'org/sample': orders } } })
const measurement = { phase: 'Running', startedAt: '2026-08-17T10:41:12Z' }
const rollout = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata: { name: 'web', namespace: 'app' },
  spec: { replicas: 5, strategy: { canary: { maxSurge: '25%', steps: [{ setWeight: 20 }] } } },
}
const step = (config: object) => ({ name: 'org/sample', rollout, config, status: { before: 1 } })

const questions: Readonly<Record<'metric' | 'step', readonly [PluginMethod, unknown][]>> = {
  metric: [
    ['metric/run', { run, metric: metric({ phase: 'Successful', value: '[1]' }) }],
    ['metric/run', { run, metric: metric({ phase: 'Error', message: 'no route' }) }],
    ['metric/resume', { run, metric: metric({}), measurement }],
    ['metric/terminate', { run, metric: metric({}), measurement }],
    ['metric/metadata', { metric: metric({}) }],
    ['metric/garbageCollect', { run, metric: metric({}), limit: 10 }],
  ],
  step: [
    ['step/run', step({ phase: 'Running', message: 'working', requeueAfter: '45s' })],
    ['step/terminate', step({ phase: 'Failed' })],
    ['step/abort', step({ phase: 'Successful' })],
  ],
}

for (const kind of ['metric', 'step'] as const) {
  const folder = mkdtempSync(join(tmpdir(), 'tape-'))
  const plugin = spawn(sample.file, [kind], {
    env: { ...process.env, ...handshakeVariables(kind) },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [line] = (await once(createInterface(plugin.stdout), 'line')) as [string]
  const tape: { from: 'host' | 'plugin'; hex: string }[] = []
  const note = (from: 'host' | 'plugin', bytes: Buffer) => {
    const last = tape.at(-1)
    if (last?.from === from) last.hex += bytes.toString('hex')
    else tape.push({ from, hex: bytes.toString('hex') })
  }
  const server = createServer((host) => {
    const guest = connect(line.split('|')[3] ?? '')
    host.on('data', (bytes: Buffer) => {
      note('host', bytes)
      guest.write(bytes)
    })
    guest.on('data', (bytes: Buffer) => {
      note('plugin', bytes)
      host.write(bytes)
    })
    guest.on('close', () => host.destroy())
  })
  const socket = join(folder, 'socket')
  await once(server.listen(socket), 'listening')
  const signal = AbortSignal.timeout(60_000)
  const host = await startGoPlugin({
    kind,
    name: 'org/sample',
    target: '/bin/sh',
    args: ['-c', 'echo "1|1|unix|$0|netrpc|"; cat >/dev/null', socket],
    headers: {},
    env: process.env,
    clock: new RealClock(),
    fetch,
    log: () => {},
    signal,
  })
  const asked: { method: PluginMethod; question: unknown; answer: unknown }[] = []
  for (const [method, question] of questions[kind]) {
    const answer = await host.call(method, question as PluginQuestions[PluginMethod], signal)
    asked.push({ method, question, answer })
  }
  await host.ping(signal)
  host.quit()
  await host.ended
  server.close()
  plugin.kill()
  rmSync(folder, { recursive: true })
  const file = `packages/plugins/fixtures/${kind}-conversation.json`
  writeFileSync(file, `${JSON.stringify({ kind, type: host.type, asked, tape }, null, 1)}\n`)
}
