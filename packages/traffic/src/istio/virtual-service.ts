import type { DesiredRoutes, ManagedRoute, Transition } from '@serinus/engine'
import { deepEqual } from '@serinus/kube'
import { type Ends, foreignIn, type Split, shareOf, withSplit } from './destinations.ts'
import { managedHttpRoutes } from './managed-routes.ts'
import { serviceOf } from './names.ts'
import type { HttpRoute, RouteDestination, VirtualService } from './objects.ts'
import {
  protocols,
  type RouteProblem,
  type VirtualServiceEntry,
  type WeightedRoutes,
  weightedRoutes,
} from './weighted-routes.ts'

/** Hosts that were added for experiments, so that a destination of somebody else is never taken for one. */
const addedKey = 'rollouts.argoproj.io/experiment-destinations'

/** What one VirtualService is to the Rollout; two entries may name the same one. */
export interface Part {
  readonly entries: readonly VirtualServiceEntry[]
  readonly ends: Ends
  /** Names of the routes that steps may set. */
  readonly managed: readonly string[]
}

export type Wanted = Pick<DesiredRoutes, 'weight' | 'max' | 'managedRoutes' | 'additional'>

/** A VirtualService as it is to be, with the events of the difference; or what it lacks. */
export type Reshaped =
  | {
      readonly ok: true
      readonly object: VirtualService
      readonly transitions: readonly Transition[]
    }
  | { readonly ok: false; readonly problems: readonly RouteProblem[] }

/** Weights and routes in one: there is one write per object and pass (spec traffic-routing, falls short 31). */
export function reshaped(object: VirtualService, part: Part, wanted: Wanted): Reshaped {
  const { routes, problems } = chosenRoutes(object, part)
  if (problems.length > 0) return { ok: false, problems }
  const split: Split = { ...wanted, added: addedIn(object) }
  const { http = [] } = object.spec ?? {}
  const weighted = Object.fromEntries(
    protocols.flatMap((protocol) => {
      const list = object.spec?.[protocol]
      if (!list) return []
      return [[protocol, list.map((one, index) => split_(one, routes[protocol].has(index)))]]
    }),
  ) as NonNullable<VirtualService['spec']>
  const sources = (weighted.http ?? []).filter((_, index) => routes.http.has(index))
  const isOwn = ({ name }: HttpRoute) => !part.managed.includes(name ?? '')
  const managed =
    sources.length > 0
      ? wanted.managedRoutes.flatMap((route) => managedHttpRoutes(route, sources, part.ends))
      : []
  const spec = {
    ...object.spec,
    ...weighted,
    ...(object.spec?.http ? { http: [...managed, ...(weighted.http ?? []).filter(isOwn)] } : {}),
  }
  const after = marked({ ...object, spec }, split)
  const before = { weights: weightsOf(object, routes), managed: http.filter((one) => !isOwn(one)) }
  const transitions = events(object.metadata.name, before, {
    weights: weightsOf({ ...object, spec: weighted }, routes),
    managed,
    wanted,
    foreign: foreignRoutes(weighted, routes, { ends: part.ends, split }),
  })
  return { ok: true, object: after, transitions }

  function split_<T extends { readonly route?: readonly RouteDestination[] }>(
    one: T,
    isWeighted: boolean,
  ): T {
    return isWeighted ? { ...one, route: withSplit(one.route ?? [], part.ends, split) } : one
  }
}

/** The canary's share in all weighted routes, on the scale of `max`; null where they differ or say nothing. */
export function observedShare(object: VirtualService, part: Part, max: number): number | null {
  const { routes, problems } = chosenRoutes(object, part)
  if (problems.length > 0) return null
  const shares = new Set(
    protocols.flatMap((protocol) =>
      [...routes[protocol]].map((index) =>
        shareOf(object.spec?.[protocol]?.[index]?.route ?? [], part.ends, max),
      ),
    ),
  )
  const [share = null] = shares
  return shares.size === 1 ? share : null
}

/** Names of the routes of steps that a VirtualService holds. */
export function managedNames(
  { spec }: VirtualService,
  { managed }: Pick<Part, 'managed'>,
  kind: ManagedRoute['kind'],
): readonly string[] {
  const names = (spec?.http ?? [])
    .filter(({ name, mirrorPercentage, mirror }) => {
      const isMirror = mirror !== undefined && mirrorPercentage !== undefined
      return managed.includes(name ?? '') && isMirror === (kind === 'mirror')
    })
    .map(({ name = '' }) => name)
  return [...new Set(names)]
}

