import { type CanaryStrategy, defaults, type Rollout, resolveFenceposts } from '@serinus/api'
import { type Demand, wayThrough } from '../rollout/capacity.ts'
import { type RolloutFacts, rolloutFacts } from '../rollout/facts.ts'
import type { Sized } from '../rollout/replica-sets.ts'
import { leadsTo, serviceNamed } from '../rollout/services.ts'
import type { RolloutSnapshot } from '../snapshot.ts'
import { canaryScaleAt } from './weights.ts'

/** What every part of a canary pass starts from; read once per pass. */
export interface CanaryFacts extends RolloutFacts {
  readonly canary: CanaryStrategy
  /** Largest weight. */
  readonly max: number
  readonly routed: boolean
  readonly surge: number
  /** Names of the Services that lead to each side at present; absent where the user names none. */
  readonly services: { readonly stable?: string; readonly canary?: string }
  /** Canary share in effect on every router; null when they differ or say nothing. Without routing: null. */
  readonly effectiveWeight: number | null
  /** Epoch milliseconds when that share can be relied upon: confirmed, or given time to settle; null: not foreseeable. */
  readonly settledAt: number | null
}

export function canaryFacts(snapshot: RolloutSnapshot, now: number): CanaryFacts {
  const { rollout } = snapshot
  const canary = rollout.spec.strategy?.canary ?? {}
  const fenceposts = resolveFenceposts({
    maxSurge: canary.maxSurge,
    maxUnavailable: canary.maxUnavailable,
    replicas: defaults.replicas(rollout),
  })
  const { surge, unavailable } = fenceposts
  const weights = new Set(snapshot.routers.map((router) => router.weight))
  const facts = {
    ...rolloutFacts(snapshot, now, { steps: canary.steps ?? [], unavailable }),
    canary,
    max: defaults.maxTrafficWeight(rollout),
    routed: canary.trafficRouting !== undefined,
    surge,
    services: canaryServices(rollout),
    effectiveWeight: weights.size === 1 ? ([...weights][0] ?? null) : null,
    settledAt: settledAt(snapshot),
  }
  return { ...facts, demandOn: (set) => demandOn(facts, set) }
}

/** The Services of a canary by their present role, which two that swap change at each promotion (spec traffic-routing 2). */
export function canaryServices(rollout: Rollout): CanaryFacts['services'] {
  const { pingPong, stableService, canaryService } = rollout.spec.strategy?.canary ?? {}
  if (pingPong) {
    const { pingService: ping, pongService: pong } = pingPong
    const isPing = rollout.status?.canary?.stablePingPong === 'ping'
    return isPing ? { stable: ping, canary: pong } : { stable: pong, canary: ping }
  }
  return {
    ...(stableService ? { stable: stableService } : {}),
    ...(canaryService ? { canary: canaryService } : {}),
  }
}

/**
 * Whether requests to a side reach the pods of that ReplicaSet and no others: its Service leads there, and so do the
 * subsets of routers that select pods themselves; null: nobody says where the side leads.
 */
export function sideLeadsTo(
  facts: Pick<CanaryFacts, 'snapshot' | 'services'>,
  side: 'stable' | 'canary',
  set: Sized,
): boolean | null {
  const service = serviceNamed(facts, facts.services[side])
  const hashes = facts.snapshot.routers.flatMap((router) => router.hashes?.[side] ?? [])
  if (!service && hashes.length === 0) return null
  return (!service || leadsTo(facts, service, set)) && hashes.every((hash) => hash === set.hash)
}

function settledAt({ routers, routesSince, options }: RolloutSnapshot): number | null {
  if (routers.some((router) => router.verified === false)) return null
  if (routers.every((router) => router.verified === true)) return 0
  return routesSince === null ? null : routesSince + options.routerSettleMs
}

/** Whether the share in effect is known and can be relied upon. */
export function isSettled(
  facts: Pick<CanaryFacts, 'effectiveWeight' | 'settledAt' | 'now'>,
): boolean {
  return facts.effectiveWeight !== null && facts.settledAt !== null && facts.settledAt <= facts.now
}

function demandOn(facts: Omit<CanaryFacts, 'demandOn'>, set: Sized): readonly Demand[] {
  const toStable = wayThrough(facts, facts.services.stable, set)
  const toCanary = wayThrough(facts, facts.services.canary, set)
  if (!facts.routed) {
    // Of two Services that swap roles, the one that plays the canary may lead nowhere.
    return basicDemand(facts, set, toStable ?? (facts.canary.pingPong ? null : toCanary))
  }
  // Where nobody is known to move traffic, the stable side has all of it.
  const effective = facts.snapshot.routers.length === 0 ? 0 : facts.effectiveWeight
  const isKnown = facts.snapshot.routers.length === 0 || isSettled(facts)
  const [low, high] = isKnown && effective !== null ? [effective, effective] : [0, facts.max]
  const share = (weight: number) => Math.ceil((weight * facts.replicas) / facts.max)
  const until = isKnown ? null : facts.settledAt
  const recorded = facts.snapshot.rollout.status?.canary?.weights
  const isSelected = (side: 'stable' | 'canary') =>
    facts.snapshot.routers.some((router) => router.hashes?.[side] === set.hash)
  const isStable = toStable !== null || isSelected('stable') || set.hash === facts.stable?.hash
  // The stable version is reached by the canary's share as well while the canary's Service still leads there.
  const isCanary =
    toCanary !== null ||
    isSelected('canary') ||
    (set !== facts.stable &&
      (set === facts.newSet || recorded?.canary?.podTemplateHash === set.hash))
  const forStable = isStable ? share(facts.max - low) : 0
  const forCanary = isCanary ? Math.min(share(high), pinnedPods(facts)) : 0
  const pods = forStable + forCanary
  // Of two Services that swap roles, the one that plays the canary may lead nowhere.
  const way = toStable ?? (facts.canary.pingPong && high === 0 ? null : toCanary)
  // What is to go altogether goes at once when nothing leads there any more.
  const isLeaving =
    pods === 0 && (set !== facts.newSet || facts.snapshot.rollout.status?.abort === true)
  return [
    { pods, by: `weight ${low} to ${high}`, until },
    ...(isLeaving ? basicDemand(facts, set, way).map((one) => ({ ...one, pods: set.spec })) : []),
  ].filter((demand) => demand.pods > 0)
}

/** Pods that the user lets carry any weight; infinite while nothing is pinned. */
function pinnedPods({ snapshot, steps, replicas, max }: Omit<CanaryFacts, 'demandOn'>): number {
  const { status } = snapshot.rollout
  const pin = status?.abort ? null : canaryScaleAt(steps, status?.currentStepIndex ?? 0)
  if (!pin) return Number.POSITIVE_INFINITY
  // Nobody can mean that no pod carries a weight; it goes first.
  return Math.max(
    1,
    pin.kind === 'replicas' ? pin.replicas : Math.ceil((pin.weight * replicas) / max),
  )
}

/** Without routing a Service of its own leads to a side as long as it has a pod. */
function basicDemand(
  facts: Pick<RolloutFacts, 'replicas'>,
  set: Sized,
  way: 'selector' | 'endpoints' | null,
): readonly Demand[] {
  if (way === null || facts.replicas === 0 || set.available === 0) return []
  return [{ pods: 1, by: `service ${way}`, until: null }]
}

/** Whether weights mean anything: with 0 replicas no share of traffic is ever given to anybody, and none is waited for. */
export function carriesTraffic(facts: CanaryFacts): boolean {
  return facts.routed && facts.snapshot.routers.length > 0 && facts.replicas > 0
}
