import { type CanaryStep, defaults } from '@serinus/api'
import type { RolloutSnapshot } from '../snapshot.ts'
import type { Demand } from './capacity.ts'
import type { LooseStatus } from './draft.ts'
import { type Roles, rolesOf, type Sized } from './replica-sets.ts'

/** What every part of a pass starts from, whatever the strategy; read once per pass. */
export interface RolloutFacts extends Roles {
  readonly snapshot: RolloutSnapshot
  readonly now: number
  /** Empty for blue-green. */
  readonly steps: readonly CanaryStep[]
  /** `spec.replicas`. */
  readonly replicas: number
  /** Pods that may be missing: `maxUnavailable` against `replicas`. */
  readonly unavailable: number
  /** Every owned ReplicaSet that exists. */
  readonly all: readonly Sized[]
  /** The ways by which requests may reach a ReplicaSet, and the pods that they need (capacity.ts). */
  readonly demandOn: (set: Sized) => readonly Demand[]
}

export function rolloutFacts(
  snapshot: RolloutSnapshot,
  now: number,
  strategy: Pick<RolloutFacts, 'steps' | 'unavailable'>,
): Omit<RolloutFacts, 'demandOn'> {
  const roles = rolesOf(snapshot)
  const { missing, newSet, stable, others } = roles
  return {
    ...roles,
    ...strategy,
    snapshot,
    now,
    replicas: defaults.replicas(snapshot.rollout),
    all: [
      ...(missing ? [] : [newSet]),
      ...(stable && stable !== newSet ? [stable] : []),
      ...others,
    ],
  }
}

/** How far an update is, as far as sizes and weights depend on it. */
export interface Position {
  /** Index of the current step; the step count when all are done or there are none. */
  readonly index: number
  readonly promoted: boolean
  readonly aborted: boolean
  readonly promoteFull: boolean
}

export function positionOf(facts: Pick<RolloutFacts, 'steps'>, status: LooseStatus): Position {
  return {
    index: facts.steps.length === 0 ? 0 : (status.currentStepIndex ?? 0),
    promoted: (status.stableRS ?? '') === (status.currentPodHash ?? ''),
    aborted: status.abort === true,
    promoteFull: status.promoteFull === true,
  }
}

/** Whether the new ReplicaSet is the stable one. */
export function isPromoted(status: LooseStatus): boolean {
  return (status.stableRS ?? '') === (status.currentPodHash ?? '')
}

/**
 * Whether the stable ReplicaSet is gone in the middle of an update: nothing is left to go back to, and nothing but the
 * new version can answer. Not so before the first deployment, where none was (falls short 9).
 */
export function isStableLost({ stable, snapshot }: RolloutFacts, status: LooseStatus): boolean {
  return stable === null && Boolean(snapshot.rollout.status?.stableRS) && !isPromoted(status)
}
