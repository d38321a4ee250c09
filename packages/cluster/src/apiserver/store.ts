import type { Clock, ListOf, Resource, SeededRandom, UnknownObject } from '@serinus/kube'
import { keyOf } from '@serinus/kube'
import { alreadyExists, conflict, notFound, resourceExpired } from './status-error.ts'

/** One change of one stored object, in the order of `version`. Objects are frozen and shared. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** The object after the change; of a deletion: its last state, with the version of the deletion. */
  readonly object: UnknownObject
  /** The object before the change; absent for `ADDED`. */
  readonly previous?: UnknownObject
  readonly version: number
}

/** What a store needs of a kind: versions of one kind share a shelf. */
export type StoredResource = Pick<Resource, 'group' | 'plural'>

/** Receives every write once, in order, before any watcher hears of it. */
export type StoreSink = (resource: StoredResource, key: string, event: StoreEvent) => void

/** Several servers keep some thousand events a kind; a slow client beyond that must list again. */
const defaultHistoryLimit = 10_000

/**
 * All objects of a cluster under one monotonic resourceVersion. Synchronous; in memory. The store
 * checks versions and nothing else: admission, defaults and validation stand in front of it.
 */
export class Store {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly #shelves = new Map<string, Shelf>()
  readonly #historyLimit: number
  readonly #queue: { shelf: Shelf; event: StoreEvent }[] = []
  readonly #sinks = new Set<StoreSink>()
  #version = 1
  #dispatching = false
  #restoredAt = 0

  constructor(options: { clock: Clock; random: SeededRandom; historyLimit?: number }) {
    this.clock = options.clock
    this.random = options.random
    this.#historyLimit = options.historyLimit ?? defaultHistoryLimit
  }

  /** Version of the last write over all kinds. */
  get version(): number {
    return this.#version
  }

  /** The object under `namespace/name` (or `name`), undefined when there is none. */
  get(resource: StoredResource, key: string): UnknownObject | undefined {
    return this.#shelf(resource).objects.get(key)
  }

  /** Objects sorted by key, as etcd returns them; the array is shared and must not be changed. */
  list(resource: StoredResource, namespace?: string): readonly UnknownObject[] {
    const shelf = this.#shelf(resource)
    if (namespace !== undefined) {
      return sorted(shelf.byNamespace.get(namespace)?.values() ?? [], shelf, namespace)
    }
    return sorted(shelf.objects.values(), shelf, '')
  }

