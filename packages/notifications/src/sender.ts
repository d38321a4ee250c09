import { type Clock, type SeededRandom, WorkQueue } from '@serinus/kube'
import type { ServiceEntry } from './config.ts'
import { exchange } from './http.ts'
import { isObject, textOf } from './json.ts'
import type { Found } from './layers.ts'
import {
  bury,
  deliver,
  drop,
  type Entry,
  type OutboxState,
  release,
  retryLater,
  startSending,
} from './outbox.ts'
import type { OutboxStore } from './outbox-store.ts'
import { redact } from './secret-references.ts'
import type { Delivery, Outcome } from './services/service.ts'

/** What finally became of one notification. */
export interface DeliveryReport {
  readonly id: string
  readonly rollout: { readonly namespace: string; readonly name: string }
  readonly trigger: string
  readonly reason: string
  readonly service: string
  readonly recipient: string
  /** `dropped`: not sent, because it was too late or its fate unknown. */
  readonly outcome: 'delivered' | 'dead' | 'dropped'
  /** Requests made, as far as known. */
  readonly attempts: number
  /** From the event to the outcome, milliseconds. */
  readonly latencyMs: number
  /** Secrets redacted. */
  readonly error?: string
}

/** One request to a vendor and how it ended, for metrics. */
export interface Attempt {
  readonly rollout: { readonly namespace: string; readonly name: string }
  /** Of the event: `Normal` or `Warning`. */
  readonly type: string
  readonly reason: string
  readonly delivered: boolean
  readonly tookMs: number
}

export interface SenderOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly holder: string
  readonly store: OutboxStore
  readonly fetch: (request: Request) => Promise<Response>
  readonly serviceFor: (namespace: string, name: string) => Found<ServiceEntry> | undefined
  /** The payload of an entry that is stored without one. */
  readonly payloadOf: (state: OutboxState, entry: Entry) => Entry['payload']
  readonly onAttempt?: (attempt: Attempt) => void
  readonly onDone: (state: OutboxState, report: DeliveryReport) => void
  readonly onError: (error: unknown) => void
}

/** A head that waits longer than this lets Warning events pass (spec notifications 11.4, Ordering). */
const patienceMs = 10_000

/** Normal news of an older revision is worth nothing after this. */
const newsAgeMs = 30 * 60_000

/**
 * Sends what outboxes hold, 16 at a time, one after another per (object, service, recipient) and within the limit of
 * each recipient; a slow or limited vendor delays nobody else (spec notifications 11.4, 11.5).
 */
export class Sender {
  readonly #options: SenderOptions
  readonly #queue: WorkQueue
  readonly #buckets = new Map<string, { tokens: number; at: number }>()
  /** Entries that this process has marked: their fate is known here. */
  readonly #own = new Set<string>()

