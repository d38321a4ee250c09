import { ApiError, type KubeClient } from './client.ts'
import type { Clock } from './clock.ts'
import { type KubeObject, keyOf, type ListOf, type Resource } from './objects.ts'
import { SeededRandom } from './seeded-random.ts'
import { sleep } from './sleep.ts'

/** What became of one object since the last change told about it. */
export type Change<T> =
  | { readonly type: 'added'; readonly object: T }
  | { readonly type: 'modified'; readonly object: T; readonly previous: T }
  | { readonly type: 'deleted'; readonly object: T }

/** A cache of the objects of one kind that follows the API. Objects are shared: never change one. */
export interface Informer<T extends KubeObject> {
  /** @param key `namespace/name`, or `name` for a cluster-scoped kind (`keyOf`) */
  get(key: string): T | undefined
  /** Absent namespace: all that are cached. The order is stable but means nothing. */
  list(namespace?: string): readonly T[]
  /** Throws for an index that was not asked for at the start. */
  byIndex(index: string, value: string): readonly T[]
  /**
   * Called after the cache changed; at the subscription `added` is told once for each object that is present, as
   * soon as the cache is synced. A handler that throws is reported to `onError` and disturbs nobody.
   */
  subscribe(handler: (change: Change<T>) => void): Disposable
  /**
   * Lists again at once, also in the middle of a wait after a failure; resolves when everything that the API had at
   * the time of the call is in the cache. Rejects as `synced` does.
   */
  refresh(): Promise<void>
  /** Resolves after the first complete list was told; rejects with the signal's reason when that aborts before. */
  readonly synced: Promise<void>
}

/** Which objects an informer follows and how it keeps them. */
export interface InformerOptions<T extends KubeObject> {
  readonly client: KubeClient
  readonly resource: Resource
  readonly clock: Clock
  /** Ends the informer; the cache stays readable as it was. */
  readonly signal: AbortSignal
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Under which values an object is found by `byIndex`. */
  readonly indexes?: Readonly<Record<string, (object: T) => readonly string[]>>
  /** Shrinks or parses an object before it is kept. When it throws, the last good form of the object stays. */
  readonly transform?: (object: T) => T
  /** Failures of the API (the informer goes on by itself), of handlers and of `transform`. */
  readonly onError?: (error: unknown) => void
  /** Decides the jitter of waits and time-outs. Absent: the kind's name, the same in every process. */
  readonly seed?: number | string
}

/**
 * Lists once, then watches. A cut or timed-out watch goes on from the last version seen; only when the server no
 * longer has that version (410) everything is listed again and compared, so that each change is told exactly once
 * and a deletion in the gap is told too. Never gives up: an unreachable API is tried again within 5 s.
 */
export function startInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  const cache = new Cache<T>(options)
  void follow(options, cache)
  return cache
}

/** Page size of lists, as client-go asks. */
const pageSize = 500

/** A watch is asked to end after this long, up to twice as long by chance, as client-go's reflector does. */
const shortestWatchSeconds = 300

/** A watch that outlives its time-out by this much is dead (a half-open connection) and gets cut. */
const watchTimeoutMarginMs = 30_000

/** A watch shorter than this that told nothing counts as a failure: else a server could make us spin. */
const shortestGoodWatchMs = 1_000

const backoff = { initialMs: 200, maxMs: 5_000 }

