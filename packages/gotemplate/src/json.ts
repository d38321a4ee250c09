import { formatFloat } from './float.ts'
import { bytesOf, quote } from './go-string.ts'
import { sortedEntries } from './print-value.ts'
import { FunctionFailure, type Run, spendText } from './run.ts'
import { versionText } from './semver.ts'
import { formatTime } from './time/layout.ts'
import { bytesIn, type GoList, type GoMap, isObject, typeName, type Value } from './value.ts'

/** Go's encoding/json: sorted keys, `<`, `>` and `&` escaped unless asked otherwise. */
export function encodeJson(
  value: Value,
  options: { escapeHtml: boolean; run: Run; indent?: string },
): string {
  return encode(value, options, '\n')
}

interface Options {
  readonly escapeHtml: boolean
  readonly run: Run
  readonly indent?: string
}

function encode(value: Value, options: Options, newLine: string): string {
  options.run.spend(1)
  if (value === undefined || value === null) return 'null'
  switch (typeof value) {
    case 'boolean':
      return String(value)
    case 'string':
      return encodeString(value, options)
    case 'bigint':
      return value.toString()
    case 'number':
      return encodeFloat(value)
  }
  if (!isObject(value)) return 'null'
  switch (value.kind) {
    case 'json-number':
      return encodeFloat(value.value)
    case 'integer':
      return value.value.toString()
    case 'list':
      return encodeList(value, options, newLine)
    case 'map':
      return encodeMap(value, options, newLine)
    case 'time':
      return JSON.stringify(formatTime(value, '2006-01-02T15:04:05.999999999Z07:00'))
    case 'version':
      return encodeString(versionText(value), options)
    case 'func':
      throw new FunctionFailure(`json: unsupported type: ${typeName(value)}`)
  }
}

function encodeFloat(value: number): string {
  if (!Number.isFinite(value)) {
    throw new FunctionFailure(`json: unsupported value: ${formatFloat(value, 'g', -1)}`)
  }
  return Object.is(value, -0) ? '-0' : String(value)
}

function encodeString(text: string, { escapeHtml, run }: Options): string {
  spendText(run, text.length)
  const json = `"${text.isWellFormed() ? escaped(text) : Array.from(text, escaped).join('')}"`
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
  if (!escapeHtml) return json
  return json.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('&', '\\u0026')
}

function escaped(text: string): string {
  return text.isWellFormed() ? JSON.stringify(text).slice(1, -1) : '\\ufffd'
}

function encodeList(values: GoList, options: Options, newLine: string): string {
  if (values.isNil) return 'null'
  const bytes = bytesIn(values)
  if (bytes) return JSON.stringify(Buffer.from(bytes).toString('base64'))
  const inner = newLine + (options.indent ?? '')
  const items = values.items.map((item) => encode(item, options, inner))
  return enclose('[', items, ']', { options, newLine, inner })
}

function encodeMap(map: GoMap, options: Options, newLine: string): string {
  if (map.isNil) return 'null'
  const inner = newLine + (options.indent ?? '')
  const colon = options.indent === undefined ? ':' : ': '
  const entries = sortedEntries(map).map(
    ([key, value]) => encodeString(key, options) + colon + encode(value, options, inner),
  )
  return enclose('{', entries, '}', { options, newLine, inner })
}

function enclose(
  open: string,
  parts: readonly string[],
  close: string,
  { options, newLine, inner }: { options: Options; newLine: string; inner: string },
): string {
  if (options.indent === undefined || parts.length === 0) return open + parts.join(',') + close
  return open + inner + parts.join(`,${inner}`) + newLine + close
}

/** Go's message for a text that JSON.parse has refused. */
export function jsonProblem(text: string): string {
  const scanner = new Scanner(text)
  try {
    scanner.scan()
  } catch (error) {
    if (error instanceof JsonFailure) return error.message
  }
  return 'unexpected end of JSON input'
}

class JsonFailure extends Error {
  override readonly name = 'JsonFailure'
}

