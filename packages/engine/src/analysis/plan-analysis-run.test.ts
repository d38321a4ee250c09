import type { AnalysisRun, Metric } from '@serinus/api'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatInstant } from '../instant.ts'
import { type Answer, type MeasureTask, planAnalysisRun } from './plan-analysis-run.ts'
import {
  analysisRun,
  applied,
  metric,
  type Options,
  type Script,
  simulate,
  template,
  testStart,
  type World,
} from './test-analysis.ts'

const at = (seconds: number) => formatInstant(testStart + seconds * 1000)
const seconds = (world: World) => world.tasks.map((task) => (task.at - testStart) / 1000)
const ends = (world: World) => {
  const completedAt = world.run?.status?.completedAt
  return completedAt === undefined ? null : (Date.parse(completedAt) - testStart) / 1000
}

describe('when and how a run ends', () => {
  const m = 'Metric "m" assessed'
  test.each<
    [
      string,
      Partial<Metric>,
      string,
      { phase: string; at: number | null; message?: string; tag?: string },
    ]
  >(
    [
      ['no interval, no count', {}, 'S', { phase: 'Successful', at: 0 }],
      [
        'no interval, no count, errors',
        {},
        'EEEEE',
        {
          phase: 'Error',
          at: 40,
          message: `${m} Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): "Error Message: boom 5"`,
        },
      ],
      [
        'interval 5m, errors',
        { interval: '5m' },
        'EEEEE',
        {
          phase: 'Error',
          at: 40,
          message: `${m} Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): "Error Message: boom 5"`,
          tag: ' [analysis-and-experiments 23] [metric-providers 3]',
        },
      ],
      [
        'count 3, failureLimit 1, fails twice',
        { interval: '60s', count: 3, failureLimit: 1 },
        'FSF',
        {
          phase: 'Failed',
          at: 120,
          message: `${m} Failed due to failed (2) > failureLimit (1)`,
          tag: ' [analysis-and-experiments 22]',
        },
      ],
      [
        'count 3, failureLimit 1, fails once',
        { interval: '60s', count: 3, failureLimit: 1 },
        'FSS',
        { phase: 'Successful', at: 120 },
      ],
      [
        'count 3, inconclusive',
        { interval: '60s', count: 3 },
        'SI',
        {
          phase: 'Inconclusive',
          at: 60,
          message: `${m} Inconclusive due to inconclusive (1) > inconclusiveLimit (0)`,
        },
      ],
      [
        'count 5, inconclusiveLimit 2',
        { interval: '60s', count: 5, inconclusiveLimit: 2 },
        'IISSS',
        { phase: 'Successful', at: 240 },
      ],
      [
        'count 3, one error, which does not count',
        { interval: '60s', count: 3 },
        'SESS',
        { phase: 'Successful', at: 130 },
      ],
      ['interval only', { interval: '60s' }, 'S', { phase: 'Running', at: null }],
      [
        'count 4, failureLimit -1, consecutiveSuccessLimit 3',
        { interval: '60s', count: 4, failureLimit: -1, consecutiveSuccessLimit: 3 },
        'SFSS',
        {
          phase: 'Failed',
          at: 180,
          message: `${m} Failed due to consecutiveSuccess (2) < consecutiveSuccessLimit (3)`,
        },
      ],
      [
        'count 6, failureLimit 2, consecutiveSuccessLimit 3, never three in a row',
        { interval: '60s', count: 6, failureLimit: 2, consecutiveSuccessLimit: 3 },
        'SSFSSF',
        {
          phase: 'Inconclusive',
          at: 300,
          message: `${m} Inconclusive due to consecutiveSuccess (0) < consecutiveSuccessLimit (3)`,
          tag: ' [analysis-and-experiments 34]',
        },
      ],
      [
        'count 6, failureLimit 2, consecutiveSuccessLimit 3, three in a row',
        { interval: '60s', count: 6, failureLimit: 2, consecutiveSuccessLimit: 3 },
        'FSSS',
        { phase: 'Successful', at: 180, tag: ' [analysis-and-experiments 34]' },
      ],
      [
        'consecutiveErrorLimit 0, one error',
        { consecutiveErrorLimit: 0 },
        'E',
        {
          phase: 'Error',
          at: 0,
          message: `${m} Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): "Error Message: boom 1"`,
          tag: ' [analysis-and-experiments 25]',
        },
      ],
      [
        'errors that a success interrupts',
        { interval: '60s' },
        'EESEEEES',
        { phase: 'Running', at: null, tag: ' [analysis-and-experiments 24]' },
      ],
    ].map(
      (row) =>
        [
          `${row[0]}: ${row[2]} is ${(row[3] as { phase: string }).phase}${(row[3] as { tag?: string }).tag ?? ''}`,
          row[1],
          row[2],
          row[3],
        ] as never,
    ),
  )('%s', (_, fields, script, expected) => {
    const world = simulate(analysisRun({ metrics: [metric(fields)] }), { scripts: { m: script } })
    expect(world.run?.status?.phase).toBe(expected.phase)
    expect(world.run?.status?.message).toBe(expected.message)
    expect(ends(world)).toBe(expected.at)
  })

  test('a metric that never had enough successes in a row counts as what it ended as', () => {
    const fields = { interval: '60s', count: 4, failureLimit: -1, consecutiveSuccessLimit: 3 }
    const world = simulate(analysisRun({ metrics: [metric(fields)] }), { scripts: { m: 'SFSS' } })
    expect(world.run?.status?.runSummary).toEqual({ count: 1, failed: 1 })
  })

  test('one good measurement is enough where nothing else is asked for [analysis-and-experiments 21]', () => {
    const world = simulate(analysisRun({ metrics: [metric()] }))
    expect(world.tasks).toHaveLength(1)
    expect(world.run?.status).toEqual({
      phase: 'Successful',
      startedAt: at(0),
      completedAt: at(0),
      runSummary: { count: 1, successful: 1 },
      dryRunSummary: {},
      metricResults: [
        {
          name: 'm',
          phase: 'Successful',
          count: 1,
          successful: 1,
          consecutiveSuccess: 1,
          measurements: [
            { phase: 'Successful', startedAt: at(0), finishedAt: at(0), value: '[1]' },
          ],
        },
      ],
    })
    expect(world.transitions).toEqual([
      {
        type: 'Normal',
        reason: 'MetricSuccessful',
        message: "Metric 'm' Completed. Result: Successful",
        after: 'status',
      },
      {
        type: 'Normal',
        reason: 'AnalysisRunSuccessful',
        message: 'Analysis Completed. Result: Successful',
        after: 'status',
      },
    ])
  })

  test('the status of a failed run is upstream’s, field by field', () => {
    const query = 'sum(rate(http_requests_total{namespace="my-team"}[5m]))'
    const run = analysisRun({
      metrics: [
        metric({
          name: 'error-rate',
          interval: '5m',
          count: 3,
          failureLimit: 1,
          provider: { prometheus: { query } },
        }),
      ],
    })
    const values = ['[0.031]', '[0.027]']
    const moments = [testStart, testStart + 301_000]
    let state: AnalysisRun = run
    for (const [index, now] of moments.entries()) {
      const asked = planAnalysisRun(snapshotOf(state), now)
      expect(asked.measure).toEqual([{ metric: 'error-rate', action: 'run', serial: index + 1 }])
      state = applied(state, asked) as AnalysisRun
      const measurement = {
        phase: 'Failed' as const,
        value: values[index] as string,
        startedAt: formatInstant(now),
        finishedAt: formatInstant(now),
      }
      const metadata = { ResolvedPrometheusQuery: query }
      const answers = [{ metric: 'error-rate', serial: index + 1, measurement, metadata }]
      state = applied(state, planAnalysisRun(snapshotOf(state, { answers }), now)) as AnalysisRun
    }
    expect(state.status).toEqual({
      phase: 'Failed',
      message: 'Metric "error-rate" assessed Failed due to failed (2) > failureLimit (1)',
      startedAt: '2026-08-17T10:00:00Z',
      completedAt: '2026-08-17T10:05:01Z',
      runSummary: { count: 1, failed: 1 },
      dryRunSummary: {},
      metricResults: [
        {
          name: 'error-rate',
          phase: 'Failed',
          count: 2,
          failed: 2,
          metadata: { ResolvedPrometheusQuery: query },
          measurements: [
            {
              phase: 'Failed',
              value: '[0.031]',
              startedAt: '2026-08-17T10:00:00Z',
              finishedAt: '2026-08-17T10:00:00Z',
            },
            {
              phase: 'Failed',
              value: '[0.027]',
              startedAt: '2026-08-17T10:05:01Z',
              finishedAt: '2026-08-17T10:05:01Z',
            },
          ],
        },
      ],
    })
  })

  test('the first metric that fails ends the others, and what is still going counts as successful [analysis-and-experiments 27]', () => {
    const world = simulate(
      analysisRun({
        metrics: [
          metric({ name: 'b', interval: '60s' }),
          metric({ name: 'a', interval: '70s' }),
          metric({ name: 'c', initialDelay: '1h' }),
        ],
      }),
      { scripts: { a: 'SF' } },
    )
    const { status } = world.run ?? {}
    expect(ends(world)).toBe(70)
    expect(status).toMatchObject({
      phase: 'Failed',
      message: 'Metric "a" assessed Failed due to failed (1) > failureLimit (0)',
      runSummary: { count: 3, successful: 1, failed: 1 },
    })
    expect(status?.metricResults).toMatchObject([
      { name: 'b', phase: 'Successful', count: 2 },
      { name: 'a', phase: 'Failed', count: 2 },
    ])
  })

  test('of several bad metrics the worst is told, of equally bad ones the first', () => {
    const metrics = ['i', 'e', 'f', 'g'].map((name) => metric({ name, consecutiveErrorLimit: 0 }))
    const world = simulate(analysisRun({ metrics }), {
      scripts: { i: 'I', e: 'E', f: 'F', g: 'F' },
    })
    expect(world.run?.status).toMatchObject({
      phase: 'Failed',
      message: 'Metric "f" assessed Failed due to failed (1) > failureLimit (0)',
      runSummary: { count: 4, failed: 2, error: 1, inconclusive: 1 },
    })
    expect(world.transitions.at(-1)).toEqual({
      type: 'Warning',
      reason: 'AnalysisRunFailed',
      message: 'Analysis Completed. Result: Failed',
      after: 'status',
    })
  })
})

