import { type AnalysisRun, conditionOf, kinds } from '@serinus/api'
import { httpClient, type KubeObject, resources, SeededRandom } from '@serinus/kube'
import { expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { notificationProblems } from '../packages/cli/src/serinus/metrics.ts'
import { startService } from '../packages/cli/src/serinus/service.ts'
import {
  namespace,
  type StoredRollout,
  type VirtualCluster,
  virtualCluster,
} from './virtual-cluster.ts'

const subscription = 'notifications.argoproj.io/subscribe'
const isHealthy = (rollout: StoredRollout) => rollout.status?.phase === 'Healthy'

function app(
  name: string,
  parts: { annotations?: object; labels?: object; canary?: object; strategy?: object } = {},
): KubeObject {
  const { annotations, labels, canary } = parts
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: {
      name,
      namespace: 'default',
      annotations: { ...annotations },
      labels: { ...labels },
    },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image: `${name}:v1` }] },
      },
      strategy: parts.strategy ?? { canary: { steps: [{ setWeight: 50 }], ...canary } },
    },
  } as KubeObject
}

function service(
  name: string,
  facts: { selector?: object; annotations?: object } = {},
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', annotations: { ...facts.annotations } },
    spec: { selector: { app: 'web', ...facts.selector }, ports: [{ port: 80 }] },
  } as KubeObject
}

function ingress(name: string, backend: string): KubeObject {
  const path = {
    path: '/',
    pathType: 'Prefix',
    backend: { service: { name: backend, port: { number: 80 } } },
  }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'default' },
    spec: { rules: [{ host: 'web.example.com', http: { paths: [path] } }] },
  } as KubeObject
}

function template(metric: object): KubeObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name: 'errors', namespace: 'default' },
    spec: { metrics: [{ name: 'errors', ...metric }] },
  } as KubeObject
}

const analysed = {
  canary: {
    steps: [{ setWeight: 50 }, { analysis: { templates: [{ templateName: 'errors' }] } }],
  },
}

/** Nothing else stops: a neighbour that comes later becomes healthy and is updated. */
async function expectOthersToRun(world: VirtualCluster): Promise<void> {
  await world.apply(app('neighbour'))
  await world.until('neighbour', isHealthy)
  await world.setImage('neighbour', 'neighbour:v2')
  await world.until(
    'neighbour',
    (rollout) =>
      isHealthy(rollout) && rollout.metadata.annotations?.['rollout.argoproj.io/revision'] === '2',
  )
}

const refusedRollouts: readonly (readonly [
  title: string,
  objects: readonly KubeObject[],
  messages: readonly string[],
])[] = [
  [
    'a pause of 1d is refused with the duration that was written',
    [app('web', { canary: { steps: [{ setWeight: 20 }, { pause: { duration: '1d' } }] } })],
    ['spec.strategy.canary.steps[1].pause.duration', '"1d"'],
  ],
  [
    'two strategies in one Rollout are refused [api 5]',
    [service('web'), app('web', { strategy: { canary: {}, blueGreen: { activeService: 'web' } } })],
    ['spec.strategy', 'Multiple Strategies can not be listed'],
  ],
  [
    'a Service of another Rollout is refused [api 18]',
    [
      service('s', { annotations: { 'argo-rollouts.argoproj.io/managed-by-rollouts': 'other' } }),
      app('web', { canary: { stableService: 's' } }),
    ],
    ['spec.strategy.canary.stableService', '"s"', 'Service "s" is managed by another Rollout'],
  ],
  [
    'a Service that selects by a label which the pods lack is refused [api 19]',
    [service('s', { selector: { tier: 'web' } }), app('web', { canary: { stableService: 's' } })],
    ['spec.strategy.canary.stableService', 'Service "s" has unmatch label "tier" in rollout'],
  ],
  [
    'a weight of 101 is refused with the range that is allowed',
    [app('web', { canary: { steps: [{ setWeight: 101 }] } })],
    ['spec.strategy.canary.steps[0].setWeight', '101', 'SetWeight needs to be between 0 and 100'],
  ],
  [
    'a metric without a provider is refused under its name',
    [template({ successCondition: 'result > 0', provider: {} }), app('web', analysed)],
    ['spec.strategy.canary.steps[1].analysis.templates', 'errors', 'no provider specified'],
  ],
]

