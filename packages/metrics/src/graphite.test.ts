import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import { graphite } from './graphite.ts'
import type { Measured } from './provider.ts'
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

const address = 'http://graphite:9090'
const at = 'Graphite at http://graphite:9090/render'
const noData = 'metric result is nil or empty: no data returned from the metric provider'

function metricOf(
  config: { readonly address?: string; readonly query?: string } = {},
  conditions: Partial<Metric> = {},
): Metric {
  return {
    name: 'm',
    ...conditions,
    provider: { graphite: { address, query: 'target=a.b&from=-5min', ...config } },
  }
}

async function measure(answer: VendorAnswer, conditions: Partial<Metric> = {}): Promise<Measured> {
  return graphite.run(measureInput(metricOf({}, conditions), { fetch: vendor(answer).fetch }))
}

const failing = (answer: VendorAnswer, config: Parameters<typeof metricOf>[0] = {}) =>
  graphite.run(measureInput(metricOf(config), { fetch: vendor(answer).fetch })).then(
    () => 'no error',
    (error: Error) => error.message,
  )

const target = (...values: readonly unknown[]) => ({
  target: 'x',
  datapoints: values.map((value, index) => [value, 1621348400 + index * 30]),
})

/** What is asked for a query, as its keys and values. */
async function asked(config: Parameters<typeof metricOf>[0]): Promise<string> {
  const played = vendor(json([target(1)]))
  await graphite.run(measureInput(metricOf(config), { fetch: played.fetch }))
  return played.requests[0]?.url ?? ''
}

providerContract('Graphite', () => ({
  provider: graphite,
  metric: metricOf(
    { address: 'http://me:hunter2@graphite:9090' },
    { successCondition: 'result[0] >= 90', failureCondition: 'result[0] < 90' },
  ),
  secret: 'hunter2',
  input: (metric, facts) => measureInput(metric, facts),
  sources: {
    value: { fetch: vendor(json([target(null, 95.5)])).fetch },
    empty: { fetch: vendor(json([target(null, null)])).fetch },
    notANumber: { fetch: vendor(json([target('NaN')])).fetch },
    nothing: { fetch: vendor(json([target()])).fetch },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '[95.500000]' },
    empty: {
      kind: 'done',
      phase: 'Error',
      value: '[]',
      message: `could not evaluate successCondition "result[0] >= 90": ${noData} (${at}: no point has a value)`,
    },
    notANumber: { kind: 'done', phase: 'Inconclusive', value: '[NaN]' },
    nothing: `no values found (${at})`,
    failing:
      'Get "http://me:***@graphite:9090/render?format=json&from=-5min&target=a.b": dial tcp 10.0.0.7:9090: connect: connection refused (Graphite)',
    silent:
      /context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\) \(Graphite\)$/,
  },
}))

describe('what Graphite receives', () => {
  test('is a GET of the render API within 10 s', async () => {
    await using server = await vendorServer([{ body: '[{"target":"x","datapoints":[[1,2]]}]' }])
    const query = 'target=asPercent(\n  a.ok, a.all\n)&from=-5min\n'
    const metric = metricOf({ address: server.url, query })
    await graphite.run(measureInput(metric, { fetch: socketFetch }))
    expect(server.requests).toEqual([
      {
        line: 'GET /render?format=json&from=-5min&target=asPercent%28a.ok%2Ca.all%29',
        headers: { 'user-agent': 'argo-rollouts/serinus' },
        body: '',
      },
    ])
    expect(graphite.deadlineMs?.(metric)).toBe(10_000)
  })

  test('keeps the path of the address', async () => {
    const at = { address: 'https://g.example.com/graphite/', query: 'target=a' }
    expect(await asked(at)).toBe('https://g.example.com/graphite/render?format=json&target=a')
  })

  test.each([
    ["target=alias(a.b, 'my  name')", "alias(a.b,'my  name')"],
    ['target=grep( a.b , "it\'s x" )', 'grep(a.b,"it\'s x")'],
    ["target=alias(a, 'don\\'t do')", "alias(a,'don\\'t do')"],
    ['target=a+b', 'a b'],
    ['target=disk;host=a', 'disk;host=a'],
    ['target=a%26b', 'a&b'],
  ])('loses its blanks outside of quotes only: %s', async (query, expected) => {
    const url = new URL(await asked({ query }))
    expect(url.searchParams.getAll('target')).toEqual([expected])
  })

  test('may name several targets, and never another format', async () => {
    expect(await asked({ query: 'target=b&format=png&target=a' })).toBe(
      `${address}/render?format=json&target=b&target=a`,
    )
  })

  test.each([
    ['', 'Graphite address  is not a valid URL'],
    [
      'graphite:9090',
      'Graphite address graphite:9090 is not a valid URL; it looks like http://graphite:8080',
    ],
    ['http://', 'Graphite address http:// is not a valid URL; it looks like http://graphite:8080'],
  ])('needs an address: %j', async (address, message) => {
    expect(await failing(json([]), { address })).toBe(message)
  })
})

describe('the answer of Graphite', () => {
  test('is the points that have a value, also those written as text [metric-providers 47]', async () => {
    const answer = json([target(null, 90, '91.5')])
    expect(await measure(answer, { successCondition: 'result == [90, 91.5]' })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '[90.000000,91.500000]',
    })
    expect(await failing(json([]))).toBe(`no values found (${at})`)
  })

  test.each([
    [1e21, '[1000000000000000000000.000000]'],
    [0.0000005, '[0.000000]'],
    [-2.5, '[-2.500000]'],
    ['+Inf', '[+Inf]'],
    ['-Infinity', '[-Inf]'],
  ])('shows %s with six decimals: %s', async (number, value) => {
    expect(await measure(json([target(number)]))).toMatchObject({ value })
  })

  test('says that further targets are not looked at', async () => {
    expect(await measure(json([target(95), target(1), target(2)]))).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '[95.000000]',
      message: 'only the first of 3 targets is judged: x',
    })
  })

  test('keeps its value where a condition cannot be judged', async () => {
    expect(
      await measure(json([target(95)]), { successCondition: 'results[0] > 90' }),
    ).toMatchObject({ phase: 'Error', value: '[95.000000]' })
  })

  test.each([
    [json([{ target: 'x', datapoints: [] }]), 'no values found'],
    [json([{ target: 'x' }]), 'no values found'],
    [json([target('much')]), 'error unmarshaling data point: ["much",1621348400]'],
    [json([{ datapoints: [[1]] }]), 'error unmarshaling data point: [1]'],
    [json([{ datapoints: [7] }]), 'error unmarshaling data point: 7'],
    [text('bad target', { status: 400 }), 'error response: bad target'],
    [text('who?', { status: 401 }), 'error response: who?'],
    [text('slow down', { status: 429 }), 'error response: slow down'],
    [text('<html>', { status: 500 }), 'error response: 500 Internal Server Error'],
    [json({ error: 'x' }), 'the body of the answer is an object, not a list'],
  ])('that holds no measurement is an error, with the address', async (answer, message) => {
    expect(await failing(answer)).toBe(`${message} (${at})`)
  })

  test('that is garbage or without end is an error', async () => {
    expect(await failing(text('<html>'))).toMatch(/^Could not parse JSON body: .*\(Graphite at/)
    expect(await failing(text('x'.repeat(11 * 1024 * 1024)))).toMatch(
      /the answer is larger than 10485760 bytes \(Graphite\)$/,
    )
  })

  test('to a query without target says what is missing', async () => {
    expect(await failing(json([]), { query: 'sumSeries(a.b)' })).toBe(
      `no values found: the query has no target=… (${at})`,
    )
  })
})
