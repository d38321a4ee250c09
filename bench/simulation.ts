import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { virtualCluster } from '../test/virtual-cluster.ts'
import type { Figure } from './figure.ts'
import { isHealthy } from './rollouts.ts'

/** An hour of the 10-replica canary of the production article. */
export async function virtualHour(): Promise<readonly Figure[]> {
  await using world = await virtualCluster()
  await world.apply(...readManifests('examples/articles/production/surroundings.yaml'))
  await world.apply(...readManifests('examples/articles/production/complete.yaml'))
  await world.until('my-app', isHealthy)
  await world.setImage('my-app', 'my-app:v9')
  const began = performance.now()
  await world.pass(3_600_000)
  return [
    {
      name: 'virtual-hour-of-a-10-replica-canary',
      value: performance.now() - began,
      unit: 'ms',
      target: 1000,
      better: 'lower',
      method:
        'wall time of one hour of cluster time with traffic, metrics, analysis every 5 minutes and the controller',
    },
  ]
}
