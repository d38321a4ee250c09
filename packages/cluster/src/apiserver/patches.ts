import jsonPatch from 'fast-json-patch'
import { badRequest, StatusError } from './status-error.ts'
import { isObject, type JsonObject } from './values.ts'

/** RFC 7386. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const key in patch) {
    const value = patch[key]
    if (value === null) delete merged[key]
    else if (value !== undefined) merged[key] = applyMergePatch(merged[key], value)
  }
  return merged
}

/** RFC 6902; an operation that cannot be done is refused with 422. */
export function applyJsonPatch(target: JsonObject, patch: unknown): JsonObject {
  if (!Array.isArray(patch)) {
    throw badRequest(
      'error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch',
    )
  }
  if (patch.length > 10_000) {
    throw new StatusError({
      code: 413,
      reason: 'RequestEntityTooLarge',
      message: `The allowed maximum operations in a JSON patch is 10000, got ${patch.length}`,
    })
  }
  // Removing what is not there is an error to the Go library, and silence to ours; replacing it adds it to both.
  const operations = structuredClone(patch) as jsonPatch.Operation[]
  let document = structuredClone(target) as JsonObject
  for (const operation of operations) {
    if (operation.op === 'remove' && isMissing(document, operation.path)) throw refused()
    const parent = operation.path.slice(0, Math.max(0, operation.path.lastIndexOf('/')))
    const isAdded = operation.op === 'replace' && isMissing(document, operation.path)
    if (isAdded && isMissing(document, parent)) throw refused()
    const applied = isAdded ? { ...operation, op: 'add' as const } : operation
    try {
      document = jsonPatch.applyOperation(document, applied, true, true).newDocument
    } catch {
      throw refused()
    }
  }
  return document
}

function isMissing(document: JsonObject, path: string): boolean {
  let here: unknown = document
  for (const part of path.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    const next: unknown = Array.isArray(here)
      ? here[Number(name)]
      : isObject(here)
        ? here[name]
        : undefined
    if (next === undefined) return true
    here = next
  }
  return false
}

/** The real server does not say which operation it was. */
function refused(): StatusError {
  return new StatusError({
    code: 422,
    reason: 'Invalid',
    message: 'the server rejected our request due to an error in our request',
    details: {},
  })
}
