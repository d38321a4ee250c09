import type { Budget } from './budget.ts'
import {
  arg,
  type Builtin,
  bySignature,
  byValidation,
  kindText,
  typeText,
  wrongCount,
} from './builtin.ts'
import { formatValue } from './go-format.ts'
import { characterCount } from './go-text.ts'
import {
  ANY,
  ANY_MAP,
  ANY_SLICE,
  FLOAT_SLICE,
  type GoType,
  INT,
  INT_SLICE,
  PAIR,
  PAIR_SLICE,
  STRING,
  STRING_SLICE,
} from './go-type.ts'
import { equal, fetch, get, mapKey } from './operators.ts'
import { sorted } from './sorting.ts'
import {
  AnyMap,
  Int,
  integerOf,
  isMap,
  itemsOf,
  NIL_SLICE,
  Panic,
  Slice,
  typeName,
  typeOf,
  type Value,
} from './value.ts'

/** Arrays, maps and questions about values. Source: spec analysis-and-experiments 3.8. */
export const ARRAY_BUILTINS: readonly (readonly [string, Builtin])[] = [
  [
    'len',
    byValidation(
      (args) =>
        one(
          args,
          ['array', 'map', 'slice', 'string'],
          INT,
          (type) => `invalid argument for len (type ${type})`,
        ),
      (args) => {
        const value = arg(args, 0)
        if (typeof value === 'string') return BigInt(characterCount(value))
        if (value instanceof AnyMap) return BigInt(value.entries.size)
        if (isMap(value)) return BigInt(Object.keys(value).length)
        const items = itemsOf(value)
        if (items === null) throw new Panic(`invalid argument for len (type ${typeName(value)})`)
        return BigInt(items.length)
      },
    ),
  ],
  ['type', bySignature([{ params: [ANY], result: STRING }], (args) => typeWord(arg(args, 0)))],
  ['first', ending('first', 0n)],
  ['last', ending('last', -1n)],
  [
    'get',
    byValidation(
      () => null,
      (args) => get(arg(args, 0), arg(args, 1)),
    ),
  ],
  [
    'take',
    byValidation(
      (args) => {
        const [array, count] = args
        if (args.length !== 2 || array === undefined || count === undefined)
          return wrongCount('2', args.length)
        if (!isOneOf(array, ['slice', 'array'])) return `cannot take from ${typeText(array)}`
        if (!isOneOf(count, ['int', 'int8', 'int16', 'int32', 'int64'])) {
          return `cannot take ${typeText(count)} elements`
        }
        return array
      },
      (args, { budget }) => {
        const array = arg(args, 0)
        const items = itemsOf(array)
        if (items === null) throw new Panic(`cannot take from ${kindText(typeOf(array))}`)
        const count = arg(args, 1)
        const wanted = count instanceof Int ? count.value : integerOf(count)
        if (wanted === null || typeOf(count)?.kind.startsWith('uint')) {
          throw new Panic(`cannot take ${kindText(typeOf(count))} elements`)
        }
        if (wanted < 0n) throw new Panic('reflect.Value.Slice: slice index out of bounds')
        const kept = items.slice(0, wanted > BigInt(items.length) ? items.length : Number(wanted))
        budget.spend(kept.length)
        return array instanceof Slice ? new Slice(array.type, kept) : kept
      },
    ),
  ],
  ['keys', ofMap('get keys from', (entries) => entries.map(([key]) => key))],
  ['values', ofMap('get values from', (entries) => entries.map(([, value]) => value))],
  [
    'toPairs',
    ofMap(
      'transform',
      (entries) =>
        new Slice(
          PAIR_SLICE,
          entries.map((entry) => new Slice(PAIR, [...entry])),
        ),
    ),
  ],
  [
    'fromPairs',
    byValidation(
      (args) =>
        one(args, ['slice', 'array'], ANY_MAP, (type) => `cannot transform ${type} from pairs`),
      (args, { budget }) => {
        const items = itemsOf(arg(args, 0))
        if (items === null)
          throw new Panic(`cannot transform ${unfitText(arg(args, 0), budget)} from pairs`)
        const entries = new Map<string, readonly [Value, Value]>()
        for (const item of items) {
          budget.spend(1)
          const pair = itemsOf(item)
          if (pair === null) throw new Panic(`invalid pair ${formatValue(item, budget)}`)
          const [key, value] = pair
          if (pair.length !== 2 || key === undefined || value === undefined) {
            throw new Panic(`invalid pair length ${formatValue(item, budget)}`)
          }
          entries.set(mapKey(key), [key, value])
        }
        return new AnyMap(ANY_MAP, entries)
      },
    ),
  ],
  [
    'reverse',
    ofArray('reverse', (items, { budget }) => {
      budget.grow(items.length)
      return items.toReversed()
    }),
  ],
  [
    'uniq',
    ofArray('uniq', (items, { budget }) => {
      const found: Value[] = []
      for (const item of items) {
        budget.spend(found.length)
        if (!found.some((other) => equal(item, other, budget))) found.push(item)
      }
      return found
    }),
  ],
  [
    'concat',
    byValidation(
      (args) => {
        if (args.length === 0) return wrongCount('at least 1', 0)
        const wrong = args.find((type) => !isOneOf(type, ['slice', 'array']))
        return wrong === undefined ? ANY_SLICE : `cannot concat ${typeText(wrong)}`
      },
      (args, { budget }) => {
        const all: Value[] = []
        for (const array of args) {
          const items = itemsOf(array)
          if (items === null) throw new Panic(`cannot concat ${kindText(typeOf(array))}`)
          budget.grow(items.length)
          for (const item of items) all.push(item)
        }
        return all.length === 0 ? NIL_SLICE : all
      },
    ),
  ],
  [
    'flatten',
    ofArray('flatten', (items, { budget }) => {
      const flat: Value[] = []
      const visit = (nested: readonly Value[]): void => {
        for (const item of nested) {
          budget.spend(1)
          const inner = itemsOf(item)
          if (inner === null) {
            budget.grow(1)
            flat.push(item)
          } else visit(inner)
        }
      }
      visit(items)
      return flat
    }),
  ],
  [
    'sort',
    bySignature(
      [
        ...[ANY_SLICE, INT_SLICE, FLOAT_SLICE, STRING_SLICE].map((type) => ({
          params: [type, STRING],
          result: ANY_SLICE,
        })),
        ...[ANY_SLICE, FLOAT_SLICE, STRING_SLICE, INT_SLICE].map((type) => ({
          params: [type],
          result: ANY_SLICE,
        })),
      ],
      (args, { budget }) => {
        const array = arg(args, 0)
        const known = [ANY_SLICE, INT_SLICE, FLOAT_SLICE, STRING_SLICE].some(
          ({ name }) => name === typeName(array),
        )
        const order = args.length === 2 ? arg(args, 1) : 'asc'
        if (typeof order !== 'string')
          throw new Panic(`sort order argument must be a string (got ${typeName(order)})`)
        if (order !== 'asc' && order !== 'desc')
          throw new Panic(`invalid order ${order}, expected asc or desc`)
        if (!known) return NIL_SLICE
        const items = itemsOf(array) ?? []
        budget.grow(items.length)
        return sorted({ items, keys: items, descending: order === 'desc', budget })
      },
    ),
  ],
]

