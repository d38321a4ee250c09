import type { TrafficRouting } from '@serinus/api'
import type { DesiredRoutes, ManagedRoute } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'
import { copiedLabels, deletionOf, isOurs, ownerReferences } from './own-objects.ts'
import { prefixPattern } from './prefix-pattern.ts'
import type { RolloutFacts, Router, RouterFacts, RouterPlan } from './router.ts'
import { failed, planOf } from './router-plan.ts'
import {
  editOf,
  kindId,
  objectNamed,
  objectsOf,
  type Present,
  type RoutedKind,
} from './routing-objects.ts'

type Config = NonNullable<TrafficRouting['apisix']>
type HeaderRoute = ManagedRoute & { readonly kind: 'header' }

interface ApisixRoute extends KubeObject {
  readonly spec?: { readonly http?: readonly Rule[] }
}

interface Rule {
  readonly name?: string
  readonly priority?: number
  readonly match?: { readonly exprs?: readonly object[] }
  readonly backends?: readonly Backend[]
  readonly upstreams?: unknown
}

interface Backend {
  readonly serviceName?: string
  readonly weight?: number
}

const kind: RoutedKind = {
  group: 'apisix.apache.org',
  kind: 'ApisixRoute',
  plural: 'apisixroutes',
  versions: ['v2'],
}

/**
 * Apache APISIX: the weights of two backends of an ApisixRoute; for a header a second ApisixRoute that goes before it
 * (spec traffic-routing 5.8; argo-rollouts: rollout/trafficrouting/apisix/apisix.go).
 */
export const apisix: Router<Config> = {
  type: 'Apisix',
  // Header routes whose names have left the spec are known by their owner.
  watches: (_config, { rollout: { namespace } }) => [{ kind, namespace }],
  check: ({ route }) =>
    route?.name
      ? []
      : [
          {
            path: 'spec.strategy.canary.trafficRouting.apisix.route.name',
            kind: 'Required value',
            detail: 'must name the ApisixRoute to change',
          },
        ],
  observe(config, facts) {
    const found = baseRoute(config, facts)
    const weight = found.kind === 'present' ? observedWeight(found.object, config, facts) : null
    const header = ownRoutes(facts).map(({ metadata }) => metadata.name)
    return { type: 'Apisix', weight, verified: null, managedRoutes: { header, mirror: null } }
  },
  plan(config, facts, routes) {
    const wanted = routes.managedRoutes.filter((route) => route.kind === 'header')
    const names = new Set(wanted.map(({ name }) => name))
    const outdated = removed(facts, ({ metadata }) => !names.has(metadata.name))
    const found = baseRoute(config, facts)
    if (found.kind === 'absent') return [failed(found.why), ...outdated.map((one) => planOf(one))]
    const base = withWeights(found.object, config, { facts, share: routes })
    if (typeof base === 'string') return [failed(base), ...outdated.map((one) => planOf(one))]
    return [
      planOf(editOf(found, base)),
      ...wanted.map((route, index) =>
        planHeaderRoute(facts, {
          route,
          base: { ...found, object: base },
          rules: managedRules(config),
          rank: wanted.length - index,
        }),
      ),
      ...outdated.map((one) => planOf(one)),
    ]
  },
  // While there is a block, `plan` says which header routes there are.
  removals: (config, facts) => (config ? [] : removed(facts, () => true)),
  // Header routes go with their owner.
  release(config, facts) {
    const found = baseRoute(config, facts)
    if (found.kind === 'absent') return []
    const wanted = withWeights(found.object, config, {
      facts,
      share: { weight: 0, max: facts.max },
    })
    const edit = typeof wanted === 'string' ? null : editOf(found, wanted)
    return edit ? [edit] : []
  },
}

function baseRoute({ route }: Config, { objects, rollout }: RouterFacts) {
  const key = { namespace: rollout.namespace, name: route?.name ?? '' }
  return objectNamed<ApisixRoute>(objects, kind, key)
}

/** Names of the rules whose backends get weights. */
function managedRules({ route }: Config): readonly string[] {
  return route?.rules?.length ? route.rules : [route?.name ?? '']
}

/** The header routes that this Rollout made. */
function ownRoutes(facts: RouterFacts): readonly ApisixRoute[] {
  return objectsOf<ApisixRoute>(facts.objects, kind).filter(
    (route) => isOurs(route, facts) && !route.metadata.deletionTimestamp,
  )
}

function removed(facts: RouterFacts, isOutdated: (route: ApisixRoute) => boolean) {
  const known = facts.objects.get(kindId(kind))
  if (known?.state !== 'served') return []
  return ownRoutes(facts)
    .filter(isOutdated)
    .map((route) => deletionOf(known.resource, route))
}

function observedWeight({ spec }: ApisixRoute, config: Config, facts: RouterFacts): number | null {
  const weights = new Set(
    managedRules(config).map((name) =>
      weightIn(
        spec?.http?.find((rule) => rule.name === name),
        facts,
      ),
    ),
  )
  const [weight = null] = weights
  return weights.size === 1 ? weight : null
}

