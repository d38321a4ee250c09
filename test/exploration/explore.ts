import type { RolloutStatus } from '@serinus/api'
import { planRollout, type RolloutPlan } from '@serinus/engine'
import { canonical } from './canonical.ts'
import { type Effect, effectsOf, merged } from './effects.ts'
import { judgeEffect, laws } from './laws.ts'
import { clusterMoves, crashed, later, type Move, outage, userMoves, withFault } from './moves.ts'
import { healthyState } from './root.ts'
import type { Shape } from './shapes.ts'
import { snapshots } from './snapshot.ts'
import { keyOf, type State, stateOf, tables } from './state.ts'
import { longAgo, now, tickMs } from './time.ts'

/** One step of a story: what happened, and the world after it. */
interface Step {
  readonly label: string
  readonly state: State
}

export interface Violation {
  readonly shape: string
  readonly law: string
  readonly story: readonly Step[]
}

export interface Report {
  readonly shape: string
  readonly states: number
  readonly transitions: number
  /** Every situation that so many disturbances lead to was seen. */
  readonly disturbances: number
  /** Nothing was left to see. */
  readonly isComplete: boolean
  readonly violation: Violation | null
}

/** How many plans in the same instant may have something to do while the update stays where it is. */
const mostPasses = 5

/**
 * Goes through the situations that a Rollout can get into from the healthy one, those that fewer disturbances lead to
 * first, and judges what the planner does in each by the laws. Deterministic.
 * @param most states to look at
 */
export function explore(shape: Shape, most: number): Report {
  const plan = planner(shape)
  const seen = new Map<string, number>()
  const keys: string[] = []
  const parents: number[] = []
  const labels: string[] = []
  /** The state that the same instant leads to by itself, and the one after the next alarm where nothing is to do. */
  const next: string[] = []
  const alarm: (string | null)[] = []
  let transitions = 0
  let disturbances = -1
  let level = new Map<string, { readonly parent: number; readonly label: string }>()
  level.set(keyOf(healthyState(shape, plan)), { parent: -1, label: 'the Rollout is healthy' })

  const story = (index: number, more: readonly Step[] = []): readonly Step[] => {
    const steps: Step[] = []
    for (let at = index; at >= 0; at = parents[at] ?? -1) {
      steps.unshift({ label: labels[at] ?? '', state: stateOf(keys[at] ?? '') })
    }
    return [...steps, ...more]
  }
  const report = (violation: Omit<Violation, 'shape'> | null, isComplete = false): Report => ({
    shape: shape.name,
    states: keys.length,
    transitions,
    disturbances,
    isComplete,
    violation: violation && { ...violation, shape: shape.name },
  })

  while (level.size > 0) {
    const further: typeof level = new Map()
    const queue = keys.length
    const add = (key: string, parent: number, label: string) => {
      seen.set(key, keys.length)
      keys.push(key)
      parents.push(parent)
      labels.push(label)
    }
    for (const [key, { parent, label }] of level) if (!seen.has(key)) add(key, parent, label)
    for (let index = queue; index < keys.length; index++) {
      if (index >= most) {
        keys.length = index
        return report(judgeRests({ keys, seen, next, alarm, story, plan, labels }))
      }
      const state = stateOf(keys[index] ?? '')
      const pass = passOf(shape, state, plan(state))
      if (pass.problem) {
        keys.length = index + 1
        return report({ law: pass.problem, story: story(index) })
      }
      next.push(pass.next)
      alarm.push(pass.alarm)
      for (const { label, cost, to } of pass.moves()) {
        const key = keyOf(to)
        transitions++
        if (seen.has(key)) continue
        if (cost === 0) add(key, index, label)
        else if (!further.has(key)) further.set(key, { parent: index, label })
      }
    }
    disturbances++
    level = further
  }
  return report(judgeRests({ keys, seen, next, alarm, story, plan, labels }), true)
}

function planner(shape: Shape): (state: State) => RolloutPlan {
  const snapshot = snapshots(shape)
  return (state) => planRollout(snapshot(state), now)
}

interface Pass {
  /** The law that is broken; null: none. */
  readonly problem: string | null
  readonly next: string
  readonly alarm: string | null
  readonly moves: () => readonly Move[]
}

