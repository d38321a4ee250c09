/** What an Event says. */
export interface EventFacts {
  readonly type: 'Normal' | 'Warning'
  /** UpperCamelCase, upstream's spelling. */
  readonly reason: string
  readonly message: string
}

/** Component that upstream's Events name as their source. */
export const eventSource = 'rollouts-controller'

const bad: ReadonlySet<string> = new Set(['Failed', 'Error'])

/** The Events of Rollouts, with upstream's reasons and messages (spec api 14). */
export const rolloutEvents = {
  rolloutUpdated(revision: number): EventFacts {
    return normal('RolloutUpdated', `Rollout updated to revision ${revision}`)
  },
  newReplicaSetCreated(replicaSet: string, revision: number): EventFacts {
    const message = `Created ReplicaSet ${replicaSet} (revision ${revision})`
    return normal('NewReplicaSetCreated', message)
  },
  replicaSetCreateError(replicaSet: string, error: string): EventFacts {
    const message = `Failed to create new replica set "${replicaSet}": ${error}`
    return warning('ReplicaSetCreateError', message)
  },
  rolloutNotCompleted(revision: number, hash: string): EventFacts {
    const message = `Rollout not completed, started update to revision ${revision} (${hash})`
    return normal('RolloutNotCompleted', message)
  },
  scalingReplicaSet(change: {
    readonly replicaSet: string
    readonly revision: number
    readonly from: number
    readonly to: number
  }): EventFacts {
    const { replicaSet, revision, from, to } = change
    const direction = to > from ? 'up' : 'down'
    const message = `Scaled ${direction} ReplicaSet ${replicaSet} (revision ${revision}) from ${from} to ${to}`
    return normal('ScalingReplicaSet', message)
  },
  /** Without `from` the weight is set for the first time. */
  trafficWeightUpdated(from: number | undefined, to: number): EventFacts {
    const change = from === undefined ? `to ${to}` : `from ${from} to ${to}`
    return normal('TrafficWeightUpdated', `Traffic weight updated ${change}`)
  },
  /** `index` counts from 0, the message from 1. */
  rolloutStepCompleted(step: {
    readonly index: number
    readonly steps: number
    readonly label: string
  }): EventFacts {
    const message = `Rollout step ${step.index + 1}/${step.steps} completed (${step.label})`
    return normal('RolloutStepCompleted', message)
  },
  rolloutPaused(reason: string): EventFacts {
    return normal('RolloutPaused', `Rollout is paused (${reason})`)
  },
  rolloutResumed(): EventFacts {
    return normal('RolloutResumed', 'Rollout is resumed')
  },
  analysisRun(change: {
    readonly kind: 'Step' | 'Background' | 'PrePromotion' | 'PostPromotion'
    readonly run: string
    readonly phase: string
    /** Absent or empty: none. */
    readonly previous?: string | undefined
  }): EventFacts {
    const { kind, run, phase, previous } = change
    return {
      type: bad.has(phase) ? 'Warning' : 'Normal',
      reason: `AnalysisRun${phase}`,
      message: `${kind} Analysis Run '${run}' Status New: '${phase}' Previous: '${previous || 'NoPreviousStatus'}'`,
    }
  },
  experimentCreated(experiment: string): EventFacts {
    return normal('ExperimentCreated', `Created Experiment '${experiment}'`)
  },
  rolloutCompleted(update: {
    readonly revision: number
    readonly hash: string
    readonly why: string
  }): EventFacts {
    const { revision, hash, why } = update
    const message = `Rollout completed update to revision ${revision} (${hash}): ${why}`
    return normal('RolloutCompleted', message)
  },
  rolloutAborted(revision: number, cause?: string): EventFacts {
    const message = `Rollout aborted update to revision ${revision}`
    return warning('RolloutAborted', cause ? `${message}: ${cause}` : message)
  },
  skipSteps(why: 'stable' | 'rollback-window'): EventFacts {
    const message =
      why === 'stable'
        ? 'Rollback to stable ReplicaSets'
        : 'Rollback to active ReplicaSets within RollbackWindow'
    return normal('SkipSteps', message)
  },
  switchService(change: {
    readonly service: string
    readonly from: string
    readonly to: string
  }): EventFacts {
    const { service, from, to } = change
    const message = `Switched selector for service '${service}' from '${from}' to '${to}'`
    return normal('SwitchService', message)
  },
  trafficRoutingError(error: string): EventFacts {
    return warning('TrafficRoutingError', error)
  },
  weightVerifyError(error: string): EventFacts {
    return warning('WeightVerifyError', `Failed to verify weight: ${error}`)
  },
  /** `index` counts from 0, the message from 1. */
  stepPluginTransition(change: {
    readonly index: number
    readonly name: string
    readonly operation: 'Run' | 'Terminate' | 'Abort'
    readonly phase: string
  }): EventFacts {
    const { index, name, operation, phase } = change
    const became = {
      Run: `transitioned to ${phase}`,
      Terminate: `terminated (${phase})`,
      Abort: `aborted (${phase})`,
    }[operation]
    return {
      type: bad.has(phase) ? 'Warning' : 'Normal',
      reason: 'StepPluginTransition',
      message: `Step plugin ${name} (step ${index + 1}) ${became}`,
    }
  },
  reconciliationError(error: string): EventFacts {
    return warning('ReconciliationError', `Reconciliation failed with error: ${error}`)
  },
} as const