/** Go's `%s` of what is no text. */
function unfitText(value: Value, budget: Budget): string {
  if (value === null) return '<invalid reflect.Value>'
  const text = formatValue(value, budget)
  const plain = typeof value === 'string' || isMap(value) || value instanceof AnyMap
  return plain ? text : `%!s(${typeName(value)}=${text})`
}

function isOneOf(type: GoType | null, kinds: readonly string[]): boolean {
  return type !== null && (type.kind === 'interface' || kinds.includes(type.kind))
}

function one(
  args: readonly (GoType | null)[],
  kinds: readonly string[],
  result: GoType,
  message: (type: string) => string,
): GoType | string {
  const [type] = args
  if (args.length !== 1 || type === undefined) return wrongCount('1', args.length)
  return isOneOf(type, kinds) ? result : message(typeText(type))
}

/** `first` and `last`: whatever goes wrong, the answer is nil. */
function ending(name: string, index: bigint): Builtin {
  return byValidation(
    (args) => {
      const [type] = args
      if (args.length !== 1 || type === undefined) return wrongCount('1', args.length)
      if (type !== null && type.kind === 'interface') return ANY
      if (isOneOf(type, ['slice', 'array'])) return type?.elem ?? ANY
      return `cannot get ${name} element from ${typeText(type)}`
    },
    (args, { budget }) => {
      try {
        return fetch(arg(args, 0), index, budget)
      } catch (error) {
        if (error instanceof Panic) return null
        throw error
      }
    },
  )
}

function ofArray(
  verb: string,
  run: (items: readonly Value[], context: Parameters<Builtin['run']>[1]) => Value,
): Builtin {
  return byValidation(
    (args) => one(args, ['slice', 'array'], ANY_SLICE, (type) => `cannot ${verb} ${type}`),
    (args, context) => {
      const items = itemsOf(arg(args, 0))
      if (items === null) throw new Panic(`cannot ${verb} ${kindText(typeOf(arg(args, 0)))}`)
      return run(items, context)
    },
  )
}

function ofMap(
  verb: string,
  run: (entries: readonly (readonly [Value, Value])[]) => Value,
): Builtin {
  const tail = verb === 'transform' ? ' to pairs' : ''
  return byValidation(
    (args) => one(args, ['map'], ANY_SLICE, (type) => `cannot ${verb} ${type}${tail}`),
    (args, { budget }) => {
      const map = arg(args, 0)
      if (!isMap(map) && !(map instanceof AnyMap)) {
        throw new Panic(`cannot ${verb} ${kindText(typeOf(map))}${tail}`)
      }
      const entries = map instanceof AnyMap ? [...map.entries.values()] : Object.entries(map)
      budget.spend(entries.length)
      return run(entries)
    },
  )
}

/** What `type()` calls a value: families of types, but named types by their name. */
function typeWord(value: Value): string {
  const type = typeOf(value)
  if (type === null) return 'nil'
  if (type.named) return type.name
  switch (type.kind) {
    case 'bool':
    case 'string':
    case 'map':
    case 'func':
      return type.kind
    case 'float64':
      return 'float'
    case 'slice':
    case 'array':
      return 'array'
    case 'struct':
      return type.name
    case 'ptr':
    case 'interface':
      return 'unknown'
    default:
      return type.kind.startsWith('uint') ? 'uint' : 'int'
  }
}
