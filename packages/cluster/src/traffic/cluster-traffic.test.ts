import { type KubeObject, resources, SeededRandom } from '@serinus/kube'
import { expect, test } from 'vitest'
import type { Pod } from '../pods/pod.ts'
import type { EndpointSlice } from '../workloads/objects.ts'
import { deployment, podTemplate, service, TestCluster } from '../workloads/test-cluster.ts'
import { routerKinds } from './router-kinds.ts'
import { ingress } from './test-world.ts'
import { startTraffic } from './traffic.ts'

/** Three pods behind an Ingress with 100 requests a second; a pod takes 5 s to end. */
async function loadedCluster(propagationDelayMs: number) {
  const cluster = await TestCluster.start()
  const ended = new AbortController()
  const traffic = startTraffic({
    client: cluster.client,
    clock: cluster.clock,
    random: new SeededRandom('traffic'),
    signal: ended.signal,
    propagationDelayMs,
    onError: (error) => cluster.errors.push(error),
  })
  const template = podTemplate('web')
  const spec = { ...template.spec, terminationGracePeriodSeconds: 5 }
  const annotations = { 'sim.serinus.dev/ignore-sigterm': 'true' }
  await cluster.create(
    resources.deployments,
    deployment('web', { template: { metadata: { ...template.metadata, annotations }, spec } }),
  )
  await cluster.create(resources.services, service('web', { app: 'web' }))
  await cluster.pass(30)
  await cluster.create(
    resources.ingresses,
    ingress('web', 'web', { 'sim.serinus.dev/requests-per-second': '100' }),
  )
  await cluster.pass(30)
  return {
    cluster,
    traffic,
    [Symbol.dispose]() {
      ended.abort()
      cluster[Symbol.dispose]()
    },
  }
}

function readyPods(slices: readonly EndpointSlice[]): readonly (string | undefined)[] {
  return slices
    .flatMap((slice) => slice.endpoints ?? [])
    .filter((endpoint) => endpoint.conditions?.ready)
    .map((endpoint) => endpoint.targetRef?.name)
}

test('a pod leaves the endpoints before it stops answering; a data plane that learns it 10 s late loses requests after the grace period, and the truth counts them [embedded-cluster 11]', async () => {
  using world = await loadedCluster(10_000)
  const { cluster, traffic } = world
  expect(traffic.truth('').lost).toBe(0)
  const victim = (await cluster.pods())[0]?.metadata.name ?? ''
  await cluster.delete(resources.pods, victim)
  await cluster.pass(3)
  const slices = await cluster.list<EndpointSlice>(resources.endpointSlices)
  expect(readyPods(slices)).not.toContain(victim)
  expect((await cluster.get<Pod>(resources.pods, victim)).metadata.deletionTimestamp).toBeDefined()
  expect(traffic.truth('').lost).toBe(0)
  await cluster.pass(3)
  const afterGrace = traffic.truth('').lost
  expect(afterGrace).toBeGreaterThan(0)
  await cluster.pass(5)
  const { lost } = traffic.truth('')
  // A third of 100 requests a second for the five seconds between the end of the pod and the news of it.
  expect(lost).toBeGreaterThan(110)
  expect(lost).toBeLessThan(230)
  await cluster.pass(60)
  expect(traffic.truth('').lost).toBe(lost)
  expect(cluster.errors).toEqual([])
})

test('a data plane that learns it at once loses nothing when a pod ends', async () => {
  using world = await loadedCluster(0)
  const { cluster, traffic } = world
  await cluster.delete(resources.pods, (await cluster.pods())[0]?.metadata.name ?? '')
  await cluster.pass(60)
  expect(traffic.truth('').lost).toBe(0)
  const version = (await cluster.pods())[0]?.metadata.labels?.['pod-template-hash'] ?? ''
  expect(traffic.truth(version).requests).toBeGreaterThan(8_000)
  expect(cluster.errors).toEqual([])
})

test('objects written in any version of a kind are served, and the end of the kind is quiet', async () => {
  using world = await loadedCluster(0)
  const { cluster, traffic } = world
  const name = 'virtualservices.networking.istio.io'
  const definition = routerKinds.find(({ metadata }) => metadata.name === name)
  if (!definition) throw new Error('no VirtualService is defined')
  await cluster.create(resources.customResourceDefinitions, definition)
  await cluster.pass(5)
  for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
    const group = 'networking.istio.io'
    const names = { plural: 'virtualservices', kind: 'VirtualService', namespaced: true }
    await cluster.create({ group, version, ...names }, {
      apiVersion: `${group}/${version}`,
      kind: 'VirtualService',
      metadata: { name: version, namespace: 'default' },
      spec: {
        hosts: [`${version}.example.com`],
        gateways: ['public'],
        http: [{ route: [{ destination: { host: 'web' } }] }],
      },
    } as KubeObject)
  }
  await cluster.pass(5)
  const statusOf = async (version: string) => {
    const headers = { host: `${version}.example.com` }
    return (await traffic.handle(new Request('http://ingress/', { headers }))).status
  }
  for (const version of ['v1', 'v1beta1', 'v1alpha3']) expect(await statusOf(version)).toBe(200)
  await cluster.delete(resources.customResourceDefinitions, name)
  await cluster.pass(600)
  expect(await statusOf('v1')).toBe(404)
  expect(cluster.errors).toEqual([])
})
