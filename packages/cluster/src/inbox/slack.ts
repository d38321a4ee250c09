import type { Clock } from '@serinus/kube'
import type { Keep } from './inbox.ts'
import { blockProblems } from './slack-blocks.ts'

type Fields = Readonly<Record<string, unknown>>

/** A message that Slack shows; `fields` are the arguments that it was posted with. */
interface Posted {
  readonly channel: string
  readonly ts: string
  fields: Fields
}

/** Messages kept for `conversations.history` and `chat.update`; older ones are forgotten. */
const mostPosted = 1_000
const mostTextCharacters = 40_000

/** The Web API of Slack, as far as a notifier uses it: answers have status 200 and say `ok` (docs.slack.dev). */
export class Slack {
  readonly #clock: Clock
  readonly #keep: Keep
  readonly #posted: Posted[] = []
  #lastMicros = 0

  constructor(clock: Clock, keep: Keep) {
    this.#clock = clock
    this.#keep = keep
  }

  async answer(request: Request, url: URL): Promise<Response> {
    const text = request.method === 'GET' ? url.search.slice(1) : await request.text()
    const fields = fieldsOf(text, request.headers.get('content-type') ?? '')
    if (!fields) return refuse('invalid_json')
    const token = request.headers.get('authorization')?.replace(/^Bearer /, '') ?? fields['token']
    if (!token) return refuse('not_authed')
    if (!/^xox[a-z](\.xox[a-z])?-\S+$/.test(String(token))) return refuse('invalid_auth')
    const channel = String(fields['channel'] ?? '')
    switch (url.pathname.replace('/api/', '')) {
      case 'auth.test':
        return Response.json({ ok: true, url: 'https://inbox.slack.com/', team: 'inbox' })
      case 'chat.postMessage':
        return this.#post(channel, fields)
      case 'chat.update':
        return this.#update(channel, fields)
      case 'conversations.list':
        return Response.json({ ok: true, channels: this.#channels(), ...noMore })
      case 'conversations.info': {
        const found = this.#channels().find(({ id }) => id === idOf(channel))
        return found ? Response.json({ ok: true, channel: found }) : refuse('channel_not_found')
      }
      case 'conversations.join':
        return Response.json({ ok: true, channel: { id: idOf(channel) } })
      case 'conversations.history':
        return Response.json({ ok: true, messages: this.#history(channel, fields), ...noMore })
      default:
        return refuse('unknown_method')
    }
  }

  #post(channel: string, fields: Fields): Response {
    const refusal = refusalOf(channel, fields)
    if (refusal) return refusal
    // Two messages of one millisecond have two timestamps.
    this.#lastMicros = Math.max(this.#lastMicros + 1, this.#clock.now() * 1000)
    const ts = timestampOf(this.#lastMicros)
    this.#posted.push({ channel, ts, fields })
    if (this.#posted.length > mostPosted) this.#posted.shift()
    return this.#accept(channel, ts, fields)
  }

  #update(channel: string, fields: Fields): Response {
    const refusal = refusalOf(channel, fields)
    if (refusal) return refusal
    const ts = String(fields['ts'] ?? '')
    const posted = this.#posted.find((one) => one.ts === ts && idOf(one.channel) === idOf(channel))
    if (!posted) return refuse('message_not_found')
    posted.fields = fields
    return this.#accept(channel, ts, fields)
  }

  #accept(channel: string, ts: string, fields: Fields): Response {
    const { token: _, ...body } = fields
    this.#keep({ service: 'slack', to: channel, text: String(fields['text'] ?? ''), body })
    const message = { type: 'message', ts, text: String(fields['text'] ?? '') }
    return Response.json({ ok: true, channel: idOf(channel), ts, message })
  }

  #channels() {
    const names = new Set(this.#posted.map(({ channel }) => channel.replace(/^[#@]/, '')))
    return [...names].map((name) => ({ id: idOf(name), name, is_channel: true, is_member: true }))
  }

  /** Newest first, `oldest` left out unless `inclusive`. */
  #history(channel: string, fields: Fields) {
    const oldest = Number(fields['oldest'] ?? 0)
    const inclusive = String(fields['inclusive']) === 'true'
    return this.#posted
      .filter((posted) => idOf(posted.channel) === idOf(channel))
      .filter(({ ts }) => Number(ts) > oldest || (inclusive && Number(ts) === oldest))
      .map(({ ts, fields: sent }) => ({
        type: 'message',
        ts,
        text: String(sent['text'] ?? ''),
        ...(sent['metadata'] !== undefined && { metadata: listOrFields(sent['metadata']) }),
      }))
      .reverse()
  }
}

const noMore = { has_more: false, response_metadata: { next_cursor: '' } }

/** Arguments come as a form or as JSON; null: the JSON cannot be read. */
function fieldsOf(text: string, contentType: string): Fields | null {
  if (!contentType.includes('json')) return Object.fromEntries(new URLSearchParams(text))
  const value = parsed(text || '{}')
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : null
}

/** What Slack has against a message; null: nothing. */
function refusalOf(channel: string, fields: Fields): Response | null {
  if (!/^[#@]?[\p{L}\p{N}_.-]+$/u.test(channel)) return refuse('channel_not_found')
  const blocks = listOrFields(fields['blocks'])
  if (blocks !== undefined && !Array.isArray(blocks)) return refuse('invalid_blocks_format')
  const attachments = listOrFields(fields['attachments'])
  if (attachments !== undefined && !Array.isArray(attachments)) return refuse('invalid_attachments')
  const problems = blockProblems(blocks ?? [])
  if (problems.length > 0) {
    const messages = problems.map((problem) => `[ERROR] ${problem}`)
    const body = { ok: false, error: 'invalid_blocks', errors: problems }
    return Response.json({ ...body, response_metadata: { messages } })
  }
  const text = String(fields['text'] ?? '')
  if (!text && !blocks?.length && !attachments?.length) return refuse('no_text')
  return text.length > mostTextCharacters ? refuse('msg_too_long') : null
}

/** In a form, lists and objects are JSON text. */
function listOrFields(value: unknown): unknown {
  return typeof value === 'string' ? parsed(value) : (value ?? undefined)
}

function refuse(error: string): Response {
  return Response.json({ ok: false, error })
}

/** `#deploy-failures` and `deploy-failures` are one channel, and so is its id. */
function idOf(channel: string): string {
  const name = channel.replace(/^[#@]/, '')
  return /^C[A-Z0-9]+$/.test(name) ? name : `C${name.toUpperCase().replace(/[^A-Z0-9]/g, '')}`
}

/** `1767225600.000001` */
function timestampOf(micros: number): string {
  const seconds = Math.floor(micros / 1e6)
  return `${seconds}.${String(micros - seconds * 1e6).padStart(6, '0')}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
