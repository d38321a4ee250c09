import type { Metric, NumberSource } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import { providerContract } from './provider-contract.ts'
import { providerOf } from './registry.ts'
import { json, measureInput, refused, silent, type VendorAnswer, vendor } from './test-input.ts'
import { socketFetch, vendorServer } from './test-server.ts'

type Counts = NonNullable<Metric['provider']['counts']>

function source(query: string, address = 'http://p:9090'): NumberSource {
  return { prometheus: { address, query } }
}

const canary = { total: source('total'), bad: source('bad') }

function metricOf(counts: Counts, conditions: Partial<Metric> = {}): Metric {
  return { name: 'm', ...conditions, provider: { counts } }
}

function vectorOf(values: readonly string[]): unknown {
  const result = values.map((value) => ({ metric: {}, value: [1786963271.123, value] }))
  return { status: 'success', data: { resultType: 'vector', result } }
}

/** Answers each query by its text. */
function answering(values: Readonly<Record<string, readonly string[]>>): VendorAnswer {
  return (seen, signal) => {
    const query = new URLSearchParams(seen.body).get('query') ?? ''
    return json(vectorOf(values[query] ?? []))(seen, signal)
  }
}

async function measured(metric: Metric, values: Readonly<Record<string, readonly string[]>>) {
  const { fetch } = vendor(answering(values))
  return providerOf(metric).run(measureInput(metric, { fetch }))
}

const secretive = { ...canary, total: source('total', 'http://me:hunter2@p:9090') }

providerContract('Counts', () => ({
  provider: providerOf(metricOf(canary as never)),
  metric: metricOf(
    { canary: { ...secretive, bad: source('bad', 'http://me:hunter2@p:9090') } },
    { successCondition: 'result.canary.bad <= 3' },
  ),
  secret: 'hunter2',
  input: (metric, facts) => measureInput(metric, facts),
  sources: {
    value: { fetch: vendor(answering({ total: ['400'], bad: ['3'] })).fetch },
    empty: { fetch: vendor(answering({})).fetch },
    notANumber: { fetch: vendor(answering({ total: ['NaN'], bad: ['NaN'] })).fetch },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '{"canary":{"bad":3,"total":400}}' },
    empty: {
      kind: 'done',
      phase: 'Error',
      value: '{"canary":{"bad":null,"total":null}}',
      message:
        'could not evaluate successCondition "result.canary.bad <= 3": invalid operation: <nil> <= int',
    },
    notANumber: {
      kind: 'done',
      phase: 'Error',
      value: '{"canary":{"bad":null,"total":null}}',
      message:
        'could not evaluate successCondition "result.canary.bad <= 3": invalid operation: <nil> <= int',
    },
    failing:
      'total of the canary side: Post "http://me:***@p:9090/api/v1/query": dial tcp 10.0.0.7:9090: connect: connection refused',
    silent:
      /^total of the canary side: Post "http:\/\/me:\*\*\*@p:9090\/api\/v1\/query": context deadline exceeded$/,
  },
}))

