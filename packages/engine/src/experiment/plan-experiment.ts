import {
  type ConditionFacts,
  conditionOf,
  type ExperimentStatus,
  experimentConditionFacts,
  experimentEvents,
  finalPhases,
  kinds,
  type Problem,
  problemText,
  setCondition,
  validateExperiment,
  withoutCondition,
} from '@serinus/api'
import { mergePatch } from '@serinus/kube'
import { formatInstant, parseInstant } from '../instant.ts'
import { planAnalysis, terminate } from './analyses.ts'
import { type ExperimentDraft, keyIn, lookAt } from './draft.ts'
import { isOwn, type Part, partsOf, templateNameOf } from './parts.ts'
import { shrink } from './replica-sets.ts'
import { dropService } from './services.ts'
import type {
  ExperimentPlan,
  ExperimentRun,
  ExperimentSnapshot,
  TemplateStatus,
} from './snapshot.ts'
import { endsAt, hasPassed, planTemplate } from './templates.ts'
import { isTerminating, judgeExperiment } from './verdict.ts'

const nothing: ExperimentPlan = {
  writes: [],
  transitions: [],
  ownerTransitions: [],
  waits: [],
  checkAt: null,
  warnings: [],
}

/**
 * Everything one pass over an Experiment may do; pure (spec analysis-and-experiments 5). Templates and runs are judged by
 * what is seen, effects follow from what is stored: a process that dies between a verdict and its record does nothing
 * that the next one would not do as well.
 */
export function planExperiment(snapshot: ExperimentSnapshot, now: number): ExperimentPlan {
  const { experiment } = snapshot
  if (experiment.metadata.deletionTimestamp) return nothing
  const stored: ExperimentStatus = experiment.status ?? {}
  const wasInvalid = conditionOf(stored.conditions, 'InvalidSpec')?.status === 'True'
  const isOver = finalPhases.has(stored.phase ?? '') && !wasInvalid
  const problems = isOver ? [] : [...snapshot.parseProblems, ...validateExperiment(experiment)]
  // A spec that was mended starts again, as if it had been right from the beginning.
  const before = wasInvalid && problems.length === 0 ? {} : stored
  const terminating = problems.length > 0 || isTerminating(experiment, before)
  const draft: ExperimentDraft = {
    snapshot,
    now,
    before,
    terminating,
    writes: [],
    transitions: [],
    ownerTransitions: [],
    waits: [],
    checkAt: null,
  }
  for (const { id, message, since } of snapshot.failures) {
    draft.waits.push({ kind: 'effect', id, message, since })
  }
  const after = problems.length > 0 ? invalid(draft, problems) : run(draft)
  writeStatus(draft, after)
  const { writes, transitions, ownerTransitions, waits, checkAt } = draft
  return { ...nothing, writes, transitions, ownerTransitions, waits, checkAt }
}

function run(draft: ExperimentDraft): ExperimentStatus {
  const { before, snapshot, now } = draft
  const { spec, metadata } = snapshot.experiment
  const parts = partsOf(draft)
  const templateStatuses = parts.map((part) => planTemplate(draft, part))
  tidy(draft, parts)
  const analysisRuns = (spec.analyses ?? []).flatMap((analysis): readonly ExperimentRun[] => {
    const recorded = planAnalysis(draft, analysis, parts)
    return recorded ? [recorded] : []
  })
  const hasEnded = finalPhases.has(before.phase ?? '')
  const verdict = hasEnded
    ? { phase: before.phase, message: before.message }
    : judgeExperiment(draft, templateStatuses, analysisRuns)
  const { phase = 'Pending', message } = verdict
  const isFirst = !before.phase
  // What is not there yet is Pending first, whatever it will come to.
  const told = isFirst && !finalPhases.has(phase) ? 'Pending' : phase
  const isAvailable = templateStatuses.every((one) => one.status === 'Running')
  const availableAt =
    before.availableAt ?? (isAvailable && !isFirst ? formatInstant(now) : undefined)
  if (told !== (before.phase ?? '')) tellPhase(draft, told)
  const end = endsAt(draft)
  if (end !== null && !draft.terminating && !hasPassed(draft)) {
    lookAt(draft, end + 1)
    const since = parseInstant(before.availableAt) ?? now
    draft.waits.push({ kind: 'timer', step: null, since, until: end })
  }
  const status: ExperimentStatus = {
    phase: told,
    ...(message ? { message } : {}),
    ...(availableAt ? { availableAt } : {}),
    templateStatuses,
    ...(analysisRuns.length > 0 ? { analysisRuns } : {}),
  }
  return { ...status, conditions: conditionsOf(draft, status, metadata.name) }
}

