import { formatDuration, parseDuration, rolloutEvents, type StepPluginStatus } from '@serinus/api'
import { formatInstant, parseInstant } from '../instant.ts'
import { checkAt, type Draft } from '../rollout/draft.ts'
import type { RolloutFacts } from '../rollout/facts.ts'
import {
  isCalling,
  isOwed,
  isStored,
  itemOf,
  itemsOf,
  setItems,
  stateOf,
  wasCalled,
  withItem,
} from './items.ts'
import type { StepPluginState } from './observed.ts'
import { backoffMs } from './reply.ts'

/** A plugin that is due is looked for that much later, as upstream does. */
const slackMs = 5_000

/**
 * Whether the current step, a plugin's, is over; where it is not, plans what brings it on. Before the first call the
 * status says that the plugin runs: a process that dies between call and answer must not leave a plugin at work that
 * an abort does not know of.
 */
export function stepPluginIsComplete(facts: RolloutFacts, draft: Draft, index: number): boolean {
  const plugin = facts.steps[index]?.plugin
  // The first version goes through no steps.
  if (!plugin || !draft.status.stableRS) return false
  const { name } = plugin
  const items = itemsOf(draft.status)
  const item = itemOf(items, { index, name }, 'Run')
  const state = stateOf(facts, name)
  const say = (message: string | null, until: number | null) =>
    draft.waits.push({ kind: 'plugin', step: index, name, operation: 'Run', message, until })
  if (items.some(isOwed)) {
    say('plugins of the try before are being ended', null)
    return false
  }
  if (item && isOver(items, item)) return true
  if (state.kind === 'disabled') {
    const skipped = { ...(item ?? { index, name, operation: 'Run' as const }), disabled: true }
    setItems(draft, withItem(items, skipped))
    return true
  }
  const message = item?.message ?? null
  const dueAt = item ? dueAtOf(item, facts.now) : 0
  if (isCalling(facts, draft)) say(message, null)
  else if (state.kind === 'unavailable' && (facts.now >= dueAt || message === state.message)) {
    const known = item ?? { index, name, operation: 'Run', phase: 'Error' }
    noteUnavailable(facts, draft, { item: known, state })
    draft.waits.push({ kind: 'plugin-unavailable', step: index, name, message: state.message })
  } else if (facts.now < dueAt) {
    checkAt(draft, dueAt + slackMs)
    say(message, dueAt + slackMs)
  } else if (!item || !wasCalled(item)) {
    const startedAt = formatInstant(facts.now)
    const begun = { index, name, operation: 'Run', phase: 'Running', startedAt } as const
    setItems(draft, withItem(items, begun))
    say(null, null)
  } else {
    const isCurrent = facts.snapshot.rollout.status?.currentStepIndex === index
    if (isCurrent && isStored(facts, draft)) {
      draft.pluginCalls.push({
        index,
        name,
        method: 'run',
        serial: (item.executions ?? 0) + 1,
        config: plugin.config ?? null,
        status: item.status ?? null,
      })
    }
    say(message, null)
  }
  return false
}

/** Nothing more will come of it: done, passed over, or ended from outside. */
function isOver(items: readonly StepPluginStatus[], item: StepPluginStatus): boolean {
  if (item.disabled || item.phase === 'Successful' || item.phase === 'Failed') return true
  return (itemOf(items, item, 'Terminate') ?? itemOf(items, item, 'Abort')) !== undefined
}

function dueAtOf({ executions, updatedAt, backoff }: StepPluginStatus, now: number): number {
  const calledAt = parseInstant(updatedAt)
  if ((executions ?? 0) === 0 || calledAt === null || isAhead(calledAt, now)) return 0
  return calledAt + (parseDuration(backoff ?? '') ?? backoffMs)
}

/** Stamped by a clock that was wrong: nothing is waited for that is years away. */
function isAhead(at: number, now: number): boolean {
  return at > now + backoffMs
}

/** A host that has only just started, or whose plugin has, is given that long before anybody is told. */
const graceMs = 5_000

/**
 * A plugin that cannot be called is waited for. Its item says why, once for each reason and not more often than every
 * 30 s, whatever the host words differently each time.
 */
export function noteUnavailable(
  facts: RolloutFacts,
  draft: Draft,
  {
    item,
    state: { message, since },
  }: {
    readonly item: StepPluginStatus
    readonly state: StepPluginState & { readonly kind: 'unavailable' }
  },
): void {
  if (facts.now < since + graceMs) {
    checkAt(draft, since + graceMs)
    return
  }
  checkAt(draft, facts.now + backoffMs)
  const notedAt = parseInstant(item.updatedAt)
  const isFresh =
    notedAt !== null && facts.now < notedAt + backoffMs && !isAhead(notedAt, facts.now)
  if (item.message === message || isFresh) return
  const noted = {
    ...item,
    message,
    updatedAt: formatInstant(facts.now),
    backoff: formatDuration(backoffMs),
  }
  setItems(draft, withItem(itemsOf(draft.status), noted))
  draft.transitions.push({ ...rolloutEvents.reconciliationError(message), after: 'status' })
}
