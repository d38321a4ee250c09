import type { RolloutPlan } from '../plan.ts'
import type {
  ObservedStepPlugins,
  StepPluginAnswer,
  StepPluginCall,
  StepPluginState,
} from '../step-plugins/observed.ts'

export type Outcome = StepPluginAnswer['outcome']

/** What a plugin says when it is called, `disabled`, or why it cannot be called. */
export type Plugin = ((call: StepPluginCall) => Outcome) | 'disabled' | { readonly gone: string }

/** The shell's part with step plugins, for tests of the planner alone: it calls, remembers and forgets when it dies. */
export class PluginHost {
  /** By name. */
  plugins: Record<string, Plugin>
  /** How long each takes to answer. */
  lagMs = 0
  /** Everything that was called, as `run 1 #2`. */
  readonly calls: string[] = []
  /** The same with everything that was handed over. */
  readonly given: StepPluginCall[] = []
  #answers: readonly StepPluginAnswer[] = []
  #shown = 0
  /** Since when a plugin is gone. */
  #gone = new Map<string, number>()

  constructor(plugins: Record<string, Plugin>) {
    this.plugins = plugins
  }

  observed(now: number): ObservedStepPlugins {
    const answers = this.#answers.filter(({ at }) => at <= now)
    this.#shown = answers.length
    const inFlight = this.#answers
      .filter(({ at }) => at > now)
      .map(({ index, name, method, serial }) => ({ index, name, method, serial }))
    const states = Object.entries(this.plugins).map(([name, plugin]) => [
      name,
      this.#stateOf(name, plugin, now),
    ])
    return { states: Object.fromEntries(states), inFlight, answers }
  }

  nextAnswerAt(now: number): number | null {
    const times = this.#answers.map(({ at }) => at).filter((at) => at > now)
    return times.length > 0 ? Math.min(...times) : null
  }

  call(call: StepPluginCall, now: number): void {
    const { index, name, method, serial } = call
    const plugin = this.plugins[name]
    if (typeof plugin !== 'function') throw new Error(`plugin ${name} cannot be called`)
    this.calls.push(`${method} ${index} #${serial}`)
    this.given.push(call)
    const outcome = plugin(call)
    const at = now + this.lagMs
    this.#answers = [...this.#answers, { index, name, method, serial, at, outcome }]
  }

  /** Forgets the answers that the last snapshot told of, once nothing more depends on them. */
  settle(plan: RolloutPlan, isStored: boolean): void {
    const writesStatus = plan.writes.some(({ id }) => id === 'status')
    if (plan.pluginCalls === null || (writesStatus && !isStored)) return
    this.#answers = this.#answers.slice(this.#shown)
    this.#shown = 0
  }

  /** The process is gone, and with it what it had not stored. */
  die(): void {
    this.#answers = []
    this.#shown = 0
    this.#gone.clear()
  }

  #stateOf(name: string, plugin: Plugin, now: number): StepPluginState {
    if (plugin === 'disabled') return { kind: 'disabled' }
    if (typeof plugin === 'function') {
      this.#gone.delete(name)
      return { kind: 'ready' }
    }
    const since = this.#gone.get(name) ?? now
    this.#gone.set(name, since)
    return { kind: 'unavailable', message: plugin.gone, since }
  }
}

/** A reply as plugins give it; what is left out is empty. */
export function reply(
  phase: string,
  facts: Partial<Omit<Outcome & { kind: 'reply' }, 'kind' | 'phase'>> = {},
): Outcome {
  return { kind: 'reply', phase, message: '', requeueAfterMs: 0, status: null, ...facts }
}
