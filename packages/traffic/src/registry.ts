import { defaults, type Rollout, type TrafficRouting } from '@serinus/api'
import type { DesiredRoutes, ObservedRouter } from '@serinus/engine'
import { nginx } from './nginx.ts'
import type { Router, RouterFacts, RouterKey, RouterPlan, RoutingObjects } from './router.ts'

/** One line per router, in the order in which upstream runs them (spec traffic-routing 3.1). */
export const routers = { nginx } satisfies {
  [Key in RouterKey]?: Router<never> | Router<NonNullable<TrafficRouting[Key]>>
}

/** Keys of `trafficRouting` that a Rollout sets and this version has no router for. */
export function unsupportedRouters(rollout: Rollout): readonly string[] {
  const known: ReadonlySet<string> = new Set([
    ...Object.keys(routers),
    'managedRoutes',
    'maxTrafficWeight',
  ])
  return Object.keys(rollout.spec.strategy?.canary?.trafficRouting ?? {}).filter(
    (key) => !known.has(key),
  )
}

/** What each configured router was seen to do; empty without routing. */
export function observeRouters(
  rollout: Rollout,
  objects: RoutingObjects,
): readonly ObservedRouter[] {
  const config = rollout.spec.strategy?.canary?.trafficRouting?.nginx
  return config ? [nginx.observe(config, factsOf(rollout, objects))] : []
}

/** What each configured router wants to write, in order. */
export function planRouters(
  rollout: Rollout,
  objects: RoutingObjects,
  routes: DesiredRoutes,
): readonly RouterPlan[] {
  const config = rollout.spec.strategy?.canary?.trafficRouting?.nginx
  return config ? [nginx.plan(config, factsOf(rollout, objects), routes)] : []
}

function factsOf(rollout: Rollout, objects: RoutingObjects): RouterFacts {
  return {
    rollout: { namespace: rollout.metadata.namespace ?? 'default', name: rollout.metadata.name },
    max: defaults.maxTrafficWeight(rollout),
    objects,
  }
}
