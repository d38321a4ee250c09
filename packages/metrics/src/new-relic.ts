import type { Metric } from '@serinus/api'
import { fromJson } from '@serinus/expr'
import { listAt, objectAt, parseJsonBody, readAnswer, sourceOf } from './answer.ts'
import { readCredentials } from './credentials.ts'
import { askNerdGraph, messagesOf, type NerdGraphRequest } from './nerd-graph.ts'
import { defaultDeadlineMs, type MeasureInput, type Provider } from './provider.ts'
import { goJson, nothingMeasured, verdictOn } from './verdict.ts'

type Config = NonNullable<Metric['provider']['newRelic']>

const defaultTimeoutSeconds = 5

/** New Relic: one NRQL query through NerdGraph (spec metric-providers 5). */
export const newRelic: Provider = {
  type: 'NewRelic',
  /** Of the query and all its retries together. */
  deadlineMs({ provider }) {
    const seconds = provider.newRelic?.timeout ?? defaultTimeoutSeconds
    return defaultDeadlineMs + Math.max(seconds, 0) * 1000
  },
  async run(input) {
    const config = input.metric.provider.newRelic
    if (!config) throw new Error('spec.metrics[].provider.newRelic is missing')
    const account = await accountOf(input, config)
    const timeout = config.timeout ?? defaultTimeoutSeconds
    if (timeout < 0) throw new Error('timeout value needs to be a positive value')
    const request: NerdGraphRequest = {
      url: account.url,
      apiKey: account.apiKey,
      query: nrql,
      variables: { accountId: account.id, query: config.query, timeout },
    }
    const reply = await askNerdGraph(input, request)
    const from = { provider: 'New Relic', url: account.url }
    const result = readAnswer(from, () => {
      const answer = objectAt(parseJsonBody(reply, 'Could not parse JSON body'), 'the body')
      const problems = messagesOf(answer)
      if (problems.length > 0) throw new Error(problems.join(', '))
      return resultOf(answer)
    })
    if (result === null) {
      const cause = `no results returned from NRQL query (${sourceOf(from)})`
      return nothingMeasured(input.metric, cause)
    }
    const now = () => input.clock.now()
    return {
      kind: 'done',
      value: goJson(result),
      ...verdictOn(input.metric, fromJson(result), { now, whyEmpty: sourceOf(from) }),
    }
  },
  metadata: ({ provider }) => ({ ResolvedNewRelicQuery: provider.newRelic?.query ?? '' }),
}

const nrql =
  'query ($query: Nrql!, $accountId: Int!, $timeout: Seconds!) { actor { account(id: $accountId) { nrql(query: $query, timeout: $timeout) { results } } } }'

interface Account {
  readonly apiKey: string
  readonly id: number
  readonly url: string
}

async function accountOf(input: MeasureInput, config: Config): Promise<Account> {
  const reference = { namespace: input.controllerNamespace, name: config.profile || 'newrelic' }
  const open = ['account-id', 'region', 'base-url-rest', 'base-url-nerdgraph']
  const values = await readCredentials(input, reference, open)
  const { 'personal-api-key': apiKey, 'account-id': id } = values
  if (!apiKey || !id) {
    const missing = ['personal-api-key', 'account-id'].filter((key) => !values[key]).join(' and ')
    throw new Error(
      `account ID or personal API key not found (secret ${reference.namespace}/${reference.name} has no ${missing})`,
    )
  }
  if (!/^[+-]?\d+$/.test(id))
    throw new Error(
      `could not parse account ID: strconv.Atoi: parsing ${JSON.stringify(id)}: invalid syntax`,
    )
  return { apiKey, id: Number(id), url: urlOf(values, input.env) }
}

const regions: Readonly<Record<string, string>> = {
  us: 'https://api.newrelic.com/graphql',
  eu: 'https://api.eu.newrelic.com/graphql',
  jp: 'https://api.jp.newrelic.com/graphql',
  gov: 'https://gov-api.newrelic.com/graphql',
  fedramp: 'https://gov-api.newrelic.com/graphql',
  staging: 'https://staging-api.newrelic.com/graphql',
  local: 'http://localhost:3000/graphql',
}

function urlOf(values: Readonly<Record<string, string>>, env: MeasureInput['env']): string {
  const region = values['region'] || 'us'
  const ofRegion = Object.hasOwn(regions, region.toLowerCase())
    ? regions[region.toLowerCase()]
    : undefined
  if (ofRegion === undefined)
    throw new Error(`unknown region: ${region} (known: ${Object.keys(regions).join(', ')})`)
  const url = values['base-url-nerdgraph'] || env['NEW_RELIC_NERDGRAPH_BASE_URL'] || ofRegion
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url
  throw new Error(
    `base-url-nerdgraph ${JSON.stringify(url)} is not a URL; it looks like ${regions['us']}`,
  )
}

/** One row as it is, several as a list; null: there is none. */
function resultOf(answer: Readonly<Record<string, unknown>>): unknown {
  let part: unknown = answer
  for (const key of ['data', 'actor', 'account', 'nrql', 'results']) {
    part = part == null ? part : objectAt(part, `the parent of ${key}`)[key]
  }
  const rows = part == null ? [] : listAt(part, 'results').map((row) => objectAt(row, 'a result'))
  const [first] = rows
  if (!first || (rows.length === 1 && Object.keys(first).length === 0)) return null
  return rows.length === 1 ? first : rows
}
