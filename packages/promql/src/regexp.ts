// RE2 syntax, matched by following all threads at once (Pike's machine): time is linear in the text, so a
// label matcher typed by a user can never hang the process as a backtracking engine can. JavaScript's own
// RegExp also differs in what it accepts (`(?i)`, `(?P<x>)`, `\z`, `[[:alpha:]]` against look-around).

/** A pattern that matches whole strings only, `.` including line breaks: `^(?s:pattern)$` in RE2 terms. */
export interface WholePattern {
  matches(text: string): boolean
  /** The groups of a match (0 is the whole text), `null` where a group took no part; `null` without a match. */
  groups(text: string): readonly (string | null)[] | null
  /** Go's `Expand`: `$1`, `${1}`, `$name`, `${name}`, `$$`; an unknown group is empty. */
  expand(template: string, groups: readonly (string | null)[]): string
}

export class RegexpError extends Error {
  override readonly name = 'RegexpError'
}

/** Compiles RE2 syntax. Throws `RegexpError` with Go's text: ``error parsing regexp: missing closing ): `…` ``. */
export function compileWhole(pattern: string): WholePattern {
  const { root, names } = parse(pattern)
  const program = assemble(root, pattern)
  const groupCount = names.length
  const literals = literalAlternatives(root)
  const seen = new Map<string, boolean>()
  const test = literals
    ? (text: string) => literals.has(text)
    : (text: string) => run(program, text, 0) !== null
  return {
    matches(text) {
      const known = seen.get(text)
      if (known !== undefined) return known
      if (seen.size >= 1000) seen.clear()
      const result = test(text)
      seen.set(text, result)
      return result
    },
    groups(text) {
      const marks = run(program, text, groupCount)
      if (marks === null) return null
      const points = [...text]
      const found: (string | null)[] = []
      for (let i = 0; i < groupCount; i++) {
        const from = marks[2 * i] ?? -1
        const to = marks[2 * i + 1] ?? -1
        found.push(from < 0 || to < 0 ? null : points.slice(from, to).join(''))
      }
      return found
    },
    expand: (template, groups) => expandTemplate(template, { groups, names }),
  }
}

type Node =
  | { kind: 'empty' }
  | { kind: 'set'; has: (point: number) => boolean; literal?: string }
  | { kind: 'assert'; what: Assertion }
  | { kind: 'group'; index: number; body: Node }
  | { kind: 'repeat'; body: Node; min: number; max: number; greedy: boolean }
  | { kind: 'concat'; parts: readonly Node[] }
  | { kind: 'alternate'; parts: readonly Node[] }

type Assertion = 'textStart' | 'textEnd' | 'lineStart' | 'lineEnd' | 'word' | 'notWord'
interface Flags {
  i: boolean
  m: boolean
  s: boolean
  U: boolean
}

