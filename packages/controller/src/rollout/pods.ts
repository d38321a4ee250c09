import { hashLabel } from '@serinus/api'
import type { Pod, ReplicaSet, Write } from '@serinus/engine'
import {
  type Informer,
  type InformerOptions,
  type KubeObject,
  resources,
  startInformer,
} from '@serinus/kube'
import type { Outcome } from './apply.ts'
import { byOwner, type OwnWrites, owner } from './caches.ts'

/** core/v1 Pod, as the API sends it. */
interface ApiPod extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly lastTransitionTime?: string
    }[]
  }
}

export interface PodsOptions
  extends Pick<InformerOptions<ApiPod>, 'client' | 'clock' | 'signal' | 'namespace' | 'onError'> {
  readonly own: OwnWrites
  /** Looks at a Rollout again. */
  readonly enqueue: (key: string) => void
}

/**
 * The pods of Rollouts that need them: of one with a restart under way, or with metadata for its pods. Followed from
 * the first need on; nobody who needs none pays for it (falls short 29).
 */
export class Pods {
  readonly #options: PodsOptions
  /** UIDs of the ReplicaSets of those Rollouts that need their pods. */
  readonly #needers = new Map<string, readonly string[]>()
  readonly #keyBySet = new Map<string, string>()
  /** UIDs of pods that were told to go and that the cache still shows as running. */
  readonly #going = new Set<string>()
  readonly #denied = new Map<string, NonNullable<Pod['evictionDenied']>>()
  #informer: Informer<ApiPod> | null = null
  #isSynced = false

  constructor(options: PodsOptions) {
    this.#options = options
  }

  /** The pods of these ReplicaSets; null while they are not followed or not known yet. */
  of(key: string, replicaSets: readonly ReplicaSet[]): readonly Pod[] | null {
    const informer = this.#informer
    if (!informer || !this.#isSynced || !this.#needers.has(key)) return null
    const { own } = this.#options
    return replicaSets.flatMap(({ metadata: { uid = '' } }) =>
      informer
        .byIndex(byOwner, uid)
        .map((cached) => this.#seen(own.latest(resources.pods, cached), uid)),
    )
  }

  /** Notes what a plan said about its need. */
  need(key: string, replicaSets: readonly ReplicaSet[] | null): void {
    for (const uid of this.#needers.get(key) ?? []) this.#keyBySet.delete(uid)
    this.#needers.delete(key)
    if (replicaSets === null) return
    const uids = replicaSets.map(({ metadata }) => metadata.uid ?? '')
    this.#needers.set(key, uids)
    for (const uid of uids) this.#keyBySet.set(uid, key)
    if (this.#informer === null) this.#start()
  }

  /** Notes which pods were told to go, and which a disruption budget keeps. */
  learn(key: string, outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      if (outcome.write.kind !== 'evict') continue
      const { uid } = outcome.write
      if (outcome.kind === 'done') this.#going.add(uid)
      if (outcome.kind !== 'denied') continue
      this.#denied.set(uid, { at: this.#options.clock.now(), message: outcome.message })
      // The next plan says what it waits for.
      this.#options.enqueue(key)
    }
  }

  #start(): void {
    const { own, enqueue, ...options } = this.#options
    const informer = startInformer<ApiPod>({
      ...options,
      resource: resources.pods,
      labelSelector: hashLabel,
      indexes: { [byOwner]: owner },
      transform: trimmed,
    })
    this.#informer = informer
    informer.subscribe(({ type, object }) => {
      const { uid = '', deletionTimestamp } = object.metadata
      own.settle(resources.pods, object, type === 'deleted')
      if (type === 'deleted' || deletionTimestamp) this.#going.delete(uid)
      if (type === 'deleted') this.#denied.delete(uid)
      if (!this.#isSynced) return
      const key = this.#keyBySet.get(owner(object)[0] ?? '')
      if (key !== undefined) enqueue(key)
    })
    informer.synced.then(
      () => {
        this.#isSynced = true
        for (const key of this.#needers.keys()) enqueue(key)
      },
      () => {},
    )
  }

  #seen({ metadata, status }: ApiPod, replicaSet: string): Pod {
    const { uid = '', deletionTimestamp } = metadata
    const ready = status?.conditions?.find(({ type }) => type === 'Ready')
    const since = Date.parse(ready?.lastTransitionTime ?? '')
    return {
      name: metadata.name,
      uid,
      owner: replicaSet,
      labels: metadata.labels ?? {},
      annotations: metadata.annotations ?? {},
      createdAt: Date.parse(metadata.creationTimestamp ?? '') || 0,
      isTerminating: deletionTimestamp !== undefined || this.#going.has(uid),
      readySince: ready?.status === 'True' && !Number.isNaN(since) ? since : null,
      evictionDenied: this.#denied.get(uid) ?? null,
    }
  }
}

/** What is kept of a pod; a cluster has many, and most of each is never read. */
function trimmed({ apiVersion, kind, metadata, status }: ApiPod): ApiPod {
  const { managedFields: _, ...kept } = metadata as typeof metadata & { managedFields?: unknown }
  const conditions = status?.conditions?.filter(({ type }) => type === 'Ready') ?? []
  return { apiVersion, kind, metadata: kept, status: { conditions } } as ApiPod
}

/** A pod that is gone needs nothing any more. */
export function isMoot(write: Write, code: number): boolean {
  return code === 404 && write.resource.plural === resources.pods.plural
}
