import { expect, test } from 'vitest'
import { parseConfig } from './config.ts'
import type { Layers } from './layers.ts'
import { resolveSubscriptions } from './subscriptions.ts'
import { configMap, rollout } from './test-world.ts'

const services = {
  'service.slack': 'token: t',
  'service.pagerduty-v2': 'serviceKeys: {production: k, "a,b": k2}',
  'service.webhook': 'url: https://h.example',
}

function layers(data: Readonly<Record<string, string>> = {}): Layers {
  return { own: null, central: parseConfig(configMap({ ...services, ...data }), undefined).config }
}

function resolve(
  annotations: Readonly<Record<string, string>>,
  data: Readonly<Record<string, string>> = {},
) {
  const prefixed = Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [`notifications.argoproj.io/${key}`, value]),
  )
  const { subscriptions, findings } = resolveSubscriptions(
    rollout({ annotations: prefixed }),
    layers(data),
  )
  return {
    pairs: subscriptions.map(
      ({ trigger, service, recipient }) => `${trigger} ${service}:${recipient}`,
    ),
    findings,
  }
}

test.each([
  ['subscribe.on-rollout-completed.slack', 'a; b;;a', ['slack:a', 'slack:b']],
  [
    'subscribe.on-rollout-completed.slack',
    'incidents,deploy-failures',
    ['slack:incidents', 'slack:deploy-failures'],
  ],
  ['subscribe.on-rollout-completed.pagerdutyv2', 'production', ['pagerduty-v2:production']],
  ['subscribe.on-rollout-completed.pagerduty-v2', 'a,b', ['pagerduty-v2:a,b']],
  ['subscribe.on-rollout-completed.webhook', '', ['webhook:']],
  ['subscribe.on-rollout-completed.webhook', 'x,y', ['webhook:x,y']],
  ['subscribe.on-rollout-completed.slack', ';', []],
  ['subscribe.on-rollout-completed.slack', '#alerts-team-a', ['slack:#alerts-team-a']],
])('%s: %j subscribes %j', (key, value, expected) => {
  const { pairs, findings } = resolve({ [key]: value })
  expect(pairs).toEqual(expected.map((pair) => `on-rollout-completed ${pair}`))
  expect(findings).toEqual([])
})

test('default triggers of a service replace the general ones [notifications 12]', () => {
  const { pairs } = resolve(
    { 'subscribe.slack': 'dev' },
    { defaultTriggers: '[on-rollout-completed]', 'defaultTriggers.slack': '[on-rollout-aborted]' },
  )
  expect(pairs).toEqual(['on-rollout-aborted slack:dev'])
})

test('the YAML form subscribes every trigger to every recipient [notifications 13]', () => {
  const { pairs } = resolve(
    {
      subscriptions:
        '- trigger: [t1, t2]\n  destinations:\n  - service: slack\n    recipients: [c1, c2]',
    },
    { 'trigger.t1': '- send: [rollout-aborted]', 'trigger.t2': '- send: [rollout-aborted]' },
  )
  expect(pairs).toEqual(['t1 slack:c1', 't1 slack:c2', 't2 slack:c1', 't2 slack:c2'])
})

test('other annotations subscribe nothing [notifications 14]', () => {
  const subject = rollout({ annotations: { 'example.org/owner': 'me', 'subscribe.slack': 'x' } })
  const resolved = resolveSubscriptions(
    subject,
    layers({ defaultTriggers: '[on-rollout-completed]' }),
  )
  expect(resolved.subscriptions).toEqual([])
})

test('names with dots are split where trigger and service are known', () => {
  const { pairs } = resolve(
    { 'subscribe.my.trigger.slack': 'a' },
    { 'trigger.my.trigger': '- send: [rollout-aborted]' },
  )
  expect(pairs).toEqual(['my.trigger slack:a'])
})

test.each([
  [
    'subscribe.on-analysis-run-faild.slack',
    'ops',
    'SubscriptionUnknownTrigger',
    'on-analysis-run-failed',
  ],
  ['subscribe.on-rollout-aborted.slak', 'ops', 'SubscriptionUnknownService', 'slack'],
  [
    'subscribe.on-rollout-aborted.pagerduty-v2',
    'producton',
    'SubscriptionUnknownRecipient',
    'production',
  ],
  ['subscriptions', 'not a list', 'SubscriptionUnparsable', undefined],
])('%s: %j is found as %s, meant is %s', (key, value, code, suggestion) => {
  const { findings } = resolve({ [key]: value })
  expect(findings).toHaveLength(1)
  expect(findings[0]).toMatchObject({ code, severity: 'error' })
  expect(findings[0]?.suggestion).toBe(suggestion)
})

test('default subscriptions match labels, split at the first colon and add nothing twice', () => {
  const config = layers({
    subscriptions:
      '- recipients: ["slack:ops", "webhook:http://x:8"]\n  triggers: [on-rollout-aborted]\n  selector: tier in (gold, platinum)',
  })
  const key = 'notifications.argoproj.io/subscribe.on-rollout-aborted.slack'
  const gold = rollout({ labels: { tier: 'gold' }, annotations: { [key]: 'ops' } })
  expect(resolveSubscriptions(gold, config).subscriptions).toEqual([
    { trigger: 'on-rollout-aborted', service: 'slack', recipient: 'ops' },
    { trigger: 'on-rollout-aborted', service: 'webhook', recipient: 'http://x:8' },
  ])
  const silver = rollout({ labels: { tier: 'silver' } })
  expect(resolveSubscriptions(silver, config).subscriptions).toEqual([])
})
