import type { Node } from './ast.ts'
import { quote } from './go-text.ts'
import { isIdentifier } from './lexer.ts'

/**
 * An expression that parses to the same tree. Nested operators are in parentheses throughout: two
 * subexpressions print alike exactly when they are alike, which the optimizer relies on.
 */
export function print(node: Node): string {
  switch (node.kind) {
    case 'nil':
      return 'nil'
    case 'identifier':
      return node.name
    case 'integer':
      return String(node.value)
    case 'float':
      return floatText(node.value)
    case 'bool':
      return String(node.value)
    case 'string':
      return quote(node.value)
    case 'bytes':
      return `b"${Array.from(node.value, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`
    case 'constant':
    case 'set':
      // Made by the optimizer, which has no use for their text.
      return `<${node.kind}>`
    case 'unary':
      return `${node.operator === 'not' ? 'not ' : node.operator}${operand(node.operand)}`
    case 'binary':
      return `${operand(node.left)} ${node.operator} ${operand(node.right)}`
    case 'chain':
      return print(node.node)
    case 'member':
      return member(node)
    case 'slice': {
      const start = node.start === null ? '' : operand(node.start)
      const end = node.end === null ? '' : operand(node.end)
      return `${base(node.node)}[${start}:${end}]`
    }
    case 'call':
      return `${print(node.callee)}(${node.args.map(operand).join(', ')})`
    case 'builtin':
      return `${node.name}(${node.args.map(operand).join(', ')})`
    case 'predicate':
      return `{${print(node.node)}}`
    case 'pointer':
      return `#${node.name}`
    case 'let':
      return `let ${node.name} = ${operand(node.value)}; ${operand(node.body)}`
    case 'sequence':
      return node.nodes.map(operand).join('; ')
    case 'conditional': {
      const condition = operand(node.condition)
      return node.ternary
        ? `${condition} ? ${operand(node.whenTrue)} : ${operand(node.whenFalse)}`
        : `if ${condition} {${print(node.whenTrue)}} else {${print(node.whenFalse)}}`
    }
    case 'array':
      return `[${node.nodes.map(operand).join(', ')}]`
    case 'map':
      return `{${node.pairs.map(print).join(', ')}}`
    case 'pair': {
      const key = node.key.kind === 'string' ? quote(node.key.value) : `(${print(node.key)})`
      return `${key}: ${operand(node.value)}`
    }
    default:
      throw new TypeError(`unknown node: ${JSON.stringify(node satisfies never)}`)
  }
}

const COMPOUND = new Set<Node['kind']>(['unary', 'binary', 'let', 'sequence', 'conditional'])

function operand(node: Node): string {
  return COMPOUND.has(node.kind) ? `(${print(node)})` : print(node)
}

/** Nothing may follow a literal number or a constant word directly. */
const BARE = new Set<Node['kind']>(['nil', 'bool', 'integer', 'float'])

function base(node: Node): string {
  return BARE.has(node.kind) ? `(${print(node)})` : operand(node)
}

function member(node: Node & { kind: 'member' }): string {
  const { property } = node
  // A dot after a chain would continue it; brackets after a chain begin anew.
  const dotted =
    property.kind === 'string' && isIdentifier(property.value) && node.node.kind !== 'chain'
  const mark = node.optional ? '?.' : ''
  if (dotted) return `${base(node.node)}${mark === '' ? '.' : mark}${property.value}`
  return `${base(node.node)}${mark}[${operand(property)}]`
}

function floatText(value: number): string {
  const text = String(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}
