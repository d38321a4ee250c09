import { type Change, deepEqual, keyOf, resources } from '@serinus/kube'
import { matchesLabelSelector } from '../apiserver/selectors.ts'
import { isReady, type Pod } from '../pods/pod.ts'
import {
  byService,
  type Context,
  ignoreNotFound,
  objectKey,
  onEachChange,
  startController,
} from './controller.ts'
import { planEndpointSlices, planEndpoints, serviceNameLabel, sliceManager } from './endpoints.ts'
import type { EndpointSlice, Service } from './objects.ts'

const zoneLabel = 'topology.kubernetes.io/zone'

/** Keeps EndpointSlices and Endpoints of Services with a selector (kubernetes: endpointslice and endpoint controllers). */
export function startEndpointsController(context: Context): void {
  const { client, caches } = context
  const { services, pods, endpoints, endpointSlices, nodes } = caches
  const { queue } = startController(context, { component: 'endpoint-slice-controller', sync })
  /** Slices that were created and that the cache has not shown: a second creation would double their endpoints. */
  const awaited = new Map<string, Set<string>>()

  onEachChange(services, (key) => queue.add(key))
  pods.subscribe((change) => {
    if (!matters(change)) return
    enqueueServices(change.object)
    if (change.type === 'modified') enqueueServices(change.previous)
  })
  endpointSlices.subscribe((change) => {
    const name = change.object.metadata.labels?.[serviceNameLabel]
    if (!name) return
    const key = `${change.object.metadata.namespace}/${name}`
    awaited.get(key)?.delete(keyOf(change.object))
    // Our own writes come back here, too; planning them again finds nothing to do.
    queue.add(key)
  })
  endpoints.subscribe((change) => {
    if (change.type === 'deleted') queue.add(keyOf(change.object))
  })

  function enqueueServices(pod: Pod): void {
    for (const service of services.list(pod.metadata.namespace)) {
      if (selects(service, pod)) queue.add(keyOf(service))
    }
  }

  async function sync(key: string): Promise<void> {
    const service = services.get(key)
    if (!service) {
      awaited.delete(key)
      return removeAll(key)
    }
    if (!service.spec.selector || service.spec.type === 'ExternalName') return
    if (service.metadata.deletionTimestamp || (awaited.get(key)?.size ?? 0) > 0) return
    const selected = pods
      .list(service.metadata.namespace)
      .filter((pod) => selects(service, pod))
      .sort(byCreation)
    await writeSlices(key, service, selected)
    const plan = planEndpoints({ service, pods: selected, stored: endpoints.get(key) })
    if (!plan) return
    if (plan.metadata.uid) await client.update(resources.endpoints, plan)
    else await client.create(resources.endpoints, plan)
  }

  async function writeSlices(
    key: string,
    service: Service,
    selected: readonly Pod[],
  ): Promise<void> {
    const plan = planEndpointSlices({
      service,
      pods: selected,
      slices: ownSlices(key),
      zoneOf: (node) => nodes.get(node)?.metadata.labels?.[zoneLabel],
    })
    for (const slice of plan.updates) await client.update(resources.endpointSlices, slice)
    for (const slice of plan.creates) {
      const created = await client.create(resources.endpointSlices, slice)
      if (endpointSlices.get(keyOf(created))) continue
      awaited.set(key, (awaited.get(key) ?? new Set()).add(keyOf(created)))
    }
    for (const slice of plan.deletes) {
      await client.delete(resources.endpointSlices, objectKey(slice)).catch(ignoreNotFound)
    }
  }

  async function removeAll(key: string): Promise<void> {
    for (const slice of ownSlices(key)) {
      await client.delete(resources.endpointSlices, objectKey(slice)).catch(ignoreNotFound)
    }
    const stored = endpoints.get(key)
    if (stored?.metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller') {
      await client.delete(resources.endpoints, objectKey(stored)).catch(ignoreNotFound)
    }
  }

  function ownSlices(key: string): readonly EndpointSlice[] {
    return endpointSlices
      .byIndex(byService, key)
      .filter(
        ({ metadata }) =>
          metadata.labels?.['endpointslice.kubernetes.io/managed-by'] === sliceManager &&
          !metadata.deletionTimestamp,
      )
  }
}

function selects(service: Service, pod: Pod): boolean {
  const matchLabels = service.spec.selector
  if (!matchLabels || service.spec.type === 'ExternalName') return false
  return matchesLabelSelector({ matchLabels }, pod.metadata.labels ?? {})
}

/** Most changes of pods (an event of a probe, a restart count) move no endpoint. */
function matters(change: Change<Pod>): boolean {
  if (change.type !== 'modified') return true
  const { object, previous } = change
  return (
    isReady(object) !== isReady(previous) ||
    object.status?.podIP !== previous.status?.podIP ||
    object.status?.phase !== previous.status?.phase ||
    object.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
    !deepEqual(object.metadata.labels ?? {}, previous.metadata.labels ?? {})
  )
}

function byCreation(a: Pod, b: Pod): number {
  const one = a.metadata.creationTimestamp ?? ''
  const other = b.metadata.creationTimestamp ?? ''
  if (one !== other) return one < other ? -1 : 1
  return a.metadata.name < b.metadata.name ? -1 : 1
}
