/** How many pods each side of a basic canary should have; spec rollout-controller 3.3 and 3.4, row by row. */

/** One ReplicaSet in numbers. `available` may exceed `spec` while pods terminate. */
interface Count {
  readonly spec: number
  readonly available: number
}

export interface SplitInput {
  readonly replicas: number
  /** 0 to `max`. */
  readonly weight: number
  readonly max: number
  readonly surge: number
}

/**
 * The counts that come closest to the weight, in the order of preference that upstream has.
 * Example: 10 replicas, weight 19, surge 1 gives canary 2, stable 9 (2/11 = 18 % beats 2/10 = 20 %).
 */
export function idealSplit(input: SplitInput): { canary: number; stable: number } {
  const { replicas, weight, max, surge } = input
  if (replicas === 0) return { canary: 0, stable: 0 }
  const share = weight / max
  const up = Math.ceil((replicas * weight) / max)
  const down = Math.floor((replicas * weight) / max)
  const isHalf = (n: number) => (n * share) % 1 === 0.5
  const zeroAllowed = weight === max || weight === 0 || (replicas === 1 && surge === 0)
  const downAllowed = (n: number) => !isHalf(n) && (down !== 0 || zeroAllowed)
  const candidates: { canary: number; total: number }[] = []
  if (up < replicas || zeroAllowed) candidates.push({ canary: up, total: replicas })
  if (downAllowed(replicas)) candidates.push({ canary: down, total: replicas })
  if (surge > 0) {
    candidates.push({ canary: up, total: replicas + 1 })
    if (downAllowed(replicas + 1)) candidates.push({ canary: down, total: replicas + 1 })
  }
  let best = { canary: 0, total: replicas }
  let bestError = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const error = Math.abs((candidate.canary * max) / candidate.total - weight)
    if (error < bestError) {
      best = candidate
      bestError = error
    }
  }
  return { canary: best.canary, stable: best.total - best.canary }
}

export interface PassInput {
  readonly replicas: number
  readonly weight: number
  readonly max: number
  readonly surge: number
  readonly unavailable: number
  readonly canary: Count
  /** Null while there is no stable ReplicaSet, or it is the new one. */
  readonly stable: Count | null
  /** Pods asked for by all other ReplicaSets. */
  readonly othersSpec: number
}

/** Counts that this pass may ask for without breaking surge or availability (spec rollout-controller 3.4). */
export function countsForPass(input: PassInput): { canary: number; stable: number } {
  const { replicas, surge, unavailable } = input
  const canary = input.canary
  const stable = input.stable ?? { spec: 0, available: 0 }
  const desired = input.stable ? idealSplit(input) : { canary: replicas, stable: 0 }
  let room = replicas + surge - (canary.spec + stable.spec + input.othersSpec)
  let c = canary.spec
  let s = stable.spec
  if (s < desired.stable && room > 0) {
    const grown = Math.min(room, desired.stable - s)
    s += grown
    room -= grown
  }
  if (c < desired.canary && room > 0) c = Math.min(desired.canary, c + room)
  if (input.othersSpec > 0) return { canary: c, stable: s }

  const growing = desired.canary >= canary.spec
  const have = present(canary, !growing) + (input.stable ? present(stable, growing) : 0)
  const minAvailable = replicas - unavailable
  if (have <= minAvailable) return { canary: c, stable: s }
  const spare = have - minAvailable
  const limits = { most: replicas + surge, minAvailable }
  if (!growing) {
    if (canary.spec > desired.canary) c = Math.max(desired.canary, canary.spec - spare)
    const clamped = clamp({
      drain: c,
      drainAvailable: canary.available,
      other: s,
      otherAvailable: stable.available,
      ...limits,
    })
    return { canary: clamped.drain, stable: clamped.other }
  }
  if (!input.stable) return { canary: c, stable: s }
  if (stable.spec > desired.stable) s = Math.max(desired.stable, stable.spec - spare)
  const clamped = clamp({
    drain: s,
    drainAvailable: stable.available,
    other: c,
    otherAvailable: canary.available,
    ...limits,
  })
  return { canary: clamped.other, stable: clamped.drain }
}

function present(count: Count, ignoreAvailability: boolean): number {
  if (count.spec < count.available) return count.spec
  return ignoreAvailability ? count.spec : count.available
}

interface ClampInput {
  readonly drain: number
  readonly drainAvailable: number
  readonly other: number
  readonly otherAvailable: number
  readonly most: number
  readonly minAvailable: number
}

function clamp(input: ClampInput): { drain: number; other: number } {
  let { drain, other } = input
  const over = Math.max(0, other + drain - input.most)
  let total = Math.min(input.drainAvailable, drain)
  other -= over
  total += Math.min(input.otherAvailable, other)
  const lost = Math.max(0, input.otherAvailable - other)
  other += Math.min(lost, Math.max(0, input.minAvailable - total))
  drain -= Math.max(0, other + drain - input.most)
  return { drain, other }
}
