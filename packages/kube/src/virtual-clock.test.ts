import { expect, test } from 'vitest'
import { sleep } from './sleep.ts'
import { VirtualClock } from './virtual-clock.ts'

test('timers fire in the order of their instants, and of one instant in the order in which they were set', async () => {
  const clock = new VirtualClock(1_000)
  const fired: string[] = []
  const wait = (name: string, at: number) =>
    clock.until(at).then(() => fired.push(`${name}@${clock.now()}`))
  wait('late', 3_000)
  wait('first', 2_000)
  wait('second', 2_000)
  wait('past', 500)
  await clock.advance(2_000)
  expect(fired).toEqual(['past@1000', 'first@2000', 'second@2000', 'late@3000'])
})

test('everything that one timer causes is done before the next timer fires', async () => {
  const clock = new VirtualClock(0)
  const log: string[] = []
  clock.until(10).then(async () => {
    for (let hop = 0; hop < 50; hop++) await Promise.resolve()
    const answer = await new Response(JSON.stringify({ ok: true })).json()
    log.push(`first done ${answer.ok}`)
  })
  clock.until(10).then(() => log.push('second'))
  await clock.advance(10)
  expect(log).toEqual(['first done true', 'second'])
})

test('a timer that is set while time advances fires in the same advance when it is due', async () => {
  const clock = new VirtualClock(0)
  const ticks: number[] = []
  void (async () => {
    for (;;) {
      await sleep(clock, 100)
      ticks.push(clock.now())
    }
  })()
  await clock.advanceTo(350)
  expect(ticks).toEqual([100, 200, 300])
  expect(clock.now()).toBe(350)
  expect(clock.nextTimerAt).toBe(400)
})

test('an aborted wait rejects with the reason of the signal and leaves no timer behind', async () => {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  const wait = clock.until(10, stop.signal)
  stop.abort(new Error('enough'))
  await expect(wait).rejects.toThrow('enough')
  expect(clock.nextTimerAt).toBeNull()
  await expect(clock.until(5, stop.signal)).rejects.toThrow('enough')
})

test('cancelled waits far in the future do not pile up or disturb the living ones', async () => {
  const clock = new VirtualClock(0)
  const fired: number[] = []
  for (let round = 0; round < 5_000; round++) {
    const stop = new AbortController()
    clock.until(1e9, stop.signal).catch(() => {})
    if (round % 1_000 === 0) clock.until(round + 1).then(() => fired.push(round))
    stop.abort()
  }
  await clock.advance(10_000)
  expect(fired).toEqual([0, 1_000, 2_000, 3_000, 4_000])
  expect(clock.nextTimerAt).toBeNull()
})

test('ten thousand timers fire in well under a second', async () => {
  const clock = new VirtualClock(0)
  let fired = 0
  for (let index = 0; index < 10_000; index++) {
    clock.until((index * 7919) % 60_000).then(() => fired++)
  }
  const startedMs = performance.now()
  await clock.advance(60_000)
  expect(fired).toBe(10_000)
  expect(performance.now() - startedMs).toBeLessThan(1_000)
})

test('two parties cannot advance one clock at the same time', async () => {
  const clock = new VirtualClock(0)
  const first = clock.advance(10)
  await expect(clock.advance(10)).rejects.toThrow('already being advanced')
  await first
  expect(clock.now()).toBe(10)
})
