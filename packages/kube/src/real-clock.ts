import type { Clock } from './clock.ts'

/** The longest delay that `setTimeout` takes; a longer one would fire at once. */
const longestTimeoutMs = 2 ** 31 - 1

/**
 * The time of this machine. Follows the wall clock when it is set forward (also after the machine slept) and
 * runs on by the monotonic clock when it is set back, so `now()` never goes back.
 */
export class RealClock implements Clock {
  #offsetMs = Number.NEGATIVE_INFINITY

  now(): number {
    const monotonicMs = performance.now()
    this.#offsetMs = Math.max(this.#offsetMs, Date.now() - monotonicMs)
    return Math.floor(monotonicMs + this.#offsetMs)
  }

  until(at: number, signal?: AbortSignal): Promise<void> {
    return untilTimeout({ at, signal, now: () => this.now(), realMsFor: (ms) => ms })
  }
}

/**
 * Runs `factor` times as fast as the machine's time (> 0; 60 makes an hour last a minute), starting at `startAt`
 * (epoch milliseconds; absent: the machine's present time).
 */
export class ScaledClock implements Clock {
  readonly #factor: number
  readonly #startAt: number
  readonly #startedMs = performance.now()

  constructor(options: { factor: number; startAt?: number }) {
    if (!(options.factor > 0 && Number.isFinite(options.factor))) {
      throw new RangeError(`a clock cannot run ${options.factor} times as fast`)
    }
    this.#factor = options.factor
    this.#startAt = options.startAt ?? Date.now()
  }

  now(): number {
    return Math.floor(this.#startAt + (performance.now() - this.#startedMs) * this.#factor)
  }

  until(at: number, signal?: AbortSignal): Promise<void> {
    return untilTimeout({
      at,
      signal,
      now: () => this.now(),
      realMsFor: (ms) => ms / this.#factor,
    })
  }
}

function untilTimeout(timer: {
  at: number
  signal: AbortSignal | undefined
  now: () => number
  realMsFor: (ms: number) => number
}): Promise<void> {
  const { at, signal, now, realMsFor } = timer
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    let timeout: ReturnType<typeof setTimeout> | undefined
    const onAbort = () => {
      clearTimeout(timeout)
      reject(signal?.reason)
    }
    // setTimeout may fire a millisecond early and takes at most 24.8 days: look again until it is time.
    const look = () => {
      const restMs = at - now()
      if (restMs <= 0) {
        signal?.removeEventListener('abort', onAbort)
        return resolve()
      }
      timeout = setTimeout(look, Math.min(Math.ceil(realMsFor(restMs)), longestTimeoutMs))
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    look()
  })
}
