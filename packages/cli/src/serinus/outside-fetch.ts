import type { Dispatcher } from 'undici'
import { proxyFor } from './proxy-for.ts'

/** As metric providers and notification services ask the world outside. */
export type OutsideFetch = (
  request: Request,
  options?: { readonly insecure?: boolean },
) => Promise<Response>

/** As Go's client; the deadline of the caller is mostly shorter. */
const connectTimeoutMs = 30_000

/**
 * `fetch` for the world outside: through the proxies that the environment names, with certificates unchecked where the user
 * asked for it (`insecure: true`), and under the name that a `Host` header says. Connections are kept for the next request.
 */
export function outsideFetch(env: Readonly<Record<string, string | undefined>>): OutsideFetch {
  const proxyOf = proxyFor(env)
  const dispatchers = new Map<string, Dispatcher>()
  return async (request, { insecure = false } = {}) => {
    const undici = await import('undici')
    const url = new URL(request.url)
    const proxy = proxyOf(url)
    const key = JSON.stringify([proxy, insecure])
    let dispatcher = dispatchers.get(key)
    if (!dispatcher) {
      const tls = { rejectUnauthorized: !insecure, timeout: connectTimeoutMs }
      dispatcher =
        proxy === null
          ? new undici.Agent({ connect: tls })
          : new undici.ProxyAgent({ uri: proxy, requestTls: tls, connectTimeout: connectTimeoutMs })
      dispatchers.set(key, dispatcher)
    }
    const body = request.body === null ? null : Buffer.from(await request.arrayBuffer())
    const answer = await undici.fetch(request.url, {
      method: request.method,
      headers: [...request.headers],
      body,
      redirect: request.redirect,
      signal: request.signal,
      dispatcher: underName(dispatcher, request.headers.get('host'), url),
    })
    return answer as unknown as Response
  }
}

/** fetch drops a `Host` header of the caller: it is set behind its back. TLS still checks the host that was asked. */
function underName(dispatcher: Dispatcher, host: string | null, url: URL): Dispatcher {
  if (host === null || host === url.host) return dispatcher
  return dispatcher.compose((dispatch) => (options, handler) => {
    if (String(options.origin) !== url.origin) return dispatch(options, handler)
    const headers = { ...(options.headers as Readonly<Record<string, string>>), host }
    return dispatch({ ...options, headers, servername: url.hostname } as typeof options, handler)
  })
}
