import type { RolloutCondition } from './types.ts'

/** A condition without the times, which whoever sets it knows. */
export type ConditionFacts = Omit<RolloutCondition, 'lastUpdateTime' | 'lastTransitionTime'>

/**
 * The conditions of a Rollout with upstream's reasons and messages (spec api 13.1, 13.2). Where the
 * message of a False condition says the opposite of its status upstream, ours is mended; reasons
 * are upstream's throughout.
 */
export const conditionFacts = {
  invalidSpec(rollout: string, problems: string): ConditionFacts {
    const message = `The Rollout "${rollout}" is invalid: ${problems}`
    return { type: 'InvalidSpec', status: 'True', reason: 'InvalidSpec', message }
  },
  available(isAvailable: boolean): ConditionFacts {
    return {
      type: 'Available',
      status: isAvailable ? 'True' : 'False',
      reason: 'AvailableReason',
      message: isAvailable
        ? 'Rollout has minimum availability'
        : 'Rollout does not have minimum availability',
    }
  },
  paused(isPaused: boolean): ConditionFacts {
    return {
      type: 'Paused',
      status: isPaused ? 'True' : 'False',
      reason: 'RolloutPaused',
      message: isPaused ? 'Rollout is paused' : 'Rollout is not paused',
    }
  },
  completed(isCompleted: boolean): ConditionFacts {
    return {
      type: 'Completed',
      status: isCompleted ? 'True' : 'False',
      reason: 'RolloutCompleted',
      message: isCompleted ? 'RolloutCompleted' : 'Rollout is not completed',
    }
  },
  healthy(isHealthy: boolean): ConditionFacts {
    return {
      type: 'Healthy',
      status: isHealthy ? 'True' : 'False',
      reason: 'RolloutHealthy',
      message: isHealthy ? 'Rollout is healthy' : 'Rollout is not healthy',
    }
  },
  progressing(cause: ProgressCause): ConditionFacts {
    return { type: 'Progressing', ...progress(cause) }
  },
} as const

/** The conditions of an Experiment (spec api 13.4). */
export const experimentConditionFacts = {
  invalidSpec(problems: string): ConditionFacts {
    return { type: 'InvalidSpec', status: 'True', reason: 'InvalidSpec', message: problems }
  },
  completed(experiment: string): ConditionFacts {
    const message = `Experiment "${experiment}" has successfully ran and completed.`
    return { type: 'Progressing', status: 'False', reason: 'ExperimentCompleted', message }
  },
  progressing(experiment: string): ConditionFacts {
    const message = `Experiment "${experiment}" is progressing.`
    return { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message }
  },
  running(experiment: string): ConditionFacts {
    const message = `Experiment "${experiment}" is running.`
    return { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message }
  },
} as const

/** Why the condition Progressing is as it is (spec api 13.2). */
export type ProgressCause =
  | { readonly reason: 'NewReplicaSetCreated'; readonly replicaSet: string }
  | { readonly reason: 'FoundNewReplicaSet'; readonly replicaSet: string }
  | {
      readonly reason: 'ReplicaSetCreateError'
      readonly replicaSet: string
      readonly error: string
    }
  | { readonly reason: 'ReplicaSetUpdated'; readonly replicaSet: string }
  | { readonly reason: 'ReplicaSetNotAvailable' }
  | { readonly reason: 'NewReplicaSetAvailable'; readonly replicaSet: string }
  | { readonly reason: 'ProgressDeadlineExceeded'; readonly replicaSet: string }
  | { readonly reason: 'RolloutPaused' }
  | { readonly reason: 'RolloutResumed' }
  /** Without a cause a user aborted. */
  | { readonly reason: 'RolloutAborted'; readonly revision: number; readonly cause?: string }
  | { readonly reason: 'RolloutRetry' }

function progress(cause: ProgressCause): Omit<ConditionFacts, 'type'> {
  const { reason } = cause
  switch (reason) {
    case 'NewReplicaSetCreated':
      return { status: 'True', reason, message: `Created new replica set "${cause.replicaSet}"` }
    case 'FoundNewReplicaSet':
      return { status: 'True', reason, message: `Found new replica set "${cause.replicaSet}"` }
    case 'ReplicaSetCreateError': {
      const message = `Failed to create new replica set "${cause.replicaSet}": ${cause.error}`
      return { status: 'False', reason, message }
    }
    case 'ReplicaSetUpdated':
      return { status: 'True', reason, message: `ReplicaSet "${cause.replicaSet}" is progressing.` }
    case 'ReplicaSetNotAvailable':
      return { status: 'True', reason, message: 'Rollout does not have minimum availability' }
    case 'NewReplicaSetAvailable': {
      const message = `ReplicaSet "${cause.replicaSet}" has successfully progressed.`
      return { status: 'True', reason, message }
    }
    case 'ProgressDeadlineExceeded': {
      const message = `ReplicaSet "${cause.replicaSet}" has timed out progressing.`
      return { status: 'False', reason, message }
    }
    case 'RolloutPaused':
      return { status: 'Unknown', reason, message: 'Rollout is paused' }
    case 'RolloutResumed':
      return { status: 'Unknown', reason, message: 'Rollout is resumed' }
    case 'RolloutAborted': {
      const message = `Rollout aborted update to revision ${cause.revision}`
      return {
        status: 'False',
        reason,
        message: cause.cause ? `${message}: ${cause.cause}` : message,
      }
    }
    case 'RolloutRetry':
      return { status: 'Unknown', reason, message: 'Retrying Rollout after abort' }
    default:
      throw new TypeError(`unknown cause: ${JSON.stringify(cause satisfies never)}`)
  }
}

/**
 * Conditions with one set (spec api 13.2, rules): the same status keeps `lastTransitionTime`, the
 * same status and reason keep both times unless `renew` says that it was confirmed; a changed
 * message is always taken over. A condition whose status or reason changed moves to the end. `at` is
 * an RFC 3339 time.
 */
export function setCondition(
  conditions: readonly RolloutCondition[],
  facts: ConditionFacts,
  options: { readonly at: string; readonly renew?: boolean },
): readonly RolloutCondition[] {
  const present = conditions.find((condition) => condition.type === facts.type)
  const isSame = present?.status === facts.status && present.reason === facts.reason
  if (isSame) {
    const lastUpdateTime = options.renew ? options.at : present.lastUpdateTime
    if (present.message === facts.message && lastUpdateTime === present.lastUpdateTime) {
      return conditions
    }
    const renewed = { ...present, message: facts.message, lastUpdateTime }
    return conditions.map((condition) => (condition === present ? renewed : condition))
  }
  const lastTransitionTime =
    present?.status === facts.status ? present.lastTransitionTime : options.at
  const condition = { ...facts, lastUpdateTime: options.at, lastTransitionTime }
  return [...conditions.filter((each) => each !== present), condition]
}

/** The condition of that type. */
export function conditionOf(
  conditions: readonly RolloutCondition[] | undefined,
  type: string,
): RolloutCondition | undefined {
  return conditions?.find((condition) => condition.type === type)
}

/** Conditions without the one of that type; the same list where there is none. */
export function withoutCondition(
  conditions: readonly RolloutCondition[],
  type: string,
): readonly RolloutCondition[] {
  const left = conditions.filter((condition) => condition.type !== type)
  return left.length === conditions.length ? conditions : left
}
