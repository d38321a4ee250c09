import type { Metric } from '@serinus/api'
import type { Value } from '@serinus/expr'
import { listAt, objectAt, parseJsonBody } from './answer.ts'
import { formEncode, type Reply } from './http.ts'
import { formatFloat, goJson } from './verdict.ts'

/** One version of Datadog's API: how it is asked, what its answer means. */
export interface DatadogApi {
  /** @param window epoch seconds */
  request(
    config: NonNullable<Metric['provider']['datadog']>,
    window: { readonly from: number; readonly to: number },
  ): { readonly method: string; readonly path: string; readonly body?: string }
  read(reply: Reply): DatadogResult
}

export interface DatadogResult {
  /** Null: the answer holds no number. */
  readonly result: Value
  readonly value: string
  readonly metadata?: Readonly<Record<string, string>>
  /** What a reader of the measurement must know of how it came about. */
  readonly note?: string
}

/** `GET /api/v1/query`: the newest point of the first series (spec metric-providers 4.4). */
export const datadogV1: DatadogApi = {
  request(config, { from, to }) {
    const fields = { from: String(from), query: config.query ?? '', to: String(to) }
    return { method: 'GET', path: `/api/v1/query?${formEncode(fields)}` }
  },
  read(reply) {
    const answer = objectAt(parseJsonBody(reply, 'Could not parse JSON body'), 'the body')
    if (answer['error']) throw new Error(`There were errors in your query: ${answer['error']}`)
    const series = answer['series'] == null ? null : listAt(answer['series'], 'series')
    if (!series?.length)
      return { result: null, value: goJson(series), note: 'the query returned no series' }
    const lists = series.map(pointsOf)
    const [points = []] = lists
    const numbers = points.map(numberOf)
    // The newest bucket is often empty still; upstream takes its null for 0.
    const newest = numbers.findLastIndex((number) => number !== null)
    const number = numbers[newest] ?? null
    if (number === null) {
      const note = points.length === 0 ? 'the series has no points' : 'no point has a value'
      return { result: null, value: goJson(lists.map((list) => ({ Pointlist: list }))), note }
    }
    const note = [
      ...(newest < points.length - 1
        ? [`the newest points have no value, passed over: ${points.length - 1 - newest}`]
        : []),
      ...(series.length > 1 ? [`only the first of ${series.length} series is judged`] : []),
    ].join('; ')
    return { result: number, value: formatFloat(number), ...(note ? { note } : {}) }
  },
}

function pointsOf(series: unknown): readonly unknown[] {
  const points = objectAt(series, 'a series')['pointlist']
  return points == null ? [] : listAt(points, 'pointlist')
}

function numberOf(point: unknown): number | null {
  const pair = listAt(point, 'a point')
  if (pair.length !== 2) throw new Error('Datapoint does not have 2 values')
  const [, value] = pair
  if (value === null || typeof value === 'number') return value
  throw new Error(`Could not parse JSON body: the value of a point is ${JSON.stringify(value)}`)
}
