import {
  ApiError,
  apiVersionOf,
  type KubeClient,
  type KubeconfigOptions,
  type KubeObject,
  type ListOptions,
  type ObjectKey,
  type Resource,
  type UnknownObject,
  VirtualClock,
  type WatchEvent,
} from '@serinus/kube'
import { runPlugin } from './run.ts'

/** One request as it arrived: `patch rollouts/shop/web/status`, or `list pods in shop where app=web`. */
export interface SeenRequest {
  readonly text: string
  readonly body?: unknown
}

interface Watcher {
  readonly matches: (object: KubeObject) => boolean
  readonly resource: Resource
  readonly send: (event: WatchEvent<KubeObject>) => void
}

/** The Kubernetes API as far as the plugin speaks to it, in memory. */
export class TestCluster {
  readonly requests: SeenRequest[] = []
  /** Answers a request with this failure, as long as it returns one. */
  fail: (text: string) => ApiError | undefined = () => undefined
  /** Whether Rollouts have a status subresource. */
  hasStatusPath = true
  readonly #objects = new Map<string, UnknownObject>()
  readonly #watchers = new Set<Watcher>()
  #version = 1

  put(...objects: readonly UnknownObject[]): this {
    for (const object of objects) {
      const { namespace, name } = object.metadata
      const path = [pluralOf(object.kind), namespace, name].filter(Boolean).join('/')
      const known = this.#objects.has(path)
      this.#store(path, { ...object }, known ? 'MODIFIED' : 'ADDED')
    }
    return this
  }

  remove(path: string): void {
    const object = this.#objects.get(path)
    if (!object) throw new Error(`nothing at ${path}`)
    this.#objects.delete(path)
    this.#tell(path, { type: 'DELETED', object: { ...object, metadata: this.#next(object) } })
  }

  get(path: string): UnknownObject {
    const object = this.#objects.get(path)
    if (!object) throw new Error(`nothing at ${path}`)
    return object
  }

  /** Texts of the requests that changed or tried to change something. */
  get writes(): readonly SeenRequest[] {
    return this.requests.filter(({ text }) => /^(patch|update|create|delete) /.test(text))
  }

  readonly client: KubeClient = {
    get: async <T extends KubeObject>(resource: Resource, key: ObjectKey) => {
      const path = pathOf(resource, key)
      this.#see(`get ${path}`)
      return this.#found(resource, key) as unknown as T
    },
    list: async <T extends KubeObject>(resource: Resource, options: ListOptions = {}) => {
      this.#see(`list ${textOf(resource, options)}`)
      const items = this.#selected(resource, options) as unknown as T[]
      return { items, resourceVersion: String(this.#version) }
    },
    watch: <T extends KubeObject>(resource: Resource, options: ListOptions = {}) =>
      this.#watch(resource, options) as AsyncIterable<WatchEvent<T>>,
    create: async <T extends KubeObject>(resource: Resource, object: T) => {
      const { namespace, generateName, name: wanted } = object.metadata
      const name = wanted || `${generateName}xyz`
      const path = pathOf(resource, { ...(namespace ? { namespace } : {}), name })
      this.#see(`create ${path}`, object)
      if (this.#objects.has(path)) throw alreadyExists(resource, name)
      const named = { ...object, metadata: { ...object.metadata, name } }
      return this.#store(path, named as unknown as UnknownObject, 'ADDED') as unknown as T
    },
    update: async <T extends KubeObject>(resource: Resource, object: T) => {
      const { namespace = '', name } = object.metadata
      const path = pathOf(resource, { namespace, name })
      this.#see(`update ${path}`, object)
      this.#found(resource, { namespace, name })
      return this.#store(path, object as unknown as UnknownObject, 'MODIFIED') as unknown as T
    },
    patch: async <T extends KubeObject>(
      resource: Resource,
      key: ObjectKey,
      patch: { kind: string; body: unknown },
      options: { subresource?: string } = {},
    ) => {
      const path = pathOf(resource, key)
      const { subresource } = options
      this.#see(`patch ${path}${subresource ? `/${subresource}` : ''}`, patch.body)
      if (subresource && !this.hasStatusPath)
        throw notFound('the server could not find the requested resource')
      const object = this.#found(resource, key)
      if (patch.kind !== 'merge') return object as unknown as T
      const patched = merged(object, patch.body) as UnknownObject
      return this.#store(path, patched, 'MODIFIED') as unknown as T
    },
    delete: () => Promise.reject(new Error('the plugin deletes nothing')),
    raw: () => Promise.reject(new Error('the plugin asks for nothing else')),
  }

  #see(text: string, body?: unknown): void {
    this.requests.push(body === undefined ? { text } : { text, body })
    const failure = this.fail(text)
    if (failure) throw failure
  }

  #found(resource: Resource, key: ObjectKey): UnknownObject {
    const object = this.#objects.get(pathOf(resource, key))
    if (object) return object
    const group = resource.group ? `.${resource.group}` : ''
    throw notFound(`${resource.plural}${group} "${key.name}" not found`)
  }

  #selected(resource: Resource, options: ListOptions): UnknownObject[] {
    return [...this.#objects]
      .filter(([path, object]) => isOf(path, resource) && matches(object, options))
      .map(([, object]) => object)
  }

  #store(path: string, object: UnknownObject, type: 'ADDED' | 'MODIFIED'): UnknownObject {
    const stored = { ...object, metadata: this.#next(object) }
    this.#objects.set(path, stored)
    this.#tell(path, { type, object: stored })
    return stored
  }

  #next(object: KubeObject): KubeObject['metadata'] {
    return { ...object.metadata, resourceVersion: String(++this.#version) }
  }

  #tell(path: string, event: WatchEvent<KubeObject> & { readonly object: KubeObject }): void {
    for (const watcher of this.#watchers) {
      if (isOf(path, watcher.resource) && watcher.matches(event.object)) watcher.send(event)
    }
  }

  async *#watch(
    resource: Resource,
    options: ListOptions,
  ): AsyncGenerator<WatchEvent<KubeObject>, void> {
    this.#see(`watch ${textOf(resource, options)}`)
    const events: WatchEvent<KubeObject>[] = []
    let wake = () => {}
    const watcher: Watcher = {
      resource,
      matches: (object) => matches(object, options),
      send: (event) => {
        events.push(event)
        wake()
      },
    }
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

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = { ...(target as object) }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merged(result[key], value)
  }
  return result
}

