/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value at a path of field names, undefined when something on the way is missing. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value
  for (const name of path) {
    if (!isObject(here)) return undefined
    here = Object.hasOwn(here, name) ? here[name] : undefined
  }
  return here
}

export function objectAt(value: unknown, ...path: readonly string[]): JsonObject {
  const found = at(value, ...path)
  return isObject(found) ? found : {}
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

/** A copy of `object` with the value set at a path; undefined removes the field. */
export function withValue<T extends object>(
  object: T,
  path: readonly [string, ...string[]],
  value: unknown,
): T {
  const [name, ...rest] = path
  const here = object as Record<string, unknown>
  if (rest.length > 0) {
    const inner = here[name]
    const changed = withValue(isObject(inner) ? inner : {}, rest as [string, ...string[]], value)
    return { ...object, [name]: changed }
  }
  if (value !== undefined) return { ...object, [name]: value }
  if (!(name in here)) return object
  const { [name]: _, ...kept } = here
  return kept as T
}

/** Equal as JSON: order of keys does not matter, an undefined field is an absent one. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    return a.every((item, index) => sameJson(item, b[index]))
  }
  if (Array.isArray(b)) return false
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  let count = 0
  for (const key in left) {
    if (left[key] === undefined) continue
    count++
    if (!sameJson(left[key], right[key])) return false
  }
  for (const key in right) if (right[key] !== undefined) count--
  return count === 0
}
