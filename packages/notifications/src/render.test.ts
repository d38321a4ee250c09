import { expect, test } from 'vitest'
import { parseConfig } from './config.ts'
import { type DerivedEvent, deriveEvents, nextSeen } from './derive.ts'
import { builtinConfig, findService, type Layers } from './layers.ts'
import { renderNotification } from './render.ts'
import { aborted, analysisRun, configMap, healthy, rollout, updating } from './test-world.ts'

const central = parseConfig(
  configMap({
    'service.slack': 'token: t',
    'service.pagerduty-v2': 'serviceKeys: {production: k}',
    'service.webhook': 'url: https://h.example',
    'service.webhook.second': 'url: https://h.example',
    'template.both': `message: m
slack: {username: one}
pagerdutyV2: {summary: '{{.rollout.metadata.name.x}}'}
webhook:
  second: {method: PUT, body: '{{.recipient}}/{{.serviceType}}/{{.context.team}}'}`,
    'template.later': 'message: ""\nslack: {username: two}',
    context: 'team: blue',
  }),
  undefined,
).config
const layers: Layers = { own: null, central }
const state = rollout({ revision: 2, generation: 2, status: aborted })
const run = analysisRun(state, { phase: 'Failed' })

function render(
  templates: readonly string[],
  more: { readonly service?: string; readonly event?: DerivedEvent } = {},
) {
  const service = findService(layers, more.service ?? 'slack')?.value
  const last = nextSeen(rollout({ revision: 1, status: healthy }), [], null)
  const event = more.event ?? deriveEvents(state, [run], last).at(-1)
  if (service?.kind !== 'ready' || !event) throw new Error('the fixture is wrong')
  return renderNotification({
    layers,
    config: central,
    templates,
    service,
    recipient: 'ops',
    subject: { rollout: state, previous: null, runs: [run], event, trigger: 'on-x', now: 0 },
    random: () => 0,
  })
}

test.each([...builtinConfig.templates.keys()])(
  'the built-in template %s renders for Slack without a problem',
  (name) => {
    const { payload, problems } = render([name])
    expect(problems).toEqual([])
    expect(payload['attachments']).toMatchObject([{ title: 'my-service' }])
    expect(payload['text']).toMatch(/^Rollout my-service /)
  },
)

test('the built-in message of a failed analysis names the metric and its value', () => {
  expect(JSON.stringify(render(['analysis-run-failed']).payload)).toContain('error-rate [0.031]')
})

test('only the block of the destination is rendered, so that another one cannot stop it', () => {
  expect(render(['both']).problems).toEqual([])
  expect(render(['both'], { service: 'pagerduty-v2' }).problems).toHaveLength(1)
})

test('later templates write over blocks always and over the message only when they have one', () => {
  expect(render(['both', 'later']).payload).toEqual({ text: 'm', username: 'two' })
})

test('a webhook block belongs to one service name, and knows recipient, service and context', () => {
  expect(render(['both'], { service: 'second' }).payload).toEqual({
    method: 'PUT',
    path: '',
    body: 'ops/second/blue',
  })
  expect(render(['both'], { service: 'webhook' }).payload).toEqual({
    method: 'POST',
    path: '',
    body: 'm',
  })
})

test('the run of the event is there for templates, else the newest that did not succeed', () => {
  const [event] = deriveEvents(
    rollout({ revision: 2, generation: 2, status: updating }),
    [run],
    null,
  )
  const named = parseConfig(
    configMap({
      'template.run': 'message: "{{.analysisRun.metadata.name}} {{len .analysisRuns}}"',
    }),
    undefined,
  )
  const service = findService(layers, 'slack')?.value
  if (service?.kind !== 'ready' || !event) throw new Error('the fixture is wrong')
  const good = analysisRun(state, { phase: 'Successful', name: 'good' })
  const newer = {
    ...good,
    metadata: { ...good.metadata, creationTimestamp: '2026-08-01T13:00:00Z' },
  }
  const rendered = renderNotification({
    layers: { own: named.config, central },
    config: named.config,
    templates: ['run'],
    service,
    recipient: 'ops',
    subject: { rollout: state, previous: null, runs: [newer, run], event, trigger: 'on-x', now: 0 },
    random: () => 0,
  })
  expect(rendered.message).toBe('my-service-bbb-2-1 2')
})
