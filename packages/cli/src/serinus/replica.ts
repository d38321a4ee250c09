import {
  ControllerMetrics,
  type ControllerOptions,
  startAnalysisAlone,
  startReadings,
  startRecorder,
} from '@serinus/controller'
import {
  ApiError,
  type Clock,
  Fenced,
  fenceWrites,
  httpClient,
  type KubeClient,
  type LeaseEvent,
  limitRate,
  observeRequests,
  runWithLease,
  SeededRandom,
  sleep,
  type Transport,
  unlessAborted,
  withSignal,
} from '@serinus/kube'
import { type PluginLogEntry, startPlugins } from '@serinus/plugins'
import { createRouters } from '@serinus/traffic'
import { build, version } from '../version.ts'
import type { ControllerSettings } from './controller-settings.ts'
import { Liveness } from './liveness.ts'
import type { Log } from './log.ts'
import { notificationProblems } from './metrics.ts'
import { type Service, startService } from './service.ts'

export interface ReplicaOptions {
  readonly transport: Transport
  readonly baseUrl?: string
  readonly jobClient?: KubeClient
  readonly settings: ControllerSettings
  readonly clock: Clock
  /** Asks to end: what is under way is finished and stored, the lease released. */
  readonly signal: AbortSignal
  /** Unique per process, `<host name>_<uuid>`. */
  readonly identity: string
  readonly log: Log
  readonly fetch: ControllerOptions['fetch']
  readonly env: Readonly<Record<string, string | undefined>>
}

/** One process of the controller: leading or ready to. */
export interface Replica {
  /** Resolves when everything has ended after the signal. */
  readonly done: Promise<void>
  /** Null while it does not lead. */
  readonly service: () => Service | null
  readonly metrics: ControllerMetrics
  /** What a restart would mend; null: nothing. */
  unhealthy(): string | null
  /** What keeps it from working fully; null: nothing. */
  unready(): string | null
}

/** How long Events may still be delivered after the work has ended. */
const lastEventsMs = 2_000

/**
 * Starts one replica (spec operations 3.2). A standby fills its caches and waits; who wins the lease lists once more,
 * so that it sees all that its predecessor did, and works. Without the lease no write leaves the process. When the
 * lease is lost, as in an outage of the API, it becomes a standby again and does not end.
 */
