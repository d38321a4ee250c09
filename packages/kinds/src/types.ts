/** The facts about the Kubernetes structs that the generator read from their Go source. */

import generated from './types.generated.json' with { type: 'json' }

/** Names a struct: group directory, version and Go name, such as `core/v1.PodTemplateSpec`. */
export type TypeRef = string

/** The shape of one value. Custom JSON forms of Go types are kinds of their own. */
export type FieldType =
  | { readonly kind: 'struct'; readonly ref: TypeRef }
  | { readonly kind: 'pointer'; readonly to: FieldType }
  | { readonly kind: 'list'; readonly of: FieldType }
  | { readonly kind: 'map'; readonly of: FieldType }
  /** `enum` is the published closed set, sorted; servers check it in validation, not in decoding. */
  | { readonly kind: 'string'; readonly enum?: StringEnum }
  | { readonly kind: 'int32' }
  | { readonly kind: 'int64' }
  | { readonly kind: 'bool' }
  | { readonly kind: 'float' }
  | { readonly kind: 'quantity' }
  | { readonly kind: 'intOrString' }
  | { readonly kind: 'time' }
  | { readonly kind: 'microTime' }
  | { readonly kind: 'bytes' }
  /** An embedded object of unknown kind: RawExtension. */
  | { readonly kind: 'rawObject' }
  /** Any JSON value: apiextensions' JSON. */
  | { readonly kind: 'json' }
  /** The field set of a managedFields entry. */
  | { readonly kind: 'fieldsV1' }
  | { readonly kind: 'schemaOrBool' }
  | { readonly kind: 'schemaOrArray' }
  | { readonly kind: 'schemaOrStringArray' }

/** A Go string type with a closed set of values. */
export interface StringEnum {
  readonly ref: TypeRef
  readonly values: readonly string[]
}

export interface Field {
  /** The JSON name. */
  readonly name: string
  readonly type: FieldType
  /** How Go names the type in its decoding errors, where the shape does not tell: `v1.UID`. */
  readonly goType?: string
  readonly omitEmpty: boolean
  readonly omitZero: boolean
  /** As the published OpenAPI says it: neither marked `+optional` nor `omitempty`. */
  readonly required: boolean
  /** Tags of strategic merge patch, such as `merge` or `merge,retainKeys`. */
  readonly patchStrategy?: string
  readonly patchMergeKey?: string
  /** Markers of server-side apply. */
  readonly listType?: 'atomic' | 'set' | 'map'
  readonly listMapKeys?: readonly string[]
  readonly mapType?: 'atomic' | 'granular'
  readonly structType?: 'atomic' | 'granular'
  /** Value of a `+default` marker. */
  readonly default?: unknown
}

export interface StructType {
  readonly ref: TypeRef
  /** Name in the published OpenAPI: `io.k8s.api.core.v1.PodTemplateSpec`. */
  readonly openApiName: string
  /** In declaration order, embedded structs flattened in place. */
  readonly fields: readonly Field[]
  readonly mapType?: 'atomic' | 'granular'
  readonly structType?: 'atomic' | 'granular'
  /** Marker of a struct embedded here: CRDs inherit it, the published OpenAPI does not. */
  readonly embeddedMapType?: 'atomic' | 'granular'
  /** API kinds of this struct; empty for parts of other structs. */
  readonly kinds: readonly GroupVersionKind[]
}

