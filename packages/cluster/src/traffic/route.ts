/** One host and path of a routing object, as the data plane of its kind serves it. */
export interface Route {
  readonly namespace: string
  /** Name of the routing object, such as the stable Ingress; empty for requests that no object carries. */
  readonly ingress: string
  /** Empty: any host. `*.example.com` fits one label. */
  readonly host: string
  readonly path: string
  readonly match: 'exact' | 'prefix' | 'text'
  /** The first that fits a request takes it; where none does, a less specific route may. */
  readonly rules: readonly Rule[]
  /** This route's part of the load that is asked for on its object. */
  readonly requestsPerSecond: number
  /** What generated requests carry. */
  readonly headers: Headers
}

export interface Rule {
  readonly fits: (asked: Asked) => boolean
  readonly backends: readonly Backend[]
  /** Who gets a copy of these requests without anybody waiting for the answer. */
  readonly mirror?: { readonly backend: Backend; readonly share: number }
}

/** Where requests may go. */
export interface Backend {
  readonly service: string
  /** Null: that of the routing object. */
  readonly namespace: string | null
  /** Its part of the sum of all weights of the rule; none where that is 0. */
  readonly weight: number
  /** Labels that its pods must have besides what the Service selects. */
  readonly subset: Readonly<Record<string, string>> | null
  /** Its pods are all that `subset` chooses, whatever the Service selects, as a registry of its own would have them. */
  readonly isBySubset: boolean
  /** As ingress-nginx names its canaries in metrics: `<namespace>-<service>-<port>`; empty for what is no canary. */
  readonly upstream: string
  /** Passed over while it has no endpoints, as ingress-nginx has no balancer for such a canary. */
  readonly isOptional: boolean
}

export interface Asked {
  /** Without port. */
  readonly host: string
  readonly path: string
  readonly method: string
  readonly headers: Headers
}

export function backendTo(service: string, facts: Partial<Backend> = {}): Backend {
  return {
    service,
    namespace: null,
    weight: 1,
    subset: null,
    isBySubset: false,
    upstream: '',
    isOptional: false,
    ...facts,
  }
}

/** A rule that takes every request. */
export function always(backends: readonly Backend[]): Rule {
  return { fits: () => true, backends }
}

/**
 * The most specific route that takes a request; undefined where none does. A host with routes of its own never falls
 * back to those of others, as a server block of nginx does not.
 */
export function routeFor(routes: readonly Route[], asked: Asked): Route | undefined {
  const host = asked.host.toLowerCase()
  const wildcard = host.replace(/^[^.]+/, '*')
  const server = [host, wildcard, ''].find((name) => routes.some((route) => route.host === name))
  return routes
    .filter((route) => route.host === server && reaches(route, asked.path))
    .sort(
      (a, b) =>
        Number(b.match === 'exact') - Number(a.match === 'exact') || b.path.length - a.path.length,
    )
    .find((route) => route.rules.some((rule) => rule.fits(asked)))
}

function reaches(route: Route, path: string): boolean {
  if (route.match === 'exact') return path === route.path
  if (route.match === 'text') return path.startsWith(route.path)
  const bare = route.path.replace(/\/+$/, '')
  return path === bare || path.startsWith(`${bare}/`)
}
