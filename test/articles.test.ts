import type { AnalysisRun } from '@serinus/api'
import { kinds } from '@serinus/api'
import type { KubeObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { type StoredRollout, virtualCluster } from './virtual-cluster.ts'

const production = 'examples/articles/production'
const notifications = 'examples/articles/notifications'

/** The complete example with its surroundings, healthy on the image given. */
async function productionWorld(image: string) {
  const world = await virtualCluster()
  await world.apply(...readManifests(`${production}/surroundings.yaml`))
  const objects = readManifests(`${production}/complete.yaml`).map((object) => {
    if (object.kind !== 'Rollout') return object
    const rollout = object as unknown as StoredRollout
    const template = rollout.spec.template
    const containers = template?.spec?.containers?.map((container) => ({ ...container, image }))
    return {
      ...rollout,
      spec: { ...rollout.spec, template: { ...template, spec: { ...template?.spec, containers } } },
    } as never
  })
  await world.apply(...objects)
  await world.until('my-app', (rollout) => rollout.status?.phase === 'Healthy')
  return world
}

const weight = (rollout: StoredRollout) => rollout.status?.canary?.weights?.canary?.weight ?? 0

test('the complete production example passes 10, 30, 60 and 100 on a good image and waits at its gate [api 52]', async () => {
  await using world = await productionWorld('my-app:v1')
  await world.setImage('my-app', 'my-app:v2')
  await world.until(
    'my-app',
    (rollout) => rollout.status?.currentStepIndex === 4 && rollout.status.phase === 'Paused',
  )
  await world.pass(1_200_000)
  expect((await world.rollout('my-app')).status?.currentStepIndex).toBe(4)
  await world.promote('my-app')
  await world.until(
    'my-app',
    (rollout) => rollout.status?.stableRS === rollout.status?.currentPodHash,
  )
  const moves = (await world.events('TrafficWeightUpdated')).map(({ message }) => message)
  expect(moves.map((text) => Number(/to (\d+)$/.exec(text)?.[1]))).toEqual([0, 10, 30, 60, 100, 0])
  expect((await world.events('CanaryUnderscaled')).length).toBe(1)
  const runs = await world.client.list<AnalysisRun & KubeObject>(kinds.analysisRuns)
  expect(
    runs.items.every((run) => run.status?.phase !== 'Failed' && run.status?.phase !== 'Error'),
  ).toBe(true)
  await world.until('my-app', (rollout) => rollout.status?.phase === 'Healthy')
  expect(world.errors).toEqual([])
})

test('the complete production example aborts on a bad image and gives the traffic back', async () => {
  await using world = await productionWorld('my-app:v1')
  await world.setImage('my-app', 'my-app:v3', { 'sim.serinus.dev/error-rate': '1' })
  const bad = await world.until('my-app', (rollout) => rollout.status?.abort === true)
  expect(bad.status?.message).toMatch(
    /^RolloutAborted: Rollout aborted update to revision 2: Background analysis phase error\/failed: Metric "success-rate" assessed Failed due to failed \(4\) > failureLimit \(3\)$/,
  )
  const back = await world.until('my-app', (rollout) => weight(rollout) === 0)
  expect(back.status?.phase).toBe('Degraded')
  expect(world.errors).toEqual([])
})

test('the first Rollout of the guide runs with two warnings: its duration and its template [api 51]', async () => {
  await using world = await virtualCluster()
  await world.apply(
    ...readManifests(`${production}/standard-health-check.yaml`),
    ...readManifests(`${production}/rollout-first.yaml`),
  )
  const rollout = await world.until('my-app', (one) => one.status?.phase === 'Healthy')
  expect(rollout.status?.phase).toBe('Healthy')
  const reasons = (await world.events()).map((event) => event.reason)
  expect(reasons).toContain('DurationNormalized')
  expect(reasons).toContain('ClusterTemplateFallback')
})

test('a standalone AnalysisRun takes its metrics from the template it names [api 49] [analysis-and-experiments 39]', async () => {
  await using world = await virtualCluster()
  await world.apply(
    ...readManifests(`${production}/error-rate-check.yaml`),
    ...readManifests(`${production}/dry-run-health-check.yaml`),
  )
  await world.pass(5_000)
  const run = await world.client.get<AnalysisRun & KubeObject>(kinds.analysisRuns, {
    namespace: 'default',
    name: 'dry-run-health-check',
  })
  expect(run.spec.metrics?.map((metric) => metric.name)).toEqual(['success-rate'])
  expect(run.spec.args).toEqual([
    { name: 'service-name', value: 'my-app.default.svc.cluster.local' },
  ])
  // Nothing answers to that name yet: the run says so instead of passing.
  expect(run.status?.metricResults?.[0]?.measurements?.[0]?.message).toContain(
    'query returned no series',
  )
})

/** What the article leaves out of its Rollout: `# ... rest of Rollout spec`. */
const restOfSpec = {
  replicas: 2,
  selector: { matchLabels: { app: 'my-service' } },
  template: {
    metadata: { labels: { app: 'my-service' } },
    spec: {
      containers: [{ name: 'app', image: 'my-service:v1', ports: [{ containerPort: 8080 }] }],
    },
  },
  strategy: {
    canary: {
      // The queries look back five minutes: before that they mix the new version with what was before.
      steps: [
        { setWeight: 50 },
        { pause: { duration: '6m' } },
        { analysis: { templates: [{ templateName: 'http-error-rate' }] } },
      ],
    },
  },
}

test('a failure of the notification article reaches incidents, deploy-failures and PagerDuty exactly once each [api 47]', async () => {
  await using world = await virtualCluster()
  await world.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'my-team' } })
  await world.apply(
    ...readManifests(`${notifications}/argo-rollouts-notification-configmap.yaml`),
    ...readManifests(`${notifications}/argo-rollouts-notification-secret.yaml`),
    ...readManifests(`${notifications}/analysis-template.yaml`),
  )
  const namespace = 'my-team'
  const [written] = readManifests(`${notifications}/rollout.yaml`)
  await world.apply({ ...written, spec: restOfSpec } as never)
  await world.apply(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'my-service', namespace },
      spec: { selector: { app: 'my-service' }, ports: [{ port: 80, targetPort: 8080 }] },
    } as never,
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: {
        name: 'web',
        namespace,
        annotations: { 'sim.serinus.dev/requests-per-second': '50' },
      },
      spec: {
        rules: [
          {
            host: 'my-service',
            http: {
              paths: [
                {
                  path: '/',
                  pathType: 'Prefix',
                  backend: { service: { name: 'my-service', port: { number: 80 } } },
                },
              ],
            },
          },
        ],
      },
    } as never,
  )
  await world.pass(400_000)
  const key = { namespace, name: 'my-service' }
  const containers = [{ name: 'app', image: 'my-service:v2', ports: [{ containerPort: 8080 }] }]
  await world.client.patch(kinds.rollouts, key, {
    kind: 'merge',
    body: {
      spec: {
        template: {
          metadata: { annotations: { 'sim.serinus.dev/error-rate': '0.5' } },
          spec: { containers },
        },
      },
    },
  })
  await world.pass(1_800_000)
  const rollout = await world.client.get<StoredRollout>(kinds.rollouts, key)
  expect(rollout.status?.message).toBe(
    'RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: Metric "error-rate" assessed Failed due to failed (2) > failureLimit (1)',
  )
  const { received } = world.cluster.inbox
  const texts = (to: string, part: string) =>
    received.filter((one) => one.to === to && one.text.includes(part))
  expect(texts('incidents', 'Rollback occurred: my-service')).toHaveLength(1)
  expect(texts('deploy-failures', 'Rollback occurred: my-service')).toHaveLength(1)
  expect(texts('deploy-failures', 'AnalysisRun Failed')).toHaveLength(1)
  expect(received.filter((one) => one.service === 'pagerduty')).toMatchObject([
    { to: 'your-pagerduty-v2-integration-key', text: 'my-service rollback occurred — my-team' },
  ])
  const abortedAt = Date.parse(rollout.status?.abortedAt ?? '')
  expect(received.filter((one) => one.at - abortedAt > 1_000 && one.at >= abortedAt)).toEqual([])
  expect(world.errors).toEqual([])
})

test('the template of the notification article is accepted as it stands', async () => {
  await using world = await virtualCluster()
  await world.client.create(
    { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'my-team' } },
  )
  await world.apply(...readManifests(`${notifications}/analysis-template.yaml`))
  const templates = await world.client.list(kinds.analysisTemplates, { namespace: 'my-team' })
  expect(templates.items).toHaveLength(1)
})
