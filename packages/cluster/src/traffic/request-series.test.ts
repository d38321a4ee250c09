import { queryInstant, SeriesStore } from '@serinus/promql'
import { expect, test } from 'vitest'
import { RequestSeries } from './request-series.ts'

const flow = {
  namespace: 'default',
  ingress: 'web',
  canary: '',
  service: 'web',
  host: 'web',
  pod: { name: 'web-1', container: 'app', workload: 'web' },
  status: 200,
}

function scraped(spread: { readonly p50: number; readonly p95: number }) {
  const store = new SeriesStore()
  const series = new RequestSeries(store)
  series.count(flow, { requests: 1_000, cpuSecondsPerRequest: 0.002, ...spread })
  series.scrape(1_000)
  return (query: string) => {
    const answer = queryInstant(store, query, 1_000)
    if (!answer.ok || answer.value.resultType !== 'vector') throw new Error(query)
    return Number(answer.value.result[0]?.value[1] ?? Number.NaN)
  }
}

test('half of the requests are faster than the median, 95 % than the 95th percentile', () => {
  const query = scraped({ p50: 100, p95: 1000 })
  const upTo = (le: string) => query(`istio_request_duration_milliseconds_bucket{le="${le}"}`)
  expect(upTo('100')).toBeCloseTo(500, 0)
  expect(upTo('1000')).toBeCloseTo(950, 0)
  expect(upTo('+Inf')).toBe(1_000)
  expect(query('nginx_ingress_controller_request_duration_seconds_bucket{le="0.1"}')).toBeCloseTo(
    500,
    0,
  )
})

test('sum and count of a histogram give the mean of the latencies', () => {
  // Log-normal with median 8 and 95th percentile 25: sigma 0.693, mean 8 * e^(0.693^2 / 2).
  const query = scraped({ p50: 8, p95: 25 })
  const mean = (name: string) => query(`${name}_sum / ${name}_count`)
  expect(mean('istio_request_duration_milliseconds')).toBeCloseTo(10.17, 2)
  expect(mean('nginx_ingress_controller_request_duration_seconds')).toBeCloseTo(0.01017, 5)
})

test.each([
  { p50: 0, p95: 0 },
  { p50: 5, p95: 5 },
  { p50: 120, p95: 900 },
  { p50: 9_000_000, p95: 9_000_001 },
])('buckets grow up to the count whatever the latencies are: %o', (spread) => {
  const query = scraped(spread)
  const bounds = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 3_600_000, '+Inf']
  const counts = bounds.map((le) => query(`istio_request_duration_milliseconds_bucket{le="${le}"}`))
  expect(counts).toEqual(counts.toSorted((a, b) => a - b))
  expect(counts.at(-1)).toBe(1_000)
  expect(query('istio_request_duration_milliseconds_sum')).toBeGreaterThan(0)
})

test('CPU grows with the requests that the pod answered', () => {
  expect(scraped({ p50: 8, p95: 25 })('container_cpu_usage_seconds_total')).toBeCloseTo(2, 10)
})
