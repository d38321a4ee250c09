import type { AnalysisRun, Measurement, Metric } from '@serinus/api'
import type { Clock, FetchOptions, KubeClient } from '@serinus/kube'
import type { Plugins } from '@serinus/plugins'
import type { Kept } from './kept.ts'

/** What a provider may use; nothing else reaches it (no environment, no clock of its own). */
export interface MeasureInput {
  readonly run: AnalysisRun
  /** Arguments and secrets are already filled in. */
  readonly metric: Metric
  /** `{count} + {error} + 1` of the metric: names of created objects are made of it. */
  readonly serial: number
  readonly clock: Clock
  /** Resolves names as they resolve inside the cluster. */
  readonly fetch: (request: Request, options?: FetchOptions) => Promise<Response>
  /** Of the cluster in which Jobs run. */
  readonly client: KubeClient
  /** Where secrets of the controller itself are, such as `newrelic` (spec metric-providers 1.2). */
  readonly controllerNamespace: string
  /** The decoded values of a Secret, by key; rejects in the API's words: `secrets "newrelic" not found`. */
  readonly readSecret: ReadValues
  /** The same of a ConfigMap. */
  readonly readConfigMap: ReadValues
  /** From now on this text is masked in everything that is stored or logged of this measurement. */
  readonly hide: (secret: string) => void
  /** What outlives this measurement, for as long as the controller runs. */
  readonly kept: Kept
  /** Who runs the plugins of metrics. Absent: nobody does, and a metric that names one says so. */
  readonly plugins?: Pick<Plugins, 'metric'>
  /** Settings of the process, such as `ARGO_ROLLOUTS_PROMETHEUS_ADDRESS`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborts when the measurement's deadline is over or the controller stops. */
  readonly signal: AbortSignal
}

type ReadValues = (reference: {
  readonly namespace: string
  readonly name: string
}) => Promise<Readonly<Record<string, string>>>

/** What came of a measurement; the shell adds the times. */
export type Measured =
  /** Over: a verdict of the provider itself or of the conditions. */
  | {
      readonly kind: 'done'
      readonly phase: 'Successful' | 'Failed' | 'Inconclusive' | 'Error'
      readonly value?: string
      readonly message?: string
      readonly metadata?: Readonly<Record<string, string>>
    }
  /** Under way: asked again at `resumeAt`, epoch milliseconds. */
  | {
      readonly kind: 'running'
      readonly resumeAt: number
      /** What is known so far. */
      readonly value?: string
      readonly message?: string
      readonly metadata?: Readonly<Record<string, string>>
    }

/** Evenly spaced instants, of which the last is the newest; epoch milliseconds. */
export interface Instants {
  readonly lastAt: number
  readonly stepMs: number
  readonly count: number
}

/**
 * Asks one kind of source whether a release is healthy (spec metric-providers 1.2). A rejection counts as a measurement
 * in phase Error whose message is the error's; secrets are masked by the shell.
 */
export interface Provider {
  /** As upstream names it in metrics and messages: `Prometheus`, `Web`, `Job`. */
  readonly type: string
  /** Longest one call may take, milliseconds; 0 is over at once. Absent: `defaultDeadlineMs`. */
  deadlineMs?(metric: Metric): number
  run(input: MeasureInput): Promise<Measured>
  /**
   * The numbers that `run` would have measured at each of the instants, oldest first, asked as one question. Absent: it
   * only knows what is.
   */
  numbersAt?(input: MeasureInput, instants: Instants): Promise<readonly (readonly number[])[]>
  resume?(input: MeasureInput, measurement: Measurement): Promise<Measured>
  terminate?(input: MeasureInput, measurement: Measurement): Promise<Measured>
  /** Drops what belongs to measurements beyond the newest `limit`. */
  garbageCollect?(input: MeasureInput, limit: number): Promise<void>
  /** Where it asks, as the user wrote it: told with a failure whose text does not say so itself. */
  address?(metric: Metric, env: MeasureInput['env']): string | undefined
  /** Kept with the metric's result from its first measurement on. */
  metadata?(
    metric: Metric,
    input: MeasureInput,
  ):
    | Readonly<Record<string, string>>
    | undefined
    | Promise<Readonly<Record<string, string>> | undefined>
}

/** Longest a provider may take for one measurement where the metric sets nothing, milliseconds. */
export const defaultDeadlineMs = 30_000
