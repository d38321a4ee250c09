import { sleep, unlessAborted } from '@serinus/kube'
import { type Deadline, TookTooLong, withDeadline } from './deadline.ts'
import type { Declaration } from './declarations.ts'
import { type LaunchOptions, launch } from './launch.ts'
import { type PluginLog, type PluginLogEntry, parseLine } from './log.ts'
import {
  PluginError,
  PluginLacksMethod,
  type PluginMethod,
  type PluginProcess,
  type PluginQuestions,
  textOf,
} from './plugin-process.ts'

export interface KeeperOptions extends Omit<LaunchOptions, 'isFetched' | 'onSecrets' | 'onLine'> {
  readonly log: PluginLog
}

type State =
  /** `after`: the failure of the last try, if it was one. */
  | { readonly kind: 'starting'; readonly after: string | null }
  | { readonly kind: 'ready'; readonly process: PluginProcess }
  /** `message` is upstream's chain from `unable to …` on. */
  | { readonly kind: 'failed'; readonly message: string }

const backoff = { initialMs: 1_000, maxMs: 60_000 }

/** How long a plugin may take to say that it is there. */
const pingTimeoutMs = 5_000

/**
 * Keeps one plugin at work: gets its file, starts it, starts it again when it has died or hangs, with pauses of 1 s to
 * 60 s while that does not help (spec metric-providers 14.6, rows 6, 7, 40).
 */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #calls = new Set<Promise<unknown>>()
  #state: State = { kind: 'starting', after: null }
  #changed = Promise.withResolvers<void>()
  /** Since the last start it has answered: its death is then no reason to wait. */
  #hasAnswered = false
  /** It has worked before, so its file is there and is the right one. */
  #hasWorked = false
  #secrets: readonly string[] = []
  readonly stopped: Promise<void>

  constructor(options: KeeperOptions) {
    this.#options = options
    this.stopped = this.#keep()
  }

  get declaration(): Declaration {
    return this.#options.declaration
  }

  /** Why it cannot be asked; null: it can, or soon will, as far as one knows. */
  get problem(): string | null {
    switch (this.#state.kind) {
      case 'ready':
        return null
      case 'starting':
        return this.#state.after
      case 'failed':
        return this.#state.message
      default:
        throw new TypeError(`unknown state: ${JSON.stringify(this.#state satisfies never)}`)
    }
  }

  /** Resolves once the plugin is there and answers a ping; rejects with upstream's chain from `unable to …` on. */
  async ready(): Promise<void> {
    const process = await this.#process()
    try {
      const ms = Math.min(pingTimeoutMs, this.declaration.timeoutMs)
      await this.#within({ ms, otherwise: 'no answer to a ping' }, (over) => process.ping(over))
    } catch (error) {
      process.kill()
      // Upstream's words; here the restart waits for nobody.
      throw new Error(
        `could not ping plugin will cleanup process so we can restart it next reconcile (${this.#masked(textOf(error))})`,
        { cause: error },
      )
    }
  }

  /** Asks the plugin; at its deadline the call rejects, and a plugin that then hangs is started anew. */
  async ask<M extends PluginMethod>(
    method: M,
    question: PluginQuestions[M],
    signal: AbortSignal,
  ): Promise<unknown> {
    const process = await this.#process(signal)
    const call = this.#within(
      { ms: this.declaration.timeoutMs, otherwise: `no answer to ${method}` },
      (over) => process.call(method, question, over),
      signal,
    )
    this.#calls.add(call)
    try {
      const answer = await call
      this.#hasAnswered = true
      return answer
    } catch (error) {
      if (error instanceof PluginError || error instanceof PluginLacksMethod) {
        this.#hasAnswered = true
        throw error instanceof PluginError ? new PluginError(this.#masked(error.message)) : error
      }
      if (error instanceof TookTooLong) void this.#killIfHung(process)
      throw new Error(this.#masked(textOf(error)), { cause: error })
    } finally {
      this.#calls.delete(call)
    }
  }

  async #process(signal?: AbortSignal): Promise<PluginProcess> {
    const { name, timeoutMs } = this.declaration
    if (this.#state.kind === 'starting') {
      const soon = (over: AbortSignal) => unlessAborted(this.#started(), over)
      const limit = { ms: timeoutMs, otherwise: 'it did not start' }
      await this.#within(limit, soon, signal).catch((cause: unknown) => {
        throw new Error(`unable to get plugin client (${name}): ${textOf(cause)}`, { cause })
      })
    }
    const state = this.#state
    if (state.kind === 'ready') return state.process
    throw new Error(
      state.kind === 'failed'
        ? state.message
        : `unable to get plugin client (${name}): it has ended`,
    )
  }

  async #started(): Promise<void> {
    while (this.#state.kind === 'starting') await this.#changed.promise
  }

  async #keep(): Promise<void> {
    const { signal, clock, log, declaration } = this.#options
    let failures = 0
    while (!signal.aborted) {
      this.#become({ kind: 'starting', after: this.problem })
      const message = await this.#live().catch((error: unknown) => this.#masked(textOf(error)))
      if (signal.aborted) break
      if (this.#hasAnswered) failures = 0
      const pauseMs = this.#hasAnswered
        ? 0
        : Math.min(backoff.initialMs * 2 ** failures++, backoff.maxMs)
      this.#hasAnswered = false
      log({
        ...whoIs(declaration),
        level: 'error',
        message: `the plugin is not available: ${message}; it is started again in ${pauseMs / 1000}s`,
      })
      if (pauseMs === 0) continue
      this.#become({ kind: 'failed', message })
      await sleep(clock, pauseMs, signal).catch(() => {})
    }
    const why = textOf(signal.reason)
    log({ ...whoIs(declaration), level: 'info', message: `the plugin has ended: ${why}` })
    const message = `unable to get plugin client (${declaration.name}): ${why}`
    this.#become({ kind: 'failed', message })
  }

  /** One life of the plugin; resolves with why it is over, rejects where it did not begin. */
  async #live(): Promise<string> {
    const { signal, log, declaration } = this.#options
    const { name } = declaration
    const process = await this.#launch()
    if (signal.aborted) return this.#quit(process)
    log({ ...whoIs(declaration), level: 'info', message: `the plugin works (${process.type})` })
    this.#hasWorked = true
    this.#become({ kind: 'ready', process })
    const over = new AbortController()
    try {
      const why = await Promise.race([
        process.ended,
        aborted(AbortSignal.any([signal, over.signal])),
      ])
      if (why === null) return this.#quit(process)
      return this.#masked(`unable to get plugin client (${name}): ${why.message}`)
    } finally {
      over.abort()
    }
  }

  async #quit(process: PluginProcess): Promise<string> {
    process.quit()
    return (await process.ended).message
  }

  #launch(): Promise<PluginProcess> {
    const { log, declaration } = this.#options
    return launch({
      ...this.#options,
      isFetched: this.#hasWorked,
      onSecrets: (values) => {
        this.#secrets = values
      },
      onLine: (line) => log({ ...whoIs(declaration), ...parseLine(this.#masked(line)) }),
    })
  }

  /** One that answers a ping only had a slow call; any other is of no use to anybody. */
  async #killIfHung(process: PluginProcess): Promise<void> {
    try {
      const limit = { ms: pingTimeoutMs, otherwise: 'no answer to a ping' }
      await this.#within(limit, (over) => process.ping(over))
    } catch {
      process.kill()
    }
  }

  /** Also ends with the keeper, and with `outer`. */
  #within<T>(
    limit: Pick<Deadline, 'ms' | 'otherwise'>,
    work: (signal: AbortSignal) => Promise<T>,
    outer?: AbortSignal,
  ): Promise<T> {
    const { clock, signal } = this.#options
    return withDeadline({ ...limit, clock, signals: outer ? [signal, outer] : [signal] }, work)
  }

  #become(state: State): void {
    this.#state = state
    const told = this.#changed
    this.#changed = Promise.withResolvers()
    told.resolve()
  }

  #masked(text: string): string {
    return this.#secrets.reduce((masked, secret) => masked.replaceAll(secret, '*****'), text)
  }

  /** Resolves once the calls under way are over: each has its deadline. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#calls])
  }
}

function whoIs({ name, kind }: Declaration): Pick<PluginLogEntry, 'plugin' | 'kind'> {
  return { plugin: name, kind }
}

/** Resolves with null when the signal aborts. */
function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}
