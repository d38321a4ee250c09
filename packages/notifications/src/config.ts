import { nearest, parseDuration } from '@serinus/api'
import { compile, describeProblem, type Program } from '@serinus/expr'
import { parse as parseTemplate, type Template } from '@serinus/gotemplate'
import type { KubeObject } from '@serinus/kube'
import { isScalar, LineCounter, parseDocument } from 'yaml'
import { catalogue } from './catalogue.ts'
import { knownEvents } from './events.ts'
import type { Finding } from './finding.ts'
import { isObject, type JsonObject, member, textOf } from './json.ts'
import { resolveReferences } from './secret-references.ts'
import { parseSelector, type Selector } from './selector.ts'
import { canonicalType, normalizeName, upstreamTypes } from './service-names.ts'
import { services } from './services/registry.ts'
import type { Service, ServiceType } from './services/service.ts'

/** A ConfigMap as far as it is read here. */
export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
  readonly binaryData?: Readonly<Record<string, string>>
}

/** A Secret as far as it is read here; `data` is base64. */
export interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
}

/** How long and how often to try, from any service's options (spec notifications 11.10). */
export interface DeliveryPolicy {
  readonly timeoutMs: number
  readonly maxAgeMs: number
  readonly maxAttempts: number
  readonly firstDelayMs: number
  readonly maxDelayMs: number
  readonly onUncertain: 'resend' | 'drop' | null
}

/** A configured service, or why it cannot be used. */
export type ServiceEntry =
  | {
      readonly kind: 'ready'
      readonly name: string
      readonly type: ServiceType
      readonly service: Service
      readonly policy: DeliveryPolicy
    }
  | { readonly kind: 'broken'; readonly name: string; readonly reason: string }

/** A template field after parsing. A broken one costs its block, never the notification. */
export type Field =
  | { readonly kind: 'text'; readonly template: Template }
  | { readonly kind: 'raw'; readonly value: unknown }
  | { readonly kind: 'broken'; readonly detail: string }
  | { readonly kind: 'map'; readonly fields: ReadonlyMap<string, Field> }

/** A named message; absent parts were not written. */
export interface NotificationTemplate {
  readonly name: string
  readonly message: Field | null
  /** By normalized service type, as in `pagerdutyv2`. */
  readonly blocks: ReadonlyMap<string, ReadonlyMap<string, Field>>
}

/** One condition of a trigger (spec notifications 4.1). */
export interface Condition {
  readonly index: number
  readonly when: { readonly source: string; readonly program: Program } | null
  readonly oncePer: Program | null
  readonly send: readonly string[]
  /** Reasons that fire this trigger besides the one in its name (spec notifications 11.10). */
  readonly events: readonly string[]
}

/** One entry of the key `subscriptions`. */
export interface DefaultSubscription {
  readonly triggers: readonly string[]
  readonly recipients: readonly { readonly service: string; readonly recipient: string }[]
  readonly selector: Selector
  readonly namespaces: readonly string[] | null
}

/** Everything usable of one ConfigMap and its Secret; what is not usable is absent or marked broken. */
export interface NotificationConfig {
  readonly namespace: string
  readonly services: ReadonlyMap<string, ServiceEntry>
  readonly templates: ReadonlyMap<string, NotificationTemplate>
  readonly triggers: ReadonlyMap<string, readonly Condition[]>
  /** Null: the key is absent. */
  readonly defaultTriggers: readonly string[] | null
  readonly defaultTriggersOf: ReadonlyMap<string, readonly string[]>
  readonly subscriptions: readonly DefaultSubscription[]
  readonly context: JsonObject
  readonly secrets: ReadonlyMap<string, string>
}

/** What `parseConfig` gives: always a configuration, however much of it had to be left out. */
export interface ParsedConfig {
  readonly config: NotificationConfig
  readonly findings: readonly Finding[]
}

/**
 * Reads a notification ConfigMap and its Secret; either may be absent. Every bad item is isolated: it is left out or
 * marked broken and reported, and all others work (spec notifications 2.2, 2.3, 11.3; api 15.1 A1, A2, A9). Never throws.
 */
export function parseConfig(
  configMap: ConfigMap | undefined,
  secret: Secret | undefined,
): ParsedConfig {
  const findings: Finding[] = []
  const draft = new Draft(secretsOf(secret, findings), findings)
  for (const [key, text] of Object.entries(configMap?.data ?? {}).sort(byKey)) draft.read(key, text)
  draft.checkSends()
  return { config: draft.config(configMap?.metadata.namespace ?? ''), findings }
}

