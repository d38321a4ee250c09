import { defaults } from './defaults.ts'
import { formatDuration, parsePauseDuration } from './duration.ts'
import { intOrStringCount, percentOf } from './int-or-string.ts'
import type { Finding } from './problem.ts'
import type { AnalysisTemplateSpec, CanaryStep, CanaryStrategy, Rollout } from './types.ts'

/** Choices of the process that change what a warning says. */
export interface LintOptions {
  /** What `pause: {duration: 0}` means (spec api 15.2 B6); a gate by default. */
  readonly zeroPause?: 'gate' | 'advance'
}

const path = 'spec.strategy.canary'

/**
 * Doubts about a valid Rollout, the same for admission, conditions, `lint` and the dashboard (spec
 * api 15). None of them changes behaviour. Doubts about what it refers to come from
 * `validateReferences`.
 */
export function lintRollout(rollout: Rollout, options: LintOptions = {}): readonly Finding[] {
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  const steps = canary?.steps ?? []
  return [
    ...percentWithoutSign(canary?.maxSurge, `${path}.maxSurge`),
    ...percentWithoutSign(canary?.maxUnavailable, `${path}.maxUnavailable`),
    ...percentWithoutSign(blueGreen?.maxUnavailable, 'spec.strategy.blueGreen.maxUnavailable'),
    ...steps.flatMap((step, index) => [
      ...pauseFindings(step, `${path}.steps[${index}].pause.duration`, options),
      ...combinedStep(step, `${path}.steps[${index}]`),
    ]),
    ...(canary ? underscaledCanary(rollout, canary) : []),
    ...(canary ? lateAnalysis(canary) : []),
    ...(canary ? repeatedRoutes(canary) : []),
  ]
}

function percentWithoutSign(value: number | string | undefined, place: string): readonly Finding[] {
  if (typeof value !== 'string' || value.endsWith('%')) return []
  const percent = percentOf(value)
  if (percent === undefined) return []
  const message = `"${value}" is read as ${percent}%; write "${percent}%" to say so, or ${percent} without quotes for a number of pods`
  return [{ reason: 'PercentWithoutSign', path: place, message }]
}

function pauseFindings(
  step: CanaryStep,
  place: string,
  { zeroPause = 'gate' }: LintOptions,
): readonly Finding[] {
  const parsed = parsePauseDuration(step.pause?.duration)
  if (parsed.kind !== 'seconds') return []
  const findings: Finding[] = []
  if (parsed.normalizedFrom !== undefined) {
    const meant = parsed.normalizedFrom.slice(0, -1)
    const message = `"${parsed.normalizedFrom}" is read as "${meant}" (${formatDuration(parsed.seconds * 1000)})`
    findings.push({ reason: 'DurationNormalized', path: place, message })
  }
  if (parsed.seconds === 0) {
    const message =
      zeroPause === 'gate'
        ? 'duration 0 is treated as a manual gate; write pause: {} to say so'
        : 'duration 0 does not wait; use pause: {} to wait for promotion'
    findings.push({ reason: 'ZeroPause', path: place, message })
  }
  return findings
}

/** Valid, but only one of them decides when the step is over. */
function combinedStep(step: CanaryStep, place: string): readonly Finding[] {
  const present = Object.entries(step).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  )
  if (present.length < 2) return []
  const message = `${present.join(' and ')} stand in one step; write a step for each, so that they take effect one after the other`
  return [{ reason: 'CombinedStep', path: place, message }]
}

interface Pin {
  readonly step: number
  /** Pods in the canary while the pin holds. */
  readonly pods: number
  /** Largest weight that they meet. */
  weight: number
}

function underscaledCanary(rollout: Rollout, canary: CanaryStrategy): readonly Finding[] {
  if (!canary.trafficRouting) return []
  const replicas = defaults.replicas(rollout)
  const max = defaults.maxTrafficWeight(rollout)
  const pins: Pin[] = []
  let pin: Pin | undefined
  let weight = 0
  ;(canary.steps ?? []).forEach((step, index) => {
    const scale = step.setCanaryScale
    if (step.setWeight !== undefined) weight = step.setWeight
    if (scale) {
      const pods = scale.matchTrafficWeight
        ? undefined
        : (scale.replicas ?? percentage(scale.weight, replicas))
      pin = pods === undefined ? undefined : { step: index, pods, weight: 0 }
      if (pin) pins.push(pin)
    }
    if (pin) pin.weight = Math.max(pin.weight, weight)
  })
  return pins.flatMap(({ step, pods, weight: most }) => {
    if (replicas === 0 || pods / replicas >= most / max) return []
    const message = `${pods} of ${replicas} pods carry up to ${Math.round((most / max) * 100)}% of the traffic; add a step setCanaryScale: {matchTrafficWeight: true} before the weight grows`
    return [{ reason: 'CanaryUnderscaled', path: `${path}.steps[${step}].setCanaryScale`, message }]
  })
}

function percentage(weight: number | undefined, replicas: number): number | undefined {
  return weight === undefined ? undefined : Math.ceil((weight * replicas) / 100)
}

function lateAnalysis(canary: CanaryStrategy): readonly Finding[] {
  const starting = canary.analysis?.startingStep
  const steps = (canary.steps ?? []).length
  if (starting === undefined || steps === 0 || starting <= steps) return []
  const message = `there are only ${steps} steps (0 to ${steps - 1}), so the background analysis never starts`
  return [{ reason: 'AnalysisNeverStarts', path: `${path}.analysis.startingStep`, message }]
}

function repeatedRoutes(canary: CanaryStrategy): readonly Finding[] {
  const names = (canary.trafficRouting?.managedRoutes ?? []).map((route) => route.name)
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [
          {
            reason: 'RepeatedManagedRoute',
            path: `${path}.trafficRouting.managedRoutes[${index}]`,
            message: `'${name}' is listed twice`,
          },
        ],
  )
}

/** Doubts about the metrics of a template. */
export function lintTemplate(spec: AnalysisTemplateSpec): readonly Finding[] {
  return (spec.metrics ?? []).flatMap((metric, index) => {
    const place = `spec.metrics[${index}]`
    const findings: Finding[] = []
    const count = intOrStringCount(metric.count ?? 0)
    const limit = defaults.failureLimit(metric)
    if (metric.failureLimit !== undefined && count > 0 && limit >= count) {
      const message = `failureLimit ${limit} allows all ${count} measurements to fail, so metric '${metric.name}' can never fail`
      findings.push({ reason: 'MetricNeverFails', path: `${place}.failureLimit`, message })
    }
    return findings
  })
}
