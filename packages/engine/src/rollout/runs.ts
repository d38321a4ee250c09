import {
  type AnalysisRun,
  analysisRunSpecFor,
  annotationKeys,
  argumentsOf,
  defaults,
  type Experiment,
  finalPhases,
  hashLabel,
  kinds,
  labelKeys,
  names,
  type RolloutAnalysis,
  rolloutEvents,
} from '@serinus/api'
import type { Resource } from '@serinus/kube'
import { alphaAnnotation } from './alpha-shares.ts'
import type { Draft, LooseStatus } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import { addPause, hasPause, pauseReasons } from './pauses.ts'
import type { Sized } from './replica-sets.ts'
import { createId } from './resize.ts'

export type RunKind = 'Step' | 'Background' | 'PrePromotion' | 'PostPromotion'
/** What the status keeps of a run. */
export type RecordedRun = {
  readonly name: string
  readonly status: string
  readonly message?: string
}

/** How an abort by a run of each kind is told; in the order in which the last one found bad gives the cause. */
const causes: Readonly<Record<RunKind, string>> = {
  Background: 'Background analysis phase error/failed',
  Step: 'Step-based analysis phase error/failed',
  PrePromotion: 'Blue/green pre-promotion analysis phase error/failed',
  PostPromotion: 'Blue/green post-promotion analysis phase error/failed',
}
const runKinds = Object.keys(causes) as readonly RunKind[]

/** Where the status keeps the current run of a kind. */
export function recordedRun(status: LooseStatus, kind: RunKind): RecordedRun | undefined {
  switch (kind) {
    case 'Step':
      return status.canary?.currentStepAnalysisRunStatus
    case 'Background':
      return status.canary?.currentBackgroundAnalysisRunStatus
    case 'PrePromotion':
      return status.blueGreen?.prePromotionAnalysisRunStatus
    case 'PostPromotion':
      return status.blueGreen?.postPromotionAnalysisRunStatus
    default:
      throw new TypeError(`unknown kind: ${kind satisfies never}`)
  }
}

export function recordedRuns(status: LooseStatus): readonly RecordedRun[] {
  return runKinds.flatMap((kind) => recordedRun(status, kind) ?? [])
}

export function recordRun(draft: Draft, kind: RunKind, run: RecordedRun | undefined): void {
  const { status } = draft
  const place = (key: string, parent: object | undefined) => {
    const { [key]: _, ...rest } = (parent ?? {}) as Record<string, unknown>
    return run ? { ...rest, [key]: run } : rest
  }
  switch (kind) {
    case 'Step':
      status.canary = place('currentStepAnalysisRunStatus', status.canary)
      return
    case 'Background':
      status.canary = place('currentBackgroundAnalysisRunStatus', status.canary)
      return
    case 'PrePromotion':
      status.blueGreen = place('prePromotionAnalysisRunStatus', status.blueGreen)
      return
    case 'PostPromotion':
      status.blueGreen = place('postPromotionAnalysisRunStatus', status.blueGreen)
      return
    default:
      throw new TypeError(`unknown kind: ${kind satisfies never}`)
  }
}

export function runNamed(facts: RolloutFacts, name: string | undefined): AnalysisRun | undefined {
  return name ? facts.snapshot.analysisRuns.find((run) => run.metadata.name === name) : undefined
}

const bad: ReadonlySet<string | undefined> = new Set(['Failed', 'Error'])

/**
 * What finished runs mean for the update, decided before anything is attempted (spec analysis-and-experiments 1.4).
 * Returns the cause of an abort, or null.
 */
