import { deepEqual, type KubeObject } from '@serinus/kube'
import { type Pod, type PodTemplate, timestamp } from '../pods/pod.ts'
import {
  controllerReference,
  type Deployment,
  type DeploymentCondition,
  type DeploymentStatus,
  type ReplicaSet,
  scaledValue,
} from './objects.ts'
import { podTemplateHash, podTemplateHashLabel } from './pod-template-hash.ts'

/** What one pass over a Deployment wants to happen, in this order. */
export interface DeploymentPlan {
  readonly creates: readonly ReplicaSet[]
  readonly updates: readonly ReplicaSet[]
  /** Surplus history. */
  readonly deletes: readonly ReplicaSet[]
  /** Value of the revision annotation when it has to change. */
  readonly revision: string | null
  /** Null: the stored one is right. */
  readonly status: DeploymentStatus | null
  /** `Normal ScalingReplicaSet` messages, each once the write for its ReplicaSet (by name) has succeeded. */
  readonly events: readonly { readonly after: string; readonly message: string }[]
  /** Epoch milliseconds of the progress check; null: no deadline runs. */
  readonly checkAt: number | null
}

interface DeploymentFacts {
  readonly deployment: Deployment
  /** Owned ones. */
  readonly replicaSets: readonly ReplicaSet[]
  /** Pods of those ReplicaSets. */
  readonly pods: readonly Pod[]
  readonly now: number
}

const prefix = 'deployment.kubernetes.io/'
export const revisionAnnotation = `${prefix}revision`
const revisionHistory = `${prefix}revision-history`
const desiredReplicas = `${prefix}desired-replicas`
const maxReplicas = `${prefix}max-replicas`
/** Not copied to ReplicaSets. */
const ownAnnotations: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  revisionAnnotation,
  revisionHistory,
  desiredReplicas,
  maxReplicas,
])

/** The rules of kubernetes: pkg/controller/deployment (1.34), all writes of a pass joined into one plan. */
export function planDeployment(facts: DeploymentFacts): DeploymentPlan {
  const pass = new Pass(facts)
  const { deployment } = facts
  if (deployment.metadata.deletionTimestamp) return pass.statusOnly()
  pass.notePause()
  if (deployment.spec.paused) return pass.scaleOnly()
  if (pass.isScaling()) return pass.scaleOnly()
  return deployment.spec.strategy?.type === 'Recreate' ? pass.recreate() : pass.roll()
}

/** After `AlreadyExists`: the same template under another name, unless the ReplicaSet is ours after all. */
export function planCollision(
  deployment: Deployment,
  existing: ReplicaSet | undefined,
): DeploymentStatus | null {
  const owner = existing?.metadata.ownerReferences?.find(({ controller }) => controller)
  const ours =
    existing &&
    owner?.uid === deployment.metadata.uid &&
    sameTemplate(existing.spec.template, deployment.spec.template)
  if (ours) return null
  const collisionCount = (deployment.status?.collisionCount ?? 0) + 1
  return { ...deployment.status, collisionCount }
}

/** After any other refusal of the new ReplicaSet. */
export function planCreateError(
  deployment: Deployment,
  facts: { readonly message: string; readonly now: number },
): DeploymentStatus | null {
  if (!hasDeadline(deployment)) return null
  const conditions = withCondition(deployment.status?.conditions ?? [], {
    type: 'Progressing',
    status: 'False',
    reason: 'ReplicaSetCreateError',
    message: facts.message,
    now: facts.now,
  })
  return { ...deployment.status, conditions }
}

/** Works on drafts of the ReplicaSets, so that a set that is scaled twice in one pass is written once. */
class Pass {
  readonly #facts: DeploymentFacts
  readonly #deployment: Deployment
  readonly #replicas: number
  readonly #drafts = new Map<string, ReplicaSet>()
  readonly #created = new Set<string>()
  readonly #events: { after: string; message: string }[] = []
  readonly #old: readonly string[]
  #new: string | null
  #conditions: readonly DeploymentCondition[]
  #deletes: ReplicaSet[] = []
  #revision: string | null = null

