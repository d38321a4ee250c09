import { defaults, formatDuration, parseDuration, parseNumber } from '@serinus/api'
import { minimumDetectableRegression } from '@serinus/statistics'
import type { MetricCase } from '../metric-case.ts'
import type { Stage } from '../metric-use.ts'
import { percent } from '../percent.ts'
import { queryShape } from '../query-shape.ts'
import type { Rule } from '../rule.ts'
import { tellsVersions } from '../tells-versions.ts'

/** Requests so few that what the metric is there for would go unnoticed while it looks. */
export const trafficTooSmall: Rule = {
  id: 'TrafficTooSmall',
  severity: 'warning',
  examine(facts) {
    const requests = facts.use?.requestsPerSecond
    // The first weight is the one at which a regression ought to be found.
    const stage = facts.use?.stages.find(({ share }) => share > 0)
    const bound = boundOf(facts)
    const looks = stage ? looksOf(facts, stage) : null
    if (requests == null || !stage || !bound || !looks) return []
    const smallest = minimumDetectableRegression({
      requestsPerSecond: requests * stage.share,
      ...looks,
      ...bound,
    })
    if (smallest !== null && smallest < bound.bound * farAbove) return []
    const watch = formatDuration(looks.lastsMs).replace(/m0s$/, 'm')
    const traffic = `${requests} requests per second, ${percent(stage.share)} % of them for the new version, in ${watch}`
    const shown =
      smallest === null
        ? 'not even a new version that fails every request would be found'
        : `no share of bad requests below ${percent(smallest)} % would be found, while the bound is ${percent(bound.bound)} %`
    const message = `at ${traffic}, ${shown}; stay longer at that weight, give it more of the traffic, or measure more often`
    return [{ field: facts.metric.test ? 'test.bound' : 'successCondition', message }]
  },
}

/** How many times the bound a regression may be before it is found. */
const farAbove = 5

interface Bound {
  readonly bound: number
  readonly alpha: number
}

/** Null: nothing that a share of bad requests could break. */
function boundOf(facts: MetricCase): Bound | null {
  const { test } = facts.metric
  if (test) {
    const bound = test.bound === undefined ? undefined : parseNumber(test.bound)
    const alpha = parseNumber(test.alpha ?? defaults.test.alpha) ?? defaults.test.alpha
    // All metrics of a run with a test share what may be wrong.
    return bound === undefined ? null : { bound, alpha: alpha / (facts.use?.tests ?? 1) }
  }
  // What a query over both versions can show has nothing to do with the requests of one.
  if (!tellsVersions(facts)) return null
  const shape = queryShape(facts)
  return shape.kind === 'rate' ? { bound: shape.allowed, alpha: defaults.test.alpha } : null
}

interface Looks {
  readonly lastsMs: number
  /** Until the last look, and between two bets: on looks, or on their parts. */
  readonly durationSeconds: number
  readonly intervalSeconds: number
}

/** Null: it looks until somebody ends it, or only once. */
function looksOf({ metric }: MetricCase, stage: Stage): Looks | null {
  const intervalMs = parseDuration(metric.interval ?? '')
  const count = defaults.effectiveCount(metric)
  if (intervalMs === undefined || intervalMs <= 0 || count === 1) return null
  // The first look of a test only starts the counting.
  const looks = count === null ? Number.POSITIVE_INFINITY : metric.test ? count - 1 : count
  const measuredMs = looks * intervalMs
  const lastsMs = stage.isInline ? measuredMs : Math.min(stage.lastsMs, measuredMs)
  if (!Number.isFinite(lastsMs)) return null
  const burstMs = parseDuration(metric.test?.burst ?? '') || intervalMs
  return {
    lastsMs,
    durationSeconds: (Math.floor(lastsMs / intervalMs) * intervalMs) / 1000,
    intervalSeconds: Math.min(burstMs, intervalMs) / 1000,
  }
}
