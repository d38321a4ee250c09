import {
  type AnalysisRun,
  analysisRunSpecFor,
  annotationKeys,
  argumentsOf,
  defaults,
  finalPhases,
  hashLabel,
  kinds,
  labelKeys,
  names,
  type RolloutAnalysis,
  rolloutEvents,
} from '@serinus/api'
import type { Draft } from '../draft.ts'
import type { Sized } from '../replica-sets.ts'
import { addPause, hasPause, pauseReasons, positionOf } from './advance.ts'
import type { CanaryFacts, Position } from './facts.ts'
import { createId } from './scale.ts'

type RunKind = 'Step' | 'Background'
type RunStatus = { readonly name: string; readonly status: string; readonly message?: string }

export function runNamed(facts: CanaryFacts, name: string | undefined): AnalysisRun | undefined {
  return name ? facts.snapshot.analysisRuns.find((run) => run.metadata.name === name) : undefined
}

const bad: ReadonlySet<string | undefined> = new Set(['Failed', 'Error'])

/**
 * What finished runs mean for the update, decided before anything is attempted (spec analysis-and-experiments 1.4).
 * Returns the cause of an abort, or null.
 */
export function judgeRuns(facts: CanaryFacts, draft: Draft): string | null {
  let cause: string | null = null
  for (const [kind, key, text] of [
    ['Background', 'currentBackgroundAnalysisRunStatus', 'Background analysis phase error/failed'],
    ['Step', 'currentStepAnalysisRunStatus', 'Step-based analysis phase error/failed'],
  ] as const) {
    const recorded = draft.status.canary?.[key]
    const run = runNamed(facts, recorded?.name)
    if (!recorded || !run) continue
    record(draft, { kind, key, recorded, run })
    const phase = run.status?.phase
    const message = run.status?.message
    if (bad.has(phase)) cause = message ? `${text}: ${message}` : text
    if (
      phase === 'Inconclusive' &&
      !draft.status.promoteFull &&
      recorded.status !== 'Inconclusive'
    ) {
      addPause(draft, pauseReasons.inconclusiveRun, facts.now)
    }
  }
  return cause
}

function record(
  draft: Draft,
  change: {
    readonly kind: RunKind
    readonly key: 'currentBackgroundAnalysisRunStatus' | 'currentStepAnalysisRunStatus'
    readonly recorded: RunStatus
    readonly run: AnalysisRun
  },
): void {
  const phase = change.run.status?.phase ?? ''
  const message = change.run.status?.message
  if (phase === change.recorded.status && message === change.recorded.message) return
  draft.status.canary = {
    ...draft.status.canary,
    [change.key]: {
      name: change.recorded.name,
      status: phase,
      ...(message ? { message } : {}),
    },
  }
  if (phase === '' || phase === change.recorded.status) return
  draft.transitions.push({
    ...rolloutEvents.analysisRun({
      kind: change.kind,
      run: change.recorded.name,
      phase,
      previous: change.recorded.status,
    }),
    after: 'status',
  })
}

/** Starts, keeps, ends and forgets the runs of an update (spec analysis-and-experiments 1.2, 1.3). */
export function arrangeRuns(facts: CanaryFacts, draft: Draft, position: Position): void {
  const cancelAll =
    position.promoted || position.aborted || position.promoteFull || !draft.status.stableRS
  const current = new Set<string>()
  if (cancelAll) {
    const {
      currentBackgroundAnalysisRunStatus: _b,
      currentStepAnalysisRunStatus: _s,
      ...canary
    } = draft.status.canary ?? {}
    if (draft.status.canary) draft.status.canary = canary
  } else {
    // What this pass has decided beyond `position` is acted on when it is stored.
    const decided = positionOf(facts, draft.status)
    const isOver = decided.promoted || decided.aborted
    if (!isOver && decided.index === position.index) {
      arrange(facts, draft, stepWish(facts, position))
    }
    if (!isOver) arrange(facts, draft, backgroundWish(facts, position))
    for (const key of [
      'currentBackgroundAnalysisRunStatus',
      'currentStepAnalysisRunStatus',
    ] as const) {
      const name = draft.status.canary?.[key]?.name
      if (name) current.add(name)
    }
  }
  const others = facts.snapshot.analysisRuns.filter((run) => !current.has(run.metadata.name))
  for (const run of others) terminate(draft, run)
  forgetRuns(facts, draft, others)
}

