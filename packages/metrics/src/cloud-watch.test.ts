import type { Metric } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import { cloudWatch } from './cloud-watch.ts'
import type { Measured, MeasureInput } from './provider.ts'
import { providerContract } from './provider-contract.ts'
import { signatureProblem, testKeys } from './test-aws.ts'
import {
  json,
  measureInput,
  refused,
  silent,
  testNow,
  type VendorAnswer,
  vendor,
} from './test-input.ts'
import { type ServerAnswer, socketFetch, vendorServer } from './test-server.ts'

type Config = NonNullable<Metric['provider']['cloudWatch']>

const env = { ...testKeys, AWS_REGION: 'eu-west-1' }

/** The example of the specification (6). */
const errorRatio: Config = {
  interval: '30m',
  metricDataQueries: [
    { id: 'rate', expression: 'errors / requests' },
    {
      id: 'errors',
      returnData: false,
      metricStat: {
        metric: { namespace: 'app', metricName: 'errors' },
        period: 300,
        stat: 'Sum',
        unit: 'Count',
      },
    },
    {
      id: 'requests',
      returnData: false,
      metricStat: {
        metric: {
          namespace: 'app',
          metricName: 'requests',
          dimensions: [{ name: 'service', value: 'shop' }],
        },
        period: '300',
        stat: 'Sum',
        unit: 'Count',
      },
    },
  ],
}

function metricOf(config: Config, conditions: Partial<Metric> = {}): Metric {
  return { name: 'm', ...conditions, provider: { cloudWatch: config } }
}

interface Result {
  readonly Id?: string
  readonly Label?: string
  readonly Values?: readonly number[]
  readonly Timestamps?: readonly number[]
  readonly StatusCode?: string
  readonly Messages?: readonly { readonly Code: string; readonly Value: string }[]
}

/** One page as CloudWatch answers it (AWS JSON 1.0). */
function page(results: readonly Result[], more: object = {}) {
  return {
    MetricDataResults: results.map((result) => ({
      Id: 'rate',
      Label: 'rate',
      StatusCode: 'Complete',
      Timestamps: [],
      Values: [],
      ...result,
    })),
    Messages: [],
    ...more,
  }
}

const amazon = { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': 'r-1' }
const served = (body: unknown, status = 200): ServerAnswer => ({
  status,
  headers: amazon,
  body: JSON.stringify(body),
})

const measure = (
  answer: VendorAnswer | readonly VendorAnswer[],
  conditions: Partial<Metric> = {},
  config = errorRatio,
): Promise<Measured> =>
  cloudWatch.run(
    measureInput(metricOf(config, conditions), { env, fetch: vendor(...[answer].flat()).fetch }),
  )

const measuring = async (
  answers: readonly ServerAnswer[],
  facts: Partial<MeasureInput> = {},
): Promise<string> => {
  await using server = await vendorServer(answers)
  const input = {
    fetch: socketFetch,
    env: { ...env, AWS_ENDPOINT_URL: server.url },
    ...facts,
  }
  return await cloudWatch.run(measureInput(metricOf(errorRatio), input)).then(
    () => 'no error',
    (error: Error) => error.message.replace(server.url, 'URL'),
  )
}

const address = 'https://monitoring.eu-west-1.amazonaws.com/'

providerContract('CloudWatch', () => ({
  provider: cloudWatch,
  metric: metricOf(
    {
      metricDataQueries: [
        {
          id: 'rate',
          metricStat: {
            metric: { namespace: 'app', metricName: 'rate' },
            period: 60,
            stat: 'Average',
          },
        },
      ],
    },
    {
      successCondition: 'result[0].Values[0] >= 0.95',
      failureCondition: 'result[0].Values[0] < 0.95',
    },
  ),
  secret: testKeys.AWS_SECRET_ACCESS_KEY,
  input: (metric, facts) => measureInput(metric, { env, ...facts }),
  sources: {
    value: { fetch: vendor(json(page([{ Values: [0.97] }]))).fetch },
    empty: { fetch: vendor(json(page([]))).fetch },
    notANumber: { fetch: vendor(json(page([{ Values: ['NaN' as unknown as number] }]))).fetch },
    failing: { fetch: vendor(refused).fetch },
    silent: { fetch: vendor(silent).fetch },
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '[[0.97]]' },
    empty: {
      kind: 'done',
      phase: 'Error',
      value: '[]',
      message:
        'could not evaluate successCondition "result[0].Values[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider (CloudWatch returned no results)',
    },
    notANumber: { kind: 'done', phase: 'Inconclusive', value: '[[NaN]]' },
    failing: `operation error CloudWatch: GetMetricData, Post "${address}": dial tcp 10.0.0.7:9090: connect: connection refused`,
    silent:
      /^operation error CloudWatch: GetMetricData, Post "https:\/\/monitoring\.eu-west-1\.amazonaws\.com\/": context deadline exceeded$/,
  },
}))

