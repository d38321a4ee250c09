import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import type { Measured } from './provider.ts'
import { providerContract } from './provider-contract.ts'
import {
  json,
  measureInput,
  refused,
  silent,
  text,
  type VendorAnswer,
  vendor,
} from './test-input.ts'
import { web } from './web.ts'

/** Users write any verb in any case. */
type Config = Omit<NonNullable<Metric['provider']['web']>, 'method'> & { readonly method?: string }

function metricOf(config: Partial<Config>, conditions: Partial<Metric> = {}): Metric {
  return {
    name: 'm',
    ...conditions,
    provider: { web: { url: 'http://checks/m', ...config } },
  } as Metric
}

async function measure(
  answer: VendorAnswer,
  conditions: Partial<Metric> = {},
  config: Partial<Config> = {},
): Promise<Measured> {
  const { fetch } = vendor(answer)
  return web.run(measureInput(metricOf(config, conditions), { fetch }))
}

const failing = (answer: VendorAnswer, config: Partial<Config> = {}) =>
  measure(answer, {}, config).then(
    () => 'no error',
    (error: Error) => error.message,
  )

providerContract('A web metric', () => ({
  provider: web,
  metric: metricOf(
    {
      url: 'http://me:hunter2@checks/m',
      headers: [{ key: 'X-Token', value: 'hunter2' }],
      jsonPath: '{$.v}',
    },
    { successCondition: 'result >= 0.95', failureCondition: 'result < 0.95' },
  ),
  secret: 'hunter2',
  input: (metric, facts) => measureInput(metric, facts),
  sources: {
    value: { fetch: vendor(json({ v: 0.97 })).fetch },
    empty: { fetch: vendor(json({ v: [] })).fetch },
    notANumber: { skip: 'JSON has no NaN' },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '0.97' },
    empty: {
      kind: 'done',
      phase: 'Error',
      value: '[]',
      message:
        'could not evaluate successCondition "result >= 0.95": metric result is nil or empty: no data returned from the metric provider (invalid operation: >= (mismatched types []interface {} and float64))',
    },
    failing: 'Get "http://me:***@checks/m": dial tcp 10.0.0.7:9090: connect: connection refused',
    silent:
      /^Get "http:\/\/me:\*\*\*@checks\/m": context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\)$/,
  },
}))

describe('the request of a web metric', () => {
  test('is a GET within 10 s unless the metric says otherwise [metric-providers 24]', async () => {
    const played = vendor(json(1))
    await web.run(measureInput(metricOf({}), { fetch: played.fetch }))
    expect(played.requests).toEqual([
      { method: 'GET', url: 'http://checks/m', headers: {}, body: '', insecure: false },
    ])
    const deadline = (timeoutSeconds?: number) =>
      web.deadlineMs?.(metricOf(timeoutSeconds === undefined ? {} : { timeoutSeconds }))
    expect([deadline(), deadline(-1), deadline(0), deadline(20)]).toEqual([
      10_000, 10_000, 10_000, 20_000,
    ])
  })

  test('carries headers and a JSON body whose type is not up for choice', async () => {
    const played = vendor(json({ data: { successPercent: 0.95, ok: true } }))
    const metric = metricOf(
      {
        method: 'post',
        url: 'http://checks.prod.svc/api/v1/measurement?service=guestbook',
        headers: [
          { key: 'authorization', value: 'Bearer t0k' },
          { key: 'content-type', value: 'text/yaml' },
        ],
        jsonBody: { window: '5m' },
        jsonPath: '{$.data}',
        insecure: true,
      },
      { successCondition: 'result.ok && result.successPercent >= 0.90' },
    )
    expect(await web.run(measureInput(metric, { fetch: played.fetch }))).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '{"ok":true,"successPercent":0.95}',
    })
    expect(played.requests).toEqual([
      {
        method: 'POST',
        url: 'http://checks.prod.svc/api/v1/measurement?service=guestbook',
        headers: { authorization: 'Bearer t0k', 'content-type': 'application/json' },
        body: '{"window":"5m"}',
        insecure: true,
      },
    ])
  })

  test('takes one kind of body, and none with GET [metric-providers 25]', async () => {
    const both = { method: 'POST', body: 'x', jsonBody: {} }
    expect(await failing(json(1), both)).toBe(
      'use either Body or JSONBody; both cannot exists for WebMetric payload',
    )
    const refusal = 'Body/JSONBody can only be used with POST or PUT WebMetric Method types'
    expect(await failing(json(1), { body: 'x' })).toBe(refusal)
    expect(await failing(json(1), { jsonBody: {}, method: 'get' })).toBe(refusal)
    const played = vendor(json(1))
    await web.run(measureInput(metricOf({ body: 'x', method: 'PATCH' }), { fetch: played.fetch }))
    expect(played.requests[0]).toMatchObject({ method: 'PATCH', body: 'x' })
  })

  test('carries user and password, unless a header of the metric says otherwise', async () => {
    const played = vendor(json(1))
    const authentication = { basicAuth: { username: 'myuser', password: 'mypassword' } }
    const own = [{ key: 'authorization', value: 'Bearer own' }]
    for (const headers of [[], own])
      await web.run(measureInput(metricOf({ authentication, headers }), { fetch: played.fetch }))
    expect(played.requests.map((request) => request.headers['authorization'])).toEqual([
      'Basic bXl1c2VyOm15cGFzc3dvcmQ=',
      'Bearer own',
    ])
  })

  test('is not signed for Amazon, and the run says so', () => {
    const authentication = { sigv4: { region: 'eu-west-1' } }
    const described = (metric: Metric) => web.metadata?.(metric, measureInput(metric))
    expect(described(metricOf({ authentication }))).toEqual({
      IgnoredSetting: 'authentication.sigv4: requests of web metrics are not signed',
    })
    expect(described(metricOf({}))).toBeUndefined()
  })

  test('carries the token that client credentials yield', async () => {
    const played = vendor(json({ access_token: 't0k' }), json(1))
    const oauth2 = { tokenUrl: 'https://id/token', clientId: 'id', clientSecret: 'hush' }
    await web.run(measureInput(metricOf({ authentication: { oauth2 } }), { fetch: played.fetch }))
    expect(played.requests[1]?.headers).toEqual({ authorization: 'Bearer t0k' })
    expect(await failing(text('', { status: 500 }), { authentication: { oauth2 } })).toBe(
      'Get "http://checks/m": oauth2: cannot fetch token: 500 Internal Server Error\nResponse: ',
    )
  })
})

