import type { Metric } from '@serinus/api'
import { VirtualClock } from '@serinus/kube'
import { describe, expect, test } from 'vitest'
import { newRelic } from './new-relic.ts'
import type { Measured, MeasureInput } from './provider.ts'
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
import { socketFetch, vendorServer } from './test-server.ts'

type Config = NonNullable<Metric['provider']['newRelic']>

const nrql = 'FROM Transaction SELECT percentage(count(*), WHERE ok) AS successRate'
const us = 'https://api.newrelic.com/graphql'

function metricOf(config: Partial<Config> = {}, conditions: Partial<Metric> = {}): Metric {
  return { name: 'm', ...conditions, provider: { newRelic: { query: nrql, ...config } } }
}

const account = { 'personal-api-key': 'NRAK-1', 'account-id': '123' }

function inSecret(
  values: Readonly<Record<string, string>> = account,
  name = 'newrelic',
): MeasureInput['readSecret'] {
  return async (asked) => {
    if (asked.namespace === 'argo-rollouts' && asked.name === name) return values
    throw new Error(`secrets "${asked.name}" not found`)
  }
}

const rows = (...results: readonly unknown[]) =>
  json({ data: { actor: { account: { nrql: { results } } } } })
const errors = (...list: readonly object[]) => json({ errors: list })

/** Time passes as fast as the provider waits. */
async function measured(
  answers: readonly VendorAnswer[],
  conditions: Partial<Metric> = {},
  facts: Partial<MeasureInput> = {},
) {
  const played = vendor(...answers)
  const clock = new VirtualClock(testNow)
  const asked: number[] = []
  const fetch: MeasureInput['fetch'] = (request) => {
    asked.push(clock.now() - testNow)
    return played.fetch(request)
  }
  const input = measureInput(metricOf({}, conditions), {
    fetch,
    clock,
    readSecret: inSecret(),
    ...facts,
  })
  const call: Promise<Measured | string> = newRelic
    .run(input)
    .catch((error: Error) => error.message)
  let isOver = false
  void call.finally(() => {
    isOver = true
  })
  await clock.settle()
  while (!isOver && clock.nextTimerAt !== null) await clock.advance(clock.nextTimerAt - clock.now())
  return { outcome: await call, asked }
}

const failing = async (...answers: readonly VendorAnswer[]) => (await measured(answers)).outcome

providerContract('New Relic', () => ({
  provider: newRelic,
  metric: metricOf(
    {},
    { successCondition: 'result.successRate >= 95', failureCondition: 'result.successRate < 95' },
  ),
  secret: 'hunter2',
  input: (metric, facts) =>
    measureInput(metric, {
      readSecret: inSecret({ ...account, 'personal-api-key': 'hunter2' }),
      ...facts,
    }),
  sources: {
    value: { fetch: vendor(rows({ successRate: 99.2 })).fetch },
    empty: { fetch: vendor(rows({ successRate: null })).fetch },
    notANumber: { skip: 'JSON has no NaN' },
    nothing: { fetch: vendor(rows()).fetch },
    failing: { fetch: vendor(text('no query', { status: 400 })).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '{"successRate":99.2}' },
    empty: {
      kind: 'done',
      phase: 'Error',
      value: '{"successRate":null}',
      message:
        'could not evaluate successCondition "result.successRate >= 95": invalid operation: <nil> >= int',
    },
    nothing: `no results returned from NRQL query (New Relic at ${us})`,
    failing: `400 response returned: no query (New Relic at ${us})`,
    silent:
      /^Post "https:\/\/api\.newrelic\.com\/graphql": context deadline exceeded \(New Relic\)$/,
  },
}))