function conditionsOf(
  draft: ExperimentDraft,
  status: ExperimentStatus,
  name: string,
): NonNullable<ExperimentStatus['conditions']> {
  const { before, now } = draft
  const present = withoutCondition(before.conditions ?? [], 'InvalidSpec')
  const set = (facts: ConditionFacts, renew = false) =>
    setCondition(present, facts, { at: formatInstant(now), renew })
  if (status.phase === 'Successful') return set(experimentConditionFacts.completed(name))
  if (finalPhases.has(status.phase ?? '')) return present
  const isRunning = status.availableAt !== undefined && status.phase === 'Running'
  if (isRunning && !hasPassed(draft)) return set(experimentConditionFacts.running(name))
  const isMoved = countersOf(before) !== countersOf(status)
  if (!isMoved && conditionOf(present, 'Progressing')) return present
  return set(experimentConditionFacts.progressing(name), isMoved)
}

function countersOf({ templateStatuses = [] }: ExperimentStatus): string {
  const counters = ({ replicas, readyReplicas, availableReplicas }: TemplateStatus) =>
    [replicas, readyReplicas, availableReplicas].join()
  return templateStatuses.map(counters).join(';')
}

/** Nothing is judged by a spec that cannot be meant; what runs already comes to its end (spec api 9.4, scenario 54). */
function invalid(draft: ExperimentDraft, problems: readonly Problem[]): ExperimentStatus {
  const { before, snapshot, now } = draft
  const message = problems.map(problemText).join('; ')
  const facts = experimentConditionFacts.invalidSpec(message)
  if (conditionOf(before.conditions, 'InvalidSpec')?.message !== message) {
    draft.transitions.push({ ...experimentEvents.invalidSpec(message), after: 'status' })
  }
  if (before.phase !== 'Error') tellPhase(draft, 'Error')
  draft.waits.push({ kind: 'invalid-spec', problems: problems.length })
  tidy(draft, [])
  for (const run of snapshot.analysisRuns) terminate(draft, run.metadata.name, run)
  const conditions = setCondition(before.conditions ?? [], facts, { at: formatInstant(now) })
  return { ...before, phase: 'Error', message, conditions }
}

/** Nothing is left running of templates that are not there any more. */
function tidy(draft: ExperimentDraft, parts: readonly Part[]): void {
  const { snapshot } = draft
  const known = new Set(parts.map((part) => part.template.name))
  for (const set of snapshot.replicaSets) {
    if (!known.has(templateNameOf(set) ?? '')) shrink(draft, set)
  }
  for (const service of snapshot.services) {
    const template = templateNameOf(service)
    if (template === undefined || known.has(template) || !isOwn(snapshot, service)) continue
    const set = snapshot.replicaSets.find((one) => templateNameOf(one) === template)
    if ((set?.status?.availableReplicas ?? 0) === 0) dropService(draft, service)
  }
}

function tellPhase(draft: ExperimentDraft, to: string): void {
  const event = experimentEvents.experiment({ from: draft.before.phase ?? '', to })
  draft.transitions.push({ ...event, after: 'status' })
}

function writeStatus(draft: ExperimentDraft, after: ExperimentStatus): void {
  const { experiment } = draft.snapshot
  const body = mergePatch(experiment.status ?? {}, after)
  if (body === undefined) return
  const { name, resourceVersion } = experiment.metadata
  draft.writes.push({
    kind: 'patch',
    id: 'status',
    resource: kinds.experiments,
    key: keyIn(draft, name),
    patch: {
      kind: 'merge',
      body: {
        // A user's retry takes the whole status away; what was judged before it must not come back.
        ...(resourceVersion ? { metadata: { resourceVersion } } : {}),
        status: body,
      },
    },
  })
}
