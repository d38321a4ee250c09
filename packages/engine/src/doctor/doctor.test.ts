import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import { examineRollout, examineTemplate } from './doctor.ts'
import { errorRate, promMetric, rolloutWith, template } from './test-metrics.ts'

const successRate = `1 - (${errorRate})`
const p95 =
  'histogram_quantile(0.95, sum by (le) (rate(http_duration_seconds_bucket{service="{{args.service}}"}[5m])))'

interface Case {
  readonly metric?: Metric
  readonly service?: string
  readonly steps?: readonly object[]
  readonly at?: 'step' | 'background'
}

/** Findings in a canary of the Services `shop-canary` and `shop-stable` whose analysis gets the argument `service`. */
function findingsOf({
  metric = promMetric(errorRate),
  service = 'shop',
  steps,
  at = 'step',
}: Case) {
  const analysis = {
    templates: [{ templateName: 'rate' }],
    args: [{ name: 'service', value: service }],
  }
  const rollout = rolloutWith({
    canary: {
      canaryService: 'shop-canary',
      stableService: 'shop-stable',
      steps: [
        ...(steps ?? [{ setWeight: 10 }, { pause: { duration: '10m' } }]),
        ...(at === 'step' ? [{ analysis }] : []),
      ],
      ...(at === 'background' ? { analysis } : {}),
    },
  })
  return examineRollout(rollout, {
    analysisTemplates: [template('rate', [metric], ['service'])],
    clusterAnalysisTemplates: [],
  })
}

describe('a query over both versions is told with the regression that it misses', () => {
  test.each([
    [
      promMetric(errorRate),
      'at 10 % weight a new version that fails 9.9 % of its requests still meets result[0] < 0.01',
    ],
    [
      promMetric(`100 * (${errorRate})`, { successCondition: 'result[0] <= 2' }),
      'at 10 % weight a new version that fails 19 % of its requests still meets result[0] <= 2',
    ],
    [
      promMetric(successRate, { successCondition: 'result[0] >= 0.95' }),
      'at 10 % weight a new version that fails 49 % of its requests still meets result[0] >= 0.95',
    ],
    [
      promMetric(successRate, { successCondition: 'result[0] >= 0.9' }),
      'at 10 % weight even a new version that fails every request meets result[0] >= 0.9',
    ],
    [
      promMetric(p95, { successCondition: 'result[0] <= 0.5' }),
      "at 10 % weight p95 does not move though 49 % of the new version's requests are too slow",
    ],
    [
      promMetric('sum(rate(errors_total{service="{{args.service}}"}[1m]))', {
        successCondition: 'result[0] < 5',
      }),
      'at 10 % weight only 10 % of what it measures is the new version',
    ],
  ])('case %#', (metric, text) => {
    const found = findingsOf({ metric })
    expect(found.map(({ reason, path }) => `${reason} at ${path}`)).toEqual([
      'QueryDiluted at spec.strategy.canary.steps[2].analysis',
    ])
    expect(found[0]?.message).toContain(text)
    expect(found[0]?.message).toMatch(/^metric checked of rate: /)
  })

  test('a background analysis by the smallest weight that it sees', () => {
    const steps = [{ setWeight: 20 }, { pause: {} }, { setWeight: 50 }, { pause: {} }]
    expect(findingsOf({ steps, at: 'background' })[0]?.message).toContain('at 20 % weight')
  })

  test('before a blue-green switch it is all of the old version', () => {
    const rollout = rolloutWith({
      blueGreen: {
        activeService: 'shop',
        previewService: 'shop-next',
        prePromotionAnalysis: {
          templates: [{ templateName: 'rate' }],
          args: [{ name: 'service', value: 'shop' }],
        },
      },
    })
    const known = {
      analysisTemplates: [template('rate', [promMetric(errorRate)], ['service'])],
      clusterAnalysisTemplates: [],
    }
    expect(examineRollout(rollout, known)[0]?.message).toContain(
      'the new version gets no traffic yet, so this measures the old one',
    )
  })
})

