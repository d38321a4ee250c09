import { ApiError, keyOf, resources } from '@serinus/kube'
import { type Condition, conditionOf, isFinished, type Pod, timestamp } from '../pods/pod.ts'
import {
  byNode,
  type Caches,
  type Context,
  ignoreNotFound,
  onEachChange,
  startController,
} from './controller.ts'
import { type NodeLoad, planPlacement } from './scheduling.ts'

/** Binds pods to nodes, and tells of each that fits nowhere why (kubernetes: cmd/kube-scheduler). */
export function startScheduler(
  context: Omit<Context, 'caches'> & {
    readonly caches: Pick<Caches, 'pods' | 'nodes' | 'namespaces'>
  },
): void {
  const { client, clock, caches } = context
  const { pods, nodes, namespaces } = caches
  /** Bound by us, but the cache shows them without a node yet: uid to node. */
  const assumed = new Map<string, { readonly pod: Pod; readonly node: string }>()
  /** Keys of pods that fit nowhere; whatever makes room wakes them. */
  const waiting = new Set<string>()
  // One worker: two placements at a time could take the same room twice.
  const { queue, recorder } = startController(context, {
    component: 'default-scheduler',
    workers: 1,
    sync,
  })

  pods.subscribe((change) => {
    const pod = change.object
    const uid = pod.metadata.uid ?? ''
    if (change.type === 'deleted' || pod.spec.nodeName) assumed.delete(uid)
    if (change.type === 'deleted') waiting.delete(keyOf(pod))
    else if (!pod.spec.nodeName) queue.add(keyOf(pod))
    const freed = change.type === 'deleted' || (change.type === 'modified' && isFinished(pod))
    // A pod that comes may be the company that an affinity waits for.
    const arrived =
      change.type === 'modified' && pod.spec.nodeName && !change.previous.spec.nodeName
    if (freed || arrived) wake()
  })
  onEachChange(nodes, wake)

  function wake(): void {
    for (const key of waiting) queue.add(key)
  }

  async function sync(key: string): Promise<void> {
    const pod = pods.get(key)
    const uid = pod?.metadata.uid ?? ''
    const done = !pod || pod.spec.nodeName || pod.metadata.deletionTimestamp || isFinished(pod)
    if (done || assumed.has(uid)) {
      waiting.delete(key)
      return
    }
    const { schedulerName = 'default-scheduler', schedulingGates = [] } = pod.spec
    if (schedulerName !== 'default-scheduler') return
    if (schedulingGates.length > 0) return
    const placement = planPlacement(pod, {
      nodes: loads(),
      namespaceLabels: (namespace) => namespaces.get(namespace)?.metadata.labels ?? {},
    })
    if (placement.kind === 'unschedulable') {
      waiting.add(key)
      await tellUnschedulable(pod, placement.message)
      return
    }
    waiting.delete(key)
    assumed.set(uid, { pod, node: placement.node })
    try {
      await bind(pod, placement.node)
    } catch (error) {
      assumed.delete(uid)
      throw error
    }
  }

  async function bind(pod: Pod, node: string): Promise<void> {
    const { namespace = '', name, uid } = pod.metadata
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { namespace, name, ...(uid && { uid }) },
      target: { kind: 'Node', name: node },
    }
    await post(`/api/v1/namespaces/${namespace}/pods/${name}/binding`, binding)
    recorder.record(pod, {
      type: 'Normal',
      reason: 'Scheduled',
      message: `Successfully assigned ${namespace}/${name} to ${node}`,
    })
  }

  async function tellUnschedulable(pod: Pod, message: string): Promise<void> {
    const before = conditionOf(pod, 'PodScheduled')
    if (before?.status === 'False' && before.message === message) return
    recorder.record(pod, { type: 'Warning', reason: 'FailedScheduling', message })
    const kept = before?.status === 'False' ? before.lastTransitionTime : undefined
    const condition: Condition = {
      type: 'PodScheduled',
      status: 'False',
      lastTransitionTime: kept ?? timestamp(clock.now()),
      reason: 'Unschedulable',
      message,
    }
    const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled')
    const status = { ...pod.status, conditions: [...others, condition] }
    await client
      .update(resources.pods, { ...pod, status }, { subresource: 'status' })
      .catch(ignoreNotFound)
  }

  function loads(): readonly NodeLoad[] {
    return nodes.list().map((node) => {
      const { name } = node.metadata
      const bound = pods.byIndex(byNode, name).filter((pod) => !isFinished(pod))
      const coming = [...assumed.values()].filter((entry) => entry.node === name)
      return { node, pods: [...bound, ...coming.map((entry) => entry.pod)] }
    })
  }

  /** A binding is no object that could be read back, so it goes by its path. */
  async function post(path: string, body: object): Promise<void> {
    const response = await client.raw(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(body),
    })
    const answer = (await response.json()) as {
      readonly reason?: string
      readonly message?: string
    }
    if (response.ok || response.status === 404) return
    const { reason = 'Unknown', message = `${path} answered ${response.status}` } = answer
    throw new ApiError({ code: response.status, reason, message })
  }
}
