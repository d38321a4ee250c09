import { resources, SeededRandom } from '@serinus/kube'
import { expect, test } from 'vitest'
import type { Pod } from '../pods/pod.ts'
import type { EndpointSlice } from '../workloads/objects.ts'
import { deployment, podTemplate, service, TestCluster } from '../workloads/test-cluster.ts'
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
