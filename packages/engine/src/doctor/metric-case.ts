import { type Metric, substitute } from '@serinus/api'
import type { ArgumentFacts } from './argument-facts.ts'
import type { MetricUse } from './metric-use.ts'
import { type PromqlQuery, parsePromql } from './promql-query.ts'

/** One metric with everything that is known of it: what a rule looks at. */
export interface MetricCase {
  /** Where it stands: `spec.metrics[0]`. */
  readonly path: string
  /** Known arguments filled in; others stand as `{{args.NAME}}`. */
  readonly metric: Metric
  /** As it is written. */
  readonly written: Metric
  readonly args: ArgumentFacts
  /** Null: it asks Prometheus nothing. */
  readonly promql: PromqlQuery | null
  /** Null: the template is looked at on its own. */
  readonly use: MetricUse | null
}

export function metricCase(
  written: Metric,
  facts: { readonly path: string; readonly args: ArgumentFacts; readonly use?: MetricUse },
): MetricCase {
  const { path, args, use = null } = facts
  const metric = filledIn(written, args)
  const query = metric.provider.prometheus?.query
  return { path, metric, written, args, use, promql: query ? parsePromql(query) : null }
}

/** What stands between `{{` and `}}` in a text, each once. */
export function tagsIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(/\{\{\s*([^{}]*?)\s*\}\}/g)].map(([, tag = '']) => tag))]
}

export function hasTag(text: string | undefined): boolean {
  return text !== undefined && tagsIn(text).length > 0
}

function filledIn(metric: Metric, args: ArgumentFacts): Metric {
  const tags = Object.fromEntries(
    tagsIn(JSON.stringify(metric)).map((tag) => {
      const value = tag.startsWith('args.') ? args.get(tag.slice('args.'.length))?.value : null
      return [tag, value ?? `{{${tag}}}`]
    }),
  )
  const filled = substitute(metric, tags)
  return filled.ok ? filled.value : metric
}
