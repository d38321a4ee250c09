import {
  annotationKeys,
  defaults,
  hashLabel,
  names,
  podTemplateHash,
  type Rollout,
} from '@serinus/api'
import { applyPodTemplateDefaults, canonicalJson } from '@serinus/kinds'
import type { ReplicaSet } from '../snapshot.ts'
import type { RolloutFacts } from './facts.ts'
import { ownTemplate } from './own-template.ts'
import { templateInRole } from './role-metadata.ts'

/** A ReplicaSet in the numbers that planning works with; `object` is null while it is still to be created. */
export interface Sized {
  readonly object: ReplicaSet | null
  readonly name: string
  readonly hash: string
  readonly revision: number
  /** The revision that it was created with. */
  readonly firstRevision: number
  readonly spec: number
  readonly available: number
  readonly ready: number
  /** `status.replicas`: pods that exist. */
  readonly pods: number
  readonly createdAt: number
  /** `scale-down-deadline`, epoch milliseconds; null: none. */
  readonly deadline: number | null
  /** Its last update was aborted. */
  readonly wasAborted: boolean
  /** An update that goes back to it began while its pods had not gone yet. */
  readonly isFastRollback: boolean
}

/** The ReplicaSets of a Rollout by their role (spec rollout-controller, vocabulary). */
export interface Roles {
  readonly newSet: Sized
  readonly stable: Sized | null
  /** Neither new nor stable, oldest first. */
  readonly others: readonly Sized[]
  /** True when `newSet` does not exist yet. */
  readonly missing: boolean
  readonly collisionCount: number | undefined
}

export function rolesOf(input: {
  readonly rollout: Rollout
  readonly replicaSets: readonly ReplicaSet[]
  readonly takenNames: readonly string[]
}): Roles {
  const { rollout } = input
  const owned = input.replicaSets
    .filter((set) => set.metadata.labels?.[hashLabel])
    .map(size)
    .sort(byAge)
  let collisionCount = rollout.status?.collisionCount
  let hash = podTemplateHash(rollout.spec.template ?? {}, { collisionCount })
  const found = findNew(owned, rollout, hash)
  const rest = owned.filter((set) => set !== found)
  const next = Math.max(0, ...rest.map((set) => set.revision)) + 1
  // A version that comes back gets the highest number, whether its ReplicaSet says so already or not (2.4).
  let newSet = found && { ...found, revision: Math.max(found.revision, next) }
  if (!newSet) {
    while (input.takenNames.includes(names.replicaSet(rollout.metadata.name, hash))) {
      collisionCount = (collisionCount ?? 0) + 1
      hash = podTemplateHash(rollout.spec.template ?? {}, { collisionCount })
    }
    newSet = toBeCreated(names.replicaSet(rollout.metadata.name, hash), hash, next)
  }
  const current = newSet
  const stableHash = rollout.status?.stableRS
  const stable = stableHash
    ? current.hash === stableHash
      ? current
      : (rest.find((set) => set.hash === stableHash) ?? null)
    : null
  return {
    newSet: current,
    stable,
    others: rest.filter((set) => set !== stable),
    missing: !found,
    collisionCount,
  }
}

/**
 * Oldest first. The API stores whole seconds, so that two of one second are told apart by the revision that they had
 * first: a version that comes back gets a new one (spec rollout-controller 2.4).
 */
function byAge(a: Sized, b: Sized): number {
  return (
    a.createdAt - b.createdAt || a.firstRevision - b.firstRevision || (a.name < b.name ? -1 : 1)
  )
}

export function isOlder(a: Sized, b: Sized): boolean {
  return byAge(a, b) < 0
}

