export { observeRouters, planRemovals, planRouters, unsupportedRouters } from './registry.ts'
export type { RouterPlan, RoutingObjects } from './router.ts'
