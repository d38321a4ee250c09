import type { AnalysisRun, Metric } from '@serinus/api'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  analysisRun,
  metric,
  type Options,
  type Script,
  simulate,
  testStart,
} from './test-analysis.ts'

const source = { prometheus: { address: 'http://p', query: 'x' } }
const side = { total: source, bad: source }

function tested(fields: Partial<Metric> = {}): Metric {
  return metric({
    interval: '5s',
    provider: { counts: { canary: side } },
    test: { bound: '1%' },
    ...fields,
  })
}

/** Counters that stand at a million when the run starts and then grow as given, per second. */
function growing(
  rates: { total: number; bad: number },
  stable?: { total: number; bad: number },
): Script {
  const side = (rate: { total: number; bad: number }, now: number) => {
    const seconds = (now - testStart) / 1000
    return {
      bad: 1000 + Math.round(rate.bad * seconds),
      total: 1e6 + Math.round(rate.total * seconds),
    }
  }
  return (_, now) => ({
    phase: 'Successful',
    value: JSON.stringify({
      canary: side(rates, now),
      ...(stable ? { stable: side(stable, now) } : {}),
    }),
  })
}

function outcome(run: AnalysisRun, script: Script, options: Options = {}) {
  const world = simulate(run, { scripts: { m: script }, ...options })
  const status = world.run?.status
  return {
    world,
    status,
    phase: status?.phase,
    message: status?.message,
    seconds: (world.now - testStart) / 1000,
    result: status?.metricResults?.find(({ name }) => name === 'm'),
  }
}

describe('a metric with a test', () => {
  const regression = growing({ total: 20, bad: 1 })

  test('fails at once when the canary is plainly worse than the bound, whatever failureLimit says', () => {
    const run = analysisRun({ metrics: [tested({ failureLimit: 100 })] })
    const { phase, message, seconds, result } = outcome(run, regression)
    expect(phase).toBe('Failed')
    expect(seconds).toBe(25)
    expect(message).toBe(
      'Metric "m" assessed Failed due to 25 of 500 requests (5%) were bad after 5 looks, bound 1%: more than a healthy canary shows, with 99.9% confidence',
    )
    expect(result).toMatchObject({ phase: 'Failed', count: 6, successful: 5, failed: 1 })
    expect(result?.measurements?.at(-1)).toMatchObject({
      phase: 'Failed',
      metadata: { observed: '25 of 500 requests (5%) were bad after 5 looks, bound 1%' },
    })
  })

  test('ends early as Successful when the canary is plainly better than the bound and count asks for an end', () => {
    const run = analysisRun({ metrics: [tested({ count: 100 })] })
    const { phase, seconds, result } = outcome(run, growing({ total: 20, bad: 0 }))
    expect([phase, seconds]).toEqual(['Successful', 150])
    expect(result).toMatchObject({ phase: 'Successful', count: 31, successful: 31 })
  })

  test('without count watches on, and finds what turns bad later', () => {
    const run = analysisRun({ metrics: [tested()] })
    const turning: Script = (task, now) => {
      const late = Math.max(0, (now - testStart) / 1000 - 600)
      const counts = { total: ((now - testStart) / 1000) * 20, bad: Math.round(late * 2) }
      return {
        ...(regression as Exclude<Script, string>)(task, now),
        value: JSON.stringify({ canary: counts }),
      }
    }
    const { phase, seconds } = outcome(run, turning)
    expect(phase).toBe('Failed')
    expect(seconds).toBeGreaterThan(600)
    expect(seconds).toBeLessThanOrEqual(660)
  })

  test('is Successful after its count when nothing is proven either way', () => {
    const run = analysisRun({ metrics: [tested({ count: 10 })] })
    expect(outcome(run, growing({ total: 20, bad: 0.2 }))).toMatchObject({
      phase: 'Successful',
      seconds: 45,
    })
  })

  test('is Inconclusive after its count when the canary was hardly seen', () => {
    const run = analysisRun({ metrics: [tested({ count: 4 })] })
    expect(outcome(run, growing({ total: 1, bad: 0 }))).toMatchObject({
      phase: 'Inconclusive',
      message:
        'Metric "m" assessed Inconclusive due to only 15 requests of the canary were seen, fewer than minimumSample (30)',
    })
  })

  test('compares with the stable version, and an incident of both fails neither', () => {
    const test = { relativeBound: 1.5 }
    const provider = { counts: { canary: side, stable: side } }
    const run = analysisRun({ metrics: [tested({ test, provider, count: 60 })] })
    const stable = { total: 180, bad: 1.8 }
    const worse = outcome(run, growing({ total: 20, bad: 1 }, stable))
    expect(worse.phase).toBe('Failed')
    expect(worse.message).toMatch(
      /^Metric "m" assessed Failed due to \d+ of \d+ requests \(5%\) were bad after \d+ looks, bound 1.5 times the stable version's \d+ of \d+ requests \(1%\): more than a healthy canary shows, with 99.9% confidence$/,
    )
    const incident = outcome(run, growing({ total: 20, bad: 2 }, { total: 180, bad: 18 }))
    expect(incident.phase).toBe('Successful')
  })

  test('alpha is shared by the metrics that carry a test and can fail the run', () => {
    const others = Array.from({ length: 50 }, (_, i) => tested({ name: `other-${i}` }))
    const calm = Object.fromEntries(
      others.map(({ name }) => [name, growing({ total: 20, bad: 0.2 })]),
    )
    const scripts = { m: regression, ...calm }
    const metrics = [tested(), ...others]
    const until = testStart + 60_000
    const shared = outcome(analysisRun({ metrics }), regression, { scripts, until })
    expect(shared.seconds).toBe(40)
    const dryRun = [{ metricName: 'other-.*' }]
    const alone = outcome(analysisRun({ metrics, dryRun }), regression, { scripts, until })
    expect(alone).toMatchObject({ phase: 'Failed', seconds: 25 })
  })

  test('alpha is shared with the other analyses of the same update', () => {
    const run = analysisRun({ metrics: [tested()] })
    const annotations = { 'serinus.dev/alpha-shares': '51' }
    const shared = { ...run, metadata: { ...run.metadata, annotations } }
    expect(outcome(run, regression).seconds).toBe(25)
    expect(outcome(shared, regression).seconds).toBe(40)
  })

  test('in a dry run fails nothing', () => {
    const run = analysisRun({ metrics: [tested()], dryRun: [{ metricName: 'm' }] })
    expect(outcome(run, regression)).toMatchObject({
      phase: 'Successful',
      status: { dryRunSummary: { count: 1, failed: 1 } },
    })
  })

  test('is in Error when its provider gives no counts', () => {
    const run = analysisRun({ metrics: [tested()] })
    expect(outcome(run, () => ({ phase: 'Successful', value: '[1]' }))).toMatchObject({
      phase: 'Error',
      message:
        'Metric "m" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): "Error Message: test needs counts, and the provider gave [1]"',
    })
  })

  test('an error of the provider costs no evidence: the next look holds the whole time', () => {
    const run = analysisRun({ metrics: [tested()] })
    const flaky: Script = (task, now) =>
      task.serial % 2 === 0
        ? { phase: 'Error', message: 'away' }
        : (regression as Exclude<Script, string>)(task, now)
    const { phase, result } = outcome(run, flaky)
    expect(phase).toBe('Failed')
    expect(result?.message ?? '').not.toContain('away')
  })

  test('says what kept a look from counting', () => {
    const run = analysisRun({ metrics: [tested({ count: 2 })] })
    const absent: Script = () => ({
      phase: 'Successful',
      value: '{"canary":{"bad":null,"total":null}}',
    })
    const { result, phase } = outcome(run, absent)
    expect(phase).toBe('Inconclusive')
    expect(result?.measurements?.[0]?.metadata).toMatchObject({
      note: 'total of the canary side has no series',
    })
  })
})

