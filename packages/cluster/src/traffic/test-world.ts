import {
  type KubeClient,
  type KubeObject,
  keyOf,
  type Resource,
  resources,
  SeededRandom,
  VirtualClock,
  type WatchEvent,
  type WatchOptions,
} from '@serinus/kube'
import { queryInstant } from '@serinus/promql'
import type { Pod } from '../pods/pod.ts'
import type { EndpointSlice, Ingress, Service } from './objects.ts'
import { startTraffic, type Traffic } from './traffic.ts'

/** Objects that the data plane lists and watches, and its time. */
export class TrafficWorld implements AsyncDisposable {
  readonly clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  readonly errors: unknown[] = []
  readonly traffic: Traffic
  readonly #ended = new AbortController()
  readonly #objects = new Map<string, Map<string, KubeObject>>()
  /** Everything that was ever told, so that a watch misses nothing since its list. */
  readonly #log: {
    readonly version: number
    readonly kind: string
    readonly event: WatchEvent<KubeObject>
  }[] = []
  readonly #wakes = new Set<() => void>()
  #version = 0

  constructor(options: { readonly seed?: string; readonly propagationDelayMs?: number } = {}) {
    this.traffic = startTraffic({
      client: this.#client(),
      clock: this.clock,
      random: new SeededRandom(options.seed ?? 'traffic'),
      signal: this.#ended.signal,
      onError: (error) => this.errors.push(error),
      ...(options.propagationDelayMs ? { propagationDelayMs: options.propagationDelayMs } : {}),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort()
    await this.clock.settle()
  }

  async put(...objects: readonly KubeObject[]): Promise<void> {
    for (const object of objects) {
      const stored = {
        ...object,
        metadata: { ...object.metadata, resourceVersion: String(this.#version + 1) },
      }
      const list = this.#listOf(object.kind)
      const type = list.has(keyOf(object)) ? 'MODIFIED' : 'ADDED'
      list.set(keyOf(object), stored)
      this.#tell(object.kind, { type, object: stored })
    }
    await this.clock.settle()
  }

  async remove(object: KubeObject): Promise<void> {
    this.#listOf(object.kind).delete(keyOf(object))
    this.#tell(object.kind, { type: 'DELETED', object })
    await this.clock.settle()
  }

  async pass(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000)
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    const host = headers['host'] ?? 'my-app.example.com'
    return this.traffic.handle(
      new Request(`http://ingress${path}`, { headers: { ...headers, host } }),
    )
  }

  /** The one value that a query answers; NaN for none. */
  query(text: string): number {
    const answer = queryInstant(this.traffic.store, text, this.clock.now())
    if (!answer.ok) throw new Error(answer.error)
    if (answer.value.resultType !== 'vector') throw new Error(answer.value.resultType)
    return Number(answer.value.result[0]?.value[1] ?? Number.NaN)
  }

  #listOf(kind: string): Map<string, KubeObject> {
    const list = this.#objects.get(kind) ?? new Map()
    this.#objects.set(kind, list)
    return list
  }

  #tell(kind: string, event: WatchEvent<KubeObject>): void {
    this.#log.push({ version: ++this.#version, kind, event })
    for (const wake of this.#wakes) wake()
  }

  #client(): KubeClient {
    const refuse = () => Promise.reject(new Error('the data plane only lists and watches'))
    return {
      get: refuse,
      create: refuse,
      update: refuse,
      patch: refuse,
      delete: refuse,
      raw: refuse,
      list: async <T extends KubeObject>(resource: Resource) => ({
        items: [...this.#listOf(resource.kind).values()] as unknown as T[],
        resourceVersion: String(this.#version),
      }),
      watch: <T extends KubeObject>(resource: Resource, options: WatchOptions = {}) =>
        this.#watch(resource.kind, options) as AsyncIterable<WatchEvent<T>>,
    }
  }

  async *#watch(
    kind: string,
    { resourceVersion, signal }: WatchOptions,
  ): AsyncIterable<WatchEvent<KubeObject>> {
    const from = Number(resourceVersion)
    let next = this.#log.findIndex(({ version }) => version > from)
    if (next < 0) next = this.#log.length
    while (!signal?.aborted) {
      const entry = this.#log[next]
      if (entry) {
        next++
        if (entry.kind === kind) yield entry.event
        continue
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#wakes.delete(wake)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        this.#wakes.add(wake)
        signal?.addEventListener('abort', wake)
      })
    }
  }
}

