import type { Window } from './store.ts'

/** The window a range function looks through: after `start`, until `end`, both epoch milliseconds. */
export interface Bounds {
  readonly start: number
  readonly end: number
}

/**
 * rate, increase and delta: the change between the first and the last sample, counter resets added back, then
 * extrapolated to the bounds of the window. Undefined with fewer than two samples.
 *
 * The extrapolation reaches a bound if the next sample would have been due there (up to 1.1 mean intervals);
 * else it goes half an interval beyond the samples. A counter is never extrapolated below zero.
 * Samples 10 at 15 s … 40 at 60 s in a window of 0–60 s: the increase of 30 in 45 s becomes 40.
 */
export function extrapolated(
  { times, values }: Window,
  { bounds, counter, perSecond }: { bounds: Bounds; counter: boolean; perSecond: boolean },
): number | undefined {
  const last = times.length - 1
  if (last < 1) return undefined
  const first = values[0] as number
  let change = (values[last] as number) - first
  if (counter) {
    for (let i = 1; i <= last; i++) {
      const previous = values[i - 1] as number
      if ((values[i] as number) < previous) change += previous
    }
  }
  const sampled = ((times[last] as number) - (times[0] as number)) / 1000
  const interval = sampled / last
  const threshold = interval * 1.1
  let toStart = ((times[0] as number) - bounds.start) / 1000
  let toEnd = (bounds.end - (times[last] as number)) / 1000
  if (toStart >= threshold) toStart = interval / 2
  if (counter && change > 0 && first >= 0) toStart = Math.min(toStart, sampled * (first / change))
  if (toEnd >= threshold) toEnd = interval / 2
  const factor = (sampled + toStart + toEnd) / sampled
  return change * (perSecond ? factor / ((bounds.end - bounds.start) / 1000) : factor)
}

/** irate and idelta: from the last two samples only. */
export function instant(
  { times, values }: Window,
  { perSecond }: { perSecond: boolean },
): number | undefined {
  const last = times.length - 1
  if (last < 1) return undefined
  const seconds = ((times[last] as number) - (times[last - 1] as number)) / 1000
  if (seconds === 0) return undefined
  const current = values[last] as number
  const previous = values[last - 1] as number
  if (!perSecond) return current - previous
  return (current < previous ? current : current - previous) / seconds
}
