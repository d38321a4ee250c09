import type { Problem, TrafficRouting } from '@serinus/api'
import type { DesiredRoutes, Write } from '@serinus/engine'
import type { ObjectKey } from '@serinus/kube'
import type { RolloutFacts, Router, RouterFacts, RouterPlan, RouterSettings } from '../router.ts'
import { failed } from '../router-plan.ts'
import { editOf, objectNamed, objectsOf, type Present } from '../routing-objects.ts'
import {
  hashesOf,
  isManagedBy,
  missingSubset,
  nextHashes,
  withHashes,
  withoutHashes,
} from './destination-rule.ts'
import { endsOf } from './destinations.ts'
import { parseVirtualServiceName } from './names.ts'
import {
  type DestinationRule,
  type IstioKinds,
  istioKinds,
  type VirtualService,
} from './objects.ts'
import {
  managedNames,
  observedShare,
  type Part,
  reshaped,
  routeProblems,
} from './virtual-service.ts'
import type { VirtualServiceEntry } from './weighted-routes.ts'

type Config = NonNullable<TrafficRouting['istio']>

/**
 * Istio: weights and routes of VirtualServices; with a DestinationRule also the revisions of its subsets
 * (spec traffic-routing 5.3; argo-rollouts: rollout/trafficrouting/istio/istio.go).
 */
export function istio(settings: RouterSettings): Router<Config> {
  const kinds = istioKinds(settings)
  return {
    type: 'Istio',
    watches: (config, facts) => [
      ...partsOf(config, facts).map(({ key: { namespace, name } }) => ({
        kind: kinds.virtualServices,
        namespace,
        names: [name],
      })),
      // Rules that have left the spec are known by their mark.
      { kind: kinds.destinationRules, namespace: facts.rollout.namespace },
    ],
    check: (config, facts) => checked(kinds, config, facts),
    observe: (config, facts) => ({
      type: 'Istio',
      weight: observedWeight(kinds, config, facts),
      verified: null,
      managedRoutes: observedRoutes(kinds, config, facts),
      ...(config.destinationRule
        ? { hashes: hashesOf(ruleOf(kinds, config, facts), config.destinationRule) }
        : {}),
    }),
    plan: (config, facts, routes) => planned(kinds, config, { facts, routes }),
    removals: (config, facts) =>
      objectsOf<DestinationRule>(facts.objects, kinds.destinationRules)
        .filter((rule) => rule.metadata.name !== config?.destinationRule?.name)
        .flatMap((rule) => stripped(kinds, facts, rule)),
    release: (config, facts) => [
      ...partsOf(config, facts).flatMap((part) => freed(kinds, facts, part)),
      ...objectsOf<DestinationRule>(facts.objects, kinds.destinationRules).flatMap((rule) =>
        stripped(kinds, facts, rule),
      ),
    ],
  }
}

interface NamedPart extends Part {
  readonly key: Required<ObjectKey>
}

/** One part per VirtualService: entries that name the same one are written together. */
function partsOf(config: Config, facts: RolloutFacts): readonly NamedPart[] {
  const parts = new Map<string, NamedPart>()
  for (const entry of entriesOf(config)) {
    const key = parseVirtualServiceName(entry.name, facts.rollout.namespace)
    const id = `${key.namespace}/${key.name}`
    const entries = [...(parts.get(id)?.entries ?? []), entry]
    parts.set(id, { key, entries, ends: endsOf(config, facts), managed: facts.managedRoutes })
  }
  return [...parts.values()]
}

function entriesOf({
  virtualService,
  virtualServices = [],
}: Config): readonly VirtualServiceEntry[] {
  return virtualService ? [virtualService] : virtualServices
}

const path = 'spec.strategy.canary.trafficRouting.istio'

