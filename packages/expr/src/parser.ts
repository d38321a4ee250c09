import { NOWHERE, type Node, type NodeKind, type Span } from './ast.ts'
import { parseFloat64, parseInteger, quote } from './go-text.ts'
import { isIdentifier, type Token, type TokenKind, tokenize, tokenText } from './lexer.ts'
import { UNKNOWN } from './nature.ts'
import { CompileError } from './problem.ts'

/** Upstream's limit. Source: spec analysis-and-experiments 3.9. */
const MAX_NODES = 10_000

/** Which builtins take a predicate as second argument, and what follows it. */
const PREDICATE_BUILTINS: Readonly<
  Record<string, readonly ('expr' | 'predicate' | 'expr?' | 'predicate?')[]>
> = {
  all: ['expr', 'predicate'],
  none: ['expr', 'predicate'],
  any: ['expr', 'predicate'],
  one: ['expr', 'predicate'],
  filter: ['expr', 'predicate'],
  map: ['expr', 'predicate'],
  count: ['expr', 'predicate?'],
  sum: ['expr', 'predicate?'],
  find: ['expr', 'predicate'],
  findIndex: ['expr', 'predicate'],
  findLast: ['expr', 'predicate'],
  findLastIndex: ['expr', 'predicate'],
  groupBy: ['expr', 'predicate'],
  sortBy: ['expr', 'predicate', 'expr?'],
  reduce: ['expr', 'predicate', 'expr?'],
}

/** Precedence of the unary operators. `not` binds tighter than comparisons, `-` looser than powers. */
const UNARY = new Map([
  ['not', 50],
  ['!', 50],
  ['-', 90],
  ['+', 90],
])

/** Precedence of the binary operators. All but the powers associate to the left. */
const BINARY = new Map([
  ['|', 0],
  ['or', 10],
  ['||', 10],
  ['and', 15],
  ['&&', 15],
  ['==', 20],
  ['!=', 20],
  ['<', 20],
  ['>', 20],
  ['>=', 20],
  ['<=', 20],
  ['in', 20],
  ['matches', 20],
  ['contains', 20],
  ['startsWith', 20],
  ['endsWith', 20],
  ['..', 25],
  ['+', 30],
  ['-', 30],
  ['*', 60],
  ['/', 60],
  ['%', 60],
  ['**', 100],
  ['^', 100],
  ['??', 500],
])

const NEGATABLE = new Set(['contains', 'matches', 'startsWith', 'endsWith', 'in'])
const ORDERED = new Set(['<', '>', '>=', '<='])

/** What the parser must know beyond the grammar. */
interface Names {
  readonly isBuiltin: (name: string) => boolean
  /** The environment has the name, so it hides the builtin. */
  readonly isOverridden: (name: string) => boolean
}

/** Throws `CompileError`. Source: spec analysis-and-experiments 3.6. */
export function parse(source: string, names: Names): Node {
  return new Parser(source, names).program()
}

class Parser {
  readonly #tokens: readonly Token[]
  readonly #mistake: CompileError | null
  readonly #names: Names
  #next = 0
  #current: Token = { kind: 'EOF', text: '', at: NOWHERE }
  /** How many predicates we are in: only there `#` and a leading dot mean the element. */
  #depth = 0
  #count = 0

  constructor(source: string, names: Names) {
    const { tokens, mistake } = tokenize(source)
    this.#tokens = tokens
    this.#mistake = mistake
    this.#names = names
  }

  program(): Node {
    this.#advance()
    const node = this.#sequence()
    if (this.#current.kind !== 'EOF') this.#unexpected()
    return node
  }

  #advance(): void {
    const token = this.#tokens[this.#next]
    if (token === undefined) {
      throw this.#mistake ?? new CompileError(this.#current.at, 'unexpected end of expression')
    }
    this.#next++
    this.#current = token
  }

