import type { Draft } from '../rollout/draft.ts'
import { type Position, positionOf } from '../rollout/facts.ts'
import { arrangeRuns, type RunWish } from '../rollout/runs.ts'
import { selectedHash } from '../rollout/services.ts'
import { type BlueGreenFacts, isSaturated } from './facts.ts'

/**
 * The runs that a blue-green update asks for: one before the active Service is switched, one after it (spec
 * analysis-and-experiments 1.2). What the status says of them stays after the update.
 * @param size pods of the new ReplicaSet in preview
 */
export function arrangeBlueGreenRuns(
  facts: BlueGreenFacts,
  draft: Draft,
  { position, size }: { readonly position: Position; readonly size: number },
): void {
  const isOver =
    position.promoted ||
    position.aborted ||
    position.promoteFull ||
    facts.isFastRollback ||
    !draft.status.stableRS
  arrangeRuns(facts, draft, {
    wishes: isOver ? null : wishesOf(facts, draft, size),
    forget: false,
  })
}

function wishesOf(facts: BlueGreenFacts, draft: Draft, size: number): readonly RunWish[] {
  const { blueGreen, newSet, activeSet, replicas } = facts
  // What this pass has decided is acted on when it is stored.
  const decided = positionOf(facts, draft.status)
  if (decided.promoted || decided.aborted) return []
  const isActive = activeSet === newSet
  const hasActive = selectedHash(facts.active) !== undefined
  return [
    {
      kind: 'PrePromotion',
      analysis: blueGreen.prePromotionAnalysis,
      due: hasActive && !isActive && isSaturated(newSet, size),
    },
    {
      kind: 'PostPromotion',
      analysis: blueGreen.postPromotionAnalysis,
      due: isActive && isSaturated(newSet, replicas),
    },
  ]
}
