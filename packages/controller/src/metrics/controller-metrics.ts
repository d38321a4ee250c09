import { kinds, type Rollout } from '@serinus/api'
import {
  type Change,
  type Clock,
  type EventFacts,
  type KubeObject,
  keyOf,
  type RequestFacts,
  type WorkQueueEvent,
} from '@serinus/kube'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { AnalysisCaches, Caches } from '../rollout/caches.ts'
import { printAnalysisRuns, printExperiments, printTemplates } from './analysis-gauges.ts'
import { ObjectCounter, ObjectHistogram } from './object-series.ts'
import { QueueMetrics } from './queue-metrics.ts'
import { printRollouts } from './rollout-gauges.ts'
import { labelText, SeriesText } from './series-text.ts'
import { UpdateDurations } from './update-durations.ts'

export interface ControllerMetricsOptions {
  readonly clock: Clock
  readonly version: string
  readonly commit: string
}

/** The objects that have series. */
export interface MeasuredObjects {
  /** Rollouts and Experiments only where they are followed. */
  readonly caches: AnalysisCaches & Partial<Pick<Caches, 'rollouts' | 'experiments'>>
}

/** What a sent notification is counted by. */
export interface NotificationFacts {
  /** `namespace/name` of the Rollout. */
  readonly key: string
  /** Of the event that it tells. */
  readonly type: string
  readonly reason: string
  readonly delivered: boolean
  /** How long the vendor took for the last request. */
  readonly tookMs: number
}

const reconcileBuckets = [0.01, 0.15, 0.25, 0.5, 1]

/** Everything that Prometheus reads of the controller, under upstream's names (spec operations 4). */
export class ControllerMetrics {
  /** For series that belong to no object; more may be registered. */
  readonly registry = new Registry()
  readonly queues: QueueMetrics
  readonly #clock: Clock
  #objects: MeasuredObjects | null = null
  readonly #durations: UpdateDurations
  readonly #rollouts: ReconcileSeries
  readonly #runs: ReconcileSeries
  readonly #experiments: ReconcileSeries
  readonly #events: ObjectCounter
  readonly #sent: ObjectCounter
  readonly #unsent: ObjectCounter
  readonly #sending: ObjectHistogram
  readonly #requests: Counter<'kind' | 'namespace' | 'verb' | 'status_code'>
  readonly #throttled: Histogram<'bucket'>
  readonly #measured: Histogram<'type'>
  /** Since when each Rollout is seen in its present step, and which that is. */
  readonly #steps = new Map<string, { readonly step: string; readonly since: number }>()