function snapshotOf(run: AnalysisRun, facts: Partial<Parameters<typeof planAnalysisRun>[0]> = {}) {
  return {
    run,
    analysisTemplates: [],
    clusterAnalysisTemplates: [],
    secrets: { ok: true as const },
    inFlight: [],
    awake: [],
    answers: [],
    ...facts,
  }
}

describe('the times of measurements', () => {
  /** Every measurement takes so many seconds. */
  const lasting = (seconds: number) => (task: MeasureTask, now: number) =>
    task.action === 'run'
      ? { phase: 'Running' as const, resumeAt: formatInstant(now + seconds * 1000) }
      : { phase: 'Successful' as const }
  const started = (fields: Partial<Metric>, script: Script) =>
    simulate(analysisRun({ metrics: [metric(fields)] }), { scripts: { m: script } })
      .tasks.filter(({ action }) => action === 'run')
      .map(({ at }) => (at - testStart) / 1000)

  test.each([
    ['End', 25, [0, 85, 170]],
    ['Start', 25, [0, 60, 120]],
    ['Start', 60, [0, 60, 120]],
    ['Start', 61, [0, 120, 240]],
    ['Start', 0, [0, 60, 120]],
  ] as const)(
    'with intervalFrom %s and measurements of %d s the turns begin at %j',
    (intervalFrom, seconds, turns) => {
      expect(started({ interval: '60s', count: 3, intervalFrom }, lasting(seconds))).toEqual(turns)
    },
  )

  test('an error keeps its own delay whatever the interval counts from', () => {
    const fields = { interval: '60s', count: 3, intervalFrom: 'Start' } as const
    expect(started(fields, 'SESS')).toEqual([0, 60, 70, 130])
  })

  test.each([
    ['Fixed', '5m', [0, 10, 20, 30, 40]],
    ['Backoff', '5m', [0, 10, 30, 70, 150]],
    ['Backoff', '25s', [0, 10, 30, 55, 80]],
    ['Backoff', '5s', [0, 5, 10, 15, 20]],
  ] as const)(
    'with errorRetry %s and interval %s errors are followed by tries at %j',
    (errorRetry, interval, tries) => {
      expect(started({ interval, errorRetry }, 'E')).toEqual(tries)
    },
  )

  test('a backoff begins anew after a measurement that came through', () => {
    const fields = { interval: '60s', errorRetry: 'Backoff', count: 2 } as const
    expect(started(fields, 'EESEES')).toEqual([0, 10, 30, 90, 100, 120])
  })

  test('an interval counts from the end of the last measurement, an error is followed by another try after 10 s', () => {
    const run = analysisRun({ metrics: [metric({ interval: '60s', count: 4 })] })
    expect(seconds(simulate(run, { scripts: { m: 'SESSS' } }))).toEqual([0, 60, 70, 130, 190])
    expect(seconds(simulate(run, { scripts: { m: 'ESEEESS' } }))).toEqual([
      0, 10, 70, 80, 90, 100, 160, 220,
    ])
  })

  test('the first waits for initialDelay, counted from the start, which is stored at once [analysis-and-experiments 26]', () => {
    const run = analysisRun({
      metrics: [metric({ initialDelay: '20s', interval: '60s', count: 2 })],
    })
    const first = planAnalysisRun(snapshotOf(run), testStart)
    expect(applied(run, first)?.status).toMatchObject({ phase: 'Running', startedAt: at(0) })
    expect(first).toMatchObject({ measure: [], checkAt: testStart + 20_000 })
    expect(seconds(simulate(run))).toEqual([20, 80])
  })

  test('a metric that is being measured is not asked again', () => {
    const run = analysisRun({ metrics: [metric(), metric({ name: 'n' })] })
    const plan = planAnalysisRun(snapshotOf(run, { inFlight: ['m'] }), testStart)
    expect(plan.measure).toEqual([{ metric: 'n', action: 'run', serial: 1 }])
  })

  test('a measurement under way is resumed at its time, or as soon as its end is known', () => {
    const measurement = {
      phase: 'Running' as const,
      startedAt: at(0),
      resumeAt: at(30),
      metadata: { 'job-name': 'j' },
    }
    const run = analysisRun(
      { metrics: [metric({ provider: { job: { spec: { template: {} } } } as never })] },
      {
        phase: 'Running',
        startedAt: at(0),
        runSummary: { count: 1 },
        dryRunSummary: {},
        metricResults: [{ name: 'm', phase: 'Running', measurements: [measurement] }],
      },
    )
    const resume = { metric: 'm', action: 'resume', measurement, serial: 1 }
    const early = planAnalysisRun(snapshotOf(run), testStart + 10_000)
    expect(early).toMatchObject({ measure: [], checkAt: testStart + 30_000, writes: [] })
    expect(planAnalysisRun(snapshotOf(run), testStart + 30_000).measure).toEqual([resume])
    const awake = planAnalysisRun(snapshotOf(run, { awake: ['m'] }), testStart + 10_000)
    expect(awake.measure).toEqual([resume])
  })
})