  #is(kind: TokenKind, text?: string): boolean {
    return this.#current.kind === kind && (text === undefined || this.#current.text === text)
  }

  #expect(kind: TokenKind, text?: string): void {
    if (!this.#is(kind, text)) this.#unexpected()
    this.#advance()
  }

  #unexpected(token = this.#current): never {
    throw new CompileError(this.#current.at, `unexpected token ${tokenText(token)}`)
  }

  #fail(message: string): never {
    throw new CompileError(this.#current.at, message)
  }

  #node(at: Span, kind: NodeKind): Node {
    this.#count++
    if (this.#count > MAX_NODES)
      this.#fail('compilation failed: expression exceeds maximum allowed nodes')
    return { at, nature: UNKNOWN, ...kind }
  }

  #sequence(): Node {
    const first = this.#expression(0)
    const nodes = [first]
    while (this.#is('Operator', ';')) {
      this.#advance()
      if (this.#is('EOF')) break
      nodes.push(this.#expression(0))
    }
    return nodes.length === 1 ? first : this.#node(first.at, { kind: 'sequence', nodes })
  }

  #expression(precedence: number): Node {
    if (precedence === 0 && this.#is('Operator', 'let')) return this.#let()
    if (precedence === 0 && this.#is('Operator', 'if')) return this.#if()

    let left = this.#primary()
    let previous = ''
    while (this.#current.kind === 'Operator') {
      const mark = this.#next
      const first = this.#current
      let operator = first
      const negated = first.text === 'not'
      if (negated) {
        this.#advance()
        operator = this.#current
        if (!NEGATABLE.has(operator.text)) this.#unexpected()
      }
      const binding = BINARY.get(operator.text)
      if (binding === undefined || binding < precedence) {
        if (negated) {
          this.#next = mark
          this.#current = first
        }
        break
      }
      this.#advance()
      if (operator.text === '|') {
        const name = this.#current
        this.#expect('Identifier')
        left = this.#call({ name, args: [left], overridable: true })
      } else if (previous === '??' && operator.text !== '??') {
        throw new CompileError(
          operator.at,
          `Operator (${operator.text}) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses.`,
        )
      } else if (ORDERED.has(operator.text)) {
        left = this.#comparison(left, operator, binding)
      } else {
        const rightAssociative = operator.text === '**' || operator.text === '^'
        const right = this.#expression(rightAssociative ? binding : binding + 1)
        left = this.#node(operator.at, { kind: 'binary', operator: operator.text, left, right })
        if (negated)
          left = this.#node(operator.at, { kind: 'unary', operator: 'not', operand: left })
      }
      previous = operator.text
    }
    return precedence === 0 ? this.#conditional(left) : left
  }

  #let(): Node {
    this.#advance()
    const name = this.#current
    this.#expect('Identifier')
    this.#expect('Operator', '=')
    const value = this.#expression(0)
    this.#expect('Operator', ';')
    const body = this.#sequence()
    return this.#node(name.at, { kind: 'let', name: name.text, value, body })
  }

  #if(): Node {
    this.#advance()
    const condition = this.#expression(0)
    this.#expect('Bracket', '{')
    const whenTrue = this.#sequence()
    this.#expect('Bracket', '}')
    this.#expect('Operator', 'else')
    let whenFalse: Node
    if (this.#is('Operator', 'if')) whenFalse = this.#if()
    else {
      this.#expect('Bracket', '{')
      whenFalse = this.#sequence()
      this.#expect('Bracket', '}')
    }
    // Upstream neither counts this node nor gives it a position.
    return {
      at: NOWHERE,
      nature: UNKNOWN,
      kind: 'conditional',
      condition,
      whenTrue,
      whenFalse,
      ternary: false,
    }
  }

  #conditional(node: Node): Node {
    let condition = node
    while (this.#is('Operator', '?')) {
      this.#advance()
      let whenTrue = condition
      if (this.#is('Operator', ':')) this.#advance()
      else {
        whenTrue = this.#expression(0)
        this.#expect('Operator', ':')
      }
      const whenFalse = this.#expression(0)
      condition = this.#node(this.#current.at, {
        kind: 'conditional',
        condition,
        whenTrue,
        whenFalse,
        ternary: true,
      })
    }
    return condition
  }

  #primary(): Node {
    const token = this.#current
    if (token.kind === 'Operator') {
      const precedence = UNARY.get(token.text)
      if (precedence !== undefined) {
        this.#advance()
        const operand = this.#expression(precedence)
        return this.#postfix(this.#node(token.at, { kind: 'unary', operator: token.text, operand }))
      }
    }
    if (this.#is('Bracket', '(')) {
      this.#advance()
      const node = this.#sequence()
      this.#expect('Bracket', ')')
      return this.#postfix(node)
    }
    if (this.#depth > 0 && (this.#is('Operator', '#') || this.#is('Operator', '.'))) {
      let name = ''
      if (token.text === '#') {
        this.#advance()
        if (this.#current.kind === 'Identifier') {
          name = this.#current.text
          this.#advance()
        }
      }
      return this.#postfix(this.#node(token.at, { kind: 'pointer', name }))
    }
    if (this.#is('Operator', '::')) {
      this.#advance()
      const name = this.#current
      this.#expect('Identifier')
      return this.#postfix(this.#call({ name, args: [], overridable: false }))
    }
    return this.#secondary()
  }

  #secondary(): Node {
    const token = this.#current
    switch (token.kind) {
      case 'Identifier':
        this.#advance()
        if (token.text === 'true') return this.#node(token.at, { kind: 'bool', value: true })
        if (token.text === 'false') return this.#node(token.at, { kind: 'bool', value: false })
        if (token.text === 'nil') return this.#node(token.at, { kind: 'nil' })
        return this.#postfix(
          this.#is('Bracket', '(')
            ? this.#call({ name: token, args: [], overridable: true })
            : this.#node(token.at, { kind: 'identifier', name: token.text }),
        )
      case 'Number':
        this.#advance()
        return this.#node(token.at, this.#number(token.text))
      case 'String':
        this.#advance()
        return this.#postfix(this.#node(token.at, { kind: 'string', value: token.text }))
      case 'Bytes': {
        this.#advance()
        const value = Uint8Array.from(token.text, (char) => char.charCodeAt(0))
        return this.#postfix(this.#node(token.at, { kind: 'bytes', value }))
      }
      default:
        if (this.#is('Bracket', '[')) return this.#postfix(this.#array(token))
        if (this.#is('Bracket', '{')) return this.#postfix(this.#map(token))
        return this.#unexpected()
    }
  }

  #number(text: string): NodeKind {
    const digits = text.replaceAll('_', '')
    const lower = digits.toLowerCase()
    const parsed = (
      what: string,
      result: { ok: true; value: bigint } | { ok: false; reason: string },
    ): NodeKind => {
      if (result.ok) return { kind: 'integer', value: result.value }
      return this.#fail(
        `invalid ${what} literal: strconv.ParseInt: parsing ${quote(digits)}: ${result.reason}`,
      )
    }
    if (lower.startsWith('0x')) return parsed('hex', parsePrefixed(lower, /^0x[0-9a-f]+$/))
    if (/[.e]/.test(lower)) {
      const result = parseFloat64(digits)
      if (result.ok) return { kind: 'float', value: result.value }
      return this.#fail(
        `invalid float literal: strconv.ParseFloat: parsing ${quote(digits)}: ${result.reason}`,
      )
    }
    if (lower.startsWith('0b')) return parsed('binary', parsePrefixed(lower, /^0b[01]+$/))
    if (lower.startsWith('0o')) return parsed('octal', parsePrefixed(lower, /^0o[0-7]+$/))
    return parsed('integer', parseInteger(digits))
  }

  #call(call: { name: Token; args: Node[]; overridable: boolean }): Node {
    const { name, args } = call
    const hidden = call.overridable && this.#names.isOverridden(name.text)
    const shape = Object.hasOwn(PREDICATE_BUILTINS, name.text)
      ? PREDICATE_BUILTINS[name.text]
      : undefined
    if (shape !== undefined && !hidden) {
      return this.#node(name.at, {
        kind: 'builtin',
        name: name.text,
        args: this.#predicateArguments(shape, args),
      })
    }
    if (this.#names.isBuiltin(name.text) && !hidden) {
      return this.#node(name.at, { kind: 'builtin', name: name.text, args: this.#arguments(args) })
    }
    const callee = this.#node(name.at, { kind: 'identifier', name: name.text })
    return this.#node(name.at, { kind: 'call', callee, args: this.#arguments(args) })
  }

  /** `given`: through a pipe, the first argument stands before the call. */
  #predicateArguments(
    shape: readonly ('expr' | 'predicate' | 'expr?' | 'predicate?')[],
    given: readonly Node[],
  ): Node[] {
    this.#expect('Bracket', '(')
    const args = [...given]
    const missing = shape.slice(given.length)
    for (const [i, kind] of missing.entries()) {
      if (this.#is('Bracket', ')')) {
        if (kind.endsWith('?')) break
        this.#fail(`expected at least ${missing.length} arguments`)
      }
      if (i > 0) this.#expect('Operator', ',')
      args.push(kind.startsWith('expr') ? this.#expression(0) : this.#predicate())
    }
    if (this.#is('Operator', ',')) this.#advance()
    this.#expect('Bracket', ')')
    return args
  }

  #arguments(given: readonly Node[]): Node[] {
    const args = [...given]
    this.#expect('Bracket', '(')
    while (!this.#is('Bracket', ')')) {
      if (args.length > given.length) this.#expect('Operator', ',')
      if (this.#is('Bracket', ')')) break
      args.push(this.#expression(0))
    }
    this.#expect('Bracket', ')')
    return args
  }

  #predicate(): Node {
    const start = this.#current
    const braced = this.#is('Bracket', '{')
    if (braced) this.#advance()
    this.#depth++
    const node = braced ? this.#sequence() : this.#expression(0)
    if (!braced && this.#is('Operator', ';')) this.#fail('wrap predicate with brackets { and }')
    this.#depth--
    if (braced) this.#expect('Bracket', '}')
    return this.#node(start.at, { kind: 'predicate', node })
  }

  #array(token: Token): Node {
    this.#advance()
    const nodes: Node[] = []
    while (!this.#is('Bracket', ']')) {
      if (nodes.length > 0) {
        this.#expect('Operator', ',')
        if (this.#is('Bracket', ']')) break
      }
      nodes.push(this.#expression(0))
    }
    this.#advance()
    return this.#node(token.at, { kind: 'array', nodes })
  }

  #map(token: Token): Node {
    this.#advance()
    const pairs: Node[] = []
    while (!this.#is('Bracket', '}')) {
      if (pairs.length > 0) {
        this.#expect('Operator', ',')
        if (this.#is('Bracket', '}')) break
        if (this.#is('Operator', ',')) this.#unexpected()
      }
      const key = this.#key()
      this.#expect('Operator', ':')
      const value = this.#expression(0)
      pairs.push(this.#node(token.at, { kind: 'pair', key, value }))
    }
    this.#advance()
    return this.#node(token.at, { kind: 'map', pairs })
  }

  #key(): Node {
    const token = this.#current
    if (token.kind === 'Number' || token.kind === 'String' || token.kind === 'Identifier') {
      this.#advance()
      return this.#node(token.at, { kind: 'string', value: token.text })
    }
    if (this.#is('Bracket', '(')) return this.#expression(0)
    return this.#fail(
      `a map key must be a quoted string, a number, a identifier, or an expression enclosed in parentheses (unexpected token ${tokenText(token)})`,
    )
  }

  #postfix(base: Node): Node {
    let node = base
    for (;;) {
      const token = this.#current
      if (token.kind === 'Operator' && (token.text === '.' || token.text === '?.')) {
        const optional = token.text === '?.'
        this.#advance()
        if (optional && this.#is('Bracket', '[')) node = this.#brackets(node, true)
        else node = this.#property(node, optional)
      } else if (token.kind === 'Bracket' && token.text === '[') node = this.#brackets(node, false)
      else return node
    }
  }

  #property(base: Node, optional: boolean): Node {
    const name = this.#current
    this.#advance()
    if (name.kind !== 'Identifier' && !(name.kind === 'Operator' && isIdentifier(name.text))) {
      this.#fail('expected name')
    }
    const property = this.#node(name.at, { kind: 'string', value: name.text })
    // A chain reaches to the end of the accesses: `a?.b.c` gives nil as a whole.
    const inChain = base.kind === 'chain'
    const node = base.kind === 'chain' ? base.node : base
    const method = this.#is('Bracket', '(')
    let result = this.#node(name.at, { kind: 'member', node, property, optional, method: false })
    if (method) {
      if (result.kind === 'member') result.method = true
      result = this.#node(name.at, { kind: 'call', callee: result, args: this.#arguments([]) })
    }
    return inChain || optional ? this.#node(name.at, { kind: 'chain', node: result }) : result
  }

  /** `[index]`, `[from:to]`, `[from:]`, `[:to]` or `[:]`. */
  #brackets(node: Node, optional: boolean): Node {
    const { at } = this.#current
    this.#advance()
    const start = this.#is('Operator', ':') ? null : this.#expression(0)
    if (this.#is('Operator', ':')) {
      this.#advance()
      const end = this.#is('Bracket', ']') ? null : this.#expression(0)
      this.#expect('Bracket', ']')
      return this.#node(at, { kind: 'slice', node, start, end })
    }
    if (start === null) return this.#unexpected()
    let result = this.#node(at, { kind: 'member', node, property: start, optional, method: false })
    if (optional) result = this.#node(at, { kind: 'chain', node: result })
    this.#expect('Bracket', ']')
    return result
  }

  /** A chain `a < b < c` means `a < b && b < c`. */
  #comparison(first: Node, operator: Token, precedence: number): Node {
    let left = first
    let token = operator
    let root: Node | null = null
    for (;;) {
      const right = this.#expression(precedence + 1)
      const comparison = this.#node(token.at, { kind: 'binary', operator: token.text, left, right })
      root =
        root === null
          ? comparison
          : this.#node(token.at, { kind: 'binary', operator: '&&', left: root, right: comparison })
      left = right
      token = this.#current
      if (token.kind !== 'Operator' || !ORDERED.has(token.text)) return root
      this.#advance()
    }
  }
}

function parsePrefixed(
  lower: string,
  syntax: RegExp,
): { ok: true; value: bigint } | { ok: false; reason: string } {
  if (!syntax.test(lower)) return { ok: false, reason: 'invalid syntax' }
  const value = BigInt(lower)
  return value < 2n ** 63n ? { ok: true, value } : { ok: false, reason: 'value out of range' }
}
