import { type ContainerPort, hashLabel } from '@serinus/api'
import { resources } from '@serinus/kube'
import type { ReplicaSet, Service } from '../snapshot.ts'
import {
  type ExperimentDraft,
  isTaken,
  keyIn,
  mustWait,
  namespaceOf,
  ownerReferencesOf,
  refusalOf,
} from './draft.ts'
import type { Part } from './parts.ts'
import { markOf, newReplicaSet } from './replica-sets.ts'

type Ports = NonNullable<NonNullable<Service['spec']>['ports']>

/** What became of a template's Service. */
export type ServiceOutcome =
  /** Its pods may come once these writes have succeeded. */
  | { readonly kind: 'ready'; readonly requires: readonly string[] }
  /** Its name is not free yet. */
  | { readonly kind: 'waits' }
  /** There can be none. */
  | { readonly kind: 'refused'; readonly message: string }

/**
 * Creates the Service of a template before its pods, and deletes it after them (spec analysis-and-experiments 5.3).
 * Upstream makes none, silently, for pods without ports; a template that asks for one gets those of the Rollout's
 * stable Service, or says what is missing (falls short 34).
 */
export function arrangeService(draft: ExperimentDraft, part: Part): ServiceOutcome {
  const { service, desired, wantsService } = part
  const nothing: ServiceOutcome = { kind: 'ready', requires: [] }
  if (service) {
    const isLeft = desired === 0 && (part.set?.status?.availableReplicas ?? 0) === 0
    if (!wantsService || isLeft) dropService(draft, service)
    else if (desired > 0) follow(draft, part, service)
    return nothing
  }
  if (!wantsService || desired === 0) return nothing
  const set = part.set ?? newReplicaSet(draft, part)
  const ports = portsOf(draft, set)
  // Taken over as it runs: that it has no Service is what the former controller made of it.
  if (ports.length === 0 && part.set) return nothing
  const id = `service/${part.serviceName}`
  if (mustWait(draft, id) || (ports.length === 0 && mustWaitForPorts(draft, part, id)))
    return { kind: 'waits' }
  const why =
    ports.length === 0 ? noPorts(part) : (foreign(draft, part, id) ?? refusalOf(draft, id))
  if (why !== null) {
    const message = `Failed to create Service ${part.serviceName} for template '${part.template.name}': ${why}`
    return { kind: 'refused', message }
  }
  draft.writes.push({
    kind: 'create',
    id,
    resource: resources.services,
    object: serviceOf(draft, part, { set, ports }),
  })
  return { kind: 'ready', requires: [id] }
}

/** Pods that had to be made again may have another revision. */
function follow(draft: ExperimentDraft, part: Part, { metadata, spec }: Service): void {
  const set = part.set ?? newReplicaSet(draft, part)
  const hash = hashOf(set)
  if (!hash || spec?.selector?.[hashLabel] === hash) return
  draft.writes.push({
    kind: 'patch',
    id: `service/${metadata.name}`,
    resource: resources.services,
    key: keyIn(draft, metadata.name),
    patch: { kind: 'merge', body: { spec: { selector: set.spec.selector.matchLabels ?? {} } } },
  })
}

export function dropService(draft: ExperimentDraft, { metadata }: Service): void {
  draft.writes.push({
    kind: 'delete',
    id: `service/${metadata.name}`,
    resource: resources.services,
    key: keyIn(draft, metadata.name),
    ...(metadata.uid ? { uid: metadata.uid } : {}),
  })
}

/** Whether the stable Service, whose ports this one is to have, is yet to come; says so. */
function mustWaitForPorts(draft: ExperimentDraft, { template }: Part, id: string): boolean {
  const stable = stableServiceOf(draft)
  const { services } = draft.snapshot
  if (!stable || services.some(({ metadata }) => metadata.name === stable)) return false
  const message = `Service ${stable}, whose ports template '${template.name}' is to have, is not there`
  draft.waits.push({ kind: 'effect', id, message, since: draft.now })
  return true
}

function stableServiceOf({ snapshot }: ExperimentDraft): string | undefined {
  return snapshot.rollout?.spec.strategy?.canary?.stableService
}

function noPorts({ template }: Part): string {
  return `the pods of template '${template.name}' declare no port; add spec.template.spec.containers[].ports`
}

function foreign(draft: ExperimentDraft, part: Part, id: string): string | null {
  const { services } = draft.snapshot
  const isThere = services.some(({ metadata }) => metadata.name === part.serviceName)
  if (!isThere && !isTaken(draft, id)) return null
  return `service ${part.serviceName} already exists and is not owned by experiment template ${part.template.name}`
}

function serviceOf(
  draft: ExperimentDraft,
  part: Part,
  { set, ports }: { readonly set: ReplicaSet; readonly ports: Ports },
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: part.serviceName,
      namespace: namespaceOf(draft),
      annotations: markOf(draft, part),
      ownerReferences: ownerReferencesOf(draft),
    },
    spec: { selector: set.spec.selector.matchLabels ?? {}, ports },
  }
}

/** One port per container port, else those of the stable Service of the Rollout that it belongs to. */
function portsOf(draft: ExperimentDraft, set: ReplicaSet): Ports {
  const containers = set.spec.template.spec?.containers ?? []
  const own = distinct(containers.flatMap((container) => container.ports ?? []))
  if (own.length > 0) return own
  const stable = stableServiceOf(draft)
  const service = draft.snapshot.services.find(({ metadata }) => metadata.name === stable)
  return (service?.spec?.ports ?? []).map(({ name, port, targetPort, protocol }) => ({
    ...(name ? { name } : {}),
    port,
    ...(targetPort === undefined ? {} : { targetPort }),
    ...(protocol ? { protocol } : {}),
  }))
}

/** The API wants each port once and, of several, each with a name of its own. */
function distinct(ports: readonly ContainerPort[]): Ports {
  const found = new Map<string, Ports[number]>()
  const used = new Set<string>()
  for (const { name, containerPort: port, protocol = 'TCP' } of ports) {
    const key = `${protocol.toLowerCase()}-${port}`
    if (found.has(key)) continue
    const own = name !== undefined && name !== '' && !used.has(name) ? name : key
    used.add(own)
    found.set(key, { name: own, port, targetPort: port, protocol })
  }
  const list = [...found.values()]
  const [only] = list
  const isNamed = ports.some(({ name }) => name)
  if (list.length !== 1 || !only || isNamed) return list
  const { name: _, ...unnamed } = only
  return [unnamed]
}

/** The revision of a template's pods. */
export function hashOf(set: ReplicaSet | null): string | undefined {
  return set?.metadata.labels?.[hashLabel]
}
