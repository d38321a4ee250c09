import {
  type ConditionFacts,
  conditionFacts,
  conditionOf,
  type ProgressCause,
  rolloutEvents,
  setCondition,
  withoutCondition,
} from '@serinus/api'
import { formatInstant } from '../instant.ts'
import type { Draft } from './draft.ts'
import { isPromoted, type RolloutFacts } from './facts.ts'
import { madeProgress, type Outlook } from './progress.ts'
import { createErrorOf } from './resize.ts'

/** Told again, they are told of something new. */
const confirmsProgress: ReadonlySet<string> = new Set(['NewReplicaSetCreated', 'ReplicaSetUpdated'])

/** The conditions of this moment (spec rollout-controller 6.4). */
export function setConditions(facts: RolloutFacts, draft: Draft, outlook: Outlook): void {
  const { rollout } = facts.snapshot
  const status = draft.status
  const before = rollout.status ?? {}
  let conditions = withoutCondition(before.conditions ?? [], 'InvalidSpec')
  const at = formatInstant(facts.now)
  const set = (condition: ConditionFacts, renew = false) => {
    conditions = setCondition(conditions, condition, { at, renew })
  }
  // Upstream words some False ones as the True ones: not worth a write, which idle Rollouts that are taken over must
  // not cost.
  const turn = (condition: ConditionFacts) => {
    if (conditionOf(conditions, condition.type)?.status !== condition.status) set(condition)
  }
  const completed = (status.stableRS ?? '') !== '' && isPromoted(status)
  const isPaused = rollout.spec.paused === true || (status.pauseConditions?.length ?? 0) > 0
  const healthy = !isPaused && outlook.isHealthy
  const wasCompleted = conditionOf(conditions, 'Completed')?.status

  set(conditionFacts.available(outlook.isAvailable))
  const failure = [facts.newSet, ...facts.all]
    .flatMap((one) => one.object?.status?.conditions ?? [])
    .find((condition) => condition.type === 'ReplicaFailure')
  if (failure) {
    const { status: state, reason = '', message = '' } = failure
    set({ type: 'ReplicaFailure', status: state, reason, message } as ConditionFacts)
  } else conditions = withoutCondition(conditions, 'ReplicaFailure')

  const progress = progressOf(facts, draft, { outlook, completed, isPaused, healthy })
  if (progress) set(conditionFacts.progressing(progress), confirmsProgress.has(progress.reason))
  conditions = withNotifications(facts, { conditions, at })
  if (isPaused || conditionOf(conditions, 'Paused')) turn(conditionFacts.paused(isPaused))
  turn(conditionFacts.completed(completed))
  if (!completed && wasCompleted === 'True') {
    const { revision, hash } = facts.newSet
    draft.transitions.push({
      ...rolloutEvents.rolloutNotCompleted(revision, hash),
      after: 'status',
    })
  }
  if (healthy || conditionOf(conditions, 'Healthy')) set(conditionFacts.healthy(healthy))
  status.conditions = conditions
}

/** What the condition Progressing becomes; null: it stays as it is. Tells what began with this pass. */
function progressOf(
  facts: RolloutFacts,
  draft: Draft,
  state: {
    readonly outlook: Outlook
    readonly completed: boolean
    readonly isPaused: boolean
    readonly healthy: boolean
  },
): ProgressCause | null {
  const before = facts.snapshot.rollout.status ?? {}
  const present = conditionOf(before.conditions, 'Progressing')
  const wasHealthy = conditionOf(before.conditions, 'Healthy')?.status === 'True'
  const { name: replicaSet, revision } = facts.newSet
  const { completed, outlook } = state
  if (draft.status.abort) {
    if (present?.reason === 'RolloutAborted') return null
    const cause = draft.abortCause ?? undefined
    draft.transitions.push({ ...rolloutEvents.rolloutAborted(revision, cause), after: 'status' })
    return { reason: 'RolloutAborted', revision, ...(cause ? { cause } : {}) }
  }
  const error = createErrorOf(facts)
  if (error !== null) {
    const event = rolloutEvents.replicaSetCreateError(replicaSet, error)
    if (present?.reason !== event.reason) draft.transitions.push({ ...event, after: 'status' })
    return { reason: 'ReplicaSetCreateError', replicaSet, error }
  }
  if (present?.reason === 'RolloutAborted' && !draft.wasReset && !completed) {
    return { reason: 'RolloutRetry' }
  }
  if (state.isPaused && !completed) return { reason: 'RolloutPaused' }
  if (draft.createdReplicaSet || present?.reason === 'ReplicaSetCreateError') {
    return { reason: 'NewReplicaSetCreated', replicaSet }
  }
  if (!present) return { reason: 'FoundNewReplicaSet', replicaSet }
  if (state.healthy) return { reason: 'NewReplicaSetAvailable', replicaSet }
  if (completed && wasHealthy) return { reason: 'ReplicaSetNotAvailable' }
  if (outlook.isTimedOut) {
    if (present.reason !== 'ProgressDeadlineExceeded') {
      const { message } = conditionFacts.progressing({
        reason: 'ProgressDeadlineExceeded',
        replicaSet,
      })
      const event = { type: 'Warning', reason: 'ProgressDeadlineExceeded', message } as const
      draft.transitions.push({ ...event, after: 'status' })
    }
    return { reason: 'ProgressDeadlineExceeded', replicaSet }
  }
  if (madeProgress(facts, draft.status)) {
    return { reason: 'ReplicaSetUpdated', replicaSet }
  }
  return present.reason === 'RolloutPaused' ? { reason: 'RolloutResumed' } : null
}

/** Healthy subscriptions do not get this condition; ones that had a problem keep it, as True, once they are mended. */
function withNotifications(
  facts: RolloutFacts,
  {
    conditions,
    at,
  }: { readonly conditions: Parameters<typeof setCondition>[0]; readonly at: string },
): Parameters<typeof setCondition>[0] {
  const problems = facts.snapshot.notificationProblems
  const type = 'NotificationsConfigured'
  const set = (status: 'True' | 'False', reason: string, message: string) =>
    setCondition(conditions, { type, status, reason, message } as ConditionFacts, { at })
  if (problems && problems.length > 0) {
    return set('False', problems[0]?.code ?? '', problems.map(({ message }) => message).join('; '))
  }
  if (!problems || !conditionOf(conditions, type)) return conditions
  return set('True', 'SubscriptionsValid', 'All subscriptions reach somebody')
}
