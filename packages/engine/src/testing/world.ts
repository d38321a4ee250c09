import {
  type AnalysisRun,
  type AnalysisTemplate,
  type ClusterAnalysisTemplate,
  type Experiment,
  hashLabel,
  type Rollout,
} from '@serinus/api'
import { deepEqual } from '@serinus/kube'
import type { EffectFailure, RolloutPlan, Transition, Write } from '../plan.ts'
import { planRollout } from '../plan-rollout.ts'
import { type DesiredRoutes, type ManagedRoute, noManagedRoutes } from '../routes.ts'
import type { EngineOptions, Ingress, ReplicaSet, RolloutSnapshot, Service } from '../snapshot.ts'
import type { PluginHost } from './plugin-host.ts'

/** One pass: what was known, when, and what was planned. */
export interface Pass {
  readonly snapshot: RolloutSnapshot
  readonly now: number
  readonly plan: RolloutPlan
}

/**
 * A cluster in one object, for tests of the planner alone: writes change it at once, the ReplicaSet controller is three
 * lines, pods become ready by the clock. It knows nothing of Rollouts; what it is told to write is all that happens.
 */
export class World {
  now = Date.parse('2026-01-01T00:00:00Z')
  rollout: Rollout
  replicaSets: ReplicaSet[] = []
  analysisRuns: AnalysisRun[] = []
  experiments: Experiment[] = []
  services: Service[] = []
  ingresses: Ingress[] = []
  notificationProblems: RolloutSnapshot['notificationProblems'] = null
  analysisTemplates: AnalysisTemplate[] = []
  clusterAnalysisTemplates: ClusterAnalysisTemplate[] = []
  options: EngineOptions = { zeroPause: 'gate', routerSettleMs: 0 }
  /** Canary weight that the router has taken over; null: no router. */
  weight: number | null = null
  /** Canary weight that requests are split by: what the router has taken over, after its lag. */
  weightInEffect: number | null = null
  /** False: the router does not react. */
  routerWorks = true
  /** How long the data plane lags behind its router. */
  routerLagMs = 0
  /** Whether the router can tell when its weight is in effect. */
  routerVerifies = false
  /** Whether the router takes header and mirror routes. */
  routerTakesRoutes = false
  /** Hashes that subsets of the router select; null: Services lead to the pods. */
  subsets: { readonly stable: string; readonly canary: string } | null = null
  /** Those that it was told last. */
  managedRoutes: DesiredRoutes['managedRoutes'] = []
  readyAfterMs = 5_000
  /** How long EndpointSlices lag behind Services and pods. */
  endpointLagMs = 0
  /** Images whose pods never become ready. */
  broken = new Set<string>()
  /** How many pods of an image become ready at most. */
  mostReady = new Map<string, number>()
  /** Names that somebody else's ReplicaSets have. */
  takenNames: readonly string[] = []
  /** Effects that never happen, by write id or `routes`; the planner is told of them as by the real shell. */
  fails: (id: string) => boolean = () => false
  /** Whether the process dies right after its n-th effect, from 1: the rest of its plan and its memory are lost. */
  diesAfter: (effect: number) => boolean = () => false
  /** Sees every pass before its effects. */
  observe: (pass: Pass) => void = () => {}
  /** Who runs step plugins, with what it remembers; null: nobody does. */
  plugins: PluginHost | null = null
  readonly writes: Write[] = []
  readonly transitions: Transition[] = []
  readonly plans: RolloutPlan[] = []
  #statusDeferredSince: number | null = null
  #checkAt: number | null = null
  #version = 1
  #failures: readonly EffectFailure[] = []
  #effects = 0
  #routesSince: number | null = null
  #askedAt = 0
  readonly #endpoints = new Map<
    string,
    { replicaSets: readonly string[]; next: readonly string[]; at: number }
  >()
  /** When the pods of a ReplicaSet were created. */
  readonly #pods = new Map<string, number[]>()