describe('ending a run by hand', () => {
  test('before anything was measured is a success [analysis-and-experiments 31]', () => {
    const world = simulate(analysisRun({ metrics: [metric()], terminate: true }))
    expect(world.tasks).toEqual([])
    expect(world.run?.status).toEqual({
      phase: 'Successful',
      message: 'Run Terminated',
      startedAt: at(0),
      completedAt: at(0),
      runSummary: { count: 1 },
      dryRunSummary: {},
    })
  })

  test('between measurements is a success as well', () => {
    const world = simulate(analysisRun({ metrics: [metric({ interval: '60s' })] }), {
      until: testStart + 60_000,
    })
    const run = { ...world.run, spec: { ...world.run?.spec, terminate: true } } as AnalysisRun
    expect(simulate(run).run?.status).toMatchObject({
      phase: 'Successful',
      message: 'Run Terminated',
      metricResults: [{ phase: 'Successful', count: 2, successful: 2 }],
    })
  })

  test('ends a Job that is under way, which says nothing against the release [analysis-and-experiments 32]', () => {
    const endJob: Script = (task) =>
      task.action === 'terminate'
        ? { phase: 'Inconclusive', message: 'Metric Terminated' }
        : { phase: 'Running', resumeAt: at(50) }
    const world = simulate(analysisRun({ metrics: [metric()] }), {
      scripts: { m: endJob },
      change: ({ run, plans }) => {
        if (plans.length === 3) Object.assign(run?.spec ?? {}, { terminate: true })
      },
    })
    expect(world.tasks.map((task) => task.action)).toEqual(['run', 'terminate'])
    expect(world.run?.status).toMatchObject({
      phase: 'Successful',
      message: 'Run Terminated',
      metricResults: [{ measurements: [{ phase: 'Inconclusive', message: 'Metric Terminated' }] }],
    })
    expect(world.run?.status?.metricResults?.[0]?.inconclusive).toBeUndefined()
  })

  test('ends a Job even when it is heard of only after the verdict', () => {
    const run = analysisRun({ metrics: [metric()] }, { phase: 'Failed', completedAt: at(0) })
    const measurement = { phase: 'Running' as const, startedAt: at(0) }
    const answers = [{ metric: 'm', serial: 1, measurement }]
    expect(planAnalysisRun(snapshotOf(run, { answers }), testStart)).toMatchObject({
      writes: [],
      measure: [{ metric: 'm', action: 'terminate', measurement, serial: 1 }],
    })
  })
})

