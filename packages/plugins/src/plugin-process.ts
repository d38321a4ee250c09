import type { AnalysisRun, Measurement, Metric, Rollout } from '@serinus/api'
import type { Clock } from '@serinus/kube'

/** What a plugin is for: each kind has a list of its own in the configuration. */
export type PluginKind = 'metric' | 'router' | 'step'

/** How a plugin is spoken to (spec metric-providers 14.2, 14.6). */
export type PluginProtocol = 'netrpc' | 'jsonrpc' | 'js' | 'http'

/** What a plugin can be asked, and with what. Objects are plain Kubernetes JSON. */
export interface PluginQuestions {
  'metric/run': { readonly run: AnalysisRun; readonly metric: Metric }
  'metric/resume': MeasurementQuestion
  'metric/terminate': MeasurementQuestion
  'metric/garbageCollect': {
    readonly run: AnalysisRun
    readonly metric: Metric
    readonly limit: number
  }
  'metric/metadata': { readonly metric: Metric }
  'step/run': StepQuestion
  'step/terminate': StepQuestion
  'step/abort': StepQuestion
}

export type PluginMethod = keyof PluginQuestions

export interface MeasurementQuestion {
  readonly run: AnalysisRun
  readonly metric: Metric
  readonly measurement: Measurement
}

export interface StepQuestion {
  readonly name: string
  readonly rollout: Rollout
  readonly config: unknown
  readonly status: unknown
}

/** One plugin at work, whatever its protocol: initialised and able to answer. */
export interface PluginProcess {
  /** As the plugin calls itself. */
  readonly type: string
  /**
   * The answer as it came: nobody has checked it. Rejects with a `PluginError` where the plugin itself said no, with the
   * signal's reason, or with what broke.
   */
  call<M extends PluginMethod>(
    method: M,
    question: PluginQuestions[M],
    signal: AbortSignal,
  ): Promise<unknown>
  /** Rejects when the plugin is not there. */
  ping(signal: AbortSignal): Promise<void>
  /** Asks it to end; `ended` tells when it has. */
  quit(): void
  kill(): void
  /** Resolves with the reason once nothing can be asked any more. */
  readonly ended: Promise<Error>
}

/** Everything a plugin is started with. */
export interface PluginStart {
  readonly kind: PluginKind
  readonly name: string
  /** The file, or the address of a plugin that is reached by HTTP. */
  readonly target: string
  readonly args: readonly string[]
  /** HTTP only: sent with each request. */
  readonly headers: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly fetch: (request: Request) => Promise<Response>
  /** A line that the plugin printed. */
  readonly log: (line: string) => void
  /** Aborts when the start has taken too long or is not wanted any more: nothing may be left behind then. */
  readonly signal: AbortSignal
}

/** Starts a plugin and initialises it; rejects with a `StartFailure`. */
export type StartPlugin = (start: PluginStart) => Promise<PluginProcess>

/** The plugin said no, in these words. */
export class PluginError extends Error {
  override readonly name = 'PluginError'
}

/** The plugin has no such method: most are optional. */
export class PluginLacksMethod extends Error {
  override readonly name = 'PluginLacksMethod'
}

/** Where a start came to grief: upstream names it in its message. */
export type StartStage = 'get plugin client' | 'dispense plugin' | 'initialize plugin via rpc'

export class StartFailure extends Error {
  override readonly name = 'StartFailure'
  readonly stage: StartStage
  constructor(stage: StartStage, cause: unknown) {
    super(textOf(cause), { cause })
    this.stage = stage
  }
}

/** The message of whatever was thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** As `textOf`, of what `fetch` throws: `fetch failed` says nothing, its cause does. */
export function causeOf(error: unknown): string {
  return textOf(error instanceof Error && error.cause instanceof Error ? error.cause : error)
}

/** How messages show what a plugin answered. */
export function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 100)
}
