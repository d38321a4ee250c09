import { annotationKeys, hashLabel, type Problem, type TrafficRouting } from '@serinus/api'
import { type DesiredRoutes, noManagedRoutes, type Write } from '@serinus/engine'
import type { KubeObject } from '@serinus/kube'
import { percentOf } from './percent.ts'
import type { Router, RouterFacts, RouterPlan, RouterSettings } from './router.ts'
import { failed, planOf } from './router-plan.ts'
import {
  editOf,
  kindId,
  objectNamed,
  objectsOf,
  type Present,
  type RoutedKind,
} from './routing-objects.ts'

type Config = NonNullable<TrafficRouting['appMesh']>

interface VirtualService extends KubeObject {
  readonly spec?: {
    readonly provider?: { readonly virtualRouter?: { readonly virtualRouterRef?: Reference } }
  }
}

interface Reference {
  readonly name: string
  readonly namespace?: string
}

interface VirtualRouter extends KubeObject {
  readonly spec?: { readonly routes?: readonly Route[] }
}

const protocols = ['httpRoute', 'tcpRoute', 'http2Route', 'grpcRoute'] as const

type Route = { readonly name: string } & {
  readonly [protocol in (typeof protocols)[number]]?: {
    readonly action?: { readonly weightedTargets?: readonly Target[] }
  }
}

interface Target {
  readonly virtualNodeRef?: Reference
  readonly weight?: number
}

interface VirtualNode extends KubeObject {
  readonly spec?: {
    readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  }
}

/** What selectors say while there is no such revision: App Mesh refuses two nodes that select the same pods. */
const noCanary = 'canary-hash'
const noStable = 'stable-hash'
const path = 'spec.strategy.canary.trafficRouting.appMesh'

/**
 * AWS App Mesh: the weights of two VirtualNodes in the routes of a VirtualRouter, and which pods the nodes select
 * (spec traffic-routing 5.6; argo-rollouts: rollout/trafficrouting/appmesh).
 */
export function appMesh(settings: RouterSettings): Router<Config> {
  const kinds = kindsOf(settings)
  return {
    type: 'AppMesh',
    watches(config, { rollout: { namespace } }) {
      const { canary, stable } = nodeNames(config)
      return [
        { kind: kinds.services, namespace, names: [config.virtualService?.name ?? ''] },
        // Which one is said by the VirtualService.
        { kind: kinds.routers, namespace },
        { kind: kinds.nodes, namespace, names: [canary, stable] },
      ]
    },
    check: (config, facts) => [
      ...missingParts(config),
      ...targetProblems(config, routerOf(kinds, config, facts)),
    ],
    observe(config, facts) {
      const found = routerOf(kinds, config, facts)
      const weight = typeof found === 'string' ? null : observedWeight(found.object, config, facts)
      return { type: 'AppMesh', weight, verified: null, managedRoutes: noManagedRoutes }
    },
    plan(config, facts, routes) {
      const found = routerOf(kinds, config, facts)
      if (typeof found === 'string') return [failed(found)]
      const weights = planWeights(found, config, { facts, share: routes })
      const current = observedWeight(found.object, config, facts)
      if (nodesMustWait(current, routes)) return [weights]
      return [weights, ...planNodes(kinds.nodes, config, { facts, routes })]
    },
    removals(config, facts) {
      if (config) return []
      return nodesOf(kinds.nodes, facts).flatMap((node) => {
        const hash = hashOf(node.object) ?? null
        return released(node, hash === noCanary ? hash : null)
      })
    },
    release(config, facts) {
      const { canary, stable } = nodeNames(config)
      const found = routerOf(kinds, config, facts)
      const share = { weight: 0, max: facts.max }
      const weights =
        typeof found === 'string' ? null : planWeights(found, config, { facts, share })
      const nodes = nodesOf(kinds.nodes, facts)
      const named = (name: string) => nodes.filter(({ object }) => object.metadata.name === name)
      return [
        ...(weights?.ok ? weights.writes : []),
        // One after the other: at no time do both select the same pods.
        ...named(canary).flatMap((node) => released(node, noCanary)),
        ...named(stable).flatMap((node) => released(node, null)),
      ]
    },
  }
}

interface Kinds {
  readonly services: RoutedKind
  readonly routers: RoutedKind
  readonly nodes: RoutedKind
}

function kindsOf({ appMeshVersion = 'v1beta2' }: RouterSettings): Kinds {
  const group = 'appmesh.k8s.aws'
  const versions = [appMeshVersion]
  return {
    services: { group, kind: 'VirtualService', plural: 'virtualservices', versions },
    routers: { group, kind: 'VirtualRouter', plural: 'virtualrouters', versions },
    nodes: { group, kind: 'VirtualNode', plural: 'virtualnodes', versions },
  }
}

