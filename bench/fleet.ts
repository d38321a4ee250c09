import { kinds } from '@serinus/api'
import { type Clock, type KubeClient, startInformer } from '@serinus/kube'
import type { StoredRollout } from '../test/virtual-cluster.ts'
import { isCompleted, isHealthy } from './rollouts.ts'

/** When each of many Rollouts got where it was wanted, in milliseconds of the given clock. */
export interface Fleet extends Disposable {
  /** Resolves when every Rollout of the fleet is Healthy with the image `NAME:tag`; instants in the order they came. */
  healthy(tag: string): Promise<readonly number[]>
  /** The image change of every Rollout, sent as fast as the API takes them. */
  change(tag: string): Promise<void>
}

/** Follows the Rollouts of a namespace as any client could: by a watch. */
export function followFleet(options: {
  readonly client: KubeClient
  readonly clock: Clock
  readonly namespace: string
  readonly names: readonly string[]
}): Fleet {
  const { client, clock, namespace, names } = options
  const ended = new AbortController()
  const rollouts = startInformer<StoredRollout>({
    client,
    clock,
    namespace,
    resource: kinds.rollouts,
    signal: ended.signal,
  })
  return {
    healthy: (tag) =>
      new Promise((resolve) => {
        const missing = new Set(names)
        const instants: number[] = []
        const subscription = rollouts.subscribe(({ object }) => {
          const { name } = object.metadata
          if (!isAt(object, tag) || !missing.delete(name)) return
          instants.push(clock.now())
          if (missing.size > 0) return
          subscription[Symbol.dispose]()
          resolve(instants)
        })
      }),
    async change(tag) {
      for (const name of names) {
        const containers = [
          { name: 'app', image: `${name}:${tag}`, ports: [{ containerPort: 8080 }] },
        ]
        const body = { spec: { template: { spec: { containers } } } }
        await client.patch(kinds.rollouts, { namespace, name }, { kind: 'merge', body })
      }
    },
    [Symbol.dispose]: () => ended.abort(),
  }
}

function isAt(rollout: StoredRollout, tag: string): boolean {
  const { name, generation } = rollout.metadata
  return (
    rollout.spec.template?.spec?.containers?.[0]?.image === `${name}:${tag}` &&
    rollout.status?.observedGeneration === String(generation) &&
    isHealthy(rollout) &&
    isCompleted(rollout)
  )
}
