import type { Rollout } from '@serinus/api'
import type { EngineOptions, RolloutPlan } from '@serinus/engine'
import {
  type Clock,
  type EventFacts,
  EventRecorder,
  type KubeClient,
  type KubeObject,
} from '@serinus/kube'
import type { MeasureInput } from '@serinus/metrics'
import { startAnalysisController } from './analysis/analysis-controller.ts'
import { startTemplateDoctor } from './analysis/template-doctor.ts'
import { startExperimentController } from './experiment/experiment-controller.ts'
import type { ControllerMetrics } from './metrics/controller-metrics.ts'
import { experimentObstacle, rolloutObstacle, runObstacle } from './process/obstacles.ts'
import type { Readings } from './process/readings.ts'
import { untilAborted } from './process/until-aborted.ts'
import type { AnalysisCaches, Caches } from './rollout/caches.ts'
import {
  type RolloutController,
  type RolloutControllerOptions,
  startRolloutController,
} from './rollout/rollout-controller.ts'
import type { StepPlugins } from './rollout/step-plugins.ts'

export interface ControllerOptions {
  readonly client: KubeClient
  readonly clock: Clock
  /** Ends everything; await `stopped` afterwards. */
  readonly signal: AbortSignal
  /** How providers reach their servers; names resolve as in the cluster. */
  readonly fetch: MeasureInput['fetch']
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Of the controller itself: secrets of providers are read there. Absent: `argo-rollouts`. */
  readonly controllerNamespace?: string
  readonly engine?: Partial<EngineOptions>
  /** Absent: the whole cluster. */
  readonly namespace?: string
  readonly instanceId?: string
  /** How many Rollouts are looked at at the same time. Absent: 10. */
  readonly rolloutThreads?: number
  /** How many AnalysisRuns are looked at at the same time. Absent: 30. */
  readonly analysisThreads?: number
  /** Who runs the plugins of metrics. Absent: metrics that name one say that nobody does. */
  readonly plugins?: MeasureInput['plugins']
  /** Who runs step plugins. Absent: steps that name one wait. */
  readonly stepPlugins?: StepPlugins
  /** Who moves traffic. Absent: routers that take what the cluster serves. */
  readonly routers?: RolloutControllerOptions['routers']
  /** How many Experiments are looked at at the same time. Absent: 10. */
  readonly experimentThreads?: number
  /** Where the Jobs of metrics run. Absent: `client`. */
  readonly jobClient?: KubeClient
  /** Since when this process leads with filled caches, epoch ms. Absent: the start. */
  readonly activeSince?: number
  /** What is followed already, also by a standby. Absent: caches that end with the signal. */
  readonly readings?: Readings
  /** Absent: one that ends with the signal. */
  readonly recorder?: EventRecorder
  readonly metrics?: ControllerMetrics
  readonly onError?: (key: string, error: unknown) => void
  /** What the notifier found wrong with a Rollout's subscriptions; null while it has not looked. */
  readonly notificationProblems?: RolloutControllerOptions['notificationProblems']
  readonly onStored?: (rollout: Rollout) => void
  readonly onPlan?: (rollout: Rollout, plan: RolloutPlan) => void
}

export interface Controller extends Pick<RolloutController, 'caches' | 'snapshot' | 'enqueue'> {
  /** Writes Events under upstream's component name. */
  readonly recorder: EventRecorder
  /** Resolves once all caches hold the cluster's state. */
  readonly synced: Promise<void>
  readonly stopped: Promise<void>
}