/** At the Rollout with field, value and rule; its neighbours are not disturbed. */
test.each(refusedRollouts)('%s', async (_, objects, messages) => {
  await using world = await virtualCluster()
  await world.apply(...objects)
  await world.pass(5_000)
  const { status } = await world.rollout('web')
  expect(status?.phase).toBe('Degraded')
  const condition = conditionOf(status?.conditions, 'InvalidSpec')
  for (const message of messages) {
    expect(status?.message).toContain(message)
    expect(condition?.message).toContain(message)
  }
  await expectOthersToRun(world)
  await world.pass(120_000)
  expect(await world.events('InvalidSpec')).toMatchObject([
    { type: 'Warning', message: condition?.message, count: 1 },
  ])
})

test('a Rollout without a strategy is told what field it lacks, and nobody else suffers [api 4]', async () => {
  await using world = await virtualCluster()
  await world.apply(app('web', { strategy: {} }))
  await world.pass(5_000)
  expect((await world.rollout('web')).status).toMatchObject({
    phase: 'Degraded',
    message: expect.stringMatching(
      /Required value: Rollout has missing field '\.spec\.strategy\.canary or \.spec\.strategy\.blueGreen'$/,
    ),
  })
  await expectOthersToRun(world)
})

const routed = (maxTrafficWeight: number | undefined, weight: number) => ({
  canary: {
    stableService: 'stable',
    canaryService: 'canary',
    trafficRouting: {
      nginx: { stableIngress: 'web' },
      ...(maxTrafficWeight === undefined ? {} : { maxTrafficWeight }),
    },
    steps: [{ setWeight: weight }],
  },
})

test('a weight may be as high as the total of the router and no higher [api 9]', async () => {
  const messageFor = async (max: number | undefined, weight: number) => {
    await using world = await virtualCluster()
    await world.apply(service('stable'), service('canary'), ingress('web', 'stable'))
    await world.apply(app('web', routed(max, weight)))
    await world.pass(20_000)
    const { status } = await world.rollout('web')
    return `${status?.phase}: ${status?.message ?? ''}`
  }
  expect(await messageFor(undefined, 101)).toContain('SetWeight needs to be between 0 and 100')
  expect(await messageFor(1000, 1000)).toBe('Healthy: ')
  expect(await messageFor(1000, 1001)).toContain('SetWeight needs to be between 0 and 1000')
})

test('missing Services and a missing Ingress are listed together, and the Rollout heals when they come [api 17]', async () => {
  await using world = await virtualCluster()
  await world.apply(app('web', routed(undefined, 50)))
  await world.pass(60_000)
  const { status, metadata } = await world.rollout('web')
  for (const message of [
    'spec.strategy.canary.stableService: Invalid value: "stable": service "stable" not found',
    'spec.strategy.canary.canaryService: Invalid value: "canary": service "canary" not found',
    'spec.strategy.canary.trafficRouting.nginx.stableIngress: Invalid value: "web": ingress.networking.k8s.io "web" not found',
  ]) {
    expect(status?.message).toContain(message)
  }
  await world.apply(service('stable'), service('canary'), ingress('web', 'stable'))
  await world.pass(15_000)
  const healed = await world.rollout('web')
  expect(conditionOf(healed.status?.conditions, 'InvalidSpec')).toBeUndefined()
  expect(healed.metadata.generation).toBe(metadata.generation)
  await world.until('web', isHealthy)
})

test('a query that is no PromQL ends in an error that quotes what Prometheus said of it', async () => {
  await using world = await virtualCluster()
  const prometheus = { address: 'http://prometheus.monitoring:9090', query: 'sum(rate(up[5m])' }
  await world.apply(
    template({
      interval: '10s',
      count: 2,
      successCondition: 'result[0] > 0',
      provider: { prometheus },
    }),
    app('web', analysed),
  )
  await world.until('web', isHealthy)
  await world.setImage('web', 'web:v2')
  await world.until('web', (rollout) => rollout.status?.abort === true)
  await expectOthersToRun(world)
  const { items } = await world.client.list<AnalysisRun & KubeObject>(kinds.analysisRuns)
  expect(items.map(({ status }) => status?.phase)).toEqual(['Error'])
  expect(items[0]?.status?.metricResults?.[0]?.measurements?.[0]?.message).toContain('parse error')
  expect((await world.rollout('web')).status?.message).toContain('parse error')
})

