import { kinds } from '@serinus/api'
import type { ReplicaSet } from '@serinus/engine'
import { type Informer, resources, sleep, startInformer } from '@serinus/kube'
import { ownedBy, type RolloutObjects } from '../view/rollout-info.ts'
import {
  type Access,
  notFound,
  podLabels,
  runLabels,
  type StoredPod,
  type StoredRollout,
  type StoredRun,
} from './access.ts'
import { Bell } from './bell.ts'
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

const clearScreen = '\u001b[H\u001b[2J\u001b[0;0H'
const repaintAtMostEveryMs = 200
const tickMs = 1000

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
  using followed = follow({ ...watch, labelSelector: await podLabels(access, first.rollout), bell })
  const { signal } = followed
  await Promise.race([followed.synced, clock.until(endAt, signal)]).catch(() => {})

  let shown = ''
  let tickAt = clock.now()
  while (clock.now() < endAt && !signal.aborted) {
    const objects = followed.objects()
    if (!objects) throw notFound(name)
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

interface Followed extends Disposable {
  readonly signal: AbortSignal
  readonly synced: Promise<unknown>
  /** Null: the Rollout was deleted. */
  objects(): RolloutObjects | null
}

/** Caches of what belongs to the Rollout. The runs are followed anew when a ReplicaSet brings another hash. */
function follow(watch: Watch & { readonly labelSelector: string; readonly bell: Bell }): Followed {
  const { access, terminal, first, bell, labelSelector } = watch
  const { namespace } = access
  const ended = new AbortController()
  const signal = AbortSignal.any([terminal.signal, ended.signal])
  const common = { client: access.client, clock: terminal.clock, namespace }
  const rollouts = startInformer<StoredRollout>({
    ...common,
    signal,
    resource: kinds.rollouts,
    fieldSelector: `metadata.name=${first.rollout.metadata.name}`,
  })
  const sets = startInformer<ReplicaSet>({
    ...common,
    signal,
    resource: resources.replicaSets,
    labelSelector,
  })
  const pods = startInformer<StoredPod>({
    ...common,
    signal,
    resource: resources.pods,
    labelSelector,
  })
  let runs: Informer<StoredRun> | null = null
  let selected = ''
  let runsSynced = Promise.resolve()
  let endRuns = () => {}

  function followRuns(): void {
    const selector = runLabels(sets.list().filter(ownedBy(first.rollout.metadata.uid)))
    if (!selector || selector === selected) return
    selected = selector
    const replaced = new AbortController()
    const informer = startInformer<StoredRun>({
      ...common,
      signal: AbortSignal.any([signal, replaced.signal]),
      resource: kinds.analysisRuns,
      labelSelector: selector,
    })
    informer.subscribe(bell.ring)
    // The runs known so far are shown until the new cache is complete.
    runsSynced = informer.synced.then(() => {
      if (selector !== selected) return replaced.abort()
      endRuns()
      endRuns = () => replaced.abort()
      runs = informer
      bell.ring()
    })
    runsSynced.catch(() => {})
  }

  sets.subscribe(followRuns)
  rollouts.subscribe(bell.ring)
  sets.subscribe(bell.ring)
  pods.subscribe(bell.ring)
  return {
    signal,
    synced: Promise.all([rollouts.synced, sets.synced, pods.synced]).then(() => runsSynced),
    objects() {
      const [rollout] = rollouts.list()
      if (!rollout) return null
      return {
        rollout,
        replicaSets: sets.list(),
        pods: pods.list(),
        analysisRuns: runs?.list() ?? [],
        ...(first.warnings ? { warnings: first.warnings } : {}),
      }
    },
    [Symbol.dispose]: () => ended.abort(),
  }
}
