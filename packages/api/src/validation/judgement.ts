import { defaults } from '../defaults.ts'
import { formatDuration, parseDuration } from '../duration.ts'
import { intOrStringCount } from '../int-or-string.ts'
import { parseNumber } from '../number.ts'
import type { Metric, MetricProvider, NumberSource } from '../types.ts'
import { authenticationProblems } from './authentication.ts'

/** What is wrong with the sequential test of a metric, one text for each mistake. */
export function testProblems(metric: Metric): readonly string[] {
  const { test } = metric
  if (!test) return []
  const details: string[] = []
  if (metric.successCondition || metric.failureCondition) {
    details.push(
      'test and conditions exclude each other: remove successCondition and failureCondition',
    )
  }
  if (metric.consecutiveSuccessLimit !== undefined) {
    details.push('consecutiveSuccessLimit means nothing beside test: remove it')
  }
  if (!metric.provider.counts) {
    details.push('test needs the provider counts, which says how many requests were bad')
  }
  if (!metric.interval) details.push('test needs interval: how often to look, such as 10s')
  if (intOrStringCount(metric.count) === 1) {
    details.push('test needs a count of 2 at least: the first look only starts the counting')
  }
  if (test.bound === undefined && test.relativeBound === undefined) {
    details.push('test needs bound, such as 1%, or relativeBound, such as 1.5, or both')
  }
  if (
    test.relativeBound !== undefined &&
    metric.provider.counts &&
    !metric.provider.counts.stable
  ) {
    details.push('test.relativeBound needs provider.counts.stable to compare with')
  }
  for (const name of ['bound', 'alpha', 'beta'] as const) {
    details.push(...rangeProblems(`test.${name}`, test[name], share))
  }
  details.push(...rangeProblems('test.relativeBound', test.relativeBound, positive))
  if ((test.minimumSample ?? 0) < 0) details.push('test.minimumSample must be 0 or more')
  if (test.burst !== undefined) details.push(...burstProblems(test.burst, metric))
  return details
}

function burstProblems(burst: string, { interval, provider }: Metric): readonly string[] {
  const burstMs = parseDuration(burst)
  if (burstMs === undefined || burstMs < 1)
    return [
      `test.burst must be a duration of at least 1ms, such as 1s; it is ${JSON.stringify(burst)}`,
    ]
  const details: string[] = []
  const intervalMs = parseDuration(interval ?? '') ?? burstMs
  const parts = Math.ceil(intervalMs / burstMs)
  const { mostParts } = defaults.test
  if (burstMs > intervalMs) {
    details.push(
      `test.burst (${burst}) must not be longer than interval (${interval}): longer bursts need a longer interval, and no test.burst`,
    )
  }
  if (parts > mostParts) {
    details.push(
      `test.burst (${burst}) makes ${parts} parts of interval (${interval}), and ${mostParts} are the most: make interval shorter, or test.burst at least ${formatDuration(intervalMs / mostParts)}`,
    )
  }
  for (const [side, sources] of Object.entries(provider.counts ?? {})) {
    for (const [name, source] of Object.entries(sources)) {
      const path = `provider.counts.${side}.${name}`
      const other = providersIn(source).find((key) => key !== 'prometheus')
      if (other) {
        details.push(
          `test.burst needs counters as they stood at several instants, which only prometheus tells; ${path} asks ${other}: ask prometheus there, or remove test.burst`,
        )
      }
      if (source.prometheus?.rangeQuery) {
        details.push(
          `${path}.prometheus.rangeQuery means nothing beside test.burst, which asks for a range of its own: remove it`,
        )
      }
    }
  }
  return details
}

/** What is wrong with the provider `counts`. */
export function countsProblems(counts: MetricProvider['counts']): readonly string[] {
  return Object.entries(counts ?? {}).flatMap(([side, { total, bad, good }]) => {
    const path = `provider.counts.${side}`
    const sources = { total, ...(bad && { bad }), ...(good && { good }) }
    return [
      ...(Boolean(bad) === Boolean(good) ? [`${path} needs either bad or good`] : []),
      ...Object.entries(sources).flatMap(([name, source]) =>
        sourceProblems(`${path}.${name}`, source, { isSeries: false }),
      ),
    ]
  })
}

