/** The condition language of Argo Rollouts (expr-lang v1.17). Source: spec analysis-and-experiments 3. */
export {
  analysisEnvironment,
  analysisFunctions,
  type ConditionOutcome,
  type Conditions,
  contentOf,
  evaluateCondition,
  evaluateTime,
  type Judgement,
  judge,
  numberFunctions,
} from './conditions.ts'
export type { Environment } from './environment.ts'
export { type Compiled, compile, type Evaluated, evaluate, type Program } from './expr.ts'
export { formatText } from './go-format.ts'
export {
  defineFunction,
  floats,
  int64,
  structs,
  type TypeWord,
  uint64,
} from './host-values.ts'
export {
  type Constancy,
  callsOf,
  comparisonsOf,
  constancyOf,
  type Division,
  divisionOf,
  identifiersOf,
  type NumberComparison,
  type NumberRange,
} from './lint.ts'
export { stringsNamespace, timeNamespace } from './namespaces.ts'
export { describeProblem, type ExprProblem, type Position } from './problem.ts'
export { checkPattern, matchesPattern } from './regexp.ts'
export {
  duration,
  fromJson,
  isNil,
  Panic,
  Time,
  typeName,
  type Value,
  type ValueMap,
} from './value.ts'