const notifications = 'examples/articles/notifications/argo-rollouts-notification'

async function notificationWorld(change: {
  readonly data?: object
  readonly stringData?: object
}): Promise<VirtualCluster> {
  const world = await virtualCluster()
  const written = [`${notifications}-secret.yaml`, `${notifications}-configmap.yaml`]
  await world.apply(
    ...written.flatMap((file) =>
      readManifests(file).map((object): KubeObject => {
        if (object.kind === 'Secret' && change.stringData) {
          return { ...object, stringData: change.stringData } as KubeObject
        }
        if (object.kind !== 'ConfigMap') return object
        const data = { ...(object as { readonly data?: object }).data, ...change.data }
        return { ...object, data } as KubeObject
      }),
    ),
  )
  return world
}

test.each([
  [
    'an unknown trigger',
    `${subscription}.on-rollout-abborted.slack`,
    'UnknownNotificationTrigger',
    'trigger \'on-rollout-abborted\' is not configured; did you mean "on-rollout-aborted"?',
  ],
  [
    'a recipient that PagerDuty has no key for',
    `${subscription}.on-rollout-aborted.pagerduty-v2`,
    'NotificationSubscriptionInvalid',
    "service 'pagerduty-v2' has no recipient 'prodution'; configured: production; did you mean \"production\"?",
  ],
])(
  '%s in a subscription is told at the Rollout with the right spelling',
  async (_, key, reason, message) => {
    await using world = await notificationWorld({})
    const annotations = {
      [key]: 'prodution',
      [`${subscription}.on-rollout-completed.slack`]: 'news',
    }
    await world.apply(app('web', { annotations }))
    await world.until('web', isHealthy)
    await world.pass(10_000)
    expect(await world.events(reason)).toMatchObject([
      {
        type: 'Warning',
        involvedObject: { kind: 'Rollout', name: 'web' },
        message: `metadata.annotations["${key}"]: ${message}`,
      },
    ])
    expect(world.cluster.inbox.received.map(({ to }) => to)).toEqual(['news'])
    await expectOthersToRun(world)
  },
)

test('a key that the Secret lacks is told at the ConfigMap, and other services deliver', async () => {
  await using world = await notificationWorld({ stringData: { 'slack-token': 'xoxb-1' } })
  const annotations = { [`${subscription}.on-rollout-completed.slack`]: 'news' }
  await world.apply(app('web', { annotations }))
  await world.until('web', isHealthy)
  await world.pass(10_000)
  const told = await world.events('NotificationConfigInvalid')
  expect(told).toMatchObject([
    {
      type: 'Warning',
      involvedObject: { kind: 'ConfigMap', name: 'argo-rollouts-notification-configmap' },
    },
  ])
  expect(told[0]?.message).toContain('data["service.pagerduty-v2"]')
  expect(told[0]?.message).toContain('has no key pagerduty-integration-key; it has slack-token')
  expect(world.cluster.inbox.received.map(({ to }) => to)).toEqual(['news'])
  await expectOthersToRun(world)
})

test('a template with a mistake is told at the ConfigMap, and other templates deliver', async () => {
  await using world = await notificationWorld({
    data: { 'template.rollout-aborted': 'message: "{{.rollout.metadata.name"\n' },
  })
  const annotations = { [`${subscription}.on-rollout-completed.slack`]: 'news' }
  await world.apply(app('web', { annotations }))
  await world.until('web', isHealthy)
  await world.pass(10_000)
  const told = (await world.events('NotificationConfigInvalid')).map(({ message }) => message)
  expect(told).toContainEqual(expect.stringContaining('data["template.rollout-aborted"]'))
  expect(world.cluster.inbox.received.map(({ to }) => to)).toEqual(['news'])
  await expectOthersToRun(world)
})