describe('what New Relic receives', () => {
  test('is a POST to NerdGraph with the key, the account and the NRQL', async () => {
    await using server = await vendorServer([
      { body: '{"data":{"actor":{"account":{"nrql":{"results":[{"n":1}]}}}}}' },
    ])
    const readSecret = inSecret({ ...account, 'base-url-nerdgraph': `${server.url}/graphql` })
    await newRelic.run(measureInput(metricOf({ timeout: 10 }), { fetch: socketFetch, readSecret }))
    expect(server.requests).toEqual([
      {
        line: 'POST /graphql',
        headers: {
          'api-key': 'NRAK-1',
          'content-type': 'application/json',
          'newrelic-requesting-services': 'newrelic-client-go',
          'user-agent': 'argo-rollouts/serinus',
          'x-query-source-component-id': 'newrelic-client-go',
        },
        body: `{"query":"query ($query: Nrql!, $accountId: Int!, $timeout: Seconds!) { actor { account(id: $accountId) { nrql(query: $query, timeout: $timeout) { results } } } }","variables":{"accountId":123,"query":"${nrql}","timeout":10}}`,
      },
    ])
  })

  test('goes with its key to no other host, whatever New Relic says', async () => {
    const moved = () => Response.redirect('https://elsewhere.example/graphql', 307)
    const played = vendor(moved, rows({ n: 1 }))
    await newRelic.run(measureInput(metricOf(), { fetch: played.fetch, readSecret: inSecret() }))
    expect(played.requests.map(({ headers }) => headers['api-key'])).toEqual(['NRAK-1', undefined])
  })

  test('gives the query 5 s unless the metric says otherwise, and the whole measurement 30 s more', async () => {
    const played = vendor(rows({ n: 1 }))
    await newRelic.run(measureInput(metricOf(), { fetch: played.fetch, readSecret: inSecret() }))
    expect(JSON.parse(played.requests[0]?.body ?? '').variables.timeout).toBe(5)
    const deadline = (timeout?: number) =>
      newRelic.deadlineMs?.(metricOf(timeout === undefined ? {} : { timeout }))
    expect([deadline(), deadline(0), deadline(60)]).toEqual([35_000, 30_000, 90_000])
  })

  test.each([
    [{}, {}, us],
    [{ region: 'EU' }, {}, 'https://api.eu.newrelic.com/graphql'],
    [{ region: 'jp' }, {}, 'https://api.jp.newrelic.com/graphql'],
    [{ region: 'fedramp' }, {}, 'https://gov-api.newrelic.com/graphql'],
    [{}, { NEW_RELIC_NERDGRAPH_BASE_URL: 'http://env/graphql' }, 'http://env/graphql'],
    [
      { 'base-url-nerdgraph': 'http://own/graphql' },
      { NEW_RELIC_NERDGRAPH_BASE_URL: 'http://env/graphql' },
      'http://own/graphql',
    ],
  ])(
    'goes to the address of the Secret, of the process or of the region: %j %j [metric-providers 41]',
    async (values, env, url) => {
      const played = vendor(rows({ n: 1 }))
      const readSecret = inSecret({ ...account, ...values })
      await newRelic.run(measureInput(metricOf(), { fetch: played.fetch, readSecret, env }))
      expect(played.requests[0]?.url).toBe(url)
    },
  )
})

describe('the account at New Relic', () => {
  const told = (values: Readonly<Record<string, string>>, config: Partial<Config> = {}) =>
    newRelic.run(measureInput(metricOf(config), { readSecret: inSecret(values) })).then(
      () => 'no error',
      (error: Error) => error.message,
    )

  test('is the one of the profile', async () => {
    const played = vendor(rows({ n: 1 }))
    const readSecret = inSecret({ ...account, 'personal-api-key': 'NRAK-2\n' }, 'mine')
    const hidden: string[] = []
    const hide = (secret: string) => hidden.push(secret)
    const facts = { fetch: played.fetch, readSecret, hide }
    await newRelic.run(measureInput(metricOf({ profile: 'mine' }), facts))
    expect(played.requests[0]?.headers['api-key']).toBe('NRAK-2')
    expect(hidden).toEqual(['NRAK-2'])
  })

  test('needs key and id [metric-providers 41]', async () => {
    const { 'account-id': _, ...noId } = account
    expect(await told(noId)).toBe(
      'account ID or personal API key not found (secret argo-rollouts/newrelic has no account-id)',
    )
    expect(await told({})).toContain('has no personal-api-key and account-id')
  })

  test.each([
    [
      { ...account, 'account-id': 'abc' },
      {},
      'could not parse account ID: strconv.Atoi: parsing "abc": invalid syntax',
    ],
    [
      { ...account, region: 'mars' },
      {},
      'unknown region: mars (known: us, eu, jp, gov, fedramp, staging, local)',
    ],
    [
      { ...account, region: 'constructor' },
      {},
      'unknown region: constructor (known: us, eu, jp, gov, fedramp, staging, local)',
    ],
    [
      { ...account, 'base-url-nerdgraph': 'own' },
      {},
      `base-url-nerdgraph "own" is not a URL; it looks like ${us}`,
    ],
    [account, { profile: 'other' }, 'secrets "other" not found (in namespace argo-rollouts)'],
    [account, { timeout: -1 }, 'timeout value needs to be a positive value'],
  ])('that is wrong is told so: %j %j', async (values, config, message) => {
    expect(await told(values, config)).toBe(message)
  })
})

