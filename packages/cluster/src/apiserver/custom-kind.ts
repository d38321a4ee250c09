import type { UnknownObject } from '@serinus/kube'
import { CelRules } from './cel-rules.ts'
import { type CustomSchema, pruneAndDefault, pruneUnknown } from './custom-schema.ts'
import { validateCustom } from './custom-validation.ts'
import { customMergeSchema } from './merge-schema.ts'
import { type ServedResource, type Subresource, scaleSubresource } from './served.ts'
import { type FieldError, invalidValue } from './status-error.ts'

/** A printer column of a CRD. */
export interface PrinterColumn {
  readonly name: string
  readonly type: string
  readonly format?: string
  readonly description?: string
  readonly priority?: number
  readonly jsonPath: string
}

interface ScalePaths {
  readonly specReplicasPath: string
  readonly statusReplicasPath: string
  readonly labelSelectorPath?: string
}

interface WrittenVersion {
  readonly name: string
  readonly served: boolean
  readonly storage: boolean
  readonly deprecated?: boolean
  readonly deprecationWarning?: string
  readonly schema?: { readonly openAPIV3Schema?: CustomSchema }
  readonly subresources?: { readonly status?: object; readonly scale?: ScalePaths }
  readonly additionalPrinterColumns?: readonly PrinterColumn[]
  readonly selectableFields?: readonly { readonly jsonPath: string }[]
}

/** The spec of a CustomResourceDefinition, as far as the server acts on it. */
export interface DefinitionSpec {
  readonly group: string
  readonly scope: 'Namespaced' | 'Cluster'
  readonly names: {
    readonly plural: string
    readonly singular?: string
    readonly kind: string
    readonly listKind?: string
    readonly shortNames?: readonly string[]
    readonly categories?: readonly string[]
  }
  readonly versions: readonly WrittenVersion[]
  readonly preserveUnknownFields?: boolean
}

/** One version of a custom kind: its schema and what follows from it. */
export class CustomVersion {
  readonly schema: CustomSchema
  readonly listKind: string
  readonly columns: readonly PrinterColumn[]
  readonly hasStatus: boolean
  readonly scale: ScalePaths | undefined
  readonly selectableFields: readonly string[]
  readonly deprecation: string | undefined
  #rules: CelRules | undefined

  constructor(spec: DefinitionSpec, version: WrittenVersion) {
    this.schema = version.schema?.openAPIV3Schema ?? {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
    }
    this.listKind = spec.names.listKind ?? `${spec.names.kind}List`
    this.columns = version.additionalPrinterColumns ?? [ageColumn]
    this.hasStatus = version.subresources?.status !== undefined
    this.scale = version.subresources?.scale
    this.selectableFields = (version.selectableFields ?? []).map(({ jsonPath }) =>
      jsonPath.replace(/^\./, ''),
    )
    this.deprecation = version.deprecated
      ? (version.deprecationWarning ??
        `${spec.group}/${version.name} ${spec.names.kind} is deprecated`)
      : undefined
  }

  /** Made when first needed: few CRDs in a cluster have rules that anybody runs into. */
  get rules(): CelRules {
    this.#rules ??= new CelRules()
    return this.#rules
  }

  /** Drops unknown fields (their paths go to `unknown`) and adds defaults. */
  prune(object: UnknownObject, unknown: string[]): UnknownObject {
    return pruneAndDefault(object, this.schema, unknown) as UnknownObject
  }

  /** Drops unknown fields and adds nothing. */
  pruneOnly(object: UnknownObject): UnknownObject {
    return pruneUnknown(object, this.schema) as UnknownObject
  }

  validate(object: UnknownObject, old: UnknownObject | undefined): readonly FieldError[] {
    const errors = validateCustom(object, this.schema, old)
    if (!this.rules.has(this.schema)) return errors
    if (errors.some(({ reason }) => blocking.has(reason))) {
      return [
        ...errors,
        invalidValue(
          '<nil>',
          null,
          'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
        ),
      ]
    }
    return [...errors, ...this.rules.validate(object, this.schema, old)]
  }
}

const ageColumn: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
}

const blocking: ReadonlySet<FieldError['reason']> = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
])

const verbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']

/** Every served version of a custom kind, the preferred one first. */
export function customResources(spec: DefinitionSpec): readonly ServedResource[] {
  const storage = spec.versions.find((version) => version.storage) ?? spec.versions[0]
  return spec.versions
    .filter((version) => version.served)
    .sort((a, b) => compareVersions(a.name, b.name))
    .map((version) => customResource(spec, version, storage?.name ?? version.name))
}

function customResource(
  spec: DefinitionSpec,
  version: WrittenVersion,
  storageVersion: string,
): ServedResource {
  const { group, names } = spec
  const custom = new CustomVersion(spec, version)
  const subresources: Subresource[] = []
  if (custom.hasStatus) {
    subresources.push({ name: 'status', kind: names.kind, verbs: ['get', 'patch', 'update'] })
  }
  if (custom.scale) subresources.push(scaleSubresource)
  return {
    resource: {
      group,
      version: version.name,
      plural: names.plural,
      kind: names.kind,
      namespaced: spec.scope === 'Namespaced',
    },
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs,
    subresources,
    storage: { group, plural: names.plural },
    storedAs: `${group}/${storageVersion}`,
    custom,
    mergeSchema: customMergeSchema(custom.schema),
  }
}

/** Kubernetes' order of versions: v2, v1, v2beta1, v1alpha2, then the rest by name. */
export function compareVersions(a: string, b: string): number {
  const left = versionRank(a)
  const right = versionRank(b)
  if (!left || !right) {
    if (left) return -1
    if (right) return 1
    return a < b ? -1 : a > b ? 1 : 0
  }
  return right.level - left.level || right.major - left.major || right.minor - left.minor
}

function versionRank(version: string) {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
  if (!match) return undefined
  const level = match[2] === 'alpha' ? 0 : match[2] === 'beta' ? 1 : 2
  return { level, major: Number(match[1]), minor: Number(match[3] ?? 0) }
}
