/** RE2 syntax (Go's regexp) into a tree. Everything is counted in code points. */

export type Assertion =
  | 'line-start'
  | 'line-end'
  | 'text-start'
  | 'text-end'
  | 'word-boundary'
  | 'no-word-boundary'

export type RegexNode =
  | { readonly kind: 'empty' }
  | { readonly kind: 'one'; readonly test: (code: number) => boolean }
  | { readonly kind: 'assert'; readonly assertion: Assertion }
  | { readonly kind: 'concat'; readonly nodes: readonly RegexNode[] }
  | { readonly kind: 'alternate'; readonly nodes: readonly RegexNode[] }
  | { readonly kind: 'capture'; readonly index: number; readonly node: RegexNode }
  | {
      readonly kind: 'repeat'
      readonly node: RegexNode
      readonly min: number
      readonly max: number
      readonly greedy: boolean
    }

export type ParsedRegex =
  | {
      readonly ok: true
      readonly node: RegexNode
      /** Names of the groups by index; 0 is the whole match. */
      readonly groups: readonly (string | undefined)[]
    }
  | { readonly ok: false; readonly problem: string }

export function parseRegex(source: string): ParsedRegex {
  const parser = new RegexParser(source)
  try {
    const node = parser.parse()
    return { ok: true, node, groups: parser.groups }
  } catch (error) {
    if (error instanceof RegexFailure) {
      return { ok: false, problem: `error parsing regexp: ${error.message}` }
    }
    // The JavaScript stack ends on absurdly nested groups, where Go counts to 1000.
    return { ok: false, problem: 'error parsing regexp: expression nests too deeply' }
  }
}

class RegexFailure extends Error {
  override readonly name = 'RegexFailure'
}

interface Flags {
  readonly fold: boolean
  readonly multiline: boolean
  readonly dotAll: boolean
  readonly ungreedy: boolean
}

const MAX_REPEAT = 1000

class RegexParser {
  readonly #chars: readonly string[]
  #at = 0
  #flags: Flags = { fold: false, multiline: false, dotAll: false, ungreedy: false }
  readonly groups: (string | undefined)[] = [undefined]

  constructor(source: string) {
    this.#chars = [...source]
  }

  parse(): RegexNode {
    const node = this.#alternation()
    if (this.#at < this.#chars.length) {
      throw new RegexFailure(`unexpected ): \`${this.#chars.join('')}\``)
    }
    return node
  }

