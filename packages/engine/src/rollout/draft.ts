import type { Rollout, RolloutStatus } from '@serinus/api'
import type { Finding, Transition, Write } from '../plan.ts'
import type { StepPluginCall } from '../step-plugins/observed.ts'
import type { Wait } from '../wait.ts'

/** A status in which a field may also be present without a value: it will be absent when written. */
export type LooseStatus = { -readonly [K in keyof RolloutStatus]?: RolloutStatus[K] | undefined }

/** The plan while one pass builds it. Lives only inside that pass; nothing outside ever sees it change. */
export interface Draft {
  status: LooseStatus
  writes: Write[]
  transitions: Transition[]
  waits: Wait[]
  warnings: Finding[]
  checkAt: number | null
  /** Why this pass aborted the update; empty when a user did. */
  abortCause: string | null
  /** Facts of this pass that conditions and the duration record are made of. */
  wasReset: boolean
  createdReplicaSet: boolean
  statusDeferred: boolean
  needsPods: boolean
  pluginCalls: StepPluginCall[]
}

export function startDraft(rollout: Rollout): Draft {
  return {
    status: { ...rollout.status },
    writes: [],
    transitions: [],
    waits: [],
    warnings: [],
    checkAt: null,
    abortCause: null,
    wasReset: false,
    createdReplicaSet: false,
    statusDeferred: false,
    needsPods: false,
    pluginCalls: [],
  }
}

/** Look again at `at` at the latest. */
export function checkAt(draft: Draft, at: number): void {
  draft.checkAt = draft.checkAt === null ? at : Math.min(draft.checkAt, at)
}
