import { comparisonsOf } from '@serinus/expr'
import type { Expr, VectorSelector } from '@serinus/promql'
import type { MetricCase } from '../metric-case.ts'
import { bare, expressionsOf, growth, parsePromql } from '../promql-query.ts'
import { queryField, type Rule } from '../rule.ts'
import { clearConditionsOf } from './condition-text.ts'

/** A counter as it stands: it grows for ever, starts at 0 with each pod and says nothing of the update. */
export const counterWithoutRate: Rule = {
  id: 'PromQLCounterWithoutRate',
  severity: 'warning',
  examine(facts) {
    const { promql } = facts
    if (!promql?.parsed.ok || isBudget(facts)) return []
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
        message: `${name} is a counter: it only grows, and starts at 0 with every new pod, so its value holds what was counted before this update, too; write rate(${name}{...}[5m]), or increase(...) for a number of events`,
      }))
  },
}

/**
 * At most so many events in the life of the new pods: theirs began with the update. A Service says less, since the
 * counters of a proxy live on.
 */
function isBudget(facts: MetricCase): boolean {
  const written = parsePromql(facts.written.provider.prometheus?.query ?? '').parsed
  if (!written.ok) return false
  const counted = withoutSum(written.ast)
  if (counted.kind !== 'selector') return false
  const isOfNewPods = counted.matchers.some(
    ({ name, op, value }) =>
      (op === '=' || op === '=~') && ofPods.test(name) && value.includes(standInForArgument),
  )
  const bounds = clearConditionsOf(facts).flatMap(({ field, text }) =>
    comparisonsOf(text).map(
      ({ operator }) => operator.startsWith('<') === (field === 'successCondition'),
    ),
  )
  return isOfNewPods && bounds.length > 0 && bounds.every((isUpper) => isUpper)
}

const ofPods = /^(instance|pod|pod_name|kubernetes_pod_name)$|hash|version|revision/i
/** What `{{args.` becomes within quotes. */
const standInForArgument = '__args_'

function withoutSum(expr: Expr): Expr {
  const inner = bare(expr)
  const isSum = inner.kind === 'aggregation' && (inner.op === 'sum' || inner.op === 'max')
  return isSum ? withoutSum(inner.expr) : inner
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
