import type { CanaryStrategy } from '../types.ts'

/** Whether a traffic router plugin is configured: those may do what no built-in router is asked for. */
export function hasPlugins(canary: CanaryStrategy): boolean {
  return Object.keys(canary.trafficRouting?.plugins ?? {}).length > 0
}
