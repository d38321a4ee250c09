import {
  type AnalysisRun,
  type AnalysisRunSpec,
  type AnalysisTemplateRef,
  type Argument,
  analysisRunSpecFor,
  annotationKeys,
  experimentEvents,
  finalPhases,
  hashLabel,
  kinds,
  labelKeys,
  names,
  type Outcome,
  resolveTemplates,
  substitute,
} from '@serinus/api'
import { deepEqual } from '@serinus/kube'
import { formatInstant } from '../instant.ts'
import {
  type ExperimentDraft,
  isTaken,
  keyIn,
  namespaceOf,
  ownerReferencesOf,
  refusalOf,
} from './draft.ts'
import type { Part } from './parts.ts'
import { hashOf } from './services.ts'
import type { ExperimentAnalysis, ExperimentRun } from './snapshot.ts'
import { endsAt } from './templates.ts'

/**
 * Starts, follows and ends the run of one analysis (spec analysis-and-experiments 5.3). A run is recorded before it is
 * created, so that a process that dies in between neither forgets nor doubles it. Null: nothing to record yet.
 */
export function planAnalysis(
  draft: ExperimentDraft,
  analysis: ExperimentAnalysis,
  parts: readonly Part[],
): ExperimentRun | null {
  const recorded = draft.before.analysisRuns?.find((run) => run.name === analysis.name)
  if (recorded && finalPhases.has(recorded.phase)) return recorded
  const after = recorded
    ? follow(draft, { analysis, recorded, parts })
    : draft.terminating
      ? null
      : begin(draft, analysis, parts)
  if (after && after.phase !== (recorded?.phase ?? 'Pending')) tell(draft, recorded, after)
  return after
}

/** Before all pods are available only what is referred to is looked at; a mistake is found before anything is judged. */
function begin(
  draft: ExperimentDraft,
  analysis: ExperimentAnalysis,
  parts: readonly Part[],
): ExperimentRun | null {
  const failed = (message: string): ExperimentRun => ({
    name: analysis.name,
    analysisRun: '',
    phase: 'Error',
    message,
  })
  const missing = missingTemplates(draft, analysis)
  if (missing !== null) return failed(missing)
  if (!draft.before.availableAt) return null
  const spec = specOf(draft, analysis, parts)
  if (!spec.ok)
    return failed(`Failed to create AnalysisRun for analysis '${analysis.name}': ${textOf(spec)}`)
  const analysisRun = orphan(draft, analysis, spec.value) ?? freeName(draft, analysis)
  return { name: analysis.name, analysisRun, phase: 'Pending' }
}

function missingTemplates(draft: ExperimentDraft, analysis: ExperimentAnalysis): string | null {
  const { problems } = resolveTemplates([referenceOf(analysis)], lookupOf(draft))
  if (problems.length === 0) return null
  const kind = analysis.clusterScope ? 'ClusterAnalysisTemplate' : 'AnalysisTemplate'
  const details = problems.map((problem) => problem.detail).join('; ')
  return `${kind} verification failed for analysis '${analysis.name}': ${details}`
}

function referenceOf({ templateName, clusterScope }: ExperimentAnalysis): AnalysisTemplateRef {
  return { templateName, ...(clusterScope === undefined ? {} : { clusterScope }) }
}

function lookupOf({ snapshot }: ExperimentDraft) {
  const { analysisTemplates, clusterAnalysisTemplates, templateScope } = snapshot
  return {
    namespace: namespaceOf({ snapshot }),
    analysisTemplates,
    clusterAnalysisTemplates,
    ...(templateScope ? { templateScope } : {}),
  }
}

function specOf(
  draft: ExperimentDraft,
  analysis: ExperimentAnalysis,
  parts: readonly Part[],
): Outcome<AnalysisRunSpec> {
  const { dryRun, measurementRetention } = draft.snapshot.experiment.spec
  const tags = tagsOf(draft, parts)
  const args: Argument[] = []
  for (const arg of analysis.args ?? []) {
    if (arg.value === undefined) args.push(arg)
    else {
      const value = substitute(arg.value, tags)
      if (!value.ok) return value
      args.push({ ...arg, value: value.value })
    }
  }
  const spec = analysisRunSpecFor({
    ...lookupOf(draft),
    templates: [referenceOf(analysis)],
    args,
    dryRun,
    measurementRetention,
  })
  const isOnly = draft.snapshot.experiment.spec.analyses?.length === 1
  return spec.ok && !isOnly ? { ok: true, value: withOwnRules(draft, spec.value) } : spec
}

