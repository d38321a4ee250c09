import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import type { Measured } from './provider.ts'
import { providerContract } from './provider-contract.ts'
import { skywalking } from './skywalking.ts'
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

type Config = NonNullable<Metric['provider']['skywalking']>

const address = 'http://oap:12800'
const at = 'SkyWalking at http://oap:12800/graphql'
const query = 'query queryData($duration: Duration!) { n: readMetricsValues(duration: $duration) }'

function metricOf(config: Partial<Config> = {}, conditions: Partial<Metric> = {}): Metric {
  const skywalking = { address, query, interval: '3m', ...config }
  return { name: 'm', ...conditions, provider: { skywalking } }
}

async function measure(answer: VendorAnswer, conditions: Partial<Metric> = {}): Promise<Measured> {
  return skywalking.run(measureInput(metricOf({}, conditions), { fetch: vendor(answer).fetch }))
}

const failing = (answer: VendorAnswer, config: Partial<Config> = {}) =>
  skywalking.run(measureInput(metricOf(config), { fetch: vendor(answer).fetch })).then(
    () => 'no error',
    (error: Error) => error.message,
  )

providerContract('SkyWalking', () => ({
  provider: skywalking,
  metric: metricOf(
    { address: 'http://me:hunter2@oap:12800' },
    { successCondition: 'result.n >= 9900', failureCondition: 'result.n < 9900' },
  ),
  secret: 'hunter2',
  input: (metric, facts) => measureInput(metric, facts),
  sources: {
    value: { fetch: vendor(json({ data: { n: 9950 } })).fetch },
    empty: { fetch: vendor(json({ data: {} })).fetch },
    notANumber: { skip: 'JSON has no NaN' },
    nothing: { fetch: vendor(json({ data: null })).fetch },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '{"n":9950}' },
    empty: {
      kind: 'done',
      phase: 'Error',
      value: '{}',
      message:
        'could not evaluate successCondition "result.n >= 9900": invalid operation: <nil> >= int',
    },
    nothing: 'no results returned from SkyWalking query (SkyWalking at http://oap:12800/graphql)',
    failing:
      'Post "http://me:***@oap:12800/graphql": dial tcp 10.0.0.7:9090: connect: connection refused (SkyWalking)',
    silent:
      /^Post "http:\/\/me:\*\*\*@oap:12800\/graphql": context deadline exceeded \(SkyWalking\)$/,
  },
}))

describe('what SkyWalking receives', () => {
  test('is a POST of the query with the last minutes in UTC', async () => {
    await using server = await vendorServer([{ body: '{"data":{"n":1}}' }], ['accept'])
    const metric = metricOf({ address: server.url })
    // The test's present is 2026-08-17T10:41:11Z.
    await skywalking.run(measureInput(metric, { fetch: socketFetch }))
    expect(server.requests).toEqual([
      {
        line: 'POST /graphql',
        headers: {
          accept: 'application/json; charset=utf-8',
          'content-type': 'application/json; charset=utf-8',
          'user-agent': 'argo-rollouts/serinus',
        },
        body: `{"query":"${query}","variables":{"duration":{"start":"2026-08-17 1038","end":"2026-08-17 1041","step":"MINUTE"}}}`,
      },
    ])
  })

  test('needs the span of time that it is about [metric-providers 48]', async () => {
    const { interval: _, ...without } = metricOf().provider.skywalking ?? {}
    const metric: Metric = { name: 'm', provider: { skywalking: without } }
    await expect(skywalking.run(measureInput(metric))).rejects.toThrow(
      /^time: invalid duration ""$/,
    )
    expect(await failing(json({}), { interval: '1d' })).toBe(
      'time: unknown unit "d" in duration "1d"',
    )
  })

  test.each(['', 'oap:12800'])('needs an address: %j', async (address) => {
    expect(await failing(json({}), { address })).toBe(
      `skywalking address ${JSON.stringify(address)} is not a URL; it looks like http://skywalking-oap:12800`,
    )
  })
})

describe('the answer of SkyWalking', () => {
  test('is the data of the GraphQL answer', async () => {
    const data = {
      service_apdex: { label: null, values: { values: [{ value: 10000 }, { value: 9950 }] } },
    }
    const successCondition = 'all(result.service_apdex.values.values, {asFloat(.value) >= 9900})'
    expect(await measure(json({ data }), { successCondition })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value:
        '{"service_apdex":{"label":null,"values":{"values":[{"value":10000},{"value":9950}]}}}',
    })
  })

  test.each([
    [
      json({ errors: [{ message: 'Validation error' }, { message: 'b' }] }),
      'graphql: Validation error',
    ],
    [json({ errors: [{ message: 'late' }] }, { status: 500 }), 'graphql: late'],
    [json({}), 'no results returned from SkyWalking query'],
    [json({ data: null }), 'no results returned from SkyWalking query'],
    [text('who?', { status: 401 }), 'graphql: server returned a non-200 status code: 401 who?'],
    [
      text('slow down', { status: 429 }),
      'graphql: server returned a non-200 status code: 429 slow down',
    ],
    [text('', { status: 500 }), 'graphql: server returned a non-200 status code: 500'],
    [
      json({ data: { n: 1 } }, { status: 502 }),
      'graphql: server returned a non-200 status code: 502 {"data":{"n":1}}',
    ],
    [json([]), 'the body of the answer is a list, not an object'],
    [json({ errors: ['x'] }), 'an error of the answer is a string, not an object'],
  ])('that holds no measurement is an error, with the address', async (answer, message) => {
    expect(await failing(answer)).toBe(`${message} (${at})`)
  })

  test('that is garbage or without end is an error', async () => {
    expect(await failing(text('<html>'))).toMatch(/^decoding response: .*\(SkyWalking at/)
    expect(await failing(text('x'.repeat(11 * 1024 * 1024)))).toMatch(
      /the answer is larger than 10485760 bytes \(SkyWalking\)$/,
    )
  })
})
