/** Longest message that is taken, bytes: a plugin must not fill our memory. */
const longestMessage = 10 * 2 ** 20

/** The first whole message of a gob stream, and where it ends; null when more bytes are needed. */
export function firstMessage(
  bytes: Uint8Array,
): { readonly message: Uint8Array; readonly end: number } | null {
  const first = bytes[0]
  if (first === undefined) return null
  const digits = first < 128 ? 0 : 256 - first
  if (digits > 8) throw new Error('gob: a number of more than eight bytes')
  if (bytes.length < 1 + digits) return null
  let length = first < 128 ? first : 0
  for (let index = 1; index <= digits; index++) length = length * 256 + (bytes[index] ?? 0)
  if (length > longestMessage)
    throw new Error(`gob: a message of ${length} bytes is longer than ${longestMessage}`)
  const end = 1 + digits + length
  if (bytes.length < end) return null
  return { message: bytes.subarray(1 + digits, end), end }
}
