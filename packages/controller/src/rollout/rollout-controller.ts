import { kinds, parseRollout, type Rollout, rolloutEvents } from '@serinus/api'
import {
  type EffectFailure,
  type EngineOptions,
  type Ingress,
  type NotificationProblem,
  planRollout,
  type RolloutPlan,
  type RolloutSnapshot,
  releaseServices,
  restoreWorkloads,
  servicesInUse,
  type Transition,
} from '@serinus/engine'
import {
  ApiError,
  type Clock,
  type EventRecorder,
  type KubeClient,
  type KubeObject,
  resources,
  WorkQueue,
  type WorkQueueEvent,
} from '@serinus/kube'
import { createRouters, kindId, type Routers, type RoutingObjects } from '@serinus/traffic'
import { applyWrites, errorOf, type Outcome, trueTransitions } from './apply.ts'
import { byOwner, type Caches, type KindOf, OwnWrites, startCaches } from './caches.ts'
import { Pods } from './pods.ts'
import { RoutingCaches } from './routing-caches.ts'
import { endpointsOf } from './service-endpoints.ts'
import { StepPluginCalls, type StepPlugins } from './step-plugins.ts'
import { urgencyOf } from './urgency.ts'
import { isOurs, wake } from './wake.ts'
import { Workloads } from './workloads.ts'

export interface RolloutControllerOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly recorder: EventRecorder
  readonly engine: EngineOptions
  /** Absent: the whole cluster. */
  readonly namespace?: string
  /** Only objects with this instance id; absent: only objects without one (api.md 12). */
  readonly instanceId?: string
  readonly workers?: number
  /** Absent: steps that name a plugin wait. */
  readonly stepPlugins?: StepPlugins
  /** Absent: those that take what the cluster serves. */
  readonly routers?: Routers
  /** Absent: caches of its own, which end with the signal. */
  readonly caches?: Caches
  /** Since when this process leads with filled caches, epoch ms: deadlines do not count the time before. Absent: the start. */
  readonly activeSince?: number
  /** Kinds that this process may not read (plural); absent: it reads all. */
  readonly unreadable?: () => ReadonlyMap<string, string>
  /** Why a Rollout must not be judged now, since something it depends on cannot be read; null: nothing. */
  readonly holdBack?: (rollout: Rollout) => string | null
  readonly observe?: (event: WorkQueueEvent) => void
  readonly onError?: (key: string, error: unknown) => void
  /** What the notifier found wrong with a Rollout's subscriptions; null while it has not looked. */
  readonly notificationProblems?: (key: string) => readonly NotificationProblem[] | null
  /** Called after every status that was stored, with the object as the API answered it. */
  readonly onStored?: (rollout: Rollout) => void
  /** Called with each plan; `explain`, the timeline and tests read it. */
  readonly onPlan?: (rollout: Rollout, plan: RolloutPlan) => void
}

export interface RolloutController {
  readonly caches: Caches
  /** Resolves when the controller has stopped after its signal. */
  readonly stopped: Promise<void>
  /** Looks at a Rollout again although nothing changed. */
  enqueue(key: string): void
  /** What a pass would look at now. */
  snapshot(key: string): RolloutSnapshot | null
}

/** Facts of this process about one Rollout; everything else is in the API. */
interface Memory {
  failures: readonly EffectFailure[]
  takenNames: readonly string[]
  statusDeferredSince: number | null
}

/** What a pass starts from: what is judged, and the objects of routers. */
interface Observed {
  readonly snapshot: RolloutSnapshot
  readonly objects: RoutingObjects
}

