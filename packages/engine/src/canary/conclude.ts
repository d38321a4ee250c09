import {
  annotationKeys,
  type ConditionFacts,
  conditionOf,
  defaults,
  type EventFacts,
  kinds,
  type Rollout,
  type RolloutCondition,
  type RolloutStatus,
  rolloutEvents,
  rolloutPhase,
  setCondition,
  withoutCondition,
} from '@serinus/api'
import { mergePatch } from '@serinus/kube'
import { checkAt, type Draft, type LooseStatus } from '../draft.ts'
import { formatInstant, parseInstant } from '../instant.ts'
import { recordDuration } from './duration.ts'
import type { CanaryFacts, Position } from './facts.ts'
import { runNamed } from './runs.ts'
import { createId } from './scale.ts'

/** Counts of this moment (spec rollout-controller 6.3). */
export function countPods(facts: CanaryFacts, draft: Draft): void {
  const { rollout } = facts.snapshot
  const sum = (of: (set: CanaryFacts['newSet']) => number) =>
    facts.all.reduce((total, set) => total + of(set), 0) || undefined
  draft.status.replicas = sum((set) => set.pods)
  draft.status.HPAReplicas = draft.status.replicas
  draft.status.updatedReplicas = facts.newSet.pods || undefined
  draft.status.readyReplicas = sum((set) => set.ready)
  draft.status.availableReplicas = sum((set) => set.available)
  draft.status.selector = formatSelector(rollout)
  draft.status.collisionCount = facts.collisionCount
  draft.status.observedGeneration = String(rollout.metadata.generation ?? 0)
  draft.status.blueGreen = undefined
}

function formatSelector(rollout: Rollout): string | undefined {
  const { matchLabels = {}, matchExpressions = [] } = rollout.spec.selector ?? {}
  const parts = Object.entries(matchLabels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
  for (const { key, operator, values = [] } of matchExpressions) {
    if (operator === 'Exists') parts.push(key)
    else if (operator === 'DoesNotExist') parts.push(`!${key}`)
    else
      parts.push(`${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].sort().join(',')})`)
  }
  return parts.join(',') || undefined
}

/** Whether this pass saw the update move (spec rollout-controller 6.4, progress test). */
function madeProgress(before: RolloutStatus, after: LooseStatus): boolean {
  const n = (value: number | undefined) => value ?? 0
  const old = (status: LooseStatus) => n(status.replicas) - n(status.updatedReplicas)
  return (
    n(after.updatedReplicas) !== n(before.updatedReplicas) ||
    old(after) < old(before) ||
    n(after.readyReplicas) > n(before.readyReplicas) ||
    n(after.availableReplicas) > n(before.availableReplicas) ||
    after.stableRS !== before.stableRS ||
    (before.currentStepIndex !== undefined && after.currentStepIndex !== before.currentStepIndex) ||
    after.currentStepHash !== before.currentStepHash ||
    // An update without steps has no index that could tell its beginning.
    after.currentPodHash !== before.currentPodHash ||
    // A user who skips an analysis step moves the index himself; only the run that was left tells of it.
    after.canary?.currentStepAnalysisRunStatus?.name !==
      before.canary?.currentStepAnalysisRunStatus?.name
  )
}

export function timedOutMessage(facts: CanaryFacts): string {
  return `ReplicaSet "${facts.newSet.name}" has timed out progressing.`
}

/** Whether the progress deadline has passed; schedules the next look where it has not. */
export function hasTimedOut(facts: CanaryFacts, draft: Draft, position: Position): boolean {
  const { rollout } = facts.snapshot
  const progressing = conditionOf(rollout.status?.conditions, 'Progressing')
  if (!progressing || position.aborted || isHealthy(facts, draft.status)) return false
  if (rollout.spec.paused || (draft.status.pauseConditions?.length ?? 0) > 0) return false
  if (madeProgress(rollout.status ?? {}, draft.status)) return false
  const step = position.promoted ? undefined : facts.steps[position.index]
  if (step && (step.pause || step.analysis || step.experiment || step.plugin)) return false
  if (rollout.status?.canary?.currentStepAnalysisRunStatus) return false
  // Old pods that are kept for their delay hold nothing up; past it they are as late as anything else.
  const kept = facts.others.filter((set) => set.spec > 0 && (set.deadline ?? 0) > facts.now)
  for (const set of kept) checkAt(draft, set.deadline ?? facts.now)
  if (kept.length > 0) return false
  if (progressing.reason === 'RolloutAborted' || progressing.reason === 'RolloutPaused')
    return false
  if (progressing.reason === 'ProgressDeadlineExceeded') return true
  const since = parseInstant(progressing.lastUpdateTime)
  if (since === null) return false
  const until = since + defaults.progressDeadlineSeconds(rollout) * 1000
  if (until < facts.now) return true
  checkAt(draft, until + 1)
  return false
}

function isHealthy(facts: CanaryFacts, status: LooseStatus): boolean {
  const { replicas, steps } = facts
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (steps.length === 0 || status.currentStepIndex === steps.length) &&
    status.stableRS === status.currentPodHash
  )
}

