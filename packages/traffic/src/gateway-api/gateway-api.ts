import { type GatewayApiRouting, parseGatewayApi } from '@serinus/api'
import type { DesiredRoutes, ManagedRoute, ObservedRouter, Write } from '@serinus/engine'
import type { Router, RouterFacts, RouterPlan } from '../router.ts'
import { failed, planOf } from '../router-plan.ts'
import { editOf, type Present } from '../routing-objects.ts'
import { isMirror, managedRules } from './managed-rules.ts'
import type { Route, Rule } from './objects.ts'
import { digestOf, isOwnRule, ownPartsOf, withOwnParts } from './own-parts.ts'
import { isSplit, type Place, shareIn, withShares } from './shares.ts'
import { type Target, targetsOf, watchedRoutes } from './targets.ts'

type Config = GatewayApiRouting

/** Of the API itself. */
const most = { rules: 16, matches: 64 }

/**
 * Gateway API: the weights of two backends in routes of five kinds, and rules of our own for header and mirror routes
 * (spec traffic-routing 6; rollouts-plugin-trafficrouter-gatewayapi: pkg/plugin).
 */
export const gatewayApi: Router<Config> = {
  type: 'GatewayAPI',
  watches: watchedRoutes,
  observe(config, facts) {
    const targets = targetsOf(config, facts)
    const weights = new Set(targets.map((target) => weightOf(target, facts)))
    const [weight = null] = weights
    return {
      type: 'GatewayAPI',
      weight: weights.size === 1 ? weight : null,
      verified: verifiedBy(targets),
      managedRoutes: observedRoutes(config, targets, facts),
    }
  },
  plan(config, facts, routes) {
    const targets = targetsOf(config, facts)
    if (targets.length > 0) {
      return targets.flatMap((target) => planRoute(config, target, { facts, routes }))
    }
    return [failed('No routes configured: the selectors match none')]
  },
  // It makes no objects.
  removals: () => [],
  release: (config, facts) =>
    targetsOf(config, facts).flatMap((target) => releaseRoute(config, target, facts)),
}

/** The same under its name as a plugin of Argo Rollouts, whose settings the API server does not know. */
export const gatewayApiAsPlugin: Router<unknown> = {
  ...gatewayApi,
  watches: (settings, facts) => gatewayApi.watches(read(settings), facts),
  observe: (settings, facts) => gatewayApi.observe(read(settings), facts),
  plan: (settings, facts, routes) => gatewayApi.plan(read(settings), facts, routes),
  removals: () => [],
  release: (settings, facts) => gatewayApi.release(read(settings), facts),
}

/** What is wrong with them is told by the validation of the Rollout. */
function read(settings: unknown): Config {
  return parseGatewayApi(settings, '').value
}

function placeOf(
  { found }: Target & { readonly found: Present<Route> },
  facts: RouterFacts,
): Place {
  return { facts, namespace: found.object.metadata.namespace ?? facts.rollout.namespace }
}

function isPresent(target: Target): target is Target & { readonly found: Present<Route> } {
  return target.found.kind === 'present'
}

function rulesOf({ spec }: Route): readonly Rule[] {
  return spec?.rules ?? []
}

function weightOf(target: Target, facts: RouterFacts): number | null {
  if (!isPresent(target)) return null
  const { object } = target.found
  const place = placeOf(target, facts)
  const { backends } = ownPartsOf(object, facts)
  const split = rulesOf(object).filter(
    (rule) => isSplit(rule, place) && !isOwnRule(rule, object, facts),
  )
  const weights = new Set(split.map((rule) => shareIn(rule, place, backends)))
  const [weight = null] = weights
  return weights.size === 1 ? weight : null
}

