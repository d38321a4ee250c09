import { annotationKeys, type Rollout } from '@serinus/api'
import { parseDocument } from 'yaml'
import { suggest } from './config.ts'
import { eventTriggers } from './events.ts'
import type { Finding } from './finding.ts'
import { isObject, textOf } from './json.ts'
import {
  defaultTriggers,
  findService,
  findTrigger,
  type Layers,
  serviceNames,
  triggerNames,
} from './layers.ts'
import { canonicalType } from './service-names.ts'
import { services } from './services/registry.ts'

/** One wish: when this trigger fires, tell this recipient by this service. */
export interface Subscription {
  readonly trigger: string
  /** The configured service's own name, or the written one when no such service exists. */
  readonly service: string
  readonly recipient: string
}

/** What `resolveSubscriptions` gives. */
export interface ResolvedSubscriptions {
  readonly subscriptions: readonly Subscription[]
  readonly findings: readonly Finding[]
}

/** Types that split recipients at a comma although their service is not carried here (spec api 15.1 A3). */
const otherCommaTypes: ReadonlySet<string> = new Set([
  'mattermost',
  'rocketchat',
  'telegram',
  'teams',
  'teams-workflows',
  'googlechat',
  'pagerduty',
  'opsgenie',
  'pushover',
  'webex',
  'newrelic',
])

const yamlPrefix = annotationKeys.subscriptions

/** Whether the object asks for anything itself; cheap enough for every object at every change. */
export function hasSubscriptionAnnotation(rollout: Rollout): boolean {
  for (const key in rollout.metadata.annotations) {
    if (key.startsWith(annotationKeys.subscribePrefix) || key.startsWith(yamlPrefix)) return true
  }
  return false
}

/**
 * Who is told what about a Rollout: its annotations, then default subscriptions, each (trigger, service, recipient) once
 * (spec notifications 3.3; api 15.1 A1, A3). Names that mean nothing are findings; a subscription to an unknown
 * service or recipient stays in the list, so that the notification becomes a visible dead letter.
 */
export function resolveSubscriptions(rollout: Rollout, layers: Layers): ResolvedSubscriptions {
  const reader = new Reader(layers)
  for (const key of Object.keys(rollout.metadata.annotations ?? {}).sort()) {
    const value = rollout.metadata.annotations?.[key] ?? ''
    if (key.startsWith(annotationKeys.subscribePrefix)) reader.annotation(key, value)
    else if (key.startsWith(yamlPrefix)) reader.yaml(key, value)
  }
  for (const config of layers.own ? [layers.own, layers.central] : [layers.central]) {
    config.subscriptions.forEach((entry, index) => {
      if (!entry.selector(rollout.metadata.labels ?? {})) return
      if (entry.namespaces && !entry.namespaces.includes(rollout.metadata.namespace ?? '')) return
      for (const { service, recipient } of entry.recipients) {
        const path = `data["subscriptions"][${index}]`
        reader.add({ path, triggers: entry.triggers, service, recipients: [recipient] })
      }
    })
  }
  return reader
}

class Reader implements ResolvedSubscriptions {
  readonly subscriptions: Subscription[] = []
  readonly findings: Finding[] = []
  readonly #layers: Layers
  readonly #triggers: ReadonlySet<string>
  readonly #services: ReadonlySet<string>
  readonly #seen = new Set<string>()

  constructor(layers: Layers) {
    this.#layers = layers
    this.#triggers = triggerNames(layers)
    this.#services = serviceNames(layers)
  }

  annotation(key: string, value: string): void {
    const path = `metadata.annotations[${JSON.stringify(key)}]`
    const { trigger, service } = this.#split(key.slice(annotationKeys.subscribePrefix.length))
    const recipients = this.#recipients(service, value)
    this.add({ path, triggers: trigger === '' ? [] : [trigger], service, recipients })
  }

  yaml(key: string, text: string): void {
    const path = `metadata.annotations[${JSON.stringify(key)}]`
    const document = parseDocument(text)
    const value: unknown = document.errors.length > 0 ? undefined : document.toJS()
    if (!Array.isArray(value)) {
      const message = document.errors[0]?.message.split('\n')[0] ?? 'a YAML list is expected'
      this.#unparsable(path, text, message)
      return
    }
    value.forEach((item: unknown, index) => {
      const at = `${path}[${index}]`
      const { trigger, destinations } = isObject(item) ? item : {}
      const triggers = listOf(trigger)
      if (!triggers || !Array.isArray(destinations) || destinations.length === 0) {
        this.#unparsable(at, '', 'trigger must be a list and destinations a list that is not empty')
        return
      }
      for (const destination of destinations) {
        const { service, recipients } = isObject(destination) ? destination : {}
        const to = listOf(recipients)
        if (textOf(service) === undefined || !to) {
          this.#unparsable(at, '', 'each destination needs service and recipients, a list')
          continue
        }
        this.add({ path: at, triggers, service: textOf(service) ?? '', recipients: to })
      }
    })
  }