  /** The whole list with the version a watch continues from. */
  snapshot(resource: StoredResource, namespace?: string): ListOf<UnknownObject> {
    return { items: this.list(resource, namespace), resourceVersion: String(this.#version) }
  }

  count(resource: StoredResource): number {
    return this.#shelf(resource).objects.size
  }

  /** Stores a new object; refused with 409 AlreadyExists when its key is taken. */
  create(resource: StoredResource, object: UnknownObject): UnknownObject {
    const shelf = this.#shelf(resource)
    const key = keyOf(object)
    if (shelf.objects.has(key)) throw alreadyExists(resource, object.metadata.name)
    const stored = this.#stamp(object)
    this.#record(shelf, key, { type: 'ADDED', object: stored, version: this.#version })
    return stored
  }

  /**
   * Replaces an object; with `expectedVersion` a stale write is refused with 409 Conflict.
   */
  update(
    resource: StoredResource,
    object: UnknownObject,
    options: { readonly expectedVersion?: string } = {},
  ): UnknownObject {
    const shelf = this.#shelf(resource)
    const key = keyOf(object)
    const previous = this.#present(shelf, key, object.metadata.name)
    this.#checkVersion(shelf, previous, options.expectedVersion)
    const stored = this.#stamp(object)
    this.#record(shelf, key, { type: 'MODIFIED', object: stored, previous, version: this.#version })
    return stored
  }

  /** Removes an object; watchers see its last state under the version of the deletion. */
  delete(
    resource: StoredResource,
    key: string,
    options: { readonly expectedVersion?: string; readonly lastState?: UnknownObject } = {},
  ): UnknownObject {
    const shelf = this.#shelf(resource)
    const previous = this.#present(shelf, key, key.slice(key.lastIndexOf('/') + 1))
    this.#checkVersion(shelf, previous, options.expectedVersion)
    const stored = this.#stamp(options.lastState ?? previous)
    this.#record(shelf, key, { type: 'DELETED', object: stored, previous, version: this.#version })
    return stored
  }

  /**
   * Calls `handler` for every change after `fromVersion` (default: now), first those that are
   * remembered, then each as it happens: synchronously, in version order, none twice. A handler may
   * write; its own events follow once the present one has reached every watcher. Throws 410 Expired
   * when events after `fromVersion` are forgotten.
   */
  watch(
    resource: StoredResource,
    options: { readonly fromVersion?: number },
    handler: (event: StoreEvent) => void,
  ): Disposable {
    const shelf = this.#shelf(resource)
    const from = options.fromVersion ?? this.#version
    if (from < shelf.forgottenUpTo) throw resourceExpired(from, shelf.forgottenUpTo)
    const watcher = { handler, seen: from }
    shelf.watchers.add(watcher)
    if (from < this.#version) {
      const history = shelf.history
      for (let index = firstAfter(history, from); index < history.length; index++) {
        const event = history[index]
        if (event === undefined || !shelf.watchers.has(watcher)) break
        if (event.version <= watcher.seen) continue
        watcher.seen = event.version
        handler(event)
      }
    }
    return { [Symbol.dispose]: () => void shelf.watchers.delete(watcher) }
  }

  /** Hears of every write of every kind, for a journal. */
  onWrite(sink: StoreSink): Disposable {
    this.#sinks.add(sink)
    return { [Symbol.dispose]: () => void this.#sinks.delete(sink) }
  }

  /** Puts back what a journal kept. Only before the first watch; earlier versions are forgotten. */
  restore(
    version: number,
    objects: Iterable<{ readonly resource: StoredResource; readonly object: UnknownObject }>,
  ): void {
    for (const { resource, object } of objects) {
      this.#shelf(resource).put(keyOf(object), deepFreeze(object))
    }
    this.#version = Math.max(this.#version, version)
    this.#restoredAt = this.#version
    for (const shelf of this.#shelves.values()) shelf.forgottenUpTo = this.#version
  }

  /** Forgets all events so far: a watch from an older version gets 410 (etcd's compaction). */
  compact(): void {
    for (const shelf of this.#shelves.values()) {
      shelf.history = []
      shelf.forgottenUpTo = this.#version
    }
    this.#restoredAt = this.#version
  }

  /** True while events since `version` of that kind are remembered. */
  remembers(resource: StoredResource, version: number): boolean {
    return version >= this.#shelf(resource).forgottenUpTo
  }

  #shelf({ group, plural }: StoredResource): Shelf {
    const id = group === '' ? plural : `${plural}.${group}`
    let shelf = this.#shelves.get(id)
    if (!shelf) {
      shelf = new Shelf({ group, plural }, this.#restoredAt)
      this.#shelves.set(id, shelf)
    }
    return shelf
  }

  #present(shelf: Shelf, key: string, name: string): UnknownObject {
    const object = shelf.objects.get(key)
    if (!object) throw notFound(shelf.resource, name)
    return object
  }

  #checkVersion(shelf: Shelf, present: UnknownObject, expected: string | undefined): void {
    if (expected === undefined || expected === present.metadata.resourceVersion) return
    throw conflict(shelf.resource, present.metadata.name)
  }

  #stamp(object: UnknownObject): UnknownObject {
    this.#version++
    return deepFreeze({
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.#version) },
    })
  }

  #record(shelf: Shelf, key: string, event: StoreEvent): void {
    if (event.type === 'DELETED') shelf.remove(key)
    else shelf.put(key, event.object)
    shelf.history.push(event)
    // Trimmed in bulk: half a limit more in memory is cheaper than a shift per write.
    if (shelf.history.length > this.#historyLimit * 1.5) {
      const gone = shelf.history.length - this.#historyLimit
      shelf.forgottenUpTo = shelf.history[gone - 1]?.version ?? shelf.forgottenUpTo
      shelf.history = shelf.history.slice(gone)
    }
    for (const sink of this.#sinks) sink(shelf.resource, key, event)
    if (shelf.watchers.size === 0) return
    this.#queue.push({ shelf, event })
    if (!this.#dispatching) this.#dispatch()
  }

  #dispatch(): void {
    this.#dispatching = true
    try {
      for (let index = 0; index < this.#queue.length; index++) {
        const entry = this.#queue[index]
        if (!entry) break
        for (const watcher of entry.shelf.watchers) {
          if (entry.event.version <= watcher.seen) continue
          watcher.seen = entry.event.version
          watcher.handler(entry.event)
        }
      }
    } finally {
      this.#queue.length = 0
      this.#dispatching = false
    }
  }
}

interface Watcher {
  readonly handler: (event: StoreEvent) => void
  seen: number
}

class Shelf {
  readonly resource: StoredResource
  readonly objects = new Map<string, UnknownObject>()
  readonly byNamespace = new Map<string, Map<string, UnknownObject>>()
  readonly watchers = new Set<Watcher>()
  /** Sorted lists by namespace ('' is all), until the next write of that namespace. */
  readonly sortedLists = new Map<string, readonly UnknownObject[]>()
  history: StoreEvent[] = []
  forgottenUpTo: number

  constructor(resource: StoredResource, forgottenUpTo: number) {
    this.resource = resource
    this.forgottenUpTo = forgottenUpTo
  }

  put(key: string, object: UnknownObject): void {
    this.objects.set(key, object)
    const namespace = object.metadata.namespace
    this.sortedLists.delete('')
    if (!namespace) return
    this.sortedLists.delete(namespace)
    const shelf = this.byNamespace.get(namespace)
    if (shelf) shelf.set(key, object)
    else this.byNamespace.set(namespace, new Map([[key, object]]))
  }

  remove(key: string): void {
    const namespace = this.objects.get(key)?.metadata.namespace
    this.objects.delete(key)
    this.sortedLists.delete('')
    if (!namespace) return
    this.sortedLists.delete(namespace)
    this.byNamespace.get(namespace)?.delete(key)
    if (this.byNamespace.get(namespace)?.size === 0) this.byNamespace.delete(namespace)
  }
}

function sorted(
  objects: Iterable<UnknownObject>,
  shelf: Shelf,
  namespace: string,
): readonly UnknownObject[] {
  const known = shelf.sortedLists.get(namespace)
  if (known) return known
  const keyed = Array.from(objects, (object) => ({ key: keyOf(object), object }))
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  const list = Object.freeze(keyed.map(({ object }) => object))
  shelf.sortedLists.set(namespace, list)
  return list
}

/** Index of the first event younger than `version`; the history is sorted. */
function firstAfter(history: readonly StoreEvent[], version: number): number {
  let low = 0
  let high = history.length
  while (low < high) {
    const middle = (low + high) >> 1
    const event = history[middle]
    if (event && event.version <= version) low = middle + 1
    else high = middle
  }
  return low
}

/** Freezes what is not frozen yet: parts shared with an earlier version cost nothing. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const key in value) deepFreeze(value[key])
  return value
}
