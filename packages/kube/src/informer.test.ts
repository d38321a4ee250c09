import fc from 'fast-check'
import { expect, test } from 'vitest'
import { httpClient } from './http-client.ts'
import { type Change, type InformerOptions, startInformer } from './informer.ts'
import { keyOf, type UnknownObject } from './objects.ts'
import { resources } from './resources.ts'
import { status, TestApi } from './test-api.ts'
import { VirtualClock } from './virtual-clock.ts'

const minute = 60_000

function world(options: Partial<InformerOptions<UnknownObject>> = {}) {
  const clock = new VirtualClock(0)
  const api = new TestApi(clock)
  const stop = new AbortController()
  const errors: unknown[] = []
  const start = () => {
    const informer = startInformer<UnknownObject>({
      client: httpClient(api.transport),
      resource: resources.configMaps,
      clock,
      signal: stop.signal,
      onError: (error) => errors.push(error),
      ...options,
    })
    const told: string[] = []
    informer.subscribe((change) => told.push(`${change.type} ${keyOf(change.object)}`))
    return { informer, told }
  }
  const lists = () => api.requests.filter(({ query }) => !query.has('watch')).length
  const watches = () => api.count('GET', /configmaps/, 'watch')
  return { clock, api, stop, errors, start, lists, watches }
}

test('present objects are told as added, then each change once, as it happens', async () => {
  const { clock, api, start, stop } = world()
  api.put('configmaps', 'shop/a')
  const { informer, told } = start()
  await clock.settle()
  await informer.synced
  expect(told).toEqual(['added shop/a'])
  api.put('configmaps', 'shop/b')
  api.put('configmaps', 'shop/a', { data: { x: '1' } })
  api.remove('configmaps', 'shop/b')
  await clock.settle()
  expect(told).toEqual(['added shop/a', 'added shop/b', 'modified shop/a', 'deleted shop/b'])
  expect(informer.get('shop/a')).toMatchObject({ data: { x: '1' } })
  expect(informer.get('shop/b')).toBeUndefined()
  stop.abort()
  await clock.settle()
  expect(api.watchers).toBe(0)
  expect(clock.nextTimerAt).toBeNull()
})

test('a late subscriber is told what is present, and a disposed one nothing more', async () => {
  const { clock, api, start } = world()
  api.put('configmaps', 'shop/a')
  const { informer, told } = start()
  await clock.settle()
  const late: string[] = []
  const subscription = informer.subscribe((change) => late.push(change.type))
  expect(late).toEqual(['added'])
  subscription[Symbol.dispose]()
  api.put('configmaps', 'shop/a', { data: {} })
  await clock.settle()
  expect(late).toEqual(['added'])
  expect(told).toHaveLength(2)
})

test('a subscriber that joins while a change is told is not told the same change twice', async () => {
  const { clock, api, start } = world()
  const { informer } = start()
  await clock.settle()
  const late: string[] = []
  informer.subscribe((change) => {
    if (change.object.metadata.name === 'a') {
      informer.subscribe((inner) => late.push(`${inner.type} ${inner.object.metadata.name}`))
    }
  })
  api.put('configmaps', 'shop/a')
  await clock.settle()
  api.put('configmaps', 'shop/b')
  await clock.settle()
  expect(late).toEqual(['added a', 'added b'])
})

test('a handler that throws is reported and keeps nobody from hearing of the change', async () => {
  const { clock, api, start, errors } = world()
  const { informer, told } = start()
  informer.subscribe(() => {
    throw new Error('broken handler')
  })
  const after: string[] = []
  informer.subscribe((change) => after.push(change.type))
  await clock.settle()
  api.put('configmaps', 'shop/a')
  await clock.settle()
  expect(told).toEqual(['added shop/a'])
  expect(after).toEqual(['added'])
  expect(String(errors[0])).toContain('broken handler')
})

