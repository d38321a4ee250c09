import { kinds } from '@serinus/api'
import type { StoredRollout } from '../test/virtual-cluster.ts'
import { virtualCluster } from '../test/virtual-cluster.ts'
import { delayFigures, type Figure } from './figure.ts'
import { imageChange, realCluster } from './real-cluster.ts'
import { canary, completionNews, isCompleted, isHealthy, isPaused } from './rollouts.ts'

const subscribe = 'notifications.argoproj.io/subscribe.on-rollout-completed'

/** How late people hear of 100 Rollouts that finish together. */
export async function notifications(): Promise<readonly Figure[]> {
  await using world = await realCluster()
  const names = Array.from({ length: 100 }, (_, n) => `app-${n}`)
  const rollouts = await world.follow<StoredRollout>(kinds.rollouts, world.local.client)
  const all = (holds: (rollout: StoredRollout) => boolean) => {
    const missing = new Set(names)
    return rollouts.next((rollout) => {
      if (holds(rollout)) missing.delete(rollout.metadata.name)
      return missing.size === 0
    })
  }
  await world.apply(...completionNews('argo-rollouts'))
  const healthy = all(isHealthy)
  const steps = [{ setWeight: 100 }, { pause: {} }]
  for (const name of names) {
    // Slack takes one message a second and channel, so a hundred in one channel would measure Slack.
    const annotations = { [`${subscribe}.slack`]: name }
    await world.apply(canary(name, { replicas: 1, steps, annotations }))
  }
  await healthy
  const samples: number[] = []
  for (let round = 0; round < 3; round++) {
    const paused = all((one) => isPaused(one) && !isCompleted(one))
    for (const name of names) {
      const rollout = await world.user.get<StoredRollout>(kinds.rollouts, {
        namespace: 'default',
        name,
      })
      await world.patch(name, imageChange(rollout, `${name}:round-${round}`))
    }
    await paused
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const storedAt = new Map<string, number>()
    rollouts.each((rollout, at) => {
      const { name } = rollout.metadata
      if (isCompleted(rollout) && !storedAt.has(name)) storedAt.set(name, at)
    })
    const receivedAt = new Map<string, number>()
    const told = new Promise<void>((resolve) => {
      world.local.cluster.inbox.subscribe(({ to }) => {
        if (!receivedAt.has(to)) receivedAt.set(to, performance.now())
        if (receivedAt.size === names.length) resolve()
      })
    })
    const tp=performance.now(); await Promise.all(
      names.map((name) => world.patch(name, { status: { pauseConditions: null } }, 'status')),
    )
    await told; const sa=[...storedAt.values()].sort((a,b)=>a-b),ra=[...receivedAt.values()].sort((a,b)=>a-b); const z=sa[0]!; console.log('total', performance.now()-tp, 'first stored', z-tp, 'stored', sa.filter((_,i)=>i%10===0).map(x=>(x-z).toFixed()).join(' '), 'received', ra.filter((_,i)=>i%10===0).map(x=>(x-z).toFixed()).join(' '))
    for (const name of names) {
      samples.push((receivedAt.get(name) ?? Number.NaN) - (storedAt.get(name) ?? Number.NaN))
    }
  }
  samples.sort((a,b)=>a-b); console.log('min',samples[0],'max',samples.at(-1),'nan',samples.filter(Number.isNaN).length, samples.filter((_,i)=>i%15===0).map(x=>x.toFixed(1)).join(' '))
  return delayFigures(samples, {
    name: 'state-stored-to-message-received',
    medianTarget: 50,
    p99Target: 500,
    method:
      '100 Rollouts with a Slack subscription each, promoted over their last pause at once: from the watch event of the completed status until the inbox has the message; embedded cluster and controller in this process, real time, three rounds',
  })
}

/** Slack and a webhook are away for a minute while 20 Rollouts finish. */
export async function outage(): Promise<readonly Figure[]> {
  const calm = await completions({ isAway: false })
  const away = await completions({ isAway: true })
  const method =
    '20 Rollouts with a Slack and a webhook subscription each finish within an outage of 60 s, virtual time'
  return [
    {
      name: 'messages-lost-in-an-outage',
      value: 40 - away.told,
      unit: 'messages',
      target: 40 - calm.told,
      better: 'lower',
      method: `${method}; of 40 messages`,
    },
    {
      name: 'time-a-rollout-loses-to-an-outage',
      value: away.durationMs - calm.durationMs,
      unit: 'ms',
      target: 0,
      better: 'lower',
      method: `${method}; from the edit of the first until the last is Healthy, against ${calm.durationMs} ms without an outage`,
    },
  ]
}

async function completions(facts: {
  readonly isAway: boolean
}): Promise<{ readonly told: number; readonly durationMs: number }> {
  await using world = await virtualCluster()
  const { inbox } = world.cluster
  const names = Array.from({ length: 20 }, (_, n) => `app-${n}`)
  await world.apply(...completionNews('argo-rollouts'))
  for (const name of names) {
    const steps = [{ setWeight: 50 }, { pause: { duration: '10s' } }]
    const annotations = { [`${subscribe}.slack`]: name, [`${subscribe}.hook`]: '' }
    await world.apply(canary(name, { replicas: 2, steps, annotations }))
  }
  await world.pass(60_000)
  const before = inbox.received.length
  const services = ['slack', 'webhook'] as const
  if (facts.isAway) for (const service of services) inbox.setFault(service, { kind: 'outage' })
  const beganAt = world.clock.now()
  for (const name of names) await world.setImage(name, `${name}:v2`)
  for (const name of names)
    await world.until(name, (one) => isHealthy(one) && isCompleted(one) && isSecond(one))
  const durationMs = world.clock.now() - beganAt
  await world.pass(Math.max(0, beganAt + 60_000 - world.clock.now()))
  for (const service of services) inbox.setFault(service, null)
  await world.pass(600_000)
  const messages = inbox.received.slice(before).map(({ service, to, text }) => service + to + text)
  return { told: new Set(messages).size, durationMs }
}

function isSecond(rollout: StoredRollout): boolean {
  return rollout.metadata.annotations?.['rollout.argoproj.io/revision'] === '2'
}