interface PodFacts {
  readonly image?: string
  readonly hash?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly running?: boolean
  readonly ready?: boolean
}

export function pod(name: string, facts: PodFacts = {}): Pod {
  const { image = 'my-app:v1', hash = 's1', annotations = {}, running = true, ready = true } = facts
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      annotations,
      labels: { app: 'my-app', 'rollouts-pod-template-hash': hash },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `my-app-${hash}`,
          uid: hash,
          controller: true,
        },
      ],
    },
    spec: { containers: [{ name: 'app', image, ports: [{ containerPort: 8080 }] }] },
    status: {
      phase: 'Running',
      startTime: '2026-01-01T00:00:00Z',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      containerStatuses: [
        {
          name: 'app',
          ready,
          restartCount: 0,
          image,
          imageID: '',
          lastState: {},
          state: running
            ? { running: { startedAt: '2026-01-01T00:00:00Z' } }
            : { terminated: { exitCode: 1 } },
        },
      ],
    },
  }
}

/** The endpoints of a Service; a name after `!` is one of a pod that is not ready. */
export function slice(service: string, ...pods: readonly string[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: resources.endpointSlices.kind,
    metadata: {
      name: `${service}-1`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': service },
    },
    endpoints: pods.map((name) => ({
      conditions: { ready: !name.startsWith('!') },
      targetRef: { kind: 'Pod', name: name.replace('!', '') },
    })),
  }
}

export function service(
  name: string,
  selector: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>> = {},
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', annotations },
    spec: { selector },
  }
}

export function ingress(
  name: string,
  backend: string,
  annotations: Readonly<Record<string, string>> = {},
): Ingress {
  const path = {
    path: '/',
    pathType: 'Prefix',
    backend: { service: { name: backend, port: { number: 80 } } },
  }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'default', annotations },
    spec: { rules: [{ host: 'my-app.example.com', http: { paths: [path] } }] },
  }
}

/** The canary Ingress of `my-app-ingress`; the keys get ingress-nginx' prefix. */
export function canaryIngress(keys: Readonly<Record<string, string>>): Ingress {
  const annotations = Object.entries({ canary: 'true', ...keys }).map(([key, value]) => [
    `nginx.ingress.kubernetes.io/${key}`,
    value,
  ])
  return ingress('my-app-my-app-ingress-canary', 'my-app-canary', Object.fromEntries(annotations))
}

/** Two stable pods, one canary pod, their Services and the stable Ingress. */
export function myApp(
  facts: { readonly rps?: string; readonly canary?: PodFacts; readonly stable?: PodFacts } = {},
): readonly KubeObject[] {
  const load = facts.rps ? { 'sim.serinus.dev/requests-per-second': facts.rps } : {}
  const versioned = (hash: string) => ({ app: 'my-app', 'rollouts-pod-template-hash': hash })
  return [
    service('my-app', { app: 'my-app' }),
    service('my-app-stable', versioned('s1')),
    service('my-app-canary', versioned('c1')),
    pod('stable-a', { hash: 's1', ...facts.stable }),
    pod('stable-b', { hash: 's1', ...facts.stable }),
    pod('canary-a', { hash: 'c1', image: 'my-app:v2', ...facts.canary }),
    slice('my-app', 'stable-a', 'stable-b', 'canary-a'),
    slice('my-app-stable', 'stable-a', 'stable-b'),
    slice('my-app-canary', 'canary-a'),
    ingress('my-app-ingress', 'my-app-stable', load),
  ]
}
