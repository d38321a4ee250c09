import type { Metric } from '@serinus/api'
import { analysisEnvironment, compile, floats, fromJson, type Value } from '@serinus/expr'
import { typeOf } from '@serinus/promql'
import { hasTag, type MetricCase } from '../metric-case.ts'
import type { Rule } from '../rule.ts'
import { clearConditionsOf } from './condition-text.ts'

/** A condition that does not fit what the provider gives, such as `result[0]` of a single number. */
export const resultShape: Rule = {
  id: 'ConditionResultShape',
  severity: 'error',
  examine(facts) {
    const shape = shapeOf(facts)
    if (!shape) return []
    return clearConditionsOf(facts).flatMap(({ field, text }) => {
      const problems = shape.examples.map((example) => {
        const compiled = compile(text, { env: analysisEnvironment(example, { now: () => 0 }) })
        return compiled.ok ? null : compiled.problem.message
      })
      const [first] = problems
      if (first === undefined || problems.includes(null)) return []
      const message = `result is ${shape.name} here, for which the condition ends in an error (${first}); ${shape.advice}`
      return [{ field, message }]
    })
  },
}

/** What `result` is (spec analysis-and-experiments 3.3). It fits when it fits one of the examples. */
interface Shape {
  readonly name: string
  readonly examples: readonly Value[]
  readonly advice: string
}

const list: Shape = {
  name: 'a list of numbers',
  examples: [floats([0.5])],
  advice: 'write result[0] for the first of them',
}
const single: Shape = {
  name: 'a single number',
  examples: [0.5],
  advice: 'write result without an index',
}
const either: Shape = {
  name: 'a number or a list of numbers',
  examples: [0.5, floats([0.5])],
  advice: 'write result for one series and result[0] for several',
}

/** Null: anything is possible. */
function shapeOf(facts: MetricCase): Shape | null {
  const { provider } = facts.metric
  if (provider.prometheus) return shapeOfPromql(facts)
  if (provider.graphite) return list
  if (provider.wavefront) return either
  if (provider.datadog) return shapeOfDatadog(provider.datadog)
  if (provider.newRelic) {
    return {
      name: 'a row of columns, or a list of such rows',
      examples: [fromJson({}), fromJson([{}])],
      advice: 'write result.NAME for a column of a single row, result[0].NAME for several rows',
    }
  }
  return null
}

function shapeOfPromql({ promql, metric }: MetricCase): Shape | null {
  if (metric.provider.prometheus?.rangeQuery) return list
  if (!promql?.parsed.ok || promql.isPartial) return null
  switch (typeOf(promql.parsed.ast)) {
    case 'scalar':
      return single
    case 'vector':
    case 'matrix':
      return list
    default:
      return null
  }
}

function shapeOfDatadog(config: NonNullable<Metric['provider']['datadog']>): Shape {
  if (config.apiVersion !== 'v2') return single
  const texts = [config.query, ...Object.values(config.queries ?? {})]
  if (texts.some(hasTag)) return either
  return texts.some((text) => /\bby\s*\{/.test(text ?? '')) ? list : single
}
