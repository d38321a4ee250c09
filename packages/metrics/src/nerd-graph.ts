import { askVendor, readAnswer } from './answer.ts'
import { type Asked, excerptOf, failed, type Reply } from './http.ts'
import type { MeasureInput } from './provider.ts'
import { withRetries } from './retries.ts'

const provider = 'New Relic'

export interface NerdGraphRequest {
  readonly url: string
  readonly apiKey: string
  readonly query: string
  readonly variables: Readonly<Record<string, unknown>>
}

/**
 * One GraphQL request to New Relic, as their client sends it: what is likely to pass is asked again, within the deadline.
 * Resolves to an answer with status 2xx, which may still tell errors of the query (spec metric-providers 5).
 */
export async function askNerdGraph(input: MeasureInput, request: NerdGraphRequest): Promise<Reply> {
  const { url } = request
  const asked: Asked = {
    url,
    method: 'POST',
    headers: [
      ['Api-Key', request.apiKey],
      ['Content-Type', 'application/json'],
      ['NewRelic-Requesting-Services', 'newrelic-client-go'],
      ['X-Query-Source-Component-Id', 'newrelic-client-go'],
    ],
    body: JSON.stringify({ query: request.query, variables: request.variables }),
  }
  let last: Outcome | null = null
  const once = async () => {
    last = await askVendor(input, provider, asked).catch((error: Error) => error)
    return last
  }
  let outcome: Outcome
  try {
    outcome = await withRetries(input, () => withRetries(input, once, isLikelyToPass), isTheirFault)
  } catch (error) {
    // The deadline fell into a wait: what was waited for is the cause.
    const late = `context deadline exceeded (before that: ${causeOf(last)}) (${provider})`
    throw failed(asked, late, error)
  }
  if (outcome instanceof Error) throw outcome
  const reply = outcome
  readAnswer({ provider, url }, () => {
    if (isTheirFault(reply)) throw new Error(`maximum retries reached: ${told(reply)}`)
    if (reply.status === 404) throw new Error('resource not found')
    const isUnknownKey = reply.status === 401 || errorsOf(reply).some(isBadKey)
    if (isUnknownKey && !isOk(reply)) throw new Error(`${unauthorized} (${told(reply)})`)
    if (!isOk(reply)) throw new Error(causeOf(reply))
  })
  return reply
}

type Outcome = Reply | Error

const unauthorized =
  'Invalid credentials provided. Missing API key or an incorrect API key was provided.'

function isOk(reply: Reply): boolean {
  return reply.status >= 200 && reply.status <= 299
}

/** What their HTTP client repeats. */
function isLikelyToPass(outcome: Outcome): boolean {
  if (outcome instanceof Error) return isOfTheNetwork(outcome)
  const { status } = outcome
  if (status === 429 || status === 500 || status >= 502) return true
  return errorsOf(outcome).some((error) => classOf(error) === 'TOO_MANY_REQUESTS')
}

/** A certificate, a loop of redirects, a body too large and the deadline stay what they are. */
function isOfTheNetwork(error: Error): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { readonly code?: unknown }
    if (typeof code === 'string' && /^(E[A-Z]+|UND_ERR_[A-Z_]+)$/.test(code)) return true
  }
  return false
}

const theirClasses: ReadonlySet<unknown> = new Set([
  'TIMEOUT',
  'INTERNAL_SERVER_ERROR',
  'SERVER_ERROR',
])

function isTheirFault(outcome: Outcome): boolean {
  if (outcome instanceof Error) return false
  return errorsOf(outcome).some((error) => theirClasses.has(classOf(error)))
}

interface GraphQlError {
  readonly message?: unknown
  readonly extensions?: { readonly errorClass?: unknown; readonly error_code?: unknown } | null
}

function classOf(error: GraphQlError): unknown {
  return error.extensions?.errorClass
}

function isBadKey(error: GraphQlError): boolean {
  return error.extensions?.error_code === 'BAD_API_KEY'
}

function errorsOf(reply: Reply): readonly GraphQlError[] {
  try {
    return listOfErrors(JSON.parse(reply.text))
  } catch {
    return []
  }
}

function listOfErrors(answer: unknown): readonly GraphQlError[] {
  const errors = (answer as { readonly errors?: unknown } | null)?.errors
  if (!Array.isArray(errors)) return []
  return errors.filter((error) => typeof error === 'object' && error !== null)
}

/** The errors that a GraphQL answer tells; a field that is merely deprecated is none. */
export function messagesOf(answer: unknown): readonly string[] {
  return listOfErrors(answer)
    .map(({ message }) => String(message ?? 'an error without message'))
    .filter((message) => !message.startsWith('This field is deprecated!'))
}

function causeOf(outcome: Outcome | null): string {
  if (outcome === null) return 'no answer'
  if (outcome instanceof Error) return outcome.message
  return `${outcome.status} response returned: ${told(outcome)}`
}

function told(reply: Reply): string {
  return messagesOf({ errors: errorsOf(reply) }).join(', ') || excerptOf(reply.text)
}
