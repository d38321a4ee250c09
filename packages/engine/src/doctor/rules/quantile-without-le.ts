import type { Expr } from '@serinus/promql'
import { bare, expressionsOf } from '../promql-query.ts'
import { queryField, type Rule } from '../rule.ts'

/** A quantile of buckets whose bounds were summed away: there is never a result. */
export const quantileWithoutLe: Rule = {
  id: 'PromQLQuantileWithoutLe',
  severity: 'warning',
  examine({ promql }) {
    if (!promql?.parsed.ok) return []
    for (const { expr } of expressionsOf(promql.parsed.ast)) {
      if (expr.kind !== 'call' || expr.name !== 'histogram_quantile') continue
      const buckets = expr.args[1]
      if (!buckets || !hasBuckets(buckets) || !losesBounds(buckets)) continue
      const message =
        'the aggregation inside histogram_quantile drops the label le, which holds the bounds of the buckets, so there is no quantile to compute; write sum by (le) (rate(...))'
      return [{ field: queryField, message }]
    }
    return []
  },
}

/** Native histograms need no such label. */
function hasBuckets(expr: Expr): boolean {
  return [...expressionsOf(expr)].some(
    ({ expr: each }) => each.kind === 'selector' && each.metric?.endsWith('_bucket'),
  )
}

function losesBounds(expr: Expr): boolean {
  const inner = bare(expr)
  if (inner.kind !== 'aggregation') return false
  return inner.grouping.includes('le') === inner.without
}
