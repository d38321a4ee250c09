import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import { datadog } from './datadog.ts'
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

type Config = NonNullable<Metric['provider']['datadog']>

const noData = 'metric result is nil or empty: no data returned from the metric provider'
const keys = { 'api-key': 'k1', 'app-key': 'k2' }
const v1At = 'Datadog at https://api.datadoghq.com/api/v1/query'
const v2At = 'Datadog at https://api.datadoghq.com/api/v2/query/scalar'

function metricOf(config: Config, conditions: Partial<Metric> = {}): Metric {
  return { name: 'm', ...conditions, provider: { datadog: config } }
}

const v1: Config = { apiVersion: 'v1', query: 'avg:errors{*}' }
const v2: Config = { apiVersion: 'v2', query: 'avg:errors{*}' }

/** Secrets by `namespace/name`. */
function secrets(
  stored: Readonly<Record<string, Readonly<Record<string, string>>>>,
): MeasureInput['readSecret'] {
  return async ({ namespace, name }) => {
    const secret = stored[`${namespace}/${name}`]
    if (!secret) throw new Error(`secrets "${name}" not found`)
    return secret
  }
}

const readSecret = secrets({ 'argo-rollouts/datadog': keys })

async function measure(
  config: Config,
  answer: VendorAnswer,
  conditions: Partial<Metric> = {},
): Promise<Measured> {
  const { fetch } = vendor(answer)
  return datadog.run(measureInput(metricOf(config, conditions), { fetch, readSecret }))
}

const failing = (
  config: Config,
  answer: VendorAnswer = json({}),
  facts: Partial<MeasureInput> = {},
) =>
  datadog
    .run(measureInput(metricOf(config), { fetch: vendor(answer).fetch, readSecret, ...facts }))
    .then(
      () => 'no error',
      (error: Error) => error.message,
    )

const points = (...pointlist: readonly unknown[]) => json({ status: 'ok', series: [{ pointlist }] })
const columns = (...list: readonly object[]) =>
  json({ data: { type: 'scalar_response', attributes: { columns: list } } })

const shared = {
  provider: datadog,
  secret: 'hunter2',
  input: (metric: Metric, facts: Partial<MeasureInput>) =>
    measureInput(metric, {
      readSecret: secrets({ 'argo-rollouts/datadog': { ...keys, 'app-key': 'hunter2\n' } }),
      ...facts,
    }),
}
const conditions = { successCondition: 'result >= 0.95', failureCondition: 'result < 0.95' }

providerContract('Datadog v1', () => ({
  ...shared,
  metric: metricOf(v1, conditions),
  sources: {
    value: { fetch: vendor(points([1, 0.5], [2, 0.97])).fetch },
    empty: { fetch: vendor(json({ series: [] })).fetch },
    notANumber: { skip: 'JSON has no NaN' },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '0.97' },
    empty: {
      kind: 'done',
      phase: 'Error',
      message: `could not evaluate successCondition "result >= 0.95": ${noData} (${v1At}: the query returned no series)`,
    },
    failing:
      'Get "https://api.datadoghq.com/api/v1/query?from=1786962971&query=avg%3Aerrors%7B%2A%7D&to=1786963271": dial tcp 10.0.0.7:9090: connect: connection refused (Datadog)',
    silent:
      /context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\) \(Datadog\)$/,
  },
}))

providerContract('Datadog v2', () => ({
  ...shared,
  metric: metricOf({ ...v2, requestTimeout: '7s' }, conditions),
  sources: {
    value: { fetch: vendor(columns({ name: 'query', type: 'number', values: [0.97] })).fetch },
    empty: { fetch: vendor(columns()).fetch },
    notANumber: { skip: 'JSON has no NaN' },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '0.97' },
    empty: {
      kind: 'done',
      phase: 'Error',
      message: `could not evaluate successCondition "result >= 0.95": ${noData} (${v2At}: the answer holds no number)`,
    },
    failing:
      'Post "https://api.datadoghq.com/api/v2/query/scalar": dial tcp 10.0.0.7:9090: connect: connection refused (Datadog)',
    silent:
      /context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\) \(Datadog\)$/,
  },
}))

