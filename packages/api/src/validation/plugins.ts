import type { CanaryStrategy } from '../types.ts'

/**
 * Whether traffic is routed by a plugin or by the Gateway API, which is one upstream: those may do what no built-in
 * router is asked for.
 */
export function hasPluginRouter({ trafficRouting }: CanaryStrategy): boolean {
  return (
    Object.keys(trafficRouting?.plugins ?? {}).length > 0 || Boolean(trafficRouting?.gatewayAPI)
  )
}
