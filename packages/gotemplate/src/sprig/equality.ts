import type { Run } from '../run.ts'
import { versionText } from '../semver.ts'
import { floatOf, integerOf, isObject, kindName, typeName, type Value } from '../value.ts'

/** Go's reflect.DeepEqual: types must agree, so int 3 is not the float 3 of the data. */
export function deepEqual(a: Value, b: Value, run: Run): boolean {
  run.spend(1)
  if (typeName(a) !== typeName(b)) return false
  const float = floatOf(a)
  if (float !== undefined) return float === floatOf(b)
  const integer = integerOf(a)
  if (integer !== undefined) return integer === integerOf(b)
  if (!isObject(a) || !isObject(b)) return a === b || kindName(a) === 'invalid'
  if (a.kind === 'list' && b.kind === 'list') {
    return (
      a.isNil === b.isNil &&
      a.items.length === b.items.length &&
      a.items.every((item, i) => deepEqual(item, b.items[i], run))
    )
  }
  if (a.kind === 'map' && b.kind === 'map') {
    return (
      a.isNil === b.isNil &&
      a.entries.size === b.entries.size &&
      [...a.entries].every(
        ([key, value]) => b.entries.has(key) && deepEqual(value, b.entries.get(key), run),
      )
    )
  }
  if (a.kind === 'time' && b.kind === 'time') return a.nanos === b.nanos && sameJson(a.zone, b.zone)
  if (a.kind === 'version' && b.kind === 'version') {
    return versionText(a) === versionText(b) && a.original === b.original
  }
  // Functions are never deeply equal.
  return false
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
