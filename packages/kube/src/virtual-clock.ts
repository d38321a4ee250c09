import type { Clock } from './clock.ts'
import { Heap } from './heap.ts'

interface Timer {
  readonly at: number
  /** Timers of one instant fire in the order in which they were set. */
  readonly order: number
  cancelled: boolean
  fire(): void
}

/**
 * Turns of the event loop without any new timer after which all work counts as done. Promise chains need none of
 * them (microtasks run dry before each turn); three leave room for code that hops through `setImmediate` or a
 * stream between two waits. Only work on threads or sockets may take longer: it has no place in virtual time.
 */
const quietTurns = 3

/** Turns after which `settle` gives up: code that sets timers of the present instant for ever never gets quiet. */
const mostTurns = 100_000

/**
 * Time that stands still until somebody advances it. Deterministic: timers fire one at a time, ordered by instant
 * and then by when they were set, and everything that one causes is done before the next fires.
 */
export class VirtualClock implements Clock {
  #now: number
  #order = 0
  #cancelled = 0
  #advancing = false
  readonly #timers = new Heap<Timer>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order))

  /** @param startAt epoch milliseconds */
  constructor(startAt: number) {
    this.#now = startAt
  }

  now(): number {
    return this.#now
  }

  /** The instant of the next timer, epoch milliseconds; null: nobody waits for time. */
  get nextTimerAt(): number | null {
    for (;;) {
      const next = this.#timers.peek()
      if (!next) return null
      if (!next.cancelled) return next.at
      this.#timers.pop()
    }
  }

  until(at: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (at <= this.#now) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        timer.cancelled = true
        this.#dropCancelled()
        reject(signal?.reason)
      }
      const timer: Timer = {
        at,
        order: this.#order++,
        cancelled: false,
        fire() {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#timers.push(timer)
    })
  }

  /** Moves time on by `ms`, firing every timer up to and including that instant, also those set on the way. */
  advance(ms: number): Promise<void> {
    return this.advanceTo(this.#now + ms)
  }

  /** As `advance`, to an instant in epoch milliseconds; one in the past only lets present work settle. */
  async advanceTo(at: number): Promise<void> {
    if (this.#advancing) throw new Error('this virtual clock is already being advanced')
    this.#advancing = true
    try {
      await this.settle()
      for (;;) {
        const nextAt = this.nextTimerAt
        if (nextAt === null || nextAt > at) break
        this.#now = Math.max(this.#now, nextAt)
        this.#timers.pop()?.fire()
        await this.settle()
      }
      this.#now = Math.max(this.#now, at)
    } finally {
      this.#advancing = false
    }
  }

  /** Resolves when all work that needs no time to pass is done. */
  async settle(): Promise<void> {
    let seen = this.#order
    for (let quiet = 0, turns = 0; quiet < quietTurns; turns++) {
      if (turns === mostTurns) throw new Error('work in virtual time does not come to rest')
      await new Promise<void>((resolve) => setImmediate(resolve))
      quiet = this.#order === seen ? quiet + 1 : 0
      seen = this.#order
    }
  }

  /** Aborted waits (a request's deadline, say) far in the future must not pile up until their instant. */
  #dropCancelled(): void {
    this.#cancelled++
    if (this.#cancelled < 1000 || this.#cancelled * 2 < this.#timers.size) return
    this.#cancelled = 0
    const alive: Timer[] = []
    for (let timer = this.#timers.pop(); timer; timer = this.#timers.pop()) {
      if (!timer.cancelled) alive.push(timer)
    }
    for (const timer of alive) this.#timers.push(timer)
  }
}
