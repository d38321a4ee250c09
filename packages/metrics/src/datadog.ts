import { durationProblem, type Metric, parseDuration } from '@serinus/api'
import { askVendor, readAnswer, sourceOf } from './answer.ts'
import { readCredentials } from './credentials.ts'
import { datadogV1 } from './datadog-v1.ts'
import { datadogV2 } from './datadog-v2.ts'
import { excerptOf, type Reply } from './http.ts'
import type { MeasureInput, Provider } from './provider.ts'
import { verdictOn } from './verdict.ts'

type Config = NonNullable<Metric['provider']['datadog']>

const defaultAddress = 'https://api.datadoghq.com'
const defaultTimeoutMs = 10_000

/** Datadog's metrics, by either version of its API (spec metric-providers 4). */
export const datadog: Provider = {
  type: 'Datadog',
  deadlineMs({ provider }) {
    const ms = parseDuration(provider.datadog?.requestTimeout ?? '') ?? 0
    return ms > 0 ? ms : defaultTimeoutMs
  },
  async run(input) {
    const config = input.metric.provider.datadog ?? {}
    const credentials = await credentialsOf(input, config)
    checkQueries(config)
    checkTimeout(config)
    // Without the CRD's default anything but v1 is v2, as upstream reads it.
    const api = config.apiVersion === 'v1' ? datadogV1 : datadogV2
    const to = Math.floor(input.clock.now() / 1000)
    const { path, ...request } = api.request(config, { from: to - lookBackSeconds(config), to })
    const url = checkedAddress(credentials.address) + path
    const reply = await askVendor(input, 'Datadog', {
      ...request,
      url,
      headers: [
        ['Content-Type', 'application/json'],
        ['DD-API-KEY', credentials.apiKey],
        ['DD-APPLICATION-KEY', credentials.appKey],
      ],
      clientTimeout: true,
      isRead: true,
    })
    const from = { provider: 'Datadog', url }
    const { result, value, metadata, note } = readAnswer(from, () => api.read(okay(reply)))
    const now = () => input.clock.now()
    const whyEmpty = note ? `${sourceOf(from)}: ${note}` : sourceOf(from)
    const verdict = verdictOn(input.metric, result, { now, whyEmpty })
    // Upstream keeps the text of "nothing" only where the conditions take it.
    const isKept = result !== null || verdict.phase !== 'Error'
    return {
      kind: 'done',
      ...(isKept ? { value } : {}),
      ...(note ? { message: note } : {}),
      ...verdict,
      ...(metadata ? { metadata } : {}),
    }
  },
}

interface Credentials {
  readonly apiKey: string
  readonly appKey: string
  readonly address: string
}

const notFound = 'failed to find the credentials for datadog metrics provider'

async function credentialsOf(input: MeasureInput, config: Config): Promise<Credentials> {
  const { name, namespaced } = config.secretRef ?? {}
  if (namespaced && !name) throw new Error('secret name is required for namespaced credentials')
  const { DD_API_KEY: apiKey, DD_APP_KEY: appKey, DD_ADDRESS: address } = input.env
  if (!name && apiKey !== undefined && appKey !== undefined && address !== undefined) {
    for (const key of [apiKey, appKey]) if (key) input.hide(key)
    if (!apiKey || !appKey)
      throw new Error(`${notFound}: DD_API_KEY or DD_APP_KEY of the controller is empty`)
    return { apiKey, appKey, address: address || defaultAddress }
  }
  const namespace = namespaced
    ? (input.run.metadata.namespace ?? 'default')
    : input.controllerNamespace
  return inSecret(input, { namespace, name: name || 'datadog' })
}

async function inSecret(
  input: MeasureInput,
  reference: { readonly namespace: string; readonly name: string },
): Promise<Credentials> {
  const where = `secret ${reference.namespace}/${reference.name}`
  const values = await readCredentials(input, reference, ['address']).catch((error: unknown) => {
    const cause = error instanceof Error ? error.message : String(error)
    throw new Error(`${notFound}: ${cause}`, { cause: error })
  })
  const { 'api-key': apiKey, 'app-key': appKey, address } = values
  if (!apiKey || !appKey) {
    const missing = ['api-key', 'app-key'].filter((key) => !values[key]).join(' and ')
    throw new Error(`${notFound}: ${where} has no ${missing}`)
  }
  return { apiKey, appKey, address: address || defaultAddress }
}

const review = 'Please review the Analysis Template.'

function checkQueries({ apiVersion, query, queries, formula, aggregator }: Config): void {
  const count = Object.keys(queries ?? {}).length
  if (!query && count === 0) throw new Error(`Must have either a query or queries. ${review}`)
  if (query && count > 0) throw new Error(`Cannot have both a query and queries. ${review}`)
  if (apiVersion === 'v1' && !query)
    throw new Error(
      'Query is empty. API Version v1 only supports using the query parameter in your Analysis Template.',
    )
  if (formula && count === 0)
    throw new Error(`Formula are only valid when queries are set. ${review}`)
  if (count > 1 && !formula)
    throw new Error('When multiple queries are provided you must include a formula.')
  if (apiVersion === 'v1' && aggregator)
    throw new Error(`Aggregator is not supported in v1. ${review}`)
}

function checkTimeout({ requestTimeout }: Config): void {
  if (requestTimeout === undefined) return
  const ms = parseDuration(requestTimeout)
  if (ms === undefined)
    throw new Error(
      `Could not parse the request timeout: ${durationProblem(requestTimeout)}. ${review}`,
    )
  if (ms <= 0) throw new Error(`Request timeout must be a positive duration (e.g. 30s). ${review}`)
}

function lookBackSeconds({ interval = '5m' }: Config): number {
  const ms = parseDuration(interval)
  if (ms === undefined) throw new Error(`datadog interval: ${durationProblem(interval)}`)
  return Math.trunc(ms / 1000)
}

function checkedAddress(address: string): string {
  if (/^https?:$/.test(URL.parse(address)?.protocol ?? '')) return address
  throw new Error(
    `datadog address ${JSON.stringify(address)} is not a URL; it looks like ${defaultAddress}`,
  )
}

function okay(reply: Reply): Reply {
  const { status, text } = reply
  if (status === 401 || status === 403)
    throw new Error(`received authentication error response code: ${status} ${excerptOf(text)}`)
  if (status !== 200)
    throw new Error(`received non 2xx response code: ${status} ${excerptOf(text)}`)
  return reply
}
