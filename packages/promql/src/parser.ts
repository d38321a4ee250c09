import type { SyntaxNode } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'
import {
  type AggregationOperator,
  type AtModifier,
  type BinaryOperator,
  children,
  type Expr,
  type Matching,
  type VectorSelector,
} from './ast.ts'
import { check, type ParseProblem } from './check.ts'
import { parseDurationMs } from './duration.ts'
import { METRIC_NAME } from './labels.ts'
import { type Token, tokenize, unquote } from './lexer.ts'
import { createMatcher, type Matcher, type MatchOperator } from './matcher.ts'
import { lineAndColumn } from './position.ts'
import { RegexpError } from './regexp.ts'
import { notEnabled, signatures } from './signatures.ts'
import { syntaxError } from './syntax-error.ts'

/** A selector of a query: what lint needs to name the series that a query reads. */
export interface SelectorUse {
  readonly metric?: string
  readonly matchers: readonly Matcher[]
  /** The range in brackets; absent for an instant selector. */
  readonly rangeMs?: number
  readonly offsetMs: number
  /** Offset into the query string. */
  readonly from: number
}

/** A function call of a query, with the window of its range argument if it has one. */
export interface FunctionUse {
  readonly name: string
  readonly rangeMs?: number
  readonly from: number
}

export type ParseResult =
  | {
      ok: true
      ast: Expr
      selectors: readonly SelectorUse[]
      functions: readonly FunctionUse[]
    }
  | { ok: false; error: string }

/** Deeper queries are refused: parsing and evaluation recurse, and a stack overflow would end the caller's work. */
const MAX_DEPTH = 300
const MAX_OPERATORS = 2000
const TOO_DEEP: ParseProblem = { at: 0, message: 'expression is nested too deeply' }

/**
 * Parses and type-checks a query as Prometheus 3 does. Never throws; the error is Prometheus' text with line and
 * column, `1:5: parse error: unexpected identifier "bar"`, and names the first mistake only.
 */
export function parseQuery(query: string): ParseResult {
  const parsed = parseExpression(query)
  if ('at' in parsed)
    return {
      ok: false,
      error: `${query === '' ? 'unknown position' : lineAndColumn(query, parsed.at)}: parse error: ${parsed.message}`,
    }
  return { ok: true, ast: parsed.ast, ...uses(parsed.ast) }
}

function parseExpression(query: string): { ast: Expr } | ParseProblem {
  const { tokens, error: lexical } = tokenize(query)
  if (tokens.length === 0 && lexical === undefined)
    return { at: 0, message: 'no expression found in input' }
  if (isTooDeep(tokens)) return TOO_DEEP
  const tree = parser.parse(withoutTrailingPoints(query, tokens))
  const errorAt = firstErrorAt(tree.topNode)
  if (errorAt !== undefined) {
    const found = tokens.findIndex((token) => token.from >= errorAt)
    const index = found < 0 ? tokens.length : found
    // Where the offending token was never read, Prometheus stopped at the lexical error before it.
    if (index < tokens.length || lexical === undefined) {
      const problem = syntaxError(tokens, index)
      if (problem !== undefined)
        return index === tokens.length ? { ...problem, at: query.length } : problem
    }
  }
  if (lexical !== undefined) return lexical
  const top = tree.topNode.firstChild
  if (errorAt !== undefined || top === null)
    return { at: errorAt ?? 0, message: 'unexpected end of input' }

  const builder = new Builder(query)
  try {
    const ast = builder.expression(firstExpression(tree.topNode) ?? top, 0)
    const problem = builder.problems[0] ?? check(query, ast)[0]
    return problem ?? { ast }
  } catch (cause) {
    if (cause instanceof TooDeep) return TOO_DEEP
    throw cause
  }
}

/** `2.` is a number for Prometheus and none for the library; a blank in place of the point keeps all offsets. */
function withoutTrailingPoints(query: string, tokens: readonly Token[]): string {
  let text = query
  for (const { kind, text: number, to } of tokens) {
    if (kind === 'number' && number.endsWith('.'))
      text = `${text.slice(0, to - 1)} ${text.slice(to)}`
  }
  return text
}

/** The library's stack ends at some 2,800 nested expressions, and it calls that a syntax error. */
function isTooDeep(tokens: readonly Token[]): boolean {
  let depth = 0
  let operators = 0
  for (const { kind, text } of tokens) {
    if (kind === 'operator') operators++
    else if (kind === 'punctuation' && text === '(') depth++
    else if (kind === 'punctuation' && text === ')') depth--
    if (depth > MAX_DEPTH || operators > MAX_OPERATORS) return true
  }
  return false
}

