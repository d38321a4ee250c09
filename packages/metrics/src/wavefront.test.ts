import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import type { Measured, MeasureInput } from './provider.ts'
import { providerContract } from './provider-contract.ts'
import {
  json,
  measureInput,
  refused,
  silent,
  text,
  type VendorAnswer,
  vendor,
} from './test-input.ts'
import { socketFetch, vendorServer } from './test-server.ts'
import { wavefront } from './wavefront.ts'

const address = 'example.wavefront.com'
const at = 'Wavefront at https://example.wavefront.com/api/v2/chart/api'
const noData = 'metric result is nil or empty: no data returned from the metric provider'
/** The measurements below start at this second. */
const start = 1700000000

const query = 'sum(rate(5m, ts("istio.ok"))) / sum(rate(5m, ts("istio.all")))'

function metricOf(conditions: Partial<Metric> = {}, host = address): Metric {
  return { name: 'm', ...conditions, provider: { wavefront: { address: host, query } } }
}

function tokens(values: Readonly<Record<string, string>>): MeasureInput['readSecret'] {
  return async ({ namespace, name }) => {
    if (namespace === 'argo-rollouts' && name === 'wavefront-api-tokens') return values
    throw new Error(`secrets "${name}" not found`)
  }
}

function inputOf(metric: Metric, facts: Partial<MeasureInput>): MeasureInput {
  const input = measureInput(metric, { readSecret: tokens({ [address]: 't0k' }), ...facts })
  return { ...input, clock: { ...input.clock, now: () => start * 1000 + 900 } }
}

async function measure(answer: VendorAnswer, conditions: Partial<Metric> = {}): Promise<Measured> {
  return wavefront.run(inputOf(metricOf(conditions), { fetch: vendor(answer).fetch }))
}

const failing = (answer: VendorAnswer) =>
  measure(answer).then(
    () => 'no error',
    (error: Error) => error.message,
  )

const series = (...lists: readonly unknown[]) =>
  json({ timeseries: lists.map((data) => ({ label: 'x', data })) })

providerContract('Wavefront', () => ({
  provider: wavefront,
  metric: metricOf({ successCondition: 'result >= 0.95', failureCondition: 'result < 0.95' }),
  secret: 'hunter2',
  input: (metric, facts) =>
    inputOf(metric, { readSecret: tokens({ [address]: 'hunter2\n' }), ...facts }),
  sources: {
    value: { fetch: vendor(series([[start - 10, 0.971]])).fetch },
    empty: { fetch: vendor(series([])).fetch },
    notANumber: { skip: 'JSON has no NaN' },
    nothing: { fetch: vendor(json({})).fetch },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: {
      kind: 'done',
      phase: 'Successful',
      value: '0.97',
      metadata: { timestamps: '1699999990', drift: '-10' },
    },
    empty: {
      kind: 'done',
      phase: 'Error',
      value: 'null',
      message: `could not evaluate successCondition "result >= 0.95": ${noData} (${at}: no series has a point)`,
    },
    nothing: `No TimeSeries found in response from Wavefront (${at})`,
    failing: expect.stringMatching(
      /^Get "https:\/\/example\.wavefront\.com\/api\/v2\/chart\/api\?.*": dial tcp 10\.0\.0\.7:9090: connect: connection refused \(Wavefront\)$/,
    ),
    silent:
      /^Get "https:\/\/example\.wavefront\.com\/.*": context deadline exceeded \(Wavefront\)$/,
  },
}))

test('what Wavefront receives is a GET of the chart at the instant of the measurement, with the token', async () => {
  await using server = await vendorServer(
    [{ body: '{"timeseries":[{"data":[[1,1]]}]}' }],
    ['accept'],
  )
  const asked: string[] = []
  // Wavefront is asked by TLS only; the bytes within are the same without.
  const fetch: MeasureInput['fetch'] = (request) => {
    const url = new URL(request.url)
    asked.push(url.origin)
    return socketFetch(new Request(server.url + url.pathname + url.search, request))
  }
  await wavefront.run(inputOf(metricOf(), { fetch }))
  expect(asked).toEqual(['https://example.wavefront.com'])
  expect(server.requests).toEqual([
    {
      line: 'GET /api/v2/chart/api?autoEvents=false&e=1700000000000&g=s&i=true&includeObsoleteMetrics=false&listmode=false&p=1&q=sum%28rate%285m%2C+ts%28%22istio.ok%22%29%29%29+%2F+sum%28rate%285m%2C+ts%28%22istio.all%22%29%29%29&s=1700000000000&strict=false',
      headers: {
        accept: 'application/json',
        authorization: 'Bearer t0k',
        'user-agent': 'argo-rollouts/serinus',
      },
      body: '',
    },
  ])
})