/** What is missing is told when it is needed; what is there must have the routes that the Rollout means. */
function checked(kinds: IstioKinds, config: Config, facts: RouterFacts): readonly Problem[] {
  return entriesOf(config).flatMap((entry, index) => {
    const key = parseVirtualServiceName(entry.name, facts.rollout.namespace)
    const found = objectNamed<VirtualService>(facts.objects, kinds.virtualServices, key)
    if (found.kind === 'absent') return []
    const part = { entries: [entry], ends: endsOf(config, facts), managed: facts.managedRoutes }
    const field = config.virtualService ? 'virtualService' : `virtualServices[${index}]`
    return routeProblems(found.object, part).map(({ protocol, detail }) => ({
      path: `${path}.${field}.name`,
      kind: 'Invalid value',
      value: entry.name,
      detail: protocol
        ? `Istio VirtualService has invalid ${protocol.toUpperCase()} routes. Error: ${detail}`
        : detail,
    }))
  })
}

function observedWeight(kinds: IstioKinds, config: Config, facts: RouterFacts): number | null {
  const shares = new Set(
    partsOf(config, facts).map((part) => {
      const found = objectNamed<VirtualService>(facts.objects, kinds.virtualServices, part.key)
      return found.kind === 'present' ? observedShare(found.object, part, facts.max) : null
    }),
  )
  const [share = null] = shares
  return shares.size === 1 ? share : null
}

/** A route counts as there once all VirtualServices that can have one have it. */
function observedRoutes(kinds: IstioKinds, config: Config, facts: RouterFacts) {
  const parts = partsOf(config, facts).flatMap((part) => {
    const found = objectNamed<VirtualService>(facts.objects, kinds.virtualServices, part.key)
    return found.kind === 'present' && found.object.spec?.http ? [{ part, found }] : []
  })
  const namesOf = (kind: 'header' | 'mirror') =>
    facts.managedRoutes.filter(
      (name) =>
        parts.length > 0 &&
        parts.every(({ part, found }) => managedNames(found.object, part, kind).includes(name)),
    )
  return { header: namesOf('header'), mirror: namesOf('mirror') }
}

function ruleOf(kinds: IstioKinds, config: Config, facts: RouterFacts): DestinationRule | null {
  const { namespace } = facts.rollout
  const { name = '' } = config.destinationRule ?? {}
  const key = { namespace, name }
  const found = objectNamed<DestinationRule>(facts.objects, kinds.destinationRules, key)
  return found.kind === 'present' ? found.object : null
}

interface Pass {
  readonly facts: RouterFacts
  readonly routes: DesiredRoutes
}

/** Weights go first: a subset that carries some is not moved before they have come down (spec traffic-routing 3.2). */
function planned(kinds: IstioKinds, config: Config, pass: Pass): readonly RouterPlan[] {
  const virtualServices = partsOf(config, pass.facts).map((part) =>
    plannedVirtualService(kinds, part, pass),
  )
  return [
    ...virtualServices,
    ...misplacedRoutes(kinds, config, pass),
    ...plannedRule(kinds, config, { ...pass, virtualServices }),
  ]
}

function plannedVirtualService(
  kinds: IstioKinds,
  part: NamedPart,
  { facts, routes }: Pass,
): RouterPlan {
  const { name } = part.key
  const found = objectNamed<VirtualService>(facts.objects, kinds.virtualServices, part.key)
  if (found.kind === 'absent') return failed(`VirtualService \`${name}\` not found: ${found.why}`)
  const wanted = reshaped(found.object, part, routes)
  if (!wanted.ok) {
    const details = wanted.problems.map(({ detail }) => detail)
    return failed(`VirtualService \`${name}\`: ${[...new Set(details)].join('; ')}`)
  }
  const edit = editIn(facts, found, wanted.object)
  if (!edit) return { ok: true, writes: [], transitions: [] }
  const transitions = wanted.transitions.map((one) => ({ ...one, after: edit.id }))
  return { ok: true, writes: [edit], transitions }
}

