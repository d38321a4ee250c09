import { type Run, spendText } from '../run.ts'
import { compileRegex, type Program } from './program.ts'
import { type Assertion, isWord, parseRegex } from './syntax.ts'

/**
 * Go's regexp. JavaScript's own RegExp is not used: its syntax differs, and backtracking would let a
 * template such as `regexMatch "(a+)+$"` stop the process. Matching here takes time in proportion to text × expression.
 */
export class GoRegexp {
  readonly source: string
  readonly #program: Program
  readonly #groups: readonly (string | undefined)[]

  private constructor(source: string, program: Program, groups: readonly (string | undefined)[]) {
    this.source = source
    this.#program = program
    this.#groups = groups
  }

  /** What one character of text can cost at most, in instructions. */
  get size(): number {
    return this.#program.instructions.length
  }

  static compile(source: string): { ok: true; regexp: GoRegexp } | { ok: false; problem: string } {
    const parsed = parseRegex(source)
    if (!parsed.ok) return parsed
    const program = compileRegex(parsed.node)
    if (!program) return { ok: false, problem: 'error parsing regexp: expression too large' }
    return { ok: true, regexp: new GoRegexp(source, program, parsed.groups) }
  }

  matches(text: string, run: Run): boolean {
    return this.#match(text, 0, run) !== undefined
  }

  find(text: string, run: Run): string {
    const found = this.#match(text, 0, run)
    return found ? text.slice(found[0], found[1]) : ''
  }

  /** FindAllString; `limit` below 0 means all. */
  findAll(text: string, limit: number, run: Run): string[] {
    return this.#all(text, limit, run).map(([from, to]) => text.slice(from, to))
  }

  /** Split; undefined is Go's nil for a limit of 0. */
  split(text: string, limit: number, run: Run): string[] | undefined {
    if (limit === 0) return undefined
    if (this.source !== '' && text === '') return ['']
    const parts: string[] = []
    let begin = 0
    let end = 0
    for (const [from, to] of this.#all(text, limit, run)) {
      if (limit > 0 && parts.length === limit - 1) break
      end = from
      if (to !== 0) parts.push(text.slice(begin, end))
      begin = to
    }
    if (end !== text.length) parts.push(text.slice(begin))
    return parts
  }

  /** ReplaceAllString: `$1` and `${name}` in the replacement stand for groups. */
  replaceAll(text: string, replacement: string, run: Run): string {
    const pieces = expansionPieces(replacement)
    return this.#replace(text, run, (found) =>
      pieces
        .map((piece) => (typeof piece === 'string' ? piece : this.#group(text, found, piece.group)))
        .join(''),
    )
  }

  replaceAllLiteral(text: string, replacement: string, run: Run): string {
    return this.#replace(text, run, () => replacement)
  }

  #group(text: string, found: Match, name: string): string {
    const index = /^\d+$/.test(name) ? Number(name) : this.#groups.indexOf(name)
    if (index < 0) return ''
    const from = found[index * 2]
    const to = found[index * 2 + 1]
    return from === undefined || to === undefined ? '' : text.slice(from, to)
  }

