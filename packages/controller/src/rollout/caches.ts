import type {
  AnalysisRun,
  AnalysisTemplate,
  ClusterAnalysisTemplate,
  Experiment,
  Rollout,
} from '@serinus/api'
import { hashLabel, kinds } from '@serinus/api'
import type { Ingress, ReplicaSet, Service } from '@serinus/engine'
import {
  type Clock,
  type Informer,
  type InformerOptions,
  type KubeClient,
  type KubeObject,
  keyOf,
  type Resource,
  resources,
  startInformer,
} from '@serinus/kube'
import { planningPartOf, withoutManagedFields } from './kept-parts.ts'
import { byService, podsOfSlice, type SlicePods, serviceOfSlice } from './service-endpoints.ts'

/** What the controllers of Rollouts and Experiments follow of the API. Every object is read from here, never by a request. */
export interface Caches {
  readonly rollouts: Informer<Rollout & KubeObject>
  readonly replicaSets: Informer<ReplicaSet>
  readonly analysisRuns: Informer<AnalysisRun & KubeObject>
  readonly experiments: Informer<Experiment & KubeObject>
  readonly services: Informer<Service>
  readonly ingresses: Informer<Ingress>
  readonly endpointSlices: Informer<SlicePods>
  readonly analysisTemplates: Informer<AnalysisTemplate & KubeObject>
  readonly clusterAnalysisTemplates: Informer<ClusterAnalysisTemplate & KubeObject>
  readonly synced: Promise<void>
}

export type AnalysisCaches = Pick<
  Caches,
  'analysisRuns' | 'analysisTemplates' | 'clusterAnalysisTemplates'
>

export interface CacheOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Absent: the whole cluster. */
  readonly namespace?: string
  /** @param plural the kind whose cache met the error */
  readonly onError?: (error: unknown, plural: string) => void
}

/** Index of owned objects by the uid of their controller. */
export const byOwner = 'owner'

/** Index of Rollouts by every name that their strategy mentions, as `namespace/name`. */
export const byMention = 'mention'

function mentions({ metadata, spec }: Rollout & KubeObject): readonly string[] {
  return [...new Set(stringsIn(spec?.strategy))].map((name) => `${metadata.namespace}/${name}`)
}

/** More than names, but a look too many writes nothing. */
function stringsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(stringsIn)
}

/** The UID of the controller. */
export function owner(object: KubeObject): readonly string[] {
  const controller = object.metadata.ownerReferences?.find((reference) => reference.controller)
  return controller ? [controller.uid] : []
}

export function startCaches(options: CacheOptions): Caches {
  const indexes = { [byOwner]: owner }
  const start = <T extends KubeObject>(
    resource: Resource,
    extra: Pick<InformerOptions<T>, 'labelSelector' | 'indexes' | 'transform'> = {},
  ) => {
    const { onError, ...common } = options
    return startInformer<T>({
      ...common,
      transform: withoutManagedFields,
      ...extra,
      resource,
      ...(onError ? { onError: (error) => onError(error, resource.plural) } : {}),
    })
  }
  const caches = {
    rollouts: start<Rollout & KubeObject>(kinds.rollouts, { indexes: { [byMention]: mentions } }),
    experiments: start<Experiment & KubeObject>(kinds.experiments, { indexes }),
    replicaSets: start<ReplicaSet>(resources.replicaSets, { labelSelector: hashLabel, indexes }),
    services: start<Service>(resources.services, { transform: planningPartOf }),
    ingresses: start<Ingress>(resources.ingresses),
    endpointSlices: start<SlicePods>(resources.endpointSlices, {
      indexes: { [byService]: serviceOfSlice },
      transform: podsOfSlice,
    }),
    ...startAnalysisCaches(options),
  }
  const synced = Promise.all(Object.values(caches).map((cache) => cache.synced)).then(() => {})
  synced.catch(() => {})
  return { ...caches, synced }
}

/** What the analysis controller alone follows. */
export function startAnalysisCaches(options: CacheOptions): AnalysisCaches {
  const { onError, namespace, ...common } = options
  const start = <T extends KubeObject>(
    resource: Resource,
    extra: Pick<InformerOptions<T>, 'namespace' | 'indexes'>,
  ) =>
    startInformer<T>({
      ...common,
      ...extra,
      resource,
      ...(onError ? { onError: (error) => onError(error, resource.plural) } : {}),
    })
  const scope = namespace === undefined ? {} : { namespace }
  return {
    analysisRuns: start<AnalysisRun & KubeObject>(kinds.analysisRuns, {
      ...scope,
      indexes: { [byOwner]: owner },
    }),
    analysisTemplates: start<AnalysisTemplate & KubeObject>(kinds.analysisTemplates, scope),
    // A Role cannot allow a cluster-scoped kind: who watches one namespace asks for none (spec operations 3.1).
    clusterAnalysisTemplates:
      namespace === undefined
        ? start<ClusterAnalysisTemplate & KubeObject>(kinds.clusterAnalysisTemplates, {})
        : emptyInformer(),
  }
}

/** A kind that is not followed. */
function emptyInformer<T extends KubeObject>(): Informer<T> {
  return {
    get: () => undefined,
    list: () => [],
    byIndex: () => [],
    subscribe: () => ({ [Symbol.dispose]: () => {} }),
    refresh: () => Promise.resolve(),
    synced: Promise.resolve(),
  }
}

/**
 * Reads its own writes: what the API answered to a write counts until the cache has caught up with it, so that no
 * pass is planned from a state that this process itself has already changed (spec rollout-controller 1.2).
 */
export class OwnWrites {
  readonly #newer = new Map<string, KubeObject>()

  remember(kind: KindOf, object: KubeObject): void {
    this.#newer.set(idOf(kind, object), object)
  }

  /** The cached object, or our later version of it. */
  latest<T extends KubeObject>(kind: KindOf, cached: T): T {
    const key = idOf(kind, cached)
    const own = this.#newer.get(key)
    if (!own) return cached
    if (own.metadata.uid === cached.metadata.uid && versionOf(own) > versionOf(cached))
      return own as T
    this.#newer.delete(key)
    return cached
  }

  /** Objects that we created and the cache has not seen yet. */
  missing<T extends KubeObject>(
    kind: KindOf,
    seen: readonly T[],
    belongs: (object: T) => boolean,
  ): readonly T[] {
    const names = new Set(seen.map(keyOf))
    const extra: T[] = []
    for (const [key, own] of this.#newer) {
      if (!key.startsWith(`${kind.plural}.${kind.group}/`)) continue
      if (!names.has(keyOf(own)) && belongs(own as T)) extra.push(own as T)
    }
    return extra
  }

  /** The cache says that it is gone, or saw a version at least as new. */
  settle(kind: KindOf, object: KubeObject, deleted: boolean): void {
    const key = idOf(kind, object)
    const own = this.#newer.get(key)
    if (!own) return
    if (deleted || versionOf(object) >= versionOf(own)) this.#newer.delete(key)
  }
}

/** Two groups may have kinds of one name. */
export type KindOf = Pick<Resource, 'group' | 'plural'>

function idOf({ group, plural }: KindOf, object: KubeObject): string {
  return `${plural}.${group}/${keyOf(object)}`
}

function versionOf(object: KubeObject): bigint {
  const text = object.metadata.resourceVersion ?? ''
  return /^\d+$/.test(text) ? BigInt(text) : 0n
}
