import {
  type Clock,
  type Informer,
  type KubeClient,
  type KubeObject,
  type Resource,
  resources,
  type SeededRandom,
  startInformer,
} from '@serinus/kube'
import type { SubresourceHandler } from '../apiserver/hooks.ts'
import type { Pod } from '../pods/pod.ts'
import { answerLog } from '../pods/pod-log.ts'
import type { Pace } from '../pods/pod-run.ts'
import { Pods } from '../pods/pods.ts'
import { asManager } from './as-manager.ts'
import { byController, byNode, type Caches, orphans } from './controller.ts'
import { createNodes, type SimulatedNode, usualNodes } from './nodes.ts'
import { controllerOf } from './objects.ts'
import { startScheduler } from './scheduler.ts'

export interface SimulatedNodesOptions {
  /** As cluster admin: scheduler and kubelets do what theirs may. */
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: SeededRandom
  /** Ends everything; running pods stay as they are in the store. */
  readonly signal: AbortSignal
  /** Created when they are missing. Absent: three, `node-1` to `node-3`, each in a zone of its own. */
  readonly nodes?: readonly SimulatedNode[]
  /** How fast pods start and stop, milliseconds. Absent: 1 s each. */
  readonly pace?: Partial<Pace>
  /** Failures that are not everyday (a lost race of two writers is): every one is tried again. */
  readonly onError?: (error: unknown) => void
}

/** What the nodes of a cluster do: its scheduler, and a kubelet on each of them. */
export interface SimulatedNodes {
  readonly pods: Pods
  /** Resolves when pods are placed and run. */
  readonly ready: Promise<void>
  /** For the `pods/log` hook of the API server. */
  readonly answerLog: SubresourceHandler
}

/**
 * Simulated nodes for an API whose workload controllers are somebody else's, such as a real control plane (spec
 * embedded-cluster 4). They know nothing of the server but its API.
 */
export function startSimulatedNodes(options: SimulatedNodesOptions): SimulatedNodes {
  const caches = startNodeCaches(options)
  const nodes = prepareNodes(options, caches)
  const ready = (async () => {
    const { client, clock } = options
    await createNodes(asManager(client, 'kubelet'), clock, options.nodes ?? usualNodes)
    await Promise.all(Object.values(caches).map((informer) => informer.synced))
    nodes.start()
  })()
  ready.catch((error) => {
    if (!options.signal.aborted) options.onError?.(error)
  })
  return { pods: nodes.pods, answerLog: nodes.answerLog, ready }
}

type NodeCaches = Pick<Caches, 'pods' | 'nodes' | 'namespaces'>

/** Kubelets and scheduler at rest; `start` is to be called once, when nodes exist and the caches are filled. */
export function prepareNodes(
  options: SimulatedNodesOptions,
  caches: NodeCaches,
): Omit<SimulatedNodes, 'ready'> & { start(): void } {
  const { client, clock, signal, onError } = options
  const pods = new Pods({
    client: asManager(client, 'kubelet'),
    clock,
    signal,
    random: options.random,
    pods: caches.pods,
    hostIp: (name) =>
      caches.nodes.get(name)?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address,
    ...(options.pace && { pace: options.pace }),
    ...(onError && { onError }),
  })
  return {
    pods,
    answerLog: async (call) =>
      answerLog({
        pods,
        clock,
        pod: call.object as KubeObject as Pod,
        query: call.query,
        signal: call.request.signal,
      }),
    start() {
      pods.start()
      caches.nodes.subscribe((change) => {
        if (change.type !== 'added') return
        pods.wake(caches.pods.byIndex(byNode, change.object.metadata.name))
      })
      startScheduler({
        client: asManager(client, 'kube-scheduler'),
        clock,
        signal,
        caches,
        onError,
      })
    },
  }
}

export function startNodeCaches(options: SimulatedNodesOptions): NodeCaches {
  const follow = <T extends KubeObject>(
    resource: Resource,
    indexes: Readonly<Record<string, (object: T) => readonly string[]>> = {},
  ): Informer<T> => {
    const { client, clock, signal, onError } = options
    return startInformer<T>({
      client,
      clock,
      signal,
      resource,
      indexes,
      ...(onError && { onError }),
    })
  }
  return {
    pods: follow<Pod>(resources.pods, {
      [byController]: controllerUid,
      [orphans]: orphanNamespace,
      [byNode]: (pod) => [pod.spec.nodeName ?? ''],
    }),
    nodes: follow(resources.nodes),
    namespaces: follow(resources.namespaces),
  }
}

/** For the index `byController`. */
export function controllerUid(object: KubeObject): readonly string[] {
  const owner = controllerOf(object)
  return owner ? [owner.uid] : []
}

/** For the index `orphans`. */
export function orphanNamespace(object: KubeObject): readonly string[] {
  return controllerOf(object) ? [] : [object.metadata.namespace ?? '']
}
