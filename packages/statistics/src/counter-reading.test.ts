import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Baseline, type Difference, differenceOf, type Reading } from './counter-reading.ts'
import type { Requests } from './sequential-test.ts'

const read = (bad: number | null, total: number | null): Reading => ({ canary: { bad, total } })
const from = (bad: number, total: number) => ({ canary: { bad, total } })

test('the first reading only starts the counting', () => {
  expect(differenceOf(null, read(70, 9000))).toEqual({
    look: null,
    baseline: from(70, 9000),
    note: '',
  })
})

test('a look is what the counters grew by', () => {
  expect(differenceOf(from(70, 9000), read(71, 9100))).toEqual({
    look: { canary: { bad: 1, total: 100 } },
    baseline: from(71, 9100),
    note: '',
  })
})

test('no series of bad requests means that none was bad yet', () => {
  expect(differenceOf(from(0, 10), read(null, 30)).look).toEqual({ canary: { bad: 0, total: 20 } })
})

test('while the total has no series nothing is lost: the next look holds the whole time', () => {
  const away = differenceOf(from(1, 100), read(null, null))
  expect(away).toEqual({
    look: null,
    baseline: from(1, 100),
    note: 'total of the canary side has no series',
  })
  expect(differenceOf(away.baseline, read(3, 300)).look).toEqual({ canary: { bad: 2, total: 200 } })
})

test('a series that appears only later starts the counting then', () => {
  const absent = differenceOf(null, read(null, null))
  expect(absent.baseline).toBeNull()
  expect(differenceOf(absent.baseline, read(5, 500))).toMatchObject({ look: null })
})

test('a counter that was started anew costs its look, and no request is counted twice', () => {
  const again = differenceOf(from(10, 1000), read(0, 40))
  expect(again).toMatchObject({
    look: null,
    note: 'a counter of the canary side fell: the next look tells whether it was started anew',
  })
  expect(differenceOf(again.baseline, read(1, 60))).toEqual({
    look: { canary: { bad: 1, total: 20 } },
    baseline: from(1, 60),
    note: 'a counter of the canary side was started anew',
  })
})

test('an answer from the past, such as of a Prometheus that lags behind the other one, counts nothing twice', () => {
  const past = differenceOf(from(30, 1000), read(10, 900))
  const back = differenceOf(past.baseline, read(31, 1100))
  expect(back).toEqual({
    look: null,
    baseline: from(31, 1100),
    note: 'the counters are back where they fell from: this look is left out',
  })
  expect(differenceOf(back.baseline, read(31, 1200)).look).toEqual({
    canary: { bad: 0, total: 100 },
  })
})

test('counters that are started anew again and again are counted between the falls', () => {
  const readings = [read(0, 50), read(1, 20), read(0, 10), read(4, 30), read(5, 90)]
  let baseline: Baseline | null = from(5, 100)
  const looks = readings.map((reading) => {
    const difference = differenceOf(baseline, reading)
    baseline = difference.baseline
    return difference.look?.canary ?? null
  })
  expect(looks).toEqual([null, null, null, { bad: 4, total: 20 }, { bad: 1, total: 60 }])
})

test('whatever the counters do, no look holds a negative number, and none more than was ever counted', () => {
  const counter = fc.integer({ min: 0, max: 50 })
  const side = fc.record({ bad: fc.option(counter), total: fc.option(counter) })
  const reading = fc.record({ canary: side, stable: side })
  fc.assert(
    fc.property(fc.array(reading, { maxLength: 30 }), (readings) => {
      let baseline: Baseline | null = null
      for (const one of readings) {
        const difference: Difference = differenceOf(baseline, one)
        for (const [name, { bad, total }] of Object.entries(difference.look ?? {})) {
          const now = one[name as 'canary' | 'stable']
          expect(bad >= 0 && bad <= total && total <= (now.total ?? 0)).toBe(true)
          expect(bad).toBeLessThanOrEqual(now.bad ?? 0)
        }
        baseline = JSON.parse(JSON.stringify(difference.baseline))
      }
    }),
    { seed: 7 },
  )
})

test('bad requests beyond the total wait for the look that holds both', () => {
  const early = differenceOf(from(0, 100), read(7, 105))
  expect(early).toMatchObject({
    look: null,
    note: 'bad of the canary side grew by 7, total only by 5: bad requests must be part of total',
  })
  expect(differenceOf(early.baseline, read(7, 200)).look).toEqual({
    canary: { bad: 7, total: 100 },
  })
})

test('both sides always speak of the same time', () => {
  const before = { canary: { bad: 0, total: 100 }, stable: { bad: 0, total: 900 } }
  const reset = differenceOf(before, {
    canary: { bad: 1, total: 200 },
    stable: { bad: 0, total: 90 },
  })
  expect(reset.look).toBeNull()
  expect(
    differenceOf(reset.baseline, {
      canary: { bad: 1, total: 300 },
      stable: { bad: 2, total: 490 },
    }).look,
  ).toEqual({ canary: { bad: 0, total: 100 }, stable: { bad: 2, total: 400 } })
})

test('reading counters more often splits the requests of a look and changes no total', () => {
  const growth = fc.record({ good: fc.nat(50), bad: fc.nat(5), missing: fc.boolean() })
  fc.assert(
    fc.property(fc.array(growth, { minLength: 1, maxLength: 12 }), fc.nat(1e6), (parts, start) => {
      let [bad, total] = [start, 2 * start]
      let baseline: Baseline | null = from(bad, total)
      let sum: Requests = { bad: 0, total: 0 }
      const add = (reading: Reading) => {
        const { look, baseline: next } = differenceOf(baseline, reading)
        baseline = next
        sum = {
          bad: sum.bad + (look?.canary.bad ?? 0),
          total: sum.total + (look?.canary.total ?? 0),
        }
      }
      for (const part of parts) {
        bad += part.bad
        total += part.bad + part.good
        add(part.missing ? read(null, null) : read(bad, total))
      }
      add(read(bad, total))
      const whole = differenceOf(from(start, 2 * start), read(bad, total))
      expect(sum).toEqual(whole.look?.canary)
      expect(baseline).toEqual(whole.baseline)
    }),
    { seed: 6 },
  )
})
