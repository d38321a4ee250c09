import { annotationKeys, hashLabel, labelKeys, type RolloutStatus } from '@serinus/api'
import type { ReplicaSet, RolloutPlan, Service, Write } from '@serinus/engine'
import type { Shape } from './shapes.ts'
import { setNames, versionOf } from './snapshot.ts'
import {
  type RunState,
  type SetState,
  type State,
  tables,
  type Version,
  versions,
} from './state.ts'
import { normalized, now, tickMs } from './time.ts'

/** One thing that a plan does, and the world after it. */
export interface Effect {
  readonly id: string
  readonly requires: readonly string[]
  readonly unless: string | undefined
  readonly happen: (state: State) => State
}

/** What a plan does, in the order of the real shell: creations, routes, the rest, the status last. */
export function effectsOf(shape: Shape, state: State, plan: RolloutPlan): readonly Effect[] {
  const rank = (write: Write) => (write.kind === 'create' ? 0 : write.id === 'status' ? 3 : 2)
  const written = plan.writes.map((write) => ({
    rank: rank(write),
    id: write.id,
    requires: write.requires ?? [],
    unless: write.unless,
    happen: (before: State) => apply(shape, before, write),
  }))
  const { routes } = plan
  const asked = state.router.value?.asked
  if (routes && asked !== undefined && routes.weight !== asked) {
    const happen = (before: State) => {
      const router = {
        effective: before.router.value?.effective ?? 0,
        asked: routes.weight,
        age: 0,
      }
      return { ...before, router: tables.router.of(router) }
    }
    written.push({ rank: 1, id: 'routes', requires: [], unless: undefined, happen })
  }
  return written.sort((a, b) => a.rank - b.rank)
}

function apply(shape: Shape, state: State, write: Write): State {
  switch (write.resource.plural) {
    case 'replicasets':
      return writeSet(state, write)
    case 'services':
      return writeService(shape, state, write)
    case 'analysisruns':
      return writeRun(state, write)
    case 'rollouts':
      return writeRollout(state, write)
    default:
      throw new Error(`a write to ${write.resource.plural} was not expected`)
  }
}

/** Something moved that counts as progress of the update. */
export function moved(state: State): State {
  if (state.ghost.value.quiet === 0) return state
  return { ...state, ghost: tables.ghost.of({ ...state.ghost.value, quiet: 0 }) }
}

export function withSet(state: State, version: Version, set: SetState): State {
  const interned = tables.sets.of(set)
  const sets: State['sets'] = version === 0 ? [interned, state.sets[1]] : [state.sets[0], interned]
  return { ...state, sets }
}

function writeSet(state: State, write: Write): State {
  const name = write.kind === 'create' ? write.object.metadata.name : write.key.name
  const version = versions.find((one) => setNames[one] === name)
  if (version === undefined) throw new Error(`a write to the ReplicaSet ${name} was not expected`)
  if (write.kind === 'delete' || write.kind === 'evict') throw new Error(`${name} is gone`)
  if (write.kind === 'create') {
    if (state.sets[version]) throw new Error(`${name} is created twice`)
    const { metadata, spec } = write.object as ReplicaSet
    const annotations = metadata.annotations ?? {}
    return moved(
      withSet(state, version, {
        spec: spec.replicas ?? 1,
        ready: 0,
        deadline: null,
        desired: Number(annotations[annotationKeys.desiredReplicas]),
        revision: Number(annotations[annotationKeys.revision]),
        returning: false,
      }),
    )
  }
  const before = state.sets[version]?.value
  if (!before) throw new Error(`${name} is patched before it exists`)
  const body = write.patch.body as {
    readonly metadata?: { readonly annotations?: Readonly<Record<string, string | null>> }
    readonly spec?: { readonly replicas?: number }
  }
  const spec = body.spec?.replicas ?? before.spec
  let after = { ...before, spec, ready: Math.min(before.ready, spec) }
  for (const [key, value] of Object.entries(body.metadata?.annotations ?? {})) {
    if (key === annotationKeys.revisionHistory) continue
    if (key === annotationKeys.revision) after = { ...after, revision: Number(value) }
    else if (key === annotationKeys.desiredReplicas) after = { ...after, desired: Number(value) }
    else if (key === annotationKeys.fastRollback) after = { ...after, returning: value !== null }
    else if (key === annotationKeys.scaleDownDeadline) {
      const ticks = value === null ? null : Math.ceil((Date.parse(value) - now) / tickMs)
      after = { ...after, deadline: ticks }
    } else throw new Error(`the annotation ${key} of ${name} was not expected`)
  }
  const next = withSet(state, version, after)
  return spec === before.spec ? next : moved(next)
}

function writeService(shape: Shape, state: State, write: Write): State {
  if (write.kind !== 'patch') throw new Error('a Service is only patched')
  const body = write.patch.body as Service
  const hash = body.spec?.selector?.[hashLabel]
  const services = state.services.value.map((service, at) =>
    shape.services[at] === write.key.name
      ? {
          ...service,
          managed: true,
          selects: hash === undefined ? service.selects : versionOf(hash),
        }
      : service,
  )
  return { ...state, services: tables.services.of(services) }
}

function writeRun(state: State, write: Write): State {
  const runs = state.runs.value
  if (write.kind === 'create') {
    const { name } = write.object.metadata
    const { labels = {} } = write.object.metadata as { labels?: Record<string, string> }
    const run: RunState = {
      name,
      kind: labels[labelKeys.rolloutType] ?? '',
      step: labels[labelKeys.stepIndex] ?? '',
      version: versionOf(labels[hashLabel]) ?? 0,
      phase: 'Running',
      terminated: false,
    }
    return { ...state, runs: tables.runs.of([...runs, run]) }
  }
  const { name } = write.key
  const after =
    write.kind === 'delete'
      ? runs.filter((run) => run.name !== name)
      : // A run that is told to end does so well.
        runs.map((run) =>
          run.name === name ? { ...run, terminated: true, phase: 'Successful' } : run,
        )
  return { ...state, runs: tables.runs.of(after) }
}

function writeRollout(state: State, write: Write): State {
  if (write.kind !== 'patch') throw new Error('a Rollout is only patched')
  const { status, metadata } = write.patch.body as {
    readonly status?: unknown
    readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> }
  }
  if (write.subresource !== 'status') {
    const revision = metadata?.annotations?.[annotationKeys.revision]
    if (revision === undefined) throw new Error(`the write ${write.id} was not expected`)
    return {
      ...state,
      knobs: tables.knobs.of({ ...state.knobs.value, revision: Number(revision) }),
    }
  }
  const before = state.status.value
  const after = merged(before, status) as RolloutStatus
  const isQuiet = progressOf(before) === progressOf(after)
  const { quiet, verdict } = state.ghost.value
  return {
    ...state,
    status: tables.status.of(normalized(after)),
    ghost: tables.ghost.of({ quiet: isQuiet ? quiet : 0, verdict: verdict && !after.abort }),
  }
}

/** What a status says of the progress of an update. */
export function progressOf(status: RolloutStatus): string {
  return JSON.stringify([
    status.currentStepIndex,
    status.stableRS,
    status.currentPodHash,
    status.canary?.currentStepAnalysisRunStatus?.name,
    status.blueGreen?.activeSelector,
    status.blueGreen?.previewSelector,
    status.blueGreen?.scaleUpPreviewCheckPoint,
  ])
}

/** RFC 7386. */
export function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = {
    ...(typeof target === 'object' && target !== null ? target : {}),
  }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merged(result[key], value)
  }
  return result
}
