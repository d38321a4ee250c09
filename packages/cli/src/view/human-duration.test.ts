import { expect, test } from 'vitest'
import { humanDuration } from './human-duration.ts'

const s = 1000
const m = 60 * s
const h = 60 * m
const d = 24 * h

test.each([
  [-2 * s, '<invalid>'],
  [-0.5 * s, '0s'],
  [0, '0s'],
  [119 * s, '119s'],
  [2 * m, '2m'],
  [6 * m + 12 * s, '6m12s'],
  [10 * m + 5 * s, '10m'],
  [179 * m, '179m'],
  [3 * h, '3h'],
  [5 * h + 2 * m, '5h2m'],
  [9 * h, '9h'],
  [47 * h, '47h'],
  [5 * d + 2 * h, '5d2h'],
  [9 * d, '9d'],
  [729 * d, '729d'],
  [730 * d, '2y'],
  [800 * d, '2y70d'],
  [3000 * d, '8y'],
])('an age of %i ms prints as %s', (ms, text) => {
  expect(humanDuration(ms)).toBe(text)
})
