import {
  type AnalysisRun,
  finalPhases,
  kinds,
  labelKeys,
  type Metric,
  parseAnalysisRun,
} from '@serinus/api'
import { type Answer, type MeasureTask, planAnalysisRun, resolveMetrics } from '@serinus/engine'
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
  type WorkQueueEvent,
} from '@serinus/kube'
import {
  createKept,
  defaultDeadlineMs,
  deleteJobsOf,
  type Measured,
  type MeasureInput,
  type Provider,
  providerOf,
} from '@serinus/metrics'
import { applyWrites, errorOf, trueTransitions } from '../rollout/apply.ts'
import { type AnalysisCaches, OwnWrites } from '../rollout/caches.ts'
import { KeptReads, RunReads } from './kept-reads.ts'
import { fitted } from './room.ts'
import { maskOf, type Secrets, secretsOf } from './secrets.ts'

export interface AnalysisControllerOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly recorder: EventRecorder
  readonly caches: AnalysisCaches
  readonly fetch: MeasureInput['fetch']
  readonly env: Readonly<Record<string, string | undefined>>
  /** Who runs the plugins of metrics. */
  readonly plugins?: MeasureInput['plugins']
  /** Where the secrets of providers are that belong to the controller. */
  readonly controllerNamespace: string
  readonly namespace?: string
  readonly instanceId?: string
  readonly workers?: number
  /** Where the Jobs of metrics run. Absent: `client` (spec operations 1.2, JOB_KUBECONFIG). */
  readonly jobClient?: KubeClient
  /** The Jobs of metrics, where the caller follows them. */
  readonly jobs?: Informer<Job>
  /** Runs whose metrics must wait, since something they depend on cannot be read; null: none. */
  readonly holdBack?: (run: AnalysisRun) => string | null
  readonly observe?: (event: WorkQueueEvent) => void
  /** How long a provider took for one answer, milliseconds. */
  readonly onMeasured?: (provider: string, tookMs: number) => void
  readonly onError?: (key: string, error: unknown) => void
}

/** What this process knows of a run beyond the API: questions under way and answers not yet stored. */
interface Memory {
  readonly inFlight: Map<string, AbortController>
  /** Metrics whose Job has ended since they were last asked. */
  readonly awake: Set<string>
  answers: readonly Answer[]
}

/** What a provider that heeds the end of its deadline may take to say so in its own words. */
const lastWordsMs = 250

