import { defaults } from '../defaults.ts'
import { subdomainProblem } from '../names-and-labels.ts'
import { nearest } from '../nearest.ts'
import { podTemplateProblems } from '../pod-template-validation.ts'
import { internal, invalid, missing, type Problem } from '../problem.ts'
import { selectorMatches, selectorProblems } from '../selector.ts'
import type { Rollout } from '../types.ts'
import { blueGreenExtras, blueGreenProblems } from './blue-green.ts'
import { canaryExtras, canaryProblems } from './canary.ts'

/**
 * Everything wrong with a Rollout on its own (spec api 9): first the errors that upstream finds, in
 * its order and words but with true paths, then those that it leaves for the middle of an update.
 * Empty: valid. `workloadResolved` says that the template was taken from `workloadRef`.
 */
export function validateRollout(
  rollout: Rollout,
  options: { readonly workloadResolved?: boolean } = {},
): readonly Problem[] {
  const { spec } = rollout
  const problems: Problem[] = []
  const ownTemplate = !spec.workloadRef || options.workloadResolved === true

  problems.push(...notNegative('spec.replicas', defaults.replicas(rollout)))
  if (!spec.workloadRef) {
    if (!spec.selector) {
      problems.push(missing('spec.selector', "Rollout has missing field '.spec.selector'"))
    } else {
      problems.push(...selectorProblems(spec.selector, 'spec.selector'))
      const { matchLabels = {}, matchExpressions = [] } = spec.selector
      if (Object.keys(matchLabels).length + matchExpressions.length === 0) {
        const detail = 'empty selector is invalid for deployment'
        problems.push(invalid('spec.selector', spec.selector, detail))
      }
    }
  }
  if (!ownTemplate && hasTemplate(rollout)) {
    problems.push(
      internal('spec.template', 'template must be empty for workload reference rollout'),
    )
  }
  if (ownTemplate) problems.push(...templateProblems(rollout))
  problems.push(...notNegative('spec.minReadySeconds', defaults.minReadySeconds(rollout)))
  problems.push(...notNegative('spec.revisionHistoryLimit', defaults.revisionHistoryLimit(rollout)))
  const deadline = defaults.progressDeadlineSeconds(rollout)
  problems.push(...notNegative('spec.progressDeadlineSeconds', deadline))
  if (deadline <= defaults.minReadySeconds(rollout)) {
    const detail = 'must be greater than minReadySeconds'
    problems.push(invalid('spec.progressDeadlineSeconds', deadline, detail))
  }
  problems.push(...strategyProblems(rollout))
  return [...problems, ...extras(rollout)]
}

function notNegative(path: string, value: number): readonly Problem[] {
  return value < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : []
}

/** A template without labels and annotations is empty to upstream, which then overwrites it. */
function hasTemplate(rollout: Rollout): boolean {
  const { metadata, spec } = rollout.spec.template ?? {}
  const marks = { ...metadata?.labels, ...metadata?.annotations }
  return Object.keys(marks).length > 0 || (spec?.containers ?? []).length > 0
}

function templateProblems(rollout: Rollout): readonly Problem[] {
  const { selector, template = {} } = rollout.spec
  const problems: Problem[] = []
  const labels = template.metadata?.labels ?? {}
  const usable = selector && selectorProblems(selector, 'spec.selector').length === 0
  if (selector && !usable) {
    problems.push(invalid('spec.selector', selector, 'invalid label selector'))
  }
  const empty =
    Object.keys(selector?.matchLabels ?? {}).length === 0 &&
    (selector?.matchExpressions ?? []).length === 0
  if (usable && !empty && !selectorMatches(selector, labels)) {
    const detail = '`selector` does not match template `labels`'
    problems.push(invalid('spec.template.metadata.labels', labels, detail))
  }
  return [...problems, ...podTemplateProblems(template, 'spec.template')]
}

