import { type AnalysisRun, hashLabel, kinds, type Rollout } from '@serinus/api'
import type { ReplicaSet } from '@serinus/engine'
import { type KubeObject, resources, sleep, startInformer } from '@serinus/kube'
import type { Pod } from '../view/pod-status.ts'
import type { RolloutObjects } from '../view/rollout-info.ts'
import type { Access } from './access.ts'
import type { Terminal } from './program.ts'

interface Watch {
  readonly access: Access
  readonly name: string
  readonly terminal: Terminal
  readonly page: (objects: RolloutObjects, now: number) => string
  /** 0: for ever. */
  readonly timeoutSeconds: number
}

const clearScreen = '\u001b[H\u001b[2J\u001b[0;0H'
const repaintAtMostEveryMs = 200
const tickMs = 1000

/** Repaints on each change, on each second for the ages, but never more often than every 200 ms (spec cli 4.6). */
export async function watchRollout(watch: Watch): Promise<void> {
  const { terminal, access } = watch
  const { clock } = terminal
  const until =
    watch.timeoutSeconds > 0 ? clock.now() + watch.timeoutSeconds * 1000 : Number.POSITIVE_INFINITY
  const ended = new AbortController()
  const signal = AbortSignal.any([terminal.signal, ended.signal])
  const common = { client: access.client, clock, signal, namespace: access.namespace }
  const rollouts = startInformer<Rollout & KubeObject>({
    ...common,
    resource: kinds.rollouts,
    fieldSelector: `metadata.name=${watch.name}`,
  })
  const replicaSets = startInformer<ReplicaSet>({
    ...common,
    resource: resources.replicaSets,
    labelSelector: hashLabel,
  })
  const pods = startInformer<Pod & KubeObject>({
    ...common,
    resource: resources.pods,
    labelSelector: hashLabel,
  })
  const analysisRuns = startInformer<AnalysisRun & KubeObject>({
    ...common,
    resource: kinds.analysisRuns,
  })
  try {
    await Promise.all([rollouts.synced, replicaSets.synced, pods.synced, analysisRuns.synced])
    let changed = new AbortController()
    for (const informer of [rollouts, replicaSets, pods, analysisRuns])
      informer.subscribe(() => changed.abort())
    while (clock.now() < until && !signal.aborted) {
      const rollout = rollouts.list(access.namespace)[0]
      if (!rollout) throw new Error(`rollout.argoproj.io "${watch.name}" not found`)
      changed = new AbortController()
      terminal.out(
        clearScreen +
          watch.page(
            {
              rollout,
              replicaSets: replicaSets.list(access.namespace),
              pods: pods.list(access.namespace),
              analysisRuns: analysisRuns.list(access.namespace),
            },
            clock.now(),
          ),
      )
      await sleep(clock, repaintAtMostEveryMs, signal).catch(() => {})
      await sleep(
        clock,
        tickMs - repaintAtMostEveryMs,
        AbortSignal.any([signal, changed.signal]),
      ).catch(() => {})
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    ended.abort()
  }
}
