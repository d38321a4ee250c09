import { toInt64 } from '../cast.ts'
import { FunctionFailure, type Run } from '../run.ts'
import {
  type GoFunction,
  GoList,
  goFunction,
  isEmpty,
  isList,
  kindName,
  list,
  type Value,
  variadicFunction,
} from '../value.ts'
import { deepEqual } from './equality.ts'

const makeList = variadicFunction([], 'any', (_, values) => list(values))
const append = goFunction(['any', 'any'], ([values, added], run) =>
  list([...itemsOf(values, 'Cannot push on type', run), added]),
)
const prepend = goFunction(['any', 'any'], ([values, added], run) =>
  list([added, ...itemsOf(values, 'Cannot prepend on type', run)]),
)
const first = goFunction(
  ['any'],
  ([values], run) => itemsOf(values, 'Cannot find first on type', run)[0] ?? null,
)
const last = goFunction(
  ['any'],
  ([values], run) => itemsOf(values, 'Cannot find last on type', run).at(-1) ?? null,
)
const rest = goFunction(['any'], ([values], run) => {
  const items = itemsOf(values, 'Cannot find rest on type', run)
  return items.length === 0 ? NIL_LIST : list(items.slice(1))
})
const initial = goFunction(['any'], ([values], run) => {
  const items = itemsOf(values, 'Cannot find initial on type', run)
  return items.length === 0 ? NIL_LIST : list(items.slice(0, -1))
})
const reverse = goFunction(['any'], ([values], run) =>
  list([...itemsOf(values, 'Cannot find reverse on type', run)].reverse()),
)
const compact = goFunction(['any'], ([values], run) =>
  list(itemsOf(values, 'Cannot compact on type', run).filter((item) => !isEmpty(item))),
)
const uniq = goFunction(['any'], ([values], run) => {
  const kept: Value[] = []
  for (const item of itemsOf(values, 'Cannot find uniq on type', run)) {
    if (!contains(kept, item, run)) kept.push(item)
  }
  return list(kept)
})
const without = variadicFunction(['any'], 'any', ([values], unwanted, run) =>
  list(
    itemsOf(values, 'Cannot find without on type', run).filter(
      (item) => !contains(unwanted, item, run),
    ),
  ),
)
const has = goFunction(['any', 'any'], ([wanted, values], run) =>
  values === undefined || values === null
    ? false
    : contains(itemsOf(values, 'Cannot find has on type', run), wanted, run),
)
const slice = variadicFunction(['any'], 'any', ([values], bounds, run) => {
  const items = itemsOf(values, 'list should be type of slice or array but', run)
  if (items.length === 0) return null
  const from = bounds.length > 0 ? Number(toInt64(bounds[0])) : 0
  const to = bounds.length > 1 ? Number(toInt64(bounds[1])) : items.length
  if (from < 0 || to > items.length || from > to) {
    throw new FunctionFailure('reflect.Value.Slice: slice index out of bounds')
  }
  return list(items.slice(from, to), isList(values) ? values.type : undefined)
})
const chunk = goFunction(['int', 'any'], ([size, values], run) => {
  const items = itemsOf(values, 'Cannot chunk type', run)
  if (size <= 0n) throw new FunctionFailure('runtime error: makeslice: len out of range')
  const chunks: Value[] = []
  for (let at = 0; at < items.length; at += Number(size)) {
    chunks.push(list(items.slice(at, at + Number(size))))
  }
  return list(chunks, '[][]interface {}')
})

/** Every `must…` variant fails with the same text: a Go panic and an error read alike here. */
export const LIST_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  list: makeList,
  tuple: makeList,
  append,
  mustAppend: append,
  push: append,
  mustPush: append,
  prepend,
  mustPrepend: prepend,
  first,
  mustFirst: first,
  last,
  mustLast: last,
  rest,
  mustRest: rest,
  initial,
  mustInitial: initial,
  reverse,
  mustReverse: reverse,
  compact,
  mustCompact: compact,
  uniq,
  mustUniq: uniq,
  without,
  mustWithout: without,
  has,
  mustHas: has,
  slice,
  mustSlice: slice,
  chunk,
  mustChunk: chunk,
  concat: variadicFunction([], 'any', (_, lists, run) => {
    const items = lists.flatMap((values) => {
      if (values !== null && values !== undefined && !isList(values)) {
        throw new FunctionFailure(`Cannot concat type ${kindName(values)} as list`)
      }
      return itemsOf(values, '', run)
    })
    return items.length === 0 ? NIL_LIST : list(items)
  }),
}

const NIL_LIST = new GoList([], { isNil: true })

function itemsOf(value: Value, complaint: string, run: Run): readonly Value[] {
  if (value === undefined || value === null) {
    throw new FunctionFailure('runtime error: invalid memory address or nil pointer dereference')
  }
  if (!isList(value)) throw new FunctionFailure(`${complaint} ${kindName(value)}`)
  run.spend(value.items.length)
  return value.items
}

function contains(items: readonly Value[], wanted: Value, run: Run): boolean {
  return items.some((item) => deepEqual(wanted, item, run))
}
