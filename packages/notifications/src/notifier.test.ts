import { kinds, type Rollout } from '@serinus/api'
import { resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import {
  aborted,
  analysisRun,
  configMap,
  healthy,
  rollout,
  secret,
  startAt,
  updating,
  World,
} from './test-world.ts'

const prefix = 'notifications.argoproj.io/subscribe.'
const base = {
  'service.slack': 'token: $slack-token',
  'service.pagerduty-v2': 'serviceKeys: {production: $pd}',
  'service.webhook.hook': 'url: https://hook.example/in',
  'template.short': 'message: "{{.event.reason}} of {{.rollout.metadata.name}}"',
  'trigger.on-rollout-aborted': '- send: [short]',
  'trigger.on-rollout-completed': '- send: [short]',
}
const secrets = { 'slack-token': 'xoxb-1234', pd: 'pd-key-1234' }
const second = { revision: 2, generation: 2 }

async function begin(
  data: Readonly<Record<string, string>> = {},
  setup?: Parameters<World['start']>[0],
): Promise<World> {
  const world = new World()
  world.put(configMap({ ...base, ...data }))
  world.put(secret('argo-rollouts-notification-secret', secrets))
  await world.start(setup)
  return world
}

function subscribed(subscriptions: Readonly<Record<string, string>>): {
  annotations: Record<string, string>
} {
  return {
    annotations: Object.fromEntries(
      Object.entries(subscriptions).map(([key, value]) => [prefix + key, value]),
    ),
  }
}

const texts = (world: World, channel?: string) => world.slack(channel).map(({ text }) => text)

async function abort(world: World, facts: Parameters<typeof rollout>[0]): Promise<Rollout> {
  await world.store(rollout({ ...facts, revision: 1, status: healthy }))
  await world.store(rollout({ ...facts, ...second, status: updating }))
  const stored = await world.store(rollout({ ...facts, ...second, status: aborted }))
  await world.pass(1000)
  return stored
}

test('a Rollout without subscriptions costs no write and no outbox', async () => {
  const world = await begin()
  const before = world.cluster.writes
  await abort(world, {})
  expect(world.cluster.writes).toBe(before)
  expect(world.outboxes()).toEqual([])
  await world.notifier.idle()
})

test('a mistyped trigger is told on the Rollout with the right spelling, once', async () => {
  const world = await begin()
  await abort(world, subscribed({ 'on-analysis-run-faild.slack': 'ops' }))
  await world.pass(60_000)
  for (const reason of ['UnknownNotificationTrigger', 'NotificationSubscriptionInvalid']) {
    const events = world
      .events(reason)
      .filter(({ message }) => message.includes('"on-analysis-run-failed"'))
    // One per generation: the update of the spec was generation 2.
    expect(events.map(({ involvedObject, count }) => [involvedObject.name, count])).toEqual([
      ['my-service', 2],
    ])
  }
  expect(world.received).toEqual([])
})

test('an event without a configured trigger says which key is missing, and is no unknown name', async () => {
  const world = await begin()
  await abort(world, subscribed({ 'on-traffic-weight-updated.slack': 'ops' }))
  expect(world.events('NotificationSubscriptionInvalid')[0]?.message).toContain(
    'add the key trigger.on-traffic-weight-updated to the ConfigMap',
  )
  expect(world.events('UnknownNotificationTrigger')).toEqual([])
})

test('a recipient that is no service key is told with those that are, and nothing is requested [notifications 5]', async () => {
  const world = await begin()
  await abort(world, subscribed({ 'on-rollout-aborted.pagerduty-v2': 'prod' }))
  expect(world.events('NotificationSubscriptionInvalid')[0]?.message).toContain(
    'configured: production',
  )
  expect(world.events('NotificationFailed').map(({ message }) => message)).toEqual([
    'pagerduty-v2:prod for on-rollout-aborted: no API key configured for recipient prod; configured: production',
  ])
  expect(world.received).toEqual([])
})

test('a service whose secret is missing sends nothing and says which key it misses [notifications 6]', async () => {
  const world = await begin({ 'service.slack': 'token: $slack-tokn' })
  await abort(world, subscribed({ 'on-rollout-aborted.slack': 'ops' }))
  const [event] = world.events('NotificationConfigInvalid')
  expect(event?.message).toContain(
    'has no key slack-tokn; it has slack-token, pd; did you mean "slack-token"?',
  )
  expect(event?.involvedObject.name).toBe('argo-rollouts-notification-configmap')
  expect(world.received).toEqual([])

  world.put(configMap(base))
  await world.pass(1000)
  expect(texts(world, 'ops')).toEqual(['RolloutAborted of my-service'])
})

test('a broken template and an unknown service leave all others at work and are named on the ConfigMap [notifications 8] [notifications 9]', async () => {
  const world = await begin({
    'template.bad': 'message: "{{.x"',
    'service.foo': '{}',
    'trigger.broken': '- when: 1 ==\n  send: [short]',
  })
  await abort(world, subscribed({ 'on-rollout-aborted.slack': 'ops' }))
  expect(texts(world)).toEqual(['RolloutAborted of my-service'])
  const told = world.events('NotificationConfigInvalid').map(({ message }) => message)
  expect(told).toHaveLength(3)
  expect(told.find((message) => message.startsWith('data["template.bad"].message'))).toContain(
    'line 1',
  )
})

test('recipients are separated by semicolons and each gets one message [notifications 10]', async () => {
  const world = await begin()
  await world.store(
    rollout({
      ...subscribed({ 'on-rollout-completed.slack': 'a; b;;a' }),
      revision: 1,
      status: healthy,
    }),
  )
  await world.pass(1000)
  expect(
    world
      .slack()
      .map(({ channel }) => channel)
      .sort(),
  ).toEqual(['a', 'b'])
})

test('default subscriptions notify by label, once, without a second message for the run [notifications 15] [notifications 16]', async () => {
  const world = await begin({
    subscriptions:
      '- recipients: ["slack:ops"]\n  triggers: [on-rollout-aborted]\n  selector: tier=gold',
  })
  const annotated = subscribed({ 'on-rollout-aborted.slack': 'ops' })
  const gold = await abort(world, { ...annotated, labels: { tier: 'gold' } })
  world.put(analysisRun(gold, { phase: 'Failed' }))
  await abort(world, { name: 'other', labels: { tier: 'gold' } })
  await abort(world, { name: 'silver', labels: { tier: 'silver' } })
  await world.pass(5000)
  expect(texts(world, 'ops')).toEqual(['RolloutAborted of my-service', 'RolloutAborted of other'])
})

test('an abort by progress deadline is one message, however often the state is stored [notifications 17] [notifications 18]', async () => {
  const world = await begin()
  const facts = subscribed({ 'on-rollout-aborted.slack': 'ops' })
  const message = 'ReplicaSet "x" has timed out progressing.'
  await abort(world, facts)
  const conditions = aborted.conditions?.map((condition) => ({ ...condition, message })) ?? []
  for (let again = 0; again < 3; again++) {
    await world.store(
      rollout({ ...facts, ...second, status: { ...aborted, conditions, updatedReplicas: again } }),
    )
  }
  await world.pass(60_000)
  expect(texts(world)).toEqual(['RolloutAborted of my-service'])
})

test('an answer of 500 twice is followed by a third attempt after growing waits [notifications 23]', async () => {
  const world = await begin()
  const answers = [500, 500, 200]
  world.vendor = () => new Response('', { status: answers.shift() ?? 200 })
  await abort(world, subscribed({ 'on-rollout-aborted.hook': '' }))
  await world.pass(10_000)
  const [one = 0, two = 0, three = 0] = world.received.map(({ at }) => at)
  expect(world.received).toHaveLength(3)
  expect(two - one).toBeGreaterThanOrEqual(500)
  expect(two - one).toBeLessThanOrEqual(1000)
  expect(three - two).toBeGreaterThanOrEqual(1000)
  expect(three - two).toBeLessThanOrEqual(2000)
  expect(new Set(world.received.map(({ headers }) => headers.get('Idempotency-Key'))).size).toBe(1)
  expect(world.deliveries).toMatchObject([{ outcome: 'delivered', attempts: 3, service: 'hook' }])
})

test('an answer of 400 is final and told on the Rollout without the credential [notifications 24]', async () => {
  const world = await begin()
  world.vendor = () => new Response('you sent xoxb-1234', { status: 400 })
  await abort(world, subscribed({ 'on-rollout-aborted.hook': '' }))
  await world.pass(3_600_000)
  expect(world.received).toHaveLength(1)
  const [event] = world.events('NotificationFailed')
  expect(event?.message).toBe('hook: for on-rollout-aborted: HTTP 400: you sent $slack-token')
  expect(event?.involvedObject).toMatchObject({ kind: 'Rollout', name: 'my-service' })
  expect(world.deliveries).toMatchObject([{ outcome: 'dead' }])
})

test('a limited Slack waits as told while other services go on [notifications 25]', async () => {
  const world = await begin()
  let limited = false
  world.vendor = ({ url }) => {
    if (limited || !url.includes('slack')) return undefined
    limited = true
    return Response.json(
      { ok: false, error: 'ratelimited' },
      { status: 429, headers: { 'Retry-After': '7' } },
    )
  }
  await abort(
    world,
    subscribed({ 'on-rollout-aborted.slack': 'ops', 'on-rollout-aborted.hook': '' }),
  )
  await world.pass(20_000)
  const slack = world.received.filter(({ url }) => url.includes('slack')).map(({ at }) => at)
  const hook = world.received.filter(({ url }) => url.includes('hook')).map(({ at }) => at)
  expect(slack).toHaveLength(2)
  expect((slack[1] ?? 0) - (slack[0] ?? 0)).toBeGreaterThanOrEqual(7000)
  expect(hook).toEqual([startAt])
})

test('a vendor that never answers is left after 15 s and delays neither observers nor others [notifications 26]', async () => {
  const world = await begin()
  world.vendor = ({ url }) => (url.includes('hook') ? new Promise<Response>(() => {}) : undefined)
  const facts = subscribed({ 'on-rollout-aborted.hook': '', 'on-rollout-aborted.slack': 'ops' })
  await abort(world, facts)
  expect(texts(world)).toEqual(['RolloutAborted of my-service'])
  await world.pass(16_000)
  expect(world.received.filter(({ url }) => url.includes('hook'))).toHaveLength(2)
})

test('old Rollouts are silent at the first start, and only a new one is added [notifications 36]', async () => {
  const world = new World()
  world.put(configMap({ ...base, 'trigger.on-rollout-added-to-informer': '- send: [short]' }))
  world.put(secret('argo-rollouts-notification-secret', secrets))
  const facts = subscribed({
    'on-rollout-added-to-informer.slack': 'ops',
    'on-rollout-completed.slack': 'ops',
    'on-rollout-aborted.slack': 'ops',
  })
  for (let n = 0; n < 50; n++) {
    world.put(
      rollout({
        ...facts,
        name: `old-${n}`,
        createdAt: startAt - 3_600_000,
        revision: 1,
        status: healthy,
      }) as never,
    )
  }
  await world.start()
  await world.pass(60_000)
  expect(world.received).toEqual([])
  world.put(rollout({ ...facts, name: 'new', createdAt: world.clock.now() }) as never)
  await world.pass(1000)
  expect(texts(world)).toEqual(['RolloutAddedToInformer of new'])

  const old = { ...facts, name: 'old-7', createdAt: startAt - 3_600_000, ...second }
  await world.store(rollout({ ...old, status: aborted }))
  await world.pass(1000)
  expect(texts(world).at(-1)).toBe('RolloutAborted of old-7')
})

test('a completed step is counted from its own index [notifications 28] [notifications 29]', async () => {
  const world = await begin({
    'template.mine': 'message: "{{add .rollout.status.currentStepIndex 1}} {{.event.stepIndex}}"',
    'trigger.mine': '- send: [mine]\n  events: [RolloutStepCompleted]',
  })
  const facts = {
    ...subscribed({ 'on-rollout-step-completed.slack': 'builtin', 'mine.slack': 'own' }),
    name: 'my-app',
    spec: {
      strategy: {
        canary: {
          steps: [
            { setWeight: 10 },
            { pause: { duration: '10m' } },
            { setWeight: 50 },
            { pause: {} },
          ],
        },
      },
    },
  }
  await world.store(rollout({ ...facts, revision: 1, status: { ...healthy, currentStepIndex: 4 } }))
  await world.store(rollout({ ...facts, ...second, status: updating }))
  await world.store(rollout({ ...facts, ...second, status: { ...updating, currentStepIndex: 1 } }))
  await world.store(rollout({ ...facts, ...second, status: { ...updating, currentStepIndex: 2 } }))
  await world.store(rollout({ ...facts, ...second, status: { ...updating, currentStepIndex: 3 } }))
  await world.pass(10_000)
  expect(texts(world, 'own')).toEqual(['1 0', '2 1', '3 2'])
  expect(texts(world, 'builtin')[2]).toBe('Rollout my-app step number 3/4 has been completed.')
})

test('numbers of objects print as JSON has them [notifications 31]', async () => {
  const world = await begin({ 'template.short': 'message: "{{.rollout.metadata.generation}}"' })
  const facts = subscribed({ 'on-rollout-aborted.slack': 'ops' })
  await world.store(
    rollout({
      ...facts,
      revision: 1,
      generation: 1234567,
      status: { ...aborted, observedGeneration: '1234567' },
    }),
  )
  await world.pass(1000)
  expect(texts(world)).toEqual(['1234567'])
})

test('a condition of its own name fires when it becomes true, each time [notifications 32]', async () => {
  const world = await begin({
    'trigger.on-purple':
      "- when: rollout.spec.template.spec.containers[0].image == 'argoproj/rollouts-demo:purple'\n  send: [short]",
  })
  const facts = subscribed({ 'on-purple.slack': 'ops' })
  const image = (color: string, revision: number, updatedReplicas = 1) =>
    world.store(
      rollout({
        ...facts,
        revision,
        generation: revision,
        image: `argoproj/rollouts-demo:${color}`,
        status: { ...updating, observedGeneration: String(revision), updatedReplicas },
      }),
    )
  await image('blue', 1)
  await image('purple', 2)
  await image('purple', 2, 2)
  await image('purple', 2, 3)
  await image('blue', 3)
  await image('purple', 4)
  await world.pass(10_000)
  expect(texts(world)).toHaveLength(2)
})

test('a condition on an event filters it, and fires by itself only when it turns true [notifications 33]', async () => {
  const world = await begin({
    'trigger.on-rollout-completed':
      "- when: rollout.metadata.namespace != 'staging'\n  send: [short]",
    'trigger.on-rollout-updated': "- when: rollout.status.phase == 'Healthy'\n  send: [short]",
  })
  const facts = subscribed({
    'on-rollout-completed.slack': 'done',
    'on-rollout-updated.slack': 'late',
  })
  const old = { ...facts, createdAt: startAt - 3_600_000 }
  await world.store(rollout({ ...old, revision: 1, status: healthy }))
  await world.pass(1000)
  expect(world.received).toEqual([])
  const completed = { ...healthy, observedGeneration: '2', stableRS: 'bbb', currentPodHash: 'bbb' }
  await world.store(rollout({ ...old, ...second, status: { ...completed, phase: 'Progressing' } }))
  await world.pass(40_000)
  expect(texts(world, 'done')).toHaveLength(1)
  expect(texts(world, 'late')).toEqual([])
  await world.store(rollout({ ...old, ...second, status: completed }))
  await world.pass(1000)
  expect(texts(world, 'done')).toHaveLength(1)
  expect(texts(world, 'late')).toHaveLength(1)
  const staging = { ...facts, namespace: 'staging' }
  await world.store(rollout({ ...staging, revision: 1, status: healthy }))
  await world.pass(1000)
  expect(texts(world, 'done')).toHaveLength(1)
})

test('oncePer suppresses further turns of the condition for one value [notifications 34]', async () => {
  const world = await begin({
    'trigger.flip':
      '- when: rollout.status.updatedReplicas > 2\n  oncePer: rollout.status.currentPodHash\n  send: [short]',
  })
  const facts = subscribed({ 'flip.slack': 'ops' })
  for (const updatedReplicas of [1, 3, 1, 4, 2, 3]) {
    await world.store(rollout({ ...facts, revision: 1, status: { ...updating, updatedReplicas } }))
  }
  await world.pass(10_000)
  expect(texts(world)).toHaveLength(1)
})

test.each([
  ['', ['trigger', 'resolve']],
  ['\nautoResolve: false', ['trigger']],
])(
  'an incident is resolved when a later update is healthy, unless %j [notifications 37]',
  async (option, actions) => {
    const world = await begin({ 'service.pagerduty-v2': `serviceKeys: {production: $pd}${option}` })
    const facts = subscribed({ 'on-rollout-aborted.pagerduty-v2': 'production' })
    await abort(world, facts)
    const third = { ...healthy, observedGeneration: '3', stableRS: 'ccc', currentPodHash: 'ccc' }
    await world.store(rollout({ ...facts, revision: 3, generation: 3, status: third }))
    await world.pass(5000)
    expect(world.pagerduty().map((event) => event.event_action)).toEqual(actions)
    expect(new Set(world.pagerduty().map((event) => event.dedup_key))).toEqual(
      new Set(['argo-rollouts/my-team/my-service/2/on-rollout-aborted']),
    )
    await world.store(
      rollout({ ...facts, revision: 3, generation: 3, status: { ...third, updatedReplicas: 3 } }),
    )
    await world.pass(5000)
    expect(world.pagerduty()).toHaveLength(actions.length)
  },
)

test('a value with quotes does not break JSON blocks [notifications 44]', async () => {
  const world = await begin({
    'template.short': `message: m\nslack:\n  blocks: |\n    [{"type": "section", "text": "{{.rollout.status.message}}"}]`,
  })
  await abort(world, subscribed({ 'on-rollout-aborted.slack': 'ops' }))
  const [form] = world.slack('ops')
  expect(JSON.parse(form?.['blocks'] ?? '')).toEqual([{ type: 'section', text: aborted.message }])
  expect(world.events('NotificationConfigInvalid')[0]?.message).toContain(
    'sent with its values escaped, use toJson',
  )
})

test('a block that fails gives way to the message with a note [notifications 45]', async () => {
  const world = await begin({
    'template.short': `message: short\nslack:\n  blocks: '{{.rollout.metadata.name.x}}'`,
  })
  await abort(world, subscribed({ 'on-rollout-aborted.slack': 'ops' }))
  expect(texts(world)).toHaveLength(1)
  expect(texts(world)[0]).toMatch(
    /^short \(template 'short': slack\.blocks failed: .*can't evaluate field x/,
  )
})

test('an unknown template still alerts, by the event itself', async () => {
  const world = await begin({ 'trigger.on-rollout-aborted': '- send: [nowhere]' })
  await abort(world, subscribed({ 'on-rollout-aborted.slack': 'ops' }))
  expect(texts(world)[0]).toContain("(template 'nowhere' is not supported)")
  expect(texts(world)[0]).toContain('Rollout aborted update to revision 2')
})

test('an inconclusive run is both completed and inconclusive, and started once [notifications 49]', async () => {
  const world = await begin()
  const facts = subscribed({
    'on-analysis-run-completed.slack': 'completed',
    'on-analysis-run-inconclusive.slack': 'inconclusive',
    'on-analysis-run-started.slack': 'started',
  })
  const stored = await world.store(rollout({ ...facts, ...second, status: updating }))
  for (const phase of ['Running', 'Running', 'Inconclusive', 'Inconclusive']) {
    world.put(analysisRun(stored, { phase }) as never)
    await world.pass(1000)
  }
  expect(
    [texts(world, 'started'), texts(world, 'completed'), texts(world, 'inconclusive')].map(
      (each) => each.length,
    ),
  ).toEqual([1, 1, 1])
  expect(texts(world, 'completed')).toEqual([
    'Rollout my-service analysis run has ended: Inconclusive.',
  ])
})

test('from the failure of a run to the first request no time passes but that of the work [notifications 54]', async () => {
  const world = await begin({ 'trigger.on-analysis-run-failed': '- send: [short]' })
  const latencies: number[] = []
  for (let n = 0; n < 100; n++) {
    const facts = { ...subscribed({ 'on-analysis-run-failed.slack': `c${n}` }), name: `r${n}` }
    const stored = await world.store(rollout({ ...facts, ...second, status: updating }))
    const failedAt = world.clock.now()
    world.put(analysisRun(stored, { phase: 'Failed' }) as never)
    await world.pass(100)
    latencies.push((world.received[n]?.at ?? Number.POSITIVE_INFINITY) - failedAt)
  }
  expect(Math.max(...latencies)).toBeLessThan(1000)
})

test('a namespace with its own configuration uses it before the central one, as far as it may be read', async () => {
  const own = configMap({ 'template.short': 'message: own' }, { namespace: 'my-team' })
  const facts = subscribed({ 'on-rollout-aborted.slack': 'ops' })
  const world = await begin()
  world.put(own)
  await abort(world, facts)
  expect(texts(world)).toEqual(['own'])

  const narrow = await begin({}, (access) => {
    access.forbidSecretsElsewhere = true
  })
  narrow.put(own)
  await abort(narrow, facts)
  expect(texts(narrow)).toEqual(['RolloutAborted of my-service'])
})

test('a namespace may not make the controller call its own node', async () => {
  const world = await begin()
  world.put(
    configMap(
      { 'service.webhook.local': 'url: http://169.254.169.254/latest' },
      { namespace: 'my-team' },
    ),
  )
  await abort(world, subscribed({ 'on-rollout-aborted.local': '' }))
  expect(world.received).toEqual([])
  expect(world.events('NotificationFailed')[0]?.message).toContain(
    '169.254.169.254 may not be called',
  )
})

test('what a template takes from the Secret is sent but not stored', async () => {
  const world = await begin({ 'template.short': 'message: \'{{printf "%s" .secrets.pd}}\'' })
  world.vendor = ({ url }) =>
    url.includes('slack') ? new Response('', { status: 500 }) : undefined
  await abort(world, subscribed({ 'on-rollout-aborted.slack': 'ops' }))
  expect(texts(world)[0]).toBe('pd-key-1234')
  expect(JSON.stringify(world.outboxes())).not.toContain('pd-key-1234')
  expect(world.outboxes()[0]?.data?.['outbox.json']).toContain('"payload":null')
})

test('muted Rollouts keep their warnings', async () => {
  const world = await begin()
  const facts = subscribed({
    'on-rollout-aborted.slack': 'bad',
    'on-rollout-completed.slack': 'good',
  })
  facts.annotations['notifications.argoproj.io/muted-until'] = '2026-08-02T00:00:00Z'
  await abort(world, facts)
  expect(world.slack().map(({ channel }) => channel)).toEqual(['bad'])
})

test('replies of one group join the first message, also after a restart', async () => {
  const world = await begin({
    'template.short':
      'message: "{{.event.reason}}"\nslack: {groupingKey: "{{.rollout.metadata.name}}"}',
  })
  const facts = subscribed({
    'on-rollout-completed.slack': 'ops',
    'on-rollout-aborted.slack': 'ops',
  })
  await world.store(rollout({ ...facts, revision: 1, status: healthy }))
  await world.pass(1000)
  await world.stop()
  await world.start()
  await world.store(rollout({ ...facts, ...second, status: aborted }))
  await world.pass(1000)
  expect(world.slack('ops').map(({ thread_ts }) => thread_ts)).toEqual([undefined, '1.1'])
})

test('messages can compare with the state before and know why a Rollout waits', async () => {
  const world = await begin({
    'template.short':
      'message: "{{.previousRollout.status.phase}} {{.pause.reason}} {{.pause.indefinite}} {{.event.pauseReason}}"',
    'trigger.on-rollout-paused': '- when: pause.indefinite\n  send: [short]',
  })
  const facts = {
    ...subscribed({ 'on-rollout-paused.slack': 'ops' }),
    spec: { strategy: { canary: { steps: [{ pause: { duration: '10m' } }, { pause: {} }] } } },
  }
  const paused = (currentStepIndex: number, startTime: string) => ({
    ...updating,
    currentStepIndex,
    phase: 'Paused' as const,
    pauseConditions: [{ reason: 'CanaryPauseStep', startTime }],
  })
  await world.store(rollout({ ...facts, revision: 1, status: healthy }))
  await world.store(rollout({ ...facts, ...second, status: paused(0, '2026-08-01T12:01:00Z') }))
  await world.store(rollout({ ...facts, ...second, status: { ...updating, currentStepIndex: 1 } }))
  await world.store(rollout({ ...facts, ...second, status: paused(1, '2026-08-01T12:11:00Z') }))
  await world.pass(1000)
  expect(texts(world)).toEqual(['Progressing CanaryPauseStep true CanaryPauseStep'])
})

test('the end of a Rollout is told and its outbox goes with it', async () => {
  const world = await begin({ 'trigger.on-rollout-deleted': '- send: [short]' })
  const facts = subscribed({ 'on-rollout-deleted.slack': 'ops' })
  await world.store(rollout({ ...facts, revision: 1, status: healthy }))
  expect(world.outboxes()).toHaveLength(1)
  world.cluster.remove(kinds.rollouts, 'my-team/my-service')
  await world.pass(1000)
  expect(texts(world)).toEqual(['RolloutDeleted of my-service'])
  expect(world.outboxes()).toEqual([])
})

test('a limit of one message a second and three at once holds per channel', async () => {
  const world = await begin()
  for (let n = 0; n < 10; n++) {
    await world.store(
      rollout({
        ...subscribed({ 'on-rollout-aborted.slack': 'ops' }),
        name: `r${n}`,
        ...second,
        status: aborted,
      }),
    )
  }
  await world.pass(60_000)
  const times = world.received.map(({ at }) => at - startAt)
  expect(times.filter((at) => at === 0)).toHaveLength(3)
  expect(times).toHaveLength(10)
  expect(times.at(-1)).toBeGreaterThanOrEqual(6900)
})

test('idle waits for what is still to be sent', async () => {
  const world = await begin()
  let answer = 500
  world.vendor = () => new Response('{"ok":true}', { status: answer })
  await abort(world, subscribed({ 'on-rollout-aborted.hook': '' }))
  let isIdle = false
  void world.notifier.idle().then(() => {
    isIdle = true
  })
  await world.pass(0)
  expect(isIdle).toBe(false)
  answer = 200
  await world.pass(5000)
  expect(isIdle).toBe(true)
})

test('outboxes are ConfigMaps with a label in the namespace of the controller', async () => {
  const world = await begin()
  const stored = await abort(world, subscribed({ 'on-rollout-aborted.slack': 'ops' }))
  const [outbox] = world.outboxes()
  expect(outbox?.metadata).toMatchObject({
    name: `rollout-notifications-${stored.metadata.uid}`,
    namespace: 'argo-rollouts',
    labels: { 'notifications.argoproj.io/outbox': 'true' },
  })
  expect(world.cluster.list(resources.configMaps)).toHaveLength(2)
})