function notFound(message: string): ApiError {
  return new ApiError({ code: 404, reason: 'NotFound', message })
}

function alreadyExists({ plural, group }: Resource, name: string): ApiError {
  const message = `${plural}.${group} "${name}" already exists`
  return new ApiError({ code: 409, reason: 'AlreadyExists', message })
}

export function conflict(): ApiError {
  const message =
    'Operation cannot be fulfilled on rollouts.argoproj.io "web": the object has been modified'
  return new ApiError({ code: 409, reason: 'Conflict', message })
}

export function forbidden(message: string): ApiError {
  return new ApiError({ code: 403, reason: 'Forbidden', message })
}

function pluralOf(kind: string): string {
  return `${kind.toLowerCase()}s`
}

function pathOf(resource: Resource, key: ObjectKey): string {
  return [resource.plural, key.namespace, key.name].filter(Boolean).join('/')
}

function isOf(path: string, resource: Resource): boolean {
  return path.startsWith(`${resource.plural}/`) && apiVersionOf(resource) !== ''
}

function textOf(resource: Resource, options: ListOptions): string {
  const where = [options.labelSelector, options.fieldSelector].filter(Boolean).join(' and ')
  return `${resource.plural}${options.namespace ? ` in ${options.namespace}` : ''}${where ? ` where ${where}` : ''}`
}

function matches(object: KubeObject, options: ListOptions): boolean {
  const { namespace, labelSelector = '', fieldSelector = '' } = options
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false
  const labels = object.metadata.labels ?? {}
  const terms = labelSelector.match(/[^,(]+(?:\([^)]*\))?/g) ?? []
  const fields = fieldSelector.split(',').filter(Boolean)
  return (
    terms.every((term) => hasLabel(labels, term)) && fields.every((term) => hasField(object, term))
  )
}

function hasLabel(labels: Readonly<Record<string, string>>, term: string): boolean {
  const [, key = '', operator, list = ''] = /^(\S+) (in|notin) \((.*)\)$/.exec(term) ?? []
  if (operator) return list.split(',').includes(labels[key] ?? '') === (operator === 'in')
  if (term.startsWith('!')) return !(term.slice(1) in labels)
  const [name = '', value] = term.split('=')
  return value === undefined ? name in labels : labels[name] === value
}

function hasField(object: KubeObject, term: string): boolean {
  const [path = '', value] = term.split('=')
  const found = path
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], object)
  return found === value
}

/** The instant at which tests begin, unless they say otherwise. */
export const startAt = Date.parse('2026-01-02T03:04:05Z')

/** What one command line did; `screens` are the pieces of stdout in the order they were written. */
export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
  readonly screens: readonly string[]
  readonly connectedWith: KubeconfigOptions | undefined
}

/** What surrounds a command line; by default no environment and no vendor. */
interface World {
  readonly env?: Record<string, string>
  readonly vendor?: (request: Request) => Promise<Response>
}

export interface Running {
  readonly clock: VirtualClock
  readonly screens: readonly string[]
  interrupt(): void
  readonly ended: Promise<Ran>
}

/** Starts a command line in virtual time, in the namespace `shop` of this cluster. */
export function start(
  cluster: TestCluster,
  words: string | readonly string[],
  world: World = {},
): Running {
  const clock = new VirtualClock(startAt)
  const interruption = new AbortController()
  const screens: string[] = []
  let err = ''
  let connectedWith: KubeconfigOptions | undefined
  const ended = runPlugin(typeof words === 'string' ? words.split(' ').filter(Boolean) : words, {
    out: (text) => screens.push(text),
    err: (text) => {
      err += text
    },
    clock,
    env: world.env ?? {},
    signal: interruption.signal,
    fetch: world.vendor ?? noVendor,
    connect: (options) => {
      connectedWith = options
      return { client: cluster.client, namespace: options.namespace ?? 'shop' }
    },
  }).then((code) => ({ code, out: screens.join(''), err, screens, connectedWith }))
  return { clock, screens, interrupt: () => interruption.abort(), ended }
}

/** Runs a command line that needs no time to pass. */
export function run(
  cluster: TestCluster,
  words: string | readonly string[],
  world: World = {},
): Promise<Ran> {
  return start(cluster, words, world).ended
}

function noVendor(request: Request): Promise<Response> {
  return Promise.reject(new Error(`nobody answers at ${request.url}`))
}