test('a cut watch goes on from the last version without a new list', async () => {
  const { clock, api, start, lists, watches } = world()
  api.put('configmaps', 'shop/a')
  const { told } = start()
  await clock.settle()
  api.cutWatches()
  api.put('configmaps', 'shop/b')
  api.remove('configmaps', 'shop/a')
  await clock.advance(1_000)
  expect(told).toEqual(['added shop/a', 'added shop/b', 'deleted shop/a'])
  expect(lists()).toBe(1)
  expect(watches()).toBe(2)
})

test('watch time-outs are normal: no list, no error, no pause', async () => {
  const { clock, start, lists, watches, errors } = world()
  start()
  await clock.advance(60 * minute)
  expect(lists()).toBe(1)
  expect(watches()).toBeGreaterThanOrEqual(6)
  expect(watches()).toBeLessThanOrEqual(13)
  expect(errors).toEqual([])
})

test('a bookmark saves a list after the old versions are gone', async () => {
  const { clock, api, start, lists } = world()
  start()
  await clock.settle()
  for (let index = 0; index < 5; index++) api.put('secrets', `shop/s${index}`)
  api.sendBookmarks()
  await clock.settle()
  api.compact()
  api.cutWatches()
  await clock.advance(10_000)
  expect(lists()).toBe(1)
})

test('versions that are gone cost one list at once, and what happened in the gap is told', async () => {
  const { clock, api, start, lists } = world()
  for (const name of ['kept', 'changed', 'gone', 'remade']) api.put('configmaps', `shop/${name}`)
  const { informer, told } = start()
  await clock.settle()
  const changes: Change<UnknownObject>[] = []
  informer.subscribe((change) => changes.push(change))
  changes.length = 0
  told.length = 0
  api.cutWatches()
  const before = informer.get('shop/changed')
  api.put('configmaps', 'shop/changed', { data: { n: '2' } })
  api.put('configmaps', 'shop/new')
  api.remove('configmaps', 'shop/gone')
  api.remove('configmaps', 'shop/remade')
  api.put('configmaps', 'shop/remade')
  api.compact()
  await clock.advance(1_000)
  expect(told.sort()).toEqual([
    'added shop/new',
    'added shop/remade',
    'deleted shop/gone',
    'deleted shop/remade',
    'modified shop/changed',
  ])
  const modified = changes.find((change) => change.type === 'modified')
  expect(modified).toMatchObject({ previous: before, object: { data: { n: '2' } } })
  expect(lists()).toBe(2)
})

test('an API that is away is tried again with growing pauses and followed within seconds of its return', async () => {
  const { clock, api, start, lists } = world()
  const { told } = start()
  await clock.settle()
  api.down = true
  api.cutWatches()
  const before = api.requests.length
  await clock.advance(10 * minute)
  const tries = api.requests.length - before
  expect(tries).toBeGreaterThan(100)
  expect(tries).toBeLessThan(300)
  api.down = false
  api.put('configmaps', 'shop/a')
  await clock.advance(5_000)
  expect(told).toEqual(['added shop/a'])
  expect(lists()).toBe(1)
})

test('the wait that an overloaded server asks for is kept', async () => {
  const { clock, api, start } = world()
  api.intercept = () => status(429, 'TooManyRequests', 'slow down', { retryAfterSeconds: 60 })
  start()
  await clock.advance(59_000)
  expect(api.requests).toHaveLength(1)
  await clock.advance(2_000)
  expect(api.requests).toHaveLength(2)
})

test('a server that ends each watch at once is not asked in a hot loop', async () => {
  const { clock, api, start, watches } = world()
  api.intercept = (request) =>
    request.url.includes('watch=') ? new Response(new Uint8Array()) : undefined
  start()
  await clock.advance(minute)
  expect(watches()).toBeLessThan(30)
})

test('a server that says 410 to each watch is not listed in a hot loop', async () => {
  const { clock, api, start, lists } = world()
  api.intercept = (request) =>
    request.url.includes('watch=') ? status(410, 'Expired', 'too old') : undefined
  start()
  await clock.advance(minute)
  expect(lists()).toBeLessThan(30)
})

