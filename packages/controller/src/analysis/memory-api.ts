import {
  ApiError,
  type Clock,
  type KubeClient,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type Resource,
  type WatchEvent,
  type WatchOptions,
} from '@serinus/kube'

type Stored = KubeObject & { readonly [field: string]: unknown }

interface LogEntry {
  readonly version: number
  readonly plural: string
  readonly event: Extract<WatchEvent<Stored>, { readonly object: Stored }>
}

/** A Kubernetes API of objects in memory, for tests of the shells: versions, label selectors, merge patches, watches. */
export class MemoryApi {
  /** Every call but reads of informers, as `create jobs app/x`. */
  readonly calls: string[] = []
  /** Fails a call before it has any effect, or after it, when it returns an error. */
  before: ((call: string) => Error | undefined) | undefined
  after: ((call: string) => Error | undefined) | undefined
  /** Delays the list of a kind, by its plural, milliseconds. */
  readonly slowLists = new Map<string, number>()
  readonly #clock: Clock
  readonly #objects = new Map<string, Map<string, Stored>>()
  readonly #watchers = new Set<(entry: LogEntry) => void>()
  /** Everything since the start: a watch begins where its list ended. */
  readonly #log: LogEntry[] = []
  #version = 100

  constructor(clock: Clock) {
    this.#clock = clock
  }

  all(plural: string): readonly Stored[] {
    return [...(this.#objects.get(plural)?.values() ?? [])]
  }

  get<T = Stored>(plural: string, key: string): T {
    const found = this.#objects.get(plural)?.get(key)
    if (found) return found as T
    const message = `${plural} "${key.split('/').at(-1)}" not found`
    throw new ApiError({ code: 404, reason: 'NotFound', message })
  }

  put(plural: string, object: KubeObject & object): void {
    const key = keyOf(object)
    const known = this.#objects.get(plural)?.get(key)
    const metadata = {
      uid: `uid-${object.metadata.name}`,
      creationTimestamp: new Date(this.#clock.now()).toISOString(),
      ...object.metadata,
      resourceVersion: String(++this.#version),
    }
    const stored: Stored = { ...object, metadata }
    const collection = this.#objects.get(plural) ?? new Map<string, Stored>()
    this.#objects.set(plural, collection.set(key, stored))
    this.#tell(plural, { type: known ? 'MODIFIED' : 'ADDED', object: stored })
  }

  /** One client of the API, as each process has. */
  client(): KubeClient {
    const listed = (resource: Resource, options: { namespace?: string; labelSelector?: string }) =>
      this.all(resource.plural).filter((object) => selects(object, options))
    return {
      get: async (resource: Resource, key: ObjectKey) =>
        this.#call('get', resource, key, () => this.get(resource.plural, path(key))),
      list: async (resource: Resource, options = {}) => {
        await this.#clock.until(this.#clock.now() + (this.slowLists.get(resource.plural) ?? 0))
        return { items: listed(resource, options), resourceVersion: String(this.#version) }
      },
      watch: (resource: Resource, options = {}) => this.#watch(resource.plural, options),
      create: async (resource: Resource, object: KubeObject) =>
        this.#call('create', resource, object.metadata, () => {
          if (this.#objects.get(resource.plural)?.has(keyOf(object))) {
            const message = `${resource.plural} "${object.metadata.name}" already exists`
            throw new ApiError({ code: 409, reason: 'AlreadyExists', message })
          }
          this.put(resource.plural, object)
          return this.get(resource.plural, keyOf(object))
        }),
      patch: async (resource: Resource, key: ObjectKey, patch: { body: unknown }) =>
        this.#call('patch', resource, key, () => {
          const known = this.get(resource.plural, path(key))
          this.put(resource.plural, merged(structuredClone(known), patch.body) as Stored)
          return this.get(resource.plural, path(key))
        }),
      delete: async (resource: Resource, key: ObjectKey) =>
        this.#call('delete', resource, key, () => {
          const object = this.get(resource.plural, path(key))
          this.#objects.get(resource.plural)?.delete(path(key))
          const metadata = { ...object.metadata, resourceVersion: String(++this.#version) }
          this.#tell(resource.plural, { type: 'DELETED', object: { ...object, metadata } })
        }),
    } as unknown as KubeClient
  }

  #call<T>(verb: string, resource: Resource, key: ObjectKey, act: () => T): T {
    const call = `${verb} ${resource.plural} ${path(key)}`
    this.calls.push(call)
    const refused = this.before?.(call)
    if (refused) throw refused
    const result = act()
    const lost = this.after?.(call)
    if (lost) throw lost
    return result
  }

  #tell(plural: string, event: LogEntry['event']): void {
    const entry = { version: this.#version, plural, event }
    this.#log.push(entry)
    for (const watcher of this.#watchers) watcher(entry)
  }

  async *#watch(plural: string, options: WatchOptions): AsyncGenerator<WatchEvent<Stored>> {
    const events: WatchEvent<Stored>[] = []
    let wake = () => {}
    const watcher = ({ plural: of, event, version }: LogEntry) => {
      if (of !== plural || version <= Number(options.resourceVersion)) return
      if (!selects(event.object, options)) return
      events.push(event)
      wake()
    }
    this.#log.forEach(watcher)
    this.#watchers.add(watcher)
    options.signal?.addEventListener('abort', () => wake())
    try {
      while (!options.signal?.aborted) {
        const event = events.shift()
        if (event) yield event
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      this.#watchers.delete(watcher)
    }
  }
}

function path(key: ObjectKey): string {
  return key.namespace ? `${key.namespace}/${key.name}` : key.name
}

function selects(
  { metadata }: KubeObject,
  options: { readonly namespace?: string; readonly labelSelector?: string },
): boolean {
  if (options.namespace && metadata.namespace !== options.namespace) return false
  return (options.labelSelector?.split(',') ?? []).every((part) => {
    const [name = '', value] = part.split('=')
    const label = metadata.labels?.[name]
    return value === undefined ? label !== undefined : label === value
  })
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {}
  const fields: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete fields[name]
    else fields[name] = merged(fields[name], value)
  }
  return fields
}
