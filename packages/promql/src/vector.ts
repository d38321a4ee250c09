import type { Metric } from './labels.ts'

/** One element of an instant vector. */
export interface Sample {
  readonly metric: Metric
  readonly value: number
}

/** A query that cannot be answered although it parses; the text is Prometheus' where it has one. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError'
}

/** Throws when two elements have the same labels: such a vector has no meaning. */
export function distinct(vector: readonly Sample[]): readonly Sample[] {
  if (vector.length < 2) return vector
  const keys = new Set<string>()
  for (const { metric } of vector) keys.add(metric.key)
  if (keys.size < vector.length)
    throw new EvaluationError('vector cannot contain metrics with the same labelset')
  return vector
}
