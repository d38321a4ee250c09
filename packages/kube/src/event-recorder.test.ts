import { expect, test } from 'vitest'
import { type EventDrop, EventRecorder, type EventRecorderOptions } from './event-recorder.ts'
import { httpClient } from './http-client.ts'
import type { KubeObject } from './objects.ts'
import { status, TestApi } from './test-api.ts'
import { VirtualClock } from './virtual-clock.ts'

function world(options: Partial<EventRecorderOptions> = {}) {
  const clock = new VirtualClock(Date.UTC(2026, 7, 1, 12))
  const api = new TestApi(clock)
  const stop = new AbortController()
  const drops: EventDrop[] = []
  const recorder = new EventRecorder({
    client: httpClient(api.transport),
    clock,
    signal: stop.signal,
    component: 'rollouts-controller',
    onDrop: (drop) => drops.push(drop),
    ...options,
  })
  const told = () =>
    api
      .objects('events')
      .map((event) => `${event['reason']} ${event['message']} x${event['count']}`)
  return { clock, api, stop, drops, recorder, told }
}

const rollout = (name = 'web'): KubeObject => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata: { namespace: 'shop', name, uid: `uid-${name}`, resourceVersion: '42' },
})
const paused = { type: 'Normal', reason: 'RolloutPaused', message: 'Rollout is paused' } as const
const scaled = (message: string) =>
  ({ type: 'Normal', reason: 'ScalingReplicaSet', message }) as const

test('an Event carries what client-go writes, under a name of the object and the time in nanoseconds', async () => {
  const { clock, api, recorder } = world()
  recorder.record(rollout(), { ...paused, annotations: { a: 'b' } })
  await clock.settle()
  const [event] = api.objects('events')
  expect(event).toMatchObject({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace: 'shop', annotations: { a: 'b' } },
    involvedObject: {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      namespace: 'shop',
      name: 'web',
      uid: 'uid-web',
      resourceVersion: '42',
    },
    type: 'Normal',
    reason: 'RolloutPaused',
    message: 'Rollout is paused',
    count: 1,
    firstTimestamp: '2026-08-01T12:00:00Z',
    lastTimestamp: '2026-08-01T12:00:00Z',
    source: { component: 'rollouts-controller' },
    reportingComponent: 'rollouts-controller',
    reportingInstance: '',
  })
  expect(event?.metadata.name).toBe(
    `web.${(BigInt(Date.UTC(2026, 7, 1, 12)) * 1_000_000n).toString(16)}`,
  )
})

test('an Event about a cluster-scoped object lies in the default namespace', async () => {
  const { clock, api, recorder } = world({ host: 'node-1' })
  recorder.record({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } }, paused)
  await clock.settle()
  expect(api.objects('events')[0]).toMatchObject({
    metadata: { namespace: 'default' },
    source: { component: 'rollouts-controller', host: 'node-1' },
    reportingInstance: 'node-1',
  })
})

test('a repetition within 10 minutes raises the count, one after that is a new Event', async () => {
  const { clock, api, recorder, told } = world()
  recorder.record(rollout(), paused)
  await clock.advance(599_000)
  recorder.record(rollout(), paused)
  await clock.settle()
  expect(told()).toEqual(['RolloutPaused Rollout is paused x2'])
  expect(api.objects('events')[0]).toMatchObject({
    firstTimestamp: '2026-08-01T12:00:00Z',
    lastTimestamp: '2026-08-01T12:09:59Z',
  })
  expect(api.count('PATCH', /events/)).toBe(1)
  await clock.advance(600_000)
  recorder.record(rollout(), paused)
  await clock.settle()
  expect(told()).toEqual([
    'RolloutPaused Rollout is paused x2',
    'RolloutPaused Rollout is paused x1',
  ])
})

