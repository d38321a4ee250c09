export {
  type AnalysisRunPlan,
  type AnalysisRunSnapshot,
  type Answer,
  type MeasureTask,
  planAnalysisRun,
} from './analysis/plan-analysis-run.ts'
export { resolveMetrics } from './analysis/resolve-metrics.ts'
export { releaseServices } from './canary/release-services.ts'
export type { EffectFailure, Finding, Plan, Transition, Write } from './plan.ts'
export { planRollout } from './plan-rollout.ts'
export type { DesiredRoutes, ObservedRouter, RouteTarget } from './routes.ts'
export type {
  EngineOptions,
  Ingress,
  IngressBackend,
  NotificationProblem,
  ReplicaSet,
  RolloutSnapshot,
  Service,
} from './snapshot.ts'
export { type Wait, whoCanAct } from './wait.ts'
