import { Budget } from './budget.ts'
import { isAscii } from './go-text.ts'
import { Panic } from './value.ts'

/*
 * `matches` takes RE2 syntax and must answer in linear time. JavaScript's regular expressions differ in
 * both respects (`\z`, `\Q...\E`, POSIX classes, `(?P<n>)`; catastrophic backtracking), so patterns are
 * compiled to a small machine of our own that follows all alternatives at once. Only the question
 * whether there is a match is ever asked, which keeps it short.
 */

/** A compiled pattern. */
export interface Pattern {
  readonly program: readonly Instruction[]
}

type Instruction =
  | { kind: 'char'; test: CharTest }
  | { kind: 'split'; first: number; second: number }
  | { kind: 'jump'; to: number }
  | { kind: 'assert'; assertion: Assertion }
  | { kind: 'match' }

type CharTest = (code: number) => boolean
type Assertion =
  | 'textStart'
  | 'textEnd'
  | 'lineStart'
  | 'lineEnd'
  | 'wordBoundary'
  | 'noWordBoundary'

type Tree =
  | { kind: 'empty' }
  | { kind: 'char'; test: CharTest }
  | { kind: 'assert'; assertion: Assertion }
  | { kind: 'concat'; parts: readonly Tree[] }
  | { kind: 'alternate'; parts: readonly Tree[] }
  | { kind: 'repeat'; part: Tree; min: number; max: number | null }

const MAX_NESTING = 1000
const MAX_REPEAT = 1000
const MAX_INSTRUCTIONS = 250_000
const MAX_CODE = 0x10ffff

/** Go's message for a bad pattern, `null` for a good one. */
export function checkPattern(source: string): string | null {
  try {
    compilePattern(source)
    return null
  } catch (error) {
    if (error instanceof Panic) return error.message
    throw error
  }
}

/** Throws `Panic` with Go's message for a bad pattern. Source: Go's regexp/syntax, Perl flags. */
export function compilePattern(source: string): Pattern {
  const tree = new PatternParser(source).parse()
  const program: Instruction[] = []
  emit(tree, program, source)
  program.push({ kind: 'match' })
  return { program }
}

/**
 * Whether the RE2 pattern matches anywhere in the text; null for a bad pattern, or one that is too much work.
 * `checkPattern` says what is wrong with it.
 */
export function matchesPattern(source: string, text: string): boolean | null {
  try {
    return matches(compilePattern(source), text, new Budget())
  } catch (error) {
    if (error instanceof Panic) return null
    throw error
  }
}

/** Is there a match anywhere in the text? */
export function matches({ program }: Pattern, text: string, budget: Budget): boolean {
  const codes = Array.from(text, (char) => char.codePointAt(0) ?? 0)
  const seen = new Int32Array(program.length).fill(-1)
  const pending: number[] = []
  let states: number[] = []
  for (let at = 0; at <= codes.length; at++) {
    const next: number[] = []
    // A match may begin anywhere.
    states.push(0)
    const reached: number[] = []
    for (const state of states) {
      pending.push(state)
      while (pending.length > 0) {
        const index = pending.pop() ?? 0
        if (seen[index] === at) continue
        seen[index] = at
        const instruction = program[index]
        if (instruction?.kind === 'match') return true
        if (instruction?.kind === 'jump') pending.push(instruction.to)
        else if (instruction?.kind === 'split') pending.push(instruction.second, instruction.first)
        else if (instruction?.kind === 'assert') {
          if (holds(instruction.assertion, codes, at)) pending.push(index + 1)
        } else reached.push(index)
      }
    }
    budget.spend(1 + reached.length)
    const code = codes[at]
    if (code === undefined) return false
    for (const index of reached) {
      const instruction = program[index]
      if (instruction?.kind === 'char' && instruction.test(code)) next.push(index + 1)
    }
    states = next
  }
  return false
}

