import type {
  DeleteOptions,
  KubeClient,
  KubeObject,
  ListOf,
  ListOptions,
  ObjectKey,
  PatchKind,
  Resource,
  UnknownObject,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '@serinus/kube'
import { clusterAdmin } from './authentication.ts'
import type { Catalog } from './catalog.ts'
import type { Journal } from './journal.ts'
import type { Lists } from './lists.ts'
import { bindPod, evictPod } from './pod-doors.ts'
import type { Registry } from './registry.ts'
import type { ServedResource } from './served.ts'
import { noSuchPath } from './status-error.ts'
import type { JsonObject } from './values.ts'
import { startWatch, type WatchMessage } from './watches.ts'
import type { Target, WriteContext } from './write-context.ts'

interface ClientParts {
  readonly registry: Registry
  readonly catalog: Catalog
  readonly lists: Lists
  readonly journal: Journal | undefined
  readonly raw: (request: Request) => Promise<Response>
  readonly serverUrl: string
}

const defaultManager = 'serinus'

/** A KubeClient that calls the registry itself, as cluster admin. Objects are the stored ones. */
export function directClient(parts: ClientParts): KubeClient {
  const { registry, catalog, lists, journal } = parts
  const servedOf = ({ group, version, plural }: Resource): ServedResource => {
    const served = catalog.find(group, version, plural)
    if (!served) throw noSuchPath()
    return served
  }
  const targetOf = (resource: Resource, key: ObjectKey, subresource = ''): Target => ({
    served: servedOf(resource),
    namespace: resource.namespaced ? (key.namespace ?? '') : '',
    name: key.name,
    subresource,
  })
  const durable = async <T>(value: T): Promise<T> => {
    await journal?.durable()
    return value
  }
  return {
    async get<T extends KubeObject>(
      resource: Resource,
      key: ObjectKey,
      options?: { readonly signal?: AbortSignal },
    ) {
      options?.signal?.throwIfAborted()
      return registry.get(targetOf(resource, key)) as unknown as T
    },
    async list<T extends KubeObject>(
      resource: Resource,
      options: ListOptions = {},
    ): Promise<ListOf<T>> {
      options.signal?.throwIfAborted()
      const listed = lists.list(servedOf(resource), {
        ...options,
        limit: 0,
        namespace: options.namespace ?? '',
      })
      return {
        items: listed.items as unknown as readonly T[],
        resourceVersion: listed.resourceVersion,
      }
    },
    watch<T extends KubeObject>(resource: Resource, options: WatchOptions = {}) {
      return watchEvents(registry, servedOf(resource), options) as AsyncIterable<WatchEvent<T>>
    },
    async create<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}) {
      options.signal?.throwIfAborted()
      const served = servedOf(resource)
      const body = object as unknown as JsonObject
      const namespace = resource.namespaced ? (object.metadata.namespace ?? '') : ''
      if (options.subresource === 'eviction') {
        const target = { served, namespace, name: object.metadata.name }
        const given = (body['deleteOptions'] ?? {}) as DeleteOptions
        evictPod(
          registry,
          catalog,
          target,
          { ...given, dryRun: options.dryRun === true },
          contextOf(options),
        )
        return durable(object)
      }
      if (options.subresource === 'binding') {
        bindPod(
          registry,
          { served, namespace, name: object.metadata.name },
          body,
          contextOf(options),
        )
        return durable(object)
      }
      const created = registry.create(served, namespace, body, contextOf(options))
      return durable(created as unknown as T)
    },
    async update<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}) {
      options.signal?.throwIfAborted()
      const target = targetOf(resource, object.metadata, options.subresource)
      const written = registry.update(target, object as unknown as JsonObject, contextOf(options))
      return durable(written as unknown as T)
    },
    async patch<T extends KubeObject>(
      resource: Resource,
      key: ObjectKey,
      patch: { readonly kind: PatchKind; readonly body: unknown },
      options: WriteOptions = {},
    ) {
      options.signal?.throwIfAborted()
      const target = targetOf(resource, key, options.subresource)
      const force = options.force === true
      const { object } = registry.patch(target, { ...patch, force }, contextOf(options))
      return durable(object as unknown as T)
    },
    async delete(resource: Resource, key: ObjectKey, options: DeleteOptions = {}) {
      options.signal?.throwIfAborted()
      registry.delete(targetOf(resource, key), options)
      await durable(undefined)
    },
    raw(path: string, init?: RequestInit) {
      return parts.raw(new Request(new URL(path, parts.serverUrl), init))
    },
  }
}

function contextOf(options: WriteOptions): WriteContext {
  return {
    user: clusterAdmin,
    fieldManager: options.fieldManager ?? defaultManager,
    dryRun: options.dryRun === true,
    fieldValidation: 'Ignore',
    warn: () => undefined,
  }
}

/** Events of a store as an async iterable; what nobody has fetched yet waits in memory. */
async function* watchEvents(
  registry: Registry,
  served: ServedResource,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<UnknownObject>> {
  const { signal, timeoutSeconds } = options
  const { store } = registry
  const pending: WatchMessage[] = []
  let wake: (() => void) | undefined
  const done = new AbortController()
  const end = () => {
    done.abort()
    wake?.()
  }
  signal?.throwIfAborted()
  using _watch = startWatch(
    store,
    served,
    { ...options, namespace: options.namespace ?? '' },
    (message) => {
      pending.push(message)
      wake?.()
    },
  )
  signal?.addEventListener('abort', end, { signal: done.signal })
  if (timeoutSeconds !== undefined) {
    store.clock
      .until(store.clock.now() + timeoutSeconds * 1000, done.signal)
      .then(end, () => undefined)
  }
  try {
    for (;;) {
      for (let message = pending.shift(); message; message = pending.shift()) {
        yield message.type === 'BOOKMARK'
          ? { type: 'BOOKMARK', resourceVersion: String(message.version) }
          : { type: message.type, object: message.object }
        if (done.signal.aborted) return
      }
      if (done.signal.aborted) return
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      wake = undefined
    }
  } finally {
    done.abort()
  }
}
