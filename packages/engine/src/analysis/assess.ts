import {
  defaults,
  finalPhases,
  type Measurement,
  type Metric,
  type MetricResult,
} from '@serinus/api'
import { testVerdict } from './sequential.ts'

export type Phase = Measurement['phase']

export function isFinished(phase: string | undefined): boolean {
  return phase !== undefined && finalPhases.has(phase)
}

/** The phases of metrics and runs, the worst last (spec analysis-and-experiments 2.7). */
export const severity: readonly Phase[] = [
  'Successful',
  'Running',
  'Pending',
  'Inconclusive',
  'Error',
  'Failed',
]

/** Phase of one metric, and why, where a limit decided it (spec analysis-and-experiments 2.6). */
export interface Assessment {
  readonly phase: Phase
  readonly limit: { readonly phase: Phase; readonly text: string } | null
}

export function assessMetric(
  metric: Metric,
  result: MetricResult,
  terminating: boolean,
): Assessment {
  const judged = testVerdict(metric, result)
  const rejected = judged && judged.phase !== 'Successful' ? judged : null
  const limit = rejected ?? brokenLimit(metric, result)
  const unmet = unmetSuccesses(metric, result)
  if (isFinished(result.phase)) {
    return { phase: result.phase, limit: limit ?? (result.phase === unmet?.phase ? unmet : null) }
  }
  const last = result.measurements?.at(-1)
  if (!last) return { phase: terminating ? 'Successful' : 'Pending', limit: null }
  if (!isFinished(last.phase)) return { phase: 'Running', limit: null }
  if (limit) return { phase: limit.phase, limit }
  if (judged) return { phase: judged.phase, limit: null }
  const successLimit = defaults.consecutiveSuccessLimit(metric)
  if (successLimit > 0 && (result.consecutiveSuccess ?? 0) >= successLimit)
    return { phase: 'Successful', limit: null }
  const count = defaults.effectiveCount(metric)
  if (unmet) return { phase: unmet.phase, limit: unmet }
  if (count !== null && (result.count ?? 0) >= count) return { phase: 'Successful', limit: null }
  return { phase: terminating ? 'Successful' : 'Running', limit: null }
}

/** All measurements are taken and too few in a row were good. Upstream counts such a metric as good and says nothing. */
function unmetSuccesses(metric: Metric, result: MetricResult): Assessment['limit'] {
  const limit = defaults.consecutiveSuccessLimit(metric)
  const count = defaults.effectiveCount(metric)
  const { consecutiveSuccess = 0 } = result
  if (limit === 0 || consecutiveSuccess >= limit) return null
  if (count === null || (result.count ?? 0) < count) return null
  return {
    phase: defaults.failureLimit(metric) < 0 ? 'Failed' : 'Inconclusive',
    text: `consecutiveSuccess (${consecutiveSuccess}) < consecutiveSuccessLimit (${limit})`,
  }
}

/** Later checks override earlier ones, as upstream has them. */
function brokenLimit(metric: Metric, result: MetricResult): Assessment['limit'] {
  const failureLimit = defaults.failureLimit(metric)
  const inconclusiveLimit = defaults.inconclusiveLimit(metric)
  const errorLimit = defaults.consecutiveErrorLimit(metric)
  const { failed = 0, inconclusive = 0, consecutiveError = 0 } = result
  if (consecutiveError > errorLimit) {
    return {
      phase: 'Error',
      text: `consecutiveErrors (${consecutiveError}) > consecutiveErrorLimit (${errorLimit})`,
    }
  }
  if (inconclusive > inconclusiveLimit) {
    return {
      phase: 'Inconclusive',
      text: `inconclusive (${inconclusive}) > inconclusiveLimit (${inconclusiveLimit})`,
    }
  }
  if (failureLimit >= 0 && failed > failureLimit) {
    return { phase: 'Failed', text: `failed (${failed}) > failureLimit (${failureLimit})` }
  }
  return null
}

/** Adds a measurement to a result, or the new state of the one that was under way (spec analysis-and-experiments 2.5). */
export function withMeasurement(result: MetricResult, measurement: Measurement): MetricResult {
  const measurements = result.measurements ?? []
  const last = measurements.at(-1)
  const replaces = last !== undefined && !isFinished(last.phase)
  const next = {
    ...result,
    measurements: [...(replaces ? measurements.slice(0, -1) : measurements), measurement],
  }
  if (isCutShort(measurement)) return next
  switch (measurement.phase) {
    case 'Successful':
    case 'Failed':
    case 'Inconclusive':
      return withoutZeros({
        ...next,
        count: (result.count ?? 0) + 1,
        successful: (result.successful ?? 0) + Number(measurement.phase === 'Successful'),
        failed: (result.failed ?? 0) + Number(measurement.phase === 'Failed'),
        inconclusive: (result.inconclusive ?? 0) + Number(measurement.phase === 'Inconclusive'),
        consecutiveError: 0,
        consecutiveSuccess:
          measurement.phase === 'Successful' ? (result.consecutiveSuccess ?? 0) + 1 : 0,
      })
    case 'Error':
      return withoutZeros({
        ...next,
        error: (result.error ?? 0) + 1,
        consecutiveError: (result.consecutiveError ?? 0) + 1,
        consecutiveSuccess: 0,
      })
    default:
      return next
  }
}

/**
 * What the end of a run cuts short says nothing of the release, so it counts for nothing. Upstream counts it as
 * Inconclusive, and a run that merely was not needed any longer looks doubtful.
 */
function isCutShort({ phase, message }: Measurement): boolean {
  return phase === 'Inconclusive' && message === 'Metric Terminated'
}

/** Counters that are zero are absent from a status (2.1). */
function withoutZeros(result: MetricResult): MetricResult {
  return Object.fromEntries(
    Object.entries(result).filter(([, value]) => value !== 0),
  ) as unknown as MetricResult // only counters, which are optional, have gone
}

/** Number of the measurement that is under way or comes next; the first is 1. */
export function serialOf(result: MetricResult | undefined): number {
  return (result?.count ?? 0) + (result?.error ?? 0) + 1
}
