import {
  ApiError,
  type DeleteOptions,
  type KubeClient,
  type ListOptions,
  type ObjectKey,
  type PatchKind,
  type Transport,
  Unreachable,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
} from './client.ts'
import { apiVersionOf, type KubeObject, type ListOf, type Resource } from './objects.ts'
import { unlessAborted } from './unless-aborted.ts'

/** How `httpClient` speaks. */
export interface HttpClientOptions {
  /** Scheme, host and, behind a proxy, a path. Absent: `http://localhost`, good for a handler in this process. */
  readonly baseUrl?: string
  readonly userAgent?: string
  /** Called for each warning the server attaches to an answer (`Warning` header, code 299). */
  readonly onWarning?: (warning: string) => void
}

/**
 * A Kubernetes API over a fetch-standard handler: a socket or a server in this process alike. Rejects with
 * `ApiError` or `Unreachable`, or with the signal's reason when that aborts. Retries nothing, except that a list
 * whose `continue` token expired on the way is asked for once more in one piece, as client-go's pager does.
 */
export function httpClient(transport: Transport, options: HttpClientOptions = {}): KubeClient {
  return new HttpClient(transport, options)
}

const patchContentTypes: Readonly<Record<PatchKind, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  // JSON is YAML, and no server accepts apply patches under a JSON type before 1.36.
  apply: 'application/apply-patch+yaml',
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** What a request is about; becomes the object of an `ApiError`. */
interface Subject {
  readonly resource: Resource
  readonly key?: { readonly namespace?: string | undefined; readonly name?: string }
}

class HttpClient implements KubeClient {
  readonly #transport: Transport
  readonly #baseUrl: string
  readonly #userAgent: string | undefined
  readonly #onWarning: ((warning: string) => void) | undefined

  constructor(transport: Transport, options: HttpClientOptions) {
    this.#transport = transport
    this.#baseUrl = (options.baseUrl ?? 'http://localhost').replace(/\/+$/, '')
    this.#userAgent = options.userAgent
    this.#onWarning = options.onWarning
  }

  get<T extends KubeObject>(
    resource: Resource,
    key: ObjectKey,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    return this.#json<T>({ resource, key }, pathOf(resource, key), { signal: options.signal })
  }

