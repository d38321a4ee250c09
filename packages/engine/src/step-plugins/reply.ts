import { formatDuration, type StepPluginStatus } from '@serinus/api'
import { formatInstant } from '../instant.ts'
import type { End } from './items.ts'
import type { StepPluginAnswer } from './observed.ts'

/** How long a plugin is left alone where it does not ask for longer (spec metric-providers 14.4). */
export const backoffMs = 30_000
/** The longest duration of Go, 292 years. */
const mostBackoffMs = 9.2e12
/** What a plugin may have kept for it. The status of a Rollout that holds more could not be stored, nor its verdict. */
const mostStatusBytes = 256 * 1024
const mostMessageChars = 4_096
/** What a plugin that asks for so little, or less, does not get. */
const leastBackoffMs = 10_000

const phases: ReadonlySet<string> = new Set(['Running', 'Successful', 'Failed', 'Error'])
type Phase = NonNullable<StepPluginStatus['phase']>

/** The item of a Run after one more execution. */
export function afterRun(run: StepPluginStatus, answer: StepPluginAnswer): StepPluginStatus {
  const { backoff: _b, message: _m, ...item } = run
  const executed: StepPluginStatus = {
    ...item,
    executions: (run.executions ?? 0) + 1,
    updatedAt: formatInstant(answer.at),
  }
  const said = understood(answer)
  if (said.kind === 'error') {
    return {
      ...executed,
      phase: 'Error',
      message: said.message,
      backoff: formatDuration(backoffMs),
    }
  }
  const phase = said.phase ?? run.phase ?? 'Running'
  const told: StepPluginStatus = { ...executed, phase, ...textOf(said.message) }
  switch (phase) {
    case 'Running':
      return { ...kept(told, said.status), backoff: formatDuration(pauseMs(said.requeueAfterMs)) }
    case 'Error':
      // Upstream gives it none and never calls it again (falls short 5).
      return { ...told, backoff: formatDuration(backoffMs) }
    case 'Successful':
    case 'Failed':
      return { ...kept(told, said.status), finishedAt: formatInstant(answer.at) }
    default:
      throw new TypeError(`unknown phase: ${phase satisfies never}`)
  }
}

/** The item of a Terminate or an Abort after its only execution: it has succeeded unless the plugin says otherwise. */
export function afterEnd({ run, operation }: End, answer: StepPluginAnswer): StepPluginStatus {
  const { index, name } = run
  const at = formatInstant(answer.at)
  const times = { startedAt: at, updatedAt: at, finishedAt: at }
  const ended = { index, name, operation, executions: 1, ...times }
  const said = understood(answer)
  if (said.kind === 'error') return { ...ended, phase: 'Error', message: said.message }
  // Nobody asks again, so what is not over by now has failed.
  const phase = said.phase === 'Running' ? 'Failed' : (said.phase ?? 'Successful')
  const told: StepPluginStatus = { ...ended, phase, ...textOf(said.message) }
  return phase === 'Error' ? told : kept(told, said.status)
}

/** The answer with a phase that exists; null: it says none. */
function understood({ outcome: full }: StepPluginAnswer) {
  const outcome = { ...full, message: full.message.slice(0, mostMessageChars) }
  if (outcome.kind === 'error') return outcome
  const { phase, status } = outcome
  const size = status === undefined ? 0 : new TextEncoder().encode(JSON.stringify(status)).length
  if (size > mostStatusBytes) {
    const message = `the plugin's status has ${size} bytes, which is more than the ${mostStatusBytes} that are kept`
    return { kind: 'error' as const, message }
  }
  if (phase === '') return { ...outcome, phase: null }
  if (phases.has(phase)) return { ...outcome, phase: phase as Phase }
  const message = `could not validate rpc phase: phase '${phase.slice(0, 100)}' is not valid`
  return { kind: 'error' as const, message }
}

function textOf(message: string): { readonly message?: string } {
  return message === '' ? {} : { message }
}

/** Replaces what the plugin keeps, also by nothing. */
function kept({ status: _, ...item }: StepPluginStatus, status: unknown): StepPluginStatus {
  return status === undefined || status === null ? item : { ...item, status }
}

function pauseMs(requeueAfterMs: number): number {
  return requeueAfterMs > leastBackoffMs ? Math.min(requeueAfterMs, mostBackoffMs) : backoffMs
}
