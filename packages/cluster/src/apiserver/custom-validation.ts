import { parseQuantity } from '@serinus/kinds'
import type { CustomSchema } from './custom-schema.ts'
import {
  duplicate,
  type FieldError,
  invalidValue,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from './status-error.ts'
import { isObject, sameJson } from './values.ts'

/**
 * Checks an object against the structural schema of its kind, in the words of kube-openapi's
 * validator as apiextensions-apiserver passes them on. With `old`, mistakes in parts that an update
 * leaves as they are do not count (ratcheting).
 */
export function validateCustom(
  object: unknown,
  schema: CustomSchema,
  old?: unknown,
): readonly FieldError[] {
  const errors: FieldError[] = []
  check(object, schema, '', errors, undefined)
  if (errors.length === 0 || old === undefined) return errors
  const left: FieldError[] = []
  check(object, schema, '', left, { old })
  return left
}

type Old = { readonly old: unknown } | undefined

function check(
  value: unknown,
  schema: CustomSchema,
  path: string,
  errors: FieldError[],
  old: Old,
): void {
  if (old && old.old !== undefined && sameJson(value, old.old)) return
  if (value === null) {
    if (schema.nullable || (schema.type === undefined && !schema['x-kubernetes-int-or-string']))
      return
    errors.push(wrongType(path, schema.type ?? 'integer,string', 'null'))
    return
  }
  const typeError = typeProblem(value, schema, path)
  if (typeError) {
    errors.push(typeError)
    checkJunctors(value, schema, path, errors)
    return
  }
  if (schema.enum && !schema.enum.some((allowed) => sameJson(allowed, value))) {
    errors.push(
      notSupported(
        path,
        value,
        schema.enum.map((item) => String(item)),
      ),
    )
  }
  if (typeof value === 'string') checkString(value, schema, path, errors)
  else if (typeof value === 'number') checkNumber(value, schema, path, errors)
  else if (Array.isArray(value)) checkList(value, schema, path, errors, old)
  else if (isObject(value)) checkObject(value, schema, path, errors, old)
  checkJunctors(value, schema, path, errors)
}

function typeProblem(value: unknown, schema: CustomSchema, path: string): FieldError | undefined {
  if (schema['x-kubernetes-int-or-string']) {
    if (typeof value === 'string' || Number.isInteger(value)) return undefined
    return wrongType(path, 'integer,string', typeOf(value))
  }
  const { type } = schema
  if (type === undefined) return undefined
  const found = typeOf(value)
  if (found === type || (type === 'number' && found === 'integer')) return undefined
  return wrongType(path, type, found)
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function wrongType(path: string, wanted: string, found: string): FieldError {
  return typeInvalid(path, found, `${path} in body must be of type ${wanted}: "${found}"`)
}

function checkString(
  value: string,
  schema: CustomSchema,
  path: string,
  errors: FieldError[],
): void {
  const length =
    schema.minLength !== undefined || schema.maxLength !== undefined ? [...value].length : 0
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    errors.push(tooLong(path, schema.maxLength))
  }
  if (schema.minLength !== undefined && length < schema.minLength) {
    errors.push(
      invalidValue(
        path,
        value,
        `${path} in body should be at least ${schema.minLength} chars long`,
      ),
    )
  }
  if (schema.pattern !== undefined && !goRegExp(schema.pattern).test(value)) {
    errors.push(invalidValue(path, value, `${path} in body should match '${schema.pattern}'`))
  }
  if (schema.format !== undefined && !fitsFormat(value, schema.format)) {
    errors.push(
      typeInvalid(
        path,
        value,
        `${path} in body must be of type ${schema.format}: ${JSON.stringify(value)}`,
      ),
    )
  }
}

function checkNumber(
  value: number,
  schema: CustomSchema,
  path: string,
  errors: FieldError[],
): void {
  const { minimum, maximum, multipleOf } = schema
  const report = (rule: string) =>
    errors.push(invalidValue(path, value, `${path} in body should be ${rule}`))
  if (maximum !== undefined) {
    if (schema.exclusiveMaximum ? value >= maximum : value > maximum) {
      report(`less than ${schema.exclusiveMaximum ? '' : 'or equal to '}${maximum}`)
    }
  }
  if (minimum !== undefined) {
    if (schema.exclusiveMinimum ? value <= minimum : value < minimum) {
      report(`greater than ${schema.exclusiveMinimum ? '' : 'or equal to '}${minimum}`)
    }
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) {
    report(`a multiple of ${multipleOf}`)
  }
  if (schema.format === 'int32' && (value < -(2 ** 31) || value > 2 ** 31 - 1)) {
    report(
      value > 0 ? `less than or equal to ${2 ** 31 - 1}` : `greater than or equal to ${-(2 ** 31)}`,
    )
  }
}

function checkList(
  value: readonly unknown[],
  schema: CustomSchema,
  path: string,
  errors: FieldError[],
  old: Old,
): void {
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    errors.push(tooMany(path, value.length, schema.maxItems))
  }
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.push(
      invalidValue(
        path,
        value.length,
        `${path} in body should have at least ${schema.minItems} items`,
      ),
    )
  }
  const { items } = schema
  const keys =
    schema['x-kubernetes-list-type'] === 'map' ? schema['x-kubernetes-list-map-keys'] : undefined
  if (items) {
    const oldItems = old && Array.isArray(old.old) ? (old.old as readonly unknown[]) : undefined
    value.forEach((item, index) => {
      const same = oldItems && keys && oldItems.find((candidate) => sameKeys(candidate, item, keys))
      check(
        item,
        items,
        `${path}[${index}]`,
        errors,
        same === undefined ? undefined : { old: same },
      )
    })
  }
  checkUnique(value, schema, path, errors, keys)
}

