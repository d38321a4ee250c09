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
  // Removing what is not there is an error to the Go library, and silence to ours.
  const operations = structuredClone(patch) as jsonPatch.Operation[]
  let document = structuredClone(target) as JsonObject
  for (const operation of operations) {
    if (operation.op === 'remove' || operation.op === 'replace') {
      const problem = missingProblem(document, operation.path, operation.op)
      if (problem) throw refused(problem)
    }
    try {
      document = jsonPatch.applyOperation(document, operation, true, true).newDocument
    } catch (error) {
      if (operation.op === 'test') {
        throw refused(`testing value ${operation.path} failed: test failed`)
      }
      throw refused(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error))
    }
  }
  return document
}

function missingProblem(document: JsonObject, path: string, op: string): string | undefined {
  const parts = path.split('/').slice(1)
  let here: unknown = document
  for (const part of parts) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    const next: unknown = Array.isArray(here)
      ? here[Number(name)]
      : isObject(here)
        ? here[name]
        : undefined
    if (next === undefined) {
      return op === 'remove'
        ? `remove operation does not apply: doc is missing path: ${JSON.stringify(path)}: missing value`
        : `replace operation does not apply: doc is missing key: ${path}: missing value`
    }
    here = next
  }
  return undefined
}

function refused(message: string): StatusError {
  return new StatusError({
    code: 422,
    reason: 'Invalid',
    message: 'the server rejected our request due to an error in our request',
    details: { causes: [{ reason: 'UnexpectedServerResponse', message }] },
  })
}
