import { describe, expect, test } from 'vitest'
import { canaryScore, type ScoredMetric } from './canary-score.ts'
import { type Comparison, type ComparisonClass, compareSeries } from './compare-series.ts'

const empty = { count: 0, mean: 0, min: 0, max: 0, std: 0 }

function metric(
  kind: ComparisonClass,
  groups: readonly string[],
  more: Partial<Comparison & { muted: boolean }> = {},
): ScoredMetric {
  const { muted, ...facts } = more
  return {
    groups,
    ...(muted === undefined ? {} : { muted }),
    comparison: {
      name: 'm',
      class: kind,
      critical: false,
      reason: kind === 'Pass' ? '' : `m was classified as ${kind}`,
      effect: 1,
      shift: null,
      canary: empty,
      baseline: empty,
      ...facts,
    },
  }
}

function score(
  metrics: readonly ScoredMetric[],
  groupWeights: Record<string, number> = {},
  mode: 'kayenta' | 'exact' = 'kayenta',
) {
  return canaryScore(metrics, { groupWeights, threshold: { pass: 80, marginal: 60 }, mode })
}

describe('the score of a canary', () => {
  test('two groups of 75 and 25, the lighter one bad: 75, Marginal [analysis-and-experiments 58]', () => {
    const metrics = [metric('Pass', ['g1']), metric('Pass', ['g1']), metric('High', ['g2'])]
    expect(score(metrics, { g1: 75, g2: 25 })).toEqual({
      score: 75,
      verdict: 'Marginal',
      reason: '',
      groups: { g1: 100, g2: 0 },
    })
  })

  // The scores of spec analysis-and-experiments 6.5.
  test.each([
    [['Pass a', 'High a', 'Low a'], {}, 33.33],
    [['High g1', 'Low g1', 'Pass g1', 'High g2'], { g1: 15, g2: 85 }, 5],
    [['Pass g1', 'Nodata g1', 'High g2'], { g1: 50, g2: 50 }, 50],
    [['Pass a', 'High a'], {}, 50],
    [['Pass a', 'NodataFailMetric a'], {}, 50],
    [['Pass a', 'Pass a', 'Error b'], {}, 100],
    [['Pass a', 'High b', 'Pass c'], { a: 50 }, 75],
    [[], {}, 0],
  ] as const)(
    '%j with weights %j: %d [analysis-and-experiments 57]',
    (metrics, weights, expected) => {
      const parsed = metrics.map((text) => {
        const [kind, group] = text.split(' ') as [ComparisonClass, string]
        return metric(kind, [group])
      })
      expect(score(parsed, weights).score).toBe(expected)
    },
  )

  test('a critical metric that is High fails the whole canary [analysis-and-experiments 59]', () => {
    const tens = Array.from({ length: 10 }, (_, i) => 10 + i)
    const comparison = compareSeries(
      { name: 'errors', critical: true },
      { baseline: tens, canary: tens.map((value) => value * 2) },
      { mode: 'kayenta', tolerance: 0.25, confidence: 0.98, minimumSamples: 8 },
    )
    expect(score([metric('Pass', ['a']), { comparison, groups: ['a'] }])).toMatchObject({
      score: 0,
      verdict: 'Fail',
      reason: 'Canary Failed: The metric errors was classified as High (Critical)',
    })
  })

  test('half of the metrics without data fail the canary as Kayenta fails it', () => {
    expect(score([metric('Pass', ['a']), metric('Nodata', ['a'])])).toMatchObject({
      score: 0,
      verdict: 'Fail',
      reason: 'Canary Failed: 50% or more metrics returned NODATA',
    })
  })

  test('in mode exact missing data is no proof of failure', () => {
    const reason = 'm has 2 samples'
    const unsure = metric('Inconclusive', ['a'], { reason })
    expect(score([unsure], {}, 'exact')).toMatchObject({ score: 0, verdict: 'Marginal', reason })
    const three = [metric('Pass', ['a']), metric('Pass', ['a']), unsure]
    expect(score(three, {}, 'exact')).toMatchObject({ score: 100, verdict: 'Marginal', reason })
  })

  test('a muted metric has no part in the score, even a critical one', () => {
    const muted = metric('High', ['a'], { critical: true, muted: true })
    expect(score([metric('Pass', ['a']), muted])).toMatchObject({ score: 100, verdict: 'Pass' })
  })

  test('the score is compared as it is, not cut to an integer', () => {
    const metrics = [
      ...Array.from({ length: 999 }, () => metric('Pass', ['a'])),
      ...Array.from({ length: 250 }, () => metric('High', ['a'])),
    ]
    expect(score(metrics)).toMatchObject({ score: 79.98, verdict: 'Marginal' })
  })
})
