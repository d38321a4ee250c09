import { ask, basicAuth, failed, formEncode, type HeaderFields, type Reply } from './http.ts'
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
  readonly clientTimeout?: boolean
  /** Headers that every request of the metric carries. */
  readonly headers?: HeaderFields
  /** Used where a token request has no `Authorization` of its own. */
  readonly fallbackAuthorization?: string | null
}

/**
 * `Authorization` by client credentials, one token a measurement; null without `tokenUrl`. The client names itself in
 * the header first, then in the body, since servers differ (spec metric-providers 1.5).
 */
export async function oauth2Authorization(
  input: MeasureInput,
  oauth2: OAuth2 | undefined,
  request: TokenRequest,
): Promise<string | null> {
  const { tokenUrl, clientId, clientSecret } = oauth2 ?? {}
  if (!tokenUrl) return null
  if (!clientId || !clientSecret)
    throw new Error('missing mandatory parameter in metric for OAuth2 setup')
  const grant = {
    grant_type: 'client_credentials',
    ...(oauth2?.scopes?.length ? { scope: oauth2.scopes.join(' ') } : {}),
  }
  const inHeader = basicAuth(goEscape(clientId), goEscape(clientSecret))
  const inBody = { ...grant, client_id: clientId, client_secret: clientSecret }
  const token = async (authorization: string | null, fields: Readonly<Record<string, string>>) =>
    authorizationIn(
      await ask(input, {
        url: tokenUrl,
        method: 'POST',
        body: formEncode(fields),
        insecure: request.insecure,
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

function goEscape(text: string): string {
  return formEncode({ '': text }).slice(1)
}

interface Token {
  readonly access_token?: string
  readonly token_type?: string
  readonly error?: string
  readonly error_description?: string
}

function authorizationIn(reply: Reply): string {
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
  return `${type === '' || type.toLowerCase() === 'bearer' ? 'Bearer' : type} ${token.access_token}`
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
