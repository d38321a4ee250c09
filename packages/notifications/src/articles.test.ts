import type { Rollout } from '@serinus/api'
import { expect, test } from 'vitest'
import {
  aborted,
  analysisRun,
  healthy,
  manifests,
  rollout,
  secret,
  updating,
  World,
} from './test-world.ts'

/** Applies a fixture's configuration and returns its Rollout's annotations. */
function apply(world: World, fixture: string): Readonly<Record<string, string>> {
  let annotations: Readonly<Record<string, string>> = {}
  for (const object of manifests(fixture)) {
    if (object.kind === 'Rollout') annotations = object.metadata.annotations ?? {}
    else world.put(object)
  }
  return annotations
}

/** Deploys revision 1, updates to revision 2, lets its analysis fail and aborts. */
async function failAnUpdate(world: World, facts: Parameters<typeof rollout>[0]): Promise<Rollout> {
  await world.store(rollout({ ...facts, revision: 1, status: healthy }))
  await world.pass(300_000)
  const update = { ...facts, revision: 2, generation: 2 }
  const running = await world.store(rollout({ ...update, status: updating }))
  world.put(analysisRun(running, { phase: 'Running' }))
  await world.pass(60_000)
  world.received.length = 0
  world.put(analysisRun(running, { phase: 'Failed' }))
  // The controller aborts because it has seen the run in the cache that the notifier shares.
  await world.pass(0)
  const stored = await world.store(rollout({ ...update, status: aborted }))
  await world.pass(5_000)
  return stored
}

test('the pipeline of article 1 tells Slack and PagerDuty of a failed analysis exactly once each [notifications 1] [api 47]', async () => {
  const world = new World()
  const annotations = apply(world, 'article-1.yaml')
  await world.start()
  await failAnUpdate(world, { annotations })

  const inFailures = world.slack('deploy-failures')
  expect(inFailures.map(({ text }) => text?.trim().split('\n')[0])).toEqual([
    ':x: *AnalysisRun Failed* — Rollback has started',
    'Rollback occurred: my-service',
  ])
  const blocks = JSON.parse(inFailures[0]?.['blocks'] ?? '')
  expect(blocks[0]).toMatchObject({
    type: 'header',
    text: { type: 'plain_text', text: 'Deployment Failed: my-service' },
  })
  expect(blocks[1].fields.map((field: { text: string }) => field.text)).toEqual([
    '*Namespace*\nmy-team',
    '*Strategy*\nCanary',
    '*Image*\n`my-service:v2`',
  ])
  expect(world.slack('incidents').map(({ text }) => text)).toEqual([
    'Rollback occurred: my-service',
  ])
  expect(world.slack().every(({ token }) => token === 'xoxb-your-slack-bot-token')).toBe(true)
  expect(world.slack()).toHaveLength(3)
  expect(world.pagerduty()).toEqual([
    {
      routing_key: 'your-pagerduty-v2-integration-key',
      client: 'Argo Rollouts',
      event_action: 'trigger',
      dedup_key: 'argo-rollouts/my-team/my-service/2/on-rollout-aborted',
      payload: {
        summary: 'my-service rollback occurred — my-team',
        severity: 'critical',
        source: 'argo-rollouts',
        component: 'my-service',
      },
    },
  ])

  await world.pass(3_600_000)
  expect(world.received).toHaveLength(4)
  expect(world.events().filter(({ type }) => type === 'Warning')).toEqual([])
  expect(world.errors).toEqual([])
})

test('an analysis that ends in Error reaches the channel of article 1 with the same template', async () => {
  const world = new World()
  const annotations = apply(world, 'article-1.yaml')
  await world.start()
  const stored = await world.store(
    rollout({ annotations, revision: 2, status: updating, generation: 2 }),
  )
  world.put(analysisRun(stored, { phase: 'Error' }))
  await world.pass(5_000)
  expect(world.slack('deploy-failures').map(({ text }) => text?.split('\n')[0])).toEqual([
    ':x: *AnalysisRun Failed* — Rollback has started',
  ])
})

test('the ConfigMap of article 2 is read under its name and its messages say the cause and the failed metric [notifications 2] [notifications 3] [api 48]', async () => {
  const world = new World()
  const annotations = apply(world, 'article-2.yaml')
  world.put(secret('argo-rollouts-notification-secret', { 'slack-token': 'xoxb-token' }))
  await world.start()
  await failAnUpdate(world, { name: 'my-app', namespace: 'default', annotations })

  const [failed, abort] = world.slack('#alerts-team-a').map(({ text }) => text ?? '')
  expect(world.slack('#alerts-team-a')).toHaveLength(2)
  expect(failed).toContain('\nFailed metric: error-rate\n')
  expect(abort).toContain('Rollout *my-app* aborted in namespace *default*')
  expect(abort).toContain('Reason: RolloutAborted: Rollout aborted update to revision 2')
  expect(abort).toContain('Canary weight at time of abort: bbb')
  expect(
    world
      .events('NotificationConfigName')
      .map(({ message, involvedObject }) => [involvedObject.name, message]),
  ).toEqual([
    [
      'argo-rollouts-notification-cm',
      'argo-rollouts-notification-cm is read, but the expected name is argo-rollouts-notification-configmap',
    ],
  ])
})

test('a deploy and a manual gate are told as article 2 configures them', async () => {
  const world = new World()
  const annotations = apply(world, 'article-2.yaml')
  world.put(secret('argo-rollouts-notification-secret', { 'slack-token': 'xoxb-token' }))
  await world.start()
  const facts = { name: 'my-app', annotations }
  await world.store(rollout({ ...facts, revision: 1, status: healthy }))
  const update = { ...facts, revision: 2, generation: 2 }
  const pauseConditions = [{ reason: 'CanaryPauseStep', startTime: '2026-08-01T12:01:00Z' }]
  await world.store(
    rollout({ ...update, status: { ...updating, currentStepIndex: 1, pauseConditions } }),
  )
  await world.pass(5_000)
  expect(world.slack('#deploys-team-a').map(({ text }) => text?.split('\n')[0])).toEqual([
    ':white_check_mark: Rollout *my-app* completed successfully.',
    ':pause_button: Rollout *my-app* paused — awaiting manual promotion.',
  ])
})