async function follow<T extends KubeObject>(
  options: InformerOptions<T>,
  cache: Cache<T>,
): Promise<void> {
  const { client, resource, clock, signal, onError } = options
  const random = new SeededRandom(options.seed ?? `${resource.plural}.${resource.group}`)
  const scope = {
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
    ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
  }
  /** The version up to which everything was told; undefined: unknown, list. */
  let version: string | undefined
  let failures = 0

  while (!signal.aborted) {
    const interruption = cache.nextInterruption()
    try {
      if (cache.refreshesDue > 0) version = undefined
      if (version === undefined) {
        const due = cache.refreshesDue
        const list: ListOf<T> = await client.list<T>(resource, {
          ...scope,
          limit: pageSize,
          signal: interruption,
        })
        if (signal.aborted) break
        cache.replace(list.items)
        version = list.resourceVersion
        cache.refreshed(due)
      }
      if (interruption.aborted) continue
      if (await watch(version, interruption)) failures = 0
      else if (!signal.aborted) await pause(undefined, interruption)
    } catch (error) {
      if (signal.aborted) break
      if (interruption.aborted) continue
      // Time-outs and cuts of a watch are everyday; 410 and refusals are worth a line.
      onError?.(error)
      if (mustRelist(error)) version = undefined
      await pause(error, interruption).catch(() => {})
    }
  }
  cache.end(signal.reason)

  /** True when the watch did something. Throws as the client does. */
  async function watch(from: string, interruption: AbortSignal): Promise<boolean> {
    const startedAt = clock.now()
    const timeoutSeconds = shortestWatchSeconds + random.int(shortestWatchSeconds)
    const cut = new AbortController()
    const onAbort = () => cut.abort(interruption.reason)
    interruption.addEventListener('abort', onAbort, { once: true })
    const guard = new AbortController()
    clock.until(startedAt + timeoutSeconds * 1000 + watchTimeoutMarginMs, guard.signal).then(
      () => cut.abort(),
      () => {},
    )
    let told = false
    try {
      const events = client.watch<T>(resource, {
        ...scope,
        resourceVersion: from,
        timeoutSeconds,
        allowBookmarks: true,
        signal: cut.signal,
      })
      for await (const event of events) {
        if (cut.signal.aborted) break
        if (event.type === 'BOOKMARK') version = event.resourceVersion || version
        else {
          version = event.object.metadata.resourceVersion ?? version
          cache.apply(event)
        }
        told = true
        failures = 0
      }
    } finally {
      guard.abort()
      interruption.removeEventListener('abort', onAbort)
    }
    return told || interruption.aborted || clock.now() - startedAt >= shortestGoodWatchMs
  }

  async function pause(error: unknown, interruption: AbortSignal): Promise<void> {
    // The first 410 after a good watch says only that a list is due: no reason to wait.
    if (isGone(error) && failures++ === 0) return
    if (!isGone(error)) failures++
    const fullMs = Math.min(backoff.initialMs * 2 ** (failures - 1), backoff.maxMs)
    const jitteredMs = fullMs * (0.5 + 0.5 * random.next())
    const askedMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0
    await sleep(clock, Math.ceil(Math.max(jitteredMs, askedMs)), interruption)
  }
}

function isGone(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 410 || error.reason === 'Expired')
}

/** 400: the version itself is refused, as after a restore from a backup. Anything else may pass: keep the version. */
function mustRelist(error: unknown): boolean {
  return isGone(error) || (error instanceof ApiError && (error.code === 400 || error.code === 404))
}

class Cache<T extends KubeObject> implements Informer<T> {
  readonly synced: Promise<void>
  readonly #options: InformerOptions<T>
  readonly #objects = new Map<string, T>()
  readonly #indexes = new Map<string, Index<T>>()
  readonly #byNamespace = new Index<T>((object) => [object.metadata.namespace ?? ''])
  readonly #handlers = new Set<(change: Change<T>) => void>()
  readonly #refreshes: { resolve(): void; reject(reason: unknown): void }[] = []
  #interruption = new AbortController()
  #hasSynced = false
  #resolveSynced!: () => void
  #rejectSynced!: (reason: unknown) => void

