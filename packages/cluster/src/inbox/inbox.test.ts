import { VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { Inbox } from './inbox.ts'

const startAt = Date.parse('2026-01-01T00:00:00Z')

function world() {
  const clock = new VirtualClock(startAt)
  const inbox = new Inbox(clock)
  const send = async (url: string, init: RequestInit): Promise<Response> => {
    const answer = await inbox.handle(new Request(url, { method: 'POST', ...init }))
    if (!answer) throw new Error(`nobody plays ${url}`)
    return answer
  }
  const slack = async (method: string, fields: Record<string, unknown>, token = 'xoxb-1') => {
    const texts = Object.entries(fields).map(([name, value]): [string, string] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ])
    const body = new URLSearchParams([['token', token], ...texts])
    const answer = await send(`https://slack.com/api/${method}`, { body })
    expect(answer.status).toBe(200)
    return answer.json()
  }
  const event = async (body: unknown) => {
    const answer = await send('https://events.pagerduty.com/v2/enqueue', {
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: answer.status, body: await answer.json() }
  }
  return { clock, inbox, send, slack, event }
}

test('a Slack message is kept and answered with its channel and timestamp', async () => {
  const { inbox, slack } = world()
  const told: string[] = []
  inbox.subscribe(({ text }) => told.push(text))
  const answer = await slack('chat.postMessage', { channel: '#incidents', text: 'rolled back' })
  expect(answer).toEqual({
    ok: true,
    channel: 'CINCIDENTS',
    ts: '1767225600.000000',
    message: { type: 'message', ts: '1767225600.000000', text: 'rolled back' },
  })
  expect(inbox.received).toEqual([
    {
      service: 'slack',
      to: '#incidents',
      text: 'rolled back',
      at: startAt,
      body: { channel: '#incidents', text: 'rolled back' },
    },
  ])
  expect(told).toEqual(['rolled back'])
})

test('a Slack message may come as JSON with a bearer token', async () => {
  const { inbox, send } = world()
  const answer = await send('https://slack.com/api/chat.postMessage', {
    headers: { authorization: 'Bearer xoxb-1', 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify({ channel: 'C1', blocks: [{ type: 'divider' }] }),
  })
  expect(await answer.json()).toMatchObject({ ok: true, channel: 'C1' })
  expect(inbox.received).toHaveLength(1)
})

test('the token is never kept', async () => {
  const { inbox, slack } = world()
  await slack('chat.postMessage', { channel: 'a', text: 'b' }, 'xoxb-very-secret')
  expect(JSON.stringify(inbox.received)).not.toContain('very-secret')
})

test.each([
  ['$slack-token', 'invalid_auth'],
  ['', 'not_authed'],
])('the token %j is refused with %s and the message is not kept', async (token, error) => {
  const { inbox, slack } = world()
  expect(await slack('chat.postMessage', { channel: 'a', text: 'b' }, token)).toEqual({
    ok: false,
    error,
  })
  expect(inbox.received).toEqual([])
})

const section = { type: 'section', text: { type: 'mrkdwn', text: 'hello' } }
const header = (text: string) => ({ type: 'header', text: { type: 'plain_text', text } })

test.each<[string, Record<string, unknown>, string]>([
  ['no text, blocks or attachments', { channel: 'a' }, 'no_text'],
  ['two channels in one', { channel: 'a,b', text: 'x' }, 'channel_not_found'],
  ['no channel', { text: 'x' }, 'channel_not_found'],
  ['a text that is too long', { channel: 'a', text: 'x'.repeat(40_001) }, 'msg_too_long'],
  ['blocks that are no JSON', { channel: 'a', blocks: '[{' }, 'invalid_blocks_format'],
  ['blocks that are no list', { channel: 'a', blocks: {} }, 'invalid_blocks_format'],
  ['attachments that are no JSON', { channel: 'a', attachments: '[{' }, 'invalid_attachments'],
])('a message with %s is refused as Slack does', async (_, fields, error) => {
  const { inbox, slack } = world()
  expect(await slack('chat.postMessage', fields)).toMatchObject({ ok: false, error })
  expect(inbox.received).toEqual([])
})

test.each<[string, readonly unknown[], string]>([
  ['an unknown type', [{ type: 'sektion' }], '/blocks/0/type'],
  ['a header in markdown', [{ type: 'header', text: section.text }], '/blocks/0/text/type'],
  ['a header that is too long', [header('x'.repeat(151))], '/blocks/0/text/text'],
  ['an empty text', [section, header('')], '/blocks/1/text/text'],
  ['a section without text', [{ type: 'section' }], '/blocks/0'],
  [
    'too many fields',
    [{ type: 'section', fields: Array(11).fill(section.text) }],
    '/blocks/0/fields',
  ],
  ['an image without words', [{ type: 'image', image_url: 'https://a/b.png' }], '/blocks/0'],
  ['actions without elements', [{ type: 'actions', elements: [] }], '/blocks/0/elements'],
  ['too many blocks', Array(51).fill({ type: 'divider' }), '/blocks'],
])('blocks with %s are refused and the place is named', async (_, blocks, place) => {
  const { inbox, slack } = world()
  const answer = await slack('chat.postMessage', { channel: 'a', text: 'x', blocks })
  expect(answer).toMatchObject({ ok: false, error: 'invalid_blocks' })
  expect(answer.errors[0]).toContain(`[json-pointer:${place}]`)
  expect(answer.response_metadata.messages[0]).toBe(`[ERROR] ${answer.errors[0]}`)
  expect(inbox.received).toEqual([])
})

test('blocks as people write them are accepted', async () => {
  const { slack } = world()
  const blocks = [
    header('Deployment Failed: my-service'),
    section,
    { type: 'section', fields: [section.text, section.text] },
    { type: 'divider' },
    { type: 'context', elements: [section.text] },
    { type: 'actions', elements: [{ type: 'button' }] },
  ]
  expect(await slack('chat.postMessage', { channel: 'a', blocks })).toMatchObject({ ok: true })
})

test('chat.update changes a message that exists and knows no other', async () => {
  const { inbox, slack } = world()
  const { channel, ts } = await slack('chat.postMessage', { channel: 'a', text: 'one' })
  expect(await slack('chat.update', { channel, ts, text: 'two' })).toMatchObject({ ok: true, ts })
  expect(await slack('chat.update', { channel, ts: '1.000000', text: 'x' })).toEqual({
    ok: false,
    error: 'message_not_found',
  })
  expect(inbox.received.map(({ text }) => text)).toEqual(['one', 'two'])
  expect((await slack('conversations.history', { channel })).messages).toMatchObject([
    { text: 'two' },
  ])
})

test('the history of a channel has its messages with their metadata, newest first', async () => {
  const { clock, slack } = world()
  const metadata = { event_type: 'sent', event_payload: { id: '1' } }
  await slack('chat.postMessage', { channel: '#a', text: 'one', metadata })
  await slack('chat.postMessage', { channel: '#other', text: 'x' })
  await clock.advance(1_000)
  const { ts } = await slack('chat.postMessage', { channel: 'a', text: 'two' })
  expect((await slack('conversations.history', { channel: 'CA' })).messages).toMatchObject([
    { text: 'two' },
    { text: 'one', metadata },
  ])
  const later = { channel: 'CA', oldest: '1767225600.5' }
  expect((await slack('conversations.history', later)).messages).toMatchObject([{ ts }])
  expect((await slack('conversations.list', {})).channels).toMatchObject([
    { id: 'CA', name: 'a' },
    { id: 'COTHER', name: 'other' },
  ])
})

test('two messages of one instant have two timestamps', async () => {
  const { slack } = world()
  const first = await slack('chat.postMessage', { channel: 'a', text: 'one' })
  const second = await slack('chat.postMessage', { channel: 'a', text: 'two' })
  expect(Number(second.ts)).toBeGreaterThan(Number(first.ts))
})

test('a method that Slack does not have is refused', async () => {
  const { slack } = world()
  expect(await slack('chat.postMesage', {})).toEqual({ ok: false, error: 'unknown_method' })
})

const trigger = {
  routing_key: 'key',
  event_action: 'trigger',
  dedup_key: 'my-app/1',
  payload: { summary: 'rolled back', source: 'my-app', severity: 'critical' },
}

test('a PagerDuty event is kept and answered with 202 and its dedup key', async () => {
  const { inbox, event } = world()
  expect(await event(trigger)).toEqual({
    status: 202,
    body: { status: 'success', message: 'Event processed', dedup_key: 'my-app/1' },
  })
  expect(await event({ ...trigger, event_action: 'resolve', payload: undefined })).toMatchObject({
    status: 202,
  })
  expect(inbox.received.map(({ to, text }) => [to, text])).toEqual([
    ['key', 'rolled back'],
    ['key', 'resolve my-app/1'],
  ])
})

test('an event without dedup key gets one of its own', async () => {
  const { event } = world()
  const without = { ...trigger, dedup_key: undefined }
  const first = await event(without)
  const second = await event(without)
  expect(first.body.dedup_key).toMatch(/^[0-9a-f]{32}$/)
  expect(second.body.dedup_key).not.toBe(first.body.dedup_key)
})

test.each<[string, unknown, readonly string[]]>([
  [
    'nothing in it',
    {},
    ["'routing_key' is missing or blank", "'event_action' is missing or blank"],
  ],
  [
    'an empty payload',
    { ...trigger, payload: {} },
    [
      "'payload.summary' is missing or blank",
      "'payload.source' is missing or blank",
      "'payload.severity' is missing or blank",
    ],
  ],
  [
    'a severity of its own',
    { ...trigger, payload: { ...trigger.payload, severity: 'fatal' } },
    [
      "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error', 'info')",
    ],
  ],
  [
    'an action of its own',
    { ...trigger, event_action: 'fire' },
    [
      "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge', 'resolve')",
    ],
  ],
  [
    'nothing to resolve',
    { routing_key: 'key', event_action: 'resolve' },
    ["'dedup_key' is missing or blank"],
  ],
  ['no JSON', '{', ['Event object is not valid JSON']],
])('a PagerDuty event with %s is refused with 400 and its errors', async (_, body, errors) => {
  const { inbox, event } = world()
  expect(await event(body)).toEqual({
    status: 400,
    body: { status: 'invalid event', message: 'Event object is invalid', errors },
  })
  expect(inbox.received).toEqual([])
})

test('a PagerDuty incident is made with a token and refused without', async () => {
  const { inbox, send } = world()
  const incident = { title: 'my-app', service: { id: 'P123', type: 'service_reference' } }
  const post = (headers: Record<string, string>) =>
    send('https://api.pagerduty.com/incidents', { headers, body: JSON.stringify({ incident }) })
  expect((await post({})).status).toBe(401)
  const authorization = 'Token token=secret'
  expect((await post({ authorization })).status).toBe(400)
  const made = await post({ authorization, from: 'me@example.com' })
  expect(made.status).toBe(201)
  expect(await made.json()).toMatchObject({ incident: { title: 'my-app', status: 'triggered' } })
  expect(inbox.received.map(({ to, text }) => [to, text])).toEqual([['P123', 'my-app']])
})

test('a webhook is kept as it came', async () => {
  const { inbox, send } = world()
  expect((await send('http://inbox/deployments', { body: '{"a":1}' })).status).toBe(200)
  expect(inbox.received).toMatchObject([
    { service: 'webhook', to: 'http://inbox/deployments', text: '{"a":1}' },
  ])
})

test('requests to everybody else are nobody’s message', async () => {
  const { inbox } = world()
  for (const url of ['https://example.com/', 'https://slack.com/', 'http://my-app/']) {
    expect(await inbox.handle(new Request(url))).toBeNull()
  }
  expect(inbox.received).toEqual([])
})

test('a rate limit is answered with 429 and Retry-After until it is mended, for that service alone', async () => {
  const { inbox, send, slack, event } = world()
  inbox.setFault('slack', { kind: 'rate-limit', retryAfterSeconds: 7 })
  const answer = await send('https://slack.com/api/chat.postMessage', {
    body: new URLSearchParams({ token: 'xoxb-1', channel: 'a', text: 'b' }),
  })
  expect(answer.status).toBe(429)
  expect(answer.headers.get('retry-after')).toBe('7')
  expect(await answer.json()).toEqual({ ok: false, error: 'ratelimited' })
  expect((await event(trigger)).status).toBe(202)
  inbox.setFault('slack', null)
  expect(await slack('chat.postMessage', { channel: 'a', text: 'b' })).toMatchObject({ ok: true })
  expect(inbox.received).toHaveLength(2)
})

test('a status that was ordered is answered and nothing is kept', async () => {
  const { inbox, send } = world()
  inbox.setFault('pagerduty', { kind: 'status', status: 503 })
  const body = JSON.stringify(trigger)
  expect((await send('https://events.pagerduty.com/v2/enqueue', { body })).status).toBe(503)
  expect(inbox.received).toEqual([])
})

test('an outage refuses the connection', async () => {
  const { inbox, slack } = world()
  inbox.setFault('slack', { kind: 'outage' })
  await expect(slack('auth.test', {})).rejects.toMatchObject({
    message: 'fetch failed',
    cause: { code: 'ECONNREFUSED' },
  })
})

test('a delay holds the right answer back', async () => {
  const { clock, inbox, slack } = world()
  inbox.setFault('slack', { kind: 'delay', delayMs: 2_000 })
  let answered = false
  const answer = slack('chat.postMessage', { channel: 'a', text: 'b' }).then((body) => {
    answered = true
    return body
  })
  await clock.advance(1_999)
  expect(answered).toBe(false)
  await clock.advance(1)
  expect(await answer).toMatchObject({ ok: true })
  expect(inbox.received).toMatchObject([{ at: startAt + 2_000 }])
})
