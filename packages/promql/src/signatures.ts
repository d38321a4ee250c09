import type { Expr, ValueType } from './ast.ts'

/** What a function takes and gives. `variadic` counts the optional arguments at the end; -1 is any number. */
export interface Signature {
  readonly args: readonly ValueType[]
  readonly variadic: number
  readonly returns: ValueType
}

const signature = (
  args: readonly ValueType[],
  { variadic = 0, returns = 'vector' as ValueType } = {},
): Signature => ({ args, variadic, returns })

const vector = signature(['vector'])
const range = signature(['matrix'])
const optionalVector = signature(['vector'], { variadic: 1 })
const constant = signature([], { returns: 'scalar' })

/** The functions of Prometheus 3 (its `promql/parser/functions.go`), the experimental ones included that need no other store. */
export const signatures: Readonly<Record<string, Signature>> = {
  abs: vector,
  absent: vector,
  absent_over_time: range,
  acos: vector,
  acosh: vector,
  asin: vector,
  asinh: vector,
  atan: vector,
  atanh: vector,
  avg_over_time: range,
  ceil: vector,
  changes: range,
  clamp: signature(['vector', 'scalar', 'scalar']),
  clamp_max: signature(['vector', 'scalar']),
  clamp_min: signature(['vector', 'scalar']),
  cos: vector,
  cosh: vector,
  count_over_time: range,
  day_of_month: optionalVector,
  day_of_week: optionalVector,
  day_of_year: optionalVector,
  days_in_month: optionalVector,
  deg: vector,
  delta: range,
  deriv: range,
  double_exponential_smoothing: signature(['matrix', 'scalar', 'scalar']),
  end: constant,
  exp: vector,
  first_over_time: range,
  floor: vector,
  histogram_avg: vector,
  histogram_count: vector,
  histogram_fraction: signature(['scalar', 'scalar', 'vector']),
  histogram_quantile: signature(['scalar', 'vector']),
  histogram_quantiles: signature(['vector', 'string', 'scalar', 'scalar'], { variadic: 9 }),
  histogram_stddev: vector,
  histogram_stdvar: vector,
  histogram_sum: vector,
  hour: optionalVector,
  idelta: range,
  increase: range,
  irate: range,
  label_join: signature(['vector', 'string', 'string', 'string'], { variadic: -1 }),
  label_replace: signature(['vector', 'string', 'string', 'string', 'string']),
  last_over_time: range,
  ln: vector,
  log10: vector,
  log2: vector,
  mad_over_time: range,
  max_over_time: range,
  min_over_time: range,
  minute: optionalVector,
  month: optionalVector,
  pi: constant,
  predict_linear: signature(['matrix', 'scalar']),
  present_over_time: range,
  quantile_over_time: signature(['scalar', 'matrix']),
  rad: vector,
  range: constant,
  rate: range,
  resets: range,
  round: signature(['vector', 'scalar'], { variadic: 1 }),
  scalar: signature(['vector'], { returns: 'scalar' }),
  sgn: vector,
  sin: vector,
  sinh: vector,
  sort: vector,
  sort_by_label: signature(['vector', 'string'], { variadic: -1 }),
  sort_by_label_desc: signature(['vector', 'string'], { variadic: -1 }),
  sort_desc: vector,
  sqrt: vector,
  start: constant,
  stddev_over_time: range,
  stdvar_over_time: range,
  step: constant,
  sum_over_time: range,
  tan: vector,
  tanh: vector,
  time: constant,
  timestamp: vector,
  ts_of_first_over_time: range,
  ts_of_last_over_time: range,
  ts_of_max_over_time: range,
  ts_of_min_over_time: range,
  vector: signature(['scalar']),
  year: optionalVector,
}

/** Known to Prometheus but refused by it too unless a feature flag turns them on; refused here always. */
export const notEnabled: ReadonlySet<string> = new Set([
  'info',
  'max_of',
  'min_of',
  'start_timestamp',
])

/** What an expression of a parsed query yields. */
export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case 'number':
      return 'scalar'
    case 'string':
      return 'string'
    case 'selector':
    case 'aggregation':
      return 'vector'
    case 'range':
    case 'subquery':
      return 'matrix'
    case 'call':
      return signatures[expr.name]?.returns ?? 'vector'
    case 'binary':
      return typeOf(expr.left) === 'scalar' && typeOf(expr.right) === 'scalar' ? 'scalar' : 'vector'
    case 'unary':
    case 'paren':
      return typeOf(expr.expr)
    default:
      throw new TypeError(`unknown expression: ${JSON.stringify(expr satisfies never)}`)
  }
}
