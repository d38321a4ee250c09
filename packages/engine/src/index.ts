export type { EffectFailure, Finding, Plan, Transition, Write } from './plan.ts'
export { planRollout } from './plan-rollout.ts'
export type { DesiredRoutes, ObservedRouter, RouteTarget } from './routes.ts'
export type {
  EngineOptions,
  Ingress,
  IngressBackend,
  ReplicaSet,
  RolloutSnapshot,
  Service,
} from './snapshot.ts'
export { type Wait, whoCanAct } from './wait.ts'
