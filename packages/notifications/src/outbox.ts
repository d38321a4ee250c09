import { gunzipSync, gzipSync } from 'node:zlib'
import type { ConfigMap } from './config.ts'
import type { DerivedEvent, Seen } from './derive.ts'
import { isObject, type JsonObject } from './json.ts'
import type { Thread } from './services/service.ts'

/** One notification on its way. */
export interface Entry {
  /** The same for the same event, condition and destination, whoever plans it. */
  readonly id: string
  readonly seq: number
  readonly event: DerivedEvent
  readonly trigger: string
  readonly templates: readonly string[]
  readonly service: string
  readonly recipient: string
  /** Rendered when the event was derived; null: it holds a secret or its service was unusable, so it is rendered when sent. */
  readonly payload: JsonObject | null
  /** When it was planned, epoch milliseconds. */
  readonly at: number
  /** `sending` is stored before a request leaves: found after a restart, its fate is unknown. */
  readonly state: 'pending' | 'sending'
  /** Attempts that have ended. */
  readonly attempt: number
  /** Not before, epoch milliseconds. */
  readonly next: number
  /** When the attempt under way was stored, epoch milliseconds. */
  readonly since: number
  /** Who is sending. */
  readonly holder: string
  readonly error?: string
}

interface DeadLetter {
  readonly entry: Entry
  readonly at: number
  readonly cause: 'config' | 'refused'
  readonly error: string
  /** True: it was given its second chance after a change of configuration. */
  readonly revived: boolean
}

/** Something that stays open at a vendor until the Rollout is healthy. */
export interface Incident {
  readonly service: string
  readonly recipient: string
  readonly payload: JsonObject
}

/** Last known value of a condition, and how often it has turned true. */
export interface ConditionState {
  readonly value: boolean
  readonly flips: number
}

/** Everything that is stored about the notifications of one Rollout (spec notifications 11.4). */
export interface OutboxState {
  readonly object: { readonly namespace: string; readonly name: string; readonly uid: string }
  readonly seq: number
  /** Delivered, by entry id: unix seconds and the vendor's receipt. */
  readonly ledger: Readonly<Record<string, { readonly t: number; readonly r: string }>>
  readonly pending: readonly Entry[]
  readonly dead: readonly DeadLetter[]
  readonly incidents: Readonly<Record<string, Incident>>
  readonly threads: Readonly<Record<string, Thread>>
  readonly seen: Seen | null
  readonly conditions: Readonly<Record<string, ConditionState>>
}

/** A change of the stored state. Applying it twice equals once, since after a lost answer nobody knows. */
export type Change = (state: OutboxState) => OutboxState

const ledgerSize = 1000
const deadSize = 50
const threadsSize = 100
const revivalMs = 24 * 3_600_000

export function emptyOutbox(object: OutboxState['object']): OutboxState {
  return {
    object,
    seq: 0,
    ledger: {},
    pending: [],
    dead: [],
    incidents: {},
    threads: {},
    seen: null,
    conditions: {},
  }
}

export function isKnown(state: OutboxState, id: string): boolean {
  return (
    Object.hasOwn(state.ledger, id) ||
    state.pending.some((entry) => entry.id === id) ||
    state.dead.some(({ entry }) => entry.id === id)
  )
}

export function append(more: {
  readonly entries: readonly Entry[]
  readonly seen: Seen
  readonly conditions: OutboxState['conditions']
  /** Incidents that one of the entries closes. */
  readonly closed: readonly string[]
}): Change {
  return (state) => {
    const fresh = more.entries.filter((entry) => !isKnown(state, entry.id))
    return {
      ...state,
      seq: Math.max(state.seq, ...fresh.map((entry) => entry.seq)),
      pending: [...state.pending, ...fresh],
      seen: more.seen,
      conditions: more.conditions,
      incidents: without(state.incidents, more.closed),
    }
  }
}

export function startSending(
  id: string,
  facts: { readonly holder: string; readonly now: number },
): Change {
  const { holder, now } = facts
  return changeEntry(id, (entry) => ({ ...entry, state: 'sending', holder, since: now }))
}

/** An attempt that was stored and not begun. */
export function release(id: string): Change {
  return changeEntry(id, (entry) => ({ ...entry, state: 'pending' }))
}

export function retryLater(
  id: string,
  facts: { readonly attempt: number; readonly next: number; readonly error: string },
): Change {
  return changeEntry(id, (entry) => ({ ...entry, ...facts, state: 'pending' }))
}