test('another message, type or object is another Event', async () => {
  const { clock, recorder, told } = world()
  recorder.record(rollout(), paused)
  recorder.record(rollout(), { ...paused, message: 'other' })
  recorder.record(rollout(), { ...paused, type: 'Warning' })
  recorder.record(rollout('api'), paused)
  await clock.settle()
  expect(told()).toHaveLength(4)
})

test('repetitions that wait are one request with their count', async () => {
  const { clock, api, recorder, told } = world()
  for (let index = 0; index < 50; index++) recorder.record(rollout(), paused)
  expect(api.requests).toEqual([])
  await clock.settle()
  expect(told()).toEqual(['RolloutPaused Rollout is paused x50'])
  expect(api.requests).toHaveLength(1)
})

test('an Event that expired is written anew instead of raised', async () => {
  const { clock, api, recorder, told } = world()
  recorder.record(rollout(), paused)
  await clock.settle()
  const [event] = api.objects('events')
  api.remove('events', `shop/${event?.metadata.name}`)
  recorder.record(rollout(), paused)
  await clock.settle()
  expect(told()).toEqual(['RolloutPaused Rollout is paused x1'])
})

test('a burst over many objects arrives whole', async () => {
  const { clock, recorder, told, drops } = world()
  for (let index = 0; index < 900; index++) recorder.record(rollout(`r${index}`), paused)
  await clock.advance(1_000)
  expect(told()).toHaveLength(900)
  expect(drops).toEqual([])
})

test('while the API is away events wait, and arrive in order after its return', async () => {
  const { clock, api, recorder, told, drops } = world()
  api.down = true
  recorder.record(rollout(), scaled('up to 1'))
  recorder.record(rollout(), scaled('up to 2'))
  await clock.advance(3_600_000)
  recorder.record(rollout(), scaled('up to 2'))
  expect(recorder.waiting).toBe(2)
  expect(api.requests.length).toBeLessThan(400)
  api.down = false
  await clock.advance(10_000)
  expect(told()).toEqual(['ScalingReplicaSet up to 1 x1', 'ScalingReplicaSet up to 2 x2'])
  expect(drops).toEqual([])
})

test('an object over its limit is slowed down and its similar events are combined, none uncounted', async () => {
  const { clock, api, recorder, told, drops } = world({ perObject: { burst: 5, perSecond: 1 } })
  for (let index = 1; index <= 20; index++) recorder.record(rollout(), scaled(`up to ${index}`))
  recorder.record(rollout(), paused)
  recorder.record(rollout('calm'), paused)
  await clock.settle()
  expect(
    api.objects('events').some((event) => String(event.metadata.name).startsWith('calm.')),
  ).toBe(true)
  await clock.advance(60_000)
  const counts = api.objects('events').map((event) => Number(event['count']))
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(22)
  expect(told()).toContain('ScalingReplicaSet (combined from similar events): up to 20 x16')
  expect(told().filter((line) => line.startsWith('RolloutPaused'))).toHaveLength(2)
  expect(drops).toEqual([])
})

test('beyond its burst an object sends at its rate, and the burst comes back with rest', async () => {
  const { clock, recorder, told } = world({ perObject: { burst: 5, perSecond: 1 } })
  const record = (from: number) => {
    for (let index = from; index < from + 8; index++) {
      recorder.record(rollout(), { ...paused, reason: `Reason${index}` })
    }
  }
  record(0)
  await clock.settle()
  expect(told()).toHaveLength(5)
  await clock.advance(1_000)
  expect(told()).toHaveLength(6)
  await clock.advance(2_000)
  expect(told()).toHaveLength(8)
  await clock.advance(60_000)
  record(8)
  await clock.settle()
  expect(told()).toHaveLength(13)
})

test('a full queue drops the newest, counts it and says so', async () => {
  const { clock, api, recorder, drops } = world({ capacity: 2 })
  api.down = true
  for (const name of ['a', 'b', 'c']) recorder.record(rollout(name), paused)
  await clock.settle()
  expect(recorder.dropped).toBe(1)
  expect(drops).toEqual([
    {
      why: 'full',
      object: { kind: 'Rollout', namespace: 'shop', name: 'c' },
      reason: 'RolloutPaused',
      message: 'Rollout is paused',
      count: 1,
    },
  ])
})

