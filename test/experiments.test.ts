import { type AnalysisRun, type Experiment, hashLabel, kinds } from '@serinus/api'
import { type KubeObject, type Resource, resources, type UnknownObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { canary, isHealthy, replicaWorld } from './replica-world.ts'
import { refusal, type VirtualCluster, virtualCluster } from './virtual-cluster.ts'

type StoredExperiment = Experiment & KubeObject
type StoredRun = AnalysisRun & KubeObject
interface StoredService extends KubeObject {
  readonly spec: {
    readonly selector: Readonly<Record<string, string>>
    readonly ports: readonly object[]
  }
}
interface StoredSet extends KubeObject {
  readonly spec: { readonly replicas: number }
  readonly status?: { readonly availableReplicas?: number }
}

const start = Date.parse('2026-01-01T00:00:00Z')

/** Seconds since the start of the test; null: never. */
function secondsOf(instant: string | undefined): number | null {
  return instant === undefined ? null : (Date.parse(instant) - start) / 1000
}

interface TemplateFacts {
  readonly readyAfter?: string
  readonly ready?: false
  readonly image?: string
  readonly service?: { readonly name?: string }
  readonly ports?: readonly object[]
}

function template(name: string, facts: TemplateFacts = {}) {
  const { readyAfter, ready, image = 'web:v1', service, ports = [{ containerPort: 8080 }] } = facts
  const labels = { app: 'web', template: name }
  return {
    name,
    ...(service ? { service } : {}),
    selector: { matchLabels: labels },
    template: {
      metadata: {
        labels,
        annotations: {
          ...(readyAfter ? { 'sim.serinus.dev/ready-after': readyAfter } : {}),
          ...(ready === false ? { 'sim.serinus.dev/ready': 'false' } : {}),
        },
      },
      spec: { containers: [{ name: 'web', image, ports }] },
    },
  }
}

function experiment(spec: object): KubeObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Experiment',
    metadata: { name: 'exp', namespace: 'default' },
    spec,
  } as KubeObject
}

/** An analysis that a Job decides: it works for so long and then exits so. */
function judgedByJob(
  name: string,
  facts: { readonly lasts: string; readonly exits?: number },
): KubeObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name, namespace: 'default' },
    spec: {
      args: [{ name: 'about', value: 'nothing' }],
      metrics: [
        {
          name: 'job',
          provider: {
            job: {
              spec: {
                backoffLimit: 0,
                template: {
                  metadata: {
                    annotations: {
                      'sim.serinus.dev/duration': facts.lasts,
                      'sim.serinus.dev/exit-code': String(facts.exits ?? 0),
                    },
                  },
                  spec: {
                    restartPolicy: 'Never',
                    containers: [{ name: 'judge', image: 'judge:v1', command: ['judge'] }],
                  },
                },
              },
            },
          },
        },
      ],
    },
  } as KubeObject
}

const key = { namespace: 'default', name: 'exp' }
const get = (world: VirtualCluster) => world.client.get<StoredExperiment>(kinds.experiments, key)
const list = async <T extends KubeObject>(world: VirtualCluster, resource: Resource) =>
  (await world.client.list<T>(resource, { namespace: 'default' })).items
const sets = (world: VirtualCluster) => list<StoredSet>(world, resources.replicaSets)
const sizes = async (world: VirtualCluster) =>
  (await sets(world)).map((set) => `${set.metadata.name} ${set.spec.replicas}`).sort()
const runs = (world: VirtualCluster) => list<StoredRun>(world, kinds.analysisRuns)

/** Lets a second pass at a time until it is so; the seconds that have passed since the start. */
async function until(
  world: VirtualCluster,
  holds: (experiment: StoredExperiment) => boolean | Promise<boolean>,
): Promise<number> {
  for (let second = 0; second < 3600; second++) {
    const current = await get(world)
    if (await holds(current)) return (world.clock.now() - start) / 1000
    await world.pass(1_000)
  }
  throw new Error(`it does not come: ${JSON.stringify((await get(world)).status)} ${world.errors}`)
}

const hasPhase = (phase: string) => (one: StoredExperiment) => one.status?.phase === phase

