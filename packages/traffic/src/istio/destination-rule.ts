import { annotationKeys, hashLabel, type TrafficRouting } from '@serinus/api'
import type { DesiredRoutes } from '@serinus/engine'
import { deepEqual } from '@serinus/kube'
import type { DestinationRule, Subset } from './objects.ts'

type Config = NonNullable<NonNullable<TrafficRouting['istio']>['destinationRule']>
type Side = 'stable' | 'canary'

/** The revisions that the two subsets select; empty where a subset selects none or is not there. */
export type SubsetHashes = Readonly<Record<Side, string>>

export function hashesOf(object: DestinationRule | null, config: Config): SubsetHashes {
  const hashIn = (name: string) => subsetNamed(object, name)?.labels?.[hashLabel] ?? ''
  return { stable: hashIn(config.stableSubsetName), canary: hashIn(config.canarySubsetName) }
}

/** The first subset that a DestinationRule lacks; null: it has both. */
export function missingSubset(object: DestinationRule, config: Config): string | null {
  return (
    [config.canarySubsetName, config.stableSubsetName].find((name) => !subsetNamed(object, name)) ??
    null
  )
}

/**
 * The revisions that the subsets are to select now: a subset is moved only to pods that can answer, and until then
 * stays where it is, while everything else goes on (spec traffic-routing 5.3, falls short 4).
 * @param isCanaryFree false: what the canary's subset has of the traffic could not be brought down yet
 */
export function nextHashes(
  before: SubsetHashes,
  wanted: Pick<DesiredRoutes, Side>,
  isCanaryFree: boolean,
): SubsetHashes {
  const next = (side: Side) =>
    wanted[side].hash && wanted[side].available ? wanted[side].hash : before[side]
  const isHeld = before.canary !== '' && !isCanaryFree
  return { stable: next('stable'), canary: isHeld ? before.canary : next('canary') }
}

/**
 * The rule with these revisions and our mark; other subsets, labels and policies are kept (falls short 27, 32). The mark
 * alone is no reason to write: two Rollouts with subsets of their own in one rule would take it from each other forever.
 */
export function withHashes(
  object: DestinationRule,
  {
    config,
    hashes,
    rollout,
  }: {
    readonly config: Config
    readonly hashes: SubsetHashes
    readonly rollout: string
  },
): DestinationRule {
  if (!hashes.stable && !hashes.canary) return object
  const wanted = new Map([
    [config.stableSubsetName, hashes.stable],
    [config.canarySubsetName, hashes.canary],
  ])
  const subsets = (object.spec?.subsets ?? []).map((subset) => {
    const hash = wanted.get(subset.name ?? '')
    return hash ? { ...subset, labels: { ...subset.labels, [hashLabel]: hash } } : subset
  })
  const isMarked = object.metadata.annotations?.[annotationKeys.managedBy] !== undefined
  if (isMarked && deepEqual(subsets, object.spec?.subsets)) return object
  const annotations = { ...object.metadata.annotations, [annotationKeys.managedBy]: rollout }
  return {
    ...object,
    metadata: { ...object.metadata, annotations },
    spec: { ...object.spec, subsets },
  }
}

export function isManagedBy({ metadata }: DestinationRule, rollout: string): boolean {
  return metadata.annotations?.[annotationKeys.managedBy] === rollout
}

/** The rule without our mark and without revisions, so that its subsets select what their own labels say. */
export function withoutHashes(object: DestinationRule): DestinationRule {
  const { [annotationKeys.managedBy]: _, ...annotations } = object.metadata.annotations ?? {}
  const subsets = object.spec?.subsets?.map((subset) => {
    if (subset.labels?.[hashLabel] === undefined) return subset
    const { [hashLabel]: __, ...labels } = subset.labels
    return { ...subset, labels }
  })
  return {
    ...object,
    metadata: { ...object.metadata, annotations },
    ...(subsets ? { spec: { ...object.spec, subsets } } : {}),
  }
}

function subsetNamed(object: DestinationRule | null, name: string): Subset | undefined {
  return object?.spec?.subsets?.find((subset) => subset.name === name)
}
