import { type Builtin, bySignature } from './builtin.ts'
import { ARRAY_BUILTINS } from './builtins-array.ts'
import { NUMBER_BUILTINS } from './builtins-number.ts'
import { TEXT_BUILTINS } from './builtins-text.ts'
import { TIME_BUILTINS } from './builtins-time.ts'
import { ANY, ANY_SLICE, BOOL, funcOf, type GoType, GROUP_MAP, INT, STRING } from './go-type.ts'
import { Panic } from './value.ts'

const ASKS = funcOf({ params: [ANY], result: BOOL })
const MAPS = funcOf({ params: [ANY], result: ANY })
const REDUCES = funcOf({ params: [ANY, ANY], result: ANY })

/** Those with a predicate are part of the grammar and of the evaluator; here they only have a name and a type. */
const PREDICATE_BUILTINS: readonly (readonly [string, readonly GoType[], GoType])[] = [
  ['all', [ANY_SLICE, ASKS], BOOL],
  ['none', [ANY_SLICE, ASKS], BOOL],
  ['any', [ANY_SLICE, ASKS], BOOL],
  ['one', [ANY_SLICE, ASKS], BOOL],
  ['filter', [ANY_SLICE, ASKS], ANY_SLICE],
  ['map', [ANY_SLICE, MAPS], ANY_SLICE],
  ['find', [ANY_SLICE, ASKS], ANY],
  ['findIndex', [ANY_SLICE, ASKS], INT],
  ['findLast', [ANY_SLICE, ASKS], ANY],
  ['findLastIndex', [ANY_SLICE, ASKS], INT],
  ['count', [ANY_SLICE, ASKS], INT],
  ['sum', [ANY_SLICE, ASKS], INT],
  ['groupBy', [ANY_SLICE, MAPS], GROUP_MAP],
  ['sortBy', [ANY_SLICE, ASKS, STRING], ANY_SLICE],
  ['reduce', [ANY_SLICE, REDUCES, ANY], ANY],
]

/** Every function of the language by name. Source: spec analysis-and-experiments 3.8. */
export const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ...PREDICATE_BUILTINS.map(
    ([name, params, result]) =>
      [
        name,
        bySignature([{ params, result }], () => {
          throw new Panic(`${name} is not a function value`)
        }),
      ] as const,
  ),
  ...ARRAY_BUILTINS,
  ...NUMBER_BUILTINS,
  ...TEXT_BUILTINS,
  ...TIME_BUILTINS,
])
