import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import { providerContract } from './provider-contract.ts'
import { providerOf } from './registry.ts'
import { json, measureInput, refused, silent, type VendorAnswer, vendor } from './test-input.ts'
import { socketFetch, vendorServer } from './test-server.ts'

type Judge = NonNullable<Metric['provider']['judge']>
type Compared = Judge['metrics'][number]

const tens = Array.from({ length: 10 }, (_, i) => 10 + i)
const doubled = tens.map((value) => value * 2)
const rangeQuery = { start: 'now() - duration("5m")', end: 'now()', step: '30s' }

function compared(
  name: string,
  fields: Partial<Compared> = {},
  address = 'http://p:9090',
): Compared {
  const side = (query: string) => ({ prometheus: { address, query } })
  return { name, baseline: side(`${name}-baseline`), canary: side(`${name}-canary`), ...fields }
}

function metricOf(judge: Partial<Judge>, conditions: Partial<Metric> = {}): Metric {
  const whole = { metrics: [compared('errors')], rangeQuery, ...judge }
  return { name: 'm', ...conditions, provider: { judge: whole } }
}

function matrixOf(values: readonly (number | string)[]): unknown {
  const points = values.map((value, i) => [1786963271 + 30 * i, String(value)])
  const result = points.length === 0 ? [] : [{ metric: {}, values: points }]
  return { status: 'success', data: { resultType: 'matrix', result } }
}

type Series = Readonly<Record<string, readonly (number | string)[]>>

function answering(series: Series): VendorAnswer {
  return (seen, signal) => {
    const query = new URLSearchParams(seen.body).get('query') ?? ''
    return json(matrixOf(series[query] ?? []))(seen, signal)
  }
}

const same: Series = { 'errors-baseline': tens, 'errors-canary': tens }
const worse: Series = { 'errors-baseline': tens, 'errors-canary': doubled }

async function judged(metric: Metric, series: Series) {
  const { fetch } = vendor(answering(series))
  return providerOf(metric).run(measureInput(metric, { fetch }))
}

const nothing = '0 ±0 (0)'

providerContract('Judge', () => {
  const metric = metricOf({ metrics: [compared('errors', {}, 'http://me:hunter2@p:9090')] })
  return {
    provider: providerOf(metric),
    metric,
    secret: 'hunter2',
    input: (metric, facts) => measureInput(metric, facts),
    sources: {
      value: { fetch: vendor(answering(same)).fetch },
      empty: { fetch: vendor(answering({})).fetch },
      notANumber: {
        fetch: vendor(answering({ 'errors-baseline': ['NaN'], 'errors-canary': ['NaN'] })).fetch,
      },
      failing: { fetch: vendor(refused).fetch },
      silent: { fetch: vendor(silent).fetch },
    },
    expected: {
      value: {
        kind: 'done',
        phase: 'Successful',
        value: '100',
        metadata: {
          groups: 'all 100',
          errors: 'Pass; canary 14.5 ±3.028 (10), baseline 14.5 ±3.028 (10)',
        },
      },
      empty: {
        kind: 'done',
        phase: 'Inconclusive',
        value: '0',
        message: 'score 0: Missing data for errors',
        metadata: {
          groups: 'all 0',
          errors: `Nodata; canary ${nothing}, baseline ${nothing}`,
        },
      },
      notANumber: {
        kind: 'done',
        phase: 'Inconclusive',
        value: '0',
        message: 'score 0: Missing data for errors',
        metadata: {
          groups: 'all 0',
          errors: `Nodata; canary ${nothing}, baseline ${nothing}`,
        },
      },
      failing:
        'canary of errors: Post "http://me:***@p:9090/api/v1/query_range": dial tcp 10.0.0.7:9090: connect: connection refused',
      silent:
        /^canary of errors: Post "http:\/\/me:\*\*\*@p:9090\/api\/v1\/query_range": context deadline exceeded$/,
    },
  }
})

