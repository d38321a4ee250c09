import { rolloutEvents, type StepPluginStatus } from '@serinus/api'
import { formatInstant } from '../instant.ts'
import type { Draft, LooseStatus } from '../rollout/draft.ts'
import { isPromoted, type RolloutFacts } from '../rollout/facts.ts'
import { isOwed, itemOf, itemsOf, setItems, toEnd, withItem, withoutStep } from './items.ts'
import type { StepPluginAnswer } from './observed.ts'
import { afterEnd, afterRun } from './reply.ts'

/** Writes down what plugins have answered, and forgets what belongs to an earlier try (spec metric-providers 14.4). */
export function takeStepPluginAnswers(facts: RolloutFacts, draft: Draft): void {
  const stored = facts.snapshot.rollout.status ?? {}
  let items = itemsOf(stored)
  for (const answer of facts.snapshot.stepPlugins?.answers ?? []) {
    items = withAnswer(draft, { stored, items, answer })
  }
  if (draft.wasReset || isRetried(stored)) items = leftOver(stored, items, facts.now)
  if (items !== itemsOf(draft.status)) setItems(draft, items)
}

function isRetried(stored: LooseStatus): boolean {
  return stored.abortedAt !== undefined && !stored.abort && !isPromoted(stored)
}

/** Why a plugin's verdict aborts the update; null: it does not. */
export function judgeStepPlugin(draft: Draft): string | null {
  const index = draft.status.currentStepIndex ?? 0
  const failed = itemsOf(draft.status).find(
    (item) => item.index === index && item.operation === 'Run' && item.phase === 'Failed',
  )
  return failed ? `Step Plugin ${index + 1} (${failed.name}) failed: ${failed.message ?? ''}` : null
}

function withAnswer(
  draft: Draft,
  {
    stored,
    items,
    answer,
  }: {
    readonly stored: LooseStatus
    readonly items: readonly StepPluginStatus[]
    readonly answer: StepPluginAnswer
  },
): readonly StepPluginStatus[] {
  const run = itemOf(items, answer, 'Run')
  // Of an update that is over, or of a plugin that nobody wants any more.
  if (!run || run.disabled) return items
  if (answer.method === 'run') {
    const isEnded = itemOf(items, run, 'Abort') ?? itemOf(items, run, 'Terminate')
    if (isEnded || answer.serial !== (run.executions ?? 0) + 1) return items
    const after = afterRun(run, answer)
    const before = (run.executions ?? 0) > 0 ? run.phase : undefined
    if (after.phase !== before && after.phase !== 'Successful') tell(draft, after)
    return withItem(items, after)
  }
  const operation = answer.method === 'abort' ? 'Abort' : 'Terminate'
  const known = itemOf(items, run, operation)
  if (known && !isOwed(known)) return items
  const after = afterEnd({ run, operation }, answer)
  tell(draft, after)
  const isOfEarlierTry = !stored.abort && !stored.promoteFull && !isPromoted(stored)
  return isOfEarlierTry ? withoutStep(items, run) : withItem(items, after)
}

/** Told once the status says so. */
function tell(draft: Draft, { index, name, operation, phase }: StepPluginStatus): void {
  if (!phase) return
  const event = rolloutEvents.stepPluginTransition({ index, name, operation, phase })
  draft.transitions.push({ ...event, after: 'status' })
}

/**
 * What a new try keeps of the one before: Aborts and Terminates that were not made in time, written down as owed, since
 * nothing else in the status tells of them any more. A user who retries quickly must not leave a plugin's work behind.
 */
function leftOver(
  stored: LooseStatus,
  items: readonly StepPluginStatus[],
  now: number,
): readonly StepPluginStatus[] {
  const ended = isRetried(stored) ? { ...stored, abort: true } : stored
  const status = { ...ended, canary: { ...stored.canary, stepPluginStatuses: [...items] } }
  return toEnd(status).flatMap(({ run, operation }) => {
    const { index, name } = run
    const owed: StepPluginStatus = itemOf(items, run, operation) ?? {
      index,
      name,
      operation,
      phase: 'Running',
      startedAt: formatInstant(now),
    }
    return [run, owed]
  })
}