export function deliver(
  id: string,
  facts: {
    readonly now: number
    readonly receipt: string
    readonly thread: { readonly key: string; readonly thread: Thread } | null
    readonly incident: { readonly key: string; readonly incident: Incident } | null
  },
): Change {
  return (state) => {
    const { now, receipt, thread, incident } = facts
    const pending = state.pending.filter((entry) => entry.id !== id)
    // Healthy again while the alert was still on its way: its resolution already waits behind it.
    const isClosing =
      incident !== null &&
      pending.some(({ payload }) => isClosure(payload) && payload['dedup_key'] === incident.key)
    return {
      ...state,
      pending,
      ledger: newest(
        { ...state.ledger, [id]: { t: Math.floor(now / 1000), r: receipt } },
        ledgerSize,
      ),
      incidents:
        incident && !isClosing
          ? { ...state.incidents, [incident.key]: incident.incident }
          : state.incidents,
      threads: thread
        ? newest(
            { ...without(state.threads, [thread.key]), [thread.key]: thread.thread },
            threadsSize,
          )
        : state.threads,
    }
  }
}

export function bury(
  id: string,
  facts: { readonly now: number; readonly error: string; readonly cause: 'config' | 'refused' },
): Change {
  return (state) => {
    const entry = state.pending.find((each) => each.id === id)
    if (!entry) return state
    const { now, error, cause } = facts
    const letter: DeadLetter = {
      entry,
      at: now,
      cause,
      error,
      revived: entry.error === revivedMark,
    }
    return {
      ...state,
      pending: state.pending.filter((each) => each !== entry),
      dead: [...state.dead, letter].slice(-deadSize),
    }
  }
}

/** Forgets an entry that must not be sent any more; the ledger keeps it from coming back. */
export function drop(id: string, facts: { readonly now: number; readonly why: string }): Change {
  return deliver(id, { now: facts.now, receipt: facts.why, thread: null, incident: null })
}

const revivedMark = 'tried again after a change of configuration'

export function canRevive(state: OutboxState, now: number): boolean {
  return state.dead.some((letter) => isRevivable(letter, now))
}

/** Dead letters that a configuration caused get one more chance within a day (spec notifications 11.4). */
export function revive(now: number): Change {
  return (state) => {
    const chosen = state.dead.filter((letter) => isRevivable(letter, now))
    return {
      ...state,
      dead: state.dead.filter((letter) => !chosen.includes(letter)),
      pending: [
        ...state.pending,
        ...chosen.map(
          ({ entry }): Entry => ({
            ...entry,
            // The texts of then, unless the service was unusable and there are none.
            state: 'pending',
            attempt: 0,
            next: now,
            at: now,
            error: revivedMark,
          }),
        ),
      ],
    }
  }
}

function isRevivable(letter: DeadLetter, now: number): boolean {
  return letter.cause === 'config' && !letter.revived && now - letter.at < revivalMs
}

function isClosure(payload: JsonObject | null): payload is JsonObject {
  return payload?.['event_action'] === 'resolve'
}

function changeEntry(id: string, change: (entry: Entry) => Entry): Change {
  return (state) => ({
    ...state,
    pending: state.pending.map((entry) => (entry.id === id ? change(entry) : entry)),
  })
}

function without<T>(
  record: Readonly<Record<string, T>>,
  keys: readonly string[],
): Readonly<Record<string, T>> {
  if (keys.length === 0) return record
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)))
}

function newest<T>(record: Readonly<Record<string, T>>, size: number): Readonly<Record<string, T>> {
  const entries = Object.entries(record)
  return entries.length <= size ? record : Object.fromEntries(entries.slice(-size))
}

/** Label by which outboxes are listed. */
export const outboxLabel = 'notifications.argoproj.io/outbox'

const compressFrom = 32 * 1024
const largest = 900 * 1024

export function outboxName(uid: string): string {
  return `rollout-notifications-${uid}`
}

/** The ConfigMap that holds a state. */
export function encodeOutbox(
  state: OutboxState,
  place: { readonly namespace: string; readonly version: string | undefined },
): ConfigMap {
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: outboxName(state.object.uid),
      namespace: place.namespace,
      labels: { [outboxLabel]: 'true' },
      annotations: {
        'notifications.argoproj.io/rollout': `${state.object.namespace}/${state.object.name}`,
      },
      ...(place.version ? { resourceVersion: place.version } : {}),
    },
  }
  const text = JSON.stringify(state)
  if (text.length < compressFrom) return { ...object, data: { 'outbox.json': text } }
  const packed = gzipSync(text).toString('base64')
  if (packed.length > largest && state.dead.length > 0) {
    // Better without old failures than without what still has to be sent.
    return encodeOutbox({ ...state, dead: [] }, place)
  }
  return { ...object, data: { 'outbox.json.gz': packed } }
}

/** Undefined: it is no outbox that can be read. */
export function decodeOutbox(configMap: ConfigMap): OutboxState | undefined {
  const packed = configMap.data?.['outbox.json.gz']
  try {
    const text = packed
      ? gunzipSync(Buffer.from(packed, 'base64')).toString('utf8')
      : (configMap.data?.['outbox.json'] ?? '')
    const state: unknown = JSON.parse(text)
    if (!isObject(state) || !isObject(state['object'])) return undefined
    // Written by `encodeOutbox` alone; a field that an older version did not have gets its beginning.
    return {
      ...emptyOutbox(state['object'] as OutboxState['object']),
      ...(state as Partial<OutboxState>),
    }
  } catch {
    return undefined
  }
}
