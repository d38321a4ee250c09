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
    for (const value of ['{"canary":{"bad":-1,"total":2}}', '{"canary":{"bad":0,"total":1e999}}']) {
      expect(outcome(run, () => ({ phase: 'Successful', value })).phase).toBe('Error')
    }
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

/**
 * Counters at the ends of the last parts of a second, as the provider gives them. `at` are the counters so many seconds
 * after the start; `reach` is how many parts an answer has.
 */
function inParts(
  at: (second: number) => { readonly bad: number | null; readonly total: number | null },
  reach = 10,
): Script {
  return (_, now) => {
    const parts = Array.from({ length: reach }, (_, index) => {
      const end = now - (reach - 1 - index) * 1000
      return { at: end, canary: at((end - testStart) / 1000) }
    })
    const value = JSON.stringify({ canary: parts.at(-1)?.canary, parts })
    return { phase: 'Successful', value }
  }
}

describe('a metric with a test that states the longest burst', () => {
  const how = { bound: '1%', burst: '1s' }
  const steady = (second: number) => ({ total: 1e6 + 20 * second, bad: 1000 + second })

  test('is judged by every part of a look, sooner than by looks as a whole', () => {
    const run = analysisRun({ metrics: [tested({ test: how })] })
    const { phase, message, seconds, result } = outcome(run, inParts(steady))
    expect(phase).toBe('Failed')
    expect(seconds).toBe(10)
    expect(message).toBe(
      'Metric "m" assessed Failed due to 7 of 140 requests (5%) were bad after 7 parts of 1s, bound 1%: more than a healthy canary shows, with 99.9% confidence',
    )
    expect(result).toMatchObject({ count: 3 })
  })

  test('starts its counting with its first look, not with the parts before it', () => {
    const run = analysisRun({ metrics: [tested({ test: how, count: 2 })] })
    const failing = (second: number) => ({ total: 20 * (second + 100), bad: second < 0 ? 0 : 1 })
    const { result } = outcome(run, inParts(failing))
    expect(result?.measurements?.map(({ metadata }) => metadata?.['observed'])).toEqual([
      '0 of 0 requests were bad after 0 parts of 1s, bound 1%',
      '0 of 100 requests (0%) were bad after 5 parts of 1s, bound 1%',
    ])
  })

  test('ends early by whole looks, since within a part even a short burst seems catastrophic', () => {
    // In one second 12 % of the requests fail, which are 2.4 % of their look.
    const once = (second: number) => ({ total: 5000 + 100 * second, bad: second < 17 ? 0 : 12 })
    const ofParts = analysisRun({ metrics: [tested({ test: how, count: 100 })] })
    const ofLooks = analysisRun({ metrics: [tested({ count: 100 })] })
    const early = outcome(ofParts, inParts(once))
    expect(early).toMatchObject({ phase: 'Successful', seconds: 165 })
    expect(outcome(ofLooks, inParts(once, 1))).toMatchObject({ phase: 'Successful', seconds: 165 })
  })

  test('keeps the counters of each look, and none of its parts', () => {
    const run = analysisRun({ metrics: [tested({ test: how, count: 3 })] })
    const { result } = outcome(
      run,
      inParts((second) => ({ total: 1000 + 20 * second, bad: 0 })),
    )
    expect(result?.measurements?.map(({ value }) => value)).toEqual([
      '{"canary":{"total":1000,"bad":0}}',
      '{"canary":{"total":1100,"bad":0}}',
      '{"canary":{"total":1200,"bad":0}}',
    ])
    expect(JSON.stringify(result).length).toBeLessThan(2500)
  })

  test('a part without data belongs to the next, and a counter that was started anew costs its part alone', () => {
    const run = analysisRun({ metrics: [tested({ test: how, count: 2 })] })
    const gaps = (second: number) => {
      if (second === 1 || second === 2) return { total: null, bad: null }
      return { total: second < 4 ? 1000 + 20 * second : 20 * (second - 4), bad: 0 }
    }
    const { result } = outcome(run, inParts(gaps))
    expect(result?.measurements?.at(-1)?.metadata).toMatchObject({
      observed: '0 of 80 requests (0%) were bad after 2 parts of 1s, bound 1%',
      note: 'total of the canary side has no series; a counter of the canary side fell: the next look tells whether it was started anew; a counter of the canary side was started anew',
    })
  })

  test('after looks that were missed the time that no part reaches back to is one part', () => {
    const run = analysisRun({ metrics: [tested({ test: how, count: 4 })] })
    const away: Script = (task, now) =>
      task.serial === 2 || task.serial === 3
        ? { phase: 'Error', message: 'away' }
        : (inParts((second) => ({ total: 1000 + 20 * second, bad: 0 })) as Exclude<Script, string>)(
            task,
            now,
          )
    const { result } = outcome(run, away)
    // Looks at 0 s and, after two errors, at 25 s, which has parts from 16 s on: one of 16 s and nine of a second.
    expect(result?.measurements?.[3]?.metadata?.['observed']).toBe(
      '0 of 500 requests (0%) were bad after 10 parts of 1s, bound 1%',
    )
  })

  test('counters that are scraped once a look make one part of it', () => {
    const run = analysisRun({ metrics: [tested({ test: how })] })
    const scraped = (second: number) => steady(Math.floor(second / 5) * 5)
    const seldom = outcome(run, inParts(scraped))
    const whole = outcome(analysisRun({ metrics: [tested()] }), growing({ total: 20, bad: 1 }))
    expect([seldom.phase, seldom.seconds]).toEqual([whole.phase, whole.seconds])
    expect(seldom.message?.replace('parts of 1s', 'looks')).toBe(whole.message)
  })
})

