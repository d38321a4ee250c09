import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import { influxdb } from './influxdb.ts'
import type { MeasureInput } from './provider.ts'
import { providerContract } from './provider-contract.ts'
import { measureInput, refused, silent, text, type VendorAnswer, vendor } from './test-input.ts'
import { type ServerAnswer, socketFetch, vendorServer } from './test-server.ts'

const secret = { address: 'https://influx.example.com', authToken: 'T0K', org: 'acme' }
const query =
  'from(bucket:"app_istio") |> range(start: -15m) |> filter(fn: (r) => r["_measurement"] == "error_ratio") |> last()'

function metricOf(conditions: Partial<Metric> = {}, profile?: string): Metric {
  return {
    name: 'm',
    ...conditions,
    provider: { influxdb: { query, ...(profile ? { profile } : {}) } },
  }
}

const reading = (values: Readonly<Record<string, string>> = secret) => ({
  readSecret: async () => values,
})

/** A table as InfluxDB writes it, with one column `_value`. */
function table(datatype: string, ...values: readonly string[]): string {
  return [
    `#datatype,string,long,${datatype}`,
    '#group,false,false,false',
    '#default,_result,,',
    ',result,table,_value',
    ...values.map((value) => `,,0,${value}`),
    '',
    '',
  ].join('\r\n')
}

const csv = (body: string): VendorAnswer =>
  text(body, { headers: { 'content-type': 'text/csv; charset=utf-8' } })

const measure = (answer: VendorAnswer, conditions: Partial<Metric> = {}) =>
  influxdb.run(measureInput(metricOf(conditions), { ...reading(), fetch: vendor(answer).fetch }))

const failing = (answer: VendorAnswer) =>
  measure(answer).then(
    () => 'no error',
    (error: Error) => error.message,
  )

const endpoint = 'https://influx.example.com/api/v2/query'
const source = `(InfluxDB at ${endpoint})`

providerContract('InfluxDB', () => ({
  provider: influxdb,
  metric: metricOf({
    successCondition: 'result[0] >= 0.95',
    failureCondition: 'result[0] < 0.95',
  }),
  secret: secret.authToken,
  input: (metric, facts) => measureInput(metric, { ...reading(), ...facts }),
  sources: {
    value: { fetch: vendor(csv(table('double', '0.97'))).fetch },
    empty: { fetch: vendor(csv(table('double', ''))).fetch },
    notANumber: { fetch: vendor(csv(table('double', 'NaN'))).fetch },
    nothing: { fetch: vendor(csv('')).fetch },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '[0.97]' },
    empty: {
      kind: 'done',
      phase: 'Error',
      value: '[<nil>]',
      message:
        'could not evaluate successCondition "result[0] >= 0.95": invalid operation: <nil> >= float64',
    },
    notANumber: { kind: 'done', phase: 'Inconclusive', value: '[NaN]' },
    nothing: `no results returned from flux query (InfluxDB at ${endpoint})`,
    failing: `Post "${endpoint}?org=acme": dial tcp 10.0.0.7:9090: connect: connection refused (InfluxDB)`,
    silent: /^Post ".*\/api\/v2\/query\?org=acme": context deadline exceeded \(InfluxDB\)$/,
  },
}))

describe('the request to InfluxDB', () => {
  test('is the query with the dialect of the answer, and the token of the Secret', async () => {
    const answer: ServerAnswer = { body: table('double', '0.004') }
    await using server = await vendorServer([answer], ['accept-encoding'])
    const asked: object[] = []
    const hidden: string[] = []
    const facts: Partial<MeasureInput> = {
      fetch: socketFetch,
      hide: (value) => hidden.push(value),
      async readSecret(reference) {
        asked.push(reference)
        return { address: `${server.url}/base/`, authToken: 'T0K\n', org: 'a & b' }
      },
    }
    const metric = metricOf({ successCondition: 'result[0] <= 0.01' }, 'my-influxdb-secret')
    expect(await influxdb.run(measureInput(metric, facts))).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '[0.004]',
    })
    expect(asked).toEqual([{ namespace: 'argo-rollouts', name: 'my-influxdb-secret' }])
    expect(hidden).toEqual(['T0K'])
    expect(server.requests).toEqual([
      {
        line: 'POST /base/api/v2/query?org=a%20%26%20b',
        headers: {
          authorization: 'Token T0K',
          'content-type': 'application/json',
          'accept-encoding': 'gzip',
          'user-agent': 'argo-rollouts/serinus',
        },
        body: `{"dialect":{"annotations":["datatype","group","default"],"delimiter":",","header":true},"query":${JSON.stringify(query)},"type":"flux"}`,
      },
    ])
  })

  test('takes its Secret from the namespace of the controller, where it is called influxdb unless the metric says otherwise', async () => {
    await expect(influxdb.run(measureInput(metricOf()))).rejects.toThrow(
      new Error('secrets "influxdb" not found (in namespace argo-rollouts)'),
    )
  })

  test.each(['address', 'authToken', 'org'])('needs %s in the Secret', async (key) => {
    const input = measureInput(metricOf(), reading({ ...secret, [key]: '' }))
    await expect(influxdb.run(input)).rejects.toThrow(
      new Error(
        `authToken, org, or address not found (secret argo-rollouts/influxdb has no ${key})`,
      ),
    )
  })

  test('needs an address that is one', async () => {
    const input = measureInput(metricOf(), reading({ ...secret, address: 'influx' }))
    await expect(influxdb.run(input)).rejects.toThrow(new Error('address "influx" is not a URL'))
  })

  test('may take 20 s', () => {
    expect(influxdb.deadlineMs?.(metricOf())).toBe(20_000)
  })
})