describe('a Job that nobody waits for any more is ended', () => {
  const measurement = { phase: 'Running' as const, startedAt: at(0) }
  const end = { metric: 'm', action: 'terminate', measurement, serial: 2 }

  test('when it is heard of after the verdict on its metric', () => {
    const run = analysisRun(
      { metrics: [metric(), metric({ name: 'n', interval: '60s' })] },
      {
        phase: 'Running',
        startedAt: at(0),
        metricResults: [
          {
            name: 'm',
            phase: 'Successful',
            count: 1,
            successful: 1,
            measurements: [{ phase: 'Successful' }],
          },
        ],
      },
    )
    const answers = [{ metric: 'm', serial: 2, measurement }]
    expect(planAnalysisRun(snapshotOf(run, { answers }), testStart).measure).toEqual([
      end,
      { metric: 'n', action: 'run', serial: 1 },
    ])
  })

  test('when its run cannot be measured any further', () => {
    const run = analysisRun(
      { metrics: [metric({ count: 5, interval: '60s' })] },
      {
        phase: 'Running',
        startedAt: at(0),
        metricResults: [
          { name: 'm', phase: 'Running', count: 1, successful: 1, measurements: [measurement] },
        ],
      },
    )
    const secrets = { ok: false as const, message: 'gone' }
    const plan = planAnalysisRun(snapshotOf(run, { secrets }), testStart + 5000)
    expect(plan.measure).toEqual([end])
    expect(applied(run, plan)?.status).toMatchObject({
      phase: 'Error',
      startedAt: at(0),
      completedAt: at(5),
    })
  })
})

