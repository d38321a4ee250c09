import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import { analysisRun, metric, simulate } from '../analysis/test-analysis.ts'
import { explainNoData } from './explain-no-data.ts'

const errorRate =
  'sum(rate(errors_total{app="{{args.app}}",token="{{args.token}}"}[1m])) / sum(rate(requests_total[1m]))'
const empty = {
  phase: 'Error' as const,
  value: '[]',
  message:
    'could not evaluate successCondition "result[0] < 1": metric result is nil or empty: no data returned from the metric provider',
}

function runWith(
  fields: Partial<Metric>,
  scripts: NonNullable<Parameters<typeof simulate>[1]>['scripts'],
) {
  const checked = metric({
    successCondition: 'result[0] < 1',
    provider: { prometheus: { query: errorRate } },
    ...fields,
  })
  const run = analysisRun({
    metrics: [checked, metric({ name: 'other', interval: '1m', count: 3 })],
    args: [
      { name: 'app', value: 'shop' },
      { name: 'token', valueFrom: { secretKeyRef: { name: 'tokens', key: 'a' } } },
    ],
  })
  return simulate(run, { scripts: { ...scripts } }).run?.status
}

const checkedOf = (status: ReturnType<typeof runWith>) =>
  status?.metricResults?.find(({ name }) => name === 'm')

describe('a run that ends without data says why', () => {
  test('behind the text that upstream has, with the selectors, secrets left out', () => {
    const status = runWith({ consecutiveErrorLimit: 1 }, { m: () => empty })
    const why =
      'no series matched by errors_total{app="shop",token="temp-for-secret"} and requests_total in 2 of the last 2 measurements: are the metric and its labels right, and has it had requests? Where none is fine, end the query with "or vector(0)", or set onNoData: Successful'
    expect(status?.message).toBe(
      `Metric "m" assessed Error due to consecutiveErrors (2) > consecutiveErrorLimit (1): "Error Message: ${empty.message}"; ${why}`,
    )
    expect(checkedOf(status)?.message).toBe(`${empty.message}; ${why}`)
  })

  test('where NaN failed it, with its share', () => {
    const values = ['[0.5]', '[NaN]', '[NaN]']
    const status = runWith(
      { interval: '1m', count: 5, failureLimit: 1 },
      {
        m: ({ serial }) => {
          const value = values[serial - 1] ?? '[0.5]'
          return { value, phase: value === '[NaN]' ? 'Failed' : 'Successful' }
        },
      },
    )
    const why =
      'NaN, of which no comparison is true, came in 2 of the last 3 measurements: without requests it is 0 / 0. Where none is fine, set onNoData: Successful, or write "(QUERY) >= 0 or vector(X)", X being what no requests are to count as'
    expect(status?.message).toBe(
      `Metric "m" assessed Failed due to failed (2) > failureLimit (1); ${why}`,
    )
    expect(checkedOf(status)?.message).toBe(why)
  })

  test('of a dry-run metric in its own message only', () => {
    const checked = metric({ provider: { prometheus: { query: 'up' } } })
    const run = analysisRun({
      metrics: [checked],
      dryRun: [{ metricName: 'm' }],
    })
    const status = simulate(run, { scripts: { m: () => ({ phase: 'Failed', value: 'NaN' }) } }).run
      ?.status
    expect(status?.phase).toBe('Successful')
    expect(status?.metricResults?.[0]?.message).toMatch(
      /^Metric assessed Failed due to failed \(1\) > failureLimit \(0\); NaN, of which/,
    )
  })

  test('and the same whichever metric decides last', () => {
    const status = runWith({ consecutiveErrorLimit: 0 }, { m: () => empty, other: 'SSS' })
    const again = runWith({ consecutiveErrorLimit: 0 }, { m: () => empty, other: 'F' })
    expect(status?.message).toContain('; no series matched')
    expect(again?.message).toBe(
      'Metric "other" assessed Failed due to failed (1) > failureLimit (0)',
    )
    expect(checkedOf(again)?.message).toBe(checkedOf(status)?.message)
  })
})

