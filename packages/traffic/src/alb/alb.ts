import { annotationKeys, type Problem, type TrafficRouting } from '@serinus/api'
import type { DesiredRoutes, Ingress, ManagedRoute, Write } from '@serinus/engine'
import { resources } from '@serinus/kube'
import type { RolloutFacts, Router, RouterFacts, RouterPlan } from '../router.ts'
import { failed, planOf } from '../router-plan.ts'
import {
  editOf,
  objectNamed,
  objectsOf,
  type Present,
  type RoutedKind,
} from '../routing-objects.ts'
import {
  parseAction,
  releasedAction,
  renderAction,
  splitOf,
  stickinessOf,
  targetGroup,
} from './actions.ts'
import {
  annotationPort,
  headerObstacle,
  headerRules,
  leadsTo,
  pathsOf,
  withHeaderPaths,
} from './header-routes.ts'
import {
  isRecorded,
  isRecordReadable,
  keysOf,
  rootKeysIn,
  routeNamesIn,
  withAnnotations,
} from './managed-annotations.ts'

type Config = NonNullable<TrafficRouting['alb']>
type HeaderRoute = ManagedRoute & { readonly kind: 'header' }

const ingressKind: RoutedKind = { ...resources.ingresses, versions: ['v1'] }

/**
 * AWS Application Load Balancer: annotations of Ingresses that the AWS load balancer controller turns into weighted
 * target groups, and paths for header routes (spec traffic-routing 5.2; argo-rollouts:
 * rollout/trafficrouting/alb/alb.go). Nothing asks AWS whether it followed.
 */
export const alb: Router<Config> = {
  type: 'ALB',
  // Ingresses of names that have left the spec are known by their record.
  watches: (_config, { rollout: { namespace } }) => [{ kind: ingressKind, namespace }],
  check(config) {
    const stickiness = stickinessOf(config)
    return typeof stickiness === 'string' ? [stickinessProblem(config, stickiness)] : []
  },
  observe(config, facts) {
    const weights = new Set(ingressNames(config).map((name) => observedWeight(config, facts, name)))
    const [weight = null] = weights
    return {
      type: 'ALB',
      weight: weights.size === 1 ? weight : null,
      verified: null,
      managedRoutes: { header: observedRoutes(config, facts), mirror: null },
    }
  },
  plan: (config, facts, routes) =>
    ingressNames(config).flatMap((name) => planned(config, facts, { routes, name })),
  removals(config, facts) {
    const wanted = config ? ingressNames(config) : []
    return objectsOf<Ingress>(facts.objects, ingressKind)
      .filter(({ metadata }) => !wanted.includes(metadata.name))
      .flatMap((ingress) => released(config, facts, ingress))
  },
  release: (config, facts) =>
    objectsOf<Ingress>(facts.objects, ingressKind).flatMap((ingress) =>
      released(config, facts, ingress),
    ),
}

function ingressNames({ ingress, ingresses = [] }: Config): readonly string[] {
  return ingresses.length > 0 ? [...new Set(ingresses)] : ingress ? [ingress] : []
}

function stickinessProblem({ stickinessConfig }: Config, detail: string): Problem {
  return {
    path: 'spec.strategy.canary.trafficRouting.alb.stickinessConfig.durationSeconds',
    kind: 'Invalid value',
    value: stickinessConfig?.durationSeconds,
    detail,
  }
}

function ingressNamed({ objects, rollout: { namespace } }: RouterFacts, name: string) {
  return objectNamed<Ingress>(objects, ingressKind, { namespace, name })
}

/** The Service that paths of the Ingress name and that is the name of the weighted action. */
function rootOf({ rootService }: Config, { services }: RolloutFacts): string {
  return rootService || services.stable
}

function keyOf({ annotationPrefix }: Config, kind: 'actions' | 'conditions', name: string): string {
  return `${annotationPrefix || 'alb.ingress.kubernetes.io'}/${kind}.${name}`
}

function observedWeight(config: Config, facts: RouterFacts, name: string): number | null {
  const found = ingressNamed(facts, name)
  if (found.kind === 'absent') return null
  const key = keyOf(config, 'actions', rootOf(config, facts))
  const { targetGroups = [] } = parseAction(found.object.metadata.annotations?.[key]) ?? {}
  const { stable, canary } = facts.services
  const weightOf = (service: string) =>
    targetGroups.find(({ ServiceName }) => ServiceName === service)?.Weight
  if (weightOf(canary) === undefined && weightOf(stable) === undefined) return null
  const total = targetGroups.reduce((sum, { Weight }) => sum + Weight, 0)
  const weight = ((weightOf(canary) ?? 0) * facts.max) / total
  return Number.isFinite(weight) ? weight : null
}

