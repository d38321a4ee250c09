import {
  defaults,
  type Metric,
  type MetricProvider,
  type NumberSource,
  parseDuration,
} from '@serinus/api'
import { fromJson } from '@serinus/expr'
import { addressOf, deadlineOf, numbersAt, numbersFrom, type Providers } from './number-source.ts'
import type { Instants, MeasureInput, Provider } from './provider.ts'
import { goJson, verdictOn } from './verdict.ts'

type Counts = NonNullable<MetricProvider['counts']>
type Side = Counts['canary']

/**
 * Reads the counters of good and bad requests, as one measurement of one instant. The value is
 * `{"canary":{"bad":3,"total":400},"stable":{...}}`, null where a counter has no series; a metric with a test judges it, and
 * conditions see it as `result`. With `test.burst` the value has `parts` as well: the same counters as they stood at the
 * ends of its last parts, `{"at":1786963271000,"canary":{...}}`, oldest first, the last being the value itself.
 */
export function counts(providers: Providers): Provider {
  return {
    type: 'Counts',
    address: ({ provider }, env) => addressOf(providers, sourcesOf(provider.counts), env),
    deadlineMs: ({ provider }) => deadlineOf(providers, sourcesOf(provider.counts)),
    async run(input) {
      const { canary, stable } = input.metric.provider.counts ?? {}
      if (!canary) throw new Error('counts needs the canary side')
      const at = input.clock.now()
      const { clock } = input
      // All counters of one instant, however long the answers take.
      const frozen = { now: () => at, until: clock.until.bind(clock) }
      const instants = partsOf(input.metric, at)
      const facts = { providers, instants, input: { ...input, clock: frozen } }
      const [ofCanary, ofStable] = await Promise.all([
        readSide(canary, { ...facts, name: 'canary' }),
        stable ? readSide(stable, { ...facts, name: 'stable' }) : null,
      ])
      const readings = ofCanary.map((side, index) => {
        const other = ofStable?.[index]
        return { canary: side, ...(other ? { stable: other } : {}) }
      })
      const result = readings.at(-1)
      const verdict = verdictOn(input.metric, fromJson(result), { now: clock.now.bind(clock) })
      const parts =
        instants && readings.map((one, index) => ({ at: atOf(instants, index), ...one }))
      return { kind: 'done', value: goJson({ ...result, ...(parts && { parts }) }), ...verdict }
    },
  }
}

/**
 * The ends of the last parts; null: none are asked for. They lie on one grid for all looks, so that each part is as long as
 * the next, and on the one that query front ends move ranges to. Two intervals, so that a late look still has all
 * its parts; whatever lies further back is one part with the oldest.
 */
function partsOf({ test, interval }: Metric, now: number): Instants | null {
  const stepMs = parseDuration(test?.burst ?? '')
  if (!stepMs) return null
  const perLook = Math.ceil((parseDuration(interval ?? '') ?? stepMs) / stepMs)
  const count = Math.min(defaults.test.mostParts, 2 * perLook)
  return { lastAt: Math.floor(now / stepMs) * stepMs, stepMs, count }
}

function atOf({ lastAt, stepMs, count }: Instants, index: number): number {
  return lastAt - (count - 1 - index) * stepMs
}

function sourcesOf(counts: MetricProvider['counts']): readonly NumberSource[] {
  const sides = [counts?.canary, counts?.stable].filter((side) => side !== undefined)
  return sides.flatMap(({ total, bad, good }) =>
    [total, bad, good].filter((source) => source !== undefined),
  )
}

interface SideReading {
  readonly bad: number | null
  readonly total: number | null
}

/** What the counters of one side show at each of the instants; of now alone, where there are none. */
async function readSide(
  side: Side,
  facts: {
    readonly name: string
    readonly providers: Providers
    readonly instants: Instants | null
    readonly input: MeasureInput
  },
): Promise<readonly SideReading[]> {
  const { providers, instants, input } = facts
  const read = async (field: 'total' | 'bad' | 'good') => {
    const source = side[field]
    if (!source) return null
    try {
      if (!instants) return [sumOf(await numbersFrom(providers, source, input))]
      return (await numbersAt(providers, source, { input, instants })).map(sumOf)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`${field} of the ${facts.name} side: ${message}`, { cause: error })
    }
  }
  const [totals, bads, goods] = await Promise.all([read('total'), read('bad'), read('good')])
  return (totals ?? []).map((total, index, { length }) => {
    const bad = bads?.[index] ?? null
    const good = goods?.[index] ?? null
    if (!goods || total === null) return { bad, total }
    if (good !== null && good <= total) return { bad: total - good, total }
    // An earlier instant may lie before the first good request, or in the middle of one: the next part holds it.
    if (index < length - 1) return { bad: null, total: null }
    // Without a good request ever all would count as bad, and a misspelt query fail every release.
    if (good === null)
      throw new Error(`good of the ${facts.name} side has no series, while total has`)
    // A pair that is read while a request is answered may disagree for a moment; the next look holds it.
    throw new Error(
      `good of the ${facts.name} side is ${good}, total only ${total}: good requests must be part of total`,
    )
  })
}

/** Several series, such as one for each pod, are one count; null: there is none. */
function sumOf(numbers: readonly number[]): number | null {
  const counted = numbers.filter((value) => !Number.isNaN(value))
  if (counted.length === 0) return null
  const sum = counted.reduce((total, value) => total + value, 0)
  if (sum >= 0 && sum <= Number.MAX_SAFE_INTEGER) return sum
  throw new Error(`${sum} is no count of requests`)
}
