import { conditionOf, type RolloutStatus } from '@serinus/api'
import type { RolloutPlan } from '@serinus/engine'
import { finished } from './canonical.ts'
import { type Effect, progressOf } from './effects.ts'
import type { Shape } from './shapes.ts'
import { hashes, versionOf } from './snapshot.ts'
import { type State, type Version, versions } from './state.ts'
import { deadlineTicks, now } from './time.ts'

/** What one pass did to a state. */
export interface Seen {
  readonly shape: Shape
  readonly state: State
  readonly plan: RolloutPlan
  /** The status that the pass wants stored, whether or not it could be. */
  readonly status: RolloutStatus
  /** The state after all effects that succeed. */
  readonly after: State
  /** Nothing more happens by itself at this instant. */
  readonly isRest: boolean
}

/** The laws of a pass. Each says what is wrong, or null. */
export const laws: readonly ((seen: Seen) => string | null)[] = [
  deadlineIsDecided,
  abortIsLatched,
  weightIsPossible,
  verdictIsKept,
  restIsTyped,
  statusIsValid,
  promotionIsEarned,
]

function strategyOf(shape: Shape) {
  return shape.spec.strategy?.canary
}

function deadlineIsDecided(seen: Seen): string | null {
  const { shape, state, plan, after } = seen
  if (state.ghost.value.quiet < deadlineTicks + 2 || after.ghost.value.quiet === 0) return null
  const { status } = seen
  if (progressOf(status) !== progressOf(state.status.value)) return null
  // A creation that succeeds is progress; that it does not is told by the pass after it.
  if (
    plan.writes.some(
      ({ kind, id }) => kind === 'create' && !state.memory.value.failures.includes(id),
    )
  ) {
    return null
  }
  const step = strategyOf(shape)?.steps?.[status.currentStepIndex ?? 0]
  const isHeld = state.knobs.value.paused || status.pauseConditions || step?.pause || step?.analysis
  if (status.stableRS === status.currentPodHash || isHeld || status.abort) return null
  const stableAndNew: readonly (Version | null)[] = [
    versionOf(status.stableRS),
    state.knobs.value.version,
  ]
  const isKept = versions.some(
    (version) => !stableAndNew.includes(version) && (state.sets[version]?.value.deadline ?? 0) > 0,
  )
  if (isKept || status.phase === 'Degraded') return null
  return `the progress deadline has passed and the phase is ${status.phase}: ${status.message}`
}

function abortIsLatched(seen: Seen): string | null {
  const { state, plan } = seen
  const before = state.status.value
  const current = hashes[state.knobs.value.version]
  if (!before.abort || before.stableRS === current || before.currentPodHash !== current) return null
  if (!seen.status.abort) return 'the abort is forgotten'
  const asked = state.router.value?.asked ?? 0
  return plan.routes && plan.routes.weight > asked
    ? `after the abort the weight rises from ${asked} to ${plan.routes.weight}`
    : null
}

function weightIsPossible({ shape, state, plan }: Seen): string | null {
  const { routes } = plan
  if (!routes) return null
  const { weight, max } = routes
  if (!Number.isInteger(weight) || weight < 0 || weight > max) return `the weight ${weight}`
  const asked = state.router.value?.asked ?? weight
  const { replicas, version } = state.knobs.value
  if (replicas === 0 || weight === asked) return null
  const ready = (one: Version | null) => (one === null ? 0 : (state.sets[one]?.value.ready ?? 0))
  const rising = weight > asked
  const side = rising ? version : versionOf(state.status.value.stableRS)
  const share = Math.floor(((rising ? weight : max - weight) * replicas) / max)
  const tolerated = !rising && state.status.value.abort ? unavailable(shape, replicas) : 0
  return ready(side) + tolerated < share
    ? `the weight goes from ${asked} to ${weight} and h${(side ?? 0) + 1} has ${ready(side)} pods ready`
    : null
}

function unavailable(shape: Shape, replicas: number): number {
  return strategyOf(shape)?.maxUnavailable === 0 ? 0 : Math.floor(replicas / 4)
}

function verdictIsKept(seen: Seen): string | null {
  const { state, isRest } = seen
  const isBlind = state.fault.value !== ''
  return isRest && !isBlind && state.ghost.value.verdict ? 'the verdict of a run is lost' : null
}

function restIsTyped({ state, plan, isRest }: Seen): string | null {
  if (!isRest) return null
  if (plan.checkAt !== null && plan.checkAt <= now) return 'nothing is to do, and at once again'
  const { phase, message } = state.status.value
  if (phase === 'Healthy' || phase === 'Degraded') return null
  return plan.waits.length === 0 ? `${phase}, ${message}: nobody says what is waited for` : null
}

function statusIsValid({ shape, after }: Seen): string | null {
  const status = after.status.value
  const { steps } = strategyOf(shape) ?? {}
  const index = status.currentStepIndex ?? 0
  if (index < 0 || index > (steps?.length ?? 0)) return `the step index is ${index}`
  const stable = versionOf(status.stableRS)
  if (status.stableRS && (stable === null || !after.sets[stable])) {
    return `the stable ReplicaSet ${status.stableRS} is not there`
  }
  if (status.currentPodHash && versionOf(status.currentPodHash) === null) {
    return `the current version ${status.currentPodHash} is none that a user asked for`
  }
  const weights = status.canary?.weights
  if (weights) {
    const parts = [weights.canary.weight, weights.stable.weight]
    if (parts.some((part) => part < 0) || (parts[0] ?? 0) + (parts[1] ?? 0) !== 100) {
      return `the weights on record are ${parts.join(' and ')}`
    }
  }
  const types = (status.conditions ?? []).map(({ type }) => type)
  if (new Set(types).size !== types.length) return 'a condition is there twice'
  const isAborted = conditionOf(status.conditions, 'Progressing')?.reason === 'RolloutAborted'
  if (status.abort && status.pauseConditions && isAborted) return 'aborted and paused at once'
  return null
}

