import type { RequestCounts } from '@serinus/kube'
import { virtualCluster } from '../test/virtual-cluster.ts'
import type { Figure } from './figure.ts'
import { startFleet } from './fleet.ts'
import { writesTo } from './write-counts.ts'

const size = 1000

/** What one Rollout tells about an update of this kind, from the first change to the last. */
const eventsEach = 7

const limits = { qps: 40, burst: 80 }

/** A thousand Rollouts changed at once under the default client limits, counted and timed in virtual time. */
export async function thousand(): Promise<readonly Figure[]> {
  await using world = await virtualCluster({ limits })
  const { client, clock } = world
  using fleet = startFleet({ client, clock, namespace: 'default', size })
  const rest = async (healthy: Promise<readonly number[]>) => {
    let isDone = false
    healthy.then(() => {
      isDone = true
    })
    while (!isDone) await world.pass(1_000)
    await world.pass(600_000)
    return healthy
  }
  await fleet.create()
  await rest(fleet.healthy('v1'))
  world.requests.reset()
  const changedAt = clock.now()
  const healthy = fleet.healthy('v2')
  await fleet.change('v2')
  const instants = (await rest(healthy)).map((at) => at - changedAt)
  return figuresOf(instants, world.requests.counts())
}

function figuresOf(instants: readonly number[], counts: RequestCounts): readonly Figure[] {
  const method = `${size} Rollouts of one replica and one step changed at once, ${limits.qps} requests a second and ${limits.burst} at once, embedded cluster, virtual time`
  const lastMs = instants.at(-1) ?? Number.NaN
  return [
    {
      name: 'writes-per-rollout-of-1000',
      value: writesTo(counts, 'rollouts', 'replicasets') / size,
      unit: 'writes',
      target: 6,
      better: 'lower',
      method: `${method}; besides Events (upstream: 8.0)`,
    },
    {
      name: 'events-missing-of-1000',
      value: eventsEach * size - (counts.byKind.get('create events') ?? 0),
      unit: 'Events',
      target: 0,
      better: 'lower',
      method: `the same; of the ${eventsEach} that each update tells of, ten minutes after the last is Healthy (upstream: 899 of 900 completions)`,
    },
    {
      name: 'first-healthy-of-1000',
      value: (instants[0] ?? Number.NaN) / 1000,
      unit: 's',
      target: 3,
      better: 'lower',
      method: `the same, from the first change until a watch shows the first Healthy one (upstream: 59)`,
    },
    {
      name: 'median-healthy-of-1000',
      value: (instants[size / 2] ?? Number.NaN) / lastMs,
      unit: 'of the total time',
      target: 0.5,
      better: 'lower',
      method: `the same, against the ${(lastMs / 1000).toFixed(0)} s until the last is Healthy (upstream: 129 of 145 s)`,
    },
  ]
}
