import { type Clock, sleep } from '@serinus/kube'
import type { Declaration } from './declarations.ts'
import { obtainFile } from './files.ts'
import { type PluginLog, type PluginLogEntry, parseLine } from './log.ts'
import {
  PluginError,
  PluginLacksMethod,
  type PluginMethod,
  type PluginProcess,
  type PluginQuestions,
  StartFailure,
  textOf,
} from './plugin-process.ts'
import { protocolOf, starters } from './protocols.ts'

export interface KeeperOptions {
  readonly declaration: Declaration
  readonly clock: Clock
  /** Ends the plugin. */
  readonly signal: AbortSignal
  /** Where `plugin-bin` is. */
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly fetch: (request: Request) => Promise<Response>
  readonly readHeaders: (secrets: readonly string[]) => Promise<Readonly<Record<string, string>>>
  readonly log: PluginLog
}

type State =
  /** `after`: the failure of the last try, if it was one. */
  | { readonly kind: 'starting'; readonly after: string | null }
  | { readonly kind: 'ready'; readonly process: PluginProcess }
  /** `message` is upstream's chain from `unable to …` on. */
  | { readonly kind: 'failed'; readonly message: string }

const backoff = { initialMs: 1_000, maxMs: 60_000 }

/** How long a plugin may take until it can be asked, as with go-plugin. */
const startTimeoutMs = 60_000

/** How long the file of a plugin may take. */
const downloadTimeoutMs = 300_000

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
      await this.#limited((signal) => process.ping(signal), {
        ms: Math.min(pingTimeoutMs, this.declaration.timeoutMs),
        otherwise: 'no answer to a ping',
      })
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
    const call = this.#limited(
      (over) => process.call(method, question, over),
      { ms: this.declaration.timeoutMs, otherwise: `no answer to ${method}` },
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
      await this.#limited(soon, { ms: timeoutMs, otherwise: 'it did not start' }, signal).catch(
        (error: unknown) => {
          throw new Error(`unable to get plugin client (${name}): ${textOf(error)}`, {
            cause: error,
          })
        },
      )
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
    const process = await this.#start()
    if (signal.aborted) return this.#quit(process)
    log({ ...whoIs(declaration), level: 'info', message: `the plugin works (${process.type})` })
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

  async #start(): Promise<PluginProcess> {
    const { declaration, env, clock, fetch, log, readHeaders } = this.#options
    const { name, kind, location, headersFrom } = declaration
    const prepared = await this.#limited(
      async (signal) => {
        const headers = await readHeaders(headersFrom)
        this.#secrets = Object.values(headers).filter((value) => value !== '')
        if (location.kind === 'service') return { headers, target: location.url }
        const { folder } = this.#options
        return {
          headers,
          target: await obtainFile(declaration, { folder, fetch, headers, signal }),
        }
      },
      { ms: downloadTimeoutMs, otherwise: `${location.text} did not come` },
    ).catch((error: unknown) => {
      throw new Error(`unable to find plugin (${name}): ${textOf(error)}`, { cause: error })
    })
    const start = await starters[protocolOf(declaration)]()
    return this.#limited(
      (signal) =>
        start({
          kind,
          name,
          ...prepared,
          args: declaration.args,
          env,
          clock,
          fetch,
          signal,
          log: (line) => log({ ...whoIs(declaration), ...parseLine(this.#masked(line)) }),
        }),
      { ms: startTimeoutMs, otherwise: 'it did not start' },
    ).catch((error: unknown) => {
      const stage = error instanceof StartFailure ? error.stage : 'get plugin client'
      throw new Error(`unable to ${stage} (${name}): ${textOf(error)}`, { cause: error })
    })
  }

  /** One that answers a ping only had a slow call; any other is of no use to anybody. */
  async #killIfHung(process: PluginProcess): Promise<void> {
    try {
      await this.#limited((signal) => process.ping(signal), {
        ms: pingTimeoutMs,
        otherwise: 'no answer to a ping',
      })
    } catch {
      process.kill()
    }
  }

  /** Work with a deadline; also ends with the keeper and with `outer`. */
  async #limited<T>(
    work: (signal: AbortSignal) => Promise<T>,
    limit: { readonly ms: number; readonly otherwise: string },
    outer?: AbortSignal,
  ): Promise<T> {
    const { clock, signal } = this.#options
    const done = new AbortController()
    const late = new AbortController()
    sleep(clock, limit.ms, done.signal).then(
      () => late.abort(new TookTooLong(`${limit.otherwise} within ${limit.ms / 1000}s`)),
      () => {},
    )
    const over = AbortSignal.any([late.signal, signal, ...(outer ? [outer] : [])])
    try {
      return await work(over)
    } catch (error) {
      // What the abort made of it says less than why there was one.
      if (over.aborted) throw over.reason
      throw error
    } finally {
      done.abort()
    }
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

/** The plugin did not answer in time. */
class TookTooLong extends Error {
  override readonly name = 'TookTooLong'
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

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