test('a watch that outlives its time-out on a dead connection is cut and resumed', async () => {
  const { clock, api, start, watches } = world()
  let silent = true
  api.intercept = (request) =>
    silent && request.url.includes('watch=')
      ? new Response(new ReadableStream({ start: () => {} }))
      : undefined
  const { told } = start()
  await clock.settle()
  silent = false
  api.put('configmaps', 'shop/a')
  await clock.advance(11 * minute)
  expect(watches()).toBeGreaterThanOrEqual(2)
  expect(told).toEqual(['added shop/a'])
})

test('objects are found by namespace and by index, also after they changed', async () => {
  const { clock, api, start } = world({
    indexes: { byColour: (object) => [String(object['colour'])] },
  })
  api.put('configmaps', 'shop/a', { colour: 'red' })
  api.put('configmaps', 'bank/b', { colour: 'red' })
  const { informer } = start()
  await clock.settle()
  const names = (list: readonly UnknownObject[]) => list.map((object) => object.metadata.name)
  expect(names(informer.list('shop'))).toEqual(['a'])
  expect(names(informer.list())).toEqual(['a', 'b'])
  expect(names(informer.byIndex('byColour', 'red'))).toEqual(['a', 'b'])
  api.put('configmaps', 'shop/a', { colour: 'blue' })
  api.remove('configmaps', 'bank/b')
  await clock.settle()
  expect(names(informer.byIndex('byColour', 'red'))).toEqual([])
  expect(names(informer.byIndex('byColour', 'blue'))).toEqual(['a'])
  expect(names(informer.list('bank'))).toEqual([])
  expect(() => informer.byIndex('byColor', 'red')).toThrow('byColour')
})

test('an object that cannot be transformed keeps its last good form and stops nothing', async () => {
  const { clock, api, start, errors } = world({
    transform: (object) => {
      if (object['bad']) throw new Error('cannot parse')
      return { ...object, seen: true }
    },
  })
  api.put('configmaps', 'shop/a', { n: 1 })
  const { informer } = start()
  await clock.settle()
  api.put('configmaps', 'shop/a', { n: 2, bad: true })
  api.put('configmaps', 'shop/b')
  await clock.settle()
  expect(informer.get('shop/a')).toMatchObject({ n: 1, seen: true })
  expect(informer.get('shop/b')).toMatchObject({ seen: true })
  expect(String(errors[0])).toContain('cannot parse')
})

test('an informer that is stopped before its first list rejects its promise of being synced', async () => {
  const { clock, api, start, stop } = world()
  api.hang = () => true
  const { informer } = start()
  await clock.settle()
  stop.abort(new Error('stopped'))
  await expect(informer.synced).rejects.toThrow('stopped')
})

type Act =
  | { kind: 'put'; name: string }
  | { kind: 'remove'; name: string }
  | { kind: 'other' | 'cut' | 'end' | 'compact' | 'bookmark' | 'down' | 'up' }
  | { kind: 'pass'; ms: number }

const name = fc.constantFrom('a', 'b', 'c', 'd')
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), name }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), name }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('other', 'cut', 'end', 'compact', 'bookmark', 'down', 'up'),
    }) as fc.Arbitrary<Act>,
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(0, 50, 700, 400_000),
    }),
  },
)

