import { annotationKeys, type Finding, kinds, rolloutEvents, stepsHash } from '@serinus/api'
import { resources } from '@serinus/kube'
import { type Draft, startDraft } from '../draft.ts'
import { formatInstant, parseInstant } from '../instant.ts'
import type { Plan } from '../plan.ts'
import type { RolloutSnapshot } from '../snapshot.ts'
import { advance, clearPauses, hasPause, isUnwatched, pauseReasons, positionOf } from './advance.ts'
import { conclude, countPods, hasTimedOut, revisionOf, timedOutMessage } from './conclude.ts'
import { atDesired, type CanaryFacts, canaryFacts, canaryReached, carriesTraffic } from './facts.ts'
import { cleanHistory } from './history.ts'
import { releaseServices } from './release-services.ts'
import { desiredRoutes, recordWeights } from './routing.ts'
import { arrangeRuns, judgeRuns } from './runs.ts'
import { keyOfSet, scale } from './scale.ts'
import { switchServices } from './services.ts'

/**
 * One pass over a canary Rollout. Judges first (verdicts, user's wishes, steps, promotion, deadline), then plans the
 * effects that follow from the judgement; no effect can keep a verdict from being taken (design 1.2).
 */
export function planCanary(
  snapshot: RolloutSnapshot,
  now: number,
  warnings: readonly Finding[],
): Plan {
  const facts = canaryFacts(snapshot, now)
  const draft = startDraft(snapshot.rollout)
  countPods(facts, draft)
  restartOnChange(facts, draft)
  judge(facts, draft)
  // Effects follow what every later pass would judge again. A step or a promotion is acted on once it is stored:
  // a process that died between the act and the record would take the act back, and do it again.
  const position = positionOf(facts, draft.status)
  // Weights first: a step may be complete by a weight that only now is seen to be in effect.
  recordWeights(facts, draft, desiredRoutes(facts, position))
  advance(facts, draft)
  promote(facts, draft)
  const timedOut = hasTimedOut(facts, draft, positionOf(facts, draft.status))
  if (timedOut && snapshot.rollout.spec.progressDeadlineAbort && !isPromoted(draft)) {
    abort(facts, draft, timedOutMessage(facts))
  }

  const routes = desiredRoutes(facts, position)
  syncRevision(facts, draft)
  switchServices(facts, draft, position)
  const { stableService, canaryService } = facts.canary
  const used = new Set([stableService, canaryService])
  draft.writes.push(...releaseServices(snapshot.rollout, snapshot.services, used))
  scale(facts, draft, position)
  arrangeRuns(facts, draft, position)
  cleanHistory(facts, draft)
  conclude(facts, draft, timedOut)
  tellFailures(facts, draft)
  tellInconclusive(draft)
  sayWhatIsMissing(facts, draft, routes)
  if (snapshot.rollout.spec.paused) draft.waits.unshift({ kind: 'user-pause' })
  if (draft.status.abort) draft.waits.unshift({ kind: 'aborted', reason: draft.abortCause ?? '' })
  return {
    writes: draft.writes,
    routes,
    transitions: draft.transitions,
    waits: draft.waits,
    checkAt: draft.checkAt,
    statusDeferred: draft.statusDeferred,
    warnings,
  }
}

function isPromoted(draft: Draft): boolean {
  return draft.status.stableRS === draft.status.currentPodHash
}

/** A new template or other steps start the update again (spec rollout-controller 4.3). */
function restartOnChange(facts: CanaryFacts, draft: Draft): void {
  const { rollout } = facts.snapshot
  const { status } = draft
  const stepHash = stepsHash(rollout.spec.strategy ?? {})
  const sameSteps = status.currentStepHash === stepHash
  const samePods = !status.currentPodHash || status.currentPodHash === facts.newSet.hash
  status.currentPodHash = facts.newSet.hash
  status.currentStepHash = stepHash
  if (sameSteps && samePods) return
  draft.wasReset = true
  clearPauses(draft)
  status.abort = undefined
  status.abortedAt = undefined
  status.promoteFull = undefined
  const {
    currentBackgroundAnalysisRunStatus: _b,
    currentStepAnalysisRunStatus: _s,
    ...canary
  } = status.canary ?? {}
  status.canary = canary
  if (facts.steps.length === 0) {
    status.currentStepIndex = undefined
    return
  }
  status.currentStepIndex = 0
  const skip = (why: 'stable' | 'rollback-window') => {
    status.currentStepIndex = facts.steps.length
    draft.transitions.push({ ...rolloutEvents.skipSteps(why), after: 'status' })
  }
  if (status.stableRS && facts.newSet.hash === status.stableRS) skip('stable')
  else if (isWithinRollbackWindow(facts)) {
    skip('rollback-window')
  }
}

