import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { readManifests } from '../packages/cli/src/serinus/manifests.ts'
import { replicaWorld } from '../test/replica-world.ts'
import { virtualCluster } from '../test/virtual-cluster.ts'
import type { Figure } from './figure.ts'
import { canary, isHealthy, isPaused } from './rollouts.ts'

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

/** How much a controller holds after a day of releases that one does not hold which has just started. */
export async function virtualDay(): Promise<readonly Figure[]> {
  await using world = await virtualCluster()
  const names = Array.from({ length: 20 }, (_, n) => `app-${n}`)
  const steps = [{ setWeight: 50 }, { pause: { duration: '5m' } }]
  for (const name of names) {
    await world.apply(canary(name, { replicas: 1, steps, revisionHistoryLimit: 2 }))
  }
  for (let hour = 0; hour < 24; hour++) {
    for (const name of names) await world.setImage(name, `${name}:h${hour}`)
    await world.pass(3_600_000)
    // Only this benchmark's surroundings keep every plan.
    world.plans.length = 0
  }
  const afterADay = heapMiB()
  await world.restartController()
  await world.pass(60_000)
  world.plans.length = 0
  return [
    {
      name: 'memory-held-after-a-day',
      value: Math.max(0, afterADay - heapMiB()),
      unit: 'MiB',
      target: 5,
      better: 'lower',
      method: `heap after collection that a controller gives back when it is replaced, after ${names.length} Rollouts were updated every hour of a day in virtual time`,
    },
  ]
}

function heapMiB(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed / 2 ** 20
}

/** How soon a controller acts again whose API was gone. */
export async function apiOutage(): Promise<readonly Figure[]> {
  await using world = await replicaWorld()
  const replica = world.replica('a')
  const steps = [{ setWeight: 50 }, { pause: { duration: '30s' } }]
  await world.apply(canary('app', { replicas: 1, steps }))
  await world.until('app', isHealthy)
  await world.setImage('app', 'app:v2')
  await world.until('app', isPaused)
  world.api.down = true
  await world.pass(60_000)
  world.api.down = false
  const backAt = world.clock.now()
  await world.pass(10_000)
  const first = replica.sent.find(
    ({ at, method, path }) => at >= backAt && method === 'PATCH' && path.includes('/rollouts/'),
  )
  return [
    {
      name: 'first-write-after-an-api-outage',
      value: ((first?.at ?? Number.POSITIVE_INFINITY) - backAt) / 1000,
      unit: 's',
      target: 3,
      better: 'lower',
      method:
        'virtual time from the return of an API that was gone for 60 s to the first write to a Rollout whose pause is over; lease included',
    },
  ]
}
