/**
 * The only source of time (design 2: "time only through a Clock").
 * Instants are epoch milliseconds, the same scale in real, scaled and virtual time.
 */
export interface Clock {
  /** The present instant, epoch milliseconds. Never goes back. */
  now(): number
  /** Resolves once `now() >= at`, at once when that is already so. Rejects with the signal's reason when it aborts. */
  until(at: number, signal?: AbortSignal): Promise<void>
}
