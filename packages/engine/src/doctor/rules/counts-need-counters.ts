import { expressionsOf, growth, parsePromql } from '../promql-query.ts'
import type { Found, Rule } from '../rule.ts'

/** The provider `counts` takes the growth of counters itself: of a rate there is nothing to take. */
export const countsNeedCounters: Rule = {
  id: 'CountsNeedCounters',
  severity: 'error',
  examine({ metric }) {
    return Object.entries(metric.provider.counts ?? {}).flatMap(([side, sources]) =>
      Object.entries(sources).flatMap(([name, source]): readonly Found[] => {
        const query = source.prometheus?.query
        const used = query ? growthIn(query) : undefined
        if (used === undefined) return []
        const field = `provider.counts.${side}.${name}.prometheus.query`
        const message = `${used}() is no counter: the test itself takes what a counter grew by between two looks; write the counter alone, such as sum(http_requests_total{...})`
        return [{ field, message }]
      }),
    )
  },
}

function growthIn(query: string): string | undefined {
  const { parsed } = parsePromql(query)
  if (!parsed.ok) return undefined
  for (const { expr } of expressionsOf(parsed.ast)) {
    if (expr.kind === 'call' && growth.has(expr.name)) return expr.name
  }
  return undefined
}
