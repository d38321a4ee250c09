import { annotationKeys, hashLabel, kinds } from '@serinus/api'
import type { ReplicaSet } from '@serinus/engine'
import { resources } from '@serinus/kube'
import { type Access, readRollout, selectorText } from './access.ts'

/** Spec cli 8.3. Returns the text to print, newline included where there is one. */
export async function undo(access: Access, name: string, toRevision: number): Promise<string> {
  const { client, namespace } = access
  const rollout = await readRollout(access, name)
  const sets = await client.list<ReplicaSet>(resources.replicaSets, {
    namespace,
    labelSelector: selectorText(rollout),
  })
  const mine = sets.items
    .filter((set) =>
      set.metadata.ownerReferences?.some((r) => r.controller && r.uid === rollout.metadata.uid),
    )
    .map((set) => ({
      set,
      revision: Number(set.metadata.annotations?.[annotationKeys.revision] ?? 0),
    }))
    .filter(({ revision }) => !Number.isNaN(revision))
    .sort((a, b) => b.revision - a.revision)
  const chosen = toRevision > 0 ? mine.find(({ revision }) => revision === toRevision) : mine[1]
  if (!chosen) {
    throw new Error(
      toRevision > 0
        ? `unable to find specified revision ${toRevision} in history`
        : `no revision found for rollout "${name}"`,
    )
  }
  const template = withoutInjected(chosen.set)
  if (isContained(rollout.spec.template, template)) {
    return `skipped rollback (current template already matches revision ${toRevision})`
  }
  await client.patch(
    kinds.rollouts,
    { namespace, name },
    {
      kind: 'json',
      body: [{ op: 'replace', path: '/spec/template', value: template }],
    },
  )
  return `rollout '${name}' undo\n`
}

/** What the controller put into the template is not the user's, and would make a new revision (falls short 31). */
function withoutInjected(set: ReplicaSet): ReplicaSet['spec']['template'] {
  const { [hashLabel]: _, ...labels } = set.spec.template.metadata?.labels ?? {}
  const memo = set.metadata.annotations?.[annotationKeys.ephemeralMetadata]
  const injected: { labels?: object; annotations?: object } = memo ? JSON.parse(memo) : {}
  const without = (map: Readonly<Record<string, string>>, keys: object | undefined) =>
    Object.fromEntries(Object.entries(map).filter(([key]) => !(key in (keys ?? {}))))
  const annotations = without(set.spec.template.metadata?.annotations ?? {}, injected.annotations)
  return {
    ...set.spec.template,
    metadata: {
      labels: without(labels, injected.labels),
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    },
  }
}

/** Whether everything that `part` says is also in `whole`, which may say more (server defaults). */
function isContained(part: unknown, whole: unknown): boolean {
  if (typeof part !== 'object' || part === null) return part === whole
  if (typeof whole !== 'object' || whole === null) return Object.keys(part).length === 0
  if (Array.isArray(part) !== Array.isArray(whole)) return false
  if (Array.isArray(part) && Array.isArray(whole) && part.length !== whole.length) return false
  return Object.entries(part).every(([key, value]) =>
    isContained(value, (whole as Record<string, unknown>)[key]),
  )
}