function passOf(shape: Shape, state: State, plan: RolloutPlan): Pass {
  const effects = effectsOf(shape, state, plan)
  const course = run(shape, state, effects)
  const { deferred } = state.memory.value
  const memory = tables.memory.of({
    failures: course.failures,
    deferred: plan.statusDeferred ? (deferred ?? 0) : null,
  })
  const after = canonical({ ...course.end, memory })
  const isRest = keyOf(after) === keyOf(state)
  const write = plan.writes.find(({ id }) => id === 'status')
  const body = write?.kind === 'patch' ? (write.patch.body as { status?: unknown }).status : {}
  const status = merged(state.status.value, body ?? {}) as RolloutStatus
  let problem = course.problem
  for (const law of laws) problem ??= law({ shape, state, plan, status, after, isRest })
  const wait = plan.checkAt === null ? longAgo : Math.ceil((plan.checkAt - now) / tickMs)
  const woken = isRest && problem === null ? canonical(later(shape, state, wait)) : null
  return {
    problem,
    next: keyOf(after),
    alarm: woken && plan.checkAt === null && state.fault.value === '' ? keyOf(woken) : null,
    moves: () => {
      const moves: Move[] = []
      if (!isRest)
        moves.push({
          label: `controller: ${course.done.join(', ') || 'waits'}`,
          cost: 0,
          to: after,
        })
      if (woken) moves.push({ label: `${(wait * tickMs) / 1000} s pass`, cost: 0, to: woken })
      for (const move of [...clusterMoves(state), ...userMoves(shape, state)]) moves.push(move)
      for (const [at, part] of course.parts.entries()) {
        const did = course.done.slice(0, at).join(', ') || 'nothing'
        const to = canonical(crashed(part))
        moves.push({ label: `controller: ${did}, and dies`, cost: 1, to })
      }
      moves.push({
        label: 'no controller runs for a long time',
        cost: 1,
        to: canonical(outage(shape, state)),
      })
      if (state.fault.value !== '') {
        moves.push({ label: 'the fault is mended', cost: 0, to: withFault(state, '') })
      } else {
        for (const kind of new Set(effects.map(({ id }) => kindOf(id)))) {
          moves.push({ label: `no ${kind} succeeds any more`, cost: 1, to: withFault(state, kind) })
        }
      }
      return moves
    },
  }
}

function kindOf(id: string): string {
  return id.split('/')[0] ?? id
}

/** The effects one after the other: the state before each of them and at the end, and what a law says. */
function run(shape: Shape, state: State, effects: readonly Effect[]) {
  const parts: State[] = []
  const done: string[] = []
  const failures: string[] = []
  const undone = new Set<string>()
  let problem: string | null = null
  let end = state
  for (const effect of effects) {
    const isUntrue = effect.unless !== undefined && done.includes(effect.unless)
    if (isUntrue || effect.requires.some((id) => undone.has(id))) {
      undone.add(effect.id)
      continue
    }
    if (kindOf(effect.id) === state.fault.value) {
      undone.add(effect.id)
      failures.push(effect.id)
      continue
    }
    parts.push(end)
    const after = effect.happen(end)
    problem ??= judgeEffect(shape, { effect, before: end, after })
    end = after
    done.push(effect.id)
  }
  parts.push(end)
  return { parts, done, failures, end, problem }
}

/**
 * Laws on more than one pass: at one instant few passes have anything to do and none takes back what another did, and
 * what time brings about has an alarm.
 */
function judgeRests(all: {
  readonly keys: readonly string[]
  readonly seen: ReadonlyMap<string, number>
  readonly next: readonly string[]
  readonly alarm: readonly (string | null)[]
  readonly labels: readonly string[]
  readonly story: (index: number, more?: readonly Step[]) => readonly Step[]
  readonly plan: (state: State) => RolloutPlan
}): Omit<Violation, 'shape'> | null {
  const { keys, seen, next, alarm, story } = all
  for (const index of keys.keys()) {
    const chain: string[] = [keys[index] ?? '']
    let passes = 0
    let at: number | undefined = index
    while (at !== undefined && at < next.length) {
      const to: string = next[at] ?? ''
      const from = chain.at(-1) ?? ''
      if (to === from) break
      chain.push(to)
      passes = positionOf(to) === positionOf(from) ? passes + 1 : 1
      if (passes > mostPasses || chain.length > 30) break
      at = seen.get(to)
    }
    const more = chain.slice(1).map((key) => ({ label: 'controller acts', state: stateOf(key) }))
    if (passes > mostPasses || chain.length > 30) {
      return { law: `more than ${mostPasses} plans in one instant`, story: story(index, more) }
    }
    const flapping = stateOf(chain[0] ?? '').services.value.findIndex((_, service) => {
      const targets = chain.map((key) => stateOf(key).services.value[service]?.selects)
      return targets.filter((target, pass) => pass > 0 && target !== targets[pass - 1]).length > 1
    })
    if (flapping >= 0) {
      return { law: `Service ${flapping + 1} is led to and fro`, story: story(index, more) }
    }
    const woken = alarm[index]
    const wokenAt = woken ? seen.get(woken) : undefined
    if (woken && wokenAt !== undefined && wokenAt < next.length && next[wokenAt] !== woken) {
      const state = stateOf(woken)
      return {
        law: 'time alone gives the controller something to do, and no alarm was set for it',
        story: story(index, [{ label: 'time passes', state }]),
      }
    }
  }
  return null
}

/** How far an update is: at each place the controller has to come to rest, or to go on. */
function positionOf(key: string): string {
  const { currentStepIndex, stableRS, currentPodHash, abort } = stateOf(key).status.value
  return `${currentStepIndex} ${stableRS} ${currentPodHash} ${abort}`
}
