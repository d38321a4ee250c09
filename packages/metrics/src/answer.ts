import { type Asked, ask, type Reply } from './http.ts'
import type { MeasureInput } from './provider.ts'

/** Asks; where no answer comes, the message names the vendor after the address and the cause: `Get "…": … (Datadog)`. */
export async function askVendor(
  input: MeasureInput,
  provider: string,
  asked: Asked,
): Promise<Reply> {
  try {
    return await ask(input, asked)
  } catch (error) {
    throw new Error(`${messageOf(error)} (${provider})`, { cause: error })
  }
}

/**
 * What `read` finds wrong with an answer is told with who gave it:
 * `no values found (Graphite at http://graphite:9090/render)`.
 */
export function readAnswer<T>(
  from: { readonly provider: string; readonly url: string },
  read: () => T,
): T {
  try {
    return read()
  } catch (error) {
    throw new Error(`${messageOf(error).trimEnd()} (${sourceOf(from)})`, { cause: error })
  }
}

/** `Graphite at http://graphite:9090/render`: no query, no credentials. */
export function sourceOf(from: { readonly provider: string; readonly url: string }): string {
  const { origin, pathname } = new URL(from.url)
  return `${from.provider} at ${origin}${pathname}`
}

/** @param problem what a message begins with where the body is no JSON: `Could not parse JSON body` */
export function parseJsonBody(reply: Pick<Reply, 'text'>, problem: string): unknown {
  try {
    return parseJson(reply.text)
  } catch (error) {
    throw new Error(`${problem}: ${messageOf(error)}`, { cause: error })
  }
}

/** Refuses numbers that no double holds, as Go does: read as infinite they would meet conditions. */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  // Only such digits can be too large, and few answers have any.
  if (/e\+?\d{3}|\d{309}/i.test(text)) JSON.parse(text, finite)
  return value
}

function finite(_: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new Error('a number of the answer is too large')
  return value
}

/** @param what names it in the message: `data.attributes` */
export function objectAt(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>
  throw new Error(`${what} of the answer is ${nameOf(value)}, not an object`)
}

/** @param what names it in the message: `series` */
export function listAt(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new Error(`${what} of the answer is ${nameOf(value)}, not a list`)
}

function nameOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
