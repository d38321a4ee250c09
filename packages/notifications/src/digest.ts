import { createHash } from 'node:crypto'

/** base64url without padding of SHA-256 over the parts; no part can run into the next. */
export function digest(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(parts.join('|')).digest('base64url')
}

/** Names an expression in keys, as upstream does: base64url of SHA-1 (spec notifications 4.5). */
export function expressionHash(source: string): string {
  return createHash('sha1').update(source).digest('base64url')
}
