import { type FieldTree, isEmptyTree, isMember, leaf, type OpenTree } from './field-tree.ts'
import { type MergeSchema, whole } from './merge-schema.ts'
import { isObject, type JsonObject, sameJson } from './values.ts'

type Keyed = Extract<MergeSchema, { kind: 'keyed' }>
type Fields = Extract<MergeSchema, { kind: 'fields' }>

/** What an applied configuration owns (structured-merge-diff: typed/tofieldset.go). */
export function fieldSetOf(value: unknown, schema: MergeSchema): FieldTree {
  const tree: OpenTree = {}
  switch (schema.kind) {
    case 'fields':
      if (!isObject(value)) return leaf
      for (const name in value) {
        const item = value[name]
        if (item === undefined) continue
        const named = schema.named(name)
        const of = named ?? schema.other
        const below = treeBelow(item, of)
        const self = below === leaf || named === undefined
        tree[`f:${name}`] = (
          self && below !== leaf ? { '.': {}, ...below } : { ...below }
        ) as OpenTree
      }
      return tree
    case 'keyed':
    case 'set':
      if (!Array.isArray(value)) return leaf
      for (const item of value) {
        const below = schema.kind === 'keyed' ? treeBelow(item, schema.of) : leaf
        tree[elementOf(item, schema)] = (below === leaf ? {} : { '.': {}, ...below }) as OpenTree
      }
      return tree
    case 'whole':
      return leaf
  }
}

/** The tree below a value, `leaf` when the value itself is the member. */
function treeBelow(value: unknown, schema: MergeSchema): FieldTree {
  if (schema.kind === 'whole') return leaf
  const tree = fieldSetOf(value, schema)
  return isEmptyTree(tree) ? leaf : tree
}

export interface Comparison {
  /** Members that are new or have another value. */
  readonly changed: FieldTree
  readonly removed: FieldTree
}

/**
 * What a write changed, in members (structured-merge-diff: typed/compare.go). Parts shared by
 * reference are not entered.
 */
export function compareFields(
  before: JsonObject,
  after: JsonObject,
  schema: MergeSchema,
): Comparison {
  const changed: OpenTree = {}
  const removed: OpenTree = {}
  compare(before, after, schema, changed, removed)
  return { changed, removed }
}

function compare(
  before: unknown,
  after: unknown,
  schema: MergeSchema,
  changed: OpenTree,
  removed: OpenTree,
): void {
  if (schema.kind === 'fields') compareObjects(before, after, schema, changed, removed)
  else if (schema.kind === 'keyed' || schema.kind === 'set') {
    compareLists(before, after, schema, changed, removed)
  }
}

function compareObjects(
  before: unknown,
  after: unknown,
  schema: Fields,
  changed: OpenTree,
  removed: OpenTree,
): void {
  const left = isObject(before) ? before : {}
  const right = isObject(after) ? after : {}
  for (const name in right) {
    if (right[name] === undefined || right[name] === left[name]) continue
    const of = schema.named(name) ?? schema.other
    // A struct that Go holds by value exists before anyone sets a field of it.
    const was = left[name] === undefined && schema.inline(name) ? {} : left[name]
    compareNode(`f:${name}`, was, right[name], of, changed, removed)
  }
  for (const name in left) {
    if (left[name] === undefined || right[name] !== undefined) continue
    const of = schema.named(name) ?? schema.other
    const is = schema.inline(name) ? {} : undefined
    compareNode(`f:${name}`, left[name], is, of, changed, removed)
  }
}

function compareLists(
  before: unknown,
  after: unknown,
  schema: Keyed | { readonly kind: 'set' },
  changed: OpenTree,
  removed: OpenTree,
): void {
  const left = itemsByElement(before, schema)
  const right = itemsByElement(after, schema)
  const of = schema.kind === 'keyed' ? schema.of : whole
  for (const [element, item] of right) {
    compareNode(element, left.get(element), item, of, changed, removed)
  }
  for (const [element, item] of left) {
    if (!right.has(element)) compareNode(element, item, undefined, of, changed, removed)
  }
}

function compareNode(
  element: string,
  before: unknown,
  after: unknown,
  schema: MergeSchema,
  changed: OpenTree,
  removed: OpenTree,
): void {
  if (before === after) return
  if (isLeafPair(before, after, schema)) {
    if (after === undefined) removed[element] = {}
    else if (before === undefined || !sameJson(before, after)) changed[element] = {}
    return
  }
  const changedBelow: OpenTree = {}
  const removedBelow: OpenTree = {}
  compare(before, after, schema, changedBelow, removedBelow)
  if (before === undefined) changedBelow['.'] = {}
  if (after === undefined) removedBelow['.'] = {}
  if (!isEmptyTree(changedBelow)) changed[element] = withoutLoneSelf(changedBelow)
  if (!isEmptyTree(removedBelow)) removed[element] = withoutLoneSelf(removedBelow)
}

function withoutLoneSelf(tree: OpenTree): OpenTree {
  for (const element in tree) if (element !== '.') return tree
  return {}
}

