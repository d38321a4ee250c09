import { type Finding, kinds, type Problem, validateRollout } from '@serinus/api'
import type { Write } from '../plan.ts'
import type { ReferencedWorkload, RolloutSnapshot } from '../snapshot.ts'

/** A snapshot whose Rollout has the template of its workload, and what stands in the way of planning from it. */
export interface Resolved {
  readonly snapshot: RolloutSnapshot
  readonly problems: readonly Problem[]
}

/**
 * Takes template and selector from the workload that `spec.workloadRef` names, in memory only: no write ever contains
 * them (spec rollout-controller 7.1, api 11.1). Validates the Rollout that this makes.
 */
export function resolveWorkload(snapshot: RolloutSnapshot): Resolved {
  const { rollout, workload } = snapshot
  const { workloadRef } = rollout.spec
  const own = validateRollout(rollout)
  if (!workloadRef || !workload) return { snapshot, problems: own }
  if (workload.kind === 'missing') {
    const name = workloadRef.name ?? ''
    return {
      snapshot,
      problems: [
        ...own,
        {
          path: 'spec.workloadRef.name',
          kind: 'Invalid value',
          value: name,
          detail: workload.message,
        },
      ],
    }
  }
  if (own.some(({ path }) => path === 'spec.template')) return { snapshot, problems: own }
  const { spec, template = spec?.template ?? {} } = workload.object
  const selector = rollout.spec.selector ?? spec?.selector
  const resolved = {
    ...rollout,
    spec: { ...rollout.spec, template, ...(selector ? { selector } : {}) },
  }
  const detail = `a ${workloadRef.kind} has no selector: Rollout has missing field '.spec.selector'`
  return {
    snapshot: { ...snapshot, rollout: resolved },
    problems: [
      ...validateRollout(resolved, { workloadResolved: true }),
      ...(selector ? [] : [{ path: 'spec.selector', kind: 'Required value', detail } as const]),
    ],
  }
}

/** Undefined without a workload. */
export function generationOf(workload: ReferencedWorkload | null): string | undefined {
  return workload?.kind === 'found' ? workload.generation : undefined
}

/**
 * A Rollout without a size that is to replace a Deployment gets the Deployment's: with the usual 1 it would count as
 * complete, and the Deployment be scaled down, before anything had sized it (falls short 34). Null: it has a size.
 */
export function adoptSize({ rollout, workload }: RolloutSnapshot): Write | null {
  const { workloadRef, replicas } = rollout.spec
  if (replicas !== undefined || workload?.kind !== 'found' || !isScaling(workloadRef)) return null
  const size = workload.object.spec?.replicas ?? 0
  if (size === 0) return null
  return {
    kind: 'patch',
    id: 'size',
    resource: kinds.rollouts,
    key: { namespace: rollout.metadata.namespace ?? 'default', name: rollout.metadata.name },
    patch: { kind: 'merge', body: { spec: { replicas: size } } },
  }
}

/** Whether the workload gives way to the Rollout: only a Deployment can. */
export function isScaling(workloadRef: RolloutSnapshot['rollout']['spec']['workloadRef']): boolean {
  if (workloadRef?.kind !== 'Deployment') return false
  return workloadRef.scaleDown === 'onsuccess' || workloadRef.scaleDown === 'progressively'
}

/** Doubts about a reference that works. */
export function workloadFindings({ rollout, workload }: RolloutSnapshot): readonly Finding[] {
  const { workloadRef, replicas } = rollout.spec
  const path = 'spec.workloadRef.scaleDown'
  const scaleDown = workloadRef?.scaleDown
  if (!workloadRef || !scaleDown || scaleDown === 'never') return []
  const { kind, name } = workloadRef
  if (kind !== 'Deployment') {
    const message = `only a Deployment is scaled down; ${kind} "${name}" stays as it is`
    return [{ reason: 'ScaleDownIgnored', path, message }]
  }
  const size = workload?.kind === 'found' ? (workload.object.spec?.replicas ?? 0) : 0
  if (replicas === undefined || replicas >= size) return []
  const message = `spec.replicas is ${replicas}, and Deployment "${name}", which gives way to it, has ${size} pods`
  return [{ reason: 'WorkloadLarger', path, message }]
}
