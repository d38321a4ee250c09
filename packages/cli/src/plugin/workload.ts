import type { LabelSelector, PodTemplateSpec, Rollout } from '@serinus/api'
import { ApiError, type KubeObject, type Resource, resources } from '@serinus/kube'
import type { Access } from './access.ts'

/** A kind that `spec.workloadRef` may name, and where its pod template lies. */
export interface WorkloadKind {
  readonly resource: Resource
  readonly templatePath: '/spec/template' | '/template'
}

export type WorkloadRef = NonNullable<Rollout['spec']['workloadRef']>

/** `spec` of apps/v1, or the template itself of a PodTemplate. */
export interface Workload extends KubeObject {
  readonly spec?: { readonly selector?: LabelSelector; readonly template?: PodTemplateSpec }
  readonly template?: PodTemplateSpec
}

/** Undefined for a kind that no Rollout can refer to (spec cli 8.3). */
export function workloadKind(ref: WorkloadRef): WorkloadKind | undefined {
  switch (ref.kind) {
    case 'Deployment':
      return { resource: resources.deployments, templatePath: '/spec/template' }
    case 'ReplicaSet':
      return { resource: resources.replicaSets, templatePath: '/spec/template' }
    case 'PodTemplate':
      return { resource: resources.podTemplates, templatePath: '/template' }
    default:
      return undefined
  }
}

/** Undefined also when the workload is gone or may not be read: the Rollout is still worth showing. */
export async function workloadSelector(
  { client, namespace }: Access,
  ref: WorkloadRef,
): Promise<LabelSelector | undefined> {
  const kind = workloadKind(ref)
  if (!kind || !ref.name) return undefined
  try {
    const workload = await client.get<Workload>(kind.resource, { namespace, name: ref.name })
    const labels = workload.template?.metadata?.labels
    return workload.spec?.selector ?? (labels ? { matchLabels: labels } : undefined)
  } catch (error) {
    if (error instanceof ApiError && (error.code === 403 || error.code === 404)) return undefined
    throw error
  }
}