  constructor(options: SenderOptions) {
    this.#options = options
    this.#queue = new WorkQueue({
      clock: options.clock,
      workers: 16,
      process: (key) => this.#work(key),
      onError: (_key, error) => options.onError(error),
      backoff: { initialMs: 1000, maxMs: 60_000 },
    })
  }

  /** Resolves once the signal has aborted, what was under way is stored and what was not begun is free again. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#queue.run(signal)
    const { store } = this.#options
    const releases = store
      .all()
      .flatMap((state) =>
        state.pending
          .filter((entry) => entry.state === 'sending' && this.#own.has(entry.id))
          .map((entry) => store.apply(state.object, release(entry.id))),
      )
    // A failed release costs certainty, no message.
    for (const { status, ...rest } of await Promise.allSettled(releases)) {
      if (status === 'rejected') this.#options.onError(rest)
    }
  }

  /**
   * Takes a turn of the recipient's limit for each entry that can go at once; those may be stored as `sending`.
   * The others come back as `pending`: stored otherwise, a crash would leave them in doubt although nothing was sent.
   */
  claim(namespace: string, entries: readonly Entry[]): readonly Entry[] {
    const now = this.#options.clock.now()
    return entries.map((entry) => {
      if (entry.state !== 'sending') return entry
      if (this.#readyAt(entry, namespace) > now) return { ...entry, state: 'pending' }
      this.#own.add(entry.id)
      return entry
    })
  }

  /** Something may be due in this outbox. */
  wake(state: OutboxState): void {
    const warningsFirst = [...state.pending].sort((a, b) => rank(a) - rank(b) || a.seq - b.seq)
    for (const { service, recipient } of warningsFirst) {
      this.#queue.add(JSON.stringify([state.object.uid, service, recipient]))
    }
  }

  async #work(key: string): Promise<void> {
    const [uid, service, recipient] = JSON.parse(key) as [string, string, string]
    for (;;) {
      const state = this.#options.store.get(uid)
      const now = this.#options.clock.now()
      const turn = state ? nextTurn(state, { service, recipient, now }) : null
      if (!state || !turn) return
      if (turn.at > now) return this.#queue.addAt(key, turn.at)
      const isClaimed = turn.entry.state === 'sending' && this.#own.has(turn.entry.id)
      const readyAt = isClaimed ? now : this.#readyAt(turn.entry, state.object.namespace)
      if (readyAt > now) return this.#queue.addAt(key, readyAt)
      await this.#handle(state, turn.entry)
    }
  }

  async #handle(state: OutboxState, entry: Entry): Promise<void> {
    const { serviceFor, clock, store } = this.#options
    const now = clock.now()
    const current = state.seen?.last?.revision ?? 0
    const isStale = entry.event.revision < current && now - entry.at > newsAgeMs
    if (isStale && entry.event.type === 'Normal' && entry.trigger !== 'resolve') {
      return this.#drop(state, entry, 'superseded by a newer revision')
    }
    const found = serviceFor(state.object.namespace, entry.service)
    if (!found || found.value.kind === 'broken') {
      const reason = found?.value.kind === 'broken' ? `: ${found.value.reason}` : ''
      const error = `notification service '${entry.service}' is not usable${reason}`
      return this.#bury(state, entry, { kind: 'dead', error, cause: 'config' })
    }
    const target: Target = { ...found.value, secrets: found.config.secrets }
    const payload = entry.payload ?? this.#options.payloadOf(state, entry)
    if (!payload) {
      const error = 'the Rollout is gone, so the message cannot be rendered again'
      return this.#bury(state, entry, { kind: 'dead', error, cause: 'refused' })
    }
    const whole: Entry = { ...entry, payload }
    const fate = await this.#fateOf(state, whole, target)
    if (fate === 'settled') return
    if (entry.state !== 'sending' || !this.#own.has(entry.id)) {
      this.#own.add(entry.id)
      const mark = startSending(entry.id, { holder: this.#options.holder, now: clock.now() })
      await store.apply(state.object, mark)
    }
    const delivery = this.#delivery(whole, target, state)
    const sentAt = clock.now()
    const outcome = await target.service.send(delivery).catch(
      // A mistake of ours in one service must not end the worker.
      (error: unknown): Outcome => ({ kind: 'dead', error: String(error), cause: 'refused' }),
    )
    const { namespace, name } = state.object
    this.#options.onAttempt?.({
      rollout: { namespace, name },
      type: entry.event.type,
      reason: entry.event.reason,
      delivered: outcome.kind === 'delivered',
      tookMs: clock.now() - sentAt,
    })
    await this.#settle(state, whole, target, outcome)
  }

  /** What happened to an attempt that another process began (spec notifications 11.4, uncertain entries). */
  async #fateOf(state: OutboxState, entry: Entry, target: Target): Promise<'open' | 'settled'> {
    if (entry.state !== 'sending' || this.#own.has(entry.id) || target.type.idempotent)
      return 'open'
    const found = (await target.service.find?.(this.#delivery(entry, target, state))) ?? 'unknown'
    if (found === 'absent') return 'open'
    if (found === 'arrived') {
      await this.#settle(state, entry, target, {
        kind: 'delivered',
        receipt: 'found at the vendor',
      })
      return 'settled'
    }
    // A message twice is better than none; who minds asks for `onUncertain: drop`.
    if (target.policy.onUncertain !== 'drop') return 'open'
    await this.#drop(state, entry, 'it may have arrived before the controller stopped')
    return 'settled'
  }

  #delivery(entry: Entry, target: Target, state: OutboxState): Delivery {
    const { clock, fetch } = this.#options
    const thread = state.threads[threadKey(entry)]
    return {
      id: entry.id,
      recipient: entry.recipient,
      payload: entry.payload ?? {},
      since: entry.since,
      now: clock.now(),
      ...(thread ? { thread } : {}),
      exchange: (url, init) =>
        exchange({ fetch, clock, timeoutMs: target.policy.timeoutMs, url, init }),
    }
  }

  async #settle(state: OutboxState, entry: Entry, target: Target, outcome: Outcome): Promise<void> {
    const { clock, store, random } = this.#options
    const now = clock.now()
    if (outcome.kind === 'dead') {
      return this.#bury(state, entry, {
        ...outcome,
        error: redact(outcome.error, target.secrets),
      })
    }
    if (outcome.kind === 'retryable') {
      const attempt = entry.attempt + 1
      const error = redact(outcome.error, target.secrets)
      const { policy } = target
      if (attempt >= policy.maxAttempts || now - entry.at >= policy.maxAgeMs) {
        const tries = `gave up after ${attempt} attempts: ${error}`
        const last: Entry = { ...entry, attempt }
        return this.#bury(state, last, { kind: 'dead', error: tries, cause: 'refused' })
      }
      const backoffMs =
        Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** entry.attempt) *
        (0.5 + 0.5 * random.next())
      const next = now + Math.ceil(outcome.retryAfterMs ?? backoffMs)
      return store.apply(state.object, retryLater(entry.id, { attempt, next, error }))
    }
    const closing = target.service.closing?.(entry.payload ?? {}) ?? null
    const { service, recipient } = entry
    const hasGroup = textOf(entry.payload?.['groupingKey']) !== undefined
    await store.apply(
      state.object,
      deliver(entry.id, {
        now,
        receipt: outcome.receipt,
        thread:
          hasGroup && outcome.thread ? { key: threadKey(entry), thread: outcome.thread } : null,
        incident: closing
          ? { key: closing.key, incident: { service, recipient, payload: closing.payload } }
          : null,
      }),
    )
    this.#done(state, entry, { outcome: 'delivered', attempts: entry.attempt + 1 })
  }

  async #bury(
    state: OutboxState,
    entry: Entry,
    outcome: Extract<Outcome, { kind: 'dead' }>,
  ): Promise<void> {
    const { clock, store } = this.#options
    const { error, cause } = outcome
    await store.apply(state.object, bury(entry.id, { now: clock.now(), error, cause }))
    this.#done(state, entry, { outcome: 'dead', attempts: entry.attempt + 1, error })
  }

  async #drop(state: OutboxState, entry: Entry, why: string): Promise<void> {
    const { clock, store } = this.#options
    await store.apply(state.object, drop(entry.id, { now: clock.now(), why }))
    this.#done(state, entry, { outcome: 'dropped', attempts: entry.attempt, error: why })
  }

  #done(
    state: OutboxState,
    entry: Entry,
    facts: Pick<DeliveryReport, 'outcome' | 'attempts' | 'error'>,
  ): void {
    this.#own.delete(entry.id)
    const { namespace, name } = state.object
    this.#options.onDone(state, {
      id: entry.id,
      rollout: { namespace, name },
      trigger: entry.trigger,
      reason: entry.event.reason,
      service: entry.service,
      recipient: entry.recipient,
      latencyMs: this.#options.clock.now() - entry.at,
      ...facts,
    })
  }

  /** When the recipient's limit lets the next request through; takes the turn when that is now. */
  #readyAt(entry: Entry, namespace: string): number {
    const found = this.#options.serviceFor(namespace, entry.service)
    const now = this.#options.clock.now()
    if (found?.value.kind !== 'ready') return now
    const { perSecond, burst } = found.value.type.rate
    const key = JSON.stringify([found.config.namespace, entry.service, entry.recipient])
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now }
    const tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
    // A hair below one counts: sums of fractions must not postpone by another round.
    if (tokens < 0.999) return now + Math.ceil(((1 - tokens) / perSecond) * 1000)
    this.#buckets.delete(key)
    this.#buckets.set(key, { tokens: tokens - 1, at: now })
    if (this.#buckets.size > 10_000) {
      const [oldest = ''] = this.#buckets.keys()
      this.#buckets.delete(oldest)
    }
    return now
  }
}

type Target = Extract<ServiceEntry, { kind: 'ready' }> & {
  readonly secrets: ReadonlyMap<string, string>
}

function rank(entry: Entry): number {
  return entry.event.type === 'Warning' ? 0 : 1
}

function threadKey(entry: Entry): string {
  const group = isObject(entry.payload) ? (textOf(entry.payload['groupingKey']) ?? '') : ''
  return JSON.stringify([entry.service, entry.recipient, group])
}

/** The entry whose turn it is and when; null: nothing waits for this destination. */
function nextTurn(
  state: OutboxState,
  lane: { readonly service: string; readonly recipient: string; readonly now: number },
): { readonly entry: Entry; readonly at: number } | null {
  const waiting = state.pending
    .filter(({ service, recipient }) => service === lane.service && recipient === lane.recipient)
    .sort((a, b) => a.seq - b.seq)
  const [head] = waiting
  if (!head) return null
  if (head.next - lane.now <= patienceMs) return { entry: head, at: head.next }
  const passing = waiting.filter((entry) => entry === head || entry.event.type === 'Warning')
  const entry = passing.reduce((first, other) => (other.next < first.next ? other : first))
  return { entry, at: entry.next }
}
