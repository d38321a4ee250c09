/** Why an object stands still. Times are epoch milliseconds. */
export type Wait =
  | { readonly kind: 'user-pause' }
  /** Somebody must promote; `step` is null for blue-green. */
  | { readonly kind: 'gate'; readonly step: number | null; readonly since: number }
  | {
      readonly kind: 'timer'
      readonly step: number | null
      readonly since: number
      readonly until: number
    }
  | {
      readonly kind: 'pods'
      readonly replicaSet: string
      readonly available: number
      readonly wanted: number
      /** When the progress deadline strikes; null where none applies. */
      readonly until: number | null
    }
  | { readonly kind: 'routes'; readonly weight: number; readonly effective: number | null }
  /** The header and mirror routes of a step are not all there yet, or one that it takes away still is. */
  | {
      readonly kind: 'managed-routes'
      readonly step: number
      readonly routes: readonly string[]
    }
  | { readonly kind: 'analysis'; readonly run: string; readonly step: number | null }
  /** A step plugin is at work, or is called again at `until`; null: its answer, or another one's, comes first. */
  | {
      readonly kind: 'plugin'
      readonly step: number
      readonly name: string
      readonly operation: 'Run' | 'Terminate' | 'Abort'
      /** What it last said. */
      readonly message: string | null
      readonly until: number | null
    }
  /** A step plugin that is needed cannot be called until somebody mends that. */
  | {
      readonly kind: 'plugin-unavailable'
      readonly step: number
      readonly name: string
      readonly message: string
    }
  | { readonly kind: 'experiment'; readonly experiment: string; readonly step: number }
  /** Of a run, or of the Experiment of a step. */
  | { readonly kind: 'inconclusive'; readonly run: string; readonly since: number }
  | { readonly kind: 'scale-down-delay'; readonly replicaSet: string; readonly until: number }
  /** Pods are kept although fewer are wanted, since requests may still reach them \`by\` that way. */
  | {
      readonly kind: 'traffic'
      readonly replicaSet: string
      readonly kept: number
      readonly wanted: number
      readonly by: string
    }
  /** The stable ReplicaSet is gone: promote the new one in full, or bring the old template back. */
  | { readonly kind: 'stable-lost'; readonly hash: string }
  /** Pods created before `restartAt` are still there. */
  | { readonly kind: 'restart'; readonly left: number; readonly restartAt: number }
  /** A disruption budget forbids to evict these pods at present. */
  | {
      readonly kind: 'disruption-budget'
      readonly pods: readonly string[]
      readonly message: string
      readonly until: number
    }
  | { readonly kind: 'aborted'; readonly reason: string }
  | { readonly kind: 'invalid-spec'; readonly problems: number }
  | {
      readonly kind: 'effect'
      readonly id: string
      readonly message: string
      readonly since: number
    }

/** Who can end the wait. */
export function whoCanAct(wait: Wait): 'user' | 'clock' | 'cluster' | 'provider' {
  switch (wait.kind) {
    case 'user-pause':
    case 'gate':
    case 'inconclusive':
    case 'aborted':
    case 'stable-lost':
    case 'invalid-spec':
    case 'plugin-unavailable':
      return 'user'
    case 'timer':
    case 'scale-down-delay':
      return 'clock'
    case 'pods':
    case 'routes':
    case 'managed-routes':
    case 'traffic':
    case 'restart':
    case 'experiment':
    case 'disruption-budget':
    case 'effect':
      return 'cluster'
    case 'analysis':
    case 'plugin':
      return 'provider'
    default:
      throw new TypeError(`unknown wait: ${JSON.stringify(wait satisfies never)}`)
  }
}
