import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import type { Clock, UnknownObject } from '@serinus/kube'
import type { UserInfo } from './hooks.ts'
import type { Journal } from './journal.ts'
import type { Store } from './store.ts'

/** The subject of a client certificate that the server's CA signed. */
export interface ClientCertificate {
  readonly commonName: string
  readonly organizations: readonly string[]
}

/** The user that in-process callers are, and whom the kubeconfig's credentials name. */
export const clusterAdmin: UserInfo = {
  username: 'kubernetes-admin',
  groups: ['system:masters', 'system:authenticated'],
}

const anonymous: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] }
const serviceAccounts = { group: '', plural: 'serviceaccounts' }
export const issuer = 'https://kubernetes.default.svc.cluster.local'

export type Authentication =
  | { readonly kind: 'user'; readonly user: UserInfo }
  /** Credentials came, and they are wrong: 401. */
  | { readonly kind: 'refused' }

/** Knows users by bearer token (the admin's, service accounts') and by client certificate. */
export class Authenticator {
  readonly adminToken: string
  readonly #clock: Clock
  readonly #store: Store
  readonly #key: KeyObject
  readonly #publicKey: KeyObject

  constructor(options: { clock: Clock; store: Store; journal?: Journal | undefined }) {
    this.#clock = options.clock
    this.#store = options.store
    this.adminToken = kept(options.journal, 'admin-token', () => randomBytes(24).toString('hex'))
    const pem = kept(options.journal, 'service-account-key', () =>
      generateKeyPairSync('ec', { namedCurve: 'P-256' })
        .privateKey.export({ format: 'pem', type: 'pkcs8' })
        .toString(),
    )
    this.#key = createPrivateKey(pem)
    this.#publicKey = createPublicKey(this.#key)
  }

  authenticate(request: Request, certificate: ClientCertificate | undefined): Authentication {
    const header = request.headers.get('authorization')
    if (header?.toLowerCase().startsWith('bearer ')) {
      const user = this.userOfToken(header.slice(7).trim())
      return user ? { kind: 'user', user } : { kind: 'refused' }
    }
    if (header) return { kind: 'refused' }
    if (certificate) {
      const groups = [...certificate.organizations, 'system:authenticated']
      return { kind: 'user', user: { username: certificate.commonName, groups } }
    }
    return { kind: 'user', user: anonymous }
  }

  userOfToken(token: string): UserInfo | undefined {
    if (token === this.adminToken) return clusterAdmin
    const claims = this.#claims(token)
    if (!claims) return undefined
    const [, , namespace = '', name = ''] = claims.sub.split(':')
    const account = this.#store.get(serviceAccounts, `${namespace}/${name}`)
    if (!account || account.metadata.uid !== claims['kubernetes.io'].serviceaccount.uid)
      return undefined
    return {
      username: claims.sub,
      uid: account.metadata.uid ?? '',
      groups: [
        'system:serviceaccounts',
        `system:serviceaccounts:${namespace}`,
        'system:authenticated',
      ],
      extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`] },
    }
  }

  /** A token for a service account, valid for `seconds` of cluster time. */
  issue(
    account: UnknownObject,
    options: { readonly seconds: number; readonly audiences: readonly string[] },
  ): { readonly token: string; readonly expiresAt: number } {
    const issuedAt = Math.floor(this.#clock.now() / 1000)
    const { namespace = '', name, uid = '' } = account.metadata
    const claims: Claims = {
      aud: options.audiences,
      exp: issuedAt + options.seconds,
      iat: issuedAt,
      iss: issuer,
      jti: randomBytes(16).toString('hex'),
      'kubernetes.io': { namespace, serviceaccount: { name, uid } },
      nbf: issuedAt,
      sub: `system:serviceaccount:${namespace}:${name}`,
    }
    const head = base64url(JSON.stringify({ alg: 'ES256', kid: 'serinus', typ: 'JWT' }))
    const text = `${head}.${base64url(JSON.stringify(claims))}`
    const signature = sign('sha256', Buffer.from(text), {
      key: this.#key,
      dsaEncoding: 'ieee-p1363',
    })
    return { token: `${text}.${signature.toString('base64url')}`, expiresAt: claims.exp * 1000 }
  }

  /** The public key, for those who check tokens themselves (JWKS). */
  get jwks(): object {
    const jwk = this.#publicKey.export({ format: 'jwk' })
    return { keys: [{ ...jwk, kid: 'serinus', use: 'sig', alg: 'ES256' }] }
  }

  #claims(token: string): Claims | undefined {
    const [head, body, signature] = token.split('.')
    if (!head || !body || !signature) return undefined
    const valid = verify(
      'sha256',
      Buffer.from(`${head}.${body}`),
      { key: this.#publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    )
    if (!valid) return undefined
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims
    return claims.exp * 1000 > this.#clock.now() ? claims : undefined
  }
}

interface Claims {
  readonly aud: readonly string[]
  readonly exp: number
  readonly iat: number
  readonly iss: string
  readonly jti: string
  readonly 'kubernetes.io': {
    readonly namespace: string
    readonly serviceaccount: { readonly name: string; readonly uid: string }
  }
  readonly nbf: number
  readonly sub: string
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}

/** A secret that outlives the process where there is a journal. */
function kept(journal: Journal | undefined, name: string, make: () => string): string {
  const known = journal?.fact(name)
  if (known !== undefined) return known
  const made = make()
  journal?.keepFact(name, made)
  return made
}
