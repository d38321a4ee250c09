import {
  type AnalysisRun,
  annotationKeys,
  type EventFacts,
  finalPhases,
  kinds,
  labelKeys,
  names,
  type Rollout,
  rolloutEvents,
  stepLabel,
  triggerOf,
} from '@serinus/api'
import { digest } from './digest.ts'

/** A change that the stored state of a Rollout and its runs implies. Plain data: it is kept until it is delivered. */
export interface DerivedEvent {
  /** The same for the same change, whoever derives it and however often (spec notifications 11.4). */
  readonly id: string
  readonly reason: string
  readonly type: 'Normal' | 'Warning'
  readonly message: string
  /** Triggers that it fires, upstream's name first. */
  readonly triggers: readonly string[]
  readonly revision: number
  /** Name of the run that caused it. */
  readonly run?: string
  /** Of a completed step, counted from 0. */
  readonly stepIndex?: number
  readonly stepCount: number
  /** Null: not known or no traffic routing. */
  readonly weight: { readonly previous: number | null; readonly current: number | null }
  readonly pauseReason?: string
  readonly abortMessage?: string
  /** True: the first deploy. */
  readonly initial: boolean
  readonly failedMetrics: readonly FailedMetric[]
}

/** A metric that did not succeed, with its last measurement. */
export interface FailedMetric {
  readonly name: string
  readonly phase: string
  readonly value: string
  readonly message: string
}

/** What was last known of a Rollout; kept so that edges are found and nothing is told twice. */
export interface Seen {
  /** Ids of events that were dealt with, oldest first. */
  readonly ids: readonly string[]
  /** Null: no status has been seen yet. */
  readonly last: Observation | null
}

interface Observation {
  readonly revision: number
  readonly podHash: string
  readonly stableRS: string
  readonly stepIndex: number | null
  readonly abort: boolean
  readonly abortedAt: string
  readonly promoteFull: boolean
  readonly pause: { readonly reason: string; readonly startTime: string } | null
  readonly phase: string
  readonly weight: number | null
  readonly activeSelector: string
  readonly updatedReplicas: number
  readonly paused: boolean
  /** Counts the observations that differed: it tells apart edges between equal states. */
  readonly change: number
}

/** Ids remembered besides those that the present state implies. */
const rememberedIds = 500

/**
 * The events that the stored state implies and that `seen` does not know, in the order in which they are told. Pure;
 * the same input gives the same ids (spec notifications 11.4). `runs` may hold runs of other Rollouts.
 * `seen` null: nothing was ever seen of this Rollout, so only the state itself speaks and no edge.
 */
export function deriveEvents(
  rollout: Rollout,
  runs: readonly AnalysisRun[],
  seen: Seen | null,
): DerivedEvent[] {
  const known = new Set(seen?.ids)
  return implied(rollout, runs, seen?.last ?? null).filter((event) => !known.has(event.id))
}

/** What is known after these events were dealt with. */
export function nextSeen(rollout: Rollout, runs: readonly AnalysisRun[], seen: Seen | null): Seen {
  const now = implied(rollout, runs, seen?.last ?? null).map((event) => event.id)
  const present = new Set(now)
  const older = (seen?.ids ?? []).filter((id) => !present.has(id)).slice(-rememberedIds)
  const last = isObserved(rollout) ? observe(rollout, seen?.last ?? null) : (seen?.last ?? null)
  return { ids: [...older, ...now], last }
}

export function revisionOf(object: { readonly metadata: Rollout['metadata'] }): number {
  return Number(object.metadata.annotations?.[annotationKeys.revision] ?? 0) || 0
}

/** Runs that the Rollout owns, or an Experiment of one of its steps. */
export function ownRuns(rollout: Rollout, runs: readonly AnalysisRun[]): readonly AnalysisRun[] {
  const { uid } = rollout.metadata
  return runs.filter(
    (run) =>
      run.metadata.ownerReferences?.some((reference) => reference.uid === uid) ||
      isOfExperiment(rollout, run),
  )
}

/** By the Experiment's name, which says whose it is, of which revision and of which step (spec api 8.3). */
function isOfExperiment(rollout: Rollout, { metadata }: AnalysisRun): boolean {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller)
  const hash = metadata.labels?.[labelKeys.podTemplateHash]
  if (owner?.kind !== kinds.experiments.kind || !hash) return false
  if (metadata.namespace !== rollout.metadata.namespace) return false
  return owner.name.startsWith(`${rollout.metadata.name}-${hash}-${revisionOf({ metadata })}-`)
}

