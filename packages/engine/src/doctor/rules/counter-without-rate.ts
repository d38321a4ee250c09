import type { Expr, VectorSelector } from '@serinus/promql'
import { expressionsOf, growth } from '../promql-query.ts'
import { queryField, type Rule } from '../rule.ts'

/** A counter as it stands: it grows for ever, starts at 0 with each pod and says nothing of the update. */
export const counterWithoutRate: Rule = {
  id: 'PromQLCounterWithoutRate',
  severity: 'warning',
  examine({ promql }) {
    if (!promql?.parsed.ok) return []
    const names = new Set<string>()
    const raw = new Set<string>()
    for (const { expr, within } of expressionsOf(promql.parsed.ast)) {
      if (expr.kind !== 'selector' || expr.metric === undefined) continue
      names.add(expr.metric)
      if (isRead(expr, within)) raw.add(expr.metric)
    }
    return [...raw]
      .filter((name) => isCounter(name, names))
      .map((name) => ({
        field: queryField,
        message: `${name} is a counter: it only grows, and starts at 0 with every new pod, so its value says nothing of this update; write rate(${name}{...}[5m]), or increase(...) for a number of events`,
      }))
  },
}

/** Names say what a series is; `_sum` and `_count` only beside each other, since gauges are called so too. */
function isCounter(name: string, others: ReadonlySet<string>): boolean {
  // It is of one pod and lives as long: of new pods it counts what has happened since the update.
  if (name.endsWith('_restarts_total')) return false
  if (/_(total|bucket)$/.test(name)) return true
  const [, stem, end] = /^(.*)_(sum|count)$/.exec(name) ?? []
  return stem !== undefined && others.has(`${stem}_${end === 'sum' ? 'count' : 'sum'}`)
}

/** Whether the value itself comes into the result, and not its growth, its presence or its age. */
function isRead(selector: VectorSelector, within: readonly Expr[]): boolean {
  let child: Expr = selector
  for (const parent of within) {
    if (parent.kind === 'call' && ofChange.has(parent.name)) return false
    if (parent.kind === 'aggregation' && (parent.op === 'count' || parent.op === 'group')) {
      return false
    }
    if (parent.kind === 'binary') {
      // Only presence counts there.
      const filters = parent.op === 'and' || parent.op === 'unless'
      if (filters && parent.right === child) return false
      // What it was before is taken off.
      if (parent.op === '-') return false
    }
    child = parent
  }
  return true
}

const ofChange: ReadonlySet<string> = new Set([
  ...growth,
  'absent',
  'absent_over_time',
  'changes',
  'count_over_time',
  'delta',
  'deriv',
  'idelta',
  'predict_linear',
  'present_over_time',
  'resets',
  'timestamp',
])
