import type { KubeClient } from './client.ts'
import type { Resource } from './objects.ts'

/** One call of a client: what a limiter, a counter or a log may want to know about it. */
export interface ClientRequest {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'raw'
  /** Absent for `raw`. */
  readonly resource?: Resource
  readonly subresource?: string
}

/** Runs `before` ahead of each call; the call starts when the promise it returns resolves, at once without one. */
export function wrapClient(
  client: KubeClient,
  before: (request: ClientRequest, signal: AbortSignal | undefined) => Promise<void> | undefined,
): KubeClient {
  async function call<T>(
    request: ClientRequest,
    signal: AbortSignal | undefined | null,
    send: () => Promise<T>,
  ): Promise<T> {
    const wait = before(request, signal ?? undefined)
    if (wait) await wait
    return send()
  }
  const write = (
    verb: ClientRequest['verb'],
    resource: Resource,
    options: { readonly subresource?: string } | undefined,
  ): ClientRequest =>
    options?.subresource === undefined
      ? { verb, resource }
      : { verb, resource, subresource: options.subresource }

  return {
    get: (resource, key, options) =>
      call({ verb: 'get', resource }, options?.signal, () => client.get(resource, key, options)),
    list: (resource, options) =>
      call({ verb: 'list', resource }, options?.signal, () => client.list(resource, options)),
    async *watch(resource, options) {
      try {
        await before({ verb: 'watch', resource }, options?.signal)
      } catch (error) {
        if (options?.signal?.aborted) return // a watch ends quietly when its signal aborts
        throw error
      }
      yield* client.watch(resource, options)
    },
    create: (resource, object, options) =>
      call(write('create', resource, options), options?.signal, () =>
        client.create(resource, object, options),
      ),
    update: (resource, object, options) =>
      call(write('update', resource, options), options?.signal, () =>
        client.update(resource, object, options),
      ),
    patch: (resource, key, patch, options) =>
      call(write('patch', resource, options), options?.signal, () =>
        client.patch(resource, key, patch, options),
      ),
    delete: (resource, key, options) =>
      call({ verb: 'delete', resource }, options?.signal, () =>
        client.delete(resource, key, options),
      ),
    raw: (path, init) => call({ verb: 'raw' }, init?.signal, () => client.raw(path, init)),
  }
}