describe('a query that selects the new version is left alone', () => {
  test.each(['shop-canary', 'shop-canary.default.svc.cluster.local'])(
    'by its Service, %s',
    (service) => expect(findingsOf({ service })).toEqual([]),
  )

  test.each([
    [
      'the hash of the new version',
      { name: 'service', valueFrom: { podTemplateHashValue: 'Latest' as const } },
    ],
    [
      'a field that is known only later',
      {
        name: 'service',
        valueFrom: { fieldRef: { fieldPath: 'status.canary.weights.canary.serviceName' } },
      },
    ],
  ])('by %s', (_, arg) => {
    const rollout = rolloutWith({
      canary: {
        steps: [
          { setWeight: 10 },
          { analysis: { templates: [{ templateName: 'rate' }], args: [arg] } },
        ],
      },
    })
    const known = {
      analysisTemplates: [template('rate', [promMetric(errorRate)], ['service'])],
      clusterAnalysisTemplates: [],
    }
    expect(examineRollout(rollout, known)).toEqual([])
  })

  test.each([
    'sum(rate(a_total{rollouts_pod_template_hash="{{args.service}}"}[5m]))',
    'sum by (version) (rate(a_total{service="{{args.service}}"}[5m]))',
    'sum(rate(a_total{service=~"shop-canary|other"}[5m]))',
    'sum(queue_length{service="{{args.service}}"})',
  ])('as in %s', (query) => expect(findingsOf({ metric: promMetric(query) })).toEqual([]))

  test('where the new version has all traffic there is nothing to dilute', () => {
    expect(findingsOf({ steps: [{ setWeight: 100 }, { pause: { duration: '10m' } }] })).toEqual([])
  })
})

describe('a query that looks back behind the weight', () => {
  const reasons = (facts: Case) => findingsOf(facts).map(({ reason }) => reason)

  test('is told, in numbers', () => {
    const found = findingsOf({
      metric: promMetric(errorRate, { count: 2 }),
      steps: [{ setWeight: 10 }, { pause: { duration: '2m' } }],
    })
    expect(found[1]).toMatchObject({
      reason: 'QueryRangeLongerThanStep',
      message:
        'metric checked of rate: the query looks back 5m, but the weight of spec.strategy.canary.steps[0].setWeight has stood for only 3m when it is judged for the last time: 2m of 5m are from before; look back less, or stay longer at that weight',
    })
  })

  test('in the background of short steps too', () => {
    const steps = [
      { setWeight: 10 },
      { pause: { duration: '2m' } },
      { setWeight: 50 },
      { pause: {} },
    ]
    expect(reasons({ steps, at: 'background' })).toEqual([
      'QueryDiluted',
      'QueryRangeLongerThanStep',
    ])
  })

  test.each<Case>([
    { metric: promMetric(errorRate, { count: 6 }), steps: [{ setWeight: 10 }] },
    { metric: promMetric(errorRate, { initialDelay: '5m', count: 1 }), steps: [{ setWeight: 10 }] },
    { steps: [{ setWeight: 10 }, { pause: {} }], at: 'background' },
    {
      steps: [{ setWeight: 10 }, { pause: { duration: '5m' } }, { setWeight: 50 }, { pause: {} }],
      at: 'background',
    },
  ])('is not told of where the step is long enough, case %#', (facts) => {
    expect(reasons(facts)).toEqual(['QueryDiluted'])
  })

  test('nor where only the new version is selected', () => {
    expect(reasons({ service: 'shop-canary', steps: [{ setWeight: 10 }] })).toEqual([])
  })
})

