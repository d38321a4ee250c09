import { expect, test } from 'vitest'
import { pagerdutyv2 } from './pagerdutyv2.ts'
import { configured, content, sendOnce, serviceContract } from './service-contract.ts'

const options = { serviceKeys: { ops: 'routing-key-1' } }
const accepted = () => Response.json({ status: 'success' }, { status: 202 })

serviceContract(pagerdutyv2, {
  options,
  credential: 'routing-key-1',
  accepted,
  limited: () => new Response('', { status: 429, headers: { 'Retry-After': '7' } }),
  refused: () => Response.json({ status: 'invalid event' }, { status: 400 }),
})

function payloadOf(block: Record<string, unknown> | null, more: Partial<typeof content> = {}) {
  const rendered = configured(pagerdutyv2, options).render({ ...content, ...more, block })
  if (!rendered.ok) throw new Error(rendered.detail)
  return rendered.payload
}

test('without a block the event says what is known', () => {
  expect(payloadOf(null)).toMatchObject({
    event_action: 'trigger',
    dedup_key: 'argo-rollouts/team-a/my-app/2/on-rollout-aborted',
    payload: {
      summary: 'Rollout my-app has been aborted.',
      source: 'team-a/my-app',
      severity: 'critical',
      component: 'my-app',
      custom_details: { revision: 2, images: ['my-app:v2'] },
    },
  })
})

test('a dedup key of the user is used as it is and not resolved unasked', () => {
  const payload = payloadOf({ dedupKey: 'mine' })
  expect(payload['dedup_key']).toBe('mine')
  const service = configured(pagerdutyv2, options)
  expect(service.closing?.(payload)).toBeNull()
  expect(service.closing?.(payloadOf(null))?.payload['event_action']).toBe('resolve')
  const never = configured(pagerdutyv2, { ...options, autoResolve: false })
  expect(never.closing?.(payloadOf(null))).toBeNull()
})

test.each([
  ['critical', 'critical'],
  ['WARNING', 'warning'],
  ['catastrophic', 'error'],
  ['', 'critical'],
])('severity %j is sent as %s', (severity, sent) => {
  expect(payloadOf({ severity })).toMatchObject({ payload: { severity: sent } })
})

test('summary and dedup key are cut to what PagerDuty takes', () => {
  const payload = payloadOf({ summary: 'x'.repeat(2000), dedupKey: 'k'.repeat(300) })
  expect((payload['payload'] as { summary: string }).summary).toHaveLength(1024)
  expect(payload['dedup_key']).toHaveLength(255)
})

test('an unknown recipient makes no request and is told with the keys that exist', async () => {
  const service = configured(pagerdutyv2, options)
  const { outcome, requests } = await sendOnce(service, accepted, { recipient: 'prod' })
  expect(requests).toEqual([])
  expect(outcome).toEqual({
    kind: 'dead',
    error: 'no API key configured for recipient prod; configured: ops',
    cause: 'config',
  })
})

test('the EU endpoint is an option, and options of the REST service are recognized', async () => {
  const service = configured(pagerdutyv2, { ...options, apiURL: 'https://events.eu.pagerduty.com' })
  const { requests } = await sendOnce(service, accepted)
  expect(requests[0]?.url).toBe('https://events.eu.pagerduty.com/v2/enqueue')
  const wrong = pagerdutyv2.configure({ token: 'x', from: 'me@example.org' })
  expect(wrong.ok ? [] : wrong.problems.map(({ code }) => code)).toEqual(['ServiceShapeMismatch'])
})
