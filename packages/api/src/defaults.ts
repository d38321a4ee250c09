import { defaultPercentage, intOrStringCount } from './int-or-string.ts'
import type { Experiment, Metric, Rollout } from './types.ts'

/** What an absent field means. Nothing but `replicas` is ever written back (spec api 7). */
export const defaults = {
  /** Text, hence a percentage. */
  maxSurge: defaultPercentage,
  maxUnavailable: defaultPercentage,
  errorRetryIntervalMs: 10_000,
  measurementsPerMetric: 10,
  /** Of `test` of a metric; `mostParts` is how many parts of `burst` a look may have. */
  test: { alpha: 0.001, beta: 0.05, minimumSample: 30, mostParts: 60 },
  /** Of the provider `judge`. */
  judge: { pass: 80, marginal: 60, confidence: 0.98, tolerance: 0.25, minimumSamples: 8 },
  webTimeoutSeconds: 10,
  webMethod: 'GET',
  webJsonPath: '{$}',

  replicas(rollout: Rollout): number {
    return rollout.spec.replicas ?? 1
  },
  revisionHistoryLimit(rollout: Rollout): number {
    return rollout.spec.revisionHistoryLimit ?? 10
  },
  successfulRunHistoryLimit(rollout: Rollout): number {
    return rollout.spec.analysis?.successfulRunHistoryLimit ?? 5
  },
  unsuccessfulRunHistoryLimit(rollout: Rollout): number {
    return rollout.spec.analysis?.unsuccessfulRunHistoryLimit ?? 5
  },
  minReadySeconds(rollout: Rollout): number {
    return rollout.spec.minReadySeconds ?? 0
  },
  progressDeadlineSeconds(rollout: Rollout): number {
    return rollout.spec.progressDeadlineSeconds ?? 600
  },
  maxTrafficWeight(rollout: Rollout): number {
    return rollout.spec.strategy?.canary?.trafficRouting?.maxTrafficWeight ?? 100
  },
  /** 30 for blueGreen and for canary with traffic routing; otherwise always 0. */
  scaleDownDelaySeconds(rollout: Rollout): number {
    const { canary, blueGreen } = rollout.spec.strategy ?? {}
    if (canary?.trafficRouting) return canary.scaleDownDelaySeconds ?? 30
    return blueGreen ? (blueGreen.scaleDownDelaySeconds ?? 30) : 0
  },
  /**
   * 30 for blueGreen and for canary with traffic routing, where 0 means never. Always 0 for a canary
   * without, whose pods go at once. With dynamicStableScale only an explicit value holds the canary
   * at full size: see `explicitAbortScaleDownDelay`.
   */
  abortScaleDownDelaySeconds(rollout: Rollout): number {
    const { canary, blueGreen } = rollout.spec.strategy ?? {}
    if (!blueGreen && !canary?.trafficRouting) return 0
    return (blueGreen ?? canary)?.abortScaleDownDelaySeconds ?? 30
  },
  /** Whether the user wrote a delay other than 0. */
  explicitAbortScaleDownDelay(rollout: Rollout): boolean {
    const { canary, blueGreen } = rollout.spec.strategy ?? {}
    if (!blueGreen && !canary?.trafficRouting) return false
    return Boolean((blueGreen ?? canary)?.abortScaleDownDelaySeconds)
  },
  /** Infinite when absent. */
  scaleDownDelayRevisionLimit(rollout: Rollout): number {
    const { canary, blueGreen } = rollout.spec.strategy ?? {}
    return (blueGreen ?? canary)?.scaleDownDelayRevisionLimit ?? Number.POSITIVE_INFINITY
  },
  autoPromotionEnabled(rollout: Rollout): boolean {
    return rollout.spec.strategy?.blueGreen?.autoPromotionEnabled ?? true
  },
  autoPromotionSeconds(rollout: Rollout): number {
    return rollout.spec.strategy?.blueGreen?.autoPromotionSeconds ?? 0
  },
  previewReplicaCount(rollout: Rollout): number {
    return rollout.spec.strategy?.blueGreen?.previewReplicaCount ?? defaults.replicas(rollout)
  },
  nginxAnnotationPrefix(rollout: Rollout): string {
    const nginx = rollout.spec.strategy?.canary?.trafficRouting?.nginx
    return nginx?.annotationPrefix || 'nginx.ingress.kubernetes.io'
  },
  albAnnotationPrefix(rollout: Rollout): string {
    const alb = rollout.spec.strategy?.canary?.trafficRouting?.alb
    return alb?.annotationPrefix || 'alb.ingress.kubernetes.io'
  },
  experimentProgressDeadlineSeconds(experiment: Experiment): number {
    return experiment.spec.progressDeadlineSeconds ?? 600
  },
  experimentScaleDownDelaySeconds(experiment: Experiment): number {
    return experiment.spec.scaleDownDelaySeconds ?? 30
  },
  failureLimit(metric: Metric): number {
    return intOrStringCount(metric.failureLimit ?? 0)
  },
  inconclusiveLimit(metric: Metric): number {
    return intOrStringCount(metric.inconclusiveLimit ?? 0)
  },
  consecutiveErrorLimit(metric: Metric): number {
    return intOrStringCount(metric.consecutiveErrorLimit ?? 4)
  },
  consecutiveSuccessLimit(metric: Metric): number {
    return intOrStringCount(metric.consecutiveSuccessLimit ?? 0)
  },
  /** Measurements to take; null: until the run is ended (spec analysis-and-experiments 2.1). */
  effectiveCount(metric: Metric): number | null {
    const count = intOrStringCount(metric.count ?? 0)
    if (count !== 0) return count
    return metric.interval ? null : 1
  },
} as const