const badForExperiments: ReadonlySet<string> = new Set([...bad, 'Inconclusive'])

/** A phase that has become another. */
export interface PhaseChange {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly message?: string | undefined
}

/** The Events of Experiments (spec api 14). */
export const experimentEvents = {
  experiment(change: Pick<PhaseChange, 'from' | 'to'>): EventFacts {
    return {
      type: badForExperiments.has(change.to) ? 'Warning' : 'Normal',
      reason: `Experiment${change.to}`,
      message: `Experiment transitioned from ${change.from} -> ${change.to}`,
    }
  },
  template({ name, from, to, message }: PhaseChange): EventFacts {
    const text = `Template '${name}' transitioned from ${from} -> ${to}`
    return {
      type: bad.has(to) ? 'Warning' : 'Normal',
      reason: `Template${to}`,
      message: message ? `${text}: ${message}` : text,
    }
  },
  newReplicaSetCreated(replicaSet: string, size: number): EventFacts {
    const message = `Created new replica set "${replicaSet}" with size ${size}`
    return normal('NewReplicaSetCreated', message)
  },
  /** Normal upstream, although a failure. */
  replicaSetCreateError(replicaSet: string, error: string): EventFacts {
    const message = `Failed to create new replica set "${replicaSet}": ${error}`
    return warning('ReplicaSetCreateError', message)
  },
  replicaSetUpdateError(replicaSet: string, direction: 'up' | 'down', error: string): EventFacts {
    const message = `Failed to scale ${replicaSet} ${direction}: ${error}`
    return warning('ReplicaSetUpdateError', message)
  },
  scalingReplicaSet(change: {
    readonly replicaSet: string
    readonly from: number
    readonly to: number
  }): EventFacts {
    const { replicaSet, from, to } = change
    const direction = to > from ? 'up' : 'down'
    const message = `Scaled ${direction} ReplicaSet ${replicaSet} from ${from} to ${to}`
    return normal('ScalingReplicaSet', message)
  },
  analysisRunTerminating(analysis: string, run: string): EventFacts {
    return normal('AnalysisRunTerminating', `Terminating ${analysis} (${run})`)
  },
  invalidSpec(problems: string): EventFacts {
    return warning('InvalidSpec', problems)
  },
  /** Ours: requests of users may reach the pods of an Experiment. */
  podsSelected(template: string, service: string): EventFacts {
    const message = `Service '${service}' selects the pods of template '${template}', which get its requests; give the template labels that the selector does not match, or the Service a narrower selector`
    return warning('ExperimentPodsSelected', message)
  },
  /** The Rollout that owns the Experiment is told the same. */
  analysisRun({ name, from, to, message }: PhaseChange): EventFacts {
    const text = `AnalysisRun '${name}' transitioned from ${from} -> ${to}`
    return {
      type: badForExperiments.has(to) ? 'Warning' : 'Normal',
      reason: `AnalysisRun${to}`,
      message: message ? `${text}: ${message}` : text,
    }
  },
} as const

/** The Events of AnalysisRuns (spec api 14). */
export const analysisRunEvents = {
  metricCompleted(metric: string, phase: string): EventFacts {
    return {
      type: bad.has(phase) ? 'Warning' : 'Normal',
      reason: `Metric${phase}`,
      message: `Metric '${metric}' Completed. Result: ${phase}`,
    }
  },
  analysisCompleted(phase: string): EventFacts {
    return {
      type: bad.has(phase) ? 'Warning' : 'Normal',
      reason: `AnalysisRun${phase}`,
      message: `Analysis Completed. Result: ${phase}`,
    }
  },
} as const

/**
 * The notification trigger that an Event's reason stands for: `RolloutStepCompleted` is
 * `on-rollout-step-completed`, `PatchingALBIngress` is `on-patching-alb-ingress`.
 */
export function triggerOf(reason: string): string {
  const words = reason
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
  return `on-${words.toLowerCase()}`
}

function normal(reason: string, message: string): EventFacts {
  return { type: 'Normal', reason, message }
}

function warning(reason: string, message: string): EventFacts {
  return { type: 'Warning', reason, message }
}
