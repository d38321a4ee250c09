import { type Clock, sleep } from '@serinus/kube'
import { PagerDuty } from './pagerduty.ts'
import { Slack } from './slack.ts'

/** One message that came in, as a person wants to read it. */
export interface Received {
  readonly service: 'slack' | 'pagerduty' | 'webhook'
  /** Channel, routing key, service id or URL. */
  readonly to: string
  readonly text: string
  /** Epoch milliseconds. */
  readonly at: number
  /** What was sent, whole. */
  readonly body: unknown
}

/** How a service misbehaves. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'rate-limit'; readonly retryAfterSeconds: number }
  /** The right answer, later. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Nobody answers: the connection is refused. */
  | { readonly kind: 'outage' }

/** Tells what came in, without its instant. */
export type Keep = (message: Omit<Received, 'at'>) => void

/** Messages kept; older ones are forgotten. */
const mostReceived = 10_000

/**
 * Plays Slack, PagerDuty and a webhook for people who have no tokens at hand: it answers as they do, checks what they
 * check, and keeps what came in (spec embedded-cluster 6).
 */
export class Inbox {
  readonly #clock: Clock
  readonly #received: Received[] = []
  readonly #faults = new Map<Received['service'], Fault>()
  readonly #listeners = new Set<(received: Received) => void>()
  readonly #slack: Slack
  readonly #pagerDuty: PagerDuty

  constructor(clock: Clock) {
    const keep: Keep = (message) => this.#keep(message)
    this.#clock = clock
    this.#slack = new Slack(clock, keep)
    this.#pagerDuty = new PagerDuty(keep)
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

  /** The answer of the vendor; null when the request is for somebody else. Rejects in an outage, as fetch does. */
  async handle(request: Request): Promise<Response | null> {
    const url = new URL(request.url)
    const service = serviceOf(url)
    if (!service) return null
    const fault = this.#faults.get(service)
    const failure = fault && (await this.#fail(service, fault, url))
    if (failure) return failure
    if (service === 'slack') return this.#slack.answer(request, url)
    if (service === 'pagerduty') return this.#pagerDuty.answer(request, url)
    const body = await request.text()
    this.#keep({ service, to: url.href, text: body, body })
    return new Response('ok')
  }

  async #fail(service: Received['service'], fault: Fault, url: URL): Promise<Response | null> {
    switch (fault.kind) {
      case 'status':
        return new Response('fault ordered', { status: fault.status })
      case 'rate-limit':
        return rateLimited(service, fault.retryAfterSeconds)
      case 'delay':
        await sleep(this.#clock, fault.delayMs)
        return null
      case 'outage': {
        const refused = new Error(`connect ECONNREFUSED ${url.host}`)
        throw new TypeError('fetch failed', {
          cause: Object.assign(refused, { code: 'ECONNREFUSED' }),
        })
      }
      default:
        throw new TypeError(`unknown fault: ${JSON.stringify(fault satisfies never)}`)
    }
  }

  #keep(message: Omit<Received, 'at'>): void {
    const received = { ...message, at: this.#clock.now() }
    this.#received.push(received)
    if (this.#received.length > mostReceived) this.#received.shift()
    for (const listener of this.#listeners) listener(received)
  }
}

function serviceOf(url: URL): Received['service'] | null {
  if (url.hostname === 'slack.com' && url.pathname.startsWith('/api/')) return 'slack'
  if (url.hostname === 'events.pagerduty.com' || url.hostname === 'api.pagerduty.com')
    return 'pagerduty'
  return url.hostname === 'inbox' || url.hostname === 'hooks.slack.com' ? 'webhook' : null
}

function rateLimited(service: Received['service'], retryAfterSeconds: number): Response {
  const answer = { status: 429, headers: { 'retry-after': String(retryAfterSeconds) } }
  if (service === 'slack') return Response.json({ ok: false, error: 'ratelimited' }, answer)
  return new Response('Too Many Requests', answer)
}
