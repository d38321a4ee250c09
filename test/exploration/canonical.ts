import type { RolloutStatus } from '@serinus/api'
import { type RunState, type State, tables } from './state.ts'

/**
 * The same state with small names: revisions are their ranks, runs are called by what they are recorded as, and runs
 * that are over and recorded nowhere are gone. What grows with the length of a history only would make every state new.
 */
export function canonical(state: State): State {
  return withNamedRuns(withRanks(state))
}

function withRanks(state: State): State {
  const [first, second] = state.sets
  const present = [first?.value.revision, second?.value.revision].filter((one) => one !== undefined)
  const order = [...new Set(present)].sort((a, b) => a - b)
  const rank = (revision: number) => order.indexOf(revision) + 1
  const { revision } = state.knobs.value
  if (
    present.every((one) => rank(one) === one) &&
    (revision === 0 || rank(revision) === revision)
  ) {
    return state
  }
  const ranked = (set: typeof first) =>
    set && tables.sets.of({ ...set.value, revision: rank(set.value.revision) })
  const text = JSON.stringify(state.status.value).replace(
    /revision (\d+)/g,
    (_, number) => `revision ${rank(Number(number))}`,
  )
  return {
    ...state,
    knobs: tables.knobs.of({ ...state.knobs.value, revision: rank(revision) }),
    sets: [ranked(first), ranked(second)],
    status: tables.status.of(JSON.parse(text) as RolloutStatus),
  }
}

const places = {
  Step: ['canary', 'currentStepAnalysisRunStatus'],
  Background: ['canary', 'currentBackgroundAnalysisRunStatus'],
  PrePromotion: ['blueGreen', 'prePromotionAnalysisRunStatus'],
  PostPromotion: ['blueGreen', 'postPromotionAnalysisRunStatus'],
} as const

function withNamedRuns(state: State): State {
  const runs = state.runs.value
  let status = state.status.value as Record<string, Record<string, { name: string }>>
  const named = new Map<string, string>()
  for (const [kind, [parent, field]] of Object.entries(places)) {
    const recorded = status[parent]?.[field]
    if (!recorded) continue
    const name = `run-${kind.toLowerCase()}`
    named.set(recorded.name, name)
    if (recorded.name === name) continue
    status = { ...status, [parent]: { ...status[parent], [field]: { ...recorded, name } } }
  }
  if (runs.length === 0 && (status as unknown) === state.status.value) return state
  const open = (run: RunState) => !finished.has(run.phase)
  const kept = runs
    .filter((run) => named.has(run.name) || open(run))
    .map((run) => ({ ...run, name: named.get(run.name) ?? 'stray' }))
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    .map((run, at) => (run.name === 'stray' ? { ...run, name: `stray-${at}` } : run))
  return {
    ...state,
    runs: tables.runs.of(kept),
    status: tables.status.of(status as RolloutStatus),
  }
}

export const finished: ReadonlySet<string> = new Set([
  'Successful',
  'Failed',
  'Error',
  'Inconclusive',
])