function firstErrorAt(top: SyntaxNode): number | undefined {
  const cursor = top.cursor()
  do {
    if (cursor.type.isError) return cursor.from
  } while (cursor.next())
  return undefined
}

function firstExpression(top: SyntaxNode): SyntaxNode | undefined {
  return childrenOf(top).find((child) => child.name !== 'LineComment')
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = []
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== 'LineComment') found.push(child)
  }
  return found
}

class TooDeep extends Error {
  override readonly name = 'TooDeep'
}

type Piece =
  | { kind: 'sign'; op: '+' | '-'; from: number }
  | { kind: 'operand'; node: SyntaxNode; from: number }
  | { kind: 'postfix'; node: SyntaxNode; parts: readonly SyntaxNode[] }
  | { kind: 'operator'; op: BinaryOperator; returnBool: boolean; matching: Matching; fill: boolean }

const PRECEDENCE: Readonly<Record<BinaryOperator, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
}
const SIGN_PRECEDENCE = 5
const PLAIN_MATCHING: Matching = { on: false, labels: [], card: 'one-to-one', include: [] }
const POSTFIX = new Set([
  'OffsetExpr',
  'StepInvariantExpr',
  'MatrixSelector',
  'SubqueryExpr',
  'AnchoredExpr',
  'SmoothedExpr',
])

/**
 * Turns the library's tree into ours. The library binds postfix modifiers weaker than operators and signs tighter
 * than `^` (`a + b offset 5m`, `-1 ^ 2`), Prometheus the other way round; so the pieces of an expression are
 * laid out in source order and joined again by Prometheus' precedence.
 */
class Builder {
  readonly problems: ParseProblem[] = []
  readonly #query: string

  constructor(query: string) {
    this.#query = query
  }

  expression(node: SyntaxNode, depth: number): Expr {
    if (depth > MAX_DEPTH) throw new TooDeep()
    const pieces = this.#layOut(node)
    if (pieces.length > MAX_DEPTH * 4) throw new TooDeep()
    let next = 0
    let operators = 0

    const operand = (): Expr => {
      const piece = pieces[next++]
      if (piece?.kind === 'sign') {
        if (++operators > MAX_DEPTH) throw new TooDeep()
        return this.#signed(piece, climb(operand(), SIGN_PRECEDENCE + 1))
      }
      if (piece?.kind !== 'operand') throw new TypeError('the grammar gave an operator for a value')
      let expr = this.#primary(piece.node, depth)
      for (let after = pieces[next]; after?.kind === 'postfix'; after = pieces[next]) {
        next++
        expr = this.#postfixed(expr, after)
      }
      return expr
    }
    const climb = (first: Expr, weakest: number): Expr => {
      let left = first
      for (;;) {
        const piece = pieces[next]
        if (piece?.kind !== 'operator' || PRECEDENCE[piece.op] < weakest) return left
        if (++operators > MAX_DEPTH) throw new TooDeep()
        next++
        const own = PRECEDENCE[piece.op]
        const right = climb(operand(), piece.op === '^' ? own : own + 1)
        left = this.#binary(piece, left, right)
      }
    }
    return climb(operand(), 0)
  }

