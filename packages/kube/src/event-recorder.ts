import { ApiError, type KubeClient } from './client.ts'
import type { Clock } from './clock.ts'
import { renderTime } from './instants.ts'
import { isNamespaceTerminating } from './namespace-terminating.ts'
import type { KubeObject } from './objects.ts'
import { resources } from './resources.ts'
import { sleep } from './sleep.ts'
import { WorkQueue } from './work-queue.ts'

/** What an Event says; reasons are one word in CamelCase that clients match on. */
export interface EventFacts {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** Whose events are written where, and how many. */
export interface EventRecorderOptions {
  readonly client: KubeClient
  readonly clock: Clock
  /** Ends the recorder; what was not delivered by then is dropped. Await `flush` before to lose nothing. */
  readonly signal: AbortSignal
  /** `source.component` and `reportingComponent`: upstream's is `rollouts-controller`. */
  readonly component: string
  /** `source.host` and `reportingInstance`. */
  readonly host?: string
  /** Most events that may wait at a time; one more is dropped and counted. Absent: 10,000. */
  readonly capacity?: number
  /** What one object may send: `burst` at once, then so many per second. Absent: 25, then 1. */
  readonly perObject?: { readonly burst: number; readonly perSecond: number }
  /** Told of each event as it is recorded, repetitions too. */
  readonly onRecord?: (object: KubeObject, facts: EventFacts) => void
  /** Told of each dropped event, so that it can be counted and logged. */
  readonly onDrop?: (drop: EventDrop) => void
}

/** An event that will not arrive: no room, refused by the API for good, or the recorder ended first. */
export interface EventDrop {
  readonly why: 'full' | 'refused' | 'ended'
  readonly object: { readonly kind: string; readonly namespace?: string; readonly name: string }
  readonly reason: string
  readonly message: string
  /** How often it had been recorded since the last delivery. */
  readonly count: number
  readonly error?: unknown
}

/** An Event repeated within this time raises the count of the first (client-go: tools/record, 600 s). */
const repeatWithinMs = 600_000

/** Answers that take longer say that the API has more to do than it can. */
const busyMs = 20

/** Events remembered for repetition, as many as client-go's caches hold. */
const rememberedEvents = 4096

/**
 * Writes core v1 Events off the caller's path. `record` never waits and never throws. An event that is recorded
 * again within 10 minutes raises the count of the first, as with client-go. Unlike there, nothing is dropped in
 * silence: while the API is away events wait and are tried again; an object over its limit has its events delayed
 * and those of one reason combined; only a full queue and a refusal by the API drop, and both are told. An Event that
 * is refused because its namespace goes is neither: it would go with it.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #perObject: { readonly burst: number; readonly perSecond: number }
  /** Undelivered events of each object, oldest first. */
  readonly #lanes = new Map<string, Entry[]>()
  readonly #buckets = new Map<string, { tokens: number; at: number }>()
  /** Delivered events that a repetition may still raise, least recently used first. */
  readonly #delivered = new Map<string, Delivered>()
  readonly #queue: WorkQueue
  #waiting = 0
  #dropped = 0
  #lastNanos = 0n
  #flushed: (() => void)[] = []

