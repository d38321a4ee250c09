import { defaults } from '../defaults.ts'
import { parseDuration, parsePauseDuration } from '../duration.ts'
import { nearest } from '../nearest.ts'
import { invalid, missing, type Problem } from '../problem.ts'
import { experimentTagsIn } from '../templates.ts'
import type { CanaryStep, CanaryStrategy, ExperimentStep, Rollout } from '../types.ts'
import { analysisExtras, argumentExtras, metadataArgumentProblems } from './analysis.ts'
import { canaryPath } from './paths.ts'
import { hasPluginRouter } from './plugins.ts'
import { atLeast, between } from './ranges.ts'

interface Place {
  readonly step: CanaryStep
  readonly index: number
}
type StringMatch = NonNullable<
  NonNullable<NonNullable<CanaryStep['setMirrorRoute']>['match']>[number]['path']
>

const oneStepType =
  'Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause'
const matchMissing =
  'StringMatch value missed, match value must have one of the following: exact, regex, prefix'
const matchMultiple =
  'StringMatch match value must have exactly one of the following: exact, regex, prefix'

/** Rows 12 to 27 of spec api 9.3 for one step. */
export function stepProblems(
  rollout: Rollout,
  canary: CanaryStrategy,
  { step, index }: Place,
): readonly Problem[] {
  const path = `${canaryPath}.steps[${index}]`
  return [
    ...typeProblems(step, path),
    ...weightProblems(rollout, step, path),
    ...pauseProblems(step, `${path}.pause.duration`),
    ...scaleProblems(canary, step),
    ...headerRouteProblems(canary, step, `${path}.setHeaderRoute`),
    ...mirrorRouteProblems(canary, step, `${path}.setMirrorRoute`),
    ...managedRouteProblems(canary, step, path),
    ...experimentWeightProblems(canary, step, `${path}.experiment`),
    ...(step.experiment?.analyses ?? []).flatMap((analysis, each) =>
      metadataArgumentProblems(analysis.args, `${path}.experiment.analyses[${each}].args`),
    ),
    ...metadataArgumentProblems(step.analysis?.args, `${path}.analysis.args`),
  ]
}

function typeProblems(step: CanaryStep, path: string): readonly Problem[] {
  const has = (field: keyof CanaryStep) => step[field] !== undefined
  const exclusive = (['setWeight', 'pause', 'experiment', 'analysis'] as const).filter(has)
  if (exclusive.length > 1) {
    const value = `step.Experiment: ${has('experiment')} step.Pause: ${has('pause')} step.SetWeight: ${has('setWeight')} step.Analysis: ${has('analysis')}`
    return [invalid(path, value, oneStepType)]
  }
  if (Object.values(step).some((part) => part !== undefined)) return []
  const value =
    'step.Experiment: false step.Pause: false step.SetWeight: false step.Analysis: false step.SetCanaryScale: false step.SetHeaderRoute: false step.SetMirrorRoute: false step.Plugin: false'
  return [invalid(path, value, oneStepType)]
}

function weightProblems(rollout: Rollout, step: CanaryStep, path: string): readonly Problem[] {
  const { setWeight } = step
  const max = defaults.maxTrafficWeight(rollout)
  if (setWeight === undefined || (setWeight >= 0 && setWeight <= max)) return []
  return [invalid(`${path}.setWeight`, setWeight, `SetWeight needs to be between 0 and ${max}`)]
}

function pauseProblems(step: CanaryStep, path: string): readonly Problem[] {
  const written = step.pause?.duration
  const parsed = parsePauseDuration(written)
  if (parsed.kind !== 'invalid') return []
  const isNegative =
    typeof written === 'number' ||
    /^-\d+$/.test(parsed.text) ||
    (parseDuration(parsed.text) ?? 0) < 0
  const detail = isNegative
    ? 'Duration needs to be greater than 0'
    : 'not a duration; use seconds or a number with s, m, h (for example "24h")'
  return [invalid(path, written, detail)]
}

function scaleProblems(canary: CanaryStrategy, step: CanaryStep): readonly Problem[] {
  if (!step.setCanaryScale || canary.trafficRouting) return []
  const detail =
    'SetCanaryScale requires TrafficRouting to be set; add spec.strategy.canary.trafficRouting or remove the step'
  return [missing(`${canaryPath}.trafficRouting`, detail)]
}

