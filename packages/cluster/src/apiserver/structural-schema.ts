import type { CustomSchema } from './custom-schema.ts'
import { type FieldError, forbiddenField, invalidValue, required } from './status-error.ts'
import { sameJson } from './values.ts'

/**
 * What makes the schema of a CRD unusable, in the words of the server: it must be structural, and its lists and maps
 * must be what they say (apiextensions: schema/validation.go, schema/complete.go, apis/apiextensions/validation).
 * What CEL rules cost is not judged.
 */
export function schemaProblems(schema: CustomSchema, path: string): readonly FieldError[] {
  const shapes = shapeProblems(schema, path)
  if (shapes.length > 0) return sorted(shapes)
  return sorted([...structureProblems(schema, 'root', path), ...missingCounterparts(schema, path)])
}

function sorted(errors: readonly FieldError[]): readonly FieldError[] {
  const text = ({ field, body }: FieldError) => `${field}: ${body}`
  return errors.toSorted((a, b) => (text(a) < text(b) ? -1 : 1))
}

/** The schemas right below one, each with its path. */
function below(schema: CustomSchema, path: string): readonly (readonly [CustomSchema, string])[] {
  const { items, properties, additionalProperties } = schema
  return [
    ...(items ? [[items, `${path}.items`] as const] : []),
    ...Object.entries(properties ?? {}).map(
      ([name, property]) => [property, `${path}.properties[${name}]`] as const,
    ),
    ...(typeof additionalProperties === 'object'
      ? [[additionalProperties, `${path}.additionalProperties`] as const]
      : []),
  ]
}

function shapeProblems(schema: CustomSchema, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (schema.uniqueItems) {
    const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'
    errors.push(forbiddenField(`${path}.uniqueItems`, why))
  }
  if (schema.properties && schema.additionalProperties) {
    const why = 'additionalProperties and properties are mutual exclusive'
    errors.push(forbiddenField(`${path}.additionalProperties`, why))
  }
  const mapType = schema['x-kubernetes-map-type']
  if (mapType !== undefined && schema.type !== 'object') {
    errors.push(wrongType(schema, path, 'must be object if x-kubernetes-map-type is specified'))
  }
  errors.push(...listProblems(schema, path))
  for (const [part, at] of below(schema, path)) errors.push(...shapeProblems(part, at))
  return errors
}

function listProblems(schema: CustomSchema, path: string): FieldError[] {
  const errors: FieldError[] = []
  const listType = schema['x-kubernetes-list-type']
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  if (listType !== undefined && schema.type !== 'array') {
    errors.push(wrongType(schema, path, 'must be array if x-kubernetes-list-type is specified'))
  }
  if (keys.length > 0 && listType !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty'
    const field = `${path}.x-kubernetes-list-type`
    errors.push(listType === undefined ? required(field, why) : invalidValue(field, listType, why))
  }
  if (listType !== 'map') return errors
  const { items } = schema
  if (keys.length === 0) {
    const why = 'must not be empty if x-kubernetes-list-type is map'
    errors.push(required(`${path}.x-kubernetes-list-map-keys`, why))
  }
  if (!items) {
    const why = 'must have a schema if x-kubernetes-list-type is map'
    errors.push(required(`${path}.items`, why))
    return errors
  }
  for (const key of keys) {
    const property = items.properties?.[key]
    if (!property) {
      const why = 'entries must all be names of item properties'
      errors.push(invalidValue(`${path}.x-kubernetes-list-map-keys`, keys, why))
    } else if (property.default === undefined && !items.required?.includes(key)) {
      const why =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'
      errors.push(required(`${path}.items.properties[${key}].default`, why))
    }
  }
  return errors
}

function wrongType(schema: CustomSchema, path: string, why: string): FieldError {
  const { type } = schema
  return type === undefined
    ? required(`${path}.type`, why)
    : invalidValue(`${path}.type`, type, why)
}

type Level = 'root' | 'item' | 'field'

const emptyType: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
}

const intOrString: readonly CustomSchema[] = [{ type: 'integer' }, { type: 'string' }]

function structureProblems(schema: CustomSchema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = []
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true
  const keepsUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true
  if (schema.type === 'array' && !schema.items) {
    errors.push(required(`${path}.items`, 'must be specified'))
  }
  if (level === 'root' && schema.additionalProperties) {
    errors.push(forbiddenField(`${path}.additionalProperties`, 'must not be used at the root'))
  }
  if (isEmbedded && schema.type !== 'object') {
    errors.push(wrongType(schema, path, 'must be object if x-kubernetes-embedded-resource is true'))
  } else if (!schema.type && !isIntOrString && !keepsUnknown) {
    errors.push(required(`${path}.type`, emptyType[level]))
  }
  if (level === 'root' && schema.type && schema.type !== 'object') {
    errors.push(invalidValue(`${path}.type`, schema.type, 'must be object at the root'))
  }
  if (isIntOrString && keepsUnknown) {
    const why = 'must be false if x-kubernetes-int-or-string is true'
    errors.push(invalidValue(`${path}.x-kubernetes-preserve-unknown-fields`, true, why))
  }
  if (level === 'root' || isEmbedded) errors.push(...metadataProblems(schema, level, path))
  const partLevel = (at: string): Level => (at === `${path}.items` ? 'item' : 'field')
  for (const [part, at] of below(schema, path)) {
    errors.push(...structureProblems(part, partLevel(at), at))
  }
  errors.push(...junctorProblems(schema, path, isIntOrString))
  return errors
}