function parse(pattern: string): { root: Node; names: readonly string[] } {
  const points = [...pattern]
  const whole = `^(?s:${pattern})$`
  const names: string[] = ['']
  let at = 0
  let depth = 0

  const fail = (what: string, shown: string): never => {
    throw new RegexpError(`error parsing regexp: ${what}: \`${shown}\``)
  }

  function alternatives(flags: Flags): Node {
    const parts: Node[] = [sequence(flags)]
    while (points[at] === '|') {
      at++
      parts.push(sequence(flags))
    }
    return parts.length === 1 ? (parts[0] as Node) : { kind: 'alternate', parts }
  }

  function sequence(flags: Flags): Node {
    const parts: Node[] = []
    while (at < points.length && points[at] !== '|' && points[at] !== ')') {
      const atom = piece(flags)
      if (atom.kind !== 'empty') parts.push(repeated(atom, flags))
      else if (/[*+?]/.test(points[at] ?? ''))
        fail('missing argument to repetition operator', points[at] as string)
    }
    if (parts.length === 1) return parts[0] as Node
    return parts.length === 0 ? { kind: 'empty' } : { kind: 'concat', parts }
  }

  function repeated(atom: Node, flags: Flags): Node {
    const start = at
    const range = quantifier()
    if (range === null) return atom
    let greedy = !flags.U
    if (points[at] === '?') {
      at++
      greedy = !greedy
    }
    const body: Node = { kind: 'repeat', body: atom, ...range, greedy }
    const again = at
    if (quantifier() !== null)
      fail('invalid nested repetition operator', points.slice(start, Math.max(at, again)).join(''))
    return body
  }

  function quantifier(): { min: number; max: number } | null {
    const symbol = points[at]
    if (symbol === '*' || symbol === '+' || symbol === '?') {
      at++
      return {
        min: symbol === '+' ? 1 : 0,
        max: symbol === '?' ? 1 : Number.POSITIVE_INFINITY,
      }
    }
    if (symbol !== '{') return null
    const text = points.slice(at, at + 24).join('')
    const counted = /^\{(\d+)(,(\d*))?\}/.exec(text)
    if (counted === null) return null
    const min = Number(counted[1])
    const max =
      counted[2] === undefined
        ? min
        : counted[3] === ''
          ? Number.POSITIVE_INFINITY
          : Number(counted[3])
    if (min > 1000 || (max !== Number.POSITIVE_INFINITY && max > 1000) || min > max)
      fail('invalid repeat count', counted[0])
    at += counted[0].length
    return { min, max }
  }

  function piece(flags: Flags): Node {
    const symbol = points[at] as string
    switch (symbol) {
      case '(':
        return group(flags)
      case '[':
        return bracket(flags)
      case '.':
        at++
        return { kind: 'set', has: flags.s ? () => true : (point) => point !== 10 }
      case '^':
        at++
        return { kind: 'assert', what: flags.m ? 'lineStart' : 'textStart' }
      case '$':
        at++
        return { kind: 'assert', what: flags.m ? 'lineEnd' : 'textEnd' }
      case '\\':
        return escaping(flags)
      case '*':
      case '+':
      case '?':
        return fail('missing argument to repetition operator', symbol)
      default:
        at++
        return literal(symbol, flags)
    }
  }

  function group(flags: Flags): Node {
    if (++depth > 200) fail('expression nests too deeply', whole)
    at++
    let inner = flags
    let index = -1
    if (points[at] === '?') {
      const text = points.slice(at, at + 80).join('')
      const named = /^\?P?<([A-Za-z0-9_]+)>/.exec(text)
      const flagged = /^\?([imsU]*)(?:-([imsU]+))?([:)])/.exec(text)
      if (named !== null) {
        const name = named[1] as string
        if (names.includes(name)) fail('duplicate capture group name', name)
        index = names.push(name) - 1
        at += named[0].length
      } else if (flagged !== null) {
        at += flagged[0].length
        inner = { ...flags }
        for (const flag of flagged[1] ?? '') inner[flag as keyof Flags] = true
        for (const flag of flagged[2] ?? '') inner[flag as keyof Flags] = false
        if (flagged[3] === ')') {
          depth--
          // `(?i)` holds for the rest of the enclosing group.
          return rest(inner)
        }
      } else {
        fail('invalid or unsupported Perl syntax', `(${text.slice(0, text[1] === '<' ? 3 : 2)}`)
      }
    } else {
      index = names.push('') - 1
    }
    const body = alternatives(inner)
    if (points[at] !== ')') fail('missing closing )', whole)
    at++
    depth--
    return index < 0
      ? body.kind === 'empty'
        ? { kind: 'concat', parts: [] }
        : body
      : { kind: 'group', index, body }
  }

  function rest(flags: Flags): Node {
    const body = alternatives(flags)
    return body.kind === 'empty' ? body : { kind: 'concat', parts: [body] }
  }

  function escaping(flags: Flags): Node {
    const letter = points[at + 1]
    if (letter === undefined) return fail('trailing backslash at end of expression', '')
    const assertion = { A: 'textStart', z: 'textEnd', b: 'word', B: 'notWord' }[letter]
    if (assertion !== undefined) {
      at += 2
      return { kind: 'assert', what: assertion as Assertion }
    }
    if (letter === 'Q') {
      at += 2
      const parts: Node[] = []
      while (at < points.length && !(points[at] === '\\' && points[at + 1] === 'E'))
        parts.push(literal(points[at++] as string, flags))
      at = Math.min(points.length, at + 2)
      return { kind: 'concat', parts }
    }
    const set = namedSet()
    if (set !== null) return { kind: 'set', has: set }
    return literal(escaped(), flags)
  }

  /** `\d`, `\W`, `\pL`, `\P{Greek}`; null (nothing consumed) when the escape is a single character. */
  function namedSet(): ((point: number) => boolean) | null {
    const letter = points[at + 1] as string
    const perl = perlSets[letter.toLowerCase()]
    if (perl !== undefined && letter !== 'P' && letter !== 'p') {
      at += 2
      return letter === letter.toLowerCase() ? perl : (point) => !perl(point)
    }
    if (letter !== 'p' && letter !== 'P') return null
    const name = /^\{(\^?)(\w+)\}|^(\w)/.exec(points.slice(at + 2, at + 40).join(''))
    const shown = `\\${letter}${name?.[0] ?? ''}`
    if (name === null) return fail('invalid character class range', shown)
    const unicode = unicodeSet((name[2] ?? name[3]) as string)
    if (unicode === null) return fail('invalid character class range', shown)
    at += 2 + name[0].length
    const negated = (letter === 'P') !== (name[1] === '^')
    return negated ? (point) => !unicode(point) : unicode
  }

  function escaped(): string {
    const letter = points[at + 1] as string
    const text = points.slice(at, at + 14).join('')
    const hex = /^\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})/.exec(text)
    const octal = /^\\(0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(text)
    const code = hex
      ? Number.parseInt((hex[1] ?? hex[2]) as string, 16)
      : octal
        ? Number.parseInt(octal[1] as string, 8)
        : -1
    if (code >= 0 && code <= 0x10ffff) {
      at += (hex ?? octal)?.[0].length ?? 0
      return String.fromCodePoint(code)
    }
    const control = controlEscapes[letter]
    if (control === undefined && /[A-Za-z0-9]/.test(letter))
      fail('invalid escape sequence', `\\${letter}`)
    if (control === undefined && (letter.codePointAt(0) as number) >= 128)
      fail('invalid escape sequence', `\\${letter}`)
    at += 2
    return control ?? letter
  }

  function bracket(flags: Flags): Node {
    const start = at
    at++
    const negated = points[at] === '^'
    if (negated) at++
    const tests: ((point: number) => boolean)[] = []
    let first = true
    while (first || points[at] !== ']') {
      if (at >= points.length) fail('missing closing ]', `${points.slice(start).join('')})$`)
      first = false
      const posix = /^\[:(\^?)(\w+):\]/.exec(points.slice(at, at + 14).join(''))
      if (posix !== null) {
        const set = posixSets[posix[2] as string]
        if (set === undefined) fail('invalid character class range', posix[0])
        const has = set as (point: number) => boolean
        tests.push(posix[1] === '^' ? (point) => !has(point) : has)
        at += posix[0].length
        continue
      }
      const set = points[at] === '\\' && points[at + 1] !== undefined ? namedSet() : null
      if (set !== null) {
        tests.push(set)
        continue
      }
      const rangeStart = at
      const low = bracketPoint()
      let high = low
      if (points[at] === '-' && points[at + 1] !== ']' && at + 1 < points.length) {
        at++
        high = bracketPoint()
        if (high < low) fail('invalid character class range', points.slice(rangeStart, at).join(''))
      }
      tests.push((point) => point >= low && point <= high)
    }
    at++
    const within = (point: number) => tests.some((test) => test(point))
    const folded = flags.i ? (point: number) => foldings(point).some(within) : within
    return { kind: 'set', has: negated ? (point) => !folded(point) : folded }
  }

  function bracketPoint(): number {
    if (points[at] !== '\\') return (points[at++] as string).codePointAt(0) as number
    if (points[at + 1] === undefined) fail('trailing backslash at end of expression', '')
    return escaped().codePointAt(0) as number
  }

  const root = alternatives({ i: false, m: false, s: true, U: false })
  if (at < points.length) fail('unexpected )', whole)
  return { root, names }
}