/** A route counts as there once all Ingresses have its action, its conditions and a path to it. */
function observedRoutes(config: Config, facts: RouterFacts): readonly string[] {
  const found = ingressNames(config).map((name) => ingressNamed(facts, name))
  return facts.managedRoutes.filter(
    (name) =>
      found.length > 0 &&
      found.every((one) => one.kind === 'present' && hasRoute(config, one.object, name)),
  )
}

function hasRoute(config: Config, ingress: Ingress, name: string): boolean {
  const { annotations = {} } = ingress.metadata
  return (
    keyOf(config, 'actions', name) in annotations &&
    keyOf(config, 'conditions', name) in annotations &&
    pathsOf(ingress).some((path) => leadsTo(path, name))
  )
}

interface Part {
  readonly routes: DesiredRoutes
  readonly name: string
}

/** What is wrong with header routes keeps no weight from being written. */
function planned(config: Config, facts: RouterFacts, part: Part): readonly RouterPlan[] {
  const found = ingressNamed(facts, part.name)
  if (found.kind === 'absent') {
    return [failed(`error retrieving alb ingress \`${part.name}\`: ${found.why}`)]
  }
  const weighted = weightedAction(config, found.object, { facts, routes: part.routes })
  if (!weighted.ok) return [failed(weighted.detail)]
  const asked = part.routes.managedRoutes.filter((route) => route.kind === 'header')
  const obstacle = asked.length > 0 ? routesObstacle(config, found.object, { facts, asked }) : null
  const wanted = reshaped(config, found.object, {
    facts,
    routes: part.routes,
    action: weighted.action,
    asked: obstacle === null ? asked : [],
  })
  const edit = editOf(found, wanted)
  const told = ['PatchingALBIngress', messageFor(config, facts, { part, found, wanted })] as const
  return [planOf(edit, told), ...(obstacle === null ? [] : [failed(obstacle)])]
}

type Weighted =
  | { readonly ok: true; readonly action: string }
  | { readonly ok: false; readonly detail: string }

function weightedAction(
  config: Config,
  ingress: Ingress,
  { facts, routes }: { readonly facts: RouterFacts; readonly routes: DesiredRoutes },
): Weighted {
  const refused = (detail: string) => ({ ok: false, detail }) as const
  const root = rootOf(config, facts)
  if (!isRecordReadable(ingress)) {
    const { name } = ingress.metadata
    const key = annotationKeys.managedAlbAnnotations
    return refused(
      `annotation ${key} of ingress \`${name}\` is no JSON of Rollouts and their annotations: remove it`,
    )
  }
  const problem = rootProblem(ingress, root)
  if (problem !== null) return refused(problem)
  const stickiness = stickinessOf(config)
  if (typeof stickiness === 'string') return refused(stickiness)
  const targetGroups = splitOf(config, routes)
  if (typeof targetGroups === 'string') return refused(targetGroups)
  return { ok: true, action: renderAction({ targetGroups, stickiness }) }
}

/** An action that no path uses would be written, and believed, without moving a request. */
function rootProblem(ingress: Ingress, root: string): string | null {
  const { name } = ingress.metadata
  const { defaultBackend } = ingress.spec ?? {}
  const backends = [
    ...pathsOf(ingress),
    ...(defaultBackend ? [{ backend: defaultBackend }] : []),
  ].filter(({ backend }) => backend?.service?.name === root)
  if (backends.length === 0) {
    return `ingress does not have service \`${root}\` in rules: ingress \`${name}\``
  }
  if (backends.some((one) => leadsTo(one, root))) return null
  return `ingress \`${name}\` has no effect on service \`${root}\`: its backend needs port name ${annotationPort}`
}

function routesObstacle(
  config: Config,
  ingress: Ingress,
  { facts, asked }: { readonly facts: RouterFacts; readonly asked: readonly HeaderRoute[] },
): string | null {
  const { name, annotations = {} } = ingress.metadata
  const names = asked.map((route) => `'${route.name}'`).join(', ')
  const obstacle = headerObstacle(ingress, rootOf(config, facts))
  if (obstacle !== null) return `header route ${names} in ingress \`${name}\`: ${obstacle}`
  const ours = keysOf(ingress, facts.rollout.name)
  const foreign = asked
    .flatMap((route) => headerRules(route, facts, undefined))
    .map((rule) => keyOf(config, 'actions', rule.name))
    .find((key) => !ours.includes(key) && (key in annotations || isRecorded(ingress, key)))
  return foreign === undefined
    ? null
    : `annotation ${foreign} of ingress \`${name}\` is not of this Rollout: give the header route another name`
}

