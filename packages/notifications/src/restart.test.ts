import { kinds, type Rollout } from '@serinus/api'
import { describe, expect, test } from 'vitest'
import {
  aborted,
  configMap,
  healthy,
  type Received,
  rollout,
  secret,
  updating,
  World,
} from './test-world.ts'

const config = configMap({
  'service.slack': 'token: $slack-token',
  'service.pagerduty-v2': 'serviceKeys: {production: $pd}',
  'service.webhook.hook': 'url: https://hook.example/in',
  'template.short': 'message: "{{.event.reason}} of {{.rollout.metadata.name}}"',
  'trigger.on-rollout-aborted': '- send: [short]',
  'trigger.on-rollout-completed': '- send: [short]',
})

const annotations = {
  'notifications.argoproj.io/subscribe.on-rollout-aborted.slack': 'ops',
  'notifications.argoproj.io/subscribe.on-rollout-aborted.pagerduty-v2': 'production',
  'notifications.argoproj.io/subscribe.on-rollout-aborted.hook': '',
  'notifications.argoproj.io/subscribe.on-rollout-completed.slack': 'ops',
}

async function begin(setup?: Parameters<World['start']>[0]): Promise<World> {
  const world = new World()
  world.put(config)
  world.put(secret('argo-rollouts-notification-secret', { 'slack-token': 'xoxb-1', pd: 'key-1' }))
  await world.start(setup)
  return world
}

const second = { revision: 2, generation: 2 }
const states = (facts: Parameters<typeof rollout>[0] = {}): readonly Rollout[] => [
  rollout({ annotations, ...facts, revision: 1, status: healthy }),
  rollout({ annotations, ...facts, ...second, status: updating }),
  rollout({ annotations, ...facts, ...second, status: aborted }),
]

const texts = (world: World) => world.slack('ops').map(({ text }) => text)
const keys = (world: World) =>
  new Set(
    world.received
      .filter(({ url }) => url.includes('hook'))
      .map(({ headers }) => headers.get('Idempotency-Key')),
  )

/** Slack with a readable history: what it accepted, with metadata. */
function slackWithHistory(world: World, onPost: (count: number) => void = () => {}) {
  const messages: { text: string; metadata: unknown }[] = []
  return {
    messages,
    vendor({ url, body }: Received): Response | undefined {
      if (!url.startsWith('https://slack.com/')) return undefined
      const form = Object.fromEntries(new URLSearchParams(body))
      if (url.endsWith('conversations.list')) {
        return Response.json({ ok: true, channels: [{ id: 'C0000001', name: 'ops' }] })
      }
      if (url.endsWith('conversations.history')) {
        expect(form['channel']).toBe('C0000001')
        return Response.json({ ok: true, messages })
      }
      messages.push({ text: form['text'] ?? '', metadata: JSON.parse(form['metadata'] ?? 'null') })
      onPost(messages.length)
      return Response.json({ ok: true, channel: 'C0000001', ts: `${world.clock.now()}.1` })
    },
  }
}

test('killed after the status was stored and before anything else, the message is sent once [notifications 19]', async () => {
  const world = await begin()
  const [first, update, abort] = states() as [Rollout, Rollout, Rollout]
  await world.store(first)
  await world.store(update)
  await world.pass(1000)
  world.access.kill()
  world.received.length = 0
  world.cluster.put(kinds.rollouts, abort)
  await world.pass(60_000)
  await world.start()
  await world.pass(60_000)
  expect(texts(world)).toEqual(['RolloutAborted of my-service'])
  expect(world.pagerduty()).toHaveLength(1)
  expect(keys(world).size).toBe(1)
})

test('killed after the entry was stored and before the request, PagerDuty shows one incident [notifications 20]', async () => {
  const world = await begin()
  const [first, update, abort] = states() as [Rollout, Rollout, Rollout]
  await world.store(first)
  await world.store(update)
  await world.pass(1000)
  world.received.length = 0
  world.access.kill()
  await world.start((access) => {
    access.killAfterWrites = 1
  })
  await world.store(abort)
  await world.pass(1000)
  expect(world.pagerduty()).toEqual([])
  await world.start()
  await world.pass(60_000)
  expect(world.pagerduty().map(({ dedup_key }) => dedup_key)).toEqual([
    'argo-rollouts/my-team/my-service/2/on-rollout-aborted',
  ])
})

test('killed after Slack accepted, the message is found in the history and not sent again [notifications 21]', async () => {
  const world = await begin()
  const slack = slackWithHistory(world, (count) => {
    if (count === 2) world.access.kill()
  })
  world.vendor = slack.vendor
  for (const state of states()) await world.store(state)
  await world.pass(1000)
  expect(slack.messages).toHaveLength(2)
  await world.start()
  await world.pass(60_000)
  expect(slack.messages.map(({ text }) => text)).toEqual([
    'RolloutCompleted of my-service',
    'RolloutAborted of my-service',
  ])
  expect(world.outboxes()[0]?.data?.['outbox.json']).toContain('"pending":[]')
})

test('killed after Slack accepted and without its history, a message is repeated once rather than lost [notifications 21]', async () => {
  const world = await begin()
  let posts = 0
  world.vendor = ({ url }) => {
    if (url.includes('conversations')) return Response.json({ ok: false, error: 'missing_scope' })
    if (!url.endsWith('chat.postMessage')) return undefined
    posts++
    if (posts === 1 || posts === 3) world.access.kill()
    return undefined
  }
  const [first, , abort] = states() as [Rollout, Rollout, Rollout]
  await world.store(first)
  await world.start()
  await world.pass(1000)
  await world.store(abort)
  await world.start()
  await world.pass(60_000)
  expect(texts(world)).toEqual([
    'RolloutCompleted of my-service',
    'RolloutCompleted of my-service',
    'RolloutAborted of my-service',
    'RolloutAborted of my-service',
  ])
})