test('the time of an experiment begins when all of its templates are available, and its pods stay for their delay [analysis-and-experiments 49]', async () => {
  await using world = await virtualCluster()
  await world.apply(
    judgedByJob('check', { lasts: '5s' }),
    experiment({
      duration: '60s',
      templates: [template('a', { readyAfter: '4s' }), template('b', { readyAfter: '29s' })],
      analyses: [{ name: 'check', templateName: 'check' }],
    }),
  )
  const runningAt = await until(world, hasPhase('Running'))
  const availableAt = secondsOf((await get(world)).status?.availableAt) ?? 0
  expect(availableAt).toBeGreaterThanOrEqual(29)
  expect(runningAt - availableAt).toBeLessThanOrEqual(1)
  const [run] = await runs(world)
  expect(run?.metadata.name).toBe('exp-check')
  expect(secondsOf(run?.metadata.creationTimestamp)).toBeGreaterThanOrEqual(availableAt)
  const endedAt = await until(world, hasPhase('Successful'))
  expect(endedAt - availableAt).toBeGreaterThanOrEqual(60)
  expect(endedAt - availableAt).toBeLessThanOrEqual(61.1)
  await world.pass(28_000)
  expect(await sizes(world)).toEqual(['exp-a 1', 'exp-b 1'])
  await world.pass(4_000)
  expect(await sizes(world)).toEqual(['exp-a 0', 'exp-b 0'])
  expect(world.errors).toEqual([])
})

test('pods that do not become available in time fail the experiment by name [analysis-and-experiments 50]', async () => {
  await using world = await virtualCluster()
  await world.apply(
    experiment({
      progressDeadlineSeconds: 30,
      scaleDownDelaySeconds: 0,
      templates: [template('a', { ready: false }), template('b')],
    }),
  )
  const failedAt = await until(world, hasPhase('Failed'))
  expect(failedAt).toBeGreaterThanOrEqual(30)
  expect(failedAt).toBeLessThanOrEqual(33)
  const { status } = await get(world)
  expect(status?.message).toBe("Template 'a' exceeded its progressDeadlineSeconds (30)")
  expect(status?.templateStatuses?.[0]?.status).toBe('Failed')
  await world.pass(2_000)
  expect(await sizes(world)).toEqual(['exp-a 0', 'exp-b 0'])
  const reasons = (await world.events()).map(({ reason, type }) => `${type} ${reason}`)
  expect(reasons).toContain('Warning TemplateFailed')
  expect(reasons).toContain('Warning ExperimentFailed')
  expect(world.errors).toEqual([])
})

test('a failed analysis fails the experiment, ends the other analyses and lets the pods go after their delay [analysis-and-experiments 51]', async () => {
  await using world = await virtualCluster()
  await world.apply(
    judgedByJob('bad', { lasts: '10s', exits: 1 }),
    judgedByJob('slow', { lasts: '1h' }),
    experiment({
      templates: [template('a')],
      analyses: [
        { name: 'bad', templateName: 'bad' },
        { name: 'slow', templateName: 'slow' },
      ],
    }),
  )
  const failedAt = await until(world, hasPhase('Failed'))
  const { status } = await get(world)
  const [bad, slow] = await runs(world)
  expect(status?.message).toBe(bad?.status?.message)
  expect(status?.message).toContain('assessed Failed due to failed (1) > failureLimit (0)')
  expect(slow?.spec.terminate).toBe(true)
  const drainedAt = await until(world, async () => (await sizes(world)).join() === 'exp-a 0')
  expect(drainedAt - failedAt).toBeGreaterThanOrEqual(29)
  expect(drainedAt - failedAt).toBeLessThanOrEqual(33)
  const [event] = await world.events('AnalysisRunTerminating')
  expect(event?.message).toBe('Terminating slow (exp-slow)')
  expect(world.errors).toEqual([])
})

test('a required analysis that outlasts the duration decides, while the pods go on time [analysis-and-experiments 52]', async () => {
  for (const exits of [0, 1]) {
    await using world = await virtualCluster()
    await world.apply(
      judgedByJob('long', { lasts: '60s', exits }),
      experiment({
        duration: '10s',
        templates: [template('a')],
        analyses: [{ name: 'long', templateName: 'long', requiredForCompletion: true }],
      }),
    )
    await until(world, (one) => one.status?.availableAt !== undefined)
    const availableAt = secondsOf((await get(world)).status?.availableAt) ?? 0
    const drainedAt = await until(world, async () => (await sizes(world)).join() === 'exp-a 0')
    expect(drainedAt - availableAt).toBeGreaterThanOrEqual(40)
    expect(drainedAt - availableAt).toBeLessThanOrEqual(43)
    expect((await get(world)).status?.phase).toBe('Running')
    const endedAt = await until(world, (one) => one.status?.phase !== 'Running')
    expect(endedAt - availableAt).toBeGreaterThanOrEqual(60)
    expect((await get(world)).status?.phase).toBe(exits === 0 ? 'Successful' : 'Failed')
    expect(world.errors).toEqual([])
  }
})

