import { formatDuration, type Rollout } from '@serinus/api'
import type {
  ObservedStepPlugins,
  RolloutPlan,
  StepPluginAnswer,
  StepPluginCall,
  StepPluginCallId,
  StepPluginMethod,
  StepPluginState,
} from '@serinus/engine'
import { type Clock, sleep } from '@serinus/kube'
import type { Outcome } from './apply.ts'

/** What a step plugin says to a call (spec metric-providers 14.3). */
export interface StepPluginReply {
  /** Running, Successful, Failed or Error; empty: as before. */
  readonly phase: string
  readonly message: string
  /** When it wants to be called again, milliseconds from now; 0: it does not say. */
  readonly requeueAfterMs: number
  /** What it wants to be handed with its next call. */
  readonly status: unknown
}

/** What a step plugin is handed. */
export interface StepPluginInput {
  readonly rollout: Rollout
  /** `config` of the step; null: none. */
  readonly config: unknown
  /** What it asked to keep with its last Run; null: nothing. */
  readonly status: unknown
}

/** A step plugin as its host knows it at present. */
export type StepPlugin =
  | {
      readonly kind: 'ready'
      /** What one call may take, milliseconds; absent: 30 s. */
      readonly timeoutMs?: number
      /** Rejects when the plugin cannot be reached, fails to answer or answers with an error. */
      call(
        method: StepPluginMethod,
        input: StepPluginInput,
        signal: AbortSignal,
      ): Promise<StepPluginReply>
    }
  | { readonly kind: 'disabled' }
  | { readonly kind: 'unavailable'; readonly message: string }

/** Who runs step plugins. */
export interface StepPlugins {
  /** Answers at once, for any name; a plugin that is still starting is `unavailable`. */
  step(name: string): StepPlugin
}

/** What one call may take unless its plugin is given another time (spec metric-providers 14.6). */
const deadlineMs = 30_000
/** What a plugin that heeds the end of its deadline may take to say so in its own words. */
const lastWordsMs = 250

/** Who waits for a plugin looks for it more often; what was before a longer gap is not known. */
const unseenMs = 60_000

interface StepPluginCallsOptions {
  readonly plugins: StepPlugins | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Looks at a Rollout again. */
  readonly enqueue: (key: string) => void
}

interface Memory {
  readonly inFlight: Map<StepPluginCallId, AbortController>
  /** In order of arrival, until a status that tells of them is stored. */
  answers: readonly StepPluginAnswer[]
}

/**
 * Calls step plugins beside the queue, each with a deadline of its own: a slow one delays neither its own Rollout's
 * abort nor anybody else.
 */
export class StepPluginCalls {
  readonly #options: StepPluginCallsOptions
  readonly #memories = new Map<string, Memory>()
  /** Since when a plugin cannot be called, as far as anybody looked; as many as names that Rollouts misspell. */
  readonly #missing = new Map<string, { readonly since: number; readonly seenAt: number }>()

  constructor(options: StepPluginCallsOptions) {
    this.#options = options
  }

