import type { Transport } from './client.ts'
import type { Clock } from './clock.ts'
import type { UnknownObject } from './objects.ts'

interface LogEntry {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly collection: string
  readonly object: UnknownObject
}

interface Watcher {
  readonly collection: string
  send(line: object): void
  end(): void
  cut(): void
}

/**
 * A small Kubernetes API for the tests of this package, spoken to as over a socket: versions, paging, watches from
 * a version, 409 and 410, and the faults a network has.
 */
export class TestApi {
  readonly requests: { method: string; path: string; query: URLSearchParams; headers: Headers }[] =
    []
  /** Every request fails as fetch does when nobody listens. */
  down = false
  /** Requests that match are never answered, or only when their signal aborts. */
  hang: ((request: Request) => boolean) | undefined
  /** Answers instead of the API, when it returns something. */
  intercept: ((request: Request) => Response | Promise<Response> | undefined) | undefined
  readonly #clock: Clock
  readonly #objects = new Map<string, Map<string, UnknownObject>>()
  readonly #watchers = new Set<Watcher>()
  #log: LogEntry[] = []
  #version = 100
  #compactedAt = 100
  #uid = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  readonly transport: Transport = async (request) => {
    const url = new URL(request.url)
    const { method, headers } = request
    this.requests.push({ method, path: url.pathname, query: url.searchParams, headers })
    if (this.down) throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })
    if (this.hang?.(request)) {
      return new Promise((_, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason))
      })
    }
    return (await this.intercept?.(request)) ?? this.#answer(request, url)
  }

  count(method: string, path: RegExp, query?: string): number {
    return this.requests.filter(
      (request) =>
        request.method === method &&
        path.test(request.path) &&
        (query === undefined || request.query.has(query)),
    ).length
  }

  objects(collection: string): UnknownObject[] {
    return [...(this.#objects.get(collection)?.values() ?? [])]
  }

  get watchers(): number {
    return this.#watchers.size
  }

  put(collection: string, key: string, fields: Record<string, unknown> = {}): UnknownObject {
    const [namespace, name] = key.includes('/') ? key.split('/') : [undefined, key]
    const known = this.#objects.get(collection)?.get(key)
    const object: UnknownObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      ...fields,
      metadata: {
        ...(namespace ? { namespace } : {}),
        name: name as string,
        uid: known?.metadata.uid ?? `uid-${++this.#uid}`,
        ...(fields['metadata'] as object | undefined),
        resourceVersion: String(++this.#version),
      },
    }
    const collected = this.#objects.get(collection) ?? new Map<string, UnknownObject>()
    this.#objects.set(collection, collected.set(key, object))
    this.#append({ type: known ? 'MODIFIED' : 'ADDED', collection, object })
    return object
  }

  remove(collection: string, key: string): void {
    const known = this.#objects.get(collection)?.get(key)
    if (!known) return
    this.#objects.get(collection)?.delete(key)
    const metadata = { ...known.metadata, resourceVersion: String(++this.#version) }
    this.#append({ type: 'DELETED', collection, object: { ...known, metadata } })
  }

  /** Versions before the present one can no longer be watched from. */
  compact(): void {
    this.#log = []
    this.#compactedAt = this.#version
  }

  cutWatches(): void {
    for (const watcher of [...this.#watchers]) watcher.cut()
  }

  endWatches(): void {
    for (const watcher of [...this.#watchers]) watcher.end()
  }

  sendBookmarks(): void {
    const object = {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(this.#version) },
    }
    for (const watcher of this.#watchers) watcher.send({ type: 'BOOKMARK', object })
  }

  #append(entry: Omit<LogEntry, 'version'>): void {
    this.#log.push({ ...entry, version: this.#version })
    for (const watcher of this.#watchers) {
      if (watcher.collection === entry.collection) {
        watcher.send({ type: entry.type, object: entry.object })
      }
    }
  }

  async #answer(request: Request, url: URL): Promise<Response> {
    const match =
      /^\/(?:api|apis\/[^/]+)\/[^/]+(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?/.exec(
        url.pathname,
      )
    if (!match) return status(404, 'NotFound', 'no such path')
    const [, namespace, collection, name] = match as unknown as [string, string?, string?, string?]
    const plural = collection as string
    const query = url.searchParams
    if (request.method === 'POST') return this.#create(plural, namespace, await request.json())
    if (name === undefined) {
      return query.has('watch') ? this.#watch(plural, query) : this.#list(plural, namespace, query)
    }
    const key = namespace ? `${namespace}/${name}` : name
    const known = this.#objects.get(plural)?.get(key)
    if (!known) return status(404, 'NotFound', `${plural} "${name}" not found`)
    switch (request.method) {
      case 'PUT': {
        const object = (await request.json()) as UnknownObject
        const { resourceVersion } = object.metadata
        if (resourceVersion && resourceVersion !== known.metadata.resourceVersion) {
          return status(409, 'Conflict', 'the object has been modified')
        }
        return Response.json(this.put(plural, key, object))
      }
      case 'PATCH':
        return Response.json(
          this.put(plural, key, { ...known, ...((await request.json()) as object) }),
        )
      case 'DELETE':
        this.remove(plural, key)
        return Response.json({ kind: 'Status', status: 'Success' })
      default:
        return Response.json(known)
    }
  }

  #create(plural: string, namespace: string | undefined, object: UnknownObject): Response {
    const { name } = object.metadata
    const key = namespace ? `${namespace}/${name}` : name
    if (this.#objects.get(plural)?.has(key)) {
      return status(409, 'AlreadyExists', `${plural} "${name}" already exists`)
    }
    return Response.json(this.put(plural, key, object), { status: 201 })
  }

  #list(plural: string, namespace: string | undefined, query: URLSearchParams): Response {
    const token = query.get('continue')
    const [version, offset] = token?.split(':').map(Number) ?? [this.#version, 0]
    if ((version as number) < this.#compactedAt) return status(410, 'Expired', 'token expired')
    const all = this.objects(plural).filter(
      ({ metadata }) => namespace === undefined || metadata.namespace === namespace,
    )
    const limit = Number(query.get('limit') ?? 0) || all.length
    const end = (offset as number) + limit
    return Response.json({
      kind: 'List',
      apiVersion: 'v1',
      metadata: {
        resourceVersion: String(version),
        ...(end < all.length ? { continue: `${version}:${end}` } : {}),
      },
      // As the real server: kind and apiVersion are told once, by the list.
      items: all
        .slice(offset, end)
        .map(({ kind: _kind, apiVersion: _apiVersion, ...item }) => item),
    })
  }

  #watch(collection: string, query: URLSearchParams): Response {
    const from = Number(query.get('resourceVersion') ?? this.#version)
    if (from < this.#compactedAt) {
      return Response.json(
        // The real server answers 200 and sends the failure as the first event.
        {
          type: 'ERROR',
          object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' },
        },
      )
    }
    const encoder = new TextEncoder()
    const watchers = this.#watchers
    let watcher: Watcher | undefined
    const timeout = new AbortController()
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const stop = (last: () => void) => () => {
          if (!watchers.delete(made)) return
          timeout.abort()
          last()
        }
        const made: Watcher = {
          collection,
          send: (line) => {
            const bytes = encoder.encode(`${JSON.stringify(line)}\n`)
            const half = bytes.length >> 1
            controller.enqueue(bytes.slice(0, half))
            controller.enqueue(bytes.slice(half))
          },
          end: stop(() => controller.close()),
          cut: stop(() => controller.error(new Error('socket hang up'))),
        }
        watcher = made
        watchers.add(made)
        for (const { version, type, object, ...entry } of this.#log) {
          if (entry.collection === collection && version > from) made.send({ type, object })
        }
        const seconds = Number(query.get('timeoutSeconds'))
        if (seconds) {
          this.#clock
            .until(this.#clock.now() + seconds * 1000, timeout.signal)
            .then(made.end, () => {})
        }
      },
      cancel: () => {
        if (watcher) watchers.delete(watcher)
        timeout.abort()
      },
    })
    return new Response(stream)
  }
}

export function status(
  code: number,
  reason: string,
  message: string,
  details: Record<string, unknown> = {},
): Response {
  const body = {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    reason,
    message,
    details,
  }
  return Response.json(body, { status: code })
}
