import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { annotationKeys, kinds } from '@serinus/api'
import type { Workload } from '@serinus/engine'
import { type KubeObject, type Resource, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import {
  refusal,
  type StoredRollout,
  type VirtualCluster,
  virtualCluster,
} from './virtual-cluster.ts'

const labels = { app: 'web' }
const template = (image: string) => ({
  metadata: { labels },
  spec: { containers: [{ name: 'app', image }] },
})

function deployment(replicas: number, name = 'web'): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template: template('web:v1') },
  } as KubeObject
}

function rollout(parts: { ref?: object; spec?: object; canary?: object } = {}): KubeObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 5,
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', ...parts.ref },
      strategy: { canary: { ...parts.canary } },
      ...parts.spec,
    },
  } as KubeObject
}

const isHealthy = ({ status, metadata }: StoredRollout) =>
  status?.phase === 'Healthy' && status.observedGeneration === String(metadata.generation)
const key = { namespace: 'default', name: 'web' }

async function sizeOf(world: VirtualCluster, name = 'web'): Promise<number> {
  const { spec } = await world.client.get<Workload>(resources.deployments, { ...key, name })
  return spec?.replicas ?? -1
}

async function generationOf(world: VirtualCluster): Promise<string> {
  return String((await world.client.get(resources.deployments, key)).metadata.generation)
}

async function running(
  parts: Parameters<typeof rollout>[0] = {},
  size = 5,
): Promise<VirtualCluster> {
  const world = await virtualCluster()
  await world.apply(deployment(size))
  await world.pass(60_000)
  await world.apply(rollout(parts))
  return world
}

async function edit(world: VirtualCluster, resource: Resource, body: object) {
  await world.client.patch(resource, key, { kind: 'merge', body })
  await world.clock.settle()
}

const setWorkloadImage = (world: VirtualCluster, image: string) =>
  edit(world, resources.deployments, {
    spec: { template: { spec: { containers: [{ name: 'app', image }] } } },
  })

test('pods come from the Deployment, and a change of its template is an update of the Rollout', async () => {
  await using world = await running({ canary: { steps: [{ setWeight: 20 }, { pause: {} }] } })
  await world.until('web', isHealthy)
  await world.pass(5_000)
  const { status, metadata, spec } = await world.rollout('web')
  const generation = await generationOf(world)
  expect(status?.workloadObservedGeneration).toBe(generation)
  expect(metadata.annotations?.[annotationKeys.workloadGeneration]).toBe(generation)
  expect([spec.template, spec.selector]).toEqual([undefined, undefined])
  await setWorkloadImage(world, 'web:v2')
  await world.until('web', (current) => current.status?.phase === 'Paused')
  const paused = await world.rollout('web')
  expect(paused.status?.workloadObservedGeneration).toBe(await generationOf(world))
  expect(paused.status?.workloadObservedGeneration).not.toBe(generation)
  await world.promote('web')
  await world.until('web', isHealthy)
  const after = await world.rollout('web')
  expect(after.metadata.annotations?.[annotationKeys.revision]).toBe('2')
  expect([after.spec.template, after.spec.selector]).toEqual([undefined, undefined])
  expect(await sizeOf(world)).toBe(5)
  expect(world.errors).toEqual([])
})

test('a ReplicaSet and a PodTemplate serve as well as a Deployment', async () => {
  await using world = await virtualCluster()
  await world.apply(
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'web', namespace: 'default' },
      spec: { replicas: 1, selector: { matchLabels: labels }, template: template('web:v1') },
    } as KubeObject,
    rollout({ ref: { kind: 'ReplicaSet' } }),
  )
  await world.until('web', isHealthy)
  await world.client.delete(kinds.rollouts, key)
  await world.pass(60_000)
  await world.apply(
    {
      apiVersion: 'v1',
      kind: 'PodTemplate',
      metadata: { name: 'web', namespace: 'default' },
      template: template('web:v2'),
    } as KubeObject,
    rollout({
      ref: { apiVersion: 'v1', kind: 'PodTemplate' },
      spec: { selector: { matchLabels: labels } },
    }),
  )
  await world.until('web', isHealthy)
})

test('a PodTemplate without a selector in the Rollout is refused with the field that is missing', async () => {
  await using world = await virtualCluster()
  await world.apply(
    {
      apiVersion: 'v1',
      kind: 'PodTemplate',
      metadata: { name: 'web', namespace: 'default' },
      template: template('web:v1'),
    } as KubeObject,
    rollout({ ref: { apiVersion: 'v1', kind: 'PodTemplate' } }),
  )
  await world.pass(5_000)
  expect((await world.rollout('web')).status?.message).toContain(
    "spec.selector: Required value: a PodTemplate has no selector: Rollout has missing field '.spec.selector'",
  )
})

