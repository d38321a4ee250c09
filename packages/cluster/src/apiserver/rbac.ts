import type { UnknownObject } from '@serinus/kube'
import type { UserInfo } from './hooks.ts'
import { matchesLabelSelector } from './selectors.ts'
import type { Store } from './store.ts'
import { at, listAt, textAt } from './values.ts'

/** One question to the authorizer. */
export type Attributes =
  | {
      readonly kind: 'resource'
      readonly verb: string
      readonly group: string
      /** With its subresource: `pods/log`. */
      readonly resource: string
      /** Empty: cluster-wide. */
      readonly namespace: string
      readonly name: string
    }
  | { readonly kind: 'path'; readonly verb: string; readonly path: string }

export interface PolicyRule {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
}

export type Decision =
  | { readonly allowed: true; readonly reason: string }
  | { readonly allowed: false; readonly reason: string }

const group = 'rbac.authorization.k8s.io'
const clusterRoleBindings = { group, plural: 'clusterrolebindings' }
const roleBindings = { group, plural: 'rolebindings' }
const clusterRoles = { group, plural: 'clusterroles' }
const roles = { group, plural: 'roles' }

/** Evaluates Role, ClusterRole and their bindings as they stand in the store (plugin/pkg/auth/authorizer/rbac). */
export class Authorizer {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  decide(user: UserInfo, attributes: Attributes): Decision {
    if (user.groups.includes('system:masters')) return { allowed: true, reason: '' }
    const namespace = attributes.kind === 'resource' ? attributes.namespace : ''
    const missing: string[] = []
    for (const granted of this.#grants(user, namespace, missing)) {
      if (granted.rules.some((rule) => covers(rule, attributes))) {
        return { allowed: true, reason: granted.reason }
      }
    }
    return { allowed: false, reason: missing.length > 0 ? `RBAC: ${missing.join(', ')}` : '' }
  }

  /** Every rule that holds for the user in the namespace. */
  rulesFor(user: UserInfo, namespace: string): readonly PolicyRule[] {
    const rules = [...this.#grants(user, namespace, [])].flatMap(({ rules: found }) => found)
    if (!user.groups.includes('system:masters')) return rules
    return [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
      ...rules,
    ]
  }

  *#grants(
    user: UserInfo,
    namespace: string,
    missing: string[],
  ): Iterable<{ readonly rules: readonly PolicyRule[]; readonly reason: string }> {
    for (const binding of this.#store.list(clusterRoleBindings)) {
      if (!bindsUser(binding, user)) continue
      yield { rules: this.#rulesOf(binding, '', missing), reason: reasonOf(binding, user) }
    }
    if (namespace === '') return
    for (const binding of this.#store.list(roleBindings, namespace)) {
      if (!bindsUser(binding, user)) continue
      yield { rules: this.#rulesOf(binding, namespace, missing), reason: reasonOf(binding, user) }
    }
  }

  #rulesOf(binding: UnknownObject, namespace: string, missing: string[]): readonly PolicyRule[] {
    const kind = textAt(binding, 'roleRef', 'kind')
    const name = textAt(binding, 'roleRef', 'name')
    const role =
      kind === 'ClusterRole'
        ? this.#store.get(clusterRoles, name)
        : this.#store.get(roles, `${namespace}/${name}`)
    if (!role) {
      missing.push(`${kind.toLowerCase()}.${group} ${JSON.stringify(name)} not found`)
      return []
    }
    return listAt(role, 'rules') as readonly PolicyRule[]
  }
}

function bindsUser(binding: UnknownObject, user: UserInfo): boolean {
  return listAt(binding, 'subjects').some((subject) => {
    const name = textAt(subject, 'name')
    switch (textAt(subject, 'kind')) {
      case 'User':
        return name === user.username
      case 'Group':
        return user.groups.includes(name)
      case 'ServiceAccount': {
        const namespace = textAt(subject, 'namespace') || (binding.metadata.namespace ?? '')
        return user.username === `system:serviceaccount:${namespace}:${name}`
      }
      default:
        return false
    }
  })
}

function reasonOf(binding: UnknownObject, user: UserInfo): string {
  const { name, namespace } = binding.metadata
  const place = namespace ? `${name}/${namespace}` : name
  const role = `${textAt(binding, 'roleRef', 'kind')} ${JSON.stringify(textAt(binding, 'roleRef', 'name'))}`
  const subject = listAt(binding, 'subjects').find(
    (candidate) =>
      textAt(candidate, 'name') === user.username ||
      user.groups.includes(textAt(candidate, 'name')),
  )
  const who =
    textAt(subject, 'kind') === 'Group'
      ? `Group ${JSON.stringify(textAt(subject, 'name'))}`
      : `User ${JSON.stringify(user.username)}`
  return `RBAC: allowed by ${binding.kind} ${JSON.stringify(place)} of ${role} to ${who}`
}

function covers(rule: PolicyRule, attributes: Attributes): boolean {
  if (!rule.verbs.includes('*') && !rule.verbs.includes(attributes.verb)) return false
  if (attributes.kind === 'path') {
    return (rule.nonResourceURLs ?? []).some((pattern) =>
      pattern.endsWith('*')
        ? attributes.path.startsWith(pattern.slice(0, -1))
        : pattern === attributes.path,
    )
  }
  const groups = rule.apiGroups ?? []
  if (!groups.includes('*') && !groups.includes(attributes.group)) return false
  const names = rule.resourceNames ?? []
  if (names.length > 0 && !names.includes(attributes.name)) return false
  return (rule.resources ?? []).some((resource) => {
    if (resource === '*' || resource === attributes.resource) return true
    const slash = attributes.resource.indexOf('/')
    return slash >= 0 && resource === `*${attributes.resource.slice(slash)}`
  })
}

/** What an aggregated ClusterRole holds: the rules of every role its selectors find. */
export function aggregatedRules(
  store: Store,
  role: UnknownObject,
): readonly PolicyRule[] | undefined {
  const selectors = listAt(role, 'aggregationRule', 'clusterRoleSelectors')
  if (selectors.length === 0) return undefined
  const rules: PolicyRule[] = []
  for (const selector of selectors) {
    for (const other of store.list(clusterRoles)) {
      if (other.metadata.name === role.metadata.name) continue
      if (!matchesLabelSelector(selector, other.metadata.labels ?? {})) continue
      for (const rule of (at(other, 'rules') ?? []) as readonly PolicyRule[]) {
        const text = JSON.stringify(rule)
        if (!rules.some((known) => JSON.stringify(known) === text)) rules.push(rule)
      }
    }
  }
  return rules
}
