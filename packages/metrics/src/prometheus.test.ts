import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import { prometheus } from './prometheus.ts'
import type { Measured } from './provider.ts'
import { providerContract } from './provider-contract.ts'
import {
  json,
  measureInput,
  refused,
  silent,
  testNow,
  text,
  type VendorAnswer,
  vendor,
} from './test-input.ts'

type Config = NonNullable<Metric['provider']['prometheus']>

const noData = 'metric result is nil or empty: no data returned from the metric provider'

function metricOf(config: Config, conditions: Partial<Metric> = {}): Metric {
  return {
    name: 'm',
    ...conditions,
    provider: { prometheus: { address: 'http://p:9090', query: 'up', ...config } },
  }
}

function success(resultType: string, result: unknown, more: object = {}): VendorAnswer {
  return json({ status: 'success', data: { resultType, result }, ...more })
}

function vectorOf(...values: readonly string[]): VendorAnswer {
  return success(
    'vector',
    values.map((value) => ({ metric: {}, value: [1786963271.123, value] })),
  )
}

async function measure(
  answer: VendorAnswer | readonly VendorAnswer[],
  conditions: Partial<Metric> = {},
  config: Config = {},
): Promise<Measured> {
  const played = vendor(...[answer].flat())
  return prometheus.run(measureInput(metricOf(config, conditions), { fetch: played.fetch }))
}

const failing = (answer: VendorAnswer, config: Config = {}) =>
  measure(answer, {}, config).then(
    () => 'no error',
    (error: Error) => error.message,
  )

providerContract('Prometheus', () => ({
  provider: prometheus,
  metric: metricOf(
    {
      address: 'http://me:hunter2@p:9090',
      timeout: 7,
      authentication: { basicAuth: { username: 'me', password: 'hunter2' } },
    },
    { successCondition: 'result[0] >= 0.95', failureCondition: 'result[0] < 0.95' },
  ),
  secret: 'hunter2',
  input: (metric, facts) => measureInput(metric, facts),
  sources: {
    value: { fetch: vendor(vectorOf('0.97')).fetch },
    empty: { fetch: vendor(vectorOf()).fetch },
    notANumber: { fetch: vendor(vectorOf('NaN')).fetch },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '[0.97]' },
    empty: {
      kind: 'done',
      phase: 'Error',
      value: '[]',
      message: `could not evaluate successCondition "result[0] >= 0.95": ${noData} (query returned no series)`,
    },
    notANumber: { kind: 'done', phase: 'Inconclusive', value: '[NaN]' },
    failing:
      'Post "http://me:***@p:9090/api/v1/query": dial tcp 10.0.0.7:9090: connect: connection refused',
    silent: /^Post "http:\/\/me:\*\*\*@p:9090\/api\/v1\/query": context deadline exceeded$/,
  },
}))