function headerRouteProblems(
  canary: CanaryStrategy,
  step: CanaryStep,
  path: string,
): readonly Problem[] {
  const route = step.setHeaderRoute
  if (!route) return []
  const routing = canary.trafficRouting
  if (!routing?.istio && !routing?.alb && !routing?.apisix && !hasPluginRouter(canary)) {
    const detail = 'SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix'
    return [invalid(path, route, detail)]
  }
  return (route.match ?? []).flatMap(({ headerValue }, index) => {
    const place = `${path}.match[${index}]`
    if (!routing?.alb) return stringMatchProblems(headerValue, place)
    const { exact, prefix, regex } = headerValue
    if (exact && !prefix && !regex) return []
    const none = !exact && !prefix && !regex
    const detail = none
      ? matchMissing
      : "SetHeaderRoute match value invalid. ALB supports 'exact' value only"
    return [invalid(place, headerValue, detail)]
  })
}

function stringMatchProblems(match: StringMatch, path: string): readonly Problem[] {
  const given = [match.exact, match.regex, match.prefix].filter((value) => value)
  if (given.length === 1) return []
  return [invalid(path, match, given.length === 0 ? matchMissing : matchMultiple)]
}

function mirrorRouteProblems(
  canary: CanaryStrategy,
  step: CanaryStep,
  path: string,
): readonly Problem[] {
  const route = step.setMirrorRoute
  if (!route) return []
  const problems: Problem[] = []
  if (!canary.trafficRouting?.istio && !hasPluginRouter(canary)) {
    const detail = 'SetMirrorRoute requires TrafficRouting, supports Istio and Plugins'
    problems.push(invalid(path, route, detail))
  }
  ;(route.match ?? []).forEach(({ method, path: urlPath }, index) => {
    const place = `${path}.match[${index}]`
    if (method) problems.push(...stringMatchProblems(method, place))
    if (urlPath) problems.push(...stringMatchProblems(urlPath, place))
  })
  return problems
}

function managedRouteProblems(
  canary: CanaryStrategy,
  step: CanaryStep,
  path: string,
): readonly Problem[] {
  const { trafficRouting } = canary
  if (!trafficRouting || (!step.setHeaderRoute && !step.setMirrorRoute)) return []
  const managed = trafficRouting.managedRoutes?.map((route) => route.name)
  if (!managed) {
    const detail = "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'"
    return [missing(`${canaryPath}.trafficRouting.managedRoutes`, detail)]
  }
  return (['setHeaderRoute', 'setMirrorRoute'] as const).flatMap((field) => {
    const route = step[field]
    const name = route?.name ?? ''
    if (!route || managed.includes(name)) return []
    const detail =
      'Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes'
    return [invalid(`${path}.${field}`, name, detail)]
  })
}

function experimentWeightProblems(
  canary: CanaryStrategy,
  step: CanaryStep,
  path: string,
): readonly Problem[] {
  const routing = canary.trafficRouting
  const supported = routing?.alb || routing?.smi || routing?.istio || hasPluginRouter(canary)
  if (supported) return []
  const detail = routing
    ? 'Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time'
    : 'Experiment template weight cannot be set unless TrafficRouting is enabled'
  return (step.experiment?.templates ?? []).flatMap(({ weight }, index) =>
    weight === undefined ? [] : [invalid(`${path}.templates[${index}].weight`, weight, detail)],
  )
}

/** What upstream finds out only when the step runs (spec api, where upstream falls short 8, 12, 13). */
export function stepExtras(
  rollout: Rollout,
  canary: CanaryStrategy,
  { step, index }: Place,
): readonly Problem[] {
  const path = `${canaryPath}.steps[${index}]`
  const { setCanaryScale: scale, setMirrorRoute: mirror } = step
  return [
    // More pods than replicas are a wish like any other, upstream allows it (spec rollout-controller 3.6, T10).
    ...atLeast(0, scale?.weight, `${path}.setCanaryScale.weight`),
    ...atLeast(0, scale?.replicas, `${path}.setCanaryScale.replicas`),
    ...between({ least: 0, most: 100 }, mirror?.percentage, `${path}.setMirrorRoute.percentage`),
    ...(mirror?.match ?? []).flatMap(({ headers = {} }, each) =>
      Object.entries(headers).flatMap(([name, match]) =>
        stringMatchProblems(match, `${path}.setMirrorRoute.match[${each}].headers[${name}]`),
      ),
    ),
    ...(step.plugin && step.plugin.name === ''
      ? [missing(`${path}.plugin.name`, 'names the plugin')]
      : []),
    ...analysisExtras(rollout, step.analysis, `${path}.analysis`, { metadataChecked: true }),
    ...(step.experiment
      ? experimentExtras(rollout, canary, {
          step: step.experiment,
          index,
          path: `${path}.experiment`,
        })
      : []),
  ]
}

