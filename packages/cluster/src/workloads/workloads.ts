import {
  type Informer,
  type KubeObject,
  type Resource,
  resources,
  startInformer,
} from '@serinus/kube'
import { AllKinds } from './all-kinds.ts'
import { asManager } from './as-manager.ts'
import { byController, byService, type Caches, type Context, orphans } from './controller.ts'
import { startDeploymentController } from './deployment-controller.ts'
import { disruptionBudgets, startDisruptionController } from './disruption-controller.ts'
import { serviceNameLabel } from './endpoints.ts'
import { startEndpointsController } from './endpoints-controller.ts'
import { startEventExpiry } from './event-expiry.ts'
import { startGarbageCollector } from './garbage-collector.ts'
import { startJobController } from './job-controller.ts'
import { startNamespaceController, startNamespaceFurnishing } from './namespaces.ts'
import { createNodes, usualNodes } from './nodes.ts'
import type { ReplicaSet } from './objects.ts'
import { startReplicaSetController } from './replica-set-controller.ts'
import {
  controllerUid,
  orphanNamespace,
  prepareNodes,
  type SimulatedNodes,
  type SimulatedNodesOptions,
  startNodeCaches,
} from './simulated-nodes.ts'

export interface WorkloadsOptions extends SimulatedNodesOptions {
  /** PEM, for the ConfigMap `kube-root-ca.crt` of each namespace. Absent: empty. */
  readonly rootCertificate?: string
}

/** Everything of a cluster that is not its API server: controllers, scheduler and kubelets. */
export type Workloads = SimulatedNodes

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
  const nodes = prepareNodes(options, caches)
  const ready = boot(context, nodes, options)
  ready.catch((error) => {
    if (!signal.aborted) onError?.(error)
  })
  return { pods: nodes.pods, answerLog: nodes.answerLog, ready }
}

async function boot(
  context: Context,
  nodes: { start(): void },
  options: WorkloadsOptions,
): Promise<void> {
  const { client, clock, signal, caches, onError } = context
  await createNodes(client, clock, options.nodes ?? usualNodes)
  await Promise.all(Object.values(caches).map((informer) => informer.synced))
  const kinds = new AllKinds({ client, clock, signal, onError })
  nodes.start()
  startReplicaSetController(context)
  startDeploymentController(context)
  startJobController(context)
  startEndpointsController(context)
  startDisruptionController(context)
  startEventExpiry(context)
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
  return {
    ...startNodeCaches(options),
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
    disruptionBudgets: follow(disruptionBudgets),
  }
}