function isLeafPair(before: unknown, after: unknown, schema: MergeSchema): boolean {
  if (schema.kind === 'whole') return true
  const fits = schema.kind === 'fields' ? isFilledObject : isFilledList
  return !fits(before) && !fits(after)
}

function isFilledObject(value: unknown): boolean {
  if (!isObject(value)) return false
  for (const name in value) if (value[name] !== undefined) return true
  return false
}

function isFilledList(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0
}

/** `k:{"name":"web"}` or `v:"x"`. */
function elementOf(item: unknown, schema: Keyed | { readonly kind: 'set' }): string {
  if (schema.kind === 'set') return `v:${JSON.stringify(item)}`
  const keys: Record<string, unknown> = {}
  for (const key of schema.keys) {
    const value = isObject(item) ? item[key] : undefined
    const known = value ?? schema.keyDefaults[key]
    if (known !== undefined) keys[key] = known
  }
  return `k:${JSON.stringify(keys)}`
}

function itemsByElement(
  list: unknown,
  schema: Keyed | { readonly kind: 'set' },
): Map<string, unknown> {
  const items = new Map<string, unknown>()
  if (!Array.isArray(list)) return items
  for (const item of list) items.set(elementOf(item, schema), item)
  return items
}

/** The live object with the applied configuration laid over it. */
export function mergeConfiguration(live: unknown, applied: unknown, schema: MergeSchema): unknown {
  if (applied === undefined) return live
  switch (schema.kind) {
    case 'whole':
      return applied
    case 'fields': {
      if (!isObject(applied) || !isObject(live)) return applied
      const merged: Record<string, unknown> = { ...live }
      for (const name in applied) {
        if (applied[name] === undefined) continue
        const of = schema.named(name) ?? schema.other
        merged[name] = mergeConfiguration(live[name], applied[name], of)
      }
      return merged
    }
    case 'set':
    case 'keyed':
      return mergeLists(live, applied, schema)
  }
}

/** Applied items keep the order of the configuration; live ones keep their place among them. */
function mergeLists(
  live: unknown,
  applied: unknown,
  schema: Keyed | { readonly kind: 'set' },
): unknown {
  if (!Array.isArray(applied) || !Array.isArray(live)) return applied
  const liveItems = [...itemsByElement(live, schema)]
  const liveMap = new Map(liveItems)
  const appliedItems = [...itemsByElement(applied, schema)]
  const appliedMap = new Map(appliedItems)
  const merged: unknown[] = []
  const done = new Set<string>()
  const emitApplied = (element: string) => {
    if (done.has(element)) return
    done.add(element)
    const of = schema.kind === 'keyed' ? schema.of : whole
    merged.push(mergeConfiguration(liveMap.get(element), appliedMap.get(element), of))
  }
  let next = 0
  for (const [element, item] of liveItems) {
    if (!appliedMap.has(element)) {
      merged.push(item)
      continue
    }
    while (next < appliedItems.length) {
      const [candidate] = appliedItems[next] ?? ['']
      if (candidate === element) break
      // An item that stands later in the live list waits for its own turn.
      if (!liveMap.has(candidate)) emitApplied(candidate)
      next++
    }
    emitApplied(element)
    next = Math.max(next, appliedItems.findIndex(([candidate]) => candidate === element) + 1)
  }
  for (const [element] of appliedItems) emitApplied(element)
  return merged
}

/**
 * Removes what the applier owned before and nobody owns now. A struct or list item goes as a whole
 * once nobody owns anything in it, with the defaults it held.
 */
export function pruneOwned(
  value: unknown,
  schema: MergeSchema,
  before: FieldTree,
  owned: FieldTree,
): unknown {
  switch (schema.kind) {
    case 'whole':
      return value
    case 'fields': {
      if (!isObject(value)) return value
      let kept: Record<string, unknown> | undefined
      for (const element in before) {
        if (!element.startsWith('f:')) continue
        const name = element.slice(2)
        if (value[name] === undefined) continue
        const of = schema.named(name) ?? schema.other
        const result = pruneNode(value[name], of, before[element] ?? leaf, owned[element])
        if (result === value[name]) continue
        kept ??= { ...value }
        if (result === undefined) delete kept[name]
        else kept[name] = result
      }
      return kept ?? value
    }
    case 'set':
    case 'keyed': {
      if (!Array.isArray(value)) return value
      const of = schema.kind === 'keyed' ? schema.of : whole
      const kept: unknown[] = []
      let changed = false
      for (const item of value) {
        const element = elementOf(item, schema)
        const was = before[element]
        const result = was ? pruneNode(item, of, was, owned[element]) : item
        if (result !== item) changed = true
        if (result !== undefined) kept.push(result)
      }
      return changed ? kept : value
    }
  }
}

function pruneNode(
  value: unknown,
  schema: MergeSchema,
  before: FieldTree,
  owned: FieldTree | undefined,
): unknown {
  if (owned === undefined) return undefined
  if (isMember(owned) && isEmptyTree(owned) && isEmptyTree(before)) return value
  return pruneOwned(value, schema, before, owned)
}