interface Wish {
  readonly kind: RunKind
  readonly key: 'currentBackgroundAnalysisRunStatus' | 'currentStepAnalysisRunStatus'
  readonly analysis: RolloutAnalysis | undefined
  /** Position in the steps; null for the background run. */
  readonly index: number | null
  /** False while it is too early: nothing is started and nothing ended. */
  readonly due: boolean
}

function stepWish(facts: CanaryFacts, position: Position): Wish {
  return {
    kind: 'Step',
    key: 'currentStepAnalysisRunStatus',
    analysis: facts.steps[position.index]?.analysis,
    index: position.index,
    due: true,
  }
}

function backgroundWish(facts: CanaryFacts, position: Position): Wish {
  const starting = facts.canary.analysis?.startingStep
  return {
    kind: 'Background',
    key: 'currentBackgroundAnalysisRunStatus',
    analysis: facts.canary.analysis,
    index: null,
    due: starting === undefined || facts.steps.length === 0 || position.index >= starting,
  }
}

function arrange(facts: CanaryFacts, draft: Draft, wish: Wish): void {
  const recorded = draft.status.canary?.[wish.key]
  const run = runNamed(facts, recorded?.name)
  const wanted = (wish.analysis?.templates?.length ?? 0) > 0
  const stale =
    wish.index !== null &&
    run !== undefined &&
    run.metadata.labels?.[labelKeys.stepIndex] !== String(wish.index)
  if (!wanted || stale) {
    if (recorded) setRecorded(draft, wish, undefined)
    if (!wanted) return
  }
  if (!wish.due || !wish.analysis) return
  if (wish.kind === 'Step' && (draft.status.pauseConditions?.length ?? 0) > 0) return
  if (hasPause(draft, pauseReasons.inconclusiveRun)) return
  // A run that was recorded but could not be created, or was deleted before its verdict, is asked for again.
  const isLost = run === undefined && !finalPhases.has(recorded?.status ?? '')
  if (recorded && !stale && !isLost && !needsNew(facts, recorded)) return
  const orphan = unrecordedRun(facts, wish, recorded?.name)
  if (orphan) setRecorded(draft, wish, { name: orphan.metadata.name, status: '' })
  else start(facts, draft, wish)
}

/** The run of a process that died between creating it and recording it; asking twice would leave two answers. */
function unrecordedRun(
  facts: CanaryFacts,
  wish: Wish,
  recorded: string | undefined,
): AnalysisRun | undefined {
  const index = wish.index === null ? undefined : String(wish.index)
  return facts.snapshot.analysisRuns.find((run) => {
    const { name, labels, deletionTimestamp } = run.metadata
    const isOver = isFinal(run) || run.spec.terminate === true || deletionTimestamp !== undefined
    if (isOver || name === recorded) return false
    const isAnswer =
      labels?.[labelKeys.rolloutType] === wish.kind && labels[labelKeys.stepIndex] === index
    return isAnswer && labels?.[hashLabel] === facts.newSet.hash
  })
}

/** After an inconclusive run that a user resumed from, and after a retry, the same question is asked anew. */
function needsNew(facts: CanaryFacts, recorded: RunStatus): boolean {
  const { status } = facts.snapshot.rollout
  const reasons = status?.pauseConditions?.map((c) => c.reason) ?? []
  if (
    status?.controllerPause &&
    !reasons.includes('CanaryPauseStep') &&
    !reasons.includes('BlueGreenPause')
  ) {
    return recorded.status === 'Inconclusive'
  }
  return status?.abortedAt !== undefined
}

function setRecorded(draft: Draft, wish: Wish, value: RunStatus | undefined): void {
  const { [wish.key]: _, ...canary } = draft.status.canary ?? {}
  draft.status.canary = value ? { ...canary, [wish.key]: value } : canary
}

