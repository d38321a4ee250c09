import type { Span } from './ast.ts'
import { fromBytes, isPrintable, quote } from './go-text.ts'
import { CompileError } from './problem.ts'

export type TokenKind =
  | 'Identifier'
  | 'Number'
  | 'String'
  | 'Bytes'
  | 'Operator'
  | 'Bracket'
  | 'EOF'

export interface Token {
  readonly kind: TokenKind
  /** The text; of a string what it denotes, of bytes one character for each byte. */
  readonly text: string
  readonly at: Span
}

/** The tokens up to the end or up to the first mistake. */
interface Tokens {
  readonly tokens: readonly Token[]
  readonly mistake: CompileError | null
}

const WORD_OPERATORS = new Set([
  'not',
  'in',
  'or',
  'and',
  'matches',
  'contains',
  'startsWith',
  'endsWith',
  'let',
  'if',
  'else',
])

/** Source: spec analysis-and-experiments 3.5. Never throws. */
export function tokenize(source: string): Tokens {
  const lexer = new Lexer(source)
  try {
    lexer.run()
    return { tokens: lexer.tokens, mistake: null }
  } catch (error) {
    if (error instanceof CompileError) return { tokens: lexer.tokens, mistake: error }
    throw error
  }
}

export function tokenText(token: Token): string {
  if (token.text === '') return token.kind
  const text =
    token.kind === 'Bytes'
      ? fromBytes(Uint8Array.from(token.text, (char) => char.charCodeAt(0)))
      : token.text
  return `${token.kind}(${quote(text)})`
}

function isWordCharacter(char: string | undefined): boolean {
  return char !== undefined && /^[_$\p{L}\p{Nd}]$/u.test(char)
}

export function isIdentifier(text: string): boolean {
  return /^[_$\p{L}][_$\p{L}\p{Nd}]*$/u.test(text)
}

class Lexer {
  readonly tokens: Token[] = []
  readonly #chars: readonly string[]
  #start = 0
  #end = 0

  constructor(source: string) {
    this.#chars = Array.from(source)
  }

