import { quantityProblem } from './quantity.ts'
import { microTimeProblem, timeProblem } from './time.ts'
import { type Field, type FieldType, referredStruct, type TypeRef } from './types.ts'

/** A value that the struct at this place cannot hold. */
export interface DecodeProblem {
  /** What the user sees: `spec.template.spec.containers[0].image`. */
  readonly path: string
  /** What Go's decoder says about it; it names the struct field without indexes. */
  readonly detail: string
}

/**
 * Paths of fields that the struct does not know, in document order:
 * `spec.template.spec.containers[0].imag`. Names are compared by case, as kube-apiserver does.
 * Values of unknown type (and, as upstream, schemas inside `items` and `additionalProperties`) are
 * not entered. Throws a TypeError for an unknown struct.
 */
export function unknownFields(ref: TypeRef, value: unknown): readonly string[] {
  const found: string[] = []
  findUnknown({ kind: 'struct', ref }, value, '', found)
  return found
}

function findUnknown(type: FieldType, value: unknown, path: string, found: string[]): void {
  switch (type.kind) {
    case 'pointer':
      findUnknown(type.to, value, path, found)
      return
    case 'list':
      if (!Array.isArray(value)) return
      value.forEach((item, index) => {
        findUnknown(type.of, item, `${path}[${index}]`, found)
      })
      return
    case 'map':
      if (!isObject(value)) return
      for (const [key, item] of Object.entries(value)) {
        findUnknown(type.of, item, join(path, key), found)
      }
      return
    case 'struct':
      if (!isObject(value)) return
      for (const [name, item] of Object.entries(value)) {
        const field = fieldNamed(type.ref, name)
        if (field) findUnknown(field.type, item, join(path, name), found)
        else if (item !== undefined) found.push(join(path, name))
      }
      return
    default:
      return
  }
}

/**
 * Values that the struct cannot hold, in document order, each with the words of Go's decoder:
 * `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`.
 * kube-apiserver reports one of them. Throws a TypeError for an unknown struct.
 */
export function decodeProblems(ref: TypeRef, value: unknown): readonly DecodeProblem[] {
  const problems: DecodeProblem[] = []
  const place = { path: '', owner: '', goPath: '', goType: undefined }
  findProblems({ kind: 'struct', ref }, value, place, problems)
  return problems
}

interface Place {
  readonly path: string
  /** Go name of the struct that has the field; empty at the root. */
  readonly owner: string
  /** Names of the fields on the way, as Go's decoder joins them. */
  readonly goPath: string
  readonly goType: string | undefined
}

function findProblems(
  type: FieldType,
  value: unknown,
  place: Place,
  problems: DecodeProblem[],
): void {
  if (value === null || value === undefined) return
  const report = (detail: string) => problems.push({ path: place.path, detail })
  const mismatch = (wanted: string) => report(mismatchDetail(value, wanted, place))
  switch (type.kind) {
    case 'pointer':
      findProblems(type.to, value, place, problems)
      return
    case 'struct':
      if (isObject(value)) structProblems(type.ref, value, place, problems)
      else mismatch(goTypeOf(type, place))
      return
    case 'list':
      if (!Array.isArray(value)) {
        mismatch(goTypeOf(type, place))
        return
      }
      value.forEach((item, index) => {
        const goType = place.goType?.startsWith('[]') ? place.goType.slice(2) : undefined
        findProblems(type.of, item, { ...place, path: `${place.path}[${index}]`, goType }, problems)
      })
      return
    case 'map':
      if (!isObject(value)) {
        mismatch(goTypeOf(type, place))
        return
      }
      for (const [key, item] of Object.entries(value)) {
        const inside = { ...place, path: join(place.path, key), goType: undefined }
        findProblems(type.of, item, inside, problems)
      }
      return
    case 'string':
      if (typeof value !== 'string') mismatch(goTypeOf(type, place))
      return
    case 'bool':
      if (typeof value !== 'boolean') mismatch(goTypeOf(type, place))
      return
    case 'int32':
    case 'int64':
      if (!isInteger(value, type.kind)) mismatch(goTypeOf(type, place))
      return
    case 'float':
      if (typeof value !== 'number') mismatch(goTypeOf(type, place))
      return
    case 'intOrString':
      if (typeof value !== 'string' && !isInteger(value, 'int32')) mismatch('int32')
      return
    case 'bytes': {
      if (typeof value !== 'string') {
        mismatch('[]uint8')
        return
      }
      const at = badBase64At(value)
      if (at !== undefined) report(`illegal base64 data at input byte ${at}`)
      return
    }
    case 'quantity': {
      const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
      const detail = quantityProblem(text.trim())
      if (detail) report(detail)
      return
    }
    case 'time':
    case 'microTime': {
      if (typeof value !== 'string') {
        mismatch('string')
        return
      }
      const detail = type.kind === 'time' ? timeProblem(value) : microTimeProblem(value)
      if (detail) report(detail)
      return
    }
    case 'schemaOrBool':
    case 'schemaOrArray':
    case 'schemaOrStringArray':
      schemaProblems(value, place, problems)
      return
    case 'rawObject':
    case 'json':
    case 'fieldsV1':
      return
    default:
      throw new TypeError(`unknown type: ${JSON.stringify(type satisfies never)}`)
  }
}

