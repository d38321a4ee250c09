import type { Look, Requests } from './sequential-test.ts'

/** What the counters of one side show; null where there is no such series. */
export interface SideReading {
  readonly total: number | null
  /** null while there is a total: no request has been bad yet. */
  readonly bad: number | null
}

/** Counters that only grow, read at one instant. */
export interface Reading {
  readonly canary: SideReading
  readonly stable?: SideReading
}

/** Where the next difference is taken from. */
export interface Baseline {
  readonly canary: Requests
  readonly stable?: Requests
}

/** What came between two readings: a look, or why there is none. */
export interface Difference {
  readonly look: Look | null
  /** To keep for the next reading; null while there has been none. */
  readonly baseline: Baseline | null
  /** What a user should know of it; empty where all is well. */
  readonly note: string
}

/**
 * The requests since the reading before. Differences of raw counters neither overlap nor leave gaps, whatever the interval:
 * what one look misses, the next one holds. The first reading only starts the counting, since a counter may hold
 * the requests of earlier versions. A counter that falls was started anew, and what it lost is unknown: that look is
 * dropped, for both sides, so that both always speak of the same time.
 */
export function differenceOf(before: Baseline | null, now: Reading): Difference {
  const wait = (note: string): Difference => ({ look: null, baseline: before, note })
  const sides = [
    ['canary', now.canary] as const,
    ...(now.stable ? [['stable', now.stable] as const] : []),
  ]
  for (const [name, reading] of sides)
    if (reading.total === null) return wait(`total of the ${name} side has no series`)
  const baseline: Baseline = {
    canary: requestsOf(now.canary),
    ...(now.stable ? { stable: requestsOf(now.stable) } : {}),
  }
  if (!before) return { look: null, baseline, note: '' }
  const look = {
    canary: minus(baseline.canary, before.canary),
    ...(baseline.stable ? { stable: minus(baseline.stable, before.stable) } : {}),
  }
  for (const [name, { bad, total }] of Object.entries(look)) {
    if (bad < 0 || total < 0) {
      const note = `a counter of the ${name} side was started anew: this look is left out`
      return { look: null, baseline, note }
    }
    // Counters that are read one after the other may disagree for a moment; the next look holds both.
    if (bad > total)
      return wait(
        `bad of the ${name} side grew by ${bad}, total only by ${total}: bad requests must be part of total`,
      )
  }
  return { look, baseline, note: '' }
}

function requestsOf({ total, bad }: SideReading): Requests {
  return { bad: bad ?? 0, total: total ?? 0 }
}

function minus(now: Requests, before: Requests = { bad: 0, total: 0 }): Requests {
  return { bad: now.bad - before.bad, total: now.total - before.total }
}
