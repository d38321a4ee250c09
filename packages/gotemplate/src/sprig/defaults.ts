import { FunctionFailure } from '../run.ts'
import {
  type GoFunction,
  goFunction,
  isEmpty,
  isTrue,
  kindName,
  typeName,
  variadicFunction,
} from '../value.ts'
import { deepEqual } from './equality.ts'

/** Functions that choose between values or give up, and those that tell what a value is. */
export const DEFAULT_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  default: variadicFunction(['any'], 'any', ([fallback], given) =>
    isEmpty(given[0]) ? fallback : given[0],
  ),
  empty: goFunction(['any'], ([value]) => isEmpty(value)),
  coalesce: variadicFunction([], 'any', (_, values) => values.find(isTrue) ?? null),
  all: variadicFunction([], 'any', (_, values) => values.every(isTrue)),
  any: variadicFunction([], 'any', (_, values) => values.some(isTrue)),
  ternary: goFunction(['any', 'any', 'bool'], ([yes, no, condition]) => (condition ? yes : no)),
  fail: goFunction(['string'], ([message]) => {
    throw new FunctionFailure(message)
  }),
  typeOf: goFunction(['any'], ([value]) => typeName(value)),
  typeIs: goFunction(['string', 'any'], ([type, value]) => type === typeName(value)),
  typeIsLike: goFunction(['string', 'any'], ([type, value]) =>
    [type, `*${type}`].includes(typeName(value)),
  ),
  kindOf: goFunction(['any'], ([value]) => kindName(value)),
  kindIs: goFunction(['string', 'any'], ([kind, value]) => kind === kindName(value)),
  deepEqual: goFunction(['any', 'any'], ([a, b], run) => deepEqual(a, b, run)),
}
