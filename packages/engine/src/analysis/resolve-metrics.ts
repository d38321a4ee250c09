import {
  type AnalysisRun,
  argumentTags,
  type Metric,
  metadataField,
  substitute,
} from '@serinus/api'

type SecretReference = NonNullable<
  NonNullable<NonNullable<AnalysisRun['spec']['args']>[number]['valueFrom']>['secretKeyRef']
>

export type ResolvedMetrics =
  | { readonly ok: true; readonly metrics: readonly Metric[] }
  | { readonly ok: false; readonly message: string }

/**
 * The run's metrics with every argument filled in (spec analysis-and-experiments 4). Planning passes a placeholder for
 * secrets, since their values must not enter a plan; measuring passes the values.
 */
export function resolveMetrics(
  run: AnalysisRun,
  secret: (reference: SecretReference) => string | undefined,
): ResolvedMetrics {
  const tags = argumentTags(run.spec.args ?? [], (arg) => {
    const { secretKeyRef, fieldRef } = arg.valueFrom ?? {}
    if (secretKeyRef) return secret(secretKeyRef)
    if (!fieldRef?.fieldPath.startsWith('metadata')) return undefined
    // Upstream's schema takes it and nothing there resolves it.
    const field = metadataField(run.metadata, fieldRef.fieldPath)
    return field.ok ? field.value : undefined
  })
  const resolved = tags.ok ? substitute(run.spec.metrics ?? [], tags.value) : tags
  if (resolved.ok) return { ok: true, metrics: resolved.value }
  return { ok: false, message: resolved.problems.map((problem) => problem.detail).join('; ') }
}
