import { childrenOf, NOWHERE, type Node, type NodeKind, rewrite } from './ast.ts'
import { ANY_SLICE, BOOL, FLOAT64, type GoType, INT, STRING } from './go-type.ts'
import { type Nature, ofType, UNKNOWN } from './nature.ts'
import { goPower } from './operators.ts'
import { print } from './print.ts'
import { CompileError } from './problem.ts'
import { wrapInt } from './value.ts'

/**
 * The rewrites of upstream. They are not for speed: each of them changes what a user can see, an error
 * that is no longer met or a type that is no longer asked. Throws `CompileError` for a division by a
 * literal zero. Source: spec analysis-and-experiments 3.9.
 */
export function optimize(tree: Node): Node {
  let node = rewrite(tree, inArray)
  for (let round = 0; round <= 1000; round++) {
    let applied = false
    node = rewrite(node, (child) => {
      const folded = fold(child)
      applied ||= folded !== child
      return folded
    })
    if (!applied) break
  }
  for (const pass of [
    inRange,
    filterMap,
    filterLength,
    filterEnd('last', 'findLast', -1n),
    filterEnd('first', 'find', 0n),
    combinePredicates,
    sumRange,
    sumArray,
    sumMap,
    countAny,
    countThreshold,
  ]) {
    node = rewrite(node, pass)
  }
  return node
}

function make(kind: NodeKind, like?: { at: Node['at']; nature: Nature }): Node {
  return { at: like?.at ?? NOWHERE, nature: like?.nature ?? UNKNOWN, ...kind }
}

function literal(kind: NodeKind, type: GoType, at: Node['at']): Node {
  return make(kind, { at, nature: ofType(type) })
}

/** The kind of a node's static type as upstream sees it after checking. */
function isIntKind(node: Node): boolean {
  return node.nature.type?.kind === 'int'
}

/** `x in [1, 2]` and `x in ["a", "b"]` look up a set. */
function inArray(node: Node): Node {
  if (node.kind !== 'binary' || node.operator !== 'in' || node.right.kind !== 'array') return node
  const { nodes } = node.right
  if (nodes.length === 0) return node
  const integers = nodes.flatMap((item) => (item.kind === 'integer' ? [item.value] : []))
  const strings = nodes.flatMap((item) => (item.kind === 'string' ? [item.value] : []))
  const set = (type: GoType, members: readonly (string | bigint)[]): Node =>
    make(
      { ...node, right: make({ kind: 'set', type, members: new Set(members) }, node.right) },
      node,
    )
  if (isIntKind(node.left) && integers.length === nodes.length) return set(INT, integers)
  if (strings.length === nodes.length) return set(STRING, strings)
  return node
}

function fold(node: Node): Node {
  switch (node.kind) {
    case 'unary':
      return foldUnary(node)
    case 'binary':
      return foldBinary(node)
    case 'array': {
      if (node.nodes.length === 0) return node
      const values = []
      for (const item of node.nodes) {
        if (
          item.kind !== 'integer' &&
          item.kind !== 'float' &&
          item.kind !== 'string' &&
          item.kind !== 'bool'
        ) {
          return node
        }
        values.push(item.value)
      }
      return literal({ kind: 'constant', value: values }, ANY_SLICE, node.at)
    }
    case 'builtin': {
      const [inner, outerPredicate] = node.args
      if (node.name !== 'filter' || inner?.kind !== 'builtin' || inner.name !== 'filter')
        return node
      const [array, innerPredicate] = inner.args
      if (
        array === undefined ||
        innerPredicate?.kind !== 'predicate' ||
        outerPredicate?.kind !== 'predicate'
      ) {
        return node
      }
      const both = make({
        kind: 'binary',
        operator: '&&',
        left: innerPredicate.node,
        right: outerPredicate.node,
      })
      return make(
        { kind: 'builtin', name: 'filter', args: [array, make({ kind: 'predicate', node: both })] },
        node,
      )
    }
    default:
      return node
  }
}

