import type { AnalysisRun, Measurement, Metric } from '@serinus/api'
import type { Keeper } from './keeper.ts'
import {
  type MeasurementQuestion,
  PluginError,
  PluginLacksMethod,
  shown,
  textOf,
} from './plugin-process.ts'

/**
 * A metric plugin. Measurements come as the plugin gave them; one that it refused is in phase Error with its words.
 * Every method rejects with upstream's message where the plugin could not be asked: `Run rpc call error: <why>`.
 */
export interface MetricPluginClient {
  run(
    question: { readonly run: AnalysisRun; readonly metric: Metric },
    signal: AbortSignal,
  ): Promise<Measurement>
  resume(question: MeasurementQuestion, signal: AbortSignal): Promise<Measurement>
  /** A plugin that cannot terminate leaves an Inconclusive measurement. */
  terminate(question: MeasurementQuestion, signal: AbortSignal): Promise<Measurement>
  garbageCollect(
    question: { readonly run: AnalysisRun; readonly metric: Metric; readonly limit: number },
    signal: AbortSignal,
  ): Promise<void>
  /** What the plugin has to say of the metric itself. */
  metadata(metric: Metric, signal: AbortSignal): Promise<Readonly<Record<string, string>>>
}

export function metricClient(keeper: Pick<Keeper, 'ask'>): MetricPluginClient {
  return {
    run: (question, signal) => measured('Run', () => keeper.ask('metric/run', question, signal)),
    resume: (question, signal) =>
      measured('Resume', () => keeper.ask('metric/resume', question, signal)),
    async terminate(question, signal) {
      try {
        return await measured('Terminate', () => keeper.ask('metric/terminate', question, signal))
      } catch (error) {
        if (!lacksMethod(error)) throw error
        return { ...question.measurement, phase: 'Inconclusive' }
      }
    },
    async garbageCollect(question, signal) {
      try {
        await keeper.ask('metric/garbageCollect', question, signal)
      } catch (error) {
        if (error instanceof PluginError) throw error
        if (!(error instanceof PluginLacksMethod)) throw callError('GarbageCollect', error)
      }
    },
    async metadata(metric, signal) {
      try {
        return parseMetadata(await keeper.ask('metric/metadata', { metric }, signal))
      } catch (error) {
        if (error instanceof PluginLacksMethod) return {}
        if (error instanceof PluginError) return { error: error.message }
        throw callError('GetMetadata', error)
      }
    },
  }
}

async function measured(method: string, ask: () => Promise<unknown>): Promise<Measurement> {
  try {
    return parseMeasurement(await ask())
  } catch (error) {
    if (error instanceof PluginError) return { phase: 'Error', message: error.message }
    throw callError(method, error)
  }
}

function callError(method: string, error: unknown): Error {
  return new Error(`${method} rpc call error: ${textOf(error)}`, { cause: error })
}

function lacksMethod(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof PluginLacksMethod
}

const phases: ReadonlySet<unknown> = new Set<Measurement['phase']>([
  'Pending',
  'Running',
  'Successful',
  'Failed',
  'Error',
  'Inconclusive',
])

/** A plugin may answer anything: what cannot be stored is an error that says what was wrong. */
function parseMeasurement(answer: unknown): Measurement {
  if (!isRecord(answer)) throw new Error(`the answer is no measurement: ${shown(answer)}`)
  if (!phases.has(answer['phase']))
    throw new Error(
      `the answer has the phase ${shown(answer['phase'])}, which is none of ${[...phases].join(', ')}`,
    )
  const texts = ['message', 'value'].flatMap((field) => textField(answer, field))
  const instants = ['startedAt', 'finishedAt', 'resumeAt'].flatMap((field) =>
    instantField(answer, field),
  )
  refuseTooMuch(answer)
  const metadata = answer['metadata']
  return {
    phase: answer['phase'] as Measurement['phase'],
    ...Object.fromEntries([...texts, ...instants]),
    ...(metadata === undefined || metadata === null ? {} : { metadata: parseMetadata(metadata) }),
  }
}

/** Most that is stored of one measurement, characters: etcd takes 1.5 MiB for a run with all its measurements. */
const mostStored = 32_768

function refuseTooMuch(answer: Readonly<Record<string, unknown>>): void {
  for (const field of ['message', 'value', 'metadata']) {
    const { length } = JSON.stringify(answer[field]) ?? ''
    if (length <= mostStored) continue
    throw new Error(
      `the answer has a ${field} of ${length} characters; no more than ${mostStored} are stored`,
    )
  }
}

function textField(answer: Readonly<Record<string, unknown>>, field: string): [string, string][] {
  const value = answer[field]
  if (value === undefined || value === null || value === '') return []
  if (typeof value === 'string') return [[field, value]]
  // `value: 12` is what a JavaScript author writes first.
  if (typeof value === 'number' || typeof value === 'boolean') return [[field, String(value)]]
  throw new Error(`the answer has the ${field} ${shown(value)}, which is no text`)
}

/** `Date` reads much else, even `5`. */
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/
/** In UTC, too, the year has to have four digits. */
const firstInstant = Date.parse('0001-01-01T00:00:00Z')
const lastInstant = Date.parse('9999-12-31T23:59:59Z')

function instantField(
  answer: Readonly<Record<string, unknown>>,
  field: string,
): [string, string][] {
  const value = answer[field]
  if (value === undefined || value === null) return []
  const at = typeof value === 'string' && rfc3339.test(value) ? Date.parse(value) : Number.NaN
  if (!(at >= firstInstant && at <= lastInstant))
    throw new Error(`the answer has the ${field} ${shown(value)}, which is no instant of RFC 3339`)
  return [[field, `${new Date(at).toISOString().slice(0, 19)}Z`]]
}

function parseMetadata(answer: unknown): Readonly<Record<string, string>> {
  if (answer === null || answer === undefined) return {}
  if (!isRecord(answer)) throw new Error(`the answer's metadata is no map: ${shown(answer)}`)
  refuseTooMuch({ metadata: answer })
  return Object.fromEntries(
    Object.entries(answer).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  )
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