test('a controller looks after the Rollouts of its instance id alone [api 45]', async () => {
  const labels = { 'argo-rollouts.argoproj.io/controller-instance-id': 'x' }
  for (const [options, ours, foreign] of [
    [{ instanceId: 'x' }, 'labelled', 'plain'],
    [{}, 'plain', 'labelled'],
  ] as const) {
    await using world = await virtualCluster(options)
    const annotations = { [`${subscription}.on-rollout-completed.slack`]: 'news' }
    await world.apply(
      ...readManifests(`${notifications}-configmap.yaml`),
      ...readManifests(`${notifications}-secret.yaml`),
      app('labelled', { labels, annotations }),
      app('plain', { annotations }),
    )
    await world.until(ours, isHealthy)
    await world.pass(120_000)
    expect((await world.rollout(foreign)).status).toBeUndefined()
    const sets = await world.client.list(resources.replicaSets)
    expect(sets.items.map(({ metadata }) => metadata.ownerReferences?.[0]?.name)).toEqual([ours])
    expect(world.cluster.inbox.received.map(({ text }) => text)).toEqual([
      `Rollout ${ours} has been completed.`,
    ])
  }
})

test('two controllers of different instance ids in one cluster tell the news of each Rollout once', async () => {
  await using world = await notificationWorld({})
  await world.client.create(resources.namespaces, namespace('second'))
  for (const file of [`${notifications}-secret.yaml`, `${notifications}-configmap.yaml`]) {
    for (const object of readManifests(file)) {
      await world.apply({ ...object, metadata: { ...object.metadata, namespace: 'second' } })
    }
  }
  const ended = new AbortController()
  const second = startService({
    client: httpClient(world.cluster.api.handleTrusted),
    clock: world.clock,
    signal: ended.signal,
    controllerNamespace: 'second',
    instanceId: 'x',
    holder: 'second',
    random: new SeededRandom('second'),
    fetch: world.cluster.fetch,
  })
  await world.clock.settle()
  await second.synced
  const labels = { 'argo-rollouts.argoproj.io/controller-instance-id': 'x' }
  const annotations = { [`${subscription}.on-rollout-completed.slack`]: 'news' }
  await world.apply(app('labelled', { labels, annotations }), app('plain', { annotations }))
  for (const name of ['labelled', 'plain']) await world.until(name, isHealthy)
  await world.pass(120_000)
  expect(world.cluster.inbox.received.map(({ text }) => text).sort()).toEqual([
    'Rollout labelled has been completed.',
    'Rollout plain has been completed.',
  ])
  ended.abort()
})

const takeoverSteps = [
  { setWeight: 10 },
  { pause: { duration: '10m' } },
  { setWeight: 50 },
  { pause: { duration: '10m' } },
  { setWeight: 100 },
]

interface Recorded {
  readonly image: string
  readonly sets: readonly { hash: string; image: string; revision: string; replicas: number }[]
  readonly status: object
}

/** A Rollout with its ReplicaSets as another controller left them, pods running, before ours starts. */
async function takeOver(recorded: Recorded): Promise<VirtualCluster> {
  const world = await notificationWorld({})
  world.stopController()
  const pods = (image: string, labels: object) => ({
    metadata: { labels: { app: 'my-app', ...labels } },
    spec: {
      containers: [
        { name: 'app', image, ports: [{ containerPort: 8080, protocol: 'TCP' }], resources: {} },
      ],
    },
  })
  const created = await world.client.create<KubeObject>(kinds.rollouts, {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: {
      name: 'my-app',
      namespace: 'default',
      annotations: {
        'rollout.argoproj.io/revision': recorded.sets.at(-1)?.revision ?? '',
        [`${subscription}.on-rollout-updated.slack`]: 'news',
      },
    },
    spec: {
      replicas: 10,
      selector: { matchLabels: { app: 'my-app' } },
      template: pods(recorded.image, {}),
      strategy: { canary: { steps: takeoverSteps } },
    },
  } as KubeObject)
  for (const { hash, image, revision, replicas } of recorded.sets) {
    const labels = { app: 'my-app', 'rollouts-pod-template-hash': hash }
    const { uid = '', name } = created.metadata
    const owner = { apiVersion: created.apiVersion, kind: 'Rollout', name, uid }
    await world.client.create(resources.replicaSets, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `my-app-${hash}`,
        namespace: 'default',
        labels,
        annotations: {
          'rollout.argoproj.io/desired-replicas': '10',
          'rollout.argoproj.io/revision': revision,
        },
        ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
      },
      spec: { replicas, selector: { matchLabels: labels }, template: pods(image, labels) },
    } as KubeObject)
  }
  await world.client.patch(
    kinds.rollouts,
    { namespace: 'default', name: 'my-app' },
    { kind: 'merge', body: { status: recorded.status } },
    { subresource: 'status' },
  )
  await world.pass(600_000)
  world.requests.reset()
  world.plans.splice(0)
  await world.restartController()
  await world.clock.settle()
  return world
}

