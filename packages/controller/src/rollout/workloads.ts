import { annotationKeys, type Rollout } from '@serinus/api'
import type { RolloutSnapshot, Workload } from '@serinus/engine'
import {
  type Change,
  deepEqual,
  type Informer,
  type InformerOptions,
  type Resource,
  resources,
  startInformer,
} from '@serinus/kube'
import type { OwnWrites } from './caches.ts'

export interface WorkloadsOptions
  extends Pick<InformerOptions<Workload>, 'client' | 'clock' | 'signal' | 'namespace' | 'onError'> {
  readonly own: OwnWrites
  /** Looks at a Rollout again. */
  readonly enqueue: (key: string) => void
}

/** What `spec.workloadRef` may name (spec rollout-controller 7.1); the group says which kind of that name. */
const referable: Readonly<Record<string, Resource>> = {
  'apps/Deployment': resources.deployments,
  'apps/ReplicaSet': resources.replicaSets,
  '/PodTemplate': resources.podTemplates,
}

const byScaler = 'scaler'

interface Followed {
  readonly informer: Informer<Workload>
  isSynced: boolean
  /** The last failure before the first list; null: none yet. */
  problem: string | null
}

/** The workloads that Rollouts refer to. A kind is followed from its first use on. */
export class Workloads {
  readonly #options: WorkloadsOptions
  readonly #followed = new Map<string, Followed>()
  /** Keys of Rollouts by what they look at: `deployments/default/web`. */
  readonly #users = new Map<string, Set<string>>()

  constructor(options: WorkloadsOptions) {
    this.#options = options
  }

  /** What the reference of a Rollout leads to; `loading` while nobody can tell yet. */
  of(key: string, rollout: Rollout): RolloutSnapshot['workload'] | 'loading' {
    const { workloadRef } = rollout.spec
    const resource = resourceOf(workloadRef)
    if (!workloadRef?.name || !resource) return null
    const { namespace = 'default' } = rollout.metadata
    const name = `${namespace}/${workloadRef.name}`
    this.#use(key, `${resource.plural}/${name}`)
    const followed = this.#follow(resource)
    if (!followed.isSynced) {
      return followed.problem === null ? 'loading' : { kind: 'missing', message: followed.problem }
    }
    const cached = followed.informer.get(name)
    if (!cached) {
      const kind = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
      return { kind: 'missing', message: `${kind} "${workloadRef.name}" not found` }
    }
    const object = this.#options.own.latest(resource, cached)
    return { kind: 'found', object, generation: String(object.metadata.generation ?? 0) }
  }

  /** Deployments that gave way to a Rollout, as far as Deployments are followed. */
  scaledDownFor(rollout: Rollout): readonly Workload[] {
    const { plural } = resources.deployments
    const followed = this.#followed.get(plural)
    const { namespace = 'default', name } = rollout.metadata
    return (followed?.informer.byIndex(byScaler, `${namespace}/${name}`) ?? [])
      .map((cached) => this.#options.own.latest(resources.deployments, cached))
      .filter((object) => scaler(object).length > 0)
  }

  #use(key: string, target: string): void {
    const users = this.#users.get(target)
    if (users?.has(key)) return
    for (const [other, keys] of this.#users) {
      keys.delete(key)
      if (keys.size === 0) this.#users.delete(other)
    }
    this.#users.set(target, new Set([...(this.#users.get(target) ?? []), key]))
  }

  #follow(resource: Resource): Followed {
    const known = this.#followed.get(resource.plural)
    if (known) return known
    const { own, enqueue, onError, ...options } = this.#options
    const usersOfAll = () =>
      [...this.#users]
        .filter(([target]) => target.startsWith(`${resource.plural}/`))
        .flatMap(([, keys]) => [...keys])
    const informer = startInformer<Workload>({
      ...options,
      resource,
      indexes: { [byScaler]: scaler },
      transform: trimmed,
      onError: (error) => {
        onError?.(error)
        if (followed.isSynced) return
        followed.problem = error instanceof Error ? error.message : String(error)
        for (const key of usersOfAll()) enqueue(key)
      },
    })
    const followed: Followed = { informer, isSynced: false, problem: null }
    this.#followed.set(resource.plural, followed)
    informer.subscribe((change) => {
      const { namespace, name } = change.object.metadata
      own.settle(resource, change.object, change.type === 'deleted')
      if (!followed.isSynced || !isNews(change)) return
      for (const key of this.#users.get(`${resource.plural}/${namespace}/${name}`) ?? []) {
        enqueue(key)
      }
    })
    informer.synced.then(
      () => {
        followed.isSynced = true
        for (const key of usersOfAll()) enqueue(key)
      },
      () => {},
    )
    return followed
  }
}

function resourceOf(workloadRef: Rollout['spec']['workloadRef']): Resource | undefined {
  const { apiVersion = '', kind = '' } = workloadRef ?? {}
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  return referable[`${group}/${kind}`]
}

/** The Rollout in whose favour a Deployment was scaled down. */
function scaler({ metadata }: Workload): readonly string[] {
  const name = metadata.annotations?.[annotationKeys.scaledDownBy]
  return name === undefined ? [] : [`${metadata.namespace}/${name}`]
}

/** A workload's own status concerns no Rollout. */
function isNews(change: Change<Workload>): boolean {
  if (change.type !== 'modified') return true
  const { object, previous } = change
  return !deepEqual(
    [object.metadata.generation, object.spec, object.template, scaler(object)],
    [previous.metadata.generation, previous.spec, previous.template, scaler(previous)],
  )
}

/** What is kept of a workload. */
function trimmed({ apiVersion, kind, metadata, spec, template }: Workload): Workload {
  const { name, namespace, uid, resourceVersion, generation, annotations = {} } = metadata
  const notes = [annotationKeys.scaledDownBy, annotationKeys.scaledDownFrom] as const
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(generation === undefined ? {} : { generation }),
      annotations: Object.fromEntries(
        notes.flatMap((note) => {
          const text = annotations[note]
          return text === undefined ? [] : [[note, text]]
        }),
      ),
    },
    ...(spec
      ? {
          spec: {
            ...(spec.replicas === undefined ? {} : { replicas: spec.replicas }),
            ...(spec.selector ? { selector: spec.selector } : {}),
            ...(spec.template ? { template: spec.template } : {}),
          },
        }
      : {}),
    ...(template ? { template } : {}),
  }
}
