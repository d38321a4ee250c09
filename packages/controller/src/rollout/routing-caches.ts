import type { Ingress } from '@serinus/engine'
import {
  ApiError,
  type Change,
  deepEqual,
  type Informer,
  type InformerOptions,
  type KubeClient,
  type KubeObject,
  type Resource,
  resources,
  startInformer,
} from '@serinus/kube'
import {
  type KnownKind,
  kindId,
  type RoutedKind,
  type RoutingObjects,
  type Watched,
} from '@serinus/traffic'
import type { OwnWrites } from './caches.ts'
import { withoutManagedFields } from './kept-parts.ts'

export interface RoutingCachesOptions
  extends Pick<
    InformerOptions<KubeObject>,
    'client' | 'clock' | 'signal' | 'namespace' | 'onError'
  > {
  readonly own: OwnWrites
  /** Ingresses are followed anyway: what was made of them is found although the spec does not name it any more. */
  readonly ingresses: Informer<Ingress>
  /** Looks at a Rollout again. */
  readonly enqueue: (key: string) => void
}

/** A kind that the cluster does not serve is looked for again this much later, when somebody asks. */
const lookAgainMs = 10_000

type Followed =
  | { readonly state: 'looking' }
  | { readonly state: 'unavailable'; readonly why: string; readonly since: number }
  | {
      readonly state: 'followed'
      readonly resource: Resource
      readonly cache: Informer<KubeObject>
    }

/**
 * The objects of routers, of whatever kind: nobody knows beforehand which of a dozen custom kinds a cluster has, so each
 * is followed from its first use on, in the best version that the cluster serves.
 */
export class RoutingCaches {
  readonly #options: RoutingCachesOptions
  readonly #followed = new Map<string, Followed>()
  readonly #watched = new Map<string, readonly Watched[]>()
  /** Keys of Rollouts by what they look at: `virtualservices.networking.istio.io/default/web`. */
  readonly #users = new Map<string, Set<string>>()

  constructor(options: RoutingCachesOptions) {
    this.#options = options
  }

  /** What the routers of a Rollout look at; `loading` while nobody can tell yet. */
  of(key: string, namespace: string, watched: readonly Watched[]): RoutingObjects | 'loading' {
    this.#use(key, watched)
    const objects = new Map<string, KnownKind>([[ingressId, this.#ingressesIn(namespace)]])
    let isLoading = false
    for (const { kind } of watched) {
      const id = kindId(kind)
      if (objects.has(id)) continue
      const known = this.#look(
        kind,
        watched.filter((one) => kindId(one.kind) === id),
      )
      if (known === 'loading') isLoading = true
      else objects.set(id, known)
    }
    // What was made for a block is found when the block has left the spec.
    for (const [id, followed] of this.#followed) {
      if (objects.has(id) || followed.state !== 'followed') continue
      objects.set(id, this.#served(followed, [{ namespace }]))
    }
    return isLoading ? 'loading' : objects
  }

  forget(key: string): void {
    this.#use(key, [])
  }

  #ingressesIn(namespace: string): KnownKind {
    const { own, ingresses } = this.#options
    const resource = resources.ingresses
    const seen = ingresses.list(namespace).map((object) => own.latest(resource, object))
    const isHere = ({ metadata }: Ingress) => metadata.namespace === namespace
    const objects = [...seen, ...own.missing(resource, seen, isHere)]
    return { state: 'served', resource, objects }
  }

  #look(kind: RoutedKind, watched: readonly Watched[]): KnownKind | 'loading' {
    const followed = this.#follow(kind)
    if (followed.state === 'looking') return 'loading'
    if (followed.state === 'unavailable') return { state: 'unavailable', why: followed.why }
    return this.#served(followed, watched)
  }

  #served(
    { resource, cache }: Followed & { readonly state: 'followed' },
    watched: readonly Omit<Watched, 'kind'>[],
  ): KnownKind {
    const { own } = this.#options
    const isWatched = ({ metadata }: KubeObject) =>
      watched.some(
        ({ namespace, names }) =>
          metadata.namespace === namespace && (!names || names.includes(metadata.name)),
      )
    const cached = watched.flatMap(({ namespace, names }) =>
      names
        ? names.flatMap((name) => cache.get(`${namespace}/${name}`) ?? [])
        : cache.list(namespace),
    )
    const seen = [...new Set(cached)].map((object) => own.latest(resource, object))
    return {
      state: 'served',
      resource,
      objects: [...seen, ...own.missing(resource, seen, isWatched)],
    }
  }

