import { parseDuration } from '@serinus/api'
import { expect, test } from 'vitest'
import { exchanges } from './payloads.ts'

test.each([
  ['none', 0, 0],
  ['a negative one', -5e9, 0],
  ['the shortest of Go', -(2 ** 63), 0],
  ['a minute and a half', 90e9, 90_000],
  ['the longest of Go', 2 ** 63, 9.2e12],
])('RequeueAfter of a Go plugin is understood, be it %s', (_, nanoseconds, ms) => {
  const reply = { Result: { Phase: 'Running', RequeueAfter: nanoseconds } }
  const { requeueAfter } = exchanges['step/run'].answer(reply) as { requeueAfter: string }
  expect(parseDuration(requeueAfter)).toBe(ms)
})
