import { type Access, patchMain, patchStatus, readRollout } from './access.ts'

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
  const { full, skipCurrentStep, skipAllSteps } = options
  if (skipCurrentStep && skipAllSteps) {
    throw new Error('Cannot use skip-current-step and skip-all-steps flags at the same time')
  }
  const { status = {}, spec } = await readRollout(access, name)
  const { blueGreen, canary } = spec.strategy ?? {}
  const steps = canary?.steps?.length ?? 0
  const next = Math.min((status.currentStepIndex ?? 0) + 1, steps)
  if (skipCurrentStep || skipAllSteps) {
    if (blueGreen) {
      throw new Error('Cannot skip steps of a bluegreen rollout. Run without a flags')
    }
    if (steps === 0) throw new Error('Cannot skip steps of a rollout without steps')
    await patchStatus(access, name, { status: { currentStepIndex: skipAllSteps ? steps : next } })
    return `rollout '${name}' promoted`
  }
  const patch = full ? fullPatch(status) : stepPatch({ status, steps, next })
  const resume = { spec: { paused: false } }
  // Where status is no subresource, one patch does both.
  const written = patch
    ? await patchStatus(access, name, { status: patch, otherwise: { ...resume, status: patch } })
    : null
  if (spec.paused && written !== 'main') await patchMain(access, name, { body: resume })
  return full ? `rollout '${name}' fully promoted` : `rollout '${name}' promoted`
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
    const isInconclusive = status.canary?.currentStepAnalysisRunStatus?.status === 'Inconclusive'
    if (!status.controllerPause || !isInconclusive) return { pauseConditions: null }
    if (steps === 0) return null
    return { pauseConditions: null, controllerPause: false, currentStepIndex: next }
  }
  return steps > 0 ? { pauseConditions: null, currentStepIndex: next } : null
}
