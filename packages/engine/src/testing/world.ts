import type { AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Rollout } from '@serinus/api'
import type { Plan, Transition, Write } from '../plan.ts'
import { planRollout } from '../plan-rollout.ts'
import type { DesiredRoutes } from '../routes.ts'
import type { EngineOptions, Ingress, ReplicaSet, RolloutSnapshot, Service } from '../snapshot.ts'

/**
 * A cluster in one object, for tests of the planner alone: writes change it at once, the ReplicaSet controller is three
 * lines, pods become ready by the clock. It knows nothing of Rollouts; what it is told to write is all that happens.
 */
export class World {
  now = Date.parse('2026-01-01T00:00:00Z')
  rollout: Rollout
  replicaSets: ReplicaSet[] = []
  analysisRuns: AnalysisRun[] = []
  services: Service[] = []
  ingresses: Ingress[] = []
  analysisTemplates: AnalysisTemplate[] = []
  clusterAnalysisTemplates: ClusterAnalysisTemplate[] = []
  options: EngineOptions = { zeroPause: 'gate' }
  /** Canary weight that the router has taken over; null: no router. */
  weight: number | null = null
  /** False: the router does not react. */
  routerWorks = true
  readyAfterMs = 5_000
  /** Images whose pods never become ready. */
  broken = new Set<string>()
  readonly writes: Write[] = []
  readonly transitions: Transition[] = []
  readonly plans: Plan[] = []
  #statusDeferredSince: number | null = null
  #checkAt: number | null = null
  #version = 1
  /** When the pods of a ReplicaSet were created. */
  readonly #pods = new Map<string, number[]>()

  constructor(
    rollout: Rollout,
    objects: Partial<
      Pick<
        World,
        'services' | 'ingresses' | 'analysisTemplates' | 'clusterAnalysisTemplates' | 'weight'
      >
    > = {},
  ) {
    Object.assign(this, objects)
    this.rollout = {
      ...rollout,
      metadata: { ...rollout.metadata, uid: 'uid-1', generation: 1, resourceVersion: '1' },
    }
    this.settle()
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
      services: this.services,
      ingresses: this.ingresses,
      analysisTemplates: this.analysisTemplates,
      clusterAnalysisTemplates: this.clusterAnalysisTemplates,
      routers: this.weight === null ? [] : [{ type: 'Nginx', weight: this.weight, verified: null }],
      failures: [],
      takenNames: [],
      statusDeferredSince: this.#statusDeferredSince,
      options: this.options,
    }
  }

  /** Plans and applies until nothing more is written at this instant. */
  settle(): void {
    for (let pass = 0; pass < 50; pass++) {
      const plan = planRollout(this.snapshot(), this.now)
      this.plans.push(plan)
      this.#checkAt = plan.checkAt
      this.#statusDeferredSince = plan.statusDeferred
        ? (this.#statusDeferredSince ?? this.now)
        : null
      const routed = this.#route(plan.routes)
      for (const write of plan.writes) this.#apply(write)
      this.transitions.push(...plan.transitions)
      const moved = this.#runPods()
      if (plan.writes.length === 0 && !routed && !moved) return
    }
    throw new Error('the planner does not come to rest')
  }

  /** Lets time pass, waking the planner whenever it asked to be woken or a pod becomes ready. */
  pass(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const next = Math.min(
        this.#nextReadyAt() ?? Number.POSITIVE_INFINITY,
        this.#checkAt ?? Number.POSITIVE_INFINITY,
      )
      if (next > until) break
      this.now = Math.max(next, this.now)
      this.#checkAt = null
      this.#runPods()
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

  #route(routes: DesiredRoutes | null): boolean {
    if (!routes || !this.routerWorks || this.weight === routes.weight) return false
    this.weight = routes.weight
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
      return
    }
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
        : pods.filter((at) => at + this.readyAfterMs <= this.now).length
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

type Canary = NonNullable<NonNullable<Rollout['spec']['strategy']>['canary']>

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