/** Fewer than `rollbackWindow.revisions` revisions lie between the wanted and the stable ReplicaSet (4.6). */
function isWithinRollbackWindow(facts: CanaryFacts): boolean {
  const revisions = facts.snapshot.rollout.spec.rollbackWindow?.revisions ?? 0
  const { newSet, stable } = facts
  if (revisions <= 0 || !stable || facts.missing || newSet.createdAt >= stable.createdAt)
    return false
  const between = facts.all.filter(
    (set) => set.createdAt > newSet.createdAt && set.createdAt < stable.createdAt,
  )
  return between.length < revisions
}

/** What users and finished analyses decided. A user's abort wins over everything (falls short 7). */
function judge(facts: CanaryFacts, draft: Draft): void {
  const { status } = draft
  const before = facts.snapshot.rollout.status ?? {}
  if (isPromoted(draft)) {
    status.abort = undefined
    status.abortedAt = undefined
    return
  }
  if (before.abort && !draft.wasReset) {
    status.promoteFull = undefined
    if (!before.abortedAt) abort(facts, draft, null)
    else settleAborted(facts, draft)
    return
  }
  const cause = judgeRuns(facts, draft)
  if (cause !== null && !status.promoteFull) {
    abort(facts, draft, cause)
    return
  }
  // The first pass after a retry still knows of the abort, so that runs are asked anew; then it is forgotten.
  status.abortedAt = undefined
  if (status.promoteFull) {
    clearPauses(draft)
    if (facts.steps.length > 0) status.currentStepIndex = facts.steps.length
  }
}

function abort(facts: CanaryFacts, draft: Draft, cause: string | null): void {
  draft.abortCause = cause
  draft.status.abort = true
  draft.status.abortedAt ??= formatInstant(facts.now)
  settleAborted(facts, draft)
}

function settleAborted(facts: CanaryFacts, draft: Draft): void {
  clearPauses(draft)
  if (facts.steps.length > 0) draft.status.currentStepIndex = 0
}

/** Makes the new ReplicaSet the stable one when everything asked for has happened (4.5). */
function promote(facts: CanaryFacts, draft: Draft): void {
  const why = promotionReason(facts, draft)
  if (why === null) return
  const { status } = draft
  clearPauses(draft)
  status.abort = undefined
  status.abortedAt = undefined
  status.promoteFull = undefined
  if (facts.steps.length > 0) status.currentStepIndex = facts.steps.length
  if (status.stableRS === facts.newSet.hash) return
  status.stableRS = facts.newSet.hash
  const { revision, hash } = facts.newSet
  draft.transitions.push({
    ...rolloutEvents.rolloutCompleted({ revision, hash, why }),
    after: 'status',
  })
}

function promotionReason(facts: CanaryFacts, draft: Draft): string | null {
  const { status } = draft
  if (!status.stableRS) return 'Initial deploy'
  if (status.abort) return null
  if (isPromoted(draft)) return 'Fast rollback'
  if (hasPause(draft, pauseReasons.inconclusiveRun)) return null
  if (facts.missing) return null
  const reached = facts.canary.replicaProgressThreshold
    ? canaryReached(facts, facts.replicas)
    : facts.newSet.available >= facts.replicas
  if (!reached) return null
  if (status.promoteFull) return 'Full promotion requested'
  if (isUnwatched(facts, draft)) return null
  if (isWithinRollbackWindow(facts)) return 'Rollback within window'
  const count = facts.steps.length
  if (count > 0 && (status.currentStepIndex ?? 0) < count) return null
  if (carriesTraffic(facts) && count > 0) {
    const position = positionOf(facts, status)
    const confirmed = facts.snapshot.routers.every((router) => router.verified !== false)
    if (!atDesired(facts, position) || facts.effectiveWeight !== facts.max || !confirmed)
      return null
  }
  return `Completed all ${count} canary steps`
}

