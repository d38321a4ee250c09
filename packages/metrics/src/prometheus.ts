import { durationProblem, type Metric, parseDuration } from '@serinus/api'
import { floats } from '@serinus/expr'
import { credentialsFor } from './authentication.ts'
import type { AwsPlace } from './aws.ts'
import { type Asked, ask, excerptOf, formEncode, type HeaderFields, type Reply } from './http.ts'
import { askWithToken } from './oauth2.ts'
import { defaultDeadlineMs, type Measured, type MeasureInput, type Provider } from './provider.ts'
import { rangeInstant } from './range-instant.ts'
import { sigv4Signer } from './sigv4.ts'
import { formatFloat, verdictOn } from './verdict.ts'

type Config = NonNullable<Metric['provider']['prometheus']>

/** Prometheus and what speaks its API (spec metric-providers 2). */
export const prometheus: Provider = {
  type: 'Prometheus',
  address: ({ provider }, env) => addressOf(provider.prometheus, env),
  deadlineMs({ provider }) {
    const seconds = provider.prometheus?.timeout
    return seconds === undefined || seconds < 0 ? defaultDeadlineMs : seconds * 1000
  },
  async run(input) {
    const config = configOf(input)
    const url = urlOf(config, input.env, config.rangeQuery ? 'query_range' : 'query')
    const parameters = parametersOf(input, config)
    return judged(input, await query(input, { url, parameters, config }))
  },
  async numbersAt(input, { lastAt, stepMs, count }) {
    const config = configOf(input)
    const url = urlOf(config, input.env, 'query_range')
    const startAt = lastAt - (count - 1) * stepMs
    const parameters = {
      query: config.query ?? '',
      start: formatFloat(startAt / 1000),
      end: formatFloat(lastAt / 1000),
      step: formatFloat(stepMs / 1000),
    }
    const { data } = parseAnswer(await query(input, { url, parameters, config }))
    if (data?.resultType !== 'matrix') throw unexpectedType(data?.resultType)
    const numbers = Array.from({ length: count }, (): number[] => [])
    for (const sample of seriesOf(data.result).flatMap(({ values = [] }) => values)) {
      // Of a series that was not there at some instant the answer just has fewer samples.
      const value = parseSample(sample)
      numbers[Math.round((sample[0] * 1000 - startAt) / stepMs)]?.push(value)
    }
    return numbers
  },
  metadata({ provider: { prometheus: config } }) {
    return { ResolvedPrometheusQuery: config?.query ?? '' }
  },
}

function addressOf(config: Config | undefined, env: MeasureInput['env']): string | undefined {
  return config?.address || env['ARGO_ROLLOUTS_PROMETHEUS_ADDRESS']
}

function configOf(input: MeasureInput): Config {
  const config = input.metric.provider.prometheus ?? {}
  if ((config.timeout ?? 0) >= 0) return config
  throw new Error('prometheus timeout should not be negative')
}

/** Base path of the address kept, its query string too. */
function urlOf(config: Config, env: MeasureInput['env'], path: 'query' | 'query_range'): URL {
  const url = parseAddress(addressOf(config, env))
  url.pathname = `${url.pathname}/api/v1/${path}`.replace(/\/{2,}/g, '/')
  return url
}

function parseAddress(text: string | undefined): URL {
  if (!text) throw new Error('prometheus address is not configured')
  const url = URL.parse(text)
  if (url?.host && /^https?:$/.test(url.protocol)) return url
  throw new Error('prometheus address is not is url format')
}

function parametersOf(input: MeasureInput, config: Config): Readonly<Record<string, string>> {
  const now = input.clock.now()
  const { query = '', rangeQuery: range } = config
  if (!range) return { query, time: formatFloat(now / 1000) }
  const start = rangeInstant('start', range.start ?? '', () => now)
  const end = rangeInstant('end', range.end ?? '', () => now)
  const step = parseDuration(range.step ?? '')
  if (step === undefined) {
    const problem = durationProblem(range.step ?? '')
    throw new Error(`failed to parse rangeQuery.step as duration: ${problem}`)
  }
  return {
    query,
    start: formatFloat(start / 1000),
    end: formatFloat(end / 1000),
    step: formatFloat(step / 1000),
  }
}

interface Query {
  readonly url: URL
  readonly parameters: Readonly<Record<string, string>>
  readonly config: Config
}

/** Custom headers override all other authentication, a signature that of OAuth2, OAuth2 the basic one (2.1, layers). */
async function query(input: MeasureInput, asked: Query): Promise<Reply> {
  const { config } = asked
  const { sigv4 } = config.authentication ?? {}
  const { basic, oauth2, tls, headers: custom } = await credentialsFor(input, 'prometheus', config)
  const how = { insecure: config.insecure === true, tls, provider: 'Prometheus' }
  const signer = isSet(sigv4) ? await sigv4Signer(input, sigv4) : null
  return askWithToken(input, oauth2, {
    for: { method: 'POST', url: asked.url.href },
    ...how,
    headers: custom,
    fallbackAuthorization: basic,
    send(token) {
      const authorization = token ?? basic
      return postOrGet(input, asked, {
        ...how,
        headers: [...(authorization ? [['Authorization', authorization] as const] : []), ...custom],
        // Changes nothing at the server although it is a POST.
        isRead: true,
        ...(signer ? { sign: async (message) => [...(await signer(message)), ...custom] } : {}),
      })
    },
  })
}

