import {
  annotationKeys,
  hashLabel,
  type PodTemplateMetadata,
  type PodTemplateSpec,
} from '@serinus/api'
import { deepEqual, mergePatch, resources } from '@serinus/kube'
import type { Pod } from '../snapshot.ts'
import { withAntiAffinity } from './anti-affinity.ts'
import type { Draft } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import { memoOf, type RoleMemo } from './own-template.ts'
import type { Sized } from './replica-sets.ts'
import { keyOfSet } from './resize.ts'

type StringMap = Readonly<Record<string, string>>
type Roles = Pick<RolloutFacts, 'snapshot' | 'newSet' | 'stable'>

const fields = ['labels', 'annotations'] as const
type Field = (typeof fields)[number]

/** Pods that one pass relabels at most, so that a large Rollout does not delay the verdicts of its next pass. */
const podsPerPass = 50

/** The template of a new ReplicaSet: what the user wrote, and what its role adds (spec rollout-controller 2.3, 7.3, 7.4). */
export function templateInRole(
  facts: Roles,
  template: PodTemplateSpec,
): { readonly template: PodTemplateSpec; readonly memo: string | null } {
  const { newSet, snapshot } = facts
  const role = metadataOf(facts, newSet)
  return {
    template: {
      ...template,
      metadata: {
        ...template.metadata,
        labels: { ...template.metadata?.labels, ...role.labels, [hashLabel]: newSet.hash },
        ...(template.metadata?.annotations || role.annotations
          ? { annotations: { ...template.metadata?.annotations, ...role.annotations } }
          : {}),
      },
      ...(template.spec
        ? { spec: withAntiAffinity(template.spec, snapshot.rollout, rivalOf(facts)) }
        : {}),
    },
    memo: textOf(role),
  }
}

/**
 * Keeps what the controller adds to pods in step with the role of their ReplicaSet: on its template, for pods to come,
 * and on pods that run, without a restart. Keys of a former role, or of a configuration that is gone, are taken away
 * by the memo (falls short 30). A changed template restarts nothing, so that an anti-affinity that has lost its
 * meaning goes with the promotion; pods that run keep theirs, since it cannot be changed (falls short 46).
 */
export function syncRoles(facts: RolloutFacts, draft: Draft): void {
  for (const set of facts.all) {
    if (!set.object || (set !== facts.newSet && hasNoPods(set))) continue
    const role = metadataOf(facts, set)
    const memo = memoOf(set.object)
    const pods = facts.snapshot.pods?.filter(
      ({ owner, isTerminating }) => owner === set.object?.metadata.uid && !isTerminating,
    )
    const isInvolved = memo !== null || textOf(role) !== null
    if (isInvolved && !hasNoPods(set)) draft.needsPods = true
    const changes = (pods ?? []).flatMap((pod) => podPatch(facts, { pod, set, role, memo }) ?? [])
    const isClean = isSettled(set, pods) && changes.length === 0
    const next = nextMemo(set, { role, memo, isClean })
    const template = syncTemplate(facts, draft, { set, role, memo: next })
    for (const { pod, body } of changes.slice(0, podsPerPass)) {
      draft.writes.push({
        kind: 'patch',
        id: `pod/${pod.name}`,
        resource: resources.pods,
        key: { ...keyOfSet(facts, set), name: pod.name },
        patch: { kind: 'merge', body },
        // The memo first: it alone knows what has to be taken away again.
        ...(template === null ? {} : { requires: [template] }),
      })
    }
  }
}

/** Whose pods the new version keeps away from; null: nobody's, since it is the stable one or there is none. */
function rivalOf({ snapshot, newSet }: Roles): string | null {
  const stableHash = snapshot.rollout.status?.stableRS
  return stableHash && stableHash !== newSet.hash ? stableHash : null
}

function metadataOf({ snapshot, newSet, stable }: Roles, set: Sized): PodTemplateMetadata {
  const { canary, blueGreen } = snapshot.rollout.spec.strategy ?? {}
  const latest = canary ? canary.canaryMetadata : blueGreen?.previewMetadata
  const settled = canary ? canary.stableMetadata : blueGreen?.activeMetadata
  if (set === newSet && rivalOf({ snapshot, newSet, stable }) !== null) return latest ?? {}
  return set === newSet || set === stable ? (settled ?? {}) : {}
}

/** The changes of a ReplicaSet's template as one patch. Returns its id; null: none is needed. */
function syncTemplate(
  facts: RolloutFacts,
  draft: Draft,
  {
    set,
    role,
    memo,
  }: { readonly set: Sized; readonly role: PodTemplateMetadata; readonly memo: string | null },
): string | null {
  if (!set.object) return null
  const { template } = set.object.spec
  const key = annotationKeys.ephemeralMetadata
  const present = set.object.metadata.annotations?.[key]
  const isNoted = deepEqual(memoOf(set.object), JSON.parse(memo ?? 'null'))
  const body = mergePatch(
    { metadata: { annotations: { [key]: present } }, spec: { template } },
    {
      metadata: { annotations: { [key]: isNoted ? present : memo } },
      spec: { template: templateFor(facts, { set, role, template }) },
    },
  )
  if (body === undefined) return null
  const id = `role/${set.name}`
  const patch = { kind: 'merge', body } as const
  const resource = resources.replicaSets
  draft.writes.push({ kind: 'patch', id, resource, key: keyOfSet(facts, set), patch })
  return id
}

