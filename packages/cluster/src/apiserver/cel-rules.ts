import type { Environment } from '@marcbachmann/cel-js'
import { kubernetesCel, withIndexedHas } from './cel-functions.ts'
import type { CustomSchema, ValidationRule } from './custom-schema.ts'
import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalidValue,
  omittedDuplicate,
  omittedInvalid,
  required,
} from './status-error.ts'
import { isObject, sameJson } from './values.ts'

interface CompiledRule {
  readonly rule: ValidationRule
  readonly transition: boolean
  readonly evaluate: (context: { self: unknown; oldSelf?: unknown }) => unknown
  readonly message: ((context: { self: unknown; oldSelf?: unknown }) => unknown) | undefined
}

/**
 * The validation rules of one CRD version (`x-kubernetes-validations`). A rule is compiled when an
 * object first needs it.
 */
export class CelRules {
  readonly #env: Environment
  readonly #compiled = new WeakMap<CustomSchema, readonly CompiledRule[]>()
  readonly #below = new WeakMap<CustomSchema, boolean>()

  constructor(env: Environment = kubernetesCel()) {
    this.#env = env
  }

  /** True when the schema or a part of it has rules. */
  has(schema: CustomSchema): boolean {
    const known = this.#below.get(schema)
    if (known !== undefined) return known
    const found =
      (schema['x-kubernetes-validations']?.length ?? 0) > 0 ||
      Object.values(schema.properties ?? {}).some((property) => this.has(property)) ||
      (schema.items !== undefined && this.has(schema.items)) ||
      (typeof schema.additionalProperties === 'object' && this.has(schema.additionalProperties))
    this.#below.set(schema, found)
    return found
  }

  /** Rules that this server cannot compile, with their paths: `spec.rules[].x`. */
  problems(schema: CustomSchema, path = ''): readonly string[] {
    if (!this.has(schema)) return []
    const found: string[] = []
    for (const rule of schema['x-kubernetes-validations'] ?? []) {
      const checked = this.#env.check(withIndexedHas(rule.rule))
      if (!checked.valid) {
        const why = checked.error?.message.split('\n')[0] ?? 'cannot be compiled'
        found.push(`${path === '' ? '<root>' : path}: rule ${JSON.stringify(rule.rule)}: ${why}`)
      }
    }
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      found.push(...this.problems(property, path === '' ? name : `${path}.${name}`))
    }
    if (schema.items) found.push(...this.problems(schema.items, `${path}[]`))
    if (typeof schema.additionalProperties === 'object') {
      found.push(...this.problems(schema.additionalProperties, `${path}.*`))
    }
    return found
  }

  /** Evaluates every rule; `old` is the stored object of an update. */
  validate(object: unknown, schema: CustomSchema, old: unknown): readonly FieldError[] {
    const errors: FieldError[] = []
    if (this.has(schema)) this.#walk(object, schema, old, '', errors)
    return errors
  }

  #walk(
    value: unknown,
    schema: CustomSchema,
    old: unknown,
    path: string,
    errors: FieldError[],
  ): void {
    if (value === undefined || value === null || !this.has(schema)) return
    if (schema['x-kubernetes-validations']) this.#evaluate(value, schema, old, path, errors)
    if (Array.isArray(value)) {
      const { items } = schema
      if (!items || !this.has(items)) return
      const keys =
        schema['x-kubernetes-list-type'] === 'map'
          ? schema['x-kubernetes-list-map-keys']
          : undefined
      value.forEach((item, index) => {
        const same =
          keys && Array.isArray(old)
            ? old.find((candidate) =>
                keys.every((key) => field(candidate, key) === field(item, key)),
              )
            : undefined
        this.#walk(item, items, same, `${path}[${index}]`, errors)
      })
    } else if (isObject(value)) {
      const { properties, additionalProperties } = schema
      for (const name in value) {
        const property =
          properties && Object.hasOwn(properties, name)
            ? properties[name]
            : typeof additionalProperties === 'object'
              ? additionalProperties
              : undefined
        if (!property) continue
        this.#walk(
          value[name],
          property,
          field(old, name),
          path === '' ? name : `${path}.${name}`,
          errors,
        )
      }
    }
  }

  #evaluate(
    value: unknown,
    schema: CustomSchema,
    old: unknown,
    path: string,
    errors: FieldError[],
  ): void {
    // Values that an update leaves alone are not judged again (ratcheting).
    if (old !== undefined && sameJson(value, old)) return
    const self = celValue(value, schema)
    const hasOld = old !== undefined && old !== null
    const context = hasOld ? { self, oldSelf: celValue(old, schema) } : { self }
    for (const compiled of this.#rulesOf(schema)) {
      if (compiled.transition && !hasOld) continue
      const where = path + (compiled.rule.fieldPath ?? '')
      const failure = this.#failure(compiled, context)
      if (failure === undefined) continue
      const at = where.replace(/^\./, '')
      errors.push(
        failure.kind === 'broken'
          ? invalidValue(at === '' ? '<nil>' : at, typeName(value, schema), failure.message)
          : failedRule({ path: at, value, message: failure.message, rule: compiled.rule }),
      )
    }
  }

  #failure(
    compiled: CompiledRule,
    context: { self: unknown; oldSelf?: unknown },
  ): Failure | undefined {
    try {
      if (compiled.evaluate(context) === true) return undefined
    } catch (error) {
      const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
      const rule = (compiled.rule.message ?? compiled.rule.rule).trim()
      const message = `${why.charAt(0).toLowerCase()}${why.slice(1)} evaluating rule: ${rule}`
      return { kind: 'broken', message }
    }
    if (compiled.message) {
      try {
        const text = compiled.message(context)
        if (typeof text === 'string' && text.trim() !== '') return { kind: 'failed', message: text }
      } catch {
        // As upstream: a message expression that fails falls back to the message.
      }
    }
    const message = compiled.rule.message ?? `failed rule: ${compiled.rule.rule.trim()}`
    return { kind: 'failed', message }
  }

  #rulesOf(schema: CustomSchema): readonly CompiledRule[] {
    const known = this.#compiled.get(schema)
    if (known) return known
    const compiled: CompiledRule[] = []
    for (const rule of schema['x-kubernetes-validations'] ?? []) {
      const text = withIndexedHas(rule.rule)
      // The condition of the CRD names the rules that cannot be compiled; they bind nobody.
      if (!this.#env.check(text).valid) continue
      compiled.push({
        rule,
        transition: /\boldSelf\b/.test(rule.rule),
        evaluate: this.#env.parse(text) as CompiledRule['evaluate'],
        message: this.#messageOf(rule),
      })
    }
    this.#compiled.set(schema, compiled)
    return compiled
  }

  #messageOf({ messageExpression }: ValidationRule): CompiledRule['message'] {
    if (!messageExpression || !this.#env.check(messageExpression).valid) return undefined
    return this.#env.parse(messageExpression) as CompiledRule['evaluate']
  }
}