/** Conditions, phase, duration, and the one status write of the pass (spec rollout-controller 6.4, 6.5). */
export function conclude(facts: CanaryFacts, draft: Draft, timedOut: boolean): void {
  const { rollout } = facts.snapshot
  const before = rollout.status ?? {}
  setConditions(facts, draft, timedOut)
  pauseTransitions(facts, draft, before)
  recordDuration(facts, draft)
  const failure = draft.status.abort ? null : createFailureOf(facts)
  const { phase, message } = failure
    ? { phase: 'Degraded' as const, message: `${failure.reason}: ${failure.message}` }
    : rolloutPhase({ ...rollout, status: compact(draft.status) })
  draft.status.phase = phase
  draft.status.message = message || undefined
  writeStatus(facts, draft)
}

/** Why the new ReplicaSet could not be created; null when it is there or was not tried (falls short 11). */
function createFailureOf(facts: CanaryFacts): EventFacts | null {
  const failure = facts.snapshot.failures.find(({ id }) => id === createId(facts.newSet))
  if (!failure || !facts.missing) return null
  return rolloutEvents.replicaSetCreateError(facts.newSet.name, failure.message)
}

function setConditions(facts: CanaryFacts, draft: Draft, timedOut: boolean): void {
  const { rollout } = facts.snapshot
  const { now } = facts
  const status = draft.status
  const before = rollout.status ?? {}
  let conditions = withoutCondition(before.conditions ?? [], 'InvalidSpec')
  const at = formatInstant(now)
  const set = (type: string, state: string, reason: string, message: string, renew = false) => {
    conditions = setCondition(
      conditions,
      { type, status: state, reason, message } as ConditionFacts,
      { at, renew },
    )
  }
  const promoted = (status.stableRS ?? '') !== '' && status.stableRS === status.currentPodHash
  const isPaused = rollout.spec.paused === true || (status.pauseConditions?.length ?? 0) > 0
  const healthy = !isPaused && isHealthy(facts, status)
  const wasHealthy = conditionOf(conditions, 'Healthy')?.status === 'True'
  const wasCompleted = conditionOf(conditions, 'Completed')?.status
  const progressing = conditionOf(conditions, 'Progressing')

  // While an update moves pods, availability is judged by what maxUnavailable allows (falls short 18).
  const needed = promoted ? facts.replicas : facts.replicas - facts.unavailable
  const available = (status.availableReplicas ?? 0) >= needed
  set(
    'Available',
    available ? 'True' : 'False',
    'AvailableReason',
    available ? 'Rollout has minimum availability' : 'Rollout does not have minimum availability',
  )

  const failure = [facts.newSet, ...facts.all]
    .flatMap((s) => s.object?.status?.conditions ?? [])
    .find((c) => c.type === 'ReplicaFailure')
  if (failure) set('ReplicaFailure', failure.status, failure.reason ?? '', failure.message ?? '')
  else conditions = withoutCondition(conditions, 'ReplicaFailure')

  const createFailure = createFailureOf(facts)
  const moved = madeProgress(before, status)
  if (status.abort) {
    if (progressing?.reason !== 'RolloutAborted') {
      const event = rolloutEvents.rolloutAborted(
        facts.newSet.revision,
        draft.abortCause ?? undefined,
      )
      draft.transitions.push({ ...event, after: 'status' })
      set('Progressing', 'False', event.reason, event.message)
    }
  } else if (createFailure) {
    if (progressing?.reason !== 'ReplicaSetCreateError') {
      draft.transitions.push({ ...createFailure, after: 'status' })
    }
    set('Progressing', 'False', createFailure.reason, createFailure.message)
  } else if (progressing?.reason === 'RolloutAborted' && !draft.wasReset && !promoted) {
    set('Progressing', 'Unknown', 'RolloutRetry', 'Retrying Rollout after abort')
  } else if (isPaused && !promoted) {
    set('Progressing', 'Unknown', 'RolloutPaused', 'Rollout is paused')
  } else if (draft.createdReplicaSet || progressing?.reason === 'ReplicaSetCreateError') {
    set(
      'Progressing',
      'True',
      'NewReplicaSetCreated',
      `Created new replica set "${facts.newSet.name}"`,
      true,
    )
  } else if (!progressing) {
    set('Progressing', 'True', 'FoundNewReplicaSet', `Found new replica set "${facts.newSet.name}"`)
  } else if (healthy) {
    set(
      'Progressing',
      'True',
      'NewReplicaSetAvailable',
      `ReplicaSet "${facts.newSet.name}" has successfully progressed.`,
    )
  } else if (promoted && wasHealthy) {
    set(
      'Progressing',
      'True',
      'ReplicaSetNotAvailable',
      'Rollout does not have minimum availability',
    )
  } else if (timedOut) {
    if (progressing.reason !== 'ProgressDeadlineExceeded') {
      draft.transitions.push({
        type: 'Warning',
        reason: 'ProgressDeadlineExceeded',
        message: timedOutMessage(facts),
        after: 'status',
      })
    }
    set('Progressing', 'False', 'ProgressDeadlineExceeded', timedOutMessage(facts))
  } else if (moved) {
    set(
      'Progressing',
      'True',
      'ReplicaSetUpdated',
      `ReplicaSet "${facts.newSet.name}" is progressing.`,
      true,
    )
  } else if (progressing.reason === 'RolloutPaused') {
    set('Progressing', 'Unknown', 'RolloutResumed', 'Rollout is resumed')
  }
  // Healthy Rollouts do not get this condition; one that had a problem keeps it, as True, once it is mended.
  const { notificationProblems } = facts.snapshot
  if (notificationProblems && notificationProblems.length > 0) {
    const [first] = notificationProblems
    const message = notificationProblems.map((problem) => problem.message).join('; ')
    set('NotificationsConfigured', 'False', first?.code ?? '', message)
  } else if (notificationProblems && conditionOf(conditions, 'NotificationsConfigured')) {
    set('NotificationsConfigured', 'True', 'SubscriptionsValid', 'All subscriptions reach somebody')
  }
  const wasPaused = conditionOf(conditions, 'Paused')
  if (isPaused || wasPaused) {
    set(
      'Paused',
      isPaused ? 'True' : 'False',
      'RolloutPaused',
      isPaused ? 'Rollout is paused' : 'Rollout is not paused',
    )
  }
  set('Completed', promoted ? 'True' : 'False', 'RolloutCompleted', 'RolloutCompleted')
  if (!promoted && wasCompleted === 'True') {
    draft.transitions.push({
      ...rolloutEvents.rolloutNotCompleted(facts.newSet.revision, facts.newSet.hash),
      after: 'status',
    })
  }
  if (healthy) set('Healthy', 'True', 'RolloutHealthy', 'Rollout is healthy')
  else if (conditionOf(conditions, 'Healthy'))
    set('Healthy', 'False', 'RolloutHealthy', 'Rollout is not healthy')
  status.conditions = conditions
}

