import type { JsonSchema } from './json-schema.ts'
import { allStructs, type Field, type FieldType, referredStruct, type StructType } from './types.ts'

/**
 * The OpenAPI v3 components of the built-in types under their published names
 * (`io.k8s.api.apps.v1.Deployment`), with `$ref`s, group-version-kinds, and the merge extensions
 * that kubectl and server-side apply read. Without descriptions. Built at the first call.
 */
export function openApiSchemas(): Readonly<Record<string, JsonSchema>> {
  if (built.size === 0) build(built)
  return Object.fromEntries(built)
}

/** Empty until somebody asks: most processes never serve OpenAPI. */
const built = new Map<string, JsonSchema>()

function build(schemas: Map<string, JsonSchema>): void {
  for (const [name, schema] of Object.entries(specialSchemas)) schemas.set(name, schema)
  for (const ref of allStructs()) {
    const struct = referredStruct(ref)
    schemas.set(struct.openApiName, structSchema(struct))
  }
}

const specialNames = {
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  time: 'io.k8s.apimachinery.pkg.apis.meta.v1.Time',
  microTime: 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime',
  fieldsV1: 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1',
  rawObject: 'io.k8s.apimachinery.pkg.runtime.RawExtension',
  json: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON',
  schemaOrArray: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray',
  schemaOrBool: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool',
  schemaOrStringArray:
    'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray',
} as const

const specialSchemas: Readonly<Record<string, JsonSchema>> = {
  [specialNames.quantity]: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  [specialNames.intOrString]: {
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  },
  [specialNames.time]: { type: 'string', format: 'date-time' },
  [specialNames.microTime]: { type: 'string', format: 'date-time' },
  [specialNames.fieldsV1]: { type: 'object' },
  [specialNames.rawObject]: { type: 'object' },
  [specialNames.json]: {},
  [specialNames.schemaOrArray]: {},
  [specialNames.schemaOrBool]: {},
  [specialNames.schemaOrStringArray]: {},
  // The body of patch requests has no Go struct of its own.
  'io.k8s.apimachinery.pkg.apis.meta.v1.Patch': { type: 'object' },
}

function structSchema(struct: StructType): JsonSchema {
  const required = struct.fields.filter((field) => field.required).map((field) => field.name)
  const mapType = struct.mapType ?? struct.structType
  return {
    type: 'object',
    ...(struct.fields.length > 0 && {
      properties: Object.fromEntries(struct.fields.map((field) => [field.name, property(field)])),
    }),
    ...(required.length > 0 && { required }),
    ...(mapType && { 'x-kubernetes-map-type': mapType }),
    ...(struct.kinds.length > 0 && { 'x-kubernetes-group-version-kind': struct.kinds }),
  }
}

function property(field: Field): JsonSchema {
  const mapType = field.mapType ?? field.structType
  const value = valueSchema(field.type, field.omitEmpty)
  return {
    // A reference takes no neighbours, and upstream writes a property's description beside it.
    ...(value.$ref ? { allOf: [value] } : value),
    ...(field.default !== undefined && { default: field.default }),
    ...(field.listType && { 'x-kubernetes-list-type': field.listType }),
    ...(field.listMapKeys && { 'x-kubernetes-list-map-keys': field.listMapKeys }),
    ...(mapType && { 'x-kubernetes-map-type': mapType }),
    ...(field.patchStrategy && { 'x-kubernetes-patch-strategy': field.patchStrategy }),
    ...(field.patchMergeKey && { 'x-kubernetes-patch-merge-key': field.patchMergeKey }),
  }
}

/** Upstream publishes the zero value as default wherever Go cannot leave the value out. */
function valueSchema(type: FieldType, mayBeAbsent: boolean): JsonSchema {
  const zero = (value: unknown) => (mayBeAbsent ? {} : { default: value })
  switch (type.kind) {
    case 'struct':
      return { allOf: [reference(referredStruct(type.ref).openApiName)], default: {} }
    case 'pointer':
      return withoutDefault(valueSchema(type.to, true))
    case 'list':
      return { type: 'array', items: valueSchema(type.of, false) }
    case 'map':
      return { type: 'object', additionalProperties: valueSchema(type.of, false) }
    case 'string':
      return { type: 'string', ...(type.enum && { enum: type.enum.values }), ...zero('') }
    case 'bool':
      return { type: 'boolean', ...zero(false) }
    case 'int32':
    case 'int64':
      return { type: 'integer', format: type.kind, ...zero(0) }
    case 'float':
      return { type: 'number', format: 'double', ...zero(0) }
    case 'bytes':
      return { type: 'string', format: 'byte' }
    case 'quantity':
    case 'intOrString':
    case 'time':
    case 'microTime':
    case 'fieldsV1':
    case 'rawObject':
    case 'json':
    case 'schemaOrArray':
    case 'schemaOrBool':
    case 'schemaOrStringArray':
      return reference(specialNames[type.kind])
    default:
      throw new TypeError(`unknown type: ${JSON.stringify(type satisfies never)}`)
  }
}

function withoutDefault(schema: JsonSchema): JsonSchema {
  const { default: _dropped, ...rest } = schema
  return rest
}

function reference(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` }
}
