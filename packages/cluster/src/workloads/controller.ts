import {
  ApiError,
  type Clock,
  EventRecorder,
  type Informer,
  isNamespaceTerminating,
  type KubeClient,
  type KubeObject,
  keyOf,
  WorkQueue,
} from '@serinus/kube'
import type { Pod } from '../pods/pod.ts'
import type {
  Deployment,
  DisruptionBudget,
  EndpointSlice,
  Endpoints,
  Job,
  Namespace,
  Node,
  ReplicaSet,
  Service,
} from './objects.ts'

/** Caches that the controllers share: each kind is held once. */
export interface Caches {
  readonly pods: Informer<Pod>
  readonly replicaSets: Informer<ReplicaSet>
  readonly deployments: Informer<Deployment>
  readonly jobs: Informer<Job>
  readonly services: Informer<Service>
  readonly endpoints: Informer<Endpoints>
  readonly endpointSlices: Informer<EndpointSlice>
  readonly nodes: Informer<Node>
  readonly namespaces: Informer<Namespace>
  readonly disruptionBudgets: Informer<DisruptionBudget>
}

/** Index of pods and ReplicaSets by the uid of their controller. */
export const byController = 'controller'
/** Index of pods and ReplicaSets by namespace that nobody controls: candidates for adoption. */
export const orphans = 'orphans'
/** Index of pods by node; empty string: not bound yet. */
export const byNode = 'node'
/** Index of EndpointSlices by `namespace/service`. */
export const byService = 'service'

export interface Context {
  readonly client: KubeClient
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly caches: Caches
  readonly onError?: ((error: unknown) => void) | undefined
}

export interface Controller {
  readonly queue: WorkQueue
  readonly recorder: EventRecorder
}

/** A queue of keys with one `sync`, and a recorder that speaks in the controller's name. */
export function startController(
  context: Omit<Context, 'caches'>,
  options: {
    readonly component: string
    readonly workers?: number
    readonly sync: (key: string) => Promise<void>
  },
): Controller {
  const { client, clock, signal, onError } = context
  const recorder = new EventRecorder({ client, clock, signal, component: options.component })
  const queue = new WorkQueue({
    clock,
    workers: options.workers ?? 5,
    process: options.sync,
    // client-go's default: 5 ms doubling to 1,000 s.
    backoff: { initialMs: 5, maxMs: 1_000_000 },
    onError: (_key, error) => {
      if (!isEveryday(error)) onError?.(error)
    },
  })
  void queue.run(signal)
  return { queue, recorder }
}

/** A cache that lags behind, or a namespace on its way out: tried again, and nothing to report. */
function isEveryday(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.code === 409 || error.code === 404 || isNamespaceTerminating(error))
  )
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404
}

/** Passes on everything but 404: what was to go is gone. */
export function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error
}

export function objectKey(object: KubeObject): { namespace?: string; name: string } {
  const { namespace, name } = object.metadata
  return namespace ? { namespace, name } : { name }
}

/** Calls `enqueue` with the key of each object that is added, changed or deleted. */
export function onEachChange<T extends KubeObject>(
  informer: Informer<T>,
  enqueue: (key: string) => void,
): void {
  informer.subscribe((change) => enqueue(keyOf(change.object)))
}
