import type { TrafficRouting } from '@serinus/api'
import type { DesiredRoutes, Ingress, ObservedRouter, Transition, Write } from '@serinus/engine'

/** The objects of a Rollout's namespace that routers read; a router with another kind adds a list here. */
export interface RoutingObjects {
  readonly ingresses: readonly Ingress[]
}

/** What a router wants to write so that its objects say what is desired. */
export type RouterPlan =
  | {
      readonly ok: true
      readonly writes: readonly Write[]
      readonly transitions: readonly Transition[]
    }
  /** `detail` names what is missing or wrong, as upstream words it. */
  | { readonly ok: false; readonly reason: string; readonly detail: string }

/**
 * One way to shift traffic. Both functions are pure: objects in, objects or writes out; unchanged input writes nothing,
 * fields of others survive (spec traffic-routing 4).
 */
export interface Router<Config> {
  /** As upstream names it in status and events. */
  readonly type: string
  /** What the objects ask for at present. */
  observe(config: Config, facts: RouterFacts): ObservedRouter
  plan(config: Config, facts: RouterFacts, routes: DesiredRoutes): RouterPlan
}

export interface RouterFacts {
  readonly rollout: { readonly namespace: string; readonly name: string }
  /** Denominator of all weights. */
  readonly max: number
  readonly objects: RoutingObjects
}

/** The routers that `spec.strategy.canary.trafficRouting` can name, by their key there. */
export type RouterKey = Exclude<
  keyof TrafficRouting,
  'managedRoutes' | 'maxTrafficWeight' | 'plugins'
>
