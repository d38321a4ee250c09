import { kinds } from '@serinus/api'
import { type KubeObject, resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { readManifests } from '../../packages/cli/src/serinus/manifests.ts'
import { type ClusterUnderTest, clusterUnderTest } from '../cluster-under-test.ts'
import { leaderElect } from '../controller-under-test.ts'

interface Lease extends KubeObject {
  readonly spec: { readonly holderIdentity?: string; readonly leaseTransitions?: number }
}

const lease = ({ client }: ClusterUnderTest) =>
  client.get<Lease>(resources.leases, {
    namespace: 'argo-rollouts',
    name: 'argo-rollouts-controller-lock',
  })

const isHealthy = (rollout: { readonly status?: { readonly phase?: string } | undefined }) =>
  rollout.status?.phase === 'Healthy'

/** The lease of earlier tests would have to run out first. */
async function withoutLease() {
  const world = await clusterUnderTest()
  const key = { namespace: 'argo-rollouts', name: 'argo-rollouts-controller-lock' }
  await world.client.delete(resources.leases, key).catch(() => undefined)
  return world
}

test('of two controllers one works, and the other takes over when it ends', async () => {
  await using world = await withoutLease()
  const first = await world.startController(leaderElect)
  await world.apply(...readManifests('examples/gate.yaml'))
  await world.untilRollout('gate', isHealthy)
  const before = await lease(world)
  await world.startController(leaderElect)
  await first.stop()
  const key = { namespace: world.namespace, name: 'gate' }
  const containers = [{ name: 'app', image: 'gate:v2' }]
  const body = { spec: { template: { spec: { containers } } } }
  await world.client.patch(kinds.rollouts, key, { kind: 'merge', body })
  await world.untilRollout('gate', ({ status }) => status?.phase === 'Paused')
  const after = await lease(world)
  expect(after.spec.holderIdentity).not.toBe(before.spec.holderIdentity)
  expect(after.spec.holderIdentity).toMatch(/^test_/)
  expect(world.errors).toEqual([])
})

test('a lease that its holder gave back is free for the next at once', async () => {
  await using world = await withoutLease()
  const first = await world.startController(leaderElect)
  await world.apply(...readManifests('examples/gate.yaml'))
  await world.untilRollout('gate', isHealthy)
  await first.stop()
  expect((await lease(world)).spec.holderIdentity ?? '').toBe('')
})
