import { labelKeyProblem, labelValueProblem } from './names-and-labels.ts'
import { invalid, missing, type Problem } from './problem.ts'
import type { LabelSelector } from './schema/pod-template.ts'

type Expression = NonNullable<LabelSelector['matchExpressions']>[number]

/** The errors Kubernetes finds in a label selector (spec api 9.1). */
export function selectorProblems(selector: LabelSelector, path: string): readonly Problem[] {
  const problems: Problem[] = []
  ;(selector.matchExpressions ?? []).forEach((expression, index) => {
    problems.push(...expressionProblems(expression, `${path}.matchExpressions[${index}]`))
  })
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    const badKey = labelKeyProblem(key)
    if (badKey) problems.push(invalid(`${path}.matchLabels`, key, badKey))
    const badValue = labelValueProblem(value)
    if (badValue) problems.push(invalid(`${path}.matchLabels`, value, badValue))
  }
  return problems
}

function expressionProblems(expression: Expression, path: string): readonly Problem[] {
  const { key, operator, values = [] } = expression
  const problems: Problem[] = []
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) {
      problems.push(
        missing(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"),
      )
    }
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      problems.push({
        path: `${path}.values`,
        kind: 'Forbidden',
        detail: "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      })
    }
  } else {
    problems.push(invalid(`${path}.operator`, operator, 'not a valid selector operator'))
  }
  const badKey = labelKeyProblem(key)
  if (badKey) problems.push(invalid(`${path}.key`, key, badKey))
  values.forEach((value, index) => {
    const bad = labelValueProblem(value)
    if (bad) problems.push(invalid(`${path}.values[${index}]`, value, bad))
  })
  return problems
}

/** Whether labels satisfy a selector; one that is empty or has an unknown operator matches nothing. */
export function selectorMatches(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(selector.matchLabels ?? {})
  const expressions = selector.matchExpressions ?? []
  if (wanted.length + expressions.length === 0) return false
  return (
    wanted.every(([key, value]) => labels[key] === value) &&
    expressions.every((expression) => expressionMatches(expression, labels))
  )
}

function expressionMatches(
  { key, operator, values = [] }: Expression,
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = labels[key]
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      return false
  }
}
