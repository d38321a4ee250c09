import { type FieldType, structType, type TypeRef } from '@serinus/kinds'
import { badRequest } from './status-error.ts'
import { isObject, type JsonObject, sameJson } from './values.ts'

/** What the struct says about merging one field. */
interface Facts {
  readonly strategies: readonly string[]
  readonly mergeKey: string | undefined
  /** Struct of the field, of the items of its list or of the values of its map. */
  readonly of: FieldType | undefined
}

const noFacts: Facts = { strategies: [], mergeKey: undefined, of: undefined }

/**
 * Lays a strategic merge patch over an object of a built-in kind: lists with a merge key are merged
 * item by item, `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…` are
 * obeyed (apimachinery: pkg/util/strategicpatch/patch.go).
 */
export function strategicMerge(live: JsonObject, patch: JsonObject, ref: TypeRef): JsonObject {
  return mergeObject(live, patch, { kind: 'struct', ref })
}

function mergeObject(live: JsonObject, patch: JsonObject, type: FieldType | undefined): JsonObject {
  const directive = patch['$patch']
  if (directive === 'replace') {
    const { $patch: _, ...rest } = patch
    return rest
  }
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge') {
    throw badRequest(`Unknown patch type: ${String(directive)}`)
  }
  const merged: Record<string, unknown> = { ...live }
  retainKeys(merged, patch)
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$patch' || key === '$retainKeys') continue
    if (key.startsWith('$deleteFromPrimitiveList/')) {
      const field = key.slice('$deleteFromPrimitiveList/'.length)
      const list = merged[field]
      if (Array.isArray(list) && Array.isArray(value)) {
        merged[field] = list.filter((item) => !value.includes(item))
      }
      continue
    }
    if (key.startsWith('$setElementOrder/')) {
      const field = key.slice('$setElementOrder/'.length)
      // With a list of its own in the patch, the order is applied while that one is merged.
      if (patch[field] === undefined && Array.isArray(merged[field]) && Array.isArray(value)) {
        const facts = factsOf(type, field)
        merged[field] = inOrder(merged[field], value, [], facts.mergeKey)
      }
      continue
    }
    if (value === null) {
      delete merged[key]
      continue
    }
    const facts = factsOf(type, key)
    const present = merged[key]
    if (isObject(value)) {
      const mergeable = isObject(present) && !facts.strategies.includes('replace')
      merged[key] = mergeObject(mergeable ? present : {}, value, facts.of)
    } else if (Array.isArray(value) && facts.strategies.includes('merge')) {
      const order = patch[`$setElementOrder/${key}`]
      const list = Array.isArray(present) ? present : []
      merged[key] = mergeList(list, value, facts, Array.isArray(order) ? order : undefined)
    } else merged[key] = value
  }
  return merged
}

function retainKeys(merged: Record<string, unknown>, patch: JsonObject): void {
  const retained = patch['$retainKeys']
  if (!Array.isArray(retained)) return
  for (const key of Object.keys(merged)) if (!retained.includes(key)) delete merged[key]
}

function mergeList(
  live: readonly unknown[],
  patch: readonly unknown[],
  facts: Facts,
  order: readonly unknown[] | undefined,
): readonly unknown[] {
  const { mergeKey } = facts
  if (mergeKey === undefined) {
    const merged = [...live]
    for (const item of patch) if (!merged.some((known) => sameJson(known, item))) merged.push(item)
    return order ? inOrder(merged, order, live, undefined) : merged
  }
  if (patch.some((item) => isObject(item) && item['$patch'] === 'replace')) {
    return patch.filter((item) => !(isObject(item) && item['$patch'] === 'replace'))
  }
  let merged = [...live]
  for (const item of patch) {
    if (!isObject(item)) throw badRequest('expected a map in a list with a merge key')
    const key = item[mergeKey]
    if (key === undefined) {
      throw badRequest(
        `map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`,
      )
    }
    const same = (known: unknown) => isObject(known) && sameJson(known[mergeKey], key)
    if (item['$patch'] === 'delete') {
      merged = merged.filter((known) => !same(known))
      continue
    }
    const index = merged.findIndex(same)
    const present = merged[index]
    if (index >= 0 && isObject(present)) merged[index] = mergeObject(present, item, facts.of)
    else merged.push(mergeObject({}, item, facts.of))
  }
  return order ? inOrder(merged, order, live, mergeKey) : merged
}

/** Items of the patch in its order; items only the server knows keep their place after their neighbour. */
function inOrder(
  merged: readonly unknown[],
  order: readonly unknown[],
  live: readonly unknown[],
  mergeKey: string | undefined,
): readonly unknown[] {
  const idOf = (item: unknown) =>
    JSON.stringify(mergeKey !== undefined && isObject(item) ? item[mergeKey] : item)
  const wanted = order.map(idOf)
  const known = new Map(merged.map((item) => [idOf(item), item]))
  const liveIds = (live.length > 0 ? live : merged).map(idOf)
  const serverOnly = merged.filter((item) => !wanted.includes(idOf(item)))
  const result = wanted.filter((id) => known.has(id))
  for (const item of serverOnly) {
    const id = idOf(item)
    const place = liveIds.indexOf(id)
    let target = result.length
    if (place >= 0) {
      const follower = liveIds.slice(place + 1).find((other) => result.includes(other))
      if (follower !== undefined) target = result.indexOf(follower)
    }
    result.splice(target, 0, id)
  }
  return result.map((id) => known.get(id))
}

function factsOf(type: FieldType | undefined, name: string): Facts {
  if (!type) return noFacts
  switch (type.kind) {
    case 'pointer':
      return factsOf(type.to, name)
    case 'map':
      return { strategies: [], mergeKey: undefined, of: type.of }
    case 'struct': {
      const field = structType(type.ref)?.fields.find((candidate) => candidate.name === name)
      if (!field) return noFacts
      const inner = field.type.kind === 'pointer' ? field.type.to : field.type
      return {
        strategies: field.patchStrategy?.split(',') ?? [],
        mergeKey: field.patchMergeKey,
        of: inner.kind === 'list' ? inner.of : inner,
      }
    }
    default:
      return noFacts
  }
}
