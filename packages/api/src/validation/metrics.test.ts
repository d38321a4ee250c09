import { expect, test } from 'vitest'
import type { Metric } from '../types.ts'
import { validateMetricRules, validateMetrics } from './metrics.ts'

const job = { job: { spec: { template: {} } } }
const metric = (fields: object): Metric => ({ name: 'm', provider: job, ...fields })
const texts = (...metrics: Metric[]) =>
  validateMetrics(metrics).map((problem) => `${problem.path}: ${problem.detail}`)

test.each([
  [{ consecutiveSuccessLimit: -1 }, 'consecutiveSuccessLimit must be >= 0'],
  [{ failureLimit: -2 }, 'failureLimit must be >= 0, or -1 to be disabled'],
  [{ failureLimit: -1 }, 'failureLimit and consecutiveSuccessLimit cannot both be disabled'],
  [{ inconclusiveLimit: -1 }, 'inconclusiveLimit must be >= 0'],
  [{ consecutiveErrorLimit: -1 }, 'consecutiveErrorLimit must be >= 0'],
  [
    { interval: '1m', count: 3, failureLimit: 2, consecutiveSuccessLimit: 2 },
    'count (3) must be >= failureLimit + consecutiveSuccessLimit (2 + 2) if both >= 0',
  ],
  [
    { interval: '1m', count: 3, failureLimit: -1, consecutiveSuccessLimit: 4 },
    'count must be >= consecutiveSuccessLimit',
  ],
  [{ interval: '1m', count: 3, inconclusiveLimit: 4 }, 'count must be >= inconclusiveLimit'],
  [{ count: 2 }, 'interval must be specified when count > 1'],
  [{ interval: '5x' }, 'invalid interval string: time: unknown unit "x" in duration "5x"'],
  [{ initialDelay: '5' }, 'invalid startDelay string: time: missing unit in duration "5"'],
  [{ interval: '1m', count: 'abc' }, 'count must be a whole number; it is "abc"'],
  [{ failureLimit: '10%' }, 'failureLimit must be a whole number; it is "10%"'],
  [{ inconclusiveLimit: '' }, 'inconclusiveLimit must be a whole number; it is ""'],
  [{ consecutiveErrorLimit: '1.5' }, 'consecutiveErrorLimit must be a whole number; it is "1.5"'],
  [{ consecutiveSuccessLimit: '3x' }, 'consecutiveSuccessLimit must be a whole number; it is "3x"'],
  [{ intervalFrom: 'Start' }, 'intervalFrom needs interval'],
  [{ errorRetry: 'Backoff' }, 'errorRetry needs interval'],
  [{ onNoData: 'Failed' }, 'onNoData means nothing to the provider job, which judges by itself'],
  [{ provider: {} }, 'no provider specified'],
  [{ provider: { ...job, web: { url: 'u' } } }, 'multiple providers specified'],
  [{ provider: { plugin: { 'a/b': {}, 'c/d': {} } } }, 'multiple providers specified'],
])('metric %j: %s', (fields, text) => {
  expect(texts(metric(fields))).toEqual([`metrics[0]: ${text}`])
})

test('limits may be text: whole numbers with a sign', () => {
  expect(texts(metric({ failureLimit: '+3', consecutiveErrorLimit: '007' }))).toEqual([])
})

test('a run needs metrics, each with a name of its own', () => {
  expect(texts()).toEqual(['metrics: no metrics specified'])
  expect(texts(metric({}), metric({}))).toEqual(["metrics[1]: duplicate name 'm'"])
})

test('rules that match no metric are named; they are unanchored regular expressions', () => {
  const rules = (metricName: string) => [{ metricName }]
  const spec = { metrics: [metric({ name: 'error-rate' })] }
  expect(validateMetricRules({ ...spec, dryRun: rules('rror') })).toEqual([])
  expect(validateMetricRules({ ...spec, dryRun: rules('latency') })).toMatchObject([
    { path: 'dryRun[0]', detail: "Rule didn't match any metric name(s)" },
  ])
})