describe('nothing is explained', () => {
  test('where real numbers decided and the query was empty only once', () => {
    const status = runWith(
      { interval: '1m', failureLimit: 1 },
      { m: ({ serial }) => (serial === 1 ? empty : { phase: 'Failed', value: '[5]' }) },
    )
    expect(status?.message).toBe('Metric "m" assessed Failed due to failed (2) > failureLimit (1)')
    expect(checkedOf(status)?.message).toBeUndefined()
  })

  const of = (value: string, phase: 'Failed' | 'Error' | 'Successful') => ({
    phase,
    measurements: [{ phase, value, startedAt: '2026-01-01T00:00:00Z' }],
  })

  test.each([
    [of('[0.5]', 'Failed')],
    [of('NaN', 'Successful')],
    [of('{"name":"BANaNA"}', 'Failed')],
    [{ phase: 'Failed' as const }],
    [
      {
        ...of('', 'Error'),
        measurements: [{ phase: 'Error' as const, message: 'server_error: 500' }],
      },
    ],
  ])('by %j', (result) => {
    expect(explainNoData(metric(), result)).toBeNull()
  })
})

test.each([
  [
    { graphite: { query: 'target=a' } },
    'no values found',
    'the only measurement had no data: does the query select anything? Where none is fine, set onNoData: Successful',
  ],
  [
    { prometheus: { query: 'sum(' } },
    empty.message,
    'no series matched in the only measurement: are the metric and its labels right, and has it had requests? Where none is fine, end the query with "or vector(0)", or set onNoData: Successful',
  ],
])('the answer of %j is explained in its own terms', (provider, message, text) => {
  const measurements = [{ phase: 'Error' as const, message }]
  expect(explainNoData(metric({ provider }), { phase: 'Error', measurements })).toBe(text)
})

describe('a metric with onNoData is told the cause and not what else it could say', () => {
  const failed = (onNoData: Metric['onNoData'], value?: string) => {
    const message = `no data: onNoData is ${onNoData} (query returned no series)`
    const measurement = { phase: 'Failed' as const, message, ...(value ? { value } : {}) }
    const checked = metric({ onNoData: 'Failed', provider: { prometheus: { query: 'up' } } })
    return explainNoData(checked, { phase: 'Failed', measurements: [measurement] })
  }

  test('where no series matched', () => {
    expect(failed('Failed', '[]')).toBe(
      'no series matched by up in the only measurement: are the metric and its labels right, and has it had requests?',
    )
    expect(failed('Failed')).toBe(failed('Failed', '[]'))
  })

  test('in the message of its run', () => {
    const message = 'no data: onNoData is Inconclusive (query returned no series)'
    const status = runWith(
      { interval: '1m', onNoData: 'Inconclusive', inconclusiveLimit: 1 },
      { m: () => ({ phase: 'Inconclusive', value: '[]', message }) },
    )
    expect(status?.phase).toBe('Inconclusive')
    expect(status?.message).toMatch(
      /^Metric "m" assessed Inconclusive due to inconclusive \(2\) > inconclusiveLimit \(1\): "Error Message: no data: onNoData is Inconclusive \(query returned no series\)"; no series matched by .*\?$/,
    )
  })

  test('where only NaN came', () => {
    expect(failed('Failed', '[NaN]')).toBe(
      'NaN, of which no comparison is true, came in the only measurement: without requests it is 0 / 0',
    )
  })
})

test('a quantile of no requests is NaN for a reason of its own', () => {
  const provider = {
    prometheus: { query: 'histogram_quantile(0.95, sum by (le) (rate(latency_bucket[1m])))' },
  }
  const measurements = [{ phase: 'Failed' as const, value: '[NaN]' }]
  expect(explainNoData(metric({ provider }), { phase: 'Failed', measurements })).toContain(
    'there is no quantile of no requests',
  )
})