  /** What a pass may know of the plugins that a Rollout names, in its steps or its status; undefined: it names none. */
  observe(key: string, { spec, status }: Rollout): ObservedStepPlugins | undefined {
    const steps = spec.strategy?.canary?.steps ?? []
    const names = new Set([
      ...steps.flatMap(({ plugin }) => (plugin ? [plugin.name] : [])),
      ...(status?.canary?.stepPluginStatuses ?? []).map(({ name }) => name),
    ])
    const memory = this.#memories.get(key)
    if (names.size === 0 && !memory) return undefined
    return {
      states: Object.fromEntries([...names].map((name) => [name, this.#stateOf(name)])),
      inFlight: [...(memory?.inFlight.keys() ?? [])],
      answers: memory?.answers ?? [],
    }
  }

  /** Makes the calls of a plan, and forgets the answers that its snapshot told of once what they changed is stored. */
  follow(
    key: string,
    pass: {
      readonly rollout: Rollout
      readonly observed: ObservedStepPlugins | undefined
      readonly plan: RolloutPlan
      readonly outcomes: readonly Outcome[]
    },
  ): void {
    const { observed, plan, outcomes } = pass
    if (plan.pluginCalls === null) return
    const memory = this.#memories.get(key) ?? { inFlight: new Map(), answers: [] }
    const status = outcomes.find(({ id }) => id === 'status')
    if (!status || status.kind === 'done') {
      const told = new Set(observed?.answers)
      memory.answers = memory.answers.filter((answer) => !told.has(answer))
    }
    for (const call of plan.pluginCalls) void this.#call(key, { memory, call, ...pass })
    if (memory.inFlight.size > 0 || memory.answers.length > 0) this.#memories.set(key, memory)
    else this.#memories.delete(key)
  }

  /** The Rollout is gone: nobody waits for answers any more. */
  forget(key: string): void {
    const memory = this.#memories.get(key)
    this.#memories.delete(key)
    for (const question of memory?.inFlight.values() ?? []) question.abort()
  }

  #stateOf(name: string): StepPluginState {
    const { plugins, clock } = this.#options
    const plugin = plugins?.step(name) ?? unavailable(name)
    if (plugin.kind === 'unavailable') {
      const now = clock.now()
      const known = this.#missing.get(name)
      const since = known && now - known.seenAt <= unseenMs ? known.since : now
      this.#missing.set(name, { since, seenAt: now })
      return { ...plugin, since }
    }
    this.#missing.delete(name)
    return { kind: plugin.kind }
  }

  /** Makes one call and puts its answer where the next pass finds it; never rejects. */
  async #call(
    key: string,
    asked: { readonly memory: Memory; readonly call: StepPluginCall; readonly rollout: Rollout },
  ): Promise<void> {
    const { clock, signal, enqueue } = this.#options
    const { memory, call, rollout } = asked
    const { index, name, method, serial } = call
    const id: StepPluginCallId = { index, name, method, serial }
    const question = new AbortController()
    memory.inFlight.set(id, question)
    const outcome = await this.#ask(call, { rollout, question })
    if (signal.aborted || this.#memories.get(key) !== memory) return
    memory.inFlight.delete(id)
    memory.answers = [...memory.answers, { ...id, at: clock.now(), outcome }]
    enqueue(key)
  }

  async #ask(
    { name, method, config, status }: StepPluginCall,
    { rollout, question }: { readonly rollout: Rollout; readonly question: AbortController },
  ): Promise<StepPluginAnswer['outcome']> {
    const { plugins, clock, signal } = this.#options
    const answered = new AbortController()
    const late = async (timeoutMs: number): Promise<never> => {
      await sleep(clock, timeoutMs, AbortSignal.any([answered.signal, signal, question.signal]))
      const within = formatDuration(timeoutMs)
      const late = new Error(`step plugin ${name} did not answer ${method} within ${within}`)
      question.abort(late)
      await sleep(clock, lastWordsMs, AbortSignal.any([answered.signal, signal]))
      throw late
    }
    try {
      const plugin = plugins?.step(name) ?? unavailable(name)
      if (plugin.kind === 'disabled') throw new Error(`step plugin ${name} is disabled`)
      if (plugin.kind === 'unavailable') throw new Error(plugin.message)
      const input = { rollout, config, status }
      const asked = plugin.call(method, input, AbortSignal.any([signal, question.signal]))
      const reply = await Promise.race([asked, late(plugin.timeoutMs ?? deadlineMs)])
      const { phase, message, requeueAfterMs } = reply
      return { kind: 'reply', phase, message, requeueAfterMs, status: reply.status ?? null }
    } catch (error) {
      return { kind: 'error', message: error instanceof Error ? error.message : String(error) }
    } finally {
      answered.abort()
    }
  }
}

function unavailable(name: string): StepPlugin & { readonly kind: 'unavailable' } {
  const message = `step plugin ${name} cannot be called: this controller runs no step plugins`
  return { kind: 'unavailable', message }
}