/** Without weights, APISIX gives each backend the same share: that is none of ours. */
function weightIn(rule: Rule | undefined, { services, max }: RouterFacts): number | null {
  const weightOf = (service: string) =>
    rule?.backends?.find(({ serviceName }) => serviceName === service)?.weight
  const [canary, stable] = [weightOf(services.canary), weightOf(services.stable)]
  if (canary === undefined || stable === undefined || canary + stable <= 0) return null
  return (canary * max) / (canary + stable)
}

/** The object with the weights of both sides in all managed rules; a text says what it lacks, as upstream words it. */
function withWeights(
  object: ApisixRoute,
  config: Config,
  {
    facts: { services },
    share,
  }: { readonly facts: RouterFacts; readonly share: Pick<DesiredRoutes, 'weight' | 'max'> },
): ApisixRoute | string {
  const where = `ApisixRoute "${object.metadata.name}"`
  const { http } = object.spec ?? {}
  if (!http) return `${where}: spec.http was not found in Apisix Route manifest`
  const names = managedRules(config)
  for (const name of names) {
    const rule = http.find((one) => one.name === name)
    if (!rule) return `${where}: Apisix http route rule ${name} not found`
    const lack = lackOf(rule, services)
    if (lack) return `${where}: rule ${name}: ${lack}`
  }
  const weights = new Map([
    [services.canary, share.weight],
    [services.stable, share.max - share.weight],
  ])
  const weighted = (backend: Backend) => {
    const weight = weights.get(backend.serviceName ?? '')
    return weight === undefined ? backend : { ...backend, weight }
  }
  const rules = http.map((rule) =>
    names.includes(rule.name ?? '')
      ? { ...rule, backends: (rule.backends ?? []).map(weighted) }
      : rule,
  )
  return { ...object, spec: { ...object.spec, http: rules } }
}

function lackOf({ backends = [] }: Rule, services: RouterFacts['services']): string | null {
  if (backends.some(({ serviceName }) => serviceName === undefined)) {
    return 'serviceName field was not found in backend'
  }
  for (const side of ['canary', 'stable'] as const) {
    if (backends.some(({ serviceName }) => serviceName === services[side])) continue
    return `apisix route ${side} backend was not found: "${services[side]}"`
  }
  return null
}

interface HeaderPart {
  readonly route: HeaderRoute
  /** With its weights. */
  readonly base: Present<ApisixRoute>
  /** Names of the rules that are copied. */
  readonly rules: readonly string[]
  /** How far it goes before the rules that it was copied from. */
  readonly rank: number
}

function planHeaderRoute(facts: RouterFacts, part: HeaderPart): RouterPlan {
  const { base, route } = part
  const { namespace } = facts.rollout
  const { name } = route
  const spec = {
    ...base.object.spec,
    http: (base.object.spec?.http ?? [])
      .filter((rule) => part.rules.includes(rule.name ?? ''))
      .flatMap((rule) => headerRules(rule, facts, part)),
  }
  const found = objectNamed<ApisixRoute>(facts.objects, kind, { namespace, name })
  if (found.kind === 'present') {
    const { object } = found
    if (!isOurs(object, facts)) return failed(`duplicate ApisixRoute [${name}] already exists`)
    // One on its way out is made again when it is gone.
    return planOf(object.metadata.deletionTimestamp ? null : editOf(found, { ...object, spec }))
  }
  const { resource } = base
  const metadata = {
    name,
    namespace,
    ...copiedLabels(base.object),
    ownerReferences: ownerReferences(facts),
  }
  const apiVersion = `${kind.group}/${resource.version}`
  const object = { apiVersion, kind: kind.kind, metadata, spec }
  return planOf({ kind: 'create', id: `${kind.plural}/${name}`, resource, object })
}

/** Expressions of one rule must all hold: what may hold by itself gets a rule of its own (spec traffic-routing 8). */
function headerRules(rule: Rule, facts: RouterFacts, { route, rank }: HeaderPart): readonly Rule[] {
  const { upstreams: _, ...rest } = rule
  const backends = (rule.backends ?? [])
    .filter(({ serviceName }) => serviceName === facts.services.canary)
    .map((backend) => ({ ...backend, weight: 100 }))
  return alternatives(route, facts).map((exprs, index) => ({
    ...rest,
    ...(index === 0 ? {} : { name: `${rule.name}-${index}` }),
    priority: (rule.priority ?? 0) + rank,
    match: { ...rule.match, exprs: [...(rule.match?.exprs ?? []), ...exprs] },
    backends,
  }))
}

function alternatives(
  { match }: HeaderRoute,
  { headerMatch }: RolloutFacts,
): readonly (readonly object[])[] {
  const exprs = match.map(({ headerName, headerValue }) => ({
    subject: { scope: 'Header', name: headerName },
    ...comparison(headerValue),
  }))
  return headerMatch === 'and' ? [exprs] : exprs.map((one) => [one])
}

function comparison({ exact, prefix, regex }: HeaderRoute['match'][number]['headerValue']): object {
  if (exact) return { op: 'Equal', value: exact }
  if (regex) return { op: 'RegexMatch', value: regex }
  return { op: 'RegexMatch', value: `^${prefixPattern(prefix ?? '')}` }
}