describe('the request to Prometheus', () => {
  test('is a form with the query as written and the present instant', async () => {
    const played = vendor(vectorOf('1'))
    const query = 'sum(rate(http_requests_total{status=~"5..", a!="*~"}[5m]))\n'
    await prometheus.run(measureInput(metricOf({ query }), { fetch: played.fetch }))
    expect(played.requests).toEqual([
      {
        method: 'POST',
        url: 'http://p:9090/api/v1/query',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'query=sum%28rate%28http_requests_total%7Bstatus%3D~%225..%22%2C+a%21%3D%22%2A~%22%7D%5B5m%5D%29%29%0A&time=1786963271.25',
        insecure: false,
      },
    ])
  })

  test('goes to the address of the process where the metric names none, and to the metric’s where both do [metric-providers 9]', async () => {
    const env = { ARGO_ROLLOUTS_PROMETHEUS_ADDRESS: 'http://p:9090' }
    const played = vendor(vectorOf('1'))
    for (const address of ['', 'http://own:9090']) {
      const input = measureInput(metricOf({ address }), { fetch: played.fetch, env })
      await prometheus.run(input)
    }
    expect(played.requests.map((request) => request.url)).toEqual([
      'http://p:9090/api/v1/query',
      'http://own:9090/api/v1/query',
    ])
  })

  test('needs an address with scheme and host [metric-providers 10]', async () => {
    const address = (text: string, env = {}) =>
      prometheus.run(measureInput(metricOf({ address: text }), { env }))
    const malformed = new Error('prometheus address is not is url format')
    await expect(address('prometheus:9090')).rejects.toThrow(malformed)
    await expect(address('p')).rejects.toThrow(malformed)
    await expect(address('', { ARGO_ROLLOUTS_PROMETHEUS_ADDRESS: 'p:1' })).rejects.toThrow(
      malformed,
    )
    await expect(address('')).rejects.toThrow(new Error('prometheus address is not configured'))
  })

  test('keeps the path and the query string of the address', async () => {
    const played = vendor(vectorOf('1'))
    const address = 'https://mimir/prometheus/?tenant=a'
    await prometheus.run(
      measureInput(metricOf({ address, insecure: true }), { fetch: played.fetch }),
    )
    expect(played.requests[0]).toMatchObject({
      url: 'https://mimir/prometheus/api/v1/query?tenant=a',
      insecure: true,
    })
  })

  test.each([405, 403, 501])(
    'refused with %i is sent again by GET with the same parameters [metric-providers 14]',
    async (status) => {
      const played = vendor(text('no', { status }), vectorOf('0.5'))
      const metric = metricOf({
        query: 'a + b',
        headers: [{ key: 'X-Scope-OrgID', value: 'a' }],
        address: 'http://p:9090?old=1',
      })
      const measured = await prometheus.run(measureInput(metric, { fetch: played.fetch }))
      expect(measured).toMatchObject({ value: '[0.5]' })
      expect(played.requests).toMatchObject([
        { method: 'POST', body: 'query=a+%2B+b&time=1786963271.25' },
        {
          method: 'GET',
          url: 'http://p:9090/api/v1/query?query=a+%2B+b&time=1786963271.25',
          headers: { 'x-scope-orgid': 'a' },
          body: '',
        },
      ])
    },
  )

  test('of a range names start, end and step in seconds and reads all series in a row [metric-providers 17]', async () => {
    const played = vendor(
      success('matrix', [
        {
          metric: {},
          values: [
            [1, '11'],
            [2, '12'],
          ],
        },
        {
          metric: {},
          values: [
            [1, '13'],
            [2, '14'],
          ],
        },
      ]),
    )
    const date = 'date("2023-08-14 00:00:00", "2006-01-02 15:04:05", "UTC")'
    const metric = metricOf({
      rangeQuery: { start: `${date} - duration("1h")`, end: date, step: '1m' },
    })
    const measured = await prometheus.run(measureInput(metric, { fetch: played.fetch }))
    expect(measured).toEqual({ kind: 'done', phase: 'Successful', value: '[11,12,13,14]' })
    expect(played.requests).toMatchObject([
      {
        url: 'http://p:9090/api/v1/query_range',
        body: 'end=1691971200&query=up&start=1691967600&step=60',
      },
    ])
  })

  test('of a range counts now() from the clock of the controller', async () => {
    const played = vendor(success('matrix', []))
    const rangeQuery = { start: 'now() - duration("5m")', end: 'now()', step: '1500ms' }
    await prometheus.run(measureInput(metricOf({ rangeQuery }), { fetch: played.fetch }))
    const end = testNow / 1000
    expect(played.requests[0]?.body).toBe(`end=${end}&query=up&start=${end - 300}&step=1.5`)
  })

  test.each([
    [
      { start: 'now()', end: 'now()', step: '??' },
      'failed to parse rangeQuery.step as duration: time: invalid duration "??"',
    ],
    [
      { start: '1 + 1', end: 'now()', step: '1m' },
      'failed to parse rangeQuery.start as time: expected time.Time, but got int',
    ],
    [
      { start: 'now()', end: 'nope', step: '1m' },
      'failed to parse rangeQuery.end as time: unknown name nope',
    ],
  ])('of a range %j is not sent: %s [metric-providers 18]', async (rangeQuery, message) => {
    expect(await failing(vectorOf('1'), { rangeQuery })).toBe(message)
  })

  test('is not sent with a negative time-out; the default deadline is 30 s [metric-providers 16]', async () => {
    expect(await failing(vectorOf('1'), { timeout: -20 })).toBe(
      'prometheus timeout should not be negative',
    )
    const deadline = (timeout?: number) =>
      prometheus.deadlineMs?.(metricOf(timeout === undefined ? {} : { timeout }))
    expect([deadline(), deadline(1), deadline(0)]).toEqual([30_000, 1000, 0])
  })
})

