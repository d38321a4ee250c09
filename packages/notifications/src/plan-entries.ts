import type { AnalysisRun, Rollout } from '@serinus/api'
import { evaluate, formatText } from '@serinus/expr'
import type { Condition, NotificationConfig } from './config.ts'
import { type DerivedEvent, deriveEvents, nextSeen, revisionOf, type Seen } from './derive.ts'
import { digest, expressionHash } from './digest.ts'
import { eventTriggers, stateDrivenTriggers } from './events.ts'
import { findService, findTrigger, type Layers } from './layers.ts'
import { type ConditionState, type Entry, isKnown, type OutboxState } from './outbox.ts'
import { renderNotification } from './render.ts'
import type { Subscription } from './subscriptions.ts'
import { conditionEnvironment, type Subject } from './variables.ts'

/** One stored state of a Rollout that has to be looked at. */
export interface Snapshot {
  readonly rollout: Rollout
  /** As stored before; null: not known. */
  readonly previous: Rollout | null
}

export interface PlanRequest {
  readonly snapshots: readonly Snapshot[]
  readonly runs: readonly AnalysisRun[]
  /** Events that no state implies any more, such as the deletion. */
  readonly extra: readonly DerivedEvent[]
  readonly layers: Layers
  readonly subscriptions: readonly Subscription[]
  /** Null: there is no outbox yet. */
  readonly state: OutboxState | null
  /** True: what the state implies is old news, to be remembered and not told. */
  readonly silent: boolean
  readonly now: number
  readonly random: () => number
  readonly holder: string
}

export interface PlannedEntries {
  readonly entries: readonly Entry[]
  readonly seen: Seen
  readonly conditions: OutboxState['conditions']
  /** Incidents that one of the entries closes. */
  readonly closed: readonly string[]
  /** False: nothing happened that is worth a write. */
  readonly isNews: boolean
  /** Payloads that must not be stored, by entry id. */
  readonly unstored: ReadonlyMap<string, Entry['payload']>
  /** What was wrong with templates, each once. */
  readonly problems: ReadonlySet<string>
}

/** From stored states to notifications: derive, match with subscriptions, render now (spec notifications 11.4, step 1). */
export function planEntries(request: PlanRequest): PlannedEntries {
  const draft = new Draft(request)
  for (const snapshot of request.snapshots) draft.look(snapshot)
  const [last] = request.snapshots.slice(-1)
  if (last) for (const event of request.extra) draft.tell(event, last)
  return draft.result()
}

class Draft {
  readonly #request: PlanRequest
  readonly #entries: Entry[] = []
  readonly #unstored = new Map<string, Entry['payload']>()
  readonly #problems = new Set<string>()
  readonly #closed: string[] = []
  #conditions: Record<string, ConditionState>
  #seen: Seen | null
  #isNews = false
  #seq: number

  constructor(request: PlanRequest) {
    this.#request = request
    this.#seen = request.state?.seen ?? null
    this.#conditions = { ...request.state?.conditions }
    this.#seq = request.state?.seq ?? 0
  }

