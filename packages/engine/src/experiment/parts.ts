import { annotationKeys, type Experiment, experimentTagsIn, names } from '@serinus/api'
import type { ReplicaSet, Service } from '../snapshot.ts'
import type { ExperimentDraft } from './draft.ts'
import type { ExperimentSnapshot, ExperimentTemplate, TemplateStatus } from './snapshot.ts'

/** One template of an Experiment with what is there of it. */
export interface Part {
  readonly template: ExperimentTemplate
  /** Name of the ReplicaSet. */
  readonly name: string
  /** Null: not created yet. */
  readonly set: ReplicaSet | null
  /** What the stored status says; undefined at first. */
  readonly before: TemplateStatus | undefined
  /** Pods that are wanted now. */
  readonly desired: number
  readonly wantsService: boolean
  readonly serviceName: string
  /** The Service of this template; null: none is there. */
  readonly service: Service | null
}

export const endedTemplates: ReadonlySet<string | undefined> = new Set([
  'Successful',
  'Failed',
  'Error',
])

export function partsOf(draft: ExperimentDraft): readonly Part[] {
  const { snapshot, before: status, terminating } = draft
  const { experiment } = snapshot
  return experiment.spec.templates.map((template) => {
    const name = names.experimentReplicaSet(experiment.metadata.name, template.name)
    const before = status.templateStatuses?.find((one) => one.name === template.name)
    const isOver = terminating || endedTemplates.has(before?.status)
    return {
      template,
      name,
      set: snapshot.replicaSets.find((set) => templateNameOf(set) === template.name) ?? null,
      before,
      desired: isOver ? 0 : (template.replicas ?? 1),
      wantsService: wantsService(experiment, template),
      serviceName: template.service?.name || name,
      service:
        snapshot.services.find(
          (service) => isOwn(snapshot, service) && templateNameOf(service) === template.name,
        ) ?? null,
    }
  })
}

/** Which template an object was made for, by its annotation. */
export function templateNameOf(object: ReplicaSet | Service): string | undefined {
  return object.metadata.annotations?.[annotationKeys.experimentTemplateName]
}

export function isOwn({ experiment }: ExperimentSnapshot, object: Service): boolean {
  return (
    object.metadata.ownerReferences?.some(
      (owner) => owner.controller === true && owner.uid === experiment.metadata.uid,
    ) ?? false
  )
}

/** Whoever refers to the name of a template's Service means that there be one (spec api 15.2 B13). */
function wantsService({ spec }: Experiment, template: ExperimentTemplate): boolean {
  if (template.service) return true
  return experimentTagsIn(spec.analyses ?? []).has(`templates.${template.name}.service.name`)
}

/** Counters of a template, as its ReplicaSet tells them. */
export function countersOf(
  set: ReplicaSet | null,
): Pick<TemplateStatus, 'replicas' | 'updatedReplicas' | 'readyReplicas' | 'availableReplicas'> {
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = set?.status ?? {}
  return { replicas, updatedReplicas: replicas, readyReplicas, availableReplicas }
}