test('restarts and trimming change no verdict of a test', () => {
  const rates = fc.constantFrom(0, 0.2, 0.5, 0.9, 2)
  fc.assert(
    fc.property(
      rates,
      fc.uniqueArray(fc.nat(60)),
      fc.integer({ min: 1, max: 9 }),
      (bad, crashes, limit) => {
        const run = analysisRun({ metrics: [tested({ count: 40 })] })
        const script = growing({ total: 20, bad })
        const undisturbed = outcome(run, script)
        const trimmed = analysisRun({
          metrics: [tested({ count: 40 })],
          measurementRetention: [{ metricName: 'm', limit }],
        })
        const disturbed = outcome(trimmed, script, { crashes: (pass) => crashes.includes(pass) })
        expect(disturbed.phase).toBe(undisturbed.phase)
        expect(disturbed.message).toBe(undisturbed.message)
        expect(disturbed.result?.metadata).toEqual(undisturbed.result?.metadata)
      },
    ),
    { seed: 6, numRuns: 40 },
  )
})

test('evidence that somebody has damaged is gathered anew', () => {
  const run = analysisRun({ metrics: [tested()] })
  let isDamaged = false
  const { phase } = outcome(run, growing({ total: 20, bad: 1 }), {
    change(world) {
      const result = world.run?.status?.metricResults?.[0]
      if (isDamaged || !world.run || !result || (result.count ?? 0) < 3) return
      isDamaged = true
      const damaged = { ...result, metadata: { SequentialTest: '{"evidence":7' } }
      world.run = {
        ...world.run,
        status: { ...world.run.status, phase: 'Running', metricResults: [damaged] },
      }
    },
  })
  expect(isDamaged).toBe(true)
  expect(phase).toBe('Failed')
})
