import { type Clock, sleep } from '@serinus/kube'

/** Nobody waits any longer. */
export class TookTooLong extends Error {
  override readonly name = 'TookTooLong'
}

export interface Deadline {
  readonly clock: Clock
  readonly ms: number
  /** What to say of it: `no answer to a ping` becomes `no answer to a ping within 5s`. */
  readonly otherwise: string
  /** What else ends the work. */
  readonly signals: readonly AbortSignal[]
}

/** Gives the work a signal that aborts at the deadline; what it then rejects with is the reason of the abort. */
export async function withDeadline<T>(
  deadline: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, ms, otherwise, signals } = deadline
  const done = new AbortController()
  const late = new AbortController()
  sleep(clock, ms, done.signal).then(
    () => late.abort(new TookTooLong(`${otherwise} within ${ms / 1000}s`)),
    () => {},
  )
  const over = AbortSignal.any([late.signal, ...signals])
  try {
    return await work(over)
  } catch (error) {
    // What the abort made of the work says less than why there was one.
    if (over.aborted) throw over.reason
    throw error
  } finally {
    done.abort()
  }
}