describe('what Datadog receives', () => {
  const headers = {
    'content-type': 'application/json',
    'dd-api-key': 'k1',
    'dd-application-key': 'k2',
    'user-agent': 'argo-rollouts/serinus',
  }

  test('is, by v1, a GET with the query and the span of seconds [metric-providers 34]', async () => {
    await using server = await vendorServer([{ body: '{"series":[]}' }])
    const input = measureInput(metricOf({ ...v1, interval: '10m' }), {
      fetch: socketFetch,
      readSecret: secrets({ 'argo-rollouts/datadog': { ...keys, address: server.url } }),
    })
    await datadog.run({ ...input, clock: { ...input.clock, now: () => 1599076435_900 } })
    expect(server.requests).toEqual([
      {
        line: 'GET /api/v1/query?from=1599075835&query=avg%3Aerrors%7B%2A%7D&to=1599076435',
        headers,
        body: '',
      },
    ])
  })

  test('is, by v2, a POST with the named query and the span in milliseconds [metric-providers 35]', async () => {
    await using server = await vendorServer([{ body: '{}' }])
    const input = measureInput(metricOf(v2), {
      fetch: socketFetch,
      readSecret: secrets({ 'argo-rollouts/datadog': { ...keys, address: server.url } }),
    })
    await datadog.run({ ...input, clock: { ...input.clock, now: () => 1599076435_900 } })
    expect(server.requests).toEqual([
      {
        line: 'POST /api/v2/query/scalar',
        headers,
        body: '{"data":{"attributes":{"from":1599076135000,"to":1599076435000,"queries":[{"aggregator":"last","data_source":"metrics","name":"query","query":"avg:errors{*}"}],"formulas":[]},"type":"scalar_request"}}',
      },
    ])
  })

  test('is, for several queries, each by its name and the formula that joins them', async () => {
    const played = vendor(columns())
    const config: Config = {
      apiVersion: 'v2',
      queries: { b: 'sum:all{*}', a: 'sum:errors{*}' },
      formula: 'a / b',
      aggregator: 'sum',
    }
    await datadog.run(measureInput(metricOf(config), { fetch: played.fetch, readSecret }))
    const { attributes } = JSON.parse(played.requests[0]?.body ?? '').data
    expect(attributes.queries).toEqual([
      { aggregator: 'sum', data_source: 'metrics', name: 'b', query: 'sum:all{*}' },
      { aggregator: 'sum', data_source: 'metrics', name: 'a', query: 'sum:errors{*}' },
    ])
    expect(attributes.formulas).toEqual([{ formula: 'a / b' }])
  })

  test('is v2 where no version is given, and goes to the address in the Secret as it is written', async () => {
    const played = vendor(columns())
    const input = measureInput(metricOf({ query: 'q' }), {
      fetch: played.fetch,
      readSecret: secrets({
        'argo-rollouts/datadog': { ...keys, address: 'https://api.datadoghq.eu/' },
      }),
    })
    await datadog.run(input)
    expect(played.requests[0]?.url).toBe('https://api.datadoghq.eu//api/v2/query/scalar')
  })

  test('goes with its keys to no other host, whatever Datadog says', async () => {
    const moved = () => Response.redirect('https://elsewhere.example/api', 307)
    for (const config of [v1, v2]) {
      const played = vendor(moved, json({}))
      await datadog.run(measureInput(metricOf(config), { fetch: played.fetch, readSecret }))
      expect(played.requests[0]?.headers).toMatchObject({ 'dd-api-key': 'k1' })
      expect(played.requests[1]?.url).toBe('https://elsewhere.example/api')
      expect(Object.keys(played.requests[1]?.headers ?? {})).toEqual(['content-type'])
    }
  })

  test('comes within the time that the metric gives, 10 s otherwise', () => {
    const deadline = (requestTimeout?: string) =>
      datadog.deadlineMs?.(metricOf(requestTimeout === undefined ? {} : { requestTimeout }))
    expect([deadline(), deadline('1m'), deadline('-1s'), deadline('x')]).toEqual([
      10_000, 60_000, 10_000, 10_000,
    ])
  })
})

