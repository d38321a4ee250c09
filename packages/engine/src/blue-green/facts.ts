import { type BlueGreenStrategy, defaults, resolveFenceposts } from '@serinus/api'
import { type Demand, wayThrough } from '../rollout/capacity.ts'
import { type RolloutFacts, rolloutFacts } from '../rollout/facts.ts'
import type { Sized } from '../rollout/replica-sets.ts'
import { replicaSetsBehind, selectedHash, serviceNamed } from '../rollout/services.ts'
import { isFastRollback } from '../rollout/verdict.ts'
import type { RolloutSnapshot, Service } from '../snapshot.ts'

/** What every part of a blue-green pass starts from; read once per pass. */
export interface BlueGreenFacts extends RolloutFacts {
  readonly blueGreen: BlueGreenStrategy
  readonly active: Service | undefined
  readonly preview: Service | undefined
  /** The ReplicaSet that the active Service selects; null: none that exists. */
  readonly activeSet: Sized | null
  /** Whether the update goes back to a version that has proved itself, so that nothing is asked again (spec rollout-controller 4.5). */
  readonly isFastRollback: boolean
}

export function blueGreenFacts(snapshot: RolloutSnapshot, now: number): BlueGreenFacts {
  const { rollout } = snapshot
  const blueGreen = rollout.spec.strategy?.blueGreen ?? { activeService: '' }
  const { unavailable } = resolveFenceposts({
    maxSurge: 0,
    maxUnavailable: blueGreen.maxUnavailable,
    replicas: defaults.replicas(rollout),
  })
  const common = rolloutFacts(snapshot, now, { steps: [], unavailable })
  const active = serviceNamed(common, blueGreen.activeService)
  const demandOn = (set: Sized) => demandThrough(common, active, set)
  const hash = selectedHash(active)
  return {
    ...common,
    demandOn,
    blueGreen,
    active,
    preview: serviceNamed(common, blueGreen.previewService || undefined),
    activeSet: hash === undefined ? null : (common.all.find((set) => set.hash === hash) ?? null),
    isFastRollback: isFastRollback(common),
  }
}

/**
 * All pods of a ReplicaSet are needed as long as the active Service, or EndpointSlices that have yet to follow it, lead
 * to them: blue-green has no smaller share.
 */
function demandThrough(
  facts: Omit<RolloutFacts, 'demandOn'>,
  active: Service | undefined,
  set: Sized,
): readonly Demand[] {
  if (!active || facts.replicas === 0) return []
  const way = wayThrough(facts, active.metadata.name, set) ?? wayWithoutHash(facts, active)
  return way === null ? [] : [{ pods: facts.replicas, by: `service ${way}`, until: null }]
}

/** A Service that names no revision leads to every pod of the user's selector. */
function wayWithoutHash(facts: Pick<RolloutFacts, 'snapshot'>, active: Service): 'selector' | null {
  const isKnown = replicaSetsBehind(facts, active) !== null
  return selectedHash(active) === undefined && !isKnown ? 'selector' : null
}

/** Whether a ReplicaSet has exactly that size and all its pods are available. */
export function isSaturated(set: Sized, size: number): boolean {
  return set.object !== null && set.spec === size && set.available >= size
}

/** Whether switches wait for a user (spec rollout-controller 1.5); an abort does not (falls short 6). */
export function isHalted(
  facts: RolloutFacts,
  status: { readonly pauseConditions?: readonly { readonly reason: string }[] | undefined },
): boolean {
  const isUndecided = status.pauseConditions?.some(({ reason }) =>
    reason.startsWith('Inconclusive'),
  )
  return facts.snapshot.rollout.spec.paused === true || isUndecided === true
}
