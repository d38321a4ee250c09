import {
  type Experiment,
  finalPhases,
  kinds,
  names,
  parseExperiment,
  parseRollout,
  type Rollout,
} from '@serinus/api'
import {
  type EffectFailure,
  type ExperimentPlan,
  type ExperimentSnapshot,
  planExperiment,
  type Transition,
} from '@serinus/engine'
import {
  type Clock,
  type EventRecorder,
  type KubeClient,
  type KubeObject,
  resources,
  WorkQueue,
  type WorkQueueEvent,
} from '@serinus/kube'
import { applyWrites, errorOf, type Outcome, trueTransitions } from '../rollout/apply.ts'
import { byOwner, type Caches, type KindOf, OwnWrites } from '../rollout/caches.ts'
import { isOurs } from '../rollout/wake.ts'
import { wakeExperiments } from './wake.ts'

export interface ExperimentControllerOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly recorder: EventRecorder
  readonly caches: Caches
  /** When the caches are filled, as far as they can be read at all. */
  readonly ready: Promise<void>
  /** Absent: the whole cluster. */
  readonly namespace?: string
  /** Only objects with this instance id; absent: only objects without one (api.md 12). */
  readonly instanceId?: string
  readonly workers?: number
  /** Since when this process leads with filled caches, epoch ms: deadlines do not count the time before. */
  readonly activeSince?: number
  /** Why an Experiment must not be judged now, since something it depends on cannot be read; null: nothing. */
  readonly holdBack?: (experiment: Experiment) => string | null
  readonly observe?: (event: WorkQueueEvent) => void
  readonly onError?: (key: string, error: unknown) => void
}

/** Facts of this process about one Experiment, from its last pass; everything else is in the API. */
interface Memory {
  readonly failures: readonly EffectFailure[]
  readonly taken: readonly string[]
}

type StoredExperiment = Experiment & KubeObject

