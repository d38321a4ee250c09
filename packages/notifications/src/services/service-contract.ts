import { VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { exchange } from '../http.ts'
import type { JsonObject } from '../json.ts'
import { redact } from '../secret-references.ts'
import type { Content, Delivery, Service, ServiceType } from './service.ts'

export const content: Content = {
  message: 'Rollout my-app has been aborted.\nmore',
  block: null,
  event: {
    reason: 'RolloutAborted',
    type: 'Warning',
    message: 'Rollout aborted update to revision 2',
    revision: 2,
    failedMetrics: [],
  },
  trigger: 'on-rollout-aborted',
  rollout: { namespace: 'team-a', name: 'my-app' },
  images: ['my-app:v2'],
}

export function configured(type: ServiceType, options: JsonObject): Service {
  const result = type.configure(options)
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.service
}

/** Sends one delivery to a vendor that answers with `answer`; null: it never does. */
export async function sendOnce(
  service: Service,
  answer: ((request: Request) => Response | Promise<Response>) | null,
  more: Partial<Delivery> = {},
): Promise<{
  readonly outcome: Awaited<ReturnType<Service['send']>>
  readonly requests: readonly Request[]
}> {
  const clock = new VirtualClock(Date.parse('2026-08-01T12:00:00Z'))
  const requests: Request[] = []
  const rendered = service.render(content)
  if (!rendered.ok) throw new Error(rendered.detail)
  const sent = service.send({
    id: 'delivery-1',
    recipient: 'ops',
    payload: rendered.payload,
    since: clock.now(),
    now: clock.now(),
    exchange: (url, init) =>
      exchange({
        fetch: async (request) => {
          requests.push(request.clone())
          return answer ? answer(request) : new Promise(() => {})
        },
        clock,
        timeoutMs: 15_000,
        url,
        init,
      }),
    ...more,
  })
  await clock.advance(15_000)
  return { outcome: await sent, requests }
}

/** What every service type must do, whatever its vendor. */
export function serviceContract(
  type: ServiceType,
  setup: {
    readonly options: JsonObject
    readonly credential: string
    readonly accepted: () => Response
    readonly limited: () => Response
    readonly refused: () => Response
  },
): void {
  const service = () => configured(type, setup.options)

  test(`${type.type}: an accepted notification is delivered with one request`, async () => {
    const { outcome, requests } = await sendOnce(service(), setup.accepted)
    expect(outcome.kind).toBe('delivered')
    expect(requests).toHaveLength(1)
    expect(requests[0]?.headers.get('User-Agent')).toContain('argo-rollouts-notifications')
  })

  test.each([500, 502, 503, 408, 425])(
    `${type.type}: HTTP %i is worth another try`,
    async (status) => {
      const { outcome } = await sendOnce(service(), () => new Response('oops', { status }))
      expect(outcome.kind).toBe('retryable')
    },
  )

  test(`${type.type}: a limited vendor says how long to wait`, async () => {
    const { outcome } = await sendOnce(service(), setup.limited)
    expect(outcome).toMatchObject({ kind: 'retryable', retryAfterMs: 7000 })
  })

  test(`${type.type}: a refusal is final`, async () => {
    const { outcome } = await sendOnce(service(), setup.refused)
    expect(outcome.kind).toBe('dead')
  })

  test(`${type.type}: a broken connection is worth another try`, async () => {
    const { outcome } = await sendOnce(service(), () => {
      throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })
    })
    expect(outcome).toEqual({ kind: 'retryable', error: 'fetch failed: connect ECONNREFUSED' })
  })

  test(`${type.type}: a vendor that never answers is given up after the time limit`, async () => {
    const { outcome } = await sendOnce(service(), null)
    expect(outcome).toEqual({ kind: 'retryable', error: 'no answer within 15 s' })
  })

  test(`${type.type}: an answer that repeats the credential is told without it`, async () => {
    const answer = () => new Response(`bad ${setup.credential}`, { status: 400 })
    const { outcome } = await sendOnce(service(), answer)
    const error = outcome.kind === 'delivered' ? '' : outcome.error
    expect(error).toContain(setup.credential)
    expect(redact(error, new Map([['key', setup.credential]]))).not.toContain(setup.credential)
  })

  test(`${type.type}: every event can be told without a template block`, () => {
    expect(service().render(content).ok).toBe(true)
    expect(service().render({ ...content, message: '' }).ok).toBe(true)
  })

  test(`${type.type}: missing options are named and no service results`, () => {
    const result = type.configure({})
    expect(result.ok).toBe(false)
    expect(result.ok ? [] : result.problems.map(({ path }) => path[0])).toContain('.')
  })
}
