import { type AnalysisRun, kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import {
  namespace,
  refusal,
  type StoredRollout,
  type VirtualCluster,
  virtualCluster,
} from './virtual-cluster.ts'

const steps = [{ setWeight: 50 }, { pause: { duration: '30s' } }, { setWeight: 100 }]

/** A Rollout of two pods whose update takes half a minute. */
function app(name: string, parts: { annotations?: object; canary?: object } = {}): KubeObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name, namespace: 'default', annotations: { ...parts.annotations } },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image: `${name}:v1` }] },
      },
      strategy: { canary: { steps, ...parts.canary } },
    },
  } as KubeObject
}

interface Created extends KubeObject {
  /** Of an Event. */
  readonly message?: string
}

const isHealthy = (rollout: StoredRollout) => rollout.status?.phase === 'Healthy'
const isUpdated = (rollout: StoredRollout) =>
  isHealthy(rollout) &&
  rollout.metadata.annotations?.['rollout.argoproj.io/revision'] === '2' &&
  rollout.status?.observedGeneration === String(rollout.metadata.generation)
const isWrite = (request: Request) => request.method !== 'GET'
const subscribed = (trigger: string, recipient = 'news') => ({
  [`notifications.argoproj.io/subscribe.${trigger}.slack`]: recipient,
})
const secondsOf = (world: VirtualCluster) => world.clock.now() / 1000

async function withSlack(world: VirtualCluster): Promise<void> {
  const notifications = 'examples/articles/notifications/argo-rollouts-notification'
  await world.apply(
    ...readManifests(`${notifications}-configmap.yaml`),
    ...readManifests(`${notifications}-secret.yaml`),
  )
}

test('notifications wait for the namespace that keeps them, and the update does not', async () => {
  await using world = await virtualCluster({ controllerNamespace: 'missing' })
  await world.apply(app('web', { annotations: subscribed('on-rollout-completed') }))
  await world.until('web', isHealthy)
  await world.setImage('web', 'web:v2')
  await world.until('web', isUpdated)
  await world.pass(300_000)
  const told = world.errors.filter((error) => error.includes('"argo-rollouts" not found'))
  expect(told.length).toBeGreaterThan(0)
  // A try every ten seconds at the most often, once the first few have failed.
  expect(told.length).toBeLessThan(120)
  await world.client.create(resources.namespaces, namespace('argo-rollouts'))
  await withSlack(world)
  await world.pass(60_000)
  const texts = world.cluster.inbox.received.map(({ to, text }) => `${to}: ${text}`)
  // One for the first revision and one for the second, neither told twice.
  const completed = 'news: Rollout web has been completed.'
  expect(texts).toEqual([completed, completed])
})

test('an API server that refuses every write for a minute delays an update by that minute and no more', async () => {
  await using world = await virtualCluster()
  await world.apply(app('web'))
  await world.until('web', isHealthy)
  const message = 'etcdserver: request timed out'
  world.faults.api = (request) =>
    isWrite(request) ? refusal({ code: 500, reason: 'InternalError', message }) : null
  await world.setImage('web', 'web:v2')
  const startedAt = secondsOf(world)
  await world.pass(60_000)
  expect((await world.rollout('web')).status?.currentPodHash).toBe(
    (await world.rollout('web')).status?.stableRS,
  )
  world.faults.api = () => null
  await world.until('web', isUpdated)
  expect(secondsOf(world) - startedAt).toBeLessThan(60 + 10 + 60)
  expect(world.errors.some((error) => error.includes(message))).toBe(true)
  expect((await world.events('RolloutCompleted')).length).toBe(2)
  expect(await world.events('ReplicaSetCreateError')).toEqual([])
})

