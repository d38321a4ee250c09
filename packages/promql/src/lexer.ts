// The tokens of a query, read only to say what is wrong with it in Prometheus' words. The structure comes from
// the grammar library, whose error recovery knows neither Prometheus' token names nor its lexical errors.

type TokenKind =
  | 'identifier'
  | 'metric identifier'
  | 'string'
  | 'number'
  | 'duration'
  | 'keyword'
  | 'operator'
  | 'aggregator'
  | 'punctuation'

export interface Token {
  readonly kind: TokenKind
  readonly text: string
  readonly from: number
  readonly to: number
  readonly inBraces: boolean
}

export interface LexicalError {
  readonly message: string
  readonly at: number
}

const AGGREGATORS =
  /^(sum|avg|count|min|max|group|stddev|stdvar|topk|bottomk|count_values|quantile|limitk|limit_ratio)$/i
const OPERATORS = /^(and|or|unless|atan2)$/i
const KEYWORDS =
  /^(offset|by|without|on|ignoring|group_left|group_right|bool|smoothed|anchored|fill|fill_left|fill_right)$/i
const NUMBER =
  /0[xX][0-9a-fA-F_]+|\d[\d_]*\.(?![\d_.eE])|(\d[\d_]*)?\.?\d[\d_]*([eE][+-]?\d[\d_]*)?/y
const DURATION = /\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdw]))*/y
const WORD = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
const SYMBOLS = [
  '==',
  '!=',
  '<=',
  '</',
  '>=',
  '>/',
  '=~',
  '!~',
  '(',
  ')',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '=',
  '<',
  '>',
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  '@',
]

