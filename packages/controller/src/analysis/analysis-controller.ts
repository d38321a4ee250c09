import { type AnalysisRun, kinds, labelKeys, type Metric, parseAnalysisRun } from '@serinus/api'
import {
  type AnalysisRunSnapshot,
  type Answer,
  type MeasureTask,
  planAnalysisRun,
  resolveMetrics,
} from '@serinus/engine'
import {
  type Clock,
  type EventRecorder,
  type Informer,
  type KubeClient,
  type KubeObject,
  keyOf,
  resources,
  sleep,
  startInformer,
  WorkQueue,
} from '@serinus/kube'
import { defaultDeadlineMs, type Measured, type MeasureInput, providerOf } from '@serinus/metrics'
import { applyWrites, trueTransitions } from '../rollout/apply.ts'
import { type Caches, OwnWrites } from '../rollout/caches.ts'
import { type Secrets, secretsOf } from './secrets.ts'

export interface AnalysisControllerOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly recorder: EventRecorder
  readonly caches: Pick<Caches, 'analysisRuns' | 'analysisTemplates' | 'clusterAnalysisTemplates'>
  readonly fetch: MeasureInput['fetch']
  readonly env: Readonly<Record<string, string | undefined>>
  readonly namespace?: string
  readonly instanceId?: string
  readonly onError?: (key: string, error: unknown) => void
}

/** What this process knows of a run beyond the API: questions under way and answers not yet stored. */
interface Memory {
  readonly inFlight: Map<string, AbortController>
  answers: readonly Answer[]
}

/**
 * Runs AnalysisRuns. A provider is asked off the queue, with a deadline of its own: a slow one delays neither other
 * metrics nor other runs, and a finished run costs nothing.
 */
export function startAnalysisController(options: AnalysisControllerOptions): {
  readonly stopped: Promise<void>
} {
  const { client, clock, signal, caches } = options
  const memories = new Map<string, Memory>()
  const own = new OwnWrites()
  const queue = new WorkQueue({
    clock,
    workers: 30,
    process: pass,
    ...(options.onError ? { onError: options.onError } : {}),
  })
  const jobs = followJobs(options, (key) => queue.add(key))

  caches.analysisRuns.subscribe((change) => {
    const key = keyOf(change.object)
    own.settle(kinds.analysisRuns.plural, change.object, change.type === 'deleted')
    if (change.type === 'deleted') {
      for (const question of memories.get(key)?.inFlight.values() ?? []) question.abort()
      memories.delete(key)
    } else if (isOurs(change.object)) {
      queue.add(key)
    }
  })

  function isOurs(run: KubeObject): boolean {
    return run.metadata.labels?.[labelKeys.instanceId] === options.instanceId
  }

  async function pass(key: string): Promise<void> {
    const cached = caches.analysisRuns.get(key)
    if (!cached) return
    const run = parseAnalysisRun(own.latest(kinds.analysisRuns.plural, cached)).value
    const memory = memories.get(key) ?? { inFlight: new Map(), answers: [] }
    const secrets = await secretsOf(client, run)
    const answers = memory.answers
    const snapshot: AnalysisRunSnapshot = {
      run,
      analysisTemplates: caches.analysisTemplates.list(run.metadata.namespace),
      clusterAnalysisTemplates: caches.clusterAnalysisTemplates.list(),
      secrets,
      inFlight: [...memory.inFlight.keys()],
      answers,
    }
    const plan = planAnalysisRun(snapshot, clock.now())
    const outcomes = await applyWrites(client, plan.writes)
    for (const outcome of outcomes) {
      if (outcome.kind === 'done' && outcome.object)
        own.remember(kinds.analysisRuns.plural, outcome.object)
    }
    for (const transition of trueTransitions(plan, outcomes))
      options.recorder.record(run as AnalysisRun & KubeObject, transition)
    const failed = outcomes.find((outcome) => outcome.kind === 'failed')
    if (failed?.kind === 'failed') throw new Error(`${failed.id}: ${failed.message}`)
    // Stored or needless now: what arrived meanwhile stays for the next pass.
    memory.answers = memory.answers.slice(answers.length)
    if (plan.measure.length > 0 || memory.answers.length > 0 || memory.inFlight.size > 0)
      memories.set(key, memory)
    else memories.delete(key)
    for (const task of plan.measure) void measure(key, { run, memory, task, secrets })
    for (const rule of plan.retain) void forget(run, rule, secrets)
    if (memory.answers.length > 0) queue.add(key)
    if (plan.checkAt !== null) queue.addAt(key, plan.checkAt)
  }

  async function measure(
    key: string,
    asked: { run: AnalysisRun; memory: Memory; task: MeasureTask; secrets: Secrets },
  ): Promise<void> {
    const { run, memory, task } = asked
    const abort = new AbortController()
    memory.inFlight.set(task.metric, abort)
    const startedAt = task.measurement?.startedAt ?? instant(clock.now())
    const answer = await ask({ ...asked, abort })
    if (signal.aborted || memories.get(key) !== memory) return
    const masked = (text: string) => asked.secrets.mask(text)
    memory.inFlight.delete(task.metric)
    memory.answers = [
      ...memory.answers,
      { metric: task.metric, ...stored(answer, { startedAt, masked, now: clock.now() }) },
    ]
    queue.add(key)
    void run
  }

  async function ask(asked: {
    run: AnalysisRun
    task: MeasureTask
    secrets: Secrets
    abort: AbortController
  }): Promise<Answered> {
    const { run, task, abort } = asked
    try {
      const resolved = resolveMetrics(run, asked.secrets.value)
      if (!resolved.ok) throw new Error(resolved.message)
      const metric = resolved.metrics.find((one) => one.name === task.metric)
      if (!metric) throw new Error(`metric ${task.metric} is not part of the run`)
      const provider = providerOf(metric)
      const deadline = clock.now() + deadlineMs(metric)
      const input: MeasureInput = {
        run,
        metric,
        serial: task.serial,
        clock,
        fetch: options.fetch,
        client,
        env: options.env,
        signal: AbortSignal.any([signal, abort.signal]),
      }
      const metadata = provider.metadata?.(metric)
      const call =
        task.action === 'run' || !task.measurement
          ? provider.run(input)
          : task.action === 'resume'
            ? provider.resume?.(input, task.measurement)
            : provider.terminate?.(input, task.measurement)
      const ended = new AbortController()
      const late = sleep(clock, deadline - clock.now(), ended.signal).then(
        () => abort.abort(new Error('context deadline exceeded')),
        () => {},
      )
      try {
        const measured = await (call ??
          Promise.resolve<Measured>({
            kind: 'done',
            phase: 'Inconclusive',
            message: 'Metric Terminated',
          }))
        return { measured, ...(metadata ? { metadata } : {}) }
      } finally {
        ended.abort()
        await late
      }
    } catch (error) {
      return {
        measured: {
          kind: 'done',
          phase: 'Error',
          message: error instanceof Error ? error.message : String(error),
        },
      }
    }
  }

  async function forget(
    run: AnalysisRun,
    rule: { metric: string; limit: number },
    secrets: Secrets,
  ): Promise<void> {
    const metric = run.spec.metrics?.find((one) => one.name === rule.metric)
    if (!metric) return
    try {
      await providerOf(metric).garbageCollect?.(
        { run, metric, serial: 0, clock, fetch: options.fetch, client, env: options.env, signal },
        rule.limit,
      )
    } catch (error) {
      options.onError?.(
        run.metadata.name,
        secrets.mask(error instanceof Error ? error.message : String(error)),
      )
    }
  }

  const stopped = Promise.all([caches.analysisRuns.synced, jobs.synced]).then(
    () => queue.run(signal),
    () => {},
  )
  return { stopped }
}