test('an analysis that nobody requires does not hold up the end [analysis-and-experiments 53]', async () => {
  await using world = await virtualCluster()
  await world.apply(
    judgedByJob('short', { lasts: '10s' }),
    judgedByJob('endless', { lasts: '1h' }),
    experiment({
      templates: [template('a')],
      analyses: [
        { name: 'endless', templateName: 'endless' },
        { name: 'short', templateName: 'short', requiredForCompletion: true },
      ],
    }),
  )
  expect(await until(world, hasPhase('Successful'))).toBeLessThan(30)
  expect((await get(world)).status?.message).toBe('Required AnalysisRuns completed')
  await world.pass(5_000)
  const [endless] = await runs(world)
  expect(endless?.spec.terminate).toBe(true)
  expect((await get(world)).status?.analysisRuns?.[0]?.phase).toBe(endless?.status?.phase)
  expect(world.errors).toEqual([])
})

test('a duration that cannot be read is an invalid spec without a busy loop, and mending it starts the experiment [api 54]', async () => {
  await using world = await virtualCluster()
  await world.apply(experiment({ duration: '5x', templates: [template('a')] }))
  world.requests.reset()
  await world.pass(10_000)
  expect(world.requests.counts().writes).toBeLessThan(5)
  const { status } = await get(world)
  expect(status?.phase).toBe('Error')
  const condition = status?.conditions?.find((one) => one.type === 'InvalidSpec')
  expect(condition).toMatchObject({ status: 'True', reason: 'InvalidSpec' })
  expect(condition?.message).toContain('spec.duration: Invalid value: "5x": not a duration')
  expect(await sets(world)).toEqual([])
  await world.client.patch(kinds.experiments, key, {
    kind: 'merge',
    body: { spec: { duration: '5s' } },
  })
  await world.pass(1_000)
  expect((await get(world)).status?.conditions?.map((one) => one.type)).toEqual(['Progressing'])
  await until(world, hasPhase('Successful'))
  expect(world.errors).toEqual([])
})

test('a spec that becomes invalid while it runs lets pods and analyses go, and starts again when it is mended', async () => {
  await using world = await virtualCluster()
  const edit = (duration: string) =>
    world.client.patch(kinds.experiments, key, { kind: 'merge', body: { spec: { duration } } })
  await world.apply(
    judgedByJob('check', { lasts: '10m' }),
    experiment({
      duration: '20m',
      scaleDownDelaySeconds: 5,
      templates: [template('a')],
      analyses: [{ name: 'check', templateName: 'check', requiredForCompletion: true }],
    }),
  )
  await until(world, (one) => one.status?.analysisRuns?.[0]?.phase === 'Running')
  await edit('5x')
  await until(world, hasPhase('Error'))
  await until(world, async () => (await sizes(world)).join() === 'exp-a 0')
  expect((await runs(world)).map((run) => run.spec.terminate)).toEqual([true])
  await edit('20m')
  await until(world, hasPhase('Running'))
  await until(world, hasPhase('Successful'))
  expect((await runs(world)).map((run) => run.metadata.name)).toEqual(['exp-check', 'exp-check.1'])
  expect(world.errors).toEqual([])
})

test('a ReplicaSet or Service of somebody else in the place of its own ends the experiment with a clear message', async () => {
  await using world = await virtualCluster()
  const foreign = { app: 'foreign', [hashLabel]: 'x' }
  await world.apply(
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'exp-a', namespace: 'default', labels: foreign },
      spec: {
        replicas: 0,
        selector: { matchLabels: foreign },
        template: {
          metadata: { labels: foreign },
          spec: { containers: [{ name: 'web', image: 'web:v1' }] },
        },
      },
    } as KubeObject,
    experiment({ templates: [template('a')] }),
  )
  await until(world, hasPhase('Error'))
  expect((await get(world)).status?.message).toMatch(
    /^Failed to create ReplicaSet for template 'a': replicasets.apps "exp-a" already exists and is not controlled by this Experiment/,
  )
  world.requests.reset()
  await world.pass(3_600_000)
  expect(world.requests.counts().writes).toBe(0)
  await world.client.delete(kinds.experiments, key)
  await world.apply(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'mine', namespace: 'default' },
      spec: { selector: { app: 'other' }, ports: [{ port: 80 }] },
    } as KubeObject,
    experiment({ templates: [template('b', { service: { name: 'mine' } })] }),
  )
  await until(world, hasPhase('Error'))
  expect((await get(world)).status?.message).toBe(
    "Failed to create Service mine for template 'b': service mine already exists and is not owned by experiment template b",
  )
})

