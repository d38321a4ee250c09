/** Splits a template into items, with the positions and error texts of Go's text/template/parse. */

export type ItemKind =
  | 'error'
  | 'eof'
  | 'text'
  | 'left-delim'
  | 'right-delim'
  | 'space'
  | 'assign'
  | 'declare'
  | 'pipe'
  | 'left-paren'
  | 'right-paren'
  | 'char'
  | 'string'
  | 'raw-string'
  | 'char-constant'
  | 'number'
  | 'complex'
  | 'bool'
  | 'field'
  | 'variable'
  | 'identifier'
  | Keyword

type Keyword =
  | 'dot'
  | 'nil'
  | 'block'
  | 'break'
  | 'continue'
  | 'define'
  | 'else'
  | 'end'
  | 'if'
  | 'range'
  | 'template'
  | 'with'

const KEYWORDS: ReadonlySet<string> = new Set<Keyword>([
  'nil',
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'range',
  'template',
  'with',
])

/** `at` counts UTF-16 units from the start of the template; `line` starts at 1. */
export interface Item {
  readonly kind: ItemKind
  readonly text: string
  readonly at: number
  readonly line: number
}

export function isKeywordItem(item: Item): boolean {
  return item.kind === 'dot' || KEYWORDS.has(item.kind)
}

const SPACE = ' \t\r\n'
const ALPHANUMERIC = /^[\p{L}\p{Nd}_]$/u

export class Lexer {
  readonly #input: string
  #at = 0
  #insideAction = false
  #parenDepth = 0
  #failed: Item | undefined
  #lineAt = 0
  #line = 1

  constructor(input: string) {
    this.#input = input
  }

  next(): Item {
    if (this.#failed) return this.#failed
    return this.#insideAction ? this.#lexAction() : this.#lexText()
  }

  #item(kind: ItemKind, start: number): Item {
    return { kind, text: this.#input.slice(start, this.#at), at: start, line: this.#lineOf(start) }
  }

  #error(text: string, start: number): Item {
    this.#failed = { kind: 'error', text, at: start, line: this.#lineOf(start) }
    return this.#failed
  }

  /** Items start in rising order, so newlines are counted once over the whole template. */
  #lineOf(at: number): number {
    for (; this.#lineAt < at; this.#lineAt++) {
      if (this.#input.charCodeAt(this.#lineAt) === 10) this.#line++
    }
    return this.#line
  }

  #lexText(): Item {
    for (;;) {
      const start = this.#at
      const delim = this.#input.indexOf('{{', start)
      if (delim < 0) {
        this.#at = this.#input.length
        return this.#item(this.#at > start ? 'text' : 'eof', start)
      }
      const trims = this.#input[delim + 2] === '-' && isSpace(this.#input[delim + 3])
      let end = delim
      if (trims) while (end > start && isSpace(this.#input[end - 1])) end--
      this.#at = end
      if (end > start) {
        const text = this.#item('text', start)
        this.#at = delim
        return text
      }
      this.#at = delim + 2
      const afterMarker = delim + (trims ? 4 : 2)
      if (!this.#input.startsWith('/*', afterMarker)) {
        const item = this.#item('left-delim', delim)
        this.#at = afterMarker
        this.#insideAction = true
        this.#parenDepth = 0
        return item
      }
      const problem = this.#skipComment(afterMarker)
      if (problem) return problem
    }
  }

  #skipComment(start: number): Item | undefined {
    const close = this.#input.indexOf('*/', start + 2)
    if (close < 0) return this.#error('unclosed comment', start)
    this.#at = close + 2
    const delim = this.#rightDelim()
    if (!delim) return this.#error('comment ends before closing delimiter', start)
    this.#closeAction(delim)
    return undefined
  }