/** Runs Experiments, standalone ones and those of canary steps alike: observes, plans and applies (design 2). */
export function startExperimentController(options: ExperimentControllerOptions): {
  readonly stopped: Promise<void>
} {
  const { client, clock, caches } = options
  const own = new OwnWrites()
  const memories = new Map<string, Memory>()
  const queue = new WorkQueue({
    clock,
    workers: options.workers ?? 10,
    process: pass,
    ...(options.observe ? { observe: options.observe } : {}),
    ...(options.onError ? { onError: options.onError } : {}),
  })
  wakeExperiments(options, { caches, own, queue, forget: (key) => memories.delete(key) })

  async function pass(key: string): Promise<void> {
    const snapshot = observe(key)
    if (!snapshot) return
    const obstacle = options.holdBack?.(snapshot.experiment)
    if (obstacle) throw new Error(obstacle)
    const plan = planExperiment(snapshot, clock.now())
    const outcomes = await applyWrites(client, plan.writes)
    for (const outcome of outcomes) {
      if (outcome.kind === 'done' && outcome.object) {
        own.remember(outcome.write.resource, outcome.object)
      }
    }
    remember(key, outcomes)
    tell(snapshot, plan, outcomes)
    if (plan.checkAt !== null) queue.addAt(key, plan.checkAt)
    const error = errorOf(outcomes.filter((outcome) => !isConflict(outcome)))
    if (error) throw error
    // What was in the way comes by the watch; a watch that lags must not be waited for.
    if (outcomes.some(isConflict)) queue.addAt(key, clock.now() + conflictRetryMs)
  }

  function observe(key: string): ExperimentSnapshot | null {
    const cached = caches.experiments.get(key)
    if (!cached || !isOurs(cached, options.instanceId)) return null
    const { value: experiment, problems } = parseExperiment(own.latest(kinds.experiments, cached))
    const { uid = '', namespace = 'default' } = experiment.metadata
    const isMine = (object: KubeObject) =>
      object.metadata.ownerReferences?.some((reference) => reference.uid === uid) ?? false
    const owned = <T extends KubeObject>(kind: KindOf, list: readonly T[]) => {
      const latest = list.map((object) => own.latest(kind, object))
      return [...latest, ...own.missing(kind, latest, isMine)]
    }
    const memory = memories.get(key)
    return {
      experiment,
      parseProblems: problems,
      replicaSets: owned(resources.replicaSets, caches.replicaSets.byIndex(byOwner, uid)),
      analysisRuns: owned(kinds.analysisRuns, caches.analysisRuns.byIndex(byOwner, uid)),
      services: owned(resources.services, caches.services.list(namespace)),
      analysisTemplates: caches.analysisTemplates.list(namespace),
      clusterAnalysisTemplates: caches.clusterAnalysisTemplates.list(),
      templateScope: {
        instanceId: options.instanceId ?? null,
        readsClusterScope: options.namespace === undefined,
      },
      rollout: rolloutOf(experiment),
      activeSince: options.activeSince ?? null,
      failures: memory?.failures ?? [],
      taken: memory?.taken ?? [],
      leaving: leavingOf(experiment),
    }
  }

  /** Names that this Experiment wants and that objects of others, which are over or deleted, still have. */
  function leavingOf({ metadata, spec }: Experiment): readonly string[] {
    const { namespace = 'default', name, uid } = metadata
    const isLeft = (object: KubeObject | undefined) => {
      const owner = object?.metadata.ownerReferences?.find((reference) => reference.controller)
      if (owner?.kind !== kinds.experiments.kind || owner.uid === uid) return false
      const other = caches.experiments.get(`${namespace}/${owner.name}`)
      if (other?.metadata.uid !== owner.uid) return true
      return finalPhases.has(other.status?.phase ?? '') || other.spec?.terminate === true
    }
    return spec.templates.flatMap((template) => {
      const set = names.experimentReplicaSet(name, template.name)
      const service = template.service?.name || set
      return [
        ...(isLeft(caches.replicaSets.get(`${namespace}/${set}`)) ? [`create/${set}`] : []),
        ...(isLeft(caches.services.get(`${namespace}/${service}`)) ? [`service/${service}`] : []),
      ]
    })
  }

  function rolloutOf({ metadata }: Experiment): Rollout | null {
    const reference = (metadata as StoredExperiment['metadata']).ownerReferences?.find(
      (one) => one.controller && one.kind === kinds.rollouts.kind,
    )
    const rollout = reference && caches.rollouts.get(`${metadata.namespace}/${reference.name}`)
    return rollout?.metadata.uid === reference?.uid && rollout ? parseRollout(rollout).value : null
  }

  function remember(key: string, outcomes: readonly Outcome[]): void {
    const before = memories.get(key)
    const real = outcomes.flatMap((outcome) =>
      outcome.kind === 'failed' && !isConflict(outcome) ? [outcome] : [],
    )
    if (real.length === 0) {
      memories.delete(key)
      return
    }
    const isTaken = ({ write, reason }: (typeof real)[number]) =>
      write.kind === 'create' && reason === 'AlreadyExists'
    memories.set(key, {
      taken: real.filter(isTaken).map(({ id }) => id),
      failures: real
        .filter((outcome) => !isTaken(outcome))
        .map(({ id, reason, message }) => ({
          id,
          effect: 'write',
          reason,
          message,
          since: before?.failures.find((old) => old.id === id)?.since ?? clock.now(),
        })),
    })
  }

  function tell(
    { experiment, rollout }: ExperimentSnapshot,
    plan: ExperimentPlan,
    outcomes: readonly Outcome[],
  ): void {
    const record = (object: object, transitions: readonly Transition[]) => {
      for (const transition of trueTransitions({ transitions }, outcomes)) {
        options.recorder.record(object as KubeObject, transition)
      }
    }
    record(experiment, plan.transitions)
    if (rollout) record(rollout, plan.ownerTransitions)
  }

  const stopped = options.ready.then(
    () => queue.run(options.signal),
    () => {},
  )
  return { stopped }
}

const conflictRetryMs = 1_000

/** Somebody else has written in between: nobody's fault, and the next pass knows better. */
function isConflict(outcome: Outcome): boolean {
  return outcome.kind === 'failed' && outcome.reason === 'Conflict'
}
