import { describe, expect, test } from 'vitest'
import { messageOf, metricOf, promMetric, reasonsFor } from './test-metrics.ts'

const query = 'provider.prometheus.query'

describe('a counter is read by its growth', () => {
  test.each([
    'exceptions_total{service="{{args.hash}}"}',
    'exceptions_total{instance="web:80"}',
    'sum(errors_total{hash="{{args.hash}}"}) / sum(requests_total{hash="{{args.hash}}"})',
    'latency_seconds_sum{pod="{{args.hash}}"} / latency_seconds_count{pod="{{args.hash}}"}',
    'histogram_quantile(0.9, sum by (le) (latency_bucket{hash="{{args.hash}}"}))',
  ])('%s is told', (text) => {
    expect(reasonsFor(promMetric(text), ['hash'])).toContain(`PromQLCounterWithoutRate at ${query}`)
  })

  test.each([
    'sum(rate(errors_total{hash="{{args.hash}}"}[1m]))',
    'errors_total{hash="{{args.hash}}"} - errors_total{hash="{{args.hash}}"} offset 5m',
    'sum(rate(up_seconds{hash="{{args.hash}}"}[1m])) and on () (errors_total > 0)',
    'count(errors_total{hash="{{args.hash}}"})',
    'queue_count{hash="{{args.hash}}"}',
    'absent(errors_total{hash="{{args.hash}}"})',
    'sum(kube_pod_container_status_restarts_total{pod=~".*{{args.hash}}.*"})',
    'increase({{args.metric}}_total{hash="{{args.hash}}"}[5m])',
  ])('%s is not', (text) => {
    expect(reasonsFor(promMetric(text), ['hash', 'metric'])).toEqual([])
  })
})

describe('at most so many events in the life of the new pods', () => {
  const counters = [
    'exceptions_total{instance="{{args.hash}}:80"}',
    'sum(exceptions_total{version="{{args.hash}}"})',
  ]
  const conditions: readonly (readonly [object, boolean])[] = [
    [{ successCondition: 'result[0] <= 2.0' }, true],
    [{ successCondition: 'result[0] < 9', failureCondition: 'result[0] > 10' }, true],
    [{ successCondition: 'result[0] > 100' }, false],
  ]
  const cases = counters.flatMap((text) =>
    conditions.map(([rest, fits]) => [text, rest, fits] as const),
  )
  test.each(cases)('%s with %j is a bound on a counter: %s', (text, rest, fits) => {
    const found = reasonsFor(promMetric(text, rest), ['hash'])
    expect(found.includes(`PromQLCounterWithoutRate at ${query}`)).toBe(!fits)
  })
})

describe('a gauge has no rate', () => {
  test('of a percentage, its falls would be restarts', () => {
    const metric = promMetric('rate(cpu_usage_percent{hash="a"}[1m])')
    expect(messageOf(metric, 'PromQLRateOfGauge')).toContain(
      'avg_over_time(cpu_usage_percent{...}[5m])',
    )
  })

  test.each(['rate(cpu_seconds_total{hash="a"}[1m])', 'rate(nginx_requests{hash="a"}[1m])'])(
    '%s is none',
    (text) => expect(reasonsFor(promMetric(text))).toEqual([]),
  )
})

describe('a quantile needs the bounds of its buckets', () => {
  test.each([
    'histogram_quantile(0.9, sum(rate(latency_bucket{hash="a"}[1m])))',
    'histogram_quantile(0.9, sum by (hash) (rate(latency_bucket[1m])))',
    'histogram_quantile(0.9, sum without (le) (rate(latency_bucket{hash="a"}[1m])))',
  ])('%s is told', (text) => {
    expect(reasonsFor(promMetric(text))).toEqual([`PromQLQuantileWithoutLe at ${query}`])
  })

  test.each([
    'histogram_quantile(0.9, sum by (le) (rate(latency_bucket{hash="a"}[1m])))',
    'histogram_quantile(0.9, sum without (pod) (rate(latency_bucket{hash="a"}[1m])))',
    'histogram_quantile(0.9, rate(latency_bucket{hash="a"}[1m]))',
    'histogram_quantile(0.9, sum(rate(latency{hash="a"}[1m])))',
  ])('%s is not', (text) => {
    expect(reasonsFor(promMetric(text))).toEqual([])
  })
})

describe('a query that Prometheus refuses', () => {
  test('is told with the place of the mistake', () => {
    expect(messageOf(promMetric('sum(rate(a_total{hash="x"}[5m])'), 'PromQLSyntax')).toBe(
      'Prometheus refuses this query: 1:32: parse error: unclosed left parenthesis',
    )
  })

  test.each([
    'sum(rate(a_total{hash="{{args.hash}}"}[{{args.window}}]))',
    '{{args.query}}',
    'sum(rate({{args.metric}}{hash="x"}[5m])) > {{args.least}}',
    'rate(a_total{hash="x"}[5m] offset {{ args.window }})',
  ])('but for arguments that are not known yet, %s may be right', (text) => {
    expect(reasonsFor(promMetric(text), ['hash', 'window', 'query', 'metric', 'least'])).toEqual([])
  })
})

