import {
  arg,
  type Builtin,
  bySignature,
  byValidation,
  type Context,
  typeText,
  wrongCount,
} from './builtin.ts'
import { parseFloat64, parseInteger } from './go-text.ts'
import { ANY, FLOAT64, type GoType, INT } from './go-type.ts'
import { compare } from './operators.ts'
import {
  floatOf,
  Int,
  integerOf,
  itemsOf,
  Panic,
  truncate,
  typeName,
  type Value,
  wrapInt,
} from './value.ts'

/** Numbers: conversion, rounding, aggregates and bits. Source: spec analysis-and-experiments 3.8. */
export const NUMBER_BUILTINS: readonly (readonly [string, Builtin])[] = [
  [
    'abs',
    byValidation(
      (args) => numeric('abs', args, (type) => type),
      (args) => absolute(arg(args, 0)),
    ),
  ],
  ['ceil', rounding('ceil', Math.ceil)],
  ['floor', rounding('floor', Math.floor)],
  ['round', rounding('round', roundHalfAway)],
  [
    'int',
    byValidation(
      (args) => convertible('int', args, INT),
      (args) => toInteger(arg(args, 0)),
    ),
  ],
  [
    'float',
    byValidation(
      (args) => convertible('float', args, FLOAT64),
      (args) => toFloat(arg(args, 0)),
    ),
  ],
  [
    'max',
    aggregate('max', (args, context) => extreme({ name: 'max', operator: '<', args, context })),
  ],
  [
    'min',
    aggregate('min', (args, context) => extreme({ name: 'min', operator: '>', args, context })),
  ],
  [
    'mean',
    aggregate('mean', (args, context) => {
      const values = flattened('mean', args, context)
      return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
    }),
  ],
  ['median', aggregate('median', (args, context) => median(flattened('median', args, context)))],
  ['bitand', bits('bitand', (x, y) => x & y)],
  ['bitor', bits('bitor', (x, y) => x | y)],
  ['bitxor', bits('bitxor', (x, y) => x ^ y)],
  ['bitnand', bits('bitnand', (x, y) => x & ~y)],
  ['bitshl', bits('bitshl', (x, y) => (shift(y) > 63n ? 0n : x << y))],
  ['bitshr', bits('bitshr', (x, y) => x >> (shift(y) > 63n ? 63n : y))],
  ['bitushr', bits('bitushr', (x, y) => (shift(y) > 63n ? 0n : BigInt.asUintN(64, x) >> y))],
  [
    'bitnot',
    bySignature([{ params: [INT], result: INT }], (args) =>
      wrapInt(~strictInteger('bitnot', arg(args, 0))),
    ),
  ],
]

function numeric(
  name: string,
  args: readonly (GoType | null)[],
  result: (type: GoType) => GoType,
): GoType | null | string {
  const [type] = args
  if (args.length !== 1 || type === undefined) return wrongCount('1', args.length)
  if (type !== null && (type.kind === 'interface' || isNumericKind(type))) return result(type)
  return `invalid argument for ${name} (type ${typeText(type)})`
}

/** By kind, so that durations and months count: they fail only at run time. */
function isNumericKind({ kind }: GoType): boolean {
  return kind === 'float64' || (kind !== 'interface' && /^u?int[0-9]*$/.test(kind))
}

function convertible(
  name: string,
  args: readonly (GoType | null)[],
  result: GoType,
): GoType | null | string {
  const [type] = args
  if (type?.kind === 'string' && args.length === 1) return result
  return numeric(name, args, () => result)
}

function rounding(name: string, round: (value: number) => number): Builtin {
  return byValidation(
    (args) => numeric(name, args, () => FLOAT64),
    (args) => {
      const value = floatOf(arg(args, 0))
      if (value === null)
        throw new Panic(`invalid argument for ${name} (type ${typeName(arg(args, 0))})`)
      return round(value)
    },
  )
}

function roundHalfAway(value: number): number {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 52) return value
  const whole = Math.trunc(value)
  return Math.abs(value - whole) >= 0.5 ? whole + Math.sign(value) : whole
}

