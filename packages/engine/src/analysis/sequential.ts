import {
  defaults,
  type Measurement,
  type Metric,
  type MetricResult,
  parseNumber,
} from '@serinus/api'
import {
  type Baseline,
  decide,
  differenceOf,
  type Evidence,
  endOfLook,
  evidenceAgainst,
  evidenceInFavour,
  noEvidence,
  type Reading,
  type Requests,
  type SequentialTest,
  type SideReading,
  withPart,
} from '@serinus/statistics'
import type { Assessment } from './assess.ts'

/**
 * What a metric with a test knows, kept as text in its result: the measurements that it was made of may be trimmed, and a
 * controller that starts anew goes on from it.
 */
interface TestState {
  readonly baseline: Baseline | null
  /** End of the newest part that was looked at, epoch milliseconds; absent where looks have no parts. */
  readonly at?: number
  readonly evidence: Evidence
  readonly verdict: 'reject' | 'accept' | null
}

const stateKey = 'SequentialTest'

const start: TestState = { baseline: null, evidence: noEvidence, verdict: null }

/**
 * Judges what the counters showed by all that was seen before, and keeps it with the metric. The answer of a provider and
 * the evidence are stored in one write, so that no reading counts twice or is lost.
 *
 * @param metrics how many metrics of the run share alpha
 */
export function tested(
  metric: Metric,
  result: MetricResult,
  answer: { readonly measurement: Measurement; readonly metrics: number },
): { readonly result: MetricResult; readonly measurement: Measurement } {
  const { measurement } = answer
  if (measurement.phase !== 'Successful') return { result, measurement }
  const readings = readingsOf(measurement.value)
  if (!readings) {
    const value = measurement.value?.slice(0, 200) ?? ''
    const message = `test needs counts, and the provider gave ${value || 'nothing'}`
    return { result, measurement: { ...measurement, phase: 'Error', value, message } }
  }
  const how = sequentialTest(metric, answer.metrics)
  const before = stateOf(result)
  let { baseline, at, evidence } = before
  const notes = new Set<string>()
  for (const reading of newIn(readings, before)) {
    const difference = differenceOf(baseline, reading)
    baseline = difference.baseline
    at = reading.at
    if (difference.look) evidence = withPart(how, evidence, difference.look)
    if (difference.note) notes.add(difference.note)
    if (decide(how, evidence) === 'reject') break
  }
  evidence = endOfLook(how, evidence)
  const decision = decide(how, evidence)
  const verdict = decision === 'continue' || !mayEnd(metric, decision) ? null : decision
  const state: TestState = { baseline, ...(at === undefined ? {} : { at }), evidence, verdict }
  const note = [...notes].join('; ')
  return {
    result: { ...result, metadata: { ...result.metadata, [stateKey]: JSON.stringify(state) } },
    measurement: {
      ...measurement,
      ...(at === undefined ? {} : { value: withoutParts(measurement.value) }),
      ...(verdict === 'reject' ? { phase: 'Failed' } : {}),
      metadata: {
        ...measurement.metadata,
        observed: observed(metric, evidence),
        evidence: `${short(evidenceAgainst(evidence))} of ${short(1 / how.alpha)} for a failure, ${short(evidenceInFavour(how, evidence))} of ${short(1 / how.beta)} for an early success`,
        ...(note ? { note } : {}),
      },
    },
  }
}

/** Without a count the metric is there to watch as long as the run goes on: it never ends early. */
function mayEnd(metric: Metric, decision: 'reject' | 'accept'): boolean {
  return decision === 'reject' || defaults.effectiveCount(metric) !== null
}

/** What the test says of the metric so far; null: to go on, or the metric has no test. */
export function testVerdict(
  metric: Metric,
  result: MetricResult,
): { readonly phase: Assessment['phase']; readonly text: string } | null {
  if (!metric.test) return null
  const { verdict, evidence } = stateOf(result)
  // The number of metrics that share alpha has done its work when the verdict was made.
  const how = sequentialTest(metric, 1)
  switch (verdict) {
    case 'reject':
      return {
        phase: 'Failed',
        text: `${observed(metric, evidence)}: more than a healthy canary shows, with ${confidence(how)} confidence`,
      }
    case 'accept':
      return { phase: 'Successful', text: observed(metric, evidence) }
    case null:
      return unseen(metric, result, evidence)
    default:
      throw new TypeError(`unknown verdict: ${JSON.stringify(verdict satisfies never)}`)
  }
}

/** A canary that nobody has seen at work has passed no test. */
function unseen(metric: Metric, result: MetricResult, { canary }: Evidence) {
  const count = defaults.effectiveCount(metric)
  const { minimumSample } = sequentialTest(metric, 1)
  if (count === null || (result.count ?? 0) < count) return null
  if (canary.total >= Math.max(1, minimumSample)) return null
  return {
    phase: 'Inconclusive' as const,
    text: `only ${canary.total} requests of the canary were seen, fewer than minimumSample (${minimumSample})`,
  }
}

