import { STATUS_CODES } from 'node:http'
import type { TlsMaterial } from '@serinus/kube'
import { beforeDeadline } from './before-deadline.ts'
import type { MeasureInput } from './provider.ts'

const largestBody = 10 * 1024 * 1024
const mostRedirects = 10
const longestExcerpt = 200

/** Header fields in the order they are set: a later one replaces an earlier one, whatever its case. */
export type HeaderFields = readonly (readonly [name: string, value: string])[]

export interface Asked {
  readonly url: string
  readonly method: string
  readonly headers?: HeaderFields
  readonly body?: string
  readonly insecure?: boolean
  /** Shown to the host that is asked and to what is below it, to nobody else that a redirect names. */
  readonly tls?: TlsMaterial | undefined
  /** Named after a failure of TLS where the metric brings its own certificates. */
  readonly provider?: string
  /** Words of Go's client when the deadline is that of the HTTP client, not of the caller. */
  readonly clientTimeout?: boolean
  /** Changes nothing at the server although it is no GET: may be asked twice where a connection broke. */
  readonly isRead?: boolean
  /** Fields that depend on what is sent, such as a signature; they replace what is there. */
  readonly sign?: (message: Unsigned) => Promise<HeaderFields>
}

/** One request as it is about to be sent, at each hop of a redirect. */
export interface Unsigned {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body: string | undefined
}

export interface Reply {
  readonly status: number
  readonly statusText: string
  readonly text: string
  readonly contentType: string
  readonly headers: Headers
}

/** One request; failures read as Go's client words them, so that people find them where they look (spec metric-providers 1.5). */
export async function ask(input: MeasureInput, asked: Asked): Promise<Reply> {
  try {
    return await exchange(input, asked)
  } catch (error) {
    if (!mayAskAgain(asked, error) || input.signal.aborted) throw told(input, asked, error)
  }
  try {
    return await exchange(input, asked)
  } catch (error) {
    throw told(input, asked, error)
  }
}

async function exchange(input: MeasureInput, asked: Asked): Promise<Reply> {
  if (input.signal.aborted) throw input.signal.reason
  const response = await follow(input, asked)
  return {
    status: response.status,
    statusText: response.statusText || (STATUS_CODES[response.status] ?? ''),
    text: await readBounded(response, input.signal),
    contentType: response.headers.get('content-type') ?? '',
    headers: response.headers,
  }
}

/**
 * A server that restarts, or that closes an idle connection just when it is used again, costs a measurement otherwise,
 * and with it 10 s (spec metric-providers, upstream's row 36).
 */
function mayAskAgain(asked: Asked, error: unknown): boolean {
  const reads = asked.isRead === true || ['GET', 'HEAD'].includes(asked.method.toUpperCase())
  return reads && connectionBroke(rootOf(error))
}

function connectionBroke(root: unknown): boolean {
  const { code } = root as { code?: unknown }
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET'
}

function told(input: MeasureInput, asked: Asked, error: unknown): Error {
  return failed(asked, causeText(error, input.signal, asked), error)
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
  const first = new URL(asked.url)
  let { url, method, body } = { url: first, method: asked.method.toUpperCase(), body: asked.body }
  // Once away from the host that was asked, credentials are not told again, even if the way leads back to it.
  let isAway = false
  for (let redirects = 0; ; redirects++) {
    isAway ||= url.hostname !== first.hostname && !url.hostname.endsWith(`.${first.hostname}`)
    const headers = await headersFor(input, asked, {
      url,
      method,
      body,
      isAway,
      isFirst: url.host === first.host,
    })
    const call = input.fetch(
      new Request(withoutCredentials(url), {
        method,
        headers,
        redirect: 'manual',
        signal: input.signal,
        ...(body === undefined ? {} : { body }),
      }),
      {
        ...(asked.insecure ? { insecure: true } : {}),
        ...(asked.tls && !isAway ? { tls: asked.tls } : {}),
      },
    )
    call.then((late) => (input.signal.aborted ? dropBody(late) : undefined)).catch(() => {})
    const response = await beforeDeadline(input.signal, call)
    const target = response.headers.get('location')
    if (![301, 302, 303, 307, 308].includes(response.status) || target === null) return response
    if (redirects === mostRedirects) throw new Error(`stopped after ${mostRedirects} redirects`)
    await dropBody(response)
    url = new URL(target, url)
    if (response.status < 307) {
      if (method !== 'HEAD') method = 'GET'
      body = undefined
    }
  }
}

/** Go's client keeps the keys of vendors, which then reach whoever a redirect names. */
const credentialHeaders = [
  'Authorization',
  'Cookie',
  'Www-Authenticate',
  'DD-API-KEY',
  'DD-APPLICATION-KEY',
  'Api-Key',
]

interface Hop {
  readonly url: URL
  readonly method: string
  readonly body: string | undefined
  /** No longer at the host that was asked or below it. */
  readonly isAway: boolean
  readonly isFirst: boolean
}

