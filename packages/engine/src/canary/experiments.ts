import {
  type Experiment,
  type ExperimentStep,
  finalPhases,
  kinds,
  labelKeys,
  names,
  rolloutEvents,
} from '@serinus/api'
import { deepEqual } from '@serinus/kube'
import type { Draft, LooseStatus } from '../rollout/draft.ts'
import { type Position, positionOf } from '../rollout/facts.ts'
import { addPause, hasPause, pauseReasons } from '../rollout/pauses.ts'
import { forgetFinished } from '../rollout/runs.ts'
import type { DesiredRoutes } from '../routes.ts'
import type { CanaryFacts } from './facts.ts'
import { newExperiment } from './new-experiment.ts'

/** The Experiment that the status names, if it is there. */
function currentExperiment(facts: CanaryFacts, status: LooseStatus): Experiment | undefined {
  const name = status.canary?.currentExperiment
  return name ? facts.snapshot.experiments.find((one) => one.metadata.name === name) : undefined
}

/** One that a user has skipped says nothing of the step after it. Argo Rollouts gives its own no index. */
function isOfStep({ metadata }: Experiment, index: number): boolean {
  const own = metadata.labels?.[labelKeys.stepIndex]
  return own === undefined || own === String(index)
}

/**
 * What the Experiment of the current step means for the update (spec analysis-and-experiments 5.5). Returns the cause of
 * an abort, or null.
 */
export function judgeStepExperiment(facts: CanaryFacts, draft: Draft): string | null {
  const { index, promoteFull } = positionOf(facts, draft.status)
  const experiment = currentExperiment(facts, draft.status)
  if (!experiment || !facts.steps[index]?.experiment || !isOfStep(experiment, index)) return null
  const { phase, message } = experiment.status ?? {}
  if (phase === 'Failed' || phase === 'Error') {
    const cause = 'Experiment analysis phase is error/failed'
    return message ? `${cause}: ${message}` : cause
  }
  if (phase === 'Inconclusive' && !promoteFull && !isResumed(draft)) {
    addPause(draft, pauseReasons.inconclusiveExperiment, facts.now)
  }
  return null
}

/** The controller's pause is still noted and its reasons are gone: a user has promoted. */
function isResumed({ status }: Draft): boolean {
  return status.controllerPause === true && (status.pauseConditions ?? []).length === 0
}

/** Whether an experiment step is over: its Experiment succeeded, or a user went on without a clear verdict (falls short 31). */
export function experimentStepIsOver(facts: CanaryFacts, draft: Draft, index: number): boolean {
  const experiment = currentExperiment(facts, draft.status)
  const phase = experiment && isOfStep(experiment, index) ? experiment.status?.phase : undefined
  if (phase === 'Successful') return true
  if (hasPause(draft, pauseReasons.inconclusiveExperiment)) return false
  if (phase === 'Inconclusive') return isResumed(draft)
  const name = draft.status.canary?.currentExperiment ?? ''
  draft.waits.push({ kind: 'experiment', experiment: name, step: index })
  return false
}

export function forgetExperiment(draft: Draft): void {
  if (draft.status.canary?.currentExperiment === undefined) return
  const { currentExperiment: _, ...rest } = draft.status.canary
  draft.status.canary = rest
}

/**
 * Starts, keeps, ends and forgets the Experiments of an update. One is recorded before it is created, so that a process
 * that dies in between neither forgets nor doubles it.
 */
export function arrangeExperiments(facts: CanaryFacts, draft: Draft, position: Position): void {
  const isOver =
    position.promoted || position.aborted || position.promoteFull || !draft.status.stableRS
  const decided = positionOf(facts, draft.status)
  if (isOver) forgetExperiment(draft)
  else if (!decided.promoted && !decided.aborted) arrange(facts, draft, { position, decided })
  const current = draft.status.canary?.currentExperiment
  const others = facts.snapshot.experiments.filter((one) => one.metadata.name !== current)
  for (const experiment of others) terminate(draft, experiment)
  forgetFinished(facts, draft, { resource: kinds.experiments, objects: others })
}

function arrange(
  facts: CanaryFacts,
  draft: Draft,
  { position, decided }: { readonly position: Position; readonly decided: Position },
): void {
  const { index } = decided
  const step = facts.steps[index]?.experiment
  const present = currentExperiment(facts, draft.status)
  if (!step || (present && !isOfStep(present, index))) forgetExperiment(draft)
  if (!step || hasPause(draft, pauseReasons.inconclusiveRun)) return
  // Pods are copied from both ReplicaSets.
  if (!facts.stable?.object || !facts.newSet.object) return
  const recorded = draft.status.canary?.currentExperiment
  if (recorded && present) return
  const isStored = facts.snapshot.rollout.status?.canary?.currentExperiment === recorded
  if (!recorded || facts.snapshot.takenNames.includes(recorded)) record(facts, draft, index, step)
  else if (isStored && position.index === index)
    create(facts, draft, { name: recorded, index, step })
}

