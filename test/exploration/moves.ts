import type { RolloutStatus } from '@serinus/api'
import { finished } from './canonical.ts'
import { merged, moved, withSet } from './effects.ts'
import type { Shape } from './shapes.ts'
import { hashes } from './snapshot.ts'
import { type Interned, type Knobs, type State, tables, type Version, versions } from './state.ts'
import { longAgo, normalized } from './time.ts'

/**
 * What may happen besides the planner's own doing. `cost` 0: the world runs on as it should; 1: a disturbance, that is
 * something a user, a fault or a crash does.
 */
export interface Move {
  readonly label: string
  readonly cost: 0 | 1
  readonly to: State
}

/** Pods, EndpointSlices and routers. */
export function clusterMoves(state: State): readonly Move[] {
  const moves: Move[] = []
  for (const version of versions) {
    const set = state.sets[version]?.value
    if (!set) continue
    const name = `h${version + 1}`
    const ready = (count: number) => withSet(state, version, { ...set, ready: count })
    if (set.ready < set.spec) {
      const to = ready(set.ready + 1)
      const counts = version === state.knobs.value.version || isStable(state, version)
      moves.push({ label: `a pod of ${name} becomes ready`, cost: 0, to: counts ? moved(to) : to })
    }
    if (set.ready > 0) {
      moves.push({ label: `a pod of ${name} fails`, cost: 1, to: ready(set.ready - 1) })
    }
  }
  for (const [at, service] of state.services.value.entries()) {
    const behind = versions.filter(
      (version) =>
        (service.selects === null || service.selects === version) &&
        (state.sets[version]?.value.ready ?? 0) > 0,
    )
    if (behind.join() === service.behind.join()) continue
    const services = state.services.value.map((one, i) => (i === at ? { ...one, behind } : one))
    const to = { ...state, services: tables.services.of(services) }
    moves.push({ label: `EndpointSlices of Service ${at + 1} follow`, cost: 0, to })
  }
  const router = state.router.value
  if (router && router.asked !== router.effective) {
    const to = { ...state, router: tables.router.of({ ...router, effective: router.asked }) }
    moves.push({ label: `the router gives the canary ${router.asked} %`, cost: 0, to })
  }
  for (const run of state.runs.value) {
    if (finished.has(run.phase) || run.terminated) continue
    for (const phase of ['Successful', 'Failed', 'Inconclusive']) {
      const cost = phase === 'Successful' ? 0 : 1
      moves.push({ label: `${run.name} ends ${phase}`, cost, to: judged(state, run.name, phase) })
    }
  }
  return moves
}

function isStable(state: State, version: Version): boolean {
  return state.status.value.stableRS === hashes[version]
}

function judged(state: State, name: string, phase: string): State {
  const runs = state.runs.value.map((run) => (run.name === name ? { ...run, phase } : run))
  const { status } = state
  const run = state.runs.value.find((one) => one.name === name)
  const counts =
    phase === 'Failed' &&
    name.startsWith('run-') &&
    isInFlight(state) &&
    run?.version === state.knobs.value.version &&
    !status.value.abort &&
    !status.value.promoteFull
  return {
    ...state,
    runs: tables.runs.of(runs),
    ghost: counts ? tables.ghost.of({ ...state.ghost.value, verdict: true }) : state.ghost,
  }
}

/** Whether an update is under way that the controller has on record. */
function isInFlight({ status, knobs }: State): boolean {
  const { stableRS, currentPodHash } = status.value
  return (
    Boolean(stableRS) &&
    stableRS !== currentPodHash &&
    currentPodHash === hashes[knobs.value.version]
  )
}