function literal(symbol: string, flags: Flags): Node {
  const point = symbol.codePointAt(0) as number
  if (!flags.i) return { kind: 'set', has: (other) => other === point, literal: symbol }
  return { kind: 'set', has: (other) => foldings(other).includes(point) }
}

function foldings(point: number): readonly number[] {
  const text = String.fromCodePoint(point)
  const lower = text.toLowerCase().codePointAt(0) as number
  const upper = text.toUpperCase().codePointAt(0) as number
  return [point, lower, upper]
}

const between = (low: string, high: string) => (point: number) =>
  point >= (low.codePointAt(0) as number) && point <= (high.codePointAt(0) as number)
const oneOf = (characters: string) => (point: number) =>
  point < 128 && characters.includes(String.fromCharCode(point))
const either =
  (...tests: readonly ((point: number) => boolean)[]) =>
  (point: number) =>
    tests.some((test) => test(point))

const digit = between('0', '9')
const lower = between('a', 'z')
const upper = between('A', 'Z')
const word = either(digit, lower, upper, oneOf('_'))
const perlSets: Readonly<Record<string, (point: number) => boolean>> = {
  d: digit,
  w: word,
  s: oneOf('\t\n\f\r '),
}
const graph = between('!', '~')
const posixSets: Readonly<Record<string, (point: number) => boolean>> = {
  alnum: either(digit, lower, upper),
  alpha: either(lower, upper),
  ascii: (point) => point < 128,
  blank: oneOf('\t '),
  cntrl: (point) => point < 32 || point === 127,
  digit,
  graph,
  lower,
  print: either(graph, oneOf(' ')),
  punct: (point) => graph(point) && !either(digit, lower, upper)(point),
  space: oneOf('\t\n\v\f\r '),
  upper,
  word,
  xdigit: either(digit, between('a', 'f'), between('A', 'F')),
}
const controlEscapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

