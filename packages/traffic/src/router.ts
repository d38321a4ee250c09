import type { TrafficRouting } from '@serinus/api'
import type { DesiredRoutes, Ingress, ObservedRouter, Transition, Write } from '@serinus/engine'

/** The objects of a Rollout's namespace that routers read; a router with another kind adds a list here. */
export interface RoutingObjects {
  readonly ingresses: readonly Ingress[]
}

/** What one routing object needs so that it says what is desired. */
export type RouterPlan =
  | {
      readonly ok: true
      readonly writes: readonly Write[]
      /** Events that become true with the writes they name. */
      readonly transitions: readonly Transition[]
    }
  /** `detail` names what is missing or wrong, as upstream words it. */
  | { readonly ok: false; readonly reason: 'TrafficRoutingError'; readonly detail: string }

/**
 * One way to shift traffic. All functions are pure: objects in, writes out; unchanged input writes nothing, fields of
 * others survive, and what is missing is named (spec traffic-routing 4).
 */
export interface Router<Config> {
  /** As upstream names it in status and events. */
  readonly type: string
  /** What the objects ask for at present. */
  observe(config: Config, facts: RouterFacts): ObservedRouter
  /** One plan per routing object: one that cannot be written does not keep the others on an old weight. */
  plan(config: Config, facts: RouterFacts, routes: DesiredRoutes): readonly RouterPlan[]
  /** Deletes objects of this router's making that the spec no longer asks for; null: the whole block is gone. */
  removals(config: Config | null, facts: RouterFacts): readonly Write[]
}

/** What a router may know apart from its own block and the desired routes. */
export interface RouterFacts {
  readonly rollout: { readonly namespace: string; readonly name: string; readonly uid: string }
  /** Denominator of all weights. */
  readonly max: number
  readonly objects: RoutingObjects
}

/** The routers that `spec.strategy.canary.trafficRouting` can name, by their key there. */
export type RouterKey = Exclude<
  keyof TrafficRouting,
  'managedRoutes' | 'maxTrafficWeight' | 'plugins'
>