/** What users do with kubectl and the command line. */
export function userMoves(shape: Shape, state: State): readonly Move[] {
  const { version, replicas, paused } = state.knobs.value
  const status = state.status.value
  const moves: Move[] = []
  const user = (label: string, to: State, cost: 0 | 1 = 1) => {
    moves.push({ label: `a user ${label}`, cost, to: moved(unjudged(to)) })
  }
  user(`deploys h${2 - version}`, edited(state, { version: version === 0 ? 1 : 0 }))
  for (const count of replicas === 3 ? [0, 2] : [3]) {
    user(`asks for ${count} replicas`, edited(state, { replicas: count }))
  }
  if (paused) user('resumes', edited(state, { paused: false }), 0)
  else user('pauses', edited(state, { paused: true }))
  if (status.abort) user('retries', patched(state, { abort: false }))
  else user('aborts', patched(state, { abort: true }))
  if (status.stableRS !== status.currentPodHash) {
    if (!status.promoteFull) user('promotes fully', patched(state, { promoteFull: true }))
    const count = shape.spec.strategy?.canary?.steps?.length ?? 0
    const index = status.currentStepIndex ?? 0
    if (status.pauseConditions) user('promotes', patched(state, { pauseConditions: null }), 0)
    else if (index < count) user('promotes', patched(state, { currentStepIndex: index + 1 }))
  }
  return moves
}

function unjudged(state: State): State {
  if (!state.ghost.value.verdict) return state
  return { ...state, ghost: tables.ghost.of({ ...state.ghost.value, verdict: false }) }
}

/** The generation grows with an edit: what the status has observed is the one before. */
function edited(state: State, change: Partial<Knobs>): State {
  const next = { ...state, knobs: tables.knobs.of({ ...state.knobs.value, ...change }) }
  return patched(next, { observedGeneration: '1' })
}

function patched(state: State, patch: object): State {
  const status = merged(state.status.value, patch) as RolloutStatus
  return { ...state, status: tables.status.of(normalized(status)) }
}

const agedStatus = new Map<string, Interned<RolloutStatus>>()

/** Time passes. A share that nobody confirms is in effect once it had its time. */
export function later(shape: Shape, state: State, ticks: number): State {
  const key = `${state.status.id}+${ticks}`
  const known = agedStatus.get(key)
  const status = known ?? tables.status.of(normalized(state.status.value, ticks))
  if (!known) agedStatus.set(key, status)
  const aged = (set: State['sets'][0]) => {
    const deadline = set?.value.deadline
    if (!set || deadline === null || deadline === undefined) return set
    return tables.sets.of({ ...set.value, deadline: Math.max(0, deadline - ticks) })
  }
  const router = state.router.value
  const { failures, deferred } = state.memory.value
  const { quiet, verdict } = state.ghost.value
  const runs = isTimed(shape, state)
  return {
    ...state,
    status,
    sets: [aged(state.sets[0]), aged(state.sets[1])],
    router: router
      ? tables.router.of({
          asked: router.asked,
          effective: shape.router === 'silent' ? router.asked : router.effective,
          age: 1,
        })
      : state.router,
    memory: tables.memory.of({ failures, deferred: deferred === null ? null : 1 }),
    ghost: tables.ghost.of({ quiet: runs ? Math.min(longAgo, quiet + ticks) : 0, verdict }),
  }
}

/** Whether a deadline runs that nothing holds up and whose end could be stored. */
function isTimed(shape: Shape, state: State): boolean {
  const { pauseConditions, abort, currentStepIndex } = state.status.value
  const step = shape.spec.strategy?.canary?.steps?.[currentStepIndex ?? 0]
  // An analysis has limits of its own.
  const isAnalysed =
    step?.analysis ??
    (shape.spec.strategy?.blueGreen && state.runs.value.some(({ phase }) => !finished.has(phase)))
  const isHeld = state.knobs.value.paused || pauseConditions || abort || isAnalysed
  return isInFlight(state) && !isHeld && state.fault.value !== 'status'
}

/** The process is gone and another one begins: what was not written is lost. */
export function crashed(state: State): State {
  const router = state.router.value
  return {
    ...state,
    memory: tables.memory.of({ failures: [], deferred: null }),
    router: router ? tables.router.of({ ...router, age: 0 }) : state.router,
  }
}

/** No controller runs for longer than any deadline, so that none of this time counts as quiet. */
export function outage(shape: Shape, state: State): State {
  return moved(crashed(later(shape, state, longAgo)))
}

export function withFault(state: State, fault: string): State {
  return { ...state, fault: tables.fault.of(fault) }
}
