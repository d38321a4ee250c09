import { expect, test } from 'vitest'
import { durationProblem, formatDuration, parseDuration, parsePauseDuration } from './duration.ts'

test.each([
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['5.s', 5_000],
  ['+5m', 300_000],
  ['-2m', -120_000],
  ['0', 0],
  ['1us', 0.001],
  ['1µs', 0.001],
  ['100ms', 100],
])('%s is a duration', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', '5', '1d', '10 m', '1h-5m', '10m.', '5m10', '1e3', '.s', '-', '300000000h'])(
  '"%s" is no duration',
  (text) => {
    expect(parseDuration(text)).toBeUndefined()
  },
)

test.each([
  ['1d', 'time: unknown unit "d" in duration "1d"'],
  ['5', 'time: missing unit in duration "5"'],
  ['', 'time: invalid duration ""'],
  ['abc', 'time: invalid duration "abc"'],
])('what is wrong with "%s" is said in Go’s words', (text, detail) => {
  expect(durationProblem(text)).toBe(detail)
})

test('pauses of "600", 600, 10m and 1h30m last 600, 600, 600 and 5400 seconds', () => {
  const written = ['600', 600, '10m', '1h30m']
  expect(written.map(parsePauseDuration)).toEqual(
    [600, 600, 600, 5400].map((seconds) => ({ kind: 'seconds', seconds })),
  )
})

test.each([
  ['1.5h', 5400],
  ['.5m', 30],
  ['+5m', 300],
  [0, 0],
  ['0', 0],
  ['0s', 0],
  ['100ms', 0],
  ['999ms', 0],
  ['010', 10],
])('a pause of %s lasts %d seconds', (duration, seconds) => {
  expect(parsePauseDuration(duration)).toEqual({ kind: 'seconds', seconds })
})

test.each(['1d', '10 m', '', '5m10', '1e3', '1h-5m', '3000000000', '-1', -1, '10m..', '.'])(
  'a pause of "%s" is invalid',
  (duration) => {
    expect(parsePauseDuration(duration)).toEqual({ kind: 'invalid', text: String(duration) })
  },
)

test('a pause without duration lasts until somebody promotes', () => {
  expect(parsePauseDuration(undefined)).toEqual({ kind: 'indefinite' })
})

test.each(['10m.', '10m,', '600.'])('one trailing mark is forgiven: %s is 600 seconds', (text) => {
  expect(parsePauseDuration(text)).toEqual({ kind: 'seconds', seconds: 600, normalizedFrom: text })
})

test.each([
  [0, '0s'],
  [0.001, '1µs'],
  [1.5, '1.5ms'],
  [1500, '1.5s'],
  [60_000, '1m0s'],
  [5_400_000, '1h30m0s'],
  [-90_000, '-1m30s'],
])('%d ms print as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})