describe('counts', () => {
  test('asks for every counter as of one instant, byte for byte', async () => {
    await using server = await vendorServer([{ body: JSON.stringify(vectorOf(['7'])) }])
    const side = { total: source('total', server.url), bad: source('bad', server.url) }
    const metric = metricOf({ canary: side })
    await providerOf(metric).run(measureInput(metric, { fetch: socketFetch }))
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': expect.any(String),
    }
    const line = 'POST /api/v1/query'
    expect(server.requests.toSorted((a, b) => (a.body < b.body ? -1 : 1))).toEqual([
      { line, headers, body: 'query=bad&time=1786963271.25' },
      { line, headers, body: 'query=total&time=1786963271.25' },
    ])
  })

  test.each([
    [
      'several series are one count',
      { canary },
      { total: ['100', '50'], bad: ['1', '2'] },
      '{"canary":{"bad":3,"total":150}}',
    ],
    [
      'both sides are read',
      { canary, stable: { total: source('t2'), bad: source('b2') } },
      { total: ['10'], bad: ['1'], t2: ['90'], b2: ['2'] },
      '{"canary":{"bad":1,"total":10},"stable":{"bad":2,"total":90}}',
    ],
    [
      'what is not good is bad',
      { canary: { total: source('total'), good: source('good') } },
      { total: ['10'], good: ['8'] },
      '{"canary":{"bad":2,"total":10}}',
    ],
    [
      'no series of bad requests',
      { canary },
      { total: ['10'] },
      '{"canary":{"bad":null,"total":10}}',
    ],
  ] as const)('%s', async (_, counts, values, value) => {
    expect(await measured(metricOf(counts), values)).toEqual({
      kind: 'done',
      phase: 'Successful',
      value,
    })
  })

  test.each([
    [
      { total: source('total'), good: source('good') },
      { total: ['10'] },
      'good of the canary side has no series, while total has',
    ],
    [
      { total: source('total'), good: source('good') },
      { total: ['10'], good: ['11'] },
      'good of the canary side is 11, total only 10: good requests must be part of total',
    ],
    [canary, { total: ['1e16'] }, 'total of the canary side: 10000000000000000 is no count'],
    [canary, { total: ['-1'] }, 'total of the canary side: -1 is no count of requests'],
    [canary, { total: ['+Inf'] }, 'total of the canary side: Infinity is no count of requests'],
    [
      { ...canary, bad: { datadoc: {} } },
      { total: ['10'] },
      'bad of the canary side: provider datadoc is not carried by this version of Serinus',
    ],
  ] as const)('%j that shows %j is an error: %s', async (side, values, message) => {
    await expect(measured(metricOf({ canary: side as Counts['canary'] }), values)).rejects.toThrow(
      message,
    )
  })

  test('a source that answers with words is named', async () => {
    const words = { web: { url: 'http://w/count' } }
    const metric = metricOf({ canary: { total: words, bad: words } })
    const { fetch } = vendor(json({ count: 'many' }))
    await expect(providerOf(metric).run(measureInput(metric, { fetch }))).rejects.toThrow(
      'total of the canary side: web measured "{\\"count\\":\\"many\\"}", which is no number',
    )
  })

  test('numbers of a web service count too', async () => {
    const metric = metricOf({
      canary: {
        total: { web: { url: 'http://w/count', jsonPath: '{$.total}' } },
        bad: { web: { url: 'http://w/count', jsonPath: '{$.bad}' } },
      },
    })
    const { fetch } = vendor(json({ total: 40, bad: 1 }))
    const measured = await providerOf(metric).run(measureInput(metric, { fetch }))
    expect(measured).toMatchObject({ value: '{"canary":{"bad":1,"total":40}}' })
  })

  test('waits as long as the slowest of its sources may take, and says where it asks', () => {
    const slow = { prometheus: { query: 'x', timeout: 55 } }
    const metric = metricOf({ canary: { total: slow, bad: source('bad') } })
    expect(providerOf(metric).deadlineMs?.(metric)).toBe(55_000)
    const env = { ARGO_ROLLOUTS_PROMETHEUS_ADDRESS: 'http://p:9090' }
    expect(providerOf(metric).address?.(metric, env)).toBe('http://p:9090')
  })
})

