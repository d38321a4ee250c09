import type { TrafficRouting } from '@serinus/api'
import { type DesiredRoutes, noManagedRoutes } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'
import { controllerOf, copiedLabels, deletionOf, isOurs, ownerReferences } from './own-objects.ts'
import { percentOf } from './percent.ts'
import type { Router, RouterFacts, RouterPlan, RouterSettings } from './router.ts'
import { failed, planOf, type Told } from './router-plan.ts'
import { editOf, kindId, objectNamed, type Present, type RoutedKind } from './routing-objects.ts'

type Config = NonNullable<TrafficRouting['ambassador']>

interface Mapping extends KubeObject {
  readonly spec?: { readonly service?: string; readonly weight?: number }
}

/**
 * Ambassador, Emissary: beside each Mapping one of our own that leads the canary's share to the canary
 * (spec traffic-routing 5.5; argo-rollouts: rollout/trafficrouting/ambassador/ambassador.go).
 */
export function ambassador(settings: RouterSettings): Router<Config> {
  const kind = kindOf(settings)
  return {
    type: 'Ambassador',
    // Mappings whose base has left the spec are known by their owner.
    watches: (_config, { rollout: { namespace } }) => [{ kind, namespace }],
    check(config, facts) {
      const path = 'spec.strategy.canary.trafficRouting.ambassador.mappings'
      const invalid = 'Invalid value' as const
      if (config.mappings.length === 0) {
        return [{ path, kind: invalid, value: [], detail: 'must provide at least one mapping' }]
      }
      return config.mappings.flatMap((name, index) => {
        const base = mappingNamed(kind, facts, name)
        if (base.kind === 'absent' || base.object.spec?.weight === undefined) return []
        const detail = `Ambassador mapping "${name}" can not define weight`
        return [{ path: `${path}[${index}]`, kind: invalid, value: name, detail }]
      })
    },
    observe(config, facts) {
      const weights = new Set(config.mappings.map((name) => observedWeight(kind, facts, name)))
      const [weight = null] = weights
      return {
        type: 'Ambassador',
        weight: weights.size === 1 ? weight : null,
        verified: null,
        managedRoutes: noManagedRoutes,
      }
    },
    plan: (config, facts, routes) =>
      config.mappings.map((name) => planMapping(kind, facts, { name, routes })),
    removals(config, facts) {
      const known = facts.objects.get(kindId(kind))
      if (known?.state !== 'served') return []
      const wanted = new Set(config?.mappings.map(canaryName))
      const mappings = known.objects as readonly Mapping[]
      // A Mapping with a weight of 0 has done its work, and is made again when there is something to do.
      return mappings
        .filter((mapping) => isOurs(mapping, facts) && !mapping.metadata.deletionTimestamp)
        .filter(({ metadata, spec }) => !wanted.has(metadata.name) || spec?.weight === 0)
        .map((mapping) => deletionOf(known.resource, mapping))
    },
    // The canary Mappings go with their owner.
    release: () => [],
  }
}

function kindOf({ ambassadorGroup, ambassadorVersion }: RouterSettings): RoutedKind {
  const versions = ambassadorVersion ? [ambassadorVersion] : ['v2', 'v3alpha1']
  if (ambassadorGroup === 'x.getambassador.io') {
    const [kind, plural] = ['AmbassadorMapping', 'ambassadormappings']
    return { group: ambassadorGroup, kind, plural, versions }
  }
  const group = ambassadorGroup ?? 'getambassador.io'
  return { group, kind: 'Mapping', plural: 'mappings', versions }
}

function canaryName(name: string): string {
  return `${name.slice(0, 253 - '-canary'.length)}-canary`
}

function mappingNamed(kind: RoutedKind, { objects, rollout }: RouterFacts, name: string) {
  return objectNamed<Mapping>(objects, kind, { namespace: rollout.namespace, name })
}

/** Without a canary Mapping all requests go where the other one leads: to stable. */
function observedWeight(kind: RoutedKind, facts: RouterFacts, name: string): number | null {
  const base = mappingNamed(kind, facts, name)
  if (base.kind === 'absent') return null
  const canary = mappingNamed(kind, facts, canaryName(name))
  if (canary.kind === 'absent') return 0
  const { weight } = canary.object.spec ?? {}
  const service = canaryService(base.object.spec?.service ?? '', facts)
  const isOne = isOurs(canary.object, facts) || isLeft(canary.object, service)
  return isOne && weight !== undefined ? (weight * facts.max) / 100 : null
}

/** Made by Argo Rollouts, which leaves its Mappings without an owner. */
function isLeft(mapping: Mapping, service: string | null): boolean {
  return controllerOf(mapping) === undefined && mapping.spec?.service === service
}

function planMapping(
  kind: RoutedKind,
  facts: RouterFacts,
  { name, routes }: { readonly name: string; readonly routes: DesiredRoutes },
): RouterPlan {
  const base = mappingNamed(kind, facts, name)
  if (base.kind === 'absent') return failed(base.why)
  const service = canaryService(base.object.spec?.service ?? '', facts)
  if (service === null) {
    return failed(
      `${kind.kind} "${name}": spec.service ${JSON.stringify(base.object.spec?.service)} does not lead to Service "${facts.services.stable}"`,
    )
  }
  const weight = percentOf(routes)
  if (weight === null) {
    return failed(
      `${kind.kind} "${name}": weight ${routes.weight} of ${routes.max} is no whole percent, and Ambassador knows no other`,
    )
  }
  const spec = { ...base.object.spec, service, weight }
  const told: Told = ['CanaryMappingWeightUpdate', `Set canary mapping weight to ${weight}`]
  const present = mappingNamed(kind, facts, canaryName(name))
  if (present.kind === 'absent') {
    return planOf(weight === 0 ? null : creationOf(base, spec, facts), told)
  }
  const { object } = present
  if (isOurs(object, facts)) return planOf(editOf(present, { ...object, spec }), told)
  if (!isLeft(object, service)) {
    return failed(`canary mapping \`${object.metadata.name}\` controlled by different object`)
  }
  const metadata = {
    ...object.metadata,
    ownerReferences: [...(object.metadata.ownerReferences ?? []), ...ownerReferences(facts)],
  }
  return planOf(editOf(present, { ...object, metadata, spec }), told)
}

/** Hosts take Mappings by their labels, so those come along. */
function creationOf(base: Present<Mapping>, spec: Mapping['spec'], facts: RouterFacts) {
  const { resource, object } = base
  const name = canaryName(object.metadata.name)
  const metadata = {
    name,
    namespace: facts.rollout.namespace,
    ...copiedLabels(object),
    ownerReferences: ownerReferences(facts),
  }
  const apiVersion = `${resource.group}/${resource.version}`
  return {
    kind: 'create',
    id: `${resource.plural}/${name}`,
    resource,
    object: { apiVersion, kind: resource.kind, metadata, spec },
  } as const
}

/** `https://app-stable.demo:443` with the other Service; null: it does not lead to the stable one. */
function canaryService(service: string, { services, rollout }: RouterFacts): string | null {
  const [, scheme = '', name, namespace, rest = ''] =
    /^(\w+:\/\/)?([^.:/]+)(?:\.([^.:/]+))?(.*)$/.exec(service) ?? []
  if (name !== services.stable || (namespace ?? rollout.namespace) !== rollout.namespace) {
    return null
  }
  return `${scheme}${services.canary}${namespace === undefined ? '' : `.${namespace}`}${rest}`
}