export interface GroupVersionKind {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** The struct of that name, or undefined when no built-in kind reaches it. */
export function structType(ref: TypeRef): StructType | undefined {
  const known = parsedStructs.get(ref)
  if (known) return known
  const written = facts.structs[ref]
  if (!written) return undefined
  const parsed = parseStruct(ref, written)
  parsedStructs.set(ref, parsed)
  return parsed
}

/** The struct that another struct refers to: the generator wrote both, so it exists. */
export function referredStruct(ref: TypeRef): StructType {
  const struct = structType(ref)
  if (!struct) throw new TypeError(`types.generated.json lacks ${ref}`)
  return struct
}

/**
 * The struct behind `apiVersion` and `kind` of a built-in object or list; undefined for any other
 * pair. `kindType('apps/v1', 'Deployment')` is `apps/v1.Deployment`.
 */
export function kindType(apiVersion: string, kind: string): TypeRef | undefined {
  const kinds = facts.kinds[apiVersion]
  return kinds && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
}

/** Every struct the built-in kinds reach, sorted. */
export function allStructs(): readonly TypeRef[] {
  return Object.keys(facts.structs)
}

interface WrittenField {
  readonly n: string
  readonly t: string
  readonly g?: string
  readonly o?: number
  readonly z?: number
  readonly r?: number
  readonly ps?: string
  readonly pk?: string
  readonly lt?: string
  readonly lk?: readonly string[]
  readonly mt?: string
  readonly st?: string
  readonly d?: unknown
}
interface WrittenStruct {
  readonly f: readonly WrittenField[]
  readonly mt?: string
  readonly st?: string
  readonly em?: string
}
interface Written {
  readonly structs: Readonly<Record<string, WrittenStruct>>
  readonly enums: Readonly<Record<string, readonly string[]>>
  readonly kinds: Readonly<Record<string, Readonly<Record<string, string>>>>
}

// The generator is the only writer of that file.
const facts = generated as unknown as Written
/** Structs are parsed when first asked for, since a process needs few of the five hundred. */
const parsedStructs = new Map<TypeRef, StructType>()

function parseStruct(ref: TypeRef, written: WrittenStruct): StructType {
  return {
    ref,
    openApiName: openApiNameOf(ref),
    fields: written.f.map(parseField),
    kinds: kindsOf(ref),
    ...(written.mt && { mapType: written.mt as 'atomic' | 'granular' }),
    ...(written.st && { structType: written.st as 'atomic' | 'granular' }),
    ...(written.em && { embeddedMapType: written.em as 'atomic' | 'granular' }),
  }
}

function parseField(written: WrittenField): Field {
  return {
    name: written.n,
    type: parseType(written.t),
    omitEmpty: written.o === 1,
    omitZero: written.z === 1,
    required: written.r === 1,
    ...(written.g && { goType: written.g }),
    ...(written.ps && { patchStrategy: written.ps }),
    ...(written.pk && { patchMergeKey: written.pk }),
    ...(written.lt && { listType: written.lt as 'atomic' | 'set' | 'map' }),
    ...(written.lk && { listMapKeys: written.lk }),
    ...(written.mt && { mapType: written.mt as 'atomic' | 'granular' }),
    ...(written.st && { structType: written.st as 'atomic' | 'granular' }),
    ...(written.d !== undefined && { default: written.d }),
  }
}

const plainTypes: ReadonlyMap<string, FieldType> = new Map(
  (
    [
      'string',
      'int32',
      'int64',
      'bool',
      'float',
      'quantity',
      'intOrString',
      'time',
      'microTime',
      'bytes',
      'rawObject',
      'json',
      'fieldsV1',
      'schemaOrBool',
      'schemaOrArray',
      'schemaOrStringArray',
    ] as const
  ).map((kind) => [kind, { kind }]),
)

/** Reads the generator's notation: `*int32`, `[]core/v1.Container`, `map string`. */
function parseType(text: string): FieldType {
  if (text.startsWith('*')) return { kind: 'pointer', to: parseType(text.slice(1)) }
  if (text.startsWith('[]')) return { kind: 'list', of: parseType(text.slice(2)) }
  if (text.startsWith('map ')) return { kind: 'map', of: parseType(text.slice(4)) }
  if (text.startsWith('enum ')) {
    const ref = text.slice(5)
    return { kind: 'string', enum: { ref, values: facts.enums[ref] ?? [] } }
  }
  return plainTypes.get(text) ?? { kind: 'struct', ref: text }
}

function kindsOf(ref: TypeRef): readonly GroupVersionKind[] {
  const found: GroupVersionKind[] = []
  for (const [apiVersion, kinds] of Object.entries(facts.kinds)) {
    for (const [kind, target] of Object.entries(kinds)) {
      if (target !== ref) continue
      const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
      found.push({ group: group ?? '', version: version ?? '', kind })
    }
  }
  return found
}

const openApiPrefixes: Readonly<Record<string, string>> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
}

function openApiNameOf(ref: TypeRef): string {
  const [group, rest] = ref.split('/')
  return `${openApiPrefixes[group ?? ''] ?? `io.k8s.api.${group}`}.${rest}`
}
