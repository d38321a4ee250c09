import { quantityToNumber } from '@serinus/kinds'
import { matchesLabelSelector } from '../apiserver/selectors.ts'
import type { NodeSelectorTerm, Pod, PodAffinityTerm, Toleration } from '../pods/pod.ts'
import { controllerOf, type Node, type Taint } from './objects.ts'

type Placement =
  | { readonly kind: 'bound'; readonly node: string }
  /** `message`: as the event and the PodScheduled condition of a real cluster say it. */
  | { readonly kind: 'unschedulable'; readonly message: string }

export interface NodeLoad {
  readonly node: Node
  /** Pods bound to it that have not finished. */
  readonly pods: readonly Pod[]
}

interface ClusterLoad {
  readonly nodes: readonly NodeLoad[]
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>>
}

/** Why a node is out of the question; `final`: removing other pods would not help. */
interface Obstacle {
  readonly reason: string
  readonly final: boolean
}

/**
 * Filters as kube-scheduler's default plugins do, then takes the node with the fewest pods of the same owner and the
 * least of its resources asked for; equals go by name.
 */
export function planPlacement(pod: Pod, cluster: ClusterLoad): Placement {
  const { nodes } = cluster
  if (nodes.length === 0) {
    return { kind: 'unschedulable', message: 'no nodes available to schedule pods' }
  }
  const fitting: NodeLoad[] = []
  const obstacles: Obstacle[][] = []
  for (const load of nodes) {
    const found = obstaclesOf(pod, load, cluster)
    if (found.length === 0) fitting.push(load)
    else obstacles.push(found)
  }
  const best = fitting
    .map((load) => ({ load, score: scoreOf(pod, load, cluster) }))
    .sort((a, b) => a.score - b.score || byName(a.load, b.load))[0]
  if (best) return { kind: 'bound', node: best.load.node.metadata.name }
  return { kind: 'unschedulable', message: refusal(obstacles) }
}

function byName(a: NodeLoad, b: NodeLoad): number {
  return a.node.metadata.name < b.node.metadata.name ? -1 : 1
}

/** The order of the filters; all reasons of the first one that refuses. */
function obstaclesOf(pod: Pod, load: NodeLoad, cluster: ClusterLoad): Obstacle[] {
  const { node } = load
  const filters = [
    () =>
      node.spec.unschedulable && !toleratesUnschedulable(pod)
        ? [final('node(s) were unschedulable')]
        : [],
    () => taintObstacle(pod, node),
    () =>
      matchesNode(pod, node) ? [] : [final("node(s) didn't match Pod's node affinity/selector")],
    () =>
      hasFreePorts(pod, load)
        ? []
        : [passing("node(s) didn't have free ports for the requested pod ports")],
    () => resourceObstacles(pod, load),
    () => affinityObstacle(pod, load, cluster),
  ]
  for (const filter of filters) {
    const found = filter()
    if (found.length > 0) return found
  }
  return []
}

function final(reason: string): Obstacle {
  return { reason, final: true }
}

function passing(reason: string): Obstacle {
  return { reason, final: false }
}

function toleratesUnschedulable(pod: Pod): boolean {
  return tolerates(pod.spec.tolerations ?? [], {
    key: 'node.kubernetes.io/unschedulable',
    effect: 'NoSchedule',
  })
}

function taintObstacle(pod: Pod, node: Node): Obstacle[] {
  const taint = node.spec.taints?.find(
    (candidate) =>
      (candidate.effect === 'NoSchedule' || candidate.effect === 'NoExecute') &&
      !tolerates(pod.spec.tolerations ?? [], candidate),
  )
  if (!taint) return []
  return [final('node(s) had untolerated taint(s)')]
}

function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some(({ key = '', operator = 'Equal', value = '', effect = '' }) => {
    if (effect !== '' && effect !== taint.effect) return false
    if (key !== '' && key !== taint.key) return false
    if (operator === 'Exists') return true
    return key !== '' && value === (taint.value ?? '')
  })
}