/** Of the rules that an Experiment has for all of its runs, those that concern this one; a run may not have others. */
function withOwnRules({ snapshot }: ExperimentDraft, spec: AnalysisRunSpec): AnalysisRunSpec {
  const { dryRun = [], measurementRetention = [] } = snapshot.experiment.spec
  const shared = new Set([...dryRun, ...measurementRetention].map((rule) => rule.metricName))
  const concerns = ({ metricName }: { readonly metricName: string }) =>
    !shared.has(metricName) || (spec.metrics ?? []).some(({ name }) => isMeant(metricName, name))
  const { dryRun: dry, measurementRetention: kept, ...rest } = spec
  const own = { dryRun: dry?.filter(concerns) ?? [], kept: kept?.filter(concerns) ?? [] }
  return {
    ...rest,
    ...(own.dryRun.length > 0 ? { dryRun: own.dryRun } : {}),
    ...(own.kept.length > 0 ? { measurementRetention: own.kept } : {}),
  }
}

/** A name that arguments are still to be put into may become any; the run itself reports a pattern that is none. */
function isMeant(pattern: string, name: string): boolean {
  try {
    return name.includes('{{') || new RegExp(pattern).test(name)
  } catch {
    return true
  }
}

/** What arguments may refer to (spec analysis-and-experiments 4.3). */
function tagsOf(draft: ExperimentDraft, parts: readonly Part[]): Readonly<Record<string, string>> {
  const tags: Record<string, string> = {}
  for (const { template, name, set, service } of parts) {
    tags[`templates.${template.name}.replicaset.name`] = set?.metadata.name ?? name
    const hash = hashOf(set)
    if (hash) tags[`templates.${template.name}.podTemplateHash`] = hash
    if (service) tags[`templates.${template.name}.service.name`] = service.metadata.name
  }
  if (draft.before.availableAt) tags['experiment.availableAt'] = draft.before.availableAt
  const end = endsAt(draft)
  if (end !== null) tags['experiment.finishedAt'] = formatInstant(end)
  return tags
}

function textOf({ problems }: Extract<Outcome<unknown>, { ok: false }>): string {
  return problems.map((problem) => problem.detail).join('; ')
}

/** A run that a controller made and died before it recorded; another one would ask twice. */
function orphan(
  { snapshot, before }: ExperimentDraft,
  analysis: ExperimentAnalysis,
  wanted: AnalysisRunSpec,
): string | undefined {
  const base = names.experimentAnalysisRun(snapshot.experiment.metadata.name, analysis.name)
  const recorded = new Set(before.analysisRuns?.map((run) => run.analysisRun))
  return snapshot.analysisRuns.find(({ metadata, spec, status }) => {
    const { name, deletionTimestamp } = metadata
    const isNamedSo = name === base || /^\.\d+$/.test(name.slice(base.length))
    if (!name.startsWith(base) || !isNamedSo || recorded.has(name)) return false
    if (finalPhases.has(status?.phase ?? '') || spec.terminate || deletionTimestamp) return false
    const { metrics, dryRun, measurementRetention, args } = spec
    return deepEqual({ metrics, dryRun, measurementRetention, args }, wanted)
  })?.metadata.name
}

function freeName(draft: ExperimentDraft, analysis: ExperimentAnalysis): string {
  const { experiment, analysisRuns } = draft.snapshot
  const used = new Set(analysisRuns.map((run) => run.metadata.name))
  for (let attempt = 0; ; attempt++) {
    const name = names.experimentAnalysisRun(experiment.metadata.name, analysis.name, attempt)
    if (!used.has(name) && !isTaken(draft, runId(name))) return name
  }
}

function runId(name: string): string {
  return `run/${name}`
}