function isSet(sigv4: AwsPlace | undefined): sigv4 is AwsPlace {
  return Boolean(sigv4?.region || sigv4?.profile || sigv4?.roleArn)
}

/** POST first; servers that do not take it get a GET with the same parameters. */
async function postOrGet(
  input: MeasureInput,
  asked: Query,
  how: Omit<Asked, 'url' | 'method' | 'body'> & { readonly headers: HeaderFields },
): Promise<Reply> {
  const form = formEncode(asked.parameters)
  const reply = await ask(input, {
    ...how,
    url: asked.url.href,
    method: 'POST',
    headers: [['Content-Type', 'application/x-www-form-urlencoded'], ...how.headers],
    body: form,
  })
  if (reply.status !== 403 && reply.status !== 405 && reply.status !== 501) return reply
  const url = new URL(asked.url)
  url.search = form
  return ask(input, { ...how, url: url.href, method: 'GET' })
}

interface Answer {
  readonly status?: string
  readonly errorType?: string
  readonly error?: string
  readonly warnings?: readonly string[]
  readonly data?: { readonly resultType?: string; readonly result?: unknown }
}

type Sample = readonly [at: number, value: string]

interface Series {
  readonly value?: Sample
  readonly values?: readonly Sample[]
}

function judged(input: MeasureInput, reply: Reply): Measured {
  const { metric } = input
  const now = () => input.clock.now()
  const answer = parseAnswer(reply)
  const { resultType = '', result } = answer.data ?? {}
  const warnings = answer.warnings?.map((warning) => JSON.stringify(warning)).join(', ')
  const metadata = warnings ? { metadata: { warnings } } : {}
  if (resultType === 'scalar') {
    const value = parseSample(result as Sample)
    return {
      kind: 'done',
      value: formatFloat(value),
      ...verdictOn(metric, value, { now }),
      ...metadata,
    }
  }
  if (resultType !== 'vector' && resultType !== 'matrix') throw unexpectedType(resultType)
  const series = seriesOf(result)
  // A native histogram has no value: upstream reads it as 0, which is nobody's measurement.
  const numbers = series
    .flatMap((one) => one.values ?? (one.value ? [one.value] : []))
    .map(parseSample)
  return {
    kind: 'done',
    value: `[${numbers.map(formatFloat).join(',')}]`,
    ...verdictOn(metric, floats(numbers), { now, whyEmpty: whyEmpty(series) }),
    ...metadata,
  }
}

function unexpectedType(resultType = ''): Error {
  return new Error(`unexpected value type ${JSON.stringify(resultType)}`)
}

function seriesOf(result: unknown): readonly Series[] {
  return Array.isArray(result) ? result : []
}

function whyEmpty(series: readonly Series[]): string {
  if (series.length === 0) return 'query returned no series'
  return 'query returned no plain numbers, only native histograms'
}

/** Which errors an answer means, as Prometheus' own client reads it (2.3). */
function parseAnswer(reply: Reply): Answer {
  const { status, text } = reply
  const ok = status >= 200 && status <= 299
  const telling = ok || status === 400 || status === 422
  const answer = parseJson(reply)
  if (!telling) {
    if (status < 400 || status > 599) throw new Error(`bad_response: bad response code ${status}`)
    const kind = status < 500 ? 'client' : 'server'
    const detail = detailOf(answer, text)
    throw new Error(`${kind}_error: ${kind} error: ${status}${detail ? ` (${detail})` : ''}`)
  }
  if (answer instanceof Error) throw new Error(`bad_response: ${answer.message}`, { cause: answer })
  if (answer.status === 'error') throw new Error(`${answer.errorType}: ${answer.error}`)
  if (!ok) throw new Error('bad_response: inconsistent body for response code')
  return answer
}

function parseJson(reply: Reply): Answer | Error {
  try {
    const answer: unknown = JSON.parse(reply.text)
    return typeof answer === 'object' && answer !== null ? answer : new Error('no JSON object')
  } catch (error) {
    return error as SyntaxError
  }
}

/** What a gateway or server says of its failure; upstream leaves it out. */
function detailOf(answer: Answer | Error, text: string): string {
  if (answer instanceof Error) return excerptOf(text)
  return answer.error ? `${answer.errorType}: ${answer.error}`.slice(0, 200) : ''
}

function parseSample(sample: Sample): number {
  const text: unknown = sample?.[1]
  if (text === 'NaN') return Number.NaN
  const infinite = /^([+-]?)Inf$/.exec(String(text))
  if (infinite) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const isNumber = typeof text === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)
  if (isNumber && Number.isFinite(Number(text))) return Number(text)
  const problem = isNumber ? 'value out of range' : 'invalid syntax'
  throw new Error(
    `bad_response: strconv.ParseFloat: parsing ${JSON.stringify(text ?? '')}: ${problem}`,
  )
}
