import { type Finding, rolloutEvents } from '@serinus/api'
import type { RolloutPlan } from '../plan.ts'
import { markAborted } from '../rollout/aborted-mark.ts'
import { checkAt, type Draft, startDraft } from '../rollout/draft.ts'
import { isPromoted, positionOf } from '../rollout/facts.ts'
import { cleanHistory } from '../rollout/history.ts'
import { hasPause, pauseReasons } from '../rollout/pauses.ts'
import { hasTimedOut, timedOutMessage } from '../rollout/progress.ts'
import { releaseServices, servicesInUse } from '../rollout/release-services.ts'
import { restartPods } from '../rollout/restart.ts'
import { syncRevision } from '../rollout/revision.ts'
import { syncRoles } from '../rollout/role-metadata.ts'
import { judgeRuns } from '../rollout/runs.ts'
import { conclude, countPods } from '../rollout/status.ts'
import {
  abort,
  isWithinRollbackWindow,
  judge,
  promote,
  restartOnChange,
} from '../rollout/verdict.ts'
import { planOf, sayWhatStops } from '../rollout/waiting.ts'
import { scaleWorkload } from '../rollout/workload-scale.ts'
import type { RolloutSnapshot } from '../snapshot.ts'
import { endStepPlugins } from '../step-plugins/end-steps.ts'
import { judgeStepPlugin, takeStepPluginAnswers } from '../step-plugins/take-answers.ts'
import { advance, isUnwatched } from './advance.ts'
import { arrangeCanaryRuns } from './analysis.ts'
import { atDesired, canaryReached } from './counts.ts'
import { arrangeExperiments, judgeStepExperiment } from './experiments.ts'
import { type CanaryFacts, canaryFacts, carriesTraffic } from './facts.ts'
import { desiredRoutes, recordWeights } from './routing.ts'
import { scale } from './scale.ts'
import { switchServices } from './services.ts'

/**
 * One pass over a canary Rollout. Judges first (verdicts, user's wishes, steps, promotion, deadline), then plans the
 * effects that follow from the judgement; no effect can keep a verdict from being taken (design 1.2).
 */
export function planCanary(
  snapshot: RolloutSnapshot,
  now: number,
  warnings: readonly Finding[],
): RolloutPlan {
  const facts = canaryFacts(snapshot, now)
  const draft = startDraft(snapshot.rollout)
  countPods(facts, draft)
  draft.status.blueGreen = undefined
  if (restartOnChange(facts, draft)) skipSteps(facts, draft)
  takeStepPluginAnswers(facts, draft)
  judge(facts, draft, () => {
    const ofExperiment = judgeStepExperiment(facts, draft)
    const ofRuns = judgeRuns(facts, draft)
    return judgeStepPlugin(draft) ?? ofRuns ?? ofExperiment
  })
  // Effects follow what every later pass would judge again. A step or a promotion is acted on once it is stored:
  // a process that died between the act and the record would take the act back, and do it again.
  const position = positionOf(facts, draft.status)
  // Weights first: a step may be complete by a weight that only now is seen to be in effect.
  const routes = desiredRoutes(facts, position)
  recordWeights(facts, draft, routes)
  advance(facts, draft)
  const why = promotionReason(facts, draft)
  if (why !== null) promoteCanary(facts, draft, why)
  const isHealthy = isCanaryHealthy(facts, draft)
  const isTimedOut = hasTimedOut(facts, draft, {
    position: positionOf(facts, draft.status),
    isHealthy,
    isExempt: hasOwnDeadline(facts, draft),
  })
  if (isTimedOut && snapshot.rollout.spec.progressDeadlineAbort && !isPromoted(draft.status)) {
    abort(facts, draft, timedOutMessage(facts))
  }

  syncRevision(facts, draft)
  markAborted(facts, draft)
  // The abort by the deadline is acted on once it is stored; until then nothing goes on either.
  const isAborting = draft.status.abort === true && !position.aborted
  if (!isAborting) switchServices(facts, draft, position)
  draft.writes.push(
    ...releaseServices(snapshot.rollout, snapshot.services, servicesInUse(snapshot.rollout)),
  )
  syncRoles(facts, draft)
  if (!isAborting) scale(facts, draft, { position, routes })
  restartPods(facts, draft)
  arrangeExperiments(facts, draft, position)
  arrangeCanaryRuns(facts, draft, position)
  const ends = endStepPlugins(facts, draft)
  lookWhenSettled(facts, draft)
  cleanHistory(facts, draft)
  conclude(facts, draft, { isHealthy, isAvailable: isAvailable(facts, draft), isTimedOut })
  scaleWorkload(facts, draft)
  sayWhatStops(facts, draft, routes && { wanted: routes.weight, effective: facts.effectiveWeight })
  draft.waits.push(...ends)
  return planOf(draft, { routes: isAborting ? null : routes, warnings })
}