describe('the credentials for Datadog', () => {
  const used = async (config: Config, facts: Partial<MeasureInput>) => {
    const played = vendor(json({}))
    const hidden: string[] = []
    const hide = (secret: string) => hidden.push(secret)
    await datadog.run(measureInput(metricOf(config), { fetch: played.fetch, hide, ...facts }))
    const [request] = played.requests
    expect(new Set(hidden)).toEqual(
      new Set([request?.headers['dd-api-key'], request?.headers['dd-application-key']]),
    )
    return `${request?.headers['dd-api-key']} ${request?.headers['dd-application-key']} ${new URL(request?.url ?? '').host}`
  }
  const env = { DD_API_KEY: 'e1', DD_APP_KEY: 'e2', DD_ADDRESS: '' }

  test('are those of the environment only where all three variables are there, else those of the Secret datadog [metric-providers 32]', async () => {
    expect(await used(v1, { env, readSecret })).toBe('e1 e2 api.datadoghq.com')
    expect(await used(v1, { env: { ...env, DD_ADDRESS: 'http://dd' } })).toBe('e1 e2 dd')
    const { DD_ADDRESS: _, ...incomplete } = env
    expect(await used(v1, { env: incomplete, readSecret })).toBe('k1 k2 api.datadoghq.com')
  })

  test('are those of the Secret that the metric names, in the namespace of the controller or of the run', async () => {
    const stored = secrets({
      'argo-rollouts/mine': { 'api-key': 'c1', 'app-key': 'c2' },
      'app/mine': { 'api-key': 'r1', 'app-key': 'r2\n', address: 'http://dd' },
    })
    const facts = { env, readSecret: stored }
    expect(await used({ ...v1, secretRef: { name: 'mine' } }, facts)).toBe(
      'c1 c2 api.datadoghq.com',
    )
    expect(await used({ ...v1, secretRef: { name: 'mine', namespaced: true } }, facts)).toBe(
      'r1 r2 dd',
    )
  })

  test('need a name where they are in the namespace of the run [metric-providers 33]', async () => {
    expect(await failing({ ...v1, secretRef: { namespaced: true } })).toBe(
      'secret name is required for namespaced credentials',
    )
  })

  test('that are missing or incomplete are told with the place that was looked at', async () => {
    const lost = 'failed to find the credentials for datadog metrics provider'
    expect(await failing({ ...v1, secretRef: { name: 'mine' } })).toBe(
      `${lost}: secrets "mine" not found (in namespace argo-rollouts)`,
    )
    const half = secrets({ 'argo-rollouts/datadog': { 'api-key': 'k1', 'app-key': ' ' } })
    expect(await failing(v1, json({}), { readSecret: half })).toBe(
      `${lost}: secret argo-rollouts/datadog has no app-key`,
    )
    expect(await failing(v1, json({}), { env: { ...env, DD_APP_KEY: '' } })).toBe(
      `${lost}: DD_API_KEY or DD_APP_KEY of the controller is empty`,
    )
    const at = secrets({ 'argo-rollouts/datadog': { ...keys, address: 'api.datadoghq.eu' } })
    expect(await failing(v1, json({}), { readSecret: at })).toBe(
      'datadog address "api.datadoghq.eu" is not a URL; it looks like https://api.datadoghq.com',
    )
  })
})

test.each([
  [{}, 'Must have either a query or queries. Please review the Analysis Template.'],
  [
    { query: 'q', queries: { a: 'q' } },
    'Cannot have both a query and queries. Please review the Analysis Template.',
  ],
  [
    { apiVersion: 'v1', queries: { a: 'q' } },
    'Query is empty. API Version v1 only supports using the query parameter in your Analysis Template.',
  ],
  [
    { query: 'q', formula: 'a' },
    'Formula are only valid when queries are set. Please review the Analysis Template.',
  ],
  [
    { ...v1, aggregator: 'sum' },
    'Aggregator is not supported in v1. Please review the Analysis Template.',
  ],
  [
    { query: 'q', requestTimeout: '10' },
    'Could not parse the request timeout: time: missing unit in duration "10". Please review the Analysis Template.',
  ],
  [
    { query: 'q', requestTimeout: '0s' },
    'Request timeout must be a positive duration (e.g. 30s). Please review the Analysis Template.',
  ],
  [{ query: 'q', interval: '1d' }, 'datadog interval: time: unknown unit "d" in duration "1d"'],
] satisfies [Config, string][])(
  'a Datadog metric that cannot be asked is told so: %j',
  async (config, message) => {
    expect(await failing(config)).toBe(message)
  },
)

