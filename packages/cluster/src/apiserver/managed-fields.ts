import type { UnknownObject } from '@serinus/kube'
import { compareFields, fieldSetOf, mergeConfiguration, pruneOwned } from './field-comparison.ts'
import {
  difference,
  equalTrees,
  type FieldTree,
  intersection,
  isEmptyTree,
  pathsOf,
  recursiveDifference,
  union,
} from './field-tree.ts'
import type { MergeSchema } from './merge-schema.ts'
import { applyConflict, type StatusCause } from './status-error.ts'
import { isObject, type JsonObject } from './values.ts'

/** One entry of `metadata.managedFields`. */
interface ManagedEntry {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly time?: string
  readonly fieldsType: 'FieldsV1'
  readonly fieldsV1: FieldTree
  readonly subresource?: string
}

/** Who writes, through which door. */
export interface Writer {
  readonly manager: string
  readonly apiVersion: string
  readonly subresource: string
  /** RFC 3339, of this write. */
  readonly time: string
}

/** Never owned by anyone (apimachinery: managedfields/internal/stripmeta.go). */
const neverOwned: FieldTree = {
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    '.': {},
    'f:name': {},
    'f:namespace': {},
    'f:creationTimestamp': {},
    'f:selfLink': {},
    'f:uid': {},
    'f:generation': {},
    'f:managedFields': {},
    'f:resourceVersion': {},
  },
}

/** Records who owns what after create, update and the patches that are not apply. */
export function recordUpdate(
  before: UnknownObject | undefined,
  after: UnknownObject,
  schema: MergeSchema,
  writer: Writer,
): UnknownObject {
  const entries = entriesOf(after)
  // A client may reset managedFields by sending an empty list; then nobody is tracked but the writer.
  const { changed, removed } = compareFields(before ?? { metadata: {} }, after, schema)
  const changedFields = difference(changed, neverOwned)
  const removedFields = difference(removed, neverOwned)
  if (isEmptyTree(changedFields) && isEmptyTree(removedFields)) return after
  const others = entries
    .filter((entry) => !isWriter(entry, writer, 'Update'))
    .map((entry) => {
      const rest = difference(difference(entry.fieldsV1, changedFields), removedFields)
      return rest === entry.fieldsV1 ? entry : { ...entry, fieldsV1: rest }
    })
  const own = entries.find((entry) => isWriter(entry, writer, 'Update'))
  const fields = union(difference(own?.fieldsV1 ?? {}, removedFields), changedFields)
  const ownEntry =
    own && equalTrees(own.fieldsV1, fields) ? own : newEntry(writer, 'Update', fields)
  return withEntries(after, [...others, ownEntry])
}

export interface Applied {
  readonly object: UnknownObject
  readonly writer: Writer
  readonly force: boolean
  /** Fields that this door does not write: `status` on the main resource, the rest on `/status`. */
  readonly ignored: FieldTree
}

/**
 * Server-side apply of a configuration onto the live object (undefined: create it). Throws 409 with
 * every conflicting field unless forced.
 */
export function applyConfiguration(
  live: UnknownObject | undefined,
  configuration: JsonObject,
  schema: MergeSchema,
  options: Omit<Applied, 'object'>,
): UnknownObject {
  const { writer, force, ignored } = options
  const entries = live ? entriesOf(live) : []
  const own = entries.find((entry) => isWriter(entry, writer, 'Apply'))
  const wanted = recursiveDifference(
    difference(fieldSetOf(configuration, schema), neverOwned),
    ignored,
  )
  const others = entries.filter((entry) => entry !== own)
  const merged = live
    ? mergeConfiguration(live, withoutIgnored(configuration, ignored), schema)
    : configuration
  let result = merged as UnknownObject
  if (own) {
    const owned = others.reduce((all, entry) => union(all, entry.fieldsV1), wanted)
    result = pruneOwned(result, schema, own.fieldsV1, owned) as UnknownObject
  }
  const { changed, removed } = compareFields(live ?? { metadata: {} }, result, schema)
  const conflicts = others
    .map((entry) => ({ entry, fields: intersection(entry.fieldsV1, changed) }))
    .filter(({ fields }) => !isEmptyTree(fields))
  if (conflicts.length > 0 && !force) throw conflictError(conflicts)
  const left = others.map((entry) => {
    const rest = difference(difference(entry.fieldsV1, changed), removed)
    return rest === entry.fieldsV1 ? entry : { ...entry, fieldsV1: rest }
  })
  const ownEntry = own && equalTrees(own.fieldsV1, wanted) ? own : newEntry(writer, 'Apply', wanted)
  return withEntries(result, [ownEntry, ...left])
}

