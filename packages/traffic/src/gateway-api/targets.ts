import { type GatewayApiRouting, selectorMatches } from '@serinus/api'
import type { RolloutFacts, RouterFacts } from '../router.ts'
import { objectNamed, objectsOf, type Watched } from '../routing-objects.ts'
import { type Protocol, type Route, routeKinds } from './objects.ts'

/** One route to change. */
export interface Target {
  readonly protocol: Protocol
  readonly found: ReturnType<typeof objectNamed<Route>>
  /** Whether header routes of steps are set there. */
  readonly takesHeaders: boolean
}

const protocols = Object.keys(routeKinds) as readonly Protocol[]

/** The routes that the settings name or select, each once (spec traffic-routing 6.1). */
export function targetsOf(config: GatewayApiRouting, facts: RouterFacts): readonly Target[] {
  const namespace = namespaceOf(config, facts)
  return protocols.flatMap((protocol) => {
    const kind = routeKinds[protocol]
    const { routes, selector } = choiceOf(config, protocol)
    const names = new Map<string, boolean>()
    for (const { name, useHeaderRoutes = false } of routes) {
      names.set(name, names.get(name) || useHeaderRoutes)
    }
    for (const { metadata } of selector ? objectsOf<Route>(facts.objects, kind) : []) {
      const isHere = metadata.namespace === namespace && !names.has(metadata.name)
      if (isHere && selector && selectorMatches(selector, metadata.labels ?? {})) {
        names.set(metadata.name, false)
      }
    }
    return [...names].map(([name, useHeaderRoutes]) => ({
      protocol,
      found: objectNamed<Route>(facts.objects, kind, { namespace, name }),
      takesHeaders: useHeaderRoutes && (protocol === 'http' || protocol === 'grpc'),
    }))
  })
}

export function watchedRoutes(config: GatewayApiRouting, facts: RolloutFacts): readonly Watched[] {
  const namespace = namespaceOf(config, facts)
  return protocols.flatMap((protocol): readonly Watched[] => {
    const kind = routeKinds[protocol]
    const { routes, selector } = choiceOf(config, protocol)
    if (selector) return [{ kind, namespace }]
    const names = [...new Set(routes.map(({ name }) => name))]
    return names.length > 0 ? [{ kind, namespace, names }] : []
  })
}

function namespaceOf(config: GatewayApiRouting, { rollout }: RolloutFacts): string {
  return config.namespace || rollout.namespace
}

interface Choice {
  readonly routes: NonNullable<GatewayApiRouting['httpRoutes']>
  readonly selector?: GatewayApiRouting['httpRouteSelector']
}

function choiceOf(config: GatewayApiRouting, protocol: Protocol): Choice {
  const { [`${protocol}Routes` as const]: listed = [] } = config
  if (protocol === 'udp') return { routes: listed }
  const { [`${protocol}Route` as const]: single, [`${protocol}RouteSelector` as const]: selector } =
    config
  const routes = single ? [...listed, { name: single, useHeaderRoutes: true }] : listed
  return { routes, selector }
}
