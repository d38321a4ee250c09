import { annotationKeys } from '@serinus/api'
import { resources } from '@serinus/kube'
import type { Draft } from './draft.ts'
import { isPromoted, type RolloutFacts } from './facts.ts'
import { keyOfSet } from './resize.ts'

/**
 * Notes on a ReplicaSet that its update was aborted, so that no rollback window takes it for a version to go back to
 * without steps (falls short 8). A promotion takes the note away.
 */
export function markAborted(facts: RolloutFacts, draft: Draft): void {
  const { newSet, snapshot } = facts
  if (!newSet.object || snapshot.rollout.spec.rollbackWindow === undefined) return
  const isPassed = isPromoted(draft.status)
  if (isPassed ? !newSet.wasAborted : newSet.wasAborted || !draft.status.abort) return
  draft.writes.push({
    kind: 'patch',
    id: `aborted/${newSet.name}`,
    resource: resources.replicaSets,
    key: keyOfSet(facts, newSet),
    patch: {
      kind: 'merge',
      body: { metadata: { annotations: { [annotationKeys.aborted]: isPassed ? null : 'true' } } },
    },
  })
}
