import { annotationKeys, kinds, rolloutEvents } from '@serinus/api'
import { resources } from '@serinus/kube'
import type { Draft } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import { keyOfSet } from './resize.ts'
import { generationOf } from './workload.ts'

/** Revision numbers on the ReplicaSet and the Rollout (spec rollout-controller 2.4). */
export function syncRevision(facts: RolloutFacts, draft: Draft): void {
  const { rollout } = facts.snapshot
  const generation = generationOf(facts.snapshot.workload)
  const { newSet } = facts
  const { revision } = newSet
  const noted = newSet.object?.metadata.annotations ?? {}
  const before = Number(noted[annotationKeys.revision] ?? 0) || 0
  if (!facts.missing && before !== revision) {
    const history = [noted[annotationKeys.revisionHistory], before || undefined].filter(Boolean)
    draft.writes.push({
      kind: 'patch',
      id: `revision/${newSet.name}`,
      resource: resources.replicaSets,
      key: keyOfSet(facts, newSet),
      patch: {
        kind: 'merge',
        body: {
          metadata: {
            annotations: {
              [annotationKeys.revision]: String(revision),
              ...(before > 0 ? { [annotationKeys.revisionHistory]: history.join(',') } : {}),
            },
          },
        },
      },
    })
  }
  const present = rollout.metadata.annotations ?? {}
  const isNumbered = present[annotationKeys.revision] === String(revision)
  const annotations = {
    ...(isNumbered ? {} : { [annotationKeys.revision]: String(revision) }),
    ...(generation !== undefined && present[annotationKeys.workloadGeneration] !== generation
      ? { [annotationKeys.workloadGeneration]: generation }
      : {}),
  }
  const isAnnotated = Object.keys(annotations).length === 0
  const isSized = rollout.spec.replicas !== undefined
  if (isAnnotated && isSized) return
  draft.writes.push({
    kind: 'patch',
    id: 'revision',
    resource: kinds.rollouts,
    key: { namespace: rollout.metadata.namespace ?? 'default', name: rollout.metadata.name },
    patch: {
      kind: 'merge',
      body: {
        ...(isAnnotated ? {} : { metadata: { annotations } }),
        // Autoscalers read the scale subresource, which an absent number breaks (7.5).
        ...(isSized ? {} : { spec: { replicas: facts.replicas } }),
      },
    },
  })
  if (isNumbered) return
  draft.transitions.push({ ...rolloutEvents.rolloutUpdated(revision), after: 'revision' })
}
