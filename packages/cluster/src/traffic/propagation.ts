import { type Change, type Clock, type Informer, type KubeObject, keyOf } from '@serinus/kube'

/** Objects as a data plane knows them: a change of the API reaches it only after a while. */
export interface Propagated<T extends KubeObject> {
  /** The same list until something has changed. */
  current(): readonly T[]
}

/** @param options.delayMs how long a change takes; 0 for at once */
export function propagate<T extends KubeObject>(
  informer: Informer<T>,
  options: { readonly clock: Clock; readonly delayMs: number },
): Propagated<T> {
  const { clock, delayMs } = options
  const known = new Map<string, T>()
  const underWay: { readonly at: number; readonly change: Change<T> }[] = []
  let list: readonly T[] = []
  informer.subscribe((change) => underWay.push({ at: clock.now() + delayMs, change }))
  return {
    current() {
      const now = clock.now()
      let arrived = 0
      for (const { at, change } of underWay) {
        if (at > now) break
        arrived++
        if (change.type === 'deleted') known.delete(keyOf(change.object))
        else known.set(keyOf(change.object), change.object)
      }
      if (arrived === 0) return list
      underWay.splice(0, arrived)
      list = [...known.values()]
      return list
    },
  }
}
