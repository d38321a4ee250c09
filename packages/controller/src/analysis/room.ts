import { type AnalysisRun, defaults } from '@serinus/api'
import type { Answer } from '@serinus/engine'

type Stored = Omit<Answer, 'metric' | 'serial'>
interface Asked {
  readonly run: AnalysisRun
  /** Its name. */
  readonly metric: string
}
type Texts = Readonly<Record<string, string>>

/** What the texts of all measurements of a run may come to, bytes of JSON: etcd takes objects of 1.5 MB, the rest included. */
const roomOfRun = 800_000
const mostPerMeasurement = 32_768
const leastPerMeasurement = 256
/** A message is repeated by the run, its Rollout and their events. */
const longestMessage = 4096
/** The counts of a metric with a test are read whole and then stored without their parts. */
const longestCounts = 32_768

/**
 * The answer with its texts as long as the run has room for, whatever its source said: a run that is too large to be stored
 * would never end, nor its release. A text that is cut says so; the verdict was made of all of it.
 */
export function fitted(answer: Stored, { run, metric }: Asked): Stored {
  const room = roomPerMeasurement(run)
  const isTested = run.spec.metrics?.some(({ name, test }) => name === metric && test) ?? false
  const { value, message, metadata, ...rest } = answer.measurement
  return {
    ...(answer.metadata ? { metadata: fittedAll(answer.metadata, room) } : {}),
    measurement: {
      ...rest,
      ...(value === undefined ? {} : { value: cut(value, isTested ? longestCounts : room / 2) }),
      ...(message ? { message: cut(message, Math.min(room / 4, longestMessage)) } : {}),
      ...(metadata ? { metadata: fittedAll(metadata, room / 4) } : {}),
    },
  }
}

/** Example: a run of two metrics with ten measurements each has 32,768 bytes for each of them, one of ten metrics 7,272. */
function roomPerMeasurement({ spec }: AnalysisRun): number {
  const limits = (spec.measurementRetention ?? []).map(({ limit = 0 }) => limit)
  const kept = Math.max(defaults.measurementsPerMetric, ...limits) + 1
  const share = Math.floor(roomOfRun / (kept * Math.max(1, spec.metrics?.length ?? 0)))
  return Math.min(mostPerMeasurement, Math.max(leastPerMeasurement, share))
}

/** The short ones stay whole; the long ones share what these leave. */
function fittedAll(texts: Texts, room: number): Texts {
  const shortestFirst = Object.entries(texts).sort(([, a], [, b]) => a.length - b.length)
  let left = room
  const fits = shortestFirst.map(([key, text], index) => {
    const short = cut(text, left / (shortestFirst.length - index))
    left -= sizeOf(short)
    return [key, short] as const
  })
  const byKey = new Map(fits)
  return Object.fromEntries(Object.keys(texts).map((key) => [key, byKey.get(key) ?? '']))
}

function cut(text: string, bytes: number): string {
  if (text.length <= bytes && sizeOf(text) <= bytes) return text
  const note = `… (cut: ${text.length} characters)`
  let kept = text.slice(0, Math.max(0, bytes - sizeOf(note)))
  for (let over = 1; over > 0 && kept !== ''; ) {
    over = sizeOf(kept + note) - bytes
    // No character has more than six bytes, so that this never takes away too much.
    if (over > 0) kept = kept.slice(0, -Math.ceil(over / 6))
  }
  // Half of a character that takes two places would be none.
  return kept.replace(/[\ud800-\udbff]$/, '') + note
}

/** As JSON has it. */
function sizeOf(text: string): number {
  return Buffer.byteLength(JSON.stringify(text))
}
