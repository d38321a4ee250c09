import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AnalysisRun, kinds, type Rollout } from '@serinus/api'
import {
  type KubeClient,
  type KubeObject,
  type Resource,
  ScaledClock,
  startInformer,
} from '@serinus/kube'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { startLocalCluster } from '../packages/cli/src/serinus/local-cluster.ts'
import { applyManifests, readManifests } from '../packages/cli/src/serinus/manifests.ts'

/** What `serinus up` starts, at four times the speed: plugins have threads and processes, which take real time. */
async function up() {
  const over = new AbortController()
  const folder = mkdtempSync(join(tmpdir(), 'serinus-plugins-'))
  const clock = new ScaledClock({ factor: 4 })
  const log: string[] = []
  const local = await startLocalCluster({
    clock,
    signal: over.signal,
    seed: 'plugins',
    listen: { host: '127.0.0.1', port: 0 },
    insecureHttp: true,
    useInbox: true,
    withController: true,
    plugins: { folder, log: ({ message }) => log.push(message) },
    onError: (where, error) => log.push(`${where}: ${String(error)}`),
  })
  return {
    client: local.client,
    folder,
    log,
    /** The object once it is so. */
    until: <T extends KubeObject>(
      resource: Resource,
      name: string,
      holds: (object: T) => boolean,
    ) => seen(local.client, { clock, signal: over.signal, resource, name, holds }),
    async [Symbol.asyncDispose]() {
      over.abort(new Error('the test is over'))
      await local.close()
      rmSync(folder, { recursive: true })
    },
  }
}

function seen<T extends KubeObject>(
  client: KubeClient,
  facts: {
    readonly clock: ScaledClock
    readonly signal: AbortSignal
    readonly resource: Resource
    readonly name: string
    readonly holds: (object: T) => boolean
  },
): Promise<T> {
  const { name, holds, ...rest } = facts
  return new Promise((resolve) => {
    startInformer<T>({ client, ...rest }).subscribe((change) => {
      if (change.object.metadata.name === name && holds(change.object)) resolve(change.object)
    })
  })
}

type StoredRun = AnalysisRun & KubeObject
type StoredRollout = Rollout & KubeObject

test('the example of a plugin runs on the embedded cluster as it is written', async () => {
  await using world = await up()
  const file = 'examples/providers/plugin.yaml'
  await applyManifests(world.client, readManifests(file), 'default')
  const run = await world.until<StoredRun>(
    kinds.analysisRuns,
    'plugin',
    ({ status }) => status?.completedAt !== undefined,
  )
  const [result] = run.status?.metricResults ?? []
  const [, promised] = /^# Measures: (.+)$/m.exec(readFileSync(file, 'utf8')) ?? []
  expect(run.status?.phase).toBe('Successful')
  expect(result?.metadata).toEqual({ freezes: '1' })
  expect(result?.measurements).toMatchObject([{ phase: 'Successful', value: promised }])
})

test('an update waits at the step of a plugin until the plugin lets it on', async () => {
  await using world = await up()
  const file = join(world.folder, 'gate.mjs')
  writeFileSync(
    file,
    `export default () => ({
      run: ({ status }) => status
        ? { phase: 'Successful', message: 'asked twice', status }
        : { phase: 'Running', requeueAfter: '11s', status: { asked: 1 } },
    })`,
  )
  const manifests = parseAllDocuments(`
apiVersion: v1
kind: ConfigMap
metadata: {name: argo-rollouts-config, namespace: argo-rollouts}
data:
  stepPlugins: |
    - name: example/gate
      location: file://${file}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:v1"}]}
  strategy: {canary: {steps: [{plugin: {name: example/gate}}]}}
`).map((document) => document.toJS())
  await applyManifests(world.client, manifests, 'default')
  await world.until<StoredRollout>(
    kinds.rollouts,
    'web',
    ({ status }) => status?.phase === 'Healthy',
  )
  const key = { namespace: 'default', name: 'web' }
  const body = [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'web:v2' }]
  await world.client.patch(kinds.rollouts, key, { kind: 'json', body })
  const done = await world.until<StoredRollout>(
    kinds.rollouts,
    'web',
    ({ status }) => status?.canary?.stepPluginStatuses?.[0]?.phase === 'Successful',
  )
  expect(done.status?.canary?.stepPluginStatuses).toMatchObject([
    { name: 'example/gate', executions: 2, message: 'asked twice', status: { asked: 1 } },
  ])
})
