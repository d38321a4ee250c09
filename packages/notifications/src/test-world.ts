import { readFileSync } from 'node:fs'
import { type AnalysisRun, kinds, type Rollout } from '@serinus/api'
import {
  EventRecorder,
  type KubeObject,
  resources,
  SeededRandom,
  startInformer,
  VirtualClock,
} from '@serinus/kube'
import { parseAllDocuments } from 'yaml'
import type { ConfigMap, Secret } from './config.ts'
import { type Notifier, startNotifier } from './notifier.ts'
import type { DeliveryReport } from './sender.ts'
import { TestCluster } from './test-cluster.ts'

export const startAt = Date.parse('2026-08-01T12:00:00Z')

/** A request that reached a vendor. */
export interface Received {
  readonly at: number
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly body: string
}

export interface EventObject extends KubeObject {
  readonly reason: string
  readonly message: string
  readonly type: string
  readonly count: number
  readonly involvedObject: { readonly kind: string; readonly name: string }
}

/** An API, vendors and a clock, with a notifier that can be stopped and started again. */
export class World {
  readonly clock = new VirtualClock(startAt)
  readonly cluster = new TestCluster()
  readonly received: Received[] = []
  readonly deliveries: DeliveryReport[] = []
  readonly errors: unknown[] = []
  /** Answers a vendor's request; undefined: as a vendor that is content. */
  vendor: ((request: Received) => Response | Promise<Response> | undefined) | undefined
  /** Generation and version of each Rollout, as the API server counts. */
  #notifier: Notifier | undefined
  #stop: AbortController | undefined
  #seed = 0
  access: ReturnType<TestCluster['connect']> = this.cluster.connect()
  #ts = 0

  async start(setup: (access: World['access']) => void = () => {}): Promise<Notifier> {
    this.#stop = new AbortController()
    const { signal } = this.#stop
    const access = this.cluster.connect()
    this.access = access
    setup(access)
    const { clock } = this
    const { client } = access
    const common = { client, clock, signal }
    const recorder = new EventRecorder({ ...common, component: 'rollouts-controller' })
    this.#notifier = startNotifier({
      ...common,
      recorder,
      controllerNamespace: 'argo-rollouts',
      random: new SeededRandom(++this.#seed),
      holder: `pod-${this.#seed}`,
      rollouts: startInformer<Rollout & KubeObject>({ ...common, resource: kinds.rollouts }),
      analysisRuns: startInformer<AnalysisRun & KubeObject>({
        ...common,
        resource: kinds.analysisRuns,
      }),
      fetch: (request) => this.#fetch(request, () => access.isKilled),
      onDelivered: (delivery) => this.deliveries.push(delivery),
      onError: (error) => this.errors.push(error),
    })
    await clock.settle()
    return this.#notifier
  }

  get notifier(): Notifier {
    if (!this.#notifier) throw new Error('start the notifier first')
    return this.#notifier
  }

  async stop(): Promise<void> {
    this.#stop?.abort()
    await this.clock.settle()
  }

  put<T extends KubeObject>(object: T): T {
    return this.cluster.put(resourceOf(object), object)
  }

  /** Stores a Rollout's status and tells the notifier, as the controller does. */
  async store(rollout: Rollout): Promise<Rollout> {
    const stored = this.cluster.put(kinds.rollouts, rollout)
    this.notifier.observe(stored)
    await this.clock.settle()
    return stored
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms)
  }

  /** Slack's messages by channel, in the order of arrival. */
  slack(channel?: string): readonly Record<string, string>[] {
    return this.received
      .filter(({ url }) => url.endsWith('/chat.postMessage'))
      .map(({ body }) => Object.fromEntries(new URLSearchParams(body)))
      .filter((form) => channel === undefined || form['channel'] === channel)
  }

  pagerduty(): readonly PagerDutyEvent[] {
    return this.received
      .filter(({ url }) => url === 'https://events.pagerduty.com/v2/enqueue')
      .map(({ body }) => JSON.parse(body) as PagerDutyEvent)
  }

  events(reason?: string): readonly EventObject[] {
    const events = this.cluster.list<EventObject>(resources.events)
    return events.filter((event) => reason === undefined || event.reason === reason)
  }

  outboxes(): readonly ConfigMap[] {
    const configMaps = this.cluster.list<ConfigMap>(resources.configMaps)
    return configMaps.filter(({ metadata }) => metadata.name.startsWith('rollout-notifications-'))
  }

  async #fetch(request: Request, isKilled: () => boolean): Promise<Response> {
    if (isKilled()) return new Promise(() => {})
    const received: Received = {
      at: this.clock.now(),
      url: request.url,
      method: request.method,
      headers: request.headers,
      body: await request.text(),
    }
    this.received.push(received)
    const answer = this.vendor?.(received)
    if (answer) return answer
    if (received.url.startsWith('https://slack.com/')) {
      const form = new URLSearchParams(received.body)
      return Response.json({ ok: true, channel: `C-${form.get('channel')}`, ts: `1.${++this.#ts}` })
    }
    return Response.json({ status: 'success' }, { status: 202 })
  }
}

