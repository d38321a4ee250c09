import type { ExperimentStatus } from '@serinus/api'
import type { EffectFailure, Transition, Write } from '../plan.ts'
import type { Wait } from '../wait.ts'
import type { ExperimentSnapshot } from './snapshot.ts'

/** The plan while one pass over an Experiment builds it. */
export interface ExperimentDraft {
  readonly snapshot: ExperimentSnapshot
  readonly now: number
  /** The status that this pass starts from: what is stored, or nothing where the Experiment starts again. */
  readonly before: ExperimentStatus
  /** Whether it is over, or about to be, by what is stored (spec analysis-and-experiments 5.2). */
  readonly terminating: boolean
  readonly writes: Write[]
  readonly transitions: Transition[]
  readonly ownerTransitions: Transition[]
  readonly waits: Wait[]
  checkAt: number | null
}

/** Look again at `at` at the latest. */
export function lookAt(draft: ExperimentDraft, at: number): void {
  draft.checkAt = draft.checkAt === null ? at : Math.min(draft.checkAt, at)
}

export function keyIn(draft: ExperimentDraft, name: string): { namespace: string; name: string } {
  return { namespace: namespaceOf(draft), name }
}

export function namespaceOf({ snapshot }: Pick<ExperimentDraft, 'snapshot'>): string {
  return snapshot.experiment.metadata.namespace ?? 'default'
}

export function ownerReferencesOf({ snapshot }: Pick<ExperimentDraft, 'snapshot'>) {
  const { name, uid = '' } = snapshot.experiment.metadata
  return [
    {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Experiment',
      name,
      uid,
      controller: true,
      blockOwnerDeletion: true,
    },
  ]
}

export function failureOf(draft: ExperimentDraft, id: string): EffectFailure | undefined {
  return draft.snapshot.failures.find((failure) => failure.id === id)
}

const lasting: ReadonlySet<string> = new Set([
  'Invalid',
  'Forbidden',
  'BadRequest',
  'RequestEntityTooLarge',
])

/**
 * The API's words where it refused a write for good; null where it was not refused or trying again may help, such as
 * after a conflict, which must not fail an Experiment.
 */
export function refusalOf(draft: ExperimentDraft, id: string): string | null {
  const failure = failureOf(draft, id)
  return failure && lasting.has(failure.reason) ? failure.message : null
}

/** Whether a creation must wait for what another Experiment has left behind; says so. */
export function mustWait(draft: ExperimentDraft, id: string): boolean {
  if (!draft.snapshot.leaving.includes(id)) return false
  const message =
    'an Experiment that is over still has an object of this name, which is about to go'
  draft.waits.push({ kind: 'effect', id, message, since: draft.now })
  return true
}

export function isTaken(draft: ExperimentDraft, id: string): boolean {
  return draft.snapshot.taken.includes(id)
}
