import type { Informer, KubeObject } from '@serinus/kube'

/** The same caches, whose subscriptions end with the signal: what works for one term of the lease leaves nothing behind. */
export function untilAborted<C extends object>(caches: C, signal: AbortSignal): C {
  const bound = Object.entries(caches).map(([name, value]) => [
    name,
    isInformer(value) ? subscribedUntil(value, signal) : value,
  ])
  return Object.fromEntries(bound) as C
}

function isInformer(value: unknown): value is Informer<KubeObject> {
  return typeof value === 'object' && value !== null && 'subscribe' in value
}

function subscribedUntil(
  informer: Informer<KubeObject>,
  signal: AbortSignal,
): Informer<KubeObject> {
  return {
    get: (key) => informer.get(key),
    list: (namespace) => informer.list(namespace),
    byIndex: (index, value) => informer.byIndex(index, value),
    refresh: () => informer.refresh(),
    synced: informer.synced,
    subscribe(handler) {
      const subscription = informer.subscribe(handler)
      const end = () => subscription[Symbol.dispose]()
      if (signal.aborted) end()
      else signal.addEventListener('abort', end, { once: true })
      return subscription
    },
  }
}
