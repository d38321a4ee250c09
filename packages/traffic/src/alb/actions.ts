import type { TrafficRouting } from '@serinus/api'
import type { DesiredRoutes } from '@serinus/engine'

type Config = NonNullable<TrafficRouting['alb']>

/** Who gets a share of the requests of an action. */
export interface TargetGroup {
  readonly ServiceName: string
  /** A text, as upstream writes it. */
  readonly ServicePort: string
  readonly Weight: number
}

interface Stickiness {
  readonly Enabled: boolean
  readonly DurationSeconds: number
}

interface ForwardAction {
  readonly targetGroups: readonly TargetGroup[]
  readonly stickiness: Stickiness | null
}

/** The value of an annotation `actions.<name>`, in upstream's order of fields (spec traffic-routing 5.2). */
export function renderAction({ targetGroups, stickiness }: ForwardAction): string {
  return JSON.stringify({
    Type: 'forward',
    ForwardConfig: {
      TargetGroups: targetGroups,
      ...(stickiness ? { TargetGroupStickinessConfig: stickiness } : {}),
    },
  })
}

/** Null: it is none that we wrote. */
export function parseAction(text: string | undefined): ForwardAction | null {
  const action = parseJson(text) as {
    readonly ForwardConfig?: {
      readonly TargetGroups?: readonly TargetGroup[]
      readonly TargetGroupStickinessConfig?: Stickiness
    }
  } | null
  const { TargetGroups, TargetGroupStickinessConfig } = action?.ForwardConfig ?? {}
  if (!Array.isArray(TargetGroups) || TargetGroups.some((group) => !group)) return null
  return { targetGroups: TargetGroups, stickiness: TargetGroupStickinessConfig ?? null }
}

/** Null: absent, or no JSON. */
export function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? null : JSON.parse(text)
  } catch {
    return null
  }
}

/** ALB's own bound on the weight of a target group. */
const largestWeight = 999

/** Canary, experiments, stable: `releasedAction` relies on stable's being the last. A text says why there can be none. */
export function splitOf(config: Config, routes: DesiredRoutes): readonly TargetGroup[] | string {
  const { weight, max, stable, canary, additional } = routes
  const shared = additional.reduce((sum, one) => sum + one.weight, 0)
  const shares = [
    { service: canary.service, weight },
    ...additional,
    { service: stable.service, weight: Math.max(0, max - weight - shared) },
  ]
  const weights = withinBound(shares.map((share) => share.weight))
  if (!weights) {
    return `weight ${weight} of maxTrafficWeight ${max} cannot be given to ALB, which takes weights up to ${largestWeight}: take a smaller maxTrafficWeight`
  }
  return shares.map(({ service }, index) => targetGroup(config, service, weights[index] ?? 0))
}

export function targetGroup({ servicePort }: Config, service: string, weight: number): TargetGroup {
  return { ServiceName: service, ServicePort: String(servicePort), Weight: weight }
}

/** `withinBound([0, 1000])` is `[0, 1]`; null: no smaller numbers are the same shares. */
function withinBound(weights: readonly number[]): readonly number[] | null {
  if (Math.max(...weights) <= largestWeight) return weights
  const divisor = weights.reduce(greatestCommonDivisor)
  const smaller = weights.map((weight) => weight / divisor)
  return Math.max(...smaller) <= largestWeight ? smaller : null
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

const longestSeconds = 604_800

/** A text says what is wrong with it, as upstream words it. */
export function stickinessOf({ stickinessConfig }: Config): Stickiness | null | string {
  if (!stickinessConfig?.enabled) return null
  const { durationSeconds } = stickinessConfig
  if (durationSeconds < 1 || durationSeconds > longestSeconds) {
    return `TargetGroupStickinessConfig's duration must be between 1 and ${longestSeconds} seconds (7 days)!`
  }
  return { Enabled: true, DurationSeconds: durationSeconds }
}

/**
 * All requests to the stable side, with the stickiness that there was. The action itself says on which port and, where
 * the Rollout names nobody any more, to whom, so that no root Service, swapped roles or lost block is in the way (spec
 * traffic-routing, falls short 24). What cannot be read is left as it is.
 */
export function releasedAction(
  text: string | undefined,
  { stable, port }: { readonly stable: string; readonly port: number | undefined },
): string | undefined {
  const action = parseAction(text)
  const last = action?.targetGroups.at(-1)
  const service = stable || last?.ServiceName
  const servicePort = port === undefined ? last?.ServicePort : String(port)
  if (!service || !servicePort) return text
  const all = { ServiceName: service, ServicePort: servicePort, Weight: 100 }
  return renderAction({ targetGroups: [all], stickiness: action?.stickiness ?? null })
}
