import type { Rollout } from '@serinus/api'
import { Histogram, type Registry } from 'prom-client'

type Duration = NonNullable<NonNullable<Rollout['status']>['duration']>

const buckets = {
  total: [30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800],
  progression: [30, 60, 120, 300, 600, 900, 1800, 3600],
  manualPause: [0, 60, 300, 600, 1800, 3600, 7200, 14_400, 28_800],
}

/**
 * How long updates took, from `status.duration` as it was stored (spec operations 4.1, rollout-controller 6.3). An
 * update is told once, by the process that stored its end.
 */
export class UpdateDurations {
  readonly #total: Histogram<'status'>
  readonly #progression: Histogram<'status'>
  readonly #manualPause: Histogram<'status'>
  /** The update that each Rollout is in. */
  readonly #open = new Map<string, Duration>()
  /** Updates that were seen to end, and in which version: our own write may be seen before it is answered. */
  readonly #ended = new Map<string, { readonly record: Duration; readonly version: string }>()

  constructor(registry: Registry) {
    const histogram = (name: string, help: string, bounds: number[]) =>
      new Histogram({ name, help, labelNames: ['status'], buckets: bounds, registers: [registry] })
    this.#total = histogram(
      'rollout_duration_seconds',
      'Time from the begin of an update to its end.',
      buckets.total,
    )
    this.#progression = histogram(
      'rollout_progression_duration_seconds',
      'Time of an update without its manual pauses.',
      buckets.progression,
    )
    this.#manualPause = histogram(
      'rollout_manual_pause_duration_seconds',
      'Time that an update waited for people.',
      buckets.manualPause,
    )
  }

  /** A state as the API has it, whoever wrote it: tells nothing, only knows which update is under way. */
  seen(key: string, rollout: Rollout): void {
    const { duration } = rollout.status ?? {}
    const open = this.#open.get(key)
    const isOpen = duration?.rolloutStartedAt !== undefined && !duration.finishedAt
    if (open && !(isOpen && duration.rolloutStartedAt === open.rolloutStartedAt)) {
      this.#ended.set(key, { record: open, version: rollout.metadata.resourceVersion ?? '' })
    }
    if (isOpen) this.#open.set(key, duration)
    else this.#open.delete(key)
  }

  /** A state that this process has just stored. */
  stored(key: string, rollout: Rollout): void {
    if (this.#ended.get(key)?.version !== rollout.metadata.resourceVersion) this.seen(key, rollout)
    const ended = this.#ended.get(key)
    if (!ended || ended.version !== rollout.metadata.resourceVersion) return
    this.#ended.delete(key)
    const before = ended.record
    const after = rollout.status?.duration
    if (after && after.rolloutStartedAt === before.rolloutStartedAt) {
      this.#tell(after, { status: after.completionStatus ?? '', finishedAt: after.finishedAt })
    } else {
      // The record of the next update has taken its place in the same write.
      this.#tell(before, { status: 'Superseded', finishedAt: after?.rolloutStartedAt })
    }
  }

  deleted(key: string): void {
    this.#open.delete(key)
    this.#ended.delete(key)
  }

  #tell(
    record: Duration,
    end: { readonly status: string; readonly finishedAt: string | undefined },
  ): void {
    const startedAt = Date.parse(record.rolloutStartedAt ?? '')
    const finishedAt = Date.parse(end.finishedAt ?? '')
    if (Number.isNaN(startedAt) || Number.isNaN(finishedAt)) return
    const totalSeconds = Math.max(0, finishedAt - startedAt) / 1000
    const pausedSince = Date.parse(record.manualPauseStartedAt ?? '')
    const openPause = pausedSince >= 0 ? Math.max(0, finishedAt - pausedSince) / 1000 : 0
    const pausedSeconds = (record.totalManualPauseDurationSeconds ?? 0) + openPause
    const labels = { status: end.status }
    this.#total.observe(labels, totalSeconds)
    this.#progression.observe(labels, Math.max(0, totalSeconds - pausedSeconds))
    this.#manualPause.observe(labels, pausedSeconds)
  }
}
