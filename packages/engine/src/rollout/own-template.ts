import {
  annotationKeys,
  hashLabel,
  type PodTemplateMetadata,
  type PodTemplateSpec,
} from '@serinus/api'
import type { ReplicaSet } from '../snapshot.ts'
import { withoutAntiAffinity } from './anti-affinity.ts'

/** What was put into the pods of a ReplicaSet for its role: the annotation by which it can be taken out again (spec rollout-controller 7.3). */
export interface RoleMemo extends PodTemplateMetadata {
  /** Keys that pods may still carry from a former role. Ours; Argo Rollouts reads over it. */
  readonly leaving?: {
    readonly labels?: readonly string[]
    readonly annotations?: readonly string[]
  }
}

/** Null where nothing was put in; an unreadable memo counts as none. */
export function memoOf(set: Pick<ReplicaSet, 'metadata'>): RoleMemo | null {
  const text = set.metadata.annotations?.[annotationKeys.ephemeralMetadata]
  if (!text) return null
  try {
    const memo: unknown = JSON.parse(text)
    return typeof memo === 'object' && memo !== null ? memo : null
  } catch {
    return null
  }
}

/**
 * The pod template as the user wrote it: without the hash label, the metadata of the role and the anti-affinity that
 * the controller puts in. Neither the comparison of templates nor a rollback may take these for the user's
 * (spec rollout-controller 2.2, falls short 31).
 */
export function ownTemplate(set: ReplicaSet): PodTemplateSpec {
  const { metadata, spec, ...rest } = set.spec.template
  const memo = memoOf(set)
  const { labels: _l, annotations: _a, ...others } = metadata ?? {}
  const labels = without(metadata?.labels, [hashLabel, ...Object.keys(memo?.labels ?? {})])
  const annotations = without(metadata?.annotations, Object.keys(memo?.annotations ?? {}))
  return {
    ...rest,
    metadata: {
      ...others,
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
    },
    ...(spec ? { spec: withoutAntiAffinity(spec) } : {}),
  }
}

function without(
  map: Readonly<Record<string, string>> | undefined,
  keys: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const kept = Object.entries(map ?? {}).filter(([key]) => !keys.includes(key))
  return kept.length > 0 ? Object.fromEntries(kept) : undefined
}