  constructor(options: InformerOptions<T>) {
    this.#options = options
    for (const [name, valuesOf] of Object.entries(options.indexes ?? {})) {
      this.#indexes.set(name, new Index(valuesOf))
    }
    this.synced = new Promise<void>((resolve, reject) => {
      this.#resolveSynced = resolve
      this.#rejectSynced = reject
    })
    // Nobody need await it: an informer that is stopped early is no unhandled rejection.
    this.synced.catch(() => {})
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  list(namespace?: string): readonly T[] {
    return namespace === undefined ? [...this.#objects.values()] : this.#byNamespace.get(namespace)
  }

  byIndex(index: string, value: string): readonly T[] {
    const found = this.#indexes.get(index)
    if (!found) {
      const known = [...this.#indexes.keys()].join(', ') || 'none'
      throw new TypeError(`${this.#options.resource.plural} have no index ${index} (${known})`)
    }
    return found.get(value)
  }

  subscribe(handler: (change: Change<T>) => void): Disposable {
    // A wrapper of its own, so that one function may subscribe twice.
    const entry = (change: Change<T>) => handler(change)
    const present = this.#hasSynced ? [...this.#objects.values()] : []
    this.#handlers.add(entry)
    for (const object of present) this.#tell([entry], { type: 'added', object })
    return { [Symbol.dispose]: () => void this.#handlers.delete(entry) }
  }

  refresh(): Promise<void> {
    const { signal } = this.#options
    if (signal.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      this.#refreshes.push({ resolve, reject })
      this.#interruption.abort(new Error('a new list was asked for'))
    })
  }

  /** Requests to list anew that no list has served yet. */
  get refreshesDue(): number {
    return this.#refreshes.length
  }

  /** The oldest requests are served by a list that was begun after them. */
  refreshed(count: number): void {
    for (const { resolve } of this.#refreshes.splice(0, count)) resolve()
  }

  /** Aborts when the informer ends and when a new list is asked for after this call. */
  nextInterruption(): AbortSignal {
    const { signal } = this.#options
    signal.removeEventListener('abort', this.#onEnd)
    this.#interruption = new AbortController()
    if (signal.aborted) this.#onEnd()
    else signal.addEventListener('abort', this.#onEnd, { once: true })
    return this.#interruption.signal
  }

  readonly #onEnd = () => this.#interruption.abort(this.#options.signal.reason)

  /** The whole present state: tells what differs from the state told before. */
  replace(items: readonly T[]): void {
    // Handlers that subscribe during the telling get the state as it is then; the rest of it is not news to them.
    const handlers = [...this.#handlers]
    const changes: Change<T>[] = []
    const present = new Set<string>()
    for (const item of items) {
      present.add(keyOf(item))
      changes.push(...this.#put(item))
    }
    for (const [key, object] of [...this.#objects]) {
      if (present.has(key)) continue
      this.#remove(key)
      changes.push({ type: 'deleted', object })
    }
    const first = !this.#hasSynced
    this.#hasSynced = true
    for (const change of changes) this.#tell(handlers, change)
    if (first) this.#resolveSynced()
  }

  apply(event: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }): void {
    const handlers = [...this.#handlers]
    for (const change of event.type === 'DELETED'
      ? this.#take(event.object)
      : this.#put(event.object)) {
      this.#tell(handlers, change)
    }
  }

  end(reason: unknown): void {
    this.#options.signal.removeEventListener('abort', this.#onEnd)
    this.#rejectSynced(reason)
    for (const { reject } of this.#refreshes.splice(0)) reject(reason)
  }

  #put(raw: T): Change<T>[] {
    const key = keyOf(raw)
    const previous = this.#objects.get(key)
    const sameObject = previous?.metadata.uid === raw.metadata.uid
    if (previous && sameObject && isSameVersion(previous, raw)) return []
    const object = this.#transformed(raw)
    if (!object) return []
    if (previous) this.#remove(key)
    this.#objects.set(key, object)
    this.#byNamespace.add(key, object)
    for (const [name, index] of this.#indexes) {
      try {
        index.add(key, object)
      } catch (error) {
        this.#report(new Error(`index ${name} failed for ${key}`, { cause: error }))
      }
    }
    if (!previous) return [{ type: 'added', object }]
    // Deleted and made anew in a gap: its owner must see the old one end.
    if (!sameObject)
      return [
        { type: 'deleted', object: previous },
        { type: 'added', object },
      ]
    return [{ type: 'modified', object, previous }]
  }

  #take(raw: T): Change<T>[] {
    const key = keyOf(raw)
    const previous = this.#objects.get(key)
    if (!previous) return []
    this.#remove(key)
    return [{ type: 'deleted', object: this.#transformed(raw) ?? previous }]
  }

  #remove(key: string): void {
    this.#objects.delete(key)
    this.#byNamespace.remove(key)
    for (const index of this.#indexes.values()) index.remove(key)
  }

  #transformed(raw: T): T | undefined {
    const { transform } = this.#options
    if (!transform) return raw
    try {
      return transform(raw)
    } catch (error) {
      this.#report(error)
      return undefined
    }
  }

  #tell(handlers: readonly ((change: Change<T>) => void)[], change: Change<T>): void {
    for (const handler of handlers) {
      if (!this.#handlers.has(handler)) continue
      try {
        handler(change)
      } catch (error) {
        this.#report(error)
      }
    }
  }

  #report(error: unknown): void {
    this.#options.onError?.(error)
  }
}

/** Versions are compared only for sameness: their order is the server's business. */
function isSameVersion(a: KubeObject, b: KubeObject): boolean {
  return (
    a.metadata.resourceVersion !== undefined &&
    a.metadata.resourceVersion === b.metadata.resourceVersion
  )
}

class Index<T> {
  readonly #valuesOf: (object: T) => readonly string[]
  readonly #entries = new Map<string, Map<string, T>>()
  readonly #valuesByKey = new Map<string, readonly string[]>()

  constructor(valuesOf: (object: T) => readonly string[]) {
    this.#valuesOf = valuesOf
  }

  get(value: string): readonly T[] {
    return [...(this.#entries.get(value)?.values() ?? [])]
  }

  add(key: string, object: T): void {
    const values = this.#valuesOf(object)
    this.#valuesByKey.set(key, values)
    for (const value of values) {
      const entry = this.#entries.get(value)
      if (entry) entry.set(key, object)
      else this.#entries.set(value, new Map([[key, object]]))
    }
  }

  remove(key: string): void {
    for (const value of this.#valuesByKey.get(key) ?? []) {
      const entry = this.#entries.get(value)
      entry?.delete(key)
      if (entry?.size === 0) this.#entries.delete(value)
    }
    this.#valuesByKey.delete(key)
  }
}
