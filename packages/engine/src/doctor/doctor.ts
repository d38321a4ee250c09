import {
  type AnalysisTemplate,
  type AnalysisTemplateSpec,
  analysisUses,
  annotationKeys,
  type ClusterAnalysisTemplate,
  lintTemplate,
  type Rollout,
  resolveTemplates,
  substitute,
  type TemplateScope,
  validateMetrics,
} from '@serinus/api'
import { factsOfTemplate, factsOfUse } from './argument-facts.ts'
import type { DoctorFinding } from './finding.ts'
import { type MetricCase, metricCase, tagsIn } from './metric-case.ts'
import { metricUse } from './metric-use.ts'
import type { Rule } from './rule.ts'
import { metricRules, trafficRules } from './rules/registry.ts'
import { templateFindings } from './template-findings.ts'

/**
 * Doubts about a template, or a run, on its own: `lint`, the controller and admission say the same. With
 * `usedElsewhere` what depends on traffic is left to `examineRollout`, which knows it.
 */
export function examineTemplate(
  spec: AnalysisTemplateSpec,
  options: { readonly usedElsewhere?: boolean } = {},
): readonly DoctorFinding[] {
  const args = factsOfTemplate(spec.args ?? [])
  const rules = options.usedElsewhere ? metricRules : [...metricRules, ...trafficRules]
  return [
    ...lintTemplate(spec).map((finding): DoctorFinding => ({ ...finding, severity: 'warning' })),
    ...invalidMetrics(spec),
    ...templateFindings(spec),
    ...(spec.metrics ?? []).flatMap((written, index) => {
      const path = `spec.metrics[${index}]`
      return applied(rules, metricCase(written, { path, args }))
    }),
  ]
}

/** What ends a run at once, as far as it can be told before the arguments are known. */
function invalidMetrics({
  args = [],
  metrics = [],
}: AnalysisTemplateSpec): readonly DoctorFinding[] {
  if (metrics.length === 0) return []
  const known = factsOfTemplate(args)
  const problems = unknownValues.map((unknown) => {
    const filled = metrics.map((metric) => {
      const tags = tagsIn(JSON.stringify(metric)).map((tag) => {
        const value = known.get(tag.replace(/^args\./, ''))?.value
        return [tag, value ?? unknown] as const
      })
      const result = substitute(metric, Object.fromEntries(tags))
      return result.ok ? result.value : metric
    })
    return validateMetrics(filled)
  })
  const [first = [], ...others] = problems
  return first
    .filter(({ path, detail }) =>
      others.every((found) => found.some((one) => one.path === path && one.detail === detail)),
    )
    .map(({ path, detail }) => ({
      reason: 'InvalidMetric',
      severity: 'error',
      path: `spec.${path}`,
      message: detail,
    }))
}

/** What an unknown argument may stand for: a duration, a share, a count. Only what all make a mistake is one. */
const unknownValues = ['1m', '0.5', '1']

/** The templates that exist. */
export interface KnownTemplates {
  readonly analysisTemplates: readonly AnalysisTemplate[]
  readonly clusterAnalysisTemplates: readonly ClusterAnalysisTemplate[]
  /** Absent: all that are given. */
  readonly templateScope?: TemplateScope
}

/**
 * Doubts about how a Rollout uses its templates: whether the arguments that it passes and the weights of its steps
 * let a metric see the new version, and
 * whether the expected requests suffice: those of `traffic`, else of the annotation
 * `serinus.dev/expected-requests-per-second`. References that lead nowhere are left to `validateReferences`.
 */
export function examineRollout(
  rollout: Rollout,
  known: KnownTemplates,
  traffic: { readonly requestsPerSecond?: number } = {},
): readonly DoctorFinding[] {
  const namespace = rollout.metadata.namespace ?? 'default'
  const expected = expectedRequests(rollout)
  const requestsPerSecond = traffic.requestsPerSecond ?? (expected.ok ? expected.value : null)
  const findings = analysisUses(rollout).flatMap((analysis) => {
    const { templates } = resolveTemplates(analysis.refs, { namespace, ...known })
    const declared = templates.flatMap(({ spec }) => spec.args ?? [])
    const args = factsOfUse(rollout, { declared, passed: analysis.args })
    const metrics = templates.flatMap(({ spec }) => spec.metrics ?? [])
    const tests = Math.max(1, metrics.filter(({ test }) => test).length)
    const use = metricUse(rollout, analysis, { requestsPerSecond, tests })
    return templates.flatMap(({ name, spec }) =>
      (spec.metrics ?? []).flatMap((written) =>
        applied(trafficRules, metricCase(written, { path: use.path, args, use })).map(
          (finding) => ({
            ...finding,
            path: use.path,
            message: `metric ${written.name} of ${name}: ${finding.message}`,
          }),
        ),
      ),
    )
  })
  return expected.ok ? findings : [expected.finding, ...findings]
}

/** What the author of a Rollout expects, of both versions together; null: nothing. */
function expectedRequests({
  metadata,
}: Rollout):
  | { readonly ok: true; readonly value: number | null }
  | { readonly ok: false; readonly finding: DoctorFinding } {
  const key = annotationKeys.expectedRequestsPerSecond
  const written = metadata.annotations?.[key]
  if (written === undefined) return { ok: true, value: null }
  const value = Number(written)
  if (value > 0 && Number.isFinite(value)) return { ok: true, value }
  const message = `${JSON.stringify(written)} is no number above 0, so it counts for nothing; write such as "20"`
  const path = `metadata.annotations['${key}']`
  return {
    ok: false,
    finding: { reason: 'ExpectedRequests', severity: 'warning', path, message },
  }
}

function applied(rules: readonly Rule[], facts: MetricCase): readonly DoctorFinding[] {
  return rules.flatMap(({ id, severity, examine }) =>
    examine(facts).map(({ field, message }) => ({
      reason: id,
      severity,
      path: `${facts.path}.${field}`,
      message,
    })),
  )
}
