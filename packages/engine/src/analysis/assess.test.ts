import type { MetricResult } from '@serinus/api'
import { expect, test } from 'vitest'
import { assessMetric, withMeasurement } from './assess.ts'
import { metric } from './test-analysis.ts'

const result = (fields: Partial<MetricResult>): MetricResult => ({
  name: 'm',
  phase: 'Running',
  measurements: [{ phase: 'Successful' }],
  ...fields,
})

test('a metric that has its phase keeps it, whatever its limits become', () => {
  const done = result({ phase: 'Successful', count: 3, failed: 1 })
  const stricter = metric({ failureLimit: 0 })
  expect(assessMetric(stricter, done, false).phase).toBe('Successful')
  expect(assessMetric(stricter, { ...done, phase: 'Running' }, false).phase).toBe('Failed')
})

test.each([
  [{ failed: 1 }, 'Failed', 'failed (1) > failureLimit (0)'],
  [{ failed: 1, inconclusive: 1 }, 'Inconclusive', 'inconclusive (1) > inconclusiveLimit (0)'],
  [
    { failed: 1, inconclusive: 1, consecutiveError: 5 },
    'Error',
    'consecutiveErrors (5) > consecutiveErrorLimit (4)',
  ],
])('of several limits broken at once the last one tells: %j is %s', (counters, phase, text) => {
  expect(assessMetric(metric(), result({ count: 2, ...counters }), false)).toEqual({
    phase,
    limit: { phase, text },
  })
})

test('a metric that never started is pending, or successful when the run is ended', () => {
  const { measurements: _, ...unmeasured } = result({})
  expect(assessMetric(metric(), unmeasured, false).phase).toBe('Pending')
  expect(assessMetric(metric(), unmeasured, true).phase).toBe('Successful')
})

test('a measurement under way keeps its metric running, even when the run is ended', () => {
  const running = result({ measurements: [{ phase: 'Running' }], failed: 3, count: 3 })
  expect(assessMetric(metric(), running, true).phase).toBe('Running')
})

test('limits written as text count, those that are no number as 0', () => {
  const failed = result({ count: 1, failed: 1, measurements: [{ phase: 'Failed' }] })
  const phase = (failureLimit: string) =>
    assessMetric(metric({ failureLimit, interval: '1m' }), failed, false).phase
  expect([phase('1'), phase('0'), phase('10%')]).toEqual(['Running', 'Failed', 'Failed'])
})

test('the end of a measurement replaces its beginning and is counted once', () => {
  const begun = withMeasurement(
    { name: 'm', phase: 'Running' },
    { phase: 'Running', startedAt: 'a' },
  )
  expect(begun).toEqual({
    name: 'm',
    phase: 'Running',
    measurements: [{ phase: 'Running', startedAt: 'a' }],
  })
  const polled = withMeasurement(begun, { phase: 'Running', startedAt: 'a', resumeAt: 'b' })
  expect(polled.measurements).toHaveLength(1)
  expect(withMeasurement(polled, { phase: 'Error', startedAt: 'a', finishedAt: 'c' })).toEqual({
    name: 'm',
    phase: 'Running',
    error: 1,
    consecutiveError: 1,
    measurements: [{ phase: 'Error', startedAt: 'a', finishedAt: 'c' }],
  })
})