function pauseTransitions(facts: CanaryFacts, draft: Draft, before: RolloutStatus): void {
  const was = before.pauseConditions?.length ?? 0
  const is = draft.status.pauseConditions?.length ?? 0
  if (was === 0 && is > 0) {
    draft.transitions.push({
      type: 'Normal',
      reason: 'RolloutPaused',
      message: `Rollout is paused (${draft.status.pauseConditions?.[0]?.reason})${inconclusiveAdvice(facts, draft)}`,
      after: 'status',
    })
  }
  const userResumed = was === 0 && is === 0 && before.controllerPause === true
  if (((was > 0 && is === 0) || userResumed) && !draft.status.abort && !draft.wasReset) {
    draft.transitions.push({ ...rolloutEvents.rolloutResumed(), after: 'status' })
  }
  if (is === 0) draft.status.controllerPause = undefined
}

/** Which metric could not decide, and what lets it go on (api.md 15.1 A6). */
function inconclusiveAdvice(facts: CanaryFacts, draft: Draft): string {
  const { currentStepAnalysisRunStatus: step, currentBackgroundAnalysisRunStatus: background } =
    draft.status.canary ?? {}
  const recorded = [step, background].find((run) => run?.status === 'Inconclusive')
  const metrics = runNamed(facts, recorded?.name)?.status?.metricResults ?? []
  const undecided = metrics.find((result) => result.phase === 'Inconclusive')
  if (!undecided) return ''
  const count = undecided.inconclusive ?? 0
  return `: ${recorded?.message}; set inconclusiveLimit: ${count + 1} to allow ${count + 1}`
}

