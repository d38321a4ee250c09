import { kinds } from '@serinus/api'
import { type Clock, type KubeClient, type KubeObject, startInformer } from '@serinus/kube'
import type { StoredRollout } from '../test/virtual-cluster.ts'
import { canary, isCompleted, isHealthy } from './rollouts.ts'

/** Many Rollouts of one replica and one step, followed as any client could: by a watch. */
export interface Fleet extends Disposable {
  readonly names: readonly string[]
  /** Resolves when every one is Healthy with the image `NAME:tag`; instants of the clock in the order they came. */
  healthy(tag: string): Promise<readonly number[]>
  /** Creates them all, with the image `NAME:v1`. */
  create(): Promise<void>
  /** The image change of every one, as fast as the API takes them. */
  change(tag: string): Promise<void>
  changeOne(name: string, tag: string): Promise<void>
}

export function startFleet(options: {
  readonly client: KubeClient
  readonly clock: Clock
  readonly namespace: string
  readonly size: number
}): Fleet {
  const { client, clock, namespace, size } = options
  const names = Array.from({ length: size }, (_, n) => `app-${n}`)
  const ended = new AbortController()
  const rollouts = startInformer<StoredRollout>({
    client,
    clock,
    namespace,
    resource: kinds.rollouts,
    signal: ended.signal,
  })
  const changeOne = async (name: string, tag: string) => {
    const containers = [{ name: 'app', image: `${name}:${tag}`, ports: [{ containerPort: 8080 }] }]
    const body = { spec: { template: { spec: { containers } } } }
    await client.patch(kinds.rollouts, { namespace, name }, { kind: 'merge', body })
  }
  return {
    names,
    healthy: (tag) =>
      new Promise((resolve) => {
        const missing = new Set(names)
        const instants: number[] = []
        const subscription = rollouts.subscribe(({ object }) => {
          if (!isAt(object, tag) || !missing.delete(object.metadata.name)) return
          instants.push(clock.now())
          if (missing.size > 0) return
          // Not inside the subscription itself: the last one may be told while it is made.
          queueMicrotask(() => subscription[Symbol.dispose]())
          resolve(instants)
        })
      }),
    async create() {
      await atOnce(names, async (name) => {
        const one = canary(name, {
          replicas: 1,
          steps: [{ setWeight: 50 }],
          revisionHistoryLimit: 2,
        })
        const object: KubeObject = { ...one, metadata: { ...one.metadata, namespace } }
        await client.create(kinds.rollouts, object)
      })
    },
    change: (tag) => atOnce(names, (name) => changeOne(name, tag)),
    changeOne,
    [Symbol.dispose]: () => ended.abort(),
  }
}

const hands = 8

/** One after the other, an API server at its limit would spread what is meant to happen at once over a minute. */
async function atOnce(
  names: readonly string[],
  act: (name: string) => Promise<void>,
): Promise<void> {
  const left = [...names]
  const hand = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) await act(name)
  }
  await Promise.all(Array.from({ length: hands }, hand))
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
