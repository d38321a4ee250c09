import type { CanaryStep } from '@serinus/api'

/** One side of a split. */
export interface RouteTarget {
  /** Service name; empty for routers that work on subsets or hashes only. */
  readonly service: string
  /** Value of the label `rollouts-pod-template-hash`; empty while there is none. */
  readonly hash: string
}

/** One of the two sides that share the weights. */
export interface RouteSide extends RouteTarget {
  /** Whether it has a pod that can answer, so that requests may be led there by its hash. */
  readonly available: boolean
}

/** What the routing objects of a Rollout must say, independent of the router (traffic-routing 3.3). */
export interface DesiredRoutes {
  readonly rollout: { readonly namespace: string; readonly name: string; readonly uid: string }
  /** Share of traffic for the canary, 0 to `max`. */
  readonly weight: number
  /** Denominator of all weights: `maxTrafficWeight`, 100 by default. */
  readonly max: number
  readonly stable: RouteSide
  readonly canary: RouteSide
  /** Experiment templates with a weight; `port`: where their Service listens, absent where nobody knows. */
  readonly additional: readonly (RouteTarget & {
    readonly weight: number
    readonly port?: number
  })[]
  /** True while no update is running or it was aborted: header and mirror routes must not exist. */
  readonly removeManagedRoutes: boolean
  /** Every header and mirror route that must exist, in order of precedence. */
  readonly managedRoutes: readonly ManagedRoute[]
}

/** A route beside the weights that leads, or copies, the requests that match to the canary (traffic-routing 3.8). */
export type ManagedRoute =
  | {
      readonly kind: 'header'
      readonly name: string
      readonly match: NonNullable<NonNullable<CanaryStep['setHeaderRoute']>['match']>
    }
  | {
      readonly kind: 'mirror'
      readonly name: string
      readonly match: NonNullable<NonNullable<CanaryStep['setMirrorRoute']>['match']>
      /** Of the matching requests, 0 to 100. */
      readonly percentage: number
    }

/** What a router that takes neither header nor mirror routes was seen to hold of them. */
export const noManagedRoutes: ObservedRouter['managedRoutes'] = { header: null, mirror: null }

/** What one router was seen to do, taken from its objects in the API by the router's own pure code. */
export interface ObservedRouter {
  /** `Nginx`, `ALB`, `Istio`, ... as upstream names them. */
  readonly type: string
  /** Canary share that the objects ask for at present, on the scale of `max`; null: they say nothing yet. */
  readonly weight: number | null
  /** Whether the data plane confirmed that share; null: this router cannot tell. */
  readonly verified: boolean | null
  /** Names of the header and mirror routes that the objects hold; null: this router takes none of that kind. */
  readonly managedRoutes: Readonly<Record<ManagedRoute['kind'], readonly string[] | null>>
  /** Hashes of the pods that the objects themselves select for each side, empty for none; absent: Services do that. */
  readonly hashes?: Readonly<Record<'stable' | 'canary', string>>
}
