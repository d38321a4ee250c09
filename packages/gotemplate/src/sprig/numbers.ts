import { toFloat64, toInt64 } from '../cast.ts'
import {
  add,
  type Decimal,
  decimalOf,
  divide,
  floatOfDecimal,
  multiply,
  subtract,
} from '../decimal.ts'
import { show } from '../format.ts'
import { FunctionFailure, type Run } from '../run.ts'
import {
  type GoFunction,
  type GoList,
  goFunction,
  int64,
  list,
  type Value,
  variadicFunction,
} from '../value.ts'

const biggest = variadicFunction(['any'], 'any', ([first], rest) =>
  int64(
    rest.reduce(
      (most: bigint, value) => (toInt64(value) > most ? toInt64(value) : most),
      toInt64(first),
    ),
  ),
)

export const NUMBER_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  add: variadicFunction([], 'any', (_, values) =>
    int64(values.reduce((sum: bigint, value) => sum + toInt64(value), 0n)),
  ),
  add1: goFunction(['any'], ([a]) => int64(toInt64(a) + 1n)),
  sub: goFunction(['any', 'any'], ([a, b]) => int64(toInt64(a) - toInt64(b))),
  mul: variadicFunction(['any'], 'any', ([a], values) =>
    int64(
      values.reduce((product: bigint, v) => BigInt.asIntN(64, product * toInt64(v)), toInt64(a)),
    ),
  ),
  div: goFunction(['any', 'any'], ([a, b]) => int64(toInt64(a) / nonZero(toInt64(b)))),
  mod: goFunction(['any', 'any'], ([a, b]) => int64(toInt64(a) % nonZero(toInt64(b)))),
  max: biggest,
  biggest,
  min: variadicFunction(['any'], 'any', ([first], rest) =>
    int64(
      rest.reduce(
        (least: bigint, value) => (toInt64(value) < least ? toInt64(value) : least),
        toInt64(first),
      ),
    ),
  ),
  int: goFunction(['any'], ([a]) => toInt64(a)),
  int64: goFunction(['any'], ([a]) => int64(toInt64(a))),
  atoi: goFunction(['string'], ([s]) => atoi(s)),
  toDecimal: goFunction(['any'], ([a], run) => {
    const text = show(a, run)
    const digits = /^([+-]?)([0-7]+)$/.exec(text)
    if (!digits) return int64(0n)
    const size = BigInt(`0o${digits[2]}`)
    return int64(size >= 2n ** 63n ? 0n : digits[1] === '-' ? -size : size)
  }),
  until: goFunction(['int'], ([count], run) =>
    intList(steps({ start: 0n, stop: count, step: count < 0n ? -1n : 1n }, run)),
  ),
  untilStep: goFunction(['int', 'int', 'int'], ([start, stop, step], run) =>
    intList(steps({ start, stop, step }, run)),
  ),
  seq: variadicFunction([], 'int', (_, bounds, run) => seq(bounds, run)),
  float64: goFunction(['any'], ([a]) => toFloat64(a)),
  addf: variadicFunction([], 'any', (_, values, run) => fold(0n, values, add, run)),
  add1f: goFunction(['any'], ([a], run) => fold(a, [1n], add, run)),
  subf: variadicFunction(['any'], 'any', ([a], values, run) => fold(a, values, subtract, run)),
  mulf: variadicFunction(['any'], 'any', ([a], values, run) => fold(a, values, multiply, run)),
  divf: variadicFunction(['any'], 'any', ([a], values, run) => fold(a, values, divide, run)),
  maxf: variadicFunction(['any'], 'any', ([a], values) =>
    Math.max(toFloat64(a), ...values.map(toFloat64)),
  ),
  minf: variadicFunction(['any'], 'any', ([a], values) =>
    Math.min(toFloat64(a), ...values.map(toFloat64)),
  ),
  ceil: goFunction(['any'], ([a]) => Math.ceil(toFloat64(a))),
  floor: goFunction(['any'], ([a]) => Math.floor(toFloat64(a))),
  round: variadicFunction(['any', 'int'], 'float64', ([a, places], [roundOn]) =>
    round(toFloat64(a), Number(places), roundOn ?? 0.5),
  ),
}

function nonZero(divisor: bigint): bigint {
  if (divisor === 0n) throw new FunctionFailure('runtime error: integer divide by zero')
  return divisor
}

/** strconv.Atoi with its error dropped: 0 for what is no number, the limit for what is too large. */
function atoi(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) return 0n
  const value = BigInt(text.replace(/^\+/, ''))
  const most = 2n ** 63n - 1n
  return value > most ? most : value < -most - 1n ? -most - 1n : value
}

function intList(values: readonly bigint[]): GoList {
  return list(values, '[]int')
}

function steps(
  { start, stop, step }: { start: bigint; stop: bigint; step: bigint },
  run: Run,
): bigint[] {
  const values: bigint[] = []
  if (stop < start ? step >= 0n : step <= 0n) return values
  for (let i = start; step > 0n ? i < stop : i > stop; i += step) {
    run.spend(1)
    values.push(i)
  }
  return values
}

function seq(bounds: readonly bigint[], run: Run): string {
  const [first = 0n, second = 0n, third = 0n] = bounds
  if (bounds.length === 0 || bounds.length > 3) return ''
  const [start, stop] =
    bounds.length === 1 ? [1n, first] : [first, bounds.length === 3 ? third : second]
  const direction = stop < start ? -1n : 1n
  const step = bounds.length === 3 ? second : direction
  if (bounds.length === 3 && direction < 0n && step > 0n) return ''
  return steps({ start, stop: stop + direction, step }, run).join(' ')
}

function fold(
  first: Value,
  values: readonly Value[],
  operation: (a: Decimal, b: Decimal) => Decimal,
  run: Run,
): number {
  const result = values.reduce(
    (total: Decimal, value) => {
      // Exact products grow with every factor.
      run.spend(1 + total.digits.toString(16).length)
      return operation(total, decimalOf(toFloat64(value)))
    },
    decimalOf(toFloat64(first)),
  )
  return floatOfDecimal(result)
}

function round(value: number, places: number, roundOn: number): number {
  const scale = 10 ** places
  const shifted = scale * value
  const fraction = shifted - Math.trunc(shifted)
  return (fraction >= roundOn ? Math.ceil(shifted) : Math.floor(shifted)) / scale
}