describe('dry-run', () => {
  test('metrics fail without consequence and are counted apart [analysis-and-experiments 28]', () => {
    const world = simulate(
      analysisRun({
        metrics: [metric({ name: 'errors' }), metric({ name: 'ok', interval: '60s', count: 2 })],
        dryRun: [{ metricName: 'err.*' }],
      }),
      { scripts: { errors: 'F' } },
    )
    expect(ends(world)).toBe(60)
    const { status } = world.run ?? {}
    expect(status).toMatchObject({
      phase: 'Successful',
      runSummary: { count: 1, successful: 1 },
      dryRunSummary: { count: 1, failed: 1 },
      metricResults: [
        {
          name: 'errors',
          dryRun: true,
          phase: 'Failed',
          message: 'Metric assessed Failed due to failed (1) > failureLimit (0)',
        },
        { name: 'ok', phase: 'Successful' },
      ],
    })
    expect(status).not.toHaveProperty('message')
    expect(status?.metricResults?.[1]).not.toHaveProperty('dryRun')
  })

  test('alone is a success, once all have ended', () => {
    const world = simulate(analysisRun({ metrics: [metric()], dryRun: [{ metricName: '.*' }] }), {
      scripts: { m: 'F' },
    })
    expect(world.run?.status).toMatchObject({
      phase: 'Successful',
      dryRunSummary: { count: 1, failed: 1 },
    })
  })

  test.each(['*', '(?i)^M$'])('the rule %j means the metric m', (metricName) => {
    const world = simulate(analysisRun({ metrics: [metric()], dryRun: [{ metricName }] }), {
      scripts: { m: 'F' },
    })
    expect(world.run?.status).toMatchObject({ phase: 'Successful', dryRunSummary: { failed: 1 } })
  })

  test.each([
    [[{ metricName: 'nope' }], 0],
    [[{ metricName: 'm' }, { metricName: '(' }], 1],
  ])(
    'rules %j that match no metric are a mistake [analysis-and-experiments 29]',
    (dryRun, index) => {
      const world = simulate(analysisRun({ metrics: [metric()], dryRun }))
      expect(world.run?.status).toEqual({
        phase: 'Error',
        message: `Analysis spec invalid: dryRun[${index}]: Rule didn't match any metric name(s)`,
        startedAt: at(0),
        completedAt: at(0),
      })
    },
  )
})

describe('measurements that are kept', () => {
  const kept = (limit: number | null) =>
    simulate(
      analysisRun({
        metrics: [metric({ interval: '60s', count: 25 })],
        ...(limit === null ? {} : { measurementRetention: [{ metricName: 'm', limit }] }),
      }),
    )

  test.each([
    [20, 20],
    [0, 10],
    [null, 10],
  ])(
    'with limit %s are the newest %i; the count goes on [analysis-and-experiments 30]',
    (limit, number) => {
      const world = kept(limit)
      const [result] = world.run?.status?.metricResults ?? []
      expect(result).toMatchObject({ count: 25, successful: 25, phase: 'Successful' })
      expect(result?.measurements?.map((measurement) => measurement.value)).toEqual(
        Array.from({ length: number }, (_, index) => `[${25 - number + index + 1}]`),
      )
      expect(world.plans.flatMap((plan) => plan.retain)[0]).toEqual({ metric: 'm', limit: number })
      expect(world.plans.flatMap((plan) => plan.retain)).toHaveLength(25 - number)
    },
  )

  test('follow the last rule that matches; one that matches nothing is a mistake', () => {
    const rules = (...names: readonly string[]) =>
      simulate(
        analysisRun({
          metrics: [metric({ interval: '60s', count: 9 })],
          measurementRetention: names.map((metricName, index) => ({
            metricName,
            limit: index + 2,
          })),
        }),
      ).run?.status
    expect(rules('m', '.*')?.metricResults?.[0]?.measurements).toHaveLength(3)
    expect(rules('m', 'x')?.message).toBe(
      "Analysis spec invalid: measurementRetention[1]: Rule didn't match any metric name(s)",
    )
  })
})

