import {
  type AnalysisTemplate,
  type AnalysisTemplateSpec,
  analysisUses,
  type ClusterAnalysisTemplate,
  lintTemplate,
  type Rollout,
  resolveTemplates,
  substitute,
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
    ...lintTemplate(spec).map(
      (finding): DoctorFinding => ({
        ...finding,
        severity: finding.reason === 'NotANumber' ? 'error' : 'warning',
      }),
    ),
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
  const known = factsOfTemplate(args)
  const filled = metrics.map((metric) => {
    const tags = tagsIn(JSON.stringify(metric)).map((tag) => {
      const value = known.get(tag.replace(/^args\./, ''))?.value
      // A duration stands for anything: it counts as 0 where a number is asked for.
      return [tag, value ?? '1m'] as const
    })
    const result = substitute(metric, Object.fromEntries(tags))
    return result.ok ? result.value : metric
  })
  if (filled.length === 0) return []
  return validateMetrics(filled).map(({ path, detail }) => ({
    reason: 'InvalidMetric',
    severity: 'error',
    path: `spec.${path}`,
    message: detail,
  }))
}

/** The templates that exist. */
export interface KnownTemplates {
  readonly analysisTemplates: readonly AnalysisTemplate[]
  readonly clusterAnalysisTemplates: readonly ClusterAnalysisTemplate[]
}

/**
 * Doubts about how a Rollout uses its templates: whether the arguments that it passes and the weights of its steps
 * let a metric see the new version. References that lead nowhere are left to `validateReferences`.
 */
export function examineRollout(rollout: Rollout, known: KnownTemplates): readonly DoctorFinding[] {
  const namespace = rollout.metadata.namespace ?? 'default'
  return analysisUses(rollout).flatMap((analysis) => {
    const { templates } = resolveTemplates(analysis.refs, { namespace, ...known })
    const declared = templates.flatMap(({ spec }) => spec.args ?? [])
    const args = factsOfUse(rollout, { declared, passed: analysis.args })
    const use = metricUse(rollout, analysis)
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