  constructor(options: EventRecorderOptions) {
    this.#options = options
    this.#perObject = options.perObject ?? { burst: 25, perSecond: 1 }
    this.#queue = new WorkQueue({
      clock: options.clock,
      // One at a time: when the API is slow, what is to be done goes before what is to be told of it.
      workers: 1,
      process: (key) => this.#deliver(key),
      backoff: { initialMs: 200, maxMs: 10_000 },
    })
    void this.#queue.run(options.signal).then(() => this.#end())
  }

  /** Events that wait for delivery. */
  get waiting(): number {
    return this.#waiting
  }

  /** Events dropped so far, repetitions counted. */
  get dropped(): number {
    return this.#dropped
  }

  record(object: KubeObject, facts: EventFacts): void {
    this.#options.onRecord?.(object, facts)
    const entry = this.#entryOf(object, facts)
    if (this.#options.signal.aborted) {
      this.#drop(entry, 'ended')
      return
    }
    const lane = this.#lanes.get(entry.lane) ?? []
    const same = lane.find((other) => other.key === entry.key) ?? this.#similar(lane, entry)
    if (same) {
      same.count++
      same.lastAt = entry.lastAt
      if (same.key !== entry.key) {
        same.facts = { ...facts, message: combined(facts.message) }
        same.key = keyOfEntry(same.lane, same.facts)
      }
      return
    }
    if (this.#waiting >= (this.#options.capacity ?? 10_000)) {
      this.#drop(entry, 'full')
      return
    }
    this.#waiting++
    lane.push(entry)
    this.#lanes.set(entry.lane, lane)
    this.#queue.add(entry.lane)
  }

  /** Resolves when everything recorded so far has been delivered or dropped. */
  flush(): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve()
    return new Promise((resolve) => this.#flushed.push(resolve))
  }

  #entryOf(object: KubeObject, facts: EventFacts): Entry {
    const { namespace, name, uid, resourceVersion } = object.metadata
    const at = this.#options.clock.now()
    const lane = [object.apiVersion, object.kind, namespace ?? '', name, uid ?? ''].join('/')
    const involvedObject = {
      apiVersion: object.apiVersion,
      kind: object.kind,
      ...(namespace ? { namespace } : {}),
      name,
      ...(uid ? { uid } : {}),
      ...(resourceVersion ? { resourceVersion } : {}),
    }
    return {
      lane,
      key: keyOfEntry(lane, facts),
      involvedObject,
      facts,
      count: 1,
      firstAt: at,
      lastAt: at,
    }
  }

  /** While an object is over its limit, its waiting events of one type and reason become one. */
  #similar(lane: readonly Entry[], entry: Entry): Entry | undefined {
    if (this.#tokensOf(entry.lane) >= lane.length + 1) return undefined
    return lane.find(
      ({ facts }) => facts.type === entry.facts.type && facts.reason === entry.facts.reason,
    )
  }

  async #deliver(laneKey: string): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      const lane = this.#lanes.get(laneKey)
      const entry = lane?.[0]
      if (!lane || !entry) {
        this.#lanes.delete(laneKey)
        return
      }
      const tokens = this.#tokensOf(laneKey)
      if (tokens < 1) {
        const waitMs = Math.ceil(((1 - tokens) * 1000) / this.#perObject.perSecond)
        this.#queue.addAt(laneKey, clock.now() + waitMs)
        return
      }
      // Out of the lane while it is being sent: a repetition meanwhile must become a new entry.
      lane.shift()
      const askedAt = clock.now()
      try {
        await this.#send(entry)
        // A slow API is a busy one: it gets as long a rest as its answer took.
        const tookMs = clock.now() - askedAt
        if (tookMs > busyMs) await sleep(clock, tookMs, this.#options.signal).catch(() => {})
      } catch (error) {
        if (isPassing(error) && !this.#options.signal.aborted) {
          lane.unshift(entry)
          throw error
        }
        if (this.#options.signal.aborted) this.#drop(entry, 'ended', error)
        // With the namespace go the object and everybody who could ask what became of it.
        else if (!isNamespaceTerminating(error)) this.#drop(entry, 'refused', error)
      }
      this.#takeToken(laneKey)
      this.#left(1)
    }
  }

  async #send(entry: Entry): Promise<void> {
    const known = this.#delivered.get(entry.key)
    if (known && entry.lastAt - known.lastAt < repeatWithinMs) {
      const count = known.count + entry.count
      const patched = await this.#raise(known.name, entry, count)
      if (patched) return this.#remember(entry, { ...known, count, lastAt: entry.lastAt })
    }
    const name = await this.#create(entry)
    this.#remember(entry, { name, count: entry.count, lastAt: entry.lastAt })
  }

  /** False: the Event is gone (they live for an hour). */
  async #raise(name: string, entry: Entry, count: number): Promise<boolean> {
    const { client, signal } = this.#options
    const key = { namespace: entry.involvedObject.namespace ?? 'default', name }
    const body = { count, lastTimestamp: renderTime(entry.lastAt) }
    try {
      await client.patch(resources.events, key, { kind: 'merge', body }, { signal })
      return true
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return false
      throw error
    }
  }

  async #create(entry: Entry): Promise<string> {
    const { client, signal, component, host } = this.#options
    const { involvedObject, facts } = entry
    for (;;) {
      const name = this.#nameFor(entry)
      const event = {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: {
          name,
          namespace: involvedObject.namespace ?? 'default',
          ...(facts.annotations ? { annotations: facts.annotations } : {}),
        },
        involvedObject,
        reason: facts.reason,
        message: facts.message,
        type: facts.type,
        count: entry.count,
        firstTimestamp: renderTime(entry.firstAt),
        lastTimestamp: renderTime(entry.lastAt),
        source: host ? { component, host } : { component },
        reportingComponent: component,
        reportingInstance: host ?? '',
      }
      try {
        await client.create(resources.events, event, { signal })
        return name
      } catch (error) {
        // Another recorder spoke of the same object in the same instant: the next name is free.
        if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error
      }
    }
  }

  /** `<object>.<nanoseconds in hex>` as client-go names Events; strictly growing, since our clock ticks in milliseconds. */
  #nameFor(entry: Entry): string {
    const nanos = BigInt(Math.floor(entry.lastAt)) * 1_000_000n
    this.#lastNanos = nanos > this.#lastNanos ? nanos : this.#lastNanos + 1n
    const suffix = `.${this.#lastNanos.toString(16)}`
    return entry.involvedObject.name.slice(0, 253 - suffix.length).replace(/[.-]+$/, '') + suffix
  }

  #remember(entry: Entry, delivered: Delivered): void {
    this.#delivered.delete(entry.key)
    this.#delivered.set(entry.key, delivered)
    if (this.#delivered.size <= rememberedEvents) return
    const [oldest] = this.#delivered.keys()
    this.#delivered.delete(oldest as string)
  }

  #tokensOf(lane: string): number {
    const { burst, perSecond } = this.#perObject
    const bucket = this.#buckets.get(lane)
    if (!bucket) return burst
    const restedMs = this.#options.clock.now() - bucket.at
    return Math.min(burst, bucket.tokens + (restedMs / 1000) * perSecond)
  }

  #takeToken(lane: string): void {
    const tokens = this.#tokensOf(lane) - 1
    this.#buckets.delete(lane)
    this.#buckets.set(lane, { tokens, at: this.#options.clock.now() })
    if (this.#buckets.size <= rememberedEvents) return
    // The object that has been quiet for longest: its bucket is the likeliest to be full again.
    const [oldest] = this.#buckets.keys()
    this.#buckets.delete(oldest as string)
  }

  #drop(entry: Entry, why: EventDrop['why'], error?: unknown): void {
    this.#dropped += entry.count
    const { kind, namespace, name } = entry.involvedObject
    try {
      this.#options.onDrop?.({
        why,
        object: namespace ? { kind, namespace, name } : { kind, name },
        reason: entry.facts.reason,
        message: entry.facts.message,
        count: entry.count,
        ...(error === undefined ? {} : { error }),
      })
    } catch {
      // The caller of record() must not suffer from the log's failure, and there is nobody else to tell.
    }
  }

  #left(count: number): void {
    this.#waiting -= count
    if (this.#waiting > 0) return
    for (const resolve of this.#flushed.splice(0)) resolve()
  }

  #end(): void {
    for (const lane of this.#lanes.values()) {
      for (const entry of lane.splice(0)) {
        this.#drop(entry, 'ended')
        this.#waiting--
      }
    }
    this.#lanes.clear()
    this.#left(0)
  }
}

interface Entry {
  /** The object; its events are delivered in order. */
  readonly lane: string
  key: string
  readonly involvedObject: {
    readonly apiVersion: string
    readonly kind: string
    readonly namespace?: string
    readonly name: string
    readonly uid?: string
    readonly resourceVersion?: string
  }
  facts: EventFacts
  count: number
  readonly firstAt: number
  lastAt: number
}

interface Delivered {
  readonly name: string
  readonly count: number
  readonly lastAt: number
}

function keyOfEntry(lane: string, facts: EventFacts): string {
  return JSON.stringify([lane, facts.type, facts.reason, facts.message])
}

/** client-go's words for events that stand for several. */
function combined(message: string): string {
  return `(combined from similar events): ${message}`
}

/** Whether the same request may succeed later. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ApiError)) return true
  // Creating conflicts too where a quota's own object changed meanwhile.
  if (error.reason === 'Conflict') return true
  return error.code === 429 || error.code === 408 || error.code === 401 || error.code >= 500
}