  constructor(options: ControllerMetricsOptions) {
    const { clock } = options
    this.#clock = clock
    const { registry } = this
    this.queues = new QueueMetrics(registry, clock)
    this.#durations = new UpdateDurations(registry)
    const isRollout = (key: string) => this.#objects?.caches.rollouts?.get(key) !== undefined
    const isRun = (key: string) => this.#objects?.caches.analysisRuns.get(key) !== undefined
    const isExperiment = (key: string) => this.#objects?.caches.experiments?.get(key) !== undefined
    this.#rollouts = new ReconcileSeries('rollout', { clock, exists: isRollout })
    this.#runs = new ReconcileSeries('analysis_run', { clock, exists: isRun })
    this.#experiments = new ReconcileSeries('experiment', { clock, exists: isExperiment })
    const counter = (name: string, help: string) =>
      new ObjectCounter({ clock, name, help, exists: isRollout })
    this.#events = counter('rollout_events_total', 'Count of Events of Rollouts.')
    this.#sent = counter('notification_send_success', 'Notifications that were delivered.')
    this.#unsent = counter('notification_send_error', 'Notifications that were given up.')
    this.#sending = new ObjectHistogram(
      {
        clock,
        name: 'notification_send',
        help: 'How long sending a notification takes.',
        exists: isRollout,
      },
      reconcileBuckets,
    )
    const registers = [registry]
    this.#requests = new Counter({
      name: 'controller_clientset_k8s_request_total',
      help: 'Number of Kubernetes requests executed.',
      labelNames: ['kind', 'namespace', 'verb', 'status_code'],
      registers,
    })
    this.#throttled = new Histogram({
      name: 'client_throttle_wait_seconds',
      help: 'How long requests wait for --qps and --burst, by bucket.',
      labelNames: ['bucket'],
      buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 30],
      registers,
    })
    this.#measured = new Histogram({
      name: 'analysis_measurement_duration_seconds',
      help: 'How long metric providers take to answer.',
      labelNames: ['type'],
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60],
      registers,
    })
    new Gauge({
      name: 'argo_rollouts_controller_info',
      help: 'Running version of the controller.',
      labelNames: ['version'],
      registers,
    }).set({ version: options.version }, 1)
    new Gauge({
      name: 'build_info',
      help: 'What the controller was built from and for.',
      labelNames: ['version', 'goversion', 'goarch', 'commit'],
      registers,
    }).set(
      {
        version: options.version,
        // The runtime, under the label that dashboards know.
        goversion: `node ${process.version}`,
        goarch: process.arch === 'x64' ? 'amd64' : process.arch,
        commit: options.commit,
      },
      1,
    )
  }

  /** From now on these objects have series; call once. */
  follow(objects: MeasuredObjects): void {
    this.#objects = objects
    const { caches } = objects
    caches.rollouts?.subscribe((change) => this.#rolloutChanged(change))
    caches.analysisRuns.subscribe((change) => {
      if (change.type === 'deleted') this.#runs.deleted(keyOf(change.object))
    })
    caches.experiments?.subscribe((change) => {
      if (change.type === 'deleted') this.#experiments.deleted(keyOf(change.object))
    })
  }

  /** A queue of Rollouts begins; its events go to the result. */
  beginRollouts(): (event: WorkQueueEvent) => void {
    return this.#begin('Rollouts', this.#rollouts)
  }

  /** A queue of AnalysisRuns begins; its events go to the result. */
  beginAnalysisRuns(): (event: WorkQueueEvent) => void {
    return this.#begin('AnalysisRuns', this.#runs)
  }

  /** A queue of Experiments begins; its events go to the result. */
  beginExperiments(): (event: WorkQueueEvent) => void {
    return this.#begin('Experiments', this.#experiments)
  }

  onStored(rollout: Rollout): void {
    this.#durations.stored(keyOf(rollout as Rollout & KubeObject), rollout)
  }

  onEvent(object: KubeObject, { type, reason }: EventFacts): void {
    if (object.kind === kinds.rollouts.kind) this.#events.add(keyOf(object), { type, reason })
  }

  onRequest({ kind, namespace, verb, statusCode }: RequestFacts): void {
    this.#requests.inc({ kind, namespace, verb, status_code: statusCode })
  }

  onThrottled(bucket: string, waitedMs: number): void {
    this.#throttled.observe({ bucket }, waitedMs / 1000)
  }

  onMeasured(type: string, tookMs: number): void {
    this.#measured.observe({ type }, tookMs / 1000)
  }

  onNotification({ key, type, reason, delivered, tookMs }: NotificationFacts): void {
    const counter = delivered ? this.#sent : this.#unsent
    counter.add(key, { type, reason })
    this.#sending.observe(key, tookMs / 1000)
  }

  /** Everything, in Prometheus' text format. */
  async text(): Promise<string> {
    const text = new SeriesText()
    if (this.#objects) this.#printObjects(text, this.#objects)
    for (const series of [this.#rollouts, this.#runs, this.#experiments]) series.print(text)
    for (const series of [this.#events, this.#sent, this.#unsent, this.#sending]) series.print(text)
    return `${text}${await this.registry.metrics()}`
  }

  #printObjects(text: SeriesText, { caches }: MeasuredObjects): void {
    if (caches.rollouts) {
      printRollouts(text, caches.rollouts.list(), this.#clock.now())
      this.#printSteps(text)
    }
    printAnalysisRuns(text, caches.analysisRuns.list())
    printTemplates(text, [
      ...caches.analysisTemplates.list(),
      ...caches.clusterAnalysisTemplates.list(),
    ])
    printExperiments(text, caches.experiments?.list() ?? [])
  }

  #begin(name: string, series: ReconcileSeries): (event: WorkQueueEvent) => void {
    const note = this.queues.begin(name)
    return (event) => {
      note(event)
      series.note(event)
    }
  }

  #rolloutChanged(change: Change<Rollout & KubeObject>): void {
    const key = keyOf(change.object)
    if (change.type !== 'deleted') {
      this.#durations.seen(key, change.object)
      this.#noteStep(key, change.object)
      return
    }
    this.#durations.deleted(key)
    this.#steps.delete(key)
    this.#rollouts.deleted(key)
    for (const series of [this.#events, this.#sent, this.#unsent, this.#sending])
      series.deleted(key)
  }

  #noteStep(key: string, { status }: Rollout): void {
    const isUnderWay = status?.currentPodHash !== status?.stableRS
    if (!isUnderWay || status?.currentStepIndex === undefined) {
      this.#steps.delete(key)
      return
    }
    const step = `${status.currentPodHash}/${status.currentStepIndex}`
    if (this.#steps.get(key)?.step === step) return
    this.#steps.set(key, { step, since: this.#clock.now() })
  }

  #printSteps(text: SeriesText): void {
    const now = this.#clock.now()
    const object = (key: string) => {
      const [namespace = '', name = ''] = key.split('/')
      return labelText({ namespace, name })
    }
    text.family(
      'rollout_step_seconds',
      'gauge',
      'How long this process has seen the Rollout in its present step.',
    )
    for (const [key, { since }] of this.#steps) {
      text.line('rollout_step_seconds', object(key), (now - since) / 1000)
    }
    text.family(
      'rollout_queue_seconds',
      'gauge',
      'How long the Rollout has been waiting for a worker; only while it waits.',
    )
    for (const [key, seconds] of this.queues.queueAges('Rollouts')) {
      text.line('rollout_queue_seconds', object(key), seconds)
    }
  }
}

/** Passes over the objects of one kind, and those that failed. */
class ReconcileSeries {
  readonly #durations: ObjectHistogram
  readonly #errors: ObjectCounter

  constructor(kind: string, common: { readonly clock: Clock; exists(key: string): boolean }) {
    const name = `${kind}_reconcile`
    const help = `Duration of passes over an object, by ${kind}.`
    this.#durations = new ObjectHistogram({ ...common, name, help }, reconcileBuckets)
    const errors = `Passes that failed, by ${kind}.`
    this.#errors = new ObjectCounter({ ...common, name: `${name}_error`, help: errors })
  }

  note(event: WorkQueueEvent): void {
    if (event.kind === 'finished') this.#durations.observe(event.key, event.tookMs / 1000)
    if (event.kind === 'retried') this.#errors.add(event.key)
  }

  deleted(key: string): void {
    this.#durations.deleted(key)
    this.#errors.deleted(key)
  }

  print(text: SeriesText): void {
    this.#durations.print(text)
    this.#errors.print(text)
  }
}
