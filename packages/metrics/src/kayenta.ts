import type { Measurement, Metric } from '@serinus/api'
import { askVendor, listAt, objectAt, parseJsonBody, readAnswer, sourceOf } from './answer.ts'
import { excerptOf, type Reply } from './http.ts'
import { type KayentaScopes, kayentaScopes } from './kayenta-scopes.ts'
import type { MeasureInput, Provider } from './provider.ts'

type Config = NonNullable<Metric['provider']['kayenta']>

const pollMs = 15_000
/** Kayenta needs minutes once it has all data. */
const longestMs = 3_600_000

/**
 * A Kayenta that compares canary and baseline by itself; its score is the verdict, conditions are ignored
 * (spec metric-providers 11).
 */
export const kayenta: Provider = {
  type: 'Kayenta',
  async run(input) {
    const config = configOf(input)
    const scopes = kayentaScopes(input, config)
    const configId = await canaryConfigId(input, config)
    const canaryExecutionId = await start(input, { config, configId, scopes })
    const resumeAt = input.clock.now() + pollMs
    return { kind: 'running', resumeAt, metadata: { canaryExecutionId } }
  },
  async resume(input, measurement) {
    const config = configOf(input)
    const canaryExecutionId = executionOf(measurement)
    const url = urlOf(config, ['canary', canaryExecutionId])
    const reply = await askVendor(input, 'Kayenta', { url, method: 'GET', clientTimeout: true })
    const score = read(url, () => scoreIn(okay(reply)))
    const metadata = { canaryExecutionId }
    if (score === null) {
      const now = input.clock.now()
      if (now <= overAt(config, measurement) + longestMs)
        return { kind: 'running', resumeAt: now + pollMs, metadata }
      const source = sourceOf({ provider: 'Kayenta', url })
      const message = `the comparison was not over an hour after its data was complete, and is cancelled (${source})${await cancelled(input, canaryExecutionId)}`
      return { kind: 'done', phase: 'Inconclusive', message, metadata }
    }
    const value = String(Math.trunc(score))
    return { kind: 'done', phase: phaseOf(score, config), value, metadata }
  },
  /** Upstream lets the comparison go on, and the measurement with it. */
  async terminate(input, measurement) {
    const canaryExecutionId = executionOf(measurement)
    return {
      kind: 'done',
      phase: 'Inconclusive',
      message: `Metric Terminated${await cancelled(input, canaryExecutionId)}`,
      metadata: { canaryExecutionId },
    }
  },
}

function configOf(input: MeasureInput): Config {
  const config = input.metric.provider.kayenta
  if (!config) throw new Error('spec.metrics[].provider.kayenta is missing')
  if (!URL.canParse(config.address))
    throw new Error(`address ${JSON.stringify(config.address)} is not a URL`)
  return config
}

function executionOf({ metadata }: Measurement): string {
  const id = metadata?.['canaryExecutionId']
  if (!id) throw new Error('the measurement lost its canaryExecutionId')
  return id
}

/**
 * The config is looked up where it is kept. Upstream looks where the results are stored; whoever has found that to work
 * finds the config there still.
 */
async function canaryConfigId(input: MeasureInput, config: Config): Promise<string> {
  const { configurationAccountName, storageAccountName } = config
  const accounts = [...new Set([configurationAccountName, storageAccountName])]
  const problems: Error[] = []
  for (const account of accounts) {
    const url = urlOf(config, ['canaryConfig'], {
      application: config.application,
      configurationAccountName: account,
    })
    const reply = await askVendor(input, 'Kayenta', { url, method: 'GET', clientTimeout: true })
    try {
      return read(url, () => idIn(okay(reply), config.canaryConfigName))
    } catch (error) {
      problems.push(error as Error)
    }
  }
  throw problems[0]
}

function idIn(reply: Reply, name: string): string {
  const configs = listAt(parseJsonBody(reply, 'Invalid Response'), 'list of canary configs')
  const found = configs
    .map((one) => objectAt(one, 'canary config'))
    .find((one) => one['name'] === name)
  if (!found) throw new Error(`Canary config not found: ${JSON.stringify(name)}`)
  return textAt(found, 'id')
}

