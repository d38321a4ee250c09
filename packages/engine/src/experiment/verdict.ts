import {
  type AnalysisPhase,
  type Experiment,
  type ExperimentStatus,
  finalPhases,
} from '@serinus/api'
import { severity } from '../analysis/assess.ts'
import type { ExperimentDraft } from './draft.ts'
import type { ExperimentRun, TemplateStatus } from './snapshot.ts'

/** What an Experiment, or one side of it, has come to. */
export interface ExperimentVerdict {
  readonly phase: AnalysisPhase
  readonly message?: string
}

const badRuns: ReadonlySet<string> = new Set(['Failed', 'Error', 'Inconclusive'])

/** Whether an Experiment is over, or has to end, by what is stored (spec analysis-and-experiments 5.2). */
export function isTerminating({ spec }: Experiment, status: ExperimentStatus): boolean {
  const runs = status.analysisRuns ?? []
  return (
    spec.terminate === true ||
    finalPhases.has(status.phase ?? '') ||
    (status.templateStatuses ?? []).some(
      (one) => one.status === 'Failed' || one.status === 'Error',
    ) ||
    runs.some((run) => badRuns.has(run.phase)) ||
    requiredHaveSucceeded(spec, runs)
  )
}

function requiredHaveSucceeded(
  { analyses = [] }: Experiment['spec'],
  runs: readonly ExperimentRun[],
): boolean {
  const required = analyses.filter((analysis) => analysis.requiredForCompletion)
  const hasSucceeded = (name: string) =>
    runs.find((run) => run.name === name)?.phase === 'Successful'
  return required.length > 0 && required.every(({ name }) => hasSucceeded(name))
}

/**
 * The phase that follows from templates and runs as they are now (spec analysis-and-experiments 5.4). Runs that nobody
 * requires neither hold up the end nor keep it from being told (falls short 32); a bad one counts whoever asked for it.
 */
export function judgeExperiment(
  draft: ExperimentDraft,
  templates: readonly TemplateStatus[],
  runs: readonly ExperimentRun[],
): ExperimentVerdict {
  const side = judgeTemplates(templates)
  const judged = judgeRuns(draft, runs)
  const { spec } = draft.snapshot.experiment
  const isRequired = (spec.analyses ?? []).some((analysis) => analysis.requiredForCompletion)
  if (finalPhases.has(side.phase)) {
    const counts = finalPhases.has(judged.phase) || isRequired
    return side.phase === 'Successful' && counts ? judged : side
  }
  const isBad = badRuns.has(judged.phase)
  return isBad || requiredHaveSucceeded(spec, runs) ? judged : side
}

/** Worst last. */
const templateSeverity = ['Successful', 'Running', 'Progressing', 'Error', 'Failed'] as const

function judgeTemplates(templates: readonly TemplateStatus[]): ExperimentVerdict {
  const rank = ({ status }: TemplateStatus) => templateSeverity.indexOf(status ?? 'Progressing')
  const worst = templates.reduce<TemplateStatus | undefined>(
    (known, one) => (known === undefined || rank(one) > rank(known) ? one : known),
    undefined,
  )
  const status = worst?.status ?? 'Progressing'
  return verdict(status === 'Progressing' ? 'Pending' : status, worst?.message)
}

function judgeRuns(draft: ExperimentDraft, runs: readonly ExperimentRun[]): ExperimentVerdict {
  const { spec } = draft.snapshot.experiment
  const rank = ({ phase }: ExperimentRun) => severity.indexOf(phase)
  const worst = runs.reduce<ExperimentRun | undefined>(
    (known, one) => (known === undefined || rank(one) > rank(known) ? one : known),
    undefined,
  )
  if (worst && badRuns.has(worst.phase)) return verdict(worst.phase, worst.message)
  if (requiredHaveSucceeded(spec, runs)) {
    return verdict('Successful', 'Required AnalysisRuns completed')
  }
  const isAwaited = (spec.analyses ?? []).some(
    ({ name, requiredForCompletion }) =>
      requiredForCompletion && !runs.some((run) => run.name === name),
  )
  // What is ended before it began has nothing to wait for.
  if (isAwaited && !draft.terminating) return verdict('Running', undefined)
  if (!worst || worst.phase === 'Successful') return verdict('Successful', undefined)
  return verdict('Running', worst.message)
}

function verdict(phase: AnalysisPhase, message: string | undefined): ExperimentVerdict {
  return { phase, ...(message ? { message } : {}) }
}