describe('the answer of InfluxDB', () => {
  test('is every value of every table, in order', async () => {
    const body = table('double', '0.004', '', '1e-05') + table('long', '7') + table('string', 'a b')
    expect(await measure(csv(body))).toMatchObject({ value: '[0.004 <nil> 1e-05 7 a b]' })
  })

  test.each([
    ['double', '2e6', 'result[0] == 2000000.0', '[2e+06]'],
    ['double', '-Inf', 'result[0] < 0', '[-Inf]'],
    ['long', '9007199254740993', 'result[0] == 9007199254740993', '[9007199254740993]'],
    ['unsignedLong', '7', 'result[0] > 6', '[7]'],
    ['boolean', 'true', 'result[0]', '[true]'],
    ['boolean', 'false', '!result[0]', '[false]'],
    ['string', '"a ""quoted"", text"', 'result[0] contains "quoted"', '[a "quoted", text]'],
    [
      'dateTime:RFC3339Nano',
      '2026-08-17T10:41:11.123456789Z',
      'result[0].Year() == 2026',
      '[2026-08-17 10:41:11.123456789 +0000 UTC]',
    ],
    [
      'dateTime:RFC3339',
      '2026-08-17T12:41:11+02:00',
      'result[0].Hour() == 10',
      '[2026-08-17 10:41:11 +0000 UTC]',
    ],
    ['duration', '1h30m', 'result[0] == duration("90m")', '[1h30m0s]'],
    ['base64Binary', 'AQI=', 'len(result[0]) == 2', '[[1 2]]'],
  ])('of type %s: %s holds under %s', async (datatype, value, successCondition, shown) => {
    expect(await measure(csv(table(datatype, value)), { successCondition })).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: shown,
    })
  })

  test('has the default of its column where a cell is empty', async () => {
    const body =
      '#datatype,string,long,double\n#group,false,false,false\n#default,_result,,5\n,result,table,_value\n,,0,\n,,0,6\n'
    expect(await measure(csv(body))).toMatchObject({ value: '[5 6]' })
  })

  test('without a column _value is nothing per row', async () => {
    const body =
      '#datatype,string,long,double\n#group,false,false,false\n#default,,,\n,result,table,mean\n,,0,1\n,,0,2\n'
    expect(await measure(csv(body))).toMatchObject({ value: '[<nil> <nil>]' })
  })

  test('without rows is an error', async () => {
    const message = `no results returned from flux query ${source}`
    expect(await failing(csv(''))).toBe(message)
    expect(await failing(csv(table('double')))).toBe(message)
  })

  test('that breaks off with an error after two rows is that error, not two rows [metric-providers 44]', async () => {
    const error =
      '#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,"engine: unknown field type for value, series 7",897\r\n'
    const message = 'engine: unknown field type for value, series 7 (reference 897)'
    expect(await failing(csv(table('double', '1', '2') + error))).toBe(`${message} ${source}`)
    expect(await failing(csv(`${table('double', '1')}error,reference\r\nout of memory,\r\n`))).toBe(
      `out of memory ${source}`,
    )
  })

  test.each([
    [
      table('double', '1').replace(',,0,1', ',,0'),
      'row 5 of the answer has 3 columns instead of 4',
    ],
    [table('double', 'x'), '_value "x" is no double'],
    [table('long', '1.5'), '_value "1.5" is no long'],
    [table('dateTime:RFC3339', 'today'), '_value "today" is no dateTime'],
    [table('duration', 'soon'), '_value "soon" is no duration'],
    [table('regexp', 'a'), '_value is of type regexp, which conditions do not know'],
  ])('that is malformed is an error: %j', async (body, message) => {
    expect(await failing(csv(body))).toBe(`${message} ${source}`)
  })

  test('with an open quote is an error', async () => {
    expect(await failing(csv(table('string', '"open')))).toMatch(/^Quote Not Closed: .*InfluxDB at/)
  })

  test.each<[VendorAnswer, string]>([
    [
      text('{"code":"unauthorized","message":"unauthorized access"}', { status: 401 }),
      'unauthorized: unauthorized access',
    ],
    [text('no such page', { status: 404 }), '404 Not Found: no such page'],
    [text('', { status: 429 }), 'too many requests: exceeded rate limit'],
    [text('', { status: 503 }), 'unavailable: service temporarily unavailable'],
    [text('"busy"', { status: 503 }), '503 Service Unavailable: "busy"'],
  ])('%# with a failure is told: $1', async (answer, message) => {
    expect(await failing(answer)).toBe(`${message} ${source}`)
  })
})
