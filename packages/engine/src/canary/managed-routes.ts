import type { ManagedRoute } from '../routes.ts'
import type { CanaryFacts } from './facts.ts'

/**
 * The header and mirror routes that must exist at a step: what the steps up to it have set and not taken back, in the
 * order of `managedRoutes`, which is their precedence (spec traffic-routing 3.8, 4).
 */
export function managedRoutesAt(facts: CanaryFacts, index: number): readonly ManagedRoute[] {
  const present = new Map<string, ManagedRoute>()
  for (const { setHeaderRoute: header, setMirrorRoute: mirror } of facts.steps.slice(
    0,
    index + 1,
  )) {
    if (header?.name) {
      present.delete(header.name)
      // A route without a match takes the route of that name away.
      if (header.match?.length) {
        present.set(header.name, { kind: 'header', name: header.name, match: header.match })
      }
    }
    if (mirror?.name) {
      present.delete(mirror.name)
      if (mirror.match?.length) {
        const { name, match, percentage = 100 } = mirror
        present.set(name, { kind: 'mirror', name, match, percentage })
      }
    }
  }
  const names = (facts.canary.trafficRouting?.managedRoutes ?? []).map((route) => route.name)
  return names.flatMap((name) => present.get(name ?? '') ?? [])
}
