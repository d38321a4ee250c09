import type { StepPluginStatus } from '@serinus/api'
import type { Draft, LooseStatus } from '../rollout/draft.ts'
import { isPromoted, type RolloutFacts } from '../rollout/facts.ts'
import type { StepPluginState } from './observed.ts'

const none: readonly StepPluginStatus[] = []

export type Operation = StepPluginStatus['operation']

/** What the status keeps of step plugins: one item for each step and operation (spec metric-providers 14.4). */
export function itemsOf(status: LooseStatus): readonly StepPluginStatus[] {
  return status.canary?.stepPluginStatuses ?? none
}

export function setItems(draft: Draft, items: readonly StepPluginStatus[]): void {
  const { stepPluginStatuses: _, ...canary } = draft.status.canary ?? {}
  draft.status.canary = items.length > 0 ? { ...canary, stepPluginStatuses: [...items] } : canary
}

type Named = Pick<StepPluginStatus, 'index' | 'name'>

export function itemOf(
  items: readonly StepPluginStatus[],
  { index, name }: Named,
  operation: Operation,
): StepPluginStatus | undefined {
  return items.find(
    (item) => item.index === index && item.name === name && item.operation === operation,
  )
}

/** The items with this one in place of the one of its step and operation, or behind the others. */
export function withItem(
  items: readonly StepPluginStatus[],
  item: StepPluginStatus,
): readonly StepPluginStatus[] {
  const known = itemOf(items, item, item.operation)
  return known ? items.map((one) => (one === known ? item : one)) : [...items, item]
}

export function withoutStep(
  items: readonly StepPluginStatus[],
  { index, name }: Named,
): readonly StepPluginStatus[] {
  return items.filter((item) => item.index !== index || item.name !== name)
}

/** Whether a plugin has been called, or may have been by a process that died before it could say so. */
export function wasCalled({ phase, executions }: StepPluginStatus): boolean {
  return phase !== 'Error' || (executions ?? 0) > 0
}

/**
 * A Terminate or Abort that is still to be made although nothing else tells so: upstream never stores one as Running.
 */
export function isOwed({ operation, phase }: StepPluginStatus): boolean {
  return operation !== 'Run' && phase === 'Running'
}

/** A Terminate or Abort that is to be made, and the Run that it ends. */
export interface End {
  readonly run: StepPluginStatus
  readonly operation: Exclude<Operation, 'Run'>
}

/** What is left to be ended: of an aborted update what ran or may have run, of a promoted one what still runs. */
export function toEnd(status: LooseStatus): readonly End[] {
  const items = itemsOf(status)
  const isOver = status.promoteFull === true || isPromoted(status)
  const runs = items.filter(({ operation }) => operation === 'Run')
  const lastFirst = [...runs].sort((a, b) => b.index - a.index)
  return lastFirst.flatMap((run): readonly End[] => {
    const terminate = itemOf(items, run, 'Terminate')
    const abort = itemOf(items, run, 'Abort')
    if (abort && isOwed(abort)) return [{ run, operation: 'Abort' }]
    if (terminate && isOwed(terminate)) return [{ run, operation: 'Terminate' }]
    if (run.disabled || abort || !wasCalled(run)) return []
    const isOpen = run.phase === 'Running' || run.phase === 'Error'
    if (status.abort && (isOpen || run.phase === 'Successful')) {
      return [{ run, operation: 'Abort' }]
    }
    return isOver && isOpen && !terminate ? [{ run, operation: 'Terminate' }] : []
  })
}

/** What can be done with a plugin at present. */
export function stateOf(
  { snapshot }: Pick<RolloutFacts, 'snapshot'>,
  name: string,
): StepPluginState {
  return (
    snapshot.stepPlugins?.states[name] ?? {
      kind: 'unavailable',
      message: `step plugin ${name} cannot be called: this controller runs no step plugins`,
      since: 0,
    }
  )
}

/** Whether the items are as they are stored: what follows from them can be acted on. */
export function isStored({ snapshot }: Pick<RolloutFacts, 'snapshot'>, draft: Draft): boolean {
  return (
    draft.status.canary?.stepPluginStatuses === snapshot.rollout.status?.canary?.stepPluginStatuses
  )
}

/** One call at a time, as upstream makes them: no plugin has to expect an Abort in the middle of its Run. */
export function isCalling({ snapshot }: Pick<RolloutFacts, 'snapshot'>, draft: Draft): boolean {
  return (snapshot.stepPlugins?.inFlight.length ?? 0) > 0 || draft.pluginCalls.length > 0
}
