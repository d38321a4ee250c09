import type { Clock } from './clock.ts'

/** Resolves when `ms` milliseconds of the clock have passed. Rejects with the signal's reason when it aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return clock.until(clock.now() + ms, signal)
}