function follow(
  draft: ExperimentDraft,
  asked: {
    readonly analysis: ExperimentAnalysis
    readonly recorded: ExperimentRun
    readonly parts: readonly Part[]
  },
): ExperimentRun | null {
  const { analysis, recorded } = asked
  const run = draft.snapshot.analysisRuns.find((one) => one.metadata.name === recorded.analysisRun)
  if (!run) return absent(draft, asked)
  if (draft.terminating) terminate(draft, analysis.name, run)
  // Ended or not: what it came to decides what the Experiment came to (falls short 32).
  const phase = run.status?.phase || recorded.phase
  const message = run.status?.message
  if (!finalPhases.has(phase)) {
    draft.waits.push({ kind: 'analysis', run: run.metadata.name, step: null })
  }
  return {
    name: recorded.name,
    analysisRun: recorded.analysisRun,
    phase,
    ...(message ? { message } : {}),
  }
}

/** A recorded run that is not there: still to be created, or deleted by somebody before its verdict. */
function absent(
  draft: ExperimentDraft,
  {
    analysis,
    recorded,
    parts,
  }: {
    readonly analysis: ExperimentAnalysis
    readonly recorded: ExperimentRun
    readonly parts: readonly Part[]
  },
): ExperimentRun | null {
  const name = recorded.analysisRun
  const failed = (message: string): ExperimentRun => ({ ...recorded, phase: 'Error', message })
  if (finalPhases.has(draft.before.phase ?? '')) return recorded
  if (recorded.phase !== 'Pending') return failed(`analysisruns.argoproj.io "${name}" not found`)
  if (draft.terminating) return null
  if (isTaken(draft, runId(name))) return { ...recorded, analysisRun: freeName(draft, analysis) }
  const refusal = refusalOf(draft, runId(name))
  const spec = specOf(draft, analysis, parts)
  if (refusal !== null || !spec.ok) {
    const why = refusal ?? (spec.ok ? '' : textOf(spec))
    return failed(`Failed to create AnalysisRun for analysis '${analysis.name}': ${why}`)
  }
  draft.writes.push({
    kind: 'create',
    id: runId(name),
    resource: kinds.analysisRuns,
    object: newRun(draft, name, spec.value),
  })
  return recorded
}

/** Labels say to which revision of a Rollout the run belongs, as those of its own runs do (spec api, falls short 22). */
function newRun(draft: ExperimentDraft, name: string, spec: AnalysisRunSpec): AnalysisRun {
  const { metadata, spec: wanted } = draft.snapshot.experiment
  const labels = handedOn(metadata.labels, [hashLabel, labelKeys.instanceId])
  const annotations = handedOn(metadata.annotations, [
    annotationKeys.revision,
    annotationKeys.alphaShares,
  ])
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    metadata: {
      name,
      namespace: namespaceOf(draft),
      labels: { ...wanted.analysisRunMetadata?.labels, ...labels },
      annotations: { ...wanted.analysisRunMetadata?.annotations, ...annotations },
      ownerReferences: ownerReferencesOf(draft),
    },
    spec,
  }
}

/** Ends a run that is still at work. */
export function terminate(draft: ExperimentDraft, analysis: string, run: AnalysisRun): void {
  const { name, deletionTimestamp } = run.metadata
  if (finalPhases.has(run.status?.phase ?? '') || run.spec.terminate || deletionTimestamp) return
  const id = `terminate/${name}`
  draft.writes.push({
    kind: 'patch',
    id,
    resource: kinds.analysisRuns,
    key: keyIn(draft, name),
    patch: { kind: 'merge', body: { spec: { terminate: true } } },
  })
  draft.transitions.push({ ...experimentEvents.analysisRunTerminating(analysis, name), after: id })
}

/** The Rollout is told as well, as bad news only where it is bad (falls short 37). */
function tell(
  draft: ExperimentDraft,
  before: ExperimentRun | undefined,
  { name, analysisRun, phase, message }: ExperimentRun,
): void {
  const event = experimentEvents.analysisRun({
    name: analysisRun || name,
    from: before?.phase ?? '',
    to: phase,
    message,
  })
  draft.transitions.push({ ...event, after: 'status' })
  draft.ownerTransitions.push({ ...event, after: 'status' })
}

/** What a run has of the Experiment that makes it. */
function handedOn(
  from: Readonly<Record<string, string>> | undefined,
  keys: readonly string[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const value = from?.[key]
      return value === undefined ? [] : [[key, value]]
    }),
  )
}
