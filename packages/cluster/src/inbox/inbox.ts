import type { Clock } from '@serinus/kube'

/** One message that came in, as a person wants to read it. */
export interface Received {
  readonly service: 'slack' | 'pagerduty' | 'webhook'
  /** Channel, routing key or URL. */
  readonly to: string
  readonly text: string
  /** Epoch milliseconds. */
  readonly at: number
  /** What was sent, whole. */
  readonly body: unknown
}

export interface Fault {
  readonly status: number
  /** Seconds, sent as Retry-After. */
  readonly retryAfter?: number
}

/**
 * Plays Slack and PagerDuty for people who have no tokens at hand: it answers as they do, checks what they check, and
 * keeps what came in (spec embedded-cluster 6).
 */
export class Inbox {
  readonly #clock: Clock
  readonly #received: Received[] = []
  readonly #faults = new Map<Received['service'], Fault>()
  readonly #listeners = new Set<(received: Received) => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Oldest first. */
  get received(): readonly Received[] {
    return this.#received
  }

  subscribe(listener: (received: Received) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Makes a service fail until `null` mends it. */
  setFault(service: Received['service'], fault: Fault | null): void {
    if (fault) this.#faults.set(service, fault)
    else this.#faults.delete(service)
  }

  /** The answer of the vendor; null when the request is for somebody else. */
  async handle(request: Request): Promise<Response | null> {
    const url = new URL(request.url)
    const service = serviceOf(url)
    if (!service) return null
    const fault = this.#faults.get(service)
    if (fault) {
      const headers: Record<string, string> = fault.retryAfter
        ? { 'retry-after': String(fault.retryAfter) }
        : {}
      return new Response('fault ordered', { status: fault.status, headers })
    }
    if (service === 'slack') return this.#slack(request, url)
    if (service === 'pagerduty') return this.#pagerDuty(request)
    const body = await request.text()
    this.#keep({ service, to: url.href, text: body, body })
    return new Response('ok')
  }

  async #slack(request: Request, url: URL): Promise<Response> {
    const method = url.pathname.replace('/api/', '')
    const text = await request.text()
    const isJson = request.headers.get('content-type')?.includes('json')
    const body: Record<string, unknown> = isJson
      ? JSON.parse(text || '{}')
      : Object.fromEntries(new URLSearchParams(text))
    const authorization = request.headers.get('authorization') ?? `Bearer ${body['token'] ?? ''}`
    if (!/^Bearer xox[a-z]-\S+$/.test(authorization))
      return Response.json({ ok: false, error: 'invalid_auth' })
    if (method !== 'chat.postMessage' && method !== 'chat.update')
      return Response.json({ ok: true, channels: [], messages: [] })
    const channel = String(body['channel'] ?? '')
    if (!/^[#@]?[\w.-]+$/.test(channel))
      return Response.json({ ok: false, error: 'channel_not_found' })
    const blocks = typeof body['blocks'] === 'string' ? parsed(body['blocks']) : body['blocks']
    if (blocks !== undefined && !Array.isArray(blocks))
      return Response.json({ ok: false, error: 'invalid_blocks' })
    if (!body['text'] && !blocks && !body['attachments'])
      return Response.json({ ok: false, error: 'no_text' })
    this.#keep({ service: 'slack', to: channel, text: String(body['text'] ?? ''), body })
    const ts = `${(this.#clock.now() / 1000).toFixed(3)}${String(this.#received.length).padStart(3, '0')}`
    return Response.json({
      ok: true,
      channel: `C${channel.replace(/\W/g, '').toUpperCase()}`,
      ts,
      message: { text: body['text'] },
    })
  }

  async #pagerDuty(request: Request): Promise<Response> {
    const body = (await request.json()) as Record<string, unknown>
    const payload = (body['payload'] ?? {}) as Record<string, unknown>
    const errors = ['routing_key', 'event_action'].filter((key) => !body[key])
    if (body['event_action'] === 'trigger') {
      errors.push(
        ...['summary', 'source', 'severity']
          .filter((key) => !payload[key])
          .map((key) => `payload.${key}`),
      )
    }
    if (errors.length > 0) {
      return Response.json(
        { status: 'invalid event', message: 'Event object is invalid', errors },
        { status: 400 },
      )
    }
    const action = String(body['event_action'])
    const text =
      action === 'trigger' ? String(payload['summary']) : `${action} ${body['dedup_key']}`
    this.#keep({ service: 'pagerduty', to: String(body['routing_key']), text, body })
    return Response.json(
      { status: 'success', message: 'Event processed', dedup_key: body['dedup_key'] ?? 'none' },
      { status: 202 },
    )
  }

  #keep(message: Omit<Received, 'at'>): void {
    const received = { ...message, at: this.#clock.now() }
    this.#received.push(received)
    for (const listener of this.#listeners) listener(received)
  }
}

function serviceOf(url: URL): Received['service'] | null {
  if (url.hostname === 'slack.com' && url.pathname.startsWith('/api/')) return 'slack'
  if (url.hostname === 'events.pagerduty.com') return 'pagerduty'
  return url.hostname === 'inbox' ? 'webhook' : null
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