describe('credentials for Prometheus', () => {
  test('by user and password need both [metric-providers 20]', async () => {
    const basicAuth = { username: 'myuser', password: 'mypassword' }
    const played = vendor(vectorOf('1'))
    const metric = metricOf({ authentication: { basicAuth } })
    await prometheus.run(measureInput(metric, { fetch: played.fetch }))
    expect(played.requests[0]?.headers['authorization']).toBe('Basic bXl1c2VyOm15cGFzc3dvcmQ=')
    const text = 'missing mandatory parameter in metric for basic auth setup:'
    const half = (basicAuth: { username?: string; password?: string }) =>
      failing(vectorOf('1'), { authentication: { basicAuth } } as Config)
    expect(await half({ password: 'p' })).toBe(`${text} username`)
    expect(await half({ username: 'u' })).toBe(`${text} password`)
  })

  test('by client id are told in the header first, then in the body, and every request carries the headers of the metric [metric-providers 21] [metric-providers 22]', async () => {
    const played = vendor(
      json({ error: 'invalid_client' }, { status: 401 }),
      json({ access_token: 't0k', token_type: 'bearer', expires_in: '3600' }),
      vectorOf('1'),
    )
    const metric = metricOf({
      headers: [{ key: 'X-Scope-OrgID', value: 'tenant_a' }],
      authentication: {
        oauth2: {
          tokenUrl: 'https://id/token',
          clientId: 'id 1',
          clientSecret: 's:1',
          scopes: ['a', 'b'],
        },
      },
    })
    await prometheus.run(measureInput(metric, { fetch: played.fetch }))
    const form = {
      'content-type': 'application/x-www-form-urlencoded',
      'x-scope-orgid': 'tenant_a',
    }
    const inHeader = `Basic ${Buffer.from('id+1:s%3A1').toString('base64')}`
    expect(played.requests).toEqual([
      {
        method: 'POST',
        url: 'https://id/token',
        headers: { ...form, authorization: inHeader },
        body: 'grant_type=client_credentials&scope=a+b',
        insecure: false,
      },
      {
        method: 'POST',
        url: 'https://id/token',
        headers: form,
        body: 'client_id=id+1&client_secret=s%3A1&grant_type=client_credentials&scope=a+b',
        insecure: false,
      },
      {
        method: 'POST',
        url: 'http://p:9090/api/v1/query',
        headers: { ...form, authorization: 'Bearer t0k' },
        body: 'query=up&time=1786963271.25',
        insecure: false,
      },
    ])
  })

  test('that a header of the metric names win over all others [metric-providers 22]', async () => {
    const played = vendor(vectorOf('1'))
    const metric = metricOf({
      headers: [{ key: 'authorization', value: 'Bearer own' }],
      authentication: { basicAuth: { username: 'u', password: 'p' } },
    })
    await prometheus.run(measureInput(metric, { fetch: played.fetch }))
    expect(played.requests[0]?.headers['authorization']).toBe('Bearer own')
  })

  const oauth2 = { tokenUrl: 'https://id/token', clientId: 'id', clientSecret: 'hush' }
  const prefix = 'Post "http://p:9090/api/v1/query": '
  test.each<[string, VendorAnswer, string]>([
    [
      'a refusal',
      text('who?', { status: 401, statusText: '' }),
      `${prefix}oauth2: cannot fetch token: 401 Unauthorized\nResponse: who?`,
    ],
    [
      'an error in a good answer',
      json({ error: 'invalid_scope', error_description: 'no such scope' }),
      `${prefix}oauth2: "invalid_scope" "no such scope"`,
    ],
    ['an empty token', json({}), `${prefix}oauth2: server response missing access_token`],
    [
      'no answer',
      refused,
      `${prefix}Post "https://id/token": dial tcp 10.0.0.7:9090: connect: connection refused`,
    ],
  ])('fail with %s of the token server', async (_, answer, message) => {
    expect(await failing(answer, { authentication: { oauth2 } })).toBe(message)
  })

  test('by client id need id and secret', async () => {
    const incomplete = { tokenUrl: 'https://id/token', clientId: 'id' }
    expect(await failing(vectorOf('1'), { authentication: { oauth2: incomplete } } as Config)).toBe(
      'missing mandatory parameter in metric for OAuth2 setup',
    )
  })

  test('read from a form-encoded token answer work too', async () => {
    const played = vendor(
      () =>
        new Response('access_token=f0rm&token_type=MAC', {
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        }),
      vectorOf('1'),
    )
    const metric = metricOf({ authentication: { oauth2 } })
    await prometheus.run(measureInput(metric, { fetch: played.fetch }))
    expect(played.requests[1]?.headers['authorization']).toBe('MAC f0rm')
  })
})

