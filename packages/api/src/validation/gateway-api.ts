import { parseGatewayApi } from '../parse.ts'
import { invalid, missing, type Problem } from '../problem.ts'
import { selectorProblems } from '../selector.ts'
import type { CanaryStep, CanaryStrategy, GatewayApiRouting } from '../types.ts'
import { canaryPath } from './paths.ts'

/** The key of the Gateway API under `trafficRouting.plugins`. */
export const gatewayApiPlugin = 'argoproj-labs/gatewayAPI'

const routingPath = `${canaryPath}.trafficRouting`
const lists = ['httpRoutes', 'grpcRoutes', 'tcpRoutes', 'tlsRoutes', 'udpRoutes'] as const
const singles = ['httpRoute', 'grpcRoute', 'tcpRoute', 'tlsRoute'] as const
const selectors = [
  'httpRouteSelector',
  'grpcRouteSelector',
  'tcpRouteSelector',
  'tlsRouteSelector',
] as const

/** What the block of the Gateway API lacks, under either of its names (spec traffic-routing 6.1, 6.6). */
export function gatewayApiProblems(canary: CanaryStrategy): readonly Problem[] {
  const written = gatewayApiOf(canary)
  if (!written) return []
  const { routing, path, problems } = written
  if (problems.length > 0) return problems
  return [
    ...bothProblems(canary),
    ...routesProblems(routing, path),
    ...stepProblems(canary, written),
  ]
}

interface Written {
  readonly routing: GatewayApiRouting
  readonly path: string
  readonly problems: readonly Problem[]
}

/** The settings of the Gateway API, under either of their names; null: it routes nothing. */
export function gatewayApiOf({ trafficRouting }: CanaryStrategy): Written | null {
  const { gatewayAPI, plugins } = trafficRouting ?? {}
  if (gatewayAPI) return { routing: gatewayAPI, path: `${routingPath}.gatewayAPI`, problems: [] }
  const settings = plugins?.[gatewayApiPlugin]
  if (settings === undefined) return null
  const path = `${routingPath}.plugins[${gatewayApiPlugin}]`
  const { value, problems } = parseGatewayApi(settings, path)
  return { routing: value, path, problems }
}

function bothProblems({ trafficRouting }: CanaryStrategy): readonly Problem[] {
  const { gatewayAPI, plugins } = trafficRouting ?? {}
  if (!gatewayAPI || plugins?.[gatewayApiPlugin] === undefined) return []
  const detail = `set together with plugins[${gatewayApiPlugin}], which is the same; remove one of them`
  return [{ path: `${routingPath}.gatewayAPI`, kind: 'Forbidden', detail }]
}

function routesProblems(routing: GatewayApiRouting, path: string): readonly Problem[] {
  const isNamed =
    singles.some((field) => routing[field]) ||
    lists.some((field) => routing[field]?.length) ||
    selectors.some((field) => routing[field])
  const none = missing(
    path,
    "No routes configured. At least one of 'httpRoutes', 'grpcRoutes', 'tcpRoutes', 'tlsRoutes', 'httpRoute', 'grpcRoute', 'tcpRoute' or 'tlsRoute' must be set",
  )
  return [
    ...(isNamed ? [] : [none]),
    ...lists.flatMap((field) =>
      (routing[field] ?? []).flatMap(({ name }, index) =>
        name === '' ? [missing(`${path}.${field}[${index}].name`, 'names the route')] : [],
      ),
    ),
    ...selectors.flatMap((field) => {
      const selector = routing[field]
      return selector ? selectorProblems(selector, `${path}.${field}`) : []
    }),
  ]
}

/** A step that no route takes would pass without any effect (spec traffic-routing, falls short 44). */
function stepProblems(canary: CanaryStrategy, written: Written): readonly Problem[] {
  const routing = canary.trafficRouting
  const plugins = Object.keys(routing?.plugins ?? {})
  const isAlone = !routing?.istio && plugins.every((name) => name === gatewayApiPlugin)
  if (!isAlone) return []
  const takesHeaders = routing?.alb || routing?.apisix || takesHeaderRoutes(written.routing)
  return (canary.steps ?? []).flatMap((step, index) => {
    const path = `${canaryPath}.steps[${index}]`
    return [
      ...(takesHeaders ? [] : headerProblems(step, path, written)),
      ...mirrorProblems(step, path, written),
    ]
  })
}

function takesHeaderRoutes({ httpRoute, grpcRoute, httpRoutes, grpcRoutes }: GatewayApiRouting) {
  const listed = [...(httpRoutes ?? []), ...(grpcRoutes ?? [])]
  return Boolean(httpRoute || grpcRoute || listed.some((route) => route.useHeaderRoutes))
}

function headerProblems(
  { setHeaderRoute }: CanaryStep,
  path: string,
  written: Written,
): readonly Problem[] {
  if (!setHeaderRoute?.match?.length) return []
  const detail = `no route takes header routes; set useHeaderRoutes: true for one of ${written.path}.httpRoutes or .grpcRoutes`
  return [invalid(`${path}.setHeaderRoute`, setHeaderRoute.name ?? '', detail)]
}

function mirrorProblems(
  { setMirrorRoute }: CanaryStep,
  path: string,
  { routing, path: block }: Written,
): readonly Problem[] {
  if (!setMirrorRoute?.match?.length) return []
  const place = `${path}.setMirrorRoute`
  const { httpRoute, httpRoutes, httpRouteSelector } = routing
  if (!routing.mirror) {
    const detail = `the Gateway API copies requests only with ${block}.mirror: true`
    return [invalid(place, setMirrorRoute.name, detail)]
  }
  if (!httpRoute && !httpRoutes?.length && !httpRouteSelector) {
    const detail = 'the Gateway API copies requests of HTTPRoutes only, and none is named'
    return [invalid(place, setMirrorRoute.name, detail)]
  }
  return setMirrorRoute.match.flatMap(({ method }, index) => {
    if (!method || method.exact) return []
    const detail = 'the Gateway API knows methods by their exact names only; use exact'
    return [invalid(`${place}.match[${index}].method`, method, detail)]
  })
}
