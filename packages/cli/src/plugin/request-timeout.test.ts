import { VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { requestTimeoutMs, withTimeout } from './request-timeout.ts'
import { startAt } from './test-cluster.ts'

test('a number without a unit is seconds', () => {
  expect(['0', '5', '1m30s', '200ms'].map(requestTimeoutMs)).toEqual([0, 5000, 90_000, 200])
  expect(() => requestTimeoutMs('soon')).toThrow('time: invalid duration "soon"')
})

test('a server that does not answer in time is given up', async () => {
  const clock = new VirtualClock(startAt)
  const silent = withTimeout(() => new Promise(() => {}), { clock, timeoutMs: 5000 })
  let failure = ''
  silent(new Request('https://api/version')).catch((error: Error) => {
    failure = error.message
  })
  await clock.advance(4999)
  expect(failure).toBe('')
  await clock.advance(1)
  expect(failure).toBe('GET https://api/version: no answer within 5 s')
})

test('an answer in time is passed on and leaves no timer behind', async () => {
  const clock = new VirtualClock(startAt)
  const quick = withTimeout(async () => Response.json({ ok: true }), { clock, timeoutMs: 5000 })
  expect(await (await quick(new Request('https://api/version'))).json()).toEqual({ ok: true })
  expect(clock.nextTimerAt).toBeNull()
})
