import type {
  GetMetricDataOutput,
  MessageData,
  MetricDataQuery,
  MetricDataResult,
} from '@aws-sdk/client-cloudwatch'
import { durationProblem, type Metric, parseDuration } from '@serinus/api'
import { floats, structs, Time, type Value } from '@serinus/expr'
import { awsCredentials, awsEndpoint, awsTransport, neededRegion } from './aws.ts'
import { awsCall } from './aws-call.ts'
import type { Measured, MeasureInput, Provider } from './provider.ts'
import { formatGoFloat, verdictOn } from './verdict.ts'

type Config = NonNullable<Metric['provider']['cloudWatch']>
type Query = Config['metricDataQueries'][number]

const defaultInterval = '5m'
/** Amazon puts up to 100,800 points on a page. */
const mostPages = 20
const operation = 'CloudWatch: GetMetricData'

/** Amazon CloudWatch (spec metric-providers 6). */
export const cloudWatch: Provider = {
  type: 'CloudWatch',
  async run(input) {
    const config = input.metric.provider.cloudWatch
    if (!config) throw new Error('spec.metrics[].provider.cloudWatch is missing')
    const endAt = input.clock.now()
    const startAt = endAt - intervalMs(config)
    const queries = config.metricDataQueries.map(queryOf)
    return judged(input, await answersTo(input, { queries, startAt, endAt }))
  },
}

function intervalMs(config: Config): number {
  const text = config.interval || defaultInterval
  const ms = parseDuration(text)
  if (ms === undefined) throw new Error(durationProblem(text) ?? '')
  return ms
}

/** As the SDK names it; what is empty is left out, as upstream does. */
function queryOf(query: Query): MetricDataQuery {
  const { metricStat } = query
  const { metric } = metricStat ?? {}
  return {
    Id: query.id ?? '',
    ...(query.expression ? { Expression: query.expression } : {}),
    ...(query.label ? { Label: query.label } : {}),
    ...(query.period === undefined ? {} : { Period: secondsOf(query.period) }),
    ...(query.returnData === undefined ? {} : { ReturnData: query.returnData }),
    ...(metricStat
      ? {
          MetricStat: {
            Metric: {
              ...(metric?.namespace ? { Namespace: metric.namespace } : {}),
              ...(metric?.metricName ? { MetricName: metric.metricName } : {}),
              ...(metric?.dimensions
                ? {
                    Dimensions: metric.dimensions.map(({ name, value }) => ({
                      Name: name,
                      Value: value,
                    })),
                  }
                : {}),
            },
            Period: secondsOf(metricStat.period ?? 0),
            Stat: metricStat.stat ?? '',
            ...(metricStat.unit ? { Unit: unitOf(metricStat.unit) } : {}),
          },
        }
      : {}),
  }
}

type Unit = NonNullable<NonNullable<MetricDataQuery['MetricStat']>['Unit']>

/** AWS refuses a unit that it does not know, by name. */
function unitOf(text: string): Unit {
  return text as Unit
}

/** Upstream reads a text that is no number as 0, which AWS then refuses without naming it. */
function secondsOf(period: number | string): number {
  if (typeof period === 'number') return period
  if (/^[+-]?\d+$/.test(period)) return Number(period)
  throw new Error(`period ${JSON.stringify(period)} is no number of seconds, such as 300 or "300"`)
}

interface Answers {
  readonly results: readonly MetricDataResult[]
  readonly messages: readonly MessageData[]
}

