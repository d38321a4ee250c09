import type { Dispatcher } from 'undici'
import type { Transport } from './client.ts'

/** How to reach a server: certificates are PEM text. */
export interface Reach {
  /**
   * Sent with each request, one line per value: a server takes `Impersonate-Group: a, b` for one group, and fetch
   * would join them so.
   */
  readonly headers: Readonly<Record<string, string[]>>
  readonly ca: string | undefined
  readonly insecureSkipTlsVerify: boolean
  readonly serverName: string | undefined
  /** The cluster's own proxy; it goes before those of the environment. */
  readonly proxyUrl: string | undefined
  readonly environmentProxies: {
    readonly http: string | undefined
    readonly https: string | undefined
    readonly none: string | undefined
  }
}

/** Who asks: headers and, for mutual TLS, a client certificate. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

export interface CredentialSource {
  current(): Promise<Credentials>
  /** Forgets what the server refused. False: the same would come again. */
  renew(): boolean
}

/**
 * A transport over sockets, by undici. A request that was refused with 401 is sent once more when the credentials can
 * be renewed. undici is loaded at the first request, since many commands never send one and it takes 50 ms.
 */
export function networkTransport(reach: Reach, source: CredentialSource): Transport {
  let loaded: Promise<typeof import('undici')> | undefined
  let dispatcher: { readonly for: string; readonly value: Dispatcher } | undefined

  return async function send(request) {
    // Kept: the loader resolves a module anew at each import, which cost more than the request itself.
    loaded ??= import('undici')
    const undici = await loaded
    // Kept as bytes: a stream could not be sent a second time.
    const body = request.body === null ? undefined : await request.arrayBuffer()
    for (let attempt = 1; ; attempt++) {
      const credentials = await source.current()
      const identity = `${credentials.cert ?? ''}\n${credentials.key ?? ''}`
      if (dispatcher?.for !== identity) {
        // Requests under way end on the old one; its idle connections close by themselves.
        dispatcher = { for: identity, value: dispatcherFor(undici, reach, credentials) }
      }
      const send = request.method === 'GET' ? undici.fetch : wholeAnswer
      const response = await send(request.url, {
        method: request.method as Dispatcher.HttpMethod,
        headers: { ...Object.fromEntries(request.headers), ...credentials.headers },
        signal: request.signal,
        dispatcher: dispatcher.value,
        ...(body === undefined ? {} : { body: Buffer.from(body) }),
      })
      if (response.status === 401 && attempt === 1 && source.renew()) {
        await response.body?.cancel()
        continue
      }
      // undici's own Response: the same standard, another class than the global one.
      return response as unknown as Response
    }

    /** The answer to a write is one object: read at once, it costs half the processor time of fetch's streams. */
    async function wholeAnswer(
      url: string,
      options: {
        readonly method: Dispatcher.HttpMethod
        readonly headers: Record<string, string>
        readonly signal: AbortSignal
        readonly dispatcher: Dispatcher
        readonly body?: Buffer
      },
    ): Promise<Response> {
      const answer = await undici.request(url, options)
      const content = await answer.body.arrayBuffer()
      const headers = Object.entries(answer.headers).flatMap(([name, value]) =>
        [value ?? []].flat().map((one): [string, string] => [name, one]),
      )
      const isEmpty = [204, 205, 304].includes(answer.statusCode)
      return new Response(isEmpty ? null : content, { status: answer.statusCode, headers })
    }
  }
}

function dispatcherFor(
  undici: typeof import('undici'),
  reach: Reach,
  credentials: Credentials,
): Dispatcher {
  const tls = {
    ...(reach.ca === undefined ? {} : { ca: reach.ca }),
    ...(reach.insecureSkipTlsVerify ? { rejectUnauthorized: false } : {}),
    ...(reach.serverName === undefined ? {} : { servername: reach.serverName }),
    ...(credentials.cert === undefined ? {} : { cert: credentials.cert }),
    ...(credentials.key === undefined ? {} : { key: credentials.key }),
  }
  return connectionsFor(undici, reach, tls).compose(
    (dispatch) => (request, handler) =>
      dispatch(
        { ...request, headers: { ...fieldsOf(request.headers), ...reach.headers } },
        handler,
      ),
  )
}

function connectionsFor(
  undici: typeof import('undici'),
  reach: Reach,
  tls: { ca?: string; rejectUnauthorized?: boolean; cert?: string; key?: string },
): Dispatcher {
  const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000 }
  // A watch may be silent for as long as it likes; that its connection is alive is TCP's business.
  const options = {
    bodyTimeout: 0,
    headersTimeout: 90_000,
    // Over HTTP/2 the error of a connection also reaches streams that were given up before and that nobody hears any
    // more: such an error took the process down (undici 8.13, a kube-apiserver, five idle seconds).
    allowH2: false,
  }
  const { http, https, none } = reach.environmentProxies
  if (reach.proxyUrl !== undefined) {
    return /^socks/.test(reach.proxyUrl)
      ? new undici.Socks5ProxyAgent(reach.proxyUrl.replace(/^socks5h:/, 'socks5:'), {
          ...options,
          requestTls: tls,
        })
      : new undici.ProxyAgent({ ...options, uri: reach.proxyUrl, requestTls: tls })
  }
  if (http !== undefined || https !== undefined) {
    return new undici.EnvHttpProxyAgent({
      ...options,
      connect,
      requestTls: tls,
      httpProxy: http ?? '',
      httpsProxy: https ?? '',
      noProxy: none ?? '',
    })
  }
  return new undici.Agent({ ...options, connect })
}

/** fetch hands its headers to a dispatcher as a plain object. */
function fieldsOf(headers: Dispatcher.DispatchOptions['headers']): Record<string, string> {
  return (headers ?? {}) as Record<string, string>
}
