import { expect, test } from 'vitest'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { virtualCluster } from './virtual-cluster.ts'

test('a canary goes to 20 %, waits for a person and goes to 100 % on a cluster with real workloads', async () => {
  await using world = await virtualCluster()
  await world.apply(...readManifests('examples/gate.yaml'))
  await world.until('gate', (rollout) => rollout.status?.phase === 'Healthy')
  await world.setImage('gate', 'gate:v2')
  const paused = await world.until('gate', (rollout) => rollout.status?.phase === 'Paused')
  expect(paused.status?.currentStepIndex).toBe(1)
  await world.pass(3_600_000)
  expect((await world.rollout('gate')).status?.currentStepIndex).toBe(1)
  await world.promote('gate')
  const done = await world.until('gate', (rollout) => rollout.status?.phase === 'Healthy')
  expect(done.status?.stableRS).toBe(done.status?.currentPodHash)
  expect(done.metadata.annotations?.['rollout.argoproj.io/revision']).toBe('2')
  expect(world.errors).toEqual([])
})
