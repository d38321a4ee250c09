import { fromJson } from '@serinus/expr'
import { ask, oauth2Header } from './http.ts'
import { parseJsonPath, selectFirst } from './json-path.ts'
import type { Provider } from './provider.ts'
import { goJson, verdictOn } from './verdict.ts'

/** Any HTTP endpoint that answers with JSON or text (spec metric-providers 3). */
export const web: Provider = {
  type: 'Web',
  async run(input) {
    const config = input.metric.provider.web
    if (!config) throw new Error('spec.metrics[].provider.web is missing')
    const path = parseJsonPath(config.jsonPath || '{$}')
    const method = (config.method || 'GET').toUpperCase()
    const headers: Record<string, string> = {}
    const token = config.authentication?.oauth2
      ? await oauth2Header(input, config.authentication.oauth2, config.insecure === true)
      : null
    if (token) headers['Authorization'] = token
    for (const header of config.headers ?? []) headers[header.key] = header.value
    const body = bodyOf(config, method)
    if (config.jsonBody !== undefined) headers['Content-Type'] = 'application/json'
    const reply = await ask(input, {
      url: config.url,
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      insecure: config.insecure === true,
    })
    if (reply.status < 200 || reply.status > 299)
      throw new Error(`received non 2xx response code: ${reply.status}`)
    const now = () => input.clock.now()
    const document = parseJson(reply.text)
    if (!document.ok)
      return { kind: 'done', value: reply.text, ...verdictOn(input.metric, reply.text, { now }) }
    const selected = select(path, document.value)
    return {
      kind: 'done',
      value: goJson(selected),
      ...verdictOn(input.metric, fromJson(selected), { now }),
    }
  },
}

function bodyOf(
  config: { readonly body?: string; readonly jsonBody?: unknown },
  method: string,
): string | undefined {
  if (config.body && config.jsonBody !== undefined) {
    throw new Error('use either Body or JSONBody; both cannot exists for WebMetric payload')
  }
  if (!config.body && config.jsonBody === undefined) return undefined
  if (method !== 'POST' && method !== 'PUT') {
    throw new Error('Body/JSONBody can only be used with POST or PUT WebMetric Method types')
  }
  return config.body || JSON.stringify(config.jsonBody)
}

function parseJson(text: string): { ok: true; value: unknown } | { ok: false } {
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false }
  }
}

function select(path: ReturnType<typeof parseJsonPath>, document: unknown): unknown {
  let selected: ReturnType<typeof selectFirst>
  try {
    selected = selectFirst(path, document)
  } catch (error) {
    throw new Error(
      `Could not find JSONPath in body: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
  if (!selected.found) throw new Error('result of web metric produced no value')
  return selected.value
}