  constructor(
    rollout: Rollout,
    objects: Partial<
      Pick<
        World,
        | 'services'
        | 'takenNames'
        | 'ingresses'
        | 'analysisTemplates'
        | 'clusterAnalysisTemplates'
        | 'weight'
        | 'subsets'
        | 'observe'
      >
    > = {},
  ) {
    Object.assign(this, objects)
    this.rollout = {
      ...rollout,
      metadata: { ...rollout.metadata, uid: 'uid-1', generation: 1, resourceVersion: '1' },
    }
    this.#routesSince = this.weight === null ? null : this.now
    this.weightInEffect = this.weight
    this.settle()
  }

  /** How many effects have succeeded so far. */
  get effects(): number {
    return this.#effects
  }

  get status(): NonNullable<Rollout['status']> {
    return this.rollout.status ?? {}
  }

  snapshot(): RolloutSnapshot {
    return {
      rollout: this.rollout,
      parseProblems: [],
      replicaSets: this.replicaSets,
      analysisRuns: this.analysisRuns,
      experiments: this.experiments,
      services: this.services,
      ingresses: this.ingresses,
      analysisTemplates: this.analysisTemplates,
      clusterAnalysisTemplates: this.clusterAnalysisTemplates,
      routers:
        this.weight === null
          ? []
          : [
              {
                type: 'Nginx',
                weight: this.weight,
                verified: this.routerVerifies ? this.weightInEffect === this.weight : null,
                managedRoutes: this.routerTakesRoutes
                  ? { header: this.#namesOf('header'), mirror: this.#namesOf('mirror') }
                  : noManagedRoutes,
                ...(this.subsets ? { hashes: this.subsets } : {}),
              },
            ],
      routesSince: this.#routesSince,
      endpoints: this.services.map((service) => ({
        service: service.metadata.name,
        replicaSets: this.#endpoints.get(service.metadata.name)?.replicaSets ?? [],
      })),
      workload: null,
      scaledDown: [],
      pods: null,
      activeSince: null,
      routingProblems: [],
      notificationProblems: this.notificationProblems,
      failures: this.#failures,
      takenNames: this.takenNames,
      statusDeferredSince: this.#statusDeferredSince,
      ...(this.plugins ? { stepPlugins: this.plugins.observed(this.now) } : {}),
      options: this.options,
    }
  }

  /** Plans and applies until nothing more is written at this instant. */
  settle(): void {
    for (let pass = 0; pass < 100; pass++) {
      const snapshot = this.snapshot()
      const plan = planRollout(snapshot, this.now)
      this.observe({ snapshot, now: this.now, plan })
      this.plans.push(plan)
      this.#checkAt = plan.checkAt
      this.#statusDeferredSince = plan.statusDeferred
        ? (this.#statusDeferredSince ?? this.now)
        : null
      const changed = this.#carryOut(plan)
      const moved = this.#runPods()
      const led = this.#runEndpoints()
      const split = this.#runRouter()
      if (!changed && !moved && !led && !split) return
    }
    throw new Error('the planner does not come to rest')
  }

  /** One pass and its effects, whatever it leaves to do. */
  planOnce(): void {
    this.#runEndpoints()
    this.#carryOut(planRollout(this.snapshot(), this.now))
  }

  /** Pods of the image stop being ready and start again, the youngest first. */
  restartPods(image: string, count: number): void {
    for (const set of this.replicaSets) {
      if (set.spec.template.spec?.containers?.[0]?.image !== image) continue
      const pods = this.#pods.get(set.metadata.name) ?? []
      const kept = pods.slice(0, Math.max(0, pods.length - count))
      this.#pods.set(set.metadata.name, [...kept, ...pods.slice(kept.length).map(() => this.now)])
    }
    this.#runPods()
    this.settle()
  }

  /** Lets time pass, waking the planner whenever it asked to be woken or a pod becomes ready. */
  pass(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const next = Math.min(
        this.#nextReadyAt() ?? Number.POSITIVE_INFINITY,
        this.#nextEndpointsAt() ?? Number.POSITIVE_INFINITY,
        this.weight === this.weightInEffect
          ? Number.POSITIVE_INFINITY
          : this.#askedAt + this.routerLagMs,
        this.plugins?.nextAnswerAt(this.now) ?? Number.POSITIVE_INFINITY,
        this.#checkAt ?? Number.POSITIVE_INFINITY,
      )
      if (next > until) break
      this.now = Math.max(next, this.now)
      this.#checkAt = null
      this.#runPods()
      this.#runEndpoints()
      this.#runRouter()
      this.settle()
    }
    this.now = until
    this.settle()
  }

  /** Changes the spec as a user does: the generation grows. */
  edit(change: (spec: Rollout['spec']) => Rollout['spec']): void {
    const { metadata } = this.rollout
    this.rollout = {
      ...this.rollout,
      spec: change(this.rollout.spec),
      metadata: {
        ...metadata,
        generation: (metadata.generation ?? 0) + 1,
        resourceVersion: String(++this.#version),
      },
    }
    this.settle()
  }

  setImage(image: string): void {
    this.edit((spec) => ({
      ...spec,
      template: {
        ...spec.template,
        spec: { ...spec.template?.spec, containers: [{ name: 'app', image }] },
      },
    }))
  }

  /** Changes the revision in a Service's selector behind our back; null takes it out. */
  pointService(name: string, hash: string | null): void {
    this.services = this.services.map((service) =>
      service.metadata.name === name
        ? (merged(service, { spec: { selector: { [hashLabel]: hash } } }) as Service)
        : service,
    )
    this.settle()
  }

  /** Changes the status as the command line does. */
  patchStatus(patch: object): void {
    this.rollout = {
      ...this.rollout,
      status: merged(this.status, patch) as Rollout['status'],
    } as Rollout
    this.settle()
  }

  setOf(image: string): ReplicaSet {
    const found = this.replicaSets.find(
      (set) => set.spec.template.spec?.containers?.[0]?.image === image,
    )
    if (!found) throw new Error(`no ReplicaSet with image ${image}`)
    return found
  }

  size(image: string): number {
    return this.setOf(image).spec.replicas ?? 0
  }

  /** `h1 5→4`: every change of a size, in order. */
  scalings(): string[] {
    return this.transitions
      .filter((transition) => transition.reason === 'ScalingReplicaSet')
      .map((transition) => {
        const [, name = '', from, to] =
          /ReplicaSet (\S+) .* from (\d+) to (\d+)/.exec(transition.message) ?? []
        const set = this.replicaSets.find((one) => one.metadata.name === name)
        return `${set?.spec.template.spec?.containers?.[0]?.image} ${from}→${to}`
      })
  }

  reasons(): string[] {
    return this.transitions.map((transition) => transition.reason)
  }

  forget(): void {
    this.writes.length = 0
    this.transitions.length = 0
    this.plans.length = 0
  }

  condition(type: string): { status: string; reason: string; message: string } | undefined {
    return this.status.conditions?.find((condition) => condition.type === type)
  }

  /** The shell: routes before sizes, creations before both. Says whether anything is new to the next pass. */
  #carryOut(plan: RolloutPlan): boolean {
    const done = new Set<string>()
    const failed = new Set<string>()
    const failures: EffectFailure[] = []
    const fail = (id: string, effect: EffectFailure['effect']) => {
      const since = this.#failures.find((failure) => failure.id === id)?.since ?? this.now
      failed.add(id)
      failures.push({ id, effect, reason: 'Forbidden', message: `${id} is forbidden`, since })
    }
    let died = false
    const succeed = (id: string) => {
      done.add(id)
      this.#effects++
      died = this.diesAfter(this.#effects)
    }
    const creates = plan.writes.filter((write) => write.kind === 'create')
    const others = plan.writes.filter((write) => write.kind !== 'create')
    for (const effect of [...creates, 'routes' as const, ...others]) {
      if (died) break
      if (effect === 'routes') {
        if (plan.routes && this.fails('routes')) fail('routes', 'routes')
        else if (this.#route(plan.routes)) succeed('routes')
      } else if (
        (effect.unless !== undefined && done.has(effect.unless)) ||
        effect.requires?.some((id) => failed.has(id))
      ) {
        failed.add(effect.id)
      } else if (this.fails(effect.id)) {
        fail(effect.id, 'write')
      } else {
        this.#apply(effect)
        succeed(effect.id)
      }
    }
    if (!died) this.plugins?.settle(plan, done.has('status'))
    for (const call of plan.pluginCalls ?? []) {
      if (died) break
      this.plugins?.call(call, this.now)
      succeed(`plugin/${call.method}/${call.index}`)
    }
    this.transitions.push(...plan.transitions.filter(({ after }) => !after || done.has(after)))
    if (died) {
      this.#routesSince = this.weight === null ? null : this.now
      this.#failures = []
      this.#statusDeferredSince = null
      this.plugins?.die()
      return true
    }
    const told = JSON.stringify(failures) !== JSON.stringify(this.#failures)
    this.#failures = failures
    return done.size > 0 || told
  }

  #namesOf(kind: ManagedRoute['kind']): readonly string[] {
    return this.managedRoutes.filter((route) => route.kind === kind).map(({ name }) => name)
  }

  #route(routes: DesiredRoutes | null): boolean {
    if (!routes || !this.routerWorks) return false
    const isRouted = !this.routerTakesRoutes || deepEqual(this.managedRoutes, routes.managedRoutes)
    const next = (side: 'stable' | 'canary') =>
      routes[side].available ? routes[side].hash : (this.subsets?.[side] ?? '')
    const subsets = this.subsets && { stable: next('stable'), canary: next('canary') }
    const isLed = deepEqual(this.subsets, subsets)
    if (this.weight === routes.weight && isRouted && isLed) return false
    if (this.routerTakesRoutes) this.managedRoutes = routes.managedRoutes
    this.subsets = subsets
    this.weight = routes.weight
    this.#routesSince = this.now
    this.#askedAt = this.now
    return true
  }

  #apply(write: Write): void {
    this.writes.push(write)
    if (write.kind === 'create') {
      const created = {
        ...(write.object as ReplicaSet),
        metadata: {
          ...(write.object.metadata as ReplicaSet['metadata']),
          uid: `uid-of-${write.object.metadata.name}`,
          generation: 1,
          resourceVersion: String(++this.#version),
          creationTimestamp: new Date(this.now + this.replicaSets.length).toISOString(),
        },
      }
      if (write.resource.plural === 'replicasets') this.replicaSets.push(created)
      else if (write.resource.plural === 'experiments')
        this.experiments.push(created as unknown as Experiment)
      else this.analysisRuns.push(created as unknown as AnalysisRun)
      return
    }
    const named = (object: { metadata: { name: string } }) =>
      object.metadata.name === write.key.name
    if (write.kind === 'delete') {
      this.replicaSets = this.replicaSets.filter(
        (set) => write.resource.plural !== 'replicasets' || !named(set),
      )
      this.analysisRuns = this.analysisRuns.filter(
        (run) => write.resource.plural !== 'analysisruns' || !named(run),
      )
      this.experiments = this.experiments.filter(
        (one) => write.resource.plural !== 'experiments' || !named(one),
      )
      return
    }
    if (write.kind === 'evict') throw new Error('this world has no pods to evict')
    const patch = <T extends { metadata: { name: string } }>(list: T[]) =>
      list.map((object) => (named(object) ? (merged(object, write.patch.body) as T) : object))
    switch (write.resource.plural) {
      case 'rollouts':
        this.rollout = merged(this.rollout, withoutVersion(write.patch.body)) as Rollout
        return
      case 'replicasets':
        this.replicaSets = patch(this.replicaSets)
        return
      case 'services':
        this.services = patch(this.services)
        return
      case 'analysisruns':
        this.analysisRuns = patch(this.analysisRuns)
        return
      case 'experiments':
        this.experiments = patch(this.experiments)
        return
      default:
        throw new Error(`a write to ${write.resource.plural} was not expected`)
    }
  }

  /** The ReplicaSet controller and the kubelet. */
  #runPods(): boolean {
    let moved = false
    this.replicaSets = this.replicaSets.map((set) => {
      const { name } = set.metadata
      const wanted = set.spec.replicas ?? 0
      const pods = this.#pods.get(name) ?? []
      while (pods.length < wanted) pods.push(this.now)
      // The youngest go first, as the ReplicaSet controller ranks them.
      if (pods.length > wanted) pods.splice(wanted)
      this.#pods.set(name, pods)
      const image = set.spec.template.spec?.containers?.[0]?.image ?? ''
      const ready = this.broken.has(image)
        ? 0
        : Math.min(
            pods.filter((at) => at + this.readyAfterMs <= this.now).length,
            this.mostReady.get(image) ?? pods.length,
          )
      const status = {
        replicas: pods.length,
        readyReplicas: ready,
        availableReplicas: ready,
        observedGeneration: set.metadata.generation ?? 1,
      }
      if (JSON.stringify(status) === JSON.stringify(set.status)) return set
      moved = true
      return { ...set, status }
    })
    return moved
  }

  /** The EndpointSlice controller, with its lag. */
  #runEndpoints(): boolean {
    let moved = false
    for (const { metadata, spec } of this.services) {
      const hash = spec?.selector?.[hashLabel]
      const wanted = this.replicaSets
        .filter((set) => hash === undefined || set.metadata.labels?.[hashLabel] === hash)
        .filter((set) => (set.status?.readyReplicas ?? 0) > 0)
        .map((set) => set.metadata.name)
      const present = this.#endpoints.get(metadata.name)
      const state = present ?? { replicaSets: [], next: [], at: this.now }
      if (wanted.join() !== state.next.join()) {
        state.next = wanted
        state.at = this.now + this.endpointLagMs
      }
      if (state.at <= this.now && state.replicaSets.join() !== state.next.join()) {
        state.replicaSets = state.next
        moved = true
      }
      this.#endpoints.set(metadata.name, state)
    }
    return moved
  }

