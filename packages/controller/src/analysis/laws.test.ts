import fc from 'fast-check'
import { expect, test } from 'vitest'
import { analysisWorld, endJob, jobMetric, put, web } from './test-world.ts'

/** Not part of anything that the product says itself. */
const secret = fc
  .string({ unit: 'grapheme', minLength: 6, maxLength: 20 })
  .map((text) => `§${text}§`)

test('whatever a secret is made of, it occurs in no stored object, Event or error', async () => {
  await fc.assert(
    fc.asyncProperty(secret, async (value) => {
      using world = analysisWorld()
      const { clock, api, errors, start } = world
      api.put('secrets', {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's', namespace: 'app' },
        data: { k: Buffer.from(value).toString('base64') },
      } as never)
      const args = [{ name: 'a', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }]
      const limits = { consecutiveErrorLimit: 0 }
      put(api, {
        args,
        metrics: [
          web('echo', limits, { method: 'POST', body: '{{args.a}}' }),
          web('condition', { successCondition: 'result == "{{args.a}}" + 1' }),
          web('url', limits, { url: 'http://checks/?q={{args.a}}' }),
          { ...limits, name: 'p', provider: { prometheus: { query: 'up{t="{{args.a}}"}' } } },
        ],
      })
      start(
        (url) => {
          if (url.pathname === '/echo') return Response.json({ [value]: [value] })
          if (url.pathname === '/condition') return new Response(value)
          throw new Error(`nobody takes ${url.href} nor ${value}`)
        },
        { env: { ARGO_ROLLOUTS_PROMETHEUS_ADDRESS: 'http://p' } },
      )
      await clock.advance(1000)
      const told = JSON.stringify([api.all('analysisruns'), api.all('events'), errors.map(String)])
      const run = api.all('analysisruns')[0] as { status?: { phase?: string } } | undefined
      expect(run?.status?.phase).toBe('Error')
      expect(told).not.toContain(value)
      expect(told).not.toContain(JSON.stringify(value).slice(1, -1))
      expect(told).not.toContain(encodeURIComponent(value))
    }),
    { numRuns: 200 },
  )
})

/** The life of a run with a source and a Job, killed at its n-th call of the API, just before or after its effect. */
async function lifeWith(death: { readonly at: number; readonly when: 'before' | 'after' } | null) {
  using world = analysisWorld()
  const { clock, api, start, status } = world
  put(api, {
    metrics: [
      web('m', { interval: '10s', count: 3, failureLimit: 1, successCondition: 'result == 1' }),
      jobMetric({ interval: '10s', count: 2 }),
    ],
  })
  let current: AbortController | undefined
  let calls = 0
  const die = () => {
    if (!death || ++calls !== death.at) return undefined
    current?.abort(new Error('killed'))
    return new Error('killed')
  }
  api[death?.when ?? 'before'] = die
  const answers = (): Response => Response.json(clock.now() % 20_000 < 10_000 ? 1 : 0)
  current = start(answers)
  for (let second = 0; second < 60; second++) {
    await clock.advance(1000)
    endJob(api)
    if (current.signal.aborted) current = start(answers)
  }
  return {
    phase: status()?.phase,
    message: status()?.message,
    counts: status()?.metricResults?.map(({ count, failed }) => [count, failed]),
    jobs: api.all('jobs').map(({ metadata }) => metadata.name),
    calls,
  }
}

test('a controller that is killed at any call of the API changes no verdict and doubles no Job', async () => {
  const { calls: _, ...steady } = await lifeWith(null)
  expect(steady).toMatchObject({ jobs: ['uid-run.smoke.1', 'uid-run.smoke.2'] })
  const { calls } = await lifeWith({ at: Number.POSITIVE_INFINITY, when: 'before' })
  expect(calls).toBeGreaterThan(5)
  for (let at = 1; at <= calls; at++) {
    for (const when of ['before', 'after'] as const) {
      const { calls: _, ...life } = await lifeWith({ at, when })
      expect({ at, when, ...life }).toEqual({ at, when, ...steady })
    }
  }
})
