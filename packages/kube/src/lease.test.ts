import { expect, test } from 'vitest'
import type { Transport } from './client.ts'
import type { Clock } from './clock.ts'
import { httpClient } from './http-client.ts'
import { type LeaseEvent, type LeaseOptions, type LeaseTerm, runWithLease } from './lease.ts'
import { sleep } from './sleep.ts'
import { status, TestApi } from './test-api.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Several processes that contend for one lease, and a judge who sees whether two ever work at once. */
function world() {
  const clock = new VirtualClock(Date.UTC(2026, 7, 1, 12))
  const startedAt = clock.now()
  const api = new TestApi(clock)
  const working = new Set<string>()
  const log: string[] = []
  let most = 0

  function candidate(identity: string, options: Partial<LeaseOptions> & { drainMs?: number } = {}) {
    const stop = new AbortController()
    const events: LeaseEvent[] = []
    const terms: LeaseTerm[] = []
    const link = { down: false, hanging: false, crashed: false }
    const transport: Transport = (request) => {
      if (link.crashed || link.hanging) return new Promise(() => {})
      if (link.down) return Promise.reject(new TypeError('fetch failed'))
      return api.transport(request)
    }
    const { drainMs, ...leaseOptions } = options
    const run = runWithLease(
      {
        client: httpClient(transport),
        clock,
        signal: stop.signal,
        namespace: 'argo-rollouts',
        name: 'argo-rollouts-controller-lock',
        identity,
        observe: (event) => events.push(event),
        ...leaseOptions,
      },
      async (signal, term) => {
        terms.push(term)
        log.push(`${identity} works@${clock.now() - startedAt}`)
        working.add(identity)
        most = Math.max(most, working.size)
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve()
          else signal.addEventListener('abort', () => resolve(), { once: true })
        })
        if (drainMs) await sleep(clock, drainMs)
        if (!link.crashed) log.push(`${identity} stops@${clock.now() - startedAt}`)
        working.delete(identity)
      },
    )
    /** kill -9: nothing it does afterwards reaches the API, and it works no more. */
    const crash = () => {
      link.crashed = true
      working.delete(identity)
    }
    return { run, stop, events, terms, link, crash }
  }

  const lease = () => api.objects('leases')[0]?.['spec'] as Record<string, unknown> | undefined
  return { clock, startedAt, api, candidate, working, log, lease, mostAtOnce: () => most }
}

const seconds = (log: string | undefined) => Number(log?.split('@')[1]) / 1000

test('of two candidates exactly one works, and the lease says which', async () => {
  const { clock, api, candidate, working, lease, mostAtOnce } = world()
  const a = candidate('a')
  const b = candidate('b')
  await clock.advance(60_000)
  expect([...working]).toEqual(['a'])
  expect(mostAtOnce()).toBe(1)
  expect(lease()).toEqual({
    holderIdentity: 'a',
    leaseDurationSeconds: 15,
    acquireTime: '2026-08-01T12:00:00.000000Z',
    renewTime: '2026-08-01T12:01:00.000000Z',
    leaseTransitions: 0,
  })
  expect(api.requests[0]?.path).toBe(
    '/apis/coordination.k8s.io/v1/namespaces/argo-rollouts/leases/argo-rollouts-controller-lock',
  )
  expect(a.terms).toEqual([{ holder: 'a', transitions: 0 }])
  expect(b.events).toEqual([
    { kind: 'failed', error: expect.anything() },
    { kind: 'waiting', holder: 'a' },
  ])
})

test('after a crash the standby leads within the lease duration and one retry', async () => {
  for (let crashAfterMs = 3_000; crashAfterMs < 12_000; crashAfterMs += 430) {
    const { clock, startedAt, candidate, log, mostAtOnce } = world()
    const a = candidate('a')
    await clock.advance(100)
    const b = candidate('b')
    await clock.advance(crashAfterMs)
    a.crash()
    const crashedS = (clock.now() - startedAt) / 1000
    await clock.advance(30_000)
    const takeoverS = seconds(log.find((line) => line.startsWith('b works'))) - crashedS
    expect(takeoverS).toBeGreaterThan(12)
    expect(takeoverS).toBeLessThanOrEqual(18)
    expect(b.terms).toEqual([{ holder: 'b', transitions: 1 }])
    expect(mostAtOnce()).toBe(1)
  }
})

test('a standby takes over the moment the lease that it saw has run out, however seldom it asks', async () => {
  const { clock, candidate, log } = world()
  const a = candidate('a')
  await clock.advance(5_000)
  a.crash()
  await clock.advance(10_000)
  candidate('b', { retryPeriodMs: 7_000 })
  await clock.advance(20_000)
  expect(log.at(-1)).toBe('b works@30000')
})