interface Wanted {
  readonly facts: RouterFacts
  readonly routes: DesiredRoutes
  readonly action: string
  readonly asked: readonly HeaderRoute[]
}

function reshaped(config: Config, ingress: Ingress, wanted: Wanted): Ingress {
  const { facts, routes, action, asked } = wanted
  const { annotations = {} } = ingress.metadata
  const root = rootOf(config, facts)
  const rootKey = keyOf(config, 'actions', root)
  const before = keysOf(ingress, facts.rollout.name)
  // Those of a name or prefix that has left the spec: they follow until all is with stable again.
  const earlier = rootKeysIn(before).filter((key) => key !== rootKey)
  const isAtRest = routes.weight === 0 && routes.additional.length === 0
  const { stable } = facts.services
  const own = annotations[keyOf(config, 'conditions', root)]
  const rules = asked.flatMap((route) => headerRules(route, facts, own))
  const toCanary = renderAction({
    targetGroups: [targetGroup(config, routes.canary.service, 100)],
    stickiness: parseAction(action)?.stickiness ?? null,
  })
  const recorded = {
    [rootKey]: action,
    ...(isAtRest ? {} : Object.fromEntries(earlier.map((key) => [key, action]))),
    ...Object.fromEntries(
      rules.flatMap(({ name, conditions }) => [
        [keyOf(config, 'actions', name), toCanary],
        [keyOf(config, 'conditions', name), conditions],
      ]),
    ),
  }
  const port = config.servicePort
  const left = releasedActions(earlier, annotations, { stable, port })
  const names = rules.map(({ name }) => name)
  return withRules(
    {
      ...ingress,
      metadata: {
        ...ingress.metadata,
        annotations: withAnnotations(ingress, facts.rollout.name, {
          recorded,
          left,
        }),
      },
    },
    { root, names, ours: [...names, ...routeNamesIn(before)] },
  )
}

function withRules(ingress: Ingress, names: Parameters<typeof withHeaderPaths>[1]): Ingress {
  const { spec } = ingress
  if (!spec?.rules) return ingress
  return { ...ingress, spec: { ...spec, rules: withHeaderPaths(spec.rules, names) } }
}

/** One write has one Event: of weights, unless routes leave and nothing else changes. */
function messageFor(
  config: Config,
  facts: RouterFacts,
  {
    part,
    found,
    wanted,
  }: { readonly part: Part; readonly found: Present<Ingress>; readonly wanted: Ingress },
): string {
  const key = keyOf(config, 'actions', rootOf(config, facts))
  const isWeight = found.object.metadata.annotations?.[key] !== wanted.metadata.annotations?.[key]
  const routesIn = (ingress: Ingress) => routeNamesIn(keysOf(ingress, facts.rollout.name)).length
  return !isWeight && routesIn(wanted) < routesIn(found.object)
    ? `Updating Ingress \`${part.name}\` removing managed routes`
    : `Updating Ingress \`${part.name}\` to desiredWeight '${part.routes.weight}'`
}

/** What the Rollout has on an Ingress is given back: weighted actions to stable, header routes away. */
function released(config: Config | null, facts: RouterFacts, ingress: Ingress): readonly Write[] {
  const { namespace, name } = ingress.metadata
  const keys = keysOf(ingress, facts.rollout.name)
  const found = ingressNamed(facts, name)
  if (namespace !== facts.rollout.namespace || keys.length === 0) return []
  if (found.kind === 'absent') return []
  const { annotations = {} } = ingress.metadata
  const to = { stable: facts.services.stable, port: config?.servicePort }
  const left = releasedActions(rootKeysIn(keys), annotations, to)
  const free = withRules(
    {
      ...ingress,
      metadata: {
        ...ingress.metadata,
        annotations: withAnnotations(ingress, facts.rollout.name, {
          recorded: {},
          left,
        }),
      },
    },
    { root: '', names: [], ours: routeNamesIn(keys) },
  )
  const edit = editOf(found, free)
  return edit ? [edit] : []
}

function releasedActions(
  keys: readonly string[],
  annotations: Readonly<Record<string, string>>,
  to: Parameters<typeof releasedAction>[1],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const action = releasedAction(annotations[key], to)
      return action === undefined ? [] : [[key, action]]
    }),
  )
}