/** Revision numbers on the ReplicaSet and the Rollout (spec rollout-controller 2.4). */
function syncRevision(facts: CanaryFacts, draft: Draft): void {
  const { rollout } = facts.snapshot
  const { newSet } = facts
  const highest = Math.max(
    0,
    ...facts.all.filter((set) => set !== newSet).map((set) => set.revision),
  )
  let revision = newSet.revision
  if (!facts.missing && revision <= highest) {
    revision = highest + 1
    const history = newSet.object?.metadata.annotations?.[annotationKeys.revisionHistory]
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
              ...(newSet.revision > 0
                ? {
                    [annotationKeys.revisionHistory]: history
                      ? `${history},${newSet.revision}`
                      : String(newSet.revision),
                  }
                : {}),
            },
          },
        },
      },
    })
  }
  const annotate = revisionOf(rollout) !== String(revision)
  const sized = rollout.spec.replicas === undefined
  if (!annotate && !sized) return
  draft.writes.push({
    kind: 'patch',
    id: 'revision',
    resource: kinds.rollouts,
    key: { namespace: rollout.metadata.namespace ?? 'default', name: rollout.metadata.name },
    patch: {
      kind: 'merge',
      body: {
        ...(annotate
          ? { metadata: { annotations: { [annotationKeys.revision]: String(revision) } } }
          : {}),
        // Autoscalers read the scale subresource, which an absent number breaks (7.5).
        ...(sized ? { spec: { replicas: facts.replicas } } : {}),
      },
    },
  })
  if (!annotate) return
  draft.transitions.push({ ...rolloutEvents.rolloutUpdated(revision), after: 'revision' })
}

/** A failed effect is told and waited for; it never ends a pass. */
function tellFailures(facts: CanaryFacts, draft: Draft): void {
  for (const failure of facts.snapshot.failures) {
    draft.waits.push({
      kind: 'effect',
      id: failure.id,
      message: failure.message,
      since: failure.since,
    })
  }
}

/** Nobody but a user can say what an inconclusive run means. */
function tellInconclusive(draft: Draft): void {
  const { pauseConditions, canary } = draft.status
  const pause = pauseConditions?.find(({ reason }) => reason === pauseReasons.inconclusiveRun)
  if (!pause) return
  const recorded = [
    canary?.currentStepAnalysisRunStatus,
    canary?.currentBackgroundAnalysisRunStatus,
  ]
  const run = recorded.find((one) => one?.status === 'Inconclusive')?.name ?? ''
  draft.waits.unshift({ kind: 'inconclusive', run, since: parseInstant(pause.startTime) ?? 0 })
}

/** An update that no step holds up waits for sizes or for routers; nothing stands still without a reason. */
function sayWhatIsMissing(facts: CanaryFacts, draft: Draft, routes: Plan['routes']): void {
  if (draft.waits.length > 0 || draft.status.phase !== 'Progressing') return
  const { newSet, replicas, effectiveWeight: effective } = facts
  const leaving = facts.all.find((set) => set !== newSet && set.pods > 0)
  if (newSet.available < replicas || newSet.pods !== replicas) {
    draft.waits.push(waitForPods(newSet, replicas))
  } else if (routes && routes.weight !== effective) {
    draft.waits.push({ kind: 'routes', weight: routes.weight, effective })
  } else if (leaving) draft.waits.push(waitForPods(leaving, 0))
}

function waitForPods(set: CanaryFacts['newSet'], wanted: number): Plan['waits'][number] {
  const { name: replicaSet, available } = set
  return { kind: 'pods', replicaSet, available, wanted, until: null }
}
