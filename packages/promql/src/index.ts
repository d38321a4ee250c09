export type {
  Aggregation,
  AggregationOperator,
  ArithmeticOperator,
  AtModifier,
  Binary,
  BinaryOperator,
  Call,
  ComparisonOperator,
  Expr,
  Matching,
  MatrixSelector,
  NumberLiteral,
  Paren,
  SetOperator,
  StringLiteral,
  Subquery,
  Unary,
  ValueType,
  VectorSelector,
} from './ast.ts'
export { children } from './ast.ts'
export { promqlHandler } from './http.ts'
export type { Labels } from './labels.ts'
export { createMatcher, type Matcher, type MatchOperator } from './matcher.ts'
export { type FunctionUse, type ParseResult, parseQuery, type SelectorUse } from './parser.ts'
export {
  type Point,
  type QueryOptions,
  type QueryResult,
  type QueryValue,
  queryInstant,
  queryRange,
} from './query.ts'
export { typeOf } from './signatures.ts'
export { type FamilyMetadata, OutOfOrderSample, type SeriesRef, SeriesStore } from './store.ts'
