import type { TypeRef } from '@serinus/kinds'
import { type Field, type FieldType, type JsonSchema, kindType, structType } from '@serinus/kinds'

/**
 * How server-side apply looks at one value: as a whole, field by field, or item by item
 * (structured-merge-diff: schema/elements.go).
 */
export type MergeSchema =
  | { readonly kind: 'whole' }
  | {
      readonly kind: 'fields'
      /** Undefined: the name is a key of a map, not a field of a struct. */
      readonly named: (name: string) => MergeSchema | undefined
      /** Schema of what is not named. */
      readonly other: MergeSchema
      /** Fields that Go structs hold by value: they exist even when nobody set them. */
      readonly inline: (name: string) => boolean
    }
  | { readonly kind: 'set' }
  | {
      readonly kind: 'keyed'
      readonly keys: readonly string[]
      readonly keyDefaults: Readonly<Record<string, unknown>>
      readonly of: MergeSchema
    }

export const whole: MergeSchema = { kind: 'whole' }

const nothingInline = () => false

/** For data without schema: objects field by field, lists and scalars as a whole. */
export const deduced: MergeSchema = {
  kind: 'fields',
  named: () => undefined,
  get other() {
    return deduced
  },
  inline: nothingInline,
}

const builtIn = new WeakMap<object, MergeSchema>()

/** The merge schema of a built-in kind; undefined for kinds that are not built in. */
export function builtInMergeSchema(apiVersion: string, kind: string): MergeSchema | undefined {
  const ref = kindType(apiVersion, kind)
  return ref === undefined ? undefined : structSchema(ref)
}

const objectMetaSchema = (): MergeSchema => structSchema('meta/v1.ObjectMeta')

function structSchema(ref: TypeRef): MergeSchema {
  const struct = structType(ref)
  if (!struct) return deduced
  const known = builtIn.get(struct)
  if (known) return known
  const fields = new Map(struct.fields.map((field) => [field.name, field]))
  const schemas = new Map<string, MergeSchema>()
  const schema: MergeSchema = {
    kind: 'fields',
    named(name) {
      const ready = schemas.get(name)
      if (ready) return ready
      const field = fields.get(name)
      if (!field) return undefined
      const made = fieldSchema(field)
      schemas.set(name, made)
      return made
    },
    other: deduced,
    inline: (name) => fields.get(name)?.type.kind === 'struct',
  }
  builtIn.set(struct, schema)
  return schema
}

function fieldSchema(field: Field): MergeSchema {
  return typeSchema(field.type, field)
}

function typeSchema(type: FieldType, field: Partial<Field>): MergeSchema {
  switch (type.kind) {
    case 'pointer':
      return typeSchema(type.to, field)
    case 'struct': {
      const atomic =
        field.structType === 'atomic' ||
        field.mapType === 'atomic' ||
        structType(type.ref)?.structType === 'atomic' ||
        structType(type.ref)?.mapType === 'atomic'
      return atomic ? whole : structSchema(type.ref)
    }
    case 'map':
      if (field.mapType === 'atomic') return whole
      return mapSchema(typeSchema(type.of, {}))
    case 'list':
      if (field.listType === 'set') return { kind: 'set' }
      if (field.listType !== 'map') return whole
      return {
        kind: 'keyed',
        keys: [...(field.listMapKeys ?? [])].sort(),
        keyDefaults: keyDefaultsOf(type.of, field.listMapKeys ?? []),
        of: typeSchema(type.of, {}),
      }
    case 'rawObject':
      return deduced
    default:
      return whole
  }
}

function mapSchema(of: MergeSchema): MergeSchema {
  return { kind: 'fields', named: () => undefined, other: of, inline: nothingInline }
}

function keyDefaultsOf(type: FieldType, keys: readonly string[]): Record<string, unknown> {
  if (type.kind !== 'struct') return {}
  const defaults: Record<string, unknown> = {}
  for (const field of structType(type.ref)?.fields ?? []) {
    if (field.default !== undefined && keys.includes(field.name)) {
      defaults[field.name] = field.default
    }
  }
  return defaults
}

/** The merge schema of a custom kind, from its structural schema; parts are made when first needed. */
export function customMergeSchema(schema: JsonSchema): MergeSchema {
  return jsonObjectSchema(schema, true)
}

function jsonMergeSchema(schema: JsonSchema): MergeSchema {
  if (schema['x-kubernetes-int-or-string']) return whole
  switch (schema.type) {
    case 'array':
      return jsonListSchema(schema)
    case 'object':
      return jsonObjectSchema(schema, false)
    case undefined:
      return schema['x-kubernetes-preserve-unknown-fields'] ? deduced : whole
    default:
      return whole
  }
}

function jsonObjectSchema(schema: JsonSchema, root: boolean): MergeSchema {
  if (schema['x-kubernetes-map-type'] === 'atomic') return whole
  const properties = schema.properties ?? {}
  const made = new Map<string, MergeSchema>()
  const additional = schema.additionalProperties
  const embedded = root || schema['x-kubernetes-embedded-resource'] === true
  return {
    kind: 'fields',
    named(name) {
      const ready = made.get(name)
      if (ready) return ready
      let found: MergeSchema | undefined
      if (embedded && name === 'metadata') found = objectMetaSchema()
      else if (embedded && (name === 'apiVersion' || name === 'kind')) found = whole
      else if (Object.hasOwn(properties, name)) found = jsonMergeSchema(properties[name] ?? {})
      if (found) made.set(name, found)
      return found
    },
    other: typeof additional === 'object' ? jsonMergeSchema(additional) : deduced,
    inline: (name) => embedded && name === 'metadata',
  }
}

function jsonListSchema(schema: JsonSchema): MergeSchema {
  const items = schema.items ?? {}
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return { kind: 'set' }
    case 'map': {
      const keys = [...(schema['x-kubernetes-list-map-keys'] ?? [])].sort()
      const keyDefaults: Record<string, unknown> = {}
      for (const key of keys) {
        const value = items.properties?.[key]?.default
        if (value !== undefined) keyDefaults[key] = value
      }
      return { kind: 'keyed', keys, keyDefaults, of: jsonMergeSchema(items) }
    }
    default:
      return whole
  }
}
