import { readFileSync } from 'node:fs'
import { annotationKeys, hashLabel } from '@serinus/api'
import type { UnknownObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { run, start, startAt, TestCluster } from './test-cluster.ts'
import { analysisRun, pod, replicaSet, rollout } from './test-objects.ts'

const minute = 60

function experiment(
  name: string,
  parts: { readonly owner?: string; readonly spec?: object; readonly status?: object } = {},
): UnknownObject {
  const base = rollout(name, { age: 12 * minute, ...(parts.owner ? { owner: parts.owner } : {}) })
  return {
    ...base,
    kind: 'Experiment',
    metadata: {
      ...base.metadata,
      labels: { [hashLabel]: 'rollout' },
      annotations: { [annotationKeys.revision]: '2' },
    },
    spec: { templates: [], ...parts.spec },
    status: { phase: 'Running', ...parts.status },
  }
}

/** The example of the specification; the Rollout `owner` started it, if one is named. */
function latency(owner?: string): TestCluster {
  const set = (template: string, image: string, available: number) =>
    replicaSet('latency-ab', {
      name: `latency-ab-${template}`,
      hash: template,
      revision: 0,
      image,
      replicas: 1,
      available,
      age: 12 * minute,
      annotations: { [annotationKeys.experimentTemplateName]: template },
    })
  const baseline = set('baseline', 'shop/search:2.3', 1)
  const candidate = set('candidate', 'shop/search:2.4', 0)
  const crashing = pod(candidate, 'xw9kt', { ready: 0, restarts: 6, age: 12 * minute })
  return new TestCluster().put(
    experiment('latency-ab', {
      ...(owner ? { owner } : {}),
      status: {
        templateStatuses: [
          { name: 'baseline', podTemplateHash: 'baseline' },
          { name: 'candidate', podTemplateHash: 'candidate' },
        ],
        analysisRuns: [{ name: 'p95', analysisRun: 'latency-ab-compare-p95', phase: 'Running' }],
      },
    }),
    baseline,
    candidate,
    pod(baseline, 'm2d7p', { age: 12 * minute }),
    {
      ...crashing,
      status: {
        phase: 'Running',
        containerStatuses: [
          { name: 'c0', restartCount: 6, state: { waiting: { reason: 'CrashLoopBackOff' } } },
        ],
      },
    },
    analysisRun('latency-ab', {
      name: 'latency-ab-compare-p95',
      hash: 'none',
      revision: 2,
      phase: 'Running',
      age: 11 * minute,
      results: [{ name: 'p95', successful: 3, inconclusive: 1 }],
    }),
  )
}

const example = readFileSync(new URL('fixtures/experiment.txt', import.meta.url), 'utf8')

test.each(['get experiment', 'get exp', 'get experiments'])(
  '%s shows the sets and runs of an experiment',
  async (words) => {
    const cluster = latency()
    const { code, out, err } = await run(cluster, `${words} latency-ab --no-color`)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out.replaceAll(/ +$/gm, '')).toBe(example)
    expect(cluster.requests.map(({ text }) => text)).toEqual([
      'get experiments/shop/latency-ab',
      'list replicasets in shop where rollouts-pod-template-hash in (baseline,candidate)',
      'list pods in shop where rollouts-pod-template-hash in (baseline,candidate)',
      'get analysisruns/shop/latency-ab-compare-p95',
    ])
  },
)

test('an experiment that does not exist is named in the singular', async () => {
  expect(await run(new TestCluster(), 'get experiment x')).toMatchObject({
    code: 1,
    out: '',
    err: 'Error: experiment.argoproj.io "x" not found\n',
  })
})

test('a run that is gone leaves the experiment worth showing', async () => {
  const cluster = latency()
  cluster.remove('analysisruns/shop/latency-ab-compare-p95')
  const { code, out } = await run(cluster, 'get experiment latency-ab')
  expect(code).toBe(0)
  expect(out).not.toContain('AnalysisRun')
})