/** The id of a Rollout's end, which only an observer of its deletion can derive. */
export function deletedEvent(rollout: Rollout): DerivedEvent {
  const facts: EventFacts = {
    type: 'Normal',
    reason: 'RolloutDeleted',
    message: `Rollout ${rollout.metadata.name} was deleted`,
  }
  return builder(rollout, null)(facts, [])
}

/**
 * A status is read only once it is about the present spec: between an edit and its first pass, revision and status
 * belong to different updates, and joining them would invent aborts and completions.
 */
function isObserved(rollout: Rollout): boolean {
  const { metadata, status = {} } = rollout
  const { observedGeneration, workloadObservedGeneration } = status
  const isBehind = (observed: string | undefined, wanted: number) =>
    observed !== undefined && /^\d+$/.test(observed) && Number(observed) < wanted
  if (observedGeneration === undefined && status.currentPodHash === undefined) return false
  const workload = Number(metadata.annotations?.[annotationKeys.workloadGeneration] ?? 0)
  return (
    !isBehind(observedGeneration, metadata.generation ?? 0) &&
    !isBehind(workloadObservedGeneration, workload)
  )
}

function observe(rollout: Rollout, last: Observation | null): Observation {
  const { status = {}, spec } = rollout
  const [pause] = status.pauseConditions ?? []
  const facts = {
    revision: revisionOf(rollout),
    podHash: status.currentPodHash ?? '',
    stableRS: status.stableRS ?? '',
    stepIndex: status.currentStepIndex ?? null,
    abort: status.abort === true,
    abortedAt: status.abortedAt ?? '',
    promoteFull: status.promoteFull === true,
    pause: pause ? { reason: pause.reason, startTime: pause.startTime } : null,
    phase: status.phase ?? '',
    weight: status.canary?.weights?.canary.weight ?? null,
    activeSelector: status.blueGreen?.activeSelector ?? '',
    updatedReplicas: status.updatedReplicas ?? 0,
    paused: spec.paused === true,
  }
  if (!last) return { ...facts, change: 0 }
  const same = JSON.stringify({ ...facts, change: last.change }) === JSON.stringify(last)
  return { ...facts, change: same ? last.change : last.change + 1 }
}

type Build = (
  facts: EventFacts,
  discriminator: readonly (string | number)[],
  more?: Partial<DerivedEvent> & { readonly also?: string },
) => DerivedEvent

function builder(rollout: Rollout, last: Observation | null): Build {
  const uid = rollout.metadata.uid ?? ''
  const { status = {}, spec } = rollout
  const stepCount = spec.strategy?.canary?.steps?.length ?? 0
  return (facts, discriminator, more = {}) => {
    const { also, ...given } = more
    return {
      id: digest(uid, facts.reason, ...discriminator),
      ...facts,
      triggers: [triggerOf(facts.reason), ...(also ? [also] : [])],
      revision: revisionOf(rollout),
      stepCount,
      weight: {
        previous: last?.weight ?? null,
        current: status.canary?.weights?.canary.weight ?? null,
      },
      initial: false,
      failedMetrics: [],
      ...given,
    }
  }
}

function implied(
  rollout: Rollout,
  runs: readonly AnalysisRun[],
  last: Observation | null,
): DerivedEvent[] {
  const build = builder(rollout, last)
  const added: EventFacts = {
    type: 'Normal',
    reason: 'RolloutAddedToInformer',
    message: `Rollout resource added to informer: ${rollout.metadata.namespace}/${rollout.metadata.name}`,
  }
  const events = [build(added, [])]
  const isCurrent = isObserved(rollout)
  if (isCurrent) events.push(...updates(rollout, last, build))
  // Before the abort that a run causes, as upstream tells them.
  events.push(...runEvents(rollout, runs, build))
  if (isCurrent) {
    events.push(...progress(rollout, last, build))
    events.push(...verdicts(rollout, last, { build, runs }))
  }
  return events
}

