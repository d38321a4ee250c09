import type { Clock, LeaseEvent } from '@serinus/kube'

export interface LivenessOptions {
  readonly clock: Clock
  /** A queue in which nothing has moved for so long; null: none. */
  readonly stuckQueue: (longerThanMs: number) => string | null
}

/** Longer than a hanging request may last, so that a slow API restarts nobody. */
const stuckAfterMs = 180_000

/** The lease is asked for every few seconds, an attempt that hangs ends after ten. */
const silentAfterMs = 60_000

/** What was under way when the lease was lost must have ended by then. */
const drainMs = 60_000

/**
 * Whether this process still does what it is for: a restart would help where it does not. An API that is away is no
 * reason, since the process waits for it in place (spec operations, falls short 6 and 11).
 */
export class Liveness {
  readonly #options: LivenessOptions
  #lease: { readonly state: 'standby' | 'leading' | 'ending'; readonly at: number }

  constructor(options: LivenessOptions) {
    this.#options = options
    this.#lease = { state: 'standby', at: options.clock.now() }
  }

  onLease(event: LeaseEvent): void {
    const at = this.#options.clock.now()
    if (event.kind === 'lost') this.#lease = { state: 'ending', at }
    else if (event.kind === 'acquired') this.#lease = { state: 'leading', at }
    else if (this.#lease.state === 'leading') this.#lease = { state: 'leading', at }
  }

  /** All work of a term has ended. */
  onTermOver(): void {
    this.#lease = { state: 'standby', at: this.#options.clock.now() }
  }

  /** What is wrong; null: nothing. */
  problem(): string | null {
    const { state, at } = this.#lease
    const sinceMs = this.#options.clock.now() - at
    if (state === 'leading' && sinceMs > silentAfterMs) {
      return `the lease was neither renewed nor refused for ${Math.round(sinceMs / 1000)} s`
    }
    if (state === 'ending' && sinceMs > drainMs) {
      return `work goes on ${Math.round(sinceMs / 1000)} s after the lease was lost`
    }
    const queue = this.#options.stuckQueue(stuckAfterMs)
    return queue === null
      ? null
      : `nothing has moved in queue ${queue} for ${stuckAfterMs / 1000} s`
  }
}
