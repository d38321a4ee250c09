import { ApiError } from './client.ts'
import type { Clock } from './clock.ts'
import { Heap } from './heap.ts'
import { WaitingLine } from './waiting-line.ts'

/** What happens to a key, for the metrics of a queue. Durations are milliseconds. */
export type WorkQueueEvent =
  | { readonly kind: 'added'; readonly key: string }
  | { readonly kind: 'started'; readonly key: string; readonly waitedMs: number }
  | { readonly kind: 'finished'; readonly key: string; readonly tookMs: number }
  | {
      readonly kind: 'retried'
      readonly key: string
      readonly failures: number
      readonly at: number
    }

/** What a queue does with its keys, and how many at a time. */
export interface WorkQueueOptions {
  readonly clock: Clock
  /** How many keys are processed at the same time. */
  readonly workers: number
  /**
   * A rejection means: try this key again after its back-off. The signal is the one given to `run`: it says that
   * the queue is stopping, not that this key must.
   */
  readonly process: (key: string, signal: AbortSignal) => Promise<void>
  readonly onError?: (key: string, error: unknown) => void
  /**
   * Which of the waiting keys go first: those of the lowest rank, a small whole number from 0, though none is passed
   * over for ever (`WaitingLine`). Asked at each `add`, so it must be cheap. Absent: first come, first served.
   */
  readonly rankOf?: (key: string) => number
  /** Absent: 1 ms doubling to 10 s (argo-rollouts: utils/queue/queue.go, spec rollout-controller 1.2). */
  readonly backoff?: { readonly initialMs: number; readonly maxMs: number }
  readonly observe?: (event: WorkQueueEvent) => void
}

interface Due {
  readonly key: string
  readonly at: number
  readonly order: number
  readonly why: 'asked' | 'retry'
}

/**
 * Keys to work on. A key waits once however often it is added, is processed by one worker at a time, and runs once
 * more afterwards when it is added while being processed.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #backoff: { readonly initialMs: number; readonly maxMs: number }
  /** Keys that may start now, with the instant since when. */
  readonly #waiting = new WaitingLine<number>()
  readonly #processing = new Set<string>()
  /** Keys added while being processed. */
  readonly #again = new Set<string>()
  readonly #failures = new Map<string, number>()
  /** The valid entry of each key in `#due`; others there are stale. */
  readonly #asked = new Map<string, Due>()
  readonly #retries = new Map<string, Due>()
  readonly #due = new Heap<Due>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order))
  #order = 0
  #timer: { readonly at: number; readonly cancel: AbortController } | undefined
  #signal: AbortSignal | undefined
  #pumping = false
  #idle: (() => void) | undefined

  constructor(options: WorkQueueOptions) {
    this.#options = options
    this.#backoff = options.backoff ?? { initialMs: 1, maxMs: 10_000 }
  }

  /** Keys that wait for a worker, without those that wait for their instant. */
  get length(): number {
    return this.#waiting.size
  }

  /** Keys that are being processed. */
  get processing(): number {
    return this.#processing.size
  }

  /** Asks for the key now. */
  add(key: string): void {
    if (this.#signal?.aborted) return
    if (this.#processing.has(key)) {
      if (this.#again.has(key)) return
      this.#again.add(key)
    } else {
      if (!this.#enter(key)) return
    }
    this.#options.observe?.({ kind: 'added', key })
    this.#pump()
  }

  /** Asks for the key at an instant, epoch milliseconds. Of several instants for one key the earliest counts. */
  addAt(key: string, at: number): void {
    if (this.#signal?.aborted) return
    if (at <= this.#options.clock.now()) {
      this.add(key)
      return
    }
    const known = this.#asked.get(key)
    if (known && known.at <= at) return
    this.#schedule(this.#asked, { key, at, order: this.#order++, why: 'asked' })
  }

  /**
   * Works until the signal aborts, then starts nothing more and resolves when the keys in work are done. May be
   * called once; keys added before wait for it, keys added after the abort are ignored.
   */
  run(signal: AbortSignal): Promise<void> {
    if (this.#signal) throw new Error('this queue has been started already')
    this.#signal = signal
    return new Promise<void>((resolve) => {
      this.#idle = resolve
      const stop = () => {
        this.#timer?.cancel.abort()
        this.#waiting.clear()
        this.#again.clear()
        this.#settle()
      }
      if (signal.aborted) return stop()
      signal.addEventListener('abort', stop, { once: true })
      this.#arm()
      this.#pump()
    })
  }

  /** Starts keys in a microtask: the handler that adds one never runs the work inside itself. */
  #pump(): void {
    if (this.#pumping || !this.#signal) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      while (this.#processing.size < this.#options.workers) {
        const next = this.#waiting.next()
        if (!next) break
        void this.#work(next.name, next.value)
      }
    })
  }

  #enter(key: string): boolean {
    return this.#waiting.join(key, this.#options.rankOf?.(key) ?? 0, this.#options.clock.now())
  }

  async #work(key: string, since: number): Promise<void> {
    const { clock, process, observe, onError } = this.#options
    const signal = this.#signal as AbortSignal // a key starts only after run()
    const startedAt = clock.now()
    this.#processing.add(key)
    observe?.({ kind: 'started', key, waitedMs: startedAt - since })
    try {
      await process(key, signal)
      this.#failures.delete(key)
      this.#retries.delete(key)
    } catch (error) {
      if (!signal.aborted) this.#retry(key, error)
      onError?.(key, error)
    } finally {
      this.#processing.delete(key)
      observe?.({ kind: 'finished', key, tookMs: clock.now() - startedAt })
      if (this.#again.delete(key)) this.#enter(key)
      if (signal.aborted) this.#settle()
      else this.#pump()
    }
  }

  #retry(key: string, error: unknown): void {
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    const backoffMs = Math.min(this.#backoff.initialMs * 2 ** (failures - 1), this.#backoff.maxMs)
    const askedMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0
    const at = this.#options.clock.now() + Math.max(backoffMs, askedMs)
    this.#schedule(this.#retries, { key, at, order: this.#order++, why: 'retry' })
    this.#options.observe?.({ kind: 'retried', key, failures, at })
  }

  #schedule(valid: Map<string, Due>, due: Due): void {
    valid.set(due.key, due)
    this.#due.push(due)
    this.#arm()
  }

  /** One timer for the earliest instant, so that ten thousand waiting keys cost one. */
  #arm(): void {
    const signal = this.#signal
    if (!signal || signal.aborted) return
    const next = this.#nextDue()
    if (!next || (this.#timer && this.#timer.at <= next.at)) return
    this.#timer?.cancel.abort()
    const timer = { at: next.at, cancel: new AbortController() }
    this.#timer = timer
    this.#options.clock.until(next.at, timer.cancel.signal).then(
      () => {
        this.#timer = undefined
        this.#addDue()
        this.#arm()
      },
      () => {}, // replaced by an earlier one, or the queue stopped
    )
  }

  #addDue(): void {
    const now = this.#options.clock.now()
    for (let next = this.#nextDue(); next && next.at <= now; next = this.#nextDue()) {
      this.#due.pop()
      this.#validOf(next).delete(next.key)
      this.add(next.key)
    }
  }

  #nextDue(): Due | undefined {
    for (;;) {
      const next = this.#due.peek()
      if (!next || this.#validOf(next).get(next.key) === next) return next
      this.#due.pop()
    }
  }

  #validOf(due: Due): Map<string, Due> {
    return due.why === 'asked' ? this.#asked : this.#retries
  }

  #settle(): void {
    if (this.#processing.size === 0) this.#idle?.()
  }
}
