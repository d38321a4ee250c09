import { rolloutEvents, type StepPluginStatus } from '@serinus/api'
import { checkAt, type Draft, type LooseStatus } from '../rollout/draft.ts'
import { isPromoted, type RolloutFacts } from '../rollout/facts.ts'
import type { Wait } from '../wait.ts'
import {
  type End,
  isCalling,
  isOwed,
  isStored,
  itemOf,
  itemsOf,
  setItems,
  stateOf,
  toEnd,
  withoutStep,
} from './items.ts'
import { noteUnavailable } from './run-step.ts'

/** How long a new try waits for a plugin that cannot be called to be aborted of the one before. */
const patienceMs = 60_000

/**
 * Aborts the plugins of an aborted update and terminates what runs on after its end, the last step first, each once
 * (spec metric-providers 14.4). One that cannot be called does not keep the others from it. Returns what it waits for.
 */
export function endStepPlugins(facts: RolloutFacts, draft: Draft): readonly Wait[] {
  const waits: Wait[] = []
  const isLive =
    draft.status.abort === true || draft.status.promoteFull === true || isPromoted(draft.status)
  for (const { run, operation } of toEnd(draft.status)) {
    const { index, name } = run
    const state = stateOf(facts, name)
    if (state.kind === 'unavailable' && (isLive || facts.now < state.since + patienceMs)) {
      if (isLive) noteUnavailable(facts, draft, { item: run, state })
      else checkAt(draft, state.since + patienceMs)
      waits.push({ kind: 'plugin-unavailable', step: index, name, message: state.message })
    } else if (state.kind !== 'ready') {
      giveUp(draft, { run, operation, isTold: state.kind === 'unavailable' })
    } else {
      if (canCall(facts, draft, { run, operation })) {
        draft.pluginCalls.push({
          index,
          name,
          method: operation === 'Abort' ? 'abort' : 'terminate',
          serial: 1,
          config: configOf(facts, run),
          status: run.status ?? null,
        })
      }
      waits.push({ kind: 'plugin', step: index, name, operation, message: null, until: null })
    }
  }
  return waits
}

/** Acted on once it is stored: a process that died would find no reason for what it had done. */
function canCall(facts: RolloutFacts, draft: Draft, { run, operation }: End): boolean {
  if (isCalling(facts, draft) || !isStored(facts, draft)) return false
  const stored: LooseStatus = facts.snapshot.rollout.status ?? {}
  const owed = itemOf(itemsOf(stored), run, operation)
  if (owed && isOwed(owed)) return true
  return operation === 'Abort'
    ? stored.abort === true
    : stored.promoteFull === true || isPromoted(stored)
}

/** Null where the steps have changed since. */
function configOf({ steps }: RolloutFacts, { index, name }: StepPluginStatus): unknown {
  const plugin = steps[index]?.plugin
  return plugin?.name === name ? (plugin.config ?? null) : null
}

/** The update has moved on, and a plugin that is gone must not hold it up for ever. */
function giveUp(draft: Draft, end: End & { readonly isTold: boolean }): void {
  const { index, name } = end.run
  const owed = itemOf(itemsOf(draft.status), end.run, end.operation)
  if (!owed) return
  setItems(draft, withoutStep(itemsOf(draft.status), end.run))
  if (!end.isTold) return
  const event = rolloutEvents.stepPluginTransition({
    index,
    name,
    operation: end.operation,
    phase: 'Error',
  })
  draft.transitions.push({ ...event, after: 'status' })
}