function checkUnique(
  value: readonly unknown[],
  schema: CustomSchema,
  path: string,
  errors: FieldError[],
  keys: readonly string[] | undefined,
): void {
  if (schema['x-kubernetes-list-type'] === 'set' || schema.uniqueItems) {
    const seen = new Set<string>()
    value.forEach((item, index) => {
      const text = JSON.stringify(item)
      if (seen.has(text)) errors.push(duplicate(`${path}[${index}]`, item))
      seen.add(text)
    })
  } else if (keys) {
    const seen = new Set<string>()
    value.forEach((item, index) => {
      if (!isObject(item)) return
      const keyValues: Record<string, unknown> = {}
      for (const key of keys) {
        const keyValue = item[key] ?? schema.items?.properties?.[key]?.default
        if (keyValue !== undefined) keyValues[key] = keyValue
      }
      const text = JSON.stringify(keyValues)
      if (seen.has(text)) errors.push(duplicate(`${path}[${index}]`, keyValues))
      seen.add(text)
    })
  }
}

function sameKeys(a: unknown, b: unknown, keys: readonly string[]): boolean {
  return isObject(a) && isObject(b) && keys.every((key) => a[key] === b[key])
}

function checkObject(
  value: Readonly<Record<string, unknown>>,
  schema: CustomSchema,
  path: string,
  errors: FieldError[],
  old: Old,
): void {
  const { properties, additionalProperties } = schema
  if (schema.maxProperties !== undefined || schema.minProperties !== undefined) {
    const count = Object.keys(value).length
    if (schema.maxProperties !== undefined && count > schema.maxProperties) {
      errors.push(tooMany(path, count, schema.maxProperties))
    }
    if (schema.minProperties !== undefined && count < schema.minProperties) {
      errors.push(
        invalidValue(
          path,
          count,
          `${path} in body should have at least ${schema.minProperties} properties`,
        ),
      )
    }
  }
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) errors.push(required(join(path, name)))
  }
  const of = isObject(additionalProperties) ? (additionalProperties as CustomSchema) : undefined
  if (!properties && !of) return
  const oldObject = old && isObject(old.old) ? old.old : undefined
  for (const name in value) {
    const item = value[name]
    const property = properties && Object.hasOwn(properties, name) ? properties[name] : of
    if (!property || item === undefined) continue
    check(item, property, join(path, name), errors, oldObject && { old: oldObject[name] })
  }
}

