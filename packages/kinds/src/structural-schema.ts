import type { JsonSchema } from './json-schema.ts'
import { type Field, type FieldType, referredStruct, type TypeRef } from './types.ts'

export interface StructuralSchemaOptions {
  /**
   * Paths whose value is taken as it is, as dotted field names with `[]` behind a list:
   * `spec.volumes`, `spec.containers[].resources.limits`. Their schema is
   * `x-kubernetes-preserve-unknown-fields` alone. A path that leads nowhere throws a TypeError.
   */
  readonly preserveUnknownFieldsAt?: readonly string[]
  /**
   * Write the defaults that a CRD carries for these types, such as `ports[].protocol: TCP` and the
   * empty `name` of references (spec api 1.2). They become part of the stored object.
   */
  readonly defaults?: boolean
  /**
   * Paths of embedded metadata that keeps its labels and annotations, in the form above, such as
   * `metadata`. Elsewhere metadata is `type: object` alone, and a server prunes all of it. A path
   * that leads nowhere throws a TypeError.
   */
  readonly labelsAndAnnotationsAt?: readonly string[]
}

/**
 * A self-contained structural schema of the struct, as CRDs embed it: no `$ref`, IntOrString and
 * quantities marked `x-kubernetes-int-or-string`, `required` sorted, merge markers kept, no
 * descriptions. Throws a TypeError for an unknown struct or one that contains itself.
 */
export function structuralSchema(ref: TypeRef, options: StructuralSchemaOptions = {}): JsonSchema {
  const wanted = new Set([
    ...(options.preserveUnknownFieldsAt ?? []),
    ...(options.labelsAndAnnotationsAt ?? []),
  ])
  const walk: Walk = {
    preserved: new Set(options.preserveUnknownFieldsAt),
    labelled: new Set(options.labelsAndAnnotationsAt),
    defaults: options.defaults === true,
    unmet: wanted,
    open: [],
  }
  const schema = structSchema(ref, '', walk)
  if (walk.unmet.size > 0) {
    throw new TypeError(`${ref} has no ${[...walk.unmet].join(', ')}`)
  }
  return schema
}

interface Walk {
  readonly preserved: ReadonlySet<string>
  readonly labelled: ReadonlySet<string>
  readonly defaults: boolean
  /** Paths of the options that no field has met yet. */
  readonly unmet: Set<string>
  /** Structs around this place: meeting one again means the schema would never end. */
  readonly open: TypeRef[]
}

function structSchema(ref: TypeRef, path: string, walk: Walk): JsonSchema {
  if (walk.open.includes(ref)) throw new TypeError(`${ref} contains itself at ${path}`)
  walk.open.push(ref)
  const struct = referredStruct(ref)
  const properties: Record<string, JsonSchema> = {}
  const required: string[] = []
  for (const field of struct.fields) {
    properties[field.name] = property(
      field,
      path === '' ? field.name : `${path}.${field.name}`,
      walk,
    )
    if (field.required) required.push(field.name)
  }
  walk.open.pop()
  const mapType = struct.mapType ?? struct.structType ?? struct.embeddedMapType
  return {
    type: 'object',
    ...(struct.fields.length > 0 && { properties: sortedByKey(properties) }),
    ...(required.length > 0 && { required: required.sort() }),
    ...(mapType && { 'x-kubernetes-map-type': mapType }),
  }
}

function property(field: Field, path: string, walk: Walk): JsonSchema {
  if (walk.preserved.has(path)) {
    walk.unmet.delete(path)
    return { 'x-kubernetes-preserve-unknown-fields': true }
  }
  const mapType = field.mapType ?? field.structType
  return {
    ...valueSchema(field.type, path, walk),
    ...(walk.defaults && field.default !== undefined && { default: field.default }),
    ...(field.listType && { 'x-kubernetes-list-type': field.listType }),
    ...(field.listMapKeys && { 'x-kubernetes-list-map-keys': field.listMapKeys }),
    ...(mapType && { 'x-kubernetes-map-type': mapType }),
  }
}

function valueSchema(type: FieldType, path: string, walk: Walk): JsonSchema {
  switch (type.kind) {
    case 'struct':
      return type.ref === 'meta/v1.ObjectMeta'
        ? metadataSchema(path, walk)
        : structSchema(type.ref, path, walk)
    case 'pointer':
      return valueSchema(type.to, path, walk)
    case 'list':
      return { type: 'array', items: valueSchema(type.of, `${path}[]`, walk) }
    case 'map':
      return { type: 'object', additionalProperties: valueSchema(type.of, path, walk) }
    case 'string':
      return { type: 'string' }
    case 'bool':
      return { type: 'boolean' }
    case 'int32':
    case 'int64':
      return { type: 'integer', format: type.kind }
    case 'float':
      return { type: 'number' }
    case 'bytes':
      return { type: 'string', format: 'byte' }
    case 'quantity':
      return {
        anyOf: [{ type: 'integer' }, { type: 'string' }],
        pattern: quantityPattern,
        'x-kubernetes-int-or-string': true,
      }
    case 'intOrString':
      return {
        anyOf: [{ type: 'integer' }, { type: 'string' }],
        'x-kubernetes-int-or-string': true,
      }
    case 'time':
      return { type: 'string', format: 'date-time' }
    case 'microTime':
      return { type: 'string', format: 'date-time' }
    case 'rawObject':
    case 'fieldsV1':
      return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    case 'json':
    case 'schemaOrBool':
    case 'schemaOrArray':
    case 'schemaOrStringArray':
      return { 'x-kubernetes-preserve-unknown-fields': true }
    default:
      throw new TypeError(`unknown type: ${JSON.stringify(type satisfies never)}`)
  }
}

/** CRDs say nothing about the fields of metadata, so a server prunes what is not named. */
function metadataSchema(path: string, walk: Walk): JsonSchema {
  if (!walk.labelled.has(path)) return { type: 'object' }
  walk.unmet.delete(path)
  const texts: JsonSchema = { type: 'object', additionalProperties: { type: 'string' } }
  return { type: 'object', properties: { annotations: texts, labels: texts } }
}

/** Upstream's CRDs carry this one for every quantity (apimachinery `pkg/api/resource`). */
const quantityPattern =
  '^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$'

function sortedByKey(properties: Readonly<Record<string, JsonSchema>>): Record<string, JsonSchema> {
  return Object.fromEntries(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1)))
}
