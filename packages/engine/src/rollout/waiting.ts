import { parseInstant } from '../instant.ts'
import type { RolloutPlan } from '../plan.ts'
import type { Draft } from './draft.ts'
import { isStableLost, type RolloutFacts } from './facts.ts'
import { pauseOf, pauseReasons } from './pauses.ts'
import type { Sized } from './replica-sets.ts'
import { recordedRuns } from './runs.ts'

/**
 * Says everything that the Rollout stands still for, the most decisive first: nothing stands still without a reason
 * (design 1.4).
 */
export function sayWhatStops(
  facts: RolloutFacts,
  draft: Draft,
  routes: { readonly wanted: number; readonly effective: number | null } | null,
): void {
  for (const { id, message, since } of facts.snapshot.failures) {
    // A failed effect is told and waited for; it never ends a pass.
    draft.waits.push({ kind: 'effect', id, message, since })
  }
  tellInconclusive(draft)
  if (isStableLost(facts, draft.status)) {
    draft.waits.unshift({ kind: 'stable-lost', hash: draft.status.stableRS ?? '' })
  }
  sayWhatIsMissing(facts, draft, routes)
  if (facts.snapshot.rollout.spec.paused) draft.waits.unshift({ kind: 'user-pause' })
  if (draft.status.abort) draft.waits.unshift({ kind: 'aborted', reason: draft.abortCause ?? '' })
}

/** Nobody but a user can say what an inconclusive run means. */
function tellInconclusive(draft: Draft): void {
  const since = (at: string) => parseInstant(at) ?? 0
  const ofExperiment = pauseOf(draft.status, pauseReasons.inconclusiveExperiment)
  if (ofExperiment) {
    const run = draft.status.canary?.currentExperiment ?? ''
    draft.waits.unshift({ kind: 'inconclusive', run, since: since(ofExperiment.startTime) })
  }
  const pause = pauseOf(draft.status, pauseReasons.inconclusiveRun)
  if (!pause) return
  const run = recordedRuns(draft.status).find((one) => one.status === 'Inconclusive')?.name ?? ''
  draft.waits.unshift({ kind: 'inconclusive', run, since: since(pause.startTime) })
}

/** An update that no step holds up waits for sizes or for routers. */
function sayWhatIsMissing(
  facts: RolloutFacts,
  draft: Draft,
  routes: { readonly wanted: number; readonly effective: number | null } | null,
): void {
  if (draft.waits.length > 0 || draft.status.phase !== 'Progressing') return
  const { newSet, replicas } = facts
  const leaving = facts.all.find((set) => set !== newSet && set.pods > 0)
  if (newSet.available < replicas || newSet.pods !== replicas) {
    draft.waits.push(waitForPods(newSet, replicas))
  } else if (routes && routes.wanted !== routes.effective) {
    draft.waits.push({ kind: 'routes', weight: routes.wanted, effective: routes.effective })
  } else if (leaving) draft.waits.push(waitForPods(leaving, 0))
}

export function waitForPods(set: Sized, wanted: number): RolloutPlan['waits'][number] {
  const { name: replicaSet, available } = set
  return { kind: 'pods', replicaSet, available, wanted, until: null }
}

/** The finished draft as a plan. */
export function planOf(
  draft: Draft,
  { routes, warnings }: Pick<RolloutPlan, 'routes' | 'warnings'>,
): RolloutPlan {
  const { writes, transitions, waits, checkAt, statusDeferred, needsPods, pluginCalls } = draft
  return {
    writes,
    routes,
    transitions,
    waits,
    checkAt,
    statusDeferred,
    needsPods,
    pluginCalls,
    warnings,
  }
}
