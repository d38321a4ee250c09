import {
  type AnalysisRun,
  annotationKeys,
  clientPhase,
  defaults,
  type Experiment,
  hashLabel,
  type Rollout,
} from '@serinus/api'
import type { ReplicaSet } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'
import { humanDuration } from './human-duration.ts'
import { type Pod, type PodStatus, podStatus } from './pod-status.ts'

/** What `get`, `list` and `status` show of a Rollout; computed once, printed many ways (spec cli 3). */
export interface RolloutInfo {
  readonly name: string
  readonly namespace: string
  readonly strategy: 'Canary' | 'BlueGreen' | ''
  readonly step: string
  readonly setWeight: string
  readonly actualWeight: string
  readonly status: string
  readonly message: string
  readonly icon: string
  readonly createdAt: number
  readonly desired: number
  readonly current: number
  readonly updated: number
  readonly ready: number
  readonly available: number
  readonly replicaSets: readonly ReplicaSetInfo[]
  readonly experiments: readonly ExperimentInfo[]
  readonly analysisRuns: readonly AnalysisRunInfo[]
  /** What Serinus has to say beyond upstream's output: one line each. */
  readonly warnings: readonly string[]
}

export interface ReplicaSetInfo {
  readonly name: string
  readonly revision: number
  readonly status: string
  readonly icon: string
  readonly createdAt: number
  readonly tags: readonly string[]
  /** `passed`, an age, or null without a deadline. */
  readonly delay: string | null
  readonly available: number
  readonly replicas: number
  readonly images: readonly string[]
  /** Of an Experiment: which of its templates. */
  readonly template: string | undefined
  readonly pods: readonly PodInfo[]
}

interface PodInfo extends PodStatus {
  readonly name: string
  readonly createdAt: number
}

export interface AnalysisRunInfo {
  readonly name: string
  readonly revision: number
  readonly status: string
  readonly icon: string
  readonly createdAt: number
  readonly successful: number
  readonly failed: number
  readonly inconclusive: number
  readonly error: number
  readonly jobs: readonly {
    readonly name: string
    readonly status: string
    readonly icon: string
    readonly createdAt: number
  }[]
}

export interface ExperimentInfo {
  readonly name: string
  readonly namespace: string
  readonly revision: number
  readonly status: string
  readonly message: string
  readonly icon: string
  readonly createdAt: number
  readonly replicaSets: readonly ReplicaSetInfo[]
  readonly analysisRuns: readonly AnalysisRunInfo[]
}

/** Parts of Rollouts and Experiments; each is found by its owner, so others may be among them. */
export interface OwnedObjects {
  readonly replicaSets: readonly ReplicaSet[]
  readonly pods: readonly Pod[]
  readonly analysisRuns: readonly AnalysisRun[]
}

export interface RolloutObjects extends OwnedObjects {
  readonly rollout: Rollout
  readonly experiments?: readonly Experiment[]
  readonly warnings?: readonly string[]
}

const phaseIcons: Readonly<Record<string, string>> = {
  Progressing: '◌',
  Paused: '॥',
  Healthy: '✔',
  Degraded: '✖',
  Error: '⚠',
  InvalidSpec: '⚠',
  Unknown: '?',
  ScaledDown: '•',
  ReplicaFailure: '✖',
  Successful: '✔',
  Failed: '✖',
  Inconclusive: '?',
  Running: '◌',
  Pending: '◷',
}

function iconOf(status: string): string {
  return phaseIcons[status] ?? ' '
}