/** Label first, then the template's meaning, so that a changed hash function never starts an update (api.md 8.5). */
function findNew(owned: readonly Sized[], rollout: Rollout, hash: string): Sized | undefined {
  const byLabel = owned.find((set) => set.hash === hash)
  if (byLabel) return byLabel
  const before184 = podTemplateHash(rollout.spec.template ?? {}, {
    collisionCount: rollout.status?.collisionCount,
    creationTimestampNull: true,
  })
  const byOldLabel = owned.find((set) => set.hash === before184)
  if (byOldLabel) return byOldLabel
  if (owned.length === 0) return undefined
  const wanted = meaning(rollout.spec.template ?? {})
  const recorded = owned.find((set) => set.hash === rollout.status?.currentPodHash)
  const same = (set: Sized) => set.object !== null && meaning(ownTemplate(set.object)) === wanted
  return recorded && same(recorded) ? recorded : owned.find(same)
}

function meaning(template: unknown): string {
  return canonicalJson('core/v1.PodTemplateSpec', applyPodTemplateDefaults(template))
}

function size(object: ReplicaSet): Sized {
  const annotations = object.metadata.annotations ?? {}
  const revision = Number(annotations[annotationKeys.revision] ?? 0) || 0
  const deadline = Date.parse(annotations[annotationKeys.scaleDownDeadline] ?? '')
  return {
    object,
    name: object.metadata.name,
    hash: object.metadata.labels?.[hashLabel] ?? '',
    revision,
    firstRevision:
      Number.parseInt(annotations[annotationKeys.revisionHistory] ?? '', 10) || revision,
    spec: object.spec.replicas ?? 1,
    available: object.status?.availableReplicas ?? 0,
    ready: object.status?.readyReplicas ?? 0,
    pods: object.status?.replicas ?? 0,
    createdAt: Date.parse(object.metadata.creationTimestamp ?? '') || 0,
    deadline: Number.isNaN(deadline) ? null : deadline,
    wasAborted: annotations[annotationKeys.aborted] !== undefined,
    isFastRollback: annotations[annotationKeys.fastRollback] !== undefined,
  }
}

function toBeCreated(name: string, hash: string, revision: number): Sized {
  return {
    object: null,
    name,
    hash,
    revision,
    firstRevision: revision,
    spec: 0,
    available: 0,
    ready: 0,
    pods: 0,
    createdAt: Number.POSITIVE_INFINITY,
    deadline: null,
    wasAborted: false,
    isFastRollback: false,
  }
}

const notCopied: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  annotationKeys.revision,
  annotationKeys.revisionHistory,
  annotationKeys.desiredReplicas,
  annotationKeys.notified,
])

/** The ReplicaSet of a new revision, created at its first size so that no second write is needed (spec rollout-controller 2.3, 8). */
export function newReplicaSet(
  facts: Pick<RolloutFacts, 'snapshot' | 'newSet' | 'stable'>,
  replicas: number,
): ReplicaSet {
  const {
    snapshot: { rollout },
    newSet: set,
  } = facts
  const written = rollout.spec.template ?? { spec: { containers: [] } }
  const labels = { ...written.metadata?.labels, [hashLabel]: set.hash }
  const { template, memo } = templateInRole(facts, written)
  const copied = Object.entries(rollout.metadata.annotations ?? {}).filter(
    ([key]) => !notCopied.has(key),
  )
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: set.name,
      namespace: rollout.metadata.namespace ?? 'default',
      labels,
      annotations: {
        ...Object.fromEntries(copied),
        [annotationKeys.revision]: String(set.revision),
        [annotationKeys.desiredReplicas]: String(defaults.replicas(rollout)),
        ...(memo === null ? {} : { [annotationKeys.ephemeralMetadata]: memo }),
      },
      ownerReferences: [
        {
          apiVersion: 'argoproj.io/v1alpha1',
          kind: 'Rollout',
          name: rollout.metadata.name,
          uid: rollout.metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      replicas,
      ...(rollout.spec.minReadySeconds ? { minReadySeconds: rollout.spec.minReadySeconds } : {}),
      selector: {
        ...rollout.spec.selector,
        matchLabels: { ...rollout.spec.selector?.matchLabels, [hashLabel]: set.hash },
      },
      template,
    },
  }
}