/** The proper ConfigMap completed by keys that only the one under the alias name has (spec api 15.2 B15). */
export function withAlias(
  proper: ConfigMap | undefined,
  alias: ConfigMap | undefined,
): ConfigMap | undefined {
  if (!proper || !alias) return proper ?? alias
  return { ...proper, data: { ...alias.data, ...proper.data } }
}

function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function secretsOf(secret: Secret | undefined, findings: Finding[]): Map<string, string> {
  const secrets = new Map<string, string>()
  const take = (key: string, text: string) => {
    if (text.endsWith('\n')) {
      const message = 'ends with a newline, which was left out (use echo -n or printf)'
      findings.push({
        code: 'SecretTrailingNewline',
        severity: 'info',
        path: `Secret ${secret?.metadata.name} key ${key}`,
        value: '',
        message,
      })
    }
    secrets.set(key, text.replace(/\r?\n$/, ''))
  }
  for (const [key, value] of Object.entries(secret?.data ?? {})) {
    take(key, Buffer.from(value, 'base64').toString('utf8'))
  }
  for (const [key, value] of Object.entries(secret?.stringData ?? {})) take(key, value)
  return secrets
}

class Draft {
  readonly #secrets: ReadonlyMap<string, string>
  readonly #findings: Finding[]
  readonly #services = new Map<string, ServiceEntry>()
  readonly #templates = new Map<string, NotificationTemplate>()
  readonly #triggers = new Map<string, readonly Condition[]>()
  readonly #defaultTriggersOf = new Map<string, readonly string[]>()
  #defaultTriggers: readonly string[] | null = null
  #subscriptions: readonly DefaultSubscription[] = []
  #context: JsonObject = {}

  constructor(secrets: ReadonlyMap<string, string>, findings: Finding[]) {
    this.#secrets = secrets
    this.#findings = findings
  }

  config(namespace: string): NotificationConfig {
    return {
      namespace,
      services: this.#services,
      templates: this.#templates,
      triggers: this.#triggers,
      defaultTriggers: this.#defaultTriggers,
      defaultTriggersOf: this.#defaultTriggersOf,
      subscriptions: this.#subscriptions,
      context: this.#context,
      secrets: this.#secrets,
    }
  }

