import {
  ANY,
  BOOL,
  DURATION,
  FLOAT_SLICE,
  FLOAT64,
  type GoType,
  INT,
  INT64,
  STRING,
  sliceOf,
  TIME,
  UINT64,
} from './go-type.ts'
import { Func, Int, Slice, Struct, typeOf, type Value } from './value.ts'

/** The types that a function of the environment can take and give, by their Go names. */
export type TypeWord =
  | 'any'
  | 'bool'
  | 'int'
  | 'int64'
  | 'float64'
  | 'string'
  | 'time.Time'
  | 'time.Duration'

const TYPES: Readonly<Record<TypeWord, GoType>> = {
  any: ANY,
  bool: BOOL,
  int: INT,
  int64: INT64,
  float64: FLOAT64,
  string: STRING,
  'time.Time': TIME,
  'time.Duration': DURATION,
}

/**
 * A function for an environment. Calls are checked against the types before `call` is reached; it may
 * throw `Panic` to fail the evaluation with that message. Source: spec analysis-and-experiments 3.2.
 */
export function defineFunction(
  types: { params: readonly TypeWord[]; result: TypeWord },
  call: (args: readonly Value[]) => Value,
): Value {
  return new Func(
    { params: types.params.map((word) => TYPES[word]), result: TYPES[types.result] },
    call,
  )
}

/** Go's `[]float64`, which Prometheus, Datadog, Graphite and Wavefront results are. */
export function floats(values: readonly number[]): Value {
  return new Slice(FLOAT_SLICE, values)
}

/** Go's `int64`, as InfluxDB rows and Kubernetes objects hold it; wraps to 64 bits. */
export function int64(value: bigint): Value {
  return new Int(INT64, value)
}

/** Go's `uint64`, as InfluxDB rows may hold it; wraps to 64 bits. */
export function uint64(value: bigint): Value {
  return new Int(UINT64, value)
}

/**
 * An array of Go structs, as CloudWatch results are: `structs('types.MetricDataResult', [{ Id: 'm1',
 * Values: floats([1]) }])`. The fields are those of the first row; a field that no row has is a problem
 * when a condition names it. Source: spec analysis-and-experiments 3.3.
 */
export function structs(name: string, rows: readonly Readonly<Record<string, Value>>[]): Value {
  const fields = Object.entries(rows[0] ?? {}).map(([field, value]) => [
    field,
    typeOf(value) ?? ANY,
  ])
  const type: GoType = { name, kind: 'struct', named: true, fields: Object.fromEntries(fields) }
  return new Slice(
    sliceOf(type),
    rows.map((row) => new Struct(type, row)),
  )
}