  /** The data plane takes over what its router asks for. */
  #runRouter(): boolean {
    if (this.weight === this.weightInEffect || this.now < this.#askedAt + this.routerLagMs) {
      return false
    }
    this.weightInEffect = this.weight
    return true
  }

  /** Images whose pods a Service leads to at present. */
  imagesBehind(service: string): readonly string[] {
    const names = this.#endpoints.get(service)?.replicaSets ?? []
    return this.replicaSets
      .filter(({ metadata }) => names.includes(metadata.name))
      .map((set) => set.spec.template.spec?.containers?.[0]?.image ?? '')
  }

  #nextEndpointsAt(): number | null {
    const times = [...this.#endpoints.values()]
      .filter(({ replicaSets, next }) => replicaSets.join() !== next.join())
      .map(({ at }) => at)
    return times.length > 0 ? Math.min(...times) : null
  }

  #nextReadyAt(): number | null {
    const times = this.replicaSets.flatMap((set) => {
      if (this.broken.has(set.spec.template.spec?.containers?.[0]?.image ?? '')) return []
      return (this.#pods.get(set.metadata.name) ?? [])
        .map((at) => at + this.readyAfterMs)
        .filter((at) => at > this.now)
    })
    return times.length > 0 ? Math.min(...times) : null
  }
}

