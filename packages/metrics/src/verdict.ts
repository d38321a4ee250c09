import type { Metric } from '@serinus/api'
import { contentOf, judge, type Value } from '@serinus/expr'
import type { Measured } from './provider.ts'

type Done = Extract<Measured, { kind: 'done' }>
type Verdict = Pick<Done, 'phase' | 'message'>

/**
 * Judges a value by the metric's conditions (spec metric-providers 1.3). Upstream hides every cause behind one text where
 * nothing was measured; that text stays and `whyEmpty` follows it. Where nothing was measured and the metric has
 * `onNoData`, that decides, whatever the conditions make of nothing.
 *
 * @param options.measured what holds the numbers, where the result says more than them
 */
export function verdictOn(
  metric: Pick<Metric, 'successCondition' | 'failureCondition' | 'onNoData'>,
  result: Value,
  options: {
    readonly now: () => number
    readonly whyEmpty?: string
    readonly measured?: Value
  },
): Verdict {
  const judgement = judge(metric, result, { now: options.now })
  // No data will ever mend a mistake in the condition itself. (Of nil most operators do not compile: there it is none.)
  const isMistaken =
    judgement.phase === 'Error' && judgement.problem.kind === 'compile' && result !== null
  const { measured = result, whyEmpty } = options
  const content = contentOf(measured)
  // An endpoint that answers with `[]` may answer with a number tomorrow: there the condition need not be wrong.
  const isCovered = !isMistaken || Array.isArray(result)
  if (metric.onNoData && content !== 'data' && isCovered) {
    return outcomeOf(metric.onNoData, content === 'NaN' ? 'NaN is all there is' : whyEmpty)
  }
  if (judgement.phase !== 'Error') return { phase: judgement.phase }
  const { message, problem } = judgement
  if (!message.endsWith(nilOrEmpty)) return { phase: 'Error', message }
  const aside = [whyEmpty, isMistaken ? problem.message : ''].filter(Boolean).join('; ')
  return { phase: 'Error', message: message + (aside ? ` (${aside})` : '') }
}

/**
 * The measurement of a vendor that answered with nothing at all to judge: what `onNoData` of the metric says. Throws
 * `cause` where it says nothing, as upstream does.
 */
export function nothingMeasured(metric: Pick<Metric, 'onNoData'>, cause: string): Done {
  if (!metric.onNoData) throw new Error(cause)
  return { kind: 'done', ...outcomeOf(metric.onNoData, cause) }
}

function outcomeOf(onNoData: NonNullable<Metric['onNoData']>, why?: string): Verdict {
  const message = `no data: onNoData is ${onNoData}${why ? ` (${why})` : ''}`
  return { phase: onNoData, message }
}

const nilOrEmpty = 'metric result is nil or empty: no data returned from the metric provider'

/** Shortest decimal without an exponent (Go strconv 'f', -1): 1e21 prints `1000000000000000000000`. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Object.is(value, -0)) return '-0'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const text = String(value)
  const [, sign = '', digits = '', fraction = '', exponent] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(text) ?? []
  if (exponent === undefined) return text
  const point = digits.length + Number(exponent)
  const all = digits + fraction
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${all}`
  if (point >= all.length) return sign + all + '0'.repeat(point - all.length)
  return `${sign}${all.slice(0, point)}.${all.slice(point)}`
}

/**
 * As Go prints a float (`%v`): 100000 prints `100000`, a million `1e+06`, 0.00001 `1e-05`. The shortest digits that read
 * back as the same number, with an exponent from a million on and below 0.0001.
 */
export function formatGoFloat(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value)
  const [mantissa = '', exponent = ''] = value.toExponential().split('e')
  if (Number(exponent) >= -4 && Number(exponent) < 6) return formatFloat(value)
  const sign = exponent.startsWith('-') ? '-' : '+'
  return `${mantissa}e${sign}${exponent.slice(1).padStart(2, '0')}`
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
  return JSON.stringify(value ?? null).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