test('a workload that is missing is named, and the Rollout recovers at once when it appears', async () => {
  await using world = await virtualCluster()
  await world.apply(rollout())
  await world.pass(60_000)
  const { status } = await world.rollout('web')
  expect(status?.phase).toBe('Degraded')
  expect(status?.message).toContain('InvalidSpec: The Rollout "web" is invalid: ')
  expect(status?.message).toContain('deployments.apps "web" not found')
  await world.apply(deployment(0))
  await world.pass(1)
  expect((await world.rollout('web')).status?.phase).toBe('Progressing')
  await world.until('web', isHealthy)
})

test.each([
  [
    'a kind that cannot be referred to',
    { ref: { kind: 'StatefulSet' } },
    'workload of type apps/StatefulSet is not supported',
  ],
  [
    'a template beside the reference',
    { spec: { template: { spec: { containers: [{ name: 'app', image: 'x' }] } } } },
    'template must be empty for workload reference rollout',
  ],
  [
    'a mode of scaling down that is misspelt',
    { ref: { scaleDown: 'onSuccess' } },
    'must be one of never, onsuccess, progressively',
  ],
])('%s is refused in words [api 53]', async (_, parts, words) => {
  await using world = await running(parts)
  await world.pass(5_000)
  const { status } = await world.rollout('web')
  expect(status?.phase).toBe('Degraded')
  expect(status?.message).toContain(words)
  expect(await sizeOf(world)).toBe(5)
})

test('a Deployment gives way pod by pod, and completely once the Rollout is healthy [rollout-controller 55]', async () => {
  await using world = await running({ ref: { scaleDown: 'progressively' } })
  await world.until('web', isHealthy)
  await world.pass(5_000)
  expect(await sizeOf(world)).toBe(0)
  const steps = (await world.events('ScalingWorkload')).map(({ message }) =>
    /from (\d+) to (\d+), since (\d+) of 5/.exec(message)?.slice(1).map(Number),
  )
  expect(steps.length).toBeGreaterThan(1)
  // Both together never have fewer pods than the Rollout is to have.
  expect(steps.map((step) => (step?.[1] ?? 0) + (step?.[2] ?? 0))).toEqual(steps.map(() => 5))
  expect(world.errors).toEqual([])
})

test('with onsuccess a Deployment keeps its pods until the Rollout is healthy, whatever its revision [operations 40]', async () => {
  await using world = await running()
  await world.until('web', isHealthy)
  await setWorkloadImage(world, 'web:v2')
  await world.pass(60_000)
  await world.until('web', isHealthy)
  expect((await world.rollout('web')).metadata.annotations?.[annotationKeys.revision]).toBe('2')
  expect(await sizeOf(world)).toBe(5)
  await edit(world, kinds.rollouts, { spec: { workloadRef: { scaleDown: 'onsuccess' } } })
  await world.pass(10_000)
  expect(await sizeOf(world)).toBe(0)
})

test('a Rollout without a size takes over that of the Deployment that gives way to it', async () => {
  await using world = await running(
    { ref: { scaleDown: 'onsuccess' }, spec: { replicas: undefined } },
    7,
  )
  await world.until('web', isHealthy)
  await world.pass(5_000)
  expect((await world.rollout('web')).spec.replicas).toBe(7)
  expect((await world.rollout('web')).status?.availableReplicas).toBe(7)
  expect(await sizeOf(world)).toBe(0)
})

test('when the Rollout is deleted its Deployment gets its pods back', async () => {
  await using world = await running({ ref: { scaleDown: 'onsuccess' } })
  await world.until('web', isHealthy)
  await world.pass(5_000)
  expect(await sizeOf(world)).toBe(0)
  await world.client.delete(kinds.rollouts, key)
  await world.pass(5_000)
  const { spec, metadata } = await world.client.get<Workload>(resources.deployments, key)
  expect(spec?.replicas).toBe(5)
  expect(
    Object.keys(metadata.annotations ?? {}).filter((name) => name.startsWith('serinus')),
  ).toEqual([])
})

test('a Deployment that Argo Rollouts scaled down gets its pods back too', async () => {
  await using world = await running({ ref: { scaleDown: 'onsuccess' } }, 0)
  await world.until('web', isHealthy)
  await world.client.delete(kinds.rollouts, key)
  await world.pass(5_000)
  expect(await sizeOf(world)).toBe(5)
})

test('a Deployment that had given way half gets its pods back when the reference goes elsewhere', async () => {
  await using world = await virtualCluster()
  const annotations = {
    [annotationKeys.scaledDownBy]: 'web',
    [annotationKeys.scaledDownFrom]: '5',
  }
  const half = deployment(2)
  await world.apply(
    { ...half, metadata: { ...half.metadata, annotations } },
    deployment(0, 'other'),
    rollout({ ref: { name: 'other', scaleDown: 'progressively' } }),
  )
  await world.until('web', isHealthy)
  expect(await sizeOf(world)).toBe(5)
  const { metadata } = await world.client.get(resources.deployments, key)
  expect(metadata.annotations?.[annotationKeys.scaledDownFrom]).toBeUndefined()
})

