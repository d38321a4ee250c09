import { applyDefaults, decodeProblems, kindType, unknownFields } from '@serinus/kinds'
import { apiVersionOf, type ObjectMeta, type UnknownObject } from '@serinus/kube'
import { defaultDefinition } from './definitions.ts'
import { type ServedResource, toStored } from './served.ts'
import { badRequest, type StatusError } from './status-error.ts'
import { isObject, type JsonObject, sameJson } from './values.ts'
import type { WriteContext } from './write-context.ts'

/** The object with kind, apiVersion and namespace of the URL, which the body must not contradict. */
export function placedObject(
  served: ServedResource,
  namespace: string,
  body: JsonObject,
): UnknownObject {
  checkKind(served, body)
  const { namespaced } = served.resource
  const metadata = (isObject(body['metadata']) ? body['metadata'] : {}) as unknown as ObjectMeta
  if (namespaced && metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    )
  }
  const { namespace: _, ...rest } = metadata
  return {
    ...body,
    apiVersion: apiVersionOf(served.resource),
    kind: served.resource.kind,
    metadata: namespaced ? { ...rest, namespace } : rest,
  } as UnknownObject
}

function checkKind(served: ServedResource, body: JsonObject): void {
  const { kind, group } = served.resource
  const expected = apiVersionOf(served.resource)
  const sentVersion = body['apiVersion']
  const sentKind = body['kind']
  const isOther = typeof sentKind === 'string' && sentKind !== '' && sentKind !== kind
  if (isOther && typeof sentVersion === 'string' && !served.custom) {
    const version = sentVersion.slice(sentVersion.lastIndexOf('/') + 1)
    // The names of Go's packages: `core` for the group without a name, else its first label.
    const to = `${group === '' ? 'core' : group.split('.')[0]}.${kind}`
    const why = kindType(sentVersion, sentKind)
      ? `converting (${version}.${sentKind}) to (${to}): unknown conversion`
      : `no kind ${JSON.stringify(sentKind)} is registered for version ${JSON.stringify(sentVersion)} in scheme "pkg/runtime/scheme.go:111"`
    throw badRequest(
      `${sentKind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`,
    )
  }
  if (typeof sentVersion === 'string' && sentVersion !== '' && sentVersion !== expected) {
    throw badRequest(
      `the API version in the data (${sentVersion}) does not match the expected API version (${expected})`,
    )
  }
  if (isOther) {
    const { version } = served.resource
    throw badRequest(
      `${sentKind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: converting (${sentKind}) to (${kind}): unknown conversion`,
    )
  }
}

/**
 * The object in its stored form and version: unknown fields gone (or refused, as `context` says),
 * defaults in, values canonical. What an update shares with `live` (of the same version) is taken
 * over from there, since it was decoded once already.
 */
export function decodeObject(
  served: ServedResource,
  object: UnknownObject,
  options: { readonly live?: UnknownObject | undefined; readonly context: WriteContext },
): UnknownObject {
  const { live, context } = options
  if (served.custom) return decodeCustom(served, object, context)
  const { kind } = served.resource
  const apiVersion = apiVersionOf(served.resource)
  const given = kind === 'CustomResourceDefinition' ? defaultDefinition(object) : object
  const { fresh, shared } = splitShared(given, live)
  const ref = kindType(apiVersion, kind)
  if (ref) {
    const problem = decodeProblems(ref, fresh)[0]
    if (problem) throw cannotHandle(served, problem.detail)
    const unknown = context.fieldValidation === 'Ignore' ? [] : unknownFields(ref, fresh)
    reportUnknown(served, unknown, context)
  }
  const complete = joinShared(applyDefaults(apiVersion, kind, fresh) as UnknownObject, shared)
  const stored = toStored(served, complete)
  if (stored === complete || served.conversion === undefined) return stored
  return applyDefaults(stored.apiVersion, stored.kind, stored) as UnknownObject
}

function decodeCustom(
  served: ServedResource,
  object: UnknownObject,
  context: WriteContext,
): UnknownObject {
  const problem = decodeProblems('meta/v1.ObjectMeta', object.metadata)[0]
  if (problem) throw cannotHandle(served, problem.detail)
  const unknown: string[] = []
  const pruned = served.custom?.prune(object, unknown) ?? object
  reportUnknown(served, unknown, context)
  return toStored(served, { ...pruned, metadata: withoutEmpty(pruned.metadata) })
}

/** ObjectMeta leaves out what is empty. */
function withoutEmpty(metadata: ObjectMeta): ObjectMeta {
  const kept: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(metadata)) {
    if (value === null || value === undefined || value === '') continue
    const empty = typeof value === 'object' && Object.keys(value).length === 0
    // An empty list of managedFields is an order: forget who owns what.
    if (!empty || name === 'managedFields') kept[name] = value
  }
  return kept as unknown as ObjectMeta
}

/** Fields of an object, apart from those that an update leaves as they are. */
function splitShared(
  object: UnknownObject,
  live: UnknownObject | undefined,
): { readonly fresh: UnknownObject; readonly shared: JsonObject } {
  if (!live) return { fresh: object, shared: {} }
  const fresh: Record<string, unknown> = {}
  const shared: Record<string, unknown> = {}
  for (const name in object) {
    const identity = name === 'apiVersion' || name === 'kind' || name === 'metadata'
    if (!identity && sameJson(object[name], live[name])) shared[name] = live[name]
    else fresh[name] = object[name]
  }
  const { managedFields, ...metadata } = object.metadata
  if (managedFields !== undefined && managedFields === live.metadata.managedFields) {
    fresh['metadata'] = metadata
    shared['managedFields'] = managedFields
  }
  return { fresh: fresh as UnknownObject, shared }
}

function joinShared(decoded: UnknownObject, shared: JsonObject): UnknownObject {
  const { managedFields, ...fields } = shared
  const joined = { ...decoded, ...fields }
  if (managedFields === undefined) return joined
  return { ...joined, metadata: { ...joined.metadata, managedFields } as ObjectMeta }
}

/** Refuses or warns about fields that the kind does not have, and about keys given twice. */
export function reportUnknown(
  served: ServedResource,
  unknown: readonly string[],
  context: WriteContext,
): void {
  if (context.fieldValidation === 'Ignore') return
  const problems = [
    ...(context.bodyProblems ?? []),
    ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
  ]
  if (problems.length === 0) return
  if (context.fieldValidation === 'Strict') {
    throw cannotHandle(served, `strict decoding error: ${problems.join(', ')}`)
  }
  for (const problem of problems) context.warn(problem)
}

function cannotHandle(served: ServedResource, why: string): StatusError {
  const { kind, version } = served.resource
  return badRequest(
    `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`,
  )
}
