import { percentOf } from '../int-or-string.ts'
import { invalid, type Problem } from '../problem.ts'
import type { CanaryStrategy, Rollout } from '../types.ts'
import { analysisExtras } from './analysis.ts'
import { antiAffinityProblems } from './anti-affinity.ts'
import { gatewayApiOf, gatewayApiProblems } from './gateway-api.ts'
import { canaryPath as path } from './paths.ts'
import { hasPluginRouter } from './plugins.ts'
import { atLeast, between, intOrPercentExtras } from './ranges.ts'
import { stepExtras, stepProblems } from './steps.ts'

/** Spec api 9.3, in upstream's order. */
export function canaryProblems(rollout: Rollout, canary: CanaryStrategy): readonly Problem[] {
  const steps = canary.steps ?? []
  return [
    ...fencepostProblems(canary),
    ...serviceProblems(canary),
    ...pingPongProblems(canary),
    ...requiredServiceProblems(canary),
    ...scaleProblems(canary),
    ...steps.flatMap((step, index) => stepProblems(rollout, canary, { step, index })),
    ...antiAffinityProblems(canary.antiAffinity, `${path}.antiAffinity`),
  ]
}

function fencepostProblems(canary: CanaryStrategy): readonly Problem[] {
  const { maxSurge, maxUnavailable } = canary
  if (!isNone(maxSurge) || !isNone(maxUnavailable)) return []
  return [
    invalid(
      `${path}.maxSurge`,
      maxSurge ?? null,
      'MaxSurge and MaxUnavailable both can not be zero',
    ),
  ]
}

/** Whether nothing is left of it, which is also upstream's reading of text that is no number. */
function isNone(value: number | string | undefined): boolean {
  if (value === undefined) return false
  return typeof value === 'number' ? value === 0 : (percentOf(value) ?? 0) === 0
}

function serviceProblems(canary: CanaryStrategy): readonly Problem[] {
  const { canaryService, stableService } = canary
  if (!canaryService || canaryService !== stableService) return []
  return [
    invalid(
      `${path}.stableService`,
      stableService,
      'This rollout uses the same service for the stable and canary services, but two different services are required.',
    ),
  ]
}

function pingPongProblems(canary: CanaryStrategy): readonly Problem[] {
  const { pingPong, trafficRouting } = canary
  if (!pingPong) return []
  const problems: Problem[] = []
  const { pingService, pongService } = pingPong
  if (trafficRouting && !trafficRouting.alb && !trafficRouting.istio && !hasPluginRouter(canary)) {
    const detail =
      'Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only'
    problems.push(invalid(`${path}.trafficRouting.alb`, null, detail))
  }
  const both = 'Ping service and Pong service must to be set to use Ping-Pong feature'
  if (pingService === '') {
    problems.push(invalid(`${path}.pingPong.pingService`, pingService, both))
  }
  if (pongService === '') {
    problems.push(invalid(`${path}.pingPong.pongService`, pongService, both))
  }
  if (pingService === pongService) {
    const detail =
      'This rollout uses the same service for the ping and pong services, but two different services are required.'
    problems.push(invalid(`${path}.pingPong.pingService`, pingService, detail))
  }
  if (trafficRouting?.alb && !trafficRouting.alb.rootService) {
    const detail =
      'Root service field is required for the configuration with ALB and ping-pong feature enabled'
    problems.push(invalid(`${path}.trafficRouting.alb.rootService`, '', detail))
  }
  return problems
}

function requiredServiceProblems(canary: CanaryStrategy): readonly Problem[] {
  if (!needsServices(canary)) return []
  const detail = 'Canary service and Stable service must to be set to use Traffic Routing'
  return (['stableService', 'canaryService'] as const)
    .filter((field) => !canary[field])
    .map((field) => invalid(`${path}.${field}`, '', detail))
}

