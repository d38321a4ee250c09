import type { UnknownObject } from '@serinus/kube'
import { CelRules } from './cel-rules.ts'
import { CustomVersion, type DefinitionSpec } from './custom-kind.ts'
import { dns1035LabelProblems, dns1123SubdomainProblems } from './names.ts'
import type { ServedResource } from './served.ts'
import { type FieldError, invalidValue, required } from './status-error.ts'
import { schemaProblems } from './structural-schema.ts'
import { at, listAt, objectAt, sameJson, textAt, withValue } from './values.ts'

/** What the server fills into a CRD that its author left out (apiextensions v1 defaults). */
export function defaultDefinition(definition: UnknownObject): UnknownObject {
  const spec = objectAt(definition, 'spec') as unknown as DefinitionSpec
  const names = spec.names ?? { plural: '', kind: '' }
  return {
    ...definition,
    spec: {
      conversion: { strategy: 'None' },
      ...spec,
      names: {
        ...names,
        listKind: names.listKind ?? `${names.kind}List`,
        singular: names.singular ?? (names.kind ?? '').toLowerCase(),
      },
    },
  }
}

/** The mistakes that make a CRD unusable, in the words of apiextensions' validation. */
export function validateDefinition(definition: UnknownObject): readonly FieldError[] {
  const errors: FieldError[] = []
  const spec = objectAt(definition, 'spec') as unknown as DefinitionSpec
  const { names } = spec
  const { name } = definition.metadata
  if (name !== `${names.plural}.${spec.group}`) {
    errors.push(invalidValue('metadata.name', name, 'must be spec.names.plural+"."+spec.group'))
  }
  const unapproved = approvalProblem(definition)
  if (unapproved) errors.push(unapproved)
  if (!spec.group) errors.push(required('spec.group'))
  else {
    for (const problem of dns1123SubdomainProblems(spec.group)) {
      errors.push(invalidValue('spec.group', spec.group, problem))
    }
  }
  if (!spec.scope) errors.push(required('spec.scope'))
  if (!names.kind) errors.push(required('spec.names.kind'))
  for (const problem of dns1035LabelProblems(names.plural ?? '')) {
    errors.push(invalidValue('spec.names.plural', names.plural, problem))
  }
  const versions = spec.versions ?? []
  const stored = versions.filter((version) => version.storage).length
  if (stored !== 1) {
    errors.push(
      invalidValue('spec.versions', '', 'must have exactly one version marked as storage version'),
    )
  }
  versions.forEach((version, index) => {
    if (version.schema?.openAPIV3Schema === undefined) {
      errors.push(
        required(`spec.versions[${index}].schema.openAPIV3Schema`, 'schemas are required'),
      )
    }
  })
  // Versions of one schema share it inside the server, which then names it by its older place.
  const [first, ...others] = versions
  const isShared = others.every((version) => sameJson(version.schema, first?.schema))
  versions.forEach(({ schema }, index) => {
    if (!schema?.openAPIV3Schema || (isShared && index > 0)) return
    const place = isShared ? 'spec.validation' : `spec.versions[${index}].schema`
    errors.push(...schemaProblems(schema.openAPIV3Schema, `${place}.openAPIV3Schema`))
  })
  return errors
}

/** Status of a CRD once its names are accepted, or refused because `conflict` says so. */
export function definitionStatus(
  definition: UnknownObject,
  options: { readonly now: string; readonly conflict: string | undefined },
): object {
  const spec = definition['spec'] as DefinitionSpec
  const { now, conflict } = options
  const accepted = conflict === undefined
  const stored = spec.versions.find((version) => version.storage)?.name
  const before = listAt(definition, 'status', 'storedVersions') as readonly string[]
  const storedVersions =
    stored === undefined || before.includes(stored) ? before : [...before, stored]
  const known = listAt(definition, 'status', 'conditions') as readonly Condition[]
  const approval = approvalOf(definition)
  const conditions: Condition[] = [
    ...(approval ? [approval] : []),
    {
      type: 'NamesAccepted',
      status: accepted ? 'True' : 'False',
      reason: accepted ? 'NoConflicts' : 'MultipleConflicts',
      message: accepted ? 'no conflicts found' : conflict,
    },
    {
      type: 'Established',
      status: accepted ? 'True' : 'False',
      reason: accepted ? 'InitialNamesAccepted' : 'NotAccepted',
      message: accepted ? 'the initial names have been accepted' : 'not all names are accepted',
    },
  ]
  const unsupported = unsupportedRules(spec)
  if (unsupported.length > 0) {
    conditions.push({
      type: 'ValidationRulesSupported',
      status: 'False',
      reason: 'UnsupportedExpression',
      message: unsupported.slice(0, 10).join('; '),
    })
  }
  return {
    acceptedNames: accepted ? spec.names : { plural: '', kind: '' },
    conditions: conditions.map((condition) => {
      const same = known.find(({ type }) => type === condition.type)
      const unchanged = same?.status === condition.status
      return {
        ...condition,
        lastTransitionTime: unchanged ? (same?.lastTransitionTime ?? now) : now,
      }
    }),
    storedVersions,
  }
}