describe('a condition that cannot be read', () => {
  const rate = 'sum(rate(a_total{hash="x"}[1m]))'

  test('is told with its place', () => {
    const metric = promMetric(rate, { successCondition: 'result[0] >=' })
    expect(messageOf(metric, 'ConditionSyntax')).toBe(
      'cannot be read, at 1:12: unexpected token EOF',
    )
  })

  test.each([
    [
      'results[0] >= 90',
      'unknown name results: a condition sees only result; did you mean result?',
    ],
    [
      'result[0] < args.limit',
      'arguments are no names of the condition language; write {{args.NAME}}',
    ],
  ])('%s names what there is not', (successCondition, message) => {
    const metric = metricOf({ graphite: { query: 'target=a.b' } }, { successCondition })
    expect(messageOf(metric, 'ConditionUnknownName')).toBe(message)
  })

  test('a condition whose arguments are not known yet may be right', () => {
    const metric = promMetric(rate, {
      successCondition: '{{args.condition}}',
      failureCondition: 'result[0] > {{args.limit}}',
    })
    expect(reasonsFor(metric, ['condition', 'limit'])).toEqual([])
  })

  test('a plugin has its own language', () => {
    expect(
      reasonsFor(metricOf({ plugin: { k6: {} } }, { successCondition: 'rate < args.max' })),
    ).toEqual([])
  })
})

describe('result is what the provider gives', () => {
  const vector = 'sum(rate(a_total{hash="x"}[1m]))'

  test.each([
    [promMetric(`scalar(${vector})`), 'result is a single number here'],
    [promMetric('1 - 0.5', {}), 'result is a single number here'],
    [promMetric(vector, { successCondition: 'result < 1' }), 'result is a list of numbers here'],
    [
      metricOf({ datadog: { query: 'avg:x{*}' } }, { successCondition: 'result[0] < 1' }),
      'single number',
    ],
    [
      metricOf(
        { datadog: { apiVersion: 'v2', query: 'avg:x{*} by {pod}' } },
        { successCondition: 'result < 1' },
      ),
      'a list of numbers',
    ],
    [
      metricOf({ wavefront: { query: 'ts(x)' } }, { successCondition: 'result.a < 1' }),
      'a number or a list',
    ],
  ])('case %#', (metric, text) => {
    expect(messageOf(metric, 'ConditionResultShape')).toContain(text)
  })

  test.each([
    promMetric(vector),
    promMetric(vector, { successCondition: 'len(result) == 0 || all(result, # < 1)' }),
    promMetric(vector, { successCondition: 'isNaN(result[0]) || result[0] < 1' }),
    promMetric(`scalar(${vector})`, { successCondition: 'isNaN(result) || result < 1' }),
    metricOf({ datadog: { query: 'avg:x{*}' } }, { successCondition: 'default(result, 0) < 1' }),
    metricOf(
      { newRelic: { query: 'x' } },
      { successCondition: 'result.rate != nil && result.rate < 1' },
    ),
    metricOf({ newRelic: { query: 'x' } }, { successCondition: 'result[0].rate < 1' }),
    metricOf({ wavefront: { query: 'ts(x)' } }, { successCondition: 'result[0] < 1' }),
    metricOf({ web: { url: 'http://a' } }, { successCondition: 'result.ok' }),
  ])('fits in case %#', (metric) => {
    expect(reasonsFor(metric)).toEqual([])
  })
})

