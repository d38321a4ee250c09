import type { CanaryStep } from '@serinus/api'

/** The last `setWeight` at or before `index`; 0 without one (spec rollout-controller 3.2). */
export function weightAt(steps: readonly CanaryStep[], index: number): number {
  for (let i = Math.min(index, steps.length - 1); i >= 0; i--) {
    const weight = steps[i]?.setWeight
    if (weight !== undefined) return weight
  }
  return 0
}

/** The `setCanaryScale` in force at `index`, null when there is none or it follows the traffic (3.6 rule 1). */
export function canaryScaleAt(
  steps: readonly CanaryStep[],
  index: number,
): { kind: 'replicas'; replicas: number } | { kind: 'weight'; weight: number } | null {
  if (index >= steps.length) return null
  for (let i = index; i >= 0; i--) {
    const scale = steps[i]?.setCanaryScale
    if (!scale) continue
    if (scale.matchTrafficWeight) return null
    if (scale.replicas !== undefined) return { kind: 'replicas', replicas: scale.replicas }
    if (scale.weight !== undefined) return { kind: 'weight', weight: scale.weight }
    return null
  }
  return null
}
