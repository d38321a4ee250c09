import { hashLabel, type PodSpec, type Rollout } from '@serinus/api'

const required = 'requiredDuringSchedulingIgnoredDuringExecution'
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'

/**
 * Keeps the pods of a new version off the nodes of the stable one (spec rollout-controller 7.4). Terms of the user
 * stay; one that names a former stable version is replaced.
 * @param stableHash null: there is nothing to keep away from, and only the user's own terms stay
 */
export function withAntiAffinity(
  spec: PodSpec,
  rollout: Rollout,
  stableHash: string | null,
): PodSpec {
  const own = withoutAntiAffinity(spec)
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  const wish = (canary ?? blueGreen)?.antiAffinity
  if (!wish || stableHash === null) return own
  const term = {
    labelSelector: {
      matchExpressions: [{ key: hashLabel, operator: 'In', values: [stableHash] }],
    },
    namespaces: [rollout.metadata.namespace ?? 'default'],
    topologyKey: 'kubernetes.io/hostname',
  }
  const present = own.affinity?.podAntiAffinity
  const podAntiAffinity = wish[preferred]
    ? {
        ...present,
        [preferred]: [
          ...(present?.[preferred] ?? []),
          { weight: wish[preferred].weight, podAffinityTerm: term },
        ],
      }
    : { ...present, [required]: [...(present?.[required] ?? []), term] }
  return { ...own, affinity: { ...own.affinity, podAntiAffinity } }
}

/** The pod spec without the terms that a controller put in; they are known by the hash label in them. */
export function withoutAntiAffinity(spec: PodSpec): PodSpec {
  const present = spec.affinity?.podAntiAffinity
  if (!present) return spec
  const kept = Object.entries(present).flatMap(([list, terms]) => {
    const users = (terms as readonly unknown[]).filter((term) => !isInjected(term))
    return users.length > 0 ? [[list, users]] : []
  })
  const { affinity: { podAntiAffinity: _, ...others } = {}, ...rest } = spec
  const affinity =
    kept.length > 0 ? { ...others, podAntiAffinity: Object.fromEntries(kept) } : others
  return Object.keys(affinity).length > 0 ? { ...rest, affinity } : rest
}

interface Term {
  readonly labelSelector?: {
    readonly matchExpressions?: readonly { readonly key?: string }[]
  } | null
  /** Of a preferred one: what a required term is. */
  readonly podAffinityTerm?: Term
}

/** A term need not have a selector (falls short 46). */
function isInjected(term: unknown): boolean {
  const { labelSelector, podAffinityTerm } = (term ?? {}) as Term
  const selector = podAffinityTerm?.labelSelector ?? labelSelector
  return selector?.matchExpressions?.some(({ key }) => key === hashLabel) ?? false
}
