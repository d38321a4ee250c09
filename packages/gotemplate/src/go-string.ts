/**
 * Go strings are byte strings; ours are JavaScript strings in which a byte that is not part of valid
 * UTF-8 (after `trunc 1 "é"` or the literal "\xff") is kept as the lone surrogate U+DC80…U+DCFF.
 * Well-formed text, the common case, needs no conversion anywhere.
 */

const ASCII = /^\p{ASCII}*$/u

function isAscii(text: string): boolean {
  return ASCII.test(text)
}

export function byteLength(text: string): number {
  return isAscii(text) ? text.length : bytesOf(text).length
}

export function bytesOf(text: string): Uint8Array {
  if (text.isWellFormed()) return new TextEncoder().encode(text)
  const bytes: number[] = []
  for (const rune of text) {
    const code = rune.codePointAt(0) ?? 0
    if (code >= 0xdc80 && code <= 0xdcff) bytes.push(code - 0xdc00)
    else for (const byte of new TextEncoder().encode(rune)) bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

export function stringOf(bytes: Uint8Array): string {
  const decoded = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  if (!decoded.includes('\ufffd')) return decoded
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const width = runeWidth(bytes, at)
    text +=
      width === 0
        ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0))
        : new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at, at + width))
    at += Math.max(width, 1)
  }
  return text
}

/** Joins halves of a character that were cut apart and stand side by side again. */
export function normalize(text: string): string {
  return text.isWellFormed() ? text : stringOf(bytesOf(text))
}

/** The text as it leaves the engine: bytes that are no UTF-8 become U+FFFD, as a JSON encoder does. */
export function wellFormed(text: string): string {
  return text.isWellFormed()
    ? text
    : new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytesOf(text))
}

/** Bytewise order, which for well-formed text is the order of code points and not of UTF-16 units. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0
  if (isAscii(a) && isAscii(b)) return a < b ? -1 : 1
  return Buffer.compare(bytesOf(a), bytesOf(b))
}

export function runeCount(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

export function isPrintable(rune: string): boolean {
  return PRINTABLE.test(rune)
}

export function hasControlCharacter(text: string): boolean {
  return Array.from(text).some((rune) => rune < ' ' || rune === '\x7f')
}

/** Go's strconv.CanBackquote: whether a raw literal can hold the text. */
export function canBackquote(text: string): boolean {
  if (!text.isWellFormed() || /[`\ufeff]/.test(text)) return false
  return !hasControlCharacter(text.replaceAll('\t', ''))
}

/** Go's strconv.Quote, or with `ascii` strconv.QuoteToASCII. */
export function quote(text: string, options: { ascii?: boolean; mark?: '"' | "'" } = {}): string {
  const mark = options.mark ?? '"'
  let quoted = mark as string
  for (const rune of text) quoted += quoteRune(rune, mark, options.ascii === true)
  return quoted + mark
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
}

function quoteRune(rune: string, mark: string, ascii: boolean): string {
  if (rune === mark) return `\\${mark}`
  const short = SHORT_ESCAPES[rune]
  if (short !== undefined) return short
  const code = rune.codePointAt(0) ?? 0
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`
  if (code < 0x80 ? code >= 0x20 && code < 0x7f : !ascii && isPrintable(rune)) return rune
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, '0')}`
  return `\\U${code.toString(16).padStart(8, '0')}`
}

/** Go's strconv.Unquote for "…" and `…`; undefined when the literal is malformed. */
export function unquote(literal: string): string | undefined {
  const mark = literal[0]
  const inner = literal.slice(1, -1)
  if (mark === '`') return inner.replaceAll('\r', '')
  let text = ''
  for (let rest = inner; rest !== ''; ) {
    const piece = unquoteRune(rest, '"')
    if (piece === undefined) return undefined
    text += piece.text
    rest = piece.rest
  }
  return normalize(text)
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
}

/** Reads one possibly escaped character; `code` is its number, a byte for \x and octal escapes. */
export function unquoteRune(
  text: string,
  mark: '"' | "'",
): { text: string; code: number; rest: string } | undefined {
  const code = text.codePointAt(0)
  if (code === undefined || text[0] === mark || text[0] === '\n') return undefined
  if (text[0] !== '\\') {
    const rune = String.fromCodePoint(code)
    return { text: rune, code, rest: text.slice(rune.length) }
  }
  const letter = text[1] ?? ''
  const simple = letter === mark ? mark : SIMPLE_ESCAPES[letter]
  if (simple !== undefined) {
    return { text: simple, code: simple.charCodeAt(0), rest: text.slice(2) }
  }
  const hexLength = letter === 'x' ? 2 : letter === 'u' ? 4 : letter === 'U' ? 8 : 0
  const digits =
    hexLength > 0
      ? new RegExp(`^[0-9a-fA-F]{${hexLength}}`).exec(text.slice(2))?.[0]
      : /^[0-7]{3}/.exec(text.slice(1))?.[0]
  if (digits === undefined) return undefined
  const value = Number.parseInt(digits, hexLength > 0 ? 16 : 8)
  const rest = text.slice((hexLength > 0 ? 2 : 1) + digits.length)
  if (hexLength > 2) {
    if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return undefined
    return { text: String.fromCodePoint(value), code: value, rest }
  }
  if (value > 255) return undefined
  return {
    text: value < 0x80 ? String.fromCharCode(value) : String.fromCharCode(0xdc00 + value),
    code: value,
    rest,
  }
}

/** Length of the valid UTF-8 sequence at a position, 0 when there is none. */
function runeWidth(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0
  if (first < 0x80) return 1
  const width = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0
  if (width === 0 || first > 0xf4 || at + width > bytes.length) return 0
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(at, at + width))
    return width
  } catch {
    return 0
  }
}
