import type { KubeObject } from '@serinus/kube'
import { loadOf } from './load.ts'
import { fitsText } from './matching.ts'
import type { Plane } from './planes.ts'
import { type Asked, type Backend, backendTo, type Route, type Rule } from './route.ts'

interface GatewayRoute extends KubeObject {
  readonly spec?: {
    readonly parentRefs?: readonly { readonly kind?: string; readonly name: string }[]
    readonly hostnames?: readonly string[]
    readonly rules?: readonly RouteRule[]
  }
}

interface RouteRule {
  readonly matches?: readonly RouteMatch[]
  readonly backendRefs?: readonly BackendRef[]
  readonly filters?: readonly {
    readonly type: string
    readonly requestMirror?: { readonly backendRef: BackendRef; readonly percent?: number }
  }[]
}

interface RouteMatch {
  /** Of an HTTPRoute. */
  readonly path?: { readonly type?: string; readonly value?: string }
  readonly headers?: readonly {
    readonly type?: string
    readonly name: string
    readonly value: string
  }[]
  /** Of an HTTPRoute the word, of a GRPCRoute service and method of the call. */
  readonly method?: string | { readonly service?: string; readonly method?: string }
}

interface BackendRef {
  readonly kind?: string
  readonly name: string
  readonly weight?: number
}

const httpRoutes = 'httproutes.gateway.networking.k8s.io'
const grpcRoutes = 'grpcroutes.gateway.networking.k8s.io'
const tlsRoutes = 'tlsroutes.gateway.networking.k8s.io'
const tcpRoutes = 'tcproutes.gateway.networking.k8s.io'
const udpRoutes = 'udproutes.gateway.networking.k8s.io'
/** Of two with the same Service as parent the later one counts: what knows requests goes before what knows connections. */
const kinds = [udpRoutes, tcpRoutes, tlsRoutes, httpRoutes, grpcRoutes] as const

/**
 * HTTPRoutes and GRPCRoutes, and TLSRoutes, TCPRoutes and UDPRoutes with a request for each connection, behind Gateways and, with
 * a Service as parent, inside a mesh.
 */
export const gatewayPlane: Plane = {
  kinds,
  compute(objects) {
    const routes: Route[] = []
    const services = new Map<string, readonly Rule[]>()
    const all = kinds.flatMap((kind) =>
      (objects(kind) as readonly GatewayRoute[]).map((object) => ({ kind, object })),
    )
    for (const { kind: ofRoute, object } of all) {
      const { namespace = 'default' } = object.metadata
      const cases = casesOf(object)
      const parents = object.spec?.parentRefs ?? []
      for (const { kind, name } of parents) {
        if (kind === 'Service')
          services.set(
            `${namespace}/${name}`,
            bySpecificity(cases, () => true),
          )
      }
      if (parents.length === 0 || parents.some(({ kind }) => kind !== 'Service'))
        routes.push(...outsideRoutes(object, cases, hostsOf(ofRoute, object)))
    }
    return { routes, services }
  },
}

/** One match of one rule. */
interface Case {
  readonly path: string
  readonly match: Route['match']
  /** How much it asks for besides the path: more goes first. */
  readonly conditions: number
  readonly rule: Rule
}

function casesOf({ spec }: GatewayRoute): readonly Case[] {
  return (spec?.rules ?? []).flatMap(({ matches, backendRefs = [], filters = [] }) => {
    const backends = backendRefs.map(backendOf)
    const copied = filters.find(({ type }) => type === 'RequestMirror')?.requestMirror
    const mirror = copied && {
      backend: backendOf(copied.backendRef),
      share: (copied.percent ?? 100) / 100,
    }
    return (matches?.length ? matches : [{}]).map((match: RouteMatch) => ({
      ...pathOf(match),
      conditions: (match.headers?.length ?? 0) + (match.method === undefined ? 0 : 1),
      rule: {
        fits: (asked: Asked) => fitsMatch(match, asked),
        backends,
        ...(mirror ? { mirror } : {}),
      },
    }))
  })
}

function backendOf({ name, weight = 1 }: BackendRef): Backend {
  return backendTo(name, { weight })
}

function pathOf({ path, method }: RouteMatch): Pick<Case, 'path' | 'match'> {
  if (typeof method === 'object') {
    const { service, method: call } = method
    if (service === undefined) return { path: '/', match: 'prefix' }
    return call === undefined
      ? { path: `/${service}`, match: 'prefix' }
      : { path: `/${service}/${call}`, match: 'exact' }
  }
  const value = path?.value ?? '/'
  if (path?.type === 'Exact') return { path: value, match: 'exact' }
  return path?.type === 'RegularExpression'
    ? { path: '/', match: 'prefix' }
    : { path: value, match: 'prefix' }
}

function fitsMatch({ path, headers = [], method }: RouteMatch, asked: Asked): boolean {
  if (path?.type === 'RegularExpression' && !fitsText({ regex: path.value ?? '' }, asked.path))
    return false
  if (typeof method === 'string' && method !== asked.method) return false
  return headers.every(({ type, name, value }) =>
    fitsText(
      type === 'RegularExpression' ? { regex: value } : { exact: value },
      asked.headers.get(name),
    ),
  )
}

/** Connections of TCP and UDP have no host: `<name>.<namespace>.tcproute` stands for the port that leads to the route. */
function hostsOf(
  kind: (typeof kinds)[number],
  { metadata, spec }: GatewayRoute,
): readonly string[] {
  const { namespace = 'default', name } = metadata
  if (kind === tcpRoutes) return [`${name}.${namespace}.tcproute`]
  if (kind === udpRoutes) return [`${name}.${namespace}.udproute`]
  return spec?.hostnames?.length ? spec.hostnames : ['']
}

function outsideRoutes(
  object: GatewayRoute,
  cases: readonly Case[],
  hosts: readonly string[],
): readonly Route[] {
  const { namespace = 'default', name } = object.metadata
  const load = loadOf(object)
  const paths = [...new Map(cases.map((one) => [`${one.match} ${one.path}`, one])).values()]
  return hosts.flatMap((host) =>
    paths.map(({ path, match }) => ({
      namespace,
      ingress: name,
      host: host.toLowerCase(),
      path,
      match,
      rules: bySpecificity(cases, (one) => one.path === path && one.match === match),
      requestsPerSecond: load.requestsPerSecond / (hosts.length * paths.length),
      headers: load.headers,
    })),
  )
}

function bySpecificity(cases: readonly Case[], holds: (one: Case) => boolean): readonly Rule[] {
  return cases
    .filter(holds)
    .toSorted((a, b) => b.conditions - a.conditions)
    .map(({ rule }) => rule)
}