test('a template with a Service whose pods have no port says so, and several ports without names get some', async () => {
  await using world = await virtualCluster()
  await world.apply(experiment({ templates: [template('a', { service: {}, ports: [] })] }))
  await until(world, hasPhase('Error'))
  expect((await get(world)).status?.message).toBe(
    "Failed to create Service exp-a for template 'a': the pods of template 'a' declare no port; add spec.template.spec.containers[].ports",
  )
  await world.client.delete(kinds.experiments, key)
  const ports = [{ containerPort: 8080 }, { containerPort: 9090, name: 'metrics' }]
  await world.apply(experiment({ templates: [template('b', { service: {}, ports })] }))
  await until(world, hasPhase('Running'))
  const service = await world.client.get<StoredService>(resources.services, {
    namespace: 'default',
    name: 'exp-b',
  })
  expect(service.spec.ports).toMatchObject([
    { name: 'tcp-8080', port: 8080, targetPort: 8080 },
    { name: 'metrics', port: 9090, targetPort: 9090 },
  ])
})

test('a template whose pods have no port waits for the stable Service of its Rollout, and starts when that comes', async () => {
  await using world = await virtualCluster()
  const labels = { app: 'web' }
  await world.apply({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web:v1' }] } },
      strategy: { canary: { stableService: 'web-stable', canaryService: 'web-canary' } },
    },
  } as KubeObject)
  const { uid = '' } = (await world.rollout('web')).metadata
  const made = experiment({ templates: [template('one', { service: {}, ports: [] })] })
  const owner = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name: 'web', uid }
  await world.apply({
    ...made,
    metadata: { ...made.metadata, ownerReferences: [{ ...owner, controller: true }] },
  })
  await world.pass(30_000)
  expect((await get(world)).status?.templateStatuses?.[0]?.status).toBe('Progressing')
  const own = async () =>
    (await list<StoredService>(world, resources.services)).find(
      ({ metadata }) => metadata.name === 'exp-one',
    )
  expect(await own()).toBeUndefined()
  const ports = [{ port: 80, targetPort: 8080, protocol: 'TCP' }]
  await world.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web-stable', namespace: 'default' },
    spec: { selector: labels, ports },
  } as KubeObject)
  await world.pass(5_000)
  expect((await own())?.spec.ports).toMatchObject(ports)
  expect((await get(world)).status?.templateStatuses?.[0]?.status).toBe('Running')
})

test('the Service of a template is there before its pods, leads to them alone, and goes after them', async () => {
  await using world = await virtualCluster()
  await world.apply(
    experiment({
      duration: '10s',
      scaleDownDelaySeconds: 5,
      templates: [template('a', { service: {} }), template('b', { service: { name: 'other' } })],
    }),
  )
  await until(world, hasPhase('Running'))
  const services = await list<StoredService>(world, resources.services)
  const ours = services.filter(({ metadata }) => ['exp-a', 'other'].includes(metadata.name))
  expect(ours).toHaveLength(2)
  const { templateStatuses = [] } = (await get(world)).status ?? {}
  expect(templateStatuses.map((one) => one.serviceName)).toEqual(['exp-a', 'other'])
  expect(templateStatuses.map((one) => one.podTemplateHash)).toEqual(
    ours.map((service) => service.spec.selector[hashLabel]),
  )
  await until(world, async (one) => {
    const left = await list(world, resources.services)
    return (
      one.status?.phase === 'Successful' &&
      !left.some(({ metadata }) => ['exp-a', 'other'].includes(metadata.name))
    )
  })
  await world.pass(2_000)
  const after = (await get(world)).status?.templateStatuses ?? []
  expect(after.map((one) => one.serviceName)).toEqual([undefined, undefined])
  expect(world.errors).toEqual([])
})

test('an experiment that is over, or only waits, costs no request', async () => {
  await using world = await virtualCluster()
  await world.apply(experiment({ duration: '1h', templates: [template('a')] }))
  await until(world, hasPhase('Running'))
  await world.pass(5_000)
  world.requests.reset()
  await world.pass(3_000_000)
  expect(world.requests.counts().writes).toBe(0)
  await until(world, hasPhase('Successful'))
  await world.pass(60_000)
  world.requests.reset()
  await world.pass(3_600_000)
  expect(world.requests.counts().writes).toBe(0)
  expect(world.errors).toEqual([])
})

