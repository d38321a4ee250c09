import { queryField, type Rule } from '../rule.ts'

/** A query that Prometheus refuses; each measurement would end in Error. */
export const promqlSyntax: Rule = {
  id: 'PromQLSyntax',
  // Stores that only resemble Prometheus know more functions.
  severity: 'warning',
  examine({ promql }) {
    // What is not known may be what makes it right.
    if (!promql || promql.isPartial || promql.parsed.ok) return []
    const message = `Prometheus refuses this query: ${promql.parsed.error}`
    return [{ field: queryField, message }]
  },
}