async function headersFor(input: MeasureInput, asked: Asked, hop: Hop): Promise<Headers> {
  const { url, method, body, isAway } = hop
  const headers = new Headers([['User-Agent', 'argo-rollouts/serinus']])
  const set = (fields: HeaderFields = []) => {
    for (const [name, value] of fields) headers.set(name, value)
  }
  set(asked.headers)
  if (url.username && !headers.has('Authorization')) {
    const [username, password] = [url.username, url.password].map(decodeURIComponent)
    const basic = basicAuth(username ?? '', password ?? '')
    hideCredentials(input, basic)
    headers.set('Authorization', basic)
  }
  if (body === undefined && asked.body !== undefined) headers.delete('Content-Type')
  if (!hop.isFirst) headers.delete('Host')
  if (isAway) {
    for (const name of credentialHeaders) headers.delete(name)
  } else {
    set(await asked.sign?.({ url, method, headers, body }))
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

/** Not read, the body would hold its connection. */
async function dropBody(response: Response): Promise<void> {
  await response.body?.cancel()
}

/**
 * The signal of a Request reaches its answer only while the Request is in use by somebody; a server that sends its body
 * drop by drop must be left at the deadline all the same.
 */
async function readBounded(response: Response, signal: AbortSignal): Promise<string> {
  if (!response.body) return ''
  const reader = response.body.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (;;) {
      const { done, value } = await beforeDeadline(signal, reader.read())
      // Not Buffer's own: it would keep a byte order mark, which no parser expects.
      if (done) return new TextDecoder().decode(Buffer.concat(chunks))
      size += value.length
      if (size > largestBody) throw new Error(`the answer is larger than ${largestBody} bytes`)
      chunks.push(value)
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

function causeText(error: unknown, signal: AbortSignal, asked: Asked): string {
  if (signal.aborted) {
    const detail = asked.clientTimeout ? ' (Client.Timeout exceeded while awaiting headers)' : ''
    return `context deadline exceeded${detail}`
  }
  const root = rootOf(error)
  const facts = root as { hostname?: string; address?: string; port?: number; message?: string }
  const { code } = root as { code?: unknown }
  const host = facts.address?.includes(':') ? `[${facts.address}]` : facts.address
  const unreachable = typeof code === 'string' ? unreachableTexts[code] : undefined
  if (unreachable && host) return `dial tcp ${host}:${facts.port}: connect: ${unreachable}`
  switch (code) {
    case 'UND_ERR_CONNECT_TIMEOUT':
      return `dial tcp ${new URL(asked.url).host}: i/o timeout`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${facts.hostname}: no such host`
    case 'ECONNRESET':
      return `read: connection reset by peer${certificateHint(asked)}`
    case 'UND_ERR_SOCKET':
      return `EOF${certificateHint(asked)}`
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return 'http: server gave HTTP response to HTTPS client'
  }
  const refusal = typeof code === 'string' ? tlsText(code, facts.message ?? code) : undefined
  if (refusal) return asked.tls && asked.provider ? `${refusal} (${asked.provider})` : refusal
  return facts.message || String(code ?? root)
}

/** Many servers say nothing to a client whose certificate they do not take. */
function certificateHint({ tls }: Asked): string {
  if (!tls) return ''
  const wanted = tls.cert === undefined ? 'a' : 'another'
  return ` (the server may want ${wanted} client certificate)`
}

/** `ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED` is what the server says of our certificate, not what we say of its own. */
function tlsText(code: string, message: string): string | undefined {
  const [, alert] = /^ERR_SSL_.+?_ALERT_(.+)$/.exec(code) ?? []
  if (alert) return `remote error: tls: ${alert.toLowerCase().replaceAll('_', ' ')}`
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code))
    return `tls: failed to verify certificate: ${message}`
  return undefined
}

const unreachableTexts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
}

function rootOf(error: unknown): unknown {
  let root: unknown = error
  for (;;) {
    if (root instanceof AggregateError && root.errors.length > 0) root = root.errors[0]
    else if (root instanceof Error && root.cause !== undefined) root = root.cause
    else return root ?? error
  }
}

/** `Authorization` of a user; null without one. Half of a user is an error. */
export function basicAuthorization(
  user: { readonly username?: string; readonly password?: string } = {},
): string | null {
  const { username, password } = user
  if (!username && !password) return null
  if (username && password) return basicAuth(username, password)
  const missing = username ? 'password' : 'username'
  throw new Error(`missing mandatory parameter in metric for basic auth setup: ${missing}`)
}

/** What follows the scheme of an `Authorization`: a server may send it back without. */
export function hideCredentials(input: Pick<MeasureInput, 'hide'>, authorization: string): void {
  const [, credentials] = /^\S+ (\S+)$/.exec(authorization) ?? []
  if (credentials) input.hide(credentials)
}

export function basicAuth(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Form encoding to the byte as Go's url.Values has it: sorted, `~` plain, `*` escaped. */
export function formEncode(fields: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
  return new URLSearchParams(sorted).toString().replaceAll('%7E', '~').replaceAll('*', '%2A')
}

/**
 * What a server says of its failure, as far as people can read it: a page of HTML says nothing. It ends with a whole word,
 * since half a key that was sent back would not be known as a secret.
 */
export function excerptOf(text: string): string {
  const trimmed = text.trim()
  if (trimmed.startsWith('<')) return ''
  return trimmed.length <= longestExcerpt
    ? trimmed
    : trimmed.slice(0, longestExcerpt + 1).replace(/[^\s"'`<>()[\]{},;]+$|.$/s, '')
}
