import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RealClock, ScaledClock } from './real-clock.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

test('real time resolves a wait no earlier than its instant', async () => {
  const clock = new RealClock()
  const startedAt = clock.now()
  let woke = 0
  const wait = clock.until(startedAt + 250).then(() => {
    woke = clock.now()
  })
  await vi.advanceTimersByTimeAsync(249)
  expect(woke).toBe(0)
  await vi.advanceTimersByTimeAsync(1)
  await wait
  expect(woke).toBe(startedAt + 250)
})

test('real time follows the wall clock forward and never goes back with it', () => {
  const clock = new RealClock()
  const before = clock.now()
  vi.setSystemTime(before - 3_600_000)
  expect(clock.now()).toBeGreaterThanOrEqual(before)
  vi.setSystemTime(before + 3_600_000)
  expect(clock.now()).toBe(before + 3_600_000)
})

test('a wait of a month does not end at once although timers take at most 24 days', async () => {
  const clock = new RealClock()
  let woke = false
  const days = 86_400_000
  void clock.until(clock.now() + 30 * days).then(() => {
    woke = true
  })
  await vi.advanceTimersByTimeAsync(29 * days)
  expect(woke).toBe(false)
  await vi.advanceTimersByTimeAsync(1 * days)
  expect(woke).toBe(true)
})

test('scaled time passes as many times faster as it was told, from the instant it was told', async () => {
  const clock = new ScaledClock({ factor: 60, startAt: 5_000 })
  expect(clock.now()).toBe(5_000)
  let woke = false
  void clock.until(5_000 + 60_000).then(() => {
    woke = true
  })
  await vi.advanceTimersByTimeAsync(999)
  expect(woke).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  expect(woke).toBe(true)
  expect(clock.now()).toBe(65_000)
})

test('a clock that would stand still or run backwards is refused', () => {
  expect(() => new ScaledClock({ factor: 0 })).toThrow(RangeError)
  expect(() => new ScaledClock({ factor: -1 })).toThrow(RangeError)
})

test('an abort ends a wait in real time with the reason of the signal', async () => {
  const clock = new RealClock()
  const stop = new AbortController()
  const wait = clock.until(clock.now() + 1_000, stop.signal)
  stop.abort(new Error('enough'))
  await expect(wait).rejects.toThrow('enough')
  expect(vi.getTimerCount()).toBe(0)
})