function needsServices(canary: CanaryStrategy): boolean {
  const { trafficRouting: routing, pingPong } = canary
  if (!routing) return false
  return Boolean(
    (routing.alb && !pingPong) ||
      (routing.istio && !routing.istio.destinationRule && !pingPong) ||
      routing.smi ||
      routing.apisix ||
      routing.ambassador ||
      routing.nginx ||
      routing.appMesh ||
      routing.traefik ||
      (gatewayApiOf(canary) && !pingPong),
  )
}

function scaleProblems(canary: CanaryStrategy): readonly Problem[] {
  const { trafficRouting, scaleDownDelaySeconds, dynamicStableScale } = canary
  const problems: Problem[] = []
  if (!trafficRouting) {
    if (scaleDownDelaySeconds !== undefined) {
      const detail = 'Canary scaleDownDelaySeconds can only be used with traffic routing'
      problems.push(invalid(`${path}.scaleDownDelaySeconds`, scaleDownDelaySeconds, detail))
    }
    if (dynamicStableScale) {
      const detail = 'Canary dynamicStableScale can only be used with traffic routing'
      problems.push(invalid(`${path}.dynamicStableScale`, true, detail))
    }
    return problems
  }
  if (scaleDownDelaySeconds !== undefined && dynamicStableScale) {
    const detail = 'Canary dynamicStableScale cannot be used with scaleDownDelaySeconds'
    problems.push(invalid(`${path}.dynamicStableScale`, true, detail))
  }
  const max = trafficRouting.maxTrafficWeight
  if (max !== undefined && !trafficRouting.nginx && !hasPluginRouter(canary)) {
    const detail = 'Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins'
    problems.push(invalid(`${path}.trafficRouting.maxTrafficWeight`, max, detail))
  }
  return problems
}

/** Ranges and enums that upstream does not look at (spec api, where upstream falls short 11 to 13). */
export function canaryExtras(rollout: Rollout, canary: CanaryStrategy): readonly Problem[] {
  const steps = canary.steps ?? []
  const problems: Problem[] = [
    ...intOrPercentExtras(canary.maxSurge, `${path}.maxSurge`),
    ...intOrPercentExtras(canary.maxUnavailable, `${path}.maxUnavailable`),
  ]
  for (const field of [
    'scaleDownDelaySeconds',
    'scaleDownDelayRevisionLimit',
    'abortScaleDownDelaySeconds',
    'minPodsPerReplicaSet',
  ] as const) {
    problems.push(...atLeast(0, canary[field], `${path}.${field}`))
  }
  problems.push(...thresholdExtras(canary), ...routingExtras(canary))
  problems.push(...gatewayApiProblems(canary))
  problems.push(...steps.flatMap((step, index) => stepExtras(rollout, canary, { step, index })))
  problems.push(
    ...analysisExtras(rollout, canary.analysis, `${path}.analysis`, { mayBeEmpty: true }),
  )
  problems.push(...atLeast(0, canary.analysis?.startingStep, `${path}.analysis.startingStep`))
  return problems
}

function thresholdExtras(canary: CanaryStrategy): readonly Problem[] {
  const threshold = canary.replicaProgressThreshold
  if (!threshold) return []
  const place = `${path}.replicaProgressThreshold`
  if (threshold.type === 'Percent') {
    return between({ least: -1, most: 100 }, threshold.value, `${place}.value`)
  }
  if (threshold.type === 'Pods') return []
  const hint = threshold.type === ('Pod' as string) ? '; did you mean "Pods"?' : ''
  return [
    {
      path: `${place}.type`,
      kind: 'Unsupported value',
      value: threshold.type,
      detail: `supported values: "Percent", "Pods"${hint}`,
    },
  ]
}

function routingExtras(canary: CanaryStrategy): readonly Problem[] {
  const routing = canary.trafficRouting
  if (!routing) return []
  const place = `${path}.trafficRouting`
  const problems: Problem[] = [...atLeast(1, routing.maxTrafficWeight, `${place}.maxTrafficWeight`)]
  if (routing.alb) {
    const { servicePort } = routing.alb
    problems.push(...between({ least: 1, most: 65535 }, servicePort, `${place}.alb.servicePort`))
  }
  return problems
}
