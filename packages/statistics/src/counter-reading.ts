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

interface Counters {
  readonly canary: Requests
  readonly stable?: Requests
}

/** Where the next difference is taken from. */
export interface Baseline extends Counters {
  /** The last reading, where it lay below: of counters that were started anew, or an answer from the past. */
  readonly fallen?: Counters
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
 * the requests of earlier versions.
 *
 * A counter that falls was started anew, or a source was asked that lags behind the one before, such as the other
 * Prometheus of a pair, or a clock was set back. Counting on from there would count the requests in between twice, so the next
 * reading decides: one that is still below comes from counters that were started anew, and is counted from the fall; one that
 * is not below any more only starts the counting again. What was lost is lost for both sides, so that both always
 * speak of the same time.
 */
export function differenceOf(before: Baseline | null, now: Reading): Difference {
  const wait = (note: string): Difference => ({ look: null, baseline: before, note })
  const sides = [
    ['canary', now.canary] as const,
    ...(now.stable ? [['stable', now.stable] as const] : []),
  ]
  for (const [name, reading] of sides)
    if (reading.total === null) return wait(`total of the ${name} side has no series`)
  const counters: Counters = {
    canary: requestsOf(now.canary),
    ...(now.stable ? { stable: requestsOf(now.stable) } : {}),
  }
  if (!before) return { look: null, baseline: counters, note: '' }
  const { fallen, ...highest } = before
  const isLower = lowerSide(growth(highest, counters))
  const look = growth(fallen ?? highest, counters)
  const fell = lowerSide(look)
  if (fell !== undefined) {
    const note = `a counter of the ${fell} side fell: the next look tells whether it was started anew`
    return { look: null, baseline: { ...highest, fallen: counters }, note }
  }
  if (fallen && isLower === undefined) {
    const note = 'the counters are back where they fell from: this look is left out'
    return { look: null, baseline: counters, note }
  }
  // Counters that are read one after the other may disagree for a moment; the next look holds both.
  for (const [name, { bad, total }] of Object.entries(look)) {
    if (bad > total)
      return wait(
        `bad of the ${name} side grew by ${bad}, total only by ${total}: bad requests must be part of total`,
      )
  }
  const note = fallen ? `a counter of the ${isLower} side was started anew` : ''
  return { look, baseline: counters, note }
}

function growth(before: Counters, now: Counters): Counters {
  return {
    canary: minus(now.canary, before.canary),
    ...(now.stable ? { stable: minus(now.stable, before.stable) } : {}),
  }
}

function lowerSide(grown: Counters): string | undefined {
  return Object.entries(grown).find(([, { bad, total }]) => bad < 0 || total < 0)?.[0]
}

function requestsOf({ total, bad }: SideReading): Requests {
  return { bad: bad ?? 0, total: total ?? 0 }
}

function minus(now: Requests, before: Requests = { bad: 0, total: 0 }): Requests {
  return { bad: now.bad - before.bad, total: now.total - before.total }
}