/** All pages of the answer, joined by query. */
async function answersTo(
  input: MeasureInput,
  asked: {
    readonly queries: MetricDataQuery[]
    readonly startAt: number
    readonly endAt: number
  },
): Promise<Answers> {
  const region = await neededRegion(input)
  const credentials = await awsCall(input, operation, awsCredentials(input, { region }))
  const endpoint = awsEndpoint(input.env, 'CLOUDWATCH')
  const { CloudWatchClient, GetMetricDataCommand } = await import('@aws-sdk/client-cloudwatch')
  const client = new CloudWatchClient({
    region,
    credentials,
    requestHandler: awsTransport(input),
    ...(endpoint ? { endpoint } : {}),
  })
  const results = new Map<string, MetricDataResult>()
  const messages: MessageData[] = []
  let token: string | undefined
  for (let page = 1; ; page++) {
    const command = new GetMetricDataCommand({
      StartTime: new Date(asked.startAt),
      EndTime: new Date(asked.endAt),
      MetricDataQueries: asked.queries,
      ...(token === undefined ? {} : { NextToken: token }),
    })
    const answer: GetMetricDataOutput = await awsCall(input, operation, client.send(command))
    // The SDK takes a body without text for an answer without fields.
    if (!answer.MetricDataResults)
      throw new Error(`operation error ${operation}, the answer has no MetricDataResults`)
    for (const result of answer.MetricDataResults) addTo(results, result)
    messages.push(...(answer.Messages ?? []))
    token = answer.NextToken
    if (!token) return { results: [...results.values()], messages }
    if (page === mostPages)
      throw new Error(
        `CloudWatch answers with more than ${mostPages} pages; ask for a longer period`,
      )
  }
}

/** One query may go on over several pages: its points follow each other, its status is the last. */
function addTo(results: Map<string, MetricDataResult>, result: MetricDataResult): void {
  // A query over a search expression answers with several series of one id.
  const key = JSON.stringify([result.Id, result.Label])
  const before = results.get(key)
  results.set(key, {
    ...before,
    ...result,
    Timestamps: [...(before?.Timestamps ?? []), ...(result.Timestamps ?? [])],
    Values: [...(before?.Values ?? []), ...(result.Values ?? [])],
    Messages: [...(before?.Messages ?? []), ...(result.Messages ?? [])],
  })
}

function judged(input: MeasureInput, { results, messages }: Answers): Measured {
  for (const { Id, StatusCode, Messages = [] } of results) {
    if (StatusCode === 'InternalError' || StatusCode === 'Forbidden') {
      const why = Messages.map(messageText).join(', ')
      throw new Error(`CloudWatch did not answer ${Id}: ${StatusCode}${why ? ` (${why})` : ''}`)
    }
  }
  const verdict = verdictOn(
    input.metric,
    results.length === 0 ? [] : structs('types.MetricDataResult', results.map(rowOf)),
    {
      now: () => input.clock.now(),
      whyEmpty: 'CloudWatch returned no results',
      measured: results.map(({ Values = [] }) => floats(Values)),
    },
  )
  const told = [...messages, ...results.flatMap((result) => result.Messages ?? [])]
  const message = [verdict.message, ...caveatsOf(results)].filter(Boolean).join('; ')
  return {
    kind: 'done',
    phase: verdict.phase,
    value: `[${results.map(({ Values = [] }) => `[${Values.map(formatGoFloat).join(' ')}]`).join(' ')}]`,
    ...(message ? { message } : {}),
    ...(told.length > 0 ? { metadata: { messages: told.map(messageText).join(', ') } } : {}),
  }
}

/** `all(result[0].Values, …)` holds where there are none: whoever reads the verdict must see it. */
function caveatsOf(results: readonly MetricDataResult[]): readonly string[] {
  return results.flatMap(({ Id, Values = [], StatusCode }) => [
    ...(Values.length === 0 ? [`CloudWatch has no data for ${Id} in this interval`] : []),
    ...(StatusCode === 'PartialData' ? [`CloudWatch has only part of the data for ${Id}`] : []),
  ])
}

function messageText({ Code, Value }: MessageData): string {
  return `${Code}: ${Value}`
}

function rowOf(result: MetricDataResult): Readonly<Record<string, Value>> {
  return {
    Id: result.Id ?? null,
    Label: result.Label ?? null,
    Messages: (result.Messages ?? []).map(({ Code, Value }) => ({
      Code: Code ?? null,
      Value: Value ?? null,
    })),
    StatusCode: result.StatusCode ?? '',
    Timestamps: (result.Timestamps ?? []).map((at) => new Time(BigInt(at.getTime()) * 1_000_000n)),
    Values: floats(result.Values ?? []),
  }
}