/** What is wrong with the provider `judge`. */
export function judgeProblems(judge: MetricProvider['judge']): readonly string[] {
  if (!judge) return []
  const path = 'provider.judge'
  const details: string[] = []
  if (judge.metrics.length === 0) details.push(`${path}.metrics names nothing to compare`)
  const names = new Set<string>()
  const isSeries = judge.rangeQuery === undefined
  judge.metrics.forEach((metric, index) => {
    const place = `${path}.metrics[${index}]`
    if (!metric.name) details.push(`${place}.name is missing`)
    if (names.has(metric.name)) details.push(`${place}: duplicate name '${metric.name}'`)
    names.add(metric.name)
    for (const side of ['baseline', 'canary'] as const)
      details.push(...sourceProblems(`${place}.${side}`, metric[side], { isSeries }))
    details.push(
      ...rangeProblems(`${place}.outliers.outlierFactor`, metric.outliers?.outlierFactor, positive),
    )
    for (const [name, limit] of Object.entries(metric.effectSize ?? {})) {
      if (name === 'measure') continue
      details.push(...rangeProblems(`${place}.effectSize.${name}`, limit, positive))
    }
  })
  const { pass, marginal } = judge.threshold ?? {}
  details.push(
    ...rangeProblems(`${path}.threshold.pass`, pass, percent),
    ...rangeProblems(`${path}.threshold.marginal`, marginal, percent),
    ...rangeProblems(`${path}.confidence`, judge.confidence, share),
    ...rangeProblems(`${path}.tolerance`, judge.tolerance, notNegative),
    ...weightProblems(judge.groupWeights ?? {}, `${path}.groupWeights`),
  )
  const threshold = { ...defaults.judge, ...judge.threshold }
  if (Number(parseNumber(threshold.marginal)) > Number(parseNumber(threshold.pass)))
    details.push(
      `${path}.threshold.marginal (${threshold.marginal}) must not be above pass (${threshold.pass})`,
    )
  if ((judge.minimumSamples ?? 1) < 1) details.push(`${path}.minimumSamples must be 1 or more`)
  return details
}

function weightProblems(
  weights: Readonly<Record<string, number | string>>,
  path: string,
): readonly string[] {
  const details = Object.entries(weights).flatMap(([group, weight]) =>
    rangeProblems(`${path}.${group}`, weight, notNegative),
  )
  const sum = Object.values(weights).reduce<number>(
    (total, weight) => total + (parseNumber(weight) ?? 0),
    0,
  )
  return sum > 100 + 1e-9 ? [...details, `${path} add up to ${sum}; 100 is all there is`] : details
}

/** One side of a comparison or of a count is one provider; a series from Prometheus needs a range. */
function sourceProblems(
  path: string,
  source: NumberSource,
  facts: { readonly isSeries: boolean },
): readonly string[] {
  const named = providersIn(source)
  if (named.length !== 1) {
    const found = named.length === 0 ? 'none' : named.join(' and ')
    return [`${path} needs exactly one provider, and has ${found}`]
  }
  return [
    ...authenticationProblems(path, source),
    ...(facts.isSeries && source.prometheus && !source.prometheus.rangeQuery
      ? [`${path}.prometheus needs rangeQuery, or provider.judge.rangeQuery for all queries`]
      : []),
  ]
}

function providersIn(source: NumberSource): readonly string[] {
  return Object.entries(source).flatMap(([name, config]) => (config == null ? [] : [name]))
}

interface NumberRange {
  readonly holds: (value: number) => boolean
  readonly text: string
}

const share: NumberRange = {
  holds: (value) => value > 0 && value < 1,
  text: 'above 0 and below 1, such as 0.01 or 1%',
}
const positive: NumberRange = { holds: (value) => value > 0, text: 'above 0, such as 1.5' }
const notNegative: NumberRange = { holds: (value) => value >= 0, text: '0 or more' }
const percent: NumberRange = { holds: (value) => value >= 0 && value <= 100, text: '0 to 100' }

function rangeProblems(
  path: string,
  value: number | string | undefined,
  range: NumberRange,
): readonly string[] {
  if (value === undefined) return []
  const number = parseNumber(value)
  if (number !== undefined && range.holds(number)) return []
  return [`${path} must be a number ${range.text}; it is ${JSON.stringify(value)}`]
}
