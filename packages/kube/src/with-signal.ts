import type { KubeClient } from './client.ts'

/** A client whose calls end with this signal where they have none of their own. */
export function withSignal(client: KubeClient, signal: AbortSignal): KubeClient {
  const ending = <O extends { readonly signal?: AbortSignal }>(options: O | undefined): O =>
    ({ signal, ...options }) as O
  return {
    get: (resource, key, options) => client.get(resource, key, ending(options)),
    list: (resource, options) => client.list(resource, ending(options)),
    watch: (resource, options) => client.watch(resource, ending(options)),
    create: (resource, object, options) => client.create(resource, object, ending(options)),
    update: (resource, object, options) => client.update(resource, object, ending(options)),
    patch: (resource, key, patch, options) => client.patch(resource, key, patch, ending(options)),
    delete: (resource, key, options) => client.delete(resource, key, ending(options)),
    raw: (path, init) => client.raw(path, { signal, ...init }),
  }
}