const approvalKey = 'api-approved.kubernetes.io'
const approvalPage = 'see https://github.com/kubernetes/enhancements/pull/1111'

function isProtected(group: string): boolean {
  return /(^|\.)(k8s|kubernetes)\.io$/.test(group)
}

/** Groups of Kubernetes' community need its word (apiextensions: apihelpers/helpers.go). */
function approvalProblem(definition: UnknownObject): FieldError | undefined {
  if (!isProtected(textAt(definition, 'spec', 'group'))) return undefined
  const field = `metadata.annotations[${approvalKey}]`
  const given = definition.metadata.annotations?.[approvalKey] ?? ''
  const must = `protected groups must have approval annotation ${JSON.stringify(approvalKey)}`
  if (given === '') return required(field, `${must}, ${approvalPage}`)
  if (given.startsWith('unapproved') || URL.canParse(given)) return undefined
  const either = 'with either a URL or a reason starting with "unapproved"'
  return invalidValue(field, given, `${must} ${either}, ${approvalPage}`)
}

function approvalOf(definition: UnknownObject): Condition | undefined {
  if (!isProtected(textAt(definition, 'spec', 'group'))) return undefined
  const given = definition.metadata.annotations?.[approvalKey] ?? ''
  const type = 'KubernetesAPIApprovalPolicyConformant'
  return given.startsWith('unapproved')
    ? {
        type,
        status: 'False',
        reason: 'UnapprovedAnnotation',
        message: `not approved: ${JSON.stringify(given)}`,
      }
    : { type, status: 'True', reason: 'ApprovedAnnotation', message: `approved in ${given}` }
}

/** Where the objects of a CRD lie. */
export function instancesOf(definition: UnknownObject): { group: string; plural: string } {
  return {
    group: textAt(definition, 'spec', 'group'),
    plural: textAt(definition, 'spec', 'names', 'plural'),
  }
}

/** Why the names of a CRD cannot be used, undefined when they can. */
export function nameConflict(
  definition: UnknownObject,
  served: readonly ServedResource[],
): string | undefined {
  const { group, plural } = instancesOf(definition)
  const kind = textAt(definition, 'spec', 'names', 'kind')
  const other = served.find(
    ({ resource }) =>
      resource.group === group && resource.kind === kind && resource.plural !== plural,
  )
  return other && `${JSON.stringify(kind)} is already in use`
}

/** A CRD that waits for the end of its objects. */
export function terminatingDefinition(definition: UnknownObject, now: string): UnknownObject {
  const others = listAt(definition, 'status', 'conditions').filter(
    (condition) => at(condition, 'type') !== 'Terminating',
  )
  const terminating = {
    type: 'Terminating',
    status: 'True',
    reason: 'InstanceDeletionInProgress',
    message: 'CustomResource deletion is in progress',
    lastTransitionTime: now,
  }
  return withValue(definition, ['status', 'conditions'], [...others, terminating])
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime?: string
}

function unsupportedRules(spec: DefinitionSpec): readonly string[] {
  let rules: CelRules | undefined
  const found: string[] = []
  for (const version of spec.versions) {
    const { schema } = new CustomVersion(spec, version)
    rules ??= new CelRules()
    if (rules.has(schema)) found.push(...rules.problems(schema))
  }
  return [...new Set(found)]
}