function unicodeSet(name: string): ((point: number) => boolean) | null {
  for (const property of [name, `Script=${name}`]) {
    try {
      const test = new RegExp(`^\\p{${property}}$`, 'u')
      return (point) => test.test(String.fromCodePoint(point))
    } catch {
      // Not a general category; the next spelling asks for a script.
    }
  }
  return null
}

/** `a|b|c` without any operator is a lookup; this is what dashboards send most. */
function literalAlternatives(root: Node): ReadonlySet<string> | null {
  const parts = root.kind === 'alternate' ? root.parts : [root]
  const words = new Set<string>()
  for (const part of parts) {
    const symbols = part.kind === 'concat' ? part.parts : part.kind === 'empty' ? [] : [part]
    let text = ''
    for (const symbol of symbols) {
      if (symbol.kind !== 'set' || symbol.literal === undefined) return null
      text += symbol.literal
    }
    words.add(text)
  }
  return words
}

type Instruction =
  | { op: 'take'; has: (point: number) => boolean }
  | { op: 'split'; first: number; second: number }
  | { op: 'jump'; to: number }
  | { op: 'mark'; slot: number }
  | { op: 'assert'; what: Assertion }
  | { op: 'match' }

const MAX_PROGRAM = 50_000

function assemble(root: Node, pattern: string): readonly Instruction[] {
  const program: Instruction[] = []
  const push = (instruction: Instruction): number => {
    if (program.length >= MAX_PROGRAM)
      throw new RegexpError(`error parsing regexp: expression too large: \`^(?s:${pattern})$\``)
    return program.push(instruction) - 1
  }
  const split = (greedy: boolean, body: number, exit: number): Instruction =>
    greedy ? { op: 'split', first: body, second: exit } : { op: 'split', first: exit, second: body }

  function emit(node: Node): void {
    switch (node.kind) {
      case 'empty':
        return
      case 'set':
        push({ op: 'take', has: node.has })
        return
      case 'assert':
        push({ op: 'assert', what: node.what })
        return
      case 'group':
        push({ op: 'mark', slot: 2 * node.index })
        emit(node.body)
        push({ op: 'mark', slot: 2 * node.index + 1 })
        return
      case 'concat':
        for (const part of node.parts) emit(part)
        return
      case 'alternate':
        emitAlternatives(node.parts)
        return
      case 'repeat':
        emitRepeat(node)
        return
      default:
        throw new TypeError(`unknown node: ${JSON.stringify(node satisfies never)}`)
    }
  }

  function emitAlternatives(parts: readonly Node[]): void {
    const exits: number[] = []
    parts.forEach((part, index) => {
      if (index === parts.length - 1) {
        emit(part)
        return
      }
      const fork = push({ op: 'match' })
      emit(part)
      exits.push(push({ op: 'match' }))
      program[fork] = { op: 'split', first: fork + 1, second: program.length }
    })
    for (const exit of exits) program[exit] = { op: 'jump', to: program.length }
  }

  function emitRepeat({ body, min, max, greedy }: Extract<Node, { kind: 'repeat' }>): void {
    for (let i = 0; i < min; i++) emit(body)
    if (max === Number.POSITIVE_INFINITY) {
      const fork = push({ op: 'match' })
      emit(body)
      push({ op: 'jump', to: fork })
      program[fork] = split(greedy, fork + 1, program.length)
      return
    }
    const forks: number[] = []
    for (let i = min; i < max; i++) {
      forks.push(push({ op: 'match' }))
      emit(body)
    }
    for (const fork of forks) program[fork] = split(greedy, fork + 1, program.length)
  }

  push({ op: 'mark', slot: 0 })
  emit(root)
  push({ op: 'assert', what: 'textEnd' })
  push({ op: 'mark', slot: 1 })
  push({ op: 'match' })
  return program
}