export interface PagerDutyEvent {
  readonly routing_key: string
  readonly event_action: string
  readonly dedup_key: string
  readonly payload: Readonly<Record<string, unknown>>
}

function resourceOf(object: KubeObject) {
  switch (object.kind) {
    case 'ConfigMap':
      return resources.configMaps
    case 'Secret':
      return resources.secrets
    case 'Rollout':
      return kinds.rollouts
    case 'AnalysisRun':
      return kinds.analysisRuns
    default:
      throw new TypeError(`no resource for ${object.kind}`)
  }
}

/** The manifests of a fixture, as `kubectl apply` would send them: `stringData` becomes `data`. */
export function manifests(name: string): readonly KubeObject[] {
  const text = readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')
  return parseAllDocuments(text).map((document) => {
    const object = document.toJS() as Secret
    return object.stringData ? secret(object.metadata.name, object.stringData) : object
  })
}

export function secret(
  name: string,
  texts: Readonly<Record<string, string>>,
  namespace = 'argo-rollouts',
): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    data: Object.fromEntries(
      Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
    ),
  }
}

export function configMap(
  data: Readonly<Record<string, string>>,
  place: { readonly name?: string; readonly namespace?: string } = {},
): ConfigMap {
  const { name = 'argo-rollouts-notification-configmap', namespace = 'argo-rollouts' } = place
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data }
}

/** A canary Rollout that was just created, with revision and status as the controller stores them. */
export function rollout(
  facts: {
    readonly name?: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
    readonly labels?: Readonly<Record<string, string>>
    readonly revision?: number
    readonly generation?: number
    readonly createdAt?: number
    readonly image?: string
    readonly status?: Rollout['status']
    readonly spec?: Partial<Rollout['spec']>
  } = {},
): Rollout {
  const { name = 'my-service', namespace = 'my-team', revision, createdAt = startAt } = facts
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: {
      name,
      namespace,
      uid: `uid-${namespace}-${name}`,
      generation: facts.generation ?? 1,
      creationTimestamp: new Date(createdAt).toISOString(),
      labels: facts.labels ?? {},
      annotations: {
        ...facts.annotations,
        ...(revision ? { 'rollout.argoproj.io/revision': String(revision) } : {}),
      },
    },
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image: facts.image ?? `${name}:v2` }] },
      },
      strategy: { canary: { steps: [{ setWeight: 10 }, { pause: {} }, { setWeight: 50 }] } },
      ...facts.spec,
    },
    ...(facts.status ? { status: facts.status } : {}),
  }
}

export const healthy: NonNullable<Rollout['status']> = {
  observedGeneration: '1',
  currentPodHash: 'aaa',
  stableRS: 'aaa',
  currentStepIndex: 3,
  phase: 'Healthy',
  updatedReplicas: 4,
}

export const updating: NonNullable<Rollout['status']> = {
  observedGeneration: '2',
  currentPodHash: 'bbb',
  stableRS: 'aaa',
  currentStepIndex: 0,
  currentStepHash: 'steps',
  phase: 'Progressing',
  message: 'more replicas need to be updated',
}

export const abortCause =
  'Rollout aborted update to revision 2: Step-based analysis phase error/failed: Metric "error-rate" assessed Failed due to failed (2) > failureLimit (1)'

export const aborted: NonNullable<Rollout['status']> = {
  ...updating,
  abort: true,
  abortedAt: '2026-08-01T12:05:00Z',
  phase: 'Degraded',
  message: `RolloutAborted: ${abortCause}`,
  conditions: [
    {
      type: 'Progressing',
      status: 'False',
      reason: 'RolloutAborted',
      message: abortCause,
      lastUpdateTime: '2026-08-01T12:05:00Z',
      lastTransitionTime: '2026-08-01T12:05:00Z',
    },
  ],
}

/** A run of the Rollout's present revision. */
export function analysisRun(
  of: Rollout,
  facts: { readonly phase: string; readonly metric?: string; readonly name?: string },
): AnalysisRun {
  const phase = facts.phase as NonNullable<AnalysisRun['status']>['phase']
  const { name, namespace = '', uid = '', annotations } = of.metadata
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    metadata: {
      name: facts.name ?? `${name}-bbb-2-1`,
      namespace,
      uid: `uid-run-${facts.name ?? name}`,
      creationTimestamp: '2026-08-01T12:01:00Z',
      labels: { 'rollouts-pod-template-hash': 'bbb', 'rollout-type': 'Step' },
      annotations: {
        'rollout.argoproj.io/revision': annotations?.['rollout.argoproj.io/revision'] ?? '2',
      },
      ownerReferences: [
        { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name, uid, controller: true },
      ],
    },
    spec: { metrics: [] },
    status: {
      phase,
      startedAt: '2026-08-01T12:01:00Z',
      metricResults: [
        {
          name: facts.metric ?? 'error-rate',
          phase,
          measurements: [{ phase, value: '[0.031]' }],
        },
      ],
    },
  }
}
