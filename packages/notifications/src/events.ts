import { triggerOf } from '@serinus/api'

/** Reasons that are derived from stored state and thus reach subscribers (spec notifications 4.3, 11.4). */
const derived = [
  'RolloutAddedToInformer',
  'RolloutUpdated',
  'RolloutNotCompleted',
  'NewReplicaSetCreated',
  'ScalingReplicaSet',
  'TrafficWeightUpdated',
  'RolloutStepCompleted',
  'RolloutPaused',
  'RolloutResumed',
  'RolloutManuallyPaused',
  'RolloutAborted',
  'RolloutRetried',
  'RolloutCompleted',
  'RolloutHealthy',
  'RolloutDegraded',
  'RolloutDeleted',
  'SkipSteps',
  'SwitchService',
  'ExperimentCreated',
  'AnalysisRunPending',
  'AnalysisRunRunning',
  'AnalysisRunSuccessful',
  'AnalysisRunFailed',
  'AnalysisRunError',
  'AnalysisRunInconclusive',
  'AnalysisRunStarted',
  'AnalysisRunCompleted',
] as const

/** Upstream's other reasons: subscriptions to them are no mistake, though they only repeat errors that conditions show. */
const recordedOnly = [
  'ReplicaSetCreateError',
  'StepPluginTransition',
  'ReconciliationError',
  'TrafficRoutingError',
  'WeightVerifyError',
  'TargetGroupVerified',
  'TargetGroupUnverified',
  'TargetGroupVerifyError',
  'LoadBalancerNotFound',
  'PatchingALBIngress',
  'PatchingCanaryIngress',
  'CreatingCanaryIngress',
  'UpdatedDestinationRule',
  'VirtualServiceNotFound',
  'DestinationRuleNotFound',
  'VirtualRouterNotFound',
  'VirtualNodeNotFound',
  'TrafficSplitCreated',
  'TrafficSplitNotCreated',
  'TraefikServiceUpdateError',
  'ApisixRouteCreateError',
  'ApisixRouteUpdateError',
  'ApisixRouteDeleteError',
] as const

/** Reasons of events that exist upstream or here. */
export const knownEvents: ReadonlySet<string> = new Set([...derived, ...recordedOnly])

/** Triggers that some event is named after, as in `on-rollout-aborted`. */
export const eventTriggers: ReadonlySet<string> = new Set([...knownEvents].map(triggerOf))

/** Names that upstream has no event for: with `when` they stay driven by state alone, as people use them there. */
export const stateDrivenTriggers: ReadonlySet<string> = new Set(
  ['RolloutHealthy', 'RolloutDegraded', 'RolloutRetried', 'RolloutManuallyPaused'].map(triggerOf),
)
