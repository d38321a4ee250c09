import { failureOf } from '../http.ts'
import { isObject, type JsonObject, member, textOf } from '../json.ts'
import type { Content, Delivery, Outcome, Rendered, ServiceType } from './service.ts'

const severities: ReadonlySet<string> = new Set(['critical', 'error', 'warning', 'info'])

/** PagerDuty's limits (spec notifications 7.2). */
const longestSummary = 1024
const longestDedupKey = 255

/** PagerDuty Events API v2 (spec notifications 7.2, 11.7). */
export const pagerdutyv2: ServiceType = {
  type: 'pagerdutyv2',
  fields: {
    summary: 'template',
    severity: 'template',
    source: 'template',
    component: 'template',
    group: 'template',
    class: 'template',
    url: 'template',
    dedupKey: 'template',
    eventAction: 'template',
    customDetails: 'template',
    links: 'template',
    images: 'template',
    timestamp: 'template',
    autoResolve: 'raw',
  },
  blockPerService: false,
  splitsCommas: true,
  idempotent: true,
  rate: { perSecond: 10, burst: 10 },
  configure(options) {
    const keys = member(options, 'serviceKeys')
    if (!isObject(keys)) {
      const isV1 = member(options, 'token') !== undefined
      return {
        ok: false,
        problems: [
          {
            code: isV1 ? 'ServiceShapeMismatch' : 'ServiceOptionsInvalid',
            path: '.serviceKeys',
            message: isV1
              ? 'token belongs to the service type pagerduty (REST); the Events API needs serviceKeys'
              : 'a map from recipient to integration key is required',
          },
        ],
      }
    }
    const client = textOf(member(options, 'client')) || 'Argo Rollouts'
    const base = (textOf(member(options, 'apiURL')) || 'https://events.pagerduty.com').replace(
      /\/+$/,
      '',
    )
    const url = base.endsWith('/v2/enqueue') ? base : `${base}/v2/enqueue`
    const wanted = member(options, 'autoResolve')
    const autoResolve = typeof wanted === 'boolean' ? wanted : undefined
    return {
      ok: true,
      service: {
        recipients: Object.keys(keys),
        urls: [url],
        autoResolve,
        render,
        send: (delivery) => send(delivery, { keys, url, client }),
        closing: (payload) => closing(payload, autoResolve),
      },
    }
  },
}

function render(content: Content): Rendered {
  const { block, event, rollout } = content
  const text = (field: string) => textOf(block?.[field])?.trim() || undefined
  const given = text('dedupKey')
  const key =
    given ??
    `argo-rollouts/${rollout.namespace}/${rollout.name}/${event.revision}/${content.trigger}`
  const severity = text('severity')?.toLowerCase()
  const action = text('eventAction')
  if (action && !['trigger', 'acknowledge', 'resolve'].includes(action)) {
    return { ok: false, field: 'eventAction', detail: 'use trigger, acknowledge or resolve' }
  }
  const payload: Record<string, unknown> = {
    summary: (text('summary') ?? firstLine(content)).slice(0, longestSummary),
    source: text('source') ?? `${rollout.namespace}/${rollout.name}`,
    // PagerDuty refuses any other word; the alert matters more than its shade.
    severity: severity
      ? severities.has(severity)
        ? severity
        : 'error'
      : event.type === 'Warning'
        ? 'critical'
        : 'info',
  }
  for (const field of ['component', 'group', 'class', 'timestamp']) {
    const value = text(field)
    if (value) payload[field] = value
  }
  if (!block) {
    payload['component'] = rollout.name
    payload['custom_details'] = {
      revision: event.revision,
      images: content.images,
      message: event.message,
      ...(event.failedMetrics.length > 0 ? { failedMetrics: event.failedMetrics } : {}),
    }
  }
  const result: Record<string, unknown> = {
    event_action: action ?? 'trigger',
    dedup_key: key.slice(0, longestDedupKey),
    generatedKey: given === undefined,
    payload,
  }
  if (text('url')) result['client_url'] = text('url')
  if (typeof block?.['autoResolve'] === 'boolean') result['autoResolve'] = block['autoResolve']
  for (const [field, target] of [
    ['customDetails', payload],
    ['links', result],
    ['images', result],
  ] as const) {
    const value = block?.[field]
    if (value === undefined || value === '') continue
    const parsed = typeof value === 'string' ? parseJson(value) : { ok: true as const, value }
    if (!parsed.ok) return { ok: false, field, detail: parsed.detail }
    target[field === 'customDetails' ? 'custom_details' : field] = parsed.value
  }
  return { ok: true, payload: result }
}

function firstLine({ message, event }: Content): string {
  return message.trim().split('\n')[0] || event.message
}

function parseJson(
  text: string,
):
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly detail: string } {
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch (error) {
    return { ok: false, detail: (error as Error).message }
  }
}

async function send(
  delivery: Delivery,
  to: { readonly keys: JsonObject; readonly url: string; readonly client: string },
): Promise<Outcome> {
  const key = textOf(member(to.keys, delivery.recipient))
  if (!key) {
    const known = Object.keys(to.keys).join(', ')
    const error = `no API key configured for recipient ${delivery.recipient}; configured: ${known}`
    return { kind: 'dead', error, cause: 'config' }
  }
  const { generatedKey: _generated, autoResolve: _auto, ...event } = delivery.payload
  const answer = await delivery.exchange(to.url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ routing_key: key, client: to.client, ...event }),
  })
  if (answer.kind === 'answered' && answer.status >= 200 && answer.status < 300) {
    return { kind: 'delivered', receipt: textOf(event['dedup_key']) ?? '' }
  }
  return failureOf(answer, delivery.now)
}

/** Only generated keys are resolved unasked: a key of the user's own may belong to more than one Rollout. */
function closing(
  payload: JsonObject,
  autoResolve: boolean | undefined,
): { readonly key: string; readonly payload: JsonObject } | null {
  if (payload['event_action'] !== 'trigger') return null
  const own = payload['autoResolve']
  const wanted = typeof own === 'boolean' ? own : (autoResolve ?? payload['generatedKey'] === true)
  if (!wanted) return null
  const key = textOf(payload['dedup_key']) ?? ''
  return {
    key,
    payload: { event_action: 'resolve', dedup_key: key, payload: payload['payload'] },
  }
}
