import { expect, test } from 'vitest'
import { parsePauseDuration } from './duration.ts'
import { canaryApp, nginx } from './test-rollout.ts'
import { lintRollout, lintTemplate } from './warnings.ts'

const pause = (duration: string | number) => canaryApp({ steps: [{ pause: { duration } }] })

test('10m. is a pause of 600 seconds, and a warning says so [api 13]', () => {
  expect(parsePauseDuration('10m.')).toMatchObject({ kind: 'seconds', seconds: 600 })
  expect(lintRollout(pause('10m.'))).toEqual([
    {
      reason: 'DurationNormalized',
      path: 'spec.strategy.canary.steps[0].pause.duration',
      message: '"10m." is read as "10m" (10m0s)',
    },
  ])
})

test('a pause of 0 is warned about in the words that fit the chosen meaning', () => {
  const message = (zeroPause: 'gate' | 'advance') =>
    lintRollout(pause(0), { zeroPause })[0]?.message
  expect(message('gate')).toBe('duration 0 is treated as a manual gate; write pause: {} to say so')
  expect(message('advance')).toBe('duration 0 does not wait; use pause: {} to wait for promotion')
})

test('3 pods of 10 that meet 100% of the traffic are warned about once', () => {
  const steps = [
    { setWeight: 10 },
    { setCanaryScale: { replicas: 3 } },
    { setWeight: 30 },
    { setWeight: 60 },
    { pause: {} },
    { setWeight: 100 },
  ]
  expect(lintRollout(canaryApp({ ...nginx, steps }))).toEqual([
    {
      reason: 'CanaryUnderscaled',
      path: 'spec.strategy.canary.steps[1].setCanaryScale',
      message: expect.stringContaining('3 of 10 pods carry up to 100% of the traffic'),
    },
  ])
})

test('a canary that follows its weight again, or has pods enough, is not warned about', () => {
  const released = [
    { setCanaryScale: { replicas: 3 } },
    { setWeight: 30 },
    { setCanaryScale: { matchTrafficWeight: true } },
    { setWeight: 100 },
  ]
  const enough = [{ setCanaryScale: { weight: 50 } }, { setWeight: 50 }]
  for (const steps of [released, enough]) {
    expect(lintRollout(canaryApp({ ...nginx, steps }))).toEqual([])
  }
})

test('a background analysis behind the last step is said never to start [api 57]', () => {
  const steps = [{ setWeight: 1 }, { setWeight: 2 }, { setWeight: 3 }]
  expect(lintRollout(canaryApp({ steps, analysis: { startingStep: 5 } }))).toEqual([
    {
      reason: 'AnalysisNeverStarts',
      path: 'spec.strategy.canary.analysis.startingStep',
      message: 'there are only 3 steps (0 to 2), so the background analysis never starts',
    },
  ])
})

test('a metric that may fail every time is warned about', () => {
  const provider = { prometheus: { query: 'up' } }
  const metrics = [{ name: 'm', interval: '1m', count: 2, failureLimit: 2, provider }]
  expect(lintTemplate({ metrics }).map((finding) => [finding.reason, finding.path])).toEqual([
    ['MetricNeverFails', 'spec.metrics[0].failureLimit'],
  ])
})
