import type { Rollout } from '@serinus/api'

/**
 * Which Rollout a free worker takes first (a rank of `WorkQueue`): 0 an update that is promoted and only to be finished,
 * 1 one that is under way, 2 a change that nobody has looked at, 3 a Rollout at rest. Work begun goes before work not
 * begun: of a thousand updates the first is done when its own pods are, instead of when everybody has taken the same
 * step. A deleted Rollout (undefined) is soon done.
 */
export function urgencyOf(rollout: Rollout | undefined): 0 | 1 | 2 | 3 {
  if (!rollout) return 0
  const { metadata, status } = rollout
  const isPromoted = status?.currentPodHash === status?.stableRS
  const isObserved = status?.observedGeneration === String(metadata.generation ?? 0)
  if (isPromoted && status?.phase === 'Healthy') return isObserved ? 3 : 2
  if (!status?.currentPodHash) return 2
  return isPromoted ? 0 : 1
}