describe('traffic that is too small to show a regression', () => {
  const found = (
    metric: Metric,
    facts: { rps?: number; annotation?: string; pause?: string; inline?: boolean },
  ) => {
    const analysis = {
      templates: [{ templateName: 'rate' }],
      args: [{ name: 'service', value: 'shop-canary' }],
    }
    const { rps, annotation, pause = '2m', inline = false } = facts
    const rollout = rolloutWith({
      canary: {
        canaryService: 'shop-canary',
        steps: [
          { setWeight: 10 },
          inline ? { analysis } : { pause: { duration: pause } },
          { setWeight: 50 },
        ],
        ...(inline ? {} : { analysis }),
      },
    })
    const annotations = annotation && { 'serinus.dev/expected-requests-per-second': annotation }
    const known = {
      analysisTemplates: [template('rate', [metric], ['service'])],
      clusterAnalysisTemplates: [],
    }
    return examineRollout(
      { ...rollout, metadata: { name: 'shop', ...(annotations ? { annotations } : {}) } },
      known,
      rps === undefined ? {} : { requestsPerSecond: rps },
    )
  }
  const often = promMetric(errorRate, { interval: '10s', count: 0 })
  const withTest = {
    name: 'checked',
    interval: '5s',
    test: { bound: '1%' },
    provider: { counts: { canary: {} } },
  } as unknown as Metric

  test('is told in numbers', () => {
    expect(found(often, { rps: 10 })).toEqual([
      {
        reason: 'TrafficTooSmall',
        severity: 'warning',
        path: 'spec.strategy.canary.analysis',
        message:
          'metric checked of rate: at 10 requests per second, 10 % of them for the new version, in 2m, no share of bad requests below 9 % would be found, while the bound is 1 %; stay longer at that weight, give it more of the traffic, or measure more often',
      },
    ])
  })

  test('of a metric with a test as well, by its own alpha', () => {
    expect(found(withTest, { rps: 10, pause: '30s' })[0]?.message).toContain(
      'while the bound is 1 %',
    )
    const lax = { ...withTest, test: { bound: '1%', alpha: 0.2 } }
    expect(found(withTest, { rps: 100, pause: '30s' })[0]?.reason).toBe('TrafficTooSmall')
    expect(found(lax, { rps: 100, pause: '30s' })).toEqual([])
  })

  test('of a metric whose test states a burst by the parts of its looks, as far as they were looked at', () => {
    const burst = { ...withTest, test: { bound: '1%', burst: '1s' } }
    const traffic = { rps: 200, pause: '23s' }
    expect(found(withTest, traffic)[0]?.message).toContain(
      'at 200 requests per second, 10 % of them for the new version, in 23s, no share of bad requests below 7.9 % would be found, while the bound is 1 %',
    )
    expect(found(burst, traffic)).toEqual([])
    expect(found(burst, { ...traffic, pause: '5s' })[0]?.message).toContain('below 12')
    expect(found(burst, { ...traffic, pause: '9s' })[0]?.message).toContain(
      'in 9s, no share of bad requests below 12',
    )
  })

  test('where there is next to none', () => {
    expect(found(often, { rps: 0.1 })[0]?.message).toContain(
      'not even a new version that fails every request would be found',
    )
  })

  test('as the Rollout itself says how much is expected', () => {
    expect(found(often, { annotation: '10' })[0]?.reason).toBe('TrafficTooSmall')
    expect(found(often, { annotation: '10', rps: 1000 })).toEqual([])
    expect(found(often, { annotation: 'much' })).toEqual([
      {
        reason: 'ExpectedRequests',
        severity: 'warning',
        path: "metadata.annotations['serinus.dev/expected-requests-per-second']",
        message: '"much" is no number above 0, so it counts for nothing; write such as "20"',
      },
    ])
  })

  test.each([
    ['enough of it', often, { rps: 200 }],
    ['nobody knows how much there is', often, {}],
    [
      'time enough',
      promMetric(errorRate, { interval: '10s', count: 0 }),
      { rps: 200, pause: '1h' },
    ],
    [
      'no end to the step',
      promMetric(errorRate, { interval: '10s', count: 0 }),
      { rps: 1, inline: true },
    ],
    [
      'nothing that is a share of requests',
      promMetric(p95, { successCondition: 'result[0] < 1' }),
      { rps: 1 },
    ],
  ])('is not told where there is %s', (_, metric, facts) => {
    expect(found(metric, facts)).toEqual([])
  })
})

