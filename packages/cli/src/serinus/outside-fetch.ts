import { getCACertificates } from 'node:tls'
import type { FetchOptions, TlsMaterial } from '@serinus/kube'
import type { Dispatcher } from 'undici'
import { proxyFor } from './proxy-for.ts'

/** As metric providers and notification services ask the world outside. */
export type OutsideFetch = (request: Request, options?: FetchOptions) => Promise<Response>

/** As Go's client; the deadline of the caller is mostly shorter. */
const connectTimeoutMs = 30_000
/** Each holds a few connections and a set of certificates; beyond that the one unused for longest goes. */
const mostPools = 100

/** Connections that were made in the same way. */
interface Pool {
  readonly dispatcher: Dispatcher
  readonly tls: string
  /** Requests that have no answer yet. */
  users: number
  isRetired: boolean
}

/**
 * `fetch` for the world outside: through the proxies that the environment names, with certificates unchecked where the user
 * asked for it (`insecure: true`), with the caller's own certificates, and under the name that a `Host` header says.
 * Connections are kept for the next request that brings the same certificates.
 */
export function outsideFetch(env: Readonly<Record<string, string | undefined>>): OutsideFetch {
  const proxyOf = proxyFor(env)
  const pools = new Map<string, Pool>()

  function poolFor(undici: typeof import('undici'), url: URL, options: FetchOptions): Pool {
    const proxy = proxyOf(url)
    const key = JSON.stringify([proxy, options.insecure === true, options.tls?.name])
    const tls = JSON.stringify(options.tls ?? null)
    const known = pools.get(key)
    pools.delete(key)
    const isSame = known?.tls === tls
    if (known && !isSame) retire(known)
    const pool = isSame
      ? known
      : { dispatcher: dispatcherFor(undici, proxy, options), tls, users: 0, isRetired: false }
    pools.set(key, pool)
    const [oldest] = pools
    if (pools.size > mostPools && oldest) {
      pools.delete(oldest[0])
      retire(oldest[1])
    }
    return pool
  }

  return async (request, options = {}) => {
    const undici = await import('undici')
    const url = new URL(request.url)
    const body = request.body === null ? null : Buffer.from(await request.arrayBuffer())
    const pool = poolFor(undici, url, options)
    const name = { host: request.headers.get('host'), server: options.tls?.serverName }
    pool.users++
    try {
      const answer = await undici.fetch(request.url, {
        method: request.method,
        headers: [...request.headers],
        body,
        redirect: request.redirect,
        signal: request.signal,
        dispatcher: underName(pool.dispatcher, name, url),
      })
      return answer as unknown as Response
    } finally {
      pool.users--
      closeUnused(pool)
    }
  }
}

function dispatcherFor(
  undici: typeof import('undici'),
  proxy: string | null,
  { insecure = false, tls }: FetchOptions,
): Dispatcher {
  const connect = {
    rejectUnauthorized: !insecure,
    timeout: connectTimeoutMs,
    ...(tls ? connectOptions(tls) : {}),
  }
  // As Argo Rollouts asks Prometheus, and as the Kubernetes API is asked: an error of a connection over HTTP/2 can reach
  // streams that nobody hears any more.
  const options = { allowH2: false }
  return proxy === null
    ? new undici.Agent({ ...options, connect })
    : new undici.ProxyAgent({
        ...options,
        uri: proxy,
        requestTls: connect,
        connectTimeout: connectTimeoutMs,
      })
}

function connectOptions({ ca, alsoWellKnown, cert, key, serverName }: TlsMaterial) {
  return {
    ...(ca === undefined ? {} : { ca: alsoWellKnown ? [...getCACertificates(), ca] : ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  }
}

function retire(pool: Pool): void {
  pool.isRetired = true
  closeUnused(pool)
}

/** Answers that are still being read come to their end. */
function closeUnused(pool: Pool): void {
  if (pool.isRetired && pool.users === 0) pool.dispatcher.close().catch(() => {})
}

/** fetch drops a `Host` header of the caller: it is set behind its back. TLS still checks the host that was asked. */
function underName(
  dispatcher: Dispatcher,
  name: { readonly host: string | null; readonly server: string | undefined },
  url: URL,
): Dispatcher {
  const { host, server } = name
  if (host === null || host === url.host) return dispatcher
  const servername = server ?? url.hostname
  return dispatcher.compose((dispatch) => (options, handler) => {
    if (String(options.origin) !== url.origin) return dispatch(options, handler)
    const headers = { ...(options.headers as Readonly<Record<string, string>>), host }
    return dispatch({ ...options, headers, servername } as typeof options, handler)
  })
}
