import type { RolloutStatus } from '@serinus/api'

/** The present, in every state. */
export const now = Date.parse('2026-01-01T00:00:00Z')
/** The clock moves from tick to tick; every delay of a shape is a whole number of them. */
export const tickMs = 10_000
/** `progressDeadlineSeconds` of every shape, in ticks. */
export const deadlineTicks = 3
/** Further back nothing makes a difference. */
export const longAgo = deadlineTicks + 2

export function instantAgo(ticks: number): string {
  return `${new Date(now - ticks * tickMs).toISOString().slice(0, 19)}Z`
}

function ticksSince(instant: string): number {
  return Math.min(longAgo, Math.max(0, Math.round((now - Date.parse(instant)) / tickMs)))
}

/** Reasons of Progressing under which no deadline runs, so that it does not matter since when. */
const timeless: ReadonlySet<string> = new Set([
  'RolloutAborted',
  'RolloutPaused',
  'ProgressDeadlineExceeded',
])
const old = instantAgo(longAgo)

/**
 * A status in which only those instants are kept that may decide something, as seen after `passed` more ticks. The order
 * of conditions and how an update that is over was finished decide nothing.
 */
export function normalized(status: RolloutStatus, passed = 0): RolloutStatus {
  const { conditions, pauseConditions, abortedAt, duration, ...rest } = status
  const aged = (instant: string) => instantAgo(Math.min(longAgo, ticksSince(instant) + passed))
  return {
    ...sorted(rest),
    ...(abortedAt ? { abortedAt: old } : {}),
    ...(pauseConditions
      ? {
          pauseConditions: pauseConditions.map(({ reason, startTime }) => ({
            reason,
            startTime: aged(startTime),
          })),
        }
      : {}),
    ...(conditions
      ? {
          conditions: [...conditions]
            .sort((a, b) => (a.type < b.type ? -1 : 1))
            .map(({ type, status: state, reason, message, lastUpdateTime }) => ({
              type,
              status: state,
              reason,
              message,
              lastTransitionTime: old,
              lastUpdateTime:
                type === 'Progressing' && !timeless.has(reason ?? '')
                  ? aged(lastUpdateTime ?? old)
                  : old,
            })),
        }
      : {}),
    ...(duration
      ? {
          duration: {
            rolloutStartedAt: old,
            ...(duration.finishedAt ? { finishedAt: old, completionStatus: 'Promoted' } : {}),
            ...(duration.manualPauseStartedAt ? { manualPauseStartedAt: instantAgo(0) } : {}),
          },
        }
      : {}),
  } as RolloutStatus
}

function sorted(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
