import type { KubeClient } from '@serinus/kube'

/** The same client, with its writes on record under a component's name (managedFields). */
export function asManager(client: KubeClient, fieldManager: string): KubeClient {
  return {
    get: (resource, key, options) => client.get(resource, key, options),
    list: (resource, options) => client.list(resource, options),
    watch: (resource, options) => client.watch(resource, options),
    create: (resource, object, options) =>
      client.create(resource, object, { fieldManager, ...options }),
    update: (resource, object, options) =>
      client.update(resource, object, { fieldManager, ...options }),
    patch: (resource, key, patch, options) =>
      client.patch(resource, key, patch, { fieldManager, ...options }),
    delete: (resource, key, options) => client.delete(resource, key, options),
    raw: (path, init) => client.raw(path, init),
  }
}