test('whatever is cut, expired or away on the way, the cache ends as the store and no change is lost or doubled', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { minLength: 10, maxLength: 60, size: 'max' }),
      fc.integer(),
      async (acts, seed) => {
        const { clock, api, start, stop } = world({ seed })
        api.put('configmaps', 'shop/a')
        const { informer } = start()
        // What a handler that trusts each change would believe. It may not throw: the informer would swallow that.
        const believed = new Map<string, UnknownObject>()
        const contradictions: string[] = []
        informer.subscribe((change) => {
          const key = keyOf(change.object)
          const known = believed.get(key)
          const { uid, resourceVersion } = change.object.metadata
          const deny = (why: string) => contradictions.push(`${change.type} ${key}: ${why}`)
          if (change.type === 'added') {
            if (known) deny('was there already')
            believed.set(key, change.object)
          } else if (change.type === 'modified') {
            if (change.previous !== known) deny('previous is not what was told before')
            if (uid !== known?.metadata.uid) deny('is another object')
            if (Number(resourceVersion) <= Number(known?.metadata.resourceVersion))
              deny('told twice')
            believed.set(key, change.object)
          } else {
            if (known?.metadata.uid !== uid) deny('was not there')
            believed.delete(key)
          }
        })
        for (const step of acts) {
          switch (step.kind) {
            case 'put':
              api.put('configmaps', `shop/${step.name}`, { n: api.requests.length })
              break
            case 'remove':
              api.remove('configmaps', `shop/${step.name}`)
              break
            case 'other':
              api.put('secrets', 'shop/s')
              break
            case 'cut':
              api.cutWatches()
              break
            case 'end':
              api.endWatches()
              break
            case 'compact':
              api.compact()
              break
            case 'bookmark':
              api.sendBookmarks()
              break
            case 'down':
              api.down = true
              api.cutWatches()
              break
            case 'up':
              api.down = false
              break
            case 'pass':
              await clock.advance(step.ms)
          }
        }
        api.down = false
        await clock.advance(10_000)
        expect(contradictions).toEqual([])
        const byKey = (objects: readonly UnknownObject[]) =>
          [...objects].sort((x, y) => (keyOf(x) < keyOf(y) ? -1 : 1))
        expect(byKey(informer.list())).toEqual(byKey(api.objects('configmaps')))
        expect(byKey([...believed.values()])).toEqual(byKey(api.objects('configmaps')))
        stop.abort()
        await clock.settle()
        expect(clock.nextTimerAt).toBeNull()
      },
    ),
    { numRuns: 150 },
  )
})

test('a refresh brings what a silent watch kept to itself, and resolves only then', async () => {
  let deaf = false
  const { clock, api } = world()
  const listen = api.transport
  const informer = startInformer<UnknownObject>({
    client: httpClient(async (request) => {
      const answer = await listen(request)
      if (!answer.body || !request.url.includes('watch=')) return answer
      const silencer = new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          if (!deaf) controller.enqueue(chunk)
        },
      })
      return new Response(answer.body.pipeThrough(silencer), { status: answer.status })
    }),
    resource: resources.configMaps,
    clock,
    signal: new AbortController().signal,
  })
  await clock.settle()
  deaf = true
  api.put('configmaps', 'shop/a')
  await clock.advance(minute)
  expect(informer.get('shop/a')).toBeUndefined()
  deaf = false
  await informer.refresh()
  expect(informer.get('shop/a')).toBeDefined()
  api.put('configmaps', 'shop/b')
  await clock.settle()
  expect(informer.get('shop/b')).toBeDefined()
})

test('a refresh does not wait for the end of a back-off, and an API that is away still only delays it', async () => {
  const { clock, api, start, lists } = world()
  const { informer } = start()
  await clock.settle()
  api.down = true
  api.cutWatches()
  await clock.advance(minute)
  api.down = false
  const before = lists()
  const refreshed = informer.refresh()
  await clock.settle()
  await refreshed
  expect(lists()).toBe(before + 1)
  api.down = true
  let isRefreshed = false
  void informer.refresh().then(() => {
    isRefreshed = true
  })
  await clock.advance(minute)
  expect(isRefreshed).toBe(false)
  api.down = false
  await clock.advance(6_000)
  expect(isRefreshed).toBe(true)
})

test('a refresh of an informer that has ended rejects', async () => {
  const { start, stop, clock } = world()
  const { informer } = start()
  await clock.settle()
  stop.abort(new Error('over'))
  await clock.settle()
  await expect(informer.refresh()).rejects.toThrow('over')
})
