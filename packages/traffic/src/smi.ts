import type { TrafficRouting } from '@serinus/api'
import { type DesiredRoutes, noManagedRoutes } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'
import { deletionOf, isOurs, ownerReferences } from './own-objects.ts'
import type { Router, RouterFacts, RouterPlan, RouterSettings } from './router.ts'
import { failed, planOf } from './router-plan.ts'
import { editOf, kindId, objectNamed, type RoutedKind } from './routing-objects.ts'

type Config = NonNullable<TrafficRouting['smi']>

interface TrafficSplit extends KubeObject {
  readonly spec?: {
    readonly service?: string
    readonly backends?: readonly { readonly service?: string; readonly weight?: string | number }[]
  }
}

/**
 * Service Mesh Interface: a TrafficSplit of our own over the Service that clients use
 * (spec traffic-routing 5.4; argo-rollouts: rollout/trafficrouting/smi/smi.go).
 */
export function smi(settings: RouterSettings): Router<Config> {
  const { trafficSplitVersion } = settings
  const kind: RoutedKind = {
    group: 'split.smi-spec.io',
    kind: 'TrafficSplit',
    plural: 'trafficsplits',
    // Upstream's default first: what it left is in that version.
    versions: trafficSplitVersion
      ? [trafficSplitVersion]
      : ['v1alpha1', 'v1alpha2', 'v1alpha3', 'v1alpha4'],
  }
  const named = (config: Config, facts: RouterFacts) =>
    objectNamed<TrafficSplit>(facts.objects, kind, {
      namespace: facts.rollout.namespace,
      name: splitName(config, facts),
    })
  return {
    type: 'SMI',
    // Splits of names that have left the spec are known by their owner.
    watches: (_config, { rollout: { namespace } }) => [{ kind, namespace }],
    observe(config, facts) {
      const found = named(config, facts)
      const weight =
        found.kind === 'present'
          ? observedWeight(found.object, config, facts)
          : weightWithoutSplit(config, facts, found.resource !== undefined)
      return { type: 'SMI', weight, verified: null, managedRoutes: noManagedRoutes }
    },
    plan(config, facts, routes) {
      return [planSplit(config, facts, { kind, routes, found: named(config, facts) })]
    },
    removals(config, facts) {
      const known = facts.objects.get(kindId(kind))
      if (known?.state !== 'served') return []
      const wanted = config && splitName(config, facts)
      return known.objects
        .filter((split) => isOurs(split, facts) && !split.metadata.deletionTimestamp)
        .filter(({ metadata }) => metadata.name !== wanted)
        .map((split) => deletionOf(known.resource, split))
    },
    // The TrafficSplit goes with its owner.
    release: () => [],
  }
}

function splitName({ trafficSplitName }: Config, { rollout }: RouterFacts): string {
  return trafficSplitName || rollout.name
}

function rootService({ rootService }: Config, { services }: RouterFacts): string {
  return rootService || services.stable
}

/** Without a split, a Service leads to its own pods: the stable one to none of the canary's, another one may. */
function weightWithoutSplit(config: Config, facts: RouterFacts, isServed: boolean): number | null {
  return isServed && rootService(config, facts) === facts.services.stable ? 0 : null
}

function observedWeight(split: TrafficSplit, config: Config, facts: RouterFacts): number | null {
  const { service, backends = [] } = split.spec ?? {}
  if (service !== rootService(config, facts) || !isOurs(split, facts)) return null
  const total = backends.reduce((sum, { weight }) => sum + Number(weight), 0)
  const canary = backends.find((backend) => backend.service === facts.services.canary)
  const weight = (Number(canary?.weight) * facts.max) / total
  return Number.isFinite(weight) ? weight : null
}

function planSplit(
  config: Config,
  facts: RouterFacts,
  part: {
    readonly kind: RoutedKind
    readonly routes: DesiredRoutes
    readonly found: ReturnType<typeof objectNamed<TrafficSplit>>
  },
): RouterPlan {
  const { found, routes, kind } = part
  const name = splitName(config, facts)
  const specIn = (version: string) => ({
    service: rootService(config, facts),
    backends: backendsOf(routes, version === 'v1alpha1'),
  })
  if (found.kind === 'present') {
    const { resource, object } = found
    if (!isOurs(object, facts)) return failed(`Rollout does not own TrafficSplit \`${name}\``)
    const spec = { ...object.spec, ...specIn(resource.version) }
    return planOf(editOf(found, { ...object, spec }))
  }
  const { resource, why } = found
  if (!resource) return failed(why)
  const object = {
    apiVersion: `${kind.group}/${resource.version}`,
    kind: kind.kind,
    metadata: {
      name,
      namespace: facts.rollout.namespace,
      ownerReferences: ownerReferences(facts),
    },
    spec: specIn(resource.version),
  }
  return planOf({ kind: 'create', id: `${kind.plural}/${name}`, resource, object }, [
    'TrafficSplitCreated',
    `TrafficSplit \`${name}\` created`,
  ])
}

/** The first version of the specification has quantities for weights, which are texts. */
function backendsOf(
  { weight, max, stable, canary, additional }: DesiredRoutes,
  asText: boolean,
): NonNullable<NonNullable<TrafficSplit['spec']>['backends']> {
  const shared = additional.reduce((sum, one) => sum + one.weight, 0)
  const backend = (service: string, share: number) => ({
    service,
    weight: asText ? String(share) : share,
  })
  return [
    backend(canary.service, weight),
    ...additional.map((one) => backend(one.service, one.weight)),
    backend(stable.service, Math.max(0, max - weight - shared)),
  ]
}
