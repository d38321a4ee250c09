import {
  kinds,
  type Rollout,
  type RolloutCondition,
  type RolloutStatus,
  rolloutEvents,
  rolloutPhase,
} from '@serinus/api'
import { mergePatch } from '@serinus/kube'
import { setConditions } from './conditions.ts'
import { checkAt, type Draft } from './draft.ts'
import { recordDuration } from './duration.ts'
import { isStableLost, type RolloutFacts } from './facts.ts'
import type { Outlook } from './progress.ts'
import { createErrorOf, createId } from './resize.ts'
import { recordedRuns, runNamed } from './runs.ts'
import { generationOf } from './workload.ts'

/** What the status says whatever the strategy (spec rollout-controller 6.3). */
export function countPods(facts: RolloutFacts, draft: Draft): void {
  const { rollout } = facts.snapshot
  const sum = (of: (set: RolloutFacts['newSet']) => number) =>
    facts.all.reduce((total, set) => total + of(set), 0) || undefined
  draft.status.replicas = sum((set) => set.pods)
  draft.status.HPAReplicas = draft.status.replicas
  draft.status.updatedReplicas = facts.newSet.pods || undefined
  draft.status.readyReplicas = sum((set) => set.ready)
  draft.status.availableReplicas = sum((set) => set.available)
  draft.status.selector = formatSelector(rollout.spec.selector ?? {})
  draft.status.collisionCount = facts.collisionCount
  draft.status.observedGeneration = String(rollout.metadata.generation ?? 0)
  draft.status.workloadObservedGeneration = generationOf(facts.snapshot.workload)
}

