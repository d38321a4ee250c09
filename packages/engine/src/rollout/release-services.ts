import { annotationKeys, hashLabel, type Rollout } from '@serinus/api'
import { resources } from '@serinus/kube'
import type { Write } from '../plan.ts'
import type { Service } from '../snapshot.ts'

/**
 * Gives back the Services that a Rollout once managed and no longer names: without its hash their selector is the
 * user's again (spec rollout-controller 6.1, api scenario 46).
 * @param used names that the Rollout refers to now; none once it is deleted
 */
export function releaseServices(
  rollout: Pick<Rollout, 'metadata'>,
  services: readonly Service[],
  used: ReadonlySet<string | undefined>,
): readonly Write[] {
  return services
    .filter(
      ({ metadata }) => metadata.annotations?.[annotationKeys.managedBy] === rollout.metadata.name,
    )
    .filter(({ metadata }) => !used.has(metadata.name))
    .map(({ metadata }) => ({
      kind: 'patch',
      id: `release/${metadata.name}`,
      resource: resources.services,
      key: { namespace: metadata.namespace ?? 'default', name: metadata.name },
      patch: {
        kind: 'merge',
        body: {
          metadata: { annotations: { [annotationKeys.managedBy]: null } },
          spec: { selector: { [hashLabel]: null } },
        },
      },
    }))
}

/** Names of the Services that a Rollout refers to. */
export function servicesInUse({ spec }: Pick<Rollout, 'spec'>): ReadonlySet<string | undefined> {
  const { canary, blueGreen } = spec?.strategy ?? {}
  return new Set([
    canary?.stableService,
    canary?.canaryService,
    canary?.pingPong?.pingService,
    canary?.pingPong?.pongService,
    blueGreen?.activeService,
    blueGreen?.previewService,
  ])
}