  look(snapshot: Snapshot): void {
    const { rollout } = snapshot
    const { runs, silent } = this.#request
    const events = deriveEvents(rollout, runs, this.#seen)
    this.#seen = nextSeen(rollout, runs, this.#seen)
    if (events.length > 0) this.#isNews = true
    const told = new Set<string>()
    if (!silent) for (const event of events) this.tell(event, snapshot, told)
    this.#watchConditions(snapshot, told)
  }

  tell(event: DerivedEvent, snapshot: Snapshot, told = new Set<string>()): void {
    if (event.reason === 'RolloutHealthy' || event.reason === 'RolloutCompleted') this.#close(event)
    for (const subscription of this.#request.subscriptions) {
      const { trigger } = subscription
      const isNamed = event.triggers.includes(trigger)
      const found = findTrigger(this.#request.layers, trigger)
      for (const condition of found?.value ?? []) {
        if (!isNamed && !condition.events.includes(event.reason)) continue
        if (condition.when && stateDrivenTriggers.has(trigger)) continue
        const subject = this.#subject(snapshot, event, trigger)
        const config = found?.config ?? this.#request.layers.central
        if (condition.when && !this.#isTrue(condition, subject, config)) continue
        const once = this.#once(condition, subject, config)
        const key = once ? this.#stateKey(trigger, condition, once) : event.id
        told.add(conditionKey(trigger, condition))
        this.#add(subscription, { condition, config, subject, key })
      }
    }
  }

  result(): PlannedEntries {
    return {
      entries: this.#entries,
      seen: this.#seen ?? { ids: [], last: null },
      conditions: this.#conditions,
      closed: this.#closed,
      isNews: this.#isNews || this.#entries.length > 0,
      unstored: this.#unstored,
      problems: this.#problems,
    }
  }

  /** Conditions that became true without an event of their name (spec notifications 11.4, conditions with `when`). */
  #watchConditions(snapshot: Snapshot, told: ReadonlySet<string>): void {
    const { layers, silent } = this.#request
    const judged = new Map<string, { readonly value: boolean; readonly isFlip: boolean }>()
    for (const subscription of this.#request.subscriptions) {
      const { trigger } = subscription
      const found = findTrigger(layers, trigger)
      for (const condition of found?.value ?? []) {
        if (!condition.when || !found) continue
        const key = conditionKey(trigger, condition)
        const event = stateEvent(snapshot.rollout, trigger)
        const subject = this.#subject(snapshot, event, trigger)
        let judgement = judged.get(key)
        if (!judgement) {
          const known = this.#conditions[key]
          const value = this.#isTrue(condition, subject, found.config)
          // Named after an event, a condition is a filter: true at first sight says nothing (4.6, cause 4).
          const isFilter = eventTriggers.has(trigger) && !stateDrivenTriggers.has(trigger)
          const isFlip = value && (known ? !known.value : !isFilter && !silent)
          judgement = { value, isFlip }
          judged.set(key, judgement)
          if (known?.value !== value) this.#isNews = true
          this.#conditions[key] = { value, flips: (known?.flips ?? 0) + (isFlip ? 1 : 0) }
        }
        if (!judgement.isFlip || silent || told.has(key)) continue
        const once = this.#once(condition, subject, found.config)
        const flips = `flip ${this.#conditions[key]?.flips}`
        this.#add(subscription, {
          condition,
          config: found.config,
          subject,
          key: this.#stateKey(trigger, condition, once || flips),
        })
      }
    }
  }

