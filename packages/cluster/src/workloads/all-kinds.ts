import {
  type Change,
  type Clock,
  type Informer,
  type KubeClient,
  type KubeObject,
  keyOf,
  type Resource,
  resources,
  startInformer,
} from '@serinus/kube'

/** An object of some kind, as the caches know it: its metadata. */
export interface Known {
  readonly resource: Resource
  readonly object: KubeObject
}

interface Served {
  readonly resource: Resource
  readonly informer: Informer<KubeObject>
  readonly stop: AbortController
}

interface Definition extends KubeObject {
  readonly spec: {
    readonly group: string
    readonly scope: string
    readonly names: { readonly plural: string; readonly kind: string }
    readonly versions: readonly {
      readonly name: string
      readonly served: boolean
      readonly storage: boolean
    }[]
  }
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

const byOwner = 'owner'

/**
 * The metadata of every object of every kind that can be listed, watched and deleted, custom ones as soon as their
 * definition is established. Events are left out: they are many, and nobody owns or is owned by them.
 */
export class AllKinds {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #onError: ((error: unknown) => void) | undefined
  readonly #served = new Map<string, Served>()
  readonly #byUid = new Map<string, Known>()
  readonly #handlers = new Set<(resource: Resource, change: Change<KubeObject>) => void>()
  /** Resolves once the kinds that existed at the start are cached. */
  readonly synced: Promise<void>

  constructor(options: {
    readonly client: KubeClient
    readonly clock: Clock
    readonly signal: AbortSignal
    readonly onError?: ((error: unknown) => void) | undefined
  }) {
    this.#client = options.client
    this.#clock = options.clock
    this.#signal = options.signal
    this.#onError = options.onError
    this.synced = this.#start()
    this.synced.catch(() => {})
  }

