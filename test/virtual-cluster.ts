import { crd, kinds, type Rollout } from '@serinus/api'
import { type Cluster, startCluster } from '@serinus/cluster'
import type { StepPlugins } from '@serinus/controller'
import type { RolloutPlan } from '@serinus/engine'
import {
  countRequests,
  httpClient,
  type KubeClient,
  type KubeObject,
  limitRate,
  type RequestCounts,
  resources,
  SeededRandom,
  type UnknownObject,
  Unreachable,
  VirtualClock,
} from '@serinus/kube'
import { applyManifests } from '../packages/cli/src/serinus/manifests.ts'
import { type Service, startService } from '../packages/cli/src/serinus/service.ts'
import { type Recording, stateOf } from './in-flight/recording.ts'

export type StoredRollout = Rollout & KubeObject

interface StoredEvent extends KubeObject {
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly involvedObject: { readonly kind: string; readonly name: string }
}

/** The whole product in one process and virtual time: an hour costs milliseconds, nothing sleeps. */
export interface VirtualCluster extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly cluster: Cluster
  /** Cluster admin. */
  readonly client: KubeClient
  readonly errors: string[]
  readonly plans: RolloutPlan[]
  /** What goes wrong between the controller and everybody else; may be changed at any time. */
  readonly faults: Faults
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
  events(reason?: string): Promise<readonly StoredEvent[]>
  stopController(): void
  /** The service that is working at present. */
  service(): Service
  restartController(): Promise<void>
}

interface Faults {
  /** An answer in place of the API server's own; null lets the request through. */
  api: (request: Request) => Response | null | Promise<Response | null>
  /** Breaks the connection of each watch after this long; null: never. */
  watchesLastMs: number | null
  /** An answer in place of a provider's or a vendor's own; null lets the request through. */
  network: (request: Request) => Response | Error | null
}

export interface VirtualClusterOptions {
  readonly seed?: string
  /** Absent: it exists from the start. */
  readonly controllerNamespace?: 'missing'
  readonly instanceId?: string
  /** Environment of the controller; absent: empty. */
  readonly env?: Readonly<Record<string, string>>
  /** What the controller may ask of the API (spec operations 5.1); absent: as much as it likes. */
  readonly limits?: { readonly qps: number; readonly burst: number }
  /** What another controller left in the cluster: there, just as it was, from the start; time begins at its moment. */
  readonly recording?: Recording
  /** Outlives the controller; absent: nobody runs step plugins. */
  readonly stepPlugins?: StepPlugins
  /** The controller dies right after its write with this number, and another one takes its place. */
  readonly crashAtWrite?: number
}

export async function virtualCluster(options: VirtualClusterOptions = {}): Promise<VirtualCluster> {
  const clock = new VirtualClock(
    options.recording?.recordedAt ?? Date.parse('2026-01-01T00:00:00Z'),
  )
  const ended = new AbortController()
  const errors: string[] = []
  const plans: RolloutPlan[] = []
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
    ...(options.recording ? { state: stateOf(options.recording) } : {}),
    onError: report('cluster'),
  })
  const { client } = cluster
  for (const kind of Object.values(kinds)) {
    await client.create(resources.customResourceDefinitions, crd(kind) as unknown as KubeObject)
  }
  if (options.controllerNamespace !== 'missing') {
    await client.create(resources.namespaces, namespace('argo-rollouts'))
  }
  const faults: Faults = { api: () => null, watchesLastMs: null, network: () => null }
  const throughToApi = (request: Request): Promise<Response> => {
    const answer = cluster.api.handleTrusted(request)
    const { watchesLastMs } = faults
    if (watchesLastMs === null || !new URL(request.url).searchParams.has('watch')) return answer
    const end = clock.until(clock.now() + watchesLastMs, ended.signal)
    return answer.then((stream) => breaking(stream, end))
  }
  const counted = countRequests(
    httpClient((request) => {
      const refused = faults.api(request)
      // Nothing that takes a turn where nothing fails: an answer must not lag behind the watch that tells of its write.
      if (refused === null) return throughToApi(request)
      return Promise.resolve(refused).then((answer) => answer ?? throughToApi(request))
    }),
  )
  let writes = 0
  /** The connection of one controller: it is cut when that controller dies. */
  const connection = (alive: AbortSignal) => {
    const client = mortal(counted.client, alive, {
      isLast: () => ++writes === options.crashAtWrite,
      die: () => void restart(),
    })
    return options.limits ? limitRate(client, { clock, ...options.limits }) : client
  }
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
      fetch: async (request) => {
        const fault = faults.network(request)
        if (fault instanceof Error) throw fault
        return fault ?? cluster.fetch(request)
      },
      ...(options.instanceId === undefined ? {} : { instanceId: options.instanceId }),
      ...(options.env ? { env: options.env } : {}),
      ...(options.stepPlugins ? { stepPlugins: options.stepPlugins } : {}),
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
    faults,
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
      throw new Error(`it does not come: ${JSON.stringify(status)} ${errors.slice(-10).join('; ')}`)
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
      const events = await client.list<StoredEvent>(resources.events)
      return events.items.filter((event) => reason === undefined || event.reason === reason)
    },
    stopController: () => stop.abort(),
    service: () => controller,
    restartController: restart,
    async [Symbol.asyncDispose]() {
      ended.abort()
      await clock.settle()
    },
  }
}

export function namespace(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
}

/** A failure as API servers answer it. */
export function refusal(facts: {
  readonly code: number
  readonly reason: string
  readonly message: string
  readonly retryAfterSeconds?: number
}): Response {
  const { code, reason, message, retryAfterSeconds } = facts
  return Response.json(
    { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message },
    {
      status: code,
      ...(retryAfterSeconds === undefined
        ? {}
        : { headers: { 'Retry-After': String(retryAfterSeconds) } }),
    },
  )
}

/** The same answer whose connection breaks in the middle of it. */
function breaking(answer: Response, moment: Promise<void>): Response {
  const reader = answer.body?.getReader()
  const broken = moment.then(
    () => {
      throw new TypeError('terminated')
    },
    () => ({ done: true as const, value: undefined }),
  )
  broken.catch(() => {})
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const part = await Promise.race([broken, reader?.read()])
        if (!part || part.done) controller.close()
        else controller.enqueue(part.value)
      } catch (error) {
        await reader?.cancel().catch(() => {})
        controller.error(error)
      }
    },
    cancel: (reason) => reader?.cancel(reason),
  })
  return new Response(body, { status: answer.status, headers: answer.headers })
}

/** How one controller ends: after its last write it sends nothing more, and hears no answer to that. */
interface Death {
  /** Asked once for each write, as it is sent. */
  isLast(): boolean
  die(): void
}

function mortal(client: KubeClient, alive: AbortSignal, death: Death): KubeClient {
  const writing: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete'])
  let isDying = false
  return new Proxy(client, {
    get(target, name: keyof KubeClient) {
      const method = target[name] as (...args: unknown[]) => unknown
      if (!writing.has(name)) return method.bind(target)
      return async (...args: unknown[]) => {
        if (alive.aborted || isDying) throw new Unreachable('the controller is dead')
        const isLast = death.isLast()
        isDying = isLast
        try {
          const answer = await method.apply(target, args)
          if (!isLast && !alive.aborted) return answer
        } finally {
          if (isLast) death.die()
        }
        throw new Unreachable('the controller died before it heard the answer')
      }
    },
  })
}
