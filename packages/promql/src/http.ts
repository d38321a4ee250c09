import { parseDurationMs } from './duration.ts'
import type { Labels } from './labels.ts'
import type { Matcher } from './matcher.ts'
import { parseFloatText } from './number.ts'
import { parseQuery } from './parser.ts'
import { type QueryOptions, type QueryResult, queryInstant, queryRange } from './query.ts'
import type { SeriesStore } from './store.ts'

/** The API version that is spoken here; clients decide by it which parameters they may send. */
const API_VERSION = '3.14.0'
const MAX_POINTS = 11_000

type Answer =
  | { kind: 'success'; data: unknown; warnings?: readonly string[]; infos?: readonly string[] }
  | { kind: 'error'; errorType: 'bad_data' | 'execution' | 'timeout'; error: string }

const STATUS = { bad_data: 400, execution: 422, timeout: 503 } as const

class BadParameter extends Error {
  override readonly name = 'BadParameter'
}

/**
 * The Prometheus HTTP API over a store: `/api/v1/query`, `query_range`, `series`, `labels` (GET and form POST),
 * `label/<name>/values`, `metadata`, `status/buildinfo`, `/-/healthy` and `/-/ready`, with Prometheus' error bodies
 * and status codes (400 `bad_data`, 422 `execution`, 503 `timeout`). `clock` gives the default `time` (epoch
 * milliseconds) and measures `timeout`. Paths may carry a prefix before `/api/v1`.
 */
export function promqlHandler(
  store: SeriesStore,
  clock: { now(): number },
): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = new URL(request.url)
    const path = url.pathname.replace(/\/{2,}/g, '/')
    if (path.endsWith('/-/healthy')) return text('Prometheus Server is Healthy.\n')
    if (path.endsWith('/-/ready')) return text('Prometheus Server is Ready.\n')
    const route = /\/api\/v1\/(.+?)\/?$/.exec(path)?.[1]
    const endpoint = route === undefined ? undefined : endpointFor(route)
    if (endpoint === undefined) return text('404 page not found\n', 404)
    if (!endpoint.methods.includes(request.method))
      return text('Method Not Allowed\n', 405, { Allow: endpoint.methods.join(', ') })
    try {
      return json(endpoint.answer({ store, clock, form: await formOf(request, url) }))
    } catch (cause) {
      if (!(cause instanceof BadParameter)) throw cause
      return json({ kind: 'error', errorType: 'bad_data', error: cause.message })
    }
  }
}

interface Context {
  readonly store: SeriesStore
  readonly clock: { now(): number }
  readonly form: URLSearchParams
}

interface Endpoint {
  readonly methods: readonly string[]
  readonly answer: (context: Context) => Answer
}

const GET = ['GET', 'HEAD']
const GET_OR_POST = ['GET', 'HEAD', 'POST']
const endpoints: Readonly<Record<string, Endpoint>> = {
  query: { methods: GET_OR_POST, answer: answerQuery },
  query_range: { methods: GET_OR_POST, answer: answerQueryRange },
  series: { methods: GET_OR_POST, answer: answerSeries },
  labels: { methods: GET_OR_POST, answer: answerLabels },
  metadata: { methods: GET, answer: answerMetadata },
  'status/buildinfo': { methods: GET, answer: answerBuildInfo },
}

function endpointFor(route: string): Endpoint | undefined {
  const label = /^label\/([^/]+)\/values$/.exec(route)?.[1]
  if (label === undefined) return Object.hasOwn(endpoints, route) ? endpoints[route] : undefined
  return { methods: GET, answer: (context) => answerLabelValues(label, context) }
}

/** Form fields of the body come before those of the address, as in Go's `FormValue`. */
async function formOf(request: Request, url: URL): Promise<URLSearchParams> {
  const type = request.headers.get('content-type') ?? ''
  if (request.method !== 'POST' || !type.startsWith('application/x-www-form-urlencoded'))
    return url.searchParams
  const form = new URLSearchParams(await request.text())
  for (const [name, value] of url.searchParams) form.append(name, value)
  return form
}

function answerQuery({ store, clock, form }: Context): Answer {
  const limit = limitIn(form)
  const atMs = timeIn(form, 'time', clock.now())
  const options = optionsIn(form, clock)
  return answerOf(queryInstant(store, form.get('query') ?? '', atMs, options), limit)
}

