import type { KubeClient } from './client.ts'
import type { Clock } from './clock.ts'
import { wrapClient } from './wrap-client.ts'

/** A token bucket, as `--qps` and `--burst` set it. */
export interface RateLimitOptions {
  readonly clock: Clock
  /** Requests per second in the long run; 0 or less: no limit. Upstream's default is 40 (spec operations 1.1). */
  readonly qps: number
  /** Requests that may go at once after a rest. Upstream's default is 80. */
  readonly burst: number
}

/**
 * A client whose requests wait for a token, first come, first served, as client-go's do (spec operations 5.1). The
 * start of a watch takes one token, a list takes one however many pages it has. An abort while waiting rejects with
 * the signal's reason.
 */
export function limitRate(client: KubeClient, options: RateLimitOptions): KubeClient {
  if (!(options.qps > 0)) return client
  const { clock, qps, burst } = options
  const gapMs = 1000 / qps
  /** When the bucket was, or will be, empty but for the token of the next request. */
  let nextAt = Number.NEGATIVE_INFINITY
  return wrapClient(client, (_request, signal) => {
    const now = clock.now()
    // A bucket that rested long enough is full: burst tokens lie before now.
    const at = Math.max(nextAt, now - (Math.max(burst, 1) - 1) * gapMs)
    nextAt = at + gapMs
    return at <= now ? undefined : clock.until(Math.ceil(at), signal)
  })
}