describe('the answer of Prometheus', () => {
  test('with a scalar is a number, with a vector a list [metric-providers 11]', async () => {
    expect(
      await measure(success('scalar', [1, '10']), { successCondition: 'result == 10' }),
    ).toEqual({ kind: 'done', phase: 'Successful', value: '10' })
    expect(await measure(vectorOf('10', '11'), { successCondition: '10 in result' })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '[10,11]',
    })
  })

  test('without any series says so, since a condition on it can never hold [metric-providers 12] [analysis-and-experiments 42]', async () => {
    const measured = await measure(vectorOf(), { successCondition: 'result[0] >= 0.95' })
    expect(measured).toEqual({
      kind: 'done',
      phase: 'Error',
      value: '[]',
      message: `could not evaluate successCondition "result[0] >= 0.95": ${noData} (query returned no series)`,
    })
    const guarded = { successCondition: 'len(result) == 0 || result[0] >= 0.95' }
    expect(await measure(vectorOf(), guarded)).toMatchObject({ phase: 'Successful' })
  })

  test('without any series does not hide a mistake in the condition', async () => {
    const measured = await measure(vectorOf(), { successCondition: 'reslut[0] >= 0.95' })
    expect(measured).toMatchObject({
      message: `could not evaluate successCondition "reslut[0] >= 0.95": ${noData} (query returned no series; unknown name reslut)`,
    })
  })

  test.each<[string, Partial<Metric>, string]>([
    ['NaN', { successCondition: 'result[0] <= 500' }, 'Failed'],
    ['NaN', { failureCondition: 'result[0] < 0.9' }, 'Successful'],
    [
      'NaN',
      { successCondition: 'result[0] >= 0.9', failureCondition: 'result[0] < 0.9' },
      'Inconclusive',
    ],
    ['NaN', { successCondition: 'isNaN(result[0]) || result[0] > 0.9' }, 'Successful'],
    ['+Inf', { successCondition: 'result[0] >= 0.9' }, 'Successful'],
    ['-Inf', { successCondition: 'result[0] >= 0.9' }, 'Failed'],
  ])(
    'of %s under %j is %s [metric-providers 13] [analysis-and-experiments 41]',
    async (value, conditions, phase) => {
      expect(await measure(vectorOf(value), conditions)).toEqual({
        kind: 'done',
        phase,
        value: `[${value}]`,
      })
    },
  )

  test('between two conditions is inconclusive [analysis-and-experiments 40]', async () => {
    const conditions = {
      successCondition: 'result[0] < 0.01',
      failureCondition: 'result[0] >= 0.02',
    }
    expect(await measure(vectorOf('0.015'), conditions)).toEqual({
      kind: 'done',
      phase: 'Inconclusive',
      value: '[0.015]',
    })
  })

  test('prints without exponent [metric-providers 8]', async () => {
    expect(await measure(vectorOf('1e21', '1e-7', '+Inf'))).toMatchObject({
      value: '[1000000000000000000000,0.0000001,+Inf]',
    })
  })

  test('may carry warnings, which stay with the measurement [metric-providers 19]', async () => {
    const measured = await measure(success('vector', [], { warnings: ['a', 'b'], infos: ['c'] }))
    expect(measured).toMatchObject({ metadata: { warnings: '"a", "b"' } })
  })

  test('with native histograms only has no number that could be judged', async () => {
    const answer = success('vector', [{ metric: {}, histogram: [1, { count: '3' }] }])
    expect(await measure(answer, { successCondition: 'result[0] == 0' })).toMatchObject({
      phase: 'Error',
      value: '[]',
      message: expect.stringContaining('(query returned no plain numbers, only native histograms)'),
    })
  })

  const error = (errorType: string, message: string, status: number) =>
    json({ status: 'error', errorType, error: message }, { status })
  test.each<[VendorAnswer, string]>([
    [error('execution', 'boom', 422), 'execution: boom'],
    [error('bad_data', 'parse error', 400), 'bad_data: parse error'],
    [error('timeout', 'late', 200), 'timeout: late'],
    [text('<html>sorry</html>', { status: 503 }), 'server_error: server error: 503'],
    [
      text('no healthy upstream', { status: 503 }),
      'server_error: server error: 503 (no healthy upstream)',
    ],
    [error('timeout', 'late', 503), 'server_error: server error: 503 (timeout: late)'],
    [text('', { status: 404 }), 'client_error: client error: 404'],
    [text('', { status: 300 }), 'bad_response: bad response code 300'],
    [
      json({ status: 'success' }, { status: 422 }),
      'bad_response: inconsistent body for response code',
    ],
    [success('string', [1, 'x']), 'unexpected value type "string"'],
    [json({ status: 'success' }), 'unexpected value type ""'],
    [vectorOf('12x'), 'bad_response: strconv.ParseFloat: parsing "12x": invalid syntax'],
    [success('scalar', [1]), 'bad_response: strconv.ParseFloat: parsing "": invalid syntax'],
  ])('%#, told as an error: $1 [metric-providers 15]', async (answer, message) => {
    expect(await failing(answer)).toBe(message)
  })

  test('that is no JSON is told as such', async () => {
    expect(await failing(text('<html>'))).toMatch(/^bad_response: .*JSON/)
    expect(await failing(text('null'))).toBe('bad_response: no JSON object')
  })

  test('may be elsewhere: redirects are followed, credentials stay with the host', async () => {
    const to =
      (status: number, location: string): VendorAnswer =>
      () =>
        new Response(null, { status, headers: { location } })
    const played = vendor(
      to(307, 'http://p:9090/moved'),
      to(302, 'http://other/elsewhere'),
      vectorOf('1'),
    )
    const metric = metricOf({ headers: [{ key: 'Authorization', value: 'Bearer x' }] })
    await prometheus.run(measureInput(metric, { fetch: played.fetch }))
    expect(played.requests).toMatchObject([
      { method: 'POST', body: 'query=up&time=1786963271.25' },
      {
        method: 'POST',
        url: 'http://p:9090/moved',
        body: 'query=up&time=1786963271.25',
        headers: { authorization: 'Bearer x' },
      },
      { method: 'GET', url: 'http://other/elsewhere', headers: {}, body: '' },
    ])
    expect(played.requests[2]?.headers).toEqual({})
    expect(await failing(to(302, '/round'))).toBe(
      'Post "http://p:9090/api/v1/query": stopped after 10 redirects',
    )
  })

  test('is read up to 10 MiB', async () => {
    const huge = text('x'.repeat(10 * 1024 * 1024 + 1))
    expect(await failing(huge)).toBe(
      'Post "http://p:9090/api/v1/query": the answer is larger than 10485760 bytes',
    )
  })
})

