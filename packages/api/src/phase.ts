import { defaults } from './defaults.ts'
import { annotationKeys } from './labels.ts'
import type { AnalysisPhase, Rollout } from './types.ts'

/** The state of a Rollout in one word, and why. */
export interface RolloutPhase {
  readonly phase: 'Healthy' | 'Degraded' | 'Progressing' | 'Paused'
  /** Empty when Healthy. */
  readonly message: string
}

/** Phases in which a run or Experiment has ended. */
export const finalPhases: ReadonlySet<string> = new Set<AnalysisPhase>([
  'Successful',
  'Failed',
  'Error',
  'Inconclusive',
])

/**
 * What a Rollout's spec and status amount to, first match (spec api 13.3). `now` (epoch
 * milliseconds) keeps a `restartAt` in the future from counting; without it every open restart
 * counts, as upstream has it.
 */
export function rolloutPhase(rollout: Rollout, now?: number): RolloutPhase {
  const { spec, status = {} } = rollout
  for (const condition of status.conditions ?? []) {
    if (condition.type === 'InvalidSpec') return degraded('InvalidSpec', condition.message)
    if (condition.reason === 'RolloutAborted' || condition.reason === 'ProgressDeadlineExceeded') {
      return degraded(condition.reason, condition.message)
    }
  }
  if (spec.paused) return { phase: 'Paused', message: 'manually paused' }
  const [pause] = status.pauseConditions ?? []
  if (pause) return { phase: 'Paused', message: pause.reason }
  if (isRestarting(rollout, now)) return progressing('rollout is restarting')

  const updated = status.updatedReplicas ?? 0
  if (updated < defaults.replicas(rollout)) return progressing('more replicas need to be updated')
  if ((status.availableReplicas ?? 0) < updated) {
    return progressing('updated replicas are still becoming available')
  }
  const promoted = Boolean(status.stableRS) && status.stableRS === status.currentPodHash
  const { blueGreen, canary } = spec.strategy ?? {}
  if (blueGreen) {
    const active = status.blueGreen?.activeSelector
    if (!active || active !== status.currentPodHash) {
      return progressing('active service cutover pending')
    }
    if (!promoted) {
      return progressing(
        isPostPromotionOpen(rollout)
          ? 'waiting for analysis to complete'
          : 'waiting for post-promotion verification to complete',
      )
    }
  } else if (canary) {
    if (!canary.trafficRouting && (status.replicas ?? 0) > updated) {
      return progressing('old replicas are pending termination')
    }
    if (!promoted) return progressing('waiting for all steps to complete')
  }
  return { phase: 'Healthy', message: '' }
}

/**
 * What people are shown: until the controller has seen the latest spec or resumption, Progressing;
 * then the stored phase, else the computed one (spec api 13.3, client view).
 */
export function clientPhase(rollout: Rollout): RolloutPhase {
  const { metadata, status = {}, spec } = rollout
  if (isOlder(status.observedGeneration, metadata.generation ?? 0)) {
    return progressing('waiting for rollout spec update to be observed')
  }
  if (status.controllerPause && (status.pauseConditions ?? []).length === 0) {
    return progressing('waiting for rollout to unpause')
  }
  const workloadGeneration = metadata.annotations?.[annotationKeys.workloadGeneration]
  const observed = status.workloadObservedGeneration
  if (spec.workloadRef && workloadGeneration && observed && workloadGeneration !== observed) {
    return progressing('waiting for rollout spec update to be observed for the reference workload')
  }
  return status.phase
    ? { phase: status.phase, message: status.message ?? '' }
    : rolloutPhase(rollout)
}

function isOlder(observed: string | undefined, generation: number): boolean {
  // Old releases stored a hash here; only a plain number says anything.
  return observed !== undefined && /^\d+$/.test(observed) && Number(observed) < generation
}

function isRestarting(rollout: Rollout, now: number | undefined): boolean {
  const { restartAt } = rollout.spec
  if (!restartAt) return false
  const at = Date.parse(restartAt)
  if (at === Date.parse(rollout.status?.restartedAt ?? '')) return false
  return now === undefined || at <= now
}

function isPostPromotionOpen(rollout: Rollout): boolean {
  const wanted = rollout.spec.strategy?.blueGreen?.postPromotionAnalysis
  const run = rollout.status?.blueGreen?.postPromotionAnalysisRunStatus
  return wanted !== undefined && !(run && finalPhases.has(run.status))
}

function progressing(message: string): RolloutPhase {
  return { phase: 'Progressing', message }
}

function degraded(reason: string, message: string): RolloutPhase {
  return { phase: 'Degraded', message: `${reason}: ${message}` }
}
