import type { ObjectMeta, UnknownObject } from '@serinus/kube'
import type { ServedResource } from './served.ts'
import { groupResourceName, methodNotAllowed } from './status-error.ts'
import { isObject, type JsonObject, sameJson } from './values.ts'

/** Kinds whose spec changes count (`metadata.generation`). */
const generationKinds: ReadonlySet<string> = new Set([
  'pods',
  'replicationcontrollers',
  'deployments.apps',
  'replicasets.apps',
  'daemonsets.apps',
  'statefulsets.apps',
  'jobs.batch',
  'cronjobs.batch',
  'ingresses.networking.k8s.io',
  'ingressclasses.networking.k8s.io',
  'networkpolicies.networking.k8s.io',
  'poddisruptionbudgets.policy',
  'customresourcedefinitions.apiextensions.k8s.io',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
])

export function hasStatusDoor(served: ServedResource): boolean {
  return served.subresources.some(({ name }) => name === 'status')
}

/** A new object has no status yet, where status has a door of its own. Nodes register with theirs. */
export function withoutStatus(served: ServedResource, object: UnknownObject): UnknownObject {
  if (!hasStatusDoor(served) || served.resource.kind === 'Node' || !('status' in object)) {
    return object
  }
  const { status: _, ...rest } = object
  return rest as UnknownObject
}

/** Identity and birth of a new object, whatever its sender said about them. */
export function newborn(
  served: ServedResource,
  object: UnknownObject,
  birth: { readonly uid: string; readonly creationTimestamp: string },
): UnknownObject {
  const {
    deletionTimestamp: _deleted,
    deletionGracePeriodSeconds: _grace,
    resourceVersion: _version,
    generation: _generation,
    ...rest
  } = object.metadata
  const counted = hasGeneration(served) && { generation: 1 }
  return { ...object, metadata: { ...rest, ...birth, ...counted } }
}

/** The next object: what the door may write from `sent`, everything else from `live`. */
export function combined(
  served: ServedResource,
  live: UnknownObject,
  sent: UnknownObject,
  subresource: string,
): UnknownObject {
  const metadata = keptMetadata(live.metadata, sent.metadata)
  switch (subresource) {
    case '': {
      if (!hasStatusDoor(served)) return { ...sent, metadata }
      const { status: _, ...rest } = sent
      const status = 'status' in live && { status: live['status'] }
      return { ...rest, metadata, ...status } as UnknownObject
    }
    case 'status': {
      const { kind } = served.resource
      const free = kind === 'Node' || kind === 'Pod'
      return {
        ...live,
        metadata: free ? metadata : { ...live.metadata, ...managedFieldsOf(sent.metadata) },
        status: sent['status'],
      }
    }
    case 'scale':
    case 'finalize':
      return {
        ...live,
        metadata: { ...live.metadata, ...managedFieldsOf(sent.metadata) },
        spec: sent['spec'],
      }
    default:
      if (served.resource.kind === 'Pod') return { ...live, spec: sent['spec'] }
      throw methodNotAllowed()
  }
}

function managedFieldsOf(metadata: ObjectMeta): Partial<ObjectMeta> {
  return metadata.managedFields === undefined ? {} : { managedFields: metadata.managedFields }
}

const serverFields = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'generateName',
  'resourceVersion',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const satisfies readonly (keyof ObjectMeta)[]

function keptMetadata(live: ObjectMeta, sent: ObjectMeta): ObjectMeta {
  const next: Record<string, unknown> = { ...sent }
  for (const field of serverFields) {
    if (live[field] === undefined) delete next[field]
    else next[field] = live[field]
  }
  return next as unknown as ObjectMeta
}

function hasGeneration(served: ServedResource): boolean {
  return served.custom !== undefined || generationKinds.has(groupResourceName(served.storage))
}

/** Counts changes of what the author wants: the spec; of custom kinds all but metadata and status. */
export function withGeneration(
  served: ServedResource,
  live: UnknownObject,
  next: UnknownObject,
): UnknownObject {
  if (!hasGeneration(served)) return next
  const changed = served.custom
    ? !sameJson(wantedPart(served, live), wantedPart(served, next))
    : builtInChanged(served, live, next)
  if (!changed) return next
  const generation = (live.metadata.generation ?? 0) + 1
  return { ...next, metadata: { ...next.metadata, generation } }
}

function builtInChanged(served: ServedResource, live: UnknownObject, next: UnknownObject): boolean {
  if (!sameJson(live['spec'], next['spec']) || !sameJson(live['webhooks'], next['webhooks']))
    return true
  if (served.resource.kind !== 'Deployment') return false
  return !sameJson(live.metadata.annotations ?? {}, next.metadata.annotations ?? {})
}

function wantedPart(served: ServedResource, object: UnknownObject): JsonObject {
  const { metadata: _, apiVersion: __, status, ...rest } = object
  return hasStatusDoor(served) ? rest : { ...rest, status }
}

/** A write that changes nothing but times of managedFields is none. */
export function unchanged(live: UnknownObject, next: UnknownObject): boolean {
  return sameJson(comparable(live), comparable(next))
}

function comparable(object: UnknownObject): JsonObject {
  const { resourceVersion: _, managedFields, ...metadata } = object.metadata
  const entries = (managedFields ?? []).map((entry) =>
    isObject(entry) ? { ...entry, time: undefined } : entry,
  )
  return { ...object, metadata: { ...metadata, managedFields: entries } }
}

export function withEntries(
  object: UnknownObject,
  entries: ObjectMeta['managedFields'],
): UnknownObject {
  const { managedFields: _, ...metadata } = object.metadata
  return {
    ...object,
    metadata: entries && entries.length > 0 ? { ...metadata, managedFields: entries } : metadata,
  }
}
