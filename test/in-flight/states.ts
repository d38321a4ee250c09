/** What the recorder looks at while it waits. */
export interface Seen {
  readonly status: Status
  /** Oldest revision first. */
  readonly sets: readonly Sizes[]
}

interface Status {
  readonly phase?: string
  readonly abort?: boolean
  readonly currentStepIndex?: number
  readonly currentPodHash?: string
  readonly stableRS?: string
  readonly pauseConditions?: readonly { readonly reason: string }[]
  readonly canary?: {
    readonly currentStepAnalysisRunStatus?: { readonly status: string }
    readonly currentBackgroundAnalysisRunStatus?: { readonly status: string }
  }
}

interface Sizes {
  readonly hash: string
  readonly replicas: number
  readonly available: number
  readonly deadline: string | null
}

/** One moment of an update that a controller can be taken over in; its objects are in the YAML file of its name. */
export interface InFlightState {
  readonly name: string
  /** Also the value of the label `app` that all objects of the state carry. */
  readonly rollout: string
  /** What the second revision is released by. */
  readonly released: 'Rollout' | 'Deployment'
  readonly isAbortedOnceReached?: (seen: Seen) => boolean
  readonly isReached: (seen: Seen) => boolean
}

const isPaused =
  (reason: string, step?: number) =>
  ({ status }: Seen): boolean =>
    status.phase === 'Paused' &&
    status.pauseConditions?.[0]?.reason === reason &&
    status.currentStepIndex === step

const isDone = ({ status, sets }: Seen): boolean =>
  status.phase === 'Healthy' && status.stableRS === status.currentPodHash && sets.length === 2

export const inFlightStates: readonly InFlightState[] = [
  {
    name: 'paused-step',
    rollout: 'checkout',
    released: 'Rollout',
    isReached: (seen) =>
      isPaused('CanaryPauseStep', 1)(seen) &&
      seen.status.canary?.currentBackgroundAnalysisRunStatus?.status === 'Running',
  },
  {
    name: 'timed-pause',
    rollout: 'search',
    released: 'Rollout',
    isReached: isPaused('CanaryPauseStep', 1),
  },
  {
    name: 'mid-scale',
    rollout: 'cart',
    released: 'Rollout',
    isReached: ({ sets }) => sets[1]?.replicas === 2 && sets[1].available === 1,
  },
  {
    name: 'inline-analysis',
    rollout: 'orders',
    released: 'Rollout',
    isReached: ({ status }) =>
      status.currentStepIndex === 2 &&
      status.canary?.currentStepAnalysisRunStatus?.status === 'Running',
  },
  {
    name: 'aborted',
    rollout: 'basket',
    released: 'Rollout',
    isAbortedOnceReached: isPaused('CanaryPauseStep', 1),
    isReached: ({ status, sets: [stable, canary] }) =>
      status.abort === true &&
      status.phase === 'Degraded' &&
      stable !== undefined &&
      stable.replicas > stable.available &&
      canary?.replicas === 2,
  },
  {
    name: 'blue-green-paused',
    rollout: 'web',
    released: 'Rollout',
    isReached: isPaused('BlueGreenPause'),
  },
  {
    name: 'blue-green-scale-down-delay',
    rollout: 'api',
    released: 'Rollout',
    isReached: (seen) =>
      isDone(seen) && seen.sets[0]?.replicas === 4 && seen.sets[0].deadline !== null,
  },
  {
    name: 'workload-ref',
    rollout: 'payments',
    released: 'Deployment',
    isReached: isPaused('CanaryPauseStep', 1),
  },
  {
    name: 'traffic-routed',
    rollout: 'shipping',
    released: 'Rollout',
    isReached: isPaused('CanaryPauseStep', 1),
  },
  {
    name: 'idle',
    rollout: 'catalog',
    released: 'Rollout',
    isReached: (seen) => isDone(seen) && seen.sets[0]?.replicas === 0,
  },
]