  async list<T extends KubeObject>(
    resource: Resource,
    options: ListOptions = {},
  ): Promise<ListOf<T>> {
    const items: T[] = []
    let token: string | undefined
    let limit = options.limit
    for (;;) {
      const page = await this.#page<T>(resource, options, { token, limit }).catch(
        (error: unknown) => {
          if (token === undefined || !isExpired(error)) throw error
        },
      )
      if (!page) {
        items.length = 0
        token = undefined
        limit = undefined
        continue
      }
      const apiVersion = apiVersionOf(resource)
      for (const item of page.items ?? []) {
        // The server leaves both out of the items of built-in kinds.
        items.push(
          item.kind && item.apiVersion ? item : { ...item, apiVersion, kind: resource.kind },
        )
      }
      token = page.metadata?.continue || undefined
      if (token === undefined) {
        return { items, resourceVersion: page.metadata?.resourceVersion ?? '' }
      }
    }
  }

  #page<T extends KubeObject>(
    resource: Resource,
    options: ListOptions,
    page: { token: string | undefined; limit: number | undefined },
  ): Promise<ListPage<T>> {
    const { namespace, labelSelector, fieldSelector, resourceVersion, signal } = options
    const query = {
      labelSelector,
      fieldSelector,
      limit: page.limit,
      continue: page.token,
      // The token carries the version; naming it again is an error.
      resourceVersion: page.token === undefined ? resourceVersion : undefined,
    }
    return this.#json<ListPage<T>>({ resource }, pathOf(resource, { namespace }), { signal, query })
  }

  async *watch<T extends KubeObject>(
    resource: Resource,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>> {
    const { namespace, labelSelector, fieldSelector, resourceVersion, limit } = options
    const query = {
      watch: 'true',
      labelSelector,
      fieldSelector,
      limit,
      resourceVersion,
      allowWatchBookmarks: options.allowBookmarks ? 'true' : undefined,
      timeoutSeconds: options.timeoutSeconds,
    }
    const path = pathOf(resource, { namespace })
    const { signal, unlink } = linkTo(options.signal)
    try {
      const response = await this.#send({ resource }, path, { signal, query })
      for await (const line of linesOf(response.body, signal)) {
        yield watchEventOf<T>(resource, line)
      }
    } catch (error) {
      if (!signal?.aborted) throw error
    } finally {
      unlink()
    }
  }

  create<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata
    const key = options.subresource ? { namespace, name } : { namespace }
    const path = pathOf(resource, key, options.subresource)
    return this.#json<T>({ resource, key: { ...key, name } }, path, {
      method: 'POST',
      body: object,
      signal: options.signal,
      query: writeQuery(options),
    })
  }

  update<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata
    const key = { namespace, name }
    return this.#json<T>({ resource, key }, pathOf(resource, key, options.subresource), {
      method: 'PUT',
      body: object,
      signal: options.signal,
      query: writeQuery(options),
    })
  }

  patch<T extends KubeObject>(
    resource: Resource,
    key: ObjectKey,
    patch: { readonly kind: PatchKind; readonly body: unknown },
    options: WriteOptions = {},
  ): Promise<T> {
    return this.#json<T>({ resource, key }, pathOf(resource, key, options.subresource), {
      method: 'PATCH',
      body: patch.body,
      contentType: patchContentTypes[patch.kind],
      signal: options.signal,
      query: { ...writeQuery(options), force: options.force ? 'true' : undefined },
    })
  }

  async delete(resource: Resource, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    const { signal: outer, ...body } = options
    const path = pathOf(resource, key)
    const { signal, unlink } = linkTo(outer)
    try {
      const response = await this.#send({ resource, key }, path, {
        method: 'DELETE',
        signal,
        body: { apiVersion: 'v1', kind: 'DeleteOptions', ...body },
      })
      // An unread body keeps the connection busy.
      await response.body?.cancel()
    } finally {
      unlink()
    }
  }

  raw(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    if (this.#userAgent) headers.set('user-agent', this.#userAgent)
    const url = `${this.#baseUrl}${path.startsWith('/') ? '' : '/'}${path}`
    return this.#answer(undefined, new Request(url, { ...init, headers }), init.signal ?? undefined)
  }

  async #json<T>(subject: Subject, path: string, init: Init): Promise<T> {
    const { signal, unlink } = linkTo(init.signal)
    try {
      const response = await this.#send(subject, path, { ...init, signal })
      return await unlessAborted(response.json() as Promise<T>, signal).catch((cause: unknown) => {
        if (signal?.aborted) throw signal.reason
        const request = `${init.method ?? 'GET'} ${path}`
        throw new Unreachable(`the answer to ${request} broke off`, { cause })
      })
    } finally {
      unlink()
    }
  }

  #send(subject: Subject, path: string, init: Init): Promise<Response> {
    const headers: Record<string, string> = { accept: 'application/json' }
    if (this.#userAgent) headers['user-agent'] = this.#userAgent
    const request: RequestInit = { method: init.method ?? 'GET', headers }
    if (init.body !== undefined) {
      headers['content-type'] = init.contentType ?? 'application/json'
      request.body = JSON.stringify(init.body)
    }
    if (init.signal) request.signal = init.signal
    const url = `${this.#baseUrl}${path}${queryText(init.query)}`
    return this.#answer(subject, new Request(url, request), init.signal)
  }

  async #answer(
    subject: Subject | undefined,
    request: Request,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    let response: Response
    try {
      // A handler in this process need not look at the request's signal: the caller is freed all the same.
      response = await unlessAborted(this.#transport(request), signal)
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (error instanceof ApiError || error instanceof Unreachable) throw error
      throw new Unreachable(`no answer to ${request.method} ${request.url}: ${causeOf(error)}`, {
        cause: error,
      })
    }
    this.#tellWarnings(response)
    if (!response.ok) throw await apiErrorOf(subject, request, response)
    return response
  }

  #tellWarnings(response: Response): void {
    const header = this.#onWarning && response.headers.get('warning')
    if (!header) return
    for (const match of header.matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g)) {
      this.#onWarning?.((match[1] as string).replace(/\\(.)/g, '$1'))
    }
  }
}

