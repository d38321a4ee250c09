import type { Measurement, Metric, MetricResult } from '@serinus/api'
import type { VectorSelector } from '@serinus/promql'
import { expressionsOf, type PromqlQuery, parsePromql } from './promql-query.ts'

/**
 * Why most measurements that decided a metric had no number to judge, and what to write instead; null where they had one.
 * Arguments must be filled in, secret ones by a stand-in: the text goes into the status.
 */
export function explainNoData(
  metric: Metric,
  { measurements = [], phase }: Pick<MetricResult, 'measurements' | 'phase'>,
): string | null {
  if (phase === 'Successful') return null
  // A run that real numbers have failed is not explained by a query that was empty once.
  const deciding = measurements.filter((measurement) => measurement.phase === phase)
  const mostly = (is: (measurement: Measurement) => boolean) =>
    deciding.length > 0 && deciding.filter(is).length * 2 >= deciding.length
  const query = metric.provider.prometheus?.query
  const promql = query ? parsePromql(query) : null
  const isOpen = !metric.onNoData && !metric.test && !metric.provider.judge
  if (mostly(isEmpty)) return emptyText(share(measurements, isEmpty), { promql, isOpen })
  if (mostly(isNotANumber))
    return notANumberText(share(measurements, isNotANumber), { promql, isOpen })
  return null
}

interface Asked {
  readonly promql: PromqlQuery | null
  /** Whether the metric could say what no data is to mean, and does not. */
  readonly isOpen: boolean
}

/** A text with the explanation behind it, so that what others match on stays in front. */
export function withExplanation(text: string | undefined, explanation: string | null): string {
  return [text, explanation].filter(Boolean).join('; ')
}

/** The text as it was before `withExplanation`. */
export function withoutExplanation(
  text: string | undefined,
  explanation: string | null,
): string | undefined {
  if (!text || !explanation || !text.endsWith(explanation)) return text
  return text.slice(0, -explanation.length).replace(/; $/, '')
}

function share(
  measurements: readonly Measurement[],
  is: (measurement: Measurement) => boolean,
): string {
  const { length } = measurements
  if (length === 1) return 'the only measurement'
  return `${measurements.filter(is).length} of the last ${length} measurements`
}

function isEmpty(measurement: Measurement): boolean {
  const { phase, value, message = '' } = measurement
  if (message.startsWith('no data: ')) return !isNotANumber(measurement)
  return phase === 'Error' && (value === '[]' || noData.test(message))
}

/** Texts of the providers for an answer without a value (spec metric-providers). */
const noData =
  /metric result is nil or empty|no values found|no results returned from|No TimeSeries found/

function isNotANumber({ value = '' }: Measurement): boolean {
  return /(^|[[,])NaN([\],]|$)/.test(value)
}

function emptyText(share: string, { promql, isOpen }: Asked): string {
  if (!promql) {
    const check = `${share} had no data: does the query select anything?`
    return isOpen ? `${check} Where none is fine, set onNoData: Successful` : check
  }
  const selectors = selectorsOf(promql)
  const what = selectors.length > 0 ? ` by ${selectors.join(' and ')}` : ''
  const check = `no series matched${what} in ${share}: are the metric and its labels right, and has it had requests?`
  if (!isOpen) return check
  return `${check} Where none is fine, end the query with "or vector(0)", or set onNoData: Successful`
}

function notANumberText(share: string, { promql, isOpen }: Asked): string {
  const cause = `NaN, of which no comparison is true, came in ${share}`
  if (!promql) return `${cause}: does the query divide by what may be 0?`
  const isQuantile =
    promql.parsed.ok &&
    [...expressionsOf(promql.parsed.ast)].some(
      ({ expr }) => expr.kind === 'call' && expr.name === 'histogram_quantile',
    )
  const why = isQuantile ? 'there is no quantile of no requests' : 'without requests it is 0 / 0'
  if (!isOpen) return `${cause}: ${why}`
  return `${cause}: ${why}. Where none is fine, set onNoData: Successful, or write "(QUERY) >= 0 or vector(X)", X being what no requests are to count as`
}

/** What a query selects, each once; a status is no place for all of a long query. */
function selectorsOf({ text, parsed }: PromqlQuery): readonly string[] {
  if (!parsed.ok) return []
  const selectors = [...expressionsOf(parsed.ast)]
    .map(({ expr }) => expr)
    .filter((expr): expr is VectorSelector => expr.kind === 'selector')
    .map(({ from, to }) => text.slice(from, to).replace(/\s+/g, ' ').trim())
  return [...new Set(selectors)].slice(0, most).map((selector) => {
    return selector.length > longest ? `${selector.slice(0, longest)}...` : selector
  })
}

const most = 2
const longest = 160
