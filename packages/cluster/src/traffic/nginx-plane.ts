import { loadOf } from './load.ts'
import type { Ingress, ServiceBackend } from './objects.ts'
import { always, backendTo, type Route, type Rule } from './route.ts'

const prefix = 'nginx.ingress.kubernetes.io'

interface Canary {
  /** As the `canary` label of ingress-nginx' metrics names it: `<namespace>-<service>-<port>`. */
  readonly upstream: string
  readonly service: string
  /** 0 to 1. */
  readonly share: number
  readonly header: {
    readonly name: string
    readonly value: string | null
    readonly pattern: RegExp | null
  } | null
  /** Name of the cookie that decides. */
  readonly cookie: string | null
}

/** All routes that the Ingresses make (spec embedded-cluster 5; canary annotations as in ingress-nginx). */
export function nginxRoutes(ingresses: readonly Ingress[]): readonly Route[] {
  const canaries = new Map<string, Canary>()
  for (const ingress of ingresses.filter(isCanary)) {
    for (const rule of pathsOf(ingress)) canaries.set(rule.key, canaryOf(ingress, rule.backend))
  }
  return ingresses
    .filter((ingress) => !isCanary(ingress))
    .flatMap((ingress) => {
      const rules = pathsOf(ingress)
      const load = loadOf(ingress)
      return rules.map((rule) => ({
        namespace: ingress.metadata.namespace ?? 'default',
        ingress: ingress.metadata.name,
        host: rule.host,
        path: rule.path,
        match: rule.match,
        rules: rulesOf(rule.backend.name, canaries.get(rule.key)),
        requestsPerSecond: load.requestsPerSecond / rules.length,
        headers: load.headers,
      }))
    })
}

/** A header or a cookie decides for one side, else the weight. */
function rulesOf(service: string, canary: Canary | undefined): readonly Rule[] {
  const stable = backendTo(service)
  if (!canary) return [always([stable])]
  const { upstream, share } = canary
  const other = backendTo(canary.service, { upstream, isOptional: true })
  return [
    {
      fits: ({ headers }) => decisionFor(canary, headers) === 'canary',
      backends: [other, { ...stable, weight: 0 }],
    },
    { fits: ({ headers }) => decisionFor(canary, headers) === 'stable', backends: [stable] },
    always([
      { ...other, weight: share },
      { ...stable, weight: 1 - share },
    ]),
  ]
}

function isCanary(ingress: Ingress): boolean {
  return ingress.metadata.annotations?.[`${prefix}/canary`] === 'true'
}

interface PathRule {
  readonly key: string
  readonly host: string
  readonly path: string
  readonly match: Route['match']
  readonly backend: ServiceBackend
}

function pathsOf(ingress: Ingress): readonly PathRule[] {
  const namespace = ingress.metadata.namespace ?? 'default'
  const found = (ingress.spec?.rules ?? []).flatMap(({ host = '', http }) =>
    (http?.paths ?? []).flatMap(({ path = '/', pathType, backend }) =>
      backend?.service
        ? [
            {
              key: `${namespace}/${host}${path}`,
              host,
              path,
              match: matchOf(pathType),
              backend: backend.service,
            },
          ]
        : [],
    ),
  )
  const fallback = ingress.spec?.defaultBackend?.service
  if (!fallback) return found
  const key = `${namespace}//`
  return [...found, { key, host: '', path: '/', match: 'prefix', backend: fallback }]
}

function matchOf(pathType: string | undefined): Route['match'] {
  if (pathType === 'Exact') return 'exact'
  return pathType === 'Prefix' ? 'prefix' : 'text'
}

function canaryOf(ingress: Ingress, backend: ServiceBackend): Canary {
  const annotations = ingress.metadata.annotations ?? {}
  const annotation = (name: string) => annotations[`${prefix}/${name}`] || null
  // ingress-nginx takes a total for one only above 100.
  const total = Math.max(100, Number(annotation('canary-weight-total')) || 100)
  const weight = Number(annotation('canary-weight')) || 0
  const header = annotation('canary-by-header')
  const port = backend.port?.number ?? backend.port?.name ?? 80
  return {
    upstream: `${ingress.metadata.namespace ?? 'default'}-${backend.name}-${port}`,
    service: backend.name,
    share: Math.min(1, Math.max(0, weight / total)),
    header: header
      ? {
          name: header,
          value: annotation('canary-by-header-value'),
          pattern: patternOf(annotation('canary-by-header-pattern')),
        }
      : null,
    cookie: annotation('canary-by-cookie'),
  }
}

/** A pattern that cannot be read fits nothing, as ingress-nginx logs and goes on. */
function patternOf(text: string | null): RegExp | null {
  if (text === null) return null
  try {
    return new RegExp(text)
  } catch {
    return /(?!)/
  }
}

/** Who decides about a request: its header or cookie for one side, else the weight. */
function decisionFor(canary: Canary, headers: Headers): 'canary' | 'stable' | 'weight' {
  const value = canary.header ? headers.get(canary.header.name) : null
  if (canary.header && value !== null) {
    const { value: wanted, pattern } = canary.header
    if (wanted !== null) {
      if (value === wanted) return 'canary'
    } else if (pattern !== null) {
      if (pattern.test(value)) return 'canary'
    } else if (value === 'always') return 'canary'
    else if (value === 'never') return 'stable'
  }
  const cookie = canary.cookie ? cookieNamed(headers, canary.cookie) : undefined
  if (cookie === 'always') return 'canary'
  return cookie === 'never' ? 'stable' : 'weight'
}

function cookieNamed(headers: Headers, name: string): string | undefined {
  for (const pair of (headers.get('cookie') ?? '').split(';')) {
    const [key = '', value] = pair.split('=', 2)
    if (key.trim() === name) return value?.trim()
  }
  return undefined
}
