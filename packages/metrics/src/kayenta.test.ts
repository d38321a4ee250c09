import type { AnalysisRun, Measurement, Metric } from '@serinus/api'
import { VirtualClock } from '@serinus/kube'
import { describe, expect, test } from 'vitest'
import { kayenta } from './kayenta.ts'
import type { MeasureInput } from './provider.ts'
import { providerContract } from './provider-contract.ts'
import {
  json,
  measureInput,
  refused,
  silent,
  testNow,
  testRun,
  text,
  type VendorAnswer,
  vendor,
} from './test-input.ts'
import { type ServerAnswer, socketFetch, vendorServer } from './test-server.ts'

type Config = NonNullable<Metric['provider']['kayenta']>

const scope = (name: string, more: object = {}) => ({
  scope: name,
  region: 'us',
  step: 60,
  ...more,
})

/** The example of the specification (11). */
const config: Config = {
  address: 'https://kayenta.example.com',
  application: 'guestbook',
  canaryConfigName: 'my-test',
  metricsAccountName: 'prom',
  configurationAccountName: 'conf',
  storageAccountName: 's3',
  threshold: { pass: 90, marginal: 75 },
  scopes: [
    {
      name: 'default',
      controlScope: scope('app=guestbook and hash=a1'),
      experimentScope: scope('app=guestbook and hash=b2'),
    },
  ],
}

function metricOf(more: Partial<Config> = {}, conditions: Partial<Metric> = {}): Metric {
  return {
    name: 'mann-whitney',
    interval: '1h',
    ...conditions,
    provider: { kayenta: { ...config, ...more } },
  }
}

const underWay: Measurement = {
  phase: 'Running',
  startedAt: '2026-08-17T10:41:11Z',
  metadata: { canaryExecutionId: '01HX' },
}

const configs = [
  { id: 'c0', name: 'other' },
  { id: 'c1', name: 'my-test' },
]
const started = { canaryExecutionId: '01HX' }

/** A comparison, over with that score. */
const scored = (score: unknown) =>
  json({ complete: true, status: 'succeeded', result: { judgeResult: { score: { score } } } })

const messageOf = (call: Promise<unknown> | undefined): Promise<string> =>
  (call ?? Promise.resolve()).then(
    () => 'no error',
    (error: Error) => error.message,
  )

const resume = (answer: VendorAnswer, facts: Partial<MeasureInput> = {}) =>
  kayenta.resume?.(measureInput(metricOf(), { fetch: vendor(answer).fetch, ...facts }), underWay)

const lookup = 'https://kayenta.example.com/canaryConfig?application=guestbook'

providerContract('Kayenta', () => ({
  // Its verdict comes with the second call.
  provider: {
    ...kayenta,
    run: async (input) => {
      const running = await kayenta.run(input)
      if (running.kind === 'done' || !kayenta.resume) return running
      return kayenta.resume(input, underWay)
    },
  },
  metric: metricOf({ address: 'https://me:hunter2@kayenta.example.com' }),
  secret: 'hunter2',
  input: (metric, facts) => measureInput(metric, facts),
  sources: {
    value: { fetch: vendor(json(configs), json(started), scored(97.5)).fetch },
    empty: { skip: 'a comparison without score is an error, shown below' },
    notANumber: { skip: 'JSON has no NaN' },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: {
      kind: 'done',
      phase: 'Successful',
      value: '97',
      metadata: { canaryExecutionId: '01HX' },
    },
    failing:
      'Get "https://me:***@kayenta.example.com/canaryConfig?application=guestbook&configurationAccountName=conf": dial tcp 10.0.0.7:9090: connect: connection refused (Kayenta)',
    silent:
      /context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\) \(Kayenta\)$/,
  },
}))

