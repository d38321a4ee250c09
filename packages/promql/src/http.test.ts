import { expect, test } from 'vitest'
import { promqlHandler } from './http.ts'
import { SeriesStore } from './store.ts'

const NOW = 1_700_000_000_500

function api() {
  const store = new SeriesStore()
  for (const pod of ['web-1', 'web-2']) {
    const ref = store.ref({ __name__: 'up', job: 'web', pod })
    for (let step = 0; step < 5; step++) store.appendTo(ref, NOW - 60_000 + step * 15_000, step)
  }
  store.append({ __name__: 'http_requests_total', code: '200' }, NOW, 5)
  store.describe('http_requests_total', { type: 'counter', help: 'Requests served.' })
  const handler = promqlHandler(store, { now: () => NOW })
  return async (path: string, init?: RequestInit) => {
    const response = await handler(new Request(`http://prometheus.monitoring:9090${path}`, init))
    const text = await response.text()
    const isJson = response.headers.get('content-type') === 'application/json'
    return { status: response.status, body: isJson ? JSON.parse(text) : text }
  }
}

test('a query without a time is answered for now, to the millisecond', async () => {
  expect(await api()('/api/v1/query?query=sum(up)')).toEqual({
    status: 200,
    body: {
      status: 'success',
      data: { resultType: 'vector', result: [{ metric: {}, value: [1_700_000_000.5, '8'] }] },
    },
  })
})

test('a query may come as a form, as the metric provider sends it', async () => {
  const init = {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: 'query=scalar%28up%7Bpod%3D%22web-1%22%7D%29&time=1699999970.5',
  }
  expect((await api()('/api/v1/query', init)).body.data).toEqual({
    resultType: 'scalar',
    result: [1_699_999_970.5, '2'],
  })
})

test('an empty answer is an empty vector', async () => {
  expect((await api()('/api/v1/query?query=nothing')).body).toEqual({
    status: 'success',
    data: { resultType: 'vector', result: [] },
  })
})

test('a range query takes seconds, RFC 3339 times and durations', async () => {
  const ask = api()
  const { body } = await ask(
    '/api/v1/query_range?query=up{pod="web-1"}&start=2023-11-14T22:12:50.5Z&end=1700000000.5&step=15s',
  )
  expect(body.data.result[0].values).toEqual([
    [1_699_999_970.5, '2'],
    [1_699_999_985.5, '3'],
    [1_700_000_000.5, '4'],
  ])
  expect(
    (await ask('/api/v1/query_range?query=1&start=0&end=1&step=0.5')).body.data.result[0].values,
  ).toHaveLength(3)
})

test('warnings and infos travel with the answer', async () => {
  const { body } = await api()('/api/v1/query?query=quantile(2,rate(up[1m]))')
  expect(body.warnings).toEqual([
    'PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)',
  ])
  expect(body.infos).toHaveLength(1)
})