  #subject(snapshot: Snapshot, event: DerivedEvent, trigger: string): Subject {
    const { runs, now } = this.#request
    return { ...snapshot, runs, event, trigger, now }
  }

  #isTrue(condition: Condition, subject: Subject, config: NotificationConfig): boolean {
    if (!condition.when) return true
    const evaluated = evaluate(condition.when.program, conditionEnvironment(subject, config))
    if (!evaluated.ok) {
      const where = `trigger '${subject.trigger}'[${condition.index}].when`
      this.#problems.add(`${where}: ${evaluated.problem.message}`)
    }
    return evaluated.ok && evaluated.value === true
  }

  #once(condition: Condition, subject: Subject, config: NotificationConfig): string {
    if (!condition.oncePer) return ''
    const evaluated = evaluate(condition.oncePer, conditionEnvironment(subject, config))
    return evaluated.ok && evaluated.value !== null ? formatText(evaluated.value) : ''
  }

  #stateKey(trigger: string, condition: Condition, suffix: string): string {
    const uid = this.#request.snapshots[0]?.rollout.metadata.uid ?? ''
    return digest(uid, conditionKey(trigger, condition), suffix)
  }

  #add(
    subscription: Subscription,
    fired: {
      readonly condition: Condition
      readonly config: NotificationConfig
      readonly subject: Subject
      readonly key: string
    },
  ): void {
    const { trigger, service, recipient } = subscription
    const { condition, config, subject, key } = fired
    if (subject.event.type === 'Normal' && isMuted(subject.rollout, subject.now)) return
    const id = digest(key, trigger, condition.index, config.namespace, service, recipient).slice(
      0,
      22,
    )
    const { state, layers, random, now, holder } = this.#request
    if (state && isKnown(state, id)) return
    if (this.#entries.some((entry) => entry.id === id)) return
    const found = findService(layers, service)
    let payload: Entry['payload'] = null
    if (found?.value.kind === 'ready') {
      const rendered = renderNotification({
        layers,
        config,
        templates: condition.send,
        service: found.value,
        recipient,
        subject,
        random,
      })
      for (const problem of rendered.problems) this.#problems.add(problem)
      payload = rendered.payload
      if (holdsSecret(payload, config)) {
        this.#unstored.set(id, payload)
        payload = null
      }
    }
    this.#push({
      id,
      event: subject.event,
      trigger,
      templates: condition.send,
      service,
      recipient,
      payload,
      now,
      holder,
    })
  }

  /** Closes what stays open at vendors; also what is still on its way there, since its alert goes first. */
  #close(event: DerivedEvent): void {
    const { state, layers, now, holder } = this.#request
    const open = new Map(Object.entries(state?.incidents ?? {}))
    for (const entry of state?.pending ?? []) {
      const found = findService(layers, entry.service)
      if (found?.value.kind !== 'ready' || !entry.payload) continue
      const closing = found.value.service.closing?.(entry.payload)
      if (closing) open.set(closing.key, { ...entry, payload: closing.payload })
    }
    for (const [key, incident] of open) {
      const id = digest('resolve', key, event.id, incident.service, incident.recipient).slice(0, 22)
      if (this.#closed.includes(key) || (state && isKnown(state, id))) continue
      this.#closed.push(key)
      const { service, recipient, payload } = incident
      this.#push({
        id,
        event,
        trigger: 'resolve',
        templates: [],
        service,
        recipient,
        payload,
        now,
        holder,
      })
    }
  }

  #push(
    facts: Omit<Entry, 'seq' | 'at' | 'state' | 'attempt' | 'next' | 'since'> & {
      readonly now: number
    },
  ): void {
    const { now, ...entry } = facts
    const isHead = ![...(this.#request.state?.pending ?? []), ...this.#entries].some(
      (other) => other.service === entry.service && other.recipient === entry.recipient,
    )
    this.#entries.push({
      ...entry,
      seq: ++this.#seq,
      at: now,
      // What can go at once is stored as on its way, which spares a second write.
      state: isHead ? 'sending' : 'pending',
      attempt: 0,
      next: now,
      since: now,
    })
  }
}

function conditionKey(trigger: string, condition: Condition): string {
  return `${trigger}:[${condition.index}].${expressionHash(condition.when?.source ?? '')}`
}

/** A condition that became true tells about itself. */
function stateEvent(rollout: Rollout, trigger: string): DerivedEvent {
  return {
    id: digest(rollout.metadata.uid ?? '', trigger),
    reason: '',
    type: 'Normal',
    message: `${trigger} holds for Rollout ${rollout.metadata.namespace}/${rollout.metadata.name}`,
    triggers: [trigger],
    revision: revisionOf(rollout),
    stepCount: rollout.spec.strategy?.canary?.steps?.length ?? 0,
    weight: { previous: null, current: rollout.status?.canary?.weights?.canary.weight ?? null },
    initial: false,
    failedMetrics: [],
  }
}

function isMuted(rollout: Rollout, now: number): boolean {
  const until = rollout.metadata.annotations?.['notifications.argoproj.io/muted-until']
  return until !== undefined && Date.parse(until) > now
}

function holdsSecret(payload: Entry['payload'], config: NotificationConfig): boolean {
  const text = JSON.stringify(payload)
  for (const secret of config.secrets.values()) {
    if (secret.length >= 4 && text.includes(JSON.stringify(secret).slice(1, -1))) return true
  }
  return false
}