  #text(node: SyntaxNode): string {
    return this.#query.slice(node.from, node.to)
  }

  #report(at: number, message: string): void {
    this.problems.push({ at, message })
  }

  #layOut(root: SyntaxNode): Piece[] {
    const pieces: Piece[] = []
    const pending: (SyntaxNode | Piece)[] = [root]
    for (let top = pending.pop(); top !== undefined; top = pending.pop()) {
      if ('kind' in top) {
        pieces.push(top)
        continue
      }
      const node = top
      const parts = childrenOf(node)
      const first = parts[0]
      const last = parts.at(-1)
      if (node.name === 'BinaryExpr' && first !== undefined && last !== undefined) {
        pending.push(last, this.#operator(parts.slice(1, -1)), first)
      } else if (node.name === 'UnaryExpr' && first !== undefined && last !== undefined) {
        pending.push(last, { kind: 'sign', op: this.#text(first) as '+' | '-', from: node.from })
      } else if (POSTFIX.has(node.name) && first !== undefined) {
        pending.push({ kind: 'postfix', node, parts: parts.slice(1) }, first)
      } else {
        const sign = node.name === 'NumberDurationLiteral' ? this.#query[node.from] : undefined
        if (sign === '+' || sign === '-') pieces.push({ kind: 'sign', op: sign, from: node.from })
        pieces.push({ kind: 'operand', node, from: node.from })
      }
    }
    return pieces
  }

  #operator(parts: readonly SyntaxNode[]): Piece {
    const op = this.#text(parts[0] as SyntaxNode).toLowerCase() as BinaryOperator
    const clause = parts.find((part) => part.name === 'MatchingModifierClause')
    return {
      kind: 'operator',
      op,
      returnBool: parts.some((part) => part.name === 'BoolModifier'),
      fill: parts.some((part) => part.name === 'FillModifier'),
      matching: clause === undefined ? PLAIN_MATCHING : this.#matching(clause),
    }
  }

  #matching(clause: SyntaxNode): Matching {
    const [mode, labels, group, include] = childrenOf(clause)
    const card =
      group === undefined
        ? 'one-to-one'
        : group.name === 'GroupLeft'
          ? 'many-to-one'
          : 'one-to-many'
    return {
      on: mode?.name === 'On',
      labels: labels === undefined ? [] : this.#groupingLabels(labels),
      card,
      include: include === undefined ? [] : this.#groupingLabels(include),
    }
  }

  #groupingLabels(node: SyntaxNode): string[] {
    return childrenOf(node).map((label) => {
      const name = label.name === 'QuotedLabelName' ? unquote(this.#text(label)) : this.#text(label)
      if (name === '') this.#report(label.from, `invalid label name for grouping: ""`)
      return name
    })
  }

  #binary(piece: Extract<Piece, { kind: 'operator' }>, left: Expr, right: Expr): Expr {
    const { op, returnBool, matching } = piece
    if (piece.fill) this.#report(left.from, 'binop fill modifiers are experimental and not enabled')
    return { kind: 'binary', op, left, right, returnBool, matching, from: left.from, to: right.to }
  }

  #signed(sign: Extract<Piece, { kind: 'sign' }>, expr: Expr): Expr {
    if (expr.kind === 'number')
      return { ...expr, value: sign.op === '-' ? -expr.value : expr.value, from: sign.from }
    return { kind: 'unary', op: sign.op, expr, from: sign.from, to: expr.to }
  }

  #primary(node: SyntaxNode, depth: number): Expr {
    const { from, to } = node
    switch (node.name) {
      case 'NumberDurationLiteral':
        return { kind: 'number', value: this.#number(node), from, to }
      case 'StringLiteral':
        return { kind: 'string', value: unquote(this.#text(node)), from, to }
      case 'VectorSelector':
        return this.#selector(node)
      case 'ParenExpr':
        return {
          kind: 'paren',
          expr: this.expression(childrenOf(node)[0] as SyntaxNode, depth + 1),
          from,
          to,
        }
      case 'FunctionCall':
        return this.#call(node, depth)
      case 'AggregateExpr':
        return this.#aggregation(node, depth)
      default:
        throw new TypeError(`the grammar has an expression that is unknown here: ${node.name}`)
    }
  }

  /** A number in the unit it is written in; a duration counts in seconds. Signs are pieces of their own. */
  #number(node: SyntaxNode): number {
    const text = this.#text(node).replace(/^[+-]\s*/, '')
    const lower = text.toLowerCase()
    if (lower === 'inf') return Number.POSITIVE_INFINITY
    if (lower === 'nan') return Number.NaN
    const durationMs = parseDurationMs(text)
    if (durationMs !== undefined && /[a-z]/.test(text)) return durationMs / 1000
    const digits = text.replaceAll('_', '')
    // A leading zero is octal for Go's ParseInt, decimal again when a digit is 8 or 9 or a point follows.
    if (/^0[0-7]+$/.test(digits)) return Number.parseInt(digits, 8)
    const value = Number(digits)
    if (Number.isNaN(value)) this.#report(node.from, `error parsing number: ${text}`)
    return value
  }

  #selector(node: SyntaxNode): VectorSelector {
    const parts = childrenOf(node)
    const name = parts.find((part) => part.name === 'Identifier')
    const braces = parts.find((part) => part.name === 'LabelMatchers')
    const matchers: Matcher[] = []
    for (const part of braces === undefined ? [] : childrenOf(braces)) {
      const matcher = this.#matcher(part)
      if (matcher !== undefined) matchers.push(matcher)
    }
    const metric = name === undefined ? undefined : this.#text(name)
    if (metric !== undefined) matchers.push(createMatcher(METRIC_NAME, '=', metric))
    return {
      kind: 'selector',
      ...(metric === undefined ? {} : { metric }),
      matchers,
      offsetMs: 0,
      from: node.from,
      to: node.to,
    }
  }

  #matcher(node: SyntaxNode): Matcher | undefined {
    if (node.name === 'QuotedLabelName')
      return createMatcher(METRIC_NAME, '=', unquote(this.#text(node)))
    const [label, op, value] = childrenOf(node)
    if (label === undefined || op === undefined || value === undefined) return undefined
    const name = label.name === 'LabelName' ? this.#text(label) : unquote(this.#text(label))
    try {
      return createMatcher(name, this.#text(op) as MatchOperator, unquote(this.#text(value)))
    } catch (cause) {
      if (!(cause instanceof RegexpError)) throw cause
      this.#report(node.from, cause.message)
      return undefined
    }
  }

  #call(node: SyntaxNode, depth: number): Expr {
    const [identifier, body] = childrenOf(node) as [SyntaxNode, SyntaxNode]
    const name = this.#text(identifier)
    const args = this.#arguments(body, depth)
    if (notEnabled.has(name))
      this.#report(identifier.from, `function ${JSON.stringify(name)} is not enabled`)
    else if (signatures[name] === undefined)
      this.#report(identifier.from, `unknown function with name ${JSON.stringify(name)}`)
    return { kind: 'call', name, args, from: node.from, to: node.to }
  }

  #arguments(body: SyntaxNode, depth: number): Expr[] {
    return childrenOf(body).map((arg) => this.expression(arg, depth + 1))
  }

  #aggregation(node: SyntaxNode, depth: number): Expr {
    const parts = childrenOf(node)
    const op = this.#text(parts[0] as SyntaxNode).toLowerCase() as AggregationOperator
    const modifier = parts.find((part) => part.name === 'AggregateModifier')
    const body = parts.find((part) => part.name === 'FunctionCallBody') as SyntaxNode
    const [mode, labels] = modifier === undefined ? [] : childrenOf(modifier)
    const args = this.#arguments(body, depth)
    const wanted = /^(topk|bottomk|quantile|count_values|limitk|limit_ratio)$/.test(op) ? 2 : 1
    if (args.length === 0) this.#report(node.from, 'no arguments for aggregate expression provided')
    else if (args.length !== wanted)
      this.#report(
        node.from,
        `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`,
      )
    const missing: Expr = { kind: 'number', value: 0, from: node.from, to: node.to }
    return {
      kind: 'aggregation',
      op,
      expr: args[wanted - 1] ?? missing,
      ...(wanted === 2 ? { param: args[0] ?? missing } : {}),
      grouping: labels === undefined ? [] : this.#groupingLabels(labels),
      without: mode?.name === 'Without',
      from: node.from,
      to: node.to,
    }
  }

  #postfixed(expr: Expr, { node, parts }: Extract<Piece, { kind: 'postfix' }>): Expr {
    switch (node.name) {
      case 'MatrixSelector':
        return this.#ranged(expr, node, parts)
      case 'SubqueryExpr': {
        const rangeMs = this.#rangeMs(parts[0] as SyntaxNode)
        const stepMs = parts[1] === undefined ? undefined : this.#rangeMs(parts[1])
        return {
          kind: 'subquery',
          expr,
          rangeMs,
          ...(stepMs === undefined ? {} : { stepMs }),
          offsetMs: 0,
          from: expr.from,
          to: node.to,
        }
      }
      case 'OffsetExpr':
        return this.#offset(expr, node, parts.at(-1) as SyntaxNode)
      case 'StepInvariantExpr':
        return this.#at(expr, node, parts.at(-1) as SyntaxNode)
      default:
        this.#report(
          expr.from,
          `${node.name === 'AnchoredExpr' ? 'anchored' : 'smoothed'} modifier is experimental and not enabled`,
        )
        return expr
    }
  }

  #ranged(expr: Expr, node: SyntaxNode, parts: readonly SyntaxNode[]): Expr {
    const bracketAt = this.#query.indexOf('[', expr.to)
    const rangeMs = this.#rangeMs(parts[0] as SyntaxNode)
    if (expr.kind !== 'selector') {
      this.#report(bracketAt, 'ranges only allowed for vector selectors')
      return expr
    }
    if (expr.offsetMs !== 0) this.#report(bracketAt, 'no offset modifiers allowed before range')
    else if (expr.at !== undefined) this.#report(bracketAt, 'no @ modifiers allowed before range')
    return { kind: 'range', selector: expr, rangeMs, from: expr.from, to: node.to }
  }

  #offset(expr: Expr, node: SyntaxNode, duration: SyntaxNode): Expr {
    const offsetMs = this.#signedMs(duration)
    if (expr.kind === 'range')
      return { ...expr, selector: this.#shifted(expr.selector, expr, offsetMs), to: node.to }
    if (expr.kind === 'selector' || expr.kind === 'subquery')
      return { ...this.#shifted(expr, expr, offsetMs), to: node.to }
    this.#report(
      expr.from,
      'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    )
    return expr
  }

  #shifted<T extends { readonly offsetMs: number }>(target: T, shown: Expr, offsetMs: number): T {
    if (target.offsetMs !== 0) this.#report(shown.from, 'offset may not be set multiple times')
    return { ...target, offsetMs }
  }

  #at(expr: Expr, node: SyntaxNode, when: SyntaxNode): Expr {
    const at = this.#atModifier(expr, when)
    const set = expr.kind === 'range' ? expr.selector.at : 'at' in expr ? expr.at : undefined
    if (set !== undefined) this.#report(expr.from, '@ <timestamp> may not be set multiple times')
    if (expr.kind === 'range') return { ...expr, selector: { ...expr.selector, at }, to: node.to }
    if (expr.kind === 'selector' || expr.kind === 'subquery') return { ...expr, at, to: node.to }
    this.#report(
      expr.from,
      '@ modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    )
    return expr
  }

  #atModifier(expr: Expr, when: SyntaxNode): AtModifier {
    if (when.name === 'AtModifierPreprocessors')
      return { kind: this.#text(when).toLowerCase().startsWith('start') ? 'start' : 'end' }
    const seconds = this.#number(when) * (this.#text(when).startsWith('-') ? -1 : 1)
    if (!Number.isFinite(seconds) || Math.abs(seconds) >= 2 ** 63)
      this.#report(
        expr.from,
        `timestamp out of bounds for @ modifier: ${Number.isFinite(seconds) ? seconds.toFixed(6) : seconds > 0 ? '+Inf' : seconds < 0 ? '-Inf' : 'NaN'}`,
      )
    return { kind: 'time', at: Math.round(seconds * 1000) }
  }

  #rangeMs(node: SyntaxNode): number {
    const durationMs = this.#signedMs(node)
    if (!(durationMs > 0)) this.#report(node.from, 'duration must be greater than 0')
    return durationMs
  }

  /** A literal with any signs before it. Arithmetic on durations is a feature that Prometheus has off, too. */
  #signedMs(node: SyntaxNode): number {
    let sign = 1
    let inner = node
    for (;;) {
      const parts = childrenOf(inner)
      const [first, second] = parts
      if (first?.name === 'NumberDurationLiteralInDurationContext' && parts.length === 1)
        return Math.round(sign * this.#number(first) * 1000)
      if (first?.name === 'UnaryOp' && second !== undefined) {
        if (this.#text(first) === '-') sign = -sign
        inner = second
        continue
      }
      this.#report(node.from, 'experimental duration expression is not enabled')
      return 1
    }
  }
}

function uses(root: Expr): {
  selectors: readonly SelectorUse[]
  functions: readonly FunctionUse[]
} {
  const selectors: SelectorUse[] = []
  const functions: FunctionUse[] = []
  const visit = (expr: Expr): void => {
    if (expr.kind === 'selector' || expr.kind === 'range') {
      const selector = expr.kind === 'range' ? expr.selector : expr
      selectors.push({
        ...(selector.metric === undefined ? {} : { metric: selector.metric }),
        matchers: selector.matchers,
        ...(expr.kind === 'range' ? { rangeMs: expr.rangeMs } : {}),
        offsetMs: selector.offsetMs,
        from: expr.from,
      })
      return
    }
    if (expr.kind === 'call') {
      const window = expr.args.find((arg) => arg.kind === 'range' || arg.kind === 'subquery')
      functions.push({
        name: expr.name,
        ...(window?.kind === 'range' || window?.kind === 'subquery'
          ? { rangeMs: window.rangeMs }
          : {}),
        from: expr.from,
      })
    }
    for (const child of children(expr)) visit(child)
  }
  visit(root)
  return { selectors, functions }
}
