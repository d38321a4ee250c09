import { EventRecorder, type KubeObject, VirtualClock } from '@serinus/kube'
import { afterEach, expect, test } from 'vitest'
import { startCaches } from '../rollout/caches.ts'
import { MemoryApi } from './memory-api.ts'
import { startTemplateDoctor } from './template-doctor.ts'

const processes: AbortController[] = []

afterEach(() => {
  for (const process of processes.splice(0)) process.abort(new Error('the test is over'))
})

function world() {
  const clock = new VirtualClock(Date.UTC(2026, 7, 17, 10))
  const api = new MemoryApi(clock)
  return {
    clock,
    api,
    /** Starts one controller process; abort the result to kill it. */
    async start(more: { readonly instanceId?: string } = {}) {
      const process = new AbortController()
      processes.push(process)
      const { signal } = process
      const client = api.client()
      const recorder = new EventRecorder({
        client,
        clock,
        signal,
        component: 'rollouts-controller',
      })
      startTemplateDoctor({
        caches: startCaches({ client, clock, signal }),
        recorder,
        signal,
        ...more,
      })
      await clock.advance(10)
      return process
    },
    async put(
      counter: string,
      {
        generation = 1,
        labels = {},
        kind = 'AnalysisTemplate',
      }: { generation?: number; labels?: Record<string, string>; kind?: string } = {},
    ) {
      const query = `sum(${counter}{service="{{args.hash}}"})`
      const namespace = kind === 'AnalysisTemplate' ? { namespace: 'app' } : {}
      api.put(kind === 'AnalysisTemplate' ? 'analysistemplates' : 'clusteranalysistemplates', {
        apiVersion: 'argoproj.io/v1alpha1',
        kind,
        metadata: { name: 'rate', ...namespace, generation, labels },
        spec: {
          args: [{ name: 'hash' }],
          metrics: [
            {
              name: 'rate',
              successCondition: 'result[0] < 1',
              provider: { prometheus: { query } },
            },
          ],
        },
      } as KubeObject)
      await clock.advance(1000)
    },
    events: () =>
      api.all('events').map((event) => {
        const { reason, type, count, message, involvedObject } = event as unknown as Record<
          string,
          unknown
        >
        return { reason, type, count, message, kind: (involvedObject as KubeObject).kind }
      }),
  }
}

const told = (counter: string, kind = 'AnalysisTemplate') => ({
  kind,
  type: 'Warning',
  reason: 'PromQLCounterWithoutRate',
  count: 1,
  message: expect.stringMatching(
    new RegExp(`^spec\\.metrics\\[0\\]\\.provider\\.prometheus\\.query: ${counter} is a counter`),
  ),
})

test('a finding in a new template is told once, and again when the template changes', async () => {
  const { start, put, events } = world()
  await start()
  await put('errors_total')
  expect(events()).toEqual([told('errors_total')])
  await put('errors_total', { labels: { team: 'a' } })
  expect(events()).toHaveLength(1)
  await put('faults_total', { generation: 2 })
  expect(events()).toEqual([told('errors_total'), told('faults_total')])
})

test('a template of the cluster is looked at too', async () => {
  const { start, put, events } = world()
  await start()
  await put('errors_total', { kind: 'ClusterAnalysisTemplate' })
  expect(events()).toEqual([told('errors_total', 'ClusterAnalysisTemplate')])
})

test('a restart repeats nothing and writes nothing', async () => {
  const { api, clock, start, put, events } = world()
  const first = await start()
  await put('errors_total')
  first.abort(new Error('killed'))
  await clock.advance(3_600_000)
  const calls = api.calls.length
  await start()
  await put('errors_total', { labels: { team: 'a' } })
  await clock.advance(3_600_000)
  expect(api.calls.length).toBe(calls)
  expect(events()).toHaveLength(1)
})

test('a template of another controller is left to it', async () => {
  const { start, put, events } = world()
  await start({ instanceId: 'blue' })
  await put('errors_total')
  expect(events()).toEqual([])
  await put('errors_total', {
    generation: 2,
    labels: { 'argo-rollouts.argoproj.io/controller-instance-id': 'blue' },
  })
  expect(events()).toHaveLength(1)
})
