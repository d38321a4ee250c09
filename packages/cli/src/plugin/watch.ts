import { kinds } from '@serinus/api'
import { sleep } from '@serinus/kube'
import type { RolloutObjects } from '../view/rollout-info.ts'
import { type Access, notFound, podLabels, type StoredRollout } from './access.ts'
import { Bell } from './bell.ts'
import { followRollout } from './follow-rollout.ts'
import type { Terminal } from './terminal.ts'

interface Watch {
  readonly access: Access
  /** What was read before; it also told that the Rollout exists and that all kinds may be read. */
  readonly first: RolloutObjects & { readonly rollout: StoredRollout }
  readonly terminal: Terminal
  readonly page: (objects: RolloutObjects, now: number) => string
  /** 0: for ever. */
  readonly timeoutSeconds: number
}

/** Repaint: to the corner, clear all (spec cli 4.6). */
export const clearScreen = '\u001b[H\u001b[2J\u001b[0;0H'
const repaintAtMostEveryMs = 200
/** Ages are shown by the second. */
export const tickMs = 1000

/**
 * Repaints when the page changed and on each second for the ages, but never more often than every 200 ms (spec cli
 * 4.6). Ends at the timeout and at the signal; throws when the Rollout is gone.
 */
export async function watchRollout(watch: Watch): Promise<void> {
  const { terminal, access, first } = watch
  const { clock } = terminal
  const { name } = first.rollout.metadata
  const endAt =
    watch.timeoutSeconds > 0 ? clock.now() + watch.timeoutSeconds * 1000 : Number.POSITIVE_INFINITY
  const bell = new Bell()
  using followed = followRollout({
    access,
    first,
    clock,
    signal: terminal.signal,
    labelSelector: await podLabels(access, first.rollout),
    onChange: bell.ring,
  })
  const { signal } = followed
  await Promise.race([followed.synced, clock.until(endAt, signal)]).catch(() => {})

  let shown = ''
  let tickAt = clock.now()
  while (clock.now() < endAt && !signal.aborted) {
    if (clock.now() >= tickAt) await followed.readExperiments()
    const objects = followed.objects()
    if (!objects) throw notFound(kinds.rollouts, name)
    const now = clock.now()
    const page = watch.page(objects, now)
    if (page !== shown || now >= tickAt) {
      terminal.out(clearScreen + page)
      shown = page
      tickAt = now + tickMs
      await sleep(clock, Math.min(repaintAtMostEveryMs, endAt - now), signal).catch(() => {})
    }
    await bell.sleep({ clock, at: Math.min(tickAt, endAt), signal })
  }
}
