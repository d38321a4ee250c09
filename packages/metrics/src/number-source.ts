import type { NumberSource } from '@serinus/api'
import { defaultDeadlineMs, type Instants, type MeasureInput, type Provider } from './provider.ts'

/** Providers by their key in a metric. */
export type Providers = Readonly<Record<string, Provider>>

/**
 * The numbers that a provider measures, in its order: all points of all series. Read from the text of its value, which says
 * the same whatever the vendor. Rejects where there are none but words, naming the provider.
 */
export async function numbersFrom(
  providers: Providers,
  source: NumberSource,
  input: MeasureInput,
): Promise<readonly number[]> {
  const { key, provider } = providerIn(providers, source)
  // Whoever decides on no data must get to see that there is none.
  const onNoData = input.metric.onNoData && ({ onNoData: 'Successful' } as const)
  const metric = { name: input.metric.name, provider: source, ...onNoData }
  const measured = await provider.run({ ...input, metric })
  if (measured.kind !== 'done' || measured.phase === 'Error') {
    const cause = measured.kind === 'done' ? measured.message : 'the answer takes its time'
    throw new Error(cause ?? `${key} failed`)
  }
  return (measured.value ?? '')
    .replace(/^\[|\]$/g, '')
    .split(/[,\s]+/)
    .filter((text) => text !== '')
    .map((text) => numberOf(text, key))
}

/** The same at several instants, one list for each. Rejects where the provider only knows what is. */
export async function numbersAt(
  providers: Providers,
  source: NumberSource,
  asked: { readonly input: MeasureInput; readonly instants: Instants },
): Promise<readonly (readonly number[])[]> {
  const { key, provider } = providerIn(providers, source)
  const metric = { name: asked.input.metric.name, provider: source }
  if (provider.numbersAt) return provider.numbersAt({ ...asked.input, metric }, asked.instants)
  throw new Error(
    `${key} does not tell a counter as it stood at several instants, which test.burst needs: ask prometheus, or remove test.burst`,
  )
}

/** Longest that the slowest of the sources may take, milliseconds; they are asked together. */
export function deadlineOf(providers: Providers, sources: readonly NumberSource[]): number {
  const deadlines = sources.map((source) => {
    const { provider } = providerIn(providers, source)
    return provider.deadlineMs?.({ name: '', provider: source }) ?? defaultDeadlineMs
  })
  return Math.max(0, ...deadlines)
}

/** Where the first of the sources is asked. */
export function addressOf(
  providers: Providers,
  sources: readonly NumberSource[],
  env: MeasureInput['env'],
): string | undefined {
  const [source] = sources
  if (!source) return undefined
  return providerIn(providers, source).provider.address?.({ name: '', provider: source }, env)
}

function providerIn(
  providers: Providers,
  source: NumberSource,
): { readonly key: string; readonly provider: Provider } {
  const [key] = Object.entries(source).find(([, config]) => config != null) ?? []
  if (key === undefined) throw new Error('no provider is named')
  const provider = Object.hasOwn(providers, key) ? providers[key] : undefined
  if (provider) return { key, provider }
  throw new Error(`provider ${key} is not carried by this version of Serinus`)
}

function numberOf(text: string, key: string): number {
  if (text === 'NaN' || text === '<nil>') return Number.NaN
  const infinite = /^([+-]?)Inf$/.exec(text)
  if (infinite) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const value = Number(text)
  if (!Number.isNaN(value)) return value
  throw new Error(`${key} measured ${JSON.stringify(text.slice(0, 100))}, which is no number`)
}