test('arguments of an experiment name its pods, its Services and its times, and secrets come through', async () => {
  await using world = await virtualCluster()
  await world.apply(
    {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AnalysisTemplate',
      metadata: { name: 'check', namespace: 'default' },
      spec: {
        args: ['hash', 'set', 'service', 'from', 'to', 'token'].map((name) => ({ name })),
        metrics: [
          {
            name: 'm',
            provider: { web: { url: 'http://nowhere.default/{{args.token}}' } },
            consecutiveErrorLimit: 100,
          },
        ],
      },
    } as KubeObject,
    { ...secret('judge', 's3cr3t') },
    experiment({
      duration: '10m',
      templates: [template('a')],
      analyses: [
        {
          name: 'check',
          templateName: 'check',
          args: [
            { name: 'hash', value: '{{templates.a.podTemplateHash}}' },
            { name: 'set', value: '{{ templates.a.replicaset.name }}' },
            { name: 'service', value: 'http://{{templates.a.service.name}}:8080' },
            { name: 'from', value: '{{experiment.availableAt}}' },
            { name: 'to', value: '{{experiment.finishedAt}}' },
            { name: 'token', valueFrom: { secretKeyRef: { name: 'judge', key: 'token' } } },
          ],
        },
      ],
    }),
  )
  await until(world, async () => (await runs(world)).length > 0)
  const [run] = await runs(world)
  const { status } = await get(world)
  const availableAt = status?.availableAt ?? ''
  expect(run?.spec.args).toEqual([
    { name: 'hash', value: status?.templateStatuses?.[0]?.podTemplateHash },
    { name: 'set', value: 'exp-a' },
    { name: 'service', value: 'http://exp-a:8080' },
    { name: 'from', value: availableAt },
    {
      name: 'to',
      value: `${new Date(Date.parse(availableAt) + 600_000).toISOString().slice(0, 19)}Z`,
    },
    { name: 'token', valueFrom: { secretKeyRef: { name: 'judge', key: 'token' } } },
  ])
  expect(run?.status?.phase).toBe('Running')
})

function secret(name: string, token: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'default' },
    data: { token: Buffer.from(token).toString('base64') },
  } as KubeObject
}

/** The step of the guide, word for word. */
const guide = parse(`
steps:
- experiment:
    duration: 30m
    templates:
    - name: baseline
      specRef: stable        # uses the current stable spec
    - name: canary
      specRef: canary        # uses the new canary spec
    analyses:
    - name: compare-latency
      templateName: p95-latency-comparison
      args:
      - name: baseline-service
        value: "{{templates.baseline.service.name}}"
      - name: canary-service
        value: "{{templates.canary.service.name}}"
`) as { readonly steps: readonly unknown[] }

/** The Rollout with the step of the guide at that step, and requests for both sides, as a load test sends them. */
async function comparing(
  annotations: Readonly<Record<string, string>>,
  subscriptions: Readonly<Record<string, string>> = {},
) {
  const world = await virtualCluster()
  const notifications = 'examples/articles/notifications/argo-rollouts-notification'
  await world.apply(
    ...readManifests(`${notifications}-configmap.yaml`),
    ...readManifests(`${notifications}-secret.yaml`),
  )
  const [asking, rollout] = readManifests('examples/articles/production/compare-latency.yaml')
  if (!asking || !rollout) throw new Error('the example has changed')
  await world.apply(...readManifests('examples/articles/production/surroundings.yaml'))
  const metadata = { ...rollout.metadata, annotations: subscriptions }
  await world.apply(asking as KubeObject, { ...rollout, metadata } as KubeObject)
  await world.until('my-app', (one) => one.status?.phase === 'Healthy')
  const stored = await world.rollout('my-app')
  expect(stored.spec.strategy?.canary?.steps?.[0]).toEqual(guide.steps[0])
  await world.setImage('my-app', 'my-app:v2', annotations)
  await world.until('my-app', (one) => one.status?.canary?.currentExperiment !== undefined)
  const name = (await world.rollout('my-app')).status?.canary?.currentExperiment ?? ''
  await world.pass(1_000)
  const services = (await list<StoredService>(world, resources.services)).filter((service) =>
    service.metadata.name.startsWith(name),
  )
  for (const { metadata } of services) {
    await world.client.patch(
      resources.services,
      { namespace: 'default', name: metadata.name },
      {
        kind: 'merge',
        body: { metadata: { annotations: { 'sim.serinus.dev/requests-per-second': '20' } } },
      },
    )
  }
  const experimentNow = () =>
    world.client.get<StoredExperiment>(kinds.experiments, { namespace: 'default', name })
  return { world, name, services, experimentNow }
}