  get resources(): readonly Resource[] {
    return [...this.#served.values()].map(({ resource }) => resource)
  }

  subscribe(handler: (resource: Resource, change: Change<KubeObject>) => void): void {
    this.#handlers.add(handler)
    for (const { resource, informer } of this.#served.values()) {
      for (const object of informer.list()) handler(resource, { type: 'added', object })
    }
  }

  get(resource: Resource, key: string): KubeObject | undefined {
    return this.#served.get(idOf(resource))?.informer.get(key)
  }

  byUid(uid: string): Known | undefined {
    return this.#byUid.get(uid)
  }

  dependentsOf(uid: string): readonly Known[] {
    const found: Known[] = []
    for (const { resource, informer } of this.#served.values()) {
      for (const object of informer.byIndex(byOwner, uid)) found.push({ resource, object })
    }
    return found
  }

  inNamespace(namespace: string): readonly Known[] {
    const found: Known[] = []
    for (const { resource, informer } of this.#served.values()) {
      if (!resource.namespaced) continue
      for (const object of informer.list(namespace)) found.push({ resource, object })
    }
    return found
  }

  /** The resource that serves `apiVersion` and `kind`, whatever version the caches follow. */
  resourceOf(apiVersion: string, kind: string): Resource | undefined {
    const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
    return this.resources.find((resource) => resource.group === group && resource.kind === kind)
  }

  async #start(): Promise<void> {
    for (const resource of await discover(this.#client)) this.#follow(resource)
    const definitions = this.#served.get(idOf(resources.customResourceDefinitions))
    await Promise.all([...this.#served.values()].map(({ informer }) => informer.synced))
    if (!definitions) return
    // The shared cache keeps metadata only, and definitions are few: they get a cache of their own.
    const informer = startInformer<Definition>({
      client: this.#client,
      clock: this.#clock,
      signal: this.#signal,
      resource: resources.customResourceDefinitions,
      onError: (error) => this.#onError?.(error),
    })
    informer.subscribe((change) => this.#onDefinition(change))
    await informer.synced
    await Promise.all([...this.#served.values()].map(({ informer: kind }) => kind.synced))
  }

  #onDefinition(change: Change<Definition>): void {
    const { spec, status } = change.object
    const version = spec.versions.find((candidate) => candidate.storage && candidate.served)
    const resource: Resource = {
      group: spec.group,
      version: version?.name ?? spec.versions.find(({ served }) => served)?.name ?? '',
      plural: spec.names.plural,
      kind: spec.names.kind,
      namespaced: spec.scope === 'Namespaced',
    }
    const known = this.#served.get(idOf(resource))
    if (change.type === 'deleted') {
      known?.stop.abort()
      this.#served.delete(idOf(resource))
      for (const [uid, entry] of this.#byUid) {
        if (idOf(entry.resource) === idOf(resource)) this.#byUid.delete(uid)
      }
      return
    }
    const established = status?.conditions?.some(
      (condition) => condition.type === 'Established' && condition.status === 'True',
    )
    if (established && resource.version !== '' && !known) this.#follow(resource)
  }

  #follow(resource: Resource): void {
    const stop = new AbortController()
    const informer = startInformer<KubeObject>({
      client: this.#client,
      clock: this.#clock,
      signal: AbortSignal.any([this.#signal, stop.signal]),
      resource,
      transform: metadataOf,
      indexes: {
        [byOwner]: ({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid),
      },
      onError: (error) => this.#onError?.(error),
      seed: `all-kinds/${idOf(resource)}`,
    })
    this.#served.set(idOf(resource), { resource, informer, stop })
    informer.subscribe((change) => {
      const uid = change.object.metadata.uid ?? ''
      if (change.type === 'deleted') this.#byUid.delete(uid)
      else this.#byUid.set(uid, { resource, object: change.object })
      for (const handler of this.#handlers) handler(resource, change)
    })
  }
}

function idOf(resource: Resource): string {
  return `${resource.plural}.${resource.group}`
}

/** Names one object of any kind in a queue. */
export function queueKey(resource: Resource, object: KubeObject): string {
  return `${idOf(resource)} ${keyOf(object)}`
}

function metadataOf(object: KubeObject): KubeObject {
  const { managedFields: _fields, annotations: _annotations, ...metadata } = object.metadata
  return { apiVersion: object.apiVersion, kind: object.kind, metadata }
}

interface ResourceList {
  readonly groupVersion: string
  readonly resources: readonly {
    readonly name: string
    readonly kind: string
    readonly namespaced: boolean
    readonly verbs: readonly string[]
  }[]
}

/** Built-in kinds in the preferred version of their group; custom ones come from their definitions. */
async function discover(client: KubeClient): Promise<readonly Resource[]> {
  const groups = (await json(client, '/apis')) as {
    readonly groups: readonly {
      readonly name: string
      readonly preferredVersion: { readonly groupVersion: string }
    }[]
  }
  const paths = [
    '/api/v1',
    ...groups.groups.map((group) => `/apis/${group.preferredVersion.groupVersion}`),
  ]
  const definitions = await client.list<Definition>(resources.customResourceDefinitions)
  const custom = new Set(definitions.items.map(({ spec }) => `${spec.names.plural}.${spec.group}`))
  const found = new Map<string, Resource>()
  for (const path of paths) {
    const list = (await json(client, path)) as ResourceList
    const [group, version] = list.groupVersion.includes('/')
      ? (list.groupVersion.split('/') as [string, string])
      : ['', list.groupVersion]
    for (const { name, kind, namespaced, verbs } of list.resources) {
      const usable = ['list', 'watch', 'delete'].every((verb) => verbs.includes(verb))
      if (name.includes('/') || kind === 'Event' || !usable) continue
      const resource = { group, version, plural: name, kind, namespaced }
      if (!custom.has(idOf(resource))) found.set(idOf(resource), resource)
    }
  }
  return [...found.values()]
}

async function json(client: KubeClient, path: string): Promise<unknown> {
  const response = await client.raw(path, { headers: { accept: 'application/json' } })
  if (!response.ok) throw new Error(`discovery of ${path} answered ${response.status}`)
  return response.json()
}
