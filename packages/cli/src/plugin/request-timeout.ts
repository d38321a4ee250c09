import type { Clock, Transport } from '@serinus/kube'
import { durationFlag } from './duration-flag.ts'

/** Milliseconds of `--request-timeout`: seconds, or a duration with its unit; 0 for no limit (spec cli 1.3). */
export function requestTimeoutMs(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 1000 : durationFlag(text)
}

/** Gives every request this long for the beginning of its answer; the stream of a watch is not cut later. */
export function withTimeout(
  transport: Transport,
  limit: { readonly clock: Clock; readonly timeoutMs: number },
): Transport {
  const { clock, timeoutMs } = limit
  if (timeoutMs === 0) return transport
  return async (request) => {
    const answered = new AbortController()
    const late = clock.until(clock.now() + timeoutMs, answered.signal).then(() => {
      throw new Error(`${request.method} ${request.url}: no answer within ${timeoutMs / 1000} s`)
    })
    try {
      return await Promise.race([transport(request), late])
    } finally {
      answered.abort()
      late.catch(() => {})
    }
  }
}
