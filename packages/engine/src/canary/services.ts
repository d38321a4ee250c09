import { annotationKeys, hashLabel, rolloutEvents } from '@serinus/api'
import { resources } from '@serinus/kube'
import type { Draft } from '../draft.ts'
import type { Sized } from '../replica-sets.ts'
import type { Service } from '../snapshot.ts'
import type { CanaryFacts, Position } from './facts.ts'

/** Decides each Service's target once per pass, so that no two rules can disagree (spec rollout-controller 6.1). */
export function switchServices(facts: CanaryFacts, draft: Draft, position: Position): void {
  const { canary, newSet, stable } = facts
  const stableSet = position.promoted ? newSet : stable
  if (stableSet) point(facts, draft, { service: canary.stableService, to: stableSet })
  const canarySet = position.aborted ? stableAfterAbort(facts, stableSet) : newSet
  if (canarySet) point(facts, draft, { service: canary.canaryService, to: canarySet })
}

/** With routing the canary Service keeps its pods until no weight leads to them any more. */
function stableAfterAbort(facts: CanaryFacts, stable: Sized | null): Sized | null {
  return facts.routed && facts.effectiveWeight !== 0 ? null : stable
}

function point(
  facts: CanaryFacts,
  draft: Draft,
  change: { readonly service: string | undefined; readonly to: Sized },
): void {
  const service = serviceNamed(facts, change.service)
  if (!service || change.to.object === null) return
  const from = service.spec?.selector?.[hashLabel]
  if (from === change.to.hash) return
  const managed = service.metadata.annotations?.[annotationKeys.managedBy] !== undefined
  // With 0 replicas there will never be a pod to wait for, and a Service that stays behind keeps old pods alive.
  const ready = managed
    ? change.to.available > 0 || facts.replicas === 0
    : change.to.spec > 0 && change.to.available >= change.to.spec
  if (!ready) return
  const id = `service/${service.metadata.name}`
  draft.writes.push({
    kind: 'patch',
    id,
    resource: resources.services,
    key: { namespace: service.metadata.namespace ?? 'default', name: service.metadata.name },
    patch: {
      kind: 'strategic',
      body: {
        ...(managed
          ? {}
          : {
              metadata: {
                annotations: { [annotationKeys.managedBy]: facts.snapshot.rollout.metadata.name },
              },
            }),
        spec: { selector: { [hashLabel]: change.to.hash } },
      },
    },
  })
  draft.transitions.push({
    ...rolloutEvents.switchService({
      service: service.metadata.name,
      from: from ?? '',
      to: change.to.hash,
    }),
    after: id,
  })
}

export function serviceNamed(facts: CanaryFacts, name: string | undefined): Service | undefined {
  return facts.snapshot.services.find((service) => service.metadata.name === name)
}
