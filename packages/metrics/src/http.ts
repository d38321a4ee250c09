import type { MeasureInput } from './provider.ts'

const largestBody = 10 * 1024 * 1024

interface Asked {
  readonly url: string
  readonly method: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly insecure?: boolean
}

export interface Reply {
  readonly status: number
  readonly statusText: string
  readonly text: string
  readonly contentType: string
}

/** One request; failures read as Go's client words them, so that people find them where they look (spec metric-providers 1.5). */
export async function ask(input: MeasureInput, asked: Asked): Promise<Reply> {
  const method = asked.method.toUpperCase()
  const title = `${method.charAt(0)}${method.slice(1).toLowerCase()} ${JSON.stringify(asked.url)}`
  let response: Response
  try {
    const request = new Request(asked.url, {
      method,
      headers: { 'User-Agent': 'argo-rollouts/serinus', ...asked.headers },
      ...(asked.body === undefined ? {} : { body: asked.body }),
      signal: input.signal,
    })
    response = await input.fetch(request, asked.insecure ? { insecure: true } : {})
    const text = await readBounded(response)
    return {
      status: response.status,
      statusText: response.statusText,
      text,
      contentType: response.headers.get('content-type') ?? '',
    }
  } catch (error) {
    throw new Error(`${title}: ${causeText(error, input.signal)}`, { cause: error })
  }
}

async function readBounded(response: Response): Promise<string> {
  if (!response.body) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.length
    if (size > largestBody) throw new Error(`the answer is larger than ${largestBody} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function causeText(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'context deadline exceeded'
  const root = rootOf(error)
  const code = (root as { code?: unknown }).code
  const facts = root as { hostname?: string; address?: string; port?: number; message?: string }
  if (code === 'ECONNREFUSED')
    return `dial tcp ${facts.address}:${facts.port}: connect: connection refused`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `dial tcp: lookup ${facts.hostname}: no such host`
  if (code === 'ECONNRESET') return 'read: connection reset by peer'
  if (typeof code === 'string' && /CERT|SELF_SIGNED|UNABLE_TO/.test(code))
    return `tls: failed to verify certificate: ${facts.message}`
  return facts.message ?? String(root)
}

function rootOf(error: unknown): unknown {
  let root: unknown = error
  for (;;) {
    if (root instanceof AggregateError && root.errors.length > 0) root = root.errors[0]
    else if (root instanceof Error && root.cause !== undefined) root = root.cause
    else return root ?? error
  }
}

export function basicAuth(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

interface OAuth2 {
  readonly tokenUrl?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly scopes?: readonly string[]
}

/** Client credentials grant; header authentication first, then in the body (spec metric-providers 1.5). */
export async function oauth2Header(
  input: MeasureInput,
  oauth2: OAuth2,
  insecure: boolean,
): Promise<string | null> {
  const { tokenUrl, clientId, clientSecret } = oauth2
  if (!tokenUrl) return null
  if (!clientId || !clientSecret)
    throw new Error('missing mandatory parameter in metric for OAuth2 setup')
  const form = new URLSearchParams({ grant_type: 'client_credentials' })
  if (oauth2.scopes?.length) form.set('scope', oauth2.scopes.join(' '))
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const post = (extra: Readonly<Record<string, string>>, body: URLSearchParams) =>
    ask(input, {
      url: tokenUrl,
      method: 'POST',
      headers: { ...headers, ...extra },
      body: body.toString(),
      insecure,
    })
  let reply = await post(
    { Authorization: basicAuth(encodeURIComponent(clientId), encodeURIComponent(clientSecret)) },
    form,
  )
  if (reply.status < 200 || reply.status > 299) {
    reply = await post(
      {},
      new URLSearchParams([...form, ['client_id', clientId], ['client_secret', clientSecret]]),
    )
  }
  if (reply.status < 200 || reply.status > 299) {
    throw new Error(
      `oauth2: cannot fetch token: ${reply.status} ${reply.statusText}\nResponse: ${reply.text}`,
    )
  }
  const token = /form|text\/plain/.test(reply.contentType)
    ? Object.fromEntries(new URLSearchParams(reply.text))
    : JSON.parse(reply.text)
  if (token.error)
    throw new Error(
      `oauth2: "${token.error}"${token.error_description ? ` "${token.error_description}"` : ''}`,
    )
  if (!token.access_token) throw new Error('oauth2: server response missing access_token')
  const type =
    !token.token_type || String(token.token_type).toLowerCase() === 'bearer'
      ? 'Bearer'
      : token.token_type
  return `${type} ${token.access_token}`
}
