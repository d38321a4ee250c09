import { expect, test } from 'vitest'
import { ApiError } from './client.ts'
import { sleep } from './sleep.ts'
import { VirtualClock } from './virtual-clock.ts'
import { WorkQueue, type WorkQueueEvent, type WorkQueueOptions } from './work-queue.ts'

function world(options: Partial<WorkQueueOptions> = {}) {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  const log: string[] = []
  const errors: string[] = []
  const queue = new WorkQueue({
    clock,
    workers: 2,
    process: async (key) => {
      log.push(`${key}@${clock.now()}`)
    },
    onError: (key, error) => errors.push(`${key}: ${String(error)}`),
    ...options,
  })
  return { clock, stop, log, errors, queue }
}

test('a key that is added often before its turn runs once', async () => {
  const { clock, stop, log, queue } = world()
  queue.add('a')
  queue.add('b')
  queue.add('a')
  expect(queue.length).toBe(2)
  void queue.run(stop.signal)
  await clock.settle()
  expect(log).toEqual(['a@0', 'b@0'])
  expect(queue.length).toBe(0)
})

test('a key that is added while it is processed runs once more afterwards, never beside itself', async () => {
  const log: string[] = []
  const { clock, stop, queue } = world({
    process: async (key) => {
      log.push(`start ${key}@${clock.now()}`)
      await sleep(clock, 100)
      log.push(`end ${key}@${clock.now()}`)
    },
  })
  void queue.run(stop.signal)
  queue.add('a')
  await clock.advance(10)
  queue.add('a')
  queue.add('a')
  await clock.advance(500)
  expect(log).toEqual(['start a@0', 'end a@100', 'start a@100', 'end a@200'])
})

test('no more keys are processed at a time than there are workers, first come first served', async () => {
  let most = 0
  const order: string[] = []
  const { clock, stop, queue } = world({
    workers: 3,
    process: async (key) => {
      order.push(key)
      most = Math.max(most, queue.processing)
      await sleep(clock, 10)
    },
  })
  void queue.run(stop.signal)
  const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)
  for (const key of keys) queue.add(key)
  await clock.advance(1_000)
  expect(most).toBe(3)
  expect(order).toEqual(keys)
})

test('keys of a lower rank go first, also when their rank falls while they wait', async () => {
  const ranks = new Map<string, number>()
  const order: string[] = []
  const { clock, stop, queue } = world({
    workers: 1,
    rankOf: (key) => ranks.get(key) ?? 1,
    process: async (key) => {
      order.push(key)
      await sleep(clock, 10)
    },
  })
  void queue.run(stop.signal)
  for (const key of ['first', 'a', 'b', 'c']) queue.add(key)
  await clock.settle()
  ranks.set('c', 0)
  queue.add('c')
  ranks.set('urgent', 0)
  queue.add('urgent')
  await clock.advance(1_000)
  expect(order).toEqual(['first', 'c', 'urgent', 'a', 'b'])
})

test('a key that was added while it was processed comes back with its present rank', async () => {
  const order: string[] = []
  const begun = new Set<string>()
  const { clock, stop, queue } = world({
    workers: 1,
    rankOf: (key) => (begun.has(key) ? 0 : 1),
    process: async (key) => {
      order.push(key)
      await sleep(clock, 10)
      begun.add(key)
    },
  })
  void queue.run(stop.signal)
  for (const key of ['a', 'b', 'c']) queue.add(key)
  await clock.advance(5)
  queue.add('a')
  await clock.advance(1_000)
  expect(order).toEqual(['a', 'a', 'b', 'c'])
})

test('a failing key is tried again after 1 ms doubling to 10 s, and a success forgets its failures', async () => {
  let failing = true
  const at: number[] = []
  const { clock, stop, errors, queue } = world({
    process: async () => {
      at.push(clock.now())
      if (failing) throw new Error('not yet')
    },
  })
  void queue.run(stop.signal)
  queue.add('a')
  await clock.advance(60_000)
  const pauses = at.slice(1).map((instant, index) => instant - (at[index] as number))
  expect(pauses.slice(0, 16)).toEqual([
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 10_000, 10_000,
  ])
  expect(errors[0]).toBe('a: Error: not yet')
  failing = false
  await clock.advance(20_000)
  failing = true
  at.length = 0
  const restartedAt = clock.now()
  queue.add('a')
  await clock.advance(2)
  expect(at).toEqual([restartedAt, restartedAt + 1])
})