describe('conditions decide something', () => {
  const rate = 'sum(rate(a_total{hash="x"}[1m])) / sum(rate(b_total{hash="x"}[1m]))'

  test.each([
    [{ successCondition: 'result[0] >= 0' }, 'ConditionConstant at successCondition'],
    [{ successCondition: 'result[0] < 1 || true' }, 'ConditionConstant at successCondition'],
    [{ failureCondition: 'result[0] < 0' }, 'ConditionConstant at failureCondition'],
    [
      { successCondition: 'result[0] > 5 && result[0] < 3' },
      'ConditionConstant at successCondition',
    ],
    [{ failureCondition: 'result[0] < 0.1' }, 'ConditionsOverlap at failureCondition'],
    [{ failureCondition: 'result[0] > 0.02' }, 'ConditionsGrayZone at inconclusiveLimit'],
    [
      { successCondition: 'default(result[0], 0) < 0.1' },
      'ConditionFallbackIgnored at successCondition',
    ],
    [
      { successCondition: 'isNil(result[0]) || result[0] < 1' },
      'ConditionFallbackIgnored at successCondition',
    ],
    [{ successCondition: '' }, 'ConditionMissing at successCondition'],
    [{ count: 3, failureLimit: 3 }, 'MetricNeverFails at failureLimit'],
    [{ inconclusiveLimit: '10%' }, 'InvalidMetric at spec.metrics[0]'],
  ])('%j does not', (rest, reason) => {
    expect(reasonsFor(promMetric(rate, rest))).toEqual([reason])
  })

  test.each([
    ['default(result[0], 0) < 0.1', '(get(result, 0) ?? 0)'],
    ['isNil(result[0]) || result[0] < 1', '(get(result, 0) == nil)'],
    ['default(first(result), 1) < 0.1', '(first(result) ?? 1)'],
  ])('%s is answered with what does what it seems to do: %s', (successCondition, better) => {
    const message = messageOf(promMetric(rate, { successCondition }), 'ConditionFallbackIgnored')
    expect(message).toContain(`; write ${better}, or say with onNoData`)
  })

  test.each([
    { successCondition: 'result[0] >= 0.95' },
    { failureCondition: 'result[0] >= 0.01' },
    { failureCondition: 'result[0] > 0.02', inconclusiveLimit: 2 },
    { failureCondition: 'result[0] > 0.02', inconclusiveLimit: 0 },
    { failureCondition: 'result[0] > {{args.limit}}' },
    { successCondition: 'result[0] == 0', failureCondition: 'result[0] > 0' },
    { successCondition: 'len(result) == 0 || result[0] < 1' },
  ])('%j does', (rest) => {
    expect(reasonsFor(promMetric(rate, rest), ['limit'])).toEqual([])
  })

  test('a difference may well be below zero', () => {
    const metric = promMetric(`${rate} - 0.5`, { successCondition: 'result[0] >= 0' })
    expect(reasonsFor(metric)).toEqual([])
  })

  test.each([{ job: { spec: {} } }, { kayenta: {} }, { plugin: { k6: {} } }])(
    '%j judges itself',
    (provider) => {
      const metric = { name: 'checked', provider } as unknown as Parameters<typeof reasonsFor>[0]
      expect(reasonsFor(metric)).toEqual([])
    },
  )
})

describe('settings of providers', () => {
  const counted = 'sum(rate(a_total{hash="x"}[1m]))'
  const prom = (settings: object) => ({
    ...promMetric(counted),
    provider: { prometheus: { query: counted, ...settings } },
  })

  test.each([
    [prom({ timeout: 0 }), ['PrometheusTimeoutZero at provider.prometheus.timeout']],
    [prom({ timeout: 40 }), []],
    [
      prom({ rangeQuery: { end: 'now(' } }),
      ['start', 'end', 'step'].map(
        (part) => `PrometheusRangeIncomplete at provider.prometheus.rangeQuery.${part}`,
      ),
    ],
    [prom({ rangeQuery: { start: 'now() - duration("5m")', end: 'now()', step: '1m' } }), []],
    [
      metricOf({ web: { url: 'http://a', jsonPath: '$.data' } }),
      ['WebJsonPathWithoutBraces at provider.web.jsonPath'],
    ],
    [
      metricOf({ web: { url: 'http://a', method: 'POTS' as 'POST' } }),
      ['WebMethodUnknown at provider.web.method'],
    ],
    [metricOf({ web: { url: 'http://a', method: 'patch' as 'PUT' } }), []],
    [metricOf({ web: { url: 'http://a', jsonPath: '{$.data}' } }), []],
    [
      metricOf(
        { graphite: { query: 'target=a&from=-5min&target=b' } },
        { successCondition: 'result[0] > 1' },
      ),
      ['GraphiteSeveralTargets at provider.graphite.query'],
    ],
    [
      metricOf(
        { graphite: { query: 'target=alias(a, "b")&from=-5min' } },
        { successCondition: 'result[0] > 1' },
      ),
      [],
    ],
  ])('case %#', (metric, reasons) => {
    expect(reasonsFor(metric)).toEqual(reasons)
  })
})

test('a sequential test counts by itself: rates are no counters', () => {
  const source = (query: string) => ({ prometheus: { query } })
  const metric = metricOf(
    {
      counts: {
        canary: {
          total: source('sum(requests_total)'),
          bad: source('sum(rate(errors_total[1m]))'),
        },
      },
    },
    { successCondition: '', interval: '10s', test: { bound: '1%' } },
  )
  expect(reasonsFor(metric)).toEqual([
    'CountsNeedCounters at provider.counts.canary.bad.prometheus.query',
  ])
})
