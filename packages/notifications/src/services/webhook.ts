import { createHmac } from 'node:crypto'
import { parseDuration } from '@serinus/api'
import { failureOf } from '../http.ts'
import { isObject, type JsonObject, member, textOf } from '../json.ts'
import type { Delivery, OptionProblem, Outcome, ServiceType } from './service.ts'

/** Any HTTP endpoint (spec notifications 7.4). */
export const webhook: ServiceType = {
  type: 'webhook',
  fields: { method: 'raw', path: 'template', body: 'template' },
  blockPerService: true,
  splitsCommas: false,
  idempotent: true,
  rate: { perSecond: 10, burst: 10 },
  configure(options) {
    const problems: OptionProblem[] = []
    const invalid = (path: string, message: string) =>
      problems.push({ code: 'ServiceOptionsInvalid', path, message })
    const url = textOf(member(options, 'url')) ?? ''
    if (!/^https?:\/\/./.test(url)) invalid('.url', 'an http or https URL is required')
    const headers = headersOf(member(options, 'headers'))
    if (!headers) invalid('.headers', 'a list of {name, value} is expected')
    const firstMs = waitOf(member(options, 'retryWaitMin'))
    if (firstMs === null) invalid('.retryWaitMin', durationRule)
    const maxMs = waitOf(member(options, 'retryWaitMax'))
    if (maxMs === null) invalid('.retryWaitMax', durationRule)
    const retryMax = member(options, 'retryMax')
    if (retryMax !== undefined && !Number.isInteger(retryMax)) {
      invalid('.retryMax', 'an integer is expected')
    }
    if (problems.length > 0) return { ok: false, problems }
    const auth = member(options, 'basicAuth')
    const to: Target = {
      url,
      headers: headers ?? [],
      basicAuth: isObject(auth)
        ? `Basic ${Buffer.from(`${textOf(member(auth, 'username')) ?? ''}:${textOf(member(auth, 'password')) ?? ''}`).toString('base64')}`
        : undefined,
      signingSecret: textOf(member(options, 'signingSecret')),
    }
    return {
      ok: true,
      service: {
        recipients: null,
        urls: [url],
        retry: {
          ...(firstMs ? { firstMs } : {}),
          ...(maxMs ? { maxMs } : {}),
          ...(retryMax ? { attempts: Math.max(0, Number(retryMax)) + 1 } : {}),
        },
        render: ({ message, block }) => {
          const body = block ? (textOf(block['body']) ?? '') : message
          // Upstream's default is GET even with a body, which fetch cannot send and most servers drop.
          const method = textOf(block?.['method'])?.toUpperCase() || (body ? 'POST' : 'GET')
          return { ok: true, payload: { method, path: textOf(block?.['path']) ?? '', body } }
        },
        send: (delivery) => send(delivery, to),
      },
    }
  },
}

const durationRule = 'a duration such as 1s or 500ms, or an integer of nanoseconds, is expected'

interface Target {
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly basicAuth: string | undefined
  readonly signingSecret: string | undefined
}

async function send(delivery: Delivery, to: Target): Promise<Outcome> {
  const method = textOf(delivery.payload['method']) ?? 'GET'
  const path = textOf(delivery.payload['path']) ?? ''
  const body = textOf(delivery.payload['body']) ?? ''
  const url = path ? `${to.url.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}` : to.url
  const hasBody = method !== 'GET' && method !== 'HEAD' && body !== ''
  const headers = new Headers({
    'Idempotency-Key': delivery.id,
    'X-Argo-Rollouts-Delivery': delivery.id,
  })
  for (const [name, value] of to.headers) headers.set(name, value)
  if (to.basicAuth && !headers.has('Authorization')) headers.set('Authorization', to.basicAuth)
  if (hasBody && isJson(body) && !headers.has('Content-Type')) {
    headers.set('Content-Type', 'application/json')
  }
  if (to.signingSecret) {
    const signature = createHmac('sha256', to.signingSecret).update(hasBody ? body : '')
    headers.set('X-Signature-256', `sha256=${signature.digest('hex')}`)
  }
  const answer = await delivery.exchange(url, { method, headers, ...(hasBody ? { body } : {}) })
  if (answer.kind === 'answered' && answer.status >= 200 && answer.status < 300) {
    return { kind: 'delivered', receipt: String(answer.status) }
  }
  return failureOf(answer, delivery.now)
}

function headersOf(value: unknown): [string, string][] | undefined {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return undefined
  const headers = value.map((entry): [string, string] => {
    const object: JsonObject = isObject(entry) ? entry : {}
    return [textOf(member(object, 'name')) ?? '', textOf(member(object, 'value')) ?? '']
  })
  return headers.every(([name]) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) ? headers : undefined
}

/** Milliseconds; undefined: not given; null: neither a duration nor nanoseconds. */
function waitOf(value: unknown): number | undefined | null {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number') return value / 1e6
  return (typeof value === 'string' && parseDuration(value)) || null
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