describe('a template on its own', () => {
  const reasonsOf = (metric: Metric, args: readonly string[]) =>
    examineTemplate({ metrics: [metric], args: args.map((name) => ({ name })) }).map(
      (each) => each.reason,
    )

  test('may get the new version by any argument but those that never carry one', () => {
    expect(reasonsOf(promMetric(errorRate), ['service'])).toEqual([])
    const everywhere = promMetric(
      errorRate.replaceAll('service="{{args.service}}"', 'namespace="{{args.namespace}}"'),
    )
    expect(reasonsOf(everywhere, ['namespace'])).toEqual(['QueryDiluted'])
  })

  test('is left to the Rollouts that use it, where they are known', () => {
    const metric = promMetric('sum(rate(a_total[5m]))')
    expect(examineTemplate({ metrics: [metric] }, { usedElsewhere: true })).toEqual([])
  })

  test.each([
    [
      { args: [{ name: 'app', valueFrom: { fieldRef: { fieldPath: 'spec.replicas' } } }] },
      'ArgumentFromFieldRef at spec.args[0].valueFrom.fieldRef',
    ],
    [{ dryRun: [{ metricName: 'p9(' }] }, 'PatternInvalid at spec.dryRun[0].metricName'],
    [
      { measurementRetention: [{ metricName: 'p9', limit: 3 }] },
      'PatternUnanchored at spec.measurementRetention[0].metricName',
    ],
  ])('%j is told', (rest, reason) => {
    const job = { job: { spec: { template: {} } } } as Metric['provider']
    const metrics = [
      { name: 'p9', provider: job },
      { name: 'p99', provider: job },
    ]
    const found = examineTemplate({ metrics, ...rest }).map(
      (each) => `${each.reason} at ${each.path}`,
    )
    expect(found).toEqual([reason])
  })

  test.each(['.*', '*', '^p9$', 'latency.*'])('the pattern %s says what it means', (metricName) => {
    expect(examineTemplate({ dryRun: [{ metricName }] })).toEqual([])
  })

  test('may take an argument from the metadata of the run', () => {
    const valueFrom = { fieldRef: { fieldPath: "metadata.labels['app']" } }
    expect(examineTemplate({ args: [{ name: 'app', valueFrom }] })).toEqual([])
  })

  test('is told what ends its runs at once', () => {
    const metric = promMetric('sum(up)', { count: 3 })
    const { interval: _, ...once } = metric
    expect(examineTemplate({ metrics: [once] })).toEqual([
      {
        reason: 'InvalidMetric',
        severity: 'error',
        path: 'spec.metrics[0]',
        message: 'interval must be specified when count > 1',
      },
    ])
    expect(
      examineTemplate({
        metrics: [{ ...once, interval: '{{args.often}}' }],
        args: [{ name: 'often' }],
      }),
    ).toEqual([])
  })

  test('may leave every number and duration of a test to arguments without a value', () => {
    const source = { prometheus: { query: 'a_total' } }
    const test = { bound: '{{args.bound}}', alpha: '{{args.alpha}}', burst: '{{args.burst}}' }
    const metric = (interval: string) => ({
      name: 'm',
      interval,
      test,
      provider: { counts: { canary: { total: source, bad: source } } },
    })
    const args = ['bound', 'alpha', 'burst', 'often'].map((name) => ({ name }))
    const metrics = [metric('5s'), { ...metric('{{args.often}}'), name: 'n' }]
    expect(examineTemplate({ metrics, args })).toEqual([])
    const wrong = examineTemplate({ metrics, args: [...args, { name: 'burst', value: '1x' }] })
    expect(wrong.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'spec.metrics[0]: test.burst must be a duration of at least 1ms, such as 1s; it is "1x"',
      'spec.metrics[1]: test.burst must be a duration of at least 1ms, such as 1s; it is "1x"',
    ])
  })

  test('an argument that nobody declares is told with the nearest that somebody does', () => {
    const metric = promMetric('sum(rate(a_total{service="{{args.service-nam}}"}[5m]))')
    const [finding] = examineTemplate({ metrics: [metric], args: [{ name: 'service-name' }] })
    expect(finding).toMatchObject({
      reason: 'ArgumentUndeclared',
      message: expect.stringContaining('did you mean {{args.service-name}}?'),
    })
  })
})