function strategyProblems(rollout: Rollout): readonly Problem[] {
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  if (canary && blueGreen) {
    return [
      invalid(
        'spec.strategy',
        'blueGreen: true canary: true',
        'Multiple Strategies can not be listed',
      ),
    ]
  }
  if (canary) return canaryProblems(rollout, canary)
  if (blueGreen) return blueGreenProblems(rollout, blueGreen)
  return [
    missing(
      'spec.strategy',
      "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'",
    ),
  ]
}

const scaleDowns = ['never', 'onsuccess', 'progressively']
const workloads: ReadonlySet<string> = new Set([
  'apps/Deployment',
  'apps/ReplicaSet',
  '/PodTemplate',
])

/** What upstream lets pass and then stumbles over (spec api, where upstream falls short 12, 35, 37). */
function extras(rollout: Rollout): readonly Problem[] {
  const { spec } = rollout
  const { canary, blueGreen } = spec.strategy ?? {}
  const problems: Problem[] = [...nameProblems(rollout)]
  if (spec.workloadRef) {
    const { apiVersion = '', kind = '', name, scaleDown } = spec.workloadRef
    const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
    if (!workloads.has(`${group}/${kind}`)) {
      const detail = `workload of type ${group}/${kind} is not supported`
      problems.push(invalid('spec.workloadRef.kind', kind, detail))
    }
    if (!name) problems.push(missing('spec.workloadRef.name', 'names the workload'))
    if (
      scaleDown !== undefined &&
      scaleDown !== ('' as string) &&
      !scaleDowns.includes(scaleDown)
    ) {
      const close = nearest(scaleDown, scaleDowns)
      const hint = close === undefined ? '' : `; did you mean "${close}"?`
      const detail = `must be one of ${scaleDowns.join(', ')}${hint}`
      problems.push(invalid('spec.workloadRef.scaleDown', scaleDown, detail))
    }
  }
  const revisions = spec.rollbackWindow?.revisions
  if (revisions !== undefined) {
    problems.push(...notNegative('spec.rollbackWindow.revisions', revisions))
  }
  for (const limit of ['successfulRunHistoryLimit', 'unsuccessfulRunHistoryLimit'] as const) {
    const value = spec.analysis?.[limit]
    if (value !== undefined) problems.push(...notNegative(`spec.analysis.${limit}`, value))
  }
  if (spec.restartAt !== undefined && Number.isNaN(Date.parse(spec.restartAt))) {
    const detail = 'must be a time such as 2026-08-17T10:00:00Z'
    problems.push(invalid('spec.restartAt', spec.restartAt, detail))
  }
  // With both strategies the one error that matters has been said.
  if (canary && blueGreen) return problems
  if (canary) problems.push(...canaryExtras(rollout, canary))
  if (blueGreen) problems.push(...blueGreenExtras(rollout, blueGreen))
  return problems
}

/** A hash has at most 10 characters, and nobody will see more than 99,999 revisions. */
const roomForHashAndRevision = '-0123456789-99999'.length

function nameProblems(rollout: Rollout): readonly Problem[] {
  const { name } = rollout.metadata
  if (name === '') return []
  const bad = subdomainProblem(name)
  if (bad) return [invalid('metadata.name', name, bad)]
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  const steps = canary?.steps ?? []
  const infixes = [
    ...(blueGreen?.prePromotionAnalysis || blueGreen?.postPromotionAnalysis ? ['-post'] : []),
    ...steps.flatMap((step, index) => {
      if (step.analysis) return [`-${index}`]
      const { templates = [], analyses = [] } = step.experiment ?? {}
      return [...templates, ...analyses].map((part) => `-${index}-${part.name}`)
    }),
  ]
  const longest = Math.max(0, ...infixes.map((infix) => infix.length))
  const most = 253 - roomForHashAndRevision - longest
  if (name.length <= most) return []
  const detail = `must be no more than ${most} characters, so that the names of ReplicaSets, AnalysisRuns and Experiments made from it fit into 253`
  return [invalid('metadata.name', name, detail)]
}
