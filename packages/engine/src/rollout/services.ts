import { annotationKeys, hashLabel, rolloutEvents } from '@serinus/api'
import { resources } from '@serinus/kube'
import type { Service } from '../snapshot.ts'
import type { Draft } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import type { Sized } from './replica-sets.ts'
import { createId } from './resize.ts'

/** Points a Service to the pods of a ReplicaSet (spec rollout-controller 6.1). Whether it may is the caller's business. */
export function pointService(
  facts: RolloutFacts,
  draft: Draft,
  change: {
    readonly service: Service
    readonly to: Sized
    /** Whether this pass asks for the ReplicaSet itself, whose pods nobody needs yet. */
    readonly isCreated?: boolean
  },
): void {
  const { service, to, isCreated = false } = change
  const from = selectedHash(service)
  const isManaged = service.metadata.annotations?.[annotationKeys.managedBy] !== undefined
  if (from === to.hash || (to.object === null && !isCreated)) return
  const id = `service/${service.metadata.name}`
  draft.writes.push({
    kind: 'patch',
    id,
    resource: resources.services,
    key: { namespace: service.metadata.namespace ?? 'default', name: service.metadata.name },
    patch: {
      kind: 'strategic',
      body: {
        ...(isManaged
          ? {}
          : {
              metadata: {
                annotations: { [annotationKeys.managedBy]: facts.snapshot.rollout.metadata.name },
              },
            }),
        spec: { selector: { [hashLabel]: to.hash } },
      },
    },
    ...(to.object === null ? { requires: [createId(to)] } : {}),
  })
  const event = { service: service.metadata.name, from: from ?? '', to: to.hash }
  draft.transitions.push({ ...rolloutEvents.switchService(event), after: id })
}

/** The revision that a Service's selector names; undefined while it names none. */
export function selectedHash(service: Service | undefined): string | undefined {
  return service?.spec?.selector?.[hashLabel]
}

export function serviceNamed(
  facts: Pick<RolloutFacts, 'snapshot'>,
  name: string | undefined,
): Service | undefined {
  return name === undefined
    ? undefined
    : facts.snapshot.services.find((service) => service.metadata.name === name)
}

/**
 * Whether requests to a Service reach the pods of that ReplicaSet and no others: its selector says so, and so do its
 * EndpointSlices where this process may read them.
 */
export function leadsTo(
  facts: Pick<RolloutFacts, 'snapshot'>,
  service: Service | undefined,
  set: Sized,
): boolean {
  if (!service || selectedHash(service) !== set.hash) return false
  const names = replicaSetsBehind(facts, service)
  return names === null || (names.length > 0 && names.every((name) => name === set.name))
}

/** Names of the ReplicaSets whose pods get the requests of a Service at present; null where that cannot be known. */
export function replicaSetsBehind(
  facts: Pick<RolloutFacts, 'snapshot'>,
  service: Service,
): readonly string[] | null {
  const { endpoints } = facts.snapshot
  if (endpoints === null) return null
  return endpoints.find((one) => one.service === service.metadata.name)?.replicaSets ?? []
}
