import { VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { limitLines, parseLine, printable } from './log.ts'

test('a line has the level that go-plugin gives it, and no level that does not exist', () => {
  const line = (level: unknown) => JSON.stringify({ '@level': level, '@message': 'hello' })
  expect(parseLine(line('warn'))).toEqual({ level: 'warn', message: 'hello' })
  expect(parseLine(line('trace'))).toEqual({ level: 'debug', message: 'hello' })
  for (const level of ['constructor', '__proto__', 'toString', null, {}, 7])
    expect(parseLine(line(level))).toEqual({ level: 'info', message: 'hello' })
})

test('what is told cannot write over the terminal of whoever reads it', () => {
  expect(printable('\u001b[2J\u001b[1;1Hall is\r\nwell')).toBe(' [2J [1;1Hall is well')
})

test('of a plugin that floods the log some lines are passed on, and the others counted', async () => {
  const clock = new VirtualClock(0)
  const passed: string[] = []
  const told: string[] = []
  const line = limitLines({
    clock,
    signal: new AbortController().signal,
    onLine: (text) => passed.push(text),
    onLeftOut: (message) => told.push(message),
  })
  for (let count = 0; count < 1_500; count++) line('x')
  expect(passed.length).toBe(1_000)
  expect(told).toEqual([])
  await clock.advance(10_000)
  expect(told).toEqual(['500 lines of the plugin are left out: more than 1000 came within 10s'])
  line('y')
  expect(passed.at(-1)).toBe('y')
  await clock.advance(60_000)
  expect(told.length).toBe(1)
})
