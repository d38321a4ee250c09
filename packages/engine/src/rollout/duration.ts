import { conditionOf, parsePauseDuration, type RolloutStatus } from '@serinus/api'
import { formatInstant, parseInstant } from '../instant.ts'
import type { Draft } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import { isOlder } from './replica-sets.ts'
import { isFastRollback } from './verdict.ts'

type Duration = NonNullable<RolloutStatus['duration']>

/** `status.duration`: how long an update took and how it ended (spec rollout-controller 6.3). */
export function recordDuration(facts: RolloutFacts, draft: Draft): void {
  const before = facts.snapshot.rollout.status ?? {}
  const { status } = draft
  const changed = !before.currentPodHash || draft.wasReset
  const done = status.stableRS === status.currentPodHash && facts.newSet.available >= facts.replicas
  let record: Duration | undefined = before.duration
  const running = record !== undefined && !record.finishedAt
  if (running && record) {
    if (changed && before.currentPodHash) {
      const way = wayBack(facts)
      record = way ? { ...record, completionStatus: way } : started(facts)
    } else if (done) {
      record = finish(facts, record, before.promoteFull ? 'FastPromoted' : 'Promoted')
    } else if (status.abort) {
      record = finish(facts, record, 'Aborted')
    }
  } else if (changed && !(done && before.currentPodHash)) {
    record = started(facts)
  } else if (
    !done &&
    !status.abort &&
    conditionOf(before.conditions, 'Progressing')?.reason === 'RolloutAborted'
  ) {
    record = started(facts)
  }
  status.duration = record && !record.finishedAt ? withManualPause(facts, draft, record) : record
}

/** How an update that takes another's place goes back; null: it goes on to something newer. */
function wayBack(facts: RolloutFacts): Duration['completionStatus'] | null {
  const { newSet, stable } = facts
  if (!stable || facts.missing) return null
  if (newSet === stable || isFastRollback(facts)) return 'FastRolledBack'
  return isOlder(newSet, stable) ? 'RolledBack' : null
}

function started(facts: RolloutFacts): Duration {
  return { rolloutStartedAt: formatInstant(facts.now) }
}

function finish(
  facts: RolloutFacts,
  record: Duration,
  how: Duration['completionStatus'],
): Duration {
  return {
    ...record,
    completionStatus: record.completionStatus ?? how,
    finishedAt: formatInstant(facts.now),
  } as Duration
}

function withManualPause(facts: RolloutFacts, draft: Draft, record: Duration): Duration {
  const { rollout } = facts.snapshot
  const reasons = draft.status.pauseConditions?.map((c) => c.reason) ?? []
  const step = facts.steps[draft.status.currentStepIndex ?? 0]
  const gate =
    reasons.includes('CanaryPauseStep') &&
    parsePauseDuration(step?.pause?.duration).kind !== 'seconds'
  const promotedByHand =
    reasons.includes('BlueGreenPause') &&
    rollout.spec.strategy?.blueGreen?.autoPromotionEnabled === false
  const manual =
    rollout.spec.paused === true ||
    reasons.some((r) => r.startsWith('Inconclusive')) ||
    gate ||
    promotedByHand
  const since = parseInstant(record.manualPauseStartedAt)
  if (manual)
    return since === null ? { ...record, manualPauseStartedAt: formatInstant(facts.now) } : record
  if (since === null) return record
  const { manualPauseStartedAt: _, ...rest } = record
  const seconds =
    (record.totalManualPauseDurationSeconds ?? 0) +
    Math.max(0, Math.floor((facts.now - since) / 1000))
  return seconds > 0 ? { ...rest, totalManualPauseDurationSeconds: seconds } : rest
}
