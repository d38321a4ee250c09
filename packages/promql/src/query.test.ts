import { expect, test } from 'vitest'
import { type QueryResult, queryInstant, queryRange } from './query.ts'
import { SeriesStore } from './store.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND

function storeOf(series: Record<string, readonly (readonly [seconds: number, value: number])[]>) {
  const store = new SeriesStore()
  for (const [name, samples] of Object.entries(series))
    for (const [seconds, value] of samples)
      store.append({ __name__: name }, seconds * SECOND, value)
  return store
}

/** One text per element: `{labels} value`, without the evaluation time. */
function elements(result: QueryResult): readonly string[] {
  if (!result.ok) return [`${result.errorType}: ${result.error}`]
  const { value } = result
  if (value.resultType === 'scalar' || value.resultType === 'string') return [value.result[1]]
  if (value.resultType === 'vector')
    return value.result.map(({ metric, value: [, text] }) => `${JSON.stringify(metric)} ${text}`)
  return value.result.map(
    ({ metric, values }) =>
      `${JSON.stringify(metric)} ${values.map(([at, text]) => `${text}@${at}`).join(' ')}`,
  )
}

/** Requests every 15 s for ten minutes: 90 good and 10 bad ones each time, and their latencies. */
function articleStore(): SeriesStore {
  const store = new SeriesStore()
  for (let step = 0; step <= 40; step++) {
    const at = step * 15 * SECOND
    for (const [status, count] of [
      ['200', 90],
      ['503', 10],
    ] as const) {
      store.append({ __name__: 'http_requests_total', namespace: 'shop', status }, at, step * count)
      store.append({ __name__: 'requests_total', service: 'checkout', status }, at, step * count)
      store.append(
        {
          __name__: 'istio_requests_total',
          destination_service: 'checkout.shop',
          response_code: status,
        },
        at,
        step * count,
      )
    }
    for (const [le, count] of [
      ['100', 60],
      ['250', 90],
      ['500', 100],
      ['+Inf', 100],
    ] as const)
      store.append(
        {
          __name__: 'istio_request_duration_milliseconds_bucket',
          destination_service: 'checkout.shop',
          le,
        },
        at,
        step * count,
      )
  }
  return store
}

test.each([
  [
    `sum(rate(http_requests_total{
       namespace="shop",
       status=~"5.."
     }[5m]))
     /
     sum(rate(http_requests_total{
       namespace="shop"
     }[5m]))
`,
    0.1,
  ],
  [
    `sum(rate(
       requests_total{service="checkout",status!~"5.."}[5m]
     )) /
     sum(rate(
       requests_total{service="checkout"}[5m]
     ))
`,
    0.9,
  ],
  [
    `sum(rate(
       istio_requests_total{
         destination_service=~"checkout.shop",
         response_code!~"5.*"
       }[5m]
     )) /
     sum(rate(
       istio_requests_total{
         destination_service=~"checkout.shop"
       }[5m]
     ))
`,
    0.9,
  ],
  [
    `histogram_quantile(0.95,
       sum(rate(
         istio_request_duration_milliseconds_bucket{
           destination_service=~"checkout.shop"
         }[5m]
       )) by (le)
     )
`,
    375,
  ],
])('the query of the article works as it is written: %s', (query, expected) => {
  const [only, ...others] = elements(queryInstant(articleStore(), query, 10 * MINUTE))
  expect(others).toEqual([])
  expect(only).toMatch(/^\{\} /)
  expect(Number(only?.slice(3))).toBeCloseTo(expected, 9)
})

test('an instant selector looks back five minutes, the left end excluded', () => {
  const store = storeOf({ up: [[100, 1]] })
  expect(elements(queryInstant(store, 'up', 399_999))).toEqual(['{"__name__":"up"} 1'])
  expect(elements(queryInstant(store, 'up', 400_000))).toEqual([])
  expect(elements(queryInstant(store, 'up', 99_999))).toEqual([])
  expect(elements(queryInstant(store, 'up', 130_000, { lookbackMs: 30_000 }))).toEqual([])
})

