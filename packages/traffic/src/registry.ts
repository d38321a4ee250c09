import {
  annotationKeys,
  defaults,
  gatewayApiPlugin,
  type Problem,
  type Rollout,
  type TrafficRouting,
} from '@serinus/api'
import {
  canaryServices,
  type DesiredRoutes,
  noManagedRoutes,
  type ObservedRouter,
  type Write,
} from '@serinus/engine'
import { alb } from './alb/alb.ts'
import { ambassador } from './ambassador.ts'
import { apisix } from './apisix.ts'
import { appMesh } from './app-mesh.ts'
import { gatewayApi, gatewayApiAsPlugin } from './gateway-api/gateway-api.ts'
import { istio } from './istio/istio.ts'
import { nginx } from './nginx.ts'
import type {
  RolloutFacts,
  Router,
  RouterFacts,
  RouterKey,
  RouterPlan,
  RouterSettings,
} from './router.ts'
import type { RoutingObjects, Watched } from './routing-objects.ts'
import { smi } from './smi.ts'
import { traefik } from './traefik.ts'

type Block<Key extends RouterKey> = NonNullable<TrafficRouting[Key]>

/** Who moves the traffic of Rollouts. All functions are pure. */
export interface Routers {
  /** The objects that the routers of a Rollout look at; empty without routing. */
  watched(rollout: Rollout): readonly Watched[]
  /**
   * Why no update can start: what the routers miss in their objects, and one problem per router plugin that the
   * Rollout configures and nobody carries, naming it and what is carried.
   */
  problems(rollout: Rollout, objects: RoutingObjects): readonly Problem[]
  /**
   * What each configured router was seen to do; empty without routing. A plugin that is not carried says no weight, so
   * that no step counts as done while nobody moves its traffic.
   */
  observe(rollout: Rollout, objects: RoutingObjects): readonly ObservedRouter[]
  /**
   * What each configured router wants to write, in upstream's order, one plan per routing object; refusals of plugins
   * that are not carried come last. A plan that is not ok stands for itself alone: the others are to be applied.
   */
  plan(rollout: Rollout, objects: RoutingObjects, routes: DesiredRoutes): readonly RouterPlan[]
  /**
   * Deletes what routers made for a block or a list entry that has left the spec (spec traffic-routing 5.1); empty while
   * an update is under way, because until then the object may carry traffic that stable has no pods for.
   */
  removals(rollout: Rollout, objects: RoutingObjects): readonly Write[]
  /** What is to be written once a Rollout is gone, so that all its traffic goes to the stable side. */
  release(rollout: Rollout, objects: RoutingObjects): readonly Write[]
}

export function createRouters(settings: RouterSettings = {}): Routers {
  /** One line per router, in the order in which upstream runs them (spec traffic-routing 3.1). */
  const routers: Carried = {
    istio: istio(settings),
    nginx,
    alb,
    smi: smi(settings),
    ambassador: ambassador(settings),
    appMesh: appMesh(settings),
    traefik: traefik(settings),
    apisix,
    gatewayAPI: gatewayApi,
  }
  /** Plugins of Argo Rollouts that are carried here, by name; they run after all others, sorted by name. */
  const named: Named = { [gatewayApiPlugin]: gatewayApiAsPlugin }
  const configured = (rollout: Rollout) => configuredOf({ routers, named }, rollout)
  return {
    watched: (rollout) => configured(rollout).flatMap((router) => router.watches()),
    problems: (rollout, objects) => [
      // What goes wrong in an update is told by its plans, which do not keep an abort from being carried out.
      ...(isUpdating(rollout)
        ? []
        : configured(rollout).flatMap((router) => router.check(objects))),
      ...notCarried({ routers, named }, rollout).map(({ detail }) => ({
        path: routingPath,
        kind: 'Forbidden' as const,
        detail,
      })),
    ],
    observe: (rollout, objects) => [
      ...configured(rollout).map((router) => router.observe(objects)),
      ...notCarried({ routers, named }, rollout).map(({ key }) => ({
        type: key,
        weight: null,
        verified: null,
        managedRoutes: noManagedRoutes,
      })),
    ],
    plan: (rollout, objects, routes) => [
      ...configured(rollout).flatMap((router) => router.plan(objects, routes)),
      ...notCarried({ routers, named }, rollout).map(({ detail }) => ({
        ok: false as const,
        reason: 'TrafficRoutingError' as const,
        detail,
      })),
    ],
    removals(rollout, objects) {
      if (!rollout.status?.stableRS || isUpdating(rollout)) return []
      const facts = { ...factsOf(rollout), objects }
      const plugins = pluginsOf(rollout)
      return [
        ...keysOf(routers).flatMap((key) => removalsOf(routers, key, { rollout, facts })),
        ...Object.entries(named).flatMap(([name, router]) =>
          router.removals(plugins[name] ?? null, facts),
        ),
      ]
    },
    release: (rollout, objects) => configured(rollout).flatMap((router) => router.release(objects)),
  }
}

