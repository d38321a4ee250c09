import type { Measurement } from '@serinus/api'
import { longestTimeoutMs, type MetricPluginClient } from '@serinus/plugins'
import type { Measured, MeasureInput, Provider } from './provider.ts'

/** When a measurement is asked for again whose plugin names no time. */
const resumeMs = 10_000

/** Two questions about one measurement are at least this far apart. */
const leastMs = 1_000

/** What the start of a plugin and a ping may take beyond the questions themselves. */
const startMs = 60_000

/**
 * A plugin of somebody else, which judges by itself (spec metric-providers 13). Its phase, value, message and metadata
 * are stored as they come; the times are ours.
 */
export const plugin: Provider = {
  type: 'RPCPlugin',
  // The host keeps the deadline of each question; this one is for a host that fails to.
  deadlineMs: () => 2 * longestTimeoutMs + startMs,
  async run(input) {
    const { run, metric, signal } = input
    const client = await clientOf(input)
    return measured(await client.run({ run, metric }, signal), { verb: 'run', input })
  },
  async resume(input, measurement) {
    const { run, metric, signal } = input
    const client = await clientOf(input)
    const answer = await client.resume({ run, metric, measurement }, signal)
    return measured(answer, { verb: 'resume', input })
  },
  async terminate(input, measurement) {
    const { run, metric, signal } = input
    const client = await clientOf(input)
    const answer = await client.terminate({ run, metric, measurement }, signal)
    const ended = measured(answer, { verb: 'terminate', input })
    if (ended.kind === 'running') {
      // Nobody asks once more: what goes on after this goes on unseen.
      const { kind: _, resumeAt: __, ...facts } = ended
      return { ...facts, kind: 'done', phase: 'Inconclusive', message: 'Metric Terminated' }
    }
    const isVerdict = ended.phase === 'Failed' || ended.phase === 'Error'
    return isVerdict ? ended : { ...ended, message: 'Metric Terminated' }
  },
  async garbageCollect(input, limit) {
    const { run, metric, signal } = input
    const client = await clientOf(input)
    try {
      await client.garbageCollect({ run, metric, limit }, signal)
    } catch (cause) {
      throw new Error(`failed to garbage collect via plugin: ${textOf(cause)}`, { cause })
    }
  },
  async metadata(metric, input) {
    const known = input.run.status?.metricResults?.find(({ name }) => name === metric.name)
    if (known?.metadata) return undefined
    // Where there is no plugin the measurement says so.
    const client = await clientOf(input).catch(() => null)
    if (!client) return undefined
    try {
      const { error, ...facts } = await client.metadata(metric, input.signal)
      const failure = error ? { error: `failed to get metadata via plugin: ${error}` } : {}
      const all = { ...facts, ...failure }
      return Object.keys(all).length > 0 ? all : undefined
    } catch (error) {
      return { error: textOf(error) }
    }
  },
}

function clientOf({ metric, plugins }: MeasureInput): Promise<MetricPluginClient> {
  const [name] = Object.keys((metric.provider.plugin ?? {}) as object)
  const chain =
    'failed to create plugin: unable to get metric plugin: unable to start plugin system'
  if (name === undefined) return Promise.reject(new Error(`${chain}: no plugin found`))
  if (plugins) return plugins.metric(name)
  const why = 'no plugin host runs in this process'
  return Promise.reject(new Error(`${chain}: unable to find plugin (${name}): ${why}`))
}

function measured(
  answer: Measurement,
  { verb, input }: { readonly verb: string; readonly input: MeasureInput },
): Measured {
  const { phase, value, message, metadata } = answer
  const texts = {
    ...(value === undefined ? {} : { value }),
    ...(message === undefined ? {} : { message }),
    ...(metadata ? { metadata } : {}),
  }
  switch (phase) {
    case 'Pending':
    case 'Running': {
      const now = input.clock.now()
      // One that wants to be asked again in the past would be asked without a pause.
      const resumeAt = Math.max(Date.parse(answer.resumeAt ?? '') || now + resumeMs, now + leastMs)
      return { ...texts, kind: 'running', resumeAt }
    }
    case 'Error':
      return {
        ...texts,
        kind: 'done',
        phase,
        message: `failed to ${verb} via plugin: ${message ?? ''}`,
      }
    case 'Successful':
    case 'Failed':
    case 'Inconclusive':
      return { ...texts, kind: 'done', phase }
    default:
      throw new TypeError(`unknown phase: ${JSON.stringify(phase satisfies never)}`)
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
