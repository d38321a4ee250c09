import type { Metric } from '@serinus/api'
import { evaluateCondition, type Value } from '@serinus/expr'
import type { Measured } from './provider.ts'

type Verdict = Pick<Extract<Measured, { kind: 'done' }>, 'phase' | 'message'>

/** Judges a value by the metric's conditions (spec metric-providers 1.3, analysis-and-experiments 3.1). */
export function verdictOn(metric: Pick<Metric, 'successCondition' | 'failureCondition'>, result: Value, whyEmpty?: string): Verdict {
  const { successCondition, failureCondition } = metric
  const answers: { success?: boolean; failure?: boolean } = {}
  for (const [name, source, key] of [
    ['successCondition', successCondition, 'success'],
    ['failureCondition', failureCondition, 'failure'],
  ] as const) {
    if (!source) continue
    const answer = evaluateCondition(source, result)
    if (!answer.ok) return { phase: 'Error', message: errorText({ name, source, result, cause: answer.problem.message, whyEmpty }) }
    answers[key] = answer.value
  }
  if (answers.failure === true) return { phase: 'Failed' }
  if (answers.success === true || (answers.success === undefined && answers.failure === undefined)) return { phase: 'Successful' }
  if (answers.success === undefined) return { phase: 'Successful' }
  return { phase: answers.failure === undefined ? 'Failed' : 'Inconclusive' }
}

interface ErrorFacts {
  readonly name: string
  readonly source: string
  readonly result: Value
  readonly cause: string
  readonly whyEmpty: string | undefined
}

/** Upstream hides every cause behind one text where nothing was measured; its text stays, the cause follows. */
function errorText(facts: ErrorFacts): string {
  const empty = facts.result === null || (Array.isArray(facts.result) && facts.result.length === 0)
  const base = `could not evaluate ${facts.name} "${facts.source}": `
  if (!empty) return base + facts.cause
  const upstream = 'metric result is nil or empty: no data returned from the metric provider'
  return base + upstream + (facts.whyEmpty ? ` (${facts.whyEmpty})` : '')
}

/** Shortest decimal without an exponent (Go strconv 'f', -1): 1e21 prints `1000000000000000000000`. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const text = String(value)
  const [, sign = '', digits = '', fraction = '', exponent] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(text) ?? []
  if (exponent === undefined) return text
  const point = digits.length + Number(exponent)
  const all = digits + fraction
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${all}`
  if (point >= all.length) return sign + all + '0'.repeat(point - all.length)
  return `${sign}${all.slice(0, point)}.${all.slice(point)}`
}

/** JSON as Go's encoder prints it: sorted keys, HTML characters escaped. */
export function goJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const parts = Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => `${goJson(key)}:${goJson(part)}`)
    return `{${parts.join(',')}}`
  }
  return JSON.stringify(value ?? null).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