  add(wish: {
    readonly path: string
    readonly triggers: readonly string[]
    readonly service: string
    readonly recipients: readonly string[]
  }): void {
    const { path } = wish
    const triggers =
      wish.triggers.length > 0 ? wish.triggers : defaultTriggers(this.#layers, wish.service)
    const known = triggers.filter((trigger) => this.#checkTrigger(path, trigger))
    const service = this.#checkService(path, wish.service, wish.recipients)
    for (const trigger of known) {
      for (const recipient of wish.recipients) {
        const key = JSON.stringify([trigger, service, recipient])
        if (this.#seen.has(key)) continue
        this.#seen.add(key)
        this.subscriptions.push({ trigger, service, recipient })
      }
    }
  }

  /** Prefers the dot that has a known trigger to its left and a known service to its right, else splits as upstream. */
  #split(text: string): { readonly trigger: string; readonly service: string } {
    for (let dot = text.indexOf('.'); dot >= 0; dot = text.indexOf('.', dot + 1)) {
      const trigger = text.slice(0, dot)
      const service = text.slice(dot + 1)
      if (this.#isTrigger(trigger) && findService(this.#layers, service)) {
        return { trigger, service }
      }
    }
    const [first = '', second] = text.split('.')
    return second === undefined
      ? { trigger: '', service: first }
      : { trigger: first, service: second }
  }

  #recipients(service: string, value: string): readonly string[] {
    if (value === '') return ['']
    const found = findService(this.#layers, service)?.value
    const known = found?.kind === 'ready' ? found.service.recipients : null
    const type = found?.kind === 'ready' ? found.type.type : canonicalType(service)
    const splitsCommas =
      type !== undefined && (services[type]?.splitsCommas || otherCommaTypes.has(type))
    const separator = splitsCommas && !known?.includes(value.trim()) ? /[;,]/ : /;/
    return value
      .split(separator)
      .map((recipient) => recipient.trim())
      .filter((recipient) => recipient !== '')
  }

  #isTrigger(name: string): boolean {
    return this.#triggers.has(name) || eventTriggers.has(name)
  }

  #checkTrigger(path: string, trigger: string): boolean {
    if (findTrigger(this.#layers, trigger)) return true
    this.#find({
      code: 'SubscriptionUnknownTrigger',
      path,
      value: trigger,
      message: eventTriggers.has(trigger)
        ? `trigger '${trigger}' is not configured: add the key trigger.${trigger} to the ConfigMap`
        : `trigger '${trigger}' is not configured`,
      ...(eventTriggers.has(trigger)
        ? {}
        : suggest(trigger, new Set([...this.#triggers, ...eventTriggers]))),
    })
    return false
  }

  /** The service's own name. */
  #checkService(path: string, written: string, recipients: readonly string[]): string {
    const found = findService(this.#layers, written)?.value
    if (!found) {
      const known = [...this.#services].join(', ') || 'none'
      this.#find({
        code: 'SubscriptionUnknownService',
        path,
        value: written,
        message: `notification service '${written}' is not supported; configured: ${known}`,
        ...suggest(written, this.#services),
      })
      return written
    }
    if (found.kind === 'broken') {
      const message = `notification service '${found.name}' cannot be used: ${found.reason}`
      this.#find({ code: 'SubscriptionUnknownService', path, value: written, message })
      return found.name
    }
    const known = found.service.recipients
    for (const recipient of known ? recipients : []) {
      if (known?.includes(recipient)) continue
      this.#find({
        code: 'SubscriptionUnknownRecipient',
        path,
        value: recipient,
        message: `service '${found.name}' has no recipient '${recipient}'; configured: ${known?.join(', ')}`,
        ...suggest(recipient, known ?? []),
      })
    }
    return found.name
  }

  #unparsable(path: string, value: string, message: string): void {
    this.#find({ code: 'SubscriptionUnparsable', path, value, message })
  }

  #find(finding: Omit<Finding, 'severity'>): void {
    this.findings.push({ ...finding, severity: 'error' })
  }
}

function listOf(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return undefined
  const texts = value.map(textOf)
  return texts.every((text) => text !== undefined) ? texts : undefined
}
