import { canonicalQuantity } from './quantity.ts'
import { microTimeText, timeText } from './time.ts'
import {
  type Field,
  type FieldType,
  referredStruct,
  type StructType,
  type TypeRef,
} from './types.ts'

export interface CanonicalJsonOptions {
  /**
   * Print `"creationTimestamp":null` in metadata without one, as Kubernetes libraries before 0.34
   * did. Absent: no such key.
   */
  readonly creationTimestampNull?: boolean
}

/**
 * What Go's encoding/json prints after decoding the value into the struct: unknown fields vanish,
 * keys stand in declaration order, empty values go as their tags say, map keys are sorted by bytes,
 * quantities and times take their canonical form (spec api 8.5, rules 1 to 6).
 *
 * A value of the wrong type, for which Go's decoder would report an error, counts as absent; a
 * fraction given for an integer is cut off. Throws a TypeError for an unknown struct.
 */
export function canonicalJson(
  ref: TypeRef,
  value: unknown,
  options: CanonicalJsonOptions = {},
): string {
  return structText(referredStruct(ref), value, options)
}

function structText(struct: StructType, value: unknown, options: CanonicalJsonOptions): string {
  const object = asObject(value)
  let text = '{'
  for (const field of struct.fields) {
    const written = object && Object.hasOwn(object, field.name) ? object[field.name] : undefined
    const printed = fieldText(field, written ?? undefined, options)
    if (printed === undefined) continue
    if (text !== '{') text += ','
    text += `"${field.name}":${printed}`
  }
  return `${text}}`
}

/** Undefined when the field's tags drop the value. */
function fieldText(
  field: Field,
  value: unknown,
  options: CanonicalJsonOptions,
): string | undefined {
  if (value === undefined && field.omitEmpty && !keptWhenEmpty.has(field.type.kind)) {
    return undefined
  }
  if (field.omitZero && field.type.kind === 'time') {
    const printed = text(field.type, value, options)
    if (printed !== 'null') return printed
    const wanted = options.creationTimestampNull && field.name === 'creationTimestamp'
    return wanted ? printed : undefined
  }
  const printed = text(field.type, value, options)
  return field.omitEmpty && isEmpty(field.type, value, printed) ? undefined : printed
}

/** Go structs to the encoder, which never finds a struct empty. */
const keptWhenEmpty: ReadonlySet<FieldType['kind']> = new Set([
  'struct',
  'quantity',
  'intOrString',
  'time',
  'microTime',
  'rawObject',
  'json',
])

function isEmpty(type: FieldType, value: unknown, printed: string): boolean {
  switch (type.kind) {
    case 'pointer':
      // A pointer to Go's zero time prints null and still counts as set.
      return value === undefined || !fits(type.to, value)
    case 'list':
      return printed === 'null' || printed === '[]'
    case 'map':
      return printed === 'null' || printed === '{}'
    case 'string':
    case 'bytes':
      return printed === '""' || printed === 'null'
    case 'int32':
    case 'int64':
    case 'float':
      return printed === '0'
    case 'bool':
      return printed === 'false'
    default:
      return false
  }
}