interface Answered {
  readonly measured: Measured
  readonly metadata?: Readonly<Record<string, string>>
}

function instant(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`
}

/** As it is stored: times added, secrets masked in every text. */
function stored(
  answer: Answered,
  facts: {
    readonly startedAt: string
    readonly now: number
    readonly masked: (text: string) => string
  },
): Omit<Answer, 'metric'> {
  const { measured } = answer
  const { masked } = facts
  const maskedMap = (map: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(map).map(([key, value]) => [key, masked(value)]))
  const metadata = measured.metadata ? { metadata: maskedMap(measured.metadata) } : {}
  const ofMetric = answer.metadata ? { metadata: maskedMap(answer.metadata) } : {}
  if (measured.kind === 'running') {
    return {
      ...ofMetric,
      measurement: {
        phase: 'Running',
        startedAt: facts.startedAt,
        resumeAt: instant(measured.resumeAt),
        ...metadata,
      },
    }
  }
  return {
    ...ofMetric,
    measurement: {
      phase: measured.phase,
      startedAt: facts.startedAt,
      finishedAt: instant(facts.now),
      ...(measured.value === undefined ? {} : { value: masked(measured.value) }),
      ...(measured.message ? { message: masked(measured.message) } : {}),
      ...metadata,
    },
  }
}

function deadlineMs(metric: Metric): number {
  const { prometheus, web } = metric.provider
  if (prometheus?.timeout !== undefined) return prometheus.timeout * 1000
  if (web) return (web.timeoutSeconds && web.timeoutSeconds > 0 ? web.timeoutSeconds : 10) * 1000
  return defaultDeadlineMs
}

/** A finished Job wakes its run at once instead of at the next poll. */
function followJobs(
  options: AnalysisControllerOptions,
  wake: (runKey: string) => void,
): Informer<KubeObject> {
  const informer = startInformer<
    KubeObject & { status?: { conditions?: readonly { type: string }[] } }
  >({
    client: options.client,
    clock: options.clock,
    signal: options.signal,
    resource: resources.jobs,
    labelSelector: 'analysisrun.argoproj.io/uid',
    ...(options.namespace ? { namespace: options.namespace } : {}),
  })
  informer.subscribe((change) => {
    if (
      !change.object.status?.conditions?.some((c) => c.type === 'Complete' || c.type === 'Failed')
    )
      return
    const annotations = change.object.metadata.annotations ?? {}
    const name = annotations['analysisrun.argoproj.io/name']
    if (name) wake(`${annotations['analysisrun.argoproj.io/namespace']}/${name}`)
  })
  return informer
}
