import { defaults } from '@serinus/api'
import { resources } from '@serinus/kube'
import type { Draft } from '../draft.ts'
import type { CanaryFacts } from './facts.ts'
import { keyOfSet } from './scale.ts'

/** Removes drained old ReplicaSets beyond `revisionHistoryLimit`, oldest first (spec rollout-controller 2.7, falls short 44). */
export function cleanHistory(facts: CanaryFacts, draft: Draft): void {
  const limit = defaults.revisionHistoryLimit(facts.snapshot.rollout)
  let surplus = facts.others.length - limit
  for (const set of facts.others) {
    if (surplus <= 0) return
    const observed = set.object?.status?.observedGeneration ?? 0
    const current = observed >= (set.object?.metadata.generation ?? 0)
    if (set.spec > 0 || set.pods > 0 || !current || set.object?.metadata.deletionTimestamp) continue
    surplus--
    draft.writes.push({
      kind: 'delete',
      id: `delete/${set.name}`,
      resource: resources.replicaSets,
      key: keyOfSet(facts, set),
      ...(set.object?.metadata.uid ? { uid: set.object.metadata.uid } : {}),
    })
  }
}