const noSecrets: Secrets = { ok: true, value: () => '', mask: (text) => text }

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
  const kept = createKept(clock)
  const keptReads = new KeptReads(client, clock)
  const queue = new WorkQueue({
    clock,
    workers: options.workers ?? 30,
    process: pass,
    ...(options.observe ? { observe: options.observe } : {}),
    ...(options.onError ? { onError: options.onError } : {}),
  })
  const jobs = options.jobs ?? startJobs(options)
  followJobs(jobs, (key, metric) => {
    memories.get(key)?.awake.add(metric)
    queue.add(key)
  })

  caches.analysisRuns.subscribe((change) => {
    const key = keyOf(change.object)
    own.settle(kinds.analysisRuns, change.object, change.type === 'deleted')
    if (change.type === 'deleted') {
      forgetRun(key)
      if (isOurs(change.object)) void clearJobs(key, change.object)
    } else if (isOurs(change.object)) {
      queue.add(key)
    }
  })

  function isOurs(run: KubeObject): boolean {
    return run.metadata.labels?.[labelKeys.instanceId] === options.instanceId
  }

  /** The first questions are asked by the pass that stores the start of the run, which some providers look back to. */
  function begun(run: AnalysisRun): AnalysisRun {
    const startedAt = run.status?.startedAt ?? instant(clock.now())
    return { ...run, status: { phase: 'Running', ...run.status, startedAt } }
  }

  function forgetRun(key: string): void {
    for (const question of memories.get(key)?.inFlight.values() ?? []) question.abort()
    memories.delete(key)
  }

  function memoryOf(key: string): Memory {
    const known = memories.get(key)
    if (known) return known
    const memory = { inFlight: new Map(), awake: new Set<string>(), answers: [] }
    memories.set(key, memory)
    return memory
  }

  async function pass(key: string): Promise<void> {
    const cached = caches.analysisRuns.get(key)
    if (!cached || !isOurs(cached)) return
    const run = parseAnalysisRun(own.latest(kinds.analysisRuns, cached)).value
    const obstacle = options.holdBack?.(run)
    if (obstacle) throw new Error(obstacle)
    const memory = memoryOf(key)
    // A finished run is measured no more: its secrets may be gone.
    const reads = new RunReads(keptReads, run)
    const secrets = finalPhases.has(run.status?.phase ?? '')
      ? noSecrets
      : await secretsOf(reads, run)
    const { answers } = memory
    const awake = [...memory.awake]
    const plan = planAnalysisRun(
      {
        run,
        analysisTemplates: caches.analysisTemplates.list(run.metadata.namespace),
        clusterAnalysisTemplates: caches.clusterAnalysisTemplates.list(),
        secrets,
        inFlight: [...memory.inFlight.keys()],
        awake,
        answers,
      },
      clock.now(),
    )
    const outcomes = await applyWrites(client, plan.writes)
    for (const outcome of outcomes) {
      if (outcome.kind === 'done' && outcome.object)
        own.remember(kinds.analysisRuns, outcome.object)
    }
    for (const transition of trueTransitions(plan, outcomes))
      options.recorder.record(run as AnalysisRun & KubeObject, transition)
    const failed = outcomes.find((outcome) => outcome.kind === 'failed')
    if (failed?.kind === 'failed' && failed.reason === 'NotFound') return forgetRun(key)
    const error = errorOf(outcomes)
    if (error) throw error
    for (const { reason, message } of plan.warnings)
      options.recorder.record(run as AnalysisRun & KubeObject, { type: 'Warning', reason, message })
    // Stored or needless now: what arrived meanwhile stays for the next pass, which it has asked for.
    const handled = plan.keepAnswers ? 0 : answers.length
    memory.answers = memory.answers.slice(handled)
    for (const task of plan.measure) {
      memory.awake.delete(task.metric)
      void measure(key, { run: begun(run), memory, task, secrets, reads })
    }
    for (const rule of plan.retain) void forget(run, rule, secrets)
    if (memory.inFlight.size === 0 && memory.answers.length === 0 && plan.checkAt === null)
      memories.delete(key)
    if (plan.checkAt !== null) queue.addAt(key, plan.checkAt)
  }

  /** Asks one provider and puts its answer where the next pass finds it; never rejects. */
  async function measure(
    key: string,
    asked: {
      run: AnalysisRun
      memory: Memory
      task: MeasureTask
      secrets: Secrets
      reads: RunReads
    },
  ): Promise<void> {
    const { memory, task, secrets } = asked
    const abort = new AbortController()
    memory.inFlight.set(task.metric, abort)
    const startedAt = task.measurement?.startedAt ?? instant(clock.now())
    const answered = await ask({ ...asked, abort })
    if (signal.aborted || memories.get(key) !== memory) return
    memory.inFlight.delete(task.metric)
    const masked = (text: string) => answered.mask(secrets.mask(text))
    // Cut after it was masked: half a secret would not be known as one.
    const answer = fitted(stored(answered, { startedAt, masked, now: clock.now() }), {
      run: asked.run,
      metric: task.metric,
    })
    memory.answers = [...memory.answers, { metric: task.metric, serial: task.serial, ...answer }]
    queue.add(key)
  }

  async function ask(asked: {
    run: AnalysisRun
    task: MeasureTask
    secrets: Secrets
    reads: RunReads
    abort: AbortController
  }): Promise<Answered> {
    const { run, task, abort } = asked
    let metadata: Answered['metadata']
    let source = ''
    const hidden: string[] = []
    const masks = [(text: string) => maskOf(hidden)(text)]
    const mask = (text: string) => masks.reduce((masked, next) => next(masked), text)
    try {
      const metric = metricOf(run, task.metric, asked.secrets)
      const provider = providerOf(metric)
      source = sourceOf(provider, metric)
      const askedAt = clock.now()
      const deadlineMs = provider.deadlineMs?.(metric) ?? defaultDeadlineMs
      if (deadlineMs <= 0) abort.abort(new Error('context deadline exceeded'))
      const reads = asked.reads.fork()
      const attempt = async (metric: Metric, fetch: MeasureInput['fetch']) => {
        const hide = (secret: string) => hidden.push(secret)
        const input: MeasureInput = {
          ...inputOf(run, metric, { serial: task.serial, reads, hide }),
          fetch,
          signal: AbortSignal.any([signal, abort.signal]),
        }
        metadata = await provider.metadata?.(metric, input)
        return call(provider, input, task)
      }
      const again = async () => {
        const secrets = await secretsOf(reads, run)
        masks.push(secrets.mask)
        return attempt(metricOf(run, task.metric, secrets), options.fetch)
      }
      const work = () =>
        task.action === 'run'
          ? withFreshCredentials({ fetch: options.fetch, reads, again }, (fetch) =>
              attempt(metric, fetch),
            )
          : attempt(metric, options.fetch)
      const measured = await withinDeadline(work(), { deadlineMs, abort }).finally(() =>
        options.onMeasured?.(provider.type, clock.now() - askedAt),
      )
      return { measured, mask, ...(metadata ? { metadata } : {}) }
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error)
      const isTold = source === '' || cause.includes(source)
      const message = isTold ? cause : `${cause} (${source})`
      return {
        measured: { kind: 'done', phase: 'Error', message },
        mask,
        ...(metadata ? { metadata } : {}),
      }
    }
  }

  /** Scheme and host that a failure is about: upstream's texts often say only what went wrong. */
  function sourceOf(provider: Provider, metric: Metric): string {
    const url = URL.parse(provider.address?.(metric, options.env) ?? '')
    return url?.host ? `${url.protocol}//${url.host}` : ''
  }

  /** A provider that ignores its signal must not hold up its run: the deadline counts, heeded or not. */
  async function withinDeadline(
    call: Promise<Measured>,
    facts: { deadlineMs: number; abort: AbortController },
  ): Promise<Measured> {
    const ended = new AbortController()
    const late = async (): Promise<never> => {
      const over = AbortSignal.any([ended.signal, signal])
      await sleep(clock, facts.deadlineMs, over)
      facts.abort.abort(new Error('context deadline exceeded'))
      await sleep(clock, lastWordsMs, over)
      throw new Error('context deadline exceeded')
    }
    try {
      return await Promise.race([call, late()])
    } finally {
      ended.abort()
    }
  }

  function inputOf(
    run: AnalysisRun,
    metric: Metric,
    facts: Pick<MeasureInput, 'serial' | 'hide'> & { readonly reads: RunReads },
  ): MeasureInput {
    const { fetch, env, controllerNamespace } = options
    return {
      run,
      metric,
      clock,
      fetch,
      client: options.jobClient ?? client,
      controllerNamespace,
      readSecret: facts.reads.readSecret,
      readConfigMap: facts.reads.readConfigMap,
      env,
      kept,
      ...(options.plugins ? { plugins: options.plugins } : {}),
      signal,
      serial: facts.serial,
      hide: facts.hide,
    }
  }

  async function forget(
    run: AnalysisRun,
    rule: { metric: string; limit: number },
    secrets: Secrets,
  ): Promise<void> {
    const hidden: string[] = []
    try {
      const metric = metricOf(run, rule.metric, secrets)
      const hide = (secret: string) => hidden.push(secret)
      const reads = new RunReads(keptReads, run)
      const input = inputOf(run, metric, { serial: 0, reads, hide })
      await providerOf(metric).garbageCollect?.(input, rule.limit)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      options.onError?.(
        keyOf(run as AnalysisRun & KubeObject),
        maskOf(hidden)(secrets.mask(message)),
      )
    }
  }

  async function clearJobs(key: string, { metadata }: KubeObject): Promise<void> {
    const { env } = options
    const elsewhere = env['ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE'] || options.jobClient
    // Jobs in the run's own namespace go with it by their owner reference.
    if (!elsewhere) return
    try {
      await deleteJobsOf({ metadata }, { client: options.jobClient ?? client, env, signal })
    } catch (error) {
      options.onError?.(key, error)
    }
  }

  const filled = Promise.all([
    caches.analysisRuns.synced,
    // A template that is merely not seen yet must not end a run as missing.
    caches.analysisTemplates.synced,
    caches.clusterAnalysisTemplates.synced,
    jobs.synced,
  ])
  // Who gives the Jobs waits for the caches, as far as they can be read at all.
  const stopped = (options.jobs ? Promise.resolve() : filled).then(
    () => queue.run(signal),
    () => {},
  )
  return { stopped }
}