function answerQueryRange({ store, clock, form }: Context): Answer {
  const limit = limitIn(form)
  const startMs = requiredTime(form, 'start')
  const endMs = requiredTime(form, 'end')
  if (endMs < startMs) throw invalid('end', 'end timestamp must not be before start time')
  const stepMs = durationIn(form.get('step') ?? '', 'step')
  if (stepMs <= 0)
    throw invalid(
      'step',
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    )
  if (Math.floor((endMs - startMs) / stepMs) > MAX_POINTS)
    throw new BadParameter(
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    )
  const options = optionsIn(form, clock)
  const bounds = { startMs, endMs, stepMs }
  return answerOf(queryRange(store, form.get('query') ?? '', bounds, options), limit)
}

function answerOf(result: QueryResult, limit: number): Answer {
  if (!result.ok) {
    const { errorType, error } = result
    return {
      kind: 'error',
      errorType,
      error: errorType === 'bad_data' ? `invalid parameter "query": ${error}` : error,
    }
  }
  const { value, infos } = result
  let { warnings } = result
  let data: unknown = value
  if (limit > 0 && (value.resultType === 'vector' || value.resultType === 'matrix')) {
    if (value.result.length > limit) {
      data = { resultType: value.resultType, result: value.result.slice(0, limit) }
      warnings = [...warnings, 'results truncated due to limit']
    }
  }
  return { kind: 'success', data, warnings, infos }
}

function answerSeries({ store, form }: Context): Answer {
  if (form.getAll('match[]').length === 0) throw new BadParameter('no match[] parameter provided')
  const limit = limitIn(form)
  checkTimes(form)
  const found = new Set<Labels>()
  for (const matchers of matcherSets(form, 'invalid parameter "match[]": '))
    for (const labels of store.series(matchers)) found.add(labels)
  return truncated([...found], limit)
}

function answerLabels({ store, form }: Context): Answer {
  const limit = limitIn(form)
  checkTimes(form)
  return truncated(store.labelNames(...matcherSets(form)), limit)
}

function answerLabelValues(name: string, { store, form }: Context): Answer {
  const limit = limitIn(form)
  checkTimes(form)
  return truncated(store.labelValues(decodeName(name), ...matcherSets(form)), limit)
}

/** `U__` begins the escaped form of a name that no URL path could hold: `_2e_` is a dot, `__` an underscore. */
function decodeName(part: string): string {
  let name: string
  try {
    name = decodeURIComponent(part)
  } catch {
    throw new BadParameter(`invalid label name: ${JSON.stringify(part)}`)
  }
  if (!name.startsWith('U__')) return name
  return name
    .slice(3)
    .replace(/_(?:_|([0-9a-fA-F]{1,6})_)/g, (_, hex: string | undefined) =>
      hex === undefined ? '_' : String.fromCodePoint(Math.min(Number.parseInt(hex, 16), 0x10ffff)),
    )
}

function truncated(data: readonly unknown[], limit: number): Answer {
  if (limit === 0 || data.length <= limit) return { kind: 'success', data }
  return {
    kind: 'success',
    data: data.slice(0, limit),
    warnings: ['results truncated due to limit'],
  }
}

function answerMetadata({ store, form }: Context): Answer {
  const limit = numberIn(form, 'limit')
  numberIn(form, 'limit_per_metric')
  const wanted = form.get('metric') ?? ''
  const data: Record<string, unknown> = Object.create(null)
  let count = 0
  for (const [family, { type, help, unit }] of store.families()) {
    if (wanted !== '' && family !== wanted) continue
    if (limit !== undefined && limit >= 0 && count >= limit) break
    data[family] = [{ type, help, unit: unit ?? '' }]
    count++
  }
  return { kind: 'success', data }
}

function answerBuildInfo(): Answer {
  return {
    kind: 'success',
    data: {
      version: API_VERSION,
      revision: '',
      branch: 'serinus',
      buildUser: '',
      buildDate: '',
      goVersion: '',
    },
  }
}

function invalid(parameter: string, problem: string): BadParameter {
  return new BadParameter(`invalid parameter ${JSON.stringify(parameter)}: ${problem}`)
}

