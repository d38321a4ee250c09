import { finalPhases, kinds } from '@serinus/api'
import type { ReplicaSet } from '@serinus/engine'
import { type Clock, type Informer, resources, startInformer } from '@serinus/kube'
import { ownedBy, type RolloutObjects } from '../view/rollout-info.ts'
import {
  type Access,
  distinct,
  type ExperimentParts,
  readExperimentParts,
  runLabels,
  type StoredExperiment,
  type StoredPod,
  type StoredRollout,
  type StoredRun,
} from './access.ts'

interface FollowOptions {
  readonly access: Access
  readonly first: RolloutObjects & { readonly rollout: StoredRollout }
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Selects the ReplicaSets and pods. */
  readonly labelSelector: string
  readonly onChange: () => void
}

export interface Followed extends Disposable {
  readonly signal: AbortSignal
  readonly synced: Promise<unknown>
  /**
   * What Experiments own has no label of the Rollout and changes seldom beside the status of the Experiment: it is
   * read again on each tick until the Experiment has ended.
   */
  readExperiments(): Promise<void>
  /** Null: the Rollout was deleted. */
  objects(): RolloutObjects | null
}

/** Caches of what belongs to one Rollout. Runs are followed anew when a ReplicaSet brings another hash. */
export function followRollout(options: FollowOptions): Followed {
  const { access, first, clock, labelSelector, onChange } = options
  const { namespace } = access
  const ended = new AbortController()
  const signal = AbortSignal.any([options.signal, ended.signal])
  const common = { client: access.client, clock, namespace }
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
  let labelled: Labelled = { runs: null, experiments: null, end: () => {} }
  let selected = ''
  let labelledSynced = Promise.resolve()
  let parts: ExperimentParts = { replicaSets: [], pods: [], analysisRuns: [] }
  let partsOf = ''

  /** Runs and Experiments, which are known by the hashes of the ReplicaSets. */
  function followLabelled(): void {
    const selector = runLabels(sets.list().filter(ownedBy(first.rollout.metadata.uid)))
    if (!selector || selector === selected) return
    selected = selector
    const replaced = new AbortController()
    const labels = {
      ...common,
      signal: AbortSignal.any([signal, replaced.signal]),
      labelSelector: selector,
    }
    const runs = startInformer<StoredRun>({ ...labels, resource: kinds.analysisRuns })
    const experiments = startInformer<StoredExperiment>({ ...labels, resource: kinds.experiments })
    runs.subscribe(onChange)
    experiments.subscribe(onChange)
    // Those known so far are shown until the new caches are complete.
    labelledSynced = Promise.all([runs.synced, experiments.synced]).then(() => {
      if (selector !== selected) return replaced.abort()
      labelled.end()
      labelled = { runs, experiments, end: () => replaced.abort() }
      onChange()
    })
    labelledSynced.catch(() => {})
  }

  const experimentsOfRollout = () =>
    labelled.experiments?.list().filter(ownedBy(first.rollout.metadata.uid)) ?? []

  sets.subscribe(followLabelled)
  rollouts.subscribe(onChange)
  sets.subscribe(onChange)
  pods.subscribe(onChange)
  return {
    signal,
    synced: Promise.all([rollouts.synced, sets.synced, pods.synced]).then(() => labelledSynced),
    async readExperiments() {
      const experiments = experimentsOfRollout()
      const versions = experiments.map(({ metadata }) => metadata.resourceVersion).join()
      const isOpen = experiments.some(({ status }) => !finalPhases.has(status?.phase ?? ''))
      if (!isOpen && versions === partsOf) return
      // A failure costs news of the Experiments for a second, not the watch.
      parts = await readExperimentParts(access, experiments).catch(() => parts)
      partsOf = versions
    },
    objects() {
      const [rollout] = rollouts.list()
      if (!rollout) return null
      return {
        rollout,
        replicaSets: distinct(sets.list(), parts.replicaSets),
        pods: distinct(pods.list(), parts.pods),
        experiments: experimentsOfRollout(),
        analysisRuns: distinct(labelled.runs?.list() ?? [], parts.analysisRuns),
        ...(first.warnings ? { warnings: first.warnings } : {}),
      }
    },
    [Symbol.dispose]: () => ended.abort(),
  }
}

interface Labelled {
  readonly runs: Informer<StoredRun> | null
  readonly experiments: Informer<StoredExperiment> | null
  readonly end: () => void
}
