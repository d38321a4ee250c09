import type { AnalysisRun, AnalysisTemplate, Experiment } from '@serinus/api'
import { planExperiment } from '../experiment/plan-experiment.ts'
import type { ExperimentPlan, ExperimentSnapshot } from '../experiment/snapshot.ts'
import type { Transition, Write } from '../plan.ts'
import type { ReplicaSet, Service } from '../snapshot.ts'

/** How the run of an analysis ends, and how long after its creation. */
export interface Ending {
  readonly phase: 'Successful' | 'Failed' | 'Error' | 'Inconclusive'
  readonly afterMs: number
}

/**
 * A cluster in one object, for tests of the planner of Experiments alone: writes change it at once, pods become ready
 * and runs end by the clock.
 */
export class ExperimentWorld {
  now = Date.UTC(2026, 0, 1)
  experiment: Experiment
  replicaSets: ReplicaSet[] = []
  analysisRuns: AnalysisRun[] = []
  services: Service[] = []
  readonly transitions: Transition[] = []
  /** Whether the process dies right after its n-th effect, from 1. */
  diesAfter: (effect: number) => boolean = () => false
  /** How long the pods of a template take to become ready; null: they never do. */
  readonly readyAfterMs: Readonly<Record<string, number | null>>
  readonly endings: Readonly<Record<string, Ending>>
  readonly templates: readonly AnalysisTemplate[]
  #effects = 0
  #version = 1
  #checkAt: number | null = null
  readonly #created = new Map<string, number>()