function matcherSets(form: URLSearchParams, prefix = ''): (readonly Matcher[])[] {
  return form.getAll('match[]').map((selector) => {
    const parsed = parseQuery(selector)
    if (!parsed.ok) {
      // The API has its own word for a selector that would fit every series.
      const empty = parsed.error.endsWith('must contain at least one non-empty matcher')
      throw new BadParameter(
        `${prefix}${empty ? 'match[] must contain at least one non-empty matcher' : parsed.error}`,
      )
    }
    if (parsed.ast.kind !== 'selector' || parsed.ast.offsetMs !== 0 || parsed.ast.at !== undefined)
      throw new BadParameter(`${prefix}1:1: parse error: expected a metric selector`)
    return parsed.ast.matchers
  })
}

function optionsIn(form: URLSearchParams, clock: { now(): number }): QueryOptions {
  const timeout = form.get('timeout') ?? ''
  const lookback = form.get('lookback_delta') ?? ''
  const lookbackMs = lookback === '' ? undefined : lookbackIn(lookback)
  return {
    ...(timeout === '' ? {} : { timeout: { ms: durationIn(timeout, 'timeout'), clock } }),
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
  }
}

function lookbackIn(value: string): number {
  const lookbackMs = durationMs(value)
  if (lookbackMs === undefined)
    throw new BadParameter(
      `error parsing lookback delta duration: cannot parse ${JSON.stringify(value)} to a valid duration`,
    )
  return lookbackMs
}

function limitIn(form: URLSearchParams): number {
  const value = form.get('limit') ?? ''
  if (value === '') return 0
  if (!/^[+-]?\d+$/.test(value))
    throw invalid('limit', `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`)
  if (Number(value) < 0) throw invalid('limit', 'limit must be non-negative')
  return Number(value)
}

function numberIn(form: URLSearchParams, name: string): number | undefined {
  const value = form.get(name) ?? ''
  if (value === '') return undefined
  if (!/^[+-]?\d+$/.test(value)) throw new BadParameter(`${name} must be a number`)
  return Number(value)
}

function durationIn(value: string, parameter: string): number {
  const ms = durationMs(value)
  if (ms === undefined)
    throw invalid(parameter, `cannot parse ${JSON.stringify(value)} to a valid duration`)
  return ms
}

function durationMs(value: string): number | undefined {
  const seconds = parseFloatText(value)
  if (seconds === undefined) return parseDurationMs(value)
  return Number.isFinite(seconds) ? Math.round(seconds * 1000) : undefined
}

function checkTimes(form: URLSearchParams): void {
  timeIn(form, 'start', 0)
  timeIn(form, 'end', 0)
}

function timeIn(form: URLSearchParams, name: string, fallback: number): number {
  const value = form.get(name) ?? ''
  if (value === '') return fallback
  const at = parseTimeMs(value)
  if (at === undefined)
    throw invalid(
      name,
      `invalid time value for '${name}': cannot parse ${JSON.stringify(value)} to a valid timestamp`,
    )
  return at
}

function requiredTime(form: URLSearchParams, name: string): number {
  const value = form.get(name) ?? ''
  const at = parseTimeMs(value)
  if (at === undefined)
    throw invalid(name, `cannot parse ${JSON.stringify(value)} to a valid timestamp`)
  return at
}

/** Epoch seconds with a fraction, or RFC 3339. */
function parseTimeMs(value: string): number | undefined {
  const seconds = parseFloatText(value)
  if (seconds !== undefined)
    return Number.isFinite(seconds) ? Math.round(seconds * 1000) : undefined
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(value)) return undefined
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : at
}

function json(answer: Answer): Response {
  const headers = { 'Content-Type': 'application/json' }
  if (answer.kind === 'error') {
    const { errorType, error } = answer
    const body = JSON.stringify({ status: 'error', errorType, error })
    return new Response(body, { status: STATUS[errorType], headers })
  }
  const { data, warnings = [], infos = [] } = answer
  const body = JSON.stringify({
    status: 'success',
    data,
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(infos.length > 0 ? { infos } : {}),
  })
  return new Response(body, { status: 200, headers })
}

function text(body: string, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(body, {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers },
  })
}
