import { expect, test } from 'vitest'
import { httpClient } from './http-client.ts'
import type { Resource } from './objects.ts'
import { limitRate } from './rate-limit.ts'
import { countRequests } from './request-count.ts'
import { resources } from './resources.ts'
import { TestApi } from './test-api.ts'
import { VirtualClock } from './virtual-clock.ts'

function world() {
  const clock = new VirtualClock(0)
  const api = new TestApi(clock)
  api.put('configmaps', 'shop/a')
  return { clock, api, client: httpClient(api.transport) }
}

const key = { namespace: 'shop', name: 'a' }

test('a burst goes at once, then requests follow at the rate, first come first served', async () => {
  const { clock, client } = world()
  const limited = limitRate(client, { clock, qps: 10, burst: 3 })
  const sent: string[] = []
  for (let index = 0; index < 6; index++) {
    void limited.get(resources.configMaps, key).then(() => sent.push(`${index}@${clock.now()}`))
  }
  await clock.settle()
  expect(sent).toEqual(['0@0', '1@0', '2@0'])
  await clock.advance(1_000)
  expect(sent.slice(3)).toEqual(['3@100', '4@200', '5@300'])
})

test('after a rest the whole burst is there again, and no more', async () => {
  const { clock, client } = world()
  const limited = limitRate(client, { clock, qps: 10, burst: 3 })
  const at: number[] = []
  const ask = () => void limited.get(resources.configMaps, key).then(() => at.push(clock.now()))
  for (let index = 0; index < 3; index++) ask()
  await clock.advance(60_000)
  at.length = 0
  for (let index = 0; index < 5; index++) ask()
  await clock.advance(1_000)
  expect(at).toEqual([60_000, 60_000, 60_000, 60_100, 60_200])
})

test('waiting for a token ends with the signal, a watch quietly', async () => {
  const { clock, api, client } = world()
  const limited = limitRate(client, { clock, qps: 0.001, burst: 1 })
  await limited.get(resources.configMaps, key)
  const stop = new AbortController()
  const waiting = limited.get(resources.configMaps, key, { signal: stop.signal })
  const watching = (async () => {
    for await (const _ of limited.watch(resources.configMaps, { signal: stop.signal }))
      return 'event'
    return 'ended'
  })()
  stop.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  expect(await watching).toBe('ended')
  expect(api.requests).toHaveLength(1)
  expect(clock.nextTimerAt).toBeNull()
})

test('Events wait for everybody else, though not for ever', async () => {
  const { clock, client } = world()
  const limited = limitRate(client, { clock, qps: 10, burst: 1 })
  const sent: string[] = []
  const ask = (what: string, resource: Resource) =>
    void limited.list(resource, { namespace: 'shop' }).then(() => sent.push(what))
  ask('first', resources.configMaps)
  ask('event', resources.events)
  for (let index = 0; index < 20; index++) ask('other', resources.configMaps)
  await clock.advance(1_000)
  expect(sent).toEqual(['first', ...Array(10).fill('other')])
  await clock.advance(2_000)
  expect(sent.indexOf('event')).toBe(16)
  expect(sent).toHaveLength(22)
})

test("a group of custom kinds has a bucket of its own beside that of Kubernetes' kinds", async () => {
  const { clock, client } = world()
  const limited = limitRate(client, { clock, qps: 10, burst: 1 })
  const custom = { ...resources.configMaps, group: 'argoproj.io' }
  const at: number[] = []
  const ask = (resource: Resource) =>
    void limited
      .get(resource, key)
      .catch(() => {})
      .then(() => at.push(clock.now()))
  for (const resource of [resources.configMaps, custom, resources.leases, custom]) ask(resource)
  await clock.advance(1_000)
  expect(at).toEqual([0, 0, 100, 100])
})

test('no limit means the client itself', () => {
  const { clock, client } = world()
  expect(limitRate(client, { clock, qps: 0, burst: 0 })).toBe(client)
})

test('reads and writes are counted by verb, kind and subresource', async () => {
  const { client } = world()
  const counted = countRequests(client)
  await counted.client.get(resources.configMaps, key)
  await counted.client.list(resources.configMaps)
  const patch = { kind: 'merge', body: {} } as const
  await counted.client.patch(resources.configMaps, key, patch, { subresource: 'status' })
  await counted.client.patch(resources.configMaps, key, patch)
  await counted.client.delete(resources.configMaps, key)
  const { reads, writes, byKind } = counted.counts()
  expect({ reads, writes, byKind: Object.fromEntries(byKind) }).toEqual({
    reads: 2,
    writes: 3,
    byKind: {
      'get configmaps': 1,
      'list configmaps': 1,
      'patch configmaps/status': 1,
      'patch configmaps': 1,
      'delete configmaps': 1,
    },
  })
  counted.reset()
  expect(counted.counts()).toEqual({ reads: 0, writes: 0, byKind: new Map() })
})

test('a failed request counts like any other and its failure passes through', async () => {
  const { api, client } = world()
  const counted = countRequests(client)
  api.down = true
  await expect(counted.client.delete(resources.configMaps, key)).rejects.toThrow('no answer')
  expect(counted.counts().writes).toBe(1)
})