/** Observes, plans and applies (design 2). Several of them in one process do not notice each other. */
export function startRolloutController(options: RolloutControllerOptions): RolloutController {
  const { client, clock, signal, engine, routers = createRouters() } = options
  const caches =
    options.caches ??
    startCaches({
      client,
      clock,
      signal,
      ...(options.namespace ? { namespace: options.namespace } : {}),
      ...(options.onError ? { onError: (error) => options.onError?.('cache', error) } : {}),
    })
  const own = new OwnWrites()
  const memories = new Map<string, Memory>()
  const shares = new Map<string, { readonly text: string; readonly since: number }>()
  const queue = new WorkQueue({
    clock,
    workers: options.workers ?? 10,
    process: (key) => pass(key),
    rankOf: urgency,
    ...(options.observe ? { observe: options.observe } : {}),
    ...(options.onError ? { onError: options.onError } : {}),
  })
  const lazily = {
    client,
    clock,
    signal,
    own,
    enqueue: (key: string) => queue.add(key),
    ...(options.namespace ? { namespace: options.namespace } : {}),
    ...(options.onError ? { onError: (error: unknown) => options.onError?.('cache', error) } : {}),
  }
  const pods = new Pods(lazily)
  const workloads = new Workloads(lazily)
  const routing = new RoutingCaches({ ...lazily, ingresses: caches.ingresses })
  const stepPlugins = new StepPluginCalls({
    plugins: options.stepPlugins,
    clock,
    signal,
    enqueue: (key) => queue.add(key),
  })
  const gone = new Map<string, Rollout>()
  wake(options, { caches, own, queue, gone, forget })

  function forget(key: string): void {
    memories.delete(key)
    shares.delete(key)
    pods.need(key, null)
    stepPlugins.forget(key)
  }

  function urgency(key: string): number {
    const cached = caches.rollouts.get(key)
    return urgencyOf(cached && own.latest(kinds.rollouts, cached))
  }

  async function pass(key: string): Promise<void> {
    const observed = observe(key)
    if (observed === 'loading') return
    if (!observed) return release(key)
    const { snapshot, objects } = observed
    const obstacle = options.holdBack?.(snapshot.rollout)
    if (obstacle) throw new Error(obstacle)
    const now = clock.now()
    const plan = planRollout(snapshot, now)
    options.onPlan?.(snapshot.rollout, plan)
    const routed = plan.routes ? routers.plan(snapshot.rollout, objects, plan.routes) : []
    const removals = routers.removals(snapshot.rollout, objects)
    // A data plane must have heard that an object carries nothing before the object goes.
    const removeAt = (snapshot.routesSince ?? Number.NEGATIVE_INFINITY) + engine.routerSettleMs
    const routeWrites = [
      ...routed.flatMap((part) => (part.ok ? part.writes : [])),
      ...(removeAt <= now ? removals : []),
    ]
    pods.need(key, plan.needsPods ? snapshot.replicaSets : null)
    const [status, effects] = splitStatus(plan)
    // Routes go before sizes: what carries traffic is settled before anything is taken away.
    const outcomes = await applyWrites(client, [
      ...creates(effects),
      ...routeWrites,
      ...others(effects),
      ...status,
    ])
    remember(key, {
      snapshot,
      plan,
      now,
      outcomes,
      routing: new Set(routeWrites.map((write) => write.id)),
      routeFailures: routed.flatMap((part) => (part.ok ? [] : [part])),
    })
    pods.learn(key, outcomes)
    const { rollout, stepPlugins: seen } = snapshot
    stepPlugins.follow(key, { rollout, observed: seen, plan, outcomes })
    tell(snapshot.rollout, [
      ...trueTransitions(
        { transitions: routed.flatMap((part) => (part.ok ? part.transitions : [])) },
        outcomes,
      ),
      ...trueTransitions(plan, outcomes),
    ])
    if (plan.checkAt !== null) queue.addAt(key, plan.checkAt)
    if (removals.length > 0 && removeAt > now) queue.addAt(key, removeAt)
    const error = errorOf(outcomes)
    if (error) throw error
    // What was to be told of an earlier failure is outdated by the success of this pass.
    if (outcomes.some((outcome) => outcome.kind === 'skipped')) queue.add(key)
    const routeFailure = routed.find((part) => !part.ok)
    if (routeFailure && !routeFailure.ok) throw new Error(`routes: ${routeFailure.detail}`)
  }

  async function release(key: string): Promise<void> {
    const deleted = gone.get(key)
    if (!deleted) return
    const rollout = parseRollout(deleted).value
    const services = caches.services.list(rollout.metadata.namespace)
    const workload = workloads.of(key, rollout)
    const objects = routedObjects(key, rollout)
    if (workload === 'loading' || objects === 'loading') return
    const scaledDown = workloads.scaledDownFor(rollout)
    const restored = restoreWorkloads({ rollout, workload, scaledDown }, true)
    const outcomes = await applyWrites(client, [
      ...routers.release(rollout, objects),
      ...releaseServices(rollout, services, new Set()),
      ...restored.writes,
    ])
    tell(rollout, trueTransitions(restored, outcomes))
    const error = errorOf(outcomes)
    if (error) throw error
    gone.delete(key)
    routing.forget(key)
  }

  function routedObjects(key: string, rollout: Rollout): RoutingObjects | 'loading' {
    return routing.of(key, rollout.metadata.namespace ?? 'default', routers.watched(rollout))
  }

  function observe(key: string): Observed | 'loading' | null {
    const cached = caches.rollouts.get(key)
    if (!cached || !isOurs(cached, options.instanceId)) return null
    const parsed = parseRollout(own.latest(kinds.rollouts, cached))
    const rollout = parsed.value
    const uid = rollout.metadata.uid ?? ''
    const namespace = rollout.metadata.namespace ?? 'default'
    const owned = <T extends KubeObject>(kind: KindOf, list: readonly T[]) => {
      const latest = list.map((object) => own.latest(kind, object))
      const mine = (object: T) =>
        object.metadata.ownerReferences?.some((reference) => reference.uid === uid) ?? false
      return [...latest, ...own.missing(kind, latest, mine)]
    }
    const memory = memories.get(key)
    const workload = workloads.of(key, rollout)
    const objects = routedObjects(key, rollout)
    if (workload === 'loading' || objects === 'loading') return 'loading'
    const replicaSets = owned(resources.replicaSets, caches.replicaSets.byIndex(byOwner, uid))
    const services = caches.services
      .list(namespace)
      .map((object) => own.latest(resources.services, object))
    const names = servicesInUse(rollout)
    const used = services.filter(({ metadata }) => names.has(metadata.name))
    const seenRouters = routers.observe(rollout, objects)
    const plugins = stepPlugins.observe(key, rollout)
    const snapshot: RolloutSnapshot = {
      rollout,
      parseProblems: parsed.problems,
      replicaSets,
      analysisRuns: owned(kinds.analysisRuns, caches.analysisRuns.byIndex(byOwner, uid)),
      experiments: owned(kinds.experiments, caches.experiments.byIndex(byOwner, uid)),
      services,
      ingresses: ingressesOf(objects),
      analysisTemplates: caches.analysisTemplates.list(namespace),
      clusterAnalysisTemplates: caches.clusterAnalysisTemplates.list(),
      templateScope: {
        instanceId: options.instanceId ?? null,
        readsClusterScope: options.namespace === undefined,
      },
      routesSince: routesSince(key, seenRouters),
      endpoints: options.unreadable?.().has(resources.endpointSlices.plural)
        ? null
        : endpointsOf(caches.endpointSlices, used, replicaSets),
      workload,
      scaledDown: workloads.scaledDownFor(rollout),
      pods: pods.of(key, replicaSets),
      activeSince: options.activeSince ?? null,
      routers: seenRouters,
      notificationProblems: options.notificationProblems?.(key) ?? null,
      routingProblems: routers.problems(rollout, objects),
      failures: memory?.failures ?? [],
      takenNames: memory?.takenNames ?? [],
      statusDeferredSince: memory?.statusDeferredSince ?? null,
      ...(plugins ? { stepPlugins: plugins } : {}),
      options: engine,
    }
    return { snapshot, objects }
  }

  /** Since when this process has seen the routers ask for these shares: what they did before, it cannot know. */
  function routesSince(key: string, seen: RolloutSnapshot['routers']): number | null {
    if (seen.length === 0) return null
    const text = JSON.stringify(seen.map(({ type, weight, hashes }) => [type, weight, hashes]))
    const known = shares.get(key)
    if (known?.text === text) return known.since
    const since = clock.now()
    shares.set(key, { text, since })
    return since
  }

  function remember(
    key: string,
    pass: {
      readonly snapshot: RolloutSnapshot
      readonly plan: RolloutPlan
      readonly now: number
      readonly outcomes: readonly Outcome[]
      /** Ids of the writes that routers asked for. */
      readonly routing: ReadonlySet<string>
      readonly routeFailures: readonly { readonly reason: string; readonly detail: string }[]
    },
  ): void {
    const before = memories.get(key)
    const failures: EffectFailure[] = []
    let takenNames = before?.takenNames ?? []
    const statusDeferredSince = pass.plan.statusDeferred
      ? (before?.statusDeferredSince ?? pass.now)
      : null
    const since = (id: string) =>
      before?.failures.find((failure) => failure.id === id)?.since ?? pass.now
    for (const outcome of pass.outcomes) {
      if (outcome.kind === 'done' && outcome.object) {
        own.remember(outcome.write.resource, outcome.object)
        if (outcome.id === 'status') {
          options.onStored?.(parseRollout(outcome.object).value)
        }
      }
      // A conflict only means that we read too early; the next pass knows better.
      if (outcome.kind !== 'failed' || outcome.reason === 'Conflict') continue
      if (outcome.write.kind === 'create' && outcome.reason === 'AlreadyExists') {
        takenNames = [...takenNames, outcome.write.object.metadata.name]
        continue
      }
      failures.push({
        id: outcome.id,
        effect: 'write',
        reason: outcome.reason,
        message: outcome.message,
        since: since(outcome.id),
      })
      const isKnown = before?.failures.some(
        (old) => old.id === outcome.id && old.message === outcome.message,
      )
      const refusal = isKnown ? null : refusalOf(outcome, pass.routing)
      if (refusal) tell(pass.snapshot.rollout, [refusal])
    }
    for (const failure of pass.routeFailures) {
      const known = before?.failures.some(
        (old) => old.id === 'routes' && old.message === failure.detail,
      )
      failures.push({
        id: 'routes',
        effect: 'routes',
        reason: failure.reason,
        message: failure.detail,
        since: since('routes'),
      })
      if (!known)
        tell(pass.snapshot.rollout, [
          { type: 'Warning', reason: failure.reason, message: failure.detail },
        ])
    }
    memories.set(key, { failures, takenNames, statusDeferredSince })
  }

  function tell(rollout: Rollout, transitions: readonly Transition[]): void {
    for (const transition of transitions)
      options.recorder.record(rollout as Rollout & KubeObject, transition)
  }

  // Given caches are the caller's business: one that may not be read holds back only what uses it.
  const stopped = (options.caches ? Promise.resolve() : caches.synced).then(
    () => queue.run(signal),
    () => {},
  )
  const snapshot = (key: string) => {
    const observed = observe(key)
    return observed === null || observed === 'loading' ? null : observed.snapshot
  }
  return { caches, stopped, enqueue: (key) => queue.add(key), snapshot }
}