interface Threads {
  readonly counters: number[]
  readonly marks: (readonly number[])[]
  readonly known: Set<number>
}

/** Marks of the preferred match (positions in code points), or null. `groupCount` 0 asks for yes or no only. */
function run(
  program: readonly Instruction[],
  text: string,
  groupCount: number,
): readonly number[] | null {
  const points = [...text].map((symbol) => symbol.codePointAt(0) as number)
  let current: Threads = { counters: [], marks: [], known: new Set() }
  follow(program, current, { pc: 0, at: 0, points, marks: new Array(2 * groupCount).fill(-1) })
  for (let at = 0; ; at++) {
    const next: Threads = { counters: [], marks: [], known: new Set() }
    for (let i = 0; i < current.counters.length; i++) {
      const pc = current.counters[i] as number
      const marks = current.marks[i] as readonly number[]
      const instruction = program[pc] as Instruction
      // `match` stands behind an end-of-text assertion: nothing longer exists, and earlier threads are preferred.
      if (instruction.op === 'match') return marks
      if (at < points.length && instruction.op === 'take' && instruction.has(points[at] as number))
        follow(program, next, { pc: pc + 1, at: at + 1, points, marks })
    }
    if (at >= points.length || next.counters.length === 0) return null
    current = next
  }
}

/** Adds the thread at `pc` with everything reachable without taking a character, in order of preference. */
function follow(
  program: readonly Instruction[],
  threads: Threads,
  from: { pc: number; at: number; points: readonly number[]; marks: readonly number[] },
): void {
  const pending: { pc: number; marks: readonly number[] }[] = [{ pc: from.pc, marks: from.marks }]
  for (let top = pending.pop(); top !== undefined; top = pending.pop()) {
    const { pc, marks } = top
    if (threads.known.has(pc)) continue
    threads.known.add(pc)
    const instruction = program[pc] as Instruction
    switch (instruction.op) {
      case 'jump':
        pending.push({ pc: instruction.to, marks })
        break
      case 'split':
        pending.push({ pc: instruction.second, marks }, { pc: instruction.first, marks })
        break
      case 'mark':
        pending.push({
          pc: pc + 1,
          marks: instruction.slot < marks.length ? marks.with(instruction.slot, from.at) : marks,
        })
        break
      case 'assert':
        if (holds(instruction.what, from.points, from.at)) pending.push({ pc: pc + 1, marks })
        break
      case 'take':
      case 'match':
        threads.counters.push(pc)
        threads.marks.push(marks)
        break
      default:
        throw new TypeError(`unknown instruction: ${JSON.stringify(instruction satisfies never)}`)
    }
  }
}

function holds(what: Assertion, points: readonly number[], at: number): boolean {
  const before = points[at - 1]
  const after = points[at]
  switch (what) {
    case 'textStart':
      return before === undefined
    case 'textEnd':
      return after === undefined
    case 'lineStart':
      return before === undefined || before === 10
    case 'lineEnd':
      return after === undefined || after === 10
    case 'word':
    case 'notWord': {
      const border = (before !== undefined && word(before)) !== (after !== undefined && word(after))
      return border === (what === 'word')
    }
    default:
      throw new TypeError(`unknown assertion: ${what satisfies never}`)
  }
}

function expandTemplate(
  template: string,
  { groups, names }: { groups: readonly (string | null)[]; names: readonly string[] },
): string {
  return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (whole, bare, braced) => {
    if (whole === '$$') return '$'
    const name = (bare ?? braced) as string
    const index = /^\d+$/.test(name) ? Number(name) : names.indexOf(name)
    return groups[index] ?? ''
  })
}
