import type { Clock, Informer } from '@serinus/kube'
import { keyOf } from '@serinus/kube'
import type { Pod } from '../pods/pod.ts'

/** As long as kube-controller-manager waits for its own writes to come back before it counts again anyway. */
const expiryMs = 300_000

/**
 * Writes of a controller that its cache has not shown yet. Counting pods before then would create or delete too many
 * (kubernetes: ControllerExpectations). Entries go when the cache shows them, at the latest after five minutes.
 */
export class Expectations {
  readonly #clock: Clock
  readonly #pods: Informer<Pod>
  readonly #awaited = new Map<string, Map<string, { gone: boolean; until: number }>>()

  constructor(clock: Clock, pods: Informer<Pod>) {
    this.#clock = clock
    this.#pods = pods
    pods.subscribe((change) => {
      // A pod that came and went between two looks has been seen all the same.
      const podKey = keyOf(change.object)
      const removing = change.type === 'deleted' || change.object.metadata.deletionTimestamp
      for (const [owner, awaited] of this.#awaited) {
        const entry = awaited.get(podKey)
        if (!entry || (entry.gone && !removing)) continue
        awaited.delete(podKey)
        if (awaited.size === 0) this.#awaited.delete(owner)
      }
    })
  }

  created(owner: string, pod: Pod): void {
    if (!this.#pods.get(keyOf(pod))) this.#await(owner, keyOf(pod), false)
  }

  deleted(owner: string, pod: Pod): void {
    const cached = this.#pods.get(keyOf(pod))
    if (cached && !cached.metadata.deletionTimestamp) this.#await(owner, keyOf(pod), true)
  }

  satisfied(owner: string): boolean {
    const awaited = this.#awaited.get(owner)
    if (!awaited) return true
    const now = this.#clock.now()
    for (const [podKey, entry] of awaited) {
      const cached = this.#pods.get(podKey)
      const seen = entry.gone ? !cached || cached.metadata.deletionTimestamp : cached
      if (seen || entry.until <= now) awaited.delete(podKey)
    }
    if (awaited.size > 0) return false
    this.#awaited.delete(owner)
    return true
  }

  forget(owner: string): void {
    this.#awaited.delete(owner)
  }

  #await(owner: string, podKey: string, gone: boolean): void {
    const awaited = this.#awaited.get(owner) ?? new Map()
    awaited.set(podKey, { gone, until: this.#clock.now() + expiryMs })
    this.#awaited.set(owner, awaited)
  }
}