test('a window leaves out a sample on its left end and takes one on its right end', () => {
  const store = storeOf({
    up: [
      [0, 1],
      [60, 2],
      [120, 3],
    ],
  })
  expect(elements(queryInstant(store, 'up[1m]', 120_000))).toEqual(['{"__name__":"up"} 3@120'])
  expect(elements(queryInstant(store, 'count_over_time(up[2m])', 120_000))).toEqual(['{} 2'])
})

test('a stale series is gone at once, and its marker is no sample of a window', () => {
  const store = storeOf({
    up: [
      [0, 1],
      [15, 1],
    ],
  })
  const ref = store.ref({ __name__: 'up' })
  store.markStale(ref, 30_000)
  expect(elements(queryInstant(store, 'up', 29_999))).toEqual(['{"__name__":"up"} 1'])
  expect(elements(queryInstant(store, 'up', 30_000))).toEqual([])
  expect(elements(queryInstant(store, 'count_over_time(up[1m])', 30_000))).toEqual(['{} 2'])
  store.appendTo(ref, 45_000, 7)
  expect(elements(queryInstant(store, 'up', 45_000))).toEqual(['{"__name__":"up"} 7'])
  expect(elements(queryInstant(store, 'changes(up[1m])', 45_000))).toEqual(['{} 1'])
})

test('a sample that is NaN is not a staleness marker', () => {
  const store = storeOf({ ratio: [[0, Number.NaN]] })
  expect(elements(queryInstant(store, 'ratio', 0))).toEqual(['{"__name__":"ratio"} NaN'])
})

test.each([
  // 10 at 15 s … 40 at 60 s: 30 in 45 s, extrapolated by one interval to the left end of the window.
  ['increase(c_total[1m])', '{} 40'],
  ['rate(c_total[1m])', '{} 0.6666666666666666'],
  ['irate(c_total[1m])', '{} 0.6666666666666666'],
  ['delta(c_total[1m])', '{} 40'],
])('%s extrapolates to %s', (query, expected) => {
  const store = storeOf({
    c_total: [
      [15, 10],
      [30, 20],
      [45, 30],
      [60, 40],
    ],
  })
  expect(elements(queryInstant(store, query, 60_000))).toEqual([expected])
})

test('a rate needs two samples', () => {
  const store = storeOf({ c_total: [[15, 10]] })
  expect(elements(queryInstant(store, 'rate(c_total[1m])', 60_000))).toEqual([])
})

test('@ and offset move a selector, start() and end() are the bounds of the query', () => {
  const store = storeOf({
    up: [
      [0, 0],
      [60, 1],
      [120, 2],
      [180, 3],
    ],
  })
  const range = { startMs: MINUTE, endMs: 3 * MINUTE, stepMs: MINUTE }
  const values = (query: string) =>
    elements(queryRange(store, query, range)).map((text) => text.split('} ')[1])
  expect(values('up')).toEqual(['1@60 2@120 3@180'])
  expect(values('up offset 1m')).toEqual(['0@60 1@120 2@180'])
  expect(values('up offset -1m')).toEqual(['2@60 3@120 3@180'])
  expect(values('up @ 60')).toEqual(['1@60 1@120 1@180'])
  expect(values('up @ start()')).toEqual(['1@60 1@120 1@180'])
  expect(values('up @ end() offset 1m')).toEqual(['2@60 2@120 2@180'])
  expect(values('sum_over_time(up[2m] @ end())')).toEqual(['5@60 5@120 5@180'])
  expect(values('max_over_time(up[2m:1m] @ start())')).toEqual(['1@60 1@120 1@180'])
})

