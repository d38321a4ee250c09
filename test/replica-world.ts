import { crd, kinds, type Rollout } from '@serinus/api'
import { type Cluster, startCluster } from '@serinus/cluster'
import { type Clock, type KubeObject, resources, VirtualClock } from '@serinus/kube'
import { controllerOptions } from '../packages/cli/src/serinus/controller-command.ts'
import {
  type ControllerFlags,
  type ControllerSettings,
  controllerSettings,
} from '../packages/cli/src/serinus/controller-settings.ts'
import { createLog } from '../packages/cli/src/serinus/log.ts'
import { applyManifests } from '../packages/cli/src/serinus/manifests.ts'
import { type Replica, startReplica } from '../packages/cli/src/serinus/replica.ts'
import { namespace, type StoredRollout } from './virtual-cluster.ts'

/** One request as a replica sent it. */
interface Sent {
  readonly at: number
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
}

/** One process of the controller, as `serinus controller` runs it, without sockets. */
export interface RunningReplica {
  readonly replica: Replica
  readonly settings: ControllerSettings
  readonly sent: Sent[]
  readonly log: string[]
  /** Between this replica and the API. */
  readonly link: {
    down: boolean
    hanging: boolean
    /** Half-open: connections that exist tell nothing more, and nobody says so. */
    deaf: boolean
  }
  /** What the API answers this replica instead; null lets the request through. */
  refuse: (request: Request) => Response | null
  /** SIGTERM. */
  terminate(): Promise<void>
  /** SIGKILL: nothing it does afterwards reaches the API. */
  kill(): void
  /** Whether it has ended in order. */
  hasEnded(): boolean
}

/** Several replicas of the controller over one embedded cluster in virtual time. */
export async function replicaWorld() {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const ended = new AbortController()
  const cluster = startCluster({
    clock,
    signal: ended.signal,
    seed: 'replicas',
    home: 'default',
    useInbox: true,
  })
  const { client } = cluster
  for (const kind of Object.values(kinds)) {
    await client.create(resources.customResourceDefinitions, crd(kind) as unknown as KubeObject)
  }
  await client.create(resources.namespaces, namespace('argo-rollouts'))
  const api = { down: false }
  const rollout = (name: string, where = 'default') =>
    client.get<StoredRollout>(kinds.rollouts, { namespace: where, name })
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
    /** Nobody reaches the API while it is down. */
    api,
    rollout,
    patch,
    pass: (ms: number) => clock.advance(ms),
    replica: (identity: string, args: readonly string[] = [], env: Env = {}) =>
      start({ identity, args, env, clock, cluster, api, ended: ended.signal }),
    async lease(name = 'argo-rollouts-controller-lock', where = 'argo-rollouts') {
      const lease = await client.get<KubeObject & { spec: { holderIdentity: string } }>(
        resources.leases,
        { namespace: where, name },
      )
      return lease.spec.holderIdentity
    },
    async until(name: string, holds: (rollout: StoredRollout) => boolean) {
      for (let second = 0; second < 3600; second++) {
        const current = await rollout(name)
        if (holds(current)) return current
        await clock.advance(1_000)
      }
      throw new Error(`it does not come: ${JSON.stringify((await rollout(name)).status)}`)
    },
    async apply(...objects: readonly object[]) {
      await applyManifests(client, objects as Parameters<typeof applyManifests>[1], 'default')
      await clock.settle()
    },
    setImage: (name: string, image: string) =>
      patch(name, {
        spec: { template: { spec: { containers: [{ name: 'app', image }] } } },
      }),
    promote: (name: string) => patch(name, { status: { pauseConditions: null } }, 'status'),
    async [Symbol.asyncDispose]() {
      ended.abort()
      await clock.settle()
    },
  }
}

type Env = Readonly<Record<string, string>>

/** Settings as the flags give them, outside a pod. */
export function settingsOf(args: readonly string[], env: Env = {}): ControllerSettings {
  const command = controllerOptions().exitOverride()
  command.parse([...args], { from: 'user' })
  const flags = command.opts<ControllerFlags>()
  return controllerSettings(flags, {
    env,
    contextNamespace: flags.namespace ?? 'default',
    namespaceFile: '/nowhere',
  })
}

function start(options: {
  readonly identity: string
  readonly args: readonly string[]
  readonly env: Env
  readonly clock: Clock
  readonly cluster: Cluster
  readonly api: { readonly down: boolean }
  readonly ended: AbortSignal
}): RunningReplica {
  const { clock, cluster, api } = options
  const settings = settingsOf(options.args, options.env)
  const stop = new AbortController()
  const link = { down: false, hanging: false, deaf: false, dead: false }
  const sent: Sent[] = []
  const log: string[] = []
  let hasEnded = false
  const running: RunningReplica = {
    settings,
    sent,
    log,
    link,
    refuse: () => null,
    hasEnded: () => hasEnded,
    async terminate() {
      stop.abort(new Error('ended by SIGTERM'))
      await replica.done
    },
    kill() {
      link.dead = true
    },
    get replica() {
      return replica
    },
  }
  const replica = startReplica({
    transport: async (request) => {
      if (link.dead || link.hanging || options.ended.aborted) return new Promise(() => {})
      const { pathname, searchParams } = new URL(request.url)
      sent.push({ at: clock.now(), method: request.method, path: pathname, query: searchParams })
      if (api.down || link.down) throw new TypeError('fetch failed')
      const refused = running.refuse(request)
      if (refused) return refused
      return overWire(await cluster.api.handleTrusted(request), {
        isCut: () => api.down || link.down || link.dead,
        isDeaf: () => link.deaf,
      })
    },
    settings,
    clock,
    signal: stop.signal,
    identity: options.identity,
    log: createLog({
      level: 'info',
      format: 'text',
      clock,
      write: (line) => log.push(line.trimEnd()),
    }),
    fetch: (request) => cluster.fetch(request),
    env: options.env,
  })
  replica.done.then(
    () => {
      hasEnded = true
    },
    (error: unknown) => log.push(`died: ${error}`),
  )
  return running
}

/** The answer as a connection with faults carries it. */
function overWire(answer: Response, wire: { isCut(): boolean; isDeaf(): boolean }): Response {
  if (!answer.body || !answer.ok) return answer
  const body = answer.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        if (wire.isCut()) controller.error(new TypeError('terminated'))
        else if (!wire.isDeaf()) controller.enqueue(chunk)
      },
    }),
  )
  return new Response(body, { status: answer.status, headers: answer.headers })
}

/** A canary of one container `app`. */
export function canary(
  name: string,
  facts: {
    readonly replicas?: number
    readonly steps?: readonly object[]
    readonly strategy?: object
    readonly spec?: object
    readonly metadata?: object
  } = {},
): KubeObject {
  const labels = { app: name }
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name, ...facts.metadata },
    spec: {
      replicas: facts.replicas ?? 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'app', image: `${name}:v1` }] },
      },
      strategy: { canary: { steps: facts.steps ?? [], ...facts.strategy } },
      ...facts.spec,
    },
  } as KubeObject
}

export function isHealthy({ status }: Rollout): boolean {
  return status?.phase === 'Healthy'
}

export function isPaused({ status }: Rollout): boolean {
  return status?.phase === 'Paused'
}