test('told to end, the holder finishes its work, releases, and the standby leads within 3 s', async () => {
  const { clock, candidate, log, lease, mostAtOnce } = world()
  const a = candidate('a', { drainMs: 12_000 })
  await clock.advance(100)
  const b = candidate('b')
  await clock.advance(5_000)
  a.stop.abort()
  await clock.advance(12_000)
  await a.run
  expect(a.events.at(-1)).toEqual({ kind: 'released' })
  await clock.advance(3_000)
  const [, stops, works] = log
  expect(stops).toMatch(/^a stops@17\d\d\d/)
  expect(works).toMatch(/^b works/)
  expect(seconds(works) - seconds(stops)).toBeLessThanOrEqual(3)
  expect(lease()).toMatchObject({
    holderIdentity: 'b',
    leaseTransitions: 1,
    leaseDurationSeconds: 15,
  })
  expect(b.terms).toEqual([{ holder: 'b', transitions: 1 }])
  expect(mostAtOnce()).toBe(1)
})

test('a released lease names nobody and keeps counting its changes of hands', async () => {
  const { clock, candidate, lease } = world()
  const a = candidate('a')
  await clock.advance(3_000)
  a.stop.abort()
  await clock.settle()
  await a.run
  expect(lease()).toMatchObject({
    holderIdentity: '',
    leaseDurationSeconds: 1,
    leaseTransitions: 0,
  })
  candidate('b')
  await clock.settle()
  expect(lease()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 })
})

test.each(['down', 'hanging'] as const)(
  'a holder whose API is %s stops before anybody can take over, and works again by itself afterwards',
  async (fault) => {
    const { clock, candidate, log, mostAtOnce } = world()
    const a = candidate('a')
    await clock.advance(100)
    const b = candidate('b')
    await clock.advance(4_900)
    a.link[fault] = true
    await clock.advance(40_000)
    expect(log[1]).toMatch(/^a stops/)
    expect(seconds(log[1])).toBeLessThanOrEqual(14.1)
    expect(log[2]).toMatch(/^b works/)
    expect(a.events).toContainEqual({
      kind: 'lost',
      reason: expect.stringContaining('not renewed within 10 s'),
    })
    a.link[fault] = false
    b.stop.abort()
    await clock.advance(15_000)
    expect(log.at(-1)).toMatch(/^a works/)
    expect(a.terms).toEqual([
      { holder: 'a', transitions: 0 },
      { holder: 'a', transitions: 2 },
    ])
    expect(mostAtOnce()).toBe(1)
  },
)

test('an outage of the API for all pauses the work and it resumes within seconds of the return', async () => {
  const { clock, startedAt, api, candidate, log } = world()
  candidate('a')
  await clock.advance(5_000)
  api.down = true
  await clock.advance(120_000)
  expect(log.at(-1)).toMatch(/^a stops/)
  api.down = false
  const backS = (clock.now() - startedAt) / 1000
  await clock.advance(5_000)
  expect(log.at(-1)).toMatch(/^a works/)
  expect(seconds(log.at(-1)) - backS).toBeLessThanOrEqual(3)
})

test('a short outage is ridden out', async () => {
  const { clock, api, candidate, log } = world()
  candidate('a')
  await clock.advance(5_000)
  api.down = true
  await clock.advance(6_500)
  api.down = false
  await clock.advance(60_000)
  expect(log).toEqual(['a works@0'])
})

test.each([-3_600_000, 3_600_000])(
  'a clock that is %d ms off gives no lease early and loses none',
  async (skewMs) => {
    const { clock, candidate, working, mostAtOnce } = world()
    const skewed: Clock = {
      now: () => clock.now() + skewMs,
      until: (at, signal) => clock.until(at - skewMs, signal),
    }
    const a = candidate('a')
    await clock.advance(100)
    candidate('b', { clock: skewed })
    await clock.advance(300_000)
    expect([...working]).toEqual(['a'])
    a.crash()
    await clock.advance(18_000)
    expect([...working]).toEqual(['b'])
    candidate('c')
    await clock.advance(300_000)
    expect([...working]).toEqual(['b'])
    expect(mostAtOnce()).toBe(1)
  },
)

test('a holder that finds the lease in other hands steps aside at once', async () => {
  const { clock, api, candidate, working, log } = world()
  const a = candidate('a')
  await clock.advance(5_000)
  const key = 'argo-rollouts/argo-rollouts-controller-lock'
  api.put('leases', key, {
    kind: 'Lease',
    spec: { holderIdentity: 'intruder', leaseDurationSeconds: 15, leaseTransitions: 7 },
  })
  await clock.advance(2_000)
  expect(working.size).toBe(0)
  expect(a.events).toContainEqual({ kind: 'lost', reason: 'taken by intruder' })
  await clock.advance(20_000)
  expect(log.at(-1)).toMatch(/^a works/)
  expect(a.terms.at(-1)).toEqual({ holder: 'a', transitions: 8 })
})

test('a write by somebody else that leaves the holder in place costs nothing', async () => {
  const { clock, api, candidate, log, lease } = world()
  candidate('a')
  await clock.advance(5_000)
  const [object] = api.objects('leases')
  api.put('leases', 'argo-rollouts/argo-rollouts-controller-lock', {
    ...object,
    spec: { ...(object?.['spec'] as object), strategy: 'OldestEmulationVersion' },
  })
  await clock.advance(10_000)
  expect(log).toEqual(['a works@0'])
  expect(lease()).toMatchObject({
    strategy: 'OldestEmulationVersion',
    renewTime: '2026-08-01T12:00:14.000000Z',
  })
})