test('a service that asks for it drops what may have arrived, and says so', async () => {
  const world = new World()
  world.put({
    ...config,
    data: {
      ...config.data,
      'service.slack': 'token: $slack-token\ndelivery:\n  onUncertain: drop',
    },
  })
  world.put(secret('argo-rollouts-notification-secret', { 'slack-token': 'xoxb-1', pd: 'key-1' }))
  await world.start()
  let posts = 0
  world.vendor = ({ url }) => {
    if (url.includes('conversations')) return Response.json({ ok: false, error: 'missing_scope' })
    if (url.endsWith('chat.postMessage') && ++posts === 1) world.access.kill()
    return undefined
  }
  await world.store(states()[0] as Rollout)
  await world.start()
  await world.pass(60_000)
  expect(texts(world)).toEqual(['RolloutCompleted of my-service'])
  expect(world.events('NotificationUncertain').map(({ message }) => message)).toEqual([
    'slack:ops for on-rollout-completed: it may have arrived before the controller stopped',
  ])
})

describe.each(['before', 'after'] as const)('killed %s a write takes effect', (moment) => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'number %i, nothing is lost and nothing doubled',
    async (write) => {
      const world = await begin((access) => {
        if (moment === 'before') access.killBeforeWrite = write
        else access.killAfterWrites = write
      })
      const slack = slackWithHistory(world)
      world.vendor = slack.vendor
      for (const state of states()) {
        if (world.access.isKilled) world.cluster.put(kinds.rollouts, state)
        else await world.store(state)
        await world.pass(2000)
        if (world.access.isKilled) {
          await world.start()
          await world.pass(2000)
        }
      }
      await world.pass(60_000)
      expect(slack.messages.map(({ text }) => text)).toEqual([
        'RolloutCompleted of my-service',
        'RolloutAborted of my-service',
      ])
      expect(new Set(world.pagerduty().map(({ dedup_key }) => dedup_key)).size).toBe(1)
      expect(keys(world).size).toBe(1)
      expect(world.outboxes()[0]?.data?.['outbox.json']).toContain('"pending":[]')
      await world.notifier.idle()
    },
  )
})

test('a new leader in the middle of 100 aborts leaves each destination with 100 messages [notifications 22]', async () => {
  const world = await begin()
  const name = (n: number) => `r${n}`
  for (let n = 0; n < 100; n++) {
    const [first, update] = states({ name: name(n) }) as [Rollout, Rollout]
    await world.store(first)
    await world.store(update)
  }
  await world.pass(300_000)
  world.received.length = 0
  for (let n = 0; n < 100; n++) {
    const abort = states({ name: name(n) })[2] as Rollout
    if (n === 50) {
      world.cluster.put(kinds.rollouts, abort)
      world.access.kill()
      await world.start()
    } else await world.store(abort)
  }
  await world.pass(300_000)
  expect(keys(world).size).toBe(100)
  expect(new Set(world.pagerduty().map(({ dedup_key }) => dedup_key)).size).toBe(100)
  expect(new Set(texts(world)).size).toBe(100)
})

test('a message that waits for the limit of its channel is not in doubt after a crash', async () => {
  const world = await begin()
  world.vendor = ({ url }) =>
    url.includes('conversations') ? Response.json({ ok: false, error: 'missing_scope' }) : undefined
  for (let n = 0; n < 10; n++) await world.store(states({ name: `r${n}` })[0] as Rollout)
  expect(texts(world)).toHaveLength(3)
  world.access.kill()
  await world.start()
  await world.pass(60_000)
  expect(new Set(texts(world)).size).toBe(10)
  expect(texts(world)).toHaveLength(10)
  expect(world.events('NotificationUncertain')).toEqual([])
})

test('an orderly stop leaves nothing in doubt', async () => {
  const world = await begin()
  world.vendor = ({ url }) => {
    if (url.includes('hook')) void world.stop()
    return undefined
  }
  const facts = {
    'notifications.argoproj.io/subscribe.on-rollout-completed.hook': 'first',
    ...annotations,
  }
  await world.store(rollout({ annotations: facts, revision: 1, status: healthy }))
  await world.pass(1000)
  for (const outbox of world.outboxes()) {
    expect(outbox.data?.['outbox.json']).not.toContain('"state":"sending"')
  }
})

test('two writers of one outbox join what they know', async () => {
  const world = await begin()
  for (const state of states()) await world.store(state)
  const other = world.access
  await world.start()
  await world.pass(1000)
  const again = rollout({
    annotations,
    ...second,
    status: { ...aborted, abortedAt: '2026-08-01T12:40:00Z' },
  })
  const stored = await world.store(again)
  await world.pass(60_000)
  expect(other.isKilled).toBe(false)
  // The first notifier has seen the change in its cache as well; ids are the same, so PagerDuty joins them.
  expect(new Set(world.pagerduty().map(({ dedup_key }) => dedup_key)).size).toBe(1)
  expect(
    world.outboxes().filter(({ metadata }) => metadata.name.endsWith(stored.metadata.uid ?? '')),
  ).toHaveLength(1)
  expect(world.outboxes()[0]?.data?.['outbox.json']).toContain('"pending":[]')
})