function sequentialTest({ test = {} }: Metric, metrics: number): SequentialTest {
  const number = (value: number | string | undefined) =>
    value === undefined ? undefined : parseNumber(value)
  const [bound, relativeBound] = [number(test.bound), number(test.relativeBound)]
  return {
    ...(bound === undefined ? {} : { bound }),
    ...(relativeBound === undefined ? {} : { relativeBound }),
    alpha: (number(test.alpha) ?? defaults.test.alpha) / metrics,
    beta: number(test.beta) ?? defaults.test.beta,
    minimumSample: test.minimumSample ?? defaults.test.minimumSample,
  }
}

/** What is no state of ours, since somebody has edited it, is none. */
function stateOf(result: MetricResult): TestState {
  const text = result.metadata?.[stateKey]
  if (text === undefined) return start
  try {
    const state: Partial<TestState> = JSON.parse(text)
    return state.evidence && isWhole(state.evidence) ? { ...start, ...state } : start
  } catch {
    return start
  }
}

function isWhole({ against, inFavour }: Partial<Evidence>): boolean {
  if (!Array.isArray(against) || !inFavour) return false
  const wealths = [...against, inFavour.absolute?.wealth, inFavour.relative?.wealth]
  return wealths.every((wealth) => typeof wealth === 'number')
}

/** Counters at one instant: at the end of a part of a look, or, without a time, when the look was taken. */
type TimedReading = Reading & { readonly at?: number }

/**
 * The value of the provider `counts`: `{"canary":{"bad":1,"total":20}}`, or its parts, oldest first:
 * `{"canary":…,"parts":[{"at":1786963271000,"canary":{"bad":1,"total":20}}]}`.
 */
function readingsOf(value: string | undefined): readonly TimedReading[] | null {
  try {
    const { parts, ...whole } = JSON.parse(value ?? '')
    const readings: readonly unknown[] = Array.isArray(parts) ? parts : [whole]
    return readings.every(isReading) ? readings : null
  } catch {
    return null
  }
}

function isReading(reading: unknown): reading is TimedReading {
  const { at, canary, stable } = Object(reading)
  const isTime = at === undefined || typeof at === 'number'
  return isTime && isSide(canary) && (stable === undefined || isSide(stable))
}

/**
 * What came after the last look. Parts reach further back than the last look did, so that one that comes late still has
 * all its parts; time before the oldest belongs to it. Who has seen nothing yet starts from the newest, since the
 * parts before it are older than the analysis.
 */
function newIn(readings: readonly TimedReading[], { at: seenUntil }: TestState) {
  if (seenUntil === undefined) return readings.slice(-1)
  return readings.filter(({ at }) => at === undefined || at > seenUntil)
}

/** Parts have done their work: measurements are kept, and sixty parts each would swell the run. */
function withoutParts(value = ''): string {
  const { parts: _, ...whole } = JSON.parse(value)
  return JSON.stringify(whole)
}

function isSide(side: unknown): side is SideReading {
  if (typeof side !== 'object' || side === null) return false
  const { bad, total } = side as { bad?: unknown; total?: unknown }
  return [bad, total].every((count) => count === null || isCount(count))
}

/** Beyond, a counter would no longer tell one request more. */
function isCount(count: unknown): boolean {
  return typeof count === 'number' && count >= 0 && count <= Number.MAX_SAFE_INTEGER
}

/** `31 of 600 requests (5.17%) were bad after 6 looks, bound 1%`, or `after 25 parts of 1s` */
function observed(metric: Metric, { canary, stable, looks }: Evidence): string {
  const { burst } = metric.test ?? {}
  // How many metrics share alpha has nothing to do with what was seen.
  const { bound, relativeBound } = sequentialTest(metric, 1)
  const what = `${burst ? 'part' : 'look'}${looks === 1 ? '' : 's'}${burst ? ` of ${burst}` : ''}`
  const texts = [`${shareText(canary)} were bad after ${looks} ${what}`]
  if (bound !== undefined) texts.push(`bound ${percent(bound)}`)
  if (relativeBound !== undefined)
    texts.push(`bound ${relativeBound} times the stable version's ${shareText(stable)}`)
  return texts.join(', ')
}

function shareText({ bad, total }: Requests): string {
  const share = total > 0 ? ` (${percent(bad / total)})` : ''
  return `${bad} of ${total} requests${share}`
}

/** `99.9%` */
function confidence({ alpha }: SequentialTest): string {
  return `${Number((100 * (1 - alpha)).toPrecision(8))}%`
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))}%`
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)))
}
