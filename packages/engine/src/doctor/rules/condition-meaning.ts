import { callsOf, constancyOf, divisionOf, type NumberRange } from '@serinus/expr'
import type { MetricCase } from '../metric-case.ts'
import { isFromZero } from '../promql-query.ts'
import type { Rule } from '../rule.ts'
import { clearConditionsOf, judgedByConditions } from './condition-text.ts'

/** No condition at all: every answer is a success. */
export const conditionMissing: Rule = {
  id: 'ConditionMissing',
  severity: 'warning',
  examine({ metric }) {
    const { successCondition, failureCondition, provider } = metric
    if (successCondition || failureCondition || 'test' in metric) return []
    if (!judgedByConditions(provider)) return []
    const message =
      'neither successCondition nor failureCondition: every answer counts as a success, whatever its value; add a successCondition such as result[0] < 0.01'
    return [{ field: 'successCondition', message }]
  },
}

/** A condition that no measured value can change. */
export const conditionConstant: Rule = {
  id: 'ConditionConstant',
  severity: 'warning',
  examine(facts) {
    const range = rangeOf(facts)
    return clearConditionsOf(facts).flatMap(({ field, text }) => {
      const always = constancyOf(text)
      const constant = always ?? constancyOf(text, range)
      if (constant === null) return []
      const cause = always === null ? ' of a query that is never below 0' : ''
      const effect =
        (field === 'successCondition') === constant
          ? 'this metric can never fail by it'
          : 'it can never be met'
      const message = `${text} is ${constant} for every number${cause}: ${effect}; compare with a bound that separates good from bad`
      return [{ field, message }]
    })
  },
}

/** Values that are success and failure at once. */
export const conditionsOverlap: Rule = {
  id: 'ConditionsOverlap',
  severity: 'warning',
  examine(facts) {
    const both = divisionOfConditions(facts)?.both
    if (!both) return []
    const message = `successCondition and failureCondition are both true for ${both}, which then counts as failed; let the failureCondition begin where the successCondition ends`
    return [{ field: 'failureCondition', message }]
  },
}

/** Values that are neither, and a run that the first of them ends. */
export const conditionsGrayZone: Rule = {
  id: 'ConditionsGrayZone',
  severity: 'hint',
  examine(facts) {
    const { metric } = facts
    const { both, neither } = divisionOfConditions(facts) ?? {}
    // Where the conditions themselves are mistaken, so is what lies between them.
    if (!neither || both || conditionConstant.examine(facts).length > 0) return []
    const message = `neither condition is true for ${neither}: such a measurement is Inconclusive, and with inconclusiveLimit 0 the first one ends the run and pauses the update; set inconclusiveLimit to the number that may pass, or say so with inconclusiveLimit: 0`
    return metric.inconclusiveLimit === undefined ? [{ field: 'inconclusiveLimit', message }] : []
  },
}

/** `default(result[0], 0)` gives the whole result, or 0 where that is nil; never the first number. */
export const fallbackIgnored: Rule = {
  id: 'ConditionFallbackIgnored',
  severity: 'warning',
  examine: (facts) =>
    clearConditionsOf(facts).flatMap(({ field, text }) =>
      callsOf(text)
        .filter(({ name, args }) => /^(default|isNil)$/.test(name) && args[0] !== 'result')
        .map(({ name, args }) => {
          const call = `${name}(${args.join(', ')})`
          const [asked = 'result', fallback = '0'] = args
          const better =
            name === 'default' ? `(${orNil(asked)} ?? ${fallback})` : `(${orNil(asked)} == nil)`
          return {
            field,
            message: `${call} looks at the whole result, not at ${args[0] ?? 'its argument'}, so it never helps where nothing was measured; write ${better}, or say with onNoData what no data means`,
          }
        }),
    ),
}

/** A number of a list that may be too short, nil where it is: `get(result, 0)`. */
function orNil(text: string): string {
  const [, list, index] = /^(.+)\[(\d+)\]$/.exec(text) ?? []
  return list === undefined ? text : `get(${list}, ${index})`
}

function divisionOfConditions(facts: MetricCase) {
  const [success, failure] = clearConditionsOf(facts)
  if (!success || !failure) return null
  return divisionOf(success.text, failure.text, rangeOf(facts))
}

function rangeOf({ promql }: MetricCase): NumberRange {
  return {
    fromZero: promql?.parsed.ok === true && !promql.isPartial && isFromZero(promql.parsed.ast),
  }
}
