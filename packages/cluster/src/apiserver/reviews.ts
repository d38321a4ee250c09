import { apiVersionOf, type UnknownObject } from '@serinus/kube'
import { type Authenticator, issuer } from './authentication.ts'
import type { UserInfo } from './hooks.ts'
import type { Attributes, Authorizer, PolicyRule } from './rbac.ts'
import type { ServedResource } from './served.ts'
import { badRequest, invalid, invalidValue } from './status-error.ts'
import { at, isObject, type JsonObject, listAt, objectAt, textAt } from './values.ts'

/** Kinds that are questions: they are answered and never stored. */
export function isReview(served: ServedResource): boolean {
  return (
    served.resource.group === 'authorization.k8s.io' ||
    served.resource.group === 'authentication.k8s.io'
  )
}

export function review(
  served: ServedResource,
  body: JsonObject,
  options: {
    readonly user: UserInfo
    readonly namespace: string
    readonly authenticator: Authenticator
    readonly authorizer: Authorizer
  },
): UnknownObject {
  const { user, authenticator, authorizer } = options
  const answer = (status: object): UnknownObject =>
    ({
      ...body,
      kind: served.resource.kind,
      apiVersion: apiVersionOf(served.resource),
      metadata: { ...objectAt(body, 'metadata'), creationTimestamp: null },
      spec: body['spec'] ?? {},
      status,
    }) as unknown as UnknownObject
  const decision = (who: UserInfo) => {
    const decided = authorizer.decide(who, attributesOf(body))
    return answer({ allowed: decided.allowed, ...(decided.reason && { reason: decided.reason }) })
  }
  switch (served.resource.kind) {
    case 'SelfSubjectAccessReview':
      return decision(user)
    case 'SubjectAccessReview':
    case 'LocalSubjectAccessReview':
      return decision(subjectOf(body))
    case 'SelfSubjectRulesReview':
      return answer(rulesStatus(authorizer.rulesFor(user, textAt(body, 'spec', 'namespace'))))
    case 'SelfSubjectReview':
      return answer({ userInfo: user })
    case 'TokenReview': {
      const found = authenticator.userOfToken(textAt(body, 'spec', 'token'))
      const audiences = listAt(body, 'spec', 'audiences')
      return answer(
        found
          ? {
              authenticated: true,
              user: found,
              audiences: audiences.length > 0 ? audiences : [issuer],
            }
          : { user: {}, error: '[invalid bearer token, token lookup failed]' },
      )
    }
    default:
      throw badRequest(`unknown review: ${served.resource.kind}`)
  }
}

function subjectOf(body: JsonObject): UserInfo {
  const spec = objectAt(body, 'spec')
  if (textAt(spec, 'user') === '' && listAt(spec, 'groups').length === 0) {
    throw invalid({ group: 'authorization.k8s.io', kind: 'SubjectAccessReview' }, '', [
      invalidValue('spec.user', '', 'at least one of user or group must be specified'),
    ])
  }
  return { username: textAt(spec, 'user'), groups: listAt(spec, 'groups') as readonly string[] }
}

function attributesOf(body: JsonObject): Attributes {
  const path = at(body, 'spec', 'nonResourceAttributes')
  const resource = at(body, 'spec', 'resourceAttributes')
  if (isObject(path))
    return { kind: 'path', verb: textAt(path, 'verb'), path: textAt(path, 'path') }
  if (!isObject(resource)) {
    throw invalid({ group: 'authorization.k8s.io', kind: 'SelfSubjectAccessReview' }, '', [
      invalidValue(
        'spec.resourceAttributes',
        null,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    ])
  }
  const subresource = textAt(resource, 'subresource')
  return {
    kind: 'resource',
    verb: textAt(resource, 'verb'),
    group: textAt(resource, 'group'),
    resource: textAt(resource, 'resource') + (subresource === '' ? '' : `/${subresource}`),
    namespace: textAt(resource, 'namespace'),
    name: textAt(resource, 'name'),
  }
}

function rulesStatus(rules: readonly PolicyRule[]): object {
  return {
    resourceRules: rules
      .filter(({ resources }) => resources !== undefined)
      .map(({ verbs, apiGroups, resources, resourceNames }) => ({
        verbs,
        apiGroups,
        resources,
        ...(resourceNames && { resourceNames }),
      })),
    nonResourceRules: rules
      .filter(({ nonResourceURLs }) => nonResourceURLs !== undefined)
      .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
  }
}