test('two queries need a formula [metric-providers 40]', async () => {
  expect(await failing({ apiVersion: 'v2', queries: { a: 'q', b: 'q' } })).toBe(
    'When multiple queries are provided you must include a formula.',
  )
})

describe.each([
  ['v1', v1, v1At],
  ['v2', v2, v2At],
] as const)('a fault of Datadog %s is told with its address:', (_, config, at) => {
  test.each([
    [401, 'Unauthorized', 'received authentication error response code: 401 Unauthorized'],
    [
      403,
      '{"errors":["Forbidden"]}',
      'received authentication error response code: 403 {"errors":["Forbidden"]}',
    ],
    [201, '{}', 'received non 2xx response code: 201 {}'],
    [429, 'slow down\n', 'received non 2xx response code: 429 slow down'],
    [500, '<html>', 'received non 2xx response code: 500'],
    [
      500,
      'word '.repeat(400),
      `received non 2xx response code: 500 ${'word '.repeat(40).trimEnd()}`,
    ],
  ])('status %i', async (status, body, message) => {
    expect(await failing(config, text(body, { status }))).toBe(`${message} (${at})`)
  })

  test.each([
    ['<html>', /^Could not parse JSON body: Unexpected token '<'/],
    ['', /^Could not parse JSON body: Unexpected end of JSON input/],
    ['[]', /^the body of the answer is a list, not an object/],
  ])('a body that is no answer: %j', async (body, message) => {
    const told = await failing(config, text(body))
    expect(told).toMatch(message)
    expect(told.endsWith(` (${at})`)).toBe(true)
  })

  test('a body without end', async () => {
    expect(await failing(config, text('x'.repeat(11 * 1024 * 1024)))).toMatch(
      /api\.datadoghq\.com.*: the answer is larger than 10485760 bytes \(Datadog\)$/,
    )
  })
})

describe('the answer of Datadog v1', () => {
  test('counts by the newest point that has a value; an empty bucket is not 0', async () => {
    expect(
      await measure(v1, points([1, 0.5], [2, 0.97], [3, null], [4, null]), conditions),
    ).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '0.97',
      message: 'the newest points have no value, passed over: 2',
    })
  })

  test('says that further series are not looked at', async () => {
    const two = json({ series: [{ pointlist: [[1, 1]] }, { pointlist: [[1, 9]] }] })
    expect(await measure(v1, two, { successCondition: 'result == 1' })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '1',
      message: 'only the first of 2 series is judged',
    })
  })

  test.each([
    [{ series: null }, 'null', 'the query returned no series'],
    [{}, 'null', 'the query returned no series'],
    [{ series: [] }, '[]', 'the query returned no series'],
    [{ series: [{ pointlist: [] }] }, '[{"Pointlist":[]}]', 'the series has no points'],
    [
      { series: [{ pointlist: [[1, null]] }] },
      '[{"Pointlist":[[1,null]]}]',
      'no point has a value',
    ],
  ])('without a number is nil: %j', async (answer, value, note) => {
    expect(await measure(v1, json(answer), { successCondition: 'default(result, 0) < 1' })).toEqual(
      {
        kind: 'done',
        phase: 'Successful',
        value,
        message: note,
      },
    )
    expect(await measure(v1, json(answer), { successCondition: 'result < 1' })).toEqual({
      kind: 'done',
      phase: 'Error',
      message: `could not evaluate successCondition "result < 1": ${noData} (${v1At}: ${note})`,
    })
  })

  test.each([
    [[1], 'Datapoint does not have 2 values'],
    [[1, 2, 3], 'Datapoint does not have 2 values'],
    [[1, '2'], 'Could not parse JSON body: the value of a point is "2"'],
    ['x', 'a point of the answer is a string, not a list'],
  ])('with the point %j is an error', async (point, message) => {
    expect(await failing(v1, points(point))).toBe(`${message} (${v1At})`)
  })

  test('that tells an error is one, whatever its status', async () => {
    const answer = json({ status: 'error', error: 'Rate limit of 300 requests', series: [] })
    expect(await failing(v1, answer)).toBe(
      `There were errors in your query: Rate limit of 300 requests (${v1At})`,
    )
  })
})