  #rightDelim(): 'plain' | 'trimming' | undefined {
    const input = this.#input
    if (isSpace(input[this.#at]) && input.startsWith('-}}', this.#at + 1)) return 'trimming'
    return input.startsWith('}}', this.#at) ? 'plain' : undefined
  }

  #closeAction(delim: 'plain' | 'trimming'): Item {
    const start = this.#at + (delim === 'trimming' ? 2 : 0)
    this.#at = start + 2
    const item = this.#item('right-delim', start)
    if (delim === 'trimming') while (isSpace(this.#input[this.#at])) this.#at++
    this.#insideAction = false
    return item
  }

  #lexAction(): Item {
    const start = this.#at
    const delim = this.#rightDelim()
    if (delim) {
      return this.#parenDepth === 0
        ? this.#closeAction(delim)
        : this.#error('unclosed left paren', start)
    }
    const rune = this.#rune()
    if (rune === '') return this.#error('unclosed action', start)
    if (isSpace(rune)) return this.#lexSpace(start)
    this.#at += rune.length
    switch (rune) {
      case '=':
        return this.#item('assign', start)
      case ':':
        if (this.#rune() !== '=') return this.#error('expected :=', start)
        this.#at++
        return this.#item('declare', start)
      case '|':
        return this.#item('pipe', start)
      case '"':
        return this.#lexQuoted(start, '"', 'string', 'unterminated quoted string')
      case "'":
        return this.#lexQuoted(start, "'", 'char-constant', 'unterminated character constant')
      case '`': {
        const close = this.#input.indexOf('`', this.#at)
        if (close < 0) return this.#error('unterminated raw quoted string', start)
        this.#at = close + 1
        return this.#item('raw-string', start)
      }
      case '$':
        return this.#lexName(start, 'variable')
      case '(':
        this.#parenDepth++
        return this.#item('left-paren', start)
      case ')':
        this.#parenDepth--
        return this.#parenDepth < 0
          ? this.#error('unexpected right paren', start)
          : this.#item('right-paren', start)
    }
    const next = this.#input[this.#at]
    if (rune === '.' && next !== undefined && !isDigit(next)) return this.#lexName(start, 'field')
    if (rune === '.' || rune === '+' || rune === '-' || isDigit(rune)) {
      this.#at = start
      return this.#lexNumber(start)
    }
    if (ALPHANUMERIC.test(rune)) return this.#lexIdentifier(start)
    if (rune >= ' ' && rune <= '~') return this.#item('char', start)
    return this.#error(`unrecognized character in action: ${describeRune(rune)}`, start)
  }

  #lexSpace(start: number): Item {
    while (isSpace(this.#input[this.#at])) this.#at++
    // The last space may belong to a closing " -}}".
    if (this.#input.startsWith('-}}', this.#at)) {
      this.#at--
      if (this.#at === start) return this.#closeAction('trimming')
    }
    return this.#item('space', start)
  }

  #lexQuoted(start: number, mark: string, kind: ItemKind, unterminated: string): Item {
    for (;;) {
      let char = this.#input[this.#at++]
      if (char === mark) return this.#item(kind, start)
      if (char === '\\') {
        char = this.#input[this.#at++]
        if (char !== undefined && char !== '\n') continue
      }
      if (char === undefined || char === '\n') return this.#error(unterminated, start)
    }
  }

  #lexIdentifier(start: number): Item {
    this.#skipAlphanumeric()
    const word = this.#input.slice(start, this.#at)
    if (!this.#atTerminator()) return this.#badCharacter(start)
    if (KEYWORDS.has(word)) return this.#item(word as Keyword, start)
    return this.#item(word === 'true' || word === 'false' ? 'bool' : 'identifier', start)
  }

  #lexName(start: number, kind: 'field' | 'variable'): Item {
    if (this.#atTerminator()) return this.#item(kind === 'variable' ? 'variable' : 'dot', start)
    this.#skipAlphanumeric()
    return this.#atTerminator() ? this.#item(kind, start) : this.#badCharacter(start)
  }

  #badCharacter(start: number): Item {
    return this.#error(`bad character ${describeRune(this.#rune())}`, start)
  }

  #lexNumber(start: number): Item {
    const complete = this.#scanNumber()
    const sign = this.#input[this.#at]
    if (complete && sign !== '+' && sign !== '-') return this.#item('number', start)
    if (complete && this.#scanNumber() && this.#input[this.#at - 1] === 'i') {
      return this.#item('complex', start)
    }
    const text = this.#input.slice(start, this.#at)
    return this.#error(`bad number syntax: ${JSON.stringify(text)}`, start)
  }

  #scanNumber(): boolean {
    const number =
      /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?/y
    number.lastIndex = this.#at
    number.exec(this.#input)
    this.#at = Math.max(number.lastIndex, this.#at)
    const following = this.#rune()
    if (!ALPHANUMERIC.test(following)) return true
    this.#at += following.length
    return false
  }

  #skipAlphanumeric(): void {
    for (let rune = this.#rune(); ALPHANUMERIC.test(rune); rune = this.#rune()) {
      this.#at += rune.length
    }
  }

  #atTerminator(): boolean {
    const rune = this.#rune()
    if (rune === '' || isSpace(rune) || '.,|:)('.includes(rune)) return true
    return this.#input.startsWith('}}', this.#at)
  }

  #rune(): string {
    const code = this.#input.codePointAt(this.#at)
    return code === undefined ? '' : String.fromCodePoint(code)
  }
}

function isSpace(char: string | undefined): boolean {
  return char !== undefined && char !== '' && SPACE.includes(char)
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= '0' && char <= '9'
}

/** Go's %#U: `U+002D '-'`. */
function describeRune(rune: string): string {
  if (rune === '') return 'U+FFFFFFFFFFFFFFFF'
  const code = (rune.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(rune) ? `U+${code} '${rune}'` : `U+${code}`
}
