import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Baseline, differenceOf, type Reading } from './counter-reading.ts'
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
    note: 'a counter of the canary side was started anew: this look is left out',
  })
  expect(differenceOf(again.baseline, read(1, 60)).look).toEqual({ canary: { bad: 1, total: 20 } })
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
      stable: { bad: 2, total: 990 },
    }).look,
  ).toEqual({ canary: { bad: 0, total: 100 }, stable: { bad: 2, total: 900 } })
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
