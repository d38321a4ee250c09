import type { TrafficRouting } from '@serinus/api'
import { type DesiredRoutes, noManagedRoutes } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'
import type { Router, RouterFacts, RouterSettings } from './router.ts'
import { failed, planOf } from './router-plan.ts'
import { editOf, objectNamed, type RoutedKind } from './routing-objects.ts'

type Config = NonNullable<TrafficRouting['traefik']>

/** The part of a TraefikService that matters here. */
interface TraefikService extends KubeObject {
  readonly spec?: {
    readonly weighted?: { readonly services?: readonly WeightedService[] }
  }
}

interface WeightedService {
  readonly name?: string
  readonly weight?: number
}

/**
 * Traefik: the weights of two entries of a weighted TraefikService; other entries keep theirs, so that the share is one
 * of what the two get together (spec traffic-routing 5.7; argo-rollouts: rollout/trafficrouting/traefik/traefik.go).
 */
export function traefik(settings: RouterSettings): Router<Config> {
  const kind: RoutedKind = {
    group: settings.traefikGroup ?? 'traefik.io',
    kind: 'TraefikService',
    plural: 'traefikservices',
    versions: [settings.traefikVersion ?? 'v1alpha1'],
  }
  const named = (config: Config, { objects, rollout }: RouterFacts) =>
    objectNamed<TraefikService>(objects, kind, {
      namespace: rollout.namespace,
      name: config.weightedTraefikServiceName,
    })
  return {
    type: 'Traefik',
    watches: (config, { rollout: { namespace } }) => [
      { kind, namespace, names: [config.weightedTraefikServiceName] },
    ],
    observe(config, facts) {
      const found = named(config, facts)
      const weight = found.kind === 'present' ? observedWeight(found.object, facts) : null
      return { type: 'Traefik', weight, verified: null, managedRoutes: noManagedRoutes }
    },
    plan(config, facts, { weight, max }) {
      const found = named(config, facts)
      if (found.kind === 'absent') return [failed(found.why)]
      const wanted = withWeights(found.object, facts.services, { weight, max })
      if (typeof wanted === 'string') return [failed(wanted)]
      return [planOf(editOf(found, wanted))]
    },
    // It makes no objects.
    removals: () => [],
    release(config, facts) {
      const found = named(config, facts)
      if (found.kind === 'absent') return []
      const wanted = withWeights(found.object, facts.services, { weight: 0, max: facts.max })
      const edit = typeof wanted === 'string' ? null : editOf(found, wanted)
      return edit ? [edit] : []
    },
  }
}

/** Without any weights, Traefik gives each entry the same share: that is none of ours. */
function observedWeight({ spec }: TraefikService, { services, max }: RouterFacts): number | null {
  const weightOf = (service: string) =>
    spec?.weighted?.services?.find(({ name }) => name === service)?.weight
  const [canary, stable] = [weightOf(services.canary), weightOf(services.stable)]
  if (canary === undefined || stable === undefined || canary + stable <= 0) return null
  return (canary * max) / (canary + stable)
}

/** The object with the weights of both sides; a text says what it lacks, as upstream words it. */
function withWeights(
  object: TraefikService,
  { stable, canary }: RouterFacts['services'],
  { weight, max }: Pick<DesiredRoutes, 'weight' | 'max'>,
): TraefikService | string {
  const { services } = object.spec?.weighted ?? {}
  const where = `TraefikService "${object.metadata.name}"`
  if (!services) {
    return `${where}: spec.weighted.services was not found in traefik service manifest`
  }
  if (services.some(({ name }) => name === undefined)) {
    return `${where}: name field was not found in service`
  }
  for (const [side, service] of [
    ['canary', canary],
    ['stable', stable],
  ] as const) {
    if (services.some(({ name }) => name === service)) continue
    return `${where}: traefik ${side} service was not found: "${service}"`
  }
  const weights = new Map([
    [canary, weight],
    [stable, max - weight],
  ])
  const weighted = services.map((service) => {
    const own = weights.get(service.name ?? '')
    return own === undefined ? service : { ...service, weight: own }
  })
  const { spec } = object
  return { ...object, spec: { ...spec, weighted: { ...spec?.weighted, services: weighted } } }
}
