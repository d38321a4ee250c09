import {
  type Binary,
  type BinaryOperator,
  isComparison,
  type Matching,
  type SetOperator,
} from './ast.ts'
import { METRIC_NAME, type Metric } from './labels.ts'
import { distinct, EvaluationError, type Sample } from './vector.ts'

type NumberOperator = Exclude<BinaryOperator, SetOperator>

/** An operator between two scalars; comparisons give 0 and 1. */
export function scalarOperation(op: BinaryOperator, left: number, right: number): number {
  const outcome = compute(op as NumberOperator, left, right)
  return typeof outcome === 'boolean' ? Number(outcome) : outcome
}

/** A vector and a scalar. A comparison keeps elements of the vector (or gives 0 and 1 with `bool`). */
export function vectorScalarOperation(
  expr: Binary,
  {
    vector,
    scalar,
    scalarIsLeft,
  }: { vector: readonly Sample[]; scalar: number; scalarIsLeft: boolean },
): readonly Sample[] {
  const op = expr.op as NumberOperator
  const result: Sample[] = []
  for (const { metric, value } of vector) {
    const outcome = scalarIsLeft ? compute(op, scalar, value) : compute(op, value, scalar)
    if (typeof outcome === 'number') result.push({ metric: metric.withoutName(), value: outcome })
    else if (expr.returnBool) result.push({ metric: metric.withoutName(), value: Number(outcome) })
    else if (outcome) result.push({ metric, value })
  }
  return distinct(result)
}

/** Two vectors, paired by labels: one-to-one, or many-to-one with group_left and group_right. */
export function vectorOperation(
  expr: Binary,
  left: readonly Sample[],
  right: readonly Sample[],
): readonly Sample[] {
  const { matching, returnBool } = expr
  const op = expr.op as NumberOperator
  if (left.length === 0 || right.length === 0) return []
  const swapped = matching.card === 'one-to-many'
  const [many, one] = swapped ? [right, left] : [left, right]
  const ones = indexOneSide(one, matching)
  const used = new Map<string, Set<string>>()
  const result: Sample[] = []
  for (const sample of many) {
    const signature = signatureOf(sample.metric, matching)
    const partner = ones.get(signature)
    if (partner === undefined) continue
    const [a, b] = swapped ? [partner.value, sample.value] : [sample.value, partner.value]
    const outcome = compute(op, a, b)
    const metric = resultMetric(sample.metric, partner.metric, {
      matching,
      dropName: returnBool || !isComparison(op),
    })
    const seen = used.get(signature)
    if (seen === undefined) used.set(signature, new Set([metric.key]))
    else if (matching.card === 'one-to-one')
      throw new EvaluationError(
        'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
      )
    else if (seen.has(metric.key))
      throw new EvaluationError(
        'multiple matches for labels: grouping labels must ensure unique matches',
      )
    else seen.add(metric.key)
    if (typeof outcome === 'number') result.push({ metric, value: outcome })
    else if (returnBool) result.push({ metric, value: Number(outcome) })
    else if (outcome) result.push({ metric, value: a })
  }
  return distinct(result)
}

/** and, or, unless: whole elements, by their matching labels. */
export function setOperation(
  expr: Binary,
  left: readonly Sample[],
  right: readonly Sample[],
): readonly Sample[] {
  const signatures = (vector: readonly Sample[]) =>
    new Set(vector.map(({ metric }) => signatureOf(metric, expr.matching)))
  switch (expr.op as SetOperator) {
    case 'and': {
      const present = signatures(right)
      return distinct(left.filter(({ metric }) => present.has(signatureOf(metric, expr.matching))))
    }
    case 'unless': {
      const present = signatures(right)
      return distinct(left.filter(({ metric }) => !present.has(signatureOf(metric, expr.matching))))
    }
    default: {
      const present = signatures(left)
      const added = right.filter(({ metric }) => !present.has(signatureOf(metric, expr.matching)))
      return distinct([...left, ...added])
    }
  }
}

/** A boolean for comparisons, else the number. */
function compute(op: NumberOperator, left: number, right: number): number | boolean {
  switch (op) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return left / right
    case '%':
      return left % right
    case '^':
      return power(left, right)
    case 'atan2':
      return Math.atan2(left, right)
    case '==':
      return left === right
    case '!=':
      return left !== right
    case '>':
      return left > right
    case '<':
      return left < right
    case '>=':
      return left >= right
    case '<=':
      return left <= right
    case '</':
    case '>/':
      throw new EvaluationError(
        `native histograms are not supported: operator "${op}" works on them only`,
      )
    default:
      throw new TypeError(`unknown operator: ${op satisfies never}`)
  }
}

/** IEEE 754: 1 to any power and -1 to an infinite power are 1; JavaScript says NaN. */
function power(base: number, exponent: number): number {
  if (base === 1) return 1
  if (base === -1 && Math.abs(exponent) === Number.POSITIVE_INFINITY) return 1
  return base ** exponent
}

function indexOneSide(one: readonly Sample[], matching: Matching): ReadonlyMap<string, Sample> {
  const index = new Map<string, Sample>()
  for (const sample of one) {
    const signature = signatureOf(sample.metric, matching)
    const twin = index.get(signature)
    if (twin !== undefined) {
      const side = matching.card === 'one-to-many' ? 'left' : 'right'
      const pair = [sample.metric.toString(), twin.metric.toString()].sort()
      throw new EvaluationError(
        `found duplicate series for the match group ${matched(sample.metric, matching)} on the ${side} hand-side of the operation: [${pair.join(', ')}];many-to-many matching not allowed: matching labels must be unique on one side`,
      )
    }
    index.set(signature, sample)
  }
  return index
}

function matched(metric: Metric, { on, labels }: Matching): Metric {
  return on ? metric.keeping(labels) : metric.without([...labels, METRIC_NAME])
}

function signatureOf(metric: Metric, { on, labels }: Matching): string {
  if (on) {
    let signature = ''
    for (const label of labels) signature += `${metric.get(label)}\uffff`
    return signature
  }
  return labels.length === 0
    ? metric.withoutName().key
    : metric.without([...labels, METRIC_NAME]).key
}

function resultMetric(
  many: Metric,
  one: Metric,
  { matching, dropName }: { matching: Matching; dropName: boolean },
): Metric {
  const base = dropName ? many.withoutName() : many
  if (matching.card === 'one-to-one') {
    if (matching.on) return base.keeping(matching.labels)
    return matching.labels.length === 0 ? base : base.without(matching.labels)
  }
  if (matching.include.length === 0) return base
  return base.with(Object.fromEntries(matching.include.map((label) => [label, one.get(label)])))
}
