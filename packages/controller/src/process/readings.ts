import {
  ApiError,
  type Clock,
  type Informer,
  type KubeClient,
  type KubeObject,
} from '@serinus/kube'
import { type Job, startJobs } from '../analysis/analysis-controller.ts'
import {
  type AnalysisCaches,
  type Caches,
  startAnalysisCaches,
  startCaches,
} from '../rollout/caches.ts'

export interface ReadingsOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Absent: the whole cluster. */
  readonly namespace?: string
  /** Only what analysis needs. */
  readonly analysisOnly: boolean
  readonly jobClient?: KubeClient
  readonly env: Readonly<Record<string, string | undefined>>
  /** A kind cannot be read any more, or can be read again (null). */
  readonly onChange?: (plural: string, problem: string | null) => void
  /** Failures that pass by themselves. */
  readonly onError?: (plural: string, error: unknown) => void
}

/** What this process knows of the API, and which kinds it may not know. */
export interface Readings {
  /** Null: only analysis is done here. */
  readonly all: Caches | null
  readonly analysis: AnalysisCaches
  readonly jobs: Informer<Job>
  /** Kinds that cannot be read, with the reason and what to do. */
  problems(): ReadonlyMap<string, string>
  /** The problems of kinds without which something stands still. */
  grave(): readonly string[]
  /** Kinds whose first list has not come. */
  pending(): readonly string[]
  /** Resolves once work may begin: every kind is filled or refused, and those that all work depends on are filled. */
  readonly ready: Promise<void>
  /** Lists everything again; resolves once all that can be read is as new as the call. */
  refresh(): Promise<void>
}

/** Without these nothing can be judged: a ReplicaSet or run that is not seen would be made again. */
const essential: ReadonlySet<string> = new Set(['rollouts', 'replicasets', 'analysisruns'])

/** What these tell is of use, and everything goes on without them. */
const optional: ReadonlySet<string> = new Set(['endpointslices'])

/**
 * Follows every kind that the controller reads. One that may not be read is named and holds up nothing but the
 * Rollouts that use it (spec operations, falls short 24).
 */
export function startReadings(options: ReadingsOptions): Readings {
  const { client, clock, signal } = options
  const scope = options.namespace === undefined ? {} : { namespace: options.namespace }
  const states = new Map<string, 'pending' | 'filled'>()
  const problems = new Map<string, string>()
  const informers = new Map<string, Informer<KubeObject>>()
  let changed = Promise.withResolvers<void>()
  const tellChange = () => {
    const told = changed
    changed = Promise.withResolvers()
    told.resolve()
  }
  const onError = (error: unknown, plural: string) => {
    const problem = problemOf(plural, error, options.namespace)
    if (problem === null) return options.onError?.(plural, error)
    if (problems.get(plural) === problem) return
    problems.set(plural, problem)
    options.onChange?.(plural, problem)
    tellChange()
    // No watch tells that it may be read again; a list that succeeds does.
    const informer = informers.get(plural)
    if (states.get(plural) === 'filled') informer?.refresh().then(() => mended(plural), ended)
  }
  const mended = (plural: string) => {
    if (problems.delete(plural)) options.onChange?.(plural, null)
    tellChange()
  }
  const ended = () => {}
  const common = { client, clock, signal, ...scope, onError }
  const all = options.analysisOnly ? null : startCaches(common)
  const analysis = all ?? startAnalysisCaches(common)
  const jobs = startJobs({
    client,
    clock,
    signal,
    ...scope,
    env: options.env,
    ...(options.jobClient ? { jobClient: options.jobClient } : {}),
    onError: (plural, error) => onError(error, plural),
  })
  const { synced: _, ...perKind } = { synced: null, ...analysis, ...all }
  const followed = { ...perKind, jobs }
  for (const [name, informer] of Object.entries(followed)) {
    const plural = name.toLowerCase()
    informers.set(plural, informer as Informer<KubeObject>)
    states.set(plural, 'pending')
    informer.synced.then(() => {
      states.set(plural, 'filled')
      mended(plural)
    }, ended)
  }
  const onAbort = () => tellChange()
  signal.addEventListener('abort', onAbort, { once: true })

  /** Resolves once it is so; rejects when the process ends. */
  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (signal.aborted) throw signal.reason
      await changed.promise
    }
  }

  const isReady = () =>
    [...states].every(
      ([plural, state]) => state === 'filled' || (!essential.has(plural) && problems.has(plural)),
    )
  const ready = until(isReady)
  ready.catch(ended)
  return {
    all,
    analysis,
    jobs,
    problems: () => problems,
    grave: () =>
      [...problems].flatMap(([plural, problem]) => (optional.has(plural) ? [] : [problem])),
    pending: () =>
      [...states].flatMap(([plural, state]) =>
        state === 'pending' && !problems.has(plural) ? [plural] : [],
      ),
    ready,
    async refresh() {
      const done = new Set<string>()
      for (const [plural, informer] of informers) {
        informer.refresh().then(() => {
          done.add(plural)
          mended(plural)
        }, ended)
      }
      await until(() =>
        [...states.keys()].every(
          (plural) => done.has(plural) || (!essential.has(plural) && problems.has(plural)),
        ),
      )
    },
  }
}

/** Null: it passes by itself. */
function problemOf(plural: string, error: unknown, namespace: string | undefined): string | null {
  if (!(error instanceof ApiError)) return null
  if (error.code === 404) {
    return `the API server does not know the kind ${plural}: install it (deploy/crds.yaml)`
  }
  if (error.code !== 401 && error.code !== 403) return null
  const place = namespace === undefined ? 'in all namespaces' : `in namespace ${namespace}`
  return `${plural} cannot be read ${place}: ${error.message}. Grant the verbs list and watch on ${plural} to the controller's account (deploy/controller-rbac.yaml)`
}