interface Answered {
  readonly measured: Measured
  /** Masks what the provider called secret. */
  readonly mask: (text: string) => string
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
): Omit<Answer, 'metric' | 'serial'> {
  const { measured } = answer
  const { masked } = facts
  const maskedMap = (map: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(map).map(([key, value]) => [key, masked(value)]))
  const metadata = measured.metadata ? { metadata: maskedMap(measured.metadata) } : {}
  const texts = {
    ...(measured.value === undefined ? {} : { value: masked(measured.value) }),
    ...(measured.message ? { message: masked(measured.message) } : {}),
  }
  const ofMetric: Pick<Answer, 'metadata'> = answer.metadata
    ? { metadata: maskedMap(answer.metadata) }
    : {}
  if (measured.kind === 'running') {
    return {
      ...ofMetric,
      measurement: {
        phase: 'Running',
        startedAt: facts.startedAt,
        resumeAt: instant(measured.resumeAt),
        ...texts,
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
      ...texts,
      ...metadata,
    },
  }
}

/**
 * Asks once more where the source turned the credentials away and they have changed since they were read: a password or a
 * certificate that is replaced then costs no measurement.
 */
async function withFreshCredentials(
  options: {
    readonly fetch: MeasureInput['fetch']
    readonly reads: RunReads
    readonly again: () => Promise<Measured>
  },
  attempt: (fetch: MeasureInput['fetch']) => Promise<Measured>,
): Promise<Measured> {
  let wasRefused = false
  const fetch: MeasureInput['fetch'] = async (request, how) => {
    try {
      const response = await options.fetch(request, how)
      wasRefused ||= response.status === 401 || response.status === 403
      return response
    } catch (error) {
      // A server that refuses a certificate may well just hang up.
      wasRefused ||= how?.tls !== undefined
      throw error
    }
  }
  try {
    const measured = await attempt(fetch)
    const isFailed = measured.kind === 'done' && measured.phase === 'Error'
    if (!isFailed || !wasRefused || !(await options.reads.areOutdated())) return measured
  } catch (error) {
    if (!wasRefused || !(await options.reads.areOutdated())) throw error
  }
  return options.again()
}

/** The metric with its secrets filled in. Plans name it as it is called without them. */
function metricOf(run: AnalysisRun, name: string, secrets: Secrets): Metric {
  const planned = resolveMetrics(run, () => 'temp-for-secret')
  const index = planned.ok ? planned.metrics.findIndex((one) => one.name === name) : -1
  const resolved = resolveMetrics(run, secrets.value)
  if (!resolved.ok) throw new Error(resolved.message)
  const metric = resolved.metrics[index]
  if (!metric) throw new Error(`metric ${name} is not part of the run`)
  return metric
}

function call(provider: Provider, input: MeasureInput, task: MeasureTask): Promise<Measured> {
  if (task.action === 'run' || !task.measurement) return provider.run(input)
  const ended: Measured = { kind: 'done', phase: 'Inconclusive', message: 'Metric Terminated' }
  if (task.action === 'terminate')
    return provider.terminate?.(input, task.measurement) ?? Promise.resolve(ended)
  // Left behind by a controller whose provider was asynchronous: measured anew.
  return provider.resume?.(input, task.measurement) ?? provider.run(input)
}

export type Job = KubeObject & { status?: { conditions?: readonly { type: string }[] } }

/** The Jobs that metrics made, in the namespace where they run. */
export function startJobs(
  options: Pick<
    AnalysisControllerOptions,
    'client' | 'jobClient' | 'clock' | 'signal' | 'env' | 'namespace' | 'onError'
  >,
): Informer<Job> {
  const { clock, signal, onError } = options
  const namespace = options.env['ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE'] || options.namespace
  return startInformer<Job>({
    client: options.jobClient ?? options.client,
    clock,
    signal,
    resource: resources.jobs,
    labelSelector: 'analysisrun.argoproj.io/uid',
    ...(namespace ? { namespace } : {}),
    ...(onError ? { onError: (error) => onError('jobs', error) } : {}),
  })
}

/** A finished Job wakes its run at once instead of at the next poll. */
function followJobs(jobs: Informer<Job>, wake: (runKey: string, metric: string) => void): void {
  jobs.subscribe((change) => {
    if (
      !change.object.status?.conditions?.some((c) => c.type === 'Complete' || c.type === 'Failed')
    )
      return
    const annotations = change.object.metadata.annotations ?? {}
    const name = annotations['analysisrun.argoproj.io/name']
    const metric = annotations['analysisrun.argoproj.io/metric-name'] ?? ''
    if (name) wake(`${annotations['analysisrun.argoproj.io/namespace']}/${name}`, metric)
  })
}