test('a conflict at the first write of every object is met by reading and planning again', async () => {
  await using world = await virtualCluster()
  const met = new Set<string>()
  world.faults.api = async (request) => {
    if (!isWrite(request)) return null
    const { pathname } = new URL(request.url)
    const isCreate = request.method === 'POST'
    const body = isCreate ? ((await (request.clone() as Request).json()) as Created) : null
    // An Event is the same whatever name it is tried under.
    const target = [pathname, body?.message ?? body?.metadata.name].join(' ')
    if (met.has(target)) return null
    met.add(target)
    const message = 'the object has been modified; please apply your changes to the latest version'
    return refusal({ code: 409, reason: 'Conflict', message })
  }
  await world.apply(app('web'))
  await world.until('web', isHealthy)
  await world.setImage('web', 'web:v2')
  await world.until('web', isUpdated)
  // Events wait for their turn to be sent again.
  await world.pass(120_000)
  expect(met.size).toBeGreaterThan(10)
  expect((await world.events('RolloutCompleted')).map(({ message }) => message)).toEqual([
    expect.stringContaining('Initial deploy'),
    expect.stringContaining('Completed all 3 canary steps'),
  ])
  expect((await world.events('NewReplicaSetCreated')).length).toBe(2)
  expect((await world.events('RolloutUpdated')).length).toBe(2)
})

test('an API server that asks for patience is left alone for as long as it asks', async () => {
  await using world = await virtualCluster()
  await world.apply(app('web'))
  await world.until('web', isHealthy)
  const refused: number[] = []
  const facts = { code: 429, reason: 'TooManyRequests', message: 'slow down' }
  world.faults.api = (request) => {
    if (!isWrite(request) || !request.url.includes('/replicasets')) return null
    refused.push(world.clock.now())
    return refusal({ ...facts, retryAfterSeconds: 20 })
  }
  await world.setImage('web', 'web:v2')
  await world.pass(60_000)
  world.faults.api = () => null
  // Its own status and revision, which are let through, wake the Rollout; time alone does so every 20 s.
  const later = refused.filter((at) => at - (refused[0] ?? 0) > 1_000)
  expect(later.length).toBeGreaterThan(0)
  expect(later.length).toBeLessThanOrEqual(3)
  await world.until('web', isUpdated)
})

test('watches that break every five seconds lose no change', async () => {
  await using world = await virtualCluster()
  world.faults.watchesLastMs = 5_000
  await world.restartController()
  await world.apply(app('web'))
  await world.until('web', isHealthy)
  const startedAt = secondsOf(world)
  await world.setImage('web', 'web:v2')
  await world.until('web', isUpdated)
  expect(secondsOf(world) - startedAt).toBeLessThan(90)
  expect(world.errors.length).toBeGreaterThan(0)
})

test('a ReplicaSet that a quota refuses is told once and heals when the quota grows [rollout-controller 57]', async () => {
  await using world = await virtualCluster()
  await world.apply(app('web'))
  await world.until('web', isHealthy)
  const message =
    'replicasets.apps "web" is forbidden: exceeded quota: team, limited: count/replicasets.apps=1'
  world.faults.api = (request) =>
    request.method === 'POST' && request.url.includes('/replicasets')
      ? refusal({ code: 403, reason: 'Forbidden', message })
      : null
  await world.setImage('web', 'web:v2')
  const refused = await world.until('web', (rollout) => rollout.status?.phase === 'Degraded')
  expect(refused.status?.message).toContain(message)
  await world.pass(300_000)
  expect((await world.rollout('web')).status?.phase).toBe('Degraded')
  const told = await world.events('ReplicaSetCreateError')
  expect(told).toMatchObject([
    {
      type: 'Warning',
      count: 1,
      message: refused.status?.message?.replace('ReplicaSetCreateError: ', ''),
    },
  ])
  world.faults.api = () => null
  await world.pass(15_000)
  expect((await world.rollout('web')).status?.phase).not.toBe('Degraded')
  await world.until('web', isUpdated)
})

const production = 'examples/articles/production'

/** The complete example, healthy. */
async function productionWorld(): Promise<VirtualCluster> {
  const world = await virtualCluster()
  await withSlack(world)
  await world.apply(
    ...readManifests(`${production}/surroundings.yaml`),
    ...readManifests(`${production}/complete.yaml`),
  )
  await world.until('my-app', isHealthy)
  return world
}

