import type { Ingress } from './objects.ts'

const prefix = 'nginx.ingress.kubernetes.io'

/** One host and path with its backends, as ingress-nginx sees them. */
export interface Route {
  readonly namespace: string
  /** Name of the stable Ingress. */
  readonly ingress: string
  readonly host: string
  readonly path: string
  readonly exact: boolean
  readonly service: string
  readonly canary: Canary | null
  /** `sim.serinus.dev/requests-per-second` of the stable Ingress. */
  readonly requestsPerSecond: number
}

interface Canary {
  readonly ingress: string
  readonly service: string
  /** 0 to 1. */
  readonly share: number
  readonly header: {
    readonly name: string
    readonly value: string | null
    readonly pattern: string | null
  } | null
  readonly cookie: string | null
}

/** All routes that the Ingresses make (spec embedded-cluster 5; canary annotations as in ingress-nginx). */
export function nginxRoutes(ingresses: readonly Ingress[]): readonly Route[] {
  const isCanary = (ingress: Ingress) =>
    ingress.metadata.annotations?.[`${prefix}/canary`] === 'true'
  const canaries = new Map<string, Canary>()
  for (const ingress of ingresses.filter(isCanary)) {
    for (const rule of pathsOf(ingress)) canaries.set(rule.key, canaryOf(ingress, rule.service))
  }
  return ingresses
    .filter((ingress) => !isCanary(ingress))
    .flatMap((ingress) =>
      pathsOf(ingress).map((rule) => ({
        namespace: ingress.metadata.namespace ?? 'default',
        ingress: ingress.metadata.name,
        host: rule.host,
        path: rule.path,
        exact: rule.exact,
        service: rule.service,
        canary: canaries.get(rule.key) ?? null,
        requestsPerSecond:
          Number(ingress.metadata.annotations?.['sim.serinus.dev/requests-per-second'] ?? 0) || 0,
      })),
    )
}

interface PathRule {
  readonly key: string
  readonly host: string
  readonly path: string
  readonly exact: boolean
  readonly service: string
}

function pathsOf(ingress: Ingress): readonly PathRule[] {
  const namespace = ingress.metadata.namespace ?? 'default'
  const rules = ingress.spec?.rules ?? []
  const found = rules.flatMap((rule) =>
    (rule.http?.paths ?? []).flatMap((path) => {
      const service = path.backend?.service?.name
      if (!service) return []
      const host = rule.host ?? ''
      return [
        {
          key: `${namespace}/${host}${path.path ?? '/'}`,
          host,
          path: path.path ?? '/',
          exact: path.pathType === 'Exact',
          service,
        },
      ]
    }),
  )
  const fallback = ingress.spec?.defaultBackend?.service?.name
  return fallback
    ? [...found, { key: `${namespace}//`, host: '', path: '/', exact: false, service: fallback }]
    : found
}

function canaryOf(ingress: Ingress, service: string): Canary {
  const annotations = ingress.metadata.annotations ?? {}
  const total = Number(annotations[`${prefix}/canary-weight-total`] ?? 100) || 100
  const weight = Number(annotations[`${prefix}/canary-weight`] ?? 0) || 0
  const header = annotations[`${prefix}/canary-by-header`]
  return {
    ingress: ingress.metadata.name,
    service,
    share: Math.min(1, Math.max(0, weight / total)),
    header: header
      ? {
          name: header.toLowerCase(),
          value: annotations[`${prefix}/canary-by-header-value`] ?? null,
          pattern: annotations[`${prefix}/canary-by-header-pattern`] ?? null,
        }
      : null,
    cookie: annotations[`${prefix}/canary-by-cookie`] ?? null,
  }
}

export interface Asked {
  readonly host: string
  readonly path: string
  readonly headers: Headers
}

/** The most specific route for a request; undefined where no Ingress speaks for it. */
export function routeFor(routes: readonly Route[], asked: Asked): Route | undefined {
  const fits = (route: Route) => {
    if (route.host !== '' && route.host !== asked.host) return false
    if (route.exact) return asked.path === route.path
    return (
      asked.path === route.path ||
      asked.path.startsWith(route.path.endsWith('/') ? route.path : `${route.path}/`)
    )
  }
  return routes
    .filter(fits)
    .sort(
      (a, b) => Number(b.host !== '') - Number(a.host !== '') || b.path.length - a.path.length,
    )[0]
}

/** Header first, then cookie, then weight; `chance` is a random number in [0,1). */
export function goesToCanary(canary: Canary, headers: Headers, chance: number): boolean {
  const value = canary.header ? headers.get(canary.header.name) : null
  if (canary.header && value !== null) {
    const { value: wanted, pattern } = canary.header
    if (wanted !== null) {
      if (value === wanted) return true
    } else if (pattern !== null) {
      if (new RegExp(pattern).test(value)) return true
    } else if (value === 'always' || value === 'never') {
      return value === 'always'
    }
  }
  if (canary.cookie) {
    const cookie = new RegExp(`(?:^|;\\s*)${canary.cookie}=([^;]*)`).exec(
      headers.get('cookie') ?? '',
    )?.[1]
    if (cookie === 'always' || cookie === 'never') return cookie === 'always'
  }
  return chance < canary.share
}
