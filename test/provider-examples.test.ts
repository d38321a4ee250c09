import { readdirSync, readFileSync } from 'node:fs'
import { type AnalysisRun, kinds, type Metric, parseAnalysisTemplate } from '@serinus/api'
import { examineTemplate } from '@serinus/engine'
import { type KubeClient, type KubeObject, RealClock } from '@serinus/kube'
import { createKept, providerOf } from '@serinus/metrics'
import { beforeAll, describe, expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { type VirtualCluster, virtualCluster } from './virtual-cluster.ts'

type StoredRun = AnalysisRun & KubeObject

const folder = 'examples/providers'
const names = readdirSync(folder).map((file) => file.replace(/\.yaml$/, ''))
// A plugin has a thread of its own, which takes real time: plugin-example.test.ts.
const inVirtualTime = names.filter((name) => name !== 'plugin')

/** What the head of an example promises: `# Measures: 0.99`, or `# Measures nothing`. */
function promised(name: string): string | undefined {
  const text = readFileSync(`${folder}/${name}.yaml`, 'utf8')
  const value = /^# Measures(?:: (.+)| nothing.*)$/m.exec(text)
  if (!value) throw new Error(`${name}.yaml does not say what it measures: "# Measures: VALUE"`)
  return value[1]
}

/** What the head of an example sets before it starts Serinus: `#   export AWS_REGION=eu-west-1`. */
function environment(name: string): Readonly<Record<string, string>> {
  const text = readFileSync(`${folder}/${name}.yaml`, 'utf8')
  const lines = [...text.matchAll(/^# +export (.+)$/gm)].map(([, settings = '']) => settings)
  return Object.fromEntries(lines.flatMap((line) => line.split(' ').map((one) => one.split('='))))
}

/** The run of the example once it is over, after at most an hour. */
async function finishedRun(world: VirtualCluster): Promise<StoredRun> {
  const ended: ReadonlySet<string> = new Set(['Successful', 'Failed', 'Error', 'Inconclusive'])
  for (let second = 0; second < 3600; second++) {
    const { items } = await world.client.list<StoredRun>(kinds.analysisRuns)
    const [run] = items
    if (run?.status?.phase && ended.has(run.status.phase)) return run
    await world.pass(1_000)
  }
  throw new Error(`the run does not end: ${world.errors.join('; ')}`)
}

test.each(names)('the query doctor has no doubt about the example %s', (name) => {
  for (const object of readManifests(`${folder}/${name}.yaml`)) {
    if (object.kind !== 'AnalysisTemplate') continue
    const { spec } = parseAnalysisTemplate(object).value
    expect(examineTemplate(spec)).toEqual([])
  }
})

// What a provider reads from disk when it first measures (its library, Amazon's configuration) is read before virtual time
// begins, which does not wait for disks.
beforeAll(async () => {
  await firstCall({ cloudWatch: { metricDataQueries: [] } }, '{"MetricDataResults":[]}')
  await firstCall({ influxdb: {} }, ',result,table,_value\n,,0,1\n')
})

async function firstCall(provider: Metric['provider'], answer: string): Promise<void> {
  const metric = { name: 'first', provider }
  const clock = new RealClock()
  await providerOf(metric).run({
    run: { metadata: { name: 'first' }, spec: {} } as AnalysisRun,
    metric,
    serial: 1,
    clock,
    kept: createKept(clock),
    fetch: async () => new Response(answer),
    client: {} as KubeClient,
    controllerNamespace: 'argo-rollouts',
    readSecret: async () => ({ address: 'http://influxdb', authToken: 'token', org: 'acme' }),
    readConfigMap: async () => ({}),
    hide: () => {},
    env: environment('cloud-watch'),
    signal: new AbortController().signal,
  })
}

describe('the example of each metric provider runs on the embedded cluster as it is written:', () => {
  test.each(inVirtualTime)('%s', async (name) => {
    await using world = await virtualCluster({ env: environment(name) })
    await world.apply(...readManifests(`${folder}/${name}.yaml`))
    const { metadata, status } = await finishedRun(world)
    expect({ name: metadata.name, phase: status?.phase, message: status?.message }).toEqual({
      name,
      phase: 'Successful',
      message: undefined,
    })
    for (const { measurements = [] } of status?.metricResults ?? []) {
      expect(measurements.length).toBeGreaterThan(0)
      for (const { phase, value, message } of measurements) {
        expect({ phase, value, message }).toEqual({
          phase: 'Successful',
          value: promised(name),
          message: undefined,
        })
      }
    }
    expect(world.errors).toEqual([])
  })
})
