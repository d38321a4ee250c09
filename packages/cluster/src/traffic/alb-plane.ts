import { loadOf } from './load.ts'
import { wildcardMatch } from './matching.ts'
import type { Ingress } from './objects.ts'
import { type Asked, type Backend, backendTo, type Route, type Rule } from './route.ts'

type IngressRule = NonNullable<NonNullable<Ingress['spec']>['rules']>[number]
type Path = NonNullable<NonNullable<IngressRule['http']>['paths']>[number]
type Fits = Rule['fits']

/** Whether the load balancer of AWS serves an Ingress: its class is `alb`, by field or by annotation. */
export function isOfAlb({ metadata, spec }: Ingress): boolean {
  const named = metadata.annotations?.['kubernetes.io/ingress.class']
  return (named ?? spec?.ingressClassName) === 'alb'
}

/**
 * The routes of Ingresses of the class `alb` (aws-load-balancer-controller: annotations `actions.<name>` and
 * `conditions.<name>`). All paths of a host are one list of rules in the order of that controller: exact ones, then
 * prefixes from the longest, then the others as they are written.
 */
export function albRoutes(ingresses: readonly Ingress[]): readonly Route[] {
  return ingresses.flatMap((ingress) => {
    const hosts = (ingress.spec?.rules ?? []).map(({ host = '', http }) => ({
      host,
      paths: inOrder(http?.paths ?? []),
    }))
    const fallback = ingress.spec?.defaultBackend
    if (fallback) hosts.push({ host: '', paths: [{ pathType: 'Prefix', backend: fallback }] })
    const routes = hosts.flatMap((one) => routesOf(ingress, one))
    const load = loadOf(ingress)
    const loaded = routes.filter(({ takesLoad }) => takesLoad).length
    return routes.map(({ takesLoad, ...route }) => ({
      ...route,
      requestsPerSecond: takesLoad ? load.requestsPerSecond / loaded : 0,
      headers: load.headers,
    }))
  })
}

function inOrder(paths: readonly Path[]): readonly Path[] {
  const rank = ({ pathType }: Path) => (pathType === 'Exact' ? 0 : pathType === 'Prefix' ? 1 : 2)
  return paths.toSorted(
    (a, b) =>
      rank(a) - rank(b) || (rank(a) === 1 ? (b.path ?? '/').length - (a.path ?? '/').length : 0),
  )
}

/** A route for each path, all with the rules of the host; generated load asks for paths without conditions. */
function routesOf(
  ingress: Ingress,
  { host, paths }: { readonly host: string; readonly paths: readonly Path[] },
) {
  const { namespace = 'default', name, annotations = {} } = ingress.metadata
  const rules = paths.map((path) => ruleOf(path, annotations))
  const places = new Map<string, Pick<Route, 'path' | 'match'> & { takesLoad: boolean }>()
  for (const path of paths) {
    const place = placeOf(path)
    const key = `${place.match} ${place.path}`
    const takesLoad = !readAnnotation(annotations, 'conditions', path) || places.get(key)?.takesLoad
    places.set(key, { ...place, takesLoad: takesLoad === true })
  }
  return [...places.values()].map((place) => ({
    namespace,
    ingress: name,
    host: host.toLowerCase(),
    ...place,
    rules,
  }))
}

/** Where the paths that a path stands for begin. */
function placeOf({ path = '/', pathType }: Path): Pick<Route, 'path' | 'match'> {
  if (pathType === 'Prefix') return { path, match: 'prefix' }
  const wildcard = path.search(/[*?]/)
  if (pathType === 'Exact' || wildcard < 0) return { path, match: 'exact' }
  return { path: path.slice(0, wildcard), match: 'text' }
}

function ruleOf(path: Path, annotations: Annotations): Rule {
  const conditions = readAnnotation(annotations, 'conditions', path)
  const fits = [fitsPath(path), ...(conditions === undefined ? [] : conditionsOf(conditions))]
  return {
    fits: (asked) => fits.every((one) => one(asked)),
    backends: backendsOf(path, annotations),
  }
}

function fitsPath({ path = '/', pathType }: Path): Fits {
  if (pathType === 'Exact') return (asked) => asked.path === path
  if (pathType !== 'Prefix') return (asked) => wildcardMatch(path, asked.path)
  const bare = path.replace(/\/+$/, '')
  return (asked) => asked.path === bare || asked.path.startsWith(`${bare}/`)
}

function backendsOf(path: Path, annotations: Annotations): readonly Backend[] {
  const service = path.backend?.service
  if (!service) return []
  if (service.port?.name !== 'use-annotation') return [backendTo(service.name)]
  const groups = at(readAnnotation(annotations, 'actions', path), 'forwardconfig', 'targetgroups')
  return (Array.isArray(groups) ? groups : []).flatMap((group: unknown) => {
    const name = at(group, 'servicename')
    const weight = Math.max(0, Number(at(group, 'weight') ?? 1) || 0)
    // A group outside the cluster answers nothing here.
    return [backendTo(typeof name === 'string' ? name : '', { weight })]
  })
}

/** Every condition that holds for a request; one that cannot be told from a request here holds for none. */
function conditionsOf(conditions: unknown): readonly Fits[] {
  return (Array.isArray(conditions) ? conditions : [null]).map((condition: unknown): Fits => {
    const field = at(condition, 'field')
    const config = at(condition, `${String(field).replaceAll('-', '')}config`)
    const values = at(config, 'values')
    const patterns = Array.isArray(values) ? values.map(String) : []
    const text = textFor(field, config)
    return (asked) => {
      const found = text(asked)
      return (
        found !== null &&
        patterns.some((pattern) =>
          field === 'path-pattern'
            ? wildcardMatch(pattern, found)
            : wildcardMatch(pattern.toLowerCase(), found.toLowerCase()),
        )
      )
    }
  })
}

function textFor(field: unknown, config: unknown): (asked: Asked) => string | null {
  switch (field) {
    case 'http-header': {
      const name = at(config, 'httpheadername')
      return ({ headers }) => (typeof name === 'string' ? headers.get(name) : null)
    }
    case 'http-request-method':
      return ({ method }) => method
    case 'host-header':
      return ({ host }) => host
    case 'path-pattern':
      return ({ path }) => path
    default:
      return () => null
  }
}

type Annotations = Readonly<Record<string, string>>

/** Value of `<prefix>/<kind>.<service>` with its keys in lower case, as Go reads JSON; null for what is no JSON. */
function readAnnotation(
  annotations: Annotations,
  kind: 'actions' | 'conditions',
  { backend }: Path,
): unknown {
  const service = backend?.service
  if (service?.port?.name !== 'use-annotation') return undefined
  // The prefix is one of the controller's flags.
  const key = Object.keys(annotations).find((one) => one.endsWith(`/${kind}.${service.name}`))
  if (key === undefined) return undefined
  try {
    return JSON.parse(annotations[key] ?? '', (_, value: unknown) =>
      value !== null && typeof value === 'object' && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k.toLowerCase(), v]))
        : value,
    )
  } catch {
    return null
  }
}

function at(value: unknown, ...keys: readonly string[]): unknown {
  let found = value
  for (const key of keys) {
    if (found === null || typeof found !== 'object') return undefined
    found = (found as Readonly<Record<string, unknown>>)[key]
  }
  return found
}