const specRefs = ['canary', 'stable']

function experimentExtras(
  rollout: Rollout,
  canary: CanaryStrategy,
  {
    step,
    index: at,
    path,
  }: { readonly step: ExperimentStep; readonly index: number; readonly path: string },
): readonly Problem[] {
  const problems: Problem[] = [
    ...sharesProblems(canary, { step, index: at, path }),
    ...portProblems(rollout, step, path),
  ]
  if (step.templates.length === 0) {
    problems.push(missing(`${path}.templates`, 'an experiment needs at least one template'))
  }
  const max = canary.trafficRouting?.maxTrafficWeight ?? 100
  const names = new Set<string>()
  step.templates.forEach((template, index) => {
    const place = `${path}.templates[${index}]`
    problems.push(...nameExtras(template.name, `${place}.name`, names))
    if (!specRefs.includes(template.specRef)) {
      const close = nearest(template.specRef, specRefs)
      problems.push({
        path: `${place}.specRef`,
        kind: 'Unsupported value',
        value: template.specRef,
        detail: `supported values: "canary", "stable"${close ? `; did you mean "${close}"?` : ''}`,
      })
    }
    problems.push(...atLeast(0, template.replicas, `${place}.replicas`))
    problems.push(...between({ least: 0, most: max }, template.weight, `${place}.weight`))
  })
  const { duration } = step
  if (duration && parseDuration(duration) === undefined) {
    const detail = 'not a duration; use a number with s, m, h (for example "30m")'
    problems.push(invalid(`${path}.duration`, duration, detail))
  }
  problems.push(...atLeast(0, step.scaleDownDelaySeconds, `${path}.scaleDownDelaySeconds`))
  problems.push(...atLeast(0, step.progressDeadlineSeconds, `${path}.progressDeadlineSeconds`))
  const analyses = new Set<string>()
  ;(step.analyses ?? []).forEach((analysis, index) => {
    const place = `${path}.analyses[${index}]`
    problems.push(...nameExtras(analysis.name, `${place}.name`, analyses))
    if (analysis.templateName === '') {
      problems.push(missing(`${place}.templateName`, 'names the template'))
    }
    problems.push(...argumentExtras(rollout, analysis.args, `${place}.args`))
  })
  return problems
}

/** Stable gets what is left, which cannot be less than nothing. */
function sharesProblems(
  canary: CanaryStrategy,
  place: { readonly step: ExperimentStep; readonly index: number; readonly path: string },
): readonly Problem[] {
  const max = canary.trafficRouting?.maxTrafficWeight ?? 100
  const sum = place.step.templates.reduce((total, { weight = 0 }) => total + weight, 0)
  const before = (canary.steps ?? []).slice(0, place.index)
  const share = before.findLast((one) => one.setWeight !== undefined)?.setWeight ?? 0
  if (sum === 0 || share + sum <= max) return []
  const detail = `the weights of the templates and the setWeight of ${share} before them add up to ${share + sum}, more than ${max}`
  return [invalid(`${place.path}.templates`, sum, detail)]
}

/** Pods that nobody can reach are found before the update starts (spec api 15.2 B13). */
function portProblems(rollout: Rollout, step: ExperimentStep, path: string): readonly Problem[] {
  const containers = rollout.spec.template?.spec?.containers
  const hasPorts = !containers || containers.some((one) => (one.ports ?? []).length > 0)
  if (hasPorts || rollout.spec.strategy?.canary?.stableService) return []
  return step.templates.flatMap((template, index) => {
    const { name, specRef, service, weight } = template
    const isReached = service !== undefined || weight !== undefined || mentionsService(step, name)
    if (specRef !== 'canary' || !isReached) return []
    const detail = `template '${name}' needs a Service, and its pods declare no port; add spec.template.spec.containers[].ports`
    return [missing(`${path}.templates[${index}].service`, detail)]
  })
}

function mentionsService({ analyses = [] }: ExperimentStep, template: string): boolean {
  return experimentTagsIn(analyses).has(`templates.${template}.service.name`)
}

function nameExtras(name: string, path: string, seen: Set<string>): readonly Problem[] {
  if (name === '') return [missing(path, 'must not be empty')]
  if (seen.has(name)) return [{ path, kind: 'Duplicate value', value: name, detail: '' }]
  seen.add(name)
  return []
}
