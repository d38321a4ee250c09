import { kinds } from '@serinus/api'
import {
  httpClient,
  type KubeClient,
  type KubeObject,
  kubeconfigTransport,
  RealClock,
  type Resource,
  type UnknownObject,
} from '@serinus/kube'
import { type LocalCluster, startLocalCluster } from '../packages/cli/src/serinus/local-cluster.ts'
import { applyManifests } from '../packages/cli/src/serinus/manifests.ts'
import type { StoredRollout } from '../test/virtual-cluster.ts'

/** The product as `serinus up` runs it, in this process and real time. */
export interface RealCluster extends AsyncDisposable {
  readonly local: LocalCluster
  /** A user's client: over TLS and a socket, as kubectl's. */
  readonly user: KubeClient
  apply(...objects: readonly KubeObject[]): Promise<void>
  patch(name: string, body: unknown, subresource?: 'status'): Promise<void>
  /** Follows one kind in the default namespace; ends with the cluster. */
  follow<T extends KubeObject>(resource: Resource, client?: KubeClient): Promise<Sightings<T>>
}

/** What a watch told. */
export interface Sightings<T> {
  /** The instant (`performance.now`) of the next event that holds; ask before you cause it. Rejects after a minute. */
  next(holds: (object: T) => boolean): Promise<number>
  /** Calls back for each event, with its instant. */
  each(handler: (object: T, at: number) => void): void
}

export async function realCluster(): Promise<RealCluster> {
  const clock = new RealClock()
  const ended = new AbortController()
  const { signal } = ended
  const local = await startLocalCluster({
    seed: 'bench',
    clock,
    signal,
    listen: { host: '127.0.0.1', port: 0 },
    insecureHttp: false,
    useInbox: true,
    withController: true,
    outside: (request) => fetch(request),
    onError: (where, error) => {
      const message = error instanceof Error ? error.message : String(error)
      if (!signal.aborted) process.stderr.write(`    ${where}: ${message}\n`)
    },
  })
  const reach = kubeconfigTransport({ content: local.addresses.kubeconfig, clock })
  const user = httpClient(reach.transport, { baseUrl: reach.baseUrl })
  return {
    local,
    user,
    apply: (...objects) =>
      applyManifests(user, objects as unknown as readonly UnknownObject[], 'default'),
    async patch(name, body, subresource) {
      const key = { namespace: 'default', name }
      const options = subresource ? { subresource } : {}
      await user.patch(kinds.rollouts, key, { kind: 'merge', body }, options)
    },
    follow: (resource, client = user) => follow({ client, resource, signal }),
    async [Symbol.asyncDispose]() {
      ended.abort()
      await local.close()
    },
  }
}

/** The change that gives a Rollout another image; a merge patch replaces lists whole. */
export function imageChange(rollout: StoredRollout, image: string): object {
  const containers = rollout.spec.template?.spec?.containers ?? []
  return {
    spec: { template: { spec: { containers: containers.map((one) => ({ ...one, image })) } } },
  }
}

const patienceMs = 60_000

async function follow<T extends KubeObject>(options: {
  readonly client: KubeClient
  readonly resource: Resource
  readonly signal: AbortSignal
}): Promise<Sightings<T>> {
  const { client, resource, signal } = options
  const handlers = new Set<(object: T, at: number) => void>()
  const { resourceVersion } = await client.list<T>(resource, { namespace: 'default', signal })
  const run = async () => {
    let since = resourceVersion
    while (!signal.aborted) {
      const from = { namespace: 'default', resourceVersion: since, signal }
      for await (const event of client.watch<T>(resource, from)) {
        const at = performance.now()
        if (event.type === 'BOOKMARK') continue
        since = event.object.metadata.resourceVersion ?? since
        for (const handler of [...handlers]) handler(event.object, at)
      }
    }
  }
  run().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  return {
    next: (holds) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          handlers.delete(handler)
          reject(new Error(`no such ${resource.kind} was seen within ${patienceMs / 1000} s`))
        }, patienceMs)
        const handler = (object: T, at: number) => {
          if (!holds(object)) return
          handlers.delete(handler)
          clearTimeout(late)
          resolve(at)
        }
        handlers.add(handler)
      }),
    each: (handler) => handlers.add(handler),
  }
}
