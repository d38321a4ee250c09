import { durationProblem, parseDuration, type Rollout } from '@serinus/api'
import type { Keeper } from './keeper.ts'
import { PluginError, type PluginMethod, shown, textOf } from './plugin-process.ts'

/** A step plugin that can be asked, or soon will be. */
export interface StepPluginClient {
  readonly kind: 'ready'
  /** The deadline of a call, milliseconds: it is kept here, whoever calls. */
  readonly timeoutMs: number
  /** Rejects with the text that upstream stores: the plugin's own error, or `Run rpc call error: <why>`. */
  call(
    method: 'run' | 'terminate' | 'abort',
    input: { readonly rollout: Rollout; readonly config: unknown; readonly status: unknown },
    signal: AbortSignal,
  ): Promise<StepPluginReply>
}

/** What a step plugin answered; `phase` and `message` as it gave them, empty where it gave none. */
export interface StepPluginReply {
  readonly phase: string
  readonly message: string
  /** Milliseconds; 0: it did not say. */
  readonly requeueAfterMs: number
  /** Kept for its next call; undefined: none. */
  readonly status: unknown
}

const methods = {
  run: { method: 'step/run', name: 'Run' },
  terminate: { method: 'step/terminate', name: 'Terminate' },
  abort: { method: 'step/abort', name: 'Abort' },
} as const satisfies Record<string, { method: PluginMethod; name: string }>

export function stepClient(
  keeper: Pick<Keeper, 'ask' | 'ready' | 'declaration'>,
): StepPluginClient {
  const { name, timeoutMs } = keeper.declaration
  return {
    kind: 'ready',
    timeoutMs,
    async call(verb, input, signal) {
      const called = methods[verb]
      try {
        await keeper.ready()
      } catch (error) {
        throw new Error(unavailableStep(name, textOf(error)), { cause: error })
      }
      try {
        return parseReply(await keeper.ask(called.method, { name, ...input }, signal))
      } catch (error) {
        if (error instanceof PluginError) throw error
        throw new Error(`${called.name} rpc call error: ${textOf(error)}`, { cause: error })
      }
    },
  }
}

/** Upstream's message for a step whose plugin cannot be had. */
export function unavailableStep(name: string, cause: string): string {
  return `failed to get step plugin ${name}: unable to start plugin system: ${cause}`
}

/** Most that is stored of what a step says, characters: etcd takes 1.5 MiB for the whole Rollout. */
const mostStored = 65_536

function parseReply(answer: unknown): StepPluginReply {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer))
    throw new Error(`the answer is no result of a step: ${shown(answer)}`)
  const { phase, message, requeueAfter, status } = answer as Readonly<Record<string, unknown>>
  for (const [field, value] of Object.entries({ phase, message, status })) {
    const { length } = JSON.stringify(value) ?? ''
    if (length <= mostStored) continue
    throw new Error(
      `the answer has a ${field} of ${length} characters; no more than ${mostStored} are stored`,
    )
  }
  return {
    phase: textOrNothing('phase', phase),
    message: textOrNothing('message', message),
    requeueAfterMs: durationOrNothing(requeueAfter),
    status: status ?? undefined,
  }
}

function textOrNothing(field: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  throw new Error(`the answer has the ${field} ${shown(value)}, which is no text`)
}

function durationOrNothing(value: unknown): number {
  if (value === undefined || value === null || value === '') return 0
  const ms = typeof value === 'string' ? parseDuration(value) : undefined
  if (ms !== undefined) return Math.max(0, ms)
  const why = typeof value === 'string' ? durationProblem(value.slice(0, 100)) : 'it is no text'
  throw new Error(`the answer has the requeueAfter ${shown(value)}: ${why}`)
}