test('a lease that was deleted is made again by its holder', async () => {
  const { clock, api, candidate, log, lease } = world()
  candidate('a')
  await clock.advance(5_000)
  api.remove('leases', 'argo-rollouts/argo-rollouts-controller-lock')
  await clock.advance(3_000)
  expect(lease()).toMatchObject({ holderIdentity: 'a' })
  expect(log).toEqual(['a works@0'])
})

test('work that ends by itself releases the lease, and work that throws passes its error on', async () => {
  const { clock, api, lease } = world()
  const options = {
    client: httpClient(api.transport),
    clock,
    signal: new AbortController().signal,
    namespace: 'argo-rollouts',
    name: 'lock',
    identity: 'a',
  }
  await runWithLease(options, async () => {})
  expect(lease()).toMatchObject({ holderIdentity: '' })
  const failing = runWithLease(options, async () => {
    throw new Error('broken work')
  })
  await expect(failing).rejects.toThrow('broken work')
  expect(lease()).toMatchObject({ holderIdentity: '' })
  expect(clock.nextTimerAt).toBeNull()
})

test('a renewal that arrives late, just before the release, does not keep the lease held', async () => {
  const { clock, api, lease } = world()
  let late = 0
  const transport: Transport = async (request) => {
    if (request.method === 'PUT' && late === 0) {
      const body = await request.clone().json()
      if (body.spec.holderIdentity === '') {
        late++
        const renewed = { ...body, spec: { ...body.spec, holderIdentity: 'a' } }
        await api.transport(new Request(request, { body: JSON.stringify(renewed) }))
      }
    }
    return api.transport(request)
  }
  await runWithLease(
    {
      client: httpClient(transport),
      clock,
      signal: new AbortController().signal,
      namespace: 'argo-rollouts',
      name: 'lock',
      identity: 'a',
    },
    async () => {},
  )
  expect(late).toBe(1)
  expect(lease()).toMatchObject({ holderIdentity: '' })
})

test('an API that does not answer does not hold up the exit for more than half the renew deadline', async () => {
  const { clock, candidate } = world()
  const a = candidate('a')
  await clock.advance(5_000)
  a.link.hanging = true
  a.stop.abort()
  let ended = false
  void a.run.then(() => {
    ended = true
  })
  await clock.advance(5_000)
  expect(ended).toBe(true)
  expect(clock.nextTimerAt).toBeNull()
})

test('a candidate that may not write keeps asking and says why', async () => {
  const { clock, api, candidate, working } = world()
  api.intercept = () => status(403, 'Forbidden', 'leases is forbidden')
  const a = candidate('a')
  await clock.advance(10_000)
  expect(working.size).toBe(0)
  expect(a.events[0]).toMatchObject({ kind: 'failed', error: { message: 'leases is forbidden' } })
  api.intercept = undefined
  await clock.advance(3_000)
  expect([...working]).toEqual(['a'])
})

test('timings that could let two work at once are refused', async () => {
  const { api, clock } = world()
  const options = {
    client: httpClient(api.transport),
    clock,
    signal: new AbortController().signal,
    namespace: 'n',
    name: 'lock',
    identity: 'a',
  }
  const work = async () => {}
  await expect(runWithLease({ ...options, renewDeadlineMs: 15_000 }, work)).rejects.toThrow(
    RangeError,
  )
  await expect(runWithLease({ ...options, retryPeriodMs: 10_000 }, work)).rejects.toThrow(
    RangeError,
  )
})

test('the right to write ends with the renew deadline, long before anybody else can have the lease', async () => {
  const clock = new VirtualClock(Date.UTC(2026, 7, 1, 12))
  const api = new TestApi(clock)
  let heldUntil = () => 0
  const stop = new AbortController()
  void runWithLease(
    {
      client: httpClient(api.transport),
      clock,
      signal: stop.signal,
      namespace: 'n',
      name: 'lock',
      identity: 'a',
    },
    (signal, _, held) => {
      heldUntil = held
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
    },
  )
  await clock.advance(5_000)
  // Renewed at 4 s.
  expect(heldUntil() - clock.now()).toBe(9_000)
  api.down = true
  await clock.advance(8_999)
  expect(heldUntil()).toBeGreaterThan(clock.now())
  await clock.advance(1)
  expect(heldUntil()).toBe(Number.NEGATIVE_INFINITY)
})

test('a standby whose clock leaps forward does not take the lease of a live leader', async () => {
  const { clock, candidate, working, mostAtOnce } = world()
  candidate('a')
  await clock.advance(100)
  let leapMs = 0
  const leaping: Clock = {
    now: () => clock.now() + leapMs,
    until: (at, signal) => clock.until(at - leapMs, signal),
  }
  candidate('b', { clock: leaping, retryPeriodMs: 500 })
  for (let index = 0; index < 20; index++) {
    await clock.advance(1_370)
    leapMs += 3_600_000
  }
  await clock.advance(60_000)
  expect([...working]).toEqual(['a'])
  expect(mostAtOnce()).toBe(1)
})
