import { defaults } from '@serinus/api'
import { resources } from '@serinus/kube'
import type { Draft } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import type { Sized } from './replica-sets.ts'
import { keyOfSet } from './resize.ts'

/**
 * Removes drained old ReplicaSets beyond `revisionHistoryLimit`, oldest first (spec rollout-controller 2.7). One that
 * still has pods neither counts nor keeps the others from being removed (falls short 44).
 */
export function cleanHistory(facts: RolloutFacts, draft: Draft): void {
  const limit = defaults.revisionHistoryLimit(facts.snapshot.rollout)
  const drained = facts.others.filter(isDrained)
  for (const set of drained.slice(0, Math.max(0, drained.length - limit))) {
    draft.writes.push({
      kind: 'delete',
      id: `delete/${set.name}`,
      resource: resources.replicaSets,
      key: keyOfSet(facts, set),
      ...(set.object?.metadata.uid ? { uid: set.object.metadata.uid } : {}),
    })
  }
}

function isDrained(set: Sized): boolean {
  const observed = set.object?.status?.observedGeneration ?? 0
  const isCurrent = observed >= (set.object?.metadata.generation ?? 0)
  return set.spec === 0 && set.pods === 0 && isCurrent && !set.object?.metadata.deletionTimestamp
}