function matchesNode(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {})) {
    if (labels[key] !== value) return false
  }
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return !required || required.nodeSelectorTerms.some((term) => matchesTerm(term, node))
}

function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term
  if (matchExpressions.length + matchFields.length === 0) return false
  const labels = node.metadata.labels ?? {}
  return (
    matchExpressions.every((rule) => matchesRule(rule, labels[rule.key])) &&
    matchFields.every((rule) => matchesRule(rule, node.metadata.name))
  )
}

function matchesRule(
  rule: { readonly operator: string; readonly values?: readonly string[] },
  value: string | undefined,
): boolean {
  const { operator, values = [] } = rule
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0])
    default:
      return false
  }
}

function hasFreePorts(pod: Pod, load: NodeLoad): boolean {
  const wanted = hostPorts(pod)
  return (
    wanted.length === 0 ||
    !load.pods.some((other) => hostPorts(other).some((port) => wanted.includes(port)))
  )
}

function hostPorts(pod: Pod): readonly string[] {
  return pod.spec.containers.flatMap((container) =>
    (container.ports ?? []).flatMap(({ hostPort, protocol = 'TCP' }) =>
      hostPort ? [`${protocol}/${hostPort}`] : [],
    ),
  )
}

function resourceObstacles(pod: Pod, load: NodeLoad): Obstacle[] {
  const obstacles: Obstacle[] = []
  const allocatable = load.node.status?.allocatable ?? {}
  const most = quantityToNumber(allocatable['pods'] ?? '') ?? 0
  if (load.pods.length + 1 > most) obstacles.push(passing('Too many pods'))
  for (const [name, wanted] of requestsOf(pod)) {
    if (wanted === 0) continue
    const total = quantityToNumber(allocatable[name] ?? '') ?? 0
    // Sums of decimals are off by parts of a billionth.
    if (requested(load.pods, name) + wanted > total + 1e-9) {
      const hopeless = wanted > total + 1e-9
      obstacles.push({ reason: `Insufficient ${name}`, final: hopeless })
    }
  }
  return obstacles
}

/** Reading quantities anew for each pod of each node at each placement would cost more than all else. */
const knownRequests = new WeakMap<Pod, ReadonlyMap<string, number>>()

function requestsOf(pod: Pod): ReadonlyMap<string, number> {
  const known = knownRequests.get(pod)
  if (known) return known
  const requests = sumOfRequests(pod)
  knownRequests.set(pod, requests)
  return requests
}

/** Containers together, or the largest init container where that is more. */
function sumOfRequests(pod: Pod): ReadonlyMap<string, number> {
  const total = new Map<string, number>()
  for (const container of pod.spec.containers) {
    for (const [name, amount] of Object.entries(container.resources?.requests ?? {})) {
      total.set(name, (total.get(name) ?? 0) + (quantityToNumber(String(amount)) ?? 0))
    }
  }
  let sidecars = new Map<string, number>()
  for (const container of pod.spec.initContainers ?? []) {
    const own = new Map(
      Object.entries(container.resources?.requests ?? {}).map(([name, amount]) => [
        name,
        quantityToNumber(String(amount)) ?? 0,
      ]),
    )
    if (container.restartPolicy === 'Always') {
      sidecars = new Map(sidecars)
      for (const [name, amount] of own) {
        sidecars.set(name, (sidecars.get(name) ?? 0) + amount)
        total.set(name, (total.get(name) ?? 0) + amount)
      }
    } else {
      for (const [name, amount] of own) {
        total.set(name, Math.max(total.get(name) ?? 0, amount + (sidecars.get(name) ?? 0)))
      }
    }
  }
  return total
}

function requested(pods: readonly Pod[], name: string): number {
  return pods.reduce((sum, pod) => sum + (requestsOf(pod).get(name) ?? 0), 0)
}