/** What a rule found: the value does not keep it, or it cannot be evaluated on the value. */
interface Failure {
  readonly kind: 'failed' | 'broken'
  readonly message: string
}

/** Names the value where it is a scalar (apiextensions: schema/cel/validation.go). */
function failedRule(facts: {
  readonly path: string
  readonly value: unknown
  readonly message: string
  readonly rule: ValidationRule
}): FieldError {
  const { path, message, rule } = facts
  const isScalar = typeof facts.value !== 'object'
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return forbiddenField(path, message)
    case 'FieldValueRequired':
      return required(path, message)
    case 'FieldValueDuplicate':
      return isScalar ? duplicate(path, facts.value) : omittedDuplicate(path)
    default: {
      const where = path === '' ? '<nil>' : path
      return isScalar ? invalidValue(where, facts.value, message) : omittedInvalid(where, message)
    }
  }
}

function typeName(value: unknown, schema: CustomSchema): string {
  if (schema['x-kubernetes-int-or-string']) return typeof value === 'string' ? 'string' : 'integer'
  return schema.type ?? (Array.isArray(value) ? 'array' : typeof value)
}

function field(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined
}

/** Words of CEL that a property cannot be called by; escaped as `__name__`. */
const reserved: ReadonlySet<string> = new Set([
  'true',
  'false',
  'null',
  'in',
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
  'var',
  'void',
  'while',
])

/** A JSON value as CEL sees it: integers are big, timestamps are instants, names are escaped. */
function celValue(value: unknown, schema: CustomSchema | undefined): unknown {
  if (typeof value === 'number') {
    return schema?.type === 'number' || !Number.isInteger(value) ? value : BigInt(value)
  }
  if (typeof value === 'string') {
    return schema?.format === 'date-time' ? new Date(value) : value
  }
  if (Array.isArray(value)) return value.map((item) => celValue(item, schema?.items))
  if (!isObject(value)) return value
  const { properties, additionalProperties } = schema ?? {}
  const of = typeof additionalProperties === 'object' ? additionalProperties : undefined
  const converted: Record<string, unknown> = {}
  for (const name in value) {
    if (value[name] === undefined) continue
    const property = properties && Object.hasOwn(properties, name) ? properties[name] : undefined
    converted[property ? escaped(name) : name] = celValue(value[name], property ?? of)
  }
  return converted
}

function escaped(name: string): string {
  if (reserved.has(name)) return `__${name}__`
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && !name.includes('__')) return name
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__')
}