function structProblems(
  ref: TypeRef,
  value: Readonly<Record<string, unknown>>,
  place: Place,
  problems: DecodeProblem[],
): void {
  const owner = ref.slice(ref.indexOf('.') + 1)
  for (const [name, item] of Object.entries(value)) {
    const field = fieldNamed(ref, name)
    if (!field) continue
    const inside = {
      path: join(place.path, name),
      owner,
      goPath: join(place.goPath, name),
      goType: field.goType,
    }
    findProblems(field.type, item, inside, problems)
  }
}

/** Upstream decodes these with a decoder of their own, so the Go path starts anew. */
function schemaProblems(value: unknown, place: Place, problems: DecodeProblem[]): void {
  const ref = 'apiextensions/v1.JSONSchemaProps'
  const fresh = { ...place, owner: '', goPath: '', goType: undefined }
  if (isObject(value)) structProblems(ref, value, fresh, problems)
  if (!Array.isArray(value)) return
  value.forEach((item, index) => {
    if (!isObject(item)) return
    structProblems(ref, item, { ...fresh, path: `${place.path}[${index}]` }, problems)
  })
}

function mismatchDetail(value: unknown, wanted: string, place: Place): string {
  const field = place.owner === '' ? '' : ` Go struct field ${place.owner}.${place.goPath} of type`
  const target = field === '' ? ' Go value of type' : field
  return `json: cannot unmarshal ${jsonTypeOf(value, wanted)} into${target} ${wanted}`
}

function jsonTypeOf(value: unknown, wanted: string): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value !== 'number' && typeof value !== 'bigint') return typeof value
  // Go quotes a number only when an integer was wanted and this one does not fit.
  return wanted === 'int32' || wanted === 'int64' ? `number ${value}` : 'number'
}

function goTypeOf(type: FieldType, place?: Place): string {
  if (place?.goType) return place.goType
  switch (type.kind) {
    case 'struct':
      return type.ref.slice(type.ref.indexOf('/') + 1)
    case 'pointer':
      return `*${goTypeOf(type.to)}`
    case 'list':
      return `[]${goTypeOf(type.of)}`
    case 'map':
      return `map[string]${goTypeOf(type.of)}`
    case 'string':
      return type.enum ? type.enum.ref.slice(type.enum.ref.indexOf('/') + 1) : 'string'
    case 'float':
      return 'float64'
    case 'bytes':
      return '[]uint8'
    case 'quantity':
      return 'resource.Quantity'
    case 'intOrString':
      return 'intstr.IntOrString'
    case 'time':
      return 'v1.Time'
    case 'microTime':
      return 'v1.MicroTime'
    case 'rawObject':
      return 'runtime.RawExtension'
    case 'json':
      return 'v1.JSON'
    default:
      return type.kind
  }
}

function isInteger(value: unknown, kind: 'int32' | 'int64'): boolean {
  if (typeof value === 'bigint') return BigInt.asIntN(kind === 'int32' ? 32 : 64, value) === value
  if (typeof value !== 'number' || !Number.isInteger(value)) return false
  return kind === 'int64' ? Math.abs(value) <= 2 ** 63 : (value | 0) === value
}

/** Go counts the byte where the first bad group of four begins or the bad character stands. */
function badBase64At(text: string): number | undefined {
  const clean = text.replace(/[\r\n]/g, '')
  const bad = clean.search(/[^A-Za-z0-9+/=]/)
  if (bad >= 0) return bad
  const padding = clean.indexOf('=')
  const end = padding < 0 ? clean.length : padding
  if (padding >= 0 && clean.length % 4 === 0 && /^={1,2}$/.test(clean.slice(padding))) {
    return undefined
  }
  if (padding < 0 && clean.length % 4 === 0) return undefined
  return padding < 0 ? Math.floor(end / 4) * 4 : end
}

/** Linear: structs have few fields, and no index must be built for a struct seen once. */
function fieldNamed(ref: TypeRef, name: string): Field | undefined {
  return referredStruct(ref).fields.find((field) => field.name === name)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