function templateFor(
  facts: RolloutFacts,
  {
    set,
    role,
    template,
  }: {
    readonly set: Sized
    readonly role: PodTemplateMetadata
    readonly template: PodTemplateSpec
  },
): PodTemplateSpec {
  const memo = set.object && memoOf(set.object)
  const metadata = Object.fromEntries(
    fields.flatMap((field) => {
      const present = template.metadata?.[field]
      const former = Object.keys(memo?.[field] ?? {})
      const change = changeOf(facts, set, { present, wanted: role[field], former, field })
      return present || change ? [[field, { ...present, ...change }]] : []
    }),
  )
  const rival = set === facts.newSet ? rivalOf(facts) : null
  return {
    ...template,
    metadata: { ...template.metadata, ...metadata },
    ...(template.spec
      ? { spec: withAntiAffinity(template.spec, facts.snapshot.rollout, rival) }
      : {}),
  }
}

interface PodRole {
  readonly pod: Pod
  readonly set: Sized
  readonly role: PodTemplateMetadata
  readonly memo: RoleMemo | null
}

/** Null where the pod is as its role wants it. */
function podPatch(
  facts: RolloutFacts,
  { pod, set, role, memo }: PodRole,
): { readonly pod: Pod; readonly body: object } | null {
  const metadata = Object.fromEntries(
    fields.flatMap((field) => {
      const former = [...Object.keys(memo?.[field] ?? {}), ...(memo?.leaving?.[field] ?? [])]
      const change = changeOf(facts, set, {
        present: pod[field],
        wanted: role[field],
        former,
        field,
      })
      return change ? [[field, change]] : []
    }),
  )
  return Object.keys(metadata).length > 0 ? { pod, body: { metadata } } : null
}

/** Undefined where nothing changes. What the user wrote under a key that leaves comes back where it is known. */
function changeOf(
  { snapshot, newSet }: Roles,
  set: Sized,
  keys: {
    readonly present: StringMap | undefined
    readonly wanted: StringMap | undefined
    readonly former: readonly string[]
    readonly field: Field
  },
): Readonly<Record<string, string | null>> | undefined {
  const { present = {}, wanted = {}, former, field } = keys
  const users = set === newSet ? snapshot.rollout.spec.template?.metadata?.[field] : undefined
  const leaving = former.filter((key) => !Object.hasOwn(wanted, key))
  const target = [
    ...Object.entries(wanted),
    ...leaving.map((key): [string, string | null] => [key, users?.[key] ?? null]),
  ]
  const change = target.filter(([key, value]) => (present[key] ?? null) !== value)
  return change.length > 0 ? Object.fromEntries(change) : undefined
}

function hasNoPods(set: Sized): boolean {
  return set.spec === 0 && set.pods === 0
}

/** Whether every pod of the ReplicaSet is known and none can come any more from a template that was changed. */
function isSettled(set: Sized, pods: readonly Pod[] | undefined): boolean {
  if (hasNoPods(set)) return true
  const { metadata, status } = set.object ?? {}
  const isObserved = (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0)
  return pods !== undefined && isObserved && pods.length >= set.pods
}

/** Keys that leave the template stay in the memo until no pod can have them. */
function nextMemo(
  set: Sized,
  { role, memo, isClean }: Pick<PodRole, 'role' | 'memo'> & { readonly isClean: boolean },
): string | null {
  const isFormer = (field: Field) => (key: string) => !Object.hasOwn(role[field] ?? {}, key)
  const leave = (field: Field) => Object.keys(memo?.[field] ?? {}).filter(isFormer(field))
  const wait = (field: Field) => (memo?.leaving?.[field] ?? []).filter(isFormer(field))
  const isFirst = fields.some((field) => leave(field).length > 0)
  if (hasNoPods(set) || (isClean && !isFirst)) return textOf(role)
  const leaving = (field: Field) => [...new Set([...leave(field), ...wait(field)])].sort()
  return textOf(role, { labels: leaving('labels'), annotations: leaving('annotations') })
}

/** As Argo Rollouts writes it: sorted keys, nothing empty; null: nothing to note. */
function textOf(role: PodTemplateMetadata, leaving: RoleMemo['leaving'] = {}): string | null {
  const filled = Object.fromEntries(
    fields.flatMap((field) => {
      const entries = Object.entries(role[field] ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
      return entries.length > 0 ? [[field, Object.fromEntries(entries)]] : []
    }),
  )
  const left = Object.fromEntries(
    fields.flatMap((field) => ((leaving[field] ?? []).length > 0 ? [[field, leaving[field]]] : [])),
  )
  const memo = { ...filled, ...(Object.keys(left).length > 0 ? { leaving: left } : {}) }
  return Object.keys(memo).length > 0 ? JSON.stringify(memo) : null
}
