import { VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { createLog, type LogOptions } from './log.ts'

function logged(options: Pick<LogOptions, 'level' | 'format'>): readonly string[] {
  const lines: string[] = []
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const log = createLog({ ...options, clock, write: (line) => lines.push(line) })
  log.debug('details')
  log.info('this process leads', { holder: 'host_1' })
  const cause = new Error('connect ECONNREFUSED')
  log.error('reconcile failed', { key: 'shop/app', error: new Error('no answer', { cause }) })
  return lines
}

test('text lines are pairs of keys and values, quoted where they are not one word', () => {
  expect(logged({ level: 'info', format: 'text' })).toEqual([
    'time=2026-01-01T00:00:00.000Z level=info msg="this process leads" holder=host_1\n',
    'time=2026-01-01T00:00:00.000Z level=error msg="reconcile failed" key=shop/app error="no answer: connect ECONNREFUSED"\n',
  ])
})

test('JSON lines are one object each, and only the levels asked for are written', () => {
  const lines = logged({ level: 'error', format: 'json' }).map((line) => JSON.parse(line))
  expect(lines).toEqual([
    {
      level: 'error',
      time: '2026-01-01T00:00:00.000Z',
      key: 'shop/app',
      error: 'no answer: connect ECONNREFUSED',
      msg: 'reconcile failed',
    },
  ])
  expect(logged({ level: 'debug', format: 'text' })).toHaveLength(3)
})
