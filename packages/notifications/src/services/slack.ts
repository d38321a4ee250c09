import { type Answer, failureOf, retryAfterOf } from '../http.ts'
import { isObject, type JsonObject, member, textOf } from '../json.ts'
import type { Delivery, Outcome, Rendered, ServiceType, Thread } from './service.ts'

/** `metadata.event_type` by which a message of unknown fate is found again (spec notifications 11.4). */
const metadataType = 'argo_rollouts_notification'

/** Codes after which the same request may succeed (spec notifications 7.1). */
const passing: ReadonlySet<string> = new Set([
  'ratelimited',
  'rate_limited',
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
])

/** Codes that a change of token, scope, channel or membership can mend. */
const configured: ReadonlySet<string> = new Set([
  'channel_not_found',
  'not_in_channel',
  'is_archived',
  'invalid_auth',
  'not_authed',
  'account_inactive',
  'token_revoked',
  'token_expired',
  'missing_scope',
])

/** Codes of `chat.update` after which a new message is posted instead (spec notifications 11.8). */
const notUpdatable: ReadonlySet<string> = new Set([
  'message_not_found',
  'edit_window_closed',
  'cant_update_message',
])

/** Slack's Web API (spec notifications 7.1). */
export const slack: ServiceType = {
  type: 'slack',
  fields: {
    username: 'template',
    icon: 'template',
    attachments: 'template',
    blocks: 'template',
    groupingKey: 'template',
    notifyBroadcast: 'raw',
    deliveryPolicy: 'raw',
  },
  blockPerService: false,
  splitsCommas: true,
  idempotent: false,
  rate: { perSecond: 1, burst: 3 },
  configure(options) {
    const token = textOf(member(options, 'token'))
    if (!token) {
      const message = 'a bot token is required, such as $slack-token'
      return { ok: false, problems: [{ code: 'ServiceOptionsInvalid', path: '.token', message }] }
    }
    // Upstream glues the method onto the base, so its own documented example without the slash fails.
    const base = `${(textOf(member(options, 'apiURL')) || 'https://slack.com/api').replace(/\/+$/, '')}/`
    const defaults = {
      username: textOf(member(options, 'username')),
      icon: textOf(member(options, 'icon')),
      disableUnfurl: member(options, 'disableUnfurl') === true,
    }
    const call = (delivery: Delivery, method: string, form: Readonly<Record<string, string>>) =>
      delivery.exchange(base + method, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}` },
        body: new URLSearchParams({ token, ...form }),
      })
    return {
      ok: true,
      service: {
        recipients: null,
        urls: [base],
        render: ({ message, block, event }) => render(message || event.message, block ?? {}),
        send: (delivery) => send(delivery, defaults, call),
        find: (delivery) => find(delivery, call),
      },
    }
  },
}

type Call = (
  delivery: Delivery,
  method: string,
  form: Readonly<Record<string, string>>,
) => Promise<Answer>

interface Defaults {
  readonly username: string | undefined
  readonly icon: string | undefined
  readonly disableUnfurl: boolean
}

function render(text: string, block: JsonObject): Rendered {
  const payload: Record<string, unknown> = { text }
  for (const field of ['attachments', 'blocks']) {
    const source = textOf(block[field])?.trim()
    if (!source) continue
    try {
      const parsed: unknown = JSON.parse(source)
      if (!Array.isArray(parsed)) return { ok: false, field, detail: 'a JSON list is expected' }
      // Passed on as written: upstream's detour over SDK types loses what they do not know.
      if (parsed.length > 0) payload[field] = parsed
    } catch (error) {
      return { ok: false, field, detail: (error as Error).message }
    }
  }
  for (const field of ['username', 'icon', 'groupingKey', 'deliveryPolicy']) {
    const value = textOf(block[field])?.trim()
    if (value) payload[field] = value
  }
  if (block['notifyBroadcast'] === true) payload['notifyBroadcast'] = true
  return { ok: true, payload }
}

async function send(delivery: Delivery, defaults: Defaults, call: Call): Promise<Outcome> {
  const { payload, thread } = delivery
  const policy = thread ? payload['deliveryPolicy'] : 'Post'
  if (thread && policy === 'Update') return update(delivery, thread, { defaults, call })
  const posted = await post(delivery, { thread, defaults, call })
  if (posted.kind !== 'delivered' || !thread || policy !== 'PostAndUpdate') return posted
  const updated = await update(delivery, thread, { defaults, call })
  // The reply has arrived; a failed change of the first message must not send it again.
  return updated.kind === 'delivered' && updated.thread
    ? { ...posted, thread: updated.thread }
    : posted
}

interface Ways {
  readonly defaults: Defaults
  readonly call: Call
}

async function post(
  delivery: Delivery,
  ways: Ways & { readonly thread: Thread | undefined },
): Promise<Outcome> {
  const { thread } = ways
  const answer = await ways.call(delivery, 'chat.postMessage', {
    ...formOf(delivery, ways.defaults),
    channel: delivery.recipient,
    metadata: JSON.stringify({
      event_type: metadataType,
      event_payload: { delivery_id: delivery.id },
    }),
    ...(thread ? { thread_ts: thread.ts } : {}),
    ...(thread && delivery.payload['notifyBroadcast'] ? { reply_broadcast: 'true' } : {}),
  })
  return outcomeOf(answer, delivery, thread)
}

async function update(delivery: Delivery, thread: Thread, ways: Ways): Promise<Outcome> {
  const answer = await ways.call(delivery, 'chat.update', {
    ...formOf(delivery, ways.defaults),
    channel: thread.channel,
    ts: thread.ts,
    as_user: 'true',
  })
  if (notUpdatable.has(codeOf(answer))) return post(delivery, { ...ways, thread: undefined })
  return outcomeOf(answer, delivery, thread)
}

function formOf({ payload }: Delivery, defaults: Defaults): Record<string, string> {
  const username = textOf(payload['username']) ?? defaults.username
  const icon = textOf(payload['icon']) ?? defaults.icon
  const form: Record<string, string> = { text: textOf(payload['text']) ?? '' }
  if (username) form['username'] = username
  if (icon && /^:.+:$/.test(icon)) form['icon_emoji'] = icon
  else if (icon && /^https?:\/\/./.test(icon)) form['icon_url'] = icon
  for (const field of ['attachments', 'blocks']) {
    if (payload[field]) form[field] = JSON.stringify(payload[field])
  }
  if (defaults.disableUnfurl) Object.assign(form, { unfurl_links: 'false', unfurl_media: 'false' })
  return form
}

function outcomeOf(answer: Answer, delivery: Delivery, thread: Thread | undefined): Outcome {
  if (answer.kind === 'silent' || answer.status < 200 || answer.status > 299) {
    return failureOf(answer, delivery.now)
  }
  const body = bodyOf(answer)
  if (body?.['ok'] === true) {
    const ts = textOf(body['ts']) ?? ''
    const channel = textOf(body['channel']) ?? delivery.recipient
    return { kind: 'delivered', receipt: ts, thread: thread ?? { channel, ts } }
  }
  const code = codeOf(answer) || 'an answer that is not JSON'
  const error = `slack: ${code}`
  if (!body) return { kind: 'retryable', error }
  if (passing.has(code)) {
    const retryAfterMs = retryAfterOf(answer.headers, delivery.now)
    return { kind: 'retryable', error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }
  return { kind: 'dead', error, cause: configured.has(code) ? 'config' : 'refused' }
}

/** Looks for the message in the channel's history, as far as the token's scopes allow. */
async function find(delivery: Delivery, call: Call): Promise<'arrived' | 'absent' | 'unknown'> {
  const channel = await channelId(delivery, call)
  if (!channel) return 'unknown'
  const body = bodyOf(
    await call(delivery, 'conversations.history', {
      channel,
      include_all_metadata: 'true',
      // Clocks differ: a minute of slack costs a few lines of history.
      oldest: String(Math.floor(delivery.since / 1000) - 60),
      limit: '200',
    }),
  )
  if (body?.['ok'] !== true || !Array.isArray(body['messages'])) return 'unknown'
  const arrived = body['messages'].some((message: unknown) => {
    const metadata = isObject(message) ? message['metadata'] : undefined
    const facts = isObject(metadata) ? metadata['event_payload'] : undefined
    return isObject(facts) && facts['delivery_id'] === delivery.id
  })
  if (arrived) return 'arrived'
  return body['has_more'] === true ? 'unknown' : 'absent'
}

async function channelId(delivery: Delivery, call: Call): Promise<string | undefined> {
  if (/^[CGD][A-Z0-9]{8,}$/.test(delivery.recipient)) return delivery.recipient
  const name = delivery.recipient.replace(/^#/, '')
  let cursor = ''
  for (let page = 0; page < 10; page++) {
    const body = bodyOf(
      await call(delivery, 'conversations.list', {
        limit: '1000',
        exclude_archived: 'true',
        ...(cursor ? { cursor } : {}),
      }),
    )
    if (body?.['ok'] !== true || !Array.isArray(body['channels'])) return undefined
    const channels = body['channels'].filter(isObject)
    const found = channels.find((channel) => channel['name'] === name)
    if (found) return textOf(found['id'])
    const more = isObject(body['response_metadata']) ? body['response_metadata'] : {}
    cursor = textOf(more['next_cursor']) ?? ''
    if (!cursor) return undefined
  }
  return undefined
}

function bodyOf(answer: Answer): JsonObject | undefined {
  if (answer.kind === 'silent') return undefined
  try {
    const body: unknown = JSON.parse(answer.body)
    return isObject(body) ? body : undefined
  } catch {
    return undefined
  }
}

function codeOf(answer: Answer): string {
  return textOf(bodyOf(answer)?.['error']) ?? ''
}