function holds(assertion: Assertion, codes: readonly number[], at: number): boolean {
  switch (assertion) {
    case 'textStart':
      return at === 0
    case 'textEnd':
      return at === codes.length
    case 'lineStart':
      return at === 0 || codes[at - 1] === 0x0a
    case 'lineEnd':
      return at === codes.length || codes[at] === 0x0a
    case 'wordBoundary':
      return isWord(codes[at - 1]) !== isWord(codes[at])
    case 'noWordBoundary':
      return isWord(codes[at - 1]) === isWord(codes[at])
    default:
      throw new TypeError(`unknown assertion: ${assertion satisfies never}`)
  }
}

/** RE2 knows ASCII words only. */
function isWord(code: number | undefined): boolean {
  return code !== undefined && inRanges(WORD, code)
}

function emit(tree: Tree, program: Instruction[], source: string): void {
  if (program.length > MAX_INSTRUCTIONS) throw patternError('expression too large', source)
  switch (tree.kind) {
    case 'empty':
      return
    case 'char':
    case 'assert':
      program.push(tree)
      return
    case 'concat':
      for (const part of tree.parts) emit(part, program, source)
      return
    case 'alternate': {
      const exits: { kind: 'jump'; to: number }[] = []
      for (const [i, part] of tree.parts.entries()) {
        if (i === tree.parts.length - 1) {
          emit(part, program, source)
          continue
        }
        const split = { kind: 'split' as const, first: program.length + 1, second: 0 }
        program.push(split)
        emit(part, program, source)
        const exit = { kind: 'jump' as const, to: 0 }
        exits.push(exit)
        program.push(exit)
        split.second = program.length
      }
      for (const exit of exits) exit.to = program.length
      return
    }
    case 'repeat': {
      for (let i = 0; i < tree.min; i++) emit(tree.part, program, source)
      if (tree.max === null) {
        const split = { kind: 'split' as const, first: program.length + 1, second: 0 }
        const start = program.length
        program.push(split)
        emit(tree.part, program, source)
        program.push({ kind: 'jump', to: start })
        split.second = program.length
        return
      }
      const splits: { kind: 'split'; first: number; second: number }[] = []
      for (let i = tree.min; i < tree.max; i++) {
        const split = { kind: 'split' as const, first: program.length + 1, second: 0 }
        splits.push(split)
        program.push(split)
        emit(tree.part, program, source)
      }
      for (const split of splits) split.second = program.length
      return
    }
    default:
      throw new TypeError(`unknown tree: ${JSON.stringify(tree satisfies never)}`)
  }
}

function patternError(what: string, text: string): Panic {
  return new Panic(`error parsing regexp: ${what}: \`${text}\``)
}

type Range = readonly [low: number, high: number]

const DIGIT: readonly Range[] = [[0x30, 0x39]]
const WORD: readonly Range[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]
const SPACE: readonly Range[] = [
  [0x09, 0x0a],
  [0x0c, 0x0d],
  [0x20, 0x20],
]

const POSIX: Readonly<Record<string, readonly Range[]>> = {
  alnum: [
    [0x30, 0x39],
    [0x41, 0x5a],
    [0x61, 0x7a],
  ],
  alpha: [
    [0x41, 0x5a],
    [0x61, 0x7a],
  ],
  ascii: [[0x00, 0x7f]],
  blank: [
    [0x09, 0x09],
    [0x20, 0x20],
  ],
  cntrl: [
    [0x00, 0x1f],
    [0x7f, 0x7f],
  ],
  digit: DIGIT,
  graph: [[0x21, 0x7e]],
  lower: [[0x61, 0x7a]],
  print: [[0x20, 0x7e]],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
  space: [
    [0x09, 0x0d],
    [0x20, 0x20],
  ],
  upper: [[0x41, 0x5a]],
  word: WORD,
  xdigit: [
    [0x30, 0x39],
    [0x41, 0x46],
    [0x61, 0x66],
  ],
}

function inRanges(ranges: readonly Range[], code: number): boolean {
  return ranges.some(([low, high]) => code >= low && code <= high)
}