function checkJunctors(
  value: unknown,
  schema: CustomSchema,
  path: string,
  errors: FieldError[],
): void {
  const against = (candidate: CustomSchema): readonly FieldError[] => {
    const found: FieldError[] = []
    check(value, candidate, path, found, undefined)
    return found
  }
  // The real server knows no field for what a junctor finds.
  const report = (text: string) => errors.push(invalidValue('<nil>', '', `"${path}" must ${text}`))
  if (schema.anyOf) {
    const found = schema.anyOf.map(against)
    if (found.every((one) => one.length > 0)) {
      report('validate at least one schema (anyOf)')
      errors.push(...nearest(found))
    }
  }
  if (schema.oneOf) {
    const found = schema.oneOf.map(against)
    const count = found.filter((one) => one.length === 0).length
    const words = count === 0 ? 'Found none valid' : `Found ${count} valid alternatives`
    if (count !== 1) report(`validate one and only one schema (oneOf). ${words}`)
    if (count === 0) errors.push(...nearest(found))
  }
  if (schema.allOf) {
    const found = schema.allOf.map(against)
    errors.push(...found.flat())
    const count = found.filter((one) => one.length === 0).length
    if (count < found.length) {
      report(`validate all the schemas (allOf)${count === 0 ? '. None validated' : ''}`)
    }
  }
  if (schema.not && against(schema.not).length === 0) report('not validate the schema (not)')
}

/** What is wrong by the alternative that comes closest; the first of equals. */
function nearest(found: readonly (readonly FieldError[])[]): readonly FieldError[] {
  return found.toSorted((a, b) => a.length - b.length)[0] ?? []
}

const expressions = new Map<string, RegExp>()

/** A Go regular expression in JavaScript's dialect; one that has no counterpart matches everything. */
export function goRegExp(pattern: string): RegExp {
  const known = expressions.get(pattern)
  if (known) return known
  const compiled = compileGoRegExp(pattern)
  // Patterns come from CRDs, so there are as many as there are schemas.
  expressions.set(pattern, compiled)
  return compiled
}

function compileGoRegExp(pattern: string): RegExp {
  let source = pattern
  let flags = 'u'
  const global = /^\(\?([ims]+)\)/.exec(source)
  if (global?.[1]) {
    flags += global[1]
    source = source.slice(global[0].length)
  }
  source = source
    .replace(/\\z/g, '$')
    .replace(/\\A/g, '^')
    .replace(/\(\?P</g, '(?<')
    .replace(/\[:alpha:\]/g, 'A-Za-z')
    .replace(/\[:digit:\]/g, '0-9')
    .replace(/\[:alnum:\]/g, 'A-Za-z0-9')
    .replace(/\[:space:\]/g, '\\s')
    .replace(/\[:upper:\]/g, 'A-Z')
    .replace(/\[:lower:\]/g, 'a-z')
  for (const attempt of [flags, flags.replace('u', '')]) {
    try {
      return new RegExp(source, attempt)
    } catch {
      // Unicode mode refuses needless escapes that Go allows; the plain mode takes them.
    }
  }
  return /(?:)/
}

const dateTime = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/
const goDuration =
  /^[-+]?(0|(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w))*)$/

/** Formats that apiextensions knows; an unknown format is ignored. */
function fitsFormat(value: string, format: string): boolean {
  switch (format) {
    case 'date-time':
    case 'datetime':
      return dateTime.test(value) && !Number.isNaN(Date.parse(value))
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))
    case 'duration':
      return goDuration.test(value.replace(/\s+/g, ''))
    case 'byte':
      return /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)
    case 'uuid':
      return /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(value)
    case 'ipv4':
      return (
        /^(\d{1,3}\.){3}\d{1,3}$/.test(value) &&
        value.split('.').every((part) => Number(part) < 256)
      )
    case 'ipv6':
      return value.includes(':') && /^[0-9a-fA-F:.]+$/.test(value)
    case 'email':
      return /^[^@\s]+@[^@\s]+$/.test(value)
    case 'uri':
      return /^([a-z][a-z0-9+.-]*:|\/)/i.test(value)
    case 'k8s-short-name':
      return /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value)
    case 'quantity':
      return parseQuantity(value) !== undefined
    default:
      return true
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
