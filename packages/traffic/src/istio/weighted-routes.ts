import type { TrafficRouting } from '@serinus/api'
import { type Ends, missingEnd } from './destinations.ts'
import type { HttpRoute, TcpRoute, TlsRoute, VirtualService } from './objects.ts'

/** What a Rollout says of one VirtualService. */
export type VirtualServiceEntry = NonNullable<
  NonNullable<TrafficRouting['istio']>['virtualServices']
>[number]

export const protocols = ['http', 'tls', 'tcp'] as const
type Protocol = (typeof protocols)[number]

/** Indexes of the routes of each protocol that get weights. */
export type WeightedRoutes = Readonly<Record<Protocol, ReadonlySet<number>>>

/** Why a VirtualService cannot be weighted, in upstream's words. Null: it has no routes at all. */
export interface RouteProblem {
  readonly protocol: Protocol | null
  readonly detail: string
}

/**
 * The routes that an entry of the Rollout means. Every protocol that the VirtualService has is weighted, even where the
 * Rollout names routes of only one (spec traffic-routing 5.3).
 */
export function weightedRoutes(
  object: VirtualService,
  entry: VirtualServiceEntry,
  { ends, managed }: { readonly ends: Ends; readonly managed: readonly string[] },
): { readonly routes: WeightedRoutes; readonly problems: readonly RouteProblem[] } {
  const { http = [], tls = [], tcp = [] } = object.spec ?? {}
  const problems: RouteProblem[] = []
  if (http.length + tls.length + tcp.length === 0) {
    const detail = 'Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService'
    problems.push({ protocol: null, detail })
  }
  const found = {
    http: httpRoutes(http, entry, managed),
    tls: tlsRoutes(tls, entry),
    tcp: tcpRoutes(tcp, entry),
  }
  const chosen = (protocol: Protocol): ReadonlySet<number> => {
    const indexes = found[protocol]
    if (typeof indexes === 'string') {
      problems.push({ protocol, detail: indexes })
      return new Set()
    }
    const details = indexes.flatMap(
      (index) => missingEnd(object.spec?.[protocol]?.[index]?.route ?? [], ends) ?? [],
    )
    for (const detail of new Set(details)) problems.push({ protocol, detail })
    return new Set(indexes)
  }
  return { routes: { http: chosen('http'), tls: chosen('tls'), tcp: chosen('tcp') }, problems }
}

type Indexes = readonly number[] | string

/** Routes that steps have set are none that a user can mean. */
function httpRoutes(
  routes: readonly HttpRoute[],
  { routes: names = [] }: VirtualServiceEntry,
  managed: readonly string[],
): Indexes {
  if (routes.length === 0) return []
  const own = indexesOf(routes, ({ name }) => !managed.includes(name ?? ''))
  if (names.length === 0) {
    const unnamed = own.filter((index) => !routes[index]?.name)
    if (own.length === 1) return own
    return unnamed.length === 1 ? unnamed : oneIsNeeded('http', 'routes')
  }
  for (const name of names) {
    if (own.some((index) => routes[index]?.name === name)) continue
    return `HTTP Route '${name}' is not found in the defined Virtual Service.`
  }
  return own.filter((index) => names.includes(routes[index]?.name ?? ''))
}

function tlsRoutes(
  routes: readonly TlsRoute[],
  { tlsRoutes: wanted = [] }: VirtualServiceEntry,
): Indexes {
  if (routes.length === 0) return []
  if (wanted.length === 0) return routes.length === 1 ? [0] : oneIsNeeded('tls', 'tlsRoutes')
  const groups = wanted.map(({ port, sniHosts }) =>
    indexesOf(routes, ({ match = [] }) => {
      const hosts = new Set(match.flatMap((one) => one.sniHosts ?? []))
      return isOnPort(match, port) && (!sniHosts || isSameSet(hosts, new Set(sniHosts)))
    }),
  )
  if (groups.some((group) => group.length === 0)) {
    return 'No matching TLS routes found in the defined Virtual Service.'
  }
  return groups.flat()
}

function tcpRoutes(
  routes: readonly TcpRoute[],
  { tcpRoutes: wanted = [] }: VirtualServiceEntry,
): Indexes {
  if (routes.length === 0) return []
  if (wanted.length === 0) return routes.length === 1 ? [0] : oneIsNeeded('tcp', 'tcpRoutes')
  const groups = wanted.map(({ port }) =>
    indexesOf(routes, ({ match = [] }) => isOnPort(match, port)),
  )
  if (groups.some((group) => group.length === 0)) {
    return 'No matching TCP routes found in the defined Virtual Service.'
  }
  return groups.flat()
}

/** Whether all matches of a route are on that port; what the Rollout does not name is not asked for. */
function isOnPort(match: readonly { readonly port?: number }[], port: number | undefined): boolean {
  return port === undefined || (match.length > 0 && match.every((one) => one.port === port))
}

function isSameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one))
}

function indexesOf<T>(list: readonly T[], belongs: (one: T) => boolean): readonly number[] {
  return list.flatMap((one, index) => (belongs(one) ? [index] : []))
}

function oneIsNeeded(protocol: Protocol, field: string): string {
  return `spec.${protocol}[] should be set in VirtualService and it must have exactly one route when omitting spec.strategy.canary.trafficRouting.istio.virtualService.${field}`
}