const since = '2025-12-01T10:00:00Z'
const condition = (type: string, status: string, reason: string, message: string) => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: since,
  lastUpdateTime: since,
})

function idleStatus(hash: string): object {
  return {
    HPAReplicas: 10,
    availableReplicas: 10,
    blueGreen: {},
    canary: {},
    conditions: [
      condition(
        'Progressing',
        'True',
        'NewReplicaSetAvailable',
        `ReplicaSet "my-app-${hash}" has successfully progressed.`,
      ),
      condition('Available', 'True', 'AvailableReason', 'Rollout has minimum availability'),
      condition('Paused', 'False', 'RolloutPaused', 'Rollout is not paused'),
      condition('Completed', 'True', 'RolloutCompleted', 'RolloutCompleted'),
      condition('Healthy', 'True', 'RolloutHealthy', 'Rollout is healthy'),
    ],
    currentPodHash: hash,
    currentStepHash: '74647b5f6b',
    currentStepIndex: 5,
    observedGeneration: '1',
    phase: 'Healthy',
    readyReplicas: 10,
    replicas: 10,
    selector: 'app=my-app',
    stableRS: hash,
    updatedReplicas: 10,
  }
}

const statusesOf = (world: VirtualCluster) =>
  world.plans.flatMap(({ writes }) =>
    writes.flatMap((write) =>
      write.kind === 'patch' && write.id === 'status'
        ? [(write.patch.body as { status: StoredRollout['status'] }).status]
        : [],
    ),
  )

test.each([
  [
    'a Rollout that upstream 1.8 left idle gets no ReplicaSet, event or other phase [api 28]',
    '7fd5785b95',
  ],
  [
    'a Rollout that upstream 1.9 left idle gets no ReplicaSet, event or other phase [api 29]',
    '7fd9d6f5cf',
  ],
])('%s', async (_, hash) => {
  await using world = await takeOver({
    image: 'my-app:v1',
    sets: [{ hash, image: 'my-app:v1', revision: '5', replicas: 10 }],
    status: idleStatus(hash),
  })
  await world.pass(600_000)
  const rollout = await world.rollout('my-app')
  expect(rollout.status).toMatchObject({
    phase: 'Healthy',
    currentStepIndex: 5,
    currentPodHash: hash,
    stableRS: hash,
  })
  expect(rollout.metadata.annotations?.['rollout.argoproj.io/revision']).toBe('5')
  expect(statusesOf(world).filter((status) => status?.phase !== undefined)).toEqual([])
  const sets = await world.client.list(resources.replicaSets)
  expect(sets.items.map(({ metadata }) => metadata.name)).toEqual([`my-app-${hash}`])
  const writes = [...world.requests.counts().byKind.keys()].filter(
    (kind) => /replicasets|events/.test(kind) && !/^(list|watch)/.test(kind),
  )
  expect(writes).toEqual([])
  expect(world.cluster.inbox.received).toEqual([])
  expect(world.errors).toEqual([])
})

test('an update that upstream left at its third step goes on from there [api 31]', async () => {
  const [stable, canary] = ['7fd9d6f5cf', '86f8669b94']
  await using world = await takeOver({
    image: 'my-app:v2',
    sets: [
      { hash: stable, image: 'my-app:v1', revision: '5', replicas: 9 },
      { hash: canary, image: 'my-app:v2', revision: '6', replicas: 1 },
    ],
    status: {
      ...idleStatus(stable),
      conditions: [
        condition('Available', 'True', 'AvailableReason', 'Rollout has minimum availability'),
        condition('Completed', 'False', 'RolloutCompleted', 'RolloutCompleted'),
        condition(
          'Progressing',
          'True',
          'ReplicaSetUpdated',
          `ReplicaSet "my-app-${canary}" is progressing.`,
        ),
        condition('Paused', 'False', 'RolloutPaused', 'Rollout is not paused'),
      ],
      currentPodHash: canary,
      currentStepIndex: 2,
      phase: 'Progressing',
      message: 'more replicas need to be updated',
      updatedReplicas: 1,
    },
  })
  expect((await world.rollout('my-app')).status?.currentStepIndex).toBe(2)
  await world.until('my-app', (rollout) => rollout.status?.phase === 'Paused')
  const indices = statusesOf(world).flatMap((status) => status?.currentStepIndex ?? [])
  expect(new Set(indices)).toEqual(new Set([3]))
  const sets = await world.client.list<KubeObject & { spec: { replicas: number } }>(
    resources.replicaSets,
  )
  expect(
    Object.fromEntries(sets.items.map(({ metadata, spec }) => [metadata.name, spec.replicas])),
  ).toEqual({
    [`my-app-${stable}`]: 5,
    [`my-app-${canary}`]: 5,
  })
})

