import { finalPhases, parsePauseDuration, rolloutEvents, stepLabel } from '@serinus/api'
import { deepEqual } from '@serinus/kube'
import { parseInstant } from '../instant.ts'
import { checkAt, type Draft } from '../rollout/draft.ts'
import { isStableLost, type Position, positionOf } from '../rollout/facts.ts'
import { addPause, hasPause, pauseOf, pauseReasons, removePause } from '../rollout/pauses.ts'
import { recordedRun, recordRun, runNamed } from '../rollout/runs.ts'
import { stepPluginIsComplete } from '../step-plugins/run-step.ts'
import { atDesired, isWithoutPods } from './counts.ts'
import { experimentStepIsOver, forgetExperiment } from './experiments.ts'
import { type CanaryFacts, carriesTraffic } from './facts.ts'
import { managedRoutesAt } from './managed-routes.ts'

/** Completes as many steps as what was observed allows, so that no pass is spent on saying so (spec rollout-controller 4.2, 8). */
export function advance(facts: CanaryFacts, draft: Draft): void {
  const { steps, snapshot } = facts
  for (;;) {
    const position = positionOf(facts, draft.status)
    const index = position.index
    if (position.promoted || position.aborted || position.promoteFull) return
    if (index >= steps.length || snapshot.rollout.spec.paused) return
    if (hasPause(draft, pauseReasons.inconclusiveRun)) return
    if (isStableLost(facts, draft.status)) return
    if (!stepIsComplete(facts, draft, position)) return
    const step = steps[index]
    if (!step) return
    // A pause lets go by the clock and shifts nothing; what would shift more traffic waits for somebody to watch it.
    if (!step.pause && isUnwatched(facts, draft)) return
    draft.status.currentStepIndex = index + 1
    removePause(draft, pauseReasons.step)
    if (recordedRun(draft.status, 'Step')) recordRun(draft, 'Step', undefined)
    forgetExperiment(draft)
    draft.transitions.push({
      ...rolloutEvents.rolloutStepCompleted({ index, steps: steps.length, label: stepLabel(step) }),
      after: 'status',
    })
  }
}

/** Whether a background analysis was asked for whose run is not there: nobody would see the new version fail. */
export function isUnwatched(facts: CanaryFacts, draft: Draft): boolean {
  const recorded = recordedRun(draft.status, 'Background')
  if (!recorded || finalPhases.has(recorded.status)) return false
  return runNamed(facts, recorded.name) === undefined
}

/** The first key present decides, in upstream's order of tests. */
function stepIsComplete(facts: CanaryFacts, draft: Draft, position: Position): boolean {
  const step = facts.steps[position.index]
  if (!step) return false
  if (step.pause) return pauseIsOver(facts, draft, position.index)
  if (step.setCanaryScale) return atDesired(facts, position) || waitForCanary(facts, draft)
  if (step.setWeight !== undefined) {
    if (!atDesired(facts, position)) return waitForCanary(facts, draft)
    if (!carriesTraffic(facts)) return true
    const routersAgree = facts.snapshot.routers.every((router) => router.verified !== false)
    const weight = isWithoutPods(facts, position) ? 0 : step.setWeight
    if (facts.effectiveWeight === weight && routersAgree) return true
    draft.waits.push({ kind: 'routes', weight, effective: facts.effectiveWeight })
    return false
  }
  if (step.analysis) {
    const name = recordedRun(draft.status, 'Step')?.name
    if (runNamed(facts, name)?.status?.phase === 'Successful') return true
    draft.waits.push({ kind: 'analysis', run: name ?? '', step: position.index })
    return false
  }
  if (step.experiment) return experimentStepIsOver(facts, draft, position.index)
  if (step.setHeaderRoute !== undefined || step.setMirrorRoute !== undefined) {
    return routesAreSet(facts, draft, position)
  }
  return stepPluginIsComplete(facts, draft, position.index)
}

/** Without pods of the canary no route leads there, and none is waited for (spec traffic-routing 3.8, falls short 1 and 2). */
function routesAreSet(facts: CanaryFacts, draft: Draft, { index }: Position): boolean {
  if (facts.newSet.available === 0) return true
  const wanted = managedRoutesAt(facts, index)
  const isSet = facts.snapshot.routers.every(({ managedRoutes }) =>
    (['header', 'mirror'] as const).every((kind) => {
      const names = wanted.filter((route) => route.kind === kind).map(({ name }) => name)
      const present = managedRoutes[kind]
      return present === null || deepEqual([...present].sort(), names.sort())
    }),
  )
  if (!isSet) {
    const routes = wanted.map(({ name }) => name)
    draft.waits.push({ kind: 'managed-routes', step: index, routes })
  }
  return isSet
}

function waitForCanary(facts: CanaryFacts, draft: Draft): false {
  draft.waits.push({
    kind: 'pods',
    replicaSet: facts.newSet.name,
    available: facts.newSet.available,
    wanted: facts.newSet.spec,
    until: null,
  })
  return false
}

function pauseIsOver(facts: CanaryFacts, draft: Draft, index: number): boolean {
  const parsed = parsePauseDuration(facts.steps[index]?.pause?.duration)
  const zero = parsed.kind === 'seconds' && parsed.seconds === 0
  if (zero && facts.snapshot.options.zeroPause === 'advance') return true
  const condition = pauseOf(draft.status, pauseReasons.step)
  if (!condition) {
    if (draft.status.controllerPause) return true
    addPause(draft, pauseReasons.step, facts.now)
  }
  const since = parseInstant(condition?.startTime) ?? Math.floor(facts.now / 1000) * 1000
  if (parsed.kind !== 'seconds' || zero) {
    draft.waits.push({ kind: 'gate', step: index, since })
    return false
  }
  const until = since + parsed.seconds * 1000
  if (condition && facts.now > until) return true
  // Strictly after: at the very instant the pause still holds.
  checkAt(draft, until + 1)
  draft.waits.push({ kind: 'timer', step: index, since, until })
  return false
}