  run(): void {
    while (this.#end < this.#chars.length) {
      this.#start = this.#end
      this.#token()
    }
    const from = Math.max(0, this.#chars.length - 1)
    this.tokens.push({ kind: 'EOF', text: '', at: { from, to: this.#chars.length } })
  }

  #token(): void {
    const char = this.#peek() ?? ''
    const next = this.#chars[this.#end + 1]
    if (/^\p{White_Space}$/u.test(char)) this.#end++
    else if (char === '"' || char === "'") this.#string(char)
    else if (char === '`') this.#rawString()
    else if ((char === 'b' || char === 'B') && (next === '"' || next === "'")) this.#bytes(next)
    else if (/^[0-9]$/.test(char)) this.#number()
    else if (char === '?') this.#operator('.?')
    else if (char === '/') this.#slash()
    else if (char === '#') this.#pointer()
    else if (char === '|') this.#operator('|')
    else if (char === ':') this.#operator(':')
    else if ('([{)]}'.includes(char)) {
      this.#end++
      this.#emit('Bracket')
    } else if (',;%+-^'.includes(char)) this.#operator('')
    else if ('&!=*<>'.includes(char)) this.#operator('&=*')
    else if (char === '.') {
      if (/^[0-9]$/.test(next ?? '')) {
        this.#end++
        this.#number()
      } else this.#operator('.')
    } else if (isWordCharacter(char)) {
      while (isWordCharacter(this.#peek())) this.#end++
      this.#emit(WORD_OPERATORS.has(this.#word()) ? 'Operator' : 'Identifier')
    } else {
      this.#end++
      const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
      this.#fail(`unrecognized character: U+${code}${isPrintable(char) ? ` '${char}'` : ''}`)
    }
  }

  /** One character and, if it is among `second`, the next. */
  #operator(second: string): void {
    this.#end++
    this.#accept(second)
    this.#emit('Operator')
  }

  #slash(): void {
    this.#end++
    if (this.#accept('/')) {
      while (this.#end < this.#chars.length && this.#peek() !== '\n') this.#end++
    } else if (this.#accept('*')) {
      while (!(this.#peek() === '*' && this.#chars[this.#end + 1] === '/')) {
        if (this.#end >= this.#chars.length) this.#fail('unclosed comment', 1)
        this.#end++
      }
      this.#end += 2
    } else this.#emit('Operator')
  }

  #pointer(): void {
    this.#operator('#')
    this.#start = this.#end
    while (isWordCharacter(this.#peek())) this.#end++
    if (this.#end > this.#start) this.#emit('Identifier')
  }

  #number(): void {
    let digits = '0123456789_'
    if (this.#accept('0')) {
      if (this.#accept('xX')) digits = '0123456789abcdefABCDEF_'
      else if (this.#accept('oO')) digits = '01234567_'
      else if (this.#accept('bB')) digits = '01_'
    }
    this.#acceptRun(digits)
    // `1..3` is a range, not a float and a stray dot.
    if (this.#peek() === '.' && this.#chars[this.#end + 1] === '.') {
      this.#emit('Number')
      return
    }
    if (this.#accept('.')) this.#acceptRun(digits)
    if (this.#accept('eE')) {
      this.#accept('+-')
      this.#acceptRun(digits)
    }
    if (isWordCharacter(this.#peek())) {
      this.#end++
      this.#fail(`bad number syntax: ${quote(this.#word())}`)
    }
    this.#emit('Number')
  }

  #string(mark: string): void {
    this.#end++
    this.#scanString(mark)
    this.#emit(
      'String',
      unescapeText(this.#inner(1), () => this.#fail('unable to unescape string')),
    )
  }

  #bytes(mark: string): void {
    this.#end += 2
    this.#scanString(mark)
    this.#emit(
      'Bytes',
      unescapeBytes(this.#inner(2), () => this.#fail('unable to unescape string')),
    )
  }

  /** What stands between the quotes, with the line ends that Go's scanner normalizes. */
  #inner(opening: number): string {
    return this.#chars
      .slice(this.#start + opening, this.#end - 1)
      .join('')
      .replace(/\r\n?/g, '\n')
  }

  /** Checks the syntax of a string up to and with the closing quote. */
  #scanString(mark: string): void {
    for (;;) {
      const char = this.#next()
      if (char === mark) return
      if (char === undefined || char === '\n')
        this.#fail('literal not terminated', char === undefined ? 1 : 0)
      if (char === '\\') this.#scanEscape(mark)
    }
  }

  #scanEscape(mark: string): void {
    const char = this.#next()
    if (char !== undefined && `abfnrtv\\${mark}`.includes(char)) return
    if (char !== undefined && /^[0-7]$/.test(char)) this.#digits(/^[0-7]$/, 2)
    else if (char === 'x') this.#digits(HEX, 2)
    else if (char === 'U') this.#digits(HEX, 8)
    else if (char !== 'u') this.#fail('invalid char escape', char === undefined ? 1 : 0)
    else if (!this.#accept('{')) this.#digits(HEX, 4)
    else {
      let count = 0
      while (this.#peek() !== '}') {
        if (!HEX.test(this.#peek() ?? '') || count === 6) this.#fail('invalid char escape')
        this.#end++
        count++
      }
      if (count === 0) this.#fail('invalid char escape')
      this.#end++
    }
  }

  #digits(digit: RegExp, count: number): void {
    for (let i = 0; i < count; i++) {
      const char = this.#next()
      if (!digit.test(char ?? '')) this.#fail('invalid char escape', char === undefined ? 1 : 0)
    }
  }

  #rawString(): void {
    this.#end++
    let text = ''
    for (;;) {
      const char = this.#next()
      if (char === undefined) this.#fail('literal not terminated', 1)
      if (char === '`' && !this.#accept('`')) break
      text += char
    }
    this.#emit('String', text)
  }

  #peek(): string | undefined {
    return this.#chars[this.#end]
  }

  #next(): string | undefined {
    const char = this.#chars[this.#end]
    if (char !== undefined) this.#end++
    return char
  }

  #accept(valid: string): boolean {
    const char = this.#peek()
    if (char === undefined || !valid.includes(char)) return false
    this.#end++
    return true
  }

  #acceptRun(valid: string): void {
    while (this.#accept(valid));
  }

  #word(): string {
    return this.#chars.slice(this.#start, this.#end).join('')
  }

  #emit(kind: TokenKind, text = this.#word()): void {
    this.tokens.push({ kind, text, at: { from: this.#start, to: this.#end } })
  }

  /** `beyond`: 1 where the mistake is that the source ends. */
  #fail(message: string, beyond = 0): never {
    const to = this.#end + beyond
    throw new CompileError({ from: to - 1, to }, message)
  }
}

const HEX = /^[0-9a-fA-F]$/

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

const ESCAPE =
  /\\(?:u\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([\s\S]))/g

function unescapeText(text: string, fail: () => never): string {
  return text.replace(ESCAPE, (_, braced, x, u, U, octal, simple) => {
    if (simple !== undefined) return SIMPLE_ESCAPES[simple] ?? simple
    // Upstream's scanner takes any octal digit first, its decoder only what fits a byte.
    if (octal !== undefined && octal > '377') fail()
    const code =
      octal === undefined ? Number.parseInt(braced ?? x ?? u ?? U, 16) : Number.parseInt(octal, 8)
    if (code > 0x10ffff) fail()
    return String.fromCodePoint(code).toWellFormed()
  })
}

/** One character of the result for each byte. Only byte escapes are allowed. */
function unescapeBytes(text: string, fail: () => never): string {
  const utf8 = (part: string): string => String.fromCharCode(...new TextEncoder().encode(part))
  let out = ''
  let last = 0
  for (const match of text.matchAll(ESCAPE)) {
    const [whole, braced, x, u, U, octal, simple] = match
    out += utf8(text.slice(last, match.index))
    last = match.index + whole.length
    if (braced !== undefined || u !== undefined || U !== undefined) fail()
    if (simple !== undefined) out += SIMPLE_ESCAPES[simple] ?? simple
    else {
      const code = octal === undefined ? Number.parseInt(x ?? '', 16) : Number.parseInt(octal, 8)
      if (code > 255) fail()
      out += String.fromCharCode(code)
    }
  }
  return out + utf8(text.slice(last))
}