  #replace(text: string, run: Run, replacementOf: (found: Match) => string): string {
    let result = ''
    let lastEnd = 0
    for (let search = 0; search <= text.length; ) {
      const found = this.#match(text, search, run)
      if (!found) break
      const [from, to] = found
      result += text.slice(lastEnd, from)
      if (to > lastEnd || from === 0) {
        const replacement = replacementOf(found)
        spendText(run, replacement.length)
        result += replacement
      }
      lastEnd = to
      search = Math.max(to, search + widthAt(text, search))
    }
    return result + text.slice(lastEnd)
  }

  #all(text: string, limit: number, run: Run): [from: number, to: number][] {
    const found: [number, number][] = []
    let previousEnd = -1
    for (let at = 0; at <= text.length && (limit < 0 || found.length < limit); ) {
      const match = this.#match(text, at, run)
      if (!match) break
      const [from, to] = match
      const empty = to === at
      // An empty match right behind the previous match is none.
      if (!(empty && from === previousEnd)) found.push([from, to])
      at = empty ? at + widthAt(text, at) : to
      previousEnd = to
    }
    return found
  }

  /**
   * Runs all ways to match side by side, in order of preference (leftmost, then as written). A thread is an instruction
   * with the groups seen so far.
   */
  #match(text: string, start: number, run: Run): Match | undefined {
    const { instructions } = this.#program
    let current: Thread[] = []
    let best: Slots | undefined
    for (let at = start; ; ) {
      const code = text.codePointAt(at)
      const seen = new Set<number>()
      // A thread list is filled from the threads before plus, until something matched, a new start here.
      const ready: Thread[] = []
      for (const thread of current) this.#follow(thread, text, at, seen, ready)
      if (!best) this.#follow({ at: this.#program.start, slots: [] }, text, at, seen, ready)
      run.spend(1 + (seen.size >> 2))
      current = []
      for (const thread of ready) {
        const instruction = instructions[thread.at]
        if (instruction?.kind === 'match') {
          best = thread.slots
          break
        }
        if (instruction?.kind === 'one' && code !== undefined && instruction.test(runeOf(code))) {
          current.push({ at: instruction.next, slots: thread.slots })
        }
      }
      if (code === undefined || (best && current.length === 0)) break
      at += code > 0xffff ? 2 : 1
    }
    const [from, to] = best ?? []
    if (!best || from === undefined || to === undefined) return undefined
    return [from, to, ...best.slice(2)]
  }

  /** Adds what a thread reaches without reading a character. A stack, since expressions can be long. */
  #follow(first: Thread, text: string, position: number, seen: Set<number>, ready: Thread[]): void {
    const stack: Thread[] = [first]
    for (let thread = stack.pop(); thread; thread = stack.pop()) {
      if (seen.has(thread.at)) continue
      seen.add(thread.at)
      const { slots } = thread
      const instruction = this.#program.instructions[thread.at]
      switch (instruction?.kind) {
        case 'split':
          stack.push({ at: instruction.other, slots }, { at: instruction.next, slots })
          break
        case 'save': {
          const saved = slots.slice()
          saved[instruction.slot] = position
          stack.push({ at: instruction.next, slots: saved })
          break
        }
        case 'assert':
          if (holds(instruction.assertion, text, position))
            stack.push({ at: instruction.next, slots })
          break
        default:
          ready.push(thread)
      }
    }
  }
}

type Slots = readonly (number | undefined)[]
type Match = readonly [from: number, to: number, ...groups: (number | undefined)[]]

interface Thread {
  readonly at: number
  readonly slots: Slots
}

/** Go's regexp.QuoteMeta. */
export function quoteMeta(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')
}

function holds(assertion: Assertion, text: string, at: number): boolean {
  switch (assertion) {
    case 'text-start':
      return at === 0
    case 'text-end':
      return at === text.length
    case 'line-start':
      return at === 0 || text[at - 1] === '\n'
    case 'line-end':
      return at === text.length || text[at] === '\n'
    case 'word-boundary':
      return atBoundary(text, at)
    case 'no-word-boundary':
      return !atBoundary(text, at)
  }
}

function atBoundary(text: string, at: number): boolean {
  const before = at > 0 && isWord(text.charCodeAt(at - 1))
  const after = at < text.length && isWord(text.charCodeAt(at))
  return before !== after
}

/** A byte that is no UTF-8 is matched as U+FFFD. */
function runeOf(code: number): number {
  return code >= 0xdc80 && code <= 0xdcff ? 0xfffd : code
}

function widthAt(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
}

function expansionPieces(replacement: string): (string | { group: string })[] {
  const pieces: (string | { group: string })[] = []
  let from = 0
  for (const match of replacement.matchAll(
    /\$(?:(\$)|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
  )) {
    pieces.push(replacement.slice(from, match.index))
    const name = match[2] ?? match[3]
    pieces.push(name === undefined ? '$' : { group: name })
    from = match.index + match[0].length
  }
  pieces.push(replacement.slice(from))
  return pieces
}
