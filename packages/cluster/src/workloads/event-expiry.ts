import { type KubeObject, keyOf, resources, startInformer } from '@serinus/kube'
import { type Context, ignoreNotFound, startController } from './controller.ts'

/** `--event-ttl` of kube-apiserver. */
const eventTtlMs = 3_600_000

/** Removes Events an hour after they were last written, as etcd does for the real API server. */
export function startEventExpiry(context: Context): void {
  const { client, clock, signal, onError } = context
  const expiresAt = new Map<string, number>()
  const { queue } = startController(context, { component: 'apiserver', sync })
  const events = startInformer<KubeObject>({
    client,
    clock,
    signal,
    resource: resources.events,
    transform: withoutContent,
    ...(onError ? { onError } : {}),
  })
  events.subscribe(({ type, object }) => {
    const key = keyOf(object)
    if (type === 'deleted') {
      expiresAt.delete(key)
      return
    }
    const at = clock.now() + eventTtlMs
    // One visit is on its way for each Event; it finds out whether the Event was written again.
    if (!expiresAt.has(key)) queue.addAt(key, at)
    expiresAt.set(key, at)
  })

  async function sync(key: string): Promise<void> {
    const at = expiresAt.get(key)
    const event = events.get(key)
    if (at === undefined || !event) return
    if (at > clock.now()) {
      queue.addAt(key, at)
      return
    }
    const { namespace, name } = event.metadata
    const target = { name, ...(namespace === undefined ? {} : { namespace }) }
    await client.delete(resources.events, target).catch(ignoreNotFound)
  }
}

function withoutContent({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion } = metadata
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  }
}