/** Whether every parent has taken each route as it is now; null: nobody says anything. */
function verifiedBy(targets: readonly Target[]): boolean | null {
  const verdicts = targets.flatMap((target) => {
    if (!isPresent(target)) return []
    const { metadata, status } = target.found.object
    return (status?.parents ?? []).map(({ conditions = [] }) =>
      ['Accepted', 'ResolvedRefs'].every((type) =>
        conditions.some(
          (one) =>
            one.type === type &&
            one.status === 'True' &&
            (one.observedGeneration ?? 0) >= (metadata.generation ?? 0),
        ),
      ),
    )
  })
  return verdicts.length === 0 ? null : verdicts.every((verdict) => verdict)
}

function takes(kind: ManagedRoute['kind'], config: Config, target: Target): boolean {
  return kind === 'header'
    ? target.takesHeaders
    : target.protocol === 'http' && config.mirror === true
}

function observedRoutes(
  config: Config,
  targets: readonly Target[],
  facts: RouterFacts,
): ObservedRouter['managedRoutes'] {
  const namesOf = (kind: ManagedRoute['kind']) => {
    const takers = targets.filter((target) => takes(kind, config, target))
    if (takers.length === 0) return null
    return facts.managedRoutes.flatMap((name) => {
      const holders = takers.filter((target) => holds(target, { kind, name }, facts))
      if (holders.length === 0) return []
      // What only some hold is neither set nor taken away: a name that nobody asks for keeps the step waiting.
      return [holders.length === takers.length ? name : `${name} on some routes only`]
    })
  }
  return { header: namesOf('header'), mirror: namesOf('mirror') }
}

function holds(
  target: Target,
  { kind, name }: Pick<ManagedRoute, 'kind' | 'name'>,
  facts: RouterFacts,
): boolean {
  if (!isPresent(target)) return false
  const { object } = target.found
  const digest = ownPartsOf(object, facts).rules[name]
  return rulesOf(object).some(
    (rule) =>
      (rule.name === undefined ? digestOf(rule) === digest : rule.name === name) &&
      isOwnRule(rule, object, facts) &&
      isMirror(rule, facts.services.canary) === (kind === 'mirror'),
  )
}

interface Pass {
  readonly facts: RouterFacts
  readonly routes: DesiredRoutes
}

/** Routes of steps that cannot be set do not keep the weights from being set. */
function planRoute(config: Config, target: Target, pass: Pass): readonly RouterPlan[] {
  const { found, protocol } = target
  if (found.kind === 'absent') return [failed(found.why)]
  const where = `${found.resource.kind} "${found.object.metadata.name}"`
  const wanted = wantedRoute(config, { ...target, found }, pass)
  if (!wanted) return [failed(`${where}: backendRef was not found in ${protocol}Route`)]
  const { object, problems } = wanted
  return [
    planOf(editWithin(pass.facts, found, object)),
    ...problems.map((problem) => failed(`${where}: ${problem}`)),
  ]
}

function releaseRoute(config: Config, target: Target, facts: RouterFacts): readonly Write[] {
  if (!isPresent(target)) return []
  const { rollout, max, services } = facts
  const routes: DesiredRoutes = {
    rollout,
    weight: 0,
    max,
    stable: { service: services.stable, hash: '', available: true },
    canary: { service: services.canary, hash: '', available: false },
    additional: [],
    removeManagedRoutes: true,
    managedRoutes: [],
  }
  const wanted = wantedRoute(config, target, { facts, routes })
  const edit = wanted && editWithin(facts, target.found, wanted.object)
  return edit ? [edit] : []
}

/** Objects of two namespaces may have one name, and ids tell writes apart. */
function editWithin({ rollout }: RouterFacts, found: Present<Route>, wanted: Route): Write | null {
  const edit = editOf(found, wanted)
  const { namespace = rollout.namespace, name } = found.object.metadata
  if (!edit || namespace === rollout.namespace) return edit
  return { ...edit, id: `${found.resource.plural}/${namespace}/${name}` }
}

