import { quote, runeCount, unquote } from './go-string.ts'
import { type Item, type ItemKind, isKeywordItem, Lexer } from './lexer.ts'
import type {
  BranchNode,
  ChainNode,
  CommandNode,
  Node,
  NumberNode,
  Operand,
  PipeNode,
  TemplateNode,
  VariableNode,
} from './nodes.ts'
import { nodeText } from './nodes.ts'
import { parseCharacterLiteral, parseNumberLiteral } from './number-literal.ts'
import { positionOf, type TemplateProblem } from './problem.ts'

/** A parsed file: its own tree and those of its `define` and `block` actions, by name. */
interface Trees {
  readonly source: string
  readonly trees: ReadonlyMap<string, readonly Node[]>
}

export type ParsedTrees =
  | { readonly ok: true; readonly value: Trees }
  | { readonly ok: false; readonly problem: TemplateProblem }

export function parseTrees(
  name: string,
  source: string,
  hasFunction: (name: string) => boolean,
): ParsedTrees {
  const parser = new Parser(name, source, hasFunction)
  try {
    return { ok: true, value: { source, trees: parser.parse() } }
  } catch (error) {
    const item = parser.lastItem
    // A RangeError is the JavaScript stack ending on absurdly deep nesting.
    const detail = error instanceof ParseFailure ? error.message : 'max expression depth exceeded'
    const line = item?.line ?? 1
    return {
      ok: false,
      problem: {
        message: `template: ${name}:${line}: ${detail}`,
        line,
        column: positionOf(source, item?.at ?? 0).column,
      },
    }
  }
}

class ParseFailure extends Error {
  override readonly name = 'ParseFailure'
}

const MAX_PAREN_DEPTH = 1000

const OPERAND_STARTS: ReadonlySet<ItemKind> = new Set<ItemKind>([
  'bool',
  'char-constant',
  'complex',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'raw-string',
  'string',
  'variable',
  'left-paren',
])

/** `{{end}}` and `{{else}}` close a list; they are never part of the tree. */
type Closing = { readonly kind: 'end' | 'else' }
type Mark = Node | Closing

/** What holds for one `define`d body: it sees no variables of the file around it. */
interface Scope {
  variables: string[]
  rangeDepth: number
}

class Parser {
  readonly #name: string
  readonly #lexer: Lexer
  readonly #hasFunction: (name: string) => boolean
  readonly #trees = new Map<string, readonly Node[]>()
  readonly #pushedBack: Item[] = []
  #scope: Scope = { variables: ['$'], rangeDepth: 0 }
  #parenDepth = 0
  #actionLine = 0
  /** The latest item of the lexer; Go reports its line even when it was only peeked at. */
  lastItem: Item | undefined

  constructor(name: string, source: string, hasFunction: (name: string) => boolean) {
    this.#name = name
    this.#lexer = new Lexer(source)
    this.#hasFunction = hasFunction
  }

  parse(): ReadonlyMap<string, readonly Node[]> {
    const root: Node[] = []
    for (;;) {
      const item = this.#next()
      if (item.kind === 'eof') break
      if (item.kind === 'left-delim') {
        if (this.#peekNonSpace().kind === 'define') {
          this.#nextNonSpace()
          this.#parseDefinition()
          continue
        }
      }
      this.#pushedBack.push(item)
      const node = this.#textOrAction()
      if (isClosing(node)) this.#fail(`unexpected {{${node.kind}}}`)
      else root.push(node)
    }
    this.#add(this.#name, root)
    return this.#trees
  }