test('what a provider says of a metric is kept from the first answer that has it', () => {
  const metrics = [metric({ interval: '60s', count: 3 })]
  const answered = (run: AnalysisRun, answer: Omit<Answer, 'metric'>) =>
    applied(
      run,
      planAnalysisRun(snapshotOf(run, { answers: [{ metric: 'm', ...answer }] }), testStart),
    ) as AnalysisRun
  const measurement = (phase: 'Error' | 'Successful') => ({
    phase,
    startedAt: at(0),
    finishedAt: at(0),
  })
  const said = (text: string) => ({ ResolvedPrometheusQuery: text })
  const first = answered(analysisRun({ metrics }), { serial: 1, measurement: measurement('Error') })
  expect(first.status?.metricResults?.[0]).not.toHaveProperty('metadata')
  const ok = measurement('Successful')
  const second = answered(first, { serial: 2, measurement: ok, metadata: said('up') })
  const third = answered(second, { serial: 3, measurement: ok, metadata: said('down') })
  for (const { status } of [second, third])
    expect(status?.metricResults?.[0]?.metadata).toEqual(said('up'))
})

describe('a run that cannot be measured', () => {
  const two = { prometheus: { query: 'up' }, web: { url: 'http://x' } }
  const endless = { failureLimit: -1, consecutiveSuccessLimit: 0 }
  const limits = 'failureLimit and consecutiveSuccessLimit cannot both be disabled'
  test.each<[string, AnalysisRun['spec'], string]>([
    [
      'two providers [metric-providers 1]',
      { metrics: [metric({ provider: two })] },
      'Analysis spec invalid: metrics[0]: multiple providers specified',
    ],
    [
      'no plugin [metric-providers 2]',
      { metrics: [metric({ provider: { plugin: {} } })] },
      'Analysis spec invalid: metrics[0]: no provider specified',
    ],
    [
      'no end [analysis-and-experiments 33]',
      { metrics: [metric(endless)] },
      `Analysis spec invalid: metrics[0]: ${limits}`,
    ],
    [
      'a limit that is no number',
      {
        metrics: [metric({ failureLimit: '{{args.limit}}' })],
        args: [{ name: 'limit', value: '10%' }],
      },
      'Analysis spec invalid: metrics[0]: failureLimit must be a whole number; it is "10%"',
    ],
    ['no metric', { metrics: [] }, 'Analysis spec invalid: no metrics specified'],
    [
      'one name twice',
      { metrics: [metric(), metric()] },
      "Analysis spec invalid: metrics[1]: duplicate name 'm'",
    ],
    [
      'an unknown placeholder [analysis-and-experiments 48]',
      { metrics: [metric({ interval: '{{args.nope}}' })] },
      'Unable to resolve metric arguments: failed to resolve {{args.nope}}',
    ],
    [
      'an argument without value',
      { metrics: [metric()], args: [{ name: 'a' }] },
      'Unable to resolve metric arguments: argument "a" was not supplied',
    ],
  ])('because of %s ends in Error with both times set', (_, spec, message) => {
    const world = simulate(analysisRun(spec))
    expect(world.run?.status).toEqual({
      phase: 'Error',
      message,
      startedAt: at(0),
      completedAt: at(0),
    })
    expect(world.transitions).toEqual([
      {
        type: 'Warning',
        reason: 'AnalysisRunError',
        message: 'Analysis Completed. Result: Error',
        after: 'status',
      },
    ])
  })

  test('because a secret lacks a key says which [analysis-and-experiments 36] [metric-providers 5]', () => {
    const message = "key 'k' does not exist in secret 's'"
    const secretKeyRef = { name: 's', key: 'k' }
    const run = analysisRun({
      metrics: [metric()],
      args: [{ name: 'token', valueFrom: { secretKeyRef } }],
    })
    const world = simulate(run, { snapshot: { secrets: { ok: false, message } } })
    expect(world.run?.status?.message).toBe(`Unable to resolve metric arguments: ${message}`)
  })
})

describe('a finished run', () => {
  const ttl = (phase: string, ttlStrategy: object) => {
    const run = analysisRun(
      { metrics: [metric()], ttlStrategy },
      { phase: phase as never, completedAt: at(0) },
    )
    const plan = planAnalysisRun(snapshotOf(run), testStart)
    return plan.checkAt === null ? null : (plan.checkAt - testStart) / 1000
  }
  const all = { secondsAfterSuccess: 1, secondsAfterFailure: 2, secondsAfterCompletion: 3 }

  test.each([
    ['Successful', all, 2],
    ['Failed', all, 3],
    ['Error', all, 4],
    ['Inconclusive', all, 4],
    ['Successful', { secondsAfterCompletion: 3 }, 4],
    ['Successful', { secondsAfterSuccess: 0 }, 1],
    ['Failed', { secondsAfterSuccess: 1 }, null],
    ['Error', { secondsAfterFailure: 2 }, null],
  ])('%s with %j has %s s to live', (phase, strategy, lives) => {
    expect(ttl(phase, strategy)).toBe(lives)
  })

  test('is deleted when its time is over, not earlier and not later [analysis-and-experiments 37]', () => {
    const world = simulate(
      analysisRun({ metrics: [metric()], ttlStrategy: { secondsAfterSuccess: 5 } }),
    )
    expect(world.run).toBeNull()
    expect(world.now).toBe(testStart + 6000)
    expect(world.plans.at(-1)?.writes).toEqual([
      expect.objectContaining({
        kind: 'delete',
        key: { namespace: 'app', name: 'run' },
        uid: 'uid-1',
      }),
    ])
    const done = { ...world.plans.at(-2), measure: [] }
    expect(done).toMatchObject({ writes: [], checkAt: testStart + 6000 })
  })

  test('is deleted also when its spec was never valid [analysis-and-experiments 38]', () => {
    const world = simulate(analysisRun({ metrics: [], ttlStrategy: { secondsAfterCompletion: 5 } }))
    expect(world.run).toBeNull()
    expect(world.now).toBe(testStart + 6000)
  })

  test('being deleted is left alone', () => {
    const run = analysisRun({ metrics: [metric()] })
    const deleted = {
      ...run,
      metadata: { ...run.metadata, deletionTimestamp: at(0) },
    } as AnalysisRun
    const plan = planAnalysisRun(snapshotOf(deleted), testStart)
    expect(plan).toMatchObject({ writes: [], measure: [], checkAt: null })
  })
})

