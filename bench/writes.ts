import type { KubeObject, RequestCounts } from '@serinus/kube'
import { type VirtualCluster, virtualCluster } from '../test/virtual-cluster.ts'
import type { Figure } from './figure.ts'
import { blueGreen, canary, completionNews, isHealthy, isPaused } from './rollouts.ts'
import { writesTo } from './write-counts.ts'

/** One story whose writes are counted at the client of the controller; it begins and ends at rest. */
interface Story {
  readonly name: string
  readonly target: number
  /** Of Argo Rollouts: writes, and Events. */
  readonly upstream: readonly [string, string]
  readonly method: string
  readonly objects: readonly KubeObject[]
  /** Absent: the first deployment itself is counted. */
  readonly update?: (world: VirtualCluster) => Promise<void>
}

const pauseOfAMinute = { pause: { duration: '60s' } }

const stories: readonly Story[] = [
  {
    name: 'first-deployment',
    target: 6,
    upstream: ['8', '6'],
    method: '5 replicas, no update yet',
    objects: [canary('app', { replicas: 5, steps: [{ setWeight: 20 }] })],
  },
  {
    name: 'canary-update',
    target: 18,
    upstream: ['27', '17'],
    method: '5 replicas, setWeight 20, pause 60 s, setWeight 60',
    objects: [
      canary('app', {
        replicas: 5,
        steps: [{ setWeight: 20 }, pauseOfAMinute, { setWeight: 60 }],
      }),
    ],
    update: (world) => world.setImage('app', 'app:v2'),
  },
  {
    name: 'blue-green-update',
    target: 9,
    upstream: ['12', '8'],
    method: '5 replicas, active and preview Service, promotes itself',
    objects: blueGreen('app', { replicas: 5 }),
    update: (world) => world.setImage('app', 'app:v2'),
  },
]

/** Writes of each story. */
export async function writes(): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const story of stories) {
    await using world = await virtualCluster()
    await world.apply(...story.objects)
    await atRest(world)
    if (story.update) {
      world.requests.reset()
      await story.update(world)
      await atRest(world)
    }
    figures.push(...writeFigures(world.requests.counts(), story))
  }
  return figures
}

async function atRest(world: VirtualCluster): Promise<void> {
  await world.pass(2_000)
  await world.until('app', isHealthy)
  await world.pass(60_000)
}

/** The update that was also measured on Argo Rollouts, with a person in it. */
export async function promotedWrites(): Promise<readonly Figure[]> {
  await using world = await virtualCluster()
  const steps = [{ setWeight: 20 }, { pause: { duration: '5s' } }, { setWeight: 60 }, { pause: {} }]
  await world.apply(canary('app', { replicas: 5, steps }))
  await atRest(world)
  world.requests.reset()
  await world.setImage('app', 'app:v2')
  await world.until('app', (rollout) => isPaused(rollout) && rollout.status?.currentStepIndex === 3)
  await world.pass(10_000)
  await world.promote('app')
  await atRest(world)
  return writeFigures(world.requests.counts(), {
    name: 'promoted-canary-update',
    target: 24,
    upstream: ['33', '19'],
    method: '5 replicas, setWeight 20, pause 5 s, setWeight 60, pause, promote',
  })
}

function writeFigures(
  counts: RequestCounts,
  { name, target, upstream, method }: Pick<Story, 'name' | 'target' | 'upstream' | 'method'>,
): readonly Figure[] {
  const created = counts.byKind.get('create events') ?? 0
  return [
    {
      name: `writes-per-${name}`,
      value: writesTo(counts, 'rollouts', 'replicasets', 'services'),
      unit: 'writes',
      target,
      better: 'lower',
      method: `${method}; writes to Rollout, ReplicaSets and Services, virtual time, embedded cluster (upstream: ${upstream[0]})`,
    },
    {
      name: `events-per-${name}`,
      value: created,
      unit: 'Events',
      target: 19,
      better: 'lower',
      method: `the same; Events created, equal ones are counted up with ${writesTo(counts, 'events') - created} patches besides (upstream: ${upstream[1]})`,
    },
  ]
}

/** What a controller sends that starts beside 500 healthy Rollouts. */
export async function idle(): Promise<readonly Figure[]> {
  const plain = await idleWrites({})
  const subscribed = await idleWrites({
    'notifications.argoproj.io/subscribe.on-rollout-completed.slack': 'deploys',
    'notifications.argoproj.io/subscribe.on-rollout-aborted.hook': '',
  })
  const method = 'the controller starts and ten minutes pass in virtual time'
  return [
    {
      name: 'idle-writes-with-500-rollouts',
      value: plain,
      unit: 'writes',
      target: 0,
      better: 'lower',
      method: `500 healthy Rollouts, ${method} (upstream: 500 Events at each start)`,
    },
    {
      name: 'idle-writes-with-500-subscribed-rollouts',
      value: subscribed,
      unit: 'writes',
      target: 0,
      better: 'lower',
      method: `500 healthy Rollouts with a Slack and a webhook subscription each, ${method}`,
    },
  ]
}

async function idleWrites(annotations: Readonly<Record<string, string>>): Promise<number> {
  await using world = await virtualCluster()
  await world.apply(...completionNews('argo-rollouts'))
  for (let n = 0; n < 500; n++) {
    await world.apply(canary(`app-${n}`, { replicas: 1, steps: [{ setWeight: 50 }], annotations }))
  }
  await world.pass(60_000)
  await world.until('app-499', isHealthy)
  // Completion is told on one channel within its rate limit: let the outboxes empty first.
  await world.pass(3_600_000)
  world.requests.reset()
  await world.restartController()
  await world.pass(600_000)
  if (Object.keys(annotations).length > 0 && world.cluster.inbox.received.length < 500)
    throw new Error('the subscriptions tell nobody, so their idle cost is not measured')
  return world.requests.counts().writes
}