test('an update after the move does not bring the Deployment back', async () => {
  await using world = await running({
    ref: { scaleDown: 'progressively' },
    canary: { steps: [{ setWeight: 50 }, { pause: {} }] },
  })
  await world.until('web', isHealthy)
  await world.pass(5_000)
  await setWorkloadImage(world, 'web:v2')
  await world.until('web', (current) => current.status?.phase === 'Paused')
  await world.pass(60_000)
  expect(await sizeOf(world)).toBe(0)
})

test.each([
  [409, 'Conflict'],
  [403, 'Forbidden'],
  [404, 'NotFound'],
])('a Deployment whose change is answered with %i gives way in the end', async (code, reason) => {
  await using world = await running({ ref: { scaleDown: 'onsuccess' } })
  let refused = 0
  world.faults.api = (request) => {
    const isChange = request.method !== 'GET' && request.url.includes('/deployments/')
    if (!isChange || ++refused > 3) return null
    return refusal({ code, reason, message: 'deployments.apps "web" is refused' })
  }
  await world.until('web', isHealthy)
  await world.pass(60_000)
  expect(refused).toBeGreaterThan(3)
  expect(await sizeOf(world)).toBe(0)
})

test('where Deployments may be updated but not patched, as the role of Argo Rollouts has it, they are updated', async () => {
  await using world = await running({ ref: { scaleDown: 'onsuccess' } })
  world.faults.api = (request) =>
    request.method === 'PATCH' && request.url.includes('/deployments/')
      ? refusal({ code: 403, reason: 'Forbidden', message: 'cannot patch deployments' })
      : null
  await world.until('web', isHealthy)
  await world.pass(5_000)
  expect(await sizeOf(world)).toBe(0)
  expect(world.errors).toEqual([])
})

test('workloads that may not be read are named in the condition, and read once they may be', async () => {
  await using world = await virtualCluster()
  const message = 'deployments.apps is forbidden: User "x" cannot list resource "deployments"'
  world.faults.api = (request) =>
    request.url.includes('/deployments')
      ? refusal({ code: 403, reason: 'Forbidden', message })
      : null
  await world.apply(deployment(0), rollout())
  await world.pass(30_000)
  expect((await world.rollout('web')).status?.message).toContain(message)
  world.faults.api = () => null
  await world.pass(30_000)
  await world.until('web', isHealthy)
})

test('no workload is read until a Rollout refers to one', async () => {
  await using world = await virtualCluster()
  const paths: string[] = []
  world.faults.api = (request) => {
    paths.push(new URL(request.url).pathname)
    return null
  }
  await world.apply(
    rollout({
      spec: {
        workloadRef: undefined,
        selector: { matchLabels: labels },
        template: template('web:v1'),
      },
    }),
  )
  await world.until('web', isHealthy)
  expect(paths.filter((path) => /deployments|podtemplates/.test(path))).toEqual([])
})

/** Manifests of the outside world, beside the repository where somebody has put them. */
const corpus = fileURLToPath(new URL('../../shared/corpus', import.meta.url))
const hasCorpus = existsSync(corpus)

test.skipIf(!hasCorpus)(
  'a manifest of a stranger with a reference and metadata runs as it is',
  async () => {
    await using world = await virtualCluster()
    const demo = { app: 'consul-demo', tier: 'front' }
    const service = (name: string) =>
      ({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name },
        spec: { selector: demo, ports: [{ port: 80 }] },
      }) as KubeObject
    await world.apply(service('frontend'), service('canary-front'), {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'frontend' },
      spec: {
        replicas: 2,
        selector: { matchLabels: demo },
        template: { ...template('web:v1'), metadata: { labels: demo } },
      },
    } as KubeObject)
    await world.apply(...readManifests(`${corpus}/wild/canary-workloadref-consul-metadata.yaml`))
    await world.until('frontend-rollout', isHealthy)
    const pods = await world.client.list(resources.pods, {
      labelSelector: 'frontend-version=stable',
    })
    expect(pods.items).toHaveLength(2)
    expect(world.errors).toEqual([])
  },
)

test.skipIf(!hasCorpus).each([
  ['canary-istio-workloadref-clusterscope-analysis.yaml', 'default', 'silly-demo'],
  ['canary-gatewayapi-workloadref-analysis.yaml', 'demo', 'demo-app'],
])('the reference of %s is taken', async (file, namespace, name) => {
  await using world = await virtualCluster()
  await world.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: name } },
        template: { ...template('web:v1'), metadata: { labels: { app: name } } },
      },
    } as KubeObject,
    ...readManifests(`${corpus}/wild/${file}`),
  )
  await world.pass(5_000)
  const stored = await world.client.get<StoredRollout>(kinds.rollouts, { namespace, name })
  expect(stored.status?.observedGeneration).toBe('1')
  expect(stored.status?.message ?? '').not.toMatch(/workload|spec\.template|spec\.selector/)
})
