import type { MetricProvider, NumberSource } from '@serinus/api'
import { fromJson } from '@serinus/expr'
import { addressOf, deadlineOf, numbersFrom, type Providers } from './number-source.ts'
import type { MeasureInput, Provider } from './provider.ts'
import { goJson, verdictOn } from './verdict.ts'

type Counts = NonNullable<MetricProvider['counts']>
type Side = Counts['canary']

/**
 * Reads the counters of good and bad requests, as one measurement of one instant. The value is
 * `{"canary":{"bad":3,"total":400},"stable":{...}}`, null where a counter has no series; a metric with a test judges it, and
 * conditions see it as `result`.
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
      const read = (name: string, side: Side) =>
        readSide(providers, side, { name, input: { ...input, clock: frozen } })
      const [ofCanary, ofStable] = await Promise.all([
        read('canary', canary),
        stable ? read('stable', stable) : undefined,
      ])
      const result = { canary: ofCanary, ...(ofStable ? { stable: ofStable } : {}) }
      const verdict = verdictOn(input.metric, fromJson(result), { now: clock.now.bind(clock) })
      return { kind: 'done', value: goJson(result), ...verdict }
    },
  }
}

function sourcesOf(counts: MetricProvider['counts']): readonly NumberSource[] {
  const sides = [counts?.canary, counts?.stable].filter((side) => side !== undefined)
  return sides.flatMap(({ total, bad, good }) =>
    [total, bad, good].filter((source) => source !== undefined),
  )
}

async function readSide(
  providers: Providers,
  side: Side,
  facts: { readonly name: string; readonly input: MeasureInput },
): Promise<{ readonly bad: number | null; readonly total: number | null }> {
  const read = async (field: 'total' | 'bad' | 'good') => {
    const source = side[field]
    if (!source) return null
    try {
      return sumOf(await numbersFrom(providers, source, facts.input))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`${field} of the ${facts.name} side: ${message}`, { cause: error })
    }
  }
  const [total, bad, good] = await Promise.all([read('total'), read('bad'), read('good')])
  if (!side.good || total === null) return { bad, total }
  // Without a good request ever all would count as bad, and a misspelt query fail every release.
  if (good === null)
    throw new Error(`good of the ${facts.name} side has no series, while total has`)
  return { bad: total - good, total }
}

/** Several series, such as one for each pod, are one count; null: there is none. */
function sumOf(numbers: readonly number[]): number | null {
  const counted = numbers.filter((value) => !Number.isNaN(value))
  if (counted.length === 0) return null
  const sum = counted.reduce((total, value) => total + value, 0)
  if (Number.isFinite(sum) && sum >= 0) return sum
  throw new Error(`${sum} is no count of requests`)
}