describe('failures on the way to Prometheus', () => {
  test.each([
    [{ code: 'ENOTFOUND', hostname: 'p' }, 'dial tcp: lookup p: no such host'],
    [{ code: 'ECONNRESET' }, 'read: connection reset by peer'],
    [
      { code: 'DEPTH_ZERO_SELF_SIGNED_CERT', message: 'self-signed certificate' },
      'tls: failed to verify certificate: self-signed certificate',
    ],
    [{ code: 'UND_ERR_SOCKET', message: 'other side closed' }, 'EOF'],
    [
      { code: 'EHOSTUNREACH', address: 'fd00::7', port: 9090 },
      'dial tcp [fd00::7]:9090: connect: no route to host',
    ],
    [{ code: 'UND_ERR_CONNECT_TIMEOUT', message: 'late' }, 'dial tcp p:9090: i/o timeout'],
    [
      { code: 'ERR_SSL_WRONG_VERSION_NUMBER', message: 'x' },
      'http: server gave HTTP response to HTTPS client',
    ],
  ])('%j reads as Go words it', async (facts, message) => {
    const answer = () => {
      throw new TypeError('fetch failed', {
        cause: new AggregateError([Object.assign(new Error(facts.code), facts)]),
      })
    }
    expect(await failing(answer)).toBe(`Post "http://p:9090/api/v1/query": ${message}`)
  })
})
