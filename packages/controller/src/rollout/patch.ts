import type { Write } from '@serinus/engine'
import { ApiError, type KubeClient, type KubeObject, resources } from '@serinus/kube'

type Patch = Write & { readonly kind: 'patch' }

const fieldManager = 'rollouts-controller'

/** Kinds that the role of Argo Rollouts allows to update but not to patch. */
const updatable: ReadonlySet<string> = new Set([
  resources.pods.plural,
  resources.deployments.plural,
])

/** Sends a patch; where the role only allows updates, as that of Argo Rollouts does, makes the same change with one. */
export async function patchOrUpdate(client: KubeClient, write: Patch): Promise<KubeObject> {
  const { resource, key, patch, subresource } = write
  const options = { fieldManager, ...(subresource ? { subresource } : {}) }
  try {
    return await client.patch<KubeObject>(resource, key, patch, options)
  } catch (error) {
    const isForbidden = error instanceof ApiError && error.code === 403
    if (!isForbidden || !updatable.has(resource.plural) || patch.kind !== 'merge') throw error
    const present = await read(client, write)
    if (!present) throw error
    const changed = merged(present, patch.body) as KubeObject
    // Told is the refusal of the patch: it is the permission that is missing.
    return client.update(resource, changed, { fieldManager }).catch((cause) => {
      throw cause instanceof ApiError && cause.code === 403 ? error : cause
    })
  }
}

/** By a list: that role may list pods and may not get one. Undefined: it is not there, or not to be seen. */
async function read(client: KubeClient, { resource, key }: Patch): Promise<KubeObject | undefined> {
  const { namespace, name } = key
  const { items } = await client.list<KubeObject>(resource, {
    ...(namespace === undefined ? {} : { namespace }),
    fieldSelector: `metadata.name=${name}`,
  })
  return items[0]
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result = new Map(
    Object.entries(typeof target === 'object' && target !== null ? target : {}),
  )
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key)
    else result.set(key, merged(result.get(key), value))
  }
  return Object.fromEntries(result)
}