function nodeNames({ virtualNodeGroup }: Config): {
  readonly canary: string
  readonly stable: string
} {
  return {
    canary: virtualNodeGroup?.canaryVirtualNodeRef.name ?? '',
    stable: virtualNodeGroup?.stableVirtualNodeRef.name ?? '',
  }
}

function missingParts(config: Config): readonly Problem[] {
  const kind = 'Required value' as const
  const { canary, stable } = nodeNames(config)
  return [
    ...(config.virtualService?.name
      ? []
      : [{ path: `${path}.virtualService`, kind, detail: 'must provide virtual-service' }]),
    ...(canary && stable
      ? []
      : [{ path: `${path}.virtualNodeGroup`, kind, detail: 'must provide virtual-node-group' }]),
  ]
}

function targetProblems(
  { virtualService }: Config,
  found: Present<VirtualRouter> | string,
): readonly Problem[] {
  if (typeof found === 'string') return []
  const { metadata, spec } = found.object
  return (spec?.routes ?? [])
    .filter(({ name }) => isWeighted(virtualService?.routes, name))
    .flatMap((route) => {
      const { length } = targetsOf(route)
      if (length === 2) return []
      const detail = `Invalid number of weightedTargets (${length}) for AppMesh virtual-router ${metadata.name} and route ${route.name}, expected 2`
      const value = virtualService?.name
      return [{ path: `${path}.virtualService`, kind: 'Invalid value' as const, value, detail }]
    })
}

function isWeighted(routes: readonly string[] | undefined, name: string): boolean {
  return !routes?.length || routes.includes(name)
}

function targetsOf(route: Route): readonly Target[] {
  return protocols.flatMap((protocol) => route[protocol]?.action?.weightedTargets ?? [])
}

/** The VirtualRouter behind the VirtualService; a text says why there is none, as upstream words it. */
function routerOf(
  kinds: Kinds,
  config: Config,
  { objects, rollout: { namespace } }: RouterFacts,
): Present<VirtualRouter> | string {
  const name = config.virtualService?.name ?? ''
  const service = objectNamed<VirtualService>(objects, kinds.services, { namespace, name })
  if (service.kind === 'absent') return `Virtual-service is missing: ${service.why}`
  const reference = service.object.spec?.provider?.virtualRouter?.virtualRouterRef
  if (!reference) {
    return `VirtualService "${name}": Virtual-service is not associated with virtual-router`
  }
  if ((reference.namespace ?? namespace) !== namespace) {
    return `VirtualService "${name}": VirtualRouter "${reference.name}" is in namespace ${reference.namespace}; it must be in that of the Rollout, ${namespace}`
  }
  const found = objectNamed<VirtualRouter>(objects, kinds.routers, {
    namespace,
    name: reference.name,
  })
  return found.kind === 'present' ? found : `Virtual-router is missing: ${found.why}`
}

function observedWeight(router: VirtualRouter, config: Config, facts: RouterFacts): number | null {
  const routes = (router.spec?.routes ?? []).filter(({ name }) =>
    isWeighted(config.virtualService?.routes, name),
  )
  const weights = new Set(routes.map((route) => weightIn(route, config, facts)))
  const [weight = null] = weights
  return weights.size === 1 ? weight : null
}

function weightIn(route: Route, config: Config, facts: RouterFacts): number | null {
  const names = nodeNames(config)
  const weightOf = (name: string) =>
    targetsOf(route).find((target) => leadsTo(target, name, facts))?.weight ?? Number.NaN
  const [canary, stable] = [weightOf(names.canary), weightOf(names.stable)]
  const weight = (canary * facts.max) / (canary + stable)
  return Number.isFinite(weight) ? weight : null
}

function leadsTo({ virtualNodeRef }: Target, name: string, { rollout }: RouterFacts): boolean {
  const { namespace = rollout.namespace } = virtualNodeRef ?? {}
  return virtualNodeRef?.name === name && namespace === rollout.namespace
}

interface Weighting {
  readonly facts: RouterFacts
  readonly share: Pick<DesiredRoutes, 'weight' | 'max'>
}

