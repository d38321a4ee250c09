import type { Problem, TrafficRouting } from '@serinus/api'
import type { DesiredRoutes, ObservedRouter, Transition, Write } from '@serinus/engine'
import type { RoutingObjects, Watched } from './routing-objects.ts'

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
  /** The objects that it looks at; all else is not there for it. */
  watches(config: Config, facts: RolloutFacts): readonly Watched[]
  /** What the objects lack so that no update can start, paths included (spec traffic-routing 1.2); absent: nothing is asked of them. */
  check?(config: Config, facts: RouterFacts): readonly Problem[]
  /** What the objects ask for at present. */
  observe(config: Config, facts: RouterFacts): ObservedRouter
  /** One plan per routing object: one that cannot be written does not keep the others on an old weight. */
  plan(config: Config, facts: RouterFacts, routes: DesiredRoutes): readonly RouterPlan[]
  /** Deletes objects of this router's making that the spec no longer asks for; null: the whole block is gone. */
  removals(config: Config | null, facts: RouterFacts): readonly Write[]
  /** Leaves all traffic with the stable side, since nobody looks after it any more (spec traffic-routing 3.10, falls short 47). */
  release(config: Config, facts: RouterFacts): readonly Write[]
}

/** What a router may know of the Rollout apart from its own block. */
export interface RolloutFacts {
  readonly rollout: { readonly namespace: string; readonly name: string; readonly uid: string }
  /** Denominator of all weights. */
  readonly max: number
  /** Names of the Services that lead to each side at present; empty where the user names none. */
  readonly services: { readonly stable: string; readonly canary: string }
  /** Names of the routes that steps may set, in order of precedence. */
  readonly managedRoutes: readonly string[]
  /** Whether a request must match one entry of a header route, or all (spec traffic-routing 8). */
  readonly headerMatch: 'or' | 'and'
}

export interface RouterFacts extends RolloutFacts {
  readonly objects: RoutingObjects
}

/** Choices of the process about the APIs of routers (spec traffic-routing 9); absent: what the cluster serves. */
export interface RouterSettings {
  /** Group of TraefikService; `traefik.io` by default, `traefik.containo.us` for Traefik 2. */
  readonly traefikGroup?: string
  readonly traefikVersion?: string
  /** Version of VirtualService and DestinationRule. */
  readonly istioVersion?: string
  readonly trafficSplitVersion?: string
  /** Group of Mapping: `getambassador.io` by default, or `x.getambassador.io`, where it is called AmbassadorMapping. */
  readonly ambassadorGroup?: string
  readonly ambassadorVersion?: string
  /** Of App Mesh's kinds; `v1beta2` by default. */
  readonly appMeshVersion?: string
}

/** The routers that `spec.strategy.canary.trafficRouting` can name, by their key there. */
export type RouterKey = Exclude<
  keyof TrafficRouting,
  'managedRoutes' | 'maxTrafficWeight' | 'plugins'
>