test('a subscription that tells nobody is an Event, a condition and a metric, and ends when it is mended [notifications 4]', async () => {
  await using world = await virtualCluster()
  const configMap = readManifests(
    'examples/articles/notifications/argo-rollouts-notification-configmap.yaml',
  )
  const secret = readManifests(
    'examples/articles/notifications/argo-rollouts-notification-secret.yaml',
  )
  await world.apply(...configMap, ...secret)
  const [gate] = readManifests('examples/gate.yaml')
  const typo = 'notifications.argoproj.io/subscribe.on-analysis-run-faild.slack'
  await world.apply({
    ...gate,
    metadata: { ...gate?.metadata, annotations: { [typo]: 'ops' } },
  } as never)
  await world.until('gate', (rollout) => rollout.status?.phase === 'Healthy')
  await world.pass(5_000)
  const condition = async () =>
    (await world.rollout('gate')).status?.conditions?.find(
      (one) => one.type === 'NotificationsConfigured',
    )
  expect(await condition()).toMatchObject({ status: 'False', reason: 'SubscriptionUnknownTrigger' })
  expect((await condition())?.message).toContain('on-analysis-run-failed')
  const [event] = await world.events('NotificationSubscriptionInvalid')
  expect(event?.message).toContain('on-analysis-run-failed')
  const metric = notificationProblems(() => world.service())
  const series = async () => (await metric.get()).values
  const labels = { namespace: 'default', name: 'gate' }
  expect(await series()).toEqual([{ labels, value: 1 }])
  const mended = { metadata: { annotations: { [typo]: null } } }
  await world.client.patch(
    kinds.rollouts,
    { namespace: 'default', name: 'gate' },
    { kind: 'merge', body: mended },
  )
  await world.pass(5_000)
  expect((await condition())?.status).toBe('True')
  expect(await series()).toEqual([])
})

test('ten thousand steps are taken one by one in one pass where nothing holds them up, and delay nobody', async () => {
  await using world = await virtualCluster()
  const steps = Array.from({ length: 10_000 }, () => ({ setWeight: 50 }))
  await world.apply(app('long', { canary: { steps } }), app('short'))
  await world.until('long', isHealthy)
  await world.until('short', isHealthy)
  await world.setImage('long', 'long:v2')
  await world.setImage('short', 'short:v2')
  const began = world.clock.now()
  const short = await world.until('short', isHealthy)
  expect(short.status?.currentPodHash).toBe(short.status?.stableRS)
  expect(world.clock.now() - began).toBeLessThan(60_000)
  const long = await world.until('long', isHealthy)
  expect(long.status?.currentStepIndex).toBe(10_000)
})

test('an object of 10 MB is updated as any other, and delays nobody', async () => {
  await using world = await virtualCluster()
  const env = [{ name: 'NOTES', value: 'x'.repeat(10 * 1024 * 1024) }]
  const huge = (tag: string) => {
    const one = app('huge') as StoredRollout
    const template = {
      ...one.spec.template,
      spec: { containers: [{ name: 'app', image: `huge:${tag}`, env }] },
    }
    return { ...one, spec: { ...one.spec, template } } as KubeObject
  }
  await world.apply(huge('v1'), app('small'))
  await world.until('small', isHealthy)
  await world.until('huge', isHealthy)
  await world.apply(huge('v2'))
  await world.setImage('small', 'small:v2')
  const began = world.clock.now()
  for (const name of ['small', 'huge']) {
    const { status } = await world.until(
      name,
      (one) => isHealthy(one) && one.status?.currentPodHash === one.status?.stableRS,
    )
    expect(status?.currentStepIndex).toBe(1)
  }
  expect(world.clock.now() - began).toBeLessThan(60_000)
  expect(world.errors).toEqual([])
})
