import { expect, test } from 'vitest'
import { configured, content, sendOnce, serviceContract } from './service-contract.ts'
import { slack } from './slack.ts'

const options = { token: 'xoxb-secret-token' }
const accepted = () => Response.json({ ok: true, channel: 'C123', ts: '17.5' })
const no = (error: string) => () => Response.json({ ok: false, error })

serviceContract(slack, {
  options,
  credential: 'xoxb-secret-token',
  accepted,
  limited: () =>
    Response.json(
      { ok: false, error: 'ratelimited' },
      { status: 429, headers: { 'Retry-After': '7' } },
    ),
  refused: no('channel_not_found'),
})

async function form(request: Request | undefined): Promise<Record<string, string>> {
  return Object.fromEntries(new URLSearchParams(await request?.text()))
}

test('a message is posted with token, channel, text and the id by which it is found again', async () => {
  const { requests, outcome } = await sendOnce(configured(slack, options), accepted)
  expect(requests[0]?.url).toBe('https://slack.com/api/chat.postMessage')
  expect(requests[0]?.headers.get('Content-Type')).toContain('application/x-www-form-urlencoded')
  expect(await form(requests[0])).toEqual({
    token: 'xoxb-secret-token',
    channel: 'ops',
    text: content.message,
    metadata:
      '{"event_type":"argo_rollouts_notification","event_payload":{"delivery_id":"delivery-1"}}',
  })
  expect(outcome).toMatchObject({ receipt: '17.5', thread: { channel: 'C123', ts: '17.5' } })
})

test('an apiURL without its last slash works', async () => {
  const service = configured(slack, { ...options, apiURL: 'https://proxy.example/slack' })
  const { requests } = await sendOnce(service, accepted)
  expect(requests[0]?.url).toBe('https://proxy.example/slack/chat.postMessage')
})

test('icon, user name and unfurling follow the options, and the template wins', async () => {
  const service = configured(slack, {
    ...options,
    username: 'bot',
    icon: ':robot:',
    disableUnfurl: true,
  })
  const own = service.render({
    ...content,
    block: { icon: 'https://x.example/i.png', username: 'me' },
  })
  const { requests } = await sendOnce(service, accepted, { payload: own.ok ? own.payload : {} })
  expect(await form(requests[0])).toMatchObject({
    username: 'me',
    icon_url: 'https://x.example/i.png',
    unfurl_links: 'false',
    unfurl_media: 'false',
  })
  const plain = await sendOnce(service, accepted)
  expect(await form(plain.requests[0])).toMatchObject({ username: 'bot', icon_emoji: ':robot:' })
})

test('blocks keep fields that no SDK knows, and bad JSON names its field', () => {
  const service = configured(slack, options)
  const good = service.render({ ...content, block: { blocks: '[{"type":"new","x":{"y":1}}]' } })
  expect(good).toMatchObject({ ok: true, payload: { blocks: [{ type: 'new', x: { y: 1 } }] } })
  expect(service.render({ ...content, block: { blocks: '[{' } })).toMatchObject({
    ok: false,
    field: 'blocks',
  })
})

test.each([
  'ratelimited',
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
])('the code %s is worth another try', async (code) => {
  const { outcome } = await sendOnce(configured(slack, options), no(code))
  expect(outcome).toMatchObject({ kind: 'retryable', error: `slack: ${code}` })
})

test.each([
  ['channel_not_found', 'config'],
  ['invalid_auth', 'config'],
  ['missing_scope', 'config'],
  ['msg_too_long', 'refused'],
  ['invalid_blocks', 'refused'],
])('the code %s is final, caused by %s', async (code, cause) => {
  const { outcome } = await sendOnce(configured(slack, options), no(code))
  expect(outcome).toEqual({ kind: 'dead', error: `slack: ${code}`, cause })
})

const thread = { channel: 'C123', ts: '17.1' }

test.each([
  ['Post', ['chat.postMessage'], '17.1'],
  ['PostAndUpdate', ['chat.postMessage', 'chat.update'], '17.1'],
  ['Update', ['chat.update'], undefined],
])(
  'policy %s of a group with a first message calls %j',
  async (deliveryPolicy, methods, parent) => {
    const payload = { text: 'more', groupingKey: 'k', deliveryPolicy }
    const { requests, outcome } = await sendOnce(configured(slack, options), accepted, {
      payload,
      thread,
    })
    expect(requests.map(({ url }) => url.split('/').at(-1))).toEqual(methods)
    expect((await form(requests[0]))['thread_ts']).toBe(parent)
    expect(outcome).toMatchObject({ thread })
  },
)

test('a first message that can no longer be changed is posted anew and remembered [notifications 40]', async () => {
  const payload = { text: 'more', groupingKey: 'k', deliveryPolicy: 'Update' }
  const answer = (request: Request) =>
    request.url.endsWith('chat.update') ? no('message_not_found')() : accepted()
  const { requests, outcome } = await sendOnce(configured(slack, options), answer, {
    payload,
    thread,
  })
  expect(requests.map(({ url }) => url.split('/').at(-1))).toEqual([
    'chat.update',
    'chat.postMessage',
  ])
  expect(outcome).toMatchObject({ kind: 'delivered', thread: { channel: 'C123', ts: '17.5' } })
})
