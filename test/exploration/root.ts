import type { RolloutPlan } from '@serinus/engine'
import { canonical } from './canonical.ts'
import { effectsOf } from './effects.ts'
import { clusterMoves, later } from './moves.ts'
import type { Shape } from './shapes.ts'
import { keyOf, type State, tables } from './state.ts'
import { longAgo } from './time.ts'

/** The first version with three pods, deployed by the planner itself and left alone until nothing happens any more. */
export function healthyState(shape: Shape, plan: (state: State) => RolloutPlan): State {
  let state = beginning(shape)
  for (let round = 0; round < 100; round++) {
    const before = keyOf(state)
    for (const effect of effectsOf(shape, state, plan(state))) state = effect.happen(state)
    for (let move = calm(state); move; move = calm(state)) state = move.to
    state = canonical(later(shape, state, longAgo))
    if (keyOf(state) !== before) continue
    const { phase, message } = state.status.value
    if (phase === 'Healthy') return state
    throw new Error(`${shape.name}: the first deployment ends ${phase}, ${message}`)
  }
  throw new Error(`${shape.name}: the first deployment does not come to rest`)
}

function calm(state: State) {
  return clusterMoves(state).find((move) => move.cost === 0)
}

function beginning(shape: Shape): State {
  return {
    knobs: tables.knobs.of({ version: 0, replicas: 3, paused: false, revision: 0 }),
    status: tables.status.of({}),
    sets: [null, null],
    services: tables.services.of(
      shape.services.map(() => ({ selects: null, managed: false, behind: [] })),
    ),
    router: tables.router.of(shape.router === null ? null : { asked: 0, effective: 0, age: 1 }),
    runs: tables.runs.of([]),
    memory: tables.memory.of({ failures: [], deferred: null }),
    fault: tables.fault.of(''),
    ghost: tables.ghost.of({ quiet: 0, verdict: false }),
  }
}