/** Reads until the end or the first lexical error. */
export function tokenize(query: string): { tokens: Token[]; error?: LexicalError } {
  const tokens: Token[] = []
  let at = 0
  let depth = 0
  let braces = false
  let bracket = false
  let hasColon = false
  let hasDuration = false
  const failed = (message: string, where = at) => ({ tokens, error: { message, at: where } })
  const match = (shape: RegExp): string | undefined => {
    shape.lastIndex = at
    return shape.exec(query)?.[0]
  }
  const push = (kind: TokenKind, text: string): void => {
    tokens.push({ kind, text, from: at, to: at + text.length, inBraces: braces })
    at += text.length
  }

  while (true) {
    const skipped = /(?:[ \t\r\n]|#[^\r\n]*)*/y
    at += match(skipped)?.length ?? 0
    const character = String.fromCodePoint(query.codePointAt(at) ?? 0)
    if (at >= query.length) {
      if (braces) return failed('unexpected end of input inside braces')
      if (bracket) return failed('unexpected end of input in duration expression')
      if (depth > 0) return failed('unclosed left parenthesis')
      return { tokens }
    }
    if (character === '"' || character === "'" || character === '`') {
      const text = quoted(query, at)
      if (typeof text !== 'string') return failed(text.error, text.at)
      push('string', text)
      continue
    }
    if (/[0-9]/.test(character) || /^\.[0-9]/.test(query.slice(at, at + 2))) {
      const number = match(NUMBER) ?? ''
      const duration = match(DURATION) ?? ''
      const longest = duration.length > number.length ? duration : number
      const end = at + longest.length
      const tail = /[a-zA-Z0-9_.]*/y
      tail.lastIndex = end
      const rest = tail.exec(query)?.[0] ?? ''
      if (braces) return failed(`unexpected character inside braces: ${quoteRune(character)}`)
      // A second point or a letter after a unit was read before the mistake showed; other letters were not.
      const shown = rest[0] === '.' || longest === duration ? longest + rest[0] : longest
      if (rest !== '') return failed(`bad number or duration syntax: ${JSON.stringify(shown)}`)
      hasDuration = bracket
      push(longest === duration ? 'duration' : 'number', longest)
      continue
    }
    const text = match(WORD)
    if (text !== undefined && !(character === ':' && (bracket || braces))) {
      const word = braces || bracket ? (text.split(':')[0] as string) : text
      push(wordKind(word, braces), word)
      continue
    }
    const symbol = SYMBOLS.find((candidate) => query.startsWith(candidate, at))
    const next = query[at + 1]
    if (character === '!' && symbol === undefined)
      return failed(
        `unexpected character after '!'${braces ? ' inside braces' : ''}: ${next === undefined ? "'\ufffd'" : quoteRune(next)}`,
      )
    if (!braces && (symbol === '=~' || symbol === '!~'))
      return failed(`unexpected character after '${symbol[0]}': '~'`)
    if (braces && (symbol === undefined || !/^([=!]=?~?|[,{}])$/.test(symbol)))
      return failed(`unexpected character inside braces: ${quoteRune(character)}`)
    if (symbol === undefined)
      return failed(
        `unexpected character${bracket ? ' in duration expression' : ''}: ${quoteRune(character)}`,
      )
    switch (symbol) {
      case '{':
        if (braces) return failed("unexpected left brace '{'")
        push('punctuation', symbol)
        braces = true
        continue
      case '}':
        if (!braces) return failed("unexpected character: '}'")
        push('punctuation', symbol)
        braces = false
        continue
      case '[':
        if (bracket) return failed("unexpected character in duration expression: '['")
        bracket = true
        hasColon = false
        hasDuration = false
        break
      case ':':
        if (bracket && !hasDuration)
          return failed('unexpected colon before duration in duration expression', at + 1)
        if (bracket && hasColon)
          return failed('unexpected repeated colon in duration expression', at + 1)
        hasColon = true
        break
      case ']':
        if (!bracket) return failed("unexpected right bracket ']'")
        bracket = false
        break
      case '(':
        depth++
        break
      case ')':
        if (--depth < 0) return failed("unexpected right parenthesis ')'", at + 1)
        break
    }
    if (braces && symbol === '==') push('punctuation', '=')
    else push(/^[()[\],:]$/.test(symbol) || symbol === '=' ? 'punctuation' : 'operator', symbol)
  }
}

function wordKind(word: string, inBraces: boolean): TokenKind {
  if (inBraces) return 'identifier'
  if (/^(inf|nan)$/i.test(word)) return 'number'
  if (AGGREGATORS.test(word)) return 'aggregator'
  if (OPERATORS.test(word)) return 'operator'
  if (KEYWORDS.test(word)) return 'keyword'
  return word.includes(':') ? 'metric identifier' : 'identifier'
}

function quoted(query: string, from: number): string | { error: string; at: number } {
  const quote = query[from] as string
  for (let at = from + 1; at < query.length; at++) {
    const character = query[at]
    if (character === quote) return query.slice(from, at + 1)
    if (quote === '`') continue
    if (character === '\n') break
    if (character !== '\\') continue
    const sequence =
      /^\\(?:[abfnrtv\\]|[0-7]{3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/.exec(
        query.slice(at, at + 10),
      )
    const escaped = query[at + 1]
    if (escaped === undefined) return { error: 'escape sequence not terminated', at: from }
    if (escaped !== quote && sequence === null) {
      const code = (escaped.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')
      return /[0-7xuU]/.test(escaped)
        ? { error: 'escape sequence is an invalid Unicode code point', at: from }
        : { error: `unknown escape sequence U+${code} ${quoteRune(escaped)}`, at: from }
    }
    at += sequence === null ? 1 : sequence[0].length - 1
  }
  return {
    error: quote === '`' ? 'unterminated raw string' : 'unterminated quoted string',
    at: from,
  }
}

/** The text of a string token without its quotes and escapes. */
export function unquote(token: string): string {
  const body = token.slice(1, -1)
  if (token[0] === '`') return body
  const single: Readonly<Record<string, string>> = {
    a: '\u0007',
    b: '\b',
    f: '\f',
    n: '\n',
    r: '\r',
    t: '\t',
    v: '\v',
  }
  return body.replace(
    /\\(?:([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs,
    (_, octal, hex, short, long, plain) => {
      if (plain !== undefined) return single[plain as string] ?? (plain as string)
      const code =
        octal !== undefined ? Number.parseInt(octal, 8) : Number.parseInt(hex ?? short ?? long, 16)
      return code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd'
    },
  )
}

/** How an error message names a token: `<op:+>`, `identifier "bar"`, `"("`. */
export function describe(token: Token | undefined): string {
  if (token === undefined) return 'end of input'
  switch (token.kind) {
    case 'keyword':
      return `<${token.text}>`
    case 'operator':
      return `<op:${token.text}>`
    case 'aggregator':
      return `<aggr:${token.text}>`
    case 'punctuation':
      return JSON.stringify(token.text)
    case 'identifier':
    case 'metric identifier':
      return /^(start|end|step|range)$/i.test(token.text)
        ? JSON.stringify(token.text)
        : `${token.kind} ${JSON.stringify(token.text)}`
    case 'string':
    case 'number':
    case 'duration':
      return token.text.length > 10
        ? `${token.kind} ${JSON.stringify(token.text.slice(0, 10))}...`
        : `${token.kind} ${JSON.stringify(token.text)}`
    default:
      throw new TypeError(`unknown token: ${token.kind satisfies never}`)
  }
}

function quoteRune(character: string): string {
  if (character === '\n') return "'\\n'"
  return character === "'" ? "'\\''" : `'${character}'`
}