function withoutIgnored(configuration: JsonObject, ignored: FieldTree): JsonObject {
  const kept: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(configuration)) {
    const node = ignored[`f:${name}`]
    if (node === undefined) kept[name] = value
    else if (name === 'metadata' && isObject(value)) {
      kept[name] = { name: value['name'], namespace: value['namespace'] }
    }
  }
  return kept
}

function conflictError(
  conflicts: readonly { readonly entry: ManagedEntry; readonly fields: FieldTree }[],
) {
  const causes: StatusCause[] = []
  const byManager: { manager: string; paths: readonly string[] }[] = []
  for (const { entry, fields } of conflicts) {
    const manager = managerText(entry)
    const paths = pathsOf(fields)
    byManager.push({ manager, paths })
    for (const field of paths) {
      causes.push({ reason: 'FieldManagerConflict', message: `conflict with ${manager}`, field })
    }
  }
  const only = causes.length === 1 ? causes[0] : undefined
  if (only) {
    return applyConflict(`Apply failed with 1 conflict: ${only.message}: ${only.field}`, causes)
  }
  byManager.sort((a, b) => (a.manager < b.manager ? -1 : 1))
  const lines = byManager.flatMap(({ manager, paths }) => [
    `conflicts with ${manager}:`,
    ...paths.map((path) => `- ${path}`),
  ])
  return applyConflict(`Apply failed with ${causes.length} conflicts: ${lines.join('\n')}`, causes)
}

function managerText(entry: ManagedEntry): string {
  const subresource = entry.subresource ? ` with subresource "${entry.subresource}"` : ''
  const using = entry.operation === 'Update' ? ` using ${entry.apiVersion}` : ''
  return `"${entry.manager}"${subresource}${using}`
}

function isWriter(entry: ManagedEntry, writer: Writer, operation: 'Apply' | 'Update'): boolean {
  if (entry.manager !== writer.manager || entry.operation !== operation) return false
  if ((entry.subresource ?? '') !== writer.subresource) return false
  // An applier stays the same across versions of the kind; an updater does not.
  return operation === 'Apply' || entry.apiVersion === writer.apiVersion
}

function newEntry(writer: Writer, operation: 'Apply' | 'Update', fields: FieldTree): ManagedEntry {
  return {
    manager: writer.manager,
    operation,
    apiVersion: writer.apiVersion,
    time: writer.time,
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
    ...(writer.subresource !== '' && { subresource: writer.subresource }),
  }
}

function entriesOf(object: UnknownObject): readonly ManagedEntry[] {
  return (object.metadata.managedFields ?? []) as readonly ManagedEntry[]
}

/** Appliers first, then by time, as the server lists them. */
function withEntries(object: UnknownObject, entries: readonly ManagedEntry[]): UnknownObject {
  const kept = entries.filter((entry) => !isEmptyTree(entry.fieldsV1))
  kept.sort(byOperationThenTime)
  return { ...object, metadata: { ...object.metadata, managedFields: kept } }
}

function byOperationThenTime(a: ManagedEntry, b: ManagedEntry): number {
  if (a.operation !== b.operation) return a.operation < b.operation ? -1 : 1
  if (a.time !== b.time) return (a.time ?? '') < (b.time ?? '') ? -1 : 1
  return a.manager < b.manager ? -1 : a.manager > b.manager ? 1 : 0
}

/** Keeps the entries of the live object unless the client explicitly emptied them. */
export function carryManagedFields(
  live: UnknownObject | undefined,
  next: UnknownObject,
): UnknownObject {
  const sent = next.metadata.managedFields
  const reset = sent !== undefined && (sent.length === 0 || (sent.length === 1 && isBlank(sent[0])))
  const entries = reset ? [] : sent && sent.length > 0 ? sent : (live?.metadata.managedFields ?? [])
  if (entries === sent) return next
  const { managedFields: _, ...metadata } = next.metadata
  return {
    ...next,
    metadata: entries.length > 0 ? { ...metadata, managedFields: entries } : metadata,
  }
}

function isBlank(entry: unknown): boolean {
  return isObject(entry) && Object.keys(entry).length === 0
}
