import type { Draft } from '../rollout/draft.ts'
import { type Position, positionOf } from '../rollout/facts.ts'
import { arrangeRuns, type RunWish } from '../rollout/runs.ts'
import type { CanaryFacts } from './facts.ts'

/** The runs that a canary asks for: one in the background, and one at a step of its own (spec analysis-and-experiments 1.2). */
export function arrangeCanaryRuns(facts: CanaryFacts, draft: Draft, position: Position): void {
  const isOver =
    position.promoted || position.aborted || position.promoteFull || !draft.status.stableRS
  arrangeRuns(facts, draft, {
    wishes: isOver ? null : wishesOf(facts, draft, position),
    forget: true,
  })
}

function wishesOf(facts: CanaryFacts, draft: Draft, position: Position): readonly RunWish[] {
  // What this pass has decided beyond `position` is acted on when it is stored.
  const decided = positionOf(facts, draft.status)
  if (decided.promoted || decided.aborted) return []
  const starting = facts.canary.analysis?.startingStep
  const hasStarted =
    starting === undefined || facts.steps.length === 0 || position.index >= starting
  const lacksPods = facts.canary.analysis?.waitForCanaryReady === true && facts.newSet.available < 1
  const background: RunWish = {
    kind: 'Background',
    analysis: facts.canary.analysis,
    due: hasStarted && !lacksPods,
  }
  if (decided.index !== position.index) return [background]
  const step: RunWish = {
    kind: 'Step',
    analysis: facts.steps[position.index]?.analysis,
    index: position.index,
    due: (draft.status.pauseConditions?.length ?? 0) === 0,
  }
  return [step, background]
}