  #fail(message: string, from: number, to = this.#at): never {
    throw new RegexFailure(`${message}: \`${this.#chars.slice(from, to).join('')}\``)
  }

  #looking(text: string): boolean {
    return [...text].every((char, i) => this.#chars[this.#at + i] === char)
  }

  #alternation(): RegexNode {
    const nodes: RegexNode[] = [this.#concatenation()]
    while (this.#chars[this.#at] === '|') {
      this.#at++
      nodes.push(this.#concatenation())
    }
    return nodes.length === 1 ? (nodes[0] ?? { kind: 'empty' }) : { kind: 'alternate', nodes }
  }

  #concatenation(): RegexNode {
    const nodes: RegexNode[] = []
    while (this.#at < this.#chars.length && !'|)'.includes(this.#chars[this.#at] ?? '')) {
      if (this.#looking('\\Q')) {
        this.#at += 2
        while (this.#at < this.#chars.length && !this.#looking('\\E')) {
          nodes.push(this.#repeated(this.#literal(this.#chars[this.#at++] ?? '')))
        }
        if (this.#looking('\\E')) this.#at += 2
        continue
      }
      const node = this.#atom()
      if (node) nodes.push(this.#repeated(node))
    }
    return { kind: 'concat', nodes }
  }

  #repeated(atom: RegexNode): RegexNode {
    let node = atom
    let previous = -1
    for (;;) {
      const start = this.#at
      const range = this.#quantifier()
      if (!range) return node
      const lazy = this.#chars[this.#at] === '?'
      if (lazy) this.#at++
      if (previous >= 0) this.#fail('invalid nested repetition operator', previous)
      previous = start
      node = { kind: 'repeat', node, ...range, greedy: lazy === this.#flags.ungreedy }
    }
  }

  #quantifier(): { min: number; max: number } | undefined {
    const start = this.#at
    switch (this.#chars[start]) {
      case '*':
        this.#at++
        return { min: 0, max: Infinity }
      case '+':
        this.#at++
        return { min: 1, max: Infinity }
      case '?':
        this.#at++
        return { min: 0, max: 1 }
      case '{': {
        const braces = /^\{(\d{1,9})(?:(,)(\d{0,9}))?\}/.exec(
          this.#chars.slice(start, start + 22).join(''),
        )
        if (!braces) return undefined
        const min = Number(braces[1])
        const max = braces[2] === undefined ? min : braces[3] === '' ? Infinity : Number(braces[3])
        this.#at += braces[0].length
        const largest = max === Infinity ? min : max
        if (largest > MAX_REPEAT || max < min) this.#fail('invalid repeat count', start)
        return { min, max }
      }
      default:
        return undefined
    }
  }

  /** undefined: a flag group, which matches nothing itself. */
  #atom(): RegexNode | undefined {
    const start = this.#at
    const char = this.#chars[this.#at++] ?? ''
    switch (char) {
      case '(':
        return this.#group(start)
      case '[':
        return this.#class(start)
      case '.': {
        const { dotAll } = this.#flags
        return { kind: 'one', test: (code) => dotAll || code !== 10 }
      }
      case '^':
        return { kind: 'assert', assertion: this.#flags.multiline ? 'line-start' : 'text-start' }
      case '$':
        return { kind: 'assert', assertion: this.#flags.multiline ? 'line-end' : 'text-end' }
      case '\\':
        return this.#escape(start)
      case '*':
      case '+':
      case '?':
        return this.#fail('missing argument to repetition operator', start)
      case '{': {
        this.#at = start
        const range = this.#quantifier()
        if (range) return this.#fail('missing argument to repetition operator', start)
        this.#at = start + 1
        return this.#literal(char)
      }
      default:
        return this.#literal(char)
    }
  }

  #literal(char: string): RegexNode {
    const wanted = char.codePointAt(0) ?? 0
    return this.#one((code) => code === wanted)
  }

  #one(test: (code: number) => boolean): RegexNode {
    return { kind: 'one', test: this.#flags.fold ? folded(test) : test }
  }

  #group(start: number): RegexNode | undefined {
    const outer = this.#flags
    let index: number | undefined
    if (this.#chars[this.#at] !== '?') {
      index = this.groups.push(undefined) - 1
    } else {
      const rest = this.#chars.slice(this.#at, this.#at + 200).join('')
      const named = /^\?P?<([^>]*)>/.exec(rest)
      if (named) {
        this.#at += [...named[0]].length
        const name = named[1] ?? ''
        if (!/^\w+$/.test(name)) this.#fail('invalid named capture', start)
        index = this.groups.push(name) - 1
      } else if (/^\?P?</.test(rest)) this.#fail('invalid named capture', start, this.#chars.length)
      else if (this.#readFlags(start)) return undefined
    }
    const node = this.#alternation()
    if (this.#chars[this.#at] !== ')') this.#fail('missing closing )', 0, this.#chars.length)
    this.#at++
    this.#flags = outer
    return index === undefined ? node : { kind: 'capture', index, node }
  }

  /** `(?i)` sets flags for the rest of the group (true), `(?i:` for a group of its own (false). */
  #readFlags(start: number): boolean {
    this.#at++
    const flags = { ...this.#flags }
    let on = true
    for (;;) {
      const char = this.#chars[this.#at++]
      if (char === 'i') flags.fold = on
      else if (char === 'm') flags.multiline = on
      else if (char === 's') flags.dotAll = on
      else if (char === 'U') flags.ungreedy = on
      else if (char === '-' && on) on = false
      else if (char === ':' || char === ')') {
        this.#flags = flags
        return char === ')'
      } else {
        return this.#fail('invalid or unsupported Perl syntax', start)
      }
    }
  }

  #escape(start: number): RegexNode {
    switch (this.#chars[this.#at]) {
      case 'A':
        this.#at++
        return { kind: 'assert', assertion: 'text-start' }
      case 'z':
        this.#at++
        return { kind: 'assert', assertion: 'text-end' }
      case 'b':
        this.#at++
        return { kind: 'assert', assertion: 'word-boundary' }
      case 'B':
        this.#at++
        return { kind: 'assert', assertion: 'no-word-boundary' }
    }
    const set = this.#escapedSet(start)
    if (set) return this.#one(set)
    const code = this.#escapedCode(start)
    return this.#one((c) => c === code)
  }

  /** `\d`, `\pL`, `\p{Greek}`; undefined when the escape names one character. */
  #escapedSet(start: number): ((code: number) => boolean) | undefined {
    const letter = this.#chars[this.#at] ?? ''
    const perl = PERL_CLASSES[letter.toLowerCase()]
    if (perl && /[a-zA-Z]/.test(letter)) {
      this.#at++
      return letter >= 'a' ? perl : (code) => !perl(code)
    }
    if (letter !== 'p' && letter !== 'P') return undefined
    this.#at++
    let name = this.#chars[this.#at++] ?? ''
    if (name === '{') {
      const close = this.#chars.indexOf('}', this.#at)
      if (close < 0) this.#fail('invalid character class range', start, this.#chars.length)
      name = this.#chars.slice(this.#at, close).join('')
      this.#at = close + 1
    }
    const negated = name.startsWith('^') !== (letter === 'P')
    const property = unicodeProperty(name.replace(/^\^/, ''))
    if (!property) return this.#fail('invalid character class range', start)
    const test = (code: number) => property.test(String.fromCodePoint(code))
    return negated ? (code) => !test(code) : test
  }

  #escapedCode(start: number): number {
    const char = this.#chars[this.#at++]
    if (char === undefined) throw new RegexFailure('trailing backslash at end of expression: ``')
    const simple = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 }[char]
    if (simple !== undefined) return simple
    if (char === 'x') return this.#hexCode(start)
    if (/[1-7]/.test(char) && /[0-7]/.test(this.#chars[this.#at] ?? ''))
      return this.#octalCode(char)
    if (char === '0') return this.#octalCode(char)
    if (/[A-Za-z0-9]/.test(char) || (char.codePointAt(0) ?? 0) > 127)
      this.#fail('invalid escape sequence', start)
    return char.codePointAt(0) ?? 0
  }

  #octalCode(first: string): number {
    let digits = first
    while (digits.length < 3 && /[0-7]/.test(this.#chars[this.#at] ?? '')) {
      digits += this.#chars[this.#at++]
    }
    return Number.parseInt(digits, 8)
  }

  #hexCode(start: number): number {
    const rest = this.#chars.slice(this.#at, this.#at + 12).join('')
    const match = /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,8})\})/.exec(rest)
    const code = Number.parseInt(match?.[1] ?? match?.[2] ?? '', 16)
    if (!match || code > 0x10ffff) {
      this.#at += /^\{[0-9a-fA-F]*/.exec(rest)?.[0].length ?? 0
      return this.#fail('invalid escape sequence', start)
    }
    this.#at += match[0].length
    return code
  }

  #class(start: number): RegexNode {
    const negated = this.#chars[this.#at] === '^'
    if (negated) this.#at++
    const tests: ((code: number) => boolean)[] = []
    for (let first = true; first || this.#chars[this.#at] !== ']'; first = false) {
      if (this.#at >= this.#chars.length) this.#fail('missing closing ]', start)
      tests.push(this.#classItem())
    }
    this.#at++
    const union = (code: number) => tests.some((test) => test(code))
    const test = this.#flags.fold ? folded(union) : union
    return { kind: 'one', test: negated ? (code) => !test(code) : test }
  }

  #classItem(): (code: number) => boolean {
    const start = this.#at
    if (this.#looking('[:')) {
      const posix = /^\[:(\^?)(.*?):\]/s.exec(this.#chars.slice(start, start + 64).join(''))
      if (posix) {
        this.#at += posix[0].length
        const test = POSIX_CLASSES[posix[2] ?? '']
        if (!test) return this.#fail('invalid character class range', start)
        const pattern = test
        return posix[1] === '^'
          ? (code) => !pattern.test(String.fromCodePoint(code))
          : (code) => pattern.test(String.fromCodePoint(code))
      }
    }
    if (this.#chars[this.#at] === '\\') {
      this.#at++
      const set = this.#escapedSet(start)
      if (set) return set
      this.#at = start
    }
    const low = this.#classCode()
    if (this.#chars[this.#at] !== '-' || this.#chars[this.#at + 1] === ']')
      return (code) => code === low
    if (this.#chars[this.#at + 1] === undefined)
      return this.#fail('missing closing ]', 0, this.#chars.length)
    this.#at++
    const high = this.#classCode()
    if (high < low) this.#fail('invalid character class range', start)
    return (code) => code >= low && code <= high
  }

  #classCode(): number {
    const start = this.#at
    const char = this.#chars[this.#at++]
    if (char === undefined) return this.#fail('missing closing ]', 0, this.#chars.length)
    return char === '\\' ? this.#escapedCode(start) : (char.codePointAt(0) ?? 0)
  }
}

const PERL_CLASSES: Readonly<Record<string, (code: number) => boolean>> = {
  d: (code) => code >= 48 && code <= 57,
  s: (code) => code === 32 || code === 9 || code === 10 || code === 12 || code === 13,
  w: isWord,
}

/** Of `\w` and `\b`: ASCII only, as in RE2. */
export function isWord(code: number): boolean {
  return (
    (code >= 48 && code <= 57) ||
    (code >= 65 && code <= 90) ||
    code === 95 ||
    (code >= 97 && code <= 122)
  )
}

const POSIX_CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /^[0-9A-Za-z]$/,
  alpha: /^[A-Za-z]$/,
  ascii: /^\p{ASCII}$/u,
  blank: /^[\t ]$/,
  cntrl: /^(?=\p{ASCII})\p{Cc}$/u,
  digit: /^[0-9]$/,
  graph: /^[!-~]$/,
  lower: /^[a-z]$/,
  print: /^[ -~]$/,
  punct: /^[!-/:-@[-`{-~]$/,
  space: /^[\t\n\v\f\r ]$/,
  upper: /^[A-Z]$/,
  word: /^[0-9A-Za-z_]$/,
  xdigit: /^[0-9A-Fa-f]$/,
}

function unicodeProperty(name: string): RegExp | undefined {
  if (name === 'Any') return /^[\s\S]$/u
  for (const property of [`General_Category=${name}`, `Script=${name}`]) {
    try {
      return new RegExp(`^\\p{${property}}$`, 'u')
    } catch {
      // Not a name of that kind; the caller reports a name of neither.
    }
  }
  return undefined
}

/** Unicode's simple case folding, one character to one. */
function folded(test: (code: number) => boolean): (code: number) => boolean {
  return (code) => test(code) || variants(code).some(test)
}

function variants(code: number): number[] {
  const char = String.fromCodePoint(code)
  const upper = char.toUpperCase()
  return [char.toLowerCase(), upper, upper.toLowerCase(), ...(ODD_FOLDS[char.toLowerCase()] ?? '')]
    .filter((variant) => [...variant].length === 1)
    .map((variant) => variant.codePointAt(0) ?? 0)
}

/** Letters with a third form that neither case of JavaScript reaches: Kelvin sign and long s. */
const ODD_FOLDS: Readonly<Record<string, string>> = { k: '\u212a', s: '\u017f' }
