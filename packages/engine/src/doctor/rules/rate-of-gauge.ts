import { expressionsOf, growth } from '../promql-query.ts'
import { queryField, type Rule } from '../rule.ts'

/** The growth of something that goes up and down: each fall is taken for a restart. */
export const rateOfGauge: Rule = {
  id: 'PromQLRateOfGauge',
  severity: 'warning',
  examine({ promql }) {
    if (!promql?.parsed.ok) return []
    const found = new Map<string, string>()
    for (const { expr } of expressionsOf(promql.parsed.ast)) {
      if (expr.kind !== 'call' || !growth.has(expr.name)) continue
      const [range] = expr.args
      const name = range?.kind === 'range' ? range.selector.metric : undefined
      if (name !== undefined && gauge.test(name)) found.set(name, expr.name)
    }
    return [...found].map(([name, used]) => ({
      field: queryField,
      message: `${name} looks like a gauge, and ${used}() takes each of its falls for a restart of the process; write avg_over_time(${name}{...}[5m]), or deriv(...) for its slope`,
    }))
  },
}

const gauge = /^up$|_(ratio|percent|percentage|celsius|utilization|info|timestamp_seconds)$/
