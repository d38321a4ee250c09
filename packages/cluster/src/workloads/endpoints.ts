import { deepEqual } from '@serinus/kube'
import { isFinished, isReady, type Pod } from '../pods/pod.ts'
import type {
  Endpoint,
  EndpointAddress,
  EndpointPort,
  EndpointSlice,
  Endpoints,
  Service,
  ServicePort,
} from './objects.ts'

const managedBy = 'endpointslice.kubernetes.io/managed-by'
export const sliceManager = 'endpointslice-controller.k8s.io'
export const serviceNameLabel = 'kubernetes.io/service-name'
const headlessLabel = 'service.kubernetes.io/headless'
const endpointsManagedBy = 'endpoints.kubernetes.io/managed-by'

/** Most endpoints of one slice (kubernetes: --max-endpoints-per-slice). */
const fullSlice = 100

interface SlicePlan {
  readonly creates: readonly EndpointSlice[]
  readonly updates: readonly EndpointSlice[]
  readonly deletes: readonly EndpointSlice[]
}

/**
 * Slices of a Service with a selector: one group per set of resolved ports; an endpoint stays in the slice that has
 * it, new ones fill the gaps (kubernetes: pkg/controller/endpointslice).
 * A terminating pod stays listed, `ready: false` and `terminating: true`, until it is gone.
 */
export function planEndpointSlices(facts: {
  readonly service: Service
  /** Those that its selector matches. */
  readonly pods: readonly Pod[]
  readonly slices: readonly EndpointSlice[]
  readonly zoneOf: (nodeName: string) => string | undefined
}): SlicePlan {
  const { service, pods, slices } = facts
  const groups = new Map<string, { ports: EndpointPort[] | null; endpoints: Endpoint[] }>()
  for (const pod of pods) {
    if (isFinished(pod) || !pod.status?.podIP) continue
    const ports = portsOf(service, pod)
    const key = JSON.stringify(ports)
    const group = groups.get(key) ?? { ports, endpoints: [] }
    group.endpoints.push(endpointOf(service, pod, facts.zoneOf))
    groups.set(key, group)
  }
  // A Service without pods has one slice that says so.
  if (groups.size === 0) groups.set('null', { ports: null, endpoints: [] })

  const creates: EndpointSlice[] = []
  const updates: EndpointSlice[] = []
  const kept = new Set<EndpointSlice>()
  for (const [key, group] of groups) {
    const existing = slices.filter((slice) => sliceKey(slice) === key)
    const reusable = existing.length > 0 ? existing : unusedSlice(slices, groups, kept)
    for (const { slice, endpoints } of distribute(reusable, group.endpoints)) {
      const wanted = sliceOf(service, slice, { endpoints, ports: group.ports })
      if (!slice) creates.push(wanted)
      else {
        kept.add(slice)
        if (!deepEqual(comparable(slice), comparable(wanted))) updates.push(wanted)
      }
    }
  }
  return { creates, updates, deletes: slices.filter((slice) => !kept.has(slice)) }
}

/** A slice of a group that is no more serves the next one under its old name. */
function unusedSlice(
  slices: readonly EndpointSlice[],
  groups: ReadonlyMap<string, unknown>,
  kept: ReadonlySet<EndpointSlice>,
): readonly EndpointSlice[] {
  const found = slices.find((slice) => !groups.has(sliceKey(slice)) && !kept.has(slice))
  return found ? [found] : []
}

function sliceKey(slice: EndpointSlice): string {
  const { ports, endpoints } = slice
  if (!ports || (ports.length === 0 && !endpoints?.length)) return 'null'
  return JSON.stringify(
    ports.map(({ name = '', port, protocol, appProtocol }) => ({
      name,
      port,
      protocol,
      ...(appProtocol && { appProtocol }),
    })),
  )
}

function distribute(
  slices: readonly EndpointSlice[],
  endpoints: readonly Endpoint[],
): readonly { readonly slice: EndpointSlice | null; readonly endpoints: readonly Endpoint[] }[] {
  const wanted = new Map(endpoints.map((endpoint) => [endpoint.targetRef.uid, endpoint]))
  const bins: { slice: EndpointSlice | null; endpoints: Endpoint[] }[] = []
  for (const slice of slices) {
    const stay: Endpoint[] = []
    for (const { targetRef } of slice.endpoints ?? []) {
      const endpoint = wanted.get(targetRef?.uid ?? '')
      if (!endpoint) continue
      stay.push(endpoint)
      wanted.delete(endpoint.targetRef.uid)
    }
    bins.push({ slice, endpoints: stay })
  }
  for (const endpoint of wanted.values()) {
    let bin = bins.find((candidate) => candidate.endpoints.length < fullSlice)
    if (!bin) {
      bin = { slice: null, endpoints: [] }
      bins.push(bin)
    }
    bin.endpoints.push(endpoint)
  }
  if (bins.length === 0) bins.push({ slice: null, endpoints: [] })
  // One slice stays even when it is empty; further ones go.
  return bins.filter(
    (bin, index) => bin.endpoints.length > 0 || (index === 0 && endpoints.length === 0),
  )
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = targetPort(port, pod)
    if (number === undefined) return []
    return [
      {
        name: port.name ?? '',
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol && { appProtocol: port.appProtocol }),
      },
    ]
  })
}