function foldUnary(node: Node & { kind: 'unary' }): Node {
  const { operand, operator } = node
  if (operator === '!' || operator === 'not') {
    return operand.kind === 'bool'
      ? literal({ kind: 'bool', value: !operand.value }, BOOL, node.at)
      : node
  }
  if (operand.kind === 'integer') {
    const value = operator === '-' ? wrapInt(-operand.value) : operand.value
    return literal({ kind: 'integer', value }, INT, node.at)
  }
  if (operand.kind === 'float') {
    return literal(
      { kind: 'float', value: operator === '-' ? -operand.value : operand.value },
      FLOAT64,
      node.at,
    )
  }
  return node
}

function foldBinary(node: Node & { kind: 'binary' }): Node {
  const { left, right, operator, at } = node
  switch (operator) {
    case 'and':
    case '&&':
      if (left.kind === 'bool' && left.value) return retyped(right, node)
      if (right.kind === 'bool' && right.value) return retyped(left, node)
      if (left.kind === 'bool' || right.kind === 'bool')
        return literal({ kind: 'bool', value: false }, BOOL, at)
      return node
    case 'or':
    case '||':
      if (left.kind === 'bool' && !left.value) return retyped(right, node)
      if (right.kind === 'bool' && !right.value) return retyped(left, node)
      if (left.kind === 'bool' || right.kind === 'bool')
        return literal({ kind: 'bool', value: true }, BOOL, at)
      return node
    case '==':
      if (
        left.kind === right.kind &&
        (left.kind === 'integer' || left.kind === 'string' || left.kind === 'bool') &&
        (right.kind === 'integer' || right.kind === 'string' || right.kind === 'bool')
      ) {
        return literal({ kind: 'bool', value: left.value === right.value }, BOOL, at)
      }
      return node
    case '%':
      if (left.kind !== 'integer' || right.kind !== 'integer') return node
      if (right.value === 0n) throw new CompileError(at, 'integer divide by zero')
      return literal({ kind: 'integer', value: wrapInt(left.value % right.value) }, INT, at)
    default:
  }
  if (operator === '+' && left.kind === 'string' && right.kind === 'string') {
    return literal({ kind: 'string', value: left.value + right.value }, STRING, at)
  }
  if (left.kind === 'integer' && right.kind === 'integer') {
    const value = foldIntegers(operator, left.value, right.value)
    if (value !== null) return literal({ kind: 'integer', value: wrapInt(value) }, INT, at)
  }
  const a = left.kind === 'integer' || left.kind === 'float' ? Number(left.value) : null
  const b = right.kind === 'integer' || right.kind === 'float' ? Number(right.value) : null
  const value = a === null || b === null ? null : foldFloats(operator, a, b)
  return value === null ? node : literal({ kind: 'float', value }, FLOAT64, at)
}

function foldIntegers(operator: string, a: bigint, b: bigint): bigint | null {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    default:
      return null
  }
}

function foldFloats(operator: string, a: number, b: number): number | null {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '**':
    case '^':
      return goPower(a, b)
    default:
      return null
  }
}

/** Upstream gives the survivor the place and the type of what it replaces. */
function retyped(node: Node, replaced: Node): Node {
  node.at = replaced.at
  node.nature = replaced.nature
  return node
}

/** `x in 1..5` compares instead of making the range, where x is known to be an int. */
function inRange(node: Node): Node {
  if (node.kind !== 'binary' || node.operator !== 'in' || !isIntKind(node.left)) return node
  const range = node.right
  if (range.kind !== 'binary' || range.operator !== '..') return node
  const { left: from, right: to } = range
  if (from.kind !== 'integer' || to.kind !== 'integer') return node
  const above = make({ kind: 'binary', operator: '>=', left: node.left, right: from })
  const below = make({ kind: 'binary', operator: '<=', left: node.left, right: to })
  return make({ kind: 'binary', operator: 'and', left: above, right: below }, node)
}