test('an Ingress that cannot be written is told and keeps no abort from being decided', async () => {
  await using world = await productionWorld()
  const message = 'admission webhook "validate.nginx.ingress.kubernetes.io" denied the request'
  await world.setImage('my-app', 'my-app:v3', { 'sim.serinus.dev/error-rate': '1' })
  await world.until('my-app', (rollout) => rollout.status?.currentStepIndex === 2)
  world.faults.api = (request) =>
    isWrite(request) && request.url.includes('/ingresses')
      ? refusal({ code: 403, reason: 'Forbidden', message })
      : null
  const aborted = await world.until('my-app', (rollout) => rollout.status?.abort === true)
  expect(aborted.status?.message).toContain('assessed Failed')
  await world.pass(120_000)
  const told = await world.events('TrafficRoutingError')
  expect(told).toMatchObject([
    { type: 'Warning', count: 1, message: expect.stringContaining(message) },
  ])
  expect((await world.rollout('my-app')).status?.canary?.weights?.canary?.weight).toBe(10)
  world.faults.api = () => null
  await world.until('my-app', (rollout) => rollout.status?.canary?.weights?.canary?.weight === 0)
})

test('a Slack that is down for a minute holds up its own message and nothing else', async () => {
  await using world = await virtualCluster()
  await withSlack(world)
  await world.apply(
    app('web', {
      annotations: { ...subscribed('on-rollout-updated'), ...subscribed('on-rollout-completed') },
    }),
    app('other'),
  )
  await world.until('web', isHealthy)
  await world.pass(60_000)
  const before = world.cluster.inbox.received.length
  world.cluster.inbox.setFault('slack', { kind: 'status', status: 503 })
  const startedAt = secondsOf(world)
  await world.setImage('web', 'web:v2')
  await world.setImage('other', 'other:v2')
  await world.until('web', isUpdated)
  const tookWith = secondsOf(world) - startedAt
  await world.until('other', isUpdated)
  expect(secondsOf(world) - startedAt - tookWith).toBeLessThanOrEqual(1)
  expect(tookWith).toBeLessThan(60)
  await world.pass((60 - tookWith) * 1_000)
  expect(world.cluster.inbox.received.length).toBe(before)
  world.cluster.inbox.setFault('slack', null)
  await world.pass(60_000)
  expect(world.cluster.inbox.received.slice(before).map(({ text }) => text)).toEqual([
    'Rollout web has been updated.',
    'Rollout web has been completed.',
  ])
  expect(await world.events('NotificationFailed')).toEqual([])
})

test('a Prometheus out of reach ends in an aborted update, and people are told that measuring failed', async () => {
  await using world = await virtualCluster()
  await withSlack(world)
  await world.apply(
    {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AnalysisTemplate',
      metadata: { name: 'errors' },
      spec: {
        metrics: [
          {
            name: 'errors',
            interval: '10s',
            successCondition: 'result[0] < 0.05',
            provider: { prometheus: { address: 'http://prometheus.monitoring:9090', query: 'up' } },
          },
        ],
      },
    } as KubeObject,
    app('web', {
      annotations: subscribed('on-analysis-run-error', 'oncall'),
      canary: {
        analysis: { templates: [{ templateName: 'errors' }], startingStep: 1 },
        steps: [{ setWeight: 50 }, { pause: {} }],
      },
    }),
  )
  await world.until('web', isHealthy)
  world.faults.network = (request) =>
    new URL(request.url).hostname.startsWith('prometheus')
      ? new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 10.0.0.1:9090') })
      : null
  await world.setImage('web', 'web:v2')
  const aborted = await world.until('web', (rollout) => rollout.status?.abort === true)
  expect(aborted.status?.phase).toBe('Degraded')
  await world.pass(30_000)
  const { items } = await world.client.list<AnalysisRun & KubeObject>(kinds.analysisRuns)
  expect(items.map(({ status }) => status?.phase)).toEqual(['Error'])
  const measurements = items[0]?.status?.metricResults?.[0]?.measurements ?? []
  expect(measurements).toHaveLength(5)
  for (const { phase, message } of measurements) {
    expect(phase).toBe('Error')
    expect(message).toContain('ECONNREFUSED')
  }
  expect(world.cluster.inbox.received.map(({ to }) => to)).toEqual(['oncall'])
})

