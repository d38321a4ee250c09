import { type Access, patchSpec, patchStatus, readRollout } from './access.ts'

export interface PromoteOptions {
  readonly full?: boolean
  readonly skipCurrentStep?: boolean
  readonly skipAllSteps?: boolean
}

/** Spec cli 8.1, row by row. Returns the line to print. */
export async function promote(
  access: Access,
  name: string,
  options: PromoteOptions,
): Promise<string> {
  if (options.skipCurrentStep && options.skipAllSteps) {
    throw new Error('Cannot use skip-current-step and skip-all-steps flags at the same time')
  }
  const rollout = await readRollout(access, name)
  const { status = {}, spec } = rollout
  const steps = spec.strategy?.canary?.steps ?? []
  const next = Math.min((status.currentStepIndex ?? 0) + 1, steps.length)
  if (options.skipCurrentStep || options.skipAllSteps) {
    if (spec.strategy?.blueGreen)
      throw new Error('Cannot skip steps of a bluegreen rollout. Run without a flags')
    if (steps.length === 0) throw new Error('Cannot skip steps of a rollout without steps')
    await patchStatus(access, name, {
      currentStepIndex: options.skipAllSteps ? steps.length : next,
    })
    return `rollout '${name}' promoted`
  }
  const statusPatch = options.full
    ? fullPatch(status)
    : stepPatch({ status, steps: steps.length, next })
  if (statusPatch) await patchStatus(access, name, statusPatch)
  if (spec.paused) await patchSpec(access, name, { paused: false })
  return options.full ? `rollout '${name}' fully promoted` : `rollout '${name}' promoted`
}

type Status = NonNullable<Awaited<ReturnType<typeof readRollout>>['status']>

function fullPatch(status: Status): object | null {
  return status.currentPodHash === status.stableRS ? null : { promoteFull: true }
}

function stepPatch(facts: {
  readonly status: Status
  readonly steps: number
  readonly next: number
}): object | null {
  const { status, steps, next } = facts
  if ((status.pauseConditions?.length ?? 0) > 0) {
    const inconclusive = status.canary?.currentStepAnalysisRunStatus?.status === 'Inconclusive'
    if (status.controllerPause && inconclusive) {
      return steps > 0
        ? { pauseConditions: null, controllerPause: false, currentStepIndex: next }
        : null
    }
    return { pauseConditions: null }
  }
  return steps > 0 ? { pauseConditions: null, currentStepIndex: next } : null
}