test('the wait that a server asks for outlasts the back-off', async () => {
  const at: number[] = []
  const { clock, stop, queue } = world({
    process: async () => {
      at.push(clock.now())
      throw new ApiError({ code: 429, reason: 'TooManyRequests', message: '', retryAfterMs: 5_000 })
    },
  })
  void queue.run(stop.signal)
  queue.add('a')
  await clock.advance(9_000)
  expect(at).toEqual([0, 5_000])
})

test('of several instants for one key the earliest counts', async () => {
  const { clock, stop, log, queue } = world()
  void queue.run(stop.signal)
  queue.addAt('a', 5_000)
  queue.addAt('a', 2_000)
  queue.addAt('a', 9_000)
  queue.addAt('b', 3_000)
  queue.addAt('now', 0)
  await clock.advance(20_000)
  expect(log).toEqual(['now@0', 'a@2000', 'b@3000'])
})

test('a key may run early and still keeps its appointment', async () => {
  const { clock, stop, log, queue } = world()
  void queue.run(stop.signal)
  queue.addAt('a', 5_000)
  await clock.advance(1_000)
  queue.add('a')
  await clock.advance(10_000)
  expect(log).toEqual(['a@1000', 'a@5000'])
})

test('a success makes the pending retry of the same key unnecessary', async () => {
  let failing = true
  const at: number[] = []
  const { clock, stop, queue } = world({
    backoff: { initialMs: 1_000, maxMs: 1_000 },
    process: async () => {
      at.push(clock.now())
      if (failing) throw new Error('not yet')
    },
  })
  void queue.run(stop.signal)
  queue.add('a')
  await clock.advance(500)
  failing = false
  queue.add('a')
  await clock.advance(10_000)
  expect(at).toEqual([0, 500])
})

test('stopping lets the keys in work finish, starts no other and leaves no timer', async () => {
  const log: string[] = []
  const { clock, stop, queue } = world({
    workers: 1,
    process: async (key) => {
      await sleep(clock, 100)
      log.push(`${key}@${clock.now()}`)
    },
  })
  const run = queue.run(stop.signal).then(() => log.push(`stopped@${clock.now()}`))
  queue.add('a')
  queue.add('b')
  queue.addAt('c', 300)
  await clock.advance(10)
  queue.add('a')
  stop.abort()
  queue.add('d')
  await clock.advance(1_000)
  await run
  expect(log).toEqual(['a@100', 'stopped@100'])
  expect(clock.nextTimerAt).toBeNull()
})

test('a process that throws before its first await is a failure like any other', async () => {
  const { clock, stop, errors, queue } = world({
    process: () => {
      throw new TypeError('broken')
    },
  })
  void queue.run(stop.signal)
  queue.add('a')
  await clock.advance(1)
  expect(errors).toEqual(['a: TypeError: broken', 'a: TypeError: broken'])
})

test('adding never runs the work inside the caller', async () => {
  const { clock, stop, log, queue } = world()
  void queue.run(stop.signal)
  queue.add('a')
  expect(log).toEqual([])
  await clock.settle()
  expect(log).toEqual(['a@0'])
})

test('what a metric needs is told: additions, waits, durations and retries', async () => {
  const events: WorkQueueEvent[] = []
  let failing = true
  const { clock, stop, queue } = world({
    workers: 1,
    observe: (event) => events.push(event),
    process: async () => {
      await sleep(clock, 10)
      if (failing) throw new Error('once')
    },
  })
  queue.add('a')
  await clock.advance(5)
  void queue.run(stop.signal)
  await clock.advance(10)
  failing = false
  await clock.advance(20)
  expect(events).toEqual([
    { kind: 'added', key: 'a' },
    { kind: 'started', key: 'a', waitedMs: 5 },
    { kind: 'retried', key: 'a', failures: 1, at: 16 },
    { kind: 'finished', key: 'a', tookMs: 10 },
    { kind: 'added', key: 'a' },
    { kind: 'started', key: 'a', waitedMs: 0 },
    { kind: 'finished', key: 'a', tookMs: 10 },
  ])
})
