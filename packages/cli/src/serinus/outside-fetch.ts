import type { Dispatcher } from 'undici'

/**
 * `fetch` for metric providers and notification services in the world outside: honours HTTP_PROXY, HTTPS_PROXY and
 * NO_PROXY, and leaves certificates unchecked where the user asked for it (`insecure: true`).
 */
export async function outsideFetch(
  request: Request,
  options: { readonly insecure?: boolean } = {},
): Promise<Response> {
  const undici = await import('undici')
  const dispatcher: Dispatcher = options.insecure
    ? new undici.Agent({ connect: { rejectUnauthorized: false } })
    : new undici.EnvHttpProxyAgent()
  const body = request.body === null ? null : Buffer.from(await request.arrayBuffer())
  const answer = await undici.fetch(request.url, {
    method: request.method,
    headers: [...request.headers],
    body,
    redirect: request.redirect,
    signal: request.signal,
    dispatcher,
  })
  return answer as unknown as Response
}
