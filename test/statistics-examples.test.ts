import { readFileSync } from 'node:fs'
import { type AnalysisRun, kinds, parseAnalysisTemplate, problemText } from '@serinus/api'
import { examineTemplate } from '@serinus/engine'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { type VirtualCluster, virtualCluster } from './virtual-cluster.ts'

type StoredRun = AnalysisRun & KubeObject

/** The newest run once it is over, after at most an hour, and how long it took in seconds. */
async function finishedRun(world: VirtualCluster, known: readonly string[] = []) {
  for (let second = 0; second < 3600; second++) {
    const { items } = await world.client.list<StoredRun>(kinds.analysisRuns)
    const run = items.find(({ metadata }) => !known.includes(metadata.name))
    const { startedAt, completedAt } = run?.status ?? {}
    if (run && startedAt && completedAt)
      return { run, seconds: (Date.parse(completedAt) - Date.parse(startedAt)) / 1000 }
    await world.pass(1_000)
  }
  throw new Error(`the run does not end: ${world.errors.join('; ')}`)
}

/** A healthy release of an example, whose analysis ends early, and one that fails, whose run is returned. */
async function goodAndBadRelease(world: VirtualCluster, example: string): Promise<StoredRun> {
  await world.apply(...readManifests(example))
  await world.until('shop', ({ status }) => status?.phase === 'Healthy')

  await world.setImage('shop', 'shop:v2')
  const good = await finishedRun(world)
  expect(good.run.status?.phase).toBe('Successful')
  expect(good.seconds).toBeLessThan(300)
  await world.until('shop', ({ status }) => status?.phase === 'Healthy')

  await world.setImage('shop', 'shop:v3', { 'sim.serinus.dev/error-rate': '5%' })
  const bad = await finishedRun(world, [good.run.metadata.name])
  expect(bad.run.status?.phase).toBe('Failed')
  expect(bad.seconds).toBeLessThanOrEqual(30)
  return bad.run
}

test('a release of the example ends its analysis early when it is healthy, and is aborted within 30 s when 5 % of its requests fail', async () => {
  await using world = await virtualCluster()
  await goodAndBadRelease(world, 'examples/sequential.yaml')
  const { status } = await world.until('shop', ({ status }) => status?.phase === 'Degraded')
  expect(status?.message).toMatch(
    /^RolloutAborted: Rollout aborted update to revision 3: Step-based analysis phase error\/failed: Metric "errors" assessed Failed due to \d+ of \d+ requests \([\d.]+%\) were bad after \d looks, bound 1%, bound 1.5 times the stable version's /,
  )
  expect(world.errors).toEqual([])
})

test('a release of the example with short bursts is judged by parts of its looks, and is aborted within 30 s when 5 % of its requests fail', async () => {
  await using world = await virtualCluster()
  const bad = await goodAndBadRelease(world, 'examples/sequential-burst.yaml')
  expect(bad.status?.message).toMatch(
    /^Metric "errors" assessed Failed due to \d+ of \d+ requests \([\d.]+%\) were bad after \d+ parts of 2s, bound 1%: /,
  )
  const measured = bad.status?.metricResults?.[0]?.measurements?.at(-1)
  expect(measured?.value).toMatch(/^\{"canary":\{"bad":\d+,"total":\d+\}\}$/)
  expect(world.errors).toEqual([])
})

test('the page and the examples of sequential analysis show metrics that Serinus takes as they are', () => {
  const page = readFileSync('docs/sequential-analysis.md', 'utf8')
  const [, block = ''] = /```yaml\n(metrics:.*?)```/s.exec(page) ?? []
  const args = [{ name: 'canary' }, { name: 'stable' }]
  const shown = { metadata: { name: 'page' }, spec: { args, metrics: parse(block).metrics } }
  const templates = ['examples/sequential.yaml', 'examples/sequential-burst.yaml']
    .flatMap(readManifests)
    .filter(({ kind }) => kind === 'AnalysisTemplate')
  for (const template of [shown, ...templates]) {
    const { value, problems, unknownFields } = parseAnalysisTemplate(template)
    const found = [...problems, ...unknownFields]
    expect(found.map(problemText)).toEqual([])
    expect(examineTemplate(value.spec)).toEqual([])
  }
})

test('the example of the judge is not content with a slower version', async () => {
  await using world = await virtualCluster()
  await world.apply(...readManifests('examples/providers/judge.yaml'))
  const key = { namespace: 'default', name: 'shop-canary' }
  const annotations = { 'sim.serinus.dev/latency': '40ms', 'sim.serinus.dev/latency-p95': '100ms' }
  await world.client.patch(resources.deployments, key, {
    kind: 'merge',
    body: { spec: { template: { metadata: { annotations } } } },
  })
  const { run } = await finishedRun(world)
  expect(run.status?.metricResults?.[0]?.measurements).toMatchObject([
    {
      phase: 'Inconclusive',
      value: '70',
      message: 'score 70: latency was classified as High',
    },
  ])
})