/** How long changed counters may wait for something that people act on (spec rollout-controller 8). */
const counterDelayMs = 1500

function writeStatus(facts: CanaryFacts, draft: Draft): void {
  const { rollout, statusDeferredSince } = facts.snapshot
  const before = rollout.status ?? {}
  const after = compact(draft.status)
  const body = mergePatch(before, after)
  if (body === undefined) {
    draft.transitions = draft.transitions.filter((transition) => transition.after !== 'status')
    return
  }
  if (onlyCounters(before, after)) {
    const due = (statusDeferredSince ?? facts.now) + counterDelayMs
    if (facts.now < due) {
      draft.statusDeferred = true
      checkAt(draft, due)
      return
    }
  }
  draft.writes.push({
    kind: 'patch',
    id: 'status',
    resource: kinds.rollouts,
    key: { namespace: rollout.metadata.namespace ?? 'default', name: rollout.metadata.name },
    subresource: 'status',
    patch: {
      kind: 'merge',
      body: {
        ...(touchesUserFields(body) && rollout.metadata.resourceVersion
          ? { metadata: { resourceVersion: rollout.metadata.resourceVersion } }
          : {}),
        status: body,
      },
    },
    // An update is on record only where its ReplicaSet is; that it could not be created is told regardless.
    ...(facts.missing
      ? createFailureOf(facts) === null
        ? { requires: [createId(facts.newSet)] }
        : { unless: createId(facts.newSet) }
      : {}),
  })
}

/** Fields that users write too: a stale write over them would undo what they asked for. */
function touchesUserFields(body: unknown): boolean {
  const keys = Object.keys(body as object)
  return ['abort', 'pauseConditions', 'controllerPause', 'promoteFull', 'currentStepIndex'].some(
    (key) => keys.includes(key),
  )
}

const counters: ReadonlySet<string> = new Set([
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'HPAReplicas',
  'message',
])

function onlyCounters(before: RolloutStatus, after: RolloutStatus): boolean {
  const essence = (status: RolloutStatus) =>
    JSON.stringify(
      Object.entries(status)
        .filter(([key]) => !counters.has(key))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => [
          key,
          key === 'conditions'
            ? (status.conditions ?? [])
                .filter((c) => c.type !== 'Available')
                .map(conditionEssence)
                .sort()
            : value,
        ]),
    )
  return essence(before) === essence(after)
}

/** How far a running update has come is told by counters; only a change of its kind is worth a write of its own. */
function conditionEssence(condition: RolloutCondition): string {
  if (condition.type === 'Progressing' && condition.status === 'True') return 'Progressing=True'
  return `${condition.type}=${condition.status}/${condition.reason}/${condition.message}`
}

function compact(status: Draft['status']): RolloutStatus {
  return Object.fromEntries(
    Object.entries(status).filter(([, value]) => {
      if (value === undefined || value === false || value === '') return false
      return !(typeof value === 'object' && value !== null && Object.keys(value).length === 0)
    }),
  ) as RolloutStatus
}

export function revisionOf(rollout: Rollout): string | undefined {
  return rollout.metadata.annotations?.[annotationKeys.revision]
}
