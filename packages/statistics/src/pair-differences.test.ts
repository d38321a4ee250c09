import fc from 'fast-check'
import { expect, test } from 'vitest'
import { orderedDifferences } from './pair-differences.ts'
import { ascending } from './sample.ts'

const numbers = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.double({ min: -1e300, max: 1e300, noNaN: true }),
  fc.double({ min: -1e-300, max: 1e-300, noNaN: true }),
)
const samples = fc.array(numbers, { minLength: 1, maxLength: 20 })

test('every difference is found where sorting all of them puts it, to the bit', () => {
  fc.assert(
    fc.property(samples, samples, (experiment, control) => {
      const all = experiment.flatMap((e) => control.map((c) => e - c || 0))
      const found = orderedDifferences(ascending(experiment), ascending(control))
      expect(all.map((_, position) => found(position))).toEqual([...ascending(all)])
    }),
    { seed: 11, numRuns: 500 },
  )
})

test('differences that are too large for a number are infinite', () => {
  const found = orderedDifferences(Float64Array.of(-1e308, 1e308), Float64Array.of(-1e308, 1e308))
  expect([0, 1, 2, 3].map(found)).toEqual([
    Number.NEGATIVE_INFINITY,
    0,
    0,
    Number.POSITIVE_INFINITY,
  ])
})