interface Init {
  readonly method?: string
  readonly body?: unknown
  readonly contentType?: string
  readonly query?: Query
  readonly signal?: AbortSignal | undefined
}

interface ListPage<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
  /** Go prints an empty list as null. */
  readonly items: readonly T[] | null
}

function pathOf(
  resource: Resource,
  key: { readonly namespace?: string | undefined; readonly name?: string },
  subresource?: string,
): string {
  const root = resource.group === '' ? '/api' : `/apis/${resource.group}`
  const parts = [`${root}/${resource.version}`]
  if (resource.namespaced && key.namespace) {
    parts.push('namespaces', encodeURIComponent(key.namespace))
  }
  parts.push(resource.plural)
  if (key.name !== undefined) {
    // An empty name would address the whole collection: a delete of nothing must not delete everything.
    if (key.name === '')
      throw new TypeError(`a ${resource.kind} without a name cannot be addressed`)
    if (resource.namespaced && !key.namespace) {
      throw new TypeError(`${resource.kind} ${key.name} needs a namespace`)
    }
    parts.push(encodeURIComponent(key.name))
  }
  if (subresource) parts.push(subresource)
  return parts.join('/')
}

function writeQuery(options: WriteOptions): Query {
  return {
    fieldManager: options.fieldManager,
    dryRun: options.dryRun ? 'All' : undefined,
  }
}

function queryText(query: Query | undefined): string {
  if (!query) return ''
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') params.set(name, String(value))
  }
  const text = params.toString()
  return text === '' ? '' : `?${text}`
}

async function apiErrorOf(
  subject: Subject | undefined,
  request: Request,
  response: Response,
): Promise<ApiError> {
  const text = await response.text().catch(() => '')
  const status = statusOf(text)
  return errorOfStatus(subject, status ?? {}, {
    code: response.status,
    message:
      text.trim().slice(0, 1024) ||
      `${request.method} ${new URL(request.url).pathname} was answered with ${response.status}`,
    retryAfterMs: retryAfterMs(response.headers),
  })
}

/** meta/v1 Status, as far as a failure uses it. */
interface Status {
  readonly kind?: string
  readonly code?: number
  readonly reason?: string
  readonly message?: string
  readonly details?: {
    readonly name?: string
    readonly kind?: string
    readonly retryAfterSeconds?: number
  }
}

function statusOf(text: string): Status | undefined {
  try {
    const value = JSON.parse(text) as Status | null
    return value !== null && typeof value === 'object' && value.kind === 'Status'
      ? value
      : undefined
  } catch {
    return undefined // a proxy's page: its text becomes the message
  }
}

function errorOfStatus(
  subject: Subject | undefined,
  status: Status,
  answer: { code: number; message: string; retryAfterMs: number | undefined },
): ApiError {
  const code = status.code ?? answer.code
  const name = subject?.key?.name ?? status.details?.name
  const namespace = subject?.key?.namespace
  const seconds = status.details?.retryAfterSeconds
  return new ApiError({
    code,
    reason: status.reason || reasonByCode[code] || 'Unknown',
    message: status.message || answer.message,
    object:
      subject && name
        ? { kind: subject.resource.kind, name, ...(namespace ? { namespace } : {}) }
        : undefined,
    retryAfterMs: seconds ? seconds * 1000 : answer.retryAfterMs,
  })
}

