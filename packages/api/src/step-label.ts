import type { CanaryStep } from './types.ts'

/** How clients call a step: `setWeight: 20`, `pause: 10m`, `setCanaryScale{replicas: 3}` (spec api 2.3). */
export function stepLabel(step: CanaryStep): string {
  if (step.setWeight !== undefined) return `setWeight: ${step.setWeight}`
  if (step.pause) {
    return step.pause.duration === undefined ? 'pause' : `pause: ${step.pause.duration}`
  }
  if (step.experiment) return 'experiment'
  if (step.analysis) return 'analysis'
  if (step.setCanaryScale) {
    const { weight, replicas, matchTrafficWeight } = step.setCanaryScale
    if (weight !== undefined) return `setCanaryScale{weight: ${weight}}`
    if (matchTrafficWeight) return 'setCanaryScale{matchTrafficWeight: true}'
    if (replicas !== undefined) return `setCanaryScale{replicas: ${replicas}}`
  }
  if (step.plugin) return `plugin: ${step.plugin.name}`
  if (step.setHeaderRoute) return `setHeaderRoute: ${step.setHeaderRoute.name ?? ''}`
  if (step.setMirrorRoute) return `setMirrorRoute: ${step.setMirrorRoute.name}`
  return 'invalid'
}
