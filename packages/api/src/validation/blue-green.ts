import { defaults } from '../defaults.ts'
import { invalid, missing, type Problem } from '../problem.ts'
import type { BlueGreenStrategy, Rollout } from '../types.ts'
import { analysisExtras } from './analysis.ts'
import { antiAffinityProblems } from './anti-affinity.ts'
import { atLeast, intOrPercentExtras } from './ranges.ts'

const path = 'spec.strategy.blueGreen'

export function blueGreenProblems(
  rollout: Rollout,
  blueGreen: BlueGreenStrategy,
): readonly Problem[] {
  const problems: Problem[] = []
  const { activeService, previewService, scaleDownDelayRevisionLimit: limit } = blueGreen
  if (activeService === (previewService ?? '')) {
    const detail =
      'This rollout uses the same service for the active and preview services, but two different services are required.'
    problems.push(invalid(`${path}.activeService`, activeService, detail))
  }
  if (limit !== undefined && defaults.revisionHistoryLimit(rollout) < limit) {
    const detail =
      "This rollout's revision history limit can not be smaller than the rollout's scale down limit"
    problems.push(invalid(`${path}.scaleDownDelayRevisionLimit`, limit, detail))
  }
  problems.push(...antiAffinityProblems(blueGreen.antiAffinity, `${path}.antiAffinity`))
  return problems
}

export function blueGreenExtras(
  rollout: Rollout,
  blueGreen: BlueGreenStrategy,
): readonly Problem[] {
  const problems: Problem[] = []
  if (blueGreen.activeService === '' && blueGreen.previewService) {
    problems.push(missing(`${path}.activeService`, 'names the Service with the live traffic'))
  }
  for (const field of [
    'previewReplicaCount',
    'autoPromotionSeconds',
    'scaleDownDelaySeconds',
    'scaleDownDelayRevisionLimit',
    'abortScaleDownDelaySeconds',
  ] as const) {
    problems.push(...atLeast(0, blueGreen[field], `${path}.${field}`))
  }
  problems.push(...intOrPercentExtras(blueGreen.maxUnavailable, `${path}.maxUnavailable`))
  for (const field of ['prePromotionAnalysis', 'postPromotionAnalysis'] as const) {
    problems.push(...analysisExtras(rollout, blueGreen[field], `${path}.${field}`))
  }
  return problems
}
