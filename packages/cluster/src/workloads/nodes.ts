import { ApiError, type Clock, type KubeClient, resources } from '@serinus/kube'
import { timestamp } from '../pods/pod.ts'
import type { Node, Taint } from './objects.ts'

/** One simulated machine. */
export interface SimulatedNode {
  readonly name: string
  /** Quantities. Absent: `64`, `256Gi`, `1000`: room for more than a test ever asks. */
  readonly cpu?: string
  readonly memory?: string
  readonly pods?: string
  /** Besides the usual ones (`kubernetes.io/hostname`, ...). */
  readonly labels?: Readonly<Record<string, string>>
  readonly taints?: readonly Taint[]
}

export const usualNodes: readonly SimulatedNode[] = ['a', 'b', 'c'].map((zone, index) => ({
  name: `node-${index + 1}`,
  labels: { 'topology.kubernetes.io/zone': `local-${zone}` },
}))

/** Creates the nodes that are missing; those that exist stay as they are. */
export async function createNodes(
  client: KubeClient,
  clock: Clock,
  nodes: readonly SimulatedNode[],
): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    const object = nodeFrom(node, { index, now: clock.now() })
    try {
      await client.create(resources.nodes, object)
      // A patch: controllers of a real cluster write to a node as soon as it is there.
      await client.patch(
        resources.nodes,
        { name: node.name },
        { kind: 'merge', body: { status: object.status } },
        { subresource: 'status' },
      )
    } catch (error) {
      if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error
    }
  }
}

function nodeFrom(
  node: SimulatedNode,
  facts: { readonly index: number; readonly now: number },
): Node {
  const { name, cpu = '64', memory = '256Gi', pods = '1000' } = node
  const time = timestamp(facts.now)
  const sizes = { cpu, memory, pods, 'ephemeral-storage': '100Gi' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/os': 'linux',
        'topology.kubernetes.io/region': 'local',
        ...node.labels,
      },
    },
    spec: { ...(node.taints && { taints: node.taints }) },
    status: {
      capacity: sizes,
      allocatable: sizes,
      addresses: [
        { type: 'InternalIP', address: hostIp(facts.index) },
        { type: 'Hostname', address: name },
      ],
      conditions: [
        pressure('MemoryPressure', 'KubeletHasSufficientMemory', 'sufficient memory available'),
        pressure('DiskPressure', 'KubeletHasNoDiskPressure', 'no disk pressure'),
        pressure('PIDPressure', 'KubeletHasSufficientPID', 'sufficient PID available'),
        {
          type: 'Ready' as const,
          status: 'True' as const,
          reason: 'KubeletReady',
          message: 'kubelet is posting ready status',
        },
      ].map((condition) => ({ ...condition, lastHeartbeatTime: time, lastTransitionTime: time })),
      nodeInfo: {
        architecture: 'amd64',
        operatingSystem: 'linux',
        osImage: 'Serinus simulated node',
        kernelVersion: 'simulated',
        containerRuntimeVersion: 'simulated://1.0',
        kubeletVersion: 'v1.34.0',
        kubeProxyVersion: 'v1.34.0',
        machineID: name,
        systemUUID: name,
        bootID: name,
      },
    },
  }
}

function pressure(type: string, reason: string, has: string) {
  return { type, status: 'False' as const, reason, message: `kubelet has ${has}` }
}

function hostIp(index: number): string {
  return `192.168.${Math.floor((index + 10) / 250)}.${((index + 10) % 250) + 1}`
}
