import type {
  AnalysisRun,
  AnalysisTemplate,
  ClusterAnalysisTemplate,
  Experiment,
  ExperimentSpec,
  ExperimentStatus,
  Problem,
  Rollout,
  TemplateScope,
} from '@serinus/api'
import type { EffectFailure, Plan, Transition } from '../plan.ts'
import type { ReplicaSet, Service } from '../snapshot.ts'

export type ExperimentTemplate = ExperimentSpec['templates'][number]
export type ExperimentAnalysis = NonNullable<ExperimentSpec['analyses']>[number]
export type TemplateStatus = NonNullable<ExperimentStatus['templateStatuses']>[number]
export type ExperimentRun = NonNullable<ExperimentStatus['analysisRuns']>[number]

/** Everything that one pass over an Experiment may look at. Lists hold objects of its namespace only. */
export interface ExperimentSnapshot {
  readonly experiment: Experiment
  /** What the lenient parser had to complain about. */
  readonly parseProblems: readonly Problem[]
  /** Controlled by this Experiment. */
  readonly replicaSets: readonly ReplicaSet[]
  /** Controlled by this Experiment. */
  readonly analysisRuns: readonly AnalysisRun[]
  /** All of the namespace: any may select its pods. */
  readonly services: readonly Service[]
  readonly analysisTemplates: readonly AnalysisTemplate[]
  readonly clusterAnalysisTemplates: readonly ClusterAnalysisTemplate[]
  /** Which of them this controller goes by; absent: all. */
  readonly templateScope?: TemplateScope
  /** The Rollout that controls it; null: none does. */
  readonly rollout: Rollout | null
  /** Epoch milliseconds since when this process acts on it; null: from the beginning. */
  readonly activeSince: number | null
  /** Effects of the last pass that failed. */
  readonly failures: readonly EffectFailure[]
  /** Ids of creations that were refused since somebody else's object has the name. */
  readonly taken: readonly string[]
  /** Ids of creations that must wait: an object of an Experiment that is over or deleted still has the name. */
  readonly leaving: readonly string[]
}

/** Everything one pass over an Experiment may do. */
export interface ExperimentPlan extends Plan {
  /** Told of the Rollout that controls it, too. */
  readonly ownerTransitions: readonly Transition[]
}
