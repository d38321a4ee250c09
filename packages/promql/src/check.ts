import {
  type Binary,
  type Call,
  type Expr,
  isComparison,
  isSetOperator,
  type ValueType,
} from './ast.ts'
import { METRIC_NAME } from './labels.ts'
import { signatures, typeOf } from './signatures.ts'

export interface ParseProblem {
  readonly message: string
  readonly at: number
}

/** Type errors in the order Prometheus finds them (its `checkAST`); it reports the first. */
export function check(query: string, root: Expr): readonly ParseProblem[] {
  const problems: ParseProblem[] = []
  const report = (at: number, message: string): void => {
    problems.push({ at, message })
  }
  const expect = (expr: Expr, wanted: ValueType, context: string): void => {
    visit(expr)
    if (typeOf(expr) !== wanted)
      report(
        expr.from,
        `expected type ${documented(wanted)} in ${context}, got ${documented(typeOf(expr))}`,
      )
  }

  function visit(expr: Expr): void {
    switch (expr.kind) {
      case 'number':
      case 'string':
        return
      case 'selector':
        if (expr.metric !== undefined) {
          const named = expr.matchers.slice(0, -1).find((m) => m.name === METRIC_NAME)
          if (named !== undefined)
            report(
              expr.from,
              `metric name must not be set twice: ${JSON.stringify(expr.metric)} or ${JSON.stringify(named.value)}`,
            )
        } else if (expr.matchers.every((matcher) => matcher.matches(''))) {
          report(expr.from, 'vector selector must contain at least one non-empty matcher')
        }
        return
      case 'range':
        visit(expr.selector)
        return
      case 'subquery':
        visit(expr.expr)
        if (typeOf(expr.expr) !== 'vector')
          report(
            expr.from,
            `subquery is only allowed on instant vector, got ${typeOf(expr.expr)} instead`,
          )
        return
      case 'aggregation':
        expect(expr.expr, 'vector', 'aggregation expression')
        if (expr.param !== undefined)
          expect(
            expr.param,
            expr.op === 'count_values' ? 'string' : 'scalar',
            'aggregation parameter',
          )
        return
      case 'call':
        visitCall(expr)
        return
      case 'binary':
        visitBinary(expr)
        return
      case 'unary': {
        visit(expr.expr)
        const type = typeOf(expr.expr)
        if (type !== 'scalar' && type !== 'vector')
          report(
            expr.from,
            `unary expression only allowed on expressions of type scalar or instant vector, got "${documented(type)}"`,
          )
        return
      }
      case 'paren':
        visit(expr.expr)
        return
      default:
        throw new TypeError(`unknown expression: ${JSON.stringify(expr satisfies never)}`)
    }
  }

  function visitCall(call: Call): void {
    const { args, variadic } = signatures[call.name] ?? { args: [], variadic: 0 }
    const given = call.args.length
    const name = JSON.stringify(call.name)
    if (variadic === 0) {
      if (given !== args.length)
        report(call.from, `expected ${args.length} argument(s) in call to ${name}, got ${given}`)
    } else if (given < args.length - 1) {
      report(
        call.from,
        `expected at least ${args.length - 1} argument(s) in call to ${name}, got ${given}`,
      )
    } else if (variadic > 0 && given > args.length - 1 + variadic) {
      report(
        call.from,
        `expected at most ${args.length - 1 + variadic} argument(s) in call to ${name}, got ${given}`,
      )
    }
    call.args.forEach((arg, index) => {
      const wanted = args[index] ?? (variadic === 0 ? undefined : args.at(-1))
      if (wanted !== undefined) expect(arg, wanted, `call to function ${name}`)
    })
  }

  function visitBinary(expr: Binary): void {
    visit(expr.left)
    visit(expr.right)
    const left = typeOf(expr.left)
    const right = typeOf(expr.right)
    const { matching, op } = expr
    let operatorAt = expr.left.to
    while (/\s/.test(query[operatorAt] ?? '')) operatorAt++
    if (expr.returnBool && !isComparison(op))
      report(operatorAt, 'bool modifier can only be used on comparison operators')
    if (isComparison(op) && !expr.returnBool && left === 'scalar' && right === 'scalar')
      report(operatorAt, 'comparisons between scalars must use BOOL modifier')
    if (matching.on) {
      for (const label of matching.labels.filter((name) => matching.include.includes(name)))
        report(
          operatorAt,
          `label ${JSON.stringify(label)} must not occur in ON and GROUP clause at once`,
        )
    }
    for (const side of [expr.left, expr.right]) {
      const type = typeOf(side)
      if (type !== 'scalar' && type !== 'vector')
        report(side.from, 'binary expression must contain only scalar and instant vector types')
    }
    if (left !== 'vector' || right !== 'vector') {
      if (matching.labels.length > 0)
        report(expr.from, 'vector matching only allowed between instant vectors')
    } else if (isSetOperator(op) && matching.card !== 'one-to-one') {
      report(expr.from, `no grouping allowed for "${op}" operation`)
    }
    if ((left === 'scalar' || right === 'scalar') && isSetOperator(op))
      report(expr.from, `set operator "${op}" not allowed in binary scalar expression`)
  }

  visit(root)
  return problems
}

function documented(type: ValueType): string {
  if (type === 'vector') return 'instant vector'
  return type === 'matrix' ? 'range vector' : type
}
