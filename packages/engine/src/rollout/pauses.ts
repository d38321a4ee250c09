import type { PauseCondition } from '@serinus/api'
import { formatInstant } from '../instant.ts'
import type { Draft, LooseStatus } from './draft.ts'

/** Why the controller itself stands still (spec rollout-controller 4.4). */
export const pauseReasons = {
  step: 'CanaryPauseStep',
  blueGreen: 'BlueGreenPause',
  inconclusiveRun: 'InconclusiveAnalysisRun',
  inconclusiveExperiment: 'InconclusiveExperiment',
} as const satisfies Record<string, PauseCondition['reason']>

export function pauseOf(status: LooseStatus, reason: string): PauseCondition | undefined {
  return status.pauseConditions?.find((condition) => condition.reason === reason)
}

export function hasPause(draft: Draft, reason: string): boolean {
  return pauseOf(draft.status, reason) !== undefined
}

export function addPause(draft: Draft, reason: PauseCondition['reason'], now: number): void {
  if (hasPause(draft, reason)) return
  draft.status.pauseConditions = [
    ...(draft.status.pauseConditions ?? []),
    { reason, startTime: formatInstant(now) },
  ]
  draft.status.controllerPause = true
}

export function removePause(draft: Draft, reason: string): void {
  const left = draft.status.pauseConditions?.filter((c) => c.reason !== reason) ?? []
  draft.status.pauseConditions = left.length > 0 ? left : undefined
  if (left.length === 0) draft.status.controllerPause = undefined
}

export function clearPauses(draft: Draft): void {
  draft.status.pauseConditions = undefined
  draft.status.controllerPause = undefined
}
