import { expect, test } from 'vitest'
import { microTimeProblem, microTimeText, timeProblem, timeText } from './time.ts'

test.each([
  ['2025-01-02T03:04:05Z', '2025-01-02T03:04:05Z'],
  ['2025-01-02T03:04:05.999Z', '2025-01-02T03:04:05Z'],
  ['2025-01-02T01:04:05+02:00', '2025-01-01T23:04:05Z'],
  ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00Z'],
  ['2025-02-29T00:00:00Z', undefined],
  ['0001-01-01T00:00:00Z', undefined],
  ['2025-01-02', undefined],
  [null, undefined],
])('the time %j is stored as %j', (written, stored) => {
  expect(timeText(written)).toBe(stored)
})

test('a micro time wants its six decimals', () => {
  expect(microTimeText('2025-01-02T03:04:05.000001+01:00')).toBe('2025-01-02T02:04:05.000001Z')
  expect(microTimeText('2025-01-02T03:04:05Z')).toBeUndefined()
  expect(microTimeProblem('2025-01-02T03:04:05Z')).toBe(
    'parsing time "2025-01-02T03:04:05Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
  )
})

test.each([
  ['2025-1-02T03:04:05Z', 'cannot parse "1-02T03:04:05Z" as "01"'],
  ['2025-01-02 03:04:05Z', 'cannot parse " 03:04:05Z" as "T"'],
  ['2025-01-02T03:04:05', 'cannot parse "" as "Z07:00"'],
])('a bad time %j is told where it goes wrong', (written, problem) => {
  expect(timeProblem(written)).toBe(
    `parsing time "${written}" as "2006-01-02T15:04:05Z07:00": ${problem}`,
  )
})

test('a time with a part out of range is told which', () => {
  expect(timeProblem('2025-13-02T03:04:05Z')).toBe(
    'parsing time "2025-13-02T03:04:05Z": month out of range',
  )
  expect(timeProblem('2025-02-30T03:04:05Z')).toBe(
    'parsing time "2025-02-30T03:04:05Z": day out of range',
  )
  expect(timeProblem('2025-01-02T03:04:05Zx')).toBe(
    'parsing time "2025-01-02T03:04:05Zx": extra text: "x"',
  )
})
