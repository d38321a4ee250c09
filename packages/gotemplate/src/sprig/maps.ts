import { toText } from '../cast.ts'
import { sortedEntries } from '../print-value.ts'
import { FunctionFailure, type Run } from '../run.ts'
import {
  type GoFunction,
  GoList,
  GoMap,
  goFunction,
  isEmpty,
  isMap,
  list,
  stringList,
  typeName,
  type Value,
  variadicFunction,
} from '../value.ts'

const merge = variadicFunction(['map'], 'map', ([target], sources, run) =>
  mergeAll(target, sources, { overwrite: false, run }),
)
const mergeOverwrite = variadicFunction(['map'], 'map', ([target], sources, run) =>
  mergeAll(target, sources, { overwrite: true, run }),
)
const deepCopy = goFunction(['any'], ([value], run) => copyOf(value, run))

/** Go's maps have no order; where it shows (`keys`, `values`) ours is that of the keys. */
export const MAP_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  dict: variadicFunction([], 'any', (_, parts, run) => {
    const entries = new Map<string, Value>()
    for (let i = 0; i < parts.length; i += 2) {
      entries.set(toText(parts[i], run), i + 1 < parts.length ? parts[i + 1] : '')
    }
    return new GoMap(entries)
  }),
  get: goFunction(['map', 'string'], ([map, key]) =>
    map.entries.has(key) ? map.entries.get(key) : '',
  ),
  set: goFunction(['map', 'string', 'any'], ([map, key, value]) => {
    if (map.isNil) throw new FunctionFailure('assignment to entry in nil map')
    map.entries.set(key, value)
    return map
  }),
  unset: goFunction(['map', 'string'], ([map, key]) => {
    map.entries.delete(key)
    return map
  }),
  hasKey: goFunction(['map', 'string'], ([map, key]) => map.entries.has(key)),
  pluck: variadicFunction(['string'], 'map', ([key], maps) =>
    list(maps.filter((map) => map.entries.has(key)).map((map) => map.entries.get(key))),
  ),
  keys: variadicFunction([], 'map', (_, maps, run) => {
    run.spend(maps.reduce((sum, map) => sum + map.entries.size, 0))
    return stringList(maps.flatMap((map) => sortedEntries(map).map(([key]) => key)))
  }),
  values: goFunction(['map'], ([map], run) => {
    run.spend(map.entries.size)
    return list(sortedEntries(map).map(([, value]) => value))
  }),
  pick: variadicFunction(['map'], 'string', ([map], keys) =>
    filtered(map, (key) => keys.includes(key)),
  ),
  omit: variadicFunction(['map'], 'string', ([map], keys) =>
    filtered(map, (key) => !keys.includes(key)),
  ),
  merge,
  mustMerge: merge,
  mergeOverwrite,
  mustMergeOverwrite: mergeOverwrite,
  dig: variadicFunction([], 'any', (_, parts) => dig(parts)),
  deepCopy,
  mustDeepCopy: deepCopy,
}

function filtered(map: GoMap, keep: (key: string) => boolean): GoMap {
  return new GoMap(new Map([...map.entries].filter(([key]) => keep(key))))
}

interface MergeRule {
  readonly overwrite: boolean
  readonly run: Run
}

function mergeAll(target: GoMap, sources: readonly GoMap[], rule: MergeRule): GoMap {
  const result = target.isNil ? new GoMap(new Map()) : target
  for (const source of sources) mergeInto(result, source, rule)
  return result
}

/** Maps merge key by key; everything else is taken over where the target has nothing, or with `overwrite`. */
function mergeInto(target: GoMap, source: GoMap, rule: MergeRule): void {
  for (const [key, value] of [...source.entries]) {
    rule.run.spend(1)
    const present = target.entries.get(key)
    if (value === null || value === undefined) {
      if (rule.overwrite) target.entries.set(key, null)
    } else if (isMap(value) && isMap(present) && value !== present) {
      mergeInto(present, value, rule)
      if (isEmpty(present)) target.entries.set(key, value)
    } else if (rule.overwrite || isEmpty(present)) target.entries.set(key, value)
  }
}

function dig(parts: readonly Value[]): Value {
  if (parts.length < 3) throw new FunctionFailure('dig needs at least three arguments')
  const keys = parts.slice(0, -2)
  const fallback = parts.at(-2)
  let at: Value = parts.at(-1)
  for (const key of keys) {
    if (!isMap(at) || at.type !== 'map[string]interface {}') {
      throw conversion(at, 'map[string]interface {}')
    }
    if (typeof key !== 'string') throw conversion(key, 'string')
    if (!at.entries.has(key)) return fallback
    at = at.entries.get(key)
  }
  return at
}

function conversion(value: Value, wanted: string): FunctionFailure {
  const given = value === undefined || value === null ? 'nil' : typeName(value)
  return new FunctionFailure(`interface conversion: interface {} is ${given}, not ${wanted}`)
}

function copyOf(value: Value, run: Run): Value {
  run.spend(1)
  if (isMap(value)) {
    const { type, isNil } = value
    return new GoMap(new Map([...value.entries].map(([key, v]) => [key, copyOf(v, run)])), {
      type,
      isNil,
    })
  }
  if (value instanceof GoList) {
    const { type, isNil } = value
    return new GoList(
      value.items.map((item) => copyOf(item, run)),
      { type, isNil },
    )
  }
  return value
}