export function rolloutInfo(objects: RolloutObjects, now: number): RolloutInfo {
  const { rollout } = objects
  const status = rollout.status ?? {}
  const canary = rollout.spec.strategy?.canary
  const { phase, message } = clientPhase(rollout)
  const replicaSets = replicaSetInfos(objects, {
    owner: rollout,
    now,
    tagsOf: (set) => tagsOf(rollout, set),
  })
  const steps = canary?.steps ?? []
  const hasStep = status.currentStepIndex !== undefined && steps.length > 0
  return {
    name: rollout.metadata.name,
    namespace: rollout.metadata.namespace ?? 'default',
    strategy: canary ? 'Canary' : rollout.spec.strategy?.blueGreen ? 'BlueGreen' : '',
    step: canary && hasStep ? `${status.currentStepIndex}/${steps.length}` : '',
    setWeight: canary ? String(setWeight(rollout)) : '',
    actualWeight: canary ? String(actualWeight(rollout, replicaSets)) : '',
    status: phase,
    message,
    icon: iconOf(phase),
    createdAt: createdAt(rollout),
    desired: defaults.replicas(rollout),
    current: status.replicas ?? 0,
    updated: status.updatedReplicas ?? 0,
    ready: status.readyReplicas ?? 0,
    available: status.availableReplicas ?? 0,
    replicaSets,
    experiments: (objects.experiments ?? [])
      .filter(ownedBy(rollout.metadata.uid))
      .map((experiment) => experimentInfo(experiment, objects, now))
      .sort(
        (a, b) =>
          b.revision - a.revision || a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1),
      ),
    analysisRuns: analysisRunInfos(objects, rollout),
    warnings: objects.warnings ?? [],
  }
}

/** Spec cli 3.2. */
function setWeight(rollout: Rollout): number {
  const steps = rollout.spec.strategy?.canary?.steps ?? []
  const index = rollout.status?.currentStepIndex ?? 0
  if (rollout.status?.abort) return 0
  if (steps.length === 0 || index >= steps.length) return defaults.maxTrafficWeight(rollout)
  for (let i = index; i >= 0; i--) {
    const weight = steps[i]?.setWeight
    if (weight !== undefined) return weight
  }
  return 0
}

/** Spec cli 3.3. */
function actualWeight(rollout: Rollout, replicaSets: readonly ReplicaSetInfo[]): number {
  const canary = rollout.spec.strategy?.canary
  const steps = canary?.steps ?? []
  const max = defaults.maxTrafficWeight(rollout)
  const available = rollout.status?.availableReplicas ?? 0
  if (steps.length === 0 || (rollout.status?.currentStepIndex ?? 0) >= steps.length) return max
  if (available === 0) return 0
  if (canary?.trafficRouting) {
    const weights = rollout.status?.canary?.weights
    return weights ? (weights.canary?.weight ?? 0) : setWeight(rollout)
  }
  const set = replicaSets.find((info) => info.tags.includes('canary'))
  return set ? Math.trunc((set.available * max) / available) : 0
}

function createdAt(object: { readonly metadata: { readonly creationTimestamp?: string } }): number {
  return Date.parse(object.metadata.creationTimestamp ?? '') || 0
}

/** Selects the objects that an owner reference ties to this UID. */
export function ownedBy(uid: string | undefined) {
  return (object: {
    readonly metadata: { readonly ownerReferences?: readonly { readonly uid: string }[] }
  }) =>
    uid !== undefined &&
    (object.metadata.ownerReferences?.some((reference) => reference.uid === uid) ?? false)
}

function revisionOf(object: {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> }
}): number {
  return Number(object.metadata.annotations?.[annotationKeys.revision] ?? 0) || 0
}

/** What `get experiment` shows (spec cli 3.7). */
export function experimentInfo(
  experiment: Experiment,
  objects: OwnedObjects,
  now: number,
): ExperimentInfo {
  const { metadata, status = {} } = experiment
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? 'default',
    revision: revisionOf(experiment),
    status: status.phase ?? '',
    message: status.message ?? '',
    icon: iconOf(status.phase ?? ''),
    createdAt: createdAt(experiment),
    replicaSets: replicaSetInfos(objects, { owner: experiment, now, tagsOf: () => [] }),
    analysisRuns: analysisRunInfos(objects, experiment),
  }
}

interface Owner {
  readonly metadata: { readonly uid?: string }
}

