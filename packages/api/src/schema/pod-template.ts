import { kubernetes, map, object, optional, string } from './typed-schema.ts'

/** The part of core/v1 PodTemplateSpec that Serinus reads; everything else passes through. */
export interface PodTemplateSpec {
  readonly metadata?: PodTemplateMetadata
  readonly spec?: PodSpec
}

/** Labels and annotations put on pods. */
export interface PodTemplateMetadata {
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/** The part of core/v1 PodSpec that Serinus reads. */
export interface PodSpec {
  readonly containers?: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly ephemeralContainers?: readonly Container[]
  readonly volumes?: readonly Volume[]
  readonly restartPolicy?: string
  readonly activeDeadlineSeconds?: number
  readonly terminationGracePeriodSeconds?: number
  readonly affinity?: Affinity
  readonly [field: string]: unknown
}

/** The part of core/v1 Container that Serinus reads. */
export interface Container {
  readonly name: string
  readonly image?: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly ports?: readonly ContainerPort[]
  readonly env?: readonly EnvVar[]
  readonly resources?: ResourceRequirements
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
  readonly [field: string]: unknown
}

/** A port that a container listens on (core/v1 ContainerPort). */
export interface ContainerPort {
  readonly name?: string
  readonly containerPort: number
  readonly hostPort?: number
  readonly protocol?: string
}

/** An environment variable of a container (core/v1 EnvVar). */
export interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: unknown
}

/** Requests and limits of a container; quantities as written (`500m`, `1Gi`, 2). */
export interface ResourceRequirements {
  readonly limits?: Readonly<Record<string, string | number>>
  readonly requests?: Readonly<Record<string, string | number>>
  readonly [field: string]: unknown
}

/** The part of core/v1 Volume that Serinus reads. */
interface Volume {
  readonly name: string
  readonly [field: string]: unknown
}

/** The part of core/v1 Affinity that Serinus reads. */
interface Affinity {
  readonly podAntiAffinity?: {
    readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly unknown[]
    readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly unknown[]
  }
  readonly [field: string]: unknown
}

/** meta/v1 LabelSelector. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: string
    readonly values?: readonly string[]
  }[]
}

/** The part of batch/v1 JobSpec that Serinus reads. */
export interface JobSpec {
  readonly template: PodTemplateSpec
  readonly backoffLimit?: number
  readonly [field: string]: unknown
}

export const podTemplateSpec = kubernetes<PodTemplateSpec>('core/v1.PodTemplateSpec')
export const jobSpec = kubernetes<JobSpec>('batch/v1.JobSpec')
export const labelSelector = kubernetes<LabelSelector>('meta/v1.LabelSelector')
export const immutableLabelSelector = kubernetes<LabelSelector>('meta/v1.LabelSelector', [
  { message: '.spec.selector is immutable', rule: 'self == oldSelf' },
])

export const podMetadata = object({
  labels: optional(map(string), 'Labels to add.'),
  annotations: optional(map(string), 'Annotations to add.'),
})
