import { type AnalysisRun, annotationKeys, labelKeys, type Rollout } from '@serinus/api'
import { type Environment, fromJson, stringsNamespace, timeNamespace } from '@serinus/expr'
import { timeVariable } from '@serinus/gotemplate'
import type { NotificationConfig } from './config.ts'
import type { DerivedEvent } from './derive.ts'
import { ownRuns, revisionOf } from './derive.ts'
import type { JsonObject } from './json.ts'

/** What messages and conditions are about (spec notifications 4.2, 5.1). */
export interface Subject {
  readonly rollout: Rollout
  /** As it was stored before the transition; null when this process has not seen it. */
  readonly previous: Rollout | null
  readonly runs: readonly AnalysisRun[]
  readonly event: DerivedEvent
  /** The trigger that fired. */
  readonly trigger: string
  /** Epoch milliseconds. */
  readonly now: number
}

/** The data of a template for one destination. */
export function templateVariables(
  subject: Subject,
  destination: { readonly service: string; readonly recipient: string },
  config: NotificationConfig,
): JsonObject {
  const encoder = new TextEncoder()
  return {
    ...commonVariables(subject, config),
    time: timeVariable(subject.now),
    secrets: Object.fromEntries(
      [...config.secrets].map(([key, value]) => [key, encoder.encode(value)]),
    ),
    serviceType: destination.service,
    recipient: destination.recipient,
  }
}

/** What a trigger's `when` and `oncePer` may name. */
export function conditionEnvironment(subject: Subject, config: NotificationConfig): Environment {
  const values = Object.entries(commonVariables(subject, config)).map(([name, value]) => [
    name,
    fromJson(value),
  ])
  return {
    values: {
      ...Object.fromEntries(values),
      time: timeNamespace(() => subject.now),
      strings: stringsNamespace,
      secrets: fromJson(Object.fromEntries(config.secrets)),
    },
    now: () => subject.now,
  }
}

function commonVariables(subject: Subject, config: NotificationConfig): JsonObject {
  const { event, previous } = subject
  const rollout = completedStepView(subject)
  const runs = currentRuns(rollout, subject.runs)
  const run = causeOf(subject, runs)
  return {
    rollout,
    ...(previous ? { previousRollout: previous } : {}),
    ...(runs.length > 0 ? { analysisRuns: runs } : {}),
    ...(run ? { analysisRun: run } : {}),
    pause: pauseOf(rollout),
    context: config.context,
    event: {
      reason: event.reason,
      type: event.type,
      message: event.message,
      trigger: subject.trigger,
      revision: event.revision,
      time: Temporal.Instant.fromEpochMilliseconds(subject.now).toString({
        smallestUnit: 'second',
      }),
      id: event.id,
      stepIndex: event.stepIndex ?? rollout.status?.currentStepIndex ?? 0,
      stepCount: event.stepCount,
      weight: event.weight,
      pauseReason: event.pauseReason ?? '',
      abortMessage: event.abortMessage ?? '',
      initial: event.initial,
      failedMetrics: event.failedMetrics,
    },
  }
}

/**
 * The object as after the transition. Only for a completed step `currentStepIndex` is that step's own index, since
 * every template in use adds one to it (spec notifications 4.4).
 */
function completedStepView({ rollout, event }: Subject): Rollout {
  if (event.reason !== 'RolloutStepCompleted' || event.stepIndex === undefined) return rollout
  return { ...rollout, status: { ...rollout.status, currentStepIndex: event.stepIndex } }
}

/** Runs of the present revision, newest first (spec notifications 5.1). */
function currentRuns(rollout: Rollout, runs: readonly AnalysisRun[]): readonly AnalysisRun[] {
  const hash = rollout.status?.currentPodHash
  const revision = rollout.metadata.annotations?.[annotationKeys.revision]
  return runs
    .filter(
      ({ metadata }) =>
        metadata.namespace === rollout.metadata.namespace &&
        metadata.labels?.[labelKeys.podTemplateHash] === hash &&
        metadata.annotations?.[annotationKeys.revision] === revision,
    )
    .sort((a, b) =>
      (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1,
    )
}

/** The run of the event; else the newest that did not succeed; else the newest (spec notifications 5.1). */
function causeOf(subject: Subject, current: readonly AnalysisRun[]): AnalysisRun | undefined {
  const own = ownRuns(subject.rollout, subject.runs)
  const named = own.find((run) => run.metadata.name === subject.event.run)
  if (named) return named
  const candidates =
    current.length > 0
      ? current
      : own.filter((run) => revisionOf(run) === revisionOf(subject.rollout))
  const bad = candidates.find((run) =>
    ['Failed', 'Error', 'Inconclusive'].includes(run.status?.phase ?? ''),
  )
  return bad ?? candidates[0]
}

/** Why the Rollout stands still; reason empty: it does not (spec api 15.2 B20). */
function pauseOf(rollout: Rollout): JsonObject {
  const { status = {}, spec } = rollout
  const [condition] = status.pauseConditions ?? []
  const reason = condition?.reason ?? (spec.paused ? 'manually paused' : '')
  const stepIndex = status.currentStepIndex ?? 0
  const step = reason === 'CanaryPauseStep' ? spec.strategy?.canary?.steps?.[stepIndex] : undefined
  const duration = step?.pause?.duration
  return {
    reason,
    stepIndex,
    ...(duration === undefined ? {} : { duration: String(duration) }),
    indefinite: reason !== '' && duration === undefined,
  }
}
