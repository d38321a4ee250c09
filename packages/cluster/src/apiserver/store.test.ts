import { SeededRandom, type UnknownObject, VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { Store, type StoreEvent } from './store.ts'

const maps = { group: '', plural: 'configmaps' }
const pods = { group: '', plural: 'pods' }

function newStore(historyLimit?: number) {
  return new Store({
    clock: new VirtualClock(0),
    random: new SeededRandom(1),
    ...(historyLimit !== undefined && { historyLimit }),
  })
}

function object(name: string, rest: object = {}): UnknownObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'a' }, ...rest }
}

const told = (events: readonly StoreEvent[]) =>
  events.map(
    ({ type, object: { metadata } }) => `${type} ${metadata.name}@${metadata.resourceVersion}`,
  )

test('one version counts all writes of all kinds', () => {
  const store = newStore()
  const first = store.create(maps, object('one'))
  const second = store.create(pods, object('two'))
  const third = store.update(maps, { ...first, data: { a: 'b' } })
  const versions = [first, second, third].map(({ metadata }) => Number(metadata.resourceVersion))
  expect(versions).toEqual([2, 3, 4])
  expect(store.version).toBe(4)
})

test('of two writers that read the same version one wins and one conflicts', () => {
  const store = newStore()
  const read = store.create(maps, object('one'))
  const expectedVersion = read.metadata.resourceVersion ?? ''
  store.update(maps, { ...read, data: { a: '1' } }, { expectedVersion })
  expect(() => store.update(maps, { ...read, data: { a: '2' } }, { expectedVersion })).toThrow(
    'Operation cannot be fulfilled on configmaps "one": the object has been modified; please apply your changes to the latest version and try again',
  )
})

test('a watch replays what it missed and continues, each event once and in order', () => {
  const store = newStore()
  store.create(maps, object('one'))
  store.create(pods, object('other kind'))
  store.create(maps, object('two'))
  const events: StoreEvent[] = []
  using _watch = store.watch(maps, { fromVersion: 2 }, (event) => events.push(event))
  store.delete(maps, 'a/one')
  expect(told(events)).toEqual(['ADDED two@4', 'DELETED one@5'])
})

test('a watcher that writes sees its own event after every watcher saw the one before', () => {
  const store = newStore()
  const seen: string[] = []
  using _first = store.watch(maps, {}, ({ object: { metadata } }) => {
    seen.push(`first ${metadata.name}`)
    if (metadata.name === 'one') store.create(maps, object('two'))
  })
  using _second = store.watch(maps, {}, ({ object: { metadata } }) => {
    seen.push(`second ${metadata.name}`)
  })
  store.create(maps, object('one'))
  expect(seen).toEqual(['first one', 'second one', 'first two', 'second two'])
})

test('a watch from a version whose events are forgotten is told to list again', () => {
  const store = newStore(10)
  for (let count = 0; count < 20; count++) store.create(maps, object(`n${count}`))
  expect(() => store.watch(maps, { fromVersion: 2 }, () => undefined)).toThrow(
    /^too old resource version: 2 \(\d+\)$/,
  )
  const recent: StoreEvent[] = []
  using _watch = store.watch(maps, { fromVersion: store.version - 1 }, (event) =>
    recent.push(event),
  )
  expect(told(recent)).toEqual(['ADDED n19@21'])
})

test('a disposed watch hears nothing more', () => {
  const store = newStore()
  let heard = 0
  store.watch(maps, {}, () => heard++)[Symbol.dispose]()
  store.create(maps, object('one'))
  expect(heard).toBe(0)
})

test('stored objects cannot be changed by those who read them', () => {
  const store = newStore()
  store.create(maps, object('one', { data: { a: '1' } }))
  const read = store.get(maps, 'a/one') as unknown as { data: { a: string } }
  expect(() => {
    read.data.a = '2'
  }).toThrow(TypeError)
})

test('a list is sorted by namespace and name and limited to one namespace when asked', () => {
  const store = newStore()
  for (const [namespace, name] of [
    ['b', 'x'],
    ['a', 'z'],
    ['a', 'y'],
  ] as const) {
    store.create(maps, { ...object(name), metadata: { name, namespace } })
  }
  const names = (namespace?: string) =>
    store.list(maps, namespace).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
  expect(names()).toEqual(['a/y', 'a/z', 'b/x'])
  expect(names('b')).toEqual(['b/x'])
})