/** Of two VirtualServices of one name each has its own id. */
function editIn(
  { rollout }: RouterFacts,
  present: Present<VirtualService>,
  wanted: VirtualService,
): Write | null {
  const edit = editOf(present, wanted)
  const { namespace = rollout.namespace } = present.object.metadata
  if (!edit || namespace === rollout.namespace) return edit
  const { plural } = present.resource
  return { ...edit, id: `${plural}/${namespace}/${present.object.metadata.name}` }
}

/** Routes of steps need a VirtualService with HTTP; the weights of the others are set all the same. */
function misplacedRoutes(
  kinds: IstioKinds,
  config: Config,
  { facts, routes }: Pass,
): readonly RouterPlan[] {
  if (routes.managedRoutes.length === 0) return []
  const present = partsOf(config, facts).flatMap(({ key }) => {
    const found = objectNamed<VirtualService>(facts.objects, kinds.virtualServices, key)
    return found.kind === 'present' ? [found.object] : []
  })
  if (present.length === 0 || present.some(({ spec }) => spec?.http?.length)) return []
  const names = routes.managedRoutes.map(({ name }) => `'${name}'`).join(', ')
  return [failed(`spec.http not found in a VirtualService for route ${names}`)]
}

function plannedRule(
  kinds: IstioKinds,
  config: Config,
  { facts, routes, virtualServices }: Pass & { readonly virtualServices: readonly RouterPlan[] },
): readonly RouterPlan[] {
  const { destinationRule } = config
  if (!destinationRule) return []
  const { name } = destinationRule
  const key = { namespace: facts.rollout.namespace, name }
  const found = objectNamed<DestinationRule>(facts.objects, kinds.destinationRules, key)
  if (found.kind === 'absent')
    return [failed(`DestinationRule \`${name}\` not found: ${found.why}`)]
  const missing = missingSubset(found.object, destinationRule)
  if (missing !== null) {
    return [failed(`DestinationRule \`${name}\`: subset '${missing}' not found in spec.subsets`)]
  }
  const before = hashesOf(found.object, destinationRule)
  const isCanaryFree = virtualServices.every((plan) => plan.ok)
  const hashes = nextHashes(before, routes, isCanaryFree)
  const rollout = facts.rollout.name
  const edit = editOf(found, withHashes(found.object, { config: destinationRule, hashes, rollout }))
  if (!edit) return [{ ok: true, writes: [], transitions: [] }]
  const lowering = virtualServices.flatMap((plan) => (plan.ok ? plan.writes : []))
  const requires = hashes.canary === before.canary ? [] : lowering.map(({ id }) => id)
  const { canarySubsetName: canary, stableSubsetName: stable } = destinationRule
  const message = `DestinationRule ${name} subset updated (${canary}: ${hashes.canary}, ${stable}: ${hashes.stable})`
  return [
    {
      ok: true,
      writes: [requires.length > 0 ? { ...edit, requires } : edit],
      transitions: [{ type: 'Normal', reason: 'UpdatedDestinationRule', message, after: edit.id }],
    },
  ]
}

function freed(kinds: IstioKinds, facts: RouterFacts, part: NamedPart): readonly Write[] {
  const found = objectNamed<VirtualService>(facts.objects, kinds.virtualServices, part.key)
  if (found.kind === 'absent') return []
  const wanted = { weight: 0, max: facts.max, managedRoutes: [], additional: [] }
  const free = reshaped(found.object, part, wanted)
  const edit = free.ok ? editIn(facts, found, free.object) : null
  return edit ? [edit] : []
}

function stripped(
  kinds: IstioKinds,
  { objects, rollout }: RouterFacts,
  rule: DestinationRule,
): readonly Write[] {
  const { namespace, name } = rule.metadata
  if (namespace !== rollout.namespace || !isManagedBy(rule, rollout.name)) return []
  const found = objectNamed<DestinationRule>(objects, kinds.destinationRules, { namespace, name })
  const edit = found.kind === 'present' ? editOf(found, withoutHashes(found.object)) : null
  return edit ? [edit] : []
}