function replicaSetInfos(
  objects: OwnedObjects,
  context: {
    readonly owner: Owner
    readonly now: number
    readonly tagsOf: (set: ReplicaSet) => readonly string[]
  },
): readonly ReplicaSetInfo[] {
  const { owner, now, tagsOf } = context
  return objects.replicaSets
    .filter(ownedBy(owner.metadata.uid))
    .map((set) => {
      const status = replicaSetStatus(set)
      const deadline = set.metadata.annotations?.[annotationKeys.scaleDownDeadline]
      return {
        name: set.metadata.name,
        revision: revisionOf(set),
        status,
        icon: iconOf(status),
        createdAt: createdAt(set),
        tags: tagsOf(set),
        template: set.metadata.annotations?.[annotationKeys.experimentTemplateName],
        delay: deadline ? delayText(deadline, now) : null,
        available: set.status?.availableReplicas ?? 0,
        replicas: set.status?.replicas ?? 0,
        images: (set.spec.template.spec?.containers ?? []).map(
          (container) => container.image ?? '',
        ),
        pods: podInfos(objects.pods, set),
      }
    })
    .sort((a, b) => b.revision - a.revision || (a.name < b.name ? -1 : 1))
}

function delayText(deadline: string, now: number): string {
  const at = Date.parse(deadline)
  if (Number.isNaN(at)) return ''
  return at < now ? 'passed' : humanDuration(at - now)
}

/** Spec cli 3.5. */
function replicaSetStatus(set: ReplicaSet): string {
  if ((set.metadata.generation ?? 0) > (set.status?.observedGeneration ?? 0)) return 'Progressing'
  const failure = set.status?.conditions?.find((c) => c.type === 'ReplicaFailure')
  if (failure?.status === 'True') return 'ReplicaFailure'
  if ((set.status?.availableReplicas ?? 0) < (set.spec.replicas ?? 0)) return 'Progressing'
  return set.spec.replicas === 0 ? 'ScaledDown' : 'Healthy'
}

function tagsOf(rollout: Rollout, set: ReplicaSet): readonly string[] {
  const hash = set.metadata.labels?.[hashLabel]
  const { status } = rollout
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  if (!hash) return []
  if (canary) {
    const isStable = hash === status?.stableRS
    const isCanary = !isStable && hash === status?.currentPodHash
    if (!isStable && !isCanary) return []
    const stablePingPong = canary.pingPong ? status?.canary?.stablePingPong : undefined
    const other = stablePingPong === 'ping' ? 'pong' : 'ping'
    return [
      isStable ? 'stable' : 'canary',
      ...(stablePingPong ? [isStable ? stablePingPong : other] : []),
    ]
  }
  if (!blueGreen) return []
  const tags = hash === status?.stableRS ? ['stable'] : []
  if (hash === status?.blueGreen?.activeSelector) return [...tags, 'active']
  return hash === status?.blueGreen?.previewSelector ? [...tags, 'preview'] : tags
}

function podInfos(pods: readonly Pod[], set: KubeObject): readonly PodInfo[] {
  return pods
    .filter(ownedBy(set.metadata.uid))
    .map((pod) => ({ ...podStatus(pod), name: pod.metadata.name, createdAt: createdAt(pod) }))
    .sort((a, b) => a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1))
}

function analysisRunInfos(objects: OwnedObjects, owner: Owner): readonly AnalysisRunInfo[] {
  return objects.analysisRuns
    .filter(ownedBy(owner.metadata.uid))
    .map((run) => {
      const results = run.status?.metricResults ?? []
      const sum = (of: (result: (typeof results)[number]) => number | undefined) =>
        results.reduce((total, result) => total + (of(result) ?? 0), 0)
      const status = run.status?.phase ?? ''
      return {
        name: run.metadata.name,
        revision: revisionOf(run),
        status,
        icon: iconOf(status),
        createdAt: createdAt(run),
        successful: sum((result) => result.successful),
        failed: sum((result) => result.failed),
        inconclusive: sum((result) => result.inconclusive),
        error: sum((result) => result.error),
        jobs: results.flatMap((result) =>
          (result.measurements ?? []).flatMap((measurement) => {
            const name = measurement.metadata?.['job-name']
            if (!name) return []
            return [
              {
                name,
                status: measurement.phase,
                icon: iconOf(measurement.phase),
                createdAt: Date.parse(measurement.startedAt ?? '') || 0,
              },
            ]
          }),
        ),
      }
    })
    .sort(
      (a, b) => b.revision - a.revision || a.createdAt - b.createdAt || (a.name < b.name ? 1 : -1),
    )
}
