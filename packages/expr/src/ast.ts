import type { GoType } from './go-type.ts'
import type { Nature } from './nature.ts'
import type { Value } from './value.ts'

/** A stretch of the source, in characters. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** Optimizing replaces children in place; `nature` is set by the checker. */
export type Node = { at: Span; nature: Nature } & NodeKind

export type NodeKind =
  | { kind: 'nil' }
  | { kind: 'identifier'; name: string }
  | { kind: 'integer'; value: bigint }
  | { kind: 'float'; value: number }
  | { kind: 'bool'; value: boolean }
  | { kind: 'string'; value: string }
  | { kind: 'bytes'; value: Uint8Array }
  /** Made by the optimizer only. */
  | { kind: 'constant'; value: Value }
  /** A set that the optimizer makes of `x in ["a", "b"]`. Its lookups insist on the element's type. */
  | { kind: 'set'; type: GoType; members: ReadonlySet<string | bigint> }
  | { kind: 'unary'; operator: string; operand: Node }
  | { kind: 'binary'; operator: string; left: Node; right: Node }
  | { kind: 'chain'; node: Node }
  | { kind: 'member'; node: Node; property: Node; optional: boolean; method: boolean }
  | { kind: 'slice'; node: Node; start: Node | null; end: Node | null }
  | { kind: 'call'; callee: Node; args: Node[] }
  | {
      kind: 'builtin'
      name: string
      args: Node[]
      /** Set by the optimizer: fail like an index where nothing is found. */
      throws?: true
      /** Set by the optimizer: what to give for an element that was found. */
      mapped?: Node
      /** Set by the optimizer: stop counting here. */
      threshold?: bigint
    }
  | { kind: 'predicate'; node: Node }
  | { kind: 'pointer'; name: string }
  | { kind: 'let'; name: string; value: Node; body: Node }
  | { kind: 'sequence'; nodes: Node[] }
  | { kind: 'conditional'; condition: Node; whenTrue: Node; whenFalse: Node; ternary: boolean }
  | { kind: 'array'; nodes: Node[] }
  | { kind: 'map'; pairs: Node[] }
  | { kind: 'pair'; key: Node; value: Node }

export const NOWHERE: Span = { from: 0, to: 0 }

/** Replaces every node of a tree, children first, by what `change` gives for it. */
export function rewrite(node: Node, change: (node: Node) => Node): Node {
  const visit = (child: Node): Node => rewrite(child, change)
  switch (node.kind) {
    case 'unary':
      node.operand = visit(node.operand)
      break
    case 'binary':
      node.left = visit(node.left)
      node.right = visit(node.right)
      break
    case 'chain':
    case 'predicate':
      node.node = visit(node.node)
      break
    case 'member':
      node.node = visit(node.node)
      node.property = visit(node.property)
      break
    case 'slice':
      node.node = visit(node.node)
      if (node.start !== null) node.start = visit(node.start)
      if (node.end !== null) node.end = visit(node.end)
      break
    case 'call':
      node.callee = visit(node.callee)
      node.args = node.args.map(visit)
      break
    case 'builtin':
      node.args = node.args.map(visit)
      break
    case 'let':
      node.value = visit(node.value)
      node.body = visit(node.body)
      break
    case 'sequence':
    case 'array':
      node.nodes = node.nodes.map(visit)
      break
    case 'conditional':
      node.condition = visit(node.condition)
      node.whenTrue = visit(node.whenTrue)
      node.whenFalse = visit(node.whenFalse)
      break
    case 'map':
      node.pairs = node.pairs.map(visit)
      break
    case 'pair':
      node.key = visit(node.key)
      node.value = visit(node.value)
      break
    default:
  }
  return change(node)
}

/** The parts of a node in the order they are written, what the optimizer added included. */
export function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'unary':
      return [node.operand]
    case 'binary':
      return [node.left, node.right]
    case 'chain':
    case 'predicate':
      return [node.node]
    case 'member':
      return [node.node, node.property]
    case 'slice':
      return [node.node, node.start, node.end].filter((child) => child !== null)
    case 'call':
      return [node.callee, ...node.args]
    case 'builtin':
      return node.mapped === undefined ? node.args : [...node.args, node.mapped]
    case 'let':
      return [node.value, node.body]
    case 'sequence':
    case 'array':
      return node.nodes
    case 'conditional':
      return [node.condition, node.whenTrue, node.whenFalse]
    case 'map':
      return node.pairs
    case 'pair':
      return [node.key, node.value]
    default:
      return []
  }
}
