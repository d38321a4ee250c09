import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ComparisonConfig, compareSeries, type Judging } from './compare-series.ts'
import { exactShift, kayentaShift } from './mann-whitney.ts'

const kayenta: Judging = { mode: 'kayenta', tolerance: 0.25, confidence: 0.98, minimumSamples: 8 }
const exact: Judging = { ...kayenta, mode: 'exact' }

const tens = Array.from({ length: 10 }, (_, i) => 10 + i)
const doubled = tens.map((value) => 2 * value)
const hundred = [100, 102, 98, 101, 99, 103, 97, 100, 101, 99]
const times = (factor: number) => hundred.map((value) => value * factor)
const zerosAndOnes = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]

function compare(
  baseline: readonly number[],
  canary: readonly number[],
  config: Omit<ComparisonConfig, 'name'> = {},
  judging = kayenta,
) {
  return compareSeries({ name: 'm', ...config }, { canary, baseline }, judging)
}

describe('a comparison in mode kayenta', () => {
  // Every row of spec analysis-and-experiments 6.5 that has a class.
  test.each([
    [tens, doubled, {}, [8, 21, 14.5], 2, 'High'],
    [doubled, tens, {}, [-21, -8, -14.5], 0.5, 'Low'],
    [tens, doubled, { direction: 'decrease' }, [8, 21, 14.5], 2, 'Pass'],
    [tens, doubled, { effectSize: { allowedIncrease: 2.5 } }, [8, 21, 14.5], 2, 'Pass'],
    [tens, doubled, { effectSize: { measure: 'cles' } }, [8, 21, 14.5], 1, 'High'],
    [[1, 2.2, 1.1, 2.5, 3], [20, 22, 21, 25, 30], {}, [17.0001, 28.9999, 20], 12.0408, 'High'],
    [hundred, times(1.02), {}, [-0.04, 4.04, 2], 1.02, 'Pass'],
    [hundred, times(1.1), {}, [7.8, 12.2, 10], 1.1, 'High'],
    [hundred, times(1.3), { effectSize: { allowedIncrease: 1.5 } }, [27.4, 32.6, 30], 1.3, 'Pass'],
    [[...Array(9).fill(0), 1], zerosAndOnes, {}, [-0, 1, 0], 5, 'Pass'],
    [Array(10).fill(0), zerosAndOnes, {}, [0, 1, 0.5], Number.NaN, 'Pass'],
    [[1, 1.5], [2, 3], {}, [0.5, 2, 1.25], 2, 'High'],
  ] as const)(
    'of %j with %j, %j: %j, effect %d, %s [analysis-and-experiments 57]',
    (baseline, canary, config, [lower, upper, estimate], effect, expected) => {
      const found = compare(baseline, canary, config)
      expect(found.class).toBe(expected)
      if (Number.isNaN(effect)) expect(found.effect).toBeNaN()
      else expect(found.effect).toBeCloseTo(effect, 4)
      const scale = Math.max(...baseline.map(Math.abs), ...canary.map(Math.abs))
      const shift = found.shift
      expect(Math.abs((shift?.lower ?? Number.NaN) - lower)).toBeLessThan(1e-3 * scale)
      expect(Math.abs((shift?.upper ?? Number.NaN) - upper)).toBeLessThan(1e-3 * scale)
      expect(Math.abs((shift?.estimate ?? Number.NaN) - estimate)).toBeLessThan(1e-3 * scale)
    },
  )

  test('the interval of four samples at a confidence of 0.95 [analysis-and-experiments 57]', () => {
    const shift = kayentaShift([10, 20, 30, 40], [1, 2, 3, 4], 0.95)
    expect(shift?.lower).toBeCloseTo(6, 3)
    expect(shift?.upper).toBeCloseTo(39, 3)
    expect(shift?.estimate).toBeCloseTo(22.5, 3)
  })

  test('the same numbers in another order pass as identical [analysis-and-experiments 57]', () => {
    expect(compare(hundred, hundred.toReversed())).toMatchObject({
      class: 'Pass',
      reason: 'The Canary and Baseline data are identical',
    })
  })

  test('one sample on each side cannot be ranked: Error [analysis-and-experiments 57]', () => {
    expect(compare([1], [2])).toMatchObject({
      class: 'Error',
      reason: 'Metric Classification Failed',
    })
  })

  test.each([
    [{}, { class: 'Nodata', critical: false, reason: 'Missing data for m', effect: 1 }],
    [
      { critical: true, mustHaveData: true },
      { class: 'Nodata', critical: true },
    ],
    [{ mustHaveData: true }, { class: 'NodataFailMetric', critical: false }],
    [{ nanStrategy: 'replace' }, { class: 'Pass' }],
  ] as const)('without data and with %j: %j', (config, expected) => {
    expect(compare([], [1, 2], config)).toMatchObject(expected)
  })

  test.each([
    [
      { critical: true },
      { class: 'High', critical: true, reason: 'The metric m was classified as High (Critical)' },
    ],
    [
      { critical: true, effectSize: { criticalIncrease: 3 } },
      { class: 'High', critical: false, reason: 'm was classified as High' },
    ],
    [{ direction: 'increase' }, { class: 'High', critical: false }],
  ] as const)('a doubled metric with %j: %j', (config, expected) => {
    expect(compare(tens, doubled, config)).toMatchObject(expected)
  })

  test('a series of nothing but NaN is no data', () => {
    expect(compare([Number.NaN], [1, 2]).class).toBe('Nodata')
  })

  test('a halved critical metric is Low', () => {
    expect(compare(doubled, tens, { critical: true })).toMatchObject({
      class: 'Low',
      reason: 'The metric m was classified as Low (Critical)',
    })
  })

  test('two different constants differ, with the same verdict each time', () => {
    const found = compare(Array(10).fill(5), Array(10).fill(6))
    expect(found.class).toBe('High')
    expect(compare(Array(10).fill(5), Array(10).fill(6))).toEqual(found)
  })

  test('NaN is left out, or counts as 0', () => {
    const withGap = [...tens, Number.NaN]
    expect(compare(withGap, tens).class).toBe('Pass')
    expect(compare(withGap, tens).baseline.count).toBe(10)
    expect(compare(withGap, tens, { nanStrategy: 'replace' }).baseline).toMatchObject({
      count: 11,
      min: 0,
    })
  })

  test('an infinite value, such as a share of no requests, counts as no value', () => {
    const withShare = [...tens, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (const judging of [kayenta, exact]) {
      expect(compare(withShare, doubled, {}, judging)).toEqual(compare(tens, doubled, {}, judging))
    }
  })

  test('outliers go where that is asked for', () => {
    const wild = [...Array(100).keys(), 10_000, 10_001]
    expect(compare(wild, tens).baseline.max).toBe(10_001)
    // The 99th percentile of the 102 values is 9900.99.
    const outliers = { strategy: 'remove', outlierFactor: 1 } as const
    expect(compare(wild, tens, { outliers }).baseline).toMatchObject({ count: 100, max: 99 })
  })

  test('what is reported of a series', () => {
    expect(compare([1, 2, 3, 4], [1, 2]).baseline).toEqual({
      count: 4,
      mean: 2.5,
      min: 1,
      max: 4,
      std: Math.sqrt(5 / 3),
    })
    expect(compare([], [7]).canary).toMatchObject({ count: 1, std: 0 })
    expect(compare([], [7]).baseline).toEqual({ count: 0, mean: 0, min: 0, max: 0, std: 0 })
  })
})

describe('a comparison in mode exact', () => {
  test('two samples on each side say nothing [analysis-and-experiments 60]', () => {
    expect(compare([1, 1.5], [2, 3], {}, exact)).toMatchObject({
      class: 'Inconclusive',
      reason: 'm has 2 samples of the canary and 2 of the baseline; 8 of each are needed',
    })
  })

  test('a minimum that is too low for the confidence says nothing either', () => {
    expect(compare([1, 1.5], [2, 3], {}, { ...exact, minimumSamples: 2 })).toMatchObject({
      class: 'Inconclusive',
      reason: 'm has too few samples for a confidence of 0.98',
    })
  })

  test.each([
    [tens, doubled, {}, 'High'],
    [doubled, tens, {}, 'Low'],
    [hundred, times(1.1), {}, 'Pass'],
    [hundred, times(1.1), { effectSize: { allowedIncrease: 1.05 } }, 'High'],
    [hundred, times(1.1), { effectSize: { measure: 'cles' } }, 'High'],
    [Array(8).fill(5), Array(8).fill(6), {}, 'Pass'],
    [Array(8).fill(5), Array(8).fill(7), {}, 'High'],
    [Array(8).fill(5), Array(8).fill(5), {}, 'Pass'],
  ] as const)('of %j with %j, %j: %s', (baseline, canary, config, expected) => {
    expect(compare(baseline, canary, config, exact).class).toBe(expected)
  })

  test('a critical metric is critical from the allowed increase on', () => {
    const config = { critical: true, effectSize: { allowedIncrease: 1.5 } }
    expect(compare(tens, doubled, config, exact).critical).toBe(true)
  })

  test('the scale of the values does not matter, down to error rates near 1e-5', () => {
    const tiny = (values: readonly number[]) => values.map((value) => value * 1e-6)
    expect(compare(tiny(tens), tiny(doubled), {}, exact).class).toBe('High')
    expect(compare(tiny(tens), tiny(doubled)).class).not.toBe('High')
  })

  test('the interval ends at the ordered differences that tables give for this confidence', () => {
    // Critical value of U for 10 and 10 samples, two-sided 0.02: 19; so the 20th difference from either end.
    const differences = doubled.flatMap((e) => tens.map((c) => e - c)).sort((a, b) => a - b)
    expect(exactShift(doubled, tens, 0.98)).toEqual({
      lower: differences[19],
      upper: differences[80],
      estimate: 14.5,
    })
  })

  test('many samples come to nearly the same interval by approximation as by counting', () => {
    const canary = Array.from({ length: 50 }, (_, i) => Math.sin(i * 7.1) + i / 50)
    const baseline = Array.from({ length: 50 }, (_, i) => Math.sin(i * 3.7))
    const counted = exactShift(canary, baseline, 0.98)
    const approximate = exactShift([...canary, 0.5], baseline, 0.98)
    expect(approximate?.lower).toBeCloseTo(counted?.lower ?? Number.NaN, 1)
    expect(approximate?.upper).toBeCloseTo(counted?.upper ?? Number.NaN, 1)
  })

  test('the shift of a sample against itself moved by x is x, within its interval', () => {
    const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 8, maxLength: 40 })
    fc.assert(
      fc.property(values, fc.integer({ min: -500, max: 500 }), (sample, x) => {
        const moved = sample.map((value) => value + x)
        const shift = exactShift(moved, sample, 0.98)
        expect(shift?.estimate).toBe(x)
        expect(shift?.lower).toBeLessThanOrEqual(x)
        expect(shift?.upper).toBeGreaterThanOrEqual(x)
      }),
      { seed: 6 },
    )
  })
})
