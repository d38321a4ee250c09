import { expect, test } from 'vitest'
import { SeededRandom } from './seeded-random.ts'

const draws = 20_000

function momentsOf(draw: () => number): { mean: number; variance: number } {
  const values = Array.from({ length: draws }, draw)
  const mean = values.reduce((sum, value) => sum + value, 0) / draws
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / draws
  return { mean, variance }
}

test('one seed gives one sequence and another seed another', () => {
  const sequence = (seed: number | string) => {
    const random = new SeededRandom(seed)
    return [random.next(), random.int(1000), random.poisson(50), random.hex(10)]
  }
  expect(sequence('demo')).toEqual(sequence('demo'))
  expect(sequence(1)).not.toEqual(sequence(2))
})

test('a fork has a sequence of its own, whatever was drawn from its origin', () => {
  const fresh = new SeededRandom(7)
  const used = new SeededRandom(7)
  used.next()
  expect(used.fork('traffic').next()).toBe(fresh.fork('traffic').next())
  expect(fresh.fork('traffic').next()).not.toBe(fresh.fork('pods').next())
})

test('uniform numbers fill [0, 1) evenly and integers stay below their bound', () => {
  const random = new SeededRandom('uniform')
  const { mean, variance } = momentsOf(() => random.next())
  expect(mean).toBeCloseTo(0.5, 2)
  expect(variance).toBeCloseTo(1 / 12, 2)
  const seen = new Set(Array.from({ length: 1000 }, () => random.int(4)))
  expect([...seen].sort()).toEqual([0, 1, 2, 3])
  expect(random.hex(9)).toMatch(/^[0-9a-f]{9}$/)
})

test.each([0.3, 5, 29, 30, 400, 1e6])(
  'Poisson counts of mean %d have that mean and variance',
  (mean) => {
    const random = new SeededRandom(`poisson ${mean}`)
    const seen = momentsOf(() => random.poisson(mean))
    const tolerance = 4 * Math.sqrt(mean / draws)
    expect(Math.abs(seen.mean - mean)).toBeLessThan(tolerance)
    expect(seen.variance / mean).toBeGreaterThan(0.94)
    expect(seen.variance / mean).toBeLessThan(1.06)
  },
)

test.each([
  [20, 0.3],
  [1000, 0.003],
  [1000, 0.05],
  [1000, 0.5],
  [1000, 0.93],
  [1e6, 0.15],
])('successes among %d tries at %d have the binomial mean and variance', (n, p) => {
  const random = new SeededRandom(`binomial ${n} ${p}`)
  const seen = momentsOf(() => random.binomial(n, p))
  const variance = n * p * (1 - p)
  expect(Math.abs(seen.mean - n * p)).toBeLessThan(4 * Math.sqrt(variance / draws))
  expect(seen.variance / variance).toBeGreaterThan(0.94)
  expect(seen.variance / variance).toBeLessThan(1.06)
})

test('impossible and certain tries need no chance', () => {
  const random = new SeededRandom(0)
  expect([random.binomial(10, 0), random.binomial(10, 1), random.binomial(0, 0.5)]).toEqual([
    0, 10, 0,
  ])
  expect([random.poisson(0), random.int(0)]).toEqual([0, 0])
})