test('the watch of an experiment repaints each second', async () => {
  const cluster = latency()
  const watch = start(cluster, 'get experiment latency-ab -w --no-color')
  await watch.clock.advance(0)
  cluster.put(experiment('latency-ab', { status: { phase: 'Successful' } }))
  await watch.clock.advance(1000)
  expect(watch.screens).toHaveLength(2)
  expect(watch.screens[1]).toMatch(/Status: {10}✔ Successful\n/)
  watch.interrupt()
  expect(await watch.ended).toMatchObject({ code: 0 })
})

const tree = `NAME                                      KIND         STATUS              AGE  INFO
⟳ web                                     Rollout      ◌ Progressing       0s
├──# revision:2
│  └──Σ latency-ab                        Experiment   ◌ Running           12m
│     ├──⧉ latency-ab-baseline            ReplicaSet   ✔ Healthy           12m
│     │  └──□ latency-ab-baseline-m2d7p   Pod          ✔ Running           12m  ready:1/1
│     ├──⧉ latency-ab-candidate           ReplicaSet   ◌ Progressing       12m
│     │  └──□ latency-ab-candidate-xw9kt  Pod          ✖ CrashLoopBackOff  12m  ready:0/1,restarts:6
│     └──α latency-ab-compare-p95         AnalysisRun  ◌ Running           11m  ✔ 3,? 1
└──# revision:1
   └──⧉ web-rollout                       ReplicaSet   • ScaledDown        0s
`

test('the experiments of a rollout stand in its tree, and their images in its header', async () => {
  const cluster = latency('web').put(
    rollout('web'),
    replicaSet('web', { hash: 'rollout', revision: 1 }),
  )
  const { out } = await run(cluster, 'get rollout web --no-color')
  const page = out.replaceAll(/ +$/gm, '')
  expect(page).toContain(
    'Images:          shop/search:2.3 (Σ:baseline)\n                 shop/search:2.4 (Σ:candidate)\n',
  )
  expect(page).toContain(tree)
})

test('the watch of a rollout follows its experiments until they end', async () => {
  const cluster = latency('web').put(
    rollout('web'),
    replicaSet('web', { hash: 'rollout', revision: 1 }),
  )
  const watch = start(cluster, 'get rollout web -w --no-color')
  await watch.clock.advance(0)
  expect(watch.screens[0]).toMatch(/α latency-ab-compare-p95 .*✔ 3,\? 1\n/)
  cluster.put(
    analysisRun('latency-ab', {
      name: 'latency-ab-compare-p95',
      hash: 'none',
      revision: 2,
      phase: 'Running',
      results: [{ name: 'p95', successful: 4 }],
    }),
  )
  await watch.clock.advance(1000)
  expect(watch.screens.at(-1)).toMatch(/α latency-ab-compare-p95 .*✔ 4\n/)

  const ended = cluster.get('experiments/shop/latency-ab')
  cluster.put({ ...ended, status: { ...(ended['status'] as object), phase: 'Successful' } })
  await watch.clock.advance(2000)
  const before = cluster.requests.length
  await watch.clock.advance(3000)
  expect(cluster.requests.slice(before)).toEqual([])
  watch.interrupt()
  await watch.ended
})

const at = (secondsAgo: number) => new Date(startAt - secondsAgo * 1000).toISOString()

test('experiments are listed with what remains of them [cli 39]', async () => {
  const cluster = new TestCluster().put(
    experiment('long', { spec: { duration: '3h' }, status: { availableAt: at(60 * minute + 1) } }),
    experiment('pending', { spec: { duration: '30m' }, status: { phase: 'Pending' } }),
    experiment('open-ended', { status: { availableAt: at(minute) } }),
    experiment('over', {
      spec: { duration: '10m' },
      status: { phase: 'Successful', availableAt: at(minute) },
    }),
  )
  const { out } = await run(cluster, 'list experiments')
  expect(out).toBe(`NAME        STATUS      DURATION  REMAINING  AGE
long        Running     3h        119m       12m
pending     Pending     30m       -          12m
open-ended  Running     -         -          12m
over        Successful  10m       -          12m
`)
  const all = await run(cluster, 'list exp -A')
  expect(all.out).toMatch(/^NAMESPACE {2}NAME .*\nshop {7}long /)
  expect(await run(new TestCluster(), 'list experiments')).toMatchObject({
    code: 0,
    out: '',
    err: 'No resources found.\n',
  })
})
