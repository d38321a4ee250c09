import { gzip } from 'node:zlib'
import { ApiError } from '@serinus/kube'
import { stringify } from 'yaml'
import type { Negotiated } from './content.ts'
import { failureStatus, internalError, PlainError, StatusError } from './status-error.ts'

/** Answers smaller than this travel faster than they are compressed (apiserver: defaultGzipThresholdBytes). */
const gzipThreshold = 128 * 1024

const standardHeaders = { 'cache-control': 'no-cache, private' }

export interface AnswerOptions {
  readonly status?: number
  readonly warnings?: readonly string[]
  readonly contentType?: string
  readonly etag?: string
}

export async function answer(
  request: Request,
  negotiated: Negotiated,
  value: object,
  options: AnswerOptions = {},
): Promise<Response> {
  const yaml = negotiated.encoding === 'yaml'
  const text = yaml
    ? stringify(value)
    : negotiated.pretty
      ? `${JSON.stringify(value, null, 2)}\n`
      : `${JSON.stringify(value)}\n`
  const contentType = options.contentType ?? (yaml ? 'application/yaml' : 'application/json')
  return answerText(request, text, { ...options, contentType })
}

export async function answerText(
  request: Request,
  text: string,
  options: AnswerOptions,
): Promise<Response> {
  const headers = new Headers(standardHeaders)
  headers.set('content-type', options.contentType ?? 'text/plain; charset=utf-8')
  for (const warning of options.warnings ?? []) {
    headers.append('warning', `299 - ${JSON.stringify(warning)}`)
  }
  if (options.etag !== undefined) {
    headers.set('etag', options.etag)
    headers.append('vary', 'Accept')
    if (request.headers.get('if-none-match') === options.etag) {
      return new Response(null, { status: 304, headers })
    }
  }
  const status = options.status ?? 200
  const compress =
    text.length > gzipThreshold && /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '')
  if (!compress) return new Response(text, { status, headers })
  headers.set('content-encoding', 'gzip')
  headers.append('vary', 'Accept-Encoding')
  const body = await new Promise<Uint8Array<ArrayBuffer>>((resolve, reject) => {
    gzip(text, { level: 1 }, (error, bytes) => {
      if (error) reject(error)
      else resolve(bytes as Uint8Array<ArrayBuffer>)
    })
  })
  return new Response(body, { status, headers })
}

/** The Status of a failure; an error that is not an ApiError is one of ours and says so with 500. */
export function answerError(error: unknown, warnings: readonly string[] = []): Response {
  const failure =
    error instanceof ApiError
      ? error
      : internalError(error instanceof Error ? (error.stack ?? error.message) : String(error))
  const headers = new Headers(standardHeaders)
  if (failure instanceof PlainError) {
    headers.set('content-type', 'text/plain; charset=utf-8')
    return new Response(`${failure.message}\n`, { status: failure.code, headers })
  }
  headers.set('content-type', 'application/json')
  for (const warning of warnings) headers.append('warning', `299 - ${JSON.stringify(warning)}`)
  const retryAfter = failure instanceof StatusError ? failure.details?.retryAfterSeconds : undefined
  if (retryAfter !== undefined) headers.set('retry-after', String(retryAfter))
  return new Response(`${JSON.stringify(failureStatus(failure))}\n`, {
    status: failure.code,
    headers,
  })
}

export function successStatus(details: object): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }
}
