import { defaults, formatDuration, type Metric, parseDuration } from '@serinus/api'
import type { MetricCase } from '../metric-case.ts'
import type { Stage } from '../metric-use.ts'
import { expressionsOf } from '../promql-query.ts'
import { queryField, type Rule } from '../rule.ts'
import { tellsVersions } from '../tells-versions.ts'

/** A range that reaches back behind the weight that is judged: what was before decides. */
export const rangeLongerThanStep: Rule = {
  id: 'QueryRangeLongerThanStep',
  severity: 'warning',
  examine(facts) {
    // The series of the new version alone hold nothing from before it.
    if (!facts.use || tellsVersions(facts)) return []
    const rangeMs = longestRange(facts)
    const short = facts.use.stages.find((stage) => rangeMs > lengthOf(stage, facts.metric))
    if (!short) return []
    const lastsMs = lengthOf(short, facts.metric)
    const range = durationText(rangeMs)
    const message = `the query looks back ${range}, but the weight of ${short.path} has stood for only ${durationText(lastsMs)} when it is judged for the last time: ${durationText(rangeMs - lastsMs)} of ${range} are from before; look back less, or stay longer at that weight`
    return [{ field: queryField, message }]
  },
}

function longestRange({ promql }: MetricCase): number {
  if (!promql?.parsed.ok) return 0
  const ranges = [...expressionsOf(promql.parsed.ast)].map(({ expr }) =>
    expr.kind === 'range' || expr.kind === 'subquery' ? expr.rangeMs : 0,
  )
  return Math.max(0, ...ranges)
}

/** Until the last measurement; endless where their number is open. */
function lengthOf(stage: Stage, metric: Metric): number {
  if (!stage.isInline) return stage.lastsMs
  const count = defaults.effectiveCount(metric)
  if (count === null) return Number.POSITIVE_INFINITY
  const delay = parseDuration(metric.initialDelay ?? '0')
  const interval = parseDuration(metric.interval ?? '0')
  if (delay === undefined || interval === undefined) return Number.POSITIVE_INFINITY
  return stage.lastsMs + delay + (count - 1) * interval
}

/** `5m` instead of Go's `5m0s`. */
function durationText(durationMs: number): string {
  return formatDuration(durationMs).replace(/m0s$/, 'm').replace(/h0m$/, 'h')
}
