import { quote } from './go-string.ts'

/** The parse tree. `at` is the offset Go would report for the node. */

interface TextNode {
  readonly kind: 'text'
  readonly at: number
  readonly text: string
}
interface ActionNode {
  readonly kind: 'action'
  readonly at: number
  readonly pipe: PipeNode
}
export interface BranchNode {
  readonly kind: 'if' | 'with' | 'range'
  readonly at: number
  readonly pipe: PipeNode
  readonly body: readonly Node[]
  readonly otherwise: readonly Node[]
}
interface JumpNode {
  readonly kind: 'break' | 'continue'
  readonly at: number
}
export interface TemplateNode {
  readonly kind: 'template'
  readonly at: number
  readonly name: string
  readonly pipe: PipeNode | undefined
}
export type Node = TextNode | ActionNode | BranchNode | JumpNode | TemplateNode

export interface PipeNode {
  readonly kind: 'pipe'
  readonly at: number
  readonly assigns: boolean
  readonly variables: readonly VariableNode[]
  readonly commands: readonly CommandNode[]
}
export interface CommandNode {
  readonly kind: 'command'
  readonly at: number
  readonly operands: readonly [Operand, ...Operand[]]
}

export interface IdentifierNode {
  readonly kind: 'identifier'
  readonly at: number
  readonly name: string
}
/** `$x.a.b`: names are `$x`, `a`, `b`. */
export interface VariableNode {
  readonly kind: 'variable'
  readonly at: number
  readonly names: readonly [string, ...string[]]
}
export interface FieldNode {
  readonly kind: 'field'
  readonly at: number
  readonly names: readonly [string, ...string[]]
}
export interface ChainNode {
  readonly kind: 'chain'
  readonly at: number
  readonly base: Operand
  readonly names: readonly [string, ...string[]]
}
interface DotNode {
  readonly kind: 'dot'
  readonly at: number
}
interface NilNode {
  readonly kind: 'nil'
  readonly at: number
}
interface BoolNode {
  readonly kind: 'bool'
  readonly at: number
  readonly value: boolean
}
/** A literal has no type before its use: `1e3` is usable as an int parameter and is a float elsewhere. */
export interface NumberNode {
  readonly kind: 'number'
  readonly at: number
  readonly source: string
  readonly int: bigint | undefined
  readonly float: number | undefined
  readonly ideal: 'int' | 'float' | 'overflow'
}
interface StringNode {
  readonly kind: 'string'
  readonly at: number
  readonly source: string
  readonly value: string
}
export type Operand =
  | PipeNode
  | IdentifierNode
  | VariableNode
  | FieldNode
  | ChainNode
  | DotNode
  | NilNode
  | BoolNode
  | NumberNode
  | StringNode

export type AnyNode = Node | Operand | CommandNode

/** The node as Go writes it between `<` and `>` in an execution error. */
export function nodeText(node: AnyNode): string {
  switch (node.kind) {
    case 'text':
      return node.text
    case 'action':
      return `{{${nodeText(node.pipe)}}}`
    case 'template': {
      const argument = node.pipe ? ` ${nodeText(node.pipe)}` : ''
      return `{{template ${quote(node.name)}${argument}}}`
    }
    case 'if':
    case 'with':
    case 'range':
      return `{{${node.kind} ${nodeText(node.pipe)}}}`
    case 'break':
    case 'continue':
      return `{{${node.kind}}}`
    case 'pipe': {
      const declared = node.variables.map(nodeText).join(', ')
      const mark = node.assigns ? ' = ' : ' := '
      return (declared === '' ? '' : declared + mark) + node.commands.map(nodeText).join(' | ')
    }
    case 'command':
      return node.operands.map(operandText).join(' ')
    case 'identifier':
      return node.name
    case 'variable':
      return node.names.join('.')
    case 'field':
      return node.names.map((name) => `.${name}`).join('')
    case 'chain':
      return operandText(node.base) + node.names.map((name) => `.${name}`).join('')
    case 'dot':
      return '.'
    case 'nil':
      return 'nil'
    case 'bool':
      return String(node.value)
    case 'number':
    case 'string':
      return node.source
  }
}

function operandText(operand: Operand): string {
  return operand.kind === 'pipe' ? `(${nodeText(operand)})` : nodeText(operand)
}
