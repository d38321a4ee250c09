import { type Metric, validateMetrics } from '@serinus/api'
import { VirtualClock } from '@serinus/kube'
import { describe, expect, test } from 'vitest'
import type { Measured, MeasureInput, Provider } from './provider.ts'
import { defaultDeadlineMs } from './provider.ts'

/** How the source of a provider is played, for one provider. Each entry makes the facts that a call gets. */
export interface ProviderCase {
  readonly provider: Provider
  /** Judged Successful for `value`. */
  readonly metric: Metric
  /** Occurs in the metric's address or credentials, or in a Secret that the provider reads; must occur in no message. */
  readonly secret: string
  readonly input: (metric: Metric, facts: Partial<MeasureInput>) => MeasureInput
  readonly sources: {
    readonly value: Source
    readonly empty: Source | Skip
    readonly notANumber: Source | Skip
    /** An answer without anything to judge, where the vendor has such a one beside `empty`. */
    readonly nothing?: Source
    readonly failing: Source
    readonly silent: Source
  }
  readonly expected: {
    readonly value: Measured
    readonly empty?: Measured
    readonly notANumber?: Measured
    /** Message of an answer without anything to judge, whole. */
    readonly nothing?: string
    /** Message of the failure, whole. */
    readonly failing: string
    /** The end of the message when the deadline is over. */
    readonly silent: RegExp
  }
}

type Source = Pick<Partial<MeasureInput>, 'fetch' | 'client' | 'plugins'>
/** Where a provider cannot meet a case, and why. */
interface Skip {
  readonly skip: string
}

const outcomes = ['Error', 'Failed', 'Inconclusive', 'Successful'] as const

function mayHaveOnNoData(metric: Metric): boolean {
  const problems = validateMetrics([{ ...metric, onNoData: 'Failed' }])
  return problems.every(({ detail }) => !detail.startsWith('onNoData'))
}

/** What every metric provider promises (style 13). */
export function providerContract(title: string, make: () => ProviderCase): void {
  describe(`${title} keeps the promises of every provider:`, () => {
    test('a value is judged', async () => {
      const { provider, metric, input, sources, expected } = make()
      expect(await provider.run(input(metric, sources.value))).toEqual(expected.value)
    })

    for (const name of ['empty', 'notANumber'] as const) {
      const { sources } = make()
      const source = sources[name]
      const what = name === 'empty' ? 'an empty answer' : 'NaN'
      if ('skip' in source) {
        // A provider whose source cannot give this answer names why in the title; its own tests judge what it can give.
        test.skip(`${what} (${source.skip})`)
        continue
      }
      test(`${what} is no success by accident`, async () => {
        const { provider, metric, input, expected } = make()
        const measured = await provider.run(input(metric, source))
        expect(measured).toEqual(expected[name])
        expect(measured).not.toMatchObject({ phase: 'Successful' })
      })
      if (!mayHaveOnNoData(make().metric)) continue
      test.each(outcomes)(`${what} is %s where onNoData says so`, async (onNoData) => {
        const { provider, metric, input, expected } = make()
        const measured = await provider.run(input({ ...metric, onNoData }, source))
        const { message: _, metadata: __, ...known } = expected[name] ?? { message: '' }
        expect(measured).toMatchObject({ ...known, phase: onNoData })
        expect(measured.message).toMatch(new RegExp(`^no data: onNoData is ${onNoData}( |;|$)`))
      })
    }

    const { nothing } = make().sources
    if (nothing) {
      test('an answer without anything to judge is an error, told with its cause', async () => {
        const { provider, metric, input, expected } = make()
        const call = provider.run(input(metric, nothing))
        await expect(call).rejects.toMatchObject({ message: expected.nothing })
      })
      test.each(outcomes)('or %s where onNoData says so', async (onNoData) => {
        const { provider, metric, input, expected } = make()
        expect(await provider.run(input({ ...metric, onNoData }, nothing))).toEqual({
          kind: 'done',
          phase: onNoData,
          message: `no data: onNoData is ${onNoData} (${expected.nothing})`,
        })
      })
    }

    test('onNoData changes nothing where there is data', async () => {
      const { provider, metric, input, sources, expected } = make()
      const measured = await provider.run(input({ ...metric, onNoData: 'Failed' }, sources.value))
      expect(measured).toEqual(expected.value)
    })

    test('a failure of the source is told with its cause', async () => {
      const { provider, metric, input, sources, expected } = make()
      const call = provider.run(input(metric, sources.failing))
      await expect(call).rejects.toMatchObject({ message: expected.failing })
    })

    test('a source that never answers costs no longer than the deadline', async () => {
      const { provider, metric, input, sources, expected } = make()
      const clock = new VirtualClock(0)
      const deadline = new AbortController()
      const deadlineMs = provider.deadlineMs?.(metric) ?? defaultDeadlineMs
      void clock.until(deadlineMs).then(() => deadline.abort(new Error('late')))
      const call = provider.run(input(metric, { ...sources.silent, signal: deadline.signal }))
      const ended = call.then(
        () => 'an answer',
        (error: Error) => error.message,
      )
      await clock.advance(deadlineMs)
      expect(await ended).toMatch(expected.silent)
    })

    test('a call that starts after its deadline fails at once', async () => {
      const { provider, metric, input, sources, expected } = make()
      const signal = AbortSignal.abort(new Error('late'))
      await expect(provider.run(input(metric, { ...sources.value, signal }))).rejects.toThrow(
        expected.silent,
      )
    })

    test('no message tells a secret of the credentials', async () => {
      const { provider, metric, input, sources, secret } = make()
      const hidden: string[] = []
      const hide = (text: string) => hidden.push(text)
      for (const source of [sources.failing, sources.silent]) {
        const signal = AbortSignal.timeout(5)
        const message = await provider.run(input(metric, { ...source, signal, hide })).then(
          () => '',
          (error: Error) => error.message,
        )
        expect(message).not.toBe('')
        expect(message).not.toContain(secret)
      }
      // What the metric itself holds is known to the shell; what the provider read it must name.
      expect(`${JSON.stringify(metric)} ${hidden.join(' ')}`).toContain(secret)
    })
  })
}