test('an Event that the API refuses for good is dropped, told, and blocks nothing', async () => {
  const { clock, api, recorder, told, drops } = world()
  let refuse = true
  api.intercept = () => {
    if (!refuse) return undefined
    refuse = false
    return status(403, 'Forbidden', 'exceeded quota: events')
  }
  recorder.record(rollout(), scaled('up to 1'))
  recorder.record(rollout(), scaled('up to 2'))
  await clock.settle()
  expect(told()).toEqual(['ScalingReplicaSet up to 2 x1'])
  expect(drops).toMatchObject([{ why: 'refused', message: 'up to 1', error: { code: 403 } }])
})

test('in a namespace on its way out nobody is left to be told, and that is nothing to report', async () => {
  const { clock, api, recorder, drops } = world()
  api.intercept = () =>
    status(
      403,
      'Forbidden',
      'events is forbidden: unable to create new content in namespace shop because it is being terminated',
    )
  recorder.record(rollout(), paused)
  await clock.settle()
  expect(drops).toEqual([])
  expect(recorder.dropped).toBe(0)
  expect(recorder.waiting).toBe(0)
})

test('a name that is taken is replaced by the next', async () => {
  const { clock, api, recorder, told } = world()
  const other = new EventRecorder({
    client: httpClient(api.transport),
    clock,
    signal: new AbortController().signal,
    component: 'other',
  })
  recorder.record(rollout(), paused)
  other.record(rollout(), paused)
  await clock.settle()
  expect(told()).toHaveLength(2)
})

test('the name of an Event about an object with a long name stays a valid name', async () => {
  const { clock, api, recorder } = world()
  recorder.record(rollout(`${'a'.repeat(235)}.b${'c'.repeat(16)}`), paused)
  await clock.settle()
  const { name } = api.objects('events')[0]?.metadata ?? { name: '' }
  expect(name.length).toBeLessThanOrEqual(253)
  expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
})

test('flush waits until everything recorded is delivered', async () => {
  const { clock, api, recorder, told } = world()
  api.down = true
  recorder.record(rollout(), paused)
  let flushed = false
  void recorder.flush().then(() => {
    flushed = true
  })
  await clock.advance(60_000)
  expect(flushed).toBe(false)
  api.down = false
  await clock.advance(10_000)
  expect(flushed).toBe(true)
  expect(told()).toHaveLength(1)
  await recorder.flush()
})

test('after its end a recorder takes nothing more and says what was lost', async () => {
  const { clock, api, stop, recorder, drops } = world()
  api.down = true
  recorder.record(rollout(), paused)
  await clock.advance(1_000)
  stop.abort()
  await clock.settle()
  recorder.record(rollout('late'), paused)
  await recorder.flush()
  expect(drops.map((drop) => `${drop.why} ${drop.object.name}`)).toEqual([
    'ended web',
    'ended late',
  ])
  expect(recorder.waiting).toBe(0)
  expect(clock.nextTimerAt).toBeNull()
})

test('an API that takes 100 ms for an answer gets 100 ms of rest after it: work goes before what is told of it', async () => {
  const clock = new VirtualClock(Date.UTC(2026, 7, 1, 12))
  const api = new TestApi(clock)
  const slow = async (request: Request) => {
    await clock.until(clock.now() + 100)
    return api.transport(request)
  }
  const { recorder } = world({ client: httpClient(slow), clock })
  for (let n = 0; n < 20; n++) recorder.record(rollout(`app-${n}`), paused)
  await clock.advance(1_000)
  expect(api.objects('events')).toHaveLength(5)
  await clock.advance(3_000)
  expect(api.objects('events')).toHaveLength(20)
})