/** What the API machinery itself infers when a server or proxy names no reason (apimachinery: api/errors). */
const reasonByCode: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

/** Seconds, or an instant that is compared with the server's own clock and so needs none of ours. */
function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get('retry-after')
  if (value === null) return undefined
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000
  const ms = Date.parse(value) - Date.parse(headers.get('date') ?? '')
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0)
}

function isExpired(error: unknown): boolean {
  return error instanceof ApiError && error.code === 410
}

function watchEventOf<T extends KubeObject>(resource: Resource, line: string): WatchEvent<T> {
  const event = parseLine(line)
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event.type, object: event.object as T }
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: event.object.metadata?.resourceVersion ?? '' }
    case 'ERROR': {
      const status = event.object as Status
      throw errorOfStatus({ resource }, status, {
        code: status.code ?? 500,
        message: line,
        retryAfterMs: undefined,
      })
    }
    default:
      throw new Unreachable(`a watch of ${resource.plural} sent an unknown event ${event.type}`)
  }
}

function parseLine(line: string): {
  type: string
  object: { metadata?: { resourceVersion?: string } }
} {
  try {
    return JSON.parse(line)
  } catch (cause) {
    // What a cut in the middle of an event looks like when a proxy closes the stream politely.
    throw new Unreachable('a watch broke off in the middle of an event', { cause })
  }
}

/** The lines of a stream, until it ends or the signal aborts. A broken connection throws `Unreachable`. */
async function* linesOf(
  body: ReadableStream<Uint8Array> | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  if (!body) return
  const reader = body.getReader()
  // Ends a pending read at once: a handler in this process need not look at the request's signal.
  const onAbort = () => void reader.cancel(signal?.reason).catch(() => {})
  if (signal?.aborted) return onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const decoder = new TextDecoder()
    // Pieces of the unfinished line are joined once: appending to a string that is searched each time is quadratic.
    let pieces: string[] = []
    for (;;) {
      const { done, value } = await reader.read()
      if (signal?.aborted) return
      const text = done ? decoder.decode() : decoder.decode(value, { stream: true })
      let start = 0
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
        pieces.push(text.slice(start, end))
        start = end + 1
        const line = pieces.join('').trim()
        pieces = []
        if (line !== '') yield line
        if (signal?.aborted) return
      }
      if (start < text.length) pieces.push(text.slice(start))
      if (!done) continue
      const rest = pieces.join('').trim()
      if (rest !== '') yield rest
      return
    }
  } catch (error) {
    if (signal?.aborted) return
    if (error instanceof ApiError || error instanceof Unreachable) throw error
    throw new Unreachable(`a watch was cut: ${causeOf(error)}`, { cause: error })
  } finally {
    signal?.removeEventListener('abort', onAbort)
    // Also reached when the consumer leaves its loop: the server must learn that nobody listens.
    void reader.cancel().catch(() => {})
  }
}

/**
 * A signal of its own for each call. A `Request` lets go of its signal only when it is collected, so requests made
 * directly with a signal that lives as long as the process pile up on it: 20,000 of them took 9 s instead of 0.1 s.
 */
function linkTo(outer: AbortSignal | undefined): {
  readonly signal: AbortSignal | undefined
  unlink(): void
} {
  if (!outer) return { signal: undefined, unlink: () => {} }
  const own = new AbortController()
  const onAbort = () => own.abort(outer.reason)
  if (outer.aborted) onAbort()
  else outer.addEventListener('abort', onAbort, { once: true })
  return { signal: own.signal, unlink: () => outer.removeEventListener('abort', onAbort) }
}

/** fetch says "fetch failed" and hides what happened in `cause`. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (error.message !== 'fetch failed' || !(cause instanceof Error)) return error.message
  return cause.message || (cause as NodeJS.ErrnoException).code || cause.name
}
