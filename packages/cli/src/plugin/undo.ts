import { annotationKeys, hashLabel, kinds, type PodTemplateSpec } from '@serinus/api'
import type { ReplicaSet } from '@serinus/engine'
import { type Resource, resources } from '@serinus/kube'
import { type Access, podLabels, readRollout, type StoredRollout } from './access.ts'
import { workloadKind } from './workload.ts'

/**
 * Puts the pod template of an earlier revision back (spec cli 8.3). Returns the line to print.
 * @param toRevision 0: the one before the latest
 */
export async function undo(access: Access, name: string, toRevision: number): Promise<string> {
  const { client, namespace } = access
  const rollout = await readRollout(access, name)
  const labelSelector = await podLabels(access, rollout)
  const sets = await client.list<ReplicaSet>(resources.replicaSets, { namespace, labelSelector })
  const { set, revision } = revisionOf(rollout, { sets: sets.items, toRevision })
  // The planners take longer to load than other commands to run: this command alone loads them.
  const { ownTemplate } = await import('@serinus/engine')
  // What the controller put in would stay for ever, and make a new revision instead of the old one again.
  const template = ownTemplate(set)
  if (rollout.spec.template && isContained(withoutHash(rollout.spec.template), template)) {
    return `skipped rollback (current template already matches revision ${revision})`
  }
  const { resource, key, path } = targetOf(rollout, { namespace, toRevision })
  const body = [{ op: 'replace', path, value: template }]
  await client.patch(resource, key, { kind: 'json', body })
  return `rollout '${name}' undo`
}

function revisionOf(
  rollout: StoredRollout,
  from: { readonly sets: readonly ReplicaSet[]; readonly toRevision: number },
): { readonly set: ReplicaSet; readonly revision: number } {
  const known = from.sets
    .filter((set) =>
      set.metadata.ownerReferences?.some(
        ({ controller, uid }) => controller && uid === rollout.metadata.uid,
      ),
    )
    .flatMap((set) => {
      const text = set.metadata.annotations?.[annotationKeys.revision] ?? '0'
      return /^\d+$/.test(text) ? [{ set, revision: Number(text) }] : []
    })
    .sort((a, b) => b.revision - a.revision)
  const { toRevision } = from
  const found = toRevision > 0 ? known.find((one) => one.revision === toRevision) : known[1]
  if (found) return found
  throw new Error(
    toRevision > 0
      ? `unable to find specified revision ${toRevision} in history`
      : `no revision found for rollout "${rollout.metadata.name}"`,
  )
}

function targetOf(
  rollout: StoredRollout,
  facts: { readonly namespace: string; readonly toRevision: number },
): { resource: Resource; key: { namespace: string; name: string }; path: string } {
  const { namespace, toRevision } = facts
  const { workloadRef } = rollout.spec
  if (!workloadRef) {
    const key = { namespace, name: rollout.metadata.name }
    return { resource: kinds.rollouts, key, path: '/spec/template' }
  }
  const kind = workloadKind(workloadRef)
  if (!kind) {
    throw new Error(
      `failed restoring revision ${toRevision}: workload of type ${workloadRef.kind} is not supported`,
    )
  }
  const key = { namespace, name: workloadRef.name ?? '' }
  return { resource: kind.resource, key, path: kind.templatePath }
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const labels = without(template.metadata?.labels, { [hashLabel]: '' })
  return { ...template, metadata: { ...template.metadata, labels: labels ?? {} } }
}

type StringMap = Readonly<Record<string, string>>

function without(map: StringMap | undefined, keys: object = {}): StringMap | undefined {
  const kept = Object.entries(map ?? {}).filter(([key]) => !Object.hasOwn(keys, key))
  return kept.length > 0 ? Object.fromEntries(kept) : undefined
}

/** Whether everything that `part` says is also in `whole`, which may say more (server defaults). */
function isContained(part: unknown, whole: unknown): boolean {
  if (part === null || part === '') return true
  if (typeof part !== 'object') return part === whole
  if (typeof whole !== 'object' || whole === null) return Object.keys(part).length === 0
  if (Array.isArray(part) !== Array.isArray(whole)) return false
  if (Array.isArray(part) && Array.isArray(whole) && part.length !== whole.length) return false
  return Object.entries(part).every(([key, value]) =>
    isContained(value, (whole as Record<string, unknown>)[key]),
  )
}
