import { tellsVersion } from './argument-facts.ts'
import { type MetricCase, tagsIn } from './metric-case.ts'
import { expressionsOf, growth } from './promql-query.ts'

/**
 * Whether a Prometheus query tells the new version from the old one, by an argument, a label or its grouping. True
 * too where it cannot be known, and for queries that count no requests.
 */
export function tellsVersions(facts: MetricCase): boolean {
  const { promql, use } = facts
  if (!promql?.parsed.ok || promql.isPartial) return true
  if (argumentsTell(facts)) return true
  let counts = false
  for (const { expr } of expressionsOf(promql.parsed.ast)) {
    if (expr.kind === 'call' && (growth.has(expr.name) || expr.name === 'histogram_quantile'))
      counts = true
    if (
      expr.kind === 'aggregation' &&
      !expr.without &&
      expr.grouping.some((label) => isVersionLabel(label))
    ) {
      return true
    }
    if (expr.kind !== 'selector') continue
    if (expr.metric && /_(total|bucket)$/.test(expr.metric)) counts = true
    for (const { name, value } of expr.matchers) {
      if (isVersionLabel(name) || tellsVersion(value, use?.versionNames ?? [])) return true
    }
  }
  return !counts
}

/** On its own a template may get any value; the names of some arguments say that it is none of a version. */
function argumentsTell({ written, args, use }: MetricCase): boolean {
  return tagsIn(written.provider.prometheus?.query ?? '').some((tag) => {
    const name = tag.replace(/^args\./, '')
    const fact = args.get(name)
    if (use) return fact?.tellsVersion !== false
    return !/^(namespace|cluster|env|environment|region|zone|team|interval|window|range)$/i.test(
      name,
    )
  })
}

function isVersionLabel(name: string): boolean {
  return /hash|version|revision|canary|track|subset|variant/i.test(name)
}
