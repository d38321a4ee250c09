import { type CalendarDate, calendarDate } from './calendar.ts'
import { METRIC_NAME, type Metric } from './labels.ts'
import { formatShortest, parseFloatText } from './number.ts'
import { type Bucket, byValue } from './quantile.ts'
import { compileWhole, RegexpError } from './regexp.ts'
import { distinct, EvaluationError, type Sample } from './vector.ts'

/** Functions from number to number, applied to every element of a vector. */
export const elementFunctions: Readonly<Record<string, (value: number) => number>> = {
  abs: Math.abs,
  acos: Math.acos,
  acosh: Math.acosh,
  asin: Math.asin,
  asinh: Math.asinh,
  atan: Math.atan,
  atanh: Math.atanh,
  ceil: Math.ceil,
  cos: Math.cos,
  cosh: Math.cosh,
  deg: (value) => (value * 180) / Math.PI,
  exp: Math.exp,
  floor: Math.floor,
  ln: Math.log,
  log10: Math.log10,
  log2: Math.log2,
  rad: (value) => (value * Math.PI) / 180,
  sgn: (value) => (value < 0 ? -1 : value > 0 ? 1 : value),
  sin: Math.sin,
  sinh: Math.sinh,
  sqrt: Math.sqrt,
  tan: Math.tan,
  tanh: Math.tanh,
}

/** Parts of the UTC date that an element holds as epoch seconds. */
export const dateFunctions: Readonly<Record<string, (date: CalendarDate) => number>> = {
  day_of_month: (date) => date.day,
  day_of_week: (date) => date.dayOfWeek,
  day_of_year: (date) => date.dayOfYear,
  days_in_month: (date) => date.daysInMonth,
  hour: (date) => date.hour,
  minute: (date) => date.minute,
  month: (date) => date.month,
  year: (date) => date.year,
}

/** Every element changed, the names dropped: the value is no longer that metric. */
export function mapValues(
  vector: readonly Sample[],
  change: (value: number) => number,
): readonly Sample[] {
  return distinct(
    vector.map(({ metric, value }) => ({ metric: metric.withoutName(), value: change(value) })),
  )
}

export function datePart(name: string, epochSeconds: number): number {
  const part = dateFunctions[name] as (date: CalendarDate) => number
  return part(calendarDate(epochSeconds))
}

export function clamp(vector: readonly Sample[], low: number, high: number): readonly Sample[] {
  if (high < low) return []
  return mapValues(vector, (value) => Math.max(low, Math.min(high, value)))
}

/** To the nearest multiple, halves upwards. By the inverse, as Prometheus does: 0.1 steps then print shorter. */
export function round(vector: readonly Sample[], toNearest: number): readonly Sample[] {
  const inverse = 1 / toNearest
  return mapValues(vector, (value) => Math.floor(value * inverse + 0.5) / inverse)
}

/** NaN goes to the end in both directions. */
export function sortByValue(vector: readonly Sample[], direction: 1 | -1): readonly Sample[] {
  return vector.toSorted((a, b) => {
    if (Number.isNaN(a.value) || Number.isNaN(b.value)) return -byValue(a.value, b.value)
    return a.value === b.value ? 0 : direction * (a.value < b.value ? -1 : 1)
  })
}

/** By the labels in order, numbers inside values by size (`web-2` before `web-10`); then by all labels. */
export function sortByLabels(
  vector: readonly Sample[],
  labels: readonly string[],
  direction: 1 | -1,
): readonly Sample[] {
  return vector.toSorted((a, b) => {
    for (const label of labels) {
      const order = naturalOrder(a.metric.get(label), b.metric.get(label))
      if (order !== 0) return direction * order
    }
    return direction * (a.metric.key < b.metric.key ? -1 : a.metric.key > b.metric.key ? 1 : 0)
  })
}

function naturalOrder(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? []
  const right = b.match(/\d+|\D+/g) ?? []
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const x = left[i] as string
    const y = right[i] as string
    if (x === y) continue
    const numbers = /^\d/.test(x) && /^\d/.test(y) ? Number(x) - Number(y) : 0
    if (numbers !== 0) return numbers
    return x < y ? -1 : 1
  }
  return left.length - right.length
}

export function labelReplace(
  vector: readonly Sample[],
  args: { target: string; replacement: string; source: string; pattern: string },
): readonly Sample[] {
  const pattern = replacePattern(args.pattern)
  if (args.target === '')
    throw new EvaluationError(`invalid destination label name in label_replace(): ${args.target}`)
  return distinct(
    vector.map((sample) => {
      const groups = pattern.groups(sample.metric.get(args.source))
      if (groups === null) return sample
      const text = pattern.expand(args.replacement, groups)
      return { ...sample, metric: sample.metric.with({ [args.target]: text }) }
    }),
  )
}

function replacePattern(text: string) {
  try {
    return compileWhole(text)
  } catch (cause) {
    if (!(cause instanceof RegexpError)) throw cause
    throw new EvaluationError(`invalid regular expression in label_replace(): ${text}`, { cause })
  }
}

export function labelJoin(
  vector: readonly Sample[],
  { target, separator, sources }: { target: string; separator: string; sources: readonly string[] },
): readonly Sample[] {
  for (const source of sources) {
    if (source === '')
      throw new EvaluationError(`invalid source label name in label_join(): ${source}`)
  }
  if (target === '')
    throw new EvaluationError(`invalid destination label name in label_join(): ${target}`)
  return distinct(
    vector.map((sample) => {
      const text = sources.map((source) => sample.metric.get(source)).join(separator)
      return { ...sample, metric: sample.metric.with({ [target]: text }) }
    }),
  )
}

/** The classic buckets of each histogram in a vector; elements whose `le` is no number are told to `malformed`. */
export function histogramsIn(
  vector: readonly Sample[],
  malformed: (le: string) => void,
): readonly { metric: Metric; buckets: readonly Bucket[] }[] {
  const histograms = new Map<string, { metric: Metric; buckets: Bucket[] }>()
  for (const { metric, value } of vector) {
    const upper = parseFloatText(metric.get('le'))
    if (upper === undefined) {
      malformed(metric.get('le'))
      continue
    }
    // Two histograms with different names stay apart here, and then collide without their names.
    const named = metric.without(['le'])
    const histogram = histograms.get(named.key)
    if (histogram !== undefined) histogram.buckets.push({ upper, count: value })
    else
      histograms.set(named.key, {
        metric: named.without([METRIC_NAME]),
        buckets: [{ upper, count: value }],
      })
  }
  return [...histograms.values()]
}

/** How `histogram_quantiles` labels a quantile: as OpenMetrics prints floats, `1.0`, `0.5`. */
export function quantileLabel(q: number): string {
  const text = formatShortest(q)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}
