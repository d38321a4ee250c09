/** What really happened, whatever the metrics say: tests and the demo's summary read it. */
export interface GroundTruth {
  readonly requests: number
  readonly errors: number
  /** Answered 503 because no pod was there to take them. */
  readonly lost: number
}

/** Ground truth of one minute of cluster time. */
export interface MinuteOfTruth extends GroundTruth {
  /** Its begin, epoch milliseconds. */
  readonly at: number
}

const minuteMs = 60_000
/** Minutes kept per version: a day. */
const mostMinutes = 24 * 60
const nothing: GroundTruth = { requests: 0, errors: 0, lost: 0 }

/** Counts by version and minute (spec embedded-cluster 5). */
export class TruthBook {
  readonly #totals = new Map<string, GroundTruth>()
  readonly #minutes = new Map<string, MinuteOfTruth[]>()

  /** @param at epoch milliseconds, never earlier than before */
  add(version: string, at: number, counted: GroundTruth): void {
    this.#totals.set(version, sum(this.total(version), counted))
    const minutes = this.#minutes.get(version) ?? []
    this.#minutes.set(version, minutes)
    const begin = Math.floor(at / minuteMs) * minuteMs
    const last = minutes.at(-1)
    if (last?.at === begin) minutes[minutes.length - 1] = { at: begin, ...sum(last, counted) }
    else minutes.push({ at: begin, ...counted })
    if (minutes.length > mostMinutes) minutes.shift()
  }

  total(version: string): GroundTruth {
    return this.#totals.get(version) ?? nothing
  }

  /** Oldest first; minutes in which nothing happened are left out. */
  byMinute(version: string): readonly MinuteOfTruth[] {
    return this.#minutes.get(version) ?? []
  }
}

function sum(a: GroundTruth, b: GroundTruth): GroundTruth {
  return { requests: a.requests + b.requests, errors: a.errors + b.errors, lost: a.lost + b.lost }
}