function filterOf(node: Node | undefined): (Node & { kind: 'builtin' }) | null {
  return node?.kind === 'builtin' && node.name === 'filter' && node.args.length === 2 ? node : null
}

/** `map(filter(a, p), q)` gives what q makes of each element found, without the array between. */
function filterMap(node: Node): Node {
  if (node.kind !== 'builtin' || node.name !== 'map') return node
  const filter = filterOf(node.args[0])
  const predicate = node.args[1]
  if (filter === null || filter.mapped !== undefined || predicate?.kind !== 'predicate') return node
  if (usesIndex(predicate)) return node
  return make({ kind: 'builtin', name: 'filter', args: filter.args, mapped: predicate.node }, node)
}

function usesIndex(node: Node): boolean {
  return (node.kind === 'pointer' && node.name === 'index') || childrenOf(node).some(usesIndex)
}

function filterLength(node: Node): Node {
  if (node.kind !== 'builtin' || node.name !== 'len' || node.args.length !== 1) return node
  const filter = filterOf(node.args[0])
  return filter === null ? node : make({ kind: 'builtin', name: 'count', args: filter.args }, node)
}

/** `filter(a, p)[0]` and `first(filter(a, p))` find; only the index fails where nothing is found. */
function filterEnd(builtin: string, finder: string, index: bigint): (node: Node) => Node {
  return (node) => {
    if (node.kind === 'member' && !node.optional && node.property.kind === 'integer') {
      const filter = filterOf(node.node)
      if (filter === null || node.property.value !== index) return node
      return found(node, filter, finder, true)
    }
    if (node.kind !== 'builtin' || node.name !== builtin || node.args.length !== 1) return node
    const filter = filterOf(node.args[0])
    return filter === null ? node : found(node, filter, finder, false)
  }
}

function found(
  node: Node,
  filter: Node & { kind: 'builtin' },
  name: string,
  throws: boolean,
): Node {
  return make(
    {
      kind: 'builtin',
      name,
      args: filter.args,
      ...(throws ? { throws } : {}),
      ...(filter.mapped === undefined ? {} : { mapped: filter.mapped }),
    },
    node,
  )
}

/** `all(x, p) && all(x, q)` goes through x once. */
function combinePredicates(node: Node): Node {
  if (node.kind !== 'binary') return node
  const { left, right } = node
  if (left.kind !== 'builtin' || right.kind !== 'builtin' || left.name !== right.name) return node
  const operator = combinedOperator(left.name, node.operator)
  const [leftArray, leftPredicate] = left.args
  const [rightArray, rightPredicate] = right.args
  if (operator === null || leftArray === undefined || rightArray === undefined) return node
  if (leftPredicate?.kind !== 'predicate' || rightPredicate?.kind !== 'predicate') return node
  if (leftArray.nature.type?.name !== rightArray.nature.type?.name) return node
  if (hasConstant(leftArray) || print(leftArray) !== print(rightArray)) return node
  const both = combinePredicates(
    make({ kind: 'binary', operator, left: leftPredicate.node, right: rightPredicate.node }),
  )
  return make(
    {
      kind: 'builtin',
      name: left.name,
      args: [leftArray, make({ kind: 'predicate', node: both })],
    },
    node,
  )
}

function combinedOperator(builtin: string, operator: string): string | null {
  if (builtin === 'all' && (operator === 'and' || operator === '&&')) return operator
  if (builtin === 'any' && (operator === 'or' || operator === '||')) return operator
  if (builtin === 'none' && operator === 'and') return 'or'
  if (builtin === 'none' && operator === '&&') return '||'
  return null
}

function hasConstant(node: Node): boolean {
  return node.kind === 'constant' || node.kind === 'set' || childrenOf(node).some(hasConstant)
}

