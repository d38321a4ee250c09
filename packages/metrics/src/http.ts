import { STATUS_CODES } from 'node:http'
import type { MeasureInput } from './provider.ts'

const largestBody = 10 * 1024 * 1024
const mostRedirects = 10

/** Header fields in the order they are set: a later one replaces an earlier one, whatever its case. */
export type HeaderFields = readonly (readonly [name: string, value: string])[]

export interface Asked {
  readonly url: string
  readonly method: string
  readonly headers?: HeaderFields
  readonly body?: string
  readonly insecure?: boolean
  /** Words of Go's client when the deadline is that of the HTTP client, not of the caller. */
  readonly clientTimeout?: boolean
}

export interface Reply {
  readonly status: number
  readonly statusText: string
  readonly text: string
  readonly contentType: string
}

/** One request; failures read as Go's client words them, so that people find them where they look (spec metric-providers 1.5). */
export async function ask(input: MeasureInput, asked: Asked): Promise<Reply> {
  try {
    if (input.signal.aborted) throw input.signal.reason
    const response = await follow(input, asked)
    const text = await readBounded(response)
    return {
      status: response.status,
      statusText: response.statusText || (STATUS_CODES[response.status] ?? ''),
      text,
      contentType: response.headers.get('content-type') ?? '',
    }
  } catch (error) {
    throw failed(asked, causeText(error, input.signal, asked.clientTimeout === true), error)
  }
}

/** `Get "<url>": <cause>`; a password in the URL is not told. */
export function failed(asked: Pick<Asked, 'method' | 'url'>, text: string, cause: unknown): Error {
  const { method, url } = asked
  const verb = `${method.charAt(0).toUpperCase()}${method.slice(1).toLowerCase()}`
  const shown = url.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*):[^/?#]*@/i, '$1:***@')
  return new Error(`${verb} ${JSON.stringify(shown)}: ${text}`, { cause })
}

/** Follows redirects as Go does; fetch would follow 20 and send a POST again as it pleases. */
async function follow(input: MeasureInput, asked: Asked): Promise<Response> {
  const options = asked.insecure ? { insecure: true } : {}
  const first = new URL(asked.url)
  let { url, method, body } = { url: first, method: asked.method.toUpperCase(), body: asked.body }
  for (let redirects = 0; ; redirects++) {
    const headers = headersFor(asked, { first, url, body })
    const response = await input.fetch(
      new Request(withoutCredentials(url), {
        method,
        headers,
        redirect: 'manual',
        signal: input.signal,
        ...(body === undefined ? {} : { body }),
      }),
      options,
    )
    const target = response.headers.get('location')
    if (![301, 302, 303, 307, 308].includes(response.status) || target === null) return response
    if (redirects === mostRedirects) throw new Error(`stopped after ${mostRedirects} redirects`)
    await response.body?.cancel()
    url = new URL(target, url)
    if (response.status < 307) {
      if (method !== 'HEAD') method = 'GET'
      body = undefined
    }
  }
}

function headersFor(
  asked: Asked,
  hop: { readonly first: URL; readonly url: URL; readonly body: string | undefined },
): Headers {
  const { first, url, body } = hop
  const headers = new Headers([['User-Agent', 'argo-rollouts/serinus']])
  for (const [name, value] of asked.headers ?? []) headers.set(name, value)
  if (url.username && !headers.has('Authorization')) {
    const [username, password] = [url.username, url.password].map(decodeURIComponent)
    headers.set('Authorization', basicAuth(username ?? '', password ?? ''))
  }
  if (body === undefined && asked.body !== undefined) headers.delete('Content-Type')
  // Credentials are for the host that was asked and those below it.
  if (url.hostname !== first.hostname && !url.hostname.endsWith(`.${first.hostname}`)) {
    for (const name of ['Authorization', 'Cookie', 'Www-Authenticate']) headers.delete(name)
  }
  return headers
}

/** fetch refuses a URL that carries them. */
function withoutCredentials(url: URL): string {
  const plain = new URL(url)
  plain.username = ''
  plain.password = ''
  return plain.href
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

function causeText(error: unknown, signal: AbortSignal, clientTimeout: boolean): string {
  if (signal.aborted) {
    const detail = clientTimeout ? ' (Client.Timeout exceeded while awaiting headers)' : ''
    return `context deadline exceeded${detail}`
  }
  const root = rootOf(error)
  const facts = root as { hostname?: string; address?: string; port?: number; message?: string }
  const { code } = root as { code?: unknown }
  if (code === 'ECONNREFUSED')
    return `dial tcp ${facts.address}:${facts.port}: connect: connection refused`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `dial tcp: lookup ${facts.hostname}: no such host`
  if (code === 'ECONNRESET') return 'read: connection reset by peer'
  if (typeof code === 'string' && /CERT|SELF_SIGNED|UNABLE_TO/.test(code))
    return `tls: failed to verify certificate: ${facts.message}`
  return facts.message || String(code ?? root)
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

/** Form encoding to the byte as Go's url.Values has it: sorted, `~` plain, `*` escaped. */
export function formEncode(fields: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
  return new URLSearchParams(sorted).toString().replaceAll('%7E', '~').replaceAll('*', '%2A')
}