/** A label selector as the scale subresource wants it: text. */
export function formatSelector(
  selector: NonNullable<Rollout['spec']['selector']>,
): string | undefined {
  const { matchLabels = {}, matchExpressions = [] } = selector
  const parts = Object.entries(matchLabels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
  for (const { key, operator, values = [] } of matchExpressions) {
    if (operator === 'Exists') parts.push(key)
    else if (operator === 'DoesNotExist') parts.push(`!${key}`)
    else
      parts.push(`${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].sort().join(',')})`)
  }
  return parts.join(',') || undefined
}

/** Conditions, phase, duration, and the one status write of the pass (spec rollout-controller 6.4, 6.5). */
export function conclude(facts: RolloutFacts, draft: Draft, outlook: Outlook): void {
  const { rollout } = facts.snapshot
  setConditions(facts, draft, outlook)
  tellPauses(facts, draft)
  recordDuration(facts, draft)
  const trouble = draft.status.abort ? null : troubleOf(facts, draft)
  const { phase, message } =
    trouble === null
      ? rolloutPhase({ ...rollout, status: compact(draft.status) }, facts.now)
      : { phase: 'Degraded' as const, message: trouble }
  draft.status.phase = phase
  draft.status.message = message || undefined
  writeStatus(facts, draft)
}

/** What is wrong that no condition of upstream tells of; null: nothing. */
function troubleOf(facts: RolloutFacts, draft: Draft): string | null {
  const error = createErrorOf(facts)
  if (error !== null) {
    const { reason, message } = rolloutEvents.replicaSetCreateError(facts.newSet.name, error)
    return `${reason}: ${message}`
  }
  if (!isStableLost(facts, draft.status)) return null
  return `StableReplicaSetLost: the ReplicaSet of the stable version ${draft.status.stableRS} is gone; promote the new version in full, or apply the old template again`
}

function tellPauses(facts: RolloutFacts, draft: Draft): void {
  const before = facts.snapshot.rollout.status ?? {}
  const was = before.pauseConditions?.length ?? 0
  const is = draft.status.pauseConditions?.length ?? 0
  if (was === 0 && is > 0) {
    const event = rolloutEvents.rolloutPaused(draft.status.pauseConditions?.[0]?.reason ?? '')
    const message = `${event.message}${inconclusiveAdvice(facts, draft)}`
    draft.transitions.push({ ...event, message, after: 'status' })
  }
  const userResumed = was === 0 && is === 0 && before.controllerPause === true
  if (((was > 0 && is === 0) || userResumed) && !draft.status.abort && !draft.wasReset) {
    draft.transitions.push({ ...rolloutEvents.rolloutResumed(), after: 'status' })
  }
  if (is === 0) draft.status.controllerPause = undefined
}

/** Which metric could not decide, and what lets it go on (api.md 15.1 A6). */
function inconclusiveAdvice(facts: RolloutFacts, draft: Draft): string {
  const recorded = recordedRuns(draft.status).find((run) => run.status === 'Inconclusive')
  const metrics = runNamed(facts, recorded?.name)?.status?.metricResults ?? []
  const undecided = metrics.find((result) => result.phase === 'Inconclusive')
  if (!undecided) return ''
  const count = undecided.inconclusive ?? 0
  return `: ${recorded?.message}; set inconclusiveLimit: ${count + 1} to allow ${count + 1}`
}

/** How long changed counters may wait for something that people act on (spec rollout-controller 8). */
const counterDelayMs = 1500
/** The same where no autoscaler reads them, since the pods that serve are as they were. */
const previewCounterDelayMs = 10_000

function writeStatus(facts: RolloutFacts, draft: Draft): void {
  const { rollout, statusDeferredSince } = facts.snapshot
  const before = withoutEmpty(rollout.status ?? {})
  const after = compact(draft.status)
  const body = mergePatch(before, after)
  if (body === undefined) {
    draft.transitions = draft.transitions.filter((transition) => transition.after !== 'status')
    return
  }
  if (onlyCounters(before, after)) {
    const delayMs =
      countServing(before) === countServing(after) ? previewCounterDelayMs : counterDelayMs
    const due = (statusDeferredSince ?? facts.now) + delayMs
    if (facts.now < due) {
      draft.statusDeferred = true
      checkAt(draft, due)
      return
    }
  }
  draft.writes.push({
    kind: 'patch',
    id: 'status',
    resource: kinds.rollouts,
    key: { namespace: rollout.metadata.namespace ?? 'default', name: rollout.metadata.name },
    subresource: 'status',
    patch: {
      kind: 'merge',
      body: {
        ...(touchesUserFields(body) && rollout.metadata.resourceVersion
          ? { metadata: { resourceVersion: rollout.metadata.resourceVersion } }
          : {}),
        status: body,
      },
    },
    // An update is on record only where its ReplicaSet is; that it could not be created is told regardless.
    ...(facts.missing
      ? createErrorOf(facts) === null
        ? { requires: [createId(facts.newSet)] }
        : { unless: createId(facts.newSet) }
      : {}),
  })
}

/** Upstream stores `blueGreen: {}` and `canary: {}` in every status; taking them away is not worth a write. */
function withoutEmpty(status: RolloutStatus): RolloutStatus {
  const isEmpty = (value: unknown) =>
    typeof value === 'object' && value !== null && Object.keys(value).length === 0
  return Object.fromEntries(
    Object.entries(status).filter(([, value]) => !isEmpty(value)),
  ) as RolloutStatus
}

function countServing({ HPAReplicas, readyReplicas, availableReplicas }: RolloutStatus): string {
  return [HPAReplicas, readyReplicas, availableReplicas].join()
}

/** Fields that users write too: a stale write over them would undo what they asked for. */
function touchesUserFields(body: unknown): boolean {
  const keys = Object.keys(body as object)
  return ['abort', 'pauseConditions', 'controllerPause', 'promoteFull', 'currentStepIndex'].some(
    (key) => keys.includes(key),
  )
}

const counters: ReadonlySet<string> = new Set([
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'HPAReplicas',
  'message',
])

function onlyCounters(before: RolloutStatus, after: RolloutStatus): boolean {
  const essence = (status: RolloutStatus) =>
    JSON.stringify(
      Object.entries(status)
        .filter(([key]) => !counters.has(key))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => [
          key,
          key === 'conditions'
            ? (status.conditions ?? [])
                .filter((c) => c.type !== 'Available')
                .map(conditionEssence)
                .sort()
            : value,
        ]),
    )
  return essence(before) === essence(after)
}

/** How far a running update has come is told by counters; only a change of its kind is worth a write of its own. */
function conditionEssence(condition: RolloutCondition): string {
  if (condition.type === 'Progressing' && condition.status === 'True') return 'Progressing=True'
  return `${condition.type}=${condition.status}/${condition.reason}/${condition.message}`
}

function compact(status: Draft['status']): RolloutStatus {
  return Object.fromEntries(
    Object.entries(status).filter(([, value]) => {
      if (value === undefined || value === false || value === '') return false
      return !(typeof value === 'object' && value !== null && Object.keys(value).length === 0)
    }),
  ) as RolloutStatus
}