function absolute(value: Value): Value {
  if (typeof value === 'number') return value < 0 ? -value : value
  const integer = integerOf(value)
  if (integer === null) throw new Panic(`invalid argument for abs (type ${typeName(value)})`)
  if (integer >= 0n) return value
  return value instanceof Int ? new Int(value.type, -integer) : wrapInt(-integer)
}

function toInteger(value: Value): Value {
  if (typeof value === 'number') return truncate(value)
  if (typeof value === 'string') {
    const parsed = parseInteger(value)
    if (!parsed.ok) throw new Panic(`invalid operation: int(${value})`)
    return parsed.value
  }
  if (value instanceof Int) return wrapInt(value.value)
  if (typeof value === 'bigint') return value
  // Upstream stumbles over nil before it can say what it wants.
  if (value === null) throw new Panic('reflect: call of reflect.Value.Type on zero Value')
  throw new Panic(`invalid operation: int(${typeName(value)})`)
}

function toFloat(value: Value): Value {
  if (typeof value === 'string') {
    const parsed = parseFloat64(value)
    if (!parsed.ok) throw new Panic(`invalid operation: float(${value})`)
    return parsed.value
  }
  const float = floatOf(value)
  if (float === null) throw new Panic(`invalid operation: float(${typeName(value)})`)
  return float
}

function aggregate(name: string, run: Builtin['run']): Builtin {
  return byValidation((args) => {
    const [first] = args
    if (first === undefined) return `not enough arguments to call ${name}`
    for (const type of args) {
      if (type !== null && ['interface', 'array', 'slice'].includes(type.kind)) return ANY
      if (type === null || !isNumericKind(type))
        return `invalid argument for ${name} (type ${typeText(type)})`
    }
    return first
  }, run)
}

/** The first value that no later one beats; a NaN that is seen first stays. */
function extreme(search: {
  name: string
  operator: string
  args: readonly Value[]
  context: Context
}): Value {
  const { name, operator, args, context } = search
  let best: Value = null
  const consider = (value: Value): void => {
    if (value !== null && (best === null || compare(operator, best, value))) best = value
  }
  for (const value of args) {
    context.budget.spend(1)
    const items = itemsOf(value)
    if (items === null) {
      if (isNumber(value)) consider(value)
      else if (args.length === 1) return value
      else throw new Panic(`invalid argument for ${name} (type ${typeName(value)})`)
      continue
    }
    for (const item of items) {
      context.budget.spend(1)
      if (itemsOf(item) !== null) consider(extreme({ ...search, args: [item] }))
      else if (floatOf(item) !== null) consider(item)
      else throw new Panic(`invalid argument for ${name} (type ${typeName(item)})`)
    }
  }
  return best
}

function isNumber(value: Value): boolean {
  return floatOf(value) !== null || value instanceof Int
}

/** All numbers of nested arrays, as floats. */
function flattened(name: string, args: readonly Value[], context: Context): number[] {
  const found: number[] = []
  const visit = (value: Value): void => {
    context.budget.spend(1)
    const items = itemsOf(value)
    if (items !== null) {
      for (const item of items) visit(item)
      return
    }
    const float = value instanceof Int ? Number(value.value) : floatOf(value)
    if (float === null) throw new Panic(`invalid argument for ${name} (type ${typeName(value)})`)
    found.push(float)
  }
  for (const value of args) visit(value)
  return found
}

function median(values: number[]): number {
  // Go sorts NaN before all numbers.
  const sorted = values.sort((a, b) => (Number.isNaN(a) ? -1 : Number.isNaN(b) ? 1 : a - b))
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle]
  if (upper === undefined) return 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
}

function bits(name: string, run: (x: bigint, y: bigint) => bigint): Builtin {
  return bySignature([{ params: [INT, INT], result: INT }], (args) =>
    wrapInt(run(strictInteger(name, arg(args, 0)), strictInteger(name, arg(args, 1)))),
  )
}

function strictInteger(name: string, value: Value): bigint {
  const integer = integerOf(value)
  if (integer === null)
    throw new Panic(`cannot use ${typeName(value)} as argument (type int) to call ${name}`)
  return wrapInt(integer)
}

function shift(count: bigint): bigint {
  if (count < 0n) throw new Panic(`invalid operation: negative shift count ${count} (type int)`)
  return count
}