test('a subquery steps on multiples of its step since the epoch', () => {
  const store = storeOf({
    up: [
      [0, 0],
      [60, 1],
      [120, 2],
      [180, 3],
    ],
  })
  expect(elements(queryInstant(store, 'up[2m:1m]', 170_000))).toEqual([
    '{"__name__":"up"} 1@60 2@120',
  ])
  expect(elements(queryInstant(store, 'up[2m:]', 180_000))).toEqual([
    '{"__name__":"up"} 2@120 3@180',
  ])
})

test('a range query gives a matrix ordered by labels, of a scalar too', () => {
  const store = storeOf({ b: [[0, 1]], a: [[0, 2]] })
  const range = { startMs: 0, endMs: 2000, stepMs: 1000 }
  expect(elements(queryRange(store, '{__name__=~"a|b"}', range))).toEqual([
    '{"__name__":"a"} 2@0 2@1 2@2',
    '{"__name__":"b"} 1@0 1@1 1@2',
  ])
  expect(elements(queryRange(store, 'time() + step()', range))).toEqual(['{} 1@0 2@1 3@2'])
})

test.each([
  ['1e21', '1e+21'],
  ['123456789012345680000', '123456789012345680000'],
  ['1e-7', '1e-07'],
  ['0.000001', '0.000001'],
  ['0.1 + 0.2', '0.30000000000000004'],
  ['-0', '-0'],
  ['1 / 0', '+Inf'],
  ['-1 / 0', '-Inf'],
  ['0 / 0', 'NaN'],
  ['1 ^ NaN', '1'],
  ['"a\\nb"', 'a\nb'],
])('%s prints as %s', (query, expected) => {
  expect(elements(queryInstant(new SeriesStore(), query, 0))).toEqual([expected])
})

test('sums keep what plain addition would lose, and a mean does not overflow', () => {
  const store = new SeriesStore()
  for (const value of [1e100, 1, -1e100])
    store.append({ __name__: 'x', value: `${value}` }, 0, value)
  for (const value of [1.5e308, 1.7e308])
    store.append({ __name__: 'y', value: `${value}` }, 0, value)
  expect(elements(queryInstant(store, 'sum(x)', 0))).toEqual(['{} 1'])
  expect(elements(queryInstant(store, 'avg(y)', 0))).toEqual(['{} 1.6e+308'])
  expect(elements(queryInstant(store, 'sum(y)', 0))).toEqual(['{} +Inf'])
})

test('limit_ratio and its complement split the series between them', () => {
  const store = new SeriesStore()
  for (let i = 0; i < 200; i++) store.append({ __name__: 'x', i: `${i}` }, 0, 1)
  const count = (query: string) => Number(elements(queryInstant(store, query, 0))[0]?.slice(3))
  const some = count('count(limit_ratio(0.3, x))')
  expect(some).toBeGreaterThan(30)
  expect(some).toBeLessThan(90)
  expect(some + count('count(limit_ratio(-0.7, x))')).toBe(200)
  expect(count('count(limitk(7, x))')).toBe(7)
})

test.each([
  [
    'rate(up[5m])',
    [],
    [
      'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "up" (1:6)',
    ],
  ],
  [
    'quantile(1.5, up) or\n quantile_over_time(-1, up[5m])',
    [
      'PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:10)',
      'PromQL warning: quantile value should be between 0 and 1, got -1 (2:21)',
    ],
    [],
  ],
  [
    'histogram_quantile(0.9, up)',
    ['PromQL warning: bucket label "le" is missing or has a malformed value of "" (1:25)'],
    [],
  ],
  [
    'histogram_quantile(0.9, broken_bucket)',
    [],
    [
      'PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets 2 to 2, with a max diff of 3, over 1 samples from 1970-01-01T00:01:00Z to 1970-01-01T00:01:00Z (1:25)',
    ],
  ],
])('%s is answered with its annotations', (query, warnings, infos) => {
  const store = storeOf({
    up: [
      [0, 1],
      [30, 2],
      [60, 3],
    ],
  })
  for (const [le, count] of [
    ['1', 5],
    ['2', 2],
    ['+Inf', 9],
  ] as const)
    store.append({ __name__: 'broken_bucket', le }, MINUTE, count)
  expect(queryInstant(store, query, MINUTE)).toMatchObject({ ok: true, warnings, infos })
})

