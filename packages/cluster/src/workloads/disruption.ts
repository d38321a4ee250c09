import { matchesLabelSelector } from '../apiserver/selectors.ts'
import { type Condition, isActive, isReady, type Pod, timestamp } from '../pods/pod.ts'
import {
  controllerOf,
  type DisruptionBudget,
  type DisruptionBudgetStatus,
  scaledValue,
} from './objects.ts'

/** A granted eviction that has not shown after this long is forgotten (kubernetes: DeletionTimeout). */
const disruptedForMs = 120_000

/** kubernetes: pkg/controller/disruption. Null: the stored status is right. */
export function planBudgetStatus(facts: {
  readonly budget: DisruptionBudget
  /** All of its namespace. */
  readonly pods: readonly Pod[]
  /** Wanted replicas of a controller by uid; undefined for one without a scale. */
  readonly replicasOf: (uid: string) => number | undefined
  readonly now: number
}): { readonly status: DisruptionBudgetStatus | null; readonly checkAt: number | null } {
  const { budget, now } = facts
  const covered = facts.pods.filter((pod) => isCovered(budget, pod))
  const { expected, desired } = expectation(budget, covered, facts.replicasOf)
  const disrupted = stillDisrupted(budget, facts.pods, now)
  const healthy = covered.filter(
    (pod) => isActive(pod) && isReady(pod) && !disrupted.has(pod.metadata.name),
  ).length
  const allowed = expected <= 0 ? 0 : Math.max(0, healthy - desired)
  const status: DisruptionBudgetStatus = {
    ...(disrupted.size > 0 && { disruptedPods: Object.fromEntries(disrupted) }),
    currentHealthy: healthy,
    desiredHealthy: desired,
    disruptionsAllowed: allowed,
    expectedPods: expected,
    observedGeneration: budget.metadata.generation ?? 0,
    conditions: [allowanceCondition(budget, allowed, now)],
  }
  const times = [...disrupted.values()].map((time) => Date.parse(time) + disruptedForMs)
  return {
    status: same(status, budget.status) ? null : status,
    checkAt: times.length === 0 ? null : Math.min(...times),
  }
}

export function isCovered(budget: DisruptionBudget, pod: Pod): boolean {
  return (
    budget.metadata.namespace === pod.metadata.namespace &&
    matchesLabelSelector(budget.spec.selector, pod.metadata.labels ?? {})
  )
}

function expectation(
  budget: DisruptionBudget,
  covered: readonly Pod[],
  replicasOf: (uid: string) => number | undefined,
): { readonly expected: number; readonly desired: number } {
  const { minAvailable, maxUnavailable } = budget.spec
  if (maxUnavailable === undefined && typeof minAvailable === 'number') {
    return { expected: covered.length, desired: minAvailable }
  }
  const controllers = new Set(covered.map((pod) => controllerOf(pod)?.uid ?? ''))
  controllers.delete('')
  let expected = 0
  for (const uid of controllers) expected += replicasOf(uid) ?? 0
  if (maxUnavailable !== undefined) {
    const missing = scaledValue(maxUnavailable, expected, 'up')
    return { expected, desired: Math.max(0, expected - missing) }
  }
  return { expected, desired: scaledValue(minAvailable, expected, 'up') }
}

/** Evictions that were granted and whose pods have not begun to go. */
function stillDisrupted(
  budget: DisruptionBudget,
  pods: readonly Pod[],
  now: number,
): ReadonlyMap<string, string> {
  const kept = new Map<string, string>()
  for (const [name, time] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = pods.find((candidate) => candidate.metadata.name === name)
    if (!pod || pod.metadata.deletionTimestamp) continue
    if (Date.parse(time) + disruptedForMs > now) kept.set(name, time)
  }
  return kept
}

function allowanceCondition(budget: DisruptionBudget, allowed: number, now: number): Condition {
  const status = allowed > 0 ? 'True' : 'False'
  const before = budget.status?.conditions?.find(({ type }) => type === 'DisruptionAllowed')
  const { generation } = budget.metadata
  return {
    type: 'DisruptionAllowed',
    status,
    ...(generation !== undefined && { observedGeneration: generation }),
    lastTransitionTime:
      before?.status === status && before.lastTransitionTime
        ? before.lastTransitionTime
        : timestamp(now),
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
  }
}

function same(a: DisruptionBudgetStatus, b: DisruptionBudgetStatus | undefined): boolean {
  if (!b) return false
  const facts = (status: DisruptionBudgetStatus) =>
    JSON.stringify([
      status.currentHealthy ?? 0,
      status.desiredHealthy ?? 0,
      status.disruptionsAllowed ?? 0,
      status.expectedPods ?? 0,
      status.observedGeneration ?? 0,
      Object.entries(status.disruptedPods ?? {}).sort(),
      (status.conditions ?? []).map(({ type, status: is, reason }) => [type, is, reason]),
    ])
  return facts(a) === facts(b)
}