async function start(
  input: MeasureInput,
  asked: {
    readonly config: Config
    readonly configId: string
    readonly scopes: KayentaScopes
  },
): Promise<string> {
  const { config, scopes } = asked
  const { pass, marginal } = config.threshold
  const url = urlOf(config, ['canary', asked.configId], {
    application: config.application,
    metricsAccountName: config.metricsAccountName,
    configurationAccountName: config.configurationAccountName,
    storageAccountName: config.storageAccountName,
  })
  const reply = await askVendor(input, 'Kayenta', {
    url,
    method: 'POST',
    headers: [['Content-Type', 'application/json']],
    body: JSON.stringify({ scopes, thresholds: { pass, marginal } }),
    clientTimeout: true,
  })
  return read(url, () =>
    textAt(objectAt(parseJsonBody(okay(reply), 'Invalid Response'), 'answer'), 'canaryExecutionId'),
  )
}

/** 0 to 100; null: the comparison is not over. */
function scoreIn(reply: Reply): number | null {
  const answer = objectAt(parseJsonBody(reply, 'Invalid Response'), 'answer')
  if (typeof answer['complete'] !== 'boolean') throw new Error('Missing Complete Status')
  if (!answer['complete']) return null
  const path = ['result', 'judgeResult', 'score', 'score']
  const score = path.reduce<unknown>(
    (value, key) => (value as Readonly<Record<string, unknown>> | null | undefined)?.[key],
    answer,
  )
  if (typeof score === 'number' && Number.isFinite(score)) return score
  // A comparison that broke off is complete as well.
  const { status } = answer
  throw new Error(`Missing Score${status === undefined ? '' : `: the comparison is ${status}`}`)
}

/** By the whole score: 89.9 is shown as 89 and is less than 90. */
function phaseOf(score: number, { threshold }: Config): 'Successful' | 'Inconclusive' | 'Failed' {
  if (score >= threshold.pass) return 'Successful'
  return score >= threshold.marginal ? 'Inconclusive' : 'Failed'
}

/** When all that is compared has been measured, epoch ms: a window may end after the comparison began. */
function overAt({ scopes }: Config, { startedAt = '' }: Measurement): number {
  const ends = scopes.flatMap(({ controlScope, experimentScope }) =>
    [controlScope, experimentScope].map(({ end }) => Date.parse(end ?? '')),
  )
  const known = [Date.parse(startedAt), ...ends].filter(Number.isFinite)
  return known.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...known)
}

/** What a message adds where the comparison could not be cancelled. */
function cancelled(input: MeasureInput, canaryExecutionId: string): Promise<string> {
  return cancel(input, canaryExecutionId).then(
    () => '',
    (error: Error) => ` (the comparison goes on: ${error.message})`,
  )
}

async function cancel(input: MeasureInput, canaryExecutionId: string): Promise<void> {
  const url = urlOf(configOf(input), ['pipelines', canaryExecutionId, 'cancel'])
  const reply = await askVendor(input, 'Kayenta', { url, method: 'PUT', clientTimeout: true })
  if (reply.status !== 202) read(url, () => okay(reply))
}

function urlOf(
  { address }: Config,
  path: readonly string[],
  query: Readonly<Record<string, string>> = {},
): string {
  const search = new URLSearchParams(query).toString()
  const base = address.replace(/\/+$/, '')
  return `${base}/${path.map(encodeURIComponent).join('/')}${search ? `?${search}` : ''}`
}

function okay(reply: Reply): Reply {
  if (reply.status === 200) return reply
  const said = excerptOf(reply.text.trim())
  throw new Error(`Invalid Response: HTTP ${reply.status}${said ? `: ${said}` : ''}`)
}

function textAt(object: Readonly<Record<string, unknown>>, key: string): string {
  const text = object[key]
  if (typeof text === 'string' && text !== '') return text
  throw new Error(`Invalid Response: no ${key}`)
}

function read<T>(url: string, answer: () => T): T {
  return readAnswer({ provider: 'Kayenta', url }, answer)
}
