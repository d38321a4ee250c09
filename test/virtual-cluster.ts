import { crd, kinds, type Rollout } from '@serinus/api'
import { type Cluster, startCluster } from '@serinus/cluster'
import type { Plan } from '@serinus/engine'
import {
  countRequests,
  httpClient,
  type KubeClient,
  type KubeObject,
  type RequestCounts,
  resources,
  SeededRandom,
  type UnknownObject,
  Unreachable,
  VirtualClock,
} from '@serinus/kube'
import { applyManifests } from '../packages/cli/src/serinus/manifests.ts'
import { type Service, startService } from '../packages/cli/src/serinus/service.ts'

export type StoredRollout = Rollout & KubeObject

/** The whole product in one process and virtual time: an hour costs milliseconds, nothing sleeps. */
export interface VirtualCluster extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly cluster: Cluster
  /** Cluster admin. */
  readonly client: KubeClient
  readonly errors: string[]
  readonly plans: Plan[]
  /** What the controller asked of the API. */
  readonly requests: { counts(): RequestCounts; reset(): void }
  pass(ms: number): Promise<void>
  rollout(name: string): Promise<StoredRollout>
  /** Lets a second pass at a time until it is so, for at most an hour. */
  until(name: string, holds: (rollout: StoredRollout) => boolean): Promise<StoredRollout>
  apply(...objects: KubeObject[]): Promise<void>
  setImage(
    name: string,
    image: string,
    annotations?: Readonly<Record<string, string>>,
  ): Promise<void>
  promote(name: string): Promise<void>
  events(reason?: string): Promise<readonly { readonly reason: string; readonly message: string }[]>
  restartController(): Promise<void>
}

export interface VirtualClusterOptions {
  readonly seed?: string
  /** The controller dies right after its write with this number, and another one takes its place. */
  readonly crashAtWrite?: number
}

export async function virtualCluster(options: VirtualClusterOptions = {}): Promise<VirtualCluster> {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const ended = new AbortController()
  const errors: string[] = []
  const plans: Plan[] = []
  const report = (where: string) => (error: unknown) => {
    if (!ended.signal.aborted)
      errors.push(`${where}: ${error instanceof Error ? error.message : String(error)}`)
  }
  const cluster = startCluster({
    clock,
    signal: ended.signal,
    seed: options.seed ?? 'test',
    home: 'default',
    useInbox: true,
    onError: report('cluster'),
  })
  const { client } = cluster
  for (const kind of Object.values(kinds)) {
    await client.create(resources.customResourceDefinitions, crd(kind) as unknown as KubeObject)
  }
  await client.create(resources.namespaces, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'argo-rollouts' },
  } as KubeObject)
  const counted = countRequests(httpClient(cluster.api.handleTrusted))
  let writes = 0
  /** The connection of one controller: it is cut when that controller dies. */
  const connection = (alive: AbortSignal) =>
    mortal(counted.client, alive, () => {
      if (++writes === options.crashAtWrite) void restart()
    })
  let stop = new AbortController()
  let controller: Service
  const start = async () => {
    stop = new AbortController()
    controller = startService({
      controllerNamespace: 'argo-rollouts',
      random: new SeededRandom('notifications'),
      holder: 'test',
      client: connection(stop.signal),
      clock,
      signal: AbortSignal.any([ended.signal, stop.signal]),
      fetch: (request) => cluster.fetch(request),
      onError: (key, error) => report(key)(error),
      onPlan: (_, plan) => plans.push(plan),
    })
    await clock.settle()
    await controller.synced
  }
  const restart = async () => {
    stop.abort()
    await start()
  }
  await start()
  const pass = (ms: number) => clock.advance(ms)
  const rollout = (name: string) =>
    client.get<StoredRollout>(kinds.rollouts, { namespace: 'default', name })
  const patch = (name: string, body: unknown, subresource?: 'status') =>
    client.patch(
      kinds.rollouts,
      { namespace: 'default', name },
      { kind: 'merge', body },
      subresource ? { subresource } : {},
    )
  return {
    clock,
    cluster,
    client,
    errors,
    plans,
    requests: counted,
    pass,
    rollout,
    async until(name, holds) {
      for (let second = 0; second < 3600; second++) {
        const current = await rollout(name)
        if (holds(current)) return current
        await pass(1_000)
      }
      const { status } = await rollout(name)
      throw new Error(`it does not come: ${JSON.stringify(status)} ${errors.join('; ')}`)
    },
    async apply(...objects) {
      await applyManifests(client, objects as unknown as readonly UnknownObject[], 'default')
      await clock.settle()
    },
    async setImage(name, image, annotations) {
      const { spec } = await rollout(name)
      const containers = spec.template?.spec?.containers?.map((container) => ({
        ...container,
        image,
      }))
      await patch(name, {
        spec: {
          template: {
            ...(annotations ? { metadata: { annotations } } : {}),
            spec: { ...spec.template?.spec, containers },
          },
        },
      })
    },
    async promote(name) {
      await patch(name, { status: { pauseConditions: null } }, 'status')
    },
    async events(reason) {
      const events = await client.list<KubeObject & { reason: string; message: string }>(
        resources.events,
      )
      return events.items.filter((event) => reason === undefined || event.reason === reason)
    },
    restartController: restart,
    async [Symbol.asyncDispose]() {
      ended.abort()
      await clock.settle()
    },
  }
}

/** Cuts the connection for good once its controller is dead; calls `written` after each write that arrived. */
function mortal(client: KubeClient, alive: AbortSignal, written: () => void): KubeClient {
  const writing: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete'])
  return new Proxy(client, {
    get(target, name: keyof KubeClient) {
      const method = target[name] as (...args: unknown[]) => unknown
      if (!writing.has(name)) return method.bind(target)
      return async (...args: unknown[]) => {
        if (alive.aborted) throw new Unreachable('the controller is dead')
        const answer = await method.apply(target, args)
        written()
        if (alive.aborted) throw new Unreachable('the controller died before it heard the answer')
        return answer
      }
    },
  })
}
