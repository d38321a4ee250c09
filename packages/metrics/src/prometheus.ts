import { durationProblem, type Metric, parseDuration } from '@serinus/api'
import { floats } from '@serinus/expr'
import { ask, basicAuth, oauth2Header, type Reply } from './http.ts'
import type { Measured, MeasureInput, Provider } from './provider.ts'
import { rangeInstant } from './range-instant.ts'
import { formatFloat, verdictOn } from './verdict.ts'

type Config = NonNullable<Metric['provider']['prometheus']>

/** Prometheus and what speaks its API (spec metric-providers 2). */
export const prometheus: Provider = {
  type: 'Prometheus',
  async run(input) {
    const config = input.metric.provider.prometheus ?? {}
    if ((config.timeout ?? 0) < 0) throw new Error('prometheus timeout should not be negative')
    const address = addressOf(config, input.env)
    const headers = await headersOf(input, config)
    const parameters = parametersOf(input, config)
    const reply = await query({ input, config, address, headers, parameters })
    return judged(input, reply)
  },
  metadata: (metric) => ({ ResolvedPrometheusQuery: metric.provider.prometheus?.query ?? '' }),
}

function addressOf(config: Config, env: MeasureInput['env']): URL {
  const text = config.address || env['ARGO_ROLLOUTS_PROMETHEUS_ADDRESS']
  if (!text) throw new Error('prometheus address is not configured')
  try {
    const url = new URL(text)
    if (url.host && /^https?:$/.test(url.protocol)) return url
  } catch {
    // told below, in upstream's words
  }
  throw new Error('prometheus address is not is url format')
}

/** Custom headers override all other authentication; OAuth2 wins over basic (2.1, layers). */
async function headersOf(input: MeasureInput, config: Config): Promise<Record<string, string>> {
  const headers: Record<string, string> = {}
  const { basicAuth: basic, oauth2, sigv4 } = config.authentication ?? {}
  if (sigv4 && (sigv4.region || sigv4.profile || sigv4.roleArn)) {
    throw new Error(
      'authentication.sigv4 is not carried by this version of Serinus; use basicAuth, oauth2 or headers',
    )
  }
  if (basic && (basic.username || basic.password)) {
    if (!basic.username)
      throw new Error('missing mandatory parameter in metric for basic auth setup: username')
    if (!basic.password)
      throw new Error('missing mandatory parameter in metric for basic auth setup: password')
    headers['Authorization'] = basicAuth(basic.username, basic.password)
  }
  const token = oauth2 ? await oauth2Header(input, oauth2, config.insecure === true) : null
  if (token) headers['Authorization'] = token
  for (const header of config.headers ?? []) headers[header.key] = header.value
  return headers
}

function parametersOf(input: MeasureInput, config: Config): URLSearchParams {
  const now = input.clock.now()
  const range = config.rangeQuery
  const text = config.query ?? ''
  if (!range) return new URLSearchParams({ query: text, time: String(now / 1000) })
  const start = rangeInstant('start', range.start ?? '', () => now)
  const end = rangeInstant('end', range.end ?? '', () => now)
  const step = parseDuration(range.step ?? '')
  if (step === undefined)
    throw new Error(
      `failed to parse rangeQuery.step as duration: ${durationProblem(range.step ?? '')}`,
    )
  return new URLSearchParams({
    end: String(end / 1000),
    query: text,
    start: String(start / 1000),
    step: formatFloat(step / 1000),
  })
}

interface Asked {
  readonly input: MeasureInput
  readonly config: Config
  readonly address: URL
  readonly headers: Readonly<Record<string, string>>
  readonly parameters: URLSearchParams
}

/** POST first; servers that do not take it get a GET with the same parameters. */
async function query(asked: Asked): Promise<Reply> {
  const { input, config, headers, parameters } = asked
  const url = new URL(asked.address)
  const path = config.rangeQuery ? 'api/v1/query_range' : 'api/v1/query'
  url.pathname = `${url.pathname}/${path}`.replace(/\/{2,}/g, '/')
  const insecure = config.insecure === true
  const reply = await ask(input, {
    url: url.href,
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
    body: parameters.toString(),
    insecure,
  })
  if (reply.status !== 403 && reply.status !== 405 && reply.status !== 501) return reply
  url.search = parameters.toString()
  return ask(input, { url: url.href, method: 'GET', headers, insecure })
}

interface Answer {
  readonly status?: string
  readonly errorType?: string
  readonly error?: string
  readonly warnings?: readonly string[]
  readonly data?: { readonly resultType?: string; readonly result?: unknown }
}

function judged(input: MeasureInput, reply: Reply): Measured {
  const { metric } = input
  const now = () => input.clock.now()
  const answer = parse(reply)
  const { resultType, result } = answer.data ?? {}
  const metadata = answer.warnings?.length
    ? { warnings: answer.warnings.map((w) => JSON.stringify(w)).join(', ') }
    : undefined
  const done = (value: string, verdict: ReturnType<typeof verdictOn>): Measured => ({
    kind: 'done',
    value,
    ...verdict,
    ...(metadata ? { metadata } : {}),
  })
  if (resultType === 'scalar') {
    const value = number((result as [number, string])[1])
    return done(formatFloat(value), verdictOn(metric, value, { now }))
  }
  if (resultType !== 'vector' && resultType !== 'matrix')
    throw new Error(`unexpected value type ${JSON.stringify(resultType)}`)
  const series = (result ?? []) as readonly {
    readonly value?: [number, string]
    readonly values?: readonly [number, string][]
  }[]
  const values = series.flatMap((one) =>
    resultType === 'vector' ? (one.value ? [one.value] : []) : (one.values ?? []),
  )
  const numbers = values.map(([, text]) => number(text))
  const whyEmpty = series.length === 0 ? { whyEmpty: 'query returned no series' } : {}
  return done(
    `[${numbers.map(formatFloat).join(',')}]`,
    verdictOn(metric, floats(numbers), { now, ...whyEmpty }),
  )
}

function parse(reply: Reply): Answer {
  let answer: Answer | null = null
  try {
    answer = JSON.parse(reply.text)
  } catch {
    // not Prometheus speaking: the status says it
  }
  if (answer?.status === 'error') throw new Error(`${answer.errorType}: ${answer.error}`)
  if (answer?.status === 'success' && reply.status >= 200 && reply.status < 300) return answer
  const excerpt =
    reply.text.trim() && answer === null ? ` (${reply.text.trim().slice(0, 200)})` : ''
  if (reply.status >= 500) throw new Error(`server_error: server error: ${reply.status}${excerpt}`)
  if (reply.status >= 400) throw new Error(`client_error: client error: ${reply.status}${excerpt}`)
  throw new Error(`bad_response: invalid answer with status ${reply.status}${excerpt}`)
}

function number(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY
  if (text === '-Inf') return Number.NEGATIVE_INFINITY
  return Number(text)
}
