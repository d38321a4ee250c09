import { comparisonsOf } from '@serinus/expr'
import type { Expr } from '@serinus/promql'
import type { MetricCase } from './metric-case.ts'
import { bare, expressionsOf } from './promql-query.ts'
import { clearConditionsOf } from './rules/condition-text.ts'

/**
 * What a metric bounds, where that can be read off it. `allowed` is the share of bad requests that is still good:
 * 0.05 for a success rate of at least 0.95.
 */
export type QueryShape =
  | { readonly kind: 'rate'; readonly allowed: number; readonly condition: string }
  /** The `quantile` of a latency, 0.95 for p95. */
  | { readonly kind: 'quantile'; readonly quantile: number }
  | { readonly kind: 'other' }

export function queryShape(facts: MetricCase): QueryShape {
  const { promql } = facts
  if (!promql?.parsed.ok) return { kind: 'other' }
  const { ast } = promql.parsed
  const quantile = quantileOf(ast)
  if (quantile !== null) return { kind: 'quantile', quantile }
  const scale = ratioScale(ast)
  return (scale === null ? null : rateOf(facts, scale)) ?? { kind: 'other' }
}

function quantileOf(ast: Expr): number | null {
  for (const { expr } of expressionsOf(ast)) {
    if (expr.kind !== 'call' || expr.name !== 'histogram_quantile') continue
    const [parameter] = expr.args
    if (parameter?.kind === 'number' && parameter.value > 0 && parameter.value < 1) {
      return parameter.value
    }
  }
  return null
}

/** 1 for a quotient, 100 for one in percent; null for anything else. */
function ratioScale(expr: Expr): number | null {
  const inner = bare(expr)
  if (inner.kind === 'call' && inner.name === 'scalar' && inner.args[0]) {
    return ratioScale(inner.args[0])
  }
  if (inner.kind !== 'binary') return null
  const left = bare(inner.left)
  const right = bare(inner.right)
  if (inner.op === 'or') return ratioScale(left)
  if (inner.op === '-' && left.kind === 'number') {
    const scale = ratioScale(right)
    return scale === left.value ? scale : null
  }
  if (inner.op === '*') {
    if (right.kind === 'number' && right.value === 100) return ratioScale(left) && 100
    return left.kind === 'number' && left.value === 100 ? ratioScale(right) && 100 : null
  }
  if (inner.op !== '/' || right.kind === 'number') return null
  const factor =
    left.kind === 'binary' && left.op === '*' ? [bare(left.left), bare(left.right)] : []
  return factor.some((each) => each.kind === 'number' && each.value === 100) ? 100 : 1
}

function rateOf(facts: MetricCase, scale: number): QueryShape | null {
  for (const { field, text } of clearConditionsOf(facts)) {
    const bounds = comparisonsOf(text).filter(({ subject }) => /^result(\[0\])?$/.test(subject))
    const [bound] = bounds
    if (!bound || bounds.length > 1) continue
    const value = bound.constant / scale
    if (value <= 0 || value > 1 || bound.operator === '==' || bound.operator === '!=') continue
    const isUpper = bound.operator.startsWith('<') === (field === 'successCondition')
    const allowed = isUpper ? value : 1 - value
    // A success rate that may be small, or an error rate that may be large, is something else.
    if (allowed < 0.5) return { kind: 'rate', allowed, condition: text }
  }
  return null
}