/** The route as it must be, and what of it cannot be; null: no rule has both sides. */
function wantedRoute(
  config: Config,
  target: Target & { readonly found: Present<Route> },
  { facts, routes }: Pass,
): { readonly object: Route; readonly problems: readonly string[] } | null {
  const { object } = target.found
  const place = placeOf(target, facts)
  const { backends: former } = ownPartsOf(object, facts)
  const own = rulesOf(object).filter((rule) => isOwnRule(rule, object, facts))
  const others = rulesOf(object)
    .filter((rule) => !own.includes(rule))
    .map((rule) => withShares(rule, place, { routes, former }))
  const sources = others.filter((rule) => isSplit(rule, place))
  if (sources.length === 0) return null
  const { rules, problems } = ownRules(config, target, { place, sources, others, routes })
  const kept = rules.map(
    (rule) => own.find((one) => one.name === undefined && digestOf(one) === digestOf(rule)) ?? rule,
  )
  const backends = routes.additional.map(({ service }) => service)
  const digests = rules.map((rule) => [rule.name ?? '', digestOf(rule)] as const)
  const isInProgress = routes.weight > 0 || rules.length + backends.length > 0
  return {
    object: {
      ...object,
      metadata: {
        ...object.metadata,
        ...labelled(config, object, isInProgress),
        ...annotated(
          object,
          withOwnParts(object, facts, { rules: Object.fromEntries(digests), backends }),
        ),
      },
      spec: { ...object.spec, rules: [...others, ...kept] },
    },
    problems,
  }
}

/** The rules of steps, in order of precedence, as far as the route has room for them. */
function ownRules(
  config: Config,
  target: Target,
  {
    place,
    sources,
    others,
    routes,
  }: {
    readonly place: Place
    readonly sources: readonly Rule[]
    readonly others: readonly Rule[]
    readonly routes: DesiredRoutes
  },
): { readonly rules: readonly Rule[]; readonly problems: readonly string[] } {
  const rules: Rule[] = []
  const problems: string[] = []
  const { protocol } = target
  if (protocol !== 'http' && protocol !== 'grpc') return { rules, problems }
  const taken = new Set(others.map((rule) => rule.name))
  for (const route of routes.managedRoutes) {
    if (!takes(route.kind, config, target)) continue
    const made = managedRules(route, sources, { ...place, protocol })
    const total = others.length + rules.length + made.length
    const clash = made.find(({ name }) => taken.has(name))
    if (made.length === 0) {
      problems.push(`no request that its rules take meets the conditions of route '${route.name}'`)
    } else if (clash) {
      problems.push(`rule '${clash.name}' is there already and is not of this Rollout`)
    } else if (total > most.rules) {
      problems.push(
        `route '${route.name}' would make ${total} rules, and a route has at most ${most.rules}`,
      )
    } else if (made.some(({ matches = [] }) => matches.length > most.matches)) {
      problems.push(`route '${route.name}' would make a rule of more than ${most.matches} matches`)
    } else {
      rules.push(...made)
    }
  }
  return { rules, problems }
}

/** Tells GitOps tools to leave the rules alone for the time being. */
function labelled(
  { disableInProgressLabel, inProgressLabelKey, inProgressLabelValue }: Config,
  { metadata }: Route,
  isInProgress: boolean,
): Pick<Route['metadata'], 'labels'> {
  if (disableInProgressLabel) return {}
  const key = inProgressLabelKey || 'rollouts.argoproj.io/gatewayapi-canary'
  const { [key]: label, ...labels } = metadata.labels ?? {}
  if (isInProgress) return { labels: { ...labels, [key]: inProgressLabelValue || 'in-progress' } }
  return label === undefined ? {} : { labels }
}

function annotated(
  { metadata }: Route,
  annotations: Readonly<Record<string, string>>,
): Pick<Route['metadata'], 'annotations'> {
  return metadata.annotations || Object.keys(annotations).length > 0 ? { annotations } : {}
}
