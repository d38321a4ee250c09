import { checkAt, type Draft } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import type { Sized } from './replica-sets.ts'
import { replicaSetsBehind, selectedHash, serviceNamed } from './services.ts'

/**
 * The capacity ledger: pods of a ReplicaSet that requests may still reach, and by which way. Every scale-down goes
 * through it, so that no rule can take away what another still leads traffic to (design 1.3).
 */
export interface Demand {
  /** Pods that must stay, at most as many as there are. */
  readonly pods: number
  /** What leads requests there: `service stable`, `weight 20`, ... */
  readonly by: string
  /** Epoch milliseconds when the clock alone ends it; null: something must be seen first. */
  readonly until: number | null
}

/** The size that a ReplicaSet gets instead of `wanted`: never below its demand. A wait says what it is kept for. */
export function keptSize(facts: RolloutFacts, draft: Draft, set: Sized, wanted: number): number {
  if (wanted >= set.spec) return wanted
  const [demand] = facts
    .demandOn(set)
    .filter(({ pods }) => pods > wanted)
    .sort((a, b) => b.pods - a.pods)
  if (!demand) return wanted
  const kept = Math.min(set.spec, demand.pods)
  if (kept > wanted) {
    draft.waits.push({ kind: 'traffic', replicaSet: set.name, kept, wanted, by: demand.by })
    if (demand.until !== null) checkAt(draft, demand.until)
  }
  return kept
}

/** How requests come to a ReplicaSet through a Service: by its selector, or by EndpointSlices that have yet to follow it. */
export function wayThrough(
  facts: Pick<RolloutFacts, 'snapshot'>,
  name: string | undefined,
  set: Sized,
): 'selector' | 'endpoints' | null {
  const service = serviceNamed(facts, name)
  if (!service) return null
  if (selectedHash(service) === set.hash) return 'selector'
  return replicaSetsBehind(facts, service)?.includes(set.name) ? 'endpoints' : null
}