test('more than ten warnings are cut short', () => {
  const query = Array.from({ length: 13 }, (_, i) => `quantile(${i + 2}, up)`).join(' or ')
  const answer = queryInstant(storeOf({ up: [[0, 1]] }), query, 0)
  if (!answer.ok) throw new Error(answer.error)
  expect(answer.warnings).toHaveLength(11)
  expect(answer.warnings[10]).toBe('3 more warning annotations omitted')
})

test('sorting a range query is pointless and says so', () => {
  const answer = queryRange(storeOf({ up: [[0, 1]] }), 'sort(up)', {
    startMs: 0,
    endMs: 1000,
    stepMs: 1000,
  })
  expect(answer).toMatchObject({
    warnings: [
      'PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:1)',
    ],
  })
})

test.each([
  [
    'histogram_count(a)',
    'native histograms are not supported: histogram_count() works on them only',
  ],
  ['a </ 5', 'native histograms are not supported: operator "</" works on them only'],
  ['rate({__name__=~"a|b"}[1m])', 'vector cannot contain metrics with the same labelset'],
  ['label_replace(a, "", "x", "y", "")', 'invalid destination label name in label_replace(): '],
  ['label_replace(a, "x", "x", "y", "(")', 'invalid regular expression in label_replace(): ('],
  ['topk(NaN, a)', 'Parameter value is NaN'],
  ['topk(1e30, a)', 'Scalar value 1e+30 overflows int64'],
  ['count_values("", a)', 'invalid label name ""'],
  [
    'double_exponential_smoothing(a[1m], 1, 0.5)',
    'invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000',
  ],
  [
    'a * on () b{x!=""}',
    'found duplicate series for the match group {} on the right hand-side of the operation: [{__name__="b", x="1"}, {__name__="b", x="2"}];many-to-many matching not allowed: matching labels must be unique on one side',
  ],
  [
    'b{x!=""} * on () a',
    'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
  ],
  [
    'label_replace(b, "x", "", "", "") * on () group_left a',
    'vector cannot contain metrics with the same labelset',
  ],
])('%s fails on the data: %s', (query, error) => {
  const store = storeOf({
    a: [
      [0, 1],
      [30, 2],
    ],
    b: [
      [0, 1],
      [30, 2],
    ],
  })
  for (const x of ['1', '2']) store.append({ __name__: 'b', x }, 30_000, 1)
  expect(queryInstant(store, query, 30_000)).toEqual({ ok: false, errorType: 'execution', error })
})

test('a query that touches too many samples or runs too long is ended', () => {
  const store = storeOf({ up: Array.from({ length: 100 }, (_, i) => [i, i] as const) })
  expect(queryInstant(store, 'sum_over_time(up[2m])', 99_000, { maxSamples: 50 })).toEqual({
    ok: false,
    errorType: 'execution',
    error: 'query processing would load too many samples into memory in query execution',
  })
  let now = 0
  const clock = { now: () => (now += 40) }
  const range = { startMs: 0, endMs: 10_000, stepMs: 1000 }
  expect(queryRange(store, 'up', range, { timeout: { ms: 100, clock } })).toEqual({
    ok: false,
    errorType: 'timeout',
    error: 'query timed out in expression evaluation',
  })
})

test('a range query wants a positive step and an expression with one value per series', () => {
  const range = { startMs: 0, endMs: 10, stepMs: 0 }
  expect(queryRange(new SeriesStore(), 'up', range)).toMatchObject({
    ok: false,
    errorType: 'bad_data',
  })
  expect(queryRange(new SeriesStore(), 'up[5m]', { ...range, stepMs: 1 })).toEqual({
    ok: false,
    errorType: 'bad_data',
    error:
      'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
  })
})
