import { floats, type Value } from '@serinus/expr'
import { formatFloat } from '@serinus/gotemplate'
import { askVendor, listAt, objectAt, parseJsonBody, readAnswer, sourceOf } from './answer.ts'
import { readCredentials } from './credentials.ts'
import { excerptOf, formEncode, type Reply } from './http.ts'
import type { MeasureInput, Provider } from './provider.ts'
import { nothingMeasured, verdictOn } from './verdict.ts'

/** Wavefront's charts, at the instant of the measurement (spec metric-providers 8). */
export const wavefront: Provider = {
  type: 'Wavefront',
  async run(input) {
    const { address = '', query = '' } = input.metric.provider.wavefront ?? {}
    const token = await tokenFor(input, address)
    const at = Math.floor(input.clock.now() / 1000)
    const url = `https://${address}/api/v2/chart/api?${formEncode(chartOf(query, at))}`
    const reply = await askVendor(input, 'Wavefront', {
      url,
      method: 'GET',
      headers: [
        ['Authorization', `Bearer ${token}`],
        ['Accept', 'application/json'],
      ],
    })
    const from = { provider: 'Wavefront', url }
    const found = readAnswer(from, () => resultIn(reply, at))
    if (!found) {
      const cause = `No TimeSeries found in response from Wavefront (${sourceOf(from)})`
      return nothingMeasured(input.metric, cause)
    }
    const { result, value, metadata, note } = found
    const now = () => input.clock.now()
    const whyEmpty = note ? `${sourceOf(from)}: ${note}` : sourceOf(from)
    return {
      kind: 'done',
      value,
      ...(note ? { message: note } : {}),
      ...verdictOn(input.metric, result, { now, whyEmpty }),
      ...(Object.keys(metadata).length > 0 ? { metadata } : {}),
    }
  },
}

/** @param at epoch seconds */
function chartOf(query: string, at: number): Readonly<Record<string, string>> {
  return {
    q: query,
    s: String(at * 1000),
    e: String(at * 1000),
    g: 's',
    p: '1',
    i: 'true',
    autoEvents: 'false',
    listmode: 'false',
    strict: 'false',
    includeObsoleteMetrics: 'false',
  }
}

/** The Secret has a key for each address. */
async function tokenFor(input: MeasureInput, address: string): Promise<string> {
  const reference = { namespace: input.controllerNamespace, name: 'wavefront-api-tokens' }
  const tokens = await readCredentials(input, reference)
  const token = Object.hasOwn(tokens, address) ? tokens[address] : ''
  if (token) return token
  const where = `secret ${reference.namespace}/${reference.name}`
  const hint = /:\/\//.test(address) ? '; an address is a host without https://' : ''
  throw new Error(
    `API token not found (${where} has no key ${JSON.stringify(address)}, it has ${Object.keys(tokens).sort().join(', ') || 'none'}${hint})`,
  )
}

interface Result {
  readonly result: Value
  readonly value: string
  readonly metadata: Readonly<Record<string, string>>
  readonly note?: string
}

interface Point {
  /** Epoch seconds. */
  readonly at: number
  readonly value: number
}

/** Null: there is no series. */
function resultIn(reply: Reply, at: number): Result | null {
  if (reply.status !== 200)
    throw new Error(
      `server returned ${reply.status} ${reply.statusText}\n${excerptOf(reply.text)}\n`,
    )
  const answer = objectAt(parseJsonBody(reply, 'Could not parse JSON body'), 'the body')
  const { errorType, errorMessage, warnings, timeseries } = answer
  if (errorType || errorMessage)
    throw new Error([errorType, errorMessage].filter(Boolean).join(': '))
  const series = timeseries == null ? [] : listAt(timeseries, 'timeseries')
  if (series.length === 0) return null
  const nearest = series.map((one) => nearestPoint(one, at))
  const points = nearest.filter((point) => point !== null)
  const heard = warnings ? { warnings: String(warnings) } : {}
  // Upstream takes a series without points for 0, which is nobody's measurement.
  const empty = series.length - points.length
  if (points.length === 0)
    return { result: null, value: 'null', metadata: heard, note: 'no series has a point' }
  const text = (values: readonly string[]) =>
    series.length === 1 ? (values[0] ?? '') : `[${values.join(',')}]`
  const values = points.map(({ value }) => value)
  return {
    result: series.length === 1 ? (values[0] ?? null) : floats(values),
    value: text(values.map((value) => formatFloat(value, 'f', 2))),
    metadata: {
      timestamps: text(points.map((point) => String(point.at))),
      drift: text(points.map((point) => String(point.at - at))),
      ...heard,
    },
    ...(empty > 0 ? { note: `series without points, passed over: ${empty}` } : {}),
  }
}

/** The point closest to the instant, the first of two that are; null: there is none. */
function nearestPoint(series: unknown, at: number): Point | null {
  const { data } = objectAt(series, 'a series')
  let nearest: Point | null = null
  for (const raw of data == null ? [] : listAt(data, 'data')) {
    const [time, value] = listAt(raw, 'a point')
    if (value === null) continue
    if (typeof time !== 'number' || typeof value !== 'number')
      throw new Error(`a point of the answer is ${JSON.stringify(raw)}, not [seconds, number]`)
    if (nearest === null || Math.abs(time - at) < Math.abs(nearest.at - at))
      nearest = { at: time, value }
  }
  return nearest
}
