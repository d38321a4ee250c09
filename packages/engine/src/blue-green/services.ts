import type { Draft } from '../rollout/draft.ts'
import type { Position } from '../rollout/facts.ts'
import type { Sized } from '../rollout/replica-sets.ts'
import { createErrorOf } from '../rollout/resize.ts'
import { pointService, selectedHash } from '../rollout/services.ts'
import { type BlueGreenFacts, isHalted, isSaturated } from './facts.ts'

/**
 * Decides the target of both Services once per pass and records what they select (spec rollout-controller 5.1, 5.4).
 * @param isOpen nothing but pods keeps the new version from being active
 */
export function switchServices(
  facts: BlueGreenFacts,
  draft: Draft,
  { position, isOpen }: { readonly position: Position; readonly isOpen: boolean },
): void {
  const target = activeTarget(facts, draft, { position, isOpen })
  if (facts.active && target) pointService(facts, draft, { service: facts.active, to: target })
  const previewSelector = switchPreview(facts, draft, position)
  const activeSelector = selectedHash(facts.active)
  const { previewSelector: _p, activeSelector: _a, ...kept } = draft.status.blueGreen ?? {}
  draft.status.blueGreen = {
    ...kept,
    ...(previewSelector ? { previewSelector } : {}),
    ...(activeSelector ? { activeSelector } : {}),
  }
}

/** The ReplicaSet that the active Service is pointed to in this pass; null: it stays where it is. */
function activeTarget(
  facts: BlueGreenFacts,
  draft: Draft,
  { position, isOpen }: { readonly position: Position; readonly isOpen: boolean },
): Sized | null {
  const { newSet, stable, activeSet, replicas } = facts
  const back = stable && canTakeOver(facts, stable) ? stable : null
  if (position.aborted) return back
  if (isHalted(facts, draft.status)) return null
  if (position.promoted) return back
  if (isOpen && isSaturated(newSet, replicas)) return newSet
  // A Service that lost its revision leads to both versions, or to none; the proven one is right until the switch.
  return activeSet === null ? back : null
}

/**
 * A way back to the stable version asks for nothing but its own pods: as many as answer now, or all of them (falls
 * short 1).
 */
function canTakeOver(facts: BlueGreenFacts, set: Sized): boolean {
  const hash = selectedHash(facts.active)
  const answering = hash === undefined ? facts.replicas : (facts.activeSet?.available ?? 0)
  return set.object !== null && set.available >= Math.min(facts.replicas, answering)
}

/** Points the preview at the new version, even before it has pods; returns what it selects then. */
function switchPreview(
  facts: BlueGreenFacts,
  draft: Draft,
  position: Position,
): string | undefined {
  const { preview, newSet } = facts
  const selected = selectedHash(preview)
  if (!preview || position.aborted || isHalted(facts, draft.status)) return selected
  pointService(facts, draft, { service: preview, to: newSet, isCreated: facts.missing })
  // Recorded in the same pass, since only a refusal keeps it from being so; a refusal is known in the next one.
  const id = `service/${preview.metadata.name}`
  const isRefused = facts.snapshot.failures.some((failure) => failure.id === id)
  return isRefused || createErrorOf(facts) !== null ? selected : newSet.hash
}