test('the experiment step of the guide compares both versions by Services of their own before anybody gets the new one [analysis-and-experiments 54] [api 50]', async () => {
  const { world, name, services, experimentNow } = await comparing({})
  await using _ = world
  expect(services.map((service) => service.metadata.name).sort()).toEqual([
    `${name}-baseline`,
    `${name}-canary`,
  ])
  const pods = (await list(world, resources.pods)).filter((pod) =>
    pod.metadata.name.startsWith(name),
  )
  for (const { metadata } of services) {
    const own = pods.filter((pod) => pod.metadata.name.startsWith(metadata.name))
    expect(own).toHaveLength(1)
    expect(versionOf(metadata)).toBeLessThan(Math.min(...own.map((pod) => versionOf(pod.metadata))))
  }
  await world.pass(60_000)
  const [run] = await runs(world)
  expect(run?.spec.args).toEqual([
    { name: 'baseline-service', value: `${name}-baseline` },
    { name: 'canary-service', value: `${name}-canary` },
  ])
  await world.pass(1_200_000)
  expect((await experimentNow()).status?.phase).toBe('Running')
  expect((await world.rollout('my-app')).status?.canary?.weights?.canary.weight).toBe(0)
  const measured = (await runs(world))[0]?.status?.metricResults?.[0]
  expect(measured?.successful).toBeGreaterThan(10)
  // The pods of an experiment are nobody's but its own; a Service that selects more than it should is named.
  const warned = (await world.events('ExperimentPodsSelected'))
    .filter((one) => one.involvedObject.kind === 'Rollout')
    .map(({ message }) => message)
  expect(warned.map((text) => text.slice(0, text.indexOf(';'))).sort()).toEqual([
    "Service 'my-app' selects the pods of template 'baseline', which get its requests",
    "Service 'my-app' selects the pods of template 'canary', which get its requests",
  ])
  for (const side of ['my-app-stable', 'my-app-canary']) {
    const { spec } = await world.client.get<StoredService>(resources.services, {
      namespace: 'default',
      name: side,
    })
    expect(services.map((one) => one.spec.selector[hashLabel])).not.toContain(
      spec.selector[hashLabel],
    )
  }
  await world.until('my-app', (one) => one.status?.currentStepIndex === 2)
  expect((await experimentNow()).status?.phase).toBe('Successful')
  const told = (await world.events('AnalysisRunRunning')).filter(
    (one) => one.involvedObject.kind === 'Rollout',
  )
  expect(told.map(({ type }) => type)).toEqual(['Normal'])
  await world.until('my-app', (one) => one.status?.stableRS === one.status?.currentPodHash)
  const left = await list(world, resources.services)
  expect(left.filter(({ metadata }) => metadata.name.startsWith(name))).toEqual([])
  expect(world.errors).toEqual([])
})

test('the experiment step of the guide aborts a slower version before it gets any traffic', async () => {
  const { world, experimentNow } = await comparing(
    { 'sim.serinus.dev/latency-p95': '400ms' },
    { 'notifications.argoproj.io/subscribe.on-analysis-run-failed.slack': 'deploy-failures' },
  )
  await using _ = world
  const aborted = await world.until('my-app', (one) => one.status?.abort === true)
  expect(aborted.status?.message).toBe(
    `RolloutAborted: Rollout aborted update to revision 2: Experiment analysis phase is error/failed: ${(await experimentNow()).status?.message}`,
  )
  expect(aborted.status?.message).toContain('assessed Failed due to failed (3) > failureLimit (2)')
  expect((await world.events('TrafficWeightUpdated')).map(({ message }) => message)).toEqual([
    'Traffic weight updated to 0',
  ])
  const told = (await world.events('AnalysisRunFailed')).map((one) => one.involvedObject.kind)
  expect(told.sort()).toEqual(['AnalysisRun', 'Experiment', 'Rollout'])
  expect(world.cluster.inbox.received.map(({ to, text }) => [to, text.split('\n')[0]])).toEqual([
    ['deploy-failures', expect.stringContaining('AnalysisRun Failed')],
  ])
  await world.pass(60_000)
  expect((await sizes(world)).filter((size) => !size.endsWith(' 0'))).toHaveLength(1)
  expect(world.errors).toEqual([])
})

test('the example of a standalone experiment ends when its required analysis is satisfied, or fails with it', async () => {
  for (const slow of [false, true]) {
    await using world = await virtualCluster()
    const objects = readManifests('examples/experiment.yaml').map((object) =>
      slow && object.kind === 'Experiment' ? slowed(object as unknown as StoredExperiment) : object,
    )
    await world.apply(...(objects as KubeObject[]))
    const name = { namespace: 'default', name: 'latency-ab' }
    for (let minute = 0; minute < 8; minute++) await world.pass(60_000)
    const { status } = await world.client.get<StoredExperiment>(kinds.experiments, name)
    expect(status?.phase).toBe(slow ? 'Failed' : 'Successful')
    expect(await sizes(world)).toEqual(['latency-ab-baseline 0', 'latency-ab-candidate 0'])
    expect(world.errors).toEqual([])
  }
})

