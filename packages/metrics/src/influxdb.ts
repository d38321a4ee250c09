import type { Metric } from '@serinus/api'
import { formatText } from '@serinus/expr'
import { askVendor, readAnswer, sourceOf } from './answer.ts'
import { readCredentials } from './credentials.ts'
import { fluxValues } from './flux-values.ts'
import { excerptOf, type Reply } from './http.ts'
import type { MeasureInput, Provider } from './provider.ts'
import { nothingMeasured, verdictOn } from './verdict.ts'

type Config = NonNullable<Metric['provider']['influxdb']>

const deadlineMs = 20_000
const defaultProfile = 'influxdb'
const dialect = { annotations: ['datatype', 'group', 'default'], delimiter: ',', header: true }

/** InfluxDB by Flux (spec metric-providers 7). */
export const influxdb: Provider = {
  type: 'Influxdb',
  deadlineMs: () => deadlineMs,
  async run(input) {
    const config = input.metric.provider.influxdb ?? {}
    const { address, authToken, org } = await credentialsOf(input, config)
    const url = `${address.replace(/\/+$/, '')}/api/v2/query?org=${encodeURIComponent(org)}`
    const reply = await askVendor(input, 'InfluxDB', {
      url,
      method: 'POST',
      headers: [
        ['Authorization', `Token ${authToken}`],
        ['Content-Type', 'application/json'],
        ['Accept-Encoding', 'gzip'],
      ],
      body: JSON.stringify({ dialect, query: config.query ?? '', type: 'flux' }),
    })
    const from = { provider: 'InfluxDB', url }
    const { parse } = await import('csv-parse/sync')
    const values = readAnswer(from, () => {
      const records = parse(okay(reply), { relax_column_count: true, skip_empty_lines: false })
      return fluxValues(records)
    })
    if (values.length === 0) {
      const cause = `no results returned from flux query (${sourceOf(from)})`
      return nothingMeasured(input.metric, cause)
    }
    const now = () => input.clock.now()
    return {
      kind: 'done',
      value: formatText(values),
      ...verdictOn(input.metric, values, { now, whyEmpty: sourceOf(from) }),
    }
  },
}

async function credentialsOf(
  input: MeasureInput,
  config: Config,
): Promise<{ readonly address: string; readonly authToken: string; readonly org: string }> {
  const reference = {
    namespace: input.controllerNamespace,
    name: config.profile || defaultProfile,
  }
  const values = await readCredentials(input, reference, ['address', 'org'])
  const { address, authToken, org } = values
  if (!address || !authToken || !org) {
    const missing = !authToken ? 'authToken' : !org ? 'org' : 'address'
    const where = `secret ${reference.namespace}/${reference.name} has no ${missing}`
    throw new Error(`authToken, org, or address not found (${where})`)
  }
  if (!URL.canParse(address)) throw new Error(`address ${JSON.stringify(address)} is not a URL`)
  return { address, authToken, org }
}

/** Body of an answer; failures as InfluxDB's own client words them. */
function okay({ status, statusText, text }: Reply): string {
  if (status >= 200 && status <= 299) return text
  const { code, message } = failureIn(text)
  if (code !== undefined || message !== undefined) throw new Error(`${code}: ${message}`)
  if (text.trim() === '') {
    if (status === 429) throw new Error('too many requests: exceeded rate limit')
    if (status === 503) throw new Error('unavailable: service temporarily unavailable')
  }
  throw new Error(`${status} ${statusText}: ${excerptOf(text)}`)
}

function failureIn(text: string): { readonly code?: string; readonly message?: string } {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null ? body : {}
  } catch {
    return {}
  }
}
