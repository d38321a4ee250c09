import type { Clock } from '@serinus/kube'

/** Lets one loop sleep until something happens, a time comes or everything ends, whichever is first. */
export class Bell {
  #rung = new AbortController()

  /** Ends the present or, when nobody sleeps, the next sleep. */
  readonly ring = (): void => this.#rung.abort()

  /** @param at epoch milliseconds; infinity for no time */
  async sleep(until: { readonly clock: Clock; readonly at: number; readonly signal: AbortSignal }) {
    const wake = AbortSignal.any([this.#rung.signal, until.signal])
    // An abort is the awaited event, not a failure.
    await until.clock.until(until.at, wake).catch(() => {})
    if (this.#rung.signal.aborted) this.#rung = new AbortController()
  }
}
