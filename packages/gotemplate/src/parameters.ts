import { usableInteger } from './builtins.ts'
import type { Run } from './run.ts'
import {
  floatOf,
  GoMap,
  integerOf,
  isMap,
  isObject,
  type Parameter,
  typeName,
  type Value,
} from './value.ts'

const TYPE_NAMES: Readonly<Record<Parameter, string>> = {
  any: 'interface {}',
  value: 'reflect.Value',
  string: 'string',
  int: 'int',
  bool: 'bool',
  float64: 'float64',
  map: 'map[string]interface {}',
  time: 'time.Time',
  duration: 'time.Duration',
  version: '*semver.Version',
}

export function parameterTypeName(parameter: Parameter): string {
  return TYPE_NAMES[parameter]
}

export function canBeNil(parameter: Parameter): boolean {
  return (
    parameter === 'any' || parameter === 'value' || parameter === 'map' || parameter === 'version'
  )
}

/** What the untyped nil becomes as such a parameter. */
export function nilOf(parameter: Parameter): Value {
  if (parameter === 'value') return undefined
  return parameter === 'map' ? new GoMap(new Map(), { isNil: true }) : null
}

export type Checked =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: string }

/** Whether a value can be given for a parameter, by Go's rules of assignment. */
export function checkArgument(value: Value, parameter: Parameter, run: Run): Checked {
  if (value === undefined) {
    if (canBeNil(parameter)) return { ok: true, value: nilOf(parameter) }
    return { ok: false, problem: `invalid value; expected ${TYPE_NAMES[parameter]}` }
  }
  const fitting = fit(value, parameter, run)
  if (fitting) return { ok: true, value: fitting.value }
  const got = value === null ? 'interface {}' : typeName(value)
  return {
    ok: false,
    problem: `wrong type for value; expected ${TYPE_NAMES[parameter]}; got ${got}`,
  }
}

/** The same for arguments of `call`, which converts between integer types and words its errors differently. */
export function checkCallArgument(value: Value, parameter: Parameter, run: Run): Checked {
  if (value === undefined || value === null) {
    if (canBeNil(parameter)) return { ok: true, value: nilOf(parameter) }
    return { ok: false, problem: `value is nil; should be of type ${TYPE_NAMES[parameter]}` }
  }
  const integer = parameter === 'int' || parameter === 'duration' ? integerOf(value) : undefined
  const fitting = integer === undefined ? fit(value, parameter, run) : integerAs(integer, parameter)
  if (fitting) return { ok: true, value: fitting.value }
  return {
    ok: false,
    problem: `value has type ${typeName(value)}; should be ${TYPE_NAMES[parameter]}`,
  }
}

export function integerAs(integer: bigint, parameter: Parameter): { value: Value } {
  if (parameter === 'int') return { value: integer }
  return { value: { kind: 'integer', type: TYPE_NAMES[parameter], value: integer } }
}

function fit(value: Value, parameter: Parameter, run: Run): { value: Value } | undefined {
  switch (parameter) {
    case 'any':
    case 'value':
      return { value }
    case 'string':
      return typeof value === 'string' ? { value } : undefined
    case 'bool':
      return typeof value === 'boolean' ? { value } : undefined
    case 'int': {
      if (typeof value === 'bigint') return { value }
      if (!isObject(value) || value.kind !== 'json-number') return undefined
      const whole = usableInteger(value, run)
      return whole === undefined ? undefined : { value: whole }
    }
    case 'float64': {
      const float = floatOf(value)
      return float === undefined ? undefined : { value: float }
    }
    case 'map':
      return isMap(value) && value.type === TYPE_NAMES.map ? { value } : undefined
    case 'time':
    case 'version':
      return isObject(value) && value.kind === parameter ? { value } : undefined
    case 'duration':
      return isObject(value) && value.kind === 'integer' && value.type === TYPE_NAMES.duration
        ? { value }
        : undefined
  }
}
