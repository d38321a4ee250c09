import type { Clock } from './clock.ts'
import { WaitingLine } from './waiting-line.ts'

/** How many tokens there are. */
export interface TokenBucketOptions {
  readonly clock: Clock
  /** Tokens per second in the long run; more than 0. */
  readonly perSecond: number
  /** Tokens that may be taken at once after a rest. */
  readonly burst: number
}

/** Tokens that come at a rate. Who finds none waits in line, lower ranks first (`WaitingLine`). */
export class TokenBucket {
  readonly #clock: Clock
  readonly #gapMs: number
  readonly #burst: number
  readonly #line = new WaitingLine<() => void>()
  /** When the bucket was, or will be, empty but for the token of the next taker. */
  #nextAt = Number.NEGATIVE_INFINITY
  #takers = 0
  #timer: AbortController | undefined

  constructor(options: TokenBucketOptions) {
    this.#clock = options.clock
    this.#gapMs = 1000 / options.perSecond
    this.#burst = Math.max(options.burst, 1)
  }

  /** Undefined: taken at once. Rejects with the signal's reason when that aborts before. */
  take(rank: number, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (this.#line.size === 0 && this.#takeOne()) return undefined
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const name = String(this.#takers++)
      const onAbort = () => {
        this.#line.leave(name)
        if (this.#line.size === 0) this.#timer?.abort()
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#line.join(name, rank, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      this.#arm()
    })
  }

  #takeOne(): boolean {
    const now = this.#clock.now()
    // A bucket that rested long enough is full: burst tokens lie before now.
    const at = Math.max(this.#nextAt, now - (this.#burst - 1) * this.#gapMs)
    if (at > now) return false
    this.#nextAt = at + this.#gapMs
    return true
  }

  #arm(): void {
    if (this.#line.size === 0 || (this.#timer && !this.#timer.signal.aborted)) return
    const timer = new AbortController()
    this.#timer = timer
    this.#clock.until(Math.ceil(this.#nextAt), timer.signal).then(
      () => {
        this.#timer = undefined
        while (this.#line.size > 0 && this.#takeOne()) this.#line.next()?.value()
        this.#arm()
      },
      () => {}, // nobody waits any more
    )
  }
}
