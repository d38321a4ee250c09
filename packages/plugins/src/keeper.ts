import { sleep, unlessAborted } from '@serinus/kube'
import { type Deadline, TookTooLong, withDeadline } from './deadline.ts'
import type { Declaration } from './declarations.ts'
import { type LaunchOptions, launch } from './launch.ts'
import { limitLines, type PluginLog, type PluginLogEntry, parseLine } from './log.ts'
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

/** Most that is told of an error, and of a line that a plugin printed, characters. */
const longest = { error: 4_096, line: 8_192 }

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
  /** Longer ones first: one may be a part of another. */
  #secrets: readonly string[] = []
  readonly #onLine: (line: string) => void
  readonly stopped: Promise<void>

  constructor(options: KeeperOptions) {
    this.#options = options
    const { clock, signal, log, declaration } = options
    this.#onLine = limitLines({
      clock,
      signal,
      onLine: (line) => {
        const { level, message } = parseLine(line)
        log({ ...whoIs(declaration), level, message: this.#told(message, longest.line) })
      },
      onLeftOut: (message) => log({ ...whoIs(declaration), level: 'warn', message }),
    })
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
  ready(): Promise<void> {
    return this.#counted(this.#ready())
  }

  async #ready(): Promise<void> {
    const process = await this.#process()
    try {
      const ms = Math.min(pingTimeoutMs, this.declaration.timeoutMs)
      await this.#within({ ms, otherwise: 'no answer to a ping' }, (over) => process.ping(over))
    } catch (error) {
      this.#kill(process)
      // Upstream's words; here the restart waits for nobody.
      throw new Error(
        `could not ping plugin will cleanup process so we can restart it next reconcile (${this.#told(textOf(error))})`,
      )
    }
  }

  /** Asks the plugin; at its deadline the call rejects, and a plugin that then hangs is started anew. */
  ask<M extends PluginMethod>(
    method: M,
    question: PluginQuestions[M],
    signal: AbortSignal,
  ): Promise<unknown> {
    return this.#counted(this.#ask(method, question, signal))
  }

  async #ask<M extends PluginMethod>(
    method: M,
    question: PluginQuestions[M],
    signal: AbortSignal,
  ): Promise<unknown> {
    const process = await this.#process(signal)
    try {
      const answer = await this.#within(
        { ms: this.declaration.timeoutMs, otherwise: `no answer to ${method}` },
        (over) => process.call(method, question, over),
        signal,
      )
      this.#hasAnswered = true
      return this.#maskedAnswer(answer)
    } catch (error) {
      // Errors are told without their cause: that one may hold a secret.
      const message = this.#told(textOf(error))
      if (error instanceof PluginError || error instanceof PluginLacksMethod) {
        this.#hasAnswered = true
        throw error instanceof PluginError
          ? new PluginError(message)
          : new PluginLacksMethod(message)
      }
      if (error instanceof TookTooLong) void this.#killIfHung(process)
      throw new Error(message)
    }
  }

  async #counted<T>(call: Promise<T>): Promise<T> {
    this.#calls.add(call)
    try {
      return await call
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
      const message = await this.#live().catch((error: unknown) => this.#told(textOf(error)))
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
    const message = `the plugin works (${this.#told(process.type)})`
    log({ ...whoIs(declaration), level: 'info', message })
    this.#hasWorked = true
    this.#become({ kind: 'ready', process })
    const over = new AbortController()
    try {
      const why = await Promise.race([
        process.ended,
        aborted(AbortSignal.any([signal, over.signal])),
      ])
      if (why === null) return this.#quit(process)
      return `unable to get plugin client (${name}): ${this.#told(why.message)}`
    } finally {
      over.abort()
    }
  }

  async #quit(process: PluginProcess): Promise<string> {
    process.quit()
    return (await process.ended).message
  }

  #launch(): Promise<PluginProcess> {
    return launch({
      ...this.#options,
      isFetched: this.#hasWorked,
      onSecrets: (values) => {
        // Those of before are still secret.
        const all = new Set([...this.#secrets, ...values])
        this.#secrets = [...all].sort((a, b) => b.length - a.length)
      },
      onLine: this.#onLine,
    })
  }

  /** One that answers a ping only had a slow call; any other is of no use to anybody. */
  async #killIfHung(process: PluginProcess): Promise<void> {
    try {
      const limit = { ms: pingTimeoutMs, otherwise: 'no answer to a ping' }
      await this.#within(limit, (over) => process.ping(over))
    } catch {
      this.#kill(process)
    }
  }

  /** One that has been asked to end has its time for it. */
  #kill(process: PluginProcess): void {
    if (!this.#options.signal.aborted) process.kill()
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

  /** Nobody cuts before this: half a secret would not be found. */
  #told(text: string, most: number = longest.error): string {
    const masked = this.#masked(text)
    if (masked.length <= most) return masked
    return `${masked.slice(0, most)}… (${masked.length - most} characters more)`
  }

  /** What a plugin answers is stored: a service may well say which token it was sent. */
  #maskedAnswer(answer: unknown): unknown {
    if (this.#secrets.length === 0) return answer
    if (!isRecord(answer)) return this.#maskedWithin(answer)
    // A header may have the value `status`: the names of fields, and the phase, are those of the protocol.
    const fields = Object.entries(answer).map(([field, value]) => [
      field,
      field === 'phase' ? value : this.#maskedWithin(value),
    ])
    return Object.fromEntries(fields)
  }

  #maskedWithin(value: unknown): unknown {
    if (typeof value === 'string') return this.#masked(value)
    if (Array.isArray(value)) return value.map((item: unknown) => this.#maskedWithin(item))
    if (!isRecord(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [this.#masked(key), this.#maskedWithin(item)]),
    )
  }

  /** Resolves once the calls under way are over, those included that still wait for the plugin: each has its deadline. */
  async idle(): Promise<void> {
    do {
      await Promise.allSettled([...this.#calls])
      // Who has just heard that the plugin is there asks it next.
      await new Promise((resolve) => setImmediate(resolve))
    } while (this.#calls.size > 0)
  }
}

function whoIs({ name, kind }: Declaration): Pick<PluginLogEntry, 'plugin' | 'kind'> {
  return { plugin: name, kind }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Resolves with null when the signal aborts. */
function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}