export function startReplica(options: ReplicaOptions): Replica {
  const { clock, signal, settings, log } = options
  const over = new AbortController()
  /** Until when this process may write. */
  let heldUntil: () => number = () => Number.NEGATIVE_INFINITY
  const metrics = new ControllerMetrics({ clock, version, commit: build.commit })
  const observed = observeRequests(options.transport, {
    clock,
    onRequest: (facts) => {
      metrics.onRequest(facts)
      log.debug('request', { ...facts })
    },
  })
  // Never rationed: a burst of work must not cost the lease.
  const unlimited = httpClient(observed, {
    ...(options.baseUrl ? { baseUrl: options.baseUrl } : {}),
    userAgent: `rollouts-controller/${version}`,
  })
  const client = limitRate(
    fenceWrites(unlimited, () => clock.now() < heldUntil()),
    {
      clock,
      qps: settings.qps,
      burst: settings.burst,
      onWait: (bucket, waitedMs) => metrics.onThrottled(bucket, waitedMs),
    },
  )
  const readings = startReadings({
    client,
    clock,
    signal: over.signal,
    ...(settings.namespace === undefined ? {} : { namespace: settings.namespace }),
    analysisOnly: settings.analysisOnly,
    ...(options.jobClient ? { jobClient: options.jobClient } : {}),
    env: options.env,
    onChange: (kind, problem) => {
      if (problem === null) log.info(`${kind} can be read again`, { kind })
      else log.error(problem, { kind })
    },
    onError: dampened(clock, (kind, error) =>
      log.warn(`reading ${kind} failed, trying again`, { kind, error }),
    ),
  })
  metrics.follow({ caches: readings.all ?? readings.analysis })
  const onError = dampened(clock, (key, error) => {
    // Said once, by the lease; and what was cut off then is done again by who leads next.
    if (isFenced(error) || over.signal.aborted) return
    log.error('reconcile failed, trying again', { key, error })
  })
  const recorder = startRecorder({ client, clock, signal: over.signal, metrics, onError })
  const liveness = new Liveness({
    clock,
    stuckQueue: (longerThanMs) => metrics.queues.stuck(longerThanMs),
  })
  let service: Service | null = null
  metrics.registry.registerMetric(notificationProblems(() => service))

  async function work(term: AbortSignal, lost: AbortSignal): Promise<void> {
    const ended = new AbortController()
    const plugins = startPlugins({
      client: withSignal(client, lost),
      clock,
      signal: AbortSignal.any([term, ended.signal]),
      namespace: settings.ownNamespace,
      folder: settings.pluginFolder,
      env: options.env,
      fetch: (request) => options.fetch(request),
      log: (entry) => logPlugin(log, entry),
    })
    try {
      await unlessAborted(readings.ready, term)
      if (settings.leaderElect) await unlessAborted(readings.refresh(), term)
      const common = {
        client: withSignal(client, lost),
        clock,
        signal: term,
        fetch: options.fetch,
        env: options.env,
        controllerNamespace: settings.ownNamespace,
        plugins,
        stepPlugins: plugins,
        engine: { zeroPause: settings.zeroPause },
        routers: createRouters(settings.routers),
        readings,
        recorder,
        metrics,
        ...(settings.namespace === undefined ? {} : { namespace: settings.namespace }),
        ...(settings.instanceId === undefined ? {} : { instanceId: settings.instanceId }),
        ...(options.jobClient ? { jobClient: options.jobClient } : {}),
        rolloutThreads: settings.rolloutThreads,
        analysisThreads: settings.analysisThreads,
        experimentThreads: settings.experimentThreads,
        activeSince: clock.now(),
        onError,
      }
      if (settings.analysisOnly) {
        log.info('the analysis controller works')
        await startAnalysisAlone(common).stopped
        return
      }
      log.info('the controller works')
      service = startService({
        ...common,
        controllerNamespace: settings.ownNamespace,
        random: new SeededRandom(options.identity),
        holder: options.identity,
        ...(settings.selfService === undefined ? {} : { selfService: settings.selfService }),
      })
      await service.stopped
      await service.notifier.stopped.catch((error: unknown) => onError('notifications', error))
    } catch (error) {
      if (!term.aborted) throw error
    } finally {
      service = null
      ended.abort(new Error('the controller does not work any more'))
      await plugins.stopped
      metrics.queues.endAll()
      liveness.onTermOver()
      // A term that ends in order tells what it has to tell; a lost one keeps it for the next.
      if (signal.aborted) {
        const enough = new AbortController()
        await Promise.race([
          recorder.flush(),
          sleep(clock, lastEventsMs, enough.signal).catch(() => {}),
        ])
        enough.abort()
      }
    }
  }

  const onLeaseError = dampened(clock, (_, error) => {
    // Two asked at once and one was first: not worth a word.
    if (error instanceof ApiError && error.code === 409) return
    log.warn('asking for the lease failed, trying again', { error })
  })

  async function run(): Promise<void> {
    if (!settings.leaderElect) {
      heldUntil = () => Number.POSITIVE_INFINITY
      return work(signal, never)
    }
    let lost = new AbortController()
    await runWithLease(
      {
        client: unlimited,
        clock,
        signal,
        namespace: settings.ownNamespace,
        name: settings.leaseName,
        identity: options.identity,
        leaseDurationMs: settings.leaseDurationMs,
        renewDeadlineMs: settings.renewDeadlineMs,
        retryPeriodMs: settings.retryPeriodMs,
        observe: (event) => {
          liveness.onLease(event)
          logLease(log, event)
          if (event.kind === 'failed') onLeaseError('lease', event.error)
          // Requests that hang must not keep this process from leading again.
          if (event.kind === 'lost') lost.abort(new Fenced(`the lease is lost: ${event.reason}`))
        },
      },
      (term, _, held) => {
        lost = new AbortController()
        heldUntil = held
        return work(term, lost.signal)
      },
    )
  }

  return {
    done: run().finally(() => over.abort(new Error('the controller has ended'))),
    service: () => service,
    metrics,
    unhealthy: () => liveness.problem(),
    unready: () => {
      const problems = readings.grave()
      if (problems.length > 0) return problems.join('; ')
      const pending = readings.pending()
      return pending.length > 0 ? `not yet read: ${pending.join(', ')}` : null
    },
  }
}

const never = new AbortController().signal

function logPlugin(log: Log, { level, message, ...facts }: PluginLogEntry): void {
  log[level](message, facts)
}

function logLease(log: Log, event: LeaseEvent): void {
  if (event.kind === 'acquired') log.info('this process leads', { holder: event.term.holder })
  if (event.kind === 'waiting') {
    log.info('standing by: somebody else leads', { holder: event.holder })
  }
  if (event.kind === 'lost') {
    const { reason } = event
    log.warn('the lease is lost: nothing is written until it is held again', { reason })
  }
  if (event.kind === 'released') log.info('the lease is released')
}

/** Whether the lease, or its loss, is the only reason. */
function isFenced(error: unknown): boolean {
  return error instanceof Fenced || (error instanceof Error && error.cause instanceof Fenced)
}

/** The same error of the same object is told once in five minutes. */
function dampened(
  clock: Clock,
  tell: (key: string, error: unknown) => void,
): (key: string, error: unknown) => void {
  const told = new Map<string, { readonly text: string; readonly at: number }>()
  return (key, error) => {
    const text = error instanceof Error ? error.message : String(error)
    const last = told.get(key)
    if (last?.text === text && clock.now() - last.at < 300_000) return
    told.delete(key)
    told.set(key, { text, at: clock.now() })
    if (told.size > 4096) told.delete(told.keys().next().value as string)
    tell(key, error)
  }
}