function promotionIsEarned(seen: Seen): string | null {
  const before = seen.state.status.value
  const status = seen.status
  if (!before.stableRS || status.stableRS === before.stableRS) return null
  const version = versionOf(status.stableRS)
  const { replicas } = seen.state.knobs.value
  const ready = version === null ? 0 : (seen.state.sets[version]?.value.ready ?? 0)
  // Blue-green has its test before the switch; what is active already is promoted.
  const isActive =
    seen.shape.spec.strategy?.blueGreen && seen.state.services.value[0]?.selects === version
  if (ready < replicas && !isActive) return `promoted with ${ready} of ${replicas} pods`
  const bad = seen.state.runs.value.some(
    (run) => run.version === version && run.phase === 'Failed' && finished.has(run.phase),
  )
  return bad && seen.state.ghost.value.verdict ? 'promoted although a run found it bad' : null
}

/** The laws of one effect, judged where it happens. */
export function judgeEffect(
  shape: Shape,
  {
    effect,
    before,
    after,
  }: { readonly effect: Effect; readonly before: State; readonly after: State },
): string | null {
  const { replicas } = before.knobs.value
  for (const version of versions) {
    const was = before.sets[version]?.value
    const is = after.sets[version]?.value
    if (!is) continue
    const from = was?.spec ?? 0
    if (is.spec > from) {
      const problem = growsAborted(before, version)
      if (problem) return problem
    }
    if (is.spec >= from) continue
    const needed = Math.min(from, podsNeeded(shape, before, version))
    if (is.spec < needed) {
      return `${effect.id} takes h${version + 1} from ${from} to ${is.spec} pods, and requests still need ${needed}`
    }
    const way = replicas > 0 && is.spec === 0 ? wayTo(shape, before, version) : null
    if (way) return `${effect.id} drains h${version + 1}, to which ${way}`
  }
  if (shape.services.length === 0) {
    const problem = keepsAvailable(shape, before, after)
    if (problem) return `${effect.id} ${problem}`
  }
  for (const [at, service] of after.services.value.entries()) {
    const was = before.services.value[at]
    const name = shape.services[at]
    if (was?.selects === service.selects || service.selects === null || replicas === 0) continue
    const isNew = hashes[service.selects] !== before.status.value.stableRS
    const all = before.sets[service.selects]?.value.ready ?? 0
    if (shape.spec.strategy?.blueGreen && name === shape.roles.stable && isNew && all < replicas) {
      return `the active Service is led to ${all} of ${replicas} pods`
    }
    if (name !== shape.roles.preview && (before.sets[service.selects]?.value.ready ?? 0) === 0) {
      return `the Service ${name} is led to h${service.selects + 1}, which has no pod ready`
    }
  }
  return null
}

function growsAborted({ status, knobs }: State, version: Version): string | null {
  const { abort, stableRS, currentPodHash } = status.value
  const isCanary =
    version === knobs.value.version &&
    currentPodHash === hashes[version] &&
    stableRS !== currentPodHash
  return abort && isCanary ? 'the aborted version grows' : null
}

/** Which Service still leads to a version, and how; null: none does, or nobody could answer there anyway. */
function wayTo(shape: Shape, state: State, version: Version): string | null {
  if ((state.sets[version]?.value.ready ?? 0) === 0) return null
  for (const [at, { selects, behind }] of state.services.value.entries()) {
    if (shape.services[at] === shape.roles.preview) continue
    if (selects === version) return `the selector of Service ${shape.services[at]} leads`
    if (behind.includes(version)) {
      return `the EndpointSlices of Service ${shape.services[at]} lead`
    }
  }
  return null
}

/** Pods of a version that requests reach at present, by what the data plane really does. */
function podsNeeded(shape: Shape, state: State, version: Version): number {
  const { replicas } = state.knobs.value
  const effective = state.router.value?.effective ?? null
  let share = 0
  let least = 0
  for (const [at, { behind }] of state.services.value.entries()) {
    if (!behind.includes(version) || replicas === 0) continue
    const name = shape.services[at]
    // Nobody but the people who try the new version uses the preview.
    if (name === shape.roles.preview) continue
    if (effective !== null) share += name === shape.roles.stable ? 100 - effective : effective
    else if (!strategyOf(shape) && name === shape.roles.stable) share = 100
    else least = 1
  }
  const needed = Math.max(least, Math.ceil((share * replicas) / 100))
  return (state.sets[version]?.value.ready ?? 0) > 0 ? needed : 0
}

/** Without Services all pods share the requests. */
function keepsAvailable(shape: Shape, before: State, after: State): string | null {
  const { replicas } = before.knobs.value
  const ready = (state: State) =>
    versions.reduce((sum: number, version) => sum + (state.sets[version]?.value.ready ?? 0), 0)
  const least = Math.min(ready(before), replicas - unavailable(shape, replicas))
  return ready(after) < least ? `leaves ${ready(after)} pods ready, and ${least} must be` : null
}