/** All controllers of Serinus over one API (design 2). Leader election is the caller's, since tests need none. */
export function startController(options: ControllerOptions): Controller {
  const { readings, metrics } = options
  const recorder = options.recorder ?? startRecorder(options)
  const common = {
    client: options.client,
    clock: options.clock,
    signal: options.signal,
    recorder,
    ...(options.namespace ? { namespace: options.namespace } : {}),
    ...(options.instanceId ? { instanceId: options.instanceId } : {}),
    ...(options.onError ? { onError: options.onError } : {}),
  }
  const given: Caches | null = readings?.all ? untilAborted(readings.all, options.signal) : null
  const rollouts = startRolloutController({
    ...common,
    engine: { zeroPause: 'gate', routerSettleMs: 10_000, ...options.engine },
    ...(given ? { caches: given } : {}),
    ...(readings ? { unreadable: () => readings.problems() } : {}),
    ...(readings ? { holdBack: (rollout) => rolloutObstacle(rollout, readings.problems()) } : {}),
    ...(options.rolloutThreads ? { workers: options.rolloutThreads } : {}),
    ...(options.activeSince === undefined ? {} : { activeSince: options.activeSince }),
    ...(metrics ? { observe: metrics.beginRollouts() } : {}),
    onStored: (rollout) => {
      metrics?.onStored(rollout)
      options.onStored?.(rollout)
    },
    ...(options.notificationProblems ? { notificationProblems: options.notificationProblems } : {}),
    ...(options.stepPlugins ? { stepPlugins: options.stepPlugins } : {}),
    ...(options.routers ? { routers: options.routers } : {}),
    ...(options.onPlan ? { onPlan: options.onPlan } : {}),
  })
  const experiments = startExperimentController({
    ...common,
    caches: rollouts.caches,
    // Given caches are the caller's business: one that may not be read holds back only what uses it.
    ready: given ? Promise.resolve() : rollouts.caches.synced,
    ...(readings
      ? { holdBack: (experiment) => experimentObstacle(experiment, readings.problems()) }
      : {}),
    ...(options.experimentThreads ? { workers: options.experimentThreads } : {}),
    ...(options.activeSince === undefined ? {} : { activeSince: options.activeSince }),
    ...(metrics ? { observe: metrics.beginExperiments() } : {}),
  })
  const analysis = startRuns(options, rollouts.caches, recorder)
  return {
    caches: rollouts.caches,
    recorder,
    synced: readings?.ready ?? rollouts.caches.synced,
    stopped: Promise.all([rollouts.stopped, experiments.stopped, analysis.stopped]).then(() => {}),
    snapshot: rollouts.snapshot,
    enqueue: rollouts.enqueue,
  }
}

/** The analysis controller alone: runs that somebody else creates (`--controllers=analysis`). */
export function startAnalysisAlone(
  options: ControllerOptions & { readonly readings: Readings; readonly recorder: EventRecorder },
): { readonly stopped: Promise<void> } {
  const caches = untilAborted(options.readings.analysis, options.signal)
  return startRuns(options, caches, options.recorder)
}

/** Writes Events under upstream's component name. */
export function startRecorder(
  options: Pick<ControllerOptions, 'client' | 'clock' | 'signal' | 'onError' | 'metrics'>,
): EventRecorder {
  const { client, clock, signal, onError, metrics } = options
  return new EventRecorder({
    client,
    clock,
    signal,
    component: 'rollouts-controller',
    onDrop: ({ why, object, reason, message, count }) =>
      onError?.(
        'events',
        new Error(
          `dropped (${why}) ${count} × ${reason} of ${object.kind} ${object.namespace}/${object.name}: ${message}`,
        ),
      ),
    ...(metrics
      ? { onRecord: (object: KubeObject, facts: EventFacts) => metrics.onEvent(object, facts) }
      : {}),
  })
}

function startRuns(
  options: ControllerOptions,
  caches: AnalysisCaches,
  recorder: EventRecorder,
): { readonly stopped: Promise<void> } {
  const { readings, metrics } = options
  const given = readings ? untilAborted({ jobs: readings.jobs }, options.signal) : null
  startTemplateDoctor({
    caches,
    recorder,
    signal: options.signal,
    ...(options.instanceId ? { instanceId: options.instanceId } : {}),
    ...(options.onError ? { onError: options.onError } : {}),
  })
  return startAnalysisController({
    client: options.client,
    clock: options.clock,
    signal: options.signal,
    recorder,
    caches,
    fetch: options.fetch,
    env: options.env ?? {},
    controllerNamespace: options.controllerNamespace ?? 'argo-rollouts',
    ...(options.plugins ? { plugins: options.plugins } : {}),
    ...(options.namespace ? { namespace: options.namespace } : {}),
    ...(options.instanceId ? { instanceId: options.instanceId } : {}),
    ...(options.onError ? { onError: options.onError } : {}),
    ...(options.analysisThreads ? { workers: options.analysisThreads } : {}),
    ...(options.jobClient ? { jobClient: options.jobClient } : {}),
    ...(given ? { jobs: given.jobs } : {}),
    ...(readings ? { unreadable: () => readings.problems() } : {}),
    ...(readings ? { holdBack: (run) => runObstacle(run, readings.problems()) } : {}),
    ...(metrics
      ? {
          observe: metrics.beginAnalysisRuns(),
          onMeasured: (type: string, tookMs: number) => metrics.onMeasured(type, tookMs),
        }
      : {}),
  })
}
