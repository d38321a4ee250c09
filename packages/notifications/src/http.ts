import type { Clock } from '@serinus/kube'
import type { Outcome } from './services/service.ts'

/** What came back. Bodies are cut at 64 KiB. */
export type Answer =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly headers: Headers
      readonly body: string
    }
  | { readonly kind: 'silent'; readonly error: string }

const longestBody = 64 * 1024
const longestRetryAfterMs = 900_000

/**
 * Sends one request and waits for the whole answer within the limit, whether or not `fetch` heeds its signal:
 * no vendor may hold a worker longer (spec notifications 7.0). Never rejects.
 */
export async function exchange(options: {
  readonly fetch: (request: Request) => Promise<Response>
  readonly clock: Clock
  readonly timeoutMs: number
  readonly url: string
  readonly init: RequestInit
}): Promise<Answer> {
  const { clock, timeoutMs } = options
  const cut = new AbortController()
  const done = new AbortController()
  const late = clock.until(clock.now() + timeoutMs, done.signal).then(
    (): Answer => {
      cut.abort()
      return { kind: 'silent', error: `no answer within ${timeoutMs / 1000} s` }
    },
    (): Answer => ({ kind: 'silent', error: 'stopped' }),
  )
  try {
    const headers = new Headers(options.init.headers)
    headers.set('User-Agent', 'argo-rollouts-notifications/serinus')
    const request = new Request(options.url, { ...options.init, headers, signal: cut.signal })
    return await Promise.race([answerOf(options.fetch(request)), late])
  } catch (error) {
    return { kind: 'silent', error: reasonOf(error) }
  } finally {
    done.abort()
  }
}

async function answerOf(pending: Promise<Response>): Promise<Answer> {
  try {
    const response = await pending
    return {
      kind: 'answered',
      status: response.status,
      headers: response.headers,
      body: await beginningOf(response),
    }
  } catch (error) {
    return { kind: 'silent', error: reasonOf(error) }
  }
}

async function beginningOf(response: Response): Promise<string> {
  if (!response.body) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    text += decoder.decode(value, { stream: true })
    if (text.length < longestBody) continue
    await reader.cancel()
    return text.slice(0, longestBody)
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

/** What an HTTP answer outside 2xx, or none, means for the delivery (spec notifications 11.4, Retry). */
export function failureOf(answer: Answer, now: number): Exclude<Outcome, { kind: 'delivered' }> {
  if (answer.kind === 'silent') return { kind: 'retryable', error: answer.error }
  const { status } = answer
  const error = `HTTP ${status}${answer.body ? `: ${answer.body.slice(0, 300)}` : ''}`
  if ([408, 425, 429].includes(status) || (status >= 500 && status !== 501)) {
    const retryAfterMs = retryAfterOf(answer.headers, now)
    return { kind: 'retryable', error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }
  return { kind: 'dead', error, cause: [401, 403, 404].includes(status) ? 'config' : 'refused' }
}

/** `Retry-After` in milliseconds, seconds or a date, at most 15 minutes. */
export function retryAfterOf(headers: Headers, now: number): number | undefined {
  const text = headers.get('Retry-After')?.trim()
  if (!text) return undefined
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, waitMs), longestRetryAfterMs) : undefined
}