/** Undefined when no container of the pod has a port of that name. */
function targetPort(port: ServicePort, pod: Pod): number | undefined {
  const { targetPort: target = port.port, protocol = 'TCP' } = port
  if (typeof target === 'number') return target === 0 ? port.port : target
  const sidecars = (pod.spec.initContainers ?? []).filter((init) => init.restartPolicy === 'Always')
  for (const container of [...pod.spec.containers, ...sidecars]) {
    for (const candidate of container.ports ?? []) {
      const sameProtocol = (candidate.protocol ?? 'TCP') === protocol
      if (candidate.name === target && sameProtocol) return candidate.containerPort
    }
  }
  return undefined
}

function endpointOf(
  service: Service,
  pod: Pod,
  zoneOf: (nodeName: string) => string | undefined,
): Endpoint {
  const { nodeName } = pod.spec
  const serving = isReady(pod)
  const terminating = Boolean(pod.metadata.deletionTimestamp)
  const zone = nodeName ? zoneOf(nodeName) : undefined
  const hostname = hostnameIn(service, pod)
  return {
    addresses: [pod.status?.podIP ?? ''],
    conditions: {
      ready: service.spec.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    ...(hostname && { hostname }),
    ...(nodeName && { nodeName }),
    targetRef: targetOf(pod),
    ...(zone && { zone }),
  }
}

function hostnameIn(service: Service, pod: Pod): string | undefined {
  const { hostname, subdomain } = pod.spec
  return hostname && subdomain === service.metadata.name ? hostname : undefined
}

function targetOf(pod: Pod): Endpoint['targetRef'] {
  const { namespace = '', name, uid = '' } = pod.metadata
  return { kind: 'Pod', name, namespace, uid }
}

function sliceOf(
  service: Service,
  slice: EndpointSlice | null,
  content: {
    readonly endpoints: readonly Endpoint[]
    readonly ports: readonly EndpointPort[] | null
  },
): EndpointSlice {
  const { name, namespace, uid = '' } = service.metadata
  const headless = service.spec.clusterIP === 'None'
  const labels = {
    ...service.metadata.labels,
    ...(headless && { [headlessLabel]: '' }),
    [managedBy]: sliceManager,
    [serviceNameLabel]: name,
  }
  const ports = content.ports
  // Go's empty list, as it comes back from a server that stores protobuf.
  const endpoints = content.endpoints.length === 0 ? null : content.endpoints
  if (slice) {
    return {
      ...slice,
      metadata: { ...slice.metadata, labels },
      endpoints,
      ports,
    }
  }
  const metadata = {
    generateName: `${name}-`,
    ...(namespace && { namespace }),
    labels,
    ownerReferences: [
      { apiVersion: 'v1', kind: 'Service', name, uid, controller: true, blockOwnerDeletion: true },
    ],
  }
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    // Only the server can give it a name.
    metadata: metadata as unknown as EndpointSlice['metadata'],
    addressType: 'IPv4',
    endpoints,
    ports,
  }
}

function comparable(slice: EndpointSlice): object {
  return {
    labels: slice.metadata.labels,
    endpoints: slice.endpoints ?? [],
    ports: slice.ports?.length
      ? slice.ports.map((port) => ({ ...port, name: port.name ?? '' }))
      : [],
  }
}

/** The older form of the same: terminating pods are left out. Null: the stored object is right. */
export function planEndpoints(facts: {
  readonly service: Service
  readonly pods: readonly Pod[]
  readonly stored: Endpoints | undefined
}): Endpoints | null {
  const { service, pods, stored } = facts
  const { name, namespace } = service.metadata
  const labels = {
    ...service.metadata.labels,
    ...(service.spec.clusterIP === 'None' && { [headlessLabel]: '' }),
    [endpointsManagedBy]: 'endpoint-controller',
  }
  const subsets = subsetsOf(service, pods)
  const same =
    stored &&
    deepEqual(subsets, stored.subsets ?? []) &&
    deepEqual(labels, stored.metadata.labels ?? {})
  if (same) return null
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: stored
      ? { ...stored.metadata, labels }
      : { name, ...(namespace && { namespace }), labels },
    ...(subsets.length > 0 && { subsets }),
  }
}

function subsetsOf(service: Service, pods: readonly Pod[]): NonNullable<Endpoints['subsets']> {
  const unready = service.spec.publishNotReadyAddresses === true
  const groups = new Map<
    string,
    { ports: EndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }
  >()
  for (const pod of pods) {
    const ip = pod.status?.podIP
    if (isFinished(pod) || !ip || (pod.metadata.deletionTimestamp && !unready)) continue
    const ports = portsOf(service, pod)
    // A headless Service without ports still lists its addresses.
    if (ports.length === 0 && (service.spec.ports?.length ?? 0) > 0) continue
    const key = JSON.stringify(ports)
    const group = groups.get(key) ?? { ports, ready: [], notReady: [] }
    const { nodeName } = pod.spec
    const hostname = hostnameIn(service, pod)
    const address = {
      ...(hostname && { hostname }),
      ip,
      ...(nodeName && { nodeName }),
      targetRef: targetOf(pod),
    }
    const list = isReady(pod) || unready ? group.ready : group.notReady
    list.push(address)
    groups.set(key, group)
  }
  return [...groups.values()].map(({ ports, ready, notReady }) => ({
    ...(ready.length > 0 && { addresses: ready.sort(byAddress) }),
    ...(notReady.length > 0 && { notReadyAddresses: notReady.sort(byAddress) }),
    ...(ports.length > 0 && {
      ports: ports.map(({ name, ...port }) => ({ ...(name && { name }), ...port })),
    }),
  }))
}

function byAddress(a: EndpointAddress, b: EndpointAddress): number {
  return a.ip < b.ip ? -1 : 1
}