/** The same whose candidate needs longer for its requests. */
function slowed(object: StoredExperiment): UnknownObject {
  const templates = object.spec.templates.map((one) =>
    one.name === 'candidate'
      ? {
          ...one,
          template: {
            ...one.template,
            metadata: {
              ...one.template.metadata,
              annotations: { 'sim.serinus.dev/latency-p95': '400ms' },
            },
          },
        }
      : one,
  )
  return { ...object, spec: { ...object.spec, templates } } as unknown as UnknownObject
}

function versionOf({ resourceVersion }: KubeObject['metadata']): number {
  return Number(resourceVersion)
}

/** An update with an experiment step, told by what is there in the end; the controller may die right after a write. */
async function story(facts: {
  readonly exits: number
  readonly crashAtWrite?: number
  readonly disturb?: (world: VirtualCluster) => void
}) {
  const { exits, crashAtWrite } = facts
  await using world = await virtualCluster(crashAtWrite === undefined ? {} : { crashAtWrite })
  await world.apply(
    judgedByJob('check', { lasts: '20s', exits }),
    judgedByJob('long', { lasts: '1h' }),
    stepRollout(),
  )
  await world.until('web', (one) => one.status?.phase === 'Healthy')
  const deployed = world.requests.counts().writes
  facts.disturb?.(world)
  await world.setImage('web', 'web:v2')
  await world.pass(15_000)
  const asked = world.requests.counts().writes
  await world.until('web', (one) =>
    exits === 0 ? one.status?.stableRS === one.status?.currentPodHash : one.status?.abort === true,
  )
  await world.pass(30_000)
  const { status } = await world.rollout('web')
  const experiments = await list<StoredExperiment>(world, kinds.experiments)
  const end = {
    rollout: [status?.phase, status?.message, status?.currentStepIndex, status?.canary],
    experiments: experiments.map(({ metadata, spec, status: of }) => ({
      name: metadata.name,
      terminate: spec.terminate,
      phase: of?.phase,
      message: of?.message,
      templates: of?.templateStatuses?.map(({ lastTransitionTime: _, ...rest }) => rest),
      runs: of?.analysisRuns,
      conditions: of?.conditions?.map(({ type, status: state, reason }) => [type, state, reason]),
    })),
    sizes: await sizes(world),
    services: (await list(world, resources.services)).map((one) => one.metadata.name).sort(),
    runs: (await runs(world)).map((run) => [
      run.metadata.name,
      run.status?.phase,
      run.spec.terminate,
    ]),
    jobs: (await list(world, resources.jobs)).length,
  }
  return { end, deployed, asked, writes: world.requests.counts().writes }
}

function stepRollout(): KubeObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'web:v1', ports: [{ containerPort: 8080 }] }] },
      },
      strategy: {
        canary: {
          steps: [
            {
              experiment: {
                scaleDownDelaySeconds: 5,
                templates: [
                  { name: 'old', specRef: 'stable', service: {} },
                  { name: 'new', specRef: 'canary' },
                ],
                analyses: [
                  { name: 'check', templateName: 'check', requiredForCompletion: true },
                  { name: 'long', templateName: 'long' },
                ],
              },
            },
          ],
        },
      },
    },
  } as KubeObject
}

test.each([
  ['succeeds', 0],
  ['fails', 1],
])(
  'an experiment step that %s ends alike, with nothing doubled, whichever write the controller dies after',
  {
    timeout: 300_000,
  },
  async (_, exits) => {
    const calm = await story({ exits })
    expect(calm.end.experiments.map((one) => one.phase)).toEqual([
      exits === 0 ? 'Successful' : 'Failed',
    ])
    expect(calm.end.jobs).toBe(1)
    // Until it is judged one is like the other.
    const first = exits === 0 ? calm.deployed : calm.asked
    for (let at = first + 1; at <= calm.writes; at += 1) {
      expect({ at, ...(await story({ exits, crashAtWrite: at })).end }).toEqual({ at, ...calm.end })
    }
  },
)

test('an API that answers every first write with a conflict changes nothing of how an experiment ends', async () => {
  const calm = await story({ exits: 0 })
  const refused = new Set<string>()
  const disturbed = await story({
    exits: 0,
    disturb: ({ faults }) => {
      faults.api = (request) => {
        const what = `${request.method} ${request.url}`
        const isOthers = /\/(events|jobs)\b/.test(request.url)
        if (request.method === 'GET' || isOthers || refused.has(what)) return null
        refused.add(what)
        const message =
          'the object has been modified; please apply your changes to the latest version'
        return refusal({ code: 409, reason: 'Conflict', message })
      }
    },
  })
  expect(refused.size).toBeGreaterThan(8)
  expect(disturbed.end).toEqual(calm.end)
})

