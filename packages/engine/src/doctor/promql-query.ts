import { children, type Expr, type ParseResult, parseQuery } from '@serinus/promql'

/** A Prometheus query as far as it is known before its arguments are. */
export interface PromqlQuery {
  /** What was parsed: arguments that are not known have stand-ins. */
  readonly text: string
  /** An argument that is not known stands outside of quotes and brackets, so that parts of the query are not known. */
  readonly isPartial: boolean
  readonly parsed: ParseResult
}

const placeholder = /\{\{[^{}]*\}\}/g

/** Parses a query in which `{{args.NAME}}` may stand for what is not known. */
export function parsePromql(query: string): PromqlQuery {
  let isPartial = false
  const fill = (bare: string) =>
    query.replace(placeholder, (tag: string, at: number) => {
      const before = query.slice(0, at)
      if (isQuoted(before)) return tag.replace(/[^\w]/g, '_')
      if (/[[:]\s*$|offset\s+$/.test(before)) return '5m'
      isPartial = true
      return bare
    })
  const text = fill('unknown_argument')
  const parsed = parseQuery(text)
  if (parsed.ok || !isPartial) return { text, isPartial, parsed }
  const number = fill('1')
  return { text: number, isPartial, parsed: parseQuery(number) }
}

/** Whether a text ends within a string. */
function isQuoted(text: string): boolean {
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? ''
    if (quote === '') quote = /["'`]/.test(letter) ? letter : ''
    else if (letter === '\\' && quote !== '`') at++
    else if (letter === quote) quote = ''
  }
  return quote !== ''
}

/** The expression and all within it, each with what it stands in, the nearest first. */
export function* expressionsOf(
  expr: Expr,
  within: readonly Expr[] = [],
): Generator<{ readonly expr: Expr; readonly within: readonly Expr[] }> {
  yield { expr, within }
  for (const child of children(expr)) yield* expressionsOf(child, [expr, ...within])
}

/** The expression without the parentheses around it. */
export function bare(expr: Expr): Expr {
  return expr.kind === 'paren' ? bare(expr.expr) : expr
}

/** Functions that turn a counter into its growth. */
export const growth: ReadonlySet<string> = new Set(['rate', 'irate', 'increase'])

/** Whether no value of it can be smaller than 0. */
export function isFromZero(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
      return expr.value >= 0
    case 'paren':
      return isFromZero(expr.expr)
    case 'call':
      if (growth.has(expr.name) || counting.has(expr.name)) return true
      return keepsSign.has(expr.name) && expr.args.every((arg) => isFromZero(arg))
    case 'aggregation':
      return (
        expr.op === 'count' || expr.op === 'group' || expr.op === 'stddev' || isFromZero(expr.expr)
      )
    case 'binary':
      if (['+', '*', '/', 'or'].includes(expr.op))
        return isFromZero(expr.left) && isFromZero(expr.right)
      return ['and', 'unless', '==', '!=', '<', '>', '<=', '>='].includes(expr.op)
        ? expr.returnBool || isFromZero(expr.left)
        : false
    default:
      return false
  }
}

const counting: ReadonlySet<string> = new Set([
  'abs',
  'absent',
  'absent_over_time',
  'changes',
  'count_over_time',
  'exp',
  'resets',
  'sqrt',
])
const keepsSign: ReadonlySet<string> = new Set([
  'ceil',
  'clamp_max',
  'floor',
  'round',
  'scalar',
  'sort',
  'sort_desc',
  'vector',
])
