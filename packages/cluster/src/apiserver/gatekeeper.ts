import { type Authenticator, type ClientCertificate, clusterAdmin } from './authentication.ts'
import type { UserInfo } from './hooks.ts'
import type { Attributes, Authorizer } from './rbac.ts'
import { badRequest, forbidden, StatusError, unauthorized } from './status-error.ts'

/** Who sent a request, as far as the connection tells. */
export interface Peer {
  readonly trusted: boolean
  readonly certificate?: ClientCertificate | undefined
}

/** Says who asks (authentication, impersonation) and refuses what they may not do. */
export class Gatekeeper {
  readonly authenticator: Authenticator
  readonly authorizer: Authorizer

  constructor(authenticator: Authenticator, authorizer: Authorizer) {
    this.authenticator = authenticator
    this.authorizer = authorizer
  }

  /** Throws 401 for wrong credentials, 403 for an impersonation that is not allowed. */
  userOf(request: Request, peer: Peer): UserInfo {
    if (peer.trusted) return clusterAdmin
    const found = this.authenticator.authenticate(request, peer.certificate)
    if (found.kind === 'refused') throw unauthorized()
    return this.#impersonated(request, found.user)
  }

  #impersonated(request: Request, user: UserInfo): UserInfo {
    const { headers } = request
    const username = headers.get('impersonate-user')
    const groups = (headers.get('impersonate-group') ?? '')
      .split(',')
      .map((group) => group.trim())
      .filter((group) => group !== '')
    if (username === null) {
      if (groups.length > 0 || headers.has('impersonate-uid')) {
        throw badRequest(`requested [${groups.join(' ')}] without impersonating a user`)
      }
      return user
    }
    const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username)
    const may = (resource: string, name: string, namespace = '') =>
      this.authorize(user, {
        kind: 'resource',
        verb: 'impersonate',
        group: '',
        resource,
        namespace,
        name,
      })
    if (account) may('serviceaccounts', account[2] ?? '', account[1] ?? '')
    else may('users', username)
    for (const group of groups) may('groups', group)
    if (username === 'system:anonymous') return { username, groups: ['system:unauthenticated'] }
    const implied = account
      ? ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`]
      : []
    const own = groups.length > 0 ? groups : implied
    return {
      username,
      groups: own.includes('system:authenticated') ? own : [...own, 'system:authenticated'],
      ...(headers.get('impersonate-uid') && { uid: headers.get('impersonate-uid') ?? '' }),
    }
  }

  /** Throws 403, in the words of the server, unless RBAC allows it. */
  authorize(user: UserInfo, attributes: Attributes): void {
    const decision = this.authorizer.decide(user, attributes)
    if (decision.allowed) return
    const who = `User ${JSON.stringify(user.username)}`
    const because = decision.reason === '' ? '' : `: ${decision.reason}`
    if (attributes.kind === 'path') {
      throw new StatusError({
        code: 403,
        reason: 'Forbidden',
        message: `forbidden: ${who} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}${because}`,
        details: {},
      })
    }
    const [plural = ''] = attributes.resource.split('/')
    const where =
      attributes.namespace === ''
        ? 'at the cluster scope'
        : `in the namespace ${JSON.stringify(attributes.namespace)}`
    throw forbidden(
      { group: attributes.group, plural },
      attributes.name,
      `${who} cannot ${attributes.verb} resource ${JSON.stringify(attributes.resource)} in API group ${JSON.stringify(attributes.group)} ${where}${because}`,
    )
  }
}
