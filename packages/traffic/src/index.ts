export { canaryIngressName, nginx } from './nginx.ts'
export { observeRouters, planRouters, unsupportedRouters } from './registry.ts'
export type { Router, RouterFacts, RouterKey, RouterPlan, RoutingObjects } from './router.ts'
