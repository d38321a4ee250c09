import { defaults, type Rollout, type TrafficRouting } from '@serinus/api'
import type { DesiredRoutes, ObservedRouter, Write } from '@serinus/engine'
import { nginx } from './nginx.ts'
import type { Router, RouterFacts, RouterKey, RouterPlan, RoutingObjects } from './router.ts'

type Block<Key extends RouterKey> = NonNullable<TrafficRouting[Key]>

/**
 * One line per router, in the order in which upstream runs them (spec traffic-routing 3.1). Null: the API has the key
 * and no router carries it yet, which the user is told.
 */
const routers: { readonly [Key in RouterKey]: Router<Block<Key>> | null } = {
  istio: null,
  nginx,
  alb: null,
  smi: null,
  ambassador: null,
  appMesh: null,
  traefik: null,
  apisix: null,
}
const keys = Object.keys(routers) as readonly RouterKey[]

/**
 * What each configured router was seen to do; empty without routing. A router that is not carried says no weight, so
 * that no step counts as done while nobody moves its traffic.
 */
export function observeRouters(
  rollout: Rollout,
  objects: RoutingObjects,
): readonly ObservedRouter[] {
  const carried = configured(rollout, objects).map((router) => router.observe())
  const others = notCarried(rollout).map((key) => ({ type: key, weight: null, verified: null }))
  return [...carried, ...others]
}

/**
 * What each configured router wants to write, in upstream's order, one plan per routing object; those of
 * `unsupportedRouters` come last. A plan that is not ok stands for itself alone: the others are to be applied.
 */
export function planRouters(
  rollout: Rollout,
  objects: RoutingObjects,
  routes: DesiredRoutes,
): readonly RouterPlan[] {
  const carried = configured(rollout, objects).flatMap((router) => router.plan(routes))
  return [...carried, ...unsupportedRouters(rollout)]
}

/**
 * One refusal per router or plugin that the Rollout configures and nobody carries, naming it and what is carried.
 * `planRouters` has them too: this is for passes in which no routes are planned.
 */
export function unsupportedRouters(rollout: Rollout): readonly RouterPlan[] {
  const carried = keys.filter((key) => routers[key]).join(', ')
  return notCarried(rollout).map((key) => ({
    ok: false,
    reason: 'TrafficRoutingError',
    detail: `trafficRouting.${key} is not carried by this version and its traffic stays as it is; carried: ${carried}`,
  }))
}

/**
 * Deletes what routers made for a block or a list entry that has left the spec (spec traffic-routing 5.1); empty while
 * an update is under way, because until then the object may carry traffic that stable has no pods for.
 */
export function planRemovals(rollout: Rollout, objects: RoutingObjects): readonly Write[] {
  const { stableRS, currentPodHash } = rollout.status ?? {}
  if (!stableRS || stableRS !== currentPodHash) return []
  const facts = factsOf(rollout, objects)
  return keys.flatMap((key) => removalsOf(key, rollout, facts))
}

interface Configured {
  observe(): ObservedRouter
  plan(routes: DesiredRoutes): readonly RouterPlan[]
}

function configured(rollout: Rollout, objects: RoutingObjects): readonly Configured[] {
  const facts = factsOf(rollout, objects)
  return keys.flatMap((key) => bound(key, rollout, facts) ?? [])
}

function bound<Key extends RouterKey>(
  key: Key,
  rollout: Rollout,
  facts: RouterFacts,
): Configured | null {
  const router = routers[key]
  const block = blockOf(key, rollout)
  if (!router || !block) return null
  return {
    observe: () => router.observe(block, facts),
    plan: (routes) => router.plan(block, facts, routes),
  }
}

function removalsOf<Key extends RouterKey>(
  key: Key,
  rollout: Rollout,
  facts: RouterFacts,
): readonly Write[] {
  return routers[key]?.removals(blockOf(key, rollout), facts) ?? []
}

function blockOf<Key extends RouterKey>(key: Key, rollout: Rollout): Block<Key> | null {
  return rollout.spec.strategy?.canary?.trafficRouting?.[key] ?? null
}

function notCarried(rollout: Rollout): readonly string[] {
  const plugins = rollout.spec.strategy?.canary?.trafficRouting?.plugins ?? {}
  return [
    ...keys.filter((key) => !routers[key] && blockOf(key, rollout)),
    ...Object.keys(plugins).map((name) => `plugins.${name}`),
  ]
}

function factsOf(rollout: Rollout, objects: RoutingObjects): RouterFacts {
  const { namespace = 'default', name, uid = '' } = rollout.metadata
  return { rollout: { namespace, name, uid }, max: defaults.maxTrafficWeight(rollout), objects }
}
