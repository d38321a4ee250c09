import type { TypeRef } from '@serinus/kinds'

/** What may stand at one place of a manifest. CRDs, parser and TypeScript types come from it. */
export type SchemaNode =
  | {
      readonly kind: 'string'
      readonly format?: 'date-time'
      readonly values?: readonly string[]
      readonly default?: string
    }
  | { readonly kind: 'integer'; readonly format: 'int32' | 'int64' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'intOrString' }
  /** A number, fractions too, or its text: arguments can only be filled into text. */
  | { readonly kind: 'numberOrString' }
  /** Any object; unknown fields survive. */
  | { readonly kind: 'any' }
  | { readonly kind: 'list'; readonly items: SchemaNode }
  | { readonly kind: 'map'; readonly values: SchemaNode }
  | {
      readonly kind: 'object'
      readonly fields: Readonly<Record<string, SchemaField>>
      readonly rules?: readonly CelRule[]
      /** The API server takes anything here: a CRD that says all of it would grow too large. */
      readonly isOpenInCrd?: true
    }
  /** The metadata of a whole object, which the API server itself looks after. */
  | { readonly kind: 'metadata' }
  /** A struct of Kubernetes itself, described by `@serinus/kinds`. */
  | { readonly kind: 'kubernetes'; readonly ref: TypeRef; readonly rules?: readonly CelRule[] }

export interface SchemaField {
  readonly node: SchemaNode
  readonly required: boolean
  readonly description: string
}

export interface CelRule {
  readonly rule: string
  readonly message: string
}

declare const held: unique symbol

/** A schema node that remembers the TypeScript type of its values. */
export interface Typed<T> {
  readonly node: SchemaNode
  readonly [held]?: T
}

export type Static<S> = S extends Typed<infer T> ? T : never

interface RequiredField<T> extends SchemaField {
  readonly required: true
  readonly [held]?: T
}
interface OptionalField<T> extends SchemaField {
  readonly required: false
  readonly [held]?: T
}
type Fields = Readonly<Record<string, RequiredField<unknown> | OptionalField<unknown>>>
type FieldsOf<F extends Fields> = {
  readonly [K in keyof F as F[K] extends RequiredField<unknown>
    ? K
    : never]: F[K] extends RequiredField<infer T> ? T : never
} & {
  readonly [K in keyof F as F[K] extends OptionalField<unknown>
    ? K
    : never]?: F[K] extends OptionalField<infer T> ? T : never
}
type Flat<T> = { [K in keyof T]: T[K] }

export function required<T>(type: Typed<T>, description: string): RequiredField<T> {
  return { node: type.node, required: true, description }
}

export function optional<T>(type: Typed<T>, description: string): OptionalField<T> {
  return { node: type.node, required: false, description }
}

export const string: Typed<string> = { node: { kind: 'string' } }
/** RFC 3339. */
export const time: Typed<string> = { node: { kind: 'string', format: 'date-time' } }
export const int32: Typed<number> = { node: { kind: 'integer', format: 'int32' } }
export const int64: Typed<number> = { node: { kind: 'integer', format: 'int64' } }
export const boolean: Typed<boolean> = { node: { kind: 'boolean' } }
export const intOrString: Typed<number | string> = { node: { kind: 'intOrString' } }
/** Read with `parseNumber`. */
export const numberOrString: Typed<number | string> = { node: { kind: 'numberOrString' } }
export const any: Typed<unknown> = { node: { kind: 'any' } }

/** A string that the API server itself checks against a closed set. */
export function oneOf<const V extends readonly string[]>(
  values: V,
  options: { readonly default?: V[number] } = {},
): Typed<V[number]> {
  return { node: { kind: 'string', values, ...options } }
}

/** A string whose known values the type names, while the API server takes any text. */
export function word<const V extends string>(..._values: readonly V[]): Typed<V> {
  return { node: { kind: 'string' } }
}

export function stringWithDefault(value: string): Typed<string> {
  return { node: { kind: 'string', default: value } }
}

export function list<T>(items: Typed<T>): Typed<readonly T[]> {
  return { node: { kind: 'list', items: items.node } }
}

export function map<T>(values: Typed<T>): Typed<Readonly<Record<string, T>>> {
  return { node: { kind: 'map', values: values.node } }
}

/** The order of the fields is the order in which Go declares them: the step hash depends on it. */
export function object<F extends Fields>(
  fields: F,
  rules?: readonly CelRule[],
): Typed<Flat<FieldsOf<F>>> {
  return { node: { kind: 'object', fields, ...(rules && { rules }) } }
}

/** The same object, checked by our parser alone. */
export function openInCrd<T>({ node }: Typed<T>): Typed<T> {
  if (node.kind !== 'object') throw new TypeError(`only an object can be open, not ${node.kind}`)
  return { node: { ...node, isOpenInCrd: true } }
}

export function kubernetes<T>(ref: TypeRef, rules?: readonly CelRule[]): Typed<T> {
  return { node: { kind: 'kubernetes', ref, ...(rules && { rules }) } }
}

/** The schema of a whole object of one of our kinds. */
export function resource<Spec, Status>(
  spec: Typed<Spec>,
  status: Typed<Status>,
): Typed<ResourceOf<Spec> & { readonly status?: Status }>
export function resource<Spec>(spec: Typed<Spec>): Typed<ResourceOf<Spec>>
export function resource(spec: Typed<unknown>, status?: Typed<unknown>): Typed<unknown> {
  return object({
    apiVersion: optional(string, 'Version of the API that this object is written for.'),
    kind: optional(string, 'Kind of this object.'),
    metadata: optional({ node: { kind: 'metadata' } }, 'Name, namespace, labels and the like.'),
    spec: required(spec, 'What is wanted.'),
    ...(status && { status: optional(status, 'What the controller has seen and done.') }),
  })
}

export interface ResourceOf<Spec> {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: Spec
}

/** The metadata of a Kubernetes object (meta/v1 ObjectMeta). */
export interface ObjectMeta {
  readonly name: string
  readonly generateName?: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly OwnerReference[]
  readonly finalizers?: readonly string[]
  readonly managedFields?: readonly unknown[]
}

/** Who brought an object into being (meta/v1 OwnerReference). */
export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}