function text(type: FieldType, value: unknown, options: CanonicalJsonOptions): string {
  switch (type.kind) {
    case 'struct':
      return structText(referredStruct(type.ref), value, options)
    case 'pointer':
      return value === undefined || value === null || !fits(type.to, value)
        ? 'null'
        : text(type.to, value, options)
    case 'list':
      return Array.isArray(value) ? listText(type.of, value, options) : 'null'
    case 'map':
      return mapText(type.of, value, options)
    case 'string':
      return typeof value === 'string' ? stringText(value) : '""'
    case 'int32':
    case 'int64':
      return integerText(value)
    case 'float':
      return typeof value === 'number' ? floatText(value) : '0'
    case 'bool':
      return value === true ? 'true' : 'false'
    case 'quantity':
      return `"${quantityText(value)}"`
    case 'intOrString':
      return typeof value === 'string' ? stringText(value) : integerText(value)
    case 'time':
      return quotedOrNull(timeText(value))
    case 'microTime':
      return quotedOrNull(microTimeText(value))
    case 'bytes':
      return typeof value === 'string' ? stringText(value) : 'null'
    case 'rawObject':
    case 'json':
    case 'fieldsV1':
      return value === undefined ? 'null' : anyText(value)
    case 'schemaOrBool':
      return typeof value === 'boolean' ? String(value) : schemaText(value, options)
    case 'schemaOrArray':
      return Array.isArray(value)
        ? listText(schemaType, value, options)
        : schemaText(value, options)
    case 'schemaOrStringArray':
      return Array.isArray(value)
        ? listText({ kind: 'string' }, value, options)
        : schemaText(value, options)
    default:
      throw new TypeError(`unknown type: ${JSON.stringify(type satisfies never)}`)
  }
}

/** Whether a pointer has something to point to; a value of the wrong type counts as absent. */
function fits(type: FieldType, value: unknown): boolean {
  switch (type.kind) {
    case 'int32':
    case 'int64':
    case 'float':
      return typeof value === 'number' || typeof value === 'bigint'
    case 'string':
      return typeof value === 'string'
    case 'bool':
      return typeof value === 'boolean'
    case 'struct':
      return asObject(value) !== undefined
    default:
      return true
  }
}

function listText(of: FieldType, list: readonly unknown[], options: CanonicalJsonOptions): string {
  let printed = '['
  for (const item of list) {
    if (printed !== '[') printed += ','
    printed += text(of, item ?? undefined, options)
  }
  return `${printed}]`
}

function mapText(of: FieldType, value: unknown, options: CanonicalJsonOptions): string {
  const object = asObject(value)
  if (!object) return 'null'
  let printed = '{'
  for (const key of Object.keys(object).sort(byBytes)) {
    if (object[key] === undefined) continue
    if (printed !== '{') printed += ','
    printed += `${stringText(key)}:${text(of, object[key] ?? undefined, options)}`
  }
  return `${printed}}`
}

const schemaType: FieldType = { kind: 'struct', ref: 'apiextensions/v1.JSONSchemaProps' }

function schemaText(value: unknown, options: CanonicalJsonOptions): string {
  return asObject(value) ? text(schemaType, value, options) : 'null'
}

function integerText(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'number' || !Number.isFinite(value)) return '0'
  const whole = Math.trunc(value)
  return Math.abs(whole) < 1e21 ? String(whole === 0 ? 0 : whole) : String(BigInt(whole))
}

/** Go and JavaScript print floats alike, except for the negative zero. */
function floatText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function quantityText(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number') return '0'
  return canonicalQuantity(String(value).trim()) ?? '0'
}

function quotedOrNull(printed: string | undefined): string {
  return printed === undefined ? 'null' : `"${printed}"`
}

const needsEscape = /[<>&\u2028\u2029\ud800-\udfff]/
const escaped: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
}

/** A JSON string as Go prints it: safe inside HTML and JavaScript. */
function stringText(value: string): string {
  if (!needsEscape.test(value)) return JSON.stringify(value)
  return htmlSafe(JSON.stringify(value.toWellFormed()))
}

function htmlSafe(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (character) => escaped[character] ?? character)
}

/** Values of no known type keep the order of their keys, as Go's raw messages do. */
function anyText(value: unknown): string {
  return htmlSafe(JSON.stringify(value) ?? 'null')
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

/** UTF-8 order. It differs from JavaScript's only where surrogates meet characters above them. */
function byBytes(a: string, b: string): number {
  if (a === b) return 0
  const end = Math.min(a.length, b.length)
  for (let i = 0; i < end; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    const xHigh = x >= 0xd800 && x <= 0xdfff
    const yHigh = y >= 0xd800 && y <= 0xdfff
    return xHigh === yHigh ? x - y : xHigh ? 1 : -1
  }
  return a.length - b.length
}
