import type { AnalysisRun } from '@serinus/api'
import { expect, test } from 'vitest'
import { analysisWorld, put, web } from './test-world.ts'

const sizeOf = (object: object) => Buffer.byteLength(JSON.stringify(object))

test('a run whose sources answer with megabytes of text can still be stored, and its texts say that they were cut', async () => {
  using world = analysisWorld()
  const { clock, api, start } = world
  const names = Array.from({ length: 12 }, (_, index) => `m${index}`)
  const often = { interval: '10s', count: 12 }
  put(api, { metrics: names.map((name) => web(name, often)) })
  start(() => new Response('\t"é😀'.repeat(200_000)))
  await clock.advance(120_000)
  const status = world.status()
  expect(status?.phase).toBe('Successful')
  expect(sizeOf(status ?? {})).toBeLessThan(1_000_000)
  const value = status?.metricResults?.[0]?.measurements?.at(-1)?.value ?? ''
  expect(value).toMatch(/^\t"é😀.*… \(cut: 1000000 characters\)$/s)
  expect(value.isWellFormed()).toBe(true)
})

test('a message of megabytes, and a plugin that adds its own, do not fill the run either', async () => {
  using world = analysisWorld()
  const { clock, api, start } = world
  put(api, { metrics: [web('m', { successCondition: 'result.x > 1', consecutiveErrorLimit: 1 })] })
  const key = 'k'.repeat(3_000_000)
  start(() => Response.json({ [key]: '<'.repeat(1_000_000) }))
  await clock.advance(60_000)
  const status = world.status()
  expect(status?.phase).toBe('Error')
  expect(sizeOf(api.get<AnalysisRun>('analysisruns', 'app/run'))).toBeLessThan(100_000)
})

test('what is measured of two metrics is stored whole up to some thousand characters', async () => {
  using world = analysisWorld()
  const { clock, api, start } = world
  put(api, { metrics: [web('a'), web('b')] })
  const text = JSON.stringify(Array.from({ length: 250 }, (_, index) => 1 / (index + 3)))
  start(() => new Response(text))
  await clock.advance(1000)
  for (const result of world.status()?.metricResults ?? [])
    expect(result.measurements?.[0]?.value).toBe(text)
})

test('counts in sixty parts are judged whole, however many metrics share the room, and stored without their parts', async () => {
  using world = analysisWorld()
  const { clock, api, start } = world
  const counter = { prometheus: { address: 'http://prometheus', query: 'requests_total' } }
  const side = { total: counter, bad: counter }
  const metrics = Array.from({ length: 20 }, (_, index) => ({
    name: `m${index}`,
    interval: '60s',
    count: 3,
    test: { bound: 0.01, relativeBound: 1.5, burst: '1s' },
    provider: { counts: { canary: side, stable: side } },
  }))
  put(api, { metrics })
  start((url) => {
    const [first, last] = ['start', 'end'].map((name) => Number(url.searchParams.get(name)))
    const values = Array.from({ length: (last ?? 0) - (first ?? 0) + 1 }, (_, index) => [
      (first ?? 0) + index,
      '1234567890123',
    ])
    return Response.json({
      status: 'success',
      data: { resultType: 'matrix', result: [{ metric: {}, values }] },
    })
  })
  await clock.advance(130_000)
  const { metricResults = [] } = world.status() ?? {}
  expect(metricResults.map(({ error }) => error)).toEqual(metrics.map(() => undefined))
  for (const { measurements } of metricResults) {
    expect(measurements?.length).toBe(3)
    expect(sizeOf(measurements ?? [])).toBeLessThan(3_000)
  }
})