test('an invalid Rollout does not delay its neighbour', async () => {
  const took = async (neighbours: readonly KubeObject[]) => {
    await using world = await virtualCluster()
    await world.apply(...neighbours, app('web'))
    await world.until('web', isHealthy)
    await world.setImage('web', 'web:v2')
    const startedAt = world.clock.now()
    await world.until('web', isUpdated)
    return world.clock.now() - startedAt
  }
  const alone = await took([])
  const invalid = app('invalid', { canary: { steps: [{ setWeight: 101 }] } })
  expect(await took([invalid])).toBe(alone)
})

test('twenty Rollouts that are updated at once all finish', async () => {
  await using world = await virtualCluster()
  const names = Array.from({ length: 20 }, (_, index) => `app-${index}`)
  await world.apply(...names.map((name) => app(name)))
  for (const name of names) await world.until(name, isHealthy)
  const startedAt = secondsOf(world)
  for (const name of names) await world.setImage(name, `${name}:v2`)
  for (const name of names) await world.until(name, isUpdated)
  expect(secondsOf(world) - startedAt).toBeLessThan(90)
  expect(world.errors).toEqual([])
})

test('writes whose answers are lost are not made twice, even while no watch tells of them', async () => {
  await using world = await virtualCluster()
  world.faults.watchesLastMs = 5_000
  await world.restartController()
  await world.apply(app('web'))
  await world.until('web', isHealthy)
  const lost = new Set<string>()
  const isWatch = (request: Request) => new URL(request.url).searchParams.has('watch')
  const unavailable = { code: 503, reason: 'ServiceUnavailable', message: 'no answer' }
  let isBlind = true
  world.faults.api = async (request) => {
    const isOfSets = request.url.includes('/replicasets')
    if (isBlind && isOfSets && isWatch(request)) return refusal(unavailable)
    const target = `${request.method} ${request.url}`
    if (!isOfSets || !isWrite(request) || lost.has(target)) return null
    lost.add(target)
    await world.cluster.api.handleTrusted(request)
    return refusal({ code: 504, reason: 'Timeout', message: 'the answer got lost' })
  }
  await world.pass(10_000)
  await world.setImage('web', 'web:v2')
  await world.pass(30_000)
  isBlind = false
  const { status } = await world.until('web', isUpdated)
  expect(lost.size).toBeGreaterThan(1)
  expect(status?.collisionCount).toBeUndefined()
  const sets = await world.client.list(resources.replicaSets)
  expect(sets.items.length).toBe(2)
  expect((await world.events('NewReplicaSetCreated')).length).toBe(2)
})