describe('the answer of New Relic', () => {
  const judged = async (answer: VendorAnswer, successCondition: string) =>
    (await measured([answer], { successCondition })).outcome

  test('is an object for one row and a list for several [metric-providers 41]', async () => {
    expect(
      await judged(
        rows({ 'average.duration': 1.5, appName: '<shop>' }),
        "result['average.duration'] < 2",
      ),
    ).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '{"appName":"\\u003cshop\\u003e","average.duration":1.5}',
    })
    expect(await judged(rows({ count: 10 }, { count: 20 }), 'result[1].count == 20')).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '[{"count":10},{"count":20}]',
    })
  })

  test('keeps a number that nothing was counted for as nil, which is no success', async () => {
    const measurement = await judged(rows({ successRate: null }), 'result.successRate >= 95')
    expect(measurement).toMatchObject({ phase: 'Error', value: '{"successRate":null}' })
  })

  test('without rows is an error, not a failure [metric-providers 42]', async () => {
    const nothing = `no results returned from NRQL query (New Relic at ${us})`
    expect(await failing(rows())).toBe(nothing)
    expect(await failing(rows({}))).toBe(nothing)
    expect(await failing(json({ data: { actor: { account: null } } }))).toBe(nothing)
  })

  test.each([
    [errors({ message: 'NRQL Syntax Error' }), 'NRQL Syntax Error'],
    [errors({ message: 'a' }, { message: 'b' }), 'a, b'],
    [errors({}), 'an error without message'],
    [text('', { status: 404 }), 'resource not found'],
    [
      json({ errors: [{ message: 'Api key is bad' }] }, { status: 401 }),
      'Invalid credentials provided. Missing API key or an incorrect API key was provided. (Api key is bad)',
    ],
    [json({ errors: [{ message: 'no' }] }, { status: 403 }), '403 response returned: no'],
    [text('nonsense'), expect.stringMatching(/^Could not parse JSON body: /)],
    [json([1]), 'the body of the answer is a list, not an object'],
    [
      json({ data: { actor: 'x' } }),
      'the parent of account of the answer is a string, not an object',
    ],
    [rows('x'), 'a result of the answer is a string, not an object'],
  ])('that tells an error is one, with the address', async (answer, message) => {
    const told = await failing(answer)
    expect(typeof message === 'string' ? `${message} (New Relic at ${us})` : message).toEqual(told)
    expect(told).toMatch(/ \(New Relic at https:\/\/api\.newrelic\.com\/graphql\)$/)
  })

  test('may mention a deprecated field', async () => {
    const answer = json({
      errors: [{ message: 'This field is deprecated! Please use another.' }],
      data: { actor: { account: { nrql: { results: [{ n: 1 }] } } } },
    })
    expect(await judged(answer, 'result.n == 1')).toMatchObject({ phase: 'Successful' })
  })
})

/** As undici says it. */
function untrusted(): never {
  const cause = Object.assign(new Error('self-signed certificate'), {
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  })
  throw new TypeError('fetch failed', { cause })
}

describe('what is likely to pass is asked again', () => {
  const good = rows({ n: 1 })

  test.each([
    ['a refused connection', refused],
    ['429', text('', { status: 429 })],
    ['500', text('', { status: 500 })],
    ['502', text('', { status: 502 })],
    [
      'too many requests',
      errors({ message: 'x', extensions: { errorClass: 'TOO_MANY_REQUESTS' } }),
    ],
    ['a server error', errors({ message: 'x', extensions: { errorClass: 'SERVER_ERROR' } })],
    ['a time-out', errors({ message: 'x', extensions: { errorClass: 'TIMEOUT' } })],
  ])('after %s, 1 s and 2 s later', async (_, fault) => {
    const { outcome, asked } = await measured([fault, fault, good])
    expect(outcome).toMatchObject({ phase: 'Successful' })
    expect(asked).toEqual([0, 1_000, 3_000])
  })

  test.each([
    ['501', text('no', { status: 501 })],
    ['a syntax error', errors({ message: 'NRQL Syntax Error' })],
    ['garbage', text('nonsense')],
    ['a body without end', text('x'.repeat(11 * 1024 * 1024))],
    ['a certificate of somebody else', untrusted],
    ['redirects without end', () => Response.redirect('http://api.newrelic.com/graphql', 307)],
  ])('but not after %s', async (_, fault) => {
    const { asked } = await measured([fault])
    expect(new Set(asked)).toEqual(new Set([0]))
  })

  test('three times, and then the last answer is told', async () => {
    const { outcome, asked } = await measured([text('overloaded', { status: 503 })])
    expect(outcome).toBe(`503 response returned: overloaded (New Relic at ${us})`)
    expect(asked).toEqual([0, 1_000, 3_000, 7_000])
    const refusals = await measured([refused])
    expect(refusals.outcome).toBe(
      `Post "${us}": dial tcp 10.0.0.7:9090: connect: connection refused (New Relic)`,
    )
    expect(refusals.asked).toHaveLength(4)
    const timeouts = await measured([
      errors({ message: 'took too long', extensions: { errorClass: 'TIMEOUT' } }),
    ])
    expect(timeouts.outcome).toBe(`maximum retries reached: took too long (New Relic at ${us})`)
    expect(timeouts.asked).toHaveLength(4)
  })

  test('until the deadline, whose message names the cause', async () => {
    const clock = new VirtualClock(testNow)
    const deadline = new AbortController()
    const { fetch } = vendor(text('overloaded', { status: 503 }))
    const input = measureInput(metricOf(), { fetch, clock, readSecret: inSecret() })
    const call = newRelic.run({ ...input, signal: deadline.signal }).catch((error) => error.message)
    await clock.advance(2_000)
    deadline.abort(new Error('late'))
    expect(await call).toBe(
      `Post "${us}": context deadline exceeded (before that: 503 response returned: overloaded) (New Relic)`,
    )
  })
})