export function judgeRuns(facts: RolloutFacts, draft: Draft): string | null {
  let cause: string | null = null
  for (const kind of runKinds) {
    const recorded = recordedRun(draft.status, kind)
    const run = runNamed(facts, recorded?.name)
    if (!recorded || !run) continue
    takeOver(draft, { kind, recorded, run })
    const phase = run.status?.phase
    const message = run.status?.message
    if (bad.has(phase)) cause = message ? `${causes[kind]}: ${message}` : causes[kind]
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

function takeOver(
  draft: Draft,
  change: { readonly kind: RunKind; readonly recorded: RecordedRun; readonly run: AnalysisRun },
): void {
  const { kind, recorded, run } = change
  const phase = run.status?.phase ?? ''
  const message = run.status?.message
  if (phase === recorded.status && message === recorded.message) return
  const { name, status: previous } = recorded
  recordRun(draft, kind, { name, status: phase, ...(message ? { message } : {}) })
  if (phase === '' || phase === previous) return
  const event = rolloutEvents.analysisRun({ kind, run: name, phase, previous })
  draft.transitions.push({ ...event, after: 'status' })
}

/** A question that an update asks at present. */
export interface RunWish {
  readonly kind: RunKind
  /** Absent: nothing is asked, and what was asked ends. */
  readonly analysis: RolloutAnalysis | undefined
  /** Position in the steps, for a step's run. */
  readonly index?: number
  /** False while it is too early: nothing is started and nothing ended. */
  readonly due: boolean
}

/**
 * Starts, keeps, ends and forgets the runs of an update (spec analysis-and-experiments 1.2, 1.3).
 * @param wishes null: nothing is asked any more
 * @param forget what the status says of runs that are over with the update
 */
export function arrangeRuns(
  facts: RolloutFacts,
  draft: Draft,
  { wishes, forget }: { readonly wishes: readonly RunWish[] | null; readonly forget: boolean },
): void {
  if (wishes === null && forget) {
    for (const kind of runKinds)
      if (recordedRun(draft.status, kind)) recordRun(draft, kind, undefined)
  }
  for (const wish of wishes ?? []) arrange(facts, draft, wish)
  const current = new Set(wishes === null ? [] : recordedRuns(draft.status).map((run) => run.name))
  const others = facts.snapshot.analysisRuns.filter((run) => !current.has(run.metadata.name))
  for (const run of others) terminate(draft, run)
  const kept = new Set(recordedRuns(draft.status).map((run) => run.name))
  forgetFinished(facts, draft, {
    resource: kinds.analysisRuns,
    objects: others.filter((run) => !kept.has(run.metadata.name)),
  })
}

function arrange(facts: RolloutFacts, draft: Draft, wish: RunWish): void {
  const recorded = recordedRun(draft.status, wish.kind)
  const run = runNamed(facts, recorded?.name)
  const wanted = (wish.analysis?.templates?.length ?? 0) > 0
  const stale =
    wish.index !== undefined &&
    run !== undefined &&
    run.metadata.labels?.[labelKeys.stepIndex] !== String(wish.index)
  if (!wanted || stale) {
    if (recorded) recordRun(draft, wish.kind, undefined)
    if (!wanted) return
  }
  if (!wish.due || !wish.analysis) return
  if (hasPause(draft, pauseReasons.inconclusiveRun)) return
  // A run that was recorded but could not be created, or was deleted before its verdict, is asked for again.
  const isLost = run === undefined && !finalPhases.has(recorded?.status ?? '')
  if (recorded && !stale && !isLost && !needsNew(facts, recorded)) return
  const orphan = unrecordedRun(facts, wish, recorded?.name)
  if (orphan) recordRun(draft, wish.kind, { name: orphan.metadata.name, status: '' })
  else start(facts, draft, wish)
}

/** The run of a process that died between creating it and recording it; asking twice would leave two answers. */
function unrecordedRun(
  facts: RolloutFacts,
  wish: RunWish,
  recorded: string | undefined,
): AnalysisRun | undefined {
  const index = wish.index === undefined ? undefined : String(wish.index)
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
function needsNew(facts: RolloutFacts, recorded: RecordedRun): boolean {
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

function start(facts: RolloutFacts, draft: Draft, wish: RunWish): void {
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
    infix: infixOf(wish),
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
          // The labels by which runs are found again are not the user's to change.
          ...analysis.analysisRunMetadata?.labels,
          [hashLabel]: newSet.hash,
          [labelKeys.rolloutType]: wish.kind,
          ...(wish.index === undefined ? {} : { [labelKeys.stepIndex]: String(wish.index) }),
          ...(instance ? { [labelKeys.instanceId]: instance } : {}),
          ...rollout.spec.selector?.matchLabels,
        },
        annotations: {
          ...analysis.analysisRunMetadata?.annotations,
          [annotationKeys.revision]: String(newSet.revision),
          ...alphaAnnotation(facts.snapshot),
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
  recordRun(draft, wish.kind, { name, status: '' })
}

/** What tells the runs of one revision apart (spec api 8.3). */
function infixOf({ kind, index }: RunWish): string | undefined {
  switch (kind) {
    case 'Step':
      return String(index)
    case 'Background':
      return undefined
    case 'PrePromotion':
      return 'pre'
    case 'PostPromotion':
      return 'post'
    default:
      throw new TypeError(`unknown kind: ${kind satisfies never}`)
  }
}

function freeName(facts: RolloutFacts, base: string): string {
  const taken = new Set([
    ...facts.snapshot.analysisRuns.map((run) => run.metadata.name),
    ...facts.snapshot.takenNames,
  ])
  let name = base
  for (let n = 1; taken.has(name); n++) name = `${base}.${n}`
  return name
}

function isFinal(run: Finished): boolean {
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

type Finished = Pick<AnalysisRun | Experiment, 'metadata' | 'status'>

/** History limits, for runs and Experiments alike (spec analysis-and-experiments 1.11). */
export function forgetFinished(
  facts: RolloutFacts,
  draft: Draft,
  { resource, objects }: { readonly resource: Resource; readonly objects: readonly Finished[] },
): void {
  const { rollout } = facts.snapshot
  const sets = new Set<string>([facts.newSet, ...facts.all].map((set: Sized) => set.hash))
  const limits = {
    good: defaults.successfulRunHistoryLimit(rollout),
    bad: defaults.unsuccessfulRunHistoryLimit(rollout),
  }
  const seen = { good: 0, bad: 0 }
  const newestFirst = [...objects].sort(
    (a, b) =>
      Date.parse(b.metadata.creationTimestamp ?? '') -
      Date.parse(a.metadata.creationTimestamp ?? ''),
  )
  for (const run of newestFirst) {
    if (run.metadata.deletionTimestamp) continue
    const hash = run.metadata.labels?.[hashLabel]
    let isTooMany = !hash || !sets.has(hash)
    if (!isTooMany && isFinal(run)) {
      const side = run.status?.phase === 'Successful' ? 'good' : 'bad'
      seen[side]++
      isTooMany = seen[side] > limits[side]
    }
    if (isTooMany) deleteOne(draft, resource, run)
  }
}

function deleteOne(draft: Draft, resource: Resource, run: Finished): void {
  draft.writes.push({
    kind: 'delete',
    id: `delete/${resource.plural}/${run.metadata.name}`,
    resource,
    key: { namespace: run.metadata.namespace ?? 'default', name: run.metadata.name },
    ...(run.metadata.uid ? { uid: run.metadata.uid } : {}),
  })
}
