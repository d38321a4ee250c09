import { defaults, type Metric } from '@serinus/api'
import { fromJson } from '@serinus/expr'
import { parseJson } from './answer.ts'
import { type Credentials, credentialsFor } from './authentication.ts'
import { ask, excerptOf, type HeaderFields } from './http.ts'
import { type JsonPath, parseJsonPath, selectFirst } from './json-path.ts'
import { askWithToken } from './oauth2.ts'
import type { Provider } from './provider.ts'
import { goJson, nothingMeasured, verdictOn } from './verdict.ts'

type Config = NonNullable<Metric['provider']['web']>

/** Any HTTP endpoint that answers with JSON or text (spec metric-providers 3). */
export const web: Provider = {
  type: 'Web',
  address: ({ provider }) => provider.web?.url,
  deadlineMs({ provider }) {
    const seconds = provider.web?.timeoutSeconds ?? 0
    return (seconds > 0 ? seconds : defaults.webTimeoutSeconds) * 1000
  },
  async run(input) {
    const config = input.metric.provider.web
    if (!config) throw new Error('spec.metrics[].provider.web is missing')
    const path = parseJsonPath(config.jsonPath || defaults.webJsonPath)
    const method = (config.method || defaults.webMethod).toUpperCase()
    const body = bodyOf(config, method)
    const credentials = await credentialsFor(input, 'web', config)
    const { tls, oauth2 } = credentials
    const how = { insecure: config.insecure === true, tls, provider: 'Web', clientTimeout: true }
    const reply = await askWithToken(input, oauth2, {
      for: { method, url: config.url },
      ...how,
      send: (token) =>
        ask(input, {
          url: config.url,
          method,
          headers: headersOf(config, credentials, token),
          ...(body === undefined ? {} : { body }),
          ...how,
        }),
    })
    if (reply.status < 200 || reply.status > 299) {
      const excerpt = excerptOf(reply.text)
      throw new Error(
        `received non 2xx response code: ${reply.status}${excerpt ? ` (${excerpt})` : ''}`,
      )
    }
    const now = () => input.clock.now()
    const document = documentIn(reply.text)
    if (!document.ok)
      return { kind: 'done', value: reply.text, ...verdictOn(input.metric, reply.text, { now }) }
    const selected = select(path, document.value)
    if (!selected.found)
      return nothingMeasured(input.metric, 'result of web metric produced no value')
    return {
      kind: 'done',
      value: goJson(selected.value),
      ...verdictOn(input.metric, fromJson(selected.value), { now }),
    }
  },
  metadata({ provider }) {
    // Upstream drops it in silence. Which service a signature would be for, the field does not say.
    if (!provider.web?.authentication?.sigv4) return undefined
    return { IgnoredSetting: 'authentication.sigv4: requests of web metrics are not signed' }
  },
}

function headersOf(
  config: Config,
  { basic, headers }: Credentials,
  token: string | null,
): HeaderFields {
  return [
    ...(basic ? [['Authorization', basic] as const] : []),
    ...headers,
    ...(config.jsonBody === undefined ? [] : [['Content-Type', 'application/json'] as const]),
    // The token is set last by upstream's transport, over a header of the same name.
    ...(token ? [['Authorization', token] as const] : []),
  ]
}

function bodyOf(config: Config, method: string): string | undefined {
  const { body, jsonBody } = config
  if (body && jsonBody !== undefined)
    throw new Error('use either Body or JSONBody; both cannot exists for WebMetric payload')
  if (!body && jsonBody === undefined) return undefined
  if (method === 'GET' || method === 'HEAD')
    throw new Error('Body/JSONBody can only be used with POST or PUT WebMetric Method types')
  return body || JSON.stringify(jsonBody)
}

function documentIn(text: string): { ok: true; value: unknown } | { ok: false } {
  try {
    return { ok: true, value: parseJson(text) }
  } catch {
    return { ok: false }
  }
}

function select(path: JsonPath, document: unknown): ReturnType<typeof selectFirst> {
  try {
    return selectFirst(path, document)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    throw new Error(`Could not find JSONPath in body: ${detail}`, { cause: error })
  }
}
