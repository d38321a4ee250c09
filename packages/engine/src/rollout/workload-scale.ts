import { annotationKeys } from '@serinus/api'
import { resources } from '@serinus/kube'
import type { Transition, Write } from '../plan.ts'
import type { RolloutSnapshot, Workload } from '../snapshot.ts'
import type { Draft } from './draft.ts'
import type { RolloutFacts } from './facts.ts'
import { isScaling } from './workload.ts'

/**
 * Lets the Deployment of a `workloadRef` give way to the Rollout (spec rollout-controller 7.1). Judged by what is
 * there, not by revisions: both together never have fewer pods than the Rollout is to have, and a Deployment that
 * somebody brings back later gives way again (falls short 34). What it had is noted on it, to be restored.
 */
export function scaleWorkload(facts: RolloutFacts, draft: Draft): void {
  const { rollout, workload } = facts.snapshot
  const { workloadRef } = rollout.spec
  // A Rollout of no pods replaces nothing.
  if (workload?.kind !== 'found' || !isScaling(workloadRef) || facts.replicas === 0) return
  const { object } = workload
  const size = object.spec?.replicas ?? 1
  // Done, also where Argo Rollouts did it: a later update needs no help from the Deployment.
  if (size === 0) return
  const isHealthy = draft.status.phase === 'Healthy' && rollout.status?.phase === 'Healthy'
  // Of a blue-green Rollout those that serve: a preview replaces nobody.
  const available = draft.status.availableReplicas ?? 0
  const before = sizeBefore(object) ?? size
  const isGradual = workloadRef?.scaleDown === 'progressively'
  const to = isHealthy
    ? 0
    : isGradual
      ? Math.min(before, Math.max(0, facts.replicas - available))
      : size
  if (to === size) return
  draft.writes.push(resized(object, to, { by: rollout.metadata.name, before }))
  const message = `Scaled ${to < size ? 'down' : 'up'} Deployment ${object.metadata.name} from ${size} to ${to}, since ${available} of ${facts.replicas} pods of the Rollout are available`
  draft.transitions.push(scaled(object, message))
}

/**
 * Gives Deployments their pods back: all of a Rollout that was deleted, whose own pods go with it; of others those
 * that it no longer refers to, unless they had given way completely.
 */
export function restoreWorkloads(
  { rollout, workload, scaledDown }: Pick<RolloutSnapshot, 'rollout' | 'workload' | 'scaledDown'>,
  isDeleted: boolean,
): { readonly writes: readonly Write[]; readonly transitions: readonly Transition[] } {
  const { workloadRef, replicas = 1 } = rollout.spec
  const current = workload?.kind === 'found' ? workload.object : null
  const former = scaledDown.filter(
    ({ metadata }) =>
      isDeleted || workloadRef?.name !== metadata.name || workloadRef.kind !== 'Deployment',
  )
  // Scaled down by Argo Rollouts, which takes no note of it.
  const unnoted =
    isDeleted &&
    current !== null &&
    isScaling(workloadRef) &&
    current.spec?.replicas === 0 &&
    !former.some(({ metadata }) => metadata.name === current.metadata.name)
      ? [current]
      : []
  const restored = [...former, ...unnoted].map((object) => {
    const size = object.spec?.replicas ?? 1
    const isComplete = size === 0 && !isDeleted
    const to = isComplete ? 0 : Math.max(size, sizeBefore(object) ?? 0, isDeleted ? replicas : 0)
    const why = isDeleted ? 'was deleted' : 'no longer refers to it'
    const message = `Scaled up Deployment ${object.metadata.name} from ${size} to ${to}, since the Rollout ${why}`
    const write = resized(object, to, null)
    return { write, transitions: to === size ? [] : [scaled(object, message)] }
  })
  return {
    writes: restored.map(({ write }) => write),
    transitions: restored.flatMap(({ transitions }) => transitions),
  }
}

function sizeBefore(object: Workload): number | null {
  const size = Number(object.metadata.annotations?.[annotationKeys.scaledDownFrom] ?? Number.NaN)
  return Number.isInteger(size) && size >= 0 ? size : null
}

/** @param note null: there is nothing left to restore */
function resized(
  { metadata, spec }: Workload,
  to: number,
  note: { readonly by: string; readonly before: number } | null,
): Write {
  const annotations = {
    [annotationKeys.scaledDownBy]: note?.by ?? null,
    [annotationKeys.scaledDownFrom]: note ? String(note.before) : null,
  }
  return {
    kind: 'patch',
    id: writeId(metadata.name),
    resource: resources.deployments,
    key: { namespace: metadata.namespace ?? 'default', name: metadata.name },
    patch: {
      kind: 'merge',
      body: {
        metadata: { annotations },
        ...(to === spec?.replicas ? {} : { spec: { replicas: to } }),
      },
    },
  }
}

function scaled({ metadata }: Workload, message: string): Transition {
  return { type: 'Normal', reason: 'ScalingWorkload', message, after: writeId(metadata.name) }
}

function writeId(name: string): string {
  return `workload/${name}`
}