describe('the token for Wavefront', () => {
  const told = (host: string, facts: Partial<MeasureInput> = {}) =>
    wavefront.run(inputOf(metricOf({}, host), facts)).then(
      () => 'no error',
      (error: Error) => error.message,
    )

  test('is the one whose key is the address [metric-providers 45]', async () => {
    const where = 'API token not found (secret argo-rollouts/wavefront-api-tokens has no key'
    expect(await told('x')).toBe(`${where} "x", it has example.wavefront.com)`)
    expect(await told('')).toBe(`${where} "", it has example.wavefront.com)`)
    expect(await told('constructor')).toBe(`${where} "constructor", it has example.wavefront.com)`)
    expect(await told('https://x', { readSecret: tokens({}) })).toBe(
      `${where} "https://x", it has none; an address is a host without https://)`,
    )
  })

  test('is missing where its Secret is', async () => {
    const readSecret = async () => {
      throw new Error('secrets "wavefront-api-tokens" not found')
    }
    expect(await told(address, { readSecret })).toBe(
      'secrets "wavefront-api-tokens" not found (in namespace argo-rollouts)',
    )
  })
})

describe('the answer of Wavefront', () => {
  test('counts by the point of each series that is nearest to the start [metric-providers 46]', async () => {
    const answer = series(
      [
        [start - 90, 0.2],
        [start - 10, 0.971],
        [start + 10, 0.3],
      ],
      [
        [start, 0.982],
        [start - 5, 0.1],
      ],
    )
    expect(await measure(answer, { successCondition: 'result == [0.971, 0.982]' })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '[0.97,0.98]',
      metadata: { timestamps: `[${start - 10},${start}]`, drift: '[-10,0]' },
    })
  })

  test.each([
    [0.125, '0.12'],
    [0.375, '0.38'],
    [-0.004, '-0.00'],
    [1234567.891, '1234567.89'],
  ])('shows %d with two decimals, %s, and judges all of them', async (number, value) => {
    const successCondition = `result == ${number}`
    expect(await measure(series([[start, number]]), { successCondition })).toMatchObject({
      phase: 'Successful',
      value,
    })
  })

  test('without points in a series is not 0', async () => {
    const some = series([[start, null]], [[start, 0.9]], [])
    expect(await measure(some, { successCondition: 'result == [0.9]' })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '[0.90]',
      message: 'series without points, passed over: 2',
      metadata: { timestamps: `[${start}]`, drift: '[0]' },
    })
    expect(
      await measure(json({ timeseries: [{}] }), { successCondition: 'isNil(result)' }),
    ).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: 'null',
      message: 'no series has a point',
    })
  })

  test('keeps what Wavefront warns of', async () => {
    const answer = json({ warnings: 'slow query', timeseries: [{ data: [[start, 1]] }] })
    expect(await measure(answer, { successCondition: 'result == 1' })).toMatchObject({
      metadata: { warnings: 'slow query', drift: '0' },
    })
  })

  test.each([
    [json({}), 'No TimeSeries found in response from Wavefront'],
    [json({ timeseries: [] }), 'No TimeSeries found in response from Wavefront'],
    [
      json({ errorType: 'QuerySyntaxError', errorMessage: 'unknown function x' }),
      'QuerySyntaxError: unknown function x',
    ],
    [text('who?', { status: 401 }), 'server returned 401 Unauthorized\nwho?'],
    [text('slow down\n', { status: 429 }), 'server returned 429 Too Many Requests\nslow down'],
    [text('', { status: 500 }), 'server returned 500 Internal Server Error'],
    [json({ timeseries: {} }), 'timeseries of the answer is an object, not a list'],
    [series(['x']), 'a point of the answer is a string, not a list'],
    [series([[start, '1']]), `a point of the answer is [${start},"1"], not [seconds, number]`],
  ])('that holds no measurement is an error, with the address', async (answer, message) => {
    expect(await failing(answer)).toBe(`${message} (${at})`)
  })

  test('that is garbage or without end is an error', async () => {
    expect(await failing(text('<html>'))).toMatch(/^Could not parse JSON body: .*\(Wavefront at/)
    expect(await failing(text('x'.repeat(11 * 1024 * 1024)))).toMatch(
      /the answer is larger than 10485760 bytes \(Wavefront\)$/,
    )
  })
})