describe('a run that names templates', () => {
  const query = 'success{service="{{args.service-name}}"}'
  const successRate = template('success-rate', {
    args: [{ name: 'service-name' }],
    metrics: [
      metric({ name: 'success-rate', provider: { prometheus: { address: 'http://p', query } } }),
    ],
  })
  const run = analysisRun({
    templates: [{ templateName: 'success-rate' }],
    args: [{ name: 'service-name', value: 'shop' }],
  } as AnalysisRun['spec'])

  test('gets their metrics once, then measures [analysis-and-experiments 39] [api 49]', () => {
    const snapshot = { analysisTemplates: [successRate] }
    const first = planAnalysisRun(snapshotOf(run, snapshot), testStart)
    expect(first.measure).toEqual([])
    expect(applied(run, first)?.spec).toEqual({
      templates: [{ templateName: 'success-rate' }],
      args: [{ name: 'service-name', value: 'shop' }],
      metrics: successRate.spec.metrics,
    })
    const world = simulate(run, { snapshot })
    expect(world.tasks).toMatchObject([{ metric: 'success-rate' }])
    expect(world.run?.status?.phase).toBe('Successful')
    expect(world.plans.filter((plan) => plan.writes[0]?.id === 'resolve')).toHaveLength(1)
  })

  test('falls back to the cluster’s template of that name, and says so', () => {
    const plan = planAnalysisRun(
      snapshotOf(run, { clusterAnalysisTemplates: [successRate] }),
      testStart,
    )
    expect(plan.writes).toHaveLength(1)
    expect(plan.warnings).toMatchObject([{ reason: 'ClusterTemplateFallback' }])
  })

  test('nobody knows ends in Error', () => {
    const world = simulate(run, { snapshot: { analysisTemplates: [template('success-rat', {})] } })
    expect(world.run?.status).toMatchObject({
      phase: 'Error',
      message:
        "AnalysisTemplate 'success-rate' not found, nor is there a ClusterAnalysisTemplate of that name; did you mean 'success-rat'?",
      completedAt: at(0),
    })
  })
})