describe('a comparison by Kayenta', () => {
  test('is looked up, started, asked for until it is over, and judged by its score', async () => {
    const answers = [
      configs,
      started,
      { complete: false },
      { complete: true, result: { judgeResult: { score: { score: 92 } } } },
    ]
    await using server = await vendorServer(
      answers.map((body): ServerAnswer => ({ body: JSON.stringify(body) })),
    )
    const metric = metricOf({ address: `${server.url}/` })
    const input = measureInput(metric, { fetch: socketFetch })
    const metadata = { canaryExecutionId: '01HX' }
    const running = { kind: 'running', resumeAt: testNow + 15_000, metadata }
    expect(await kayenta.run(input)).toEqual(running)
    expect(await kayenta.resume?.(input, underWay)).toEqual(running)
    expect(await kayenta.resume?.(input, underWay)).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '92',
      metadata,
    })
    const side = (name: string) =>
      `{"scope":"${name}","location":"us","step":60,"start":"2026-08-17T09:41:11Z","end":"2026-08-17T10:41:11Z"}`
    const headers = { 'user-agent': 'argo-rollouts/serinus' }
    expect(server.requests).toEqual([
      {
        line: 'GET /canaryConfig?application=guestbook&configurationAccountName=conf',
        headers,
        body: '',
      },
      {
        line: 'POST /canary/c1?application=guestbook&metricsAccountName=prom&configurationAccountName=conf&storageAccountName=s3',
        headers: { ...headers, 'content-type': 'application/json' },
        body: `{"scopes":{"default":{"controlScope":${side('app=guestbook and hash=a1')},"experimentScope":${side('app=guestbook and hash=b2')}}},"thresholds":{"pass":90,"marginal":75}}`,
      },
      { line: 'GET /canary/01HX', headers, body: '' },
      { line: 'GET /canary/01HX', headers, body: '' },
    ])
  })

  test('finds its config where upstream looks for it, if it is not where it belongs', async () => {
    const played = vendor(json([]), json(configs), json(started))
    await kayenta.run(measureInput(metricOf(), { fetch: played.fetch }))
    expect(played.requests.map(({ url }) => url).slice(0, 2)).toEqual([
      `${lookup}&configurationAccountName=conf`,
      `${lookup}&configurationAccountName=s3`,
    ])
  })

  test('sends names as they are, whatever stands in them', async () => {
    const played = vendor(json([{ id: 'a/b', name: 'my-test' }]), json(started))
    const metric = metricOf({ application: 'a & b' })
    await kayenta.run(measureInput(metric, { fetch: played.fetch }))
    const [first, second] = played.requests.map(({ url }) => new URL(url))
    expect(first?.searchParams.get('application')).toBe('a & b')
    expect(second?.pathname).toBe('/canary/a%2Fb')
  })
})

describe('the time that Kayenta compares', () => {
  const windowOf = async (more: Partial<Config>, run: AnalysisRun = testRun) => {
    const played = vendor(json(configs), json(started))
    await kayenta.run(
      measureInput(metricOf(more, { interval: '30m' }), { fetch: played.fetch, run }),
    )
    const { start, end } = JSON.parse(played.requests[1]?.body ?? '').scopes.default.controlScope
    return [start, end]
  }
  const between = (times: object) => ({
    scopes: [
      { name: 'default', controlScope: scope('a', times), experimentScope: scope('b', times) },
    ],
  })

  test('is the last interval unless the metric says otherwise', async () => {
    expect(await windowOf({})).toEqual(['2026-08-17T10:11:11Z', '2026-08-17T10:41:11Z'])
    const times = { start: '2026-08-17T08:00:00Z', end: '2026-08-17T09:00:00Z' }
    expect(await windowOf(between(times))).toEqual([times.start, times.end])
  })

  test('begins with the run where lookback is set, from the first measurement on', async () => {
    const startedAt = '2026-08-17T10:00:00Z'
    const run = { ...testRun, status: { phase: 'Running', startedAt } } as AnalysisRun
    expect(await windowOf({ lookback: true }, run)).toEqual([startedAt, '2026-08-17T10:41:11Z'])
    const now = '2026-08-17T10:41:11Z'
    expect(await windowOf({ lookback: true })).toEqual([now, now])
  })

  test.each(['start', 'end'])(
    'is told for both sides or for none: %s [metric-providers 50]',
    async (key) => {
      const controlScope = scope('a', { [key]: '2026-08-17T08:00:00Z' })
      const scopes = [{ name: 'default', controlScope, experimentScope: scope('b') }]
      const played = vendor()
      const call = kayenta.run(measureInput(metricOf({ scopes }), { fetch: played.fetch }))
      expect(await messageOf(call)).toBe(
        `controlScope.${key} and experimentScope.${key} must both be set or be empty`,
      )
      expect(played.requests).toEqual([])
    },
  )

  test('needs an interval where it names no start', async () => {
    const call = kayenta.run(measureInput(metricOf({}, { interval: '' })))
    expect(await messageOf(call)).toBe('Invalid duration "": time: invalid duration ""')
  })
})

describe('the score of Kayenta', () => {
  test.each([
    [90, 'Successful', '90'],
    [89.9, 'Inconclusive', '89'],
    [75, 'Inconclusive', '75'],
    [74.9, 'Failed', '74'],
    [0, 'Failed', '0'],
  ])('%d is %s under 90 and 75 [metric-providers 49]', async (score, phase, value) => {
    expect(await resume(scored(score))).toMatchObject({ kind: 'done', phase, value })
  })

  const at = '(Kayenta at https://kayenta.example.com/canary/01HX)'
  test.each([
    [json({}), `Missing Complete Status ${at}`],
    [scored('high'), `Missing Score: the comparison is succeeded ${at}`],
    [
      json({ complete: true, status: 'terminal', result: null }),
      `Missing Score: the comparison is terminal ${at}`,
    ],
    [text('', { status: 500 }), `Invalid Response: HTTP 500 ${at}`],
    [json([]), `answer of the answer is a list, not an object ${at}`],
  ])('%# that cannot be had is an error: $1', async (answer, message) => {
    expect(await messageOf(resume(answer))).toBe(message)
  })
})

