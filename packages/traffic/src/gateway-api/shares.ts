import type { DesiredRoutes } from '@serinus/engine'
import type { RolloutFacts } from '../router.ts'
import type { BackendRef, Rule } from './objects.ts'

/** A rule's surroundings: names of Services mean those of the Rollout's namespace. */
export interface Place {
  readonly facts: RolloutFacts
  /** Of the route: where its backends are unless they say otherwise. */
  readonly namespace: string
}

export function sideIn(
  rule: Rule,
  side: 'stable' | 'canary',
  place: Place,
): BackendRef | undefined {
  return refTo(rule, place.facts.services[side], place)
}

/** Only where both sides stand can traffic be split; a rule for one of them alone is the user's own affair. */
export function isSplit(rule: Rule, place: Place): boolean {
  return Boolean(sideIn(rule, 'stable', place) && sideIn(rule, 'canary', place))
}

/**
 * The rule with the weights of both sides and of Experiments; backends of others keep theirs.
 * @param former Services of Experiments that were put there; those that are not wanted any more go
 */
export function withShares(
  rule: Rule,
  place: Place,
  { routes, former }: { readonly routes: DesiredRoutes; readonly former: readonly string[] },
): Rule {
  const stable = sideIn(rule, 'stable', place)
  if (!stable || !sideIn(rule, 'canary', place)) return rule
  const { weight, max, additional } = routes
  const shared = additional.reduce((sum, one) => sum + one.weight, 0)
  const weights = new Map([
    [place.facts.services.canary, weight],
    [place.facts.services.stable, Math.max(0, max - weight - shared)],
    ...additional.map((one) => [one.service, one.weight] as const),
  ])
  const kept = (rule.backendRefs ?? []).flatMap((ref) => {
    if (!isService(ref, place)) return [ref]
    const share = weights.get(ref.name)
    if (share !== undefined) return [{ ...ref, weight: share }]
    return former.includes(ref.name) ? [] : [ref]
  })
  const added = additional
    .filter((one) => !refTo(rule, one.service, place))
    .map((one) => ({ ...refOf(stable, one.port), name: one.service, weight: one.weight }))
  return { ...rule, backendRefs: [...kept, ...added] }
}

/** Share of the canary on the scale of `max`; null: the rule sends nothing to any of them. */
export function shareIn(rule: Rule, place: Place, former: readonly string[]): number | null {
  const { stable, canary } = place.facts.services
  const weightOf = (service: string) => {
    const ref = refTo(rule, service, place)
    // The Gateway API's default.
    return ref ? (ref.weight ?? 1) : 0
  }
  const total = [stable, canary, ...former].reduce((sum, name) => sum + weightOf(name), 0)
  return total > 0 ? (weightOf(canary) * place.facts.max) / total : null
}

/** Where a backend is, with the API server's defaults, so that what it adds is no difference. */
export function refOf(ref: BackendRef, port = ref.port): Omit<BackendRef, 'weight'> {
  const { group = '', kind = 'Service', name, namespace } = ref
  return {
    group,
    kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(port === undefined ? {} : { port }),
  }
}

function refTo(rule: Rule, service: string, place: Place): BackendRef | undefined {
  return rule.backendRefs?.find((ref) => ref.name === service && isService(ref, place))
}

function isService({ group, kind, namespace }: BackendRef, place: Place): boolean {
  const isKind = (group ?? '') === '' && (kind ?? 'Service') === 'Service'
  return isKind && (namespace ?? place.namespace) === place.facts.rollout.namespace
}