describe('the answer of Datadog v2', () => {
  test('is one number where it is not grouped [metric-providers 36]', async () => {
    const answer = json({
      data: { attributes: { columns: [{ values: [0.0006332881882246533] }] } },
    })
    expect(await measure(v2, answer, { successCondition: 'result < 0.001' })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '0.0006332881882246533',
    })
  })

  test('is a list where it is grouped; a group without a number is left out [metric-providers 37]', async () => {
    const answer = columns(
      { name: 'resource_name', type: 'group', values: [['a'], ['b'], ['c']] },
      { name: 'query', type: 'number', values: [0.01, null, 0.2] },
    )
    expect(await measure(v2, answer, { successCondition: 'max(result) < 0.05' })).toEqual({
      kind: 'done',
      phase: 'Failed',
      value: '[0.01,0.2]',
      metadata: { groups: '[{"name":"a","value":0.01},{"name":"c","value":0.2}]' },
    })
  })

  test('names a group by all its tags, and a single group is a list too', async () => {
    const answer = columns(
      { name: 'host', type: 'group', values: [['h1', 'h2']] },
      { name: 'path', type: 'group', values: [['GET /<a>']] },
      { name: 'query', type: 'number', values: [1] },
    )
    expect(await measure(v2, answer, { successCondition: 'result[0] == 1' })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '[1]',
      metadata: { groups: '[{"name":"h1,h2,GET /\\u003ca\\u003e","value":1}]' },
    })
  })

  test('of 250 groups names the 50 lowest and the 50 highest and judges all [metric-providers 38]', async () => {
    const values = Array.from({ length: 250 }, (_, index) => (index * 7) % 250)
    const answer = columns(
      { name: 'g', type: 'group', values: values.map((value) => [`g${value}`]) },
      { name: 'query', type: 'number', values },
    )
    const measured = await measure(v2, answer, { successCondition: 'len(result) == 250' })
    if (measured.kind !== 'done') throw new Error('the measurement is over at once')
    expect(measured.phase).toBe('Successful')
    expect(JSON.parse(measured.value ?? '')).toEqual(values)
    expect(measured.metadata?.['groups_truncated']).toBe('true')
    const named = JSON.parse(measured.metadata?.['groups'] ?? '')
    const expected = [...Array(50).keys(), ...[...Array(50).keys()].map((n) => n + 200)]
    expect(named).toEqual(expected.map((value) => ({ name: `g${value}`, value })))
  })

  test('without numbers is nil, which a condition may take [metric-providers 39]', async () => {
    const nothing = [columns(), json({}), json({ data: null }), columns({ values: [null] })]
    for (const answer of nothing) {
      expect(await measure(v2, answer, { successCondition: 'default(result, 0) < 1' })).toEqual({
        kind: 'done',
        phase: 'Successful',
        value: '[]',
        message: 'the answer holds no number',
      })
    }
  })

  test.each([
    [{ errors: 'Query is malformed' }, 'Query is malformed'],
    [{ data: { errors: 'Query is malformed' } }, 'Query is malformed'],
    [{ errors: ['a', 'b'], data: { attributes: { columns: [{ values: [1] }] } } }, 'a, b'],
  ])('that tells errors is one, wherever they stand: %j', async (answer, errors) => {
    expect(await failing(v2, json(answer))).toBe(
      `There were errors in your query: ${errors} (${v2At})`,
    )
  })

  test.each([
    [
      [{ name: 'query', type: 'number', values: ['1'] }],
      'could not parse numeric value "\\"1\\"" in column "query": it is a string',
    ],
    [
      [
        { type: 'group', values: [['a']] },
        { type: 'number', values: [1, 2] },
      ],
      'could not parse group label at index 1',
    ],
    [
      [
        { type: 'group', values: [['']] },
        { type: 'number', values: [1] },
      ],
      'could not parse group label at index 0',
    ],
    [['x'], 'a column of the answer is a string, not an object'],
  ])('that cannot be read is an error: %j', async (list, message) => {
    expect(await failing(v2, columns(...(list as object[])))).toBe(`${message} (${v2At})`)
  })
})
