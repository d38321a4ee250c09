import type { Finding } from '../plan.ts'

/**
 * `error`: every measurement ends in Error, or a setting is read as something else than what is written.
 * `warning`: the verdict does not mean what its author wants. `hint`: as meant, perhaps.
 */
export type Severity = 'error' | 'warning' | 'hint'

/** What the query doctor has to say; `reason` is the rule. */
export interface DoctorFinding extends Finding {
  readonly severity: Severity
}
