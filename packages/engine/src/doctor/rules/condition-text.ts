import { nearest } from '@serinus/api'
import { compile, type ExprProblem, identifiersOf } from '@serinus/expr'
import type { MetricCase } from '../metric-case.ts'
import { hasTag } from '../metric-case.ts'
import type { Found, Rule } from '../rule.ts'

/** A condition that cannot be read; each measurement would end in Error. */
export const conditionSyntax: Rule = {
  id: 'ConditionSyntax',
  severity: 'error',
  examine: (facts) =>
    conditionsOf(facts).flatMap(({ field, text }) => {
      const problem = syntaxProblem(text)
      if (!problem) return []
      const { line, column } = problem.position
      const hint = problem.suggestion ? `; did you mean ${problem.suggestion}?` : ''
      const message = `cannot be read, at ${line}:${column}: ${problem.message}${hint}`
      return [{ field, message }]
    }),
}

/** A name that means nothing in a condition. */
export const conditionUnknownName: Rule = {
  id: 'ConditionUnknownName',
  severity: 'error',
  examine: (facts) =>
    conditionsOf(facts).flatMap(({ field, text }) =>
      unknownNames(text).map((name): Found => {
        if (name === 'args') {
          const message = 'arguments are no names of the condition language; write {{args.NAME}}'
          return { field, message }
        }
        const close = nearest(name, known)
        const hint = close === undefined ? '' : `; did you mean ${close}?`
        return { field, message: `unknown name ${name}: a condition sees only result${hint}` }
      }),
    ),
}

/** A condition, arguments filled in as far as they are known. */
export interface Condition {
  readonly field: 'successCondition' | 'failureCondition'
  readonly text: string
}

/** The conditions that the controller evaluates; jobs, Kayenta and plugins judge themselves. */
function conditionsOf({ metric }: MetricCase): readonly Condition[] {
  if (!judgedByConditions(metric.provider)) return []
  return (['successCondition', 'failureCondition'] as const).flatMap((field) => {
    const text = metric[field]
    return text ? [{ field, text }] : []
  })
}

/** Conditions that can be read and hold nothing unknown. */
export function clearConditionsOf(facts: MetricCase): readonly Condition[] {
  return conditionsOf(facts).filter(
    ({ text }) => !hasTag(text) && !syntaxProblem(text) && unknownNames(text).length === 0,
  )
}

/** Whether a provider gives a value and leaves the verdict to conditions. */
export function judgedByConditions(provider: object): boolean {
  return Object.keys(provider).some((name) => withValue.has(name))
}

const withValue: ReadonlySet<string> = new Set([
  'cloudWatch',
  'datadog',
  'graphite',
  'influxdb',
  'newRelic',
  'prometheus',
  'skywalking',
  'wavefront',
  'web',
])

const known = ['result', 'asInt', 'asFloat', 'isNaN', 'isInf', 'isNil', 'default', '$env']

function unknownNames(text: string): readonly string[] {
  const names = identifiersOf(filled(text, '1'))
  return names.ok ? names.names.filter((name) => !known.includes(name)) : []
}

/** What no value of the unknown arguments can mend. */
function syntaxProblem(text: string): ExprProblem | null {
  if (!hasTag(text)) return problemOf(text)
  if (/^\s*\{\{[^{}]*\}\}\s*$/.test(text)) return null
  return problemOf(filled(text, 'x')) && problemOf(filled(text, '1'))
}

function problemOf(text: string): ExprProblem | null {
  const compiled = compile(text)
  return compiled.ok ? null : compiled.problem
}

function filled(text: string, value: string): string {
  return text.replace(/\{\{[^{}]*\}\}/g, value)
}
