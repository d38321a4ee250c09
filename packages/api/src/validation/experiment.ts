import { defaults } from '../defaults.ts'
import { parseDuration } from '../duration.ts'
import { invalid, missing, type Problem } from '../problem.ts'
import { selectorProblems } from '../selector.ts'
import type { Experiment } from '../types.ts'
import { atLeast } from './ranges.ts'

/**
 * Everything wrong with an Experiment on its own: upstream's errors first, whose detail is the whole
 * of upstream's message (spec api 9.4), then what upstream runs into later, such as a bad duration.
 */
export function validateExperiment(experiment: Experiment): readonly Problem[] {
  return [...upstreamProblems(experiment), ...extras(experiment)]
}

function upstreamProblems(experiment: Experiment): readonly Problem[] {
  const { name } = experiment.metadata
  const problems: Problem[] = []
  const names = new Set<string>()
  experiment.spec.templates.forEach((template, index) => {
    const path = `spec.templates[${index}]`
    const { selector, minReadySeconds } = template
    const { matchLabels, matchExpressions } = selector
    if (!matchLabels && !matchExpressions) {
      const detail = `Rollout has missing field '.Spec.Templates[${index}].Selector'`
      problems.push(missing(`${path}.selector`, detail))
    } else if (Object.keys(matchLabels ?? {}).length + (matchExpressions ?? []).length === 0) {
      const detail = `This experiment is selecting all pods at index ${index}. A non-empty selector is required.`
      problems.push(invalid(`${path}.selector`, selector, detail))
    }
    if ((minReadySeconds ?? 0) > defaults.experimentProgressDeadlineSeconds(experiment)) {
      const detail = `MinReadySeconds cannot be longer than ProgressDeadlineSeconds. Check template index ${index}`
      problems.push(invalid(`${path}.minReadySeconds`, minReadySeconds, detail))
    }
    if (template.name === '') {
      const detail = `Experiment ${name} has empty template name at index ${index}`
      problems.push(invalid(`${path}.name`, '', detail))
    } else if (names.has(template.name)) {
      const detail = `Experiment ${name} has repeated template name '${template.name}' in templates`
      problems.push(invalid(`${path}.name`, template.name, detail))
    }
    names.add(template.name)
  })
  return problems
}

function extras({ spec }: Experiment): readonly Problem[] {
  const problems: Problem[] = [
    ...atLeast(0, spec.progressDeadlineSeconds, 'spec.progressDeadlineSeconds'),
    ...atLeast(0, spec.scaleDownDelaySeconds, 'spec.scaleDownDelaySeconds'),
  ]
  if (spec.templates.length === 0) {
    problems.push(missing('spec.templates', 'an experiment needs at least one template'))
  }
  if (spec.duration && parseDuration(spec.duration) === undefined) {
    const detail = 'not a duration; use a number with s, m, h (for example "30m")'
    problems.push(invalid('spec.duration', spec.duration, detail))
  }
  spec.templates.forEach((template, index) => {
    const path = `spec.templates[${index}]`
    problems.push(...selectorProblems(template.selector, `${path}.selector`))
    problems.push(...atLeast(0, template.replicas, `${path}.replicas`))
    problems.push(...atLeast(0, template.minReadySeconds, `${path}.minReadySeconds`))
  })
  const names = new Set<string>()
  ;(spec.analyses ?? []).forEach((analysis, index) => {
    const path = `spec.analyses[${index}].name`
    if (analysis.name === '') problems.push(missing(path, 'must not be empty'))
    else if (names.has(analysis.name)) {
      problems.push({ path, kind: 'Duplicate value', value: analysis.name, detail: '' })
    }
    names.add(analysis.name)
  })
  return problems
}