const experimentSteps = [{ experiment: { templates: [{ name: 'a', specRef: 'canary' }] } }]

test('experiments that may not be read hold back the Rollouts with such steps and nobody else', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a')
  a.refuse = ({ url }) =>
    /argoproj.io\/v1alpha1\/experiments/.test(url)
      ? refusal({ code: 403, reason: 'Forbidden', message: 'experiments is forbidden: no' })
      : null
  await world.apply(canary('plain'), canary('trying', { steps: experimentSteps }))
  await world.until('plain', isHealthy)
  expect((await world.rollout('trying')).status).toBeUndefined()
  expect(a.replica.unready()).toContain('experiments cannot be read in all namespaces')
  a.refuse = () => null
  await world.until('trying', isHealthy)
  expect(a.replica.unready()).toBe(null)
})

test('experiments have series and a queue of their own, and those of another controller are left alone', async () => {
  await using world = await replicaWorld()
  const { replica } = world.replica('a', ['--experiment-threads=2'])
  const other = { 'argo-rollouts.argoproj.io/controller-instance-id': 'other' }
  const mine = experiment({ templates: [template('a')] })
  const theirs = { ...mine, metadata: { ...mine.metadata, name: 'theirs', labels: other } }
  await world.apply(mine, theirs)
  await world.pass(10_000)
  const phaseOf = async (name: string) =>
    (await world.client.get<StoredExperiment>(kinds.experiments, { namespace: 'default', name }))
      .status?.phase
  expect([await phaseOf('exp'), await phaseOf('theirs')]).toEqual(['Running', undefined])
  const text = await replica.metrics.text()
  expect(text).toMatch(/^experiment_info\{.*name="exp",phase="Running"\} 1$/m)
  expect(text).toMatch(/^experiment_reconcile_count\{.*name="exp"\} \d+$/m)
  expect(text).toMatch(/^workqueue_adds_total\{name="Experiments"\} [1-9]/m)
})

test('a controller of one namespace runs its experiments and asks for nothing else', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a', ['--namespaced', '--namespace=default'])
  await world.apply(
    judgedByJob('check', { lasts: '5s' }),
    experiment({
      templates: [template('a', { service: {} })],
      analyses: [{ name: 'check', templateName: 'check', requiredForCompletion: true }],
    }),
  )
  await world.pass(30_000)
  const stored = await world.client.get<StoredExperiment>(kinds.experiments, key)
  expect(stored.status?.phase).toBe('Successful')
  const elsewhere = a.sent.filter(
    ({ path }) =>
      /\/(experiments|replicasets|services|analysisruns)/.test(path) &&
      !path.includes('/namespaces/default/'),
  )
  expect(elsewhere).toEqual([])
})

test('an experiment that is deleted and applied again waits for what the first one left behind, and then runs', async () => {
  await using world = await virtualCluster()
  const again = experiment({ duration: '1h', templates: [template('a', { service: {} })] })
  await world.apply(again)
  await until(world, hasPhase('Running'))
  await world.client.delete(kinds.experiments, key)
  await world.client.create(kinds.experiments, again)
  await until(world, hasPhase('Running'))
  const { metadata } = await get(world)
  const [set] = await sets(world)
  expect(set?.metadata.ownerReferences?.[0]?.uid).toBe(metadata.uid)
  expect(await world.events('ExperimentError')).toEqual([])
})

test('the name of a Service is waited for while it belongs to an experiment that is over, and refused while that one runs', async () => {
  await using world = await virtualCluster()
  const named = (name: string): KubeObject => {
    const one = experiment({
      duration: '10s',
      templates: [template(name, { service: { name: 'shared' } })],
    })
    return { ...one, metadata: { ...one.metadata, name } }
  }
  const phaseOf = async (name: string) =>
    (await world.client.get<StoredExperiment>(kinds.experiments, { namespace: 'default', name }))
      .status?.phase
  await world.apply(named('first'))
  await world.pass(8_000)
  await world.apply(named('second'))
  await world.pass(2_000)
  expect([await phaseOf('first'), await phaseOf('second')]).toEqual(['Running', 'Error'])
  await world.pass(10_000)
  await world.apply(named('third'))
  await world.pass(10_000)
  expect([await phaseOf('first'), await phaseOf('third')]).toEqual(['Successful', 'Pending'])
  expect(await sizes(world)).toEqual(['first-first 1'])
  await world.pass(30_000)
  expect(await phaseOf('third')).toBe('Successful')
  expect(world.errors).toEqual([])
})