/** Pods that a share may still lead to are looked at again once it has settled. */
function lookWhenSettled({ settledAt, now, all, newSet, stable }: CanaryFacts, draft: Draft): void {
  if (settledAt === null || settledAt <= now) return
  const isRunning = all.some((set) => set.spec > 0 && set !== stable)
  if (isRunning || newSet !== stable) checkAt(draft, settledAt)
}

/** A way back needs no steps (spec rollout-controller 4.3, 4.6). */
function skipSteps(facts: CanaryFacts, draft: Draft): void {
  const { status } = draft
  if (facts.steps.length === 0) return
  const isStable = Boolean(status.stableRS) && facts.newSet.hash === status.stableRS
  if (!isStable && !isWithinRollbackWindow(facts)) return
  status.currentStepIndex = facts.steps.length
  const event = rolloutEvents.skipSteps(isStable ? 'stable' : 'rollback-window')
  draft.transitions.push({ ...event, after: 'status' })
}

function promoteCanary(facts: CanaryFacts, draft: Draft, why: string): void {
  const isNew = draft.status.stableRS !== facts.newSet.hash
  promote(facts, draft, why)
  if (!isNew || !facts.canary.pingPong) return
  const stablePingPong = draft.status.canary?.stablePingPong === 'ping' ? 'pong' : 'ping'
  draft.status.canary = { ...draft.status.canary, stablePingPong }
}

function promotionReason(facts: CanaryFacts, draft: Draft): string | null {
  const { status } = draft
  if (!status.stableRS) return 'Initial deploy'
  if (status.abort) return null
  if (isPromoted(status)) return 'Fast rollback'
  if (hasPause(draft, pauseReasons.inconclusiveRun)) return null
  if (hasPause(draft, pauseReasons.inconclusiveExperiment)) return null
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
    const confirmed = facts.snapshot.routers.every((router) => router.verified !== false)
    if (!atDesired(facts, positionOf(facts, status))) return null
    if (facts.effectiveWeight !== facts.max || !confirmed) return null
  }
  return `Completed all ${count} canary steps`
}

function isCanaryHealthy(facts: CanaryFacts, { status }: Draft): boolean {
  const { replicas, steps } = facts
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (steps.length === 0 || status.currentStepIndex === steps.length) &&
    isPromoted(status)
  )
}

/** While an update moves pods, availability is judged by what maxUnavailable allows (falls short 18). */
function isAvailable(facts: CanaryFacts, { status }: Draft): boolean {
  const needed = isPromoted(status) ? facts.replicas : facts.replicas - facts.unavailable
  return (status.availableReplicas ?? 0) >= needed
}

/** What a step waits for may take as long as it likes, or has a limit of its own (spec rollout-controller 6.4). */
function hasOwnDeadline(facts: CanaryFacts, { status }: Draft): boolean {
  const position = positionOf(facts, status)
  const step = position.promoted ? undefined : facts.steps[position.index]
  if (step && (step.pause || step.analysis || step.experiment || step.plugin)) return true
  const before = facts.snapshot.rollout.status?.canary
  return (
    before?.currentStepAnalysisRunStatus !== undefined || before?.currentExperiment !== undefined
  )
}
