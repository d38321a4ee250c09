import {
  type KubeClient,
  type KubeObject,
  type Resource,
  resources,
  SeededRandom,
  type UnknownObject,
  VirtualClock,
} from '@serinus/kube'
import { ApiServer } from '../apiserver/server.ts'
import type { Pod, PodSpec } from '../pods/pod.ts'
import type { Deployment, EndpointSlice, Job, ReplicaSet, Service } from './objects.ts'
import { startWorkloads, type Workloads, type WorkloadsOptions } from './workloads.ts'

interface Parts {
  readonly clock: VirtualClock
  readonly server: ApiServer
  /** What the controllers speak through. */
  readonly client: KubeClient
}

/** A whole cluster in virtual time, for tests. */
export class TestCluster implements Disposable {
  readonly clock: VirtualClock
  readonly server: ApiServer
  readonly workloads: Workloads
  readonly errors: unknown[] = []
  readonly #ended = new AbortController()

  private constructor(options: Partial<WorkloadsOptions>, parts: Parts) {
    this.clock = parts.clock
    this.server = parts.server
    this.workloads = startWorkloads({
      client: parts.client,
      clock: parts.clock,
      random: new SeededRandom('test/pods'),
      signal: this.#ended.signal,
      onError: (error) => this.errors.push(error),
      ...options,
    })
    this.server.setSubresourceHandler('pods/log', this.workloads.answerLog)
  }

  static async start(
    options: Partial<WorkloadsOptions> = {},
    parts: Parts = freshParts(),
  ): Promise<TestCluster> {
    const cluster = new TestCluster(options, parts)
    await cluster.clock.settle()
    await cluster.workloads.ready
    await cluster.clock.settle()
    return cluster
  }

  /** Ends the controllers and kubelets; the API server stays. */
  stop(): void {
    this.#ended.abort()
  }

  [Symbol.dispose](): void {
    this.stop()
    this.server[Symbol.dispose]()
  }

  get client() {
    return this.server.client
  }

  async pass(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000)
  }

  create<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    return this.client.create(resource, object)
  }

  get<T extends KubeObject>(resource: Resource, name: string): Promise<T> {
    const key = resource.namespaced ? { namespace: 'default', name } : { name }
    return this.client.get<T>(resource, key)
  }

  async list<T extends KubeObject>(resource: Resource): Promise<readonly T[]> {
    return (await this.client.list<T>(resource, { namespace: 'default' })).items
  }

  pods(): Promise<readonly Pod[]> {
    return this.list<Pod>(resources.pods)
  }

  merge(resource: Resource, name: string, body: object): Promise<UnknownObject> {
    return this.client.patch(resource, { namespace: 'default', name }, { kind: 'merge', body })
  }

  async delete(
    resource: Resource,
    name: string,
    options: Parameters<ApiServer['client']['delete']>[2] = {},
  ): Promise<void> {
    const key = resource.namespaced ? { namespace: 'default', name } : { name }
    await this.client.delete(resource, key, options)
  }

  /** Messages of the events about an object, the oldest first. */
  async told(name: string, reason?: string): Promise<readonly string[]> {
    const events = await this.list<UnknownObject>(resources.events)
    return events
      .filter((event) => {
        const about = event['involvedObject'] as { readonly name: string }
        return about.name === name && (!reason || event['reason'] === reason)
      })
      .map((event) => String(event['message']))
  }
}

function freshParts(): Parts {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const server = new ApiServer({ clock, random: new SeededRandom('test') })
  return { clock, server, client: server.client }
}

export function deployment(name: string, spec: Partial<Deployment['spec']> = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: podTemplate(name),
      ...spec,
    },
  }
}

export function replicaSet(name: string, replicas: number, annotations = {}): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: podTemplate(name, { annotations }),
    },
  }
}

export function job(name: string, spec: Partial<Job['spec']>, pod: Partial<PodSpec> = {}): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'default' },
    spec: {
      template: {
        spec: {
          restartPolicy: 'Never',
          containers: [{ name: 'main', image: 'busybox', command: ['sleep', '5'] }],
          ...pod,
        },
      },
      ...spec,
    },
  }
}

export function service(name: string, selector: Record<string, string>): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { selector, ports: [{ port: 80, targetPort: 8080 }] },
  }
}

export function podTemplate(
  app: string,
  facts: { image?: string; annotations?: Record<string, string> } = {},
): Deployment['spec']['template'] {
  return {
    metadata: { labels: { app }, annotations: facts.annotations ?? {} },
    spec: {
      containers: [
        { name: 'app', image: facts.image ?? `${app}:v1`, ports: [{ containerPort: 8080 }] },
      ],
    },
  }
}

export function endpointsOf(slices: readonly EndpointSlice[]) {
  return slices.flatMap((slice) => slice.endpoints ?? [])
}
