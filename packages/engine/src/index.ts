export {
  type AnalysisRunPlan,
  type AnalysisRunSnapshot,
  type Answer,
  type MeasureTask,
  planAnalysisRun,
} from './analysis/plan-analysis-run.ts'
export { resolveMetrics } from './analysis/resolve-metrics.ts'
export { canaryServices } from './canary/facts.ts'
export { examineRollout, examineTemplate, type KnownTemplates } from './doctor/doctor.ts'
export type { DoctorFinding, Severity } from './doctor/finding.ts'
export { planExperiment } from './experiment/plan-experiment.ts'
export type { ExperimentPlan, ExperimentSnapshot } from './experiment/snapshot.ts'
export type { EffectFailure, Finding, Plan, RolloutPlan, Transition, Write } from './plan.ts'
export { planRollout } from './plan-rollout.ts'
export { ownTemplate } from './rollout/own-template.ts'
export { releaseServices, servicesInUse } from './rollout/release-services.ts'
export { restoreWorkloads } from './rollout/workload-scale.ts'
export {
  type DesiredRoutes,
  type ManagedRoute,
  noManagedRoutes,
  type ObservedRouter,
  type RouteTarget,
} from './routes.ts'
export type {
  EngineOptions,
  Ingress,
  IngressBackend,
  NotificationProblem,
  Pod,
  ReferencedWorkload,
  ReplicaSet,
  RolloutSnapshot,
  Service,
  ServiceEndpoints,
  Workload,
} from './snapshot.ts'
export type {
  ObservedStepPlugins,
  StepPluginAnswer,
  StepPluginCall,
  StepPluginCallId,
  StepPluginMethod,
  StepPluginState,
} from './step-plugins/observed.ts'
export { type Wait, whoCanAct } from './wait.ts'
