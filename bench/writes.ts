import type { RequestCounts } from '@serinus/kube'
import { virtualCluster } from '../test/virtual-cluster.ts'
import type { Figure } from './figure.ts'
import { canary, completionNews, isHealthy, isPaused } from './rollouts.ts'

/** Writes of one update, counted at the client of the controller. */
export async function writes(): Promise<readonly Figure[]> {
  await using world = await virtualCluster()
  const steps = [{ setWeight: 20 }, { pause: { duration: '60s' } }, { setWeight: 60 }]
  await world.apply(canary('app', { replicas: 5, steps }))
  await world.until('app', isHealthy)
  await world.pass(10_000)
  world.requests.reset()
  await world.setImage('app', 'app:v2')
  await world.pass(2_000)
  await world.until('app', isHealthy)
  await world.pass(10_000)
  return writeFigures(world.requests.counts(), {
    update: 'canary-update',
    writes: { target: 18, upstream: '27' },
    upstreamEvents: '17',
    method: '5 replicas, setWeight 20, pause 60 s, setWeight 60',
  })
}

/** The update that was also measured on Argo Rollouts, with a person in it. */
export async function promotedWrites(): Promise<readonly Figure[]> {
  await using world = await virtualCluster()
  const steps = [{ setWeight: 20 }, { pause: { duration: '5s' } }, { setWeight: 60 }, { pause: {} }]
  await world.apply(canary('app', { replicas: 5, steps }))
  await world.until('app', isHealthy)
  await world.pass(10_000)
  world.requests.reset()
  await world.setImage('app', 'app:v2')
  await world.until('app', (rollout) => isPaused(rollout) && rollout.status?.currentStepIndex === 3)
  await world.pass(10_000)
  await world.promote('app')
  await world.pass(2_000)
  await world.until('app', isHealthy)
  await world.pass(10_000)
  return writeFigures(world.requests.counts(), {
    update: 'promoted-canary-update',
    writes: { target: 24, upstream: '33' },
    upstreamEvents: '19',
    method: '5 replicas, setWeight 20, pause 5 s, setWeight 60, pause, promote',
  })
}

function writeFigures(
  { byKind }: RequestCounts,
  facts: {
    readonly update: string
    readonly writes: { readonly target: number; readonly upstream: string }
    readonly upstreamEvents: string
    readonly method: string
  },
): readonly Figure[] {
  const of = (plural: string) =>
    [...byKind].reduce((sum, [call, count]) => {
      const [verb = '', target = ''] = call.split(' ')
      const isWrite = verb !== 'get' && verb !== 'list' && verb !== 'watch'
      return isWrite && target.split('/')[0] === plural ? sum + count : sum
    }, 0)
  const created = byKind.get('create events') ?? 0
  return [
    {
      name: `writes-per-${facts.update}`,
      value: of('rollouts') + of('replicasets'),
      unit: 'writes',
      target: facts.writes.target,
      better: 'lower',
      method: `${facts.method}; writes to Rollout and ReplicaSets, virtual time, embedded cluster (upstream: ${facts.writes.upstream})`,
    },
    {
      name: `events-per-${facts.update}`,
      value: created,
      unit: 'Events',
      target: 19,
      better: 'lower',
      method: `the same update; Events created, equal ones are counted up with ${of('events') - created} patches besides (upstream: ${facts.upstreamEvents})`,
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
