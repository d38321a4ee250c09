import type { JsonSchema } from '@serinus/kinds'
import { unknownFields } from '@serinus/kinds'
import { isObject, type JsonObject } from './values.ts'

/** A structural schema as a CRD carries it, with the words JsonSchema leaves to CRDs. */
export interface CustomSchema extends JsonSchema {
  readonly properties?: Readonly<Record<string, CustomSchema>>
  readonly additionalProperties?: CustomSchema | boolean
  readonly items?: CustomSchema
  readonly anyOf?: readonly CustomSchema[]
  readonly oneOf?: readonly CustomSchema[]
  readonly allOf?: readonly CustomSchema[]
  readonly not?: CustomSchema
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: boolean
  readonly exclusiveMaximum?: boolean
  readonly multipleOf?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly uniqueItems?: boolean
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[]
}

export interface ValidationRule {
  readonly rule: string
  readonly message?: string
  readonly messageExpression?: string
  readonly reason?: string
  readonly fieldPath?: string
  readonly optionalOldSelf?: boolean
}

/**
 * Drops what the schema does not know and adds its defaults, in one walk that copies only what
 * changes. `unknown` collects the paths of dropped fields (apiextensions: schema/pruning, schema/defaulting).
 */
export function pruneAndDefault(
  object: JsonObject,
  schema: CustomSchema,
  unknown: string[],
): JsonObject {
  return walkObject(object, schema, '', { unknown, defaults: true }, true)
}

/** Drops what the schema does not know and adds nothing. */
export function pruneUnknown(object: JsonObject, schema: CustomSchema): JsonObject {
  return walkObject(object, schema, '', { unknown: [], defaults: false }, true)
}

/** What one walk collects, and whether it adds defaults. */
interface Walk {
  readonly unknown: string[]
  readonly defaults: boolean
}

function walk(value: unknown, schema: CustomSchema, path: string, state: Walk): unknown {
  if (Array.isArray(value)) {
    const items = schema.items
    if (!items) return value
    let copy: unknown[] | undefined
    for (let index = 0; index < value.length; index++) {
      const item = value[index]
      const walked = walk(item, items, `${path}[${index}]`, state)
      if (walked === item) continue
      copy ??= [...value]
      copy[index] = walked
    }
    return copy ?? value
  }
  if (isObject(value)) {
    return walkObject(value, schema, path, state, schema['x-kubernetes-embedded-resource'] === true)
  }
  return value
}

function walkObject(
  object: JsonObject,
  schema: CustomSchema,
  path: string,
  state: Walk,
  embedded: boolean,
): JsonObject {
  const { properties, additionalProperties } = schema
  const keepsUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true
  let copy: Record<string, unknown> | undefined
  for (const name in object) {
    const value = object[name]
    if (value === undefined) continue
    const below = path === '' ? name : `${path}.${name}`
    if (embedded && (name === 'apiVersion' || name === 'kind')) continue
    if (embedded && name === 'metadata') {
      const dropped = unknownFields('meta/v1.ObjectMeta', value)
      if (dropped.length === 0) continue
      for (const field of dropped) state.unknown.push(`${below}.${field}`)
      copy ??= { ...object }
      copy[name] = withoutTop(value, dropped)
      continue
    }
    const property = properties && Object.hasOwn(properties, name) ? properties[name] : undefined
    const of =
      property ??
      (isObject(additionalProperties) ? (additionalProperties as CustomSchema) : undefined)
    if (of) {
      // A null that the schema does not allow means: not there, so that a default comes in (schema/defaulting/prunenulls.go).
      if (state.defaults && value === null && of.nullable !== true) {
        copy ??= { ...object }
        delete copy[name]
        continue
      }
      const walked = walk(value, of, below, state)
      if (walked === value) continue
      copy ??= { ...object }
      copy[name] = walked
    } else if (!keepsUnknown && additionalProperties !== true) {
      state.unknown.push(below)
      copy ??= { ...object }
      delete copy[name]
    }
  }
  if (!state.defaults) return copy ?? object
  for (const name of defaultedNames(schema)) {
    if ((copy ?? object)[name] !== undefined) continue
    const property = properties?.[name]
    if (!property) continue
    copy ??= { ...object }
    const below = path === '' ? name : `${path}.${name}`
    copy[name] = walk(property.default, property, below, state)
  }
  return copy ?? object
}

function withoutTop(value: unknown, dropped: readonly string[]): unknown {
  if (!isObject(value)) return value
  const kept: Record<string, unknown> = { ...value }
  for (const field of dropped) delete kept[field]
  return kept
}

const defaulted = new WeakMap<CustomSchema, readonly string[]>()
const none: readonly string[] = []

/** Names of properties with a default, found once per schema node. */
function defaultedNames(schema: CustomSchema): readonly string[] {
  const { properties } = schema
  if (!properties) return none
  const known = defaulted.get(schema)
  if (known) return known
  const names = Object.keys(properties).filter((name) => properties[name]?.default !== undefined)
  defaulted.set(schema, names)
  return names
}
