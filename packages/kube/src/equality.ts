/** Compares JSON values. A field that is undefined counts as absent; the order of fields does not count. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => deepEqual(item, b[index]))
    )
  }
  if (!isFields(a) || !isFields(b)) return false
  for (const name of Object.keys(a)) {
    if (!deepEqual(a[name], own(b, name))) return false
  }
  return Object.keys(b).every((name) => b[name] === undefined || own(a, name) !== undefined)
}

/**
 * The smallest merge patch (RFC 7386) that turns `from` into `to`; undefined when they are equal. A field that is
 * null or undefined counts as absent, since a merge patch can write no null; lists are replaced whole.
 * `mergePatch({ a: 1, b: 2 }, { a: 1, c: 3 })` is `{ b: null, c: 3 }`.
 */
export function mergePatch(
  from: object,
  to: object,
): Readonly<Record<string, unknown>> | undefined {
  const before = from as Record<string, unknown>
  const after = to as Record<string, unknown>
  const patch: Record<string, unknown> = {}
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const old = own(before, name) ?? undefined
    const wanted = own(after, name) ?? undefined
    if (wanted === undefined) {
      if (old !== undefined) set(patch, name, null)
    } else if (isFields(wanted)) {
      // A server merges into nothing as into an empty object, so nulls inside vanish there too.
      const part = mergePatch(isFields(old) ? old : {}, wanted)
      if (part || !isFields(old)) set(patch, name, part ?? {})
    } else if (!deepEqual(old, wanted)) {
      set(patch, name, wanted)
    }
  }
  return Object.keys(patch).length > 0 ? patch : undefined
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Labels may be called `constructor` or `__proto__`: never look at or write to the prototype. */
function own(fields: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined
}

function set(fields: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') fields[name] = value
  else {
    Object.defineProperty(fields, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
}