/** The server knows the metadata of objects by itself: a schema may limit the name and say nothing more. */
function metadataProblems(schema: CustomSchema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const name of ['kind', 'apiVersion']) {
    const type = schema.properties?.[name]?.type
    if (schema.properties?.[name] && type !== 'string') {
      errors.push(invalidValue(`${path}.properties[${name}].type`, type ?? '', 'must be string'))
    }
  }
  const metadata = schema.properties?.['metadata']
  if (!metadata) return errors
  const at = `${path}.properties[metadata]`
  if (metadata.type !== 'object') {
    errors.push(invalidValue(`${at}.type`, metadata.type ?? '', 'must be object'))
  }
  const { type: _type, default: _default, properties = {}, ...rest } = metadata
  const isNameOnly = Object.keys(properties).every((key) => ['name', 'generateName'].includes(key))
  if (level === 'root' && !(isNameOnly && Object.keys(rest).length === 0)) {
    const why =
      'must not specify anything other than name and generateName, but metadata is implicitly specified'
    errors.push(forbiddenField(at, why))
  }
  return errors
}

function junctorProblems(schema: CustomSchema, path: string, isIntOrString: boolean): FieldError[] {
  const errors: FieldError[] = []
  for (const [part, at, word] of junctors(schema, path)) {
    if (isIntOrString && word === 'anyOf' && sameJson(schema.anyOf, intOrString)) continue
    const isFirst = isIntOrString && at === `${path}.allOf[0]`
    errors.push(...nestedProblems(part, at, isFirst && sameJson(part.anyOf, intOrString)))
  }
  return errors
}

type Junctor = 'anyOf' | 'allOf' | 'oneOf' | 'not'

function junctors(
  schema: CustomSchema,
  path: string,
): readonly (readonly [CustomSchema, string, Junctor])[] {
  const lists = (['anyOf', 'allOf', 'oneOf'] as const).flatMap((word) =>
    (schema[word] ?? []).map((part, index) => [part, `${path}.${word}[${index}]`, word] as const),
  )
  return schema.not ? [...lists, [schema.not, `${path}.not`, 'not'] as const] : lists
}

/** Under a junctor a schema may judge values only; what they are is said outside. */
const forbiddenWhenNested = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
] as const

function nestedProblems(schema: CustomSchema, path: string, skipsAnyOf = false): FieldError[] {
  const errors: FieldError[] = []
  const words: Readonly<Record<string, unknown>> = { ...schema }
  for (const [word, why] of forbiddenWhenNested) {
    if (words[word]) errors.push(forbiddenField(`${path}.${word}`, why))
  }
  if (schema.items) errors.push(...nestedProblems(schema.items, `${path}.items`))
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    errors.push(...nestedProblems(property, `${path}.properties[${name}]`))
  }
  if (schema.properties?.['metadata']) {
    const why = 'must not be specified in a nested context'
    errors.push(forbiddenField(`${path}.properties[metadata]`, why))
  }
  for (const [part, at, word] of junctors(schema, path)) {
    if (!(skipsAnyOf && word === 'anyOf')) errors.push(...nestedProblems(part, at))
  }
  return errors
}

/** Whatever is judged under a junctor must be specified outside of it. */
function missingCounterparts(schema: CustomSchema, path: string): FieldError[] {
  return [
    ...junctors(schema, path).flatMap(([part, at]) =>
      counterparts({ judged: part, judgedPath: at, schema, path }),
    ),
  ]
}

function counterparts(facts: {
  readonly judged: CustomSchema
  readonly judgedPath: string
  readonly schema: CustomSchema | undefined
  readonly path: string
}): FieldError[] {
  const { judged, judgedPath, schema, path } = facts
  if (!schema) return [required(path, `because it is defined in ${judgedPath}`)]
  const errors = junctors(judged, judgedPath).flatMap(([part, at]) =>
    counterparts({ judged: part, judgedPath: at, schema, path }),
  )
  if (judged.items) {
    errors.push(
      ...counterparts({
        judged: judged.items,
        judgedPath: `${judgedPath}.items`,
        schema: schema.items,
        path: `${path}.items`,
      }),
    )
  }
  for (const [name, property] of Object.entries(judged.properties ?? {})) {
    errors.push(
      ...counterparts({
        judged: property,
        judgedPath: `${judgedPath}.properties[${name}]`,
        schema: schema.properties?.[name],
        path: `${path}.properties[${name}]`,
      }),
    )
  }
  return errors
}
