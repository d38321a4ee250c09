import type { ObjectKey, PatchKind, Resource } from '@serinus/kube'
import type { DesiredRoutes } from './routes.ts'
import type { StepPluginCall } from './step-plugins/observed.ts'
import type { Wait } from './wait.ts'

/**
 * Everything one pass may do, as data: compared in tests, printed by `explain`, replayed later.
 * The shell applies the writes in order, then tells the transitions, then looks again at `checkAt`.
 */
export interface Plan {
  readonly writes: readonly Write[]
  /** Told as Kubernetes Events once the write they name has succeeded. */
  readonly transitions: readonly Transition[]
  /** Everything the object stands still for, the most decisive first. */
  readonly waits: readonly Wait[]
  /** Epoch milliseconds of the next look without any event; null: nothing is pending. */
  readonly checkAt: number | null
  /** Mistakes that change nothing but must be said (api.md 15): at most one Warning Event per generation each. */
  readonly warnings: readonly Finding[]
}

/** Everything one pass over a Rollout may do. */
export interface RolloutPlan extends Plan {
  /** What routing objects must say from now on; the shell lets each router turn it into writes. Null: no routing is configured or it must not be touched now. */
  readonly routes: DesiredRoutes | null
  /** Counters changed and their write waits for company: `checkAt` is when it is sent at the latest. */
  readonly statusDeferred: boolean
  /** The pods decide what else is to be done: the next snapshot must have them. */
  readonly needsPods: boolean
  /** Step plugins to call; null: the pass did not look at them, and their answers are kept for the next. */
  readonly pluginCalls: readonly StepPluginCall[] | null
}

interface WriteFacts {
  /** Unique in the plan; transitions and later writes refer to it. */
  readonly id: string
  readonly resource: Resource
  /** Ids of writes without whose success this one must not be sent. */
  readonly requires?: readonly string[]
  /** Id of an earlier write with whose success this one must not be sent: it tells of the failure of an earlier try. */
  readonly unless?: string
}

export type Write =
  | (WriteFacts & { readonly kind: 'create'; readonly object: { readonly metadata: ObjectKey } })
  | (WriteFacts & {
      readonly kind: 'patch'
      readonly key: ObjectKey
      readonly subresource?: 'status'
      readonly patch: { readonly kind: PatchKind; readonly body: unknown }
    })
  | (WriteFacts & { readonly kind: 'delete'; readonly key: ObjectKey; readonly uid?: string })
  /** Asks a pod to go. A disruption budget may forbid it, which is no failure. */
  | (WriteFacts & { readonly kind: 'evict'; readonly key: ObjectKey; readonly uid: string })

/** A change of state that people and other tools are told: one Kubernetes Event. */
export interface Transition {
  readonly type: 'Normal' | 'Warning'
  /** UpperCamelCase, upstream's spelling (api.md 14). */
  readonly reason: string
  readonly message: string
  /** Id of the write that makes it true; absent: true already. */
  readonly after?: string
}

/** One mistake or doubt about what the user wrote, found by the shared rules. */
export interface Finding {
  readonly reason: string
  /** What the user sees: `spec.strategy.canary.steps[2].setWeight`. */
  readonly path: string
  readonly message: string
}

/** An effect of the last pass that failed; it comes back in the next snapshot so that it is told, never swallowed. */
export interface EffectFailure {
  /** Id of the write, or `routes` for a router. */
  readonly id: string
  readonly effect: 'write' | 'routes'
  /** The API's reason (`AlreadyExists`, `Forbidden`, ...) or the router's own. */
  readonly reason: string
  readonly message: string
  /** Epoch milliseconds of the first failure in a row. */
  readonly since: number
}
