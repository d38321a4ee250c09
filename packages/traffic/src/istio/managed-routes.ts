import type { ManagedRoute } from '@serinus/engine'
import { type Ends, sideOf } from './destinations.ts'
import type { HttpMatch, HttpRoute, RouteDestination, StringMatch } from './objects.ts'

/**
 * The routes that a header or mirror step asks for: one per weighted route, with all that the user wrote there and both
 * its conditions and those of the step, so that no other path of the host is caught (spec traffic-routing 5.3, falls
 * short 30).
 * @param sources weighted routes, with the weights that they are to have
 */
export function managedHttpRoutes(
  wanted: ManagedRoute,
  sources: readonly HttpRoute[],
  ends: Ends,
): readonly HttpRoute[] {
  const asked = wanted.kind === 'header' ? headerMatches(wanted) : mirrorMatches(wanted)
  const routes = sources.flatMap((source) => {
    const match = intersection(source.match ?? [], asked)
    return match.length > 0 ? [managedRoute(wanted, source, { match, ends })] : []
  })
  const [first] = sources
  // No request can meet both: the user's word in the step counts, or his step would mean nothing.
  return routes.length > 0 || !first
    ? routes
    : [managedRoute(wanted, first, { match: asked, ends })]
}

/** Entries are alternatives, with one header each. */
function headerMatches({ match }: ManagedRoute & { kind: 'header' }): readonly HttpMatch[] {
  return match.map(({ headerName, headerValue }) => ({ headers: { [headerName]: headerValue } }))
}

function mirrorMatches({ match }: ManagedRoute & { kind: 'mirror' }): readonly HttpMatch[] {
  return match.map(({ method, path, headers }) => ({
    ...(method ? { method } : {}),
    ...(path ? { uri: path } : {}),
    ...(headers ? { headers } : {}),
  }))
}

function managedRoute(
  wanted: ManagedRoute,
  source: HttpRoute,
  { match, ends }: { readonly match: readonly HttpMatch[]; readonly ends: Ends },
): HttpRoute {
  const { route = [], ...rest } = source
  const canary = canaryOf(route, ends)
  const common = { ...rest, name: wanted.name, match }
  if (wanted.kind === 'header') return { ...common, route: [{ ...canary, weight: 100 }] }
  // Istio takes one kind of mirror a route; the step's goes before the user's.
  const {
    mirrors: _,
    mirrorPercent: __,
    ...kept
  } = common as typeof common & {
    readonly mirrors?: unknown
    readonly mirrorPercent?: unknown
  }
  const { percentage } = wanted
  return {
    ...kept,
    route,
    ...(canary.destination ? { mirror: canary.destination } : {}),
    mirrorPercentage: { value: percentage },
  }
}

/** The canary's destination, on the port of the first one where it names none itself. */
function canaryOf(route: readonly RouteDestination[], ends: Ends): RouteDestination {
  const canary = route.find((one) => sideOf(one, ends) === 'canary') ?? {}
  const port = canary.destination?.port ?? route[0]?.destination?.port
  return { ...canary, destination: { ...canary.destination, ...(port ? { port } : {}) } }
}

/** Requests that meet one of each list; a route without conditions takes all. */
function intersection(
  own: readonly HttpMatch[],
  asked: readonly HttpMatch[],
): readonly HttpMatch[] {
  if (own.length === 0) return asked
  return own.flatMap((a) => asked.flatMap((b) => both(a, b) ?? []))
}

/** Null: no request can meet both. */
function both(own: HttpMatch, asked: HttpMatch): HttpMatch | null {
  const uri = narrower(own.uri, asked.uri)
  const method = narrower(own.method, asked.method)
  const headers: Record<string, StringMatch> = { ...own.headers }
  for (const [name, value] of Object.entries(asked.headers ?? {})) {
    // Names of headers are the same in any case.
    const present = Object.keys(headers).find((one) => one.toLowerCase() === name.toLowerCase())
    const merged = narrower(present === undefined ? undefined : headers[present], value)
    if (merged === null || merged === undefined) return null
    if (present !== undefined) delete headers[present]
    headers[name] = merged
  }
  if (uri === null || method === null) return null
  return {
    ...own,
    ...(uri ? { uri } : {}),
    ...(method ? { method } : {}),
    ...(Object.keys(headers).length > 0 ? { headers } : {}),
  }
}

/** What meets both conditions; of a regular expression and another condition that of the step. Null: nothing does. */
function narrower(
  own: StringMatch | undefined,
  asked: StringMatch | undefined,
): StringMatch | null | undefined {
  if (!own || !asked) return asked ?? own
  if (own.regex !== undefined || asked.regex !== undefined) return asked
  for (const [a, b] of [
    [own, asked],
    [asked, own],
  ] as const) {
    const text = a.exact ?? a.prefix ?? ''
    if (b.exact === undefined ? text.startsWith(b.prefix ?? '') : a.exact === b.exact) return a
  }
  return null
}
