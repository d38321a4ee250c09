import type { Severity } from './finding.ts'
import type { MetricCase } from './metric-case.ts'

/** What a rule has found in one metric. */
export interface Found {
  /** Below the metric: `successCondition`, `provider.prometheus.query`. */
  readonly field: string
  /** What is wrong, why it hurts, and the fix. */
  readonly message: string
}

/** One thing that the query doctor knows to be wrong with metrics. */
export interface Rule {
  /** Reason of the findings. */
  readonly id: string
  readonly severity: Severity
  examine(facts: MetricCase): readonly Found[]
}

/** Where the queries of Prometheus stand. */
export const queryField = 'provider.prometheus.query'