describe('counts of a metric with a burst', () => {
  const now = 1786963271
  const burst = { interval: '2s', test: { bound: '1%', burst: '1s' } } as const

  /** A matrix of one series for each list: its values at the four instants that two looks of 2 s have; null: none. */
  function matrixOf(...series: readonly (readonly (string | null)[])[]): unknown {
    const result = series.map((values) => ({
      metric: {},
      values: values.flatMap((value, index) => (value === null ? [] : [[now - 3 + index, value]])),
    }))
    return { status: 'success', data: { resultType: 'matrix', result } }
  }

  async function partsOf(side: Counts['canary'], answers: Readonly<Record<string, unknown>>) {
    const { fetch, requests } = vendor((seen, signal) => {
      const query = new URLSearchParams(seen.body).get('query') ?? ''
      return json(answers[query] ?? matrixOf())(seen, signal)
    })
    const metric = metricOf({ canary: side }, burst)
    const measured = await providerOf(metric).run(measureInput(metric, { fetch }))
    const value = JSON.parse((measured.kind === 'done' && measured.value) || 'null')
    return { value, parts: value.parts.map((part: { canary: object }) => part.canary), requests }
  }

  test('asks for every counter over two intervals in steps of the burst, byte for byte', async () => {
    await using server = await vendorServer([{ body: JSON.stringify(matrixOf()) }])
    const side = { total: source('total', server.url), bad: source('bad', server.url) }
    for (const [length, range] of [
      [
        { interval: '2s', test: { burst: '1s' } },
        'end=1786963271&query=bad&start=1786963268&step=1',
      ],
      [
        { interval: '1s', test: { burst: '500ms' } },
        'end=1786963271&query=bad&start=1786963269.5&step=0.5',
      ],
      [
        { interval: '5s', test: { burst: '2s' } },
        'end=1786963270&query=bad&start=1786963260&step=2',
      ],
      [
        { interval: '60s', test: { burst: '1s' } },
        'end=1786963271&query=bad&start=1786963212&step=1',
      ],
    ] as const) {
      const metric = metricOf({ canary: side }, length)
      const before = server.requests.length
      await providerOf(metric).run(measureInput(metric, { fetch: socketFetch }))
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        'user-agent': expect.any(String),
      }
      const line = 'POST /api/v1/query_range'
      expect(server.requests.slice(before).toSorted((a, b) => (a.body < b.body ? -1 : 1))).toEqual([
        { line, headers, body: range },
        { line, headers, body: range.replace('bad', 'total') },
      ])
    }
  })

  test('shows the counters at the end of each part, and as they stand', async () => {
    const { value } = await partsOf(canary, {
      total: matrixOf(['10', '20', '30', '40'], ['1', '2', '3', '4']),
      bad: matrixOf(['0', '0', '1', '1']),
    })
    expect(value).toEqual({
      canary: { bad: 1, total: 44 },
      parts: [
        { at: 1786963268000, canary: { bad: 0, total: 11 } },
        { at: 1786963269000, canary: { bad: 0, total: 22 } },
        { at: 1786963270000, canary: { bad: 1, total: 33 } },
        { at: 1786963271000, canary: { bad: 1, total: 44 } },
      ],
    })
  })

  test('reads both sides at the same instants', async () => {
    const { fetch } = vendor(json(matrixOf(['1', '2', '3', '4'])))
    const metric = metricOf({ canary, stable: canary }, burst)
    const measured = await providerOf(metric).run(measureInput(metric, { fetch }))
    expect(JSON.parse((measured.kind === 'done' && measured.value) || '').parts[2]).toEqual({
      at: 1786963270000,
      canary: { bad: 3, total: 3 },
      stable: { bad: 3, total: 3 },
    })
  })

  test('knows nothing of a part in which a counter has no series', async () => {
    const { parts } = await partsOf(canary, { total: matrixOf([null, '20', 'NaN', '40']) })
    expect(parts).toEqual([
      { bad: null, total: null },
      { bad: null, total: 20 },
      { bad: null, total: null },
      { bad: null, total: 40 },
    ])
  })

  test('before the first good request nothing is known, and now it is an error', async () => {
    const good = { total: source('total'), good: source('good') }
    const total = matrixOf(['1', '2', '3', '4'])
    const late = await partsOf(good, { total, good: matrixOf([null, null, '2', '2']) })
    expect(late.parts).toEqual([
      { bad: null, total: null },
      { bad: null, total: null },
      { bad: 1, total: 3 },
      { bad: 2, total: 4 },
    ])
    await expect(partsOf(good, { total })).rejects.toThrow(
      'good of the canary side has no series, while total has',
    )
  })

  test.each(['graphite', 'influxdb', 'datadog', 'web'])(
    '%s is refused, since it only knows what is',
    async (key) => {
      const side = { total: source('total'), bad: { [key]: {} } }
      await expect(partsOf(side, {})).rejects.toThrow(
        `bad of the canary side: ${key} does not tell a counter as it stood at several instants, which test.burst needs: ask prometheus, or remove test.burst`,
      )
    },
  )

  test('an answer that is no range is an error', async () => {
    const answers = { total: vectorOf(['1']) }
    await expect(partsOf(canary, answers)).rejects.toThrow(
      'total of the canary side: unexpected value type "vector"',
    )
  })
})
