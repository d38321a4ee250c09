import { deepEqual } from '@serinus/kube'
import { matchesLabelSelector } from '../apiserver/selectors.ts'
import {
  availableFrom,
  type Condition,
  conditionOf,
  isActive,
  isReady,
  type Pod,
  timestamp,
} from '../pods/pod.ts'
import { controllerOf, type ReplicaSet, type ReplicaSetStatus } from './objects.ts'

/** Most creations or deletions of one pass (kubernetes: BurstReplicas). */
const burst = 500

/** Which pods belong to the ReplicaSet, which it takes over and which it lets go. */
export interface Claim {
  /** Active pods that count. */
  readonly active: readonly Pod[]
  readonly terminating: readonly Pod[]
  readonly adopt: readonly Pod[]
  readonly release: readonly Pod[]
}

/** By owner reference and selector (kubernetes: PodControllerRefManager). `pods`: owned ones and orphans. */
export function claimPods(set: ReplicaSet, pods: readonly Pod[]): Claim {
  const active: Pod[] = []
  const terminating: Pod[] = []
  const adopt: Pod[] = []
  const release: Pod[] = []
  for (const pod of pods) {
    const owner = controllerOf(pod)
    const matches = matchesLabelSelector(set.spec.selector, pod.metadata.labels ?? {})
    const leaving = Boolean(pod.metadata.deletionTimestamp)
    if (owner && owner.uid !== set.metadata.uid) continue
    if (leaving && owner && matches && !isEnded(pod)) terminating.push(pod)
    if (!isActive(pod)) continue
    if (owner && matches) active.push(pod)
    else if (owner) {
      if (!set.metadata.deletionTimestamp) release.push(pod)
    } else if (matches && !set.metadata.deletionTimestamp) {
      adopt.push(pod)
      active.push(pod)
    }
  }
  return { active, terminating, adopt, release }
}

function isEnded(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

/** What must happen to reach the wanted count. */
type Scaling =
  | { readonly kind: 'none' }
  | { readonly kind: 'create'; readonly count: number }
  | { readonly kind: 'delete'; readonly pods: readonly Pod[] }

/**
 * `related`: active pods of all ReplicaSets with the same owner. The more of them share a pod's node, the sooner
 * it goes.
 */
export function planScaling(
  set: ReplicaSet,
  active: readonly Pod[],
  facts: { readonly related: readonly Pod[]; readonly now: number },
): Scaling {
  const diff = active.length - (set.spec.replicas ?? 1)
  if (set.metadata.deletionTimestamp || diff === 0) return { kind: 'none' }
  if (diff < 0) return { kind: 'create', count: Math.min(-diff, burst) }
  const ranked = rankForDeletion(active, facts.related, facts.now)
  return { kind: 'delete', pods: ranked.slice(0, Math.min(diff, burst)) }
}

/** Those that go first come first (kubernetes: ActivePodsWithRanks). */
export function rankForDeletion(
  active: readonly Pod[],
  related: readonly Pod[],
  now: number,
): readonly Pod[] {
  const onNode = new Map<string, number>()
  for (const pod of related) {
    const node = pod.spec.nodeName
    if (node && isActive(pod)) onNode.set(node, (onNode.get(node) ?? 0) + 1)
  }
  const rank = (pod: Pod) => onNode.get(pod.spec.nodeName ?? '') ?? 0
  return [...active].sort(
    (a, b) =>
      Number(Boolean(a.spec.nodeName)) - Number(Boolean(b.spec.nodeName)) ||
      phaseOrder(a) - phaseOrder(b) ||
      Number(isReady(a)) - Number(isReady(b)) ||
      deletionCost(a) - deletionCost(b) ||
      rank(b) - rank(a) ||
      (isReady(a) && isReady(b) ? byAge(readySince(a), readySince(b), { a, b, now }) : 0) ||
      restartsOf(b) - restartsOf(a) ||
      byAge(createdAt(a), createdAt(b), { a, b, now }),
  )
}

function phaseOrder(pod: Pod): number {
  switch (pod.status?.phase) {
    case undefined:
    case 'Pending':
      return 0
    case 'Unknown':
      return 1
    default:
      return 2
  }
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? '0'
  return /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : 0
}

function readySince(pod: Pod): number {
  return Date.parse(conditionOf(pod, 'Ready')?.lastTransitionTime ?? '') || 0
}

function createdAt(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp ?? '') || 0
}

function restartsOf(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount))
}

/**
 * Younger first, compared by the logarithm of the age in nanoseconds: pods of 100 s and 110 s are of the same age,
 * and their uids decide, so that a scale-down does not hit one zone's pods because they came last.
 */
function byAge(
  one: number,
  other: number,
  pair: { readonly a: Pod; readonly b: Pod; readonly now: number },
): number {
  if (one === other) return 0
  if (one === 0 || other === 0) return one === 0 ? -1 : 1
  const difference = ageRank(pair.now - one) - ageRank(pair.now - other)
  if (difference !== 0) return difference
  return (pair.a.metadata.uid ?? '') < (pair.b.metadata.uid ?? '') ? -1 : 1
}

function ageRank(ageMs: number): number {
  return ageMs > 0 ? Math.trunc(Math.log2(ageMs * 1e6)) : -1
}

/** The status to write; null when it says so already. `failure`: why pods could not be created or deleted. */
export function planStatus(
  set: ReplicaSet,
  claim: Claim,
  facts: { readonly now: number; readonly failure: string | null },
): ReplicaSetStatus | null {
  const { now, failure } = facts
  const { active } = claim
  const minReady = set.spec.minReadySeconds ?? 0
  const template = set.spec.template.metadata?.labels ?? {}
  const available = active.filter((pod) => {
    const from = availableFrom(pod, minReady)
    return from !== null && from <= now
  })
  const before = set.status ?? {}
  const others = (before.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure')
  const conditions = [...others, ...failureCondition(set, active.length, { now, failure })]
  const status: ReplicaSetStatus = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) =>
      matchesLabelSelector({ matchLabels: template }, pod.metadata.labels ?? {}),
    ).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: available.length,
    terminatingReplicas: claim.terminating.length,
    observedGeneration: set.metadata.generation ?? 0,
    ...(conditions.length > 0 && { conditions }),
  }
  return deepEqual(withoutZeros(status), withoutZeros(before)) ? null : status
}

/** Counts of zero may be stored or left out; either says the same. */
function withoutZeros(status: ReplicaSetStatus): object {
  return Object.fromEntries(
    Object.entries(status).filter(
      ([, value]) => value !== 0 && !(Array.isArray(value) && value.length === 0),
    ),
  )
}

function failureCondition(
  set: ReplicaSet,
  active: number,
  facts: { readonly now: number; readonly failure: string | null },
): readonly Condition[] {
  if (facts.failure === null) return []
  const before = set.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
  if (before) return [before]
  return [
    {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: timestamp(facts.now),
      reason: active < (set.spec.replicas ?? 1) ? 'FailedCreate' : 'FailedDelete',
      message: facts.failure,
    },
  ]
}

/** When the next ready pod becomes available; null: none is on its way. */
export function nextAvailableAt(
  set: ReplicaSet,
  active: readonly Pod[],
  now: number,
): number | null {
  const later = active
    .map((pod) => availableFrom(pod, set.spec.minReadySeconds ?? 0))
    .filter((at): at is number => at !== null && at > now)
  return later.length === 0 ? null : Math.min(...later)
}