function record(facts: CanaryFacts, draft: Draft, index: number, step: ExperimentStep): void {
  const name = orphan(facts, index, step) ?? freeName(facts, index)
  draft.status.canary = { ...draft.status.canary, currentExperiment: name }
}

function nameOf({ snapshot, newSet }: CanaryFacts, step: number, attempt?: number): string {
  const rollout = snapshot.rollout.metadata.name
  const { hash, revision } = newSet
  return names.experiment({ rollout, hash, revision, step, attempt })
}

/** One that a controller made and died before it recorded; another one would run twice as many pods. */
function orphan(facts: CanaryFacts, index: number, step: ExperimentStep): string | undefined {
  const base = nameOf(facts, index)
  return facts.snapshot.experiments.find(({ metadata, spec, status }) => {
    const { name, deletionTimestamp } = metadata
    const isNamedSo = name === base || /^-\d+$/.test(name.slice(base.length))
    if (!name.startsWith(base) || !isNamedSo || deletionTimestamp) return false
    if (finalPhases.has(status?.phase ?? '') || spec?.terminate) return false
    const wanted = newExperiment(facts, { name, index, step })
    return wanted.ok && deepEqual(wanted.value.spec, spec)
  })?.metadata.name
}

function freeName(facts: CanaryFacts, index: number): string {
  const { experiments, takenNames } = facts.snapshot
  const used = new Set([...experiments.map((one) => one.metadata.name), ...takenNames])
  for (let attempt = 0; ; attempt++) {
    const name = nameOf(facts, index, attempt)
    if (!used.has(name)) return name
  }
}

function create(
  facts: CanaryFacts,
  draft: Draft,
  wanted: { readonly name: string; readonly index: number; readonly step: ExperimentStep },
): void {
  const id = `experiment/${wanted.name}`
  const object = newExperiment(facts, wanted)
  if (!object.ok) {
    const message = object.problems.map((problem) => problem.detail).join('; ')
    draft.waits.push({ kind: 'effect', id, message, since: facts.now })
    return
  }
  draft.writes.push({ kind: 'create', id, resource: kinds.experiments, object: object.value })
  draft.transitions.push({ ...rolloutEvents.experimentCreated(wanted.name), after: id })
}

function terminate(draft: Draft, { metadata, spec, status }: Experiment): void {
  const isEnding = spec?.terminate || metadata.deletionTimestamp
  if (isEnding || finalPhases.has(status?.phase ?? '')) return
  draft.writes.push({
    kind: 'patch',
    id: `terminate/experiment/${metadata.name}`,
    resource: kinds.experiments,
    key: { namespace: metadata.namespace ?? 'default', name: metadata.name },
    patch: { kind: 'merge', body: { spec: { terminate: true } } },
  })
}

/** Templates that get a share of the traffic: while the Experiment of the step is Running, and only then (5.5). */
export function experimentRoutes(
  facts: CanaryFacts,
  position: Position,
): DesiredRoutes['additional'] {
  const { status = {} } = facts.snapshot.rollout
  if (position.promoted || position.aborted || position.promoteFull) return []
  const experiment = currentExperiment(facts, status)
  const step = facts.steps[position.index]?.experiment
  if (!step || !experiment || !isOfStep(experiment, position.index)) return []
  if (experiment.status?.phase !== 'Running') return []
  return (experiment.status.templateStatuses ?? []).flatMap(
    ({ name, serviceName, podTemplateHash = '' }) => {
      const weight = step.templates.find((template) => template.name === name)?.weight
      // No router can send requests to a Service that has no name yet.
      if (weight === undefined || !serviceName) return []
      const port = portOf(facts, serviceName)
      return [{ service: serviceName, hash: podTemplateHash, weight, ...(port ? { port } : {}) }]
    },
  )
}

/** The port for HTTP where one is called so, else the first. */
function portOf({ snapshot }: CanaryFacts, service: string): number | undefined {
  const found = snapshot.services.find(({ metadata }) => metadata.name === service)
  const ports = found?.spec?.ports ?? []
  return (ports.find(({ name }) => name === 'http') ?? ports[0])?.port
}
