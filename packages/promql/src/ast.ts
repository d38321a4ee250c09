import type { Matcher } from './matcher.ts'

/** What an expression yields; a range vector is called `matrix` on the wire. */
export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string'

/** Where an expression stands in the query: offsets into the string, the end exclusive. */
interface Placed {
  readonly from: number
  readonly to: number
}

/** The `@` modifier: epoch milliseconds, or the bounds of the query. */
export type AtModifier = { kind: 'time'; at: number } | { kind: 'start' } | { kind: 'end' }

export interface NumberLiteral extends Placed {
  readonly kind: 'number'
  readonly value: number
}
export interface StringLiteral extends Placed {
  readonly kind: 'string'
  readonly value: string
}
export interface VectorSelector extends Placed {
  readonly kind: 'selector'
  /** The metric name before the braces; the matchers hold it as well. */
  readonly metric?: string
  readonly matchers: readonly Matcher[]
  readonly offsetMs: number
  readonly at?: AtModifier
}
export interface MatrixSelector extends Placed {
  readonly kind: 'range'
  readonly selector: VectorSelector
  readonly rangeMs: number
}
export interface Subquery extends Placed {
  readonly kind: 'subquery'
  readonly expr: Expr
  readonly rangeMs: number
  /** Absent: the evaluation interval, one minute. */
  readonly stepMs?: number
  readonly offsetMs: number
  readonly at?: AtModifier
}
export interface Call extends Placed {
  readonly kind: 'call'
  readonly name: string
  readonly args: readonly Expr[]
}
export interface Aggregation extends Placed {
  readonly kind: 'aggregation'
  readonly op: AggregationOperator
  readonly expr: Expr
  readonly param?: Expr
  readonly grouping: readonly string[]
  readonly without: boolean
}
export interface Binary extends Placed {
  readonly kind: 'binary'
  readonly op: BinaryOperator
  readonly left: Expr
  readonly right: Expr
  /** `bool`: comparisons give 0 and 1 instead of filtering. */
  readonly returnBool: boolean
  readonly matching: Matching
}
export interface Unary extends Placed {
  readonly kind: 'unary'
  readonly op: '+' | '-'
  readonly expr: Expr
}
export interface Paren extends Placed {
  readonly kind: 'paren'
  readonly expr: Expr
}

/** How the two sides of an operator are paired. */
export interface Matching {
  readonly on: boolean
  readonly labels: readonly string[]
  /** `many-to-one` is group_left: several series of the left side per series of the right side. */
  readonly card: 'one-to-one' | 'many-to-one' | 'one-to-many'
  readonly include: readonly string[]
}

/** A parsed PromQL expression. */
export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Aggregation
  | Binary
  | Unary
  | Paren

export type AggregationOperator =
  | 'sum'
  | 'avg'
  | 'min'
  | 'max'
  | 'count'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'quantile'
  | 'count_values'
  | 'limitk'
  | 'limit_ratio'

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2'
export type ComparisonOperator = '==' | '!=' | '>' | '<' | '>=' | '<='
export type SetOperator = 'and' | 'or' | 'unless'
/** `</` and `>/` trim native histograms; they parse and then fail, since there are none here. */
export type BinaryOperator = ArithmeticOperator | ComparisonOperator | SetOperator | '</' | '>/'

export function isComparison(op: BinaryOperator): op is ComparisonOperator {
  return ['==', '!=', '>', '<', '>=', '<='].includes(op)
}

export function isSetOperator(op: BinaryOperator): op is SetOperator {
  return op === 'and' || op === 'or' || op === 'unless'
}

/** The expressions directly inside, in the order of the query. */
export function children(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'selector':
      return []
    case 'range':
      return [expr.selector]
    case 'subquery':
    case 'unary':
    case 'paren':
      return [expr.expr]
    case 'call':
      return expr.args
    case 'aggregation':
      return expr.param === undefined ? [expr.expr] : [expr.param, expr.expr]
    case 'binary':
      return [expr.left, expr.right]
    default:
      throw new TypeError(`unknown expression: ${JSON.stringify(expr satisfies never)}`)
  }
}