function withoutVersion(body: unknown): unknown {
  const { metadata, ...rest } = body as { metadata?: { resourceVersion?: string } }
  if (!metadata) return rest
  const { resourceVersion: _, ...kept } = metadata
  return { ...rest, metadata: kept }
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = {
    ...(typeof target === 'object' && target !== null ? target : {}),
  }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merged(result[key], value)
  }
  return result
}

export type Canary = NonNullable<NonNullable<Rollout['spec']['strategy']>['canary']>

/** A canary Rollout named `app` whose only container is `app`. */
export function canaryRollout(
  canary: Canary,
  facts: { readonly image?: string; readonly replicas?: number } = {},
): Rollout {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'app', namespace: 'default' },
    spec: {
      ...(facts.replicas === undefined ? {} : { replicas: facts.replicas }),
      selector: { matchLabels: { app: 'app' } },
      template: {
        metadata: { labels: { app: 'app' } },
        spec: { containers: [{ name: 'app', image: facts.image ?? 'h1' }] },
      },
      strategy: { canary },
    },
  } as Rollout
}

/** The world with revision 1 healthy, ready for an update; what happened until then is forgotten. */
export function healthyWorld(canary: Canary, facts: { readonly replicas?: number } = {}): World {
  const world = new World(canaryRollout(canary, { replicas: facts.replicas ?? 5 }))
  world.pass(10_000)
  world.forget()
  return world
}