describe('the verdict', () => {
  const letters = fc.string({
    unit: fc.constantFrom('S', 'S', 'S', 'F', 'I', 'E'),
    minLength: 1,
    maxLength: 8,
  })
  const someMetric = fc.record({
    interval: fc.constantFrom('10s', '15s', '60s'),
    count: fc.integer({ min: 4, max: 8 }),
    failureLimit: fc.integer({ min: 0, max: 2 }),
    inconclusiveLimit: fc.integer({ min: 0, max: 2 }),
    consecutiveErrorLimit: fc.integer({ min: 0, max: 3 }),
    consecutiveSuccessLimit: fc.integer({ min: 0, max: 2 }),
  })
  const scenario = fc
    .array(fc.record({ fields: someMetric, script: letters, dry: fc.boolean() }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((all) => ({
      metrics: all.map(({ fields }, index) => metric({ ...fields, name: `m${index}` })),
      scripts: Object.fromEntries(all.map(({ script }, index) => [`m${index}`, script])),
      dryRun: all.flatMap(({ dry }, index) => (dry ? [{ metricName: `m${index}` }] : [])),
    }))
  type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never

  const verdict = (
    { metrics, scripts, dryRun }: Scenario,
    options: Options = {},
    spec: Partial<AnalysisRun['spec']> = {},
  ) => {
    const world = simulate(analysisRun({ metrics, dryRun, ...spec }), { scripts, ...options })
    return { phase: world.run?.status?.phase, at: ends(world), world }
  }

  /** Whole numbers that say where each answer of an instant goes. */
  const seeds = fc.array(fc.nat(), { minLength: 4, maxLength: 4 })
  const shuffled = (answers: readonly Answer[], order: readonly number[]) =>
    answers
      .map((answer, index) => ({ answer, rank: order[index] ?? 0 }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ answer }) => answer)

  test('does not depend on the order in which answers come in', () => {
    fc.assert(
      fc.property(scenario, seeds, (given, order) => {
        const together = verdict(given, { arrange: (all) => [shuffled(all, order)] })
        expect(together.world.run).toEqual(verdict(given).world.run)
        const oneByOne = verdict(given, {
          arrange: (all) => shuffled(all, order).map((answer) => [answer]),
        })
        expect([oneByOne.phase, oneByOne.at]).toEqual([together.phase, together.at])
      }),
    )
  })

  test('does not depend on how many measurements are kept', () => {
    fc.assert(
      fc.property(scenario, fc.integer({ min: 1, max: 3 }), (given, limit) => {
        const trimmed = verdict(given, {}, { measurementRetention: [{ metricName: '.*', limit }] })
        const full = verdict(given)
        const bare = ({ run }: World) => ({
          ...run?.status,
          metricResults: run?.status?.metricResults?.map(({ measurements: _, ...rest }) => rest),
        })
        expect(bare(trimmed.world)).toEqual(bare(full.world))
      }),
    )
  })

  test('does not depend on restarts between answers', () => {
    fc.assert(
      fc.property(scenario, seeds, fc.uniqueArray(fc.nat(40)), (given, order, crashes) => {
        const arrange = (all: readonly Answer[]) => shuffled(all, order).map((answer) => [answer])
        const restarted = verdict(given, {
          arrange,
          crashes: (pass) => crashes.includes(pass),
        })
        const steady = verdict(given)
        expect([restarted.phase, restarted.at]).toEqual([steady.phase, steady.at])
      }),
    )
  })

  test('is reached, stored once, and planning again writes nothing', () => {
    fc.assert(
      fc.property(scenario, (given) => {
        const { world } = verdict(given)
        const run = world.run as AnalysisRun
        expect(run.status?.phase).not.toBe('Running')
        expect(planAnalysisRun(snapshotOf(run), world.now)).toMatchObject({
          writes: [],
          transitions: [],
          measure: [],
        })
      }),
    )
  })

  test('counts an answer once, also when the news of its storage was lost', () => {
    fc.assert(
      fc.property(scenario, letters, (given, script) => {
        const run = analysisRun({ metrics: given.metrics, dryRun: given.dryRun })
        const answers = given.metrics.map(
          ({ name }, index): Answer => ({
            metric: name,
            serial: 1,
            measurement: {
              phase: ({ S: 'Successful', F: 'Failed', I: 'Inconclusive', E: 'Error' } as const)[
                (script.charAt(index) || 'S') as 'S'
              ],
              startedAt: at(0),
              finishedAt: at(0),
            },
          }),
        )
        const stored = applied(run, planAnalysisRun(snapshotOf(run, { answers }), testStart))
        const again = planAnalysisRun(snapshotOf(stored as AnalysisRun, { answers }), testStart)
        expect(again.writes).toEqual([])
      }),
    )
  })

  test('of the same snapshot at the same time is the same', () => {
    fc.assert(
      fc.property(scenario, (given) => {
        expect(verdict(given).world.plans).toEqual(verdict(given).world.plans)
      }),
    )
  })

  test('waits for an answer that may be worse than Inconclusive, not for more once it is Failed', () => {
    const run = analysisRun({ metrics: [metric({ name: 'a' }), metric({ name: 'b' })] })
    const answer = (phase: 'Failed' | 'Inconclusive') => [
      {
        metric: 'a',
        serial: 1,
        measurement: { phase, startedAt: at(0), finishedAt: at(0) },
      },
    ]
    const ask = (phase: 'Failed' | 'Inconclusive') =>
      planAnalysisRun(snapshotOf(run, { inFlight: ['b'], answers: answer(phase) }), testStart)
    expect(ask('Inconclusive')).toMatchObject({ writes: [], measure: [], keepAnswers: true })
    expect(applied(run, ask('Failed'))?.status?.phase).toBe('Failed')
  })
})

test('a secret is in no plan: what is planned knows a placeholder instead', () => {
  const secretKeyRef = { name: 's', key: 'k' }
  const run = analysisRun({
    metrics: [
      metric({
        name: 'm-{{args.token}}',
        provider: { web: { url: 'http://x/{{args.token}}' } },
      }),
    ],
    args: [{ name: 'token', valueFrom: { secretKeyRef } }],
  })
  const world = simulate(run)
  expect(world.run?.status?.phase).toBe('Successful')
  expect(world.tasks).toMatchObject([{ metric: 'm-temp-for-secret' }])
})