function updates(rollout: Rollout, last: Observation | null, build: Build): DerivedEvent[] {
  const { status = {}, metadata } = rollout
  const revision = revisionOf(rollout)
  const events: DerivedEvent[] = []
  if (revision > 0) events.push(build(rolloutEvents.rolloutUpdated(revision), [revision]))
  const condition = (type: string) => status.conditions?.find((each) => each.type === type)
  const hash = status.currentPodHash ?? ''
  if (revision > 0 && condition('Completed')?.status === 'False') {
    events.push(build(rolloutEvents.rolloutNotCompleted(revision, hash), [revision]))
  }
  const replicaSet = names.replicaSet(metadata.name, hash)
  if (condition('Progressing')?.reason === 'NewReplicaSetCreated') {
    events.push(build(rolloutEvents.newReplicaSetCreated(replicaSet, revision), [revision]))
  }
  const experiment = status.canary?.currentExperiment
  if (experiment) events.push(build(rolloutEvents.experimentCreated(experiment), [experiment]))
  if (!last) return events
  const steps = rollout.spec.strategy?.canary?.steps?.length ?? 0
  if (
    last.revision !== revision &&
    steps > 0 &&
    status.currentStepIndex === steps &&
    last.stableRS
  ) {
    const why = status.stableRS === hash ? 'stable' : 'rollback-window'
    events.push(build(rolloutEvents.skipSteps(why), [revision]))
  }
  const to = status.updatedReplicas ?? 0
  if (last.podHash === hash && last.updatedReplicas !== to) {
    const change = { replicaSet, revision, from: last.updatedReplicas, to }
    events.push(build(rolloutEvents.scalingReplicaSet(change), [hash, last.change, to]))
  }
  const weight = status.canary?.weights?.canary.weight ?? null
  if (weight !== null && weight !== last.weight) {
    const id = [revision, last.weight ?? '', weight, status.currentStepIndex ?? '', last.change]
    events.push(build(rolloutEvents.trafficWeightUpdated(last.weight ?? undefined, weight), id))
  }
  const active = status.blueGreen?.activeSelector ?? ''
  if (active && last.activeSelector && active !== last.activeSelector) {
    const service = rollout.spec.strategy?.blueGreen?.activeService ?? ''
    const change = { service, from: last.activeSelector, to: active }
    events.push(build(rolloutEvents.switchService(change), [revision, last.activeSelector, active]))
  }
  return events
}

function runEvents(rollout: Rollout, runs: readonly AnalysisRun[], build: Build): DerivedEvent[] {
  const byAge = [...ownRuns(rollout, runs)].sort((a, b) => {
    const [first, second] = [a, b].map((run) => run.metadata.creationTimestamp ?? '')
    return (first ?? '') < (second ?? '') ? -1 : first === second ? 0 : 1
  })
  return byAge.flatMap((run) => {
    const { phase, startedAt } = run.status ?? {}
    if (!phase) return []
    const isFinal = finalPhases.has(phase)
    // The controller ended it because the update no longer needs it: not a result (upstream follows current runs only).
    if (run.spec.terminate && phase !== 'Failed' && phase !== 'Error') return []
    const uid = run.metadata.uid ?? run.metadata.name
    const about = {
      run: run.metadata.name,
      revision: revisionOf(run) || revisionOf(rollout),
      failedMetrics: failedMetricsOf(run),
    }
    const facts = rolloutEvents.analysisRun({ kind: kindOf(run), run: run.metadata.name, phase })
    const why = run.status?.message
    const told = isFinal && why ? { ...facts, message: `${facts.message}: ${why}` } : facts
    const started: EventFacts = {
      type: 'Normal',
      reason: 'AnalysisRunStarted',
      message: `${kindOf(run)} Analysis Run '${run.metadata.name}' started`,
    }
    return [
      ...(phase === 'Running' || (isFinal && startedAt) ? [build(started, [uid], about)] : []),
      build(told, [uid, phase], {
        ...about,
        ...(isFinal ? { also: 'on-analysis-run-completed' } : {}),
      }),
    ]
  })
}

function kindOf(run: AnalysisRun): 'Step' | 'Background' | 'PrePromotion' | 'PostPromotion' {
  const owner = run.metadata.ownerReferences?.find((reference) => reference.controller)
  if (owner?.kind === kinds.experiments.kind) return 'Step'
  const type = run.metadata.labels?.['rollout-type']
  return type === 'Step' || type === 'PrePromotion' || type === 'PostPromotion'
    ? type
    : 'Background'
}

function failedMetricsOf(run: AnalysisRun): readonly FailedMetric[] {
  return (run.status?.metricResults ?? [])
    .filter(({ phase, dryRun }) => !dryRun && ['Failed', 'Error', 'Inconclusive'].includes(phase))
    .map(({ name, phase, message, measurements }) => ({
      name,
      phase,
      value: measurements?.at(-1)?.value ?? '',
      message: message ?? '',
    }))
}