describe('the answer to a web metric', () => {
  test('that is empty is the empty text [metric-providers 26]', async () => {
    const empty = () => new Response(null, { status: 204 })
    expect(await measure(empty, { successCondition: 'result == ""' })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '',
    })
  })

  test('that is no JSON is taken as text, whatever the path [metric-providers 27]', async () => {
    const conditions = { successCondition: 'result contains "OK"' }
    expect(await measure(text('I am OK'), conditions, { jsonPath: '{$.x}' })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: 'I am OK',
    })
  })

  test('is the first value of the path [metric-providers 28]', async () => {
    const answer = json({ a: { b: [1, 2, 3] } })
    const conditions = { successCondition: 'result == 1' }
    expect(await measure(answer, conditions, { jsonPath: '{$.a.b[*]}' })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '1',
    })
  })

  test('may be null [metric-providers 29] [analysis-and-experiments 43]', async () => {
    const nothing = { kind: 'done', phase: 'Successful', value: 'null' }
    expect(await measure(json(null), { successCondition: 'isNil(result)' })).toEqual(nothing)
    expect(await measure(json(null), { successCondition: 'default(result, 0) < 0.05' })).toEqual(
      nothing,
    )
    expect(await measure(json(null), { successCondition: 'result < 0.05' })).toMatchObject({
      phase: 'Error',
      message:
        'could not evaluate successCondition "result < 0.05": metric result is nil or empty: no data returned from the metric provider',
    })
  })

  test('is stored as Go prints JSON [metric-providers 30]', async () => {
    expect(await measure(json({ z: 1, a: '<b>' }))).toMatchObject({
      value: '{"a":"\\u003cb\\u003e","z":1}',
    })
    expect(await measure(text('{"f":12.0,"l":["&",null,"\u2028"]}'))).toMatchObject({
      value: '{"f":12,"l":["\\u0026",null,"\\u2028"]}',
    })
  })

  test('of any status but 2xx is an error [metric-providers 31]', async () => {
    const code = 'received non 2xx response code:'
    expect(await failing(text('', { status: 500 }))).toBe(`${code} 500`)
    expect(await failing(text('<html>sorry</html>', { status: 502 }))).toBe(`${code} 502`)
    expect(await failing(json({ error: 'no such service' }, { status: 404 }))).toBe(
      `${code} 404 ({"error":"no such service"})`,
    )
  })

  test('is no data where a filter lets nothing through, and onNoData says what that means', async () => {
    const config = { jsonPath: '{.l[?(@.v>9)]}' }
    expect(await measure(json({ l: [{ v: 1 }] }), { onNoData: 'Successful' }, config)).toEqual({
      kind: 'done',
      phase: 'Successful',
      message: 'no data: onNoData is Successful (result of web metric produced no value)',
    })
  })

  test.each([
    ['{$.x}', 'Could not find JSONPath in body: x is not found'],
    ['{.l[?(@.v==9.0)]}', 'result of web metric produced no value'],
  ])('without what %s names is an error: %s', async (jsonPath, message) => {
    expect(await failing(json({ l: [{ v: 1 }] }), { jsonPath })).toBe(message)
  })

  test('is not asked for when the path is malformed', async () => {
    const played = vendor(json(1))
    const input = measureInput(metricOf({ jsonPath: '{.a' }), { fetch: played.fetch })
    await expect(web.run(input)).rejects.toThrow('unclosed action')
    expect(played.requests).toEqual([])
  })

  test('keeps numbers apart: JSON has only floats [analysis-and-experiments 44]', async () => {
    const answer = json({ ok: true, n: 7 })
    expect(await measure(answer, { successCondition: 'int(result.n) % 2 == 1' })).toMatchObject({
      phase: 'Successful',
    })
    expect(await measure(answer, { successCondition: 'result.n % 2 == 1' })).toMatchObject({
      phase: 'Error',
    })
  })

  test('needs a condition that is true or false [analysis-and-experiments 45]', async () => {
    expect(await measure(text('1.0'), { successCondition: 'result' })).toMatchObject({
      phase: 'Error',
      message: 'could not evaluate successCondition "result": expected bool, but got float64',
    })
  })

  test.each([
    [{}, 'Successful'],
    [{ successCondition: 'result > 0' }, 'Successful'],
    [{ successCondition: 'result > 1' }, 'Failed'],
    [{ failureCondition: 'result > 0' }, 'Failed'],
    [{ failureCondition: 'result > 1' }, 'Successful'],
    [{ successCondition: 'result > 0', failureCondition: 'result > 0' }, 'Failed'],
    [{ successCondition: 'result > 0', failureCondition: 'result > 1' }, 'Successful'],
    [{ successCondition: 'result > 1', failureCondition: 'result > 1' }, 'Inconclusive'],
  ])('of 1 under %j is %s [metric-providers 7]', async (conditions, phase) => {
    expect(await measure(json(1), conditions)).toMatchObject({ phase })
  })
})
