import { expect, test } from 'vitest'
import { minimumDetectableRegression } from './detectable-regression.ts'

const usual = {
  requestsPerSecond: 20,
  durationSeconds: 60,
  intervalSeconds: 5,
  bound: 0.01,
  alpha: 0.001,
}

test.each([
  ['a minute at 20 requests per second shows three times the bound', {}, 0.031],
  ['half a minute shows five times the bound', { durationSeconds: 30 }, 0.0485],
  ['five minutes show less than twice the bound', { durationSeconds: 300 }, 0.0179],
  [
    'rare looks show less of the same traffic',
    { durationSeconds: 300, intervalSeconds: 60 },
    0.0463,
  ],
  [
    'with little traffic only a large regression',
    { requestsPerSecond: 0.1, durationSeconds: 300 },
    0.238,
  ],
] as const)('%s', (_, facts, expected) => {
  expect(minimumDetectableRegression({ ...usual, ...facts })).toBeCloseTo(expected, 3)
})

test.each([
  ['two requests show nothing', { requestsPerSecond: 0.03 }],
  ['no traffic shows nothing', { requestsPerSecond: 0 }],
  ['one look shows nothing', { intervalSeconds: 60 }],
] as const)('%s', (_, facts) => {
  expect(minimumDetectableRegression({ ...usual, ...facts })).toBeNull()
})

test('more time, more traffic or a laxer alpha never hides a regression', () => {
  const found = (facts: object) => minimumDetectableRegression({ ...usual, ...facts }) ?? 1
  for (const [less, more] of [
    [{ durationSeconds: 60 }, { durationSeconds: 120 }],
    [{ requestsPerSecond: 20 }, { requestsPerSecond: 200 }],
    [{ alpha: 0.001 }, { alpha: 0.01 }],
  ] as const) {
    expect(found(more)).toBeLessThan(found(less))
  }
})