function progress(rollout: Rollout, last: Observation | null, build: Build): DerivedEvent[] {
  const { status = {}, spec, metadata } = rollout
  const revision = revisionOf(rollout)
  const events: DerivedEvent[] = []
  for (const index of completedSteps(rollout, last)) {
    const steps = spec.strategy?.canary?.steps ?? []
    const step = steps[index]
    if (!step) continue
    const facts = { index, steps: steps.length, label: stepLabel(step) }
    const id = [revision, status.currentStepHash ?? '', index, last?.abortedAt ?? '']
    events.push(build(rolloutEvents.rolloutStepCompleted(facts), id, { stepIndex: index }))
  }
  const [pause] = status.pauseConditions ?? []
  if (pause) {
    const about = { pauseReason: pause.reason }
    const id = [revision, pause.reason, pause.startTime]
    events.push(build(rolloutEvents.rolloutPaused(pause.reason), id, about))
  }
  if (last?.pause && !pause && !status.abort && last.revision === revision) {
    const id = [revision, last.pause.reason, last.pause.startTime]
    events.push(build(rolloutEvents.rolloutResumed(), id, { pauseReason: last.pause.reason }))
  }
  if (spec.paused && last && !last.paused) {
    const facts: EventFacts = {
      type: 'Normal',
      reason: 'RolloutManuallyPaused',
      message: 'Rollout was paused by spec.paused',
    }
    const id = [revision, metadata.generation ?? 0]
    events.push(build(facts, id, { pauseReason: 'manually paused' }))
  }
  if (last?.abort && !status.abort && last.revision === revision && !isPromoted(rollout)) {
    const facts: EventFacts = {
      type: 'Normal',
      reason: 'RolloutRetried',
      message: `Rollout retries update to revision ${revision}`,
    }
    events.push(build(facts, [revision, last.abortedAt]))
  }
  return events
}

/** Indexes that were passed one by one; a jump (initial deploy, rollback, full promotion, abort) completes no step. */
function completedSteps(rollout: Rollout, last: Observation | null): readonly number[] {
  const { status = {} } = rollout
  const to = status.currentStepIndex ?? 0
  const revision = revisionOf(rollout)
  if (to === 0 || status.abort || status.promoteFull || last?.promoteFull) return []
  if (!last?.stableRS) {
    // Never seen before: what an update in flight has passed is known from its index alone.
    const isUpdating = last === null && status.stableRS !== undefined && !isPromoted(rollout)
    return isUpdating ? range(0, to) : []
  }
  if (last.revision === revision) return range(last.stepIndex ?? 0, to)
  const steps = rollout.spec.strategy?.canary?.steps?.length ?? 0
  return to < steps ? range(0, to) : []
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index)
}

function verdicts(
  rollout: Rollout,
  last: Observation | null,
  { build, runs }: { readonly build: Build; readonly runs: readonly AnalysisRun[] },
): DerivedEvent[] {
  const { status = {} } = rollout
  const revision = revisionOf(rollout)
  const stable = status.stableRS ?? ''
  const hash = status.currentPodHash ?? ''
  const events: DerivedEvent[] = []
  const progressing = status.conditions?.find((condition) => condition.type === 'Progressing')
  if (status.abort && status.abortedAt) {
    const said = progressing?.reason === 'RolloutAborted' ? progressing.message : undefined
    const facts = rolloutEvents.rolloutAborted(revision)
    const told = said ? { ...facts, message: said } : facts
    const about = {
      abortMessage: told.message,
      failedMetrics: ownRuns(rollout, runs)
        .filter((run) => revisionOf(run) === revision)
        .flatMap(failedMetricsOf),
    }
    events.push(build(told, [revision, status.abortedAt], about))
  }
  const switched = !last || last.stableRS !== stable
  if (stable && isPromoted(rollout) && switched) {
    const initial = revision <= 1 || last?.stableRS === ''
    const why = initial ? 'Initial deploy' : 'Completed all steps'
    const facts = rolloutEvents.rolloutCompleted({ revision, hash, why })
    events.push(build(facts, [revision, stable], { initial }))
  }
  if (status.phase === 'Healthy') {
    const message = `Rollout is healthy at revision ${revision}`
    const facts: EventFacts = { type: 'Normal', reason: 'RolloutHealthy', message }
    events.push(build(facts, [revision, stable], { initial: revision <= 1 }))
  }
  if (status.phase === 'Degraded' && !status.abort) {
    const cause = status.conditions?.find(({ type }) => type === 'InvalidSpec') ?? progressing
    const facts: EventFacts = {
      type: 'Warning',
      reason: 'RolloutDegraded',
      message: status.message || 'Rollout is degraded',
    }
    events.push(build(facts, [revision, cause?.reason ?? '', cause?.lastTransitionTime ?? '']))
  }
  return events
}

function isPromoted({ status = {} }: Rollout): boolean {
  return Boolean(status.stableRS) && status.stableRS === status.currentPodHash
}
