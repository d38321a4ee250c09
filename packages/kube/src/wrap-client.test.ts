import { expect, test } from 'vitest'
import { Fenced, fenceWrites } from './fence.ts'
import { httpClient } from './http-client.ts'
import type { Resource } from './objects.ts'
import { observeRequests, type RequestFacts } from './observe-requests.ts'
import { limitRate } from './rate-limit.ts'
import { countRequests } from './request-count.ts'
import { resources } from './resources.ts'
import { TestApi } from './test-api.ts'
import { VirtualClock } from './virtual-clock.ts'
import { withSignal } from './with-signal.ts'

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

test("a group of custom kinds has a bucket of its own beside that of Kubernetes' kinds, and every wait is told", async () => {
  const { clock, client } = world()
  const waits: string[] = []
  const onWait = (bucket: string, ms: number) => waits.push(`${bucket} ${ms}`)
  const limited = limitRate(client, { clock, qps: 10, burst: 1, onWait })
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
  expect(waits).toEqual(['core 0', 'argoproj.io 0', 'core 100', 'argoproj.io 100'])
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

test('writes that may not be sent are refused at the last moment, reads go on', async () => {
  const { clock, api, client } = world()
  let mayWrite = true
  const fenced = limitRate(
    fenceWrites(client, () => mayWrite),
    { clock, qps: 1, burst: 1 },
  )
  const patch = { kind: 'merge', body: {} } as const
  await fenced.patch(resources.configMaps, key, patch)
  const waiting = fenced.patch(resources.configMaps, key, patch)
  // It waits for its token when the right to write ends.
  mayWrite = false
  const refused = expect(waiting).rejects.toThrow(Fenced)
  await clock.advance(2_000)
  await refused
  const reading = fenced.get(resources.configMaps, key)
  await clock.advance(2_000)
  await reading
  const create = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'shop', name: 'b' } }
  const unlimited = fenceWrites(client, () => mayWrite)
  await expect(unlimited.create(resources.configMaps, create)).rejects.toThrow(Fenced)
  await expect(unlimited.update(resources.configMaps, create)).rejects.toThrow(Fenced)
  await expect(unlimited.delete(resources.configMaps, key)).rejects.toThrow(Fenced)
  expect(api.requests.filter(({ method }) => method !== 'GET')).toHaveLength(1)
})

test('calls without a signal end with that of the client, calls with one with their own', async () => {
  const { api, client } = world()
  api.hang = () => true
  const stop = new AbortController()
  const own = new AbortController()
  const bound = withSignal(client, stop.signal)
  const patch = { kind: 'merge', body: {} } as const
  const plain = bound.patch(resources.configMaps, key, patch)
  const other = bound.get(resources.configMaps, key, { signal: own.signal })
  let isOver = false
  void other.catch(() => {
    isOver = true
  })
  stop.abort(new Error('the lease is lost'))
  await expect(plain).rejects.toThrow('the lease is lost')
  expect(isOver).toBe(false)
  own.abort(new Error('enough'))
  await expect(other).rejects.toThrow('enough')
})

test.each([
  ['GET', '/api/v1/namespaces/shop/services', 'List services shop'],
  ['GET', '/api/v1/services', 'List services '],
  ['GET', '/api/v1/services?watch=true', 'Watch services '],
  ['GET', '/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/app', 'Get rollouts shop'],
  ['PATCH', '/apis/argoproj.io/v1alpha1/namespaces/a/rollouts/app/status', 'Patch rollouts a'],
  ['POST', '/apis/apps/v1/namespaces/shop/replicasets', 'Create replicasets shop'],
  ['PUT', '/proxy/apis/coordination.k8s.io/v1/namespaces/x/leases/lock', 'Update leases x'],
  ['DELETE', '/api/v1/namespaces/shop/pods/a', 'Delete pods shop'],
  ['GET', '/api/v1/namespaces/shop', 'Get namespaces '],
  ['GET', '/version', 'Unknown Unknown '],
])('%s %s is counted as %s', async (method, path, text) => {
  const seen: RequestFacts[] = []
  const options = {
    clock: new VirtualClock(0),
    onRequest: (facts: RequestFacts) => seen.push(facts),
  }
  const answering = observeRequests(async () => new Response('{}', { status: 201 }), options)
  await answering(new Request(`http://localhost${path}`, { method }))
  const failing = observeRequests(() => Promise.reject(new TypeError('fetch failed')), options)
  await expect(failing(new Request(`http://localhost${path}`, { method }))).rejects.toThrow()
  expect(seen.map((one) => `${one.verb} ${one.kind} ${one.namespace}`)).toEqual([text, text])
  expect(seen.map(({ statusCode }) => statusCode)).toEqual([201, 0])
})