interface Flags {
  readonly fold: boolean
  readonly multiLine: boolean
  readonly dotNewline: boolean
}

class PatternParser {
  readonly #source: string
  readonly #chars: readonly string[]
  #at = 0
  #flags: Flags = { fold: false, multiLine: false, dotNewline: false }
  #nesting = 0

  constructor(source: string) {
    this.#source = source
    this.#chars = Array.from(source)
  }

  parse(): Tree {
    const tree = this.#alternation()
    if (this.#at < this.#chars.length) throw patternError('unexpected )', this.#source)
    return tree
  }

  #peek(ahead = 0): string | undefined {
    return this.#chars[this.#at + ahead]
  }

  #text(from: number, to = this.#at): string {
    return this.#chars.slice(from, to).join('')
  }

  #startsWith(text: string): boolean {
    return this.#text(this.#at, this.#at + text.length) === text
  }

  #alternation(): Tree {
    this.#nesting++
    if (this.#nesting > MAX_NESTING) throw patternError('expression nests too deeply', this.#source)
    const parts = [this.#concatenation()]
    while (this.#peek() === '|') {
      this.#at++
      parts.push(this.#concatenation())
    }
    this.#nesting--
    const [only] = parts
    return parts.length === 1 && only !== undefined ? only : { kind: 'alternate', parts }
  }

  #concatenation(): Tree {
    const parts: Tree[] = []
    let lastRepeat: number | null = null
    for (;;) {
      const char = this.#peek()
      if (char === undefined || char === '|' || char === ')') return { kind: 'concat', parts }
      const start = this.#at
      const repeat = this.#repeatCounts()
      if (repeat === null) {
        this.#item(parts)
        lastRepeat = null
        continue
      }
      if (this.#peek() === '?') this.#at++
      if (lastRepeat !== null) {
        throw patternError('invalid nested repetition operator', this.#text(lastRepeat))
      }
      const part = parts.pop()
      if (part === undefined)
        throw patternError('missing argument to repetition operator', this.#text(start))
      const tree: Tree = { kind: 'repeat', part, ...repeat }
      if ((repeat.min >= 2 || (repeat.max ?? 0) >= 2) && !fitsRepeats(tree, MAX_REPEAT)) {
        throw patternError('invalid repeat count', this.#text(start))
      }
      parts.push(tree)
      lastRepeat = start
    }
  }

  /** `*`, `+`, `?` or a valid `{n,m}`; `null` leaves the place unchanged. */
  #repeatCounts(): { min: number; max: number | null } | null {
    const start = this.#at
    switch (this.#peek()) {
      case '*':
        this.#at++
        return { min: 0, max: null }
      case '+':
        this.#at++
        return { min: 1, max: null }
      case '?':
        this.#at++
        return { min: 0, max: 1 }
      case '{':
        break
      default:
        return null
    }
    // Numbers do not begin with a zero; anything else makes the brace a literal.
    const match = /^\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}/.exec(this.#text(start, start + 64))
    if (match === null) return null
    const [whole, low, comma, high] = match
    this.#at += whole.length
    const min = Number(low)
    const max = comma === undefined ? min : high === undefined ? null : Number(high)
    if (min > MAX_REPEAT || (max !== null && (max > MAX_REPEAT || min > max))) {
      throw patternError('invalid repeat count', whole)
    }
    return { min, max }
  }

  #item(parts: Tree[]): void {
    const char = this.#peek() ?? ''
    switch (char) {
      case '(':
        this.#group(parts)
        return
      case '^':
        this.#at++
        parts.push({ kind: 'assert', assertion: this.#flags.multiLine ? 'lineStart' : 'textStart' })
        return
      case '$':
        this.#at++
        parts.push({ kind: 'assert', assertion: this.#flags.multiLine ? 'lineEnd' : 'textEnd' })
        return
      case '.': {
        this.#at++
        const { dotNewline } = this.#flags
        parts.push({ kind: 'char', test: (code) => dotNewline || code !== 0x0a })
        return
      }
      case '[':
        parts.push({ kind: 'char', test: this.#class() })
        return
      case '\\':
        this.#backslash(parts)
        return
      default:
        this.#at++
        parts.push(this.#literal(char.codePointAt(0) ?? 0))
    }
  }

  #literal(code: number): Tree {
    if (!this.#flags.fold) return { kind: 'char', test: (other) => other === code }
    const same = new Set(foldings(code))
    return { kind: 'char', test: (other) => same.has(other) }
  }

  #group(parts: Tree[]): void {
    const outer = this.#flags
    if (this.#peek(1) === '?') {
      if (!this.#groupFlags()) return
    } else this.#at++
    const tree = this.#alternation()
    if (this.#peek() !== ')') throw patternError('missing closing )', this.#source)
    this.#at++
    this.#flags = outer
    // A group is one item even when it is empty.
    parts.push({ kind: 'concat', parts: [tree] })
  }

  /** What follows `(?`. False if it sets flags without opening a group. */
  #groupFlags(): boolean {
    const start = this.#at
    const named =
      this.#startsWith('(?P<') && this.#chars.length - start > 4
        ? 4
        : this.#startsWith('(?<') && this.#chars.length - start > 3
          ? 3
          : 0
    if (named > 0) {
      const end = this.#chars.indexOf('>', start)
      if (end < 0)
        throw patternError('invalid named capture', this.#text(start, this.#chars.length))
      if (!/^[A-Za-z0-9_]+$/.test(this.#text(start + named, end))) {
        throw patternError('invalid named capture', this.#text(start, end + 1))
      }
      this.#at = end + 1
      return true
    }
    this.#at += 2
    let on = true
    let sawFlag = false
    let { fold, multiLine, dotNewline } = this.#flags
    for (;;) {
      const char = this.#peek()
      if (char === undefined) break
      this.#at++
      if (char === 'i') fold = on
      else if (char === 'm') multiLine = on
      else if (char === 's') dotNewline = on
      else if (char === '-' && on) {
        on = false
        sawFlag = false
        continue
      } else if ((char === ':' || char === ')') && (on || sawFlag)) {
        this.#flags = { fold, multiLine, dotNewline }
        return char === ':'
      } else if (char !== 'U') break
      sawFlag = true
    }
    throw patternError('invalid or unsupported Perl syntax', this.#text(start))
  }

  #backslash(parts: Tree[]): void {
    const next = this.#peek(1)
    const assertion = next === undefined ? undefined : ASSERTIONS.get(next)
    if (assertion !== undefined) {
      this.#at += 2
      parts.push({ kind: 'assert', assertion })
      return
    }
    if (next === 'C') throw patternError('invalid escape sequence', '\\C')
    if (next === 'Q') {
      this.#at += 2
      while (this.#at < this.#chars.length && !this.#startsWith('\\E')) {
        parts.push(this.#literal((this.#peek() ?? '').codePointAt(0) ?? 0))
        this.#at++
      }
      this.#at = Math.min(this.#at + 2, this.#chars.length)
      return
    }
    const group = this.#unicodeClass() ?? this.#perlClass()
    parts.push(group === null ? this.#literal(this.#escape()) : { kind: 'char', test: group })
  }

  /** `\d`, `\w`, `\s` and their opposites. */
  #perlClass(): CharTest | null {
    const name = this.#peek() === '\\' ? this.#peek(1) : undefined
    const ranges = name === undefined ? undefined : PERL.get(name.toLowerCase())
    if (name === undefined || ranges === undefined) return null
    this.#at += 2
    return this.#ranged(ranges, name !== name.toLowerCase())
  }

  /** `\pL`, `\p{Greek}`, `\P{...}`, `\p{^...}`. */
  #unicodeClass(): CharTest | null {
    const sign = this.#peek() === '\\' ? this.#peek(1) : undefined
    if (sign !== 'p' && sign !== 'P') return null
    const start = this.#at
    if (this.#peek(2) === undefined) return null
    let name: string
    if (this.#peek(2) === '{') {
      const end = this.#chars.indexOf('}', start)
      if (end < 0)
        throw patternError('invalid character class range', this.#text(start, this.#chars.length))
      name = this.#text(start + 3, end)
      this.#at = end + 1
    } else {
      name = this.#peek(2) ?? ''
      this.#at += 3
    }
    let negated = sign === 'P'
    if (name.startsWith('^')) {
      negated = !negated
      name = name.slice(1)
    }
    const test = unicodeTest(name)
    if (test === null) throw patternError('invalid character class range', this.#text(start))
    const folding = this.#flags.fold
    return (code) => (folding ? foldings(code).some(test) : test(code)) !== negated
  }

  #ranged(ranges: readonly Range[], negated: boolean): CharTest {
    if (!this.#flags.fold) return (code) => inRanges(ranges, code) !== negated
    return (code) => foldings(code).some((same) => inRanges(ranges, same)) !== negated
  }

  #class(): CharTest {
    const start = this.#at
    this.#at++
    const negated = this.#peek() === '^'
    if (negated) this.#at++
    const ranges: Range[] = []
    const tests: CharTest[] = []
    let first = true
    while (this.#peek() !== ']' || first) {
      first = false
      const named = this.#posixClass()
      const test = named ?? this.#unicodeClass() ?? this.#perlClass()
      if (test !== null) {
        tests.push(test)
        continue
      }
      const from = this.#at
      const low = this.#classCharacter(start)
      let high = low
      if (this.#peek() === '-' && this.#peek(1) !== ']' && this.#peek(1) !== undefined) {
        this.#at++
        high = this.#classCharacter(start)
        if (high < low) throw patternError('invalid character class range', this.#text(from))
      }
      ranges.push([low, high])
    }
    this.#at++
    tests.push(this.#ranged(ranges, false))
    return (code) => tests.some((test) => test(code)) !== negated
  }

  #classCharacter(classStart: number): number {
    const char = this.#peek()
    if (char === undefined) {
      throw patternError('missing closing ]', this.#text(classStart, this.#chars.length))
    }
    if (char === '\\') return this.#escape()
    this.#at++
    return char.codePointAt(0) ?? 0
  }

  /** `[:alpha:]` inside a class. */
  #posixClass(): CharTest | null {
    if (this.#peek() !== '[' || this.#peek(1) !== ':') return null
    let end = this.#at + 2
    while (end < this.#chars.length && !(this.#chars[end] === ':' && this.#chars[end + 1] === ']'))
      end++
    if (end >= this.#chars.length) return null
    const whole = this.#text(this.#at, end + 2)
    const [, sign, name = ''] = /^\[:(\^?)(.*):\]$/s.exec(whole) ?? []
    const ranges = Object.hasOwn(POSIX, name) ? POSIX[name] : undefined
    if (ranges === undefined) throw patternError('invalid character class range', whole)
    this.#at = end + 2
    return this.#ranged(ranges, sign === '^')
  }

  #escape(): number {
    const start = this.#at
    this.#at++
    const char = this.#peek()
    if (char === undefined) throw patternError('trailing backslash at end of expression', '')
    this.#at++
    const bad = (): Panic => patternError('invalid escape sequence', this.#text(start))
    const simple = ESCAPES.get(char)
    if (simple !== undefined) return simple
    const octal = /^[0-7]$/
    if (octal.test(char)) {
      // A single digit other than zero would be a backreference.
      if (char !== '0' && !octal.test(this.#peek() ?? '')) throw bad()
      let code = Number(char)
      for (let i = 0; i < 2 && octal.test(this.#peek() ?? ''); i++) {
        code = code * 8 + Number(this.#peek())
        this.#at++
      }
      return code
    }
    if (char === 'x') return this.#hexEscape(bad)
    if (isAscii(char) && !/^[0-9A-Za-z]$/.test(char)) return char.charCodeAt(0)
    throw bad()
  }

  #hexEscape(bad: () => Panic): number {
    const digit = (): number => {
      const char = this.#peek()
      if (char === undefined) throw bad()
      this.#at++
      return /^[0-9a-fA-F]$/.test(char) ? Number.parseInt(char, 16) : -1
    }
    if (this.#peek() !== '{') {
      const high = digit()
      const low = digit()
      if (high < 0 || low < 0) throw bad()
      return high * 16 + low
    }
    this.#at++
    let code = 0
    let count = 0
    while (this.#peek() !== '}') {
      const value = digit()
      code = code * 16 + value
      count++
      if (value < 0 || code > MAX_CODE) throw bad()
    }
    this.#at++
    if (count === 0) throw bad()
    return code
  }
}

const ASSERTIONS = new Map<string, Assertion>([
  ['A', 'textStart'],
  ['z', 'textEnd'],
  ['b', 'wordBoundary'],
  ['B', 'noWordBoundary'],
])

const PERL = new Map([
  ['d', DIGIT],
  ['s', SPACE],
  ['w', WORD],
])

const ESCAPES = new Map([
  ['a', 0x07],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
  ['v', 0x0b],
])

/** Nested repeats multiply; RE2 refuses more than 1000 copies in all. */
function fitsRepeats(tree: Tree, limit: number): boolean {
  switch (tree.kind) {
    case 'repeat': {
      const count = tree.max ?? tree.min
      if (tree.max === 0) return true
      if (count > limit) return false
      return fitsRepeats(tree.part, count > 0 ? Math.floor(limit / count) : limit)
    }
    case 'concat':
    case 'alternate':
      return tree.parts.every((part) => fitsRepeats(part, limit))
    default:
      return true
  }
}

/** Categories and scripts by the names that Go knows; `null` for any other. */
function unicodeTest(name: string): CharTest | null {
  if (name === 'Any') return () => true
  if (!/^[A-Z][A-Za-z_]*$/.test(name)) return null
  for (const property of ['General_Category', 'Script']) {
    try {
      const pattern = new RegExp(`^\\p{${property}=${name}}$`, 'u')
      return (code) => pattern.test(String.fromCodePoint(code))
    } catch {
      // No such category or script.
    }
  }
  return null
}

/** Characters that are the same letter to RE2 although upper and lower case do not connect them. */
const EXTRA_FOLDINGS: readonly string[] = [
  'sSſ',
  'kK\u212a',
  'åÅ\u212b',
  'µμΜ',
  'ςσΣ',
  'βϐΒ',
  'θϑΘϴ',
  'φϕΦ',
  'πϖΠ',
  'κϰΚ',
  'ρϱΡ',
  'εϵΕ',
  'ṡẛṠ',
  'ιΙ\u0345\u1fbe',
  'ωΩ\u2126',
  'ßẞ',
  'ǆǅǄ',
  'ǉǈǇ',
  'ǌǋǊ',
  'ǳǲǱ',
]

const FOLDED_TOGETHER: ReadonlyMap<number, readonly number[]> = new Map(
  EXTRA_FOLDINGS.flatMap((group) => {
    const codes = Array.from(group, (char) => char.codePointAt(0) ?? 0)
    return codes.map((code): [number, readonly number[]] => [code, codes])
  }),
)

/** A character and all that differ from it by case only. */
function foldings(code: number): readonly number[] {
  const together = FOLDED_TOGETHER.get(code)
  if (together !== undefined) return together
  const char = String.fromCodePoint(code)
  const found = [code]
  for (const other of [char.toLowerCase(), char.toUpperCase()]) {
    const otherCode = other.codePointAt(0) ?? code
    // Only simple case changes count: one character to one character.
    if (otherCode !== code && String.fromCodePoint(otherCode) === other) found.push(otherCode)
  }
  return found
}
