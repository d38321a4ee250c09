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

test('bytes where a Go plugin is to answer a text are refused, not spelt out', () => {
  const bytes = new Uint8Array(3)
  const answers = [
    () => exchanges['metric/run'].answer({ Phase: 'Successful', Value: bytes }),
    () => exchanges['metric/metadata'].answer({ key: bytes }),
    () => exchanges['step/run'].answer({ Result: { Phase: 'Running', Message: bytes } }),
  ]
  for (const answer of answers) expect(answer).toThrow('a text was due')
})