function ingressesOf(objects: RoutingObjects): readonly Ingress[] {
  const known = objects.get(kindId(resources.ingresses))
  return known?.state === 'served' ? (known.objects as readonly Ingress[]) : []
}

function splitStatus(plan: RolloutPlan): [RolloutPlan['writes'], RolloutPlan['writes']] {
  return [
    plan.writes.filter((write) => write.id === 'status'),
    plan.writes.filter((write) => write.id !== 'status'),
  ]
}

function creates(writes: RolloutPlan['writes']): RolloutPlan['writes'] {
  return writes.filter((write) => write.kind === 'create')
}

function others(writes: RolloutPlan['writes']): RolloutPlan['writes'] {
  return writes.filter((write) => write.kind !== 'create')
}

/** What people are told of a write that the API refuses; null where that is told elsewhere or will pass by itself. */
function refusalOf(
  outcome: Outcome & { readonly kind: 'failed' },
  routing: ReadonlySet<string>,
): Transition | null {
  const { id, error, write } = outcome
  const message = `${id}: ${outcome.message}`
  if (routing.has(id)) return { type: 'Warning', reason: 'TrafficRoutingError', message }
  // The status tells of a ReplicaSet that cannot be created (spec rollout-controller, falls short 11).
  const isTold = write.kind === 'create' && write.resource === resources.replicaSets
  const isLasting = error instanceof ApiError && error.code < 500 && error.code !== 429
  if (isTold || !isLasting || error.code === 404) return null
  return rolloutEvents.reconciliationError(message)
}
