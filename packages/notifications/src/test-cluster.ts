import {
  ApiError,
  type KubeClient,
  type KubeObject,
  keyOf,
  type ListOptions,
  type ObjectKey,
  type Resource,
  type WatchEvent,
  type WatchOptions,
} from '@serinus/kube'

type Listener = (event: WatchEvent<KubeObject>) => void

/** Objects in memory, as an API server keeps them: versions, conflicts, field and label selectors, watches. */
export class TestCluster {
  readonly #objects = new Map<string, Map<string, KubeObject>>()
  readonly #listeners = new Map<string, Set<Listener>>()
  #version = 1000
  #uid = 0
  /** Writes of ConfigMaps, Secrets and our kinds so far; Events are not counted. */
  writes = 0

  put<T extends KubeObject>(resource: Resource, object: T): T {
    const known = this.#of(resource).get(keyOf(object))
    const stored = {
      ...object,
      metadata: {
        ...object.metadata,
        uid: object.metadata.uid ?? known?.metadata.uid ?? `uid-${++this.#uid}`,
        resourceVersion: String(++this.#version),
      },
    }
    this.#of(resource).set(keyOf(object), stored)
    this.#tell(resource, { type: known ? 'MODIFIED' : 'ADDED', object: stored })
    return stored
  }

  remove(resource: Resource, key: string): void {
    const object = this.#of(resource).get(key)
    if (!object) return
    this.#of(resource).delete(key)
    this.#tell(resource, { type: 'DELETED', object })
  }

  list<T extends KubeObject>(resource: Resource): readonly T[] {
    return [...this.#of(resource).values()] as unknown as T[]
  }

  /** One process's access; after `kill` nothing it does has any effect and nothing answers it. */
  connect(): {
    readonly client: KubeClient
    kill(): void
    readonly isKilled: boolean
    killAfterWrites: number
    killBeforeWrite: number
    forbidSecretsElsewhere: boolean
  } {
    const cluster = this
    let killed = false
    let writes = 0
    const never = () => new Promise<never>(() => {})
    const access = {
      killAfterWrites: Number.POSITIVE_INFINITY,
      killBeforeWrite: Number.POSITIVE_INFINITY,
      forbidSecretsElsewhere: false,
      get isKilled() {
        return killed
      },
      kill() {
        killed = true
      },
    }
    const write = async <T>(resource: Resource, act: () => T): Promise<T> => {
      if (killed) return never()
      if (resource.plural === 'events') return act()
      writes++
      if (writes === access.killBeforeWrite) {
        killed = true
        return never()
      }
      cluster.writes++
      const result = act()
      if (writes !== access.killAfterWrites) return result
      killed = true
      return never()
    }
    const guard = (resource: Resource, options: ListOptions) => {
      if (access.forbidSecretsElsewhere && resource.plural === 'secrets' && !options.namespace) {
        throw new ApiError({ code: 403, reason: 'Forbidden', message: 'secrets is forbidden' })
      }
    }
    const client: KubeClient = {
      async get<T extends KubeObject>(resource: Resource, key: ObjectKey) {
        if (killed) return never()
        return cluster.#get<T>(resource, key)
      },
      async list<T extends KubeObject>(resource: Resource, options: ListOptions = {}) {
        if (killed) return never()
        guard(resource, options)
        const items = cluster.list<T>(resource).filter((object) => matches(object, options))
        return { items, resourceVersion: String(cluster.#version) }
      },
      watch<T extends KubeObject>(resource: Resource, options: WatchOptions = {}) {
        return cluster.#watch<T>(resource, options, () => killed)
      },
      create: (resource, object) =>
        write(resource, () => {
          if (cluster.#of(resource).has(keyOf(object))) {
            throw new ApiError({ code: 409, reason: 'AlreadyExists', message: 'already exists' })
          }
          return cluster.put(resource, object)
        }),
      update: (resource, object) =>
        write(resource, () => {
          const known = cluster.#get(resource, object.metadata)
          if (known.metadata.resourceVersion !== object.metadata.resourceVersion) {
            throw new ApiError({ code: 409, reason: 'Conflict', message: 'modified meanwhile' })
          }
          return cluster.put(resource, object)
        }),
      patch: async <T extends KubeObject>(
        resource: Resource,
        key: ObjectKey,
        patch: { body: unknown },
      ) =>
        write(resource, () =>
          cluster.put(resource, { ...cluster.#get<T>(resource, key), ...(patch.body as object) }),
        ),
      delete: (resource, key) =>
        write(resource, () => cluster.remove(resource, keyOf({ metadata: key }))),
      raw: async () => new Response(),
    }
    return Object.assign(access, { client }) as ReturnType<TestCluster['connect']>
  }

  #get<T extends KubeObject>(resource: Resource, key: ObjectKey): T {
    const object = this.#of(resource).get(keyOf({ metadata: key }))
    if (!object) throw new ApiError({ code: 404, reason: 'NotFound', message: 'not found' })
    return object as T
  }

  #of(resource: Resource): Map<string, KubeObject> {
    const objects = this.#objects.get(resource.plural) ?? new Map<string, KubeObject>()
    this.#objects.set(resource.plural, objects)
    return objects
  }

  #tell(resource: Resource, event: WatchEvent<KubeObject>): void {
    for (const listener of this.#listeners.get(resource.plural) ?? []) listener(event)
  }

  async *#watch<T extends KubeObject>(
    resource: Resource,
    options: WatchOptions,
    isDead: () => boolean,
  ): AsyncIterable<WatchEvent<T>> {
    const waiting: WatchEvent<KubeObject>[] = []
    let wake = () => {}
    const listener: Listener = (event) => {
      if (event.type !== 'BOOKMARK' && !matches(event.object, options)) return
      waiting.push(event)
      wake()
    }
    for (const object of this.list(resource)) {
      if (Number(object.metadata.resourceVersion) > Number(options.resourceVersion ?? 0)) {
        listener({ type: 'ADDED', object })
      }
    }
    const listeners = this.#listeners.get(resource.plural) ?? new Set<Listener>()
    this.#listeners.set(resource.plural, listeners.add(listener))
    options.signal?.addEventListener('abort', () => wake())
    try {
      while (!options.signal?.aborted) {
        const event = waiting.shift()
        if (event && !isDead()) yield event as WatchEvent<T>
        else
          await new Promise<void>((resolve) => {
            wake = resolve
          })
      }
    } finally {
      listeners.delete(listener)
    }
  }
}

function matches(object: KubeObject, options: ListOptions): boolean {
  const { namespace, fieldSelector, labelSelector } = options
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false
  const name = fieldSelector?.replace('metadata.name=', '')
  if (name !== undefined && object.metadata.name !== name) return false
  const [label = '', value] = labelSelector?.split('=') ?? []
  return labelSelector === undefined || object.metadata.labels?.[label] === value
}