  read(key: string, text: string): void {
    const dot = key.indexOf('.')
    const [kind, name] = dot < 0 ? [key, ''] : [key.slice(0, dot), key.slice(dot + 1)]
    switch (kind) {
      case 'service':
        this.#service(key, text)
        return
      case 'template':
        this.#template(key, name, text)
        return
      case 'trigger':
        this.#trigger(key, name, text)
        return
      case 'defaultTriggers': {
        const triggers = this.#names(key, text)
        if (!triggers) return
        if (name) this.#defaultTriggersOf.set(name, triggers)
        else this.#defaultTriggers = triggers
        return
      }
      case 'subscriptions':
        this.#readSubscriptions(key, text)
        return
      case 'context': {
        const value = this.#yaml(key, text, 'ConfigUnparsable')
        if (isObject(value)) this.#context = value
        return
      }
      default: {
        const known = [
          'service',
          'template',
          'trigger',
          'defaultTriggers',
          'subscriptions',
          'context',
        ]
        this.#find({
          code: 'KeyUnknown',
          severity: 'warning',
          path: pathOf(key),
          value: key,
          message: 'nothing reads this key',
          ...suggest(kind, known),
        })
      }
    }
  }

  /** Only once all templates are known. */
  checkSends(): void {
    for (const [name, conditions] of this.#triggers) {
      for (const { index, send } of conditions) {
        for (const template of send) {
          if (this.#templates.has(template) || Object.hasOwn(catalogue, `template.${template}`))
            continue
          this.#find({
            code: 'TriggerSendsUnknownTemplate',
            severity: 'error',
            path: `${pathOf(`trigger.${name}`)}[${index}].send`,
            value: template,
            message: `template '${template}' is not supported`,
            ...suggest(template, this.#templates.keys()),
          })
        }
      }
    }
  }

  #service(key: string, text: string): void {
    const parts = key.split('.')
    const [, writtenType = '', name = writtenType] = parts
    const broken = (finding: Omit<Finding, 'severity'>) => {
      this.#find({ ...finding, severity: 'error' })
      this.#services.set(name, { kind: 'broken', name, reason: finding.message })
    }
    const path = pathOf(key)
    if (parts.length > 3 || writtenType === '') {
      this.#find({
        code: 'ServiceKeyInvalid',
        severity: 'error',
        path,
        value: key,
        message: `invalid service key; expected 'service.<type>(.<name>)' but got '${key}'`,
      })
      return
    }
    const canonical = canonicalType(writtenType)
    const type = canonical === undefined ? undefined : services[canonical]
    if (!type) {
      const carried = Object.keys(services).join(', ')
      const message = canonical
        ? `service type '${writtenType}' is not carried by this version of Serinus; it has ${carried}`
        : `service type '${writtenType}' is not supported`
      broken({
        code: 'ServiceTypeUnknown',
        path,
        value: writtenType,
        message,
        ...(canonical === 'pagerduty'
          ? { suggestion: 'pagerdutyv2' }
          : canonical
            ? {}
            : suggest(writtenType, upstreamTypes)),
      })
      return
    }
    const value = this.#yaml(key, text, 'ServiceOptionsInvalid')
    if (value === unparsable) {
      this.#services.set(name, { kind: 'broken', name, reason: 'its options are no YAML' })
      return
    }
    const { value: options, missing } = resolveReferences(value ?? {}, this.#secrets)
    const [first] = missing
    if (first !== undefined) {
      const keys = [...this.#secrets.keys()].join(', ') || 'no keys'
      broken({
        code: 'SecretKeyMissing',
        path,
        value: missing.map((wanted) => `$${wanted}`).join(', '),
        message: `the Secret argo-rollouts-notification-secret has no key ${missing.join(', ')}; it has ${keys}`,
        ...suggest(first, this.#secrets.keys()),
      })
      return
    }
    const object = isObject(options) ? options : {}
    const configured = type.configure(object)
    if (!configured.ok) {
      for (const problem of configured.problems) {
        broken({
          code: problem.code,
          path: path + problem.path,
          value: '',
          message: problem.message,
        })
      }
      return
    }
    const { service } = configured
    const policy = this.#policy(path, object, service)
    this.#services.set(name, { kind: 'ready', name, type, service, policy })
  }

  #policy(path: string, options: JsonObject, service: Service): DeliveryPolicy {
    const given = member(options, 'delivery')
    const delivery = isObject(given) ? given : {}
    const duration = (where: JsonObject, name: string, otherwise: number) => {
      const written = member(where, name)
      if (written === undefined) return otherwise
      const ms = typeof written === 'number' ? written * 1000 : parseDuration(String(written))
      if (ms !== undefined && ms > 0) return ms
      this.#find({
        code: 'ServiceOptionsInvalid',
        severity: 'warning',
        path: `${path}.${name}`,
        value: String(written),
        message: `not a duration such as 15s; ${otherwise / 1000}s is used`,
      })
      return otherwise
    }
    const attempts = member(delivery, 'maxAttempts')
    const onUncertain = member(delivery, 'onUncertain')
    return {
      timeoutMs: duration(options, 'timeout', 15_000),
      maxAgeMs: duration(delivery, 'maxAge', 3_600_000),
      maxAttempts:
        typeof attempts === 'number' && attempts >= 1 ? attempts : (service.retry?.attempts ?? 20),
      firstDelayMs: service.retry?.firstMs ?? 1000,
      maxDelayMs: service.retry?.maxMs ?? 300_000,
      onUncertain: onUncertain === 'resend' || onUncertain === 'drop' ? onUncertain : null,
    }
  }

  #template(key: string, name: string, text: string): void {
    const lines = new LineCounter()
    const document = parseDocument(text, { lineCounter: lines })
    const [error] = document.errors
    const value: unknown = error ? undefined : document.toJS()
    if (error || !isObject(value)) {
      this.#find({
        code: 'TemplateParse',
        severity: 'error',
        path: pathOf(key),
        value: firstLine(text),
        message: error
          ? (error.message.split('\n')[0] ?? '')
          : 'a map such as message: "…" is expected',
      })
      return
    }
    /** The line within the ConfigMap's key on which a field's text begins. */
    const lineOf = (path: readonly string[]): number => {
      const node = document.getIn(path, true)
      if (!isScalar(node) || !node.range) return 1
      const { line } = lines.linePos(node.range[0])
      return node.type?.startsWith('BLOCK') ? line + 1 : line
    }
    const field = (path: readonly string[], written: unknown): Field => {
      const source = textOf(written) ?? (written === null ? '' : JSON.stringify(written))
      const parsed = parseTemplate(name, source)
      if (parsed.ok) return { kind: 'text', template: parsed.template }
      const line = lineOf(path) + parsed.problem.line - 1
      this.#find({
        code: 'TemplateParse',
        severity: 'error',
        path: `${pathOf(key)}.${path.join('.')}`,
        value: source.split('\n')[parsed.problem.line - 1]?.trim() ?? '',
        message: `line ${line}: ${parsed.problem.message}`,
      })
      return { kind: 'broken', detail: parsed.problem.message }
    }
    let message: Field | null = null
    const blocks = new Map<string, ReadonlyMap<string, Field>>()
    for (const [written, content] of Object.entries(value)) {
      if (written.toLowerCase() === 'message') {
        message = field([written], content)
        continue
      }
      const canonical = canonicalType(written)
      const type = canonical === undefined ? undefined : services[canonical]
      if (!canonical) {
        this.#find({
          code: 'TemplateFieldUnknown',
          severity: 'warning',
          path: `${pathOf(key)}.${written}`,
          value: written,
          message: 'no such field or service',
          ...suggest(written, ['message', ...upstreamTypes]),
        })
      }
      if (!canonical || !type || !isObject(content)) continue
      const fieldsOf = (path: readonly string[], block: JsonObject) =>
        this.#block(key, path, block, type, field)
      blocks.set(
        canonical,
        type.blockPerService
          ? new Map(
              Object.entries(content).map(([service, block]): [string, Field] => [
                service,
                {
                  kind: 'map',
                  fields: fieldsOf([written, service], isObject(block) ? block : {}),
                },
              ]),
            )
          : fieldsOf([written], content),
      )
    }
    this.#templates.set(name, { name, message, blocks })
  }

  #block(
    key: string,
    path: readonly string[],
    block: JsonObject,
    type: ServiceType,
    field: (path: readonly string[], written: unknown) => Field,
  ): ReadonlyMap<string, Field> {
    const fields = new Map<string, Field>()
    for (const [written, content] of Object.entries(block)) {
      const known = Object.keys(type.fields).find(
        (name) => name.toLowerCase() === written.toLowerCase(),
      )
      if (known === undefined) {
        this.#find({
          code: 'TemplateFieldUnknown',
          severity: 'warning',
          path: `${pathOf(key)}.${[...path, written].join('.')}`,
          value: written,
          message: `${type.type} has no such field`,
          ...suggest(written, Object.keys(type.fields)),
        })
        continue
      }
      const isRaw = type.fields[known] === 'raw'
      fields.set(
        known,
        isRaw ? { kind: 'raw', value: content } : field([...path, written], content),
      )
    }
    return fields
  }

  #trigger(key: string, name: string, text: string): void {
    const value = this.#yaml(key, text, 'TriggerParse')
    if (value === unparsable) return
    if (!Array.isArray(value)) {
      this.#find({
        code: 'TriggerParse',
        severity: 'error',
        path: pathOf(key),
        value: firstLine(text),
        message: 'a list of conditions such as - send: [my-template] is expected',
      })
      return
    }
    const conditions: Condition[] = []
    value.forEach((item: unknown, index) => {
      const path = `${pathOf(key)}[${index}]`
      const object = isObject(item) ? item : {}
      const send = this.#list(`${path}.send`, member(object, 'send'))
      const events = this.#list(`${path}.events`, member(object, 'events'))
      const when = this.#expression(`${path}.when`, member(object, 'when'))
      const oncePer = this.#expression(`${path}.oncePer`, member(object, 'oncePer'))
      if (!send || !events || when === undefined || oncePer === undefined) return
      for (const reason of events) this.#checkReason(`${path}.events`, reason)
      conditions.push({ index, when, oncePer: oncePer?.program ?? null, send, events })
    })
    this.#triggers.set(name, conditions)
  }

  #checkReason(path: string, reason: string): void {
    if (knownEvents.has(reason)) return
    this.#find({
      code: 'TriggerParse',
      severity: 'warning',
      path,
      value: reason,
      message: 'no event has this reason',
      ...suggest(reason, knownEvents),
    })
  }

  /** Null: none is written; undefined: it does not compile. */
  #expression(path: string, written: unknown): Condition['when'] | undefined {
    const source = textOf(written) ?? ''
    if (source === '') return null
    const compiled = compile(source)
    if (compiled.ok) return { source, program: compiled.program }
    this.#find({
      code: 'ExprCompile',
      severity: 'error',
      path,
      value: source,
      message: describeProblem(source, compiled.problem).split('\n')[0] ?? '',
      ...(compiled.problem.suggestion ? { suggestion: compiled.problem.suggestion } : {}),
    })
    return undefined
  }

  #readSubscriptions(key: string, text: string): void {
    const value = this.#yaml(key, text, 'ConfigUnparsable')
    if (value === unparsable) return
    if (!Array.isArray(value)) {
      const message = 'a list of {recipients, triggers, selector} is expected'
      this.#find({
        code: 'ConfigUnparsable',
        severity: 'error',
        path: pathOf(key),
        value: firstLine(text),
        message,
      })
      return
    }
    const subscriptions: DefaultSubscription[] = []
    value.forEach((item: unknown, index) => {
      const path = `${pathOf(key)}[${index}]`
      const object = isObject(item) ? item : {}
      const triggers = this.#list(`${path}.triggers`, member(object, 'triggers'))
      const recipients = this.#list(`${path}.recipients`, member(object, 'recipients'))
      const namespaces = this.#list(`${path}.namespaces`, member(object, 'namespaces'))
      const selector = parseSelector(textOf(member(object, 'selector')) ?? '')
      if (!selector.ok) {
        this.#find({
          code: 'ConfigUnparsable',
          severity: 'error',
          path: `${path}.selector`,
          value: textOf(member(object, 'selector')) ?? '',
          message: selector.problem,
        })
      }
      if (!triggers || !recipients || !namespaces || !selector.ok) return
      subscriptions.push({
        triggers,
        recipients: recipients.map(destinationOf),
        selector: selector.selector,
        namespaces: member(object, 'namespaces') === undefined ? null : namespaces,
      })
    })
    this.#subscriptions = subscriptions
  }

  #names(key: string, text: string): readonly string[] | undefined {
    const value = this.#yaml(key, text, 'ConfigUnparsable')
    return value === unparsable ? undefined : this.#list(pathOf(key), value)
  }

  #list(path: string, value: unknown): readonly string[] | undefined {
    if (value === undefined || value === null) return []
    const texts = Array.isArray(value) ? value.map(textOf) : [undefined]
    if (texts.every((text) => text !== undefined)) return texts
    this.#find({
      code: 'TriggerParse',
      severity: 'error',
      path,
      value: textOf(value) ?? '',
      message: `a list is expected${textOf(value) ? `, such as [${textOf(value)}]` : ''}`,
    })
    return undefined
  }

  #yaml(key: string, text: string, code: Finding['code']): unknown {
    const document = parseDocument(text)
    const [error] = document.errors
    if (!error) return document.toJS()
    const line = error.linePos?.[0].line ?? 1
    this.#find({
      code,
      severity: 'error',
      path: pathOf(key),
      // Never the text of a service: it may hold a credential.
      value: key.startsWith('service') ? '' : (text.split('\n')[line - 1]?.trim() ?? ''),
      message: `line ${line}: ${error.message.split('\n')[0]}`,
    })
    return unparsable
  }

  #find(finding: Finding): void {
    this.#findings.push(finding)
  }
}

const unparsable = Symbol('unparsable')

/** `service:recipient`; upstream splits at every colon and cuts URLs (spec notifications 3.2). */
function destinationOf(text: string): { service: string; recipient: string } {
  const colon = text.indexOf(':')
  return colon < 0
    ? { service: text.trim(), recipient: '' }
    : { service: text.slice(0, colon).trim(), recipient: text.slice(colon + 1).trim() }
}

function pathOf(key: string): string {
  return `data[${JSON.stringify(key)}]`
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}

export function suggest(wrong: string, known: Iterable<string>): { suggestion?: string } {
  const list = [...known]
  const suggestion =
    list.find((name) => normalizeName(name) === normalizeName(wrong)) ?? nearest(wrong, list)
  return suggestion === undefined ? {} : { suggestion }
}
