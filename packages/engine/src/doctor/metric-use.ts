import {
  type AnalysisUse,
  type CanaryStep,
  type CanaryStrategy,
  defaults,
  parsePauseDuration,
  type Rollout,
} from '@serinus/api'
import { versionNames } from './argument-facts.ts'

/** Where a Rollout measures a metric, and what traffic the new version has meanwhile. */
export interface MetricUse {
  /** `spec.strategy.canary.steps[2].analysis`. */
  readonly path: string
  /** Names that stand for the new version alone. */
  readonly versionNames: readonly string[]
  /** Times of one weight during which it is measured, in order. Empty: not known, or the traffic is not shared. */
  readonly stages: readonly Stage[]
  /** Of both versions together; null: nobody said. */
  readonly requestsPerSecond: number | null
  /** How many metrics of the run have a sequential test; at least 1. */
  readonly tests: number
}

export interface Stage {
  /** Of all traffic, above 0 and at most 1; 0: the new version has none. */
  readonly share: number
  /** The step that set the weight, or the place of the analysis. */
  readonly path: string
  /** How long the weight has stood when measuring in it ends; infinite where that is not known. */
  readonly lastsMs: number
  /** Measuring begins only when so much time is over, and goes on as long as the metric says. */
  readonly isInline: boolean
}

const stepsPath = 'spec.strategy.canary.steps'

/** What is known of the traffic while an analysis of a Rollout runs. */
export function metricUse(
  rollout: Rollout,
  use: AnalysisUse,
  facts: Pick<MetricUse, 'requestsPerSecond' | 'tests'>,
): MetricUse {
  const path = use.path.replace(/\.(templates|templateName)$/, '')
  return {
    path,
    versionNames: versionNames(rollout),
    stages: stagesOf(rollout, use, path),
    ...facts,
  }
}

function stagesOf(rollout: Rollout, use: AnalysisUse, path: string): readonly Stage[] {
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  // Experiments have their own pods and Services; none of them is diluted by a weight.
  if (use.experiment) return []
  if (blueGreen) {
    const isBefore = path.endsWith('prePromotionAnalysis')
    return isBefore ? [{ share: 0, path, lastsMs: Number.POSITIVE_INFINITY, isInline: true }] : []
  }
  if (!canary) return []
  const all = weightStages(canary, defaults.maxTrafficWeight(rollout))
  const step = /steps\[(\d+)\]/.exec(path)
  if (step) return inlineStage(canary, all, Number(step[1]))
  const first = canary.analysis?.startingStep ?? 0
  return all.filter((stage) => stage.share > 0 && stage.share < 1 && stage.last >= first)
}

interface WeightStage extends Stage {
  /** Index of the last step that belongs to it. */
  readonly last: number
}

/** A stage for every weight, the first from before any setWeight. */
function weightStages(canary: CanaryStrategy, max: number): readonly WeightStage[] {
  const stages: WeightStage[] = []
  let stage: WeightStage = { share: 0, path: stepsPath, lastsMs: 0, isInline: false, last: -1 }
  ;(canary.steps ?? []).forEach((step, index) => {
    if (step.setWeight !== undefined) {
      stages.push(stage)
      const path = `${stepsPath}[${index}].setWeight`
      stage = { share: step.setWeight / max, path, lastsMs: 0, isInline: false, last: index }
    }
    stage = { ...stage, last: index, lastsMs: stage.lastsMs + lengthOf(step) }
  })
  return [...stages, stage]
}

/** How long a step takes for sure; infinite where somebody else decides. */
function lengthOf(step: CanaryStep): number {
  if (step.analysis || step.experiment || step.plugin) return Number.POSITIVE_INFINITY
  if (!step.pause) return 0
  const pause = parsePauseDuration(step.pause.duration)
  return pause.kind === 'seconds' && pause.seconds > 0
    ? pause.seconds * 1000
    : Number.POSITIVE_INFINITY
}

function inlineStage(
  canary: CanaryStrategy,
  stages: readonly WeightStage[],
  index: number,
): readonly Stage[] {
  const steps = canary.steps ?? []
  const stage = stages.find((each) => each.last >= index)
  if (!stage) return []
  const earlier = steps.slice(0, index)
  // Requests that are routed or mirrored to the canary reach it at any weight.
  if (earlier.some((step) => step.setHeaderRoute || step.setMirrorRoute)) return []
  // Before any weight it is a check of the surroundings.
  if (stage.share === 0) return []
  const from = earlier.findLastIndex((step) => step.setWeight !== undefined)
  const lastsMs = earlier.slice(from + 1).reduce((sum, step) => sum + lengthOf(step), 0)
  return [{ ...stage, lastsMs, isInline: true }]
}