function planWeights(
  found: Present<VirtualRouter>,
  config: Config,
  { facts, share }: Weighting,
): RouterPlan {
  const where = `VirtualRouter "${found.object.metadata.name}"`
  const { routes = [] } = found.object.spec ?? {}
  const wanted = config.virtualService?.routes ?? []
  for (const name of wanted) {
    if (!routes.some((route) => route.name === name)) {
      return failed(`${where}: route "${name}" was not found`)
    }
  }
  const weighted = routes.filter(({ name }) => isWeighted(wanted, name))
  if (weighted.length === 0) return failed(`${where}: not well-formed: it has no routes`)
  const names = nodeNames(config)
  for (const route of weighted) {
    for (const name of [names.canary, names.stable]) {
      if (targetsOf(route).some((target) => leadsTo(target, name, facts))) continue
      return failed(`${where}: route "${route.name}" has no weighted target "${name}"`)
    }
  }
  const percent = percentOf(share)
  if (percent === null) {
    return failed(
      `${where}: weight ${share.weight} of ${share.max} is no whole percent, and App Mesh knows no other`,
    )
  }
  const withWeight = (target: Target) => {
    if (leadsTo(target, names.canary, facts)) return { ...target, weight: percent }
    if (leadsTo(target, names.stable, facts)) return { ...target, weight: 100 - percent }
    return target
  }
  const changed = routes.map((route) =>
    weighted.includes(route) ? withTargets(route, withWeight) : route,
  )
  return planOf(editOf(found, { ...found.object, spec: { ...found.object.spec, routes: changed } }))
}

function withTargets(route: Route, change: (target: Target) => Target): Route {
  const changed = protocols.flatMap((protocol) => {
    const rule = route[protocol]
    const targets = rule?.action?.weightedTargets
    if (!targets) return []
    const action = { ...rule.action, weightedTargets: targets.map(change) }
    return [[protocol, { ...rule, action }] as const]
  })
  return { ...route, ...Object.fromEntries(changed) }
}

/**
 * A node gets other pods only when no weight leads to it: not before the weight that is taken from it is seen to be gone,
 * and after a promotion not before the stable side has taken over.
 */
function nodesMustWait(current: number | null, { weight, canary, stable }: DesiredRoutes): boolean {
  if (current === null) return true
  return current > 0 && (weight === 0 || canary.hash === stable.hash)
}

function planNodes(
  kind: RoutedKind,
  config: Config,
  { facts, routes }: { readonly facts: RouterFacts; readonly routes: DesiredRoutes },
): readonly RouterPlan[] {
  const { namespace, name: rollout } = facts.rollout
  const names = nodeNames(config)
  const named = (name: string) => objectNamed<VirtualNode>(facts.objects, kind, { namespace, name })
  const before = named(names.stable)
  // What the stable node still selects, the canary gets in the next pass.
  const taken = [
    '',
    routes.stable.hash,
    before.kind === 'present' ? hashOf(before.object) : undefined,
  ]
  return [
    // The canary first: the stable node may get the pods that were the canary's.
    {
      name: names.canary,
      hash: taken.includes(routes.canary.hash) ? noCanary : routes.canary.hash,
    },
    { name: names.stable, hash: routes.stable.hash || noStable },
  ].map(({ name, hash }) => {
    const found = named(name)
    if (found.kind === 'absent') return failed(`Virtual-node is missing: ${found.why}`)
    const selecting = withHash(found.object, hash)
    const annotations = {
      ...found.object.metadata.annotations,
      [annotationKeys.managedBy]: rollout,
    }
    return planOf(editOf(found, { ...selecting, metadata: { ...selecting.metadata, annotations } }))
  })
}

function withHash(node: VirtualNode, hash: string): VirtualNode {
  const { podSelector } = node.spec ?? {}
  const matchLabels = { ...podSelector?.matchLabels, [hashLabel]: hash }
  return { ...node, spec: { ...node.spec, podSelector: { ...podSelector, matchLabels } } }
}

function hashOf({ spec }: VirtualNode): string | undefined {
  return spec?.podSelector?.matchLabels?.[hashLabel]
}

/** The VirtualNodes that select what this Rollout says. */
function nodesOf(kind: RoutedKind, facts: RouterFacts): readonly Present<VirtualNode>[] {
  const known = facts.objects.get(kindId(kind))
  if (known?.state !== 'served') return []
  const { namespace, name } = facts.rollout
  return objectsOf<VirtualNode>(facts.objects, kind)
    .filter(({ metadata }) => metadata.namespace === namespace)
    .filter(({ metadata }) => metadata.annotations?.[annotationKeys.managedBy] === name)
    .map((object) => ({ kind: 'present', resource: known.resource, object }))
}

/** The node without our mark; null: it selects the pods of all revisions, as it would without a Rollout. */
function released(node: Present<VirtualNode>, hash: string | null): readonly Write[] {
  const { object } = node
  const { [annotationKeys.managedBy]: _, ...annotations } = object.metadata.annotations ?? {}
  const { [hashLabel]: __, ...others } = object.spec?.podSelector?.matchLabels ?? {}
  // An empty selector would mean all pods of the namespace.
  const isEmpty = Object.keys(others).length === 0
  const last = hash ?? (isEmpty ? noStable : null)
  const matchLabels = last === null ? others : { ...others, [hashLabel]: last }
  const edit = editOf(node, {
    ...object,
    metadata: { ...object.metadata, annotations },
    spec: { ...object.spec, podSelector: { ...object.spec?.podSelector, matchLabels } },
  })
  return edit ? [edit] : []
}
