import { createHash } from 'node:crypto'
import type { TlsMaterial } from '@serinus/kube'
import {
  ask,
  basicAuth,
  failed,
  formEncode,
  type HeaderFields,
  hideCredentials,
  type Reply,
} from './http.ts'
import type { MeasureInput } from './provider.ts'

interface OAuth2 {
  readonly tokenUrl?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly scopes?: readonly string[]
}

interface TokenRequest {
  /** The request that the token is for: failures are told as its own. */
  readonly for: { readonly method: string; readonly url: string }
  readonly insecure: boolean
  readonly tls: TlsMaterial | undefined
  /** As in `Asked`. */
  readonly provider: string
  readonly clientTimeout?: boolean
  /** Headers that every request of the metric carries. */
  readonly headers?: HeaderFields
  /** Used where a token request has no `Authorization` of its own. */
  readonly fallbackAuthorization?: string | null
}

/**
 * Asks with `Authorization` by client credentials; with null where there is no `tokenUrl`. A token is used until it
 * expires, and one that names no end once. Where a kept one is no longer taken (401), a new one is fetched and the question
 * asked again (spec metric-providers 1.5).
 */
export async function askWithToken(
  input: MeasureInput,
  oauth2: OAuth2 | undefined,
  request: TokenRequest & { readonly send: (authorization: string | null) => Promise<Reply> },
): Promise<Reply> {
  const { tokenUrl, clientId, clientSecret } = oauth2 ?? {}
  if (!tokenUrl) return request.send(null)
  if (!clientId || !clientSecret)
    throw new Error('missing mandatory parameter in metric for OAuth2 setup')
  const grant = { tokenUrl, clientId, clientSecret, scopes: oauth2?.scopes ?? [] }
  const key = keyOf(grant, request)
  const known = input.kept.tokens.get(key)
  if (known !== undefined) {
    hideCredentials(input, known)
    const reply = await request.send(known)
    if (reply.status !== 401) return reply
    input.kept.tokens.delete(key)
  }
  const { header, expiresInMs } = await fetchToken(input, grant, request)
  hideCredentials(input, header)
  if (expiresInMs > 0) input.kept.tokens.set(key, header, input.clock.now() + expiresInMs)
  return request.send(header)
}

/** A token that is about to expire could do so on the way. */
const earlyMs = 10_000

interface Grant {
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scopes: readonly string[]
}

/** All that the token server is told: two metrics share a token only where it would be the same. */
function keyOf(grant: Grant, request: TokenRequest): string {
  const { insecure, tls, headers = [], fallbackAuthorization = null } = request
  const facts = JSON.stringify([grant, insecure, tls, headers, fallbackAuthorization])
  return createHash('sha256').update(facts).digest('base64')
}

interface FetchedToken {
  readonly header: string
  /** How long it may be used; 0: this time only. */
  readonly expiresInMs: number
}

/** The client names itself in the header first, then in the body, since servers differ. */
async function fetchToken(
  input: MeasureInput,
  { tokenUrl, clientId, clientSecret, scopes }: Grant,
  request: TokenRequest,
): Promise<FetchedToken> {
  const grant = {
    grant_type: 'client_credentials',
    ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
  }
  const inHeader = basicAuth(goEscape(clientId), goEscape(clientSecret))
  hideCredentials(input, inHeader)
  const inBody = { ...grant, client_id: clientId, client_secret: clientSecret }
  const token = async (authorization: string | null, fields: Readonly<Record<string, string>>) =>
    tokenIn(
      await ask(input, {
        url: tokenUrl,
        method: 'POST',
        body: formEncode(fields),
        insecure: request.insecure,
        tls: request.tls && tlsForTokens(request.tls, tokenUrl, request.for.url),
        provider: request.provider,
        clientTimeout: request.clientTimeout === true,
        headers: [
          ...(authorization === null ? [] : ([['Authorization', authorization]] as const)),
          ['Content-Type', 'application/x-www-form-urlencoded'],
          ...(request.headers ?? []),
        ],
      }),
    )
  try {
    return await token(inHeader, grant)
  } catch {
    try {
      return await token(request.fallbackAuthorization ?? null, inBody)
    } catch (error) {
      throw failed(request.for, error instanceof Error ? error.message : String(error), error)
    }
  }
}

/**
 * Tokens mostly come from elsewhere: from a public service as well as from one behind the same authorities, and under another
 * name than that of the source.
 */
function tlsForTokens(tls: TlsMaterial, tokenUrl: string, sourceUrl: string): TlsMaterial {
  const { serverName, ...rest } = tls
  const isSameHost = URL.parse(tokenUrl)?.hostname === URL.parse(sourceUrl)?.hostname
  return {
    ...rest,
    name: `${tls.name} for tokens`,
    alsoWellKnown: true,
    ...(isSameHost && serverName ? { serverName } : {}),
  }
}

function goEscape(text: string): string {
  return formEncode({ '': text }).slice(1)
}

interface Token {
  readonly access_token?: string
  readonly token_type?: string
  /** Seconds; some servers write it as text. */
  readonly expires_in?: number | string
  readonly error?: string
  readonly error_description?: string
}

function tokenIn(reply: Reply): FetchedToken {
  const token = parseToken(reply)
  if (token?.error) {
    const description = token.error_description
    throw new Error(`oauth2: "${token.error}"${description ? ` "${description}"` : ''}`)
  }
  if (reply.status < 200 || reply.status > 299) {
    throw new Error(
      `oauth2: cannot fetch token: ${reply.status} ${reply.statusText}\nResponse: ${reply.text}`,
    )
  }
  if (!token) throw new Error('oauth2: cannot parse json: the token response is no object')
  if (!token.access_token) throw new Error('oauth2: server response missing access_token')
  const type = String(token.token_type ?? '')
  const word = type === '' || type.toLowerCase() === 'bearer' ? 'Bearer' : type
  const lifeMs = Number(token.expires_in ?? 0) * 1000
  return {
    header: `${word} ${token.access_token}`,
    expiresInMs: Number.isFinite(lifeMs) ? lifeMs - earlyMs : 0,
  }
}

function parseToken(reply: Reply): Token | null {
  if (/^(application\/x-www-form-urlencoded|text\/plain)/.test(reply.contentType))
    return Object.fromEntries(new URLSearchParams(reply.text))
  try {
    const token: unknown = JSON.parse(reply.text)
    return typeof token === 'object' ? token : null
  } catch {
    return null
  }
}
