/** Go strings are bytes in UTF-8 and Go prints and parses numbers its own way; this file does the same. */

const ESCAPED_BYTE = /[\udc80-\udcff]/
const SURROGATE = /[\ud800-\udfff]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is the definition of ASCII
const ASCII = /^[\x00-\x7f]*$/

export function isAscii(text: string): boolean {
  return ASCII.test(text)
}

/** The UTF-8 bytes of a string. */
export function toBytes(text: string): Uint8Array {
  if (text.isWellFormed()) return new TextEncoder().encode(text)
  const bytes: number[] = []
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0
    if (code >= 0xdc80 && code <= 0xdcff) bytes.push(code - 0xdc00)
    else bytes.push(...new TextEncoder().encode(char))
  }
  return Uint8Array.from(bytes)
}

/** The string behind UTF-8 bytes. Bytes that form no character are kept as lone surrogates. */
export function fromBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Not valid UTF-8: the slow way below.
  }
  const parts: string[] = []
  let at = 0
  while (at < bytes.length) {
    const size = characterSize(bytes, at)
    const code = bytes[at] ?? 0
    if (size === 0) {
      parts.push(String.fromCharCode(0xdc00 + code))
      at++
    } else {
      parts.push(
        new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at, at + size)),
      )
      at += size
    }
  }
  return parts.join('')
}

/** How many bytes the character at this place has; 0 if there is none. */
function characterSize(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0
  const size =
    first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  if (size <= 1 || at + size > bytes.length) return size === 1 ? 1 : 0
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(at, at + size))
    return size
  } catch {
    return 0
  }
}

/** Joins two strings; halves of one character that meet become that character again. */
export function concatenate(left: string, right: string): string {
  const joined = left + right
  if (!ESCAPED_BYTE.test(left) && !ESCAPED_BYTE.test(right)) return joined
  return joined.isWellFormed() ? joined : fromBytes(toBytes(joined))
}

export function byteLength(text: string): number {
  return isAscii(text) ? text.length : toBytes(text).length
}

/** Go compares strings byte by byte: negative, 0 or positive. */
export function compareStrings(left: string, right: string): number {
  if (!SURROGATE.test(left) && !SURROGATE.test(right))
    return left < right ? -1 : left > right ? 1 : 0
  const a = toBytes(left)
  const b = toBytes(right)
  for (let i = 0; i < a.length && i < b.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Number of characters; a stray byte counts as one. */
export function characterCount(text: string): number {
  if (!SURROGATE.test(text)) return text.length
  let count = 0
  for (const _ of text) count++
  return count
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
}

/** Go's `%q`: a double-quoted string literal. */
export function quote(text: string): string {
  let out = '"'
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0
    const short = SHORT_ESCAPES[char]
    if (short !== undefined) out += short
    else if (code >= 0xdc80 && code <= 0xdcff) out += `\\x${hex(code - 0xdc00, 2)}`
    else if (isPrintable(char)) out += char
    else if (code < 0x20 || code === 0x7f) out += `\\x${hex(code, 2)}`
    else if (code < 0x10000) out += `\\u${hex(code, 4)}`
    else out += `\\U${hex(code, 8)}`
  }
  return `${out}"`
}

export function isPrintable(char: string): boolean {
  return char === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(char)
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0')
}

/** Go's `%v` of a float64: the shortest digits, in exponent form below 1e-4 and from 1e6 on. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  if (Object.is(value, -0)) return '-0'
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e')
  const exponent = Number(exponentText)
  // In this range JavaScript prints plain decimals too.
  if (exponent >= -4 && exponent < 6) return String(value)
  const digits = String(Math.abs(exponent)).padStart(2, '0')
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`
}

/** Go's `strconv.ParseInt(text, 10, 64)`. */
export function parseInteger(
  text: string,
): { ok: true; value: bigint } | { ok: false; reason: string } {
  // Go notices that a number is too large before it sees what follows.
  const digits = /^[+-]?([0-9]*)/.exec(text)?.[1] ?? ''
  if (digits !== '' && BigInt(digits) >= 2n ** 64n)
    return { ok: false, reason: 'value out of range' }
  if (!/^[+-]?[0-9]+$/.test(text)) return { ok: false, reason: 'invalid syntax' }
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text)
  if (BigInt.asIntN(64, value) !== value) return { ok: false, reason: 'value out of range' }
  return { ok: true, value }
}

const DECIMAL_FLOAT = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i
const HEX_FLOAT = /^([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)p([+-]?[0-9]+)$/i

/** Go's `strconv.ParseFloat(text, 64)`. */
export function parseFloat64(
  text: string,
): { ok: true; value: number } | { ok: false; reason: string } {
  if (/^[+]?inf(inity)?$/i.test(text)) return { ok: true, value: Number.POSITIVE_INFINITY }
  if (/^-inf(inity)?$/i.test(text)) return { ok: true, value: Number.NEGATIVE_INFINITY }
  if (/^nan$/i.test(text)) return { ok: true, value: Number.NaN }
  const plain = withoutUnderscores(text)
  if (DECIMAL_FLOAT.test(plain)) return inRange(Number(plain))
  const [, sign, whole = '', fraction = '', exponent] = HEX_FLOAT.exec(plain) ?? []
  if (whole === '' && fraction === '') return { ok: false, reason: 'invalid syntax' }
  const magnitude =
    Number(BigInt(`0x${whole}${fraction}`)) * 2 ** (Number(exponent) - 4 * fraction.length)
  return inRange(sign === '-' ? -magnitude : magnitude)
}

/** Underscores may stand between digits only; elsewhere they stay and spoil the number. */
function withoutUnderscores(text: string): string {
  const between = /^[+-]?0x/i.test(text) ? /(?<=[0-9a-fx])_(?=[0-9a-f])/gi : /(?<=[0-9])_(?=[0-9])/g
  return text.replace(between, '')
}

function inRange(value: number): { ok: true; value: number } | { ok: false; reason: string } {
  return Number.isFinite(value) ? { ok: true, value } : { ok: false, reason: 'value out of range' }
}