describe('the judge', () => {
  test('asks for the series of both sides, byte for byte', async () => {
    await using server = await vendorServer([{ body: JSON.stringify(matrixOf(tens)) }])
    const metric = metricOf({ metrics: [compared('errors', {}, server.url)] })
    await providerOf(metric).run(measureInput(metric, { fetch: socketFetch }))
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': expect.any(String),
    }
    const line = 'POST /api/v1/query_range'
    const body = (query: string) => `end=1786963271.25&query=${query}&start=1786962971.25&step=30`
    expect(server.requests.toSorted((a, b) => (a.body < b.body ? -1 : 1))).toEqual([
      { line, headers, body: body('errors-baseline') },
      { line, headers, body: body('errors-canary') },
    ])
  })

  test('a query keeps the range of its own', async () => {
    const own = { ...rangeQuery, step: '10s' }
    const side = { prometheus: { address: 'http://p:9090', query: 'q', rangeQuery: own } }
    const played = vendor(answering({ q: tens }))
    const metric = metricOf({ metrics: [{ name: 'errors', baseline: side, canary: side }] })
    await providerOf(metric).run(measureInput(metric, { fetch: played.fetch }))
    expect(played.requests.map(({ body }) => body.slice(-7))).toEqual(['step=10', 'step=10'])
  })

  test('a canary that is clearly worse fails, with class, effect and interval', async () => {
    expect(await judged(metricOf({}), worse)).toEqual({
      kind: 'done',
      phase: 'Failed',
      value: '0',
      message: 'score 0: errors was classified as High',
      metadata: {
        groups: 'all 0',
        errors: 'High, effect 2, shift 8 to 21; canary 29 ±6.055 (10), baseline 14.5 ±3.028 (10)',
      },
    })
  })

  test('groups have weights, and a score between the thresholds is Inconclusive [analysis-and-experiments 58]', async () => {
    const metrics = [
      compared('a', { groups: ['g1'] }),
      compared('b', { groups: ['g1'] }),
      compared('errors', { groups: ['g2'] }),
    ]
    const series = {
      ...worse,
      'a-baseline': tens,
      'a-canary': tens,
      'b-baseline': tens,
      'b-canary': tens,
    }
    const judge = {
      metrics,
      groupWeights: { g1: 75, g2: '25' },
      threshold: { pass: 80, marginal: 60 },
    }
    expect(await judged(metricOf(judge), series)).toMatchObject({
      phase: 'Inconclusive',
      value: '75',
      message: 'score 75: errors was classified as High',
    })
  })

  test('a critical metric that is High fails all [analysis-and-experiments 59]', async () => {
    const metrics = [
      compared('errors', { critical: true }),
      ...['a', 'b', 'c', 'd', 'e'].map((name) => compared(name)),
    ]
    expect(await judged(metricOf({ metrics }), worse)).toMatchObject({
      phase: 'Failed',
      value: '0',
      message: 'score 0: Canary Failed: The metric errors was classified as High (Critical)',
    })
  })

  test('two samples on each side are Inconclusive, unless Kayenta is to be repeated [analysis-and-experiments 60]', async () => {
    const few = { 'errors-baseline': [1, 1.5], 'errors-canary': [2, 3] }
    expect(await judged(metricOf({}), few)).toMatchObject({
      phase: 'Inconclusive',
      message:
        'score 0: errors has 2 samples of the canary and 2 of the baseline; 8 of each are needed',
    })
    expect(await judged(metricOf({ mode: 'kayenta' }), few)).toMatchObject({ phase: 'Failed' })
  })

  test.each([
    ['result.score >= 50', 'Failed'],
    ['result.classification == "Fail"', 'Successful'],
    ['result.metrics.errors.class == "High" && result.metrics.errors.effect == 2', 'Successful'],
    ['result.metrics.errors.lower > 7 && result.metrics.errors.canary.count == 10', 'Successful'],
    ['result.groups.all == 0', 'Successful'],
  ])('conditions see the whole judgement: %s', async (successCondition, phase) => {
    expect(await judged(metricOf({}, { successCondition }), worse)).toMatchObject({ phase })
  })

  test('numbers may be text, since arguments can only be filled into text', async () => {
    const lax = compared('errors', { effectSize: { allowedIncrease: '2.5' } })
    expect(await judged(metricOf({ metrics: [lax] }), worse)).toMatchObject({
      phase: 'Successful',
      value: '100',
    })
  })

  test('an infinite value is left out as NaN is', async () => {
    const series = { ...same, 'errors-canary': [...tens, '+Inf', 'NaN'] }
    expect(await judged(metricOf({}), series)).toMatchObject({
      phase: 'Successful',
      metadata: { errors: 'Pass; canary 14.5 ±3.028 (10), baseline 14.5 ±3.028 (10)' },
    })
  })

  test('more samples than can be compared in time are refused, with what to do', async () => {
    const series = { ...same, 'errors-canary': Array(2001).fill(1) }
    await expect(judged(metricOf({}), series)).rejects.toThrow(
      'canary of errors: 2001 samples are more than 2000: ask for a larger step or fewer series',
    )
  })
})