/** All that is wrong with the routes that the entries mean. */
export function routeProblems(object: VirtualService, part: Part): readonly RouteProblem[] {
  return chosenRoutes(object, part).problems
}

function chosenRoutes(
  object: VirtualService,
  { entries, ...of }: Part,
): { readonly routes: WeightedRoutes; readonly problems: readonly RouteProblem[] } {
  const found = entries.map((entry) => weightedRoutes(object, entry, of))
  const union = (protocol: (typeof protocols)[number]) =>
    new Set(found.flatMap(({ routes }) => [...routes[protocol]]))
  return {
    routes: { http: union('http'), tls: union('tls'), tcp: union('tcp') },
    problems: found.flatMap(({ problems }) => problems),
  }
}

function weightsOf(object: Pick<VirtualService, 'spec'>, routes: WeightedRoutes) {
  return protocols.flatMap((protocol) =>
    [...routes[protocol]].map((index) => object.spec?.[protocol]?.[index]?.route ?? []),
  )
}

function addedIn({ metadata }: VirtualService): ReadonlySet<string> {
  return new Set((metadata.annotations?.[addedKey] ?? '').split(',').filter(Boolean))
}

/** Remembers which destinations are there for experiments, as long as they are. */
function marked(object: VirtualService, split: Split): VirtualService {
  const { http = [], tls = [], tcp = [] } = object.spec ?? {}
  const hosts = new Set(
    [...http, ...tls, ...tcp].flatMap(({ route = [] }) =>
      route.map(({ destination }) => serviceOf(destination?.host)),
    ),
  )
  const ours = [...split.added, ...(split.additional ?? []).map(({ service }) => service)]
  const present = [...new Set(ours)].filter((service) => hosts.has(service)).sort()
  const { [addedKey]: before, ...others } = object.metadata.annotations ?? {}
  if (present.length === 0 && before === undefined) return object
  const annotations = present.length === 0 ? others : { ...others, [addedKey]: present.join(',') }
  return { ...object, metadata: { ...object.metadata, annotations } }
}

function foreignRoutes(
  spec: NonNullable<VirtualService['spec']>,
  routes: WeightedRoutes,
  { ends, split }: { readonly ends: Ends; readonly split: Split },
): readonly string[] {
  const all = weightsOf({ spec }, routes).flatMap((route) => foreignIn(route, ends, split))
  return [...new Set(all)]
}

interface Before {
  readonly weights: readonly (readonly RouteDestination[])[]
  readonly managed: readonly HttpRoute[]
}

interface After extends Before {
  readonly wanted: Wanted
  readonly foreign: readonly string[]
}

/** Upstream's reason has a space, and tools go by it. */
const updated = { type: 'Normal', reason: 'Updated VirtualService' } as const

function events(name: string, before: Before, after: After): readonly Transition[] {
  const transitions: Transition[] = []
  const tell = (text: string) =>
    transitions.push({ ...updated, message: `VirtualService \`${name}\` ${text}` })
  if (!deepEqual(before.weights, after.weights)) {
    tell(`set to desiredWeight '${after.wanted.weight}'`)
    if (after.foreign.length > 0) {
      const message = `VirtualService \`${name}\` also leads to ${after.foreign.join(', ')}, which the Rollout does not name: stable gets what is left`
      transitions.push({ type: 'Warning', reason: 'ForeignDestination', message })
    }
  }
  for (const route of after.wanted.managedRoutes) {
    const those = ({ managed }: Before) =>
      managed.filter((one) => one.name === route.name).map(withoutWeights)
    if (deepEqual(those(before), those(after))) continue
    tell(`set ${route.kind}Route '${route.name}'`)
  }
  const names = new Set(after.managed.map((route) => route.name))
  const gone = new Set(before.managed.map((route) => route.name ?? ''))
  for (const one of names) gone.delete(one ?? '')
  if (gone.size > 0) {
    tell(names.size === 0 ? 'removed all managed routes.' : `removed ${[...gone].join(', ')}`)
  }
  return transitions
}

function withoutWeights({ route, ...rest }: HttpRoute): object {
  return { ...rest, to: (route ?? []).map(({ destination }) => destination ?? {}) }
}