  constructor(facts: DeploymentFacts) {
    this.#facts = facts
    this.#deployment = facts.deployment
    this.#replicas = facts.deployment.spec.replicas ?? 1
    this.#conditions = facts.deployment.status?.conditions ?? []
    const sorted = [...facts.replicaSets].sort(byCreation)
    for (const set of sorted) this.#drafts.set(set.metadata.name, set)
    const template = facts.deployment.spec.template
    const found = sorted.find((set) => sameTemplate(set.spec.template, template))
    this.#new = found?.metadata.name ?? null
    this.#old = sorted.filter((set) => set !== found).map((set) => set.metadata.name)
  }

  statusOnly(): DeploymentPlan {
    this.#syncNew({ create: false })
    return this.#finish({ progress: false })
  }

  /** Paused or resized: sizes follow proportionally, the rollout does not go on. */
  scaleOnly(): DeploymentPlan {
    this.#syncNew({ create: false })
    this.#scaleProportionally()
    if (this.#deployment.spec.paused) this.#cleanUp()
    return this.#finish({ progress: false })
  }

  roll(): DeploymentPlan {
    this.#syncNew({ create: true })
    const scaled = this.#scaleUpNew() || this.#scaleDownOld()
    if (!scaled && this.#isComplete(this.#deployment.status ?? {})) this.#cleanUp()
    return this.#finish({ progress: true })
  }

  recreate(): DeploymentPlan {
    this.#syncNew({ create: false })
    let scaled = false
    for (const name of this.#old) {
      if (size(this.#set(name)) === 0) continue
      this.#resize(name, 0)
      scaled = true
    }
    if (scaled || this.#oldPodsRun()) return this.#finish({ progress: true })
    if (this.#new === null) this.#syncNew({ create: true })
    if (this.#new !== null) this.#resize(this.#new, this.#replicas)
    if (this.#isComplete(this.#deployment.status ?? {})) this.#cleanUp()
    return this.#finish({ progress: true })
  }

  /** Time spent in a pause must not count against the deadline. */
  notePause(): void {
    if (!hasDeadline(this.#deployment)) return
    const progressing = this.#condition('Progressing')
    if (progressing?.reason === 'ProgressDeadlineExceeded') return
    const noted = progressing?.reason === 'DeploymentPaused'
    const paused = this.#deployment.spec.paused ?? false
    if (paused === noted) return
    this.#setCondition(
      'Progressing',
      'Unknown',
      paused
        ? { reason: 'DeploymentPaused', message: 'Deployment is paused' }
        : { reason: 'DeploymentResumed', message: 'Deployment is resumed' },
    )
  }

  isScaling(): boolean {
    return this.#active().some((name) => {
      const desired = annotation(this.#set(name), desiredReplicas)
      return desired !== undefined && Number(desired) !== this.#replicas
    })
  }

  /** Finds or makes the ReplicaSet of the present template and carries annotations and revision over. */
  #syncNew(options: { readonly create: boolean }): void {
    const revision = Math.max(0, ...this.#old.map((name) => revisionOf(this.#set(name)))) + 1
    if (this.#new !== null) {
      const set = this.#set(this.#new)
      const annotations = this.#annotationsFor(set.metadata.annotations ?? {}, revision, true)
      const minReadySeconds = this.#deployment.spec.minReadySeconds ?? 0
      const sameAnnotations = deepEqual(annotations, set.metadata.annotations ?? {})
      if (!sameAnnotations || (set.spec.minReadySeconds ?? 0) !== minReadySeconds) {
        this.#put({
          ...set,
          metadata: { ...set.metadata, annotations },
          spec: { ...set.spec, minReadySeconds },
        })
      }
      this.#noteRevision(annotations[revisionAnnotation] ?? String(revision))
      if (hasDeadline(this.#deployment) && !this.#condition('Progressing')) {
        this.#setCondition('Progressing', 'True', {
          reason: 'FoundNewReplicaSet',
          message: `Found new replica set "${this.#new}"`,
        })
      }
      return
    }
    if (!options.create) return
    const set = this.#newSet(revision)
    const { name } = set.metadata
    this.#new = name
    this.#created.add(name)
    this.#put(set)
    if (size(set) > 0) this.#tell(name, `Scaled up replica set ${name} from 0 to ${size(set)}`)
    this.#noteRevision(String(revision))
    if (hasDeadline(this.#deployment)) {
      this.#setCondition('Progressing', 'True', {
        reason: 'NewReplicaSetCreated',
        message: `Created new replica set "${name}"`,
      })
    }
  }

  #newSet(revision: number): ReplicaSet {
    const { metadata, spec, status } = this.#deployment
    const hash = podTemplateHash(spec.template, status?.collisionCount)
    const labels = { ...spec.template.metadata?.labels, [podTemplateHashLabel]: hash }
    const selector = {
      ...spec.selector,
      matchLabels: { ...spec.selector.matchLabels, [podTemplateHashLabel]: hash },
    }
    const set: ReplicaSet = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: replicaSetName(metadata.name, hash),
        ...(metadata.namespace && { namespace: metadata.namespace }),
        labels,
        annotations: {
          ...this.#annotationsFor({}, revision, false),
          ...this.#sizeAnnotations(),
        },
        ownerReferences: [controllerReference(this.#deployment)],
      },
      spec: {
        replicas: 0,
        minReadySeconds: spec.minReadySeconds ?? 0,
        selector,
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    }
    return { ...set, spec: { ...set.spec, replicas: this.#newSize(set) } }
  }

  #annotationsFor(
    before: Readonly<Record<string, string>>,
    revision: number,
    exists: boolean,
  ): Record<string, string> {
    const annotations: Record<string, string> = { ...before }
    for (const [key, value] of Object.entries(this.#deployment.metadata.annotations ?? {})) {
      if (!ownAnnotations.has(key)) annotations[key] = value
    }
    const old = before[revisionAnnotation]
    if (Number(old ?? 0) >= revision) return annotations
    annotations[revisionAnnotation] = String(revision)
    if (exists && old !== undefined) {
      const history = before[revisionHistory]
      annotations[revisionHistory] = history ? `${history},${old}` : old
    }
    return annotations
  }

  #sizeAnnotations(): Record<string, string> {
    return {
      [desiredReplicas]: String(this.#replicas),
      [maxReplicas]: String(this.#replicas + this.#fences().surge),
    }
  }

  #noteRevision(revision: string): void {
    const stored = this.#deployment.metadata.annotations?.[revisionAnnotation]
    if (stored !== revision) this.#revision = revision
  }

  /** How many replicas the new set may have now. */
  #newSize(set: ReplicaSet): number {
    if (this.#deployment.spec.strategy?.type === 'Recreate') return this.#replicas
    const known = this.#drafts.has(set.metadata.name)
    const total = this.#total() + (known ? 0 : size(set))
    const most = this.#replicas + this.#fences().surge
    if (total >= most) return size(set)
    return size(set) + Math.min(most - total, this.#replicas - size(set))
  }

  #scaleUpNew(): boolean {
    if (this.#new === null) return false
    const set = this.#set(this.#new)
    if (size(set) === this.#replicas) return false
    const wanted = size(set) > this.#replicas ? this.#replicas : this.#newSize(set)
    return this.#resize(this.#new, wanted)
  }

  /** Unhealthy old pods first, then healthy ones as far as `maxUnavailable` allows. */
  #scaleDownOld(): boolean {
    if (this.#new === null) return false
    const fresh = this.#set(this.#new)
    const old = this.#old.filter((name) => size(this.#set(name)) > 0)
    if (old.length === 0) return false
    const leastAvailable = this.#replicas - this.#fences().unavailable
    const freshUnavailable = size(fresh) - (fresh.status?.availableReplicas ?? 0)
    const most = this.#total() - leastAvailable - freshUnavailable
    if (most <= 0) return false

    let unhealthy = 0
    for (const name of old) {
      const set = this.#set(name)
      const broken = size(set) - available(set)
      const count = Math.min(most - unhealthy, broken)
      if (count <= 0) continue
      this.#resize(name, size(set) - count)
      unhealthy += count
    }

    const spare =
      [...old, this.#new].reduce((sum, name) => sum + available(this.#set(name)), 0) -
      leastAvailable
    let healthy = 0
    for (const name of old) {
      const set = this.#set(name)
      const count = Math.min(size(set), spare - healthy)
      if (count <= 0) continue
      this.#resize(name, size(set) - count)
      healthy += count
    }
    return unhealthy + healthy > 0
  }

  #scaleProportionally(): void {
    const active = this.#active()
    const single = active.length === 1 ? active[0] : undefined
    const latest = active.length === 0 ? (this.#new ?? this.#old.at(-1)) : single
    if (latest !== undefined) {
      if (size(this.#set(latest)) !== this.#replicas) this.#resize(latest, this.#replicas)
      return
    }
    if (active.length === 0) return
    if (this.#isSaturated()) {
      for (const name of active) if (name !== this.#new) this.#resize(name, 0)
      return
    }
    if (this.#deployment.spec.strategy?.type === 'Recreate') return

    const allowed = this.#replicas > 0 ? this.#replicas + this.#fences().surge : 0
    const toAdd = allowed - this.#total()
    const bySize = active
      .map((name) => this.#set(name))
      .sort((a, b) => size(b) - size(a) || (toAdd > 0 ? byCreation(b, a) : byCreation(a, b)))
    const sizes = new Map<string, number>()
    let added = 0
    for (const set of bySize) {
      const part = this.#proportion(set, toAdd, added)
      sizes.set(set.metadata.name, size(set) + part)
      added += part
    }
    bySize.forEach((set, index) => {
      const { name } = set.metadata
      const leftover = index === 0 ? toAdd - added : 0
      this.#resize(name, Math.max(0, (sizes.get(name) ?? 0) + leftover), { annotate: true })
    })
  }

  #proportion(set: ReplicaSet, toAdd: number, added: number): number {
    if (size(set) === 0 || toAdd === 0 || toAdd === added) return 0
    const allowed = toAdd - added
    const fraction = this.#fraction(set)
    return toAdd > 0 ? Math.min(fraction, allowed) : Math.max(fraction, allowed)
  }

  #fraction(set: ReplicaSet): number {
    if (this.#replicas === 0) return -size(set)
    const noted = Number(annotation(set, maxReplicas) ?? 0)
    const before = noted > 0 ? noted : (this.#deployment.status?.replicas ?? 0)
    if (before === 0) return 0
    return Math.round((size(set) * (this.#replicas + this.#fences().surge)) / before) - size(set)
  }

  #isSaturated(): boolean {
    if (this.#new === null) return false
    const set = this.#set(this.#new)
    return (
      size(set) === this.#replicas &&
      Number(annotation(set, desiredReplicas)) === this.#replicas &&
      available(set) === this.#replicas
    )
  }

  #oldPodsRun(): boolean {
    if (this.#old.some((name) => (this.#set(name).status?.replicas ?? 0) > 0)) return true
    const uid = this.#new === null ? undefined : this.#set(this.#new).metadata.uid
    return this.#facts.pods.some((pod) => {
      const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller)
      const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
      return owner?.uid !== uid && !ended
    })
  }

  #cleanUp(): void {
    const limit = this.#deployment.spec.revisionHistoryLimit
    if (limit === undefined) return
    const alive = this.#old
      .map((name) => this.#set(name))
      .filter((set) => !set.metadata.deletionTimestamp)
      .sort((a, b) => revisionOf(a) - revisionOf(b) || byCreation(a, b))
    for (const set of alive.slice(0, Math.max(0, alive.length - limit))) {
      const observed = (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0)
      if ((set.status?.replicas ?? 0) === 0 && size(set) === 0 && observed) this.#deletes.push(set)
    }
  }

  #finish(options: { readonly progress: boolean }): DeploymentPlan {
    const counted = this.#countedStatus()
    if (options.progress) this.#noteProgress(counted)
    if (options.progress) this.#noteFailures()
    const status: DeploymentStatus = {
      ...counted,
      ...(this.#conditions.length > 0 && { conditions: this.#conditions }),
    }
    const stored = this.#deployment.status ?? {}
    const same = deepEqual(withoutZeros(status), withoutZeros(stored))
    const changed = [...this.#drafts.values()].filter(
      (set) => !this.#facts.replicaSets.includes(set),
    )
    return {
      creates: changed.filter((set) => this.#created.has(set.metadata.name)),
      updates: changed.filter((set) => !this.#created.has(set.metadata.name)),
      deletes: this.#deletes,
      revision: this.#revision,
      status: same ? null : status,
      events: this.#events,
      checkAt: options.progress && same ? this.#deadline(counted) : null,
    }
  }

  #countedStatus(): DeploymentStatus {
    const sets = [...this.#drafts.values()]
    const sum = (count: (set: ReplicaSet) => number) =>
      sets.reduce((total, set) => total + count(set), 0)
    const ready = sum(available)
    const collisionCount = this.#deployment.status?.collisionCount
    const enough = ready >= this.#replicas - this.#fences().unavailable
    this.#setCondition(
      'Available',
      enough ? 'True' : 'False',
      enough
        ? {
            reason: 'MinimumReplicasAvailable',
            message: 'Deployment has minimum availability.',
          }
        : {
            reason: 'MinimumReplicasUnavailable',
            message: 'Deployment does not have minimum availability.',
          },
    )
    return {
      observedGeneration: this.#deployment.metadata.generation ?? 0,
      replicas: sum((set) => set.status?.replicas ?? 0),
      updatedReplicas: this.#new === null ? 0 : (this.#set(this.#new).status?.replicas ?? 0),
      readyReplicas: sum((set) => set.status?.readyReplicas ?? 0),
      availableReplicas: ready,
      unavailableReplicas: Math.max(0, this.#total() - ready),
      terminatingReplicas: sum((set) => set.status?.terminatingReplicas ?? 0),
      ...(collisionCount !== undefined && { collisionCount }),
    }
  }

  #noteProgress(status: DeploymentStatus): void {
    if (!hasDeadline(this.#deployment)) {
      this.#conditions = this.#conditions.filter(({ type }) => type !== 'Progressing')
      return
    }
    const { metadata } = this.#deployment
    const subject =
      this.#new === null ? `Deployment "${metadata.name}"` : `ReplicaSet "${this.#new}"`
    const progressing = this.#condition('Progressing')
    const settled =
      status.replicas === status.updatedReplicas && progressing?.reason === 'NewReplicaSetAvailable'
    if (settled) return
    if (this.#isComplete(status)) {
      const message = `${subject} has successfully progressed.`
      this.#setCondition('Progressing', 'True', { reason: 'NewReplicaSetAvailable', message })
    } else if (this.#hasProgressed(status)) {
      // The same reason again still moves lastUpdateTime, from which the deadline is counted.
      const kept = progressing?.status === 'True' ? progressing.lastTransitionTime : undefined
      this.#conditions = this.#conditions.filter(({ type }) => type !== 'Progressing')
      this.#setCondition('Progressing', 'True', {
        reason: 'ReplicaSetUpdated',
        message: `${subject} is progressing.`,
        ...(kept && { since: kept }),
      })
    } else if (this.#isLate(progressing)) {
      const message = `${subject} has timed out progressing.`
      this.#setCondition('Progressing', 'False', { reason: 'ProgressDeadlineExceeded', message })
    }
  }

  #isComplete(status: DeploymentStatus): boolean {
    return (
      (status.updatedReplicas ?? 0) === this.#replicas &&
      (status.replicas ?? 0) === this.#replicas &&
      (status.availableReplicas ?? 0) === this.#replicas &&
      (status.observedGeneration ?? 0) >= (this.#deployment.metadata.generation ?? 0)
    )
  }

  #hasProgressed(status: DeploymentStatus): boolean {
    const before = this.#deployment.status ?? {}
    const old = (of: DeploymentStatus) => (of.replicas ?? 0) - (of.updatedReplicas ?? 0)
    return (
      (status.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
      old(status) < old(before) ||
      (status.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
      (status.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
    )
  }

  #isLate(progressing: DeploymentCondition | undefined): boolean {
    if (!progressing || progressing.reason === 'NewReplicaSetAvailable') return false
    if (progressing.reason === 'ProgressDeadlineExceeded') return true
    return this.#dueAt(progressing) < this.#facts.now
  }

  #dueAt(progressing: DeploymentCondition): number {
    const seconds = this.#deployment.spec.progressDeadlineSeconds ?? 0
    return Date.parse(progressing.lastUpdateTime ?? '') + seconds * 1000
  }

  #deadline(status: DeploymentStatus): number | null {
    const progressing = this.#condition('Progressing')
    if (!hasDeadline(this.#deployment) || !progressing) return null
    if (this.#isComplete(status)) return null
    if (progressing.reason === 'ProgressDeadlineExceeded') return null
    if (progressing.reason === 'NewReplicaSetAvailable') return null
    // A second more, since stored times are cut to whole seconds.
    return Math.max(this.#facts.now, this.#dueAt(progressing)) + 1000
  }

  /** The failure of the new set counts before those of old ones. */
  #noteFailures(): void {
    const sets = [...this.#drafts.values()]
    const fresh = this.#new === null ? [] : [this.#set(this.#new)]
    const failure = [...fresh, ...sets]
      .flatMap((set) => set.status?.conditions ?? [])
      .find(({ type }) => type === 'ReplicaFailure')
    if (!failure) {
      this.#conditions = this.#conditions.filter(({ type }) => type !== 'ReplicaFailure')
      return
    }
    const known = this.#condition('ReplicaFailure')
    if (known?.status === failure.status && known.reason === failure.reason) return
    this.#conditions = [
      ...this.#conditions.filter(({ type }) => type !== 'ReplicaFailure'),
      { ...failure, lastUpdateTime: failure.lastTransitionTime ?? timestamp(this.#facts.now) },
    ]
  }

  #resize(name: string, wanted: number, options?: { readonly annotate: boolean }): boolean {
    const set = this.#set(name)
    const before = size(set)
    if (before === wanted && !options?.annotate) return false
    const annotations = { ...set.metadata.annotations, ...this.#sizeAnnotations() }
    const same = before === wanted && deepEqual(annotations, set.metadata.annotations ?? {})
    if (same) return false
    this.#put({
      ...set,
      metadata: { ...set.metadata, annotations },
      spec: { ...set.spec, replicas: wanted },
    })
    if (before === wanted) return false
    const direction = before < wanted ? 'up' : 'down'
    this.#tell(name, `Scaled ${direction} replica set ${name} from ${before} to ${wanted}`)
    return true
  }

  #fences(): { readonly surge: number; readonly unavailable: number } {
    const { strategy } = this.#deployment.spec
    if (strategy?.type === 'Recreate') return { surge: 0, unavailable: 0 }
    const { maxSurge = '25%', maxUnavailable = '25%' } = strategy?.rollingUpdate ?? {}
    const surge = scaledValue(maxSurge, this.#replicas, 'up')
    const unavailable = scaledValue(maxUnavailable, this.#replicas, 'down')
    if (this.#replicas === 0) return { surge, unavailable: 0 }
    // Both may round to zero; then nothing could ever move.
    const least = surge === 0 && unavailable === 0 ? 1 : unavailable
    return { surge, unavailable: Math.min(least, this.#replicas) }
  }

  #active(): readonly string[] {
    const all = this.#new === null ? this.#old : [...this.#old, this.#new]
    return all.filter((name) => size(this.#set(name)) > 0)
  }

  #total(): number {
    return [...this.#drafts.values()].reduce((sum, set) => sum + size(set), 0)
  }

  #set(name: string): ReplicaSet {
    const set = this.#drafts.get(name)
    if (!set) throw new TypeError(`no draft of ReplicaSet ${name}`)
    return set
  }

  #put(set: ReplicaSet): void {
    this.#drafts.set(set.metadata.name, set)
  }

  #tell(after: string, message: string): void {
    this.#events.push({ after, message })
  }

  #condition(type: string): DeploymentCondition | undefined {
    return this.#conditions.find((condition) => condition.type === type)
  }

  #setCondition(
    type: string,
    status: 'True' | 'False' | 'Unknown',
    why: { readonly reason: string; readonly message: string; readonly since?: string },
  ): void {
    this.#conditions = withCondition(this.#conditions, {
      type,
      status,
      ...why,
      now: this.#facts.now,
    })
  }
}

/** Unchanged when status and reason are; the time of transition stays while the status does. */
function withCondition(
  conditions: readonly DeploymentCondition[],
  wanted: {
    readonly type: string
    readonly status: 'True' | 'False' | 'Unknown'
    readonly reason: string
    readonly message: string
    readonly now: number
    readonly since?: string
  },
): readonly DeploymentCondition[] {
  const { type, status, reason, message, now } = wanted
  const before = conditions.find((condition) => condition.type === type)
  if (before?.status === status && before.reason === reason) return conditions
  const kept = before?.status === status ? before.lastTransitionTime : undefined
  return [
    ...conditions.filter((condition) => condition.type !== type),
    {
      type,
      status,
      lastUpdateTime: timestamp(now),
      lastTransitionTime: wanted.since ?? kept ?? timestamp(now),
      reason,
      message,
    },
  ]
}

function withoutZeros(status: DeploymentStatus): object {
  return Object.fromEntries(
    Object.entries(status).filter(([, value]) => value !== 0 && value !== undefined),
  )
}

/** Kubernetes marks "no deadline" with the largest number, too. */
function hasDeadline(deployment: Deployment): boolean {
  const seconds = deployment.spec.progressDeadlineSeconds
  return seconds !== undefined && seconds !== 2_147_483_647
}

function sameTemplate(a: PodTemplate, b: PodTemplate): boolean {
  return deepEqual(withoutHash(a), withoutHash(b))
}

function withoutHash(template: PodTemplate): object {
  const { [podTemplateHashLabel]: _hash, ...labels } = template.metadata?.labels ?? {}
  const { creationTimestamp: _creation, annotations, ...metadata } = template.metadata ?? {}
  return {
    ...template,
    metadata: {
      ...metadata,
      labels,
      ...(annotations && Object.keys(annotations).length > 0 && { annotations }),
    },
  }
}

/** At most 253 characters, as names may have (kubernetes: generateReplicaSetName). */
function replicaSetName(deployment: string, hash: string): string {
  return `${deployment.slice(0, 253 - 1 - hash.length)}-${hash}`
}

function size(set: ReplicaSet): number {
  return set.spec.replicas ?? 1
}

function available(set: ReplicaSet): number {
  return set.status?.availableReplicas ?? 0
}

function annotation(object: KubeObject, name: string): string | undefined {
  return object.metadata.annotations?.[name]
}

function revisionOf(set: ReplicaSet): number {
  const text = annotation(set, revisionAnnotation) ?? ''
  return /^\d+$/.test(text) ? Number(text) : 0
}

function byCreation(a: ReplicaSet, b: ReplicaSet): number {
  const one = a.metadata.creationTimestamp ?? ''
  const other = b.metadata.creationTimestamp ?? ''
  if (one !== other) return one < other ? -1 : 1
  return a.metadata.name < b.metadata.name ? -1 : 1
}