  constructor(facts: {
    readonly spec: Experiment['spec']
    readonly templates: readonly AnalysisTemplate[]
    readonly readyAfterMs?: ExperimentWorld['readyAfterMs']
    readonly endings?: ExperimentWorld['endings']
  }) {
    this.experiment = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Experiment',
      metadata: { name: 'exp', namespace: 'default', uid: 'uid', resourceVersion: '1' },
      spec: facts.spec,
    }
    this.templates = facts.templates
    this.readyAfterMs = facts.readyAfterMs ?? {}
    this.endings = facts.endings ?? {}
  }

  get effects(): number {
    return this.#effects
  }

  get status(): NonNullable<Experiment['status']> {
    return this.experiment.status ?? {}
  }

  snapshot(): ExperimentSnapshot {
    return {
      experiment: this.experiment,
      parseProblems: [],
      replicaSets: this.replicaSets,
      analysisRuns: this.analysisRuns,
      services: this.services,
      analysisTemplates: this.templates,
      clusterAnalysisTemplates: [],
      rollout: null,
      activeSince: null,
      failures: [],
      taken: [],
      leaving: [],
    }
  }

  plan(): ExperimentPlan {
    return planExperiment(this.snapshot(), this.now)
  }

  /** Plans and applies until nothing more is written at this instant. */
  settle(): void {
    for (let pass = 0; pass < 50; pass++) {
      const plan = this.plan()
      this.#checkAt = plan.checkAt
      const wrote = this.#carryOut(plan)
      const moved = this.#live()
      if (!wrote && !moved) return
    }
    throw new Error('the planner does not come to rest')
  }

  pass(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const next = Math.min(this.#nextChangeAt(), this.#checkAt ?? Number.POSITIVE_INFINITY)
      if (next > until) break
      this.now = Math.max(next, this.now)
      this.#live()
      this.settle()
    }
    this.now = until
    this.settle()
  }

  /** Changes the object as a user does; `status: null` is what `retry` sends. */
  patch(body: { readonly spec?: object; readonly status?: null }): void {
    const { status: _, ...rest } = this.experiment
    const spec = { ...this.experiment.spec, ...body.spec }
    this.experiment = { ...(body.status === null ? rest : this.experiment), spec }
    this.#touch()
    this.settle()
  }

  #touch(): void {
    const { metadata } = this.experiment
    const resourceVersion = String(++this.#version)
    this.experiment = { ...this.experiment, metadata: { ...metadata, resourceVersion } }
  }

  #carryOut(plan: ExperimentPlan): boolean {
    const done = new Set<string>()
    for (const write of plan.writes) {
      if (write.requires?.some((id) => !done.has(id))) continue
      this.#apply(write)
      done.add(write.id)
      this.#effects++
      if (this.diesAfter(this.#effects)) break
    }
    this.transitions.push(...plan.transitions.filter(({ after }) => !after || done.has(after)))
    return done.size > 0
  }

  #apply(write: Write): void {
    if (write.kind === 'create') {
      const { name } = write.object.metadata
      const list = this.#list(write.resource.plural)
      if (list.some((one) => one.metadata.name === name)) throw new Error(`${name} is doubled`)
      this.#created.set(`${write.resource.plural}/${name}`, this.now)
      this.#put(write.resource.plural, [...list, write.object as ReplicaSet])
      return
    }
    if (write.kind === 'evict') throw new Error('an Experiment evicts nobody')
    const { name } = write.key
    const list = this.#list(write.resource.plural)
    if (write.kind === 'delete') {
      this.#put(
        write.resource.plural,
        list.filter((one) => one.metadata.name !== name),
      )
      return
    }
    if (write.resource.plural === 'experiments') {
      this.experiment = merged(this.experiment, write.patch.body) as Experiment
      this.#touch()
      return
    }
    this.#put(
      write.resource.plural,
      list.map((one) =>
        one.metadata.name === name ? (merged(one, write.patch.body) as never) : one,
      ),
    )
  }

  #list(plural: string): readonly ReplicaSet[] {
    if (plural === 'replicasets') return this.replicaSets
    if (plural === 'services') return this.services as unknown as readonly ReplicaSet[]
    return this.analysisRuns as unknown as readonly ReplicaSet[]
  }

  #put(plural: string, list: readonly ReplicaSet[]): void {
    if (plural === 'replicasets') this.replicaSets = [...list]
    else if (plural === 'services') this.services = [...list] as unknown as Service[]
    else this.analysisRuns = [...list] as unknown as AnalysisRun[]
  }

  /** The ReplicaSet controller, the kubelet and the analyses. */
  #live(): boolean {
    const before = JSON.stringify([this.replicaSets, this.analysisRuns])
    this.replicaSets = this.replicaSets.map((set) => {
      const wanted = set.spec.replicas ?? 0
      const at = this.#readyAt(set)
      const ready = at !== null && at <= this.now ? wanted : 0
      const status = { replicas: wanted, readyReplicas: ready, availableReplicas: ready }
      return { ...set, status }
    })
    this.analysisRuns = this.analysisRuns.map((run) => {
      const { phase = '' } = run.status ?? {}
      if (phase !== '' && phase !== 'Running') return run
      const ending = this.#endingOf(run)
      const isOver = ending && ending.at <= this.now
      const next = isOver ? ending.phase : run.spec.terminate ? 'Successful' : 'Running'
      return { ...run, status: { ...run.status, phase: next } } as AnalysisRun
    })
    return JSON.stringify([this.replicaSets, this.analysisRuns]) !== before
  }

  #readyAt({ metadata }: ReplicaSet): number | null {
    const after = this.readyAfterMs[metadata.name.replace(/^exp-/, '')] ?? undefined
    const created = this.#created.get(`replicasets/${metadata.name}`) ?? this.now
    const isNever = this.readyAfterMs[metadata.name.replace(/^exp-/, '')] === null
    return isNever ? null : created + (after ?? 1_000)
  }

  #endingOf({ metadata }: AnalysisRun): { readonly phase: string; readonly at: number } | null {
    const ending = this.endings[metadata.name.replace(/^exp-/, '').replace(/\.\d+$/, '')]
    const created = this.#created.get(`analysisruns/${metadata.name}`) ?? this.now
    return ending ? { phase: ending.phase, at: created + ending.afterMs } : null
  }

  #nextChangeAt(): number {
    const times = [
      ...this.replicaSets.map((set) => this.#readyAt(set)),
      ...this.analysisRuns.map((run) => this.#endingOf(run)?.at ?? null),
    ].filter((at): at is number => at !== null && at > this.now)
    return Math.min(Number.POSITIVE_INFINITY, ...times)
  }
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = {
    ...(typeof target === 'object' && target !== null ? target : {}),
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key === 'resourceVersion') continue
    if (value === null) delete result[key]
    else result[key] = merged(result[key], value)
  }
  return result
}