function start(facts: CanaryFacts, draft: Draft, wish: Wish): void {
  const { rollout } = facts.snapshot
  const { newSet, stable } = facts
  const analysis = wish.analysis
  if (!analysis) return
  const args = argumentsOf(rollout, analysis.args ?? [], {
    latestHash: newSet.hash,
    stableHash: stable?.hash ?? '',
  })
  const spec = args.ok
    ? analysisRunSpecFor({
        namespace: rollout.metadata.namespace ?? 'default',
        templates: analysis.templates ?? [],
        args: args.value,
        dryRun: analysis.dryRun,
        measurementRetention: analysis.measurementRetention,
        analysisTemplates: facts.snapshot.analysisTemplates,
        clusterAnalysisTemplates: facts.snapshot.clusterAnalysisTemplates,
      })
    : args
  if (!spec.ok) {
    draft.waits.push({
      kind: 'effect',
      id: `run/${wish.kind}`,
      message: spec.problems.map((problem) => problem.detail).join('; '),
      since: facts.now,
    })
    return
  }
  const base = names.analysisRun({
    rollout: rollout.metadata.name,
    hash: newSet.hash,
    revision: newSet.revision,
    infix: wish.index === null ? undefined : String(wish.index),
  })
  const name = freeName(facts, base)
  const instance = rollout.metadata.labels?.[labelKeys.instanceId]
  const id = `run/${name}`
  draft.writes.push({
    kind: 'create',
    id,
    resource: kinds.analysisRuns,
    // There is nothing to analyse where the new version could not be created.
    ...(facts.missing ? { requires: [createId(newSet)] } : {}),
    object: {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AnalysisRun',
      metadata: {
        name,
        namespace: rollout.metadata.namespace ?? 'default',
        labels: {
          [hashLabel]: newSet.hash,
          [labelKeys.rolloutType]: wish.kind,
          ...(wish.index === null ? {} : { [labelKeys.stepIndex]: String(wish.index) }),
          ...(instance ? { [labelKeys.instanceId]: instance } : {}),
          ...analysis.analysisRunMetadata?.labels,
          ...rollout.spec.selector?.matchLabels,
        },
        annotations: {
          [annotationKeys.revision]: String(newSet.revision),
          ...analysis.analysisRunMetadata?.annotations,
        },
        ownerReferences: [
          {
            apiVersion: 'argoproj.io/v1alpha1',
            kind: 'Rollout',
            name: rollout.metadata.name,
            uid: rollout.metadata.uid ?? '',
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: spec.value,
    } as AnalysisRun,
  })
  setRecorded(draft, wish, { name, status: '' })
}

function freeName(facts: CanaryFacts, base: string): string {
  const taken = new Set([
    ...facts.snapshot.analysisRuns.map((run) => run.metadata.name),
    ...facts.snapshot.takenNames,
  ])
  let name = base
  for (let n = 1; taken.has(name); n++) name = `${base}.${n}`
  return name
}

function isFinal(run: AnalysisRun): boolean {
  return finalPhases.has(run.status?.phase ?? '')
}

function terminate(draft: Draft, run: AnalysisRun): void {
  if (isFinal(run) || run.spec.terminate || run.metadata.deletionTimestamp) return
  draft.writes.push({
    kind: 'patch',
    id: `terminate/${run.metadata.name}`,
    resource: kinds.analysisRuns,
    key: { namespace: run.metadata.namespace ?? 'default', name: run.metadata.name },
    patch: { kind: 'merge', body: { spec: { terminate: true } } },
  })
}

/** History limits (spec analysis-and-experiments 1.11). */
function forgetRuns(facts: CanaryFacts, draft: Draft, others: readonly AnalysisRun[]): void {
  const { rollout } = facts.snapshot
  const sets = new Set<string>([facts.newSet, ...facts.all].map((set: Sized) => set.hash))
  const limits = {
    good: defaults.successfulRunHistoryLimit(rollout),
    bad: defaults.unsuccessfulRunHistoryLimit(rollout),
  }
  const seen = { good: 0, bad: 0 }
  const newestFirst = [...others].sort(
    (a, b) =>
      Date.parse(b.metadata.creationTimestamp ?? '') -
      Date.parse(a.metadata.creationTimestamp ?? ''),
  )
  for (const run of newestFirst) {
    if (run.metadata.deletionTimestamp) continue
    const hash = run.metadata.labels?.[hashLabel]
    let drop = !hash || !sets.has(hash)
    if (!drop && isFinal(run)) {
      const side = run.status?.phase === 'Successful' ? 'good' : 'bad'
      seen[side]++
      drop = seen[side] > limits[side]
    }
    if (drop) deleteRun(draft, run)
  }
}

function deleteRun(draft: Draft, run: AnalysisRun): void {
  draft.writes.push({
    kind: 'delete',
    id: `delete/${run.metadata.name}`,
    resource: kinds.analysisRuns,
    key: { namespace: run.metadata.namespace ?? 'default', name: run.metadata.name },
    ...(run.metadata.uid ? { uid: run.metadata.uid } : {}),
  })
}