describe('the request to CloudWatch', () => {
  test('is signed, names the window and every query, with periods as numbers [metric-providers 43]', async () => {
    await using server = await vendorServer(
      [served(page([{ Values: [0.1, 0.2, 0.3] }]))],
      ['host', 'content-length'],
    )
    const input = { fetch: socketFetch, env: { ...env, AWS_ENDPOINT_URL_CLOUDWATCH: server.url } }
    const measured = await cloudWatch.run(measureInput(metricOf(errorRatio), input))
    expect(measured).toEqual({ kind: 'done', phase: 'Successful', value: '[[0.1 0.2 0.3]]' })
    const [request] = server.requests
    expect(request?.line).toBe('POST /')
    expect(request?.headers).toMatchObject({
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'GraniteServiceVersion20100801.GetMetricData',
    })
    expect(JSON.parse(request?.body ?? '')).toEqual({
      StartTime: testNow / 1000 - 30 * 60,
      EndTime: testNow / 1000,
      MetricDataQueries: [
        { Id: 'rate', Expression: 'errors / requests' },
        {
          Id: 'errors',
          ReturnData: false,
          MetricStat: {
            Metric: { Namespace: 'app', MetricName: 'errors' },
            Period: 300,
            Stat: 'Sum',
            Unit: 'Count',
          },
        },
        {
          Id: 'requests',
          ReturnData: false,
          MetricStat: {
            Metric: {
              Namespace: 'app',
              MetricName: 'requests',
              Dimensions: [{ Name: 'service', Value: 'shop' }],
            },
            Period: 300,
            Stat: 'Sum',
            Unit: 'Count',
          },
        },
      ],
    })
    const atCloudWatch = {
      service: 'monitoring',
      region: 'eu-west-1',
      accessKeyId: testKeys.AWS_ACCESS_KEY_ID,
      secret: testKeys.AWS_SECRET_ACCESS_KEY,
    }
    expect(request && signatureProblem(request, atCloudWatch)).toBeNull()
  })

  test('goes to Amazon’s address of the region unless the environment says otherwise', async () => {
    const asked = async (more: object) => {
      const played = vendor(json(page([])))
      await cloudWatch.run(
        measureInput(metricOf(errorRatio), { env: { ...env, ...more }, fetch: played.fetch }),
      )
      return played.requests[0]?.url
    }
    expect(await asked({})).toBe(address)
    expect(await asked({ AWS_ENDPOINT_URL: 'http://all' })).toBe('http://all/')
    const both = { AWS_ENDPOINT_URL: 'http://all', AWS_ENDPOINT_URL_CLOUDWATCH: 'http://own' }
    expect(await asked(both)).toBe('http://own/')
    expect(await asked({ ...both, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' })).toBe(address)
  })

  test('looks back 5 minutes unless the metric says otherwise', async () => {
    const played = vendor(json(page([])))
    const metric = metricOf({
      metricDataQueries: [{ id: 'a', expression: '1', period: 60, label: 'l' }],
    })
    await cloudWatch.run(measureInput(metric, { env, fetch: played.fetch }))
    expect(JSON.parse(played.requests[0]?.body ?? '')).toEqual({
      StartTime: testNow / 1000 - 300,
      EndTime: testNow / 1000,
      MetricDataQueries: [{ Id: 'a', Expression: '1', Period: 60, Label: 'l' }],
    })
  })

  test.each<[Config, string]>([
    [{ ...errorRatio, interval: '5' }, 'time: missing unit in duration "5"'],
    [
      { metricDataQueries: [{ id: 'a', period: '5m' }] },
      'period "5m" is no number of seconds, such as 300 or "300"',
    ],
  ])('is not sent with %j', async (config, message) => {
    const played = vendor()
    const input = measureInput(metricOf(config), { env, fetch: played.fetch })
    await expect(cloudWatch.run(input)).rejects.toThrow(new Error(message))
    expect(played.requests).toEqual([])
  })
})

describe('the answer of CloudWatch', () => {
  const condition = 'len(result[0].Values) >= 5 and all(result[0].Values, {# <= 0.01})'

  test.each([
    [[0.0045, 0.0058, 0.0067, 0.0084, 0.0069], 'Successful'],
    [[0.0102], 'Failed'],
  ])('with %j is %s under the condition of the documentation', async (Values, phase) => {
    const measured = await measure(json(page([{ Values }])), { successCondition: condition })
    expect(measured).toEqual({ kind: 'done', phase, value: `[[${Values.join(' ')}]]` })
  })

  test('without points says so, since a condition on all of them holds of none', async () => {
    const message = 'CloudWatch has no data for rate in this interval'
    const empty = json(page([{ Values: [] }]))
    expect(await measure(empty, { successCondition: condition })).toEqual({
      kind: 'done',
      phase: 'Failed',
      value: '[[]]',
      message,
    })
    const careless = { successCondition: 'all(result[0].Values, {# <= 0.01})' }
    expect(await measure(empty, careless)).toMatchObject({ phase: 'Successful', message })
  })

  test('prints as Go prints floats [metric-providers 8]', async () => {
    const answer = json(page([{ Values: [1e21] }, { Id: 'b', Values: [100000, 1e-5] }]))
    expect(await measure(answer)).toMatchObject({ value: '[[1e+21] [100000 1e-05]]' })
  })

  test('offers conditions all that Amazon tells of a query', async () => {
    const answer = json(
      page([{ Values: [1], Timestamps: [testNow / 1000], Label: 'l', StatusCode: 'Complete' }]),
    )
    const successCondition =
      'result[0].Id == "rate" && result[0].Label == "l" && result[0].StatusCode == "Complete" && result[0].Timestamps[0].Year() == 2026 && len(result[0].Messages) == 0'
    expect(await measure(answer, { successCondition })).toMatchObject({ phase: 'Successful' })
  })

  test('is read to its last page, and judged whole', async () => {
    await using server = await vendorServer([
      served(
        page(
          [
            { Values: [1, 2], StatusCode: 'PartialData' },
            { Id: 'b', Values: [9] },
          ],
          {
            NextToken: 't1',
          },
        ),
      ),
      served(page([{ Values: [3] }])),
    ])
    const input = { fetch: socketFetch, env: { ...env, AWS_ENDPOINT_URL: server.url } }
    expect(await cloudWatch.run(measureInput(metricOf(errorRatio), input))).toMatchObject({
      phase: 'Successful',
      value: '[[1 2 3] [9]]',
    })
    const tokens = server.requests.map(({ body }) => JSON.parse(body).NextToken)
    expect(tokens).toEqual([undefined, 't1'])
  })

  test('without end is an error, not an endless measurement', async () => {
    const call = measure(json(page([{ Values: [1] }], { NextToken: 'again' })))
    await expect(call).rejects.toThrow(
      'CloudWatch answers with more than 20 pages; ask for a longer period',
    )
  })

  test('that stays partial is judged, and the message says that it is partial', async () => {
    const measured = await measure(json(page([{ Values: [1], StatusCode: 'PartialData' }])))
    expect(measured).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '[[1]]',
      message: 'CloudWatch has only part of the data for rate',
    })
  })

  test.each(['InternalError', 'Forbidden'])(
    'of a query with status %s is an error',
    async (StatusCode) => {
      const Messages = [{ Code: 'Why', Value: 'because' }]
      await expect(measure(json(page([{ Values: [1], StatusCode, Messages }])))).rejects.toThrow(
        `CloudWatch did not answer rate: ${StatusCode} (Why: because)`,
      )
    },
  )

  test('may carry messages, which stay with the measurement in words', async () => {
    const more = { Messages: [{ Code: 'MaxMetricsExceeded', Value: '100 metrics' }] }
    const Messages = [{ Code: 'ArithmeticError', Value: '1 datapoint divides by zero' }]
    expect(await measure(json(page([{ Values: [1], Messages }], more)))).toMatchObject({
      metadata: {
        messages: 'MaxMetricsExceeded: 100 metrics, ArithmeticError: 1 datapoint divides by zero',
      },
    })
  })
})

describe('a failure of CloudWatch', () => {
  const operation = 'operation error CloudWatch: GetMetricData,'
  const status = (code: number) => `${operation} https response error StatusCode: ${code},`

  test('is told by code and text of Amazon', async () => {
    const body = {
      __type: 'com.amazonaws.cloudwatch#InvalidParameterValueException',
      message: 'The parameter Period must be positive',
    }
    expect(await measuring([served(body, 400)])).toBe(
      `${status(400)} RequestID: r-1, api error InvalidParameterValueException: The parameter Period must be positive`,
    )
  })

  test('that passes costs another try, not the measurement', async () => {
    const sorry = served({ __type: 'InternalServiceFault', message: 'sorry' }, 500)
    expect(await measuring([sorry, served(page([{ Values: [1] }]))])).toBe('no error')
  })

  test('is told where a gateway answers with a page of its own', async () => {
    expect(await measuring([{ body: '<html>hello</html>' }])).toMatch(
      new RegExp(`^${status(200)} RequestID: , deserialization failed, .*JSON`),
    )
  })

  test('at the deadline is told as one, even between two tries', async () => {
    const deadline = new AbortController()
    const busy: VendorAnswer = () => {
      setImmediate(() => deadline.abort(new Error('late')))
      return new Response('', { status: 503 })
    }
    const facts = { env, signal: deadline.signal, fetch: vendor(busy).fetch }
    await expect(cloudWatch.run(measureInput(metricOf(errorRatio), facts))).rejects.toThrow(
      new Error(`${operation} context deadline exceeded`),
    )
  })

  test('without a region says where to name one', async () => {
    const noProfile = { ...testKeys, AWS_PROFILE: 'there is none' }
    expect(await measuring([], { env: noProfile })).toMatch(
      /^region not configured: name it in AWS_REGION/,
    )
  })
})