function isUpdating({ status }: Rollout): boolean {
  return Boolean(status?.stableRS) && status?.stableRS !== status?.currentPodHash
}

type Carried = { readonly [Key in RouterKey]: Router<Block<Key>> }
type Named = Readonly<Record<string, Router<unknown>>>

interface All {
  readonly routers: Carried
  readonly named: Named
}

const routingPath = 'spec.strategy.canary.trafficRouting'

function keysOf(routers: Carried): readonly RouterKey[] {
  return Object.keys(routers) as readonly RouterKey[]
}

/** A router with its block of one Rollout. */
interface Configured {
  watches(): readonly Watched[]
  check(objects: RoutingObjects): readonly Problem[]
  observe(objects: RoutingObjects): ObservedRouter
  plan(objects: RoutingObjects, routes: DesiredRoutes): readonly RouterPlan[]
  release(objects: RoutingObjects): readonly Write[]
}

function configuredOf({ routers, named }: All, rollout: Rollout): readonly Configured[] {
  const facts = factsOf(rollout)
  const plugins = Object.entries(pluginsOf(rollout)).sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    ...keysOf(routers).flatMap((key) => boundTo(routers, key, { rollout, facts }) ?? []),
    ...plugins.flatMap(([name, block]) => {
      const router = namedRouter(named, name)
      return router ? [bound(router, block, facts)] : []
    }),
  ]
}

function namedRouter(named: Named, name: string): Router<unknown> | undefined {
  return Object.hasOwn(named, name) ? named[name] : undefined
}

function boundTo<Key extends RouterKey>(
  routers: Carried,
  key: Key,
  { rollout, facts }: { readonly rollout: Rollout; readonly facts: RolloutFacts },
): Configured | null {
  const router: Router<Block<Key>> = routers[key]
  const block = blockOf(key, rollout)
  return block ? bound(router, block, facts) : null
}

function bound<Config>(router: Router<Config>, block: Config, facts: RolloutFacts): Configured {
  return {
    watches: () => router.watches(block, facts),
    check: (objects) => router.check?.(block, { ...facts, objects }) ?? [],
    observe: (objects) => router.observe(block, { ...facts, objects }),
    plan: (objects, routes) => router.plan(block, { ...facts, objects }, routes),
    release: (objects) => router.release(block, { ...facts, objects }),
  }
}

function removalsOf<Key extends RouterKey>(
  routers: Carried,
  key: Key,
  { rollout, facts }: { readonly rollout: Rollout; readonly facts: RouterFacts },
): readonly Write[] {
  return routers[key].removals(blockOf(key, rollout), facts)
}

function blockOf<Key extends RouterKey>(key: Key, rollout: Rollout): Block<Key> | null {
  return rollout.spec.strategy?.canary?.trafficRouting?.[key] ?? null
}

function pluginsOf(rollout: Rollout): Readonly<Record<string, unknown>> {
  return rollout.spec.strategy?.canary?.trafficRouting?.plugins ?? {}
}

function notCarried(
  { routers, named }: All,
  rollout: Rollout,
): readonly { readonly key: string; readonly detail: string }[] {
  const carried = [...keysOf(routers), ...Object.keys(named).map((name) => `plugins.${name}`)].join(
    ', ',
  )
  return Object.keys(pluginsOf(rollout))
    .filter((name) => !namedRouter(named, name))
    .map((name) => ({
      key: `plugins.${name}`,
      detail: `trafficRouting.plugins.${name} is not carried by this version and its traffic stays as it is; carried: ${carried}`,
    }))
}

function factsOf(rollout: Rollout): RolloutFacts {
  const { namespace = 'default', name, uid = '' } = rollout.metadata
  const { stable = '', canary = '' } = canaryServices(rollout)
  const { managedRoutes = [] } = rollout.spec.strategy?.canary?.trafficRouting ?? {}
  return {
    rollout: { namespace, name, uid },
    max: defaults.maxTrafficWeight(rollout),
    services: { stable, canary },
    managedRoutes: managedRoutes.map((route) => route.name),
    headerMatch:
      rollout.metadata.annotations?.[annotationKeys.headerMatch] === 'and' ? 'and' : 'or',
  }
}