test('whatever the parts hold and however far back they reach, each request counts once', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ total: fc.nat(40), bad: fc.nat(1), hidden: fc.boolean() }), {
        minLength: 31,
        maxLength: 31,
      }),
      fc.integer({ min: 1, max: 60 }),
      (seconds, reach) => {
        const at = (second: number) => {
          const until = seconds.slice(0, Math.max(0, second))
          const sum = (of: (one: (typeof seconds)[number]) => number) =>
            until.reduce((total, one) => total + of(one), 0)
          // The last second of the run is seen, so that nothing is left to a look that never comes.
          if (second < 30 && seconds[second]?.hidden && second % 5 !== 0)
            return { bad: null, total: null }
          return { total: sum((one) => one.total + one.bad), bad: sum((one) => one.bad) }
        }
        // A lax bound and nothing else decides before the end.
        const test = { bound: '99%', burst: '1s', minimumSample: 1e6 }
        const run = analysisRun({ metrics: [tested({ test, count: 7 })] })
        const { result } = outcome(run, inParts(at, reach))
        const { evidence } = JSON.parse(result?.metadata?.['SequentialTest'] ?? '')
        expect(evidence.canary).toEqual(at(30))
      },
    ),
    { seed: 6, numRuns: 100 },
  )
})

test('restarts and trimming change no verdict of a test', () => {
  const rates = fc.constantFrom(0, 0.2, 0.5, 0.9, 2)
  fc.assert(
    fc.property(
      rates,
      fc.uniqueArray(fc.nat(60)),
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom({}, { burst: '1s' }),
      (bad, crashes, limit, burst) => {
        const metrics = [tested({ count: 40, test: { bound: '1%', ...burst } })]
        const run = analysisRun({ metrics })
        const script =
          'burst' in burst
            ? inParts((second) => ({ total: 20 * second, bad: Math.round(bad * second) }))
            : growing({ total: 20, bad })
        const undisturbed = outcome(run, script)
        const trimmed = analysisRun({
          metrics,
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

test.each([
  '{"evidence":7',
  '{"evidence":{"looks":9,"against":[null,1,1],"inFavour":{"absolute":{"wealth":1},"relative":{"wealth":null}}}}',
])('evidence that somebody has damaged is gathered anew: %s', (damage) => {
  const run = analysisRun({ metrics: [tested()] })
  let isDamaged = false
  const { phase } = outcome(run, growing({ total: 20, bad: 1 }), {
    change(world) {
      const result = world.run?.status?.metricResults?.[0]
      if (isDamaged || !world.run || !result || (result.count ?? 0) < 3) return
      isDamaged = true
      const damaged = { ...result, metadata: { SequentialTest: damage } }
      world.run = {
        ...world.run,
        status: { ...world.run.status, phase: 'Running', metricResults: [damaged] },
      }
    },
  })
  expect(isDamaged).toBe(true)
  expect(phase).toBe('Failed')
})