/** Whose writes are refused for ever, by what their path contains. */
const single = [
  ['new ReplicaSets', /^POST .*\/replicasets$/],
  ['sizes of ReplicaSets', /^PATCH .*\/replicasets\//],
  ['Services', /^PATCH .*\/services\//],
  ['Ingresses', /\/ingresses/],
  ['AnalysisRuns', /^POST .*\/analysisruns/],
  ['revisions of the Rollout', /^PATCH .*\/rollouts\/[^/]+$/],
  ['Events', /\/events/],
  ['outboxes of notifications', /\/configmaps/],
] as const

test.each(single)(
  'refused writes of %s leave the deadline of an update in force',
  async (what, refused) => {
    await using world = await virtualCluster()
    await withSlack(world)
    const objects = readManifests(`${production}/complete.yaml`).map((object) => {
      if (object.kind !== 'Rollout') return object
      const deadline = { progressDeadlineSeconds: 120, progressDeadlineAbort: true }
      return { ...object, spec: { ...(object as unknown as StoredRollout).spec, ...deadline } }
    })
    await world.apply(...readManifests(`${production}/surroundings.yaml`), ...objects)
    await world.until('my-app', isHealthy)
    world.faults.api = (request) =>
      isWrite(request) && refused.test(`${request.method} ${new URL(request.url).pathname}`)
        ? refusal({ code: 403, reason: 'Forbidden', message: `no more ${what}` })
        : null
    await world.setImage('my-app', 'my-app:v9', { 'sim.serinus.dev/ready': 'false' })
    const startedAt = secondsOf(world)
    const { status } = await world.until('my-app', (rollout) => rollout.status?.abort === true)
    expect(status?.message).toContain('has timed out progressing')
    expect(secondsOf(world) - startedAt).toBeLessThanOrEqual(150)
  },
)

/** Analysed every ten seconds by a query that anything but `good` fails, and routed by an Ingress. */
function analysedApp(): readonly KubeObject[] {
  const service = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
  })
  const path = {
    path: '/',
    pathType: 'Prefix',
    backend: { service: { name: 'stable', port: { number: 80 } } },
  }
  const prometheus = { address: 'http://prometheus.monitoring:9090', query: 'vector(1)' }
  return [
    service('stable'),
    service('canary'),
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web', namespace: 'default' },
      spec: { rules: [{ host: 'web.example.com', http: { paths: [path] } }] },
    },
    {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AnalysisTemplate',
      metadata: { name: 'errors', namespace: 'default' },
      spec: {
        metrics: [
          {
            name: 'errors',
            interval: '10s',
            initialDelay: '20s',
            successCondition: 'result[0] < 0.5',
            failureLimit: 2,
            provider: { prometheus },
          },
        ],
      },
    },
    app('web', {
      annotations: subscribed('on-rollout-aborted'),
      canary: {
        stableService: 'stable',
        canaryService: 'canary',
        trafficRouting: { nginx: { stableIngress: 'web' } },
        steps: [{ setWeight: 50 }, { pause: { duration: '60s' } }, { setWeight: 100 }],
        analysis: { templates: [{ templateName: 'errors' }] },
      },
    }),
  ] as readonly unknown[] as readonly KubeObject[]
}

test.each(single.filter(([what]) => !['new ReplicaSets', 'AnalysisRuns'].includes(what)))(
  'refused writes of %s keep no verdict from being taken',
  async (what, refused) => {
    await using world = await virtualCluster()
    await withSlack(world)
    await world.apply(...analysedApp())
    await world.until('web', isHealthy)
    await world.setImage('web', 'web:v2')
    await world.until('web', (rollout) => rollout.status?.currentStepIndex === 1)
    world.faults.api = (request) =>
      isWrite(request) && refused.test(`${request.method} ${new URL(request.url).pathname}`)
        ? refusal({ code: 403, reason: 'Forbidden', message: `no more ${what}` })
        : null
    const { status } = await world.until('web', (rollout) => rollout.status?.abort === true)
    expect(status?.message).toContain('Metric "errors" assessed Failed due to failed (3)')
  },
)

test('an update whose analysis cannot be started stands still, says why, and goes on once it can', async () => {
  await using world = await virtualCluster()
  await world.apply(...analysedApp())
  await world.until('web', isHealthy)
  const message = 'analysisruns.argoproj.io is forbidden: exceeded quota'
  world.faults.api = (request) =>
    request.method === 'POST' && request.url.includes('/analysisruns')
      ? refusal({ code: 403, reason: 'Forbidden', message })
      : null
  await world.setImage('web', 'web:v2')
  await world.pass(900_000)
  const { status } = await world.rollout('web')
  expect(status?.canary?.weights?.canary?.weight).toBe(50)
  expect(status?.message).toContain('ProgressDeadlineExceeded')
  expect(await world.events('ReconciliationError')).toMatchObject([
    { type: 'Warning', count: 1, message: expect.stringContaining(message) },
  ])
  world.faults.api = () => null
  const aborted = await world.until('web', (rollout) => rollout.status?.abort === true)
  expect(aborted.status?.message).toContain('Metric "errors" assessed Failed')
})
