import { expect, test } from 'vitest'
import type { Pod, PodSpec } from '../pods/pod.ts'
import type { Node } from './objects.ts'
import { type NodeLoad, planPlacement } from './scheduling.ts'

function node(
  name: string,
  facts: Partial<Node['spec']> & {
    cpu?: string
    pods?: string
    labels?: Record<string, string>
  } = {},
): Node {
  const { cpu = '4', pods = '110', labels, ...spec } = facts
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
    status: { allocatable: { cpu, memory: '8Gi', pods } },
  }
}

function pod(name: string, spec: Partial<PodSpec> = {}, cpu = '1'): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: 'web' } },
    spec: { containers: [{ name: 'app', resources: { requests: { cpu } } }], ...spec },
  }
}

function place(wanted: Pod, loads: readonly NodeLoad[]) {
  return planPlacement(wanted, { nodes: loads, namespaceLabels: () => ({}) })
}

const empty = (...nodes: Node[]): NodeLoad[] => nodes.map((each) => ({ node: each, pods: [] }))

test('a pod goes to the node with the least asked for', () => {
  const loads = [
    { node: node('a'), pods: [pod('x')] },
    { node: node('b'), pods: [] },
  ]
  expect(place(pod('new'), loads)).toEqual({ kind: 'bound', node: 'b' })
})

test.each<[string, Pod, NodeLoad[], string]>([
  [
    'resources that other pods hold',
    pod('new', {}, '3'),
    [
      { node: node('a'), pods: [pod('x', {}, '2')] },
      { node: node('b'), pods: [pod('y', {}, '1500m')] },
    ],
    '0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.',
  ],
  [
    'a request larger than any node',
    pod('new', {}, '64'),
    empty(node('a')),
    '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
  ],
  [
    'several reasons at once',
    pod('new', { nodeSelector: { disk: 'ssd' } }),
    empty(
      node('a'),
      node('b', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] }),
      node('c', { unschedulable: true }),
    ),
    "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
  ],
  [
    'a full node',
    pod('new'),
    [{ node: node('a', { pods: '1' }), pods: [pod('x')] }],
    '0/1 nodes are available: 1 Too many pods. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  ],
  ['a cluster without nodes', pod('new'), [], 'no nodes available to schedule pods'],
])('an unschedulable pod says why: %s', (_title, wanted, loads, message) => {
  expect(place(wanted, loads)).toEqual({ kind: 'unschedulable', message })
})

const apart = (topologyKey: string): Partial<PodSpec> => ({
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey, labelSelector: { matchLabels: { app: 'web' } } },
      ],
    },
  },
})

test('anti-affinity keeps pods apart, in both directions', () => {
  const loads = [
    { node: node('a'), pods: [pod('x')] },
    { node: node('b'), pods: [] },
  ]
  expect(place(pod('new', apart('kubernetes.io/hostname')), loads)).toEqual({
    kind: 'bound',
    node: 'b',
  })
  const repelled = [{ node: node('a'), pods: [pod('x', apart('kubernetes.io/hostname'))] }]
  expect(place(pod('new'), repelled)).toMatchObject({
    kind: 'unschedulable',
    message: expect.stringContaining("1 node(s) didn't satisfy existing pods anti-affinity rules"),
  })
})

test('a toleration opens a tainted node, and a node selector finds its label', () => {
  const tainted = node('a', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] })
  const tolerations = [{ key: 'gpu', operator: 'Exists' }]
  expect(place(pod('new', { tolerations }), empty(tainted)).kind).toBe('bound')
  const labelled = node('b', { labels: { disk: 'ssd' } })
  const wanted = pod('new', { nodeSelector: { disk: 'ssd' } })
  expect(place(wanted, empty(node('a'), labelled))).toEqual({ kind: 'bound', node: 'b' })
})