const JSON_WORDS: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' }

class Scanner {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(text: string) {
    this.#bytes = bytesOf(text)
  }

  scan(): void {
    this.#value('looking for beginning of value')
    this.#space()
    if (this.#at < this.#bytes.length) this.#invalid('after top-level value')
  }

  #char(): string {
    const byte = this.#bytes[this.#at]
    return byte === undefined ? '' : String.fromCharCode(byte)
  }

  #invalid(context: string): never {
    // At the end Go looks at an imaginary space, which only literals and escapes cannot take.
    const strict =
      /^(in literal|in numeric|after decimal|in exponent|in string escape|in \\u)/.test(context)
    const char = this.#char() === '' && strict ? ' ' : this.#char()
    if (char === '') throw new JsonFailure('unexpected end of JSON input')
    throw new JsonFailure(`invalid character ${quote(char, { mark: "'" })} ${context}`)
  }

  #space(): void {
    while (this.#char() !== '' && ' \t\r\n'.includes(this.#char())) this.#at++
  }

  #value(context: string): void {
    this.#space()
    const char = this.#char()
    const word = JSON_WORDS[char]
    if (char === '"') this.#string()
    else if (char === '{') this.#object()
    else if (char === '[') this.#array()
    else if (word !== undefined) this.#word(word)
    else if (char === '-' || /[0-9]/.test(char)) this.#number()
    else this.#invalid(context)
  }

  #word(word: string): void {
    for (const [index, expected] of [...word].entries()) {
      if (this.#char() !== expected) {
        this.#invalid(index === 0 ? '' : `in literal ${word} (expecting '${expected}')`)
      }
      this.#at++
    }
  }

  #digits(): void {
    while (/[0-9]/.test(this.#char())) this.#at++
  }

  #number(): void {
    if (this.#char() === '-') this.#at++
    if (!/[0-9]/.test(this.#char())) this.#invalid('in numeric literal')
    if (this.#char() === '0') this.#at++
    else this.#digits()
    if (this.#char() === '.') {
      this.#at++
      if (!/[0-9]/.test(this.#char())) this.#invalid('after decimal point in numeric literal')
      this.#digits()
    }
    if (/[eE]/.test(this.#char())) {
      this.#at++
      if (/[+-]/.test(this.#char())) this.#at++
      if (!/[0-9]/.test(this.#char())) this.#invalid('in exponent of numeric literal')
      this.#digits()
    }
  }

  #string(): void {
    this.#at++
    for (;;) {
      const char = this.#char()
      if (char === '' || char < ' ') this.#invalid('in string literal')
      this.#at++
      if (char === '"') return
      if (char !== '\\') continue
      if (this.#char() === '' || !'"\\/bfnrtu'.includes(this.#char()))
        this.#invalid('in string escape code')
      const unicode = this.#char() === 'u'
      this.#at++
      for (let i = 0; unicode && i < 4; i++, this.#at++) {
        if (!/[0-9a-fA-F]/.test(this.#char())) this.#invalid('in \\u hexadecimal character escape')
      }
    }
  }

  #object(): void {
    this.#at++
    this.#space()
    if (this.#char() === '}') {
      this.#at++
      return
    }
    for (;;) {
      this.#space()
      if (this.#char() !== '"') this.#invalid('looking for beginning of object key string')
      this.#string()
      this.#space()
      if (this.#char() !== ':') this.#invalid('after object key')
      this.#at++
      this.#value('looking for beginning of value')
      this.#space()
      if (this.#char() === '}') break
      if (this.#char() !== ',') this.#invalid('after object key:value pair')
      this.#at++
    }
    this.#at++
  }

  #array(): void {
    this.#at++
    this.#space()
    if (this.#char() === ']') {
      this.#at++
      return
    }
    for (;;) {
      this.#value('looking for beginning of value')
      this.#space()
      if (this.#char() === ']') break
      if (this.#char() !== ',') this.#invalid('after array element')
      this.#at++
    }
    this.#at++
  }
}