test.each([
  [
    '/api/v1/query?query=foo+bar',
    400,
    'bad_data',
    'invalid parameter "query": 1:5: parse error: unexpected identifier "bar"',
  ],
  [
    '/api/v1/query',
    400,
    'bad_data',
    'invalid parameter "query": unknown position: parse error: no expression found in input',
  ],
  [
    '/api/v1/query?query=up&time=x',
    400,
    'bad_data',
    `invalid parameter "time": invalid time value for 'time': cannot parse "x" to a valid timestamp`,
  ],
  [
    '/api/v1/query?query=up&timeout=x',
    400,
    'bad_data',
    'invalid parameter "timeout": cannot parse "x" to a valid duration',
  ],
  [
    '/api/v1/query?query=up&limit=-1',
    400,
    'bad_data',
    'invalid parameter "limit": limit must be non-negative',
  ],
  [
    '/api/v1/query?query=rate({job="web"}[1m])*on(job)up',
    422,
    'execution',
    /^found duplicate series for the match group \{job="web"\}/,
  ],
  [
    '/api/v1/query_range?query=up&start=1&end=0&step=1',
    400,
    'bad_data',
    'invalid parameter "end": end timestamp must not be before start time',
  ],
  [
    '/api/v1/query_range?query=up&start=0&end=1',
    400,
    'bad_data',
    'invalid parameter "step": cannot parse "" to a valid duration',
  ],
  [
    '/api/v1/query_range?query=up&start=0&end=1&step=0',
    400,
    'bad_data',
    /zero or negative query resolution step widths are not accepted/,
  ],
  [
    '/api/v1/query_range?query=up&start=0&end=20000&step=1',
    400,
    'bad_data',
    /^exceeded maximum resolution of 11,000 points per timeseries\./,
  ],
  [
    '/api/v1/query_range?query=up[1m]&start=0&end=1&step=1',
    400,
    'bad_data',
    'invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector',
  ],
  ['/api/v1/series', 400, 'bad_data', 'no match[] parameter provided'],
  [
    '/api/v1/series?match[]={}',
    400,
    'bad_data',
    'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
  ],
  [
    '/api/v1/series?match[]=sum(up)',
    400,
    'bad_data',
    /^invalid parameter "match\[\]": 1:1: parse error/,
  ],
  ['/api/v1/metadata?limit=x', 400, 'bad_data', 'limit must be a number'],
])('%s is answered with %i %s', async (path, status, errorType, error) => {
  const answer = await api()(path.replaceAll('+', '%20'))
  expect(answer).toEqual({
    status,
    body: {
      status: 'error',
      errorType,
      error: typeof error === 'string' ? error : expect.stringMatching(error),
    },
  })
})

test('a query beyond its timeout is answered with 503', async () => {
  let now = NOW
  const handler = promqlHandler(new SeriesStore(), { now: () => (now += 1000) })
  const response = await handler(new Request('http://p/api/v1/query?query=up&timeout=500ms'))
  expect(response.status).toBe(503)
  expect(await response.json()).toMatchObject({ status: 'error', errorType: 'timeout' })
})

test('series, labels, label values and metadata can be browsed', async () => {
  const ask = api()
  const data = async (path: string) => (await ask(path)).body.data
  expect(await data('/api/v1/series?match[]=up&match[]={pod="web-1"}')).toEqual([
    { __name__: 'up', job: 'web', pod: 'web-1' },
    { __name__: 'up', job: 'web', pod: 'web-2' },
  ])
  expect(await data('/api/v1/labels')).toEqual(['__name__', 'code', 'job', 'pod'])
  expect(await data('/api/v1/labels?match[]=up')).toEqual(['__name__', 'job', 'pod'])
  expect(await data('/api/v1/label/pod/values')).toEqual(['web-1', 'web-2'])
  expect(await data('/api/v1/label/U______name____/values')).toEqual(['http_requests_total', 'up'])
  expect(await data('/api/v1/label/__name__/values')).toEqual(['http_requests_total', 'up'])
  expect(await data('/api/v1/metadata')).toEqual({
    http_requests_total: [{ type: 'counter', help: 'Requests served.', unit: '' }],
  })
  expect(await data('/api/v1/metadata?metric=up')).toEqual({})
  expect((await data('/api/v1/status/buildinfo')).version).toMatch(/^3\./)
})

test('a limit cuts an answer short and says so', async () => {
  const { body } = await api()('/api/v1/query?query=up&limit=1')
  expect(body.data.result).toHaveLength(1)
  expect(body.warnings).toEqual(['results truncated due to limit'])
})

test('health, unknown paths and wrong methods answer as Prometheus does', async () => {
  const ask = api()
  expect(await ask('/-/healthy')).toEqual({ status: 200, body: 'Prometheus Server is Healthy.\n' })
  expect(await ask('/-/ready')).toEqual({ status: 200, body: 'Prometheus Server is Ready.\n' })
  expect(await ask('/api/v1/nope')).toEqual({ status: 404, body: '404 page not found\n' })
  expect(await ask('/api/v1/constructor')).toEqual({ status: 404, body: '404 page not found\n' })
  expect((await ask('/api/v1/query', { method: 'DELETE' })).status).toBe(405)
  expect((await ask('/prefix/api/v1/query?query=1')).status).toBe(200)
})