function affinityObstacle(pod: Pod, load: NodeLoad, cluster: ClusterLoad): Obstacle[] {
  const { nodes } = cluster
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {}
  const attracts = podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const repels = podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  for (const term of attracts) {
    if (
      domainPods(load, term, nodes).some((other) => fitsTerm(other, term, { owner: pod, cluster }))
    )
      continue
    // The first pod of a group that wants its own company may go anywhere.
    const anywhere = nodes.some(({ pods }) =>
      pods.some((other) => fitsTerm(other, term, { owner: pod, cluster })),
    )
    const hasDomain = load.node.metadata.labels?.[term.topologyKey] !== undefined
    if (!anywhere && hasDomain && fitsTerm(pod, term, { owner: pod, cluster })) continue
    return [final("node(s) didn't match pod affinity rules")]
  }
  for (const term of repels) {
    if (
      domainPods(load, term, nodes).some((other) => fitsTerm(other, term, { owner: pod, cluster }))
    ) {
      return [passing("node(s) didn't match pod anti-affinity rules")]
    }
  }
  const refused = nodes.some(({ pods, node }) =>
    pods.some((other) =>
      (
        other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
      ).some((term) => {
        const domain = node.metadata.labels?.[term.topologyKey]
        const same =
          domain !== undefined && domain === load.node.metadata.labels?.[term.topologyKey]
        return same && fitsTerm(pod, term, { owner: other, cluster })
      }),
    ),
  )
  return refused ? [passing("node(s) didn't satisfy existing pods anti-affinity rules")] : []
}

/** Pods of all nodes that share the node's value of the topology key. */
function domainPods(
  load: NodeLoad,
  term: PodAffinityTerm,
  nodes: readonly NodeLoad[],
): readonly Pod[] {
  const domain = load.node.metadata.labels?.[term.topologyKey]
  if (domain === undefined) return []
  return nodes
    .filter(({ node }) => node.metadata.labels?.[term.topologyKey] === domain)
    .flatMap(({ pods }) => pods)
}

/** Whether `pod` is meant by a term that `owner` carries. */
function fitsTerm(
  pod: Pod,
  term: PodAffinityTerm,
  context: { readonly owner: Pod; readonly cluster: ClusterLoad },
): boolean {
  const { namespace = '' } = pod.metadata
  const named = term.namespaces ?? []
  const { namespaceSelector } = term
  const inNamespace =
    named.length === 0 && !namespaceSelector
      ? namespace === context.owner.metadata.namespace
      : named.includes(namespace) ||
        matchesLabelSelector(namespaceSelector, context.cluster.namespaceLabels(namespace))
  return inNamespace && matchesLabelSelector(term.labelSelector, pod.metadata.labels ?? {})
}

/** Lower is better. */
function scoreOf(pod: Pod, load: NodeLoad, cluster: ClusterLoad): number {
  const owner = controllerOf(pod)?.uid
  const siblings = load.pods.filter((other) => owner && controllerOf(other)?.uid === owner).length
  let share = 0
  for (const name of ['cpu', 'memory']) {
    const total = quantityToNumber(load.node.status?.allocatable?.[name] ?? '') ?? 0
    if (total > 0) share += requested(load.pods, name) / total
  }
  const avoided =
    pod.spec.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  let penalty = 0
  for (const { weight, podAffinityTerm: term } of avoided) {
    const met = domainPods(load, term, cluster.nodes).filter((other) =>
      fitsTerm(other, term, { owner: pod, cluster }),
    ).length
    penalty += weight * met
  }
  return penalty * 1000 + siblings * 10 + share + load.pods.length / 10_000
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). ...` */
function refusal(obstacles: readonly (readonly Obstacle[])[]): string {
  const total = obstacles.length
  const reasons = histogram(obstacles.flatMap((found) => found.map(({ reason }) => reason)))
  const preemption = histogram(
    obstacles.map((found) =>
      found.some((obstacle) => obstacle.final)
        ? 'Preemption is not helpful for scheduling'
        : 'No preemption victims found for incoming pod',
    ),
  )
  return `0/${total} nodes are available: ${reasons}. no new claims to deallocate, preemption: 0/${total} nodes are available: ${preemption}.`
}

function histogram(reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ')
}