  #follow(kind: RoutedKind): Followed {
    const id = kindId(kind)
    const known = this.#followed.get(id)
    const isStale =
      known?.state === 'unavailable' && this.#options.clock.now() - known.since >= lookAgainMs
    if (known && !isStale) return known
    // Until the answer is there, what was known goes on to hold.
    const meanwhile: Followed = known
      ? { ...known, since: this.#options.clock.now() }
      : { state: 'looking' }
    this.#followed.set(id, meanwhile)
    void this.#discover(kind).then((found) => {
      if (found) this.#settle(kind, found)
    })
    return meanwhile
  }

  /** Null: the process ends. */
  async #discover(kind: RoutedKind): Promise<Resource | { readonly why: string } | null> {
    const { client, signal } = this.#options
    try {
      const version = await servedVersion(client, kind, signal)
      if (version === null) return { why: `the cluster serves no ${kindId(kind)}` }
      const { group, plural } = kind
      return { group, version, plural, kind: kind.kind, namespaced: true }
    } catch (error) {
      if (signal.aborted) return null
      this.#options.onError?.(error)
      return { why: error instanceof Error ? error.message : String(error) }
    }
  }

  #settle(kind: RoutedKind, found: Resource | { readonly why: string }): void {
    const id = kindId(kind)
    if ('why' in found) {
      const before = this.#followed.get(id)
      const since = this.#options.clock.now()
      this.#followed.set(id, { state: 'unavailable', why: found.why, since })
      if (before?.state !== 'unavailable') this.#wakeAll(id)
      return
    }
    const { client, clock, signal, namespace, onError, own } = this.#options
    let isSynced = false
    const cache = startInformer<KubeObject>({
      client,
      clock,
      signal,
      ...(namespace === undefined ? {} : { namespace }),
      resource: found,
      transform: withoutManagedFields,
      onError: (error) => {
        onError?.(error)
        if (isSynced) return
        const why = error instanceof Error ? error.message : String(error)
        const before = this.#followed.get(id)
        // Never stale: the informer itself goes on trying.
        const since = Number.POSITIVE_INFINITY
        this.#followed.set(id, { state: 'unavailable', why, since })
        if (before?.state !== 'unavailable') this.#wakeAll(id)
      },
    })
    cache.subscribe((change) => {
      own.settle(found, change.object, change.type === 'deleted')
      if (isSynced && isNews(change)) this.#wake(id, change.object)
    })
    cache.synced.then(
      () => {
        isSynced = true
        this.#followed.set(id, { state: 'followed', resource: found, cache })
        this.#wakeAll(id)
      },
      () => {},
    )
  }

  #use(key: string, watched: readonly Watched[]): void {
    const before = this.#watched.get(key) ?? []
    if (deepEqual(before, watched)) return
    for (const target of before.flatMap(targetsOf)) {
      const users = this.#users.get(target)
      users?.delete(key)
      if (users?.size === 0) this.#users.delete(target)
    }
    for (const target of watched.flatMap(targetsOf)) {
      this.#users.set(target, (this.#users.get(target) ?? new Set()).add(key))
    }
    if (watched.length > 0) this.#watched.set(key, watched)
    else this.#watched.delete(key)
  }

  #wake(id: string, { metadata: { namespace, name } }: KubeObject): void {
    for (const target of [`${id}/${namespace}/${name}`, `${id}/${namespace}/`]) {
      for (const key of this.#users.get(target) ?? []) this.#options.enqueue(key)
    }
  }

  #wakeAll(id: string): void {
    for (const [target, keys] of this.#users) {
      if (target.startsWith(`${id}/`)) for (const key of keys) this.#options.enqueue(key)
    }
  }
}

const ingressId = kindId({ ...resources.ingresses })

function targetsOf({ kind, namespace, names = [''] }: Watched): readonly string[] {
  return names.map((name) => `${kindId(kind)}/${namespace}/${name}`)
}

/** Status is news, too: routers confirm by it. */
function isNews(change: Change<KubeObject>): boolean {
  if (change.type !== 'modified') return true
  const { resourceVersion: _, ...before } = change.previous.metadata
  const { resourceVersion: __, ...after } = change.object.metadata
  return !deepEqual({ ...change.previous, metadata: before }, { ...change.object, metadata: after })
}

/** The first of the kind's versions that the cluster serves it in; null: none. */
async function servedVersion(
  client: KubeClient,
  { group, plural, versions }: RoutedKind,
  signal: AbortSignal,
): Promise<string | null> {
  for (const version of versions) {
    const list = await read(client, `/apis/${group}/${version}`, signal)
    if (list?.resources?.some(({ name }) => name === plural)) return version
  }
  return null
}

interface ResourceList {
  readonly resources?: readonly { readonly name: string }[]
}

async function read(
  client: KubeClient,
  path: string,
  signal: AbortSignal,
): Promise<ResourceList | null> {
  try {
    const response = await client.raw(path, { signal, headers: { accept: 'application/json' } })
    return (await response.json()) as ResourceList
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return null
    throw error
  }
}