  #fail(message: string): never {
    throw new ParseFailure(message)
  }

  #next(): Item {
    const pushed = this.#pushedBack.pop()
    if (pushed) return pushed
    this.lastItem = this.#lexer.next()
    return this.lastItem
  }

  #peek(): Item {
    const item = this.#next()
    this.#pushedBack.push(item)
    return item
  }

  #nextNonSpace(): Item {
    for (;;) {
      const item = this.#next()
      if (item.kind !== 'space') return item
    }
  }

  #peekNonSpace(): Item {
    const item = this.#nextNonSpace()
    this.#pushedBack.push(item)
    return item
  }

  #expect(kind: ItemKind, context: string): Item {
    const item = this.#nextNonSpace()
    return item.kind === kind ? item : this.#unexpected(item, context)
  }

  #unexpected(item: Item, context: string): never {
    if (item.kind !== 'error') return this.#fail(`unexpected ${itemText(item)} in ${context}`)
    if (this.#actionLine === 0 || this.#actionLine === item.line) return this.#fail(item.text)
    // "unclosed action" already says action.
    const prefix = item.text.endsWith(' action') ? '' : ' in action'
    return this.#fail(`${item.text}${prefix} started at ${this.#name}:${this.#actionLine}`)
  }

  #add(name: string, nodes: readonly Node[]): void {
    const present = this.#trees.get(name)
    if (present === undefined || isEmpty(present)) this.#trees.set(name, nodes)
    else if (!isEmpty(nodes)) {
      this.#fail(`template: multiple definition of template ${quote(name)}`)
    }
  }

  #parseDefinition(): void {
    const item = this.#nextNonSpace()
    const name = this.#templateName(item, 'define clause')
    this.#expect('right-delim', 'define clause')
    this.#add(name, this.#ownScope('define clause'))
  }

  #ownScope(context: string): readonly Node[] {
    const outer = this.#scope
    this.#scope = { variables: ['$'], rangeDepth: 0 }
    const { nodes, closing } = this.#list()
    if (closing.kind !== 'end') this.#fail(`unexpected {{${closing.kind}}} in ${context}`)
    this.#scope = outer
    return nodes
  }

  #list(): { nodes: Node[]; closing: Closing } {
    const nodes: Node[] = []
    while (this.#peekNonSpace().kind !== 'eof') {
      const node = this.#textOrAction()
      if (isClosing(node)) return { nodes, closing: node }
      nodes.push(node)
    }
    return this.#fail('unexpected EOF')
  }

  #textOrAction(): Mark {
    const item = this.#nextNonSpace()
    if (item.kind === 'text') return { kind: 'text', at: item.at, text: item.text }
    if (item.kind !== 'left-delim') return this.#unexpected(item, 'input')
    this.#actionLine = item.line
    const node = this.#action()
    this.#actionLine = 0
    return node
  }

  #action(): Mark {
    const item = this.#nextNonSpace()
    switch (item.kind) {
      case 'block':
        return this.#block()
      case 'break':
      case 'continue': {
        const after = this.#nextNonSpace()
        if (after.kind !== 'right-delim') return this.#unexpected(after, `{{${item.kind}}}`)
        if (this.#scope.rangeDepth === 0) this.#fail(`{{${item.kind}}} outside {{range}}`)
        return { kind: item.kind, at: item.at }
      }
      case 'else': {
        // `else if` and `else with` leave their keyword for the control that is waiting for it.
        const after = this.#peekNonSpace().kind
        if (after !== 'if' && after !== 'with') this.#expect('right-delim', 'else')
        return { kind: 'else' }
      }
      case 'end':
        this.#expect('right-delim', 'end')
        return { kind: 'end' }
      case 'if':
      case 'range':
      case 'with':
        return this.#control(item.kind)
      case 'template':
        return this.#template()
      default:
        this.#pushedBack.push(item)
        return { kind: 'action', at: item.at, pipe: this.#pipeline('command', 'right-delim') }
    }
  }

  #control(kind: 'if' | 'range' | 'with'): BranchNode {
    const visible = this.#scope.variables.length
    const pipe = this.#pipeline(kind, 'right-delim')
    if (kind === 'range') this.#scope.rangeDepth++
    const { nodes: body, closing } = this.#list()
    if (kind === 'range') this.#scope.rangeDepth--
    const otherwise = closing.kind === 'else' ? this.#otherwise(kind) : []
    this.#scope.variables.length = visible
    return { kind, at: pipe.at, pipe, body, otherwise }
  }

  #otherwise(kind: 'if' | 'range' | 'with'): readonly Node[] {
    if (kind !== 'range' && this.#peek().kind === kind) {
      this.#next()
      return [this.#control(kind)]
    }
    const { nodes, closing } = this.#list()
    if (closing.kind !== 'end') this.#fail(`expected end; found {{${closing.kind}}}`)
    return nodes
  }

  #block(): TemplateNode {
    const item = this.#nextNonSpace()
    const name = this.#templateName(item, 'block clause')
    const pipe = this.#pipeline('block clause', 'right-delim')
    this.#add(name, this.#ownScope('block clause'))
    return { kind: 'template', at: item.at, name, pipe }
  }

  #template(): TemplateNode {
    const item = this.#nextNonSpace()
    const name = this.#templateName(item, 'template clause')
    if (this.#peekNonSpace().kind === 'right-delim') {
      this.#next()
      return { kind: 'template', at: item.at, name, pipe: undefined }
    }
    const pipe = this.#pipeline('template clause', 'right-delim')
    return { kind: 'template', at: item.at, name, pipe }
  }

  #templateName(item: Item, context: string): string {
    if (item.kind !== 'string' && item.kind !== 'raw-string') return this.#unexpected(item, context)
    return this.#unquoted(item.text)
  }

  #unquoted(source: string): string {
    return unquote(source) ?? this.#fail('invalid syntax')
  }

  #pipeline(context: string, end: ItemKind): PipeNode {
    const at = this.#peekNonSpace().at
    const variables: VariableNode[] = []
    const assigns = this.#declarations(context, variables)
    const commands: CommandNode[] = []
    for (;;) {
      const item = this.#nextNonSpace()
      if (item.kind === end) break
      if (!OPERAND_STARTS.has(item.kind)) this.#unexpected(item, context)
      this.#pushedBack.push(item)
      commands.push(this.#command())
    }
    if (commands.length === 0) this.#fail(`missing value for ${context}`)
    const stage = commands.findIndex((command, i) => i > 0 && isLiteral(command.operands[0]))
    if (stage > 0) this.#fail(`non executable command in pipeline stage ${stage + 1}`)
    return { kind: 'pipe', at, assigns, variables, commands }
  }

  /** `$x :=`, `$x =` or in a range `$i, $x :=`; true when it assigns. */
  #declarations(context: string, variables: VariableNode[]): boolean {
    for (;;) {
      const variable = this.#peekNonSpace()
      if (variable.kind !== 'variable') return false
      this.#next()
      const adjacent = this.#next()
      const following = adjacent.kind === 'space' ? this.#nextNonSpace() : adjacent
      const declares = following.kind === 'declare' || following.kind === 'assign'
      if (!declares && !(following.kind === 'char' && following.text === ',')) {
        this.#pushedBack.push(following)
        if (adjacent.kind === 'space') this.#pushedBack.push(adjacent)
        this.#pushedBack.push(variable)
        return false
      }
      variables.push({ kind: 'variable', at: variable.at, names: [variable.text] })
      this.#scope.variables.push(variable.text)
      if (declares) return following.kind === 'assign'
      if (context !== 'range' || variables.length >= 2) {
        this.#fail(`too many declarations in ${context}`)
      }
      const second = this.#peekNonSpace().kind
      if (second !== 'variable' && second !== 'right-delim' && second !== 'right-paren') {
        this.#fail('range can only initialize variables')
      }
    }
  }

  #command(): CommandNode {
    const at = this.#peekNonSpace().at
    const operands: Operand[] = []
    for (;;) {
      this.#peekNonSpace()
      const operand = this.#operand()
      if (operand) operands.push(operand)
      const item = this.#next()
      if (item.kind === 'space') continue
      if (item.kind === 'right-delim' || item.kind === 'right-paren') this.#pushedBack.push(item)
      else if (item.kind !== 'pipe') this.#unexpected(item, 'operand')
      break
    }
    const [first, ...rest] = operands
    if (!first) return this.#fail('empty command')
    return { kind: 'command', at, operands: [first, ...rest] }
  }

  #operand(): Operand | undefined {
    const term = this.#term()
    const at = this.#peek().at
    if (!term || this.#peek().kind !== 'field') return term
    const names: string[] = []
    while (this.#peek().kind === 'field') names.push(this.#next().text.slice(1))
    switch (term.kind) {
      case 'field':
      case 'variable':
        return { ...term, at, names: [...term.names, ...names] }
      case 'bool':
      case 'string':
      case 'number':
      case 'nil':
      case 'dot':
        return this.#fail(`unexpected . after term ${quote(nodeText(term))}`)
      default:
        return {
          kind: 'chain',
          at,
          base: term,
          names: names as [string, ...string[]],
        } satisfies ChainNode
    }
  }

  #term(): Operand | undefined {
    const item = this.#nextNonSpace()
    const { at, text } = item
    switch (item.kind) {
      case 'identifier':
        if (!this.#hasFunction(text)) this.#fail(`function ${quote(text)} not defined`)
        return { kind: 'identifier', at, name: text }
      case 'dot':
        return { kind: 'dot', at }
      case 'nil':
        return { kind: 'nil', at }
      case 'variable':
        if (!this.#scope.variables.includes(text)) this.#fail(`undefined variable ${quote(text)}`)
        return { kind: 'variable', at, names: [text] }
      case 'field':
        return { kind: 'field', at, names: [text.slice(1)] }
      case 'bool':
        return { kind: 'bool', at, value: text === 'true' }
      case 'char-constant':
      case 'complex':
      case 'number':
        return this.#number(item)
      case 'left-paren': {
        if (this.#parenDepth >= MAX_PAREN_DEPTH) this.#fail('max expression depth exceeded')
        this.#parenDepth++
        const pipe = this.#pipeline('parenthesized pipeline', 'right-paren')
        this.#parenDepth--
        return pipe
      }
      case 'string':
      case 'raw-string':
        return { kind: 'string', at, source: text, value: this.#unquoted(text) }
      default:
        this.#pushedBack.push(item)
        return undefined
    }
  }

  #number(item: Item): NumberNode {
    const literal =
      item.kind === 'char-constant'
        ? parseCharacterLiteral(item.text)
        : parseNumberLiteral(item.text)
    if (!literal.ok) return this.#fail(literal.problem)
    const { int, float, ideal } = literal
    return { kind: 'number', at: item.at, source: item.text, int, float, ideal }
  }
}

function isClosing(node: Mark): node is Closing {
  return node.kind === 'end' || node.kind === 'else'
}

function isLiteral(operand: Operand): boolean {
  switch (operand.kind) {
    case 'bool':
    case 'dot':
    case 'nil':
    case 'number':
    case 'string':
      return true
    default:
      return false
  }
}

/** A body of white space only may be replaced by a later definition of the same name. */
function isEmpty(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.kind === 'text' && node.text.trim() === '')
}

function itemText(item: Item): string {
  if (item.kind === 'eof') return 'EOF'
  if (isKeywordItem(item)) return `<${item.text}>`
  if (runeCount(item.text) > 10) return `${quote([...item.text].slice(0, 10).join(''))}...`
  return quote(item.text)
}
