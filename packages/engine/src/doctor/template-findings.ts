import { type AnalysisTemplateSpec, metadataPathProblem, nearest } from '@serinus/api'
import { checkPattern, matchesPattern } from '@serinus/expr'
import type { DoctorFinding } from './finding.ts'
import { tagsIn } from './metric-case.ts'

/** Findings in what surrounds the metrics: arguments and the patterns of dryRun and measurementRetention. */
export function templateFindings(spec: AnalysisTemplateSpec): readonly DoctorFinding[] {
  return [...argumentSources(spec), ...undeclaredArguments(spec), ...patterns(spec)]
}

/** A run fills in its own metadata; fields of a Rollout are nothing that it knows. */
function argumentSources({ args = [] }: AnalysisTemplateSpec): readonly DoctorFinding[] {
  return args.flatMap(({ name, value, valueFrom }, index) => {
    const fieldPath = valueFrom?.fieldRef?.fieldPath
    if (value !== undefined || fieldPath === undefined || !metadataPathProblem(fieldPath)) return []
    const message = `in a template a fieldRef means the metadata of the AnalysisRun, which has no ${fieldPath}, so a run says: argument "${name}" was not supplied; leave valueFrom out and let the Rollout pass the argument with this fieldRef`
    const path = `spec.args[${index}].valueFrom.fieldRef`
    return [{ reason: 'ArgumentFromFieldRef', severity: 'warning', path, message }]
  })
}

/** Arguments that another template of the same run may declare, or nobody. */
function undeclaredArguments({
  args = [],
  metrics = [],
}: AnalysisTemplateSpec): readonly DoctorFinding[] {
  const declared = args.map(({ name }) => name)
  return metrics.flatMap((metric, index) =>
    tagsIn(JSON.stringify(metric))
      .filter((tag) => !declared.some((name) => tag === `args.${name}`))
      .map((tag): DoctorFinding => {
        const close = nearest(
          tag,
          declared.map((name) => `args.${name}`),
        )
        const hint = close === undefined ? '' : `; did you mean {{${close}}}?`
        const message = `no argument of this template is called {{${tag}}}; unless another template of the same run declares it, the run ends in Error${hint}`
        return {
          reason: 'ArgumentUndeclared',
          severity: 'warning',
          path: `spec.metrics[${index}]`,
          message,
        }
      }),
  )
}

function patterns(spec: AnalysisTemplateSpec): readonly DoctorFinding[] {
  const names = (spec.metrics ?? []).map(({ name }) => name)
  const rules = { dryRun: spec.dryRun ?? [], measurementRetention: spec.measurementRetention ?? [] }
  return Object.entries(rules).flatMap(([list, entries]) =>
    entries.flatMap(({ metricName }, index) => {
      const found = patternFinding(metricName, names)
      return found ? [{ ...found, path: `spec.${list}[${index}].metricName` }] : []
    }),
  )
}

function patternFinding(
  pattern: string,
  names: readonly string[],
): Omit<DoctorFinding, 'path'> | null {
  if (pattern === '*') return null
  const problem = checkPattern(pattern)
  if (problem !== null) {
    const message = `${JSON.stringify(pattern)} is no regular expression (${problem}), so the run ends in Error`
    return { reason: 'PatternInvalid', severity: 'error', message }
  }
  const also = names.filter((name) => name !== pattern && matchesPattern(pattern, name) === true)
  if (!names.includes(pattern) || also.length === 0) return null
  const message = `the pattern matches anywhere in a name, so ${pattern} also stands for ${also.join(', ')}; write ^${pattern}$ for that metric alone`
  return { reason: 'PatternUnanchored', severity: 'warning', message }
}
