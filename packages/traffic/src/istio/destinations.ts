import type { TrafficRouting } from '@serinus/api'
import type { DesiredRoutes } from '@serinus/engine'
import type { RolloutFacts } from '../router.ts'
import { serviceOf } from './names.ts'
import type { RouteDestination } from './objects.ts'

/** By what a route's destinations are told apart: by subset where the Rollout has a DestinationRule, else by host. */
export interface Ends {
  readonly by: 'host' | 'subset'
  readonly stable: string
  readonly canary: string
  /** Subsets whose weights are the user's own business. */
  readonly ofUser: readonly string[]
}

export function endsOf(
  { destinationRule: rule }: NonNullable<TrafficRouting['istio']>,
  { services }: Pick<RolloutFacts, 'services'>,
): Ends {
  if (!rule) return { by: 'host', ...services, ofUser: [] }
  return {
    by: 'subset',
    stable: rule.stableSubsetName,
    canary: rule.canarySubsetName,
    ofUser: rule.additionalSubsetNames ?? [],
  }
}

/** The share that the destinations of a weighted route are to have. */
export interface Split
  extends Pick<DesiredRoutes, 'weight' | 'max'>,
    Partial<Pick<DesiredRoutes, 'additional'>> {
  /** Services of experiments whose destinations were put there by us. */
  readonly added: ReadonlySet<string>
}

type Side = 'stable' | 'canary'

export function sideOf({ destination }: RouteDestination, ends: Ends): Side | null {
  const own = ends.by === 'host' ? serviceOf(destination?.host) : destination?.subset
  if (own === ends.canary) return 'canary'
  return own === ends.stable ? 'stable' : null
}

/** The side that a route does not lead to, as upstream words it; null: it leads to both. */
export function missingEnd(route: readonly RouteDestination[], ends: Ends): string | null {
  const kind = ends.by === 'host' ? 'Service' : 'DestinationRule subset'
  for (const [side, title] of [
    ['canary', 'Canary'],
    ['stable', 'Stable'],
  ] as const) {
    if (route.some((one) => sideOf(one, ends) === side)) continue
    return `${title} ${kind} '${ends[side]}' not found in route`
  }
  return null
}

/**
 * A route's destinations with their weights. What is neither side nor an experiment keeps its weight, and stable gets
 * the rest: of 100 with 10 for the canary and 30 for somebody else, 60 (spec traffic-routing 5.3, falls short 26).
 */
export function withSplit(
  route: readonly RouteDestination[],
  ends: Ends,
  split: Split,
): readonly RouteDestination[] {
  const additional = new Map(
    (split.additional ?? []).map(({ service, weight }) => [service, weight] as const),
  )
  const present = route.filter((one) => {
    const service = serviceOf(one.destination?.host)
    return sideOf(one, ends) || additional.has(service) || !split.added.has(service)
  })
  const others = present.filter((one) => !sideOf(one, ends))
  const services = new Set(others.map(({ destination }) => serviceOf(destination?.host)))
  const port = present.find((one) => sideOf(one, ends) === 'stable')?.destination?.port
  const appended: readonly RouteDestination[] = [...additional.keys()]
    .filter((service) => !services.has(service))
    .sort()
    .map((host) => ({ destination: { host, ...(port ? { port } : {}) } }))
  const foreign = others.filter(({ destination }) => !additional.has(serviceOf(destination?.host)))
  const taken = sumOf(foreign) + [...additional.values()].reduce((sum, one) => sum + one, 0)
  const weights = { canary: split.weight, stable: Math.max(0, split.max - split.weight - taken) }
  return [...present, ...appended].map((one) => {
    const side = sideOf(one, ends)
    const weight = side ? weights[side] : additional.get(serviceOf(one.destination?.host))
    return weight === undefined || weight === (one.weight ?? 0) ? one : { ...one, weight }
  })
}

/** The canary's share on the scale of `max`; null: the route says no weights or lacks a side. */
export function shareOf(
  route: readonly RouteDestination[],
  ends: Ends,
  max: number,
): number | null {
  if (missingEnd(route, ends) || route.every(({ weight }) => weight === undefined)) return null
  const canary = sumOf(route.filter((one) => sideOf(one, ends) === 'canary'))
  const stable = sumOf(route.filter((one) => sideOf(one, ends) === 'stable'))
  const total = sumOf(route)
  // As we write it. Any other split is a share of what the weights add up to.
  if (stable === Math.max(0, max - (total - stable))) return canary
  return total > 0 ? (canary * max) / total : null
}

/** Destinations with a weight that nobody has told us of: `web-legacy with 30`. */
export function foreignIn(
  route: readonly RouteDestination[],
  ends: Ends,
  split: Split,
): readonly string[] {
  const known = new Set((split.additional ?? []).map(({ service }) => service))
  return route
    .filter((one) => {
      const { host, subset } = one.destination ?? {}
      if (sideOf(one, ends) || !one.weight || known.has(serviceOf(host))) return false
      return subset === undefined || !ends.ofUser.includes(subset)
    })
    .map(({ destination: { host = '', subset } = {}, weight }) =>
      subset === undefined ? `${host} with ${weight}` : `${host} (subset ${subset}) with ${weight}`,
    )
}

function sumOf(destinations: readonly RouteDestination[]): number {
  return destinations.reduce((sum, { weight = 0 }) => sum + weight, 0)
}
