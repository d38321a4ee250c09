import { sleep } from '@serinus/kube'
import type { MeasureInput } from './provider.ts'

const mostRetries = 3
const longestWaitMs = 30_000

/**
 * Calls again, at most three times, while the outcome asks for it; 1, 2 and 4 s lie between. Rejects with the reason of
 * the signal when the deadline falls into a wait.
 */
export async function withRetries<T>(
  input: Pick<MeasureInput, 'clock' | 'signal'>,
  call: () => Promise<T>,
  isToRepeat: (outcome: T) => boolean,
): Promise<T> {
  for (let retry = 0; ; retry++) {
    const outcome = await call()
    if (retry === mostRetries || !isToRepeat(outcome)) return outcome
    await sleep(input.clock, Math.min(1_000 * 2 ** retry, longestWaitMs), input.signal)
  }
}
