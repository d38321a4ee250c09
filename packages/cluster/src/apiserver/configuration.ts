import { decodeProblems, kindType, unknownFields } from '@serinus/kinds'
import { apiVersionOf, type UnknownObject } from '@serinus/kube'
import { placedObject, reportUnknown } from './decoding.ts'
import { badRequest, StatusError } from './status-error.ts'
import { isObject, type JsonObject, textAt } from './values.ts'
import type { Target, WriteContext } from './write-context.ts'

/**
 * The configuration of a server-side apply, checked against its kind. No default comes in: it would
 * become a field the applier owns.
 */
export function parseConfiguration(
  target: Target,
  body: unknown,
  context: WriteContext,
): UnknownObject {
  if (!isObject(body)) throw badRequest('error decoding YAML: expected an object')
  const { served, namespace, name } = target
  const placed = placedObject(served, namespace, body)
  if (placed.metadata.name && placed.metadata.name !== name) {
    throw badRequest(
      `the name of the object (${placed.metadata.name}) does not match the name on the URL (${name})`,
    )
  }
  if (placed.metadata.managedFields !== undefined) {
    throw badRequest('metadata.managedFields must be nil')
  }
  const named = { ...placed, metadata: { ...placed.metadata, name } }
  if (served.custom) {
    const unknown: string[] = []
    served.custom.prune(named, unknown)
    reportUnknown(served, unknown, context)
    return unknown.length > 0 ? served.custom.pruneOnly(named) : named
  }
  checkBuiltIn(target, named, textAt(body, 'metadata', 'namespace'))
  return named
}

/** The typed converter refuses what the schema does not know, whatever fieldValidation says. */
/** `sent`: the namespace that the body names. */
function checkBuiltIn({ served, name }: Target, object: UnknownObject, sent: string): void {
  const apiVersion = apiVersionOf(served.resource)
  const { kind } = served.resource
  const ref = kindType(apiVersion, kind)
  if (!ref) return
  const { group, version } = served.resource
  const identity = `${sent}/${name}; ${group}/${version}, Kind=${kind}`
  const refuse = (texts: readonly string[]) => {
    const list = texts.length === 1 ? texts[0] : `errors:\n  ${texts.join('\n  ')}`
    return new StatusError({
      code: 500,
      reason: '',
      message: `failed to create typed patch object (${identity}): ${list}`,
    })
  }
  const problems = decodeProblems(ref, object as JsonObject)
  if (problems.length > 0) {
    throw refuse(problems.map(({ path, detail }) => `.${path}: ${detail}`))
  }
  const unknown = unknownFields(ref, object)
  if (unknown.length > 0)
    throw refuse(unknown.map((path) => `.${path}: field not declared in schema`))
}
