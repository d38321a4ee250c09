import type {
  AnalysisRun,
  AnalysisTemplate,
  ClusterAnalysisTemplate,
  Experiment,
  LabelSelector,
  PodTemplateSpec,
  Problem,
  Rollout,
  TemplateScope,
} from '@serinus/api'
import type { KubeObject } from '@serinus/kube'
import type { EffectFailure } from './plan.ts'
import type { ObservedRouter } from './routes.ts'
import type { ObservedStepPlugins } from './step-plugins/observed.ts'

/** The part of apps/v1 ReplicaSet that planning reads. */
export interface ReplicaSet extends KubeObject {
  readonly spec: {
    readonly replicas?: number
    readonly minReadySeconds?: number
    readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> }
    readonly template: PodTemplateSpec
  }
  readonly status?: {
    readonly replicas?: number
    readonly readyReplicas?: number
    readonly availableReplicas?: number
    readonly observedGeneration?: number
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly reason?: string
      readonly message?: string
      readonly lastTransitionTime?: string
    }[]
  }
}

export interface Service extends KubeObject {
  readonly spec?: {
    readonly selector?: Readonly<Record<string, string>>
    readonly ports?: readonly {
      readonly name?: string
      readonly port: number
      readonly targetPort?: number | string
      readonly protocol?: string
    }[]
  }
}

export interface Ingress extends KubeObject {
  readonly spec?: {
    readonly ingressClassName?: string
    readonly defaultBackend?: IngressBackend
    readonly rules?: readonly {
      readonly host?: string
      readonly http?: {
        readonly paths?: readonly {
          readonly path?: string
          readonly pathType?: string
          readonly backend?: IngressBackend
        }[]
      }
    }[]
    readonly tls?: unknown
  }
}

export interface IngressBackend {
  readonly service?: {
    readonly name: string
    readonly port?: { readonly name?: string; readonly number?: number }
  }
  readonly resource?: unknown
}

/** Choices of the process that change decisions (operations.md 1.1). */
export interface EngineOptions {
  /** What `pause: {duration: 0}` means (api.md 15.2 B6). */
  readonly zeroPause: 'gate' | 'advance'
  /** How long the share of a router that cannot confirm it is given to take effect before pods are taken away. */
  readonly routerSettleMs: number
}

/** A subscription that tells nobody, and why (spec notifications 11.3). */
export interface NotificationProblem {
  readonly code: string
  readonly message: string
}

/** Whose pods get the requests of a Service at present, taken from its EndpointSlices. */
export interface ServiceEndpoints {
  readonly service: string
  /** Names of the ReplicaSets that own the ready pods. */
  readonly replicaSets: readonly string[]
}

/** A pod of a Rollout, as far as restarts and labels depend on it. Instants are epoch milliseconds. */
export interface Pod {
  readonly name: string
  readonly uid: string
  /** UID of the ReplicaSet that controls it. */
  readonly owner: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly createdAt: number
  /** It is going, or was told to go. */
  readonly isTerminating: boolean
  /** Since when it is ready; null: it is not. */
  readonly readySince: number | null
  /** The last try to evict it, where a disruption budget did not allow that. */
  readonly evictionDenied: { readonly at: number; readonly message: string } | null
}

/** A Deployment, a ReplicaSet or a PodTemplate that a Rollout takes its pods from. */
export interface Workload extends KubeObject {
  readonly spec?: {
    readonly replicas?: number
    readonly selector?: LabelSelector
    readonly template?: PodTemplateSpec
  }
  /** Of a PodTemplate. */
  readonly template?: PodTemplateSpec
}

/** What became of looking for the workload that `spec.workloadRef` names. */
export type ReferencedWorkload =
  | { readonly kind: 'found'; readonly object: Workload; readonly generation: string }
  /** @property message the API's words */
  | { readonly kind: 'missing'; readonly message: string }

/** Everything that one pass over a Rollout may look at. Lists hold objects of its namespace only. */
export interface RolloutSnapshot {
  readonly rollout: Rollout
  /** What the lenient parser had to complain about. */
  readonly parseProblems: readonly Problem[]
  /** With the hash label, controlled by this Rollout or orphaned and matching its selector. */
  readonly replicaSets: readonly ReplicaSet[]
  /** Controlled by this Rollout. */
  readonly analysisRuns: readonly AnalysisRun[]
  /** Controlled by this Rollout. */
  readonly experiments: readonly Experiment[]
  readonly services: readonly Service[]
  readonly ingresses: readonly Ingress[]
  readonly analysisTemplates: readonly AnalysisTemplate[]
  readonly clusterAnalysisTemplates: readonly ClusterAnalysisTemplate[]
  /** Which of them this controller goes by; absent: all. */
  readonly templateScope?: TemplateScope
  /** One entry per configured router, empty without traffic routing. */
  readonly routers: readonly ObservedRouter[]
  /** Epoch milliseconds since when this process has seen the routers ask for their present shares; null: it has not yet. */
  readonly routesSince: number | null
  /** One entry per Service that the Rollout names; null where EndpointSlices may not be read. */
  readonly endpoints: readonly ServiceEndpoints[] | null
  /** What `spec.workloadRef` leads to; null without one, and for a kind that it cannot name. */
  readonly workload: ReferencedWorkload | null
  /** Deployments that were scaled down in favour of this Rollout. */
  readonly scaledDown: readonly Workload[]
  /** Its pods; null while nobody follows them, since no plan needed them. */
  readonly pods: readonly Pod[] | null
  /** Epoch milliseconds since when this process acts on the Rollout; null: from the beginning. */
  readonly activeSince: number | null
  /** What the routers miss in the objects that the Rollout names, and which routers nobody carries. */
  readonly routingProblems: readonly Problem[]
  /** What is wrong with the subscriptions of this Rollout; null while nobody has looked. */
  readonly notificationProblems: readonly NotificationProblem[] | null
  /** Effects of earlier passes that failed and have not succeeded since. */
  readonly failures: readonly EffectFailure[]
  /** Names of ReplicaSets that the API refused because somebody else's object has them. */
  readonly takenNames: readonly string[]
  /** Since when changed counters wait to be stored, epoch milliseconds; null: none do. */
  readonly statusDeferredSince: number | null
  /** Absent: nobody runs step plugins. */
  readonly stepPlugins?: ObservedStepPlugins
  readonly options: EngineOptions
}
