import type { AnalysisRun, Measurement, Metric } from '@serinus/api'
import type { MetricPluginClient } from '@serinus/plugins'
import { describe, expect, test } from 'vitest'
import { plugin } from './plugin.ts'
import type { MeasureInput } from './provider.ts'
import { providerContract } from './provider-contract.ts'
import { measureInput, testNow, testRun } from './test-input.ts'

const metric = {
  name: 'up',
  provider: { plugin: { 'org/x': { address: 'http://p:9090', token: 's3cr3t' } } },
} as unknown as Metric

/** A plugin that gives these answers, in the place of a host that would have to run one. */
function host(answers: Partial<MetricPluginClient>): Pick<MeasureInput, 'plugins'> {
  const none = () => Promise.reject(new Error('the test expects no such question'))
  const client = {
    run: none,
    resume: none,
    terminate: none,
    garbageCollect: none,
    metadata: none,
    ...answers,
  }
  return { plugins: { metric: async () => client } }
}

const answering = (measurement: Measurement) => host({ run: async () => measurement })

const unlessAborted = <T>(signal: AbortSignal, answer: T): Promise<T> =>
  signal.aborted ? Promise.reject(signal.reason) : Promise.resolve(answer)

providerContract('the plugin provider', () => ({
  provider: plugin,
  metric,
  secret: 's3cr3t',
  input: measureInput,
  sources: {
    value: host({
      run: (_, signal) => unlessAborted(signal, { phase: 'Successful', value: '[1]' }),
    }),
    empty: { skip: 'the plugin judges what it measures' },
    notANumber: { skip: 'the plugin judges what it measures' },
    failing: host({
      run: async () => {
        throw new Error('Run rpc call error: the plugin process ended (exit status 7)')
      },
    }),
    silent: host({
      run: (_, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        }),
    }),
  },
  expected: {
    value: { kind: 'done', phase: 'Successful', value: '[1]' },
    failing: 'Run rpc call error: the plugin process ended (exit status 7)',
    silent: /late|timeout/,
  },
}))

describe('a plugin metric', () => {
  test('is stored as the plugin gave it, whatever its phase', async () => {
    const facts = { value: '[1]', message: 'fine', metadata: { a: 'b' } }
    for (const phase of ['Successful', 'Failed', 'Inconclusive'] as const) {
      const input = measureInput(metric, answering({ phase, ...facts }))
      expect(await plugin.run(input)).toEqual({ kind: 'done', phase, ...facts })
    }
  })

  test('in phase Error says that the plugin said so', async () => {
    const input = measureInput(metric, answering({ phase: 'Error', message: 'no route' }))
    expect(await plugin.run(input)).toEqual({
      kind: 'done',
      phase: 'Error',
      message: 'failed to run via plugin: no route',
    })
  })

  test('that runs on is asked again when it said, else after ten seconds, and never without a pause', async () => {
    const resumeAt = async (text?: string) => {
      const answer = { phase: 'Running' as const, value: '1', ...(text ? { resumeAt: text } : {}) }
      const measured = await plugin.run(measureInput(metric, answering(answer)))
      expect(measured).toMatchObject({ kind: 'running', value: '1' })
      return measured.kind === 'running' ? measured.resumeAt - testNow : null
    }
    expect(await resumeAt(new Date(testNow + 90_000).toISOString())).toBe(90_000)
    expect(await resumeAt()).toBe(10_000)
    expect(await resumeAt('2001-01-01T00:00:00Z')).toBe(1_000)
  })

  test('is resumed and terminated with the measurement that there is', async () => {
    const measurement: Measurement = { phase: 'Running', metadata: { id: '7' } }
    const asked: unknown[] = []
    const answers = host({
      resume: async (question) => {
        asked.push(question.measurement)
        return { ...question.measurement, phase: 'Error', message: 'gone' }
      },
      terminate: async (question) => {
        asked.push(question.measurement)
        return { ...question.measurement, phase: 'Inconclusive', message: 'stopped' }
      },
    })
    const input = measureInput(metric, answers)
    expect(await plugin.resume?.(input, measurement)).toEqual({
      kind: 'done',
      phase: 'Error',
      message: 'failed to resume via plugin: gone',
      metadata: { id: '7' },
    })
    expect(await plugin.terminate?.(input, measurement)).toEqual({
      kind: 'done',
      phase: 'Inconclusive',
      message: 'Metric Terminated',
      metadata: { id: '7' },
    })
    expect(asked).toEqual([measurement, measurement])
  })

  test('that goes on in spite of being terminated is Inconclusive', async () => {
    const answers = host({ terminate: async () => ({ phase: 'Running' }) })
    const ended = plugin.terminate?.(measureInput(metric, answers), { phase: 'Running' })
    expect(await ended).toEqual({
      kind: 'done',
      phase: 'Inconclusive',
      message: 'Metric Terminated',
    })
  })

  test('says what went wrong when the plugin cannot clean up', async () => {
    const answers = host({
      garbageCollect: async ({ limit }) => {
        throw new Error(`still ${limit}`)
      },
    })
    await expect(plugin.garbageCollect?.(measureInput(metric, answers), 5)).rejects.toThrow(
      /^failed to garbage collect via plugin: still 5$/,
    )
  })

  test('has metadata, which is asked for once, and says where that failed', async () => {
    const described = (answers: Partial<MetricPluginClient>, run?: AnalysisRun) =>
      plugin.metadata?.(metric, measureInput(metric, { ...host(answers), ...(run ? { run } : {}) }))
    expect(await described({ metadata: async () => ({ a: 'b' }) })).toEqual({ a: 'b' })
    expect(await described({ metadata: async () => ({}) })).toBeUndefined()
    expect(await described({ metadata: async () => ({ error: 'no' }) })).toEqual({
      error: 'failed to get metadata via plugin: no',
    })
    const broken = async () => {
      throw new Error('GetMetadata rpc call error: gone')
    }
    expect(await described({ metadata: broken })).toEqual({
      error: 'GetMetadata rpc call error: gone',
    })
    const known = {
      ...testRun,
      status: { metricResults: [{ name: 'up', phase: 'Running', metadata: { a: 'b' } }] },
    } as unknown as AnalysisRun
    expect(await described({}, known)).toBeUndefined()
  })

  test('says so where nobody runs plugins', async () => {
    const chain =
      'failed to create plugin: unable to get metric plugin: unable to start plugin system: '
    await expect(plugin.run(measureInput(metric))).rejects.toThrow(
      `${chain}unable to find plugin (org/x): no plugin host runs in this process`,
    )
    const none = { name: 'up', provider: { plugin: {} } } as unknown as Metric
    await expect(plugin.run(measureInput(none))).rejects.toThrow(`${chain}no plugin found`)
  })
})
