import { checkPattern } from '@serinus/expr'
import { invalid, missing, type Problem } from '../problem.ts'
import { fieldOfRollout, metadataPathProblem } from '../rollout-field.ts'
import type { AnalysisRunArgument, Rollout, RolloutAnalysis } from '../types.ts'

/** Row 27 of spec api 9.3, at the argument itself. */
export function metadataArgumentProblems(
  args: readonly AnalysisRunArgument[] | undefined,
  path: string,
): readonly Problem[] {
  const problems: Problem[] = []
  ;(args ?? []).forEach((arg, index) => {
    const fieldPath = arg.valueFrom?.fieldRef?.fieldPath
    if (!fieldPath?.startsWith('metadata') || !metadataPathProblem(fieldPath)) return
    problems.push(
      invalid(
        `${path}[${index}].valueFrom.fieldRef.fieldPath`,
        fieldPath,
        'Analyses arguments must refer to valid object metadata supported by downwardAPI',
      ),
    )
  })
  return problems
}

/** Arguments and rules of one analysis, which upstream does not look at before it runs. */
export function analysisExtras(
  rollout: Rollout,
  analysis: RolloutAnalysis | undefined,
  path: string,
  options: {
    readonly metadataChecked?: boolean
    /** Whether nothing waits for it, so that no templates means no analysis. */
    readonly mayBeEmpty?: boolean
  } = {},
): readonly Problem[] {
  if (!analysis) return []
  return [
    ...(options.metadataChecked ? [] : metadataArgumentProblems(analysis.args, `${path}.args`)),
    ...argumentExtras(rollout, analysis.args, `${path}.args`),
    ...(options.mayBeEmpty || (analysis.templates ?? []).length > 0
      ? []
      : [missing(`${path}.templates`, 'an analysis without templates could never succeed')]),
    ...(analysis.templates ?? []).flatMap((ref, index) =>
      ref.templateName
        ? []
        : [missing(`${path}.templates[${index}].templateName`, 'names the template')],
    ),
    ...(analysis.dryRun ?? []).flatMap((rule, index) =>
      patternProblems(rule.metricName, `${path}.dryRun[${index}].metricName`),
    ),
    ...(analysis.measurementRetention ?? []).flatMap((rule, index) =>
      patternProblems(rule.metricName, `${path}.measurementRetention[${index}].metricName`),
    ),
  ]
}

export function argumentExtras(
  rollout: Rollout,
  args: readonly AnalysisRunArgument[] | undefined,
  path: string,
): readonly Problem[] {
  const problems: Problem[] = []
  ;(args ?? []).forEach((arg, index) => {
    const place = `${path}[${index}]`
    const hash = arg.valueFrom?.podTemplateHashValue
    if (hash !== undefined && hash !== 'Stable' && hash !== 'Latest') {
      problems.push({
        path: `${place}.valueFrom.podTemplateHashValue`,
        kind: 'Unsupported value',
        value: hash,
        detail: 'supported values: "Latest", "Stable"',
      })
    }
    const fieldPath = arg.valueFrom?.fieldRef?.fieldPath
    // What the status will hold is not known before the update runs.
    if (fieldPath === undefined || /^(metadata|status)/.test(fieldPath)) return
    const field = fieldOfRollout(rollout, fieldPath)
    if (field.ok) return
    problems.push(invalid(`${place}.valueFrom.fieldRef.fieldPath`, fieldPath, field.problem))
  })
  return problems
}

function patternProblems(pattern: string, path: string): readonly Problem[] {
  const problem = pattern === '*' ? null : checkPattern(pattern)
  return problem === null ? [] : [invalid(path, pattern, `is not a regular expression: ${problem}`)]
}