describe('a comparison that cannot be started', () => {
  const starting = (...answers: readonly VendorAnswer[]) =>
    messageOf(kayenta.run(measureInput(metricOf(), { fetch: vendor(...answers).fetch })))
  const atConfigs = '(Kayenta at https://kayenta.example.com/canaryConfig)'
  const atCanary = '(Kayenta at https://kayenta.example.com/canary/c1)'

  test('for want of its config says so', async () => {
    expect(await starting(json([]))).toBe(`Canary config not found: "my-test" ${atConfigs}`)
    expect(await starting(json([{ name: 'my-test' }]))).toBe(`Invalid Response: no id ${atConfigs}`)
    expect(await starting(text('no such account', { status: 404 }))).toBe(
      `Invalid Response: HTTP 404: no such account ${atConfigs}`,
    )
  })

  test('for an answer without id says so, instead of asking for nothing again and again', async () => {
    expect(await starting(json(configs), json({}))).toBe(
      `Invalid Response: no canaryExecutionId ${atCanary}`,
    )
    expect(await starting(json(configs), text('bad thresholds', { status: 400 }))).toBe(
      `Invalid Response: HTTP 400: bad thresholds ${atCanary}`,
    )
  })

  test('for want of an address says so', async () => {
    const call = kayenta.run(measureInput(metricOf({ address: 'kayenta' })))
    expect(await messageOf(call)).toBe('address "kayenta" is not a URL')
  })
})

describe('a comparison that never ends', () => {
  const hourMs = 3_600_000
  const asked = (
    afterMs: number,
    end?: string,
    answer: VendorAnswer = json({ complete: false }),
  ) => {
    const played = vendor(answer, () => new Response(null, { status: 202 }))
    const times = end ? { start: '2026-08-17T10:00:00Z', end } : {}
    const sides = { controlScope: scope('a', times), experimentScope: scope('b', times) }
    const metric = metricOf({ scopes: [{ name: 'default', ...sides }] })
    const clock = new VirtualClock(Date.parse(underWay.startedAt ?? '') + afterMs)
    const call = kayenta.resume?.(measureInput(metric, { clock, fetch: played.fetch }), underWay)
    return { played, call }
  }

  test('is asked for an hour, then cancelled, and inconclusive', async () => {
    expect(await asked(hourMs).call).toMatchObject({ kind: 'running' })
    const { played, call } = asked(hourMs + 1)
    expect(await call).toEqual({
      kind: 'done',
      phase: 'Inconclusive',
      message:
        'the comparison was not over an hour after its data was complete, and is cancelled (Kayenta at https://kayenta.example.com/canary/01HX)',
      metadata: { canaryExecutionId: '01HX' },
    })
    expect(played.requests.map(({ method, url }) => [method, url])).toEqual([
      ['GET', 'https://kayenta.example.com/canary/01HX'],
      ['PUT', 'https://kayenta.example.com/pipelines/01HX/cancel'],
    ])
  })

  test('is asked for longer where what it compares ends later', async () => {
    const end = '2026-08-17T14:41:11Z'
    expect(await asked(5 * hourMs, end).call).toMatchObject({ kind: 'running' })
    expect(await asked(5 * hourMs + 1, end).call).toMatchObject({ phase: 'Inconclusive' })
  })

  test('and has a score at last keeps it', async () => {
    expect(await asked(9 * hourMs, undefined, scored(95)).call).toMatchObject({
      phase: 'Successful',
      value: '95',
    })
  })
})

describe('a comparison that is ended before its time', () => {
  const terminate = (answer: VendorAnswer) => {
    const played = vendor(answer)
    const call = kayenta.terminate?.(measureInput(metricOf(), { fetch: played.fetch }), underWay)
    return { played, call }
  }
  const metadata = { canaryExecutionId: '01HX' }

  test('is cancelled, and inconclusive', async () => {
    const { played, call } = terminate(() => new Response(null, { status: 202 }))
    expect(await call).toEqual({
      kind: 'done',
      phase: 'Inconclusive',
      message: 'Metric Terminated',
      metadata,
    })
    expect(played.requests).toMatchObject([
      { method: 'PUT', url: 'https://kayenta.example.com/pipelines/01HX/cancel' },
    ])
  })

  test('is inconclusive also where it cannot be cancelled, which is told', async () => {
    const { call } = terminate(text('', { status: 404 }))
    expect(await call).toMatchObject({
      phase: 'Inconclusive',
      message:
        'Metric Terminated (the comparison goes on: Invalid Response: HTTP 404 (Kayenta at https://kayenta.example.com/pipelines/01HX/cancel))',
    })
  })
})
