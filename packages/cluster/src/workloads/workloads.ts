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
import { AllKinds } from './all-kinds.ts'
import { asManager } from './as-manager.ts'
import {
  byController,
  byNode,
  byService,
  type Caches,
  type Context,
  orphans,
} from './controller.ts'
import { startDeploymentController } from './deployment-controller.ts'
import { disruptionBudgets, startDisruptionController } from './disruption-controller.ts'
import { serviceNameLabel } from './endpoints.ts'
import { startEndpointsController } from './endpoints-controller.ts'
import { startGarbageCollector } from './garbage-collector.ts'
import { startJobController } from './job-controller.ts'
import { startNamespaceController, startNamespaceFurnishing } from './namespaces.ts'
import { createNodes, type SimulatedNode, usualNodes } from './nodes.ts'
import { controllerOf, type ReplicaSet } from './objects.ts'
import { startReplicaSetController } from './replica-set-controller.ts'
import { startScheduler } from './scheduler.ts'

export interface WorkloadsOptions {
  /** As cluster admin: the controllers do what kube-controller-manager, kube-scheduler and kubelets may. */
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: SeededRandom
  /** Ends everything; running pods stay as they are in the store. */
  readonly signal: AbortSignal
  /** Created when they are missing. Absent: three, `node-1` to `node-3`, each in a zone of its own. */
  readonly nodes?: readonly SimulatedNode[]
  /** How fast pods start and stop, milliseconds. Absent: 1 s each. */
  readonly pace?: Partial<Pace>
  /** PEM, for the ConfigMap `kube-root-ca.crt` of each namespace. Absent: empty. */
  readonly rootCertificate?: string
  /** Failures that are not everyday (a lost race of two writers is): every one is tried again. */
  readonly onError?: (error: unknown) => void
}

/** Everything of a cluster that is not its API server: controllers, scheduler and kubelets. */
export interface Workloads {
  readonly pods: Pods
  /** Resolves when all caches are filled and the controllers work. */
  readonly ready: Promise<void>
  /** For the `pods/log` hook of the API server. */
  readonly answerLog: SubresourceHandler
}

/**
 * Starts the workload controllers and the pod simulation on one API (spec embedded-cluster 3 and 4). All of them act
 * on changes only: a cluster at rest sees no request and no write.
 */
export function startWorkloads(options: WorkloadsOptions): Workloads {
  const { client, clock, signal, onError } = options
  const caches = startCaches(options)
  const context: Context = {
    client: asManager(client, 'kube-controller-manager'),
    clock,
    signal,
    caches,
    onError,
  }
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
  const ready = boot(context, pods, options)
  ready.catch((error) => {
    if (!signal.aborted) onError?.(error)
  })
  return {
    pods,
    ready,
    answerLog: async (call) =>
      answerLog({
        pods,
        clock,
        pod: call.object as KubeObject as Pod,
        query: call.query,
        signal: call.request.signal,
      }),
  }
}

async function boot(context: Context, pods: Pods, options: WorkloadsOptions): Promise<void> {
  const { client, clock, signal, caches, onError } = context
  await createNodes(client, clock, options.nodes ?? usualNodes)
  await Promise.all(Object.values(caches).map((informer) => informer.synced))
  const kinds = new AllKinds({ client, clock, signal, onError })
  pods.start()
  caches.nodes.subscribe((change) => {
    if (change.type === 'added') pods.wake(caches.pods.byIndex(byNode, change.object.metadata.name))
  })
  startScheduler({ ...context, client: asManager(options.client, 'kube-scheduler') })
  startReplicaSetController(context)
  startDeploymentController(context)
  startJobController(context)
  startEndpointsController(context)
  startDisruptionController(context)
  startNamespaceFurnishing(context, { rootCertificate: options.rootCertificate ?? '' })
  startGarbageCollector(context, kinds)
  startNamespaceController(context, kinds)
  await kinds.synced
}

function startCaches(options: WorkloadsOptions): Caches {
  const { client, clock, signal, onError } = options
  const follow = <T extends KubeObject>(
    resource: Resource,
    indexes: Readonly<Record<string, (object: T) => readonly string[]>> = {},
  ): Informer<T> =>
    startInformer<T>({
      client,
      clock,
      signal,
      resource,
      indexes,
      ...(onError && { onError }),
    })
  const controllerUid = (object: KubeObject): readonly string[] => {
    const owner = controllerOf(object)
    return owner ? [owner.uid] : []
  }
  const orphanNamespace = (object: KubeObject): readonly string[] =>
    controllerOf(object) ? [] : [object.metadata.namespace ?? '']
  return {
    pods: follow<Pod>(resources.pods, {
      [byController]: controllerUid,
      [orphans]: orphanNamespace,
      [byNode]: (pod) => [pod.spec.nodeName ?? ''],
    }),
    replicaSets: follow<ReplicaSet>(resources.replicaSets, {
      [byController]: controllerUid,
      [orphans]: orphanNamespace,
    }),
    deployments: follow(resources.deployments),
    jobs: follow(resources.jobs),
    services: follow(resources.services),
    endpoints: follow(resources.endpoints),
    endpointSlices: follow(resources.endpointSlices, {
      [byService]: ({ metadata }) => {
        const name = metadata.labels?.[serviceNameLabel]
        return name ? [`${metadata.namespace}/${name}`] : []
      },
    }),
    nodes: follow(resources.nodes),
    namespaces: follow(resources.namespaces),
    disruptionBudgets: follow(disruptionBudgets),
  }
}
