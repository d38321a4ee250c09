import type { Rollout } from '@serinus/api'
import { execute, type Template } from '@serinus/gotemplate'
import type { Field, NotificationConfig } from './config.ts'
import type { JsonObject } from './json.ts'
import { isObject } from './json.ts'
import { findTemplate, type Layers } from './layers.ts'
import { normalizeName } from './service-names.ts'
import type { Content, Service, ServiceType } from './services/service.ts'
import { type Subject, templateVariables } from './variables.ts'

/** What to render, for whom. */
export interface RenderRequest {
  readonly layers: Layers
  /** Whose secrets and context the templates see. */
  readonly config: NotificationConfig
  /** Names of templates; later ones write over earlier ones (spec notifications 5.2). */
  readonly templates: readonly string[]
  readonly service: { readonly name: string; readonly type: ServiceType; readonly service: Service }
  readonly recipient: string
  readonly subject: Subject
  /** From 0 (inclusive) to 1 (exclusive), for the random template functions. */
  readonly random: () => number
}

/** A notification in the form of its service, and what was wrong with its templates. */
export interface RenderedNotification {
  readonly message: string
  readonly payload: JsonObject
  readonly problems: readonly string[]
}

/**
 * Renders templates for one destination. Nothing that is wrong with a template keeps the notification back: a failing
 * block gives way to the plain message with a note, a failing message to a line about the event
 * (spec notifications 11.6). JSON that a value has broken is rendered again with values escaped (5.2).
 */
export function renderNotification(request: RenderRequest): RenderedNotification {
  const data = templateVariables(
    request.subject,
    { service: request.service.name, recipient: request.recipient },
    request.config,
  )
  const { type, service } = request.service
  const first = renderFields(request, data)
  const problems = [...first.problems]
  const contentOf = (message: string, block: JsonObject | null): Content => ({
    message,
    block,
    event: request.subject.event,
    trigger: request.subject.trigger,
    rollout: {
      namespace: request.subject.rollout.metadata.namespace ?? '',
      name: request.subject.rollout.metadata.name,
    },
    images: imagesOf(request.subject.rollout),
  })
  if (first.blockProblem === null) {
    const rendered = service.render(contentOf(first.message, first.block))
    if (rendered.ok) return { message: first.message, payload: rendered.payload, problems }
    const escaped = renderFields(request, escapeStrings(data) as JsonObject)
    const again = service.render(contentOf(first.message, escaped.block))
    const failed = `template '${request.templates.join(', ')}': ${type.type}.${rendered.field} failed: ${rendered.detail}`
    if (escaped.blockProblem === null && again.ok) {
      problems.push(`${failed}; sent with its values escaped, use toJson`)
      return { message: first.message, payload: again.payload, problems }
    }
    problems.push(failed)
  } else problems.push(first.blockProblem)
  const message = `${first.message.trimEnd()} (${problems.at(-1)})`
  const plain = service.render(contentOf(message, null))
  // Without a block no service has anything to refuse.
  return { message, payload: plain.ok ? plain.payload : {}, problems }
}

interface RenderedFields {
  readonly message: string
  readonly block: JsonObject | null
  readonly blockProblem: string | null
  readonly problems: readonly string[]
}

function renderFields(request: RenderRequest, data: JsonObject): RenderedFields {
  const { service, subject } = request
  let message = ''
  let block: Record<string, unknown> | null = null
  let blockProblem: string | null = null
  const problems: string[] = []
  for (const name of request.templates) {
    const template = findTemplate(request.layers, name)
    if (!template) {
      problems.push(`template '${name}' is not supported`)
      continue
    }
    const text = template.message ? renderField(request, template.message, data) : undefined
    if (text?.ok === false) problems.push(`template '${name}': message failed: ${text.detail}`)
    else if (text?.value) message = String(text.value)
    const fields = fieldsOf(template.blocks.get(service.type.type), service)
    for (const [field, compiled] of fields ?? []) {
      block ??= {}
      const rendered = renderField(request, compiled, data)
      if (rendered.ok) block[field] = rendered.value
      else {
        blockProblem ??= `template '${name}': ${service.type.type}.${field} failed: ${rendered.detail}`
      }
    }
  }
  if (message.trim() === '' && (problems.length > 0 || (block === null && blockProblem === null))) {
    const about = subject.rollout.metadata
    message = `Rollout ${about.namespace}/${about.name}: ${subject.event.message}`
    if (problems.length > 0) message += ` (${problems.join('; ')})`
  }
  return { message, block, blockProblem, problems }
}

function fieldsOf(
  block: ReadonlyMap<string, Field> | undefined,
  service: RenderRequest['service'],
): ReadonlyMap<string, Field> | undefined {
  if (!block || !service.type.blockPerService) return block
  const plain = normalizeName(service.name)
  for (const [name, entry] of block) {
    if (normalizeName(name) === plain && entry.kind === 'map') return entry.fields
  }
  return undefined
}

type RenderedField =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly detail: string }

function renderField(request: RenderRequest, field: Field, data: JsonObject): RenderedField {
  switch (field.kind) {
    case 'raw':
      return { ok: true, value: field.value }
    case 'broken':
      return { ok: false, detail: field.detail }
    case 'map':
      return { ok: true, value: undefined }
    case 'text':
      return renderText(request, field.template, data)
    default:
      throw new TypeError(`unknown field: ${JSON.stringify(field satisfies never)}`)
  }
}

function renderText(request: RenderRequest, template: Template, data: JsonObject): RenderedField {
  const { random, subject } = request
  const done = execute(template, data, { now: subject.now, random })
  return done.ok ? { ok: true, value: done.text } : { ok: false, detail: done.problem.message }
}

/** Every text as it stands inside a JSON string literal. */
function escapeStrings(value: unknown): unknown {
  if (typeof value === 'string') return JSON.stringify(value).slice(1, -1)
  if (Array.isArray(value)) return value.map(escapeStrings)
  // Only plain data: the time variable is the template engine's own, and bytes have no quotes to escape.
  if (!isObject(value) || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escapeStrings(item)]))
}

function imagesOf(rollout: Rollout): readonly string[] {
  return (rollout.spec.template?.spec?.containers ?? []).flatMap(({ image }) => image ?? [])
}
