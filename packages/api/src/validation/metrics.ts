import { matchesPattern } from '@serinus/expr'
import { defaults } from '../defaults.ts'
import { durationProblem, parseDuration } from '../duration.ts'
import { intOrStringCount, isWholeNumber } from '../int-or-string.ts'
import { invalid, type Problem } from '../problem.ts'
import type { AnalysisRunSpec, Metric } from '../types.ts'
import { authenticationProblems } from './authentication.ts'
import { countsProblems, judgeProblems, testProblems } from './judgement.ts'

/**
 * Everything wrong with the metrics of a run, after substitution (spec api 9.5). The path of a
 * problem is `metrics[<i>]` and its detail upstream's text, so that `<path>: <detail>` is upstream's
 * message; only `no metrics specified` stands at the path `metrics`.
 */
export function validateMetrics(metrics: readonly Metric[]): readonly Problem[] {
  if (metrics.length === 0) return [invalid('metrics', null, 'no metrics specified')]
  const problems: Problem[] = []
  const seen = new Set<string>()
  metrics.forEach((metric, index) => {
    const report = (detail: string) =>
      problems.push(invalid(`metrics[${index}]`, metric.name, detail))
    if (seen.has(metric.name)) report(`duplicate name '${metric.name}'`)
    seen.add(metric.name)
    for (const detail of metricProblems(metric)) report(detail)
  })
  return problems
}

function metricProblems(metric: Metric): readonly string[] {
  const details: string[] = []
  const count = intOrStringCount(metric.count ?? 0)
  const failures = defaults.failureLimit(metric)
  const successes = defaults.consecutiveSuccessLimit(metric)
  const inconclusive = defaults.inconclusiveLimit(metric)
  if (successes < 0) details.push('consecutiveSuccessLimit must be >= 0')
  if (failures < -1) details.push('failureLimit must be >= 0, or -1 to be disabled')
  if (successes === 0 && failures === -1) {
    details.push('failureLimit and consecutiveSuccessLimit cannot both be disabled')
  }
  if (inconclusive < 0) details.push('inconclusiveLimit must be >= 0')
  if (defaults.consecutiveErrorLimit(metric) < 0) {
    details.push('consecutiveErrorLimit must be >= 0')
  }
  if (count > 0) {
    if (failures >= 0 && count < failures + successes) {
      details.push(
        `count (${count}) must be >= failureLimit + consecutiveSuccessLimit (${failures} + ${successes}) if both >= 0`,
      )
    }
    if (failures === -1 && count < successes) {
      details.push('count must be >= consecutiveSuccessLimit')
    }
    if (count < inconclusive) details.push('count must be >= inconclusiveLimit')
  }
  if (count > 1 && !metric.interval) details.push('interval must be specified when count > 1')
  if (metric.interval && parseDuration(metric.interval) === undefined) {
    details.push(`invalid interval string: ${durationProblem(metric.interval)}`)
  }
  if (metric.initialDelay && parseDuration(metric.initialDelay) === undefined) {
    details.push(`invalid startDelay string: ${durationProblem(metric.initialDelay)}`)
  }
  for (const field of limits) {
    const value = metric[field]
    // Upstream takes such a text for 0, and a count of 0 for one measurement or for ever.
    if (value !== undefined && !isWholeNumber(value)) {
      details.push(`${field} must be a whole number; it is ${JSON.stringify(value)}`)
    }
  }
  for (const field of ['intervalFrom', 'errorRetry'] as const) {
    if (metric[field] && !metric.interval) details.push(`${field} needs interval`)
  }
  const providers = providersOf(metric)
  if (providers.length === 0) details.push('no provider specified')
  if (providers.length > 1) details.push('multiple providers specified')
  return [
    ...details,
    ...authenticationProblems('provider', metric.provider),
    ...noDataProblems(metric),
    ...countsProblems(metric.provider.counts),
    ...judgeProblems(metric.provider.judge),
    ...testProblems(metric),
  ]
}

const limits = [
  'count',
  'failureLimit',
  'inconclusiveLimit',
  'consecutiveErrorLimit',
  'consecutiveSuccessLimit',
] as const

/** Who judges without conditions has its own idea of no data. A plugin gets the field and may heed it. */
function noDataProblems({ onNoData, test, provider }: Metric): readonly string[] {
  if (!onNoData) return []
  if (test) return ['onNoData means nothing beside test: remove it']
  return (['job', 'kayenta', 'judge'] as const)
    .filter((name) => provider[name])
    .map((name) => `onNoData means nothing to the provider ${name}, which judges by itself`)
}

/** Names of the providers a metric has; each plugin counts. A valid metric has one. */
function providersOf(metric: Metric): readonly string[] {
  return Object.entries(metric.provider).flatMap(([name, settings]) => {
    if (settings === undefined || settings === null) return []
    return name === 'plugin' ? Object.keys(settings) : [name]
  })
}

/**
 * Rules of dryRun and measurementRetention that match no metric of the run; the path says which,
 * as in `dryRun[0]`.
 */
export function validateMetricRules(spec: AnalysisRunSpec): readonly Problem[] {
  const names = (spec.metrics ?? []).map((metric) => metric.name)
  const rules = { dryRun: spec.dryRun ?? [], measurementRetention: spec.measurementRetention ?? [] }
  return Object.entries(rules).flatMap(([list, entries]) =>
    entries.flatMap(({ metricName }, index) =>
      names.some((name) => metricRuleMatches(metricName, name))
        ? []
        : [invalid(`${list}[${index}]`, metricName, "Rule didn't match any metric name(s)")],
    ),
  )
}

/**
 * Whether a dryRun or measurementRetention rule means this metric: an RE2 pattern that need not match the whole name,
 * or `*` for all, as the CRD of upstream promises (spec analysis-and-experiments 2.8).
 */
export function metricRuleMatches(pattern: string, name: string): boolean {
  return pattern === '*' || matchesPattern(pattern, name) === true
}
