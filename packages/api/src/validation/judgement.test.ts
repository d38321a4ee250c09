import { describe, expect, test } from 'vitest'
import type { Metric } from '../types.ts'
import { validateMetrics } from './metrics.ts'

const texts = (metric: Metric) => validateMetrics([metric]).map(({ detail }) => detail)
const query = { prometheus: { query: 'x' } }
const side = { total: query, bad: query }

describe('a metric with a test', () => {
  const tested = (test: Metric['test'], more: Partial<Metric> = {}): Metric => ({
    name: 'm',
    interval: '5s',
    provider: { counts: { canary: side, stable: side } },
    ...more,
    ...(test && { test }),
  })

  test.each([
    [{ bound: 0.01 }],
    [{ bound: '1%', relativeBound: '1.5', alpha: '0.1%', beta: 0.1, minimumSample: 0 }],
  ])('%j is right', (how) => {
    expect(texts(tested(how))).toEqual([])
  })

  test.each([
    [{}, 'test needs bound, such as 1%, or relativeBound, such as 1.5, or both'],
    [{ bound: 1 }, 'test.bound must be a number above 0 and below 1, such as 0.01 or 1%; it is 1'],
    [
      { bound: 'x' },
      'test.bound must be a number above 0 and below 1, such as 0.01 or 1%; it is "x"',
    ],
    [{ relativeBound: 0 }, 'test.relativeBound must be a number above 0, such as 1.5; it is 0'],
    [
      { bound: 0.1, alpha: 0 },
      'test.alpha must be a number above 0 and below 1, such as 0.01 or 1%; it is 0',
    ],
    [{ bound: 0.1, minimumSample: -1 }, 'test.minimumSample must be 0 or more'],
  ])('%j: %s', (how, text) => {
    expect(texts(tested(how))).toEqual([text])
  })

  test.each([
    [
      { successCondition: 'result > 0' },
      'test and conditions exclude each other: remove successCondition and failureCondition',
    ],
    [
      { consecutiveSuccessLimit: 2 },
      'consecutiveSuccessLimit means nothing beside test: remove it',
    ],
    [{ onNoData: 'Failed' as const }, 'onNoData means nothing beside test: remove it'],
    [{ provider: query }, 'test needs the provider counts, which says how many requests were bad'],
    [{ interval: '' }, 'test needs interval: how often to look, such as 10s'],
    [{ count: 1 }, 'test needs a count of 2 at least: the first look only starts the counting'],
  ])('with %j: %s', (more, text) => {
    expect(texts(tested({ bound: 0.01 }, more))).toEqual([text])
  })

  test.each([
    [{}],
    [{ interval: '1m' }],
    [{ interval: '1500ms' }],
    [{ provider: { counts: { canary: { total: query, good: query } } } }],
  ])('a burst of 1s is right with %j', (more) => {
    expect(texts(tested({ bound: 0.01, burst: '1s' }, more))).toEqual([])
  })

  test.each([
    ['1', {}, 'test.burst must be a duration of at least 1ms, such as 1s; it is "1"'],
    ['0s', {}, 'test.burst must be a duration of at least 1ms, such as 1s; it is "0s"'],
    ['-1s', {}, 'test.burst must be a duration of at least 1ms, such as 1s; it is "-1s"'],
    [
      '6s',
      {},
      'test.burst (6s) must not be longer than interval (5s): longer bursts need a longer interval, and no test.burst',
    ],
    [
      '1s',
      { interval: '5m' },
      'test.burst (1s) makes 300 parts of interval (5m), and 60 are the most: make interval shorter, or test.burst at least 5s',
    ],
    [
      '1s',
      { provider: { counts: { canary: { total: query, bad: { graphite: { query: 'x' } } } } } },
      'test.burst needs counters as they stood at several instants, which only prometheus tells; provider.counts.canary.bad asks graphite: ask prometheus there, or remove test.burst',
    ],
    [
      '1s',
      {
        provider: {
          counts: {
            canary: {
              total: { prometheus: { query: 'x', rangeQuery: { step: '1s' } } },
              bad: query,
            },
          },
        },
      },
      'provider.counts.canary.total.prometheus.rangeQuery means nothing beside test.burst, which asks for a range of its own: remove it',
    ],
  ])('a burst of %s with %j: %s', (burst, more, text) => {
    expect(texts(tested({ bound: 0.01, burst }, more))).toEqual([text])
  })

  test('a relative bound needs the stable side', () => {
    const alone = { provider: { counts: { canary: side } } }
    expect(texts(tested({ relativeBound: 2 }, alone))).toEqual([
      'test.relativeBound needs provider.counts.stable to compare with',
    ])
  })
})

describe('the provider counts', () => {
  test.each([
    [{ total: query }, 'provider.counts.canary needs either bad or good'],
    [{ total: query, bad: query, good: query }, 'provider.counts.canary needs either bad or good'],
    [
      { total: {}, bad: query },
      'provider.counts.canary.total needs exactly one provider, and has none',
    ],
    [
      { total: query, good: { ...query, graphite: {} } },
      'provider.counts.canary.good needs exactly one provider, and has prometheus and graphite',
    ],
  ])('with the side %j: %s', (canary, text) => {
    expect(texts({ name: 'm', provider: { counts: { canary } } })).toEqual([text])
  })
})

describe('the provider judge', () => {
  const rangeQuery = { start: 'now() - duration("10m")', end: 'now()', step: '30s' }
  const errors = { name: 'errors', baseline: query, canary: query }
  type Judge = NonNullable<Metric['provider']['judge']>
  const judged = (judge: Partial<Judge>) =>
    texts({ name: 'm', provider: { judge: { metrics: [errors], rangeQuery, ...judge } } })

  test('needs no more than series to compare', () => {
    expect(judged({})).toEqual([])
  })

  test.each([
    [{ metrics: [] }, 'provider.judge.metrics names nothing to compare'],
    [{ metrics: [errors, errors] }, "provider.judge.metrics[1]: duplicate name 'errors'"],
    [
      { metrics: [{ ...errors, canary: {} }] },
      'provider.judge.metrics[0].canary needs exactly one provider, and has none',
    ],
    [
      { metrics: [{ ...errors, effectSize: { measure: 'cles', allowedIncrease: 'much' } }] },
      'provider.judge.metrics[0].effectSize.allowedIncrease must be a number above 0, such as 1.5; it is "much"',
    ],
    [
      { threshold: { pass: 101 } },
      'provider.judge.threshold.pass must be a number 0 to 100; it is 101',
    ],
    [
      { threshold: { pass: 50, marginal: 70 } },
      'provider.judge.threshold.marginal (70) must not be above pass (50)',
    ],
    [
      { groupWeights: { a: 70, b: 40 } },
      'provider.judge.groupWeights add up to 110; 100 is all there is',
    ],
    [
      { confidence: 98 },
      'provider.judge.confidence must be a number above 0 and below 1, such as 0.01 or 1%; it is 98',
    ],
    [{ minimumSamples: 0 }, 'provider.judge.minimumSamples must be 1 or more'],
  ] as const)('with %j: %s', (judge, text) => {
    expect(judged(judge)).toEqual([text])
  })

  test('a Prometheus query without a range is no series', () => {
    expect(texts({ name: 'm', provider: { judge: { metrics: [errors] } } })).toEqual([
      'provider.judge.metrics[0].baseline.prometheus needs rangeQuery, or provider.judge.rangeQuery for all queries',
      'provider.judge.metrics[0].canary.prometheus needs rangeQuery, or provider.judge.rangeQuery for all queries',
    ])
  })
})