/** `sum(1..1000000)` is computed, not walked, so it stays within the memory budget. */
function sumRange(node: Node): Node {
  if (node.kind !== 'builtin' || (node.name !== 'sum' && node.name !== 'reduce')) return node
  const [range, predicate, initial] = node.args
  if (range?.kind !== 'binary' || range.operator !== '..') return node
  if (range.left.kind !== 'integer' || range.right.kind !== 'integer') return node
  const from = range.left.value
  const to = range.right.value
  if (to < from) return node
  const count = wrapInt(to - from + 1n)
  const total = wrapInt(count * wrapInt(from + to)) / 2n
  const result =
    node.name === 'sum'
      ? rangeSum({ total, count }, predicate)
      : rangeReduction(total, predicate, initial)
  return result === null ? node : literal({ kind: 'integer', value: wrapInt(result) }, INT, node.at)
}

function rangeSum(
  { total, count }: { total: bigint; count: bigint },
  predicate: Node | undefined,
): bigint | null {
  if (predicate === undefined) return total
  if (predicate.kind !== 'predicate') return null
  const body = predicate.node
  if (isElement(body)) return total
  if (body.kind !== 'binary') return null
  const { left, right, operator } = body
  const factor = isElement(left) ? right : isElement(right) ? left : null
  if (factor?.kind !== 'integer') return null
  switch (operator) {
    case '*':
      return factor.value * total
    case '+':
      return total + count * factor.value
    case '-':
      return factor === right ? total - count * factor.value : count * factor.value - total
    default:
      return null
  }
}

function rangeReduction(
  total: bigint,
  predicate: Node | undefined,
  initial: Node | undefined,
): bigint | null {
  const body = predicate?.kind === 'predicate' ? predicate.node : null
  if (body?.kind !== 'binary' || body.operator !== '+') return null
  const { left, right } = body
  if (!((isElement(left) && isAccumulator(right)) || (isAccumulator(left) && isElement(right))))
    return null
  if (initial === undefined) return total
  return initial.kind === 'integer' ? initial.value + total : null
}

function isElement(node: Node): boolean {
  return node.kind === 'pointer' && node.name === ''
}

function isAccumulator(node: Node): boolean {
  return node.kind === 'pointer' && node.name === 'acc'
}

/** `sum([a, b, c])` becomes `a + (b + c)`, so it adds anything that can be added. */
function sumArray(node: Node): Node {
  if (node.kind !== 'builtin' || node.name !== 'sum' || node.args.length !== 1) return node
  const array = node.args[0]
  if (array?.kind !== 'array' || array.nodes.length < 2) return node
  const sum = array.nodes.reduceRight((right, left) =>
    make({ kind: 'binary', operator: '+', left, right }),
  )
  return retyped(sum, node)
}

function sumMap(node: Node): Node {
  if (node.kind !== 'builtin' || node.name !== 'sum' || node.args.length !== 1) return node
  const map = node.args[0]
  if (map?.kind !== 'builtin' || map.name !== 'map' || map.args.length !== 2) return node
  return make({ kind: 'builtin', name: 'sum', args: map.args }, node)
}

function countOf(
  node: Node,
): { count: Node & { kind: 'builtin' }; limit: bigint; operator: string } | null {
  if (node.kind !== 'binary' || node.right.kind !== 'integer') return null
  const count = node.left
  if (count.kind !== 'builtin' || count.name !== 'count' || count.args.length !== 2) return null
  return { count, limit: node.right.value, operator: node.operator }
}

function countAny(node: Node): Node {
  const found = countOf(node)
  if (found === null) return node
  const { count, limit, operator } = found
  if (!(operator === '>' && limit === 0n) && !(operator === '>=' && limit === 1n)) return node
  return make({ kind: 'builtin', name: 'any', args: count.args }, node)
}

/** `count(a, p) > 3` need not look further than the fourth. */
function countThreshold(node: Node): Node {
  const found = countOf(node)
  if (found === null || found.limit < 0n) return node
  const { count, limit, operator } = found
  if (!['>', '>=', '<', '<='].includes(operator)) return node
  const threshold = operator === '>' || operator === '<=' ? limit + 1n : limit
  if (threshold > 1n) count.threshold = threshold
  return node
}
